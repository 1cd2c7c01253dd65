//! The file of what is kept over restarts.
//!
//! It is replaced whole, so that whenever Plimsoll or the machine ends, either the old or the new
//! one is there. One that cannot be read is put aside and told of: an alarm told twice is better
//! than a Plimsoll that does not start.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::plan::Saved;
use crate::log;

/// The file's name in the data directory.
const NAME: &str = "notify.json";
/// Where the new one is written.
const NEW: &str = "notify.json.new";
/// Where one that cannot be read is put.
const ASIDE: &str = "notify.json.damaged";
/// Bytes of a file that is read.
const BYTES_MAX: u64 = 256 << 20;

/// What was kept, if anything was.
pub(super) fn read(directory: &Path) -> Option<Saved> {
    let path = directory.join(NAME);
    let mut text = Vec::new();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            put_aside(directory, &error.to_string());
            return None;
        }
    };
    if let Err(error) = file.take(BYTES_MAX).read_to_end(&mut text) {
        put_aside(directory, &error.to_string());
        return None;
    }
    match serde_json::from_slice(&text) {
        Ok(saved) => Some(saved),
        Err(error) => {
            put_aside(directory, &error.to_string());
            None
        }
    }
}

/// Moves a file that is of no use out of the way, and says so.
pub(super) fn put_aside(directory: &Path, reason: &str) {
    let (path, aside) = (directory.join(NAME), directory.join(ASIDE));
    let where_to = match std::fs::rename(&path, &aside) {
        Ok(()) => format!("it is now {}", aside.display()),
        Err(error) => format!("it cannot be put aside: {error}"),
    };
    log::error(
        "notify",
        format!(
            "{} cannot be used: {reason}; silences are lost and alarms may be told of again; \
             {where_to}",
            path.display()
        ),
    );
}

/// Replaces the file.
///
/// # Errors
/// What went wrong; the old one is still there.
pub(super) fn write(directory: &Path, saved: &Saved) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let (new, path): (PathBuf, PathBuf) = (directory.join(NEW), directory.join(NAME));
    // Labels and texts of alarms are nobody else's business.
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(saved)?)?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    File::open(directory)?.sync_all()
}
