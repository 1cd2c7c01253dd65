//! The folder where figures, states of alarms and silences are kept: found, made, opened.
//!
//! What is named in the config must work, or Plimsoll does not start. What is not named may fail:
//! then everything is kept in a temporary folder until the stop, and a warning says so, because a
//! service matters more than its history.
//!
//! `samples/` holds the store; its lock guards the whole folder.

use std::path::{Path, PathBuf};

use tsdb::store::{OpenError, Options, Recovery, Store};

use crate::config::model::observe::{DataDirectory, Observe};
use crate::temporary::Temporary;

/// The store's part of the folder.
const SAMPLES: &str = "samples";

/// What was opened.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where the others keep their files.
    pub folder: PathBuf,
    /// Removes the folder when dropped, if it is a temporary one.
    pub temporary: Option<Temporary>,
    /// What was found.
    pub recovery: Recovery,
    /// What people should know, in words; empty if all is as usual.
    pub warning: Option<String>,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder of the config cannot be used.
    #[error("{0}")]
    Named(OpenError),
    /// There is no place for a temporary one.
    #[error(
        "no folder for figures can be made below {}: {error}; name one by `directory` in \
         [observe], or set `observe = false`", std::env::temp_dir().display()
    )]
    Temporary {
        /// What the system, or the store, says.
        error: String,
    },
}

/// Opens the store in the folder that `settings` ask for. `now` is in milliseconds since 1970.
///
/// # Errors
/// When a folder that is named cannot be used, or nothing can.
pub fn open(settings: &Observe, now: i64) -> Result<Opened, FolderError> {
    let options = Options {
        retention: settings.retention,
        bytes_max: settings.bytes_max,
        series_max: settings.series_max,
        memory_bytes_max: settings.memory_bytes_max,
        ..Options::default()
    };
    match &settings.directory {
        DataDirectory::Named(path) => open_at(path, options, now).map_err(FolderError::Named),
        DataDirectory::Usual(path) => match open_at(path, options.clone(), now) {
            Ok(opened) => Ok(opened),
            Err(error) => {
                let mut opened = temporary(options, now)?;
                opened.warning = Some(format!(
                    "{error}; figures and alarms are kept in {} and lost at the stop, unless \
                     `directory` in [observe] names a folder",
                    opened.folder.display()
                ));
                Ok(opened)
            }
        },
        DataDirectory::Temporary => temporary(options, now),
    }
}

fn open_at(folder: &Path, options: Options, now: i64) -> Result<Opened, OpenError> {
    let (store, recovery) = Store::open(&folder.join(SAMPLES), options, now)?;
    let folder = folder.to_owned();
    Ok(Opened { store, folder, temporary: None, recovery, warning: None })
}

fn temporary(options: Options, now: i64) -> Result<Opened, FolderError> {
    let failed =
        |error: &dyn std::fmt::Display| FolderError::Temporary { error: error.to_string() };
    let directory = Temporary::make().map_err(|error| failed(&error))?;
    let mut opened = open_at(directory.path(), options, now).map_err(|error| failed(&error))?;
    opened.temporary = Some(directory);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::usual_observe;

    #[test]
    fn a_named_folder_must_work() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let settings = usual_observe(DataDirectory::Named(root.path().join("file/data")));
        let Err(FolderError::Named(error)) = open(&settings, 0) else { panic!("opened") };
        assert!(error.to_string().contains("file/data"), "{error}");
        let settings = usual_observe(DataDirectory::Named(root.path().join("data")));
        let opened = open(&settings, 0).unwrap();
        assert_eq!(opened.folder, root.path().join("data"));
        assert!(opened.warning.is_none());
    }

    #[test]
    fn the_usual_folder_may_fail() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let settings = usual_observe(DataDirectory::Usual(root.path().join("file/data")));
        let opened = open(&settings, 0).unwrap();
        let warning = opened.warning.unwrap();
        assert!(warning.contains("file/data") && warning.contains("lost at the stop"), "{warning}");
        assert!(opened.folder.exists());
        drop(opened.store);
        drop(opened.temporary);
        assert!(!opened.folder.exists(), "it is removed at the stop");
    }

    #[test]
    fn two_do_not_share_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let settings = usual_observe(DataDirectory::Usual(root.path().join("data")));
        let first = open(&settings, 0).unwrap();
        let second = open(&settings, 0).unwrap();
        assert_ne!(first.folder, second.folder);
        assert!(second.warning.unwrap().contains("open in another process"));
    }
}
