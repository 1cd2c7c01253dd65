//! The parts of measuring as one: prepared before anything is started, started, reloaded, stopped.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tsdb::exposition::Exposition;
use tsdb::store::Recovery;

use super::folder::{self, FolderError, Opened};
use super::query::Engine;
use super::storage::Storage;
use super::upkeep::Upkeep;
use super::{PART, now};
use crate::config::model::Config;
use crate::config::model::observe::Observe;
use crate::log;

/// What can be refused has not been: the store is open.
pub struct Prepared {
    settings: Arc<Observe>,
    opened: Opened,
}

/// The running parts.
pub struct Observer {
    storage: Arc<Storage>,
    engine: Arc<Engine>,
    folder: PathBuf,
    /// Taken by the stop.
    upkeep: Mutex<Option<Upkeep>>,
    /// Removes the folder at the end, if it is a temporary one.
    _temporary: Option<TempDir>,
}

/// Does all of it that may be refused.
///
/// # Errors
/// The folder of the config cannot be used.
pub fn prepare(settings: &Arc<Observe>) -> Result<Prepared, FolderError> {
    let opened = folder::open(settings, now())?;
    Ok(Prepared { settings: Arc::clone(settings), opened })
}

impl Prepared {
    /// Starts the parts. Says where figures are kept and what of them was found.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(self, config: &Config) -> std::io::Result<Observer> {
        let Self { settings, opened } = self;
        let Opened { store, folder, temporary, recovery, warning } = opened;
        if let Some(warning) = warning {
            log::warn(PART, warning);
        }
        tell(&folder, &recovery, temporary.is_some());
        let store = Arc::new(store);
        let upkeep = Upkeep::start(Arc::clone(&store))?;
        let storage = Arc::new(Storage::new(Arc::clone(&store), Vec::new()));
        let engine = Arc::new(Engine::new(store, settings.query));
        let _ = config;
        let upkeep = Mutex::new(Some(upkeep));
        Ok(Observer { storage, engine, folder, upkeep, _temporary: temporary })
    }
}

/// Says what was found; a new or a temporary folder has nothing to tell.
fn tell(folder: &std::path::Path, recovery: &Recovery, is_temporary: bool) {
    let place = folder.display();
    if is_temporary {
        log::info(PART, format_args!("figures are kept in {place} until the stop"));
    } else if *recovery == Recovery::default() {
        log::info(PART, format_args!("figures are kept in {place}"));
    } else {
        log::info(PART, format_args!("figures are kept in {place}, which has {}", kept(recovery)));
    }
    for loss in &recovery.losses {
        log::warn(PART, loss);
    }
}

fn kept(recovery: &Recovery) -> String {
    let Recovery { blocks, samples_in_blocks, samples_from_log, losses: _ } = recovery;
    format!("{samples_in_blocks} samples in {blocks} blocks and {samples_from_log} in its log")
}

impl Observer {
    /// Adds the parts' own figures.
    pub fn expose(&self, out: &mut Exposition) {
        self.storage.expose(out);
    }

    /// Ends the parts; what they know is on the disk afterwards.
    pub async fn stop(&self) {
        let upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(upkeep) = upkeep {
            // It waits for the disk. If the runtime is going, so is everything.
            let _ = tokio::task::spawn_blocking(move || upkeep.stop()).await;
        }
    }
}
