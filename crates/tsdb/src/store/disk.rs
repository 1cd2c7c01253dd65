//! What the store does with the disk to write, in one place, so that tests can make it fail.
//!
//! A file appears under its name only when it is complete: it is written under another one, synced,
//! renamed, and its folder synced. (The log is the exception: it grows, and is read accordingly.)

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
#[cfg(test)]
use std::sync::atomic::{AtomicI32, Ordering};

/// Ending of files that are not complete; removed at open.
pub(super) const TEMPORARY: &str = "tmp";

/// The way to the disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// In tests: the error number with which every write fails; 0 for none.
    #[cfg(test)]
    pub(super) fault: AtomicI32,
}

impl Disk {
    #[cfg(test)]
    fn check(&self) -> io::Result<()> {
        match self.fault.load(Ordering::SeqCst) {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(number)),
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "only tests have faults")]
    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    /// A new file, which must not exist.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        self.check()?;
        File::options().read(true).write(true).create_new(true).open(path)
    }

    /// Writes at the end. After an error part of the bytes may be there.
    pub(super) fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.check() {
            let _ = file.write(&bytes[..bytes.len() / 2]);
            return Err(error);
        }
        file.write_all(bytes)
    }

    /// Waits until the bytes of a file are on the disk.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        self.check()?;
        file.sync_data()
    }

    /// Gives a synced file its name and makes that last.
    pub(super) fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        fs::rename(from, to)?;
        sync_folder(to)
    }
}

/// Makes the names of the folder that a file is in last.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
