//! Temporary folders, and the sweeping of those that ended processes left behind.
//!
//! A folder goes at the stop. Nothing of ours runs after `kill -9`, so what stays then is removed when
//! the next one is made. The process that uses a folder holds a lock in it, which ends with the
//! process, however that ends.
//!
//! Invariants: only folders are removed that are named as ours, belong to this user, are open to
//! nobody else and whose lock was held once and is free; no link is followed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::TempDir;

use crate::log;

/// What names begin with.
const PREFIX: &str = "plimsoll-tmp-";
/// The file that is locked. It says which process does; empty, it was not locked yet.
const LOCK_FILE: &str = "process";
/// Most names that are looked at in the folder of temporary ones.
const NAMES_MAX: usize = 65_536;
/// Most folders that are removed at once; the next start goes on.
const REMOVED_MAX: usize = 64;

/// A folder that is removed when dropped.
#[derive(Debug)]
pub struct Temporary {
    /// Removed while it is locked.
    directory: TempDir,
    _lock: File,
}

impl Temporary {
    /// Makes one, after removing what ended processes left behind.
    ///
    /// # Errors
    /// What the system says.
    pub fn make() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let removed = sweep(&parent);
        let place = parent.display();
        let told = match removed {
            0 => None,
            1 => Some(format!("a folder that an ended process had left in {place} was removed")),
            _ => Some(format!(
                "{removed} folders that ended processes had left in {place} were removed"
            )),
        };
        if let Some(told) = told {
            log::info(log::PROGRAM, told);
        }
        Self::make_in(&parent)
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        let private = fs::Permissions::from_mode(0o700);
        let directory =
            tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(parent)?;
        let mut lock = File::create_new(directory.path().join(LOCK_FILE))?;
        lock.try_lock()?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self { directory, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it now.
    ///
    /// # Errors
    /// What the system says; something is left then.
    pub fn close(self) -> io::Result<()> {
        self.directory.close()
    }
}

/// Removes what ended processes left behind; says how many folders. Failures leave them.
fn sweep(parent: &Path) -> usize {
    let Ok(entries) = fs::read_dir(parent) else { return 0 };
    let ours = entries
        .take(NAMES_MAX)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let left = ours.filter_map(|entry| Some((claim(&entry.path())?, entry.path())));
    // The lock is held meanwhile, against others that sweep.
    left.take(REMOVED_MAX).filter(|(_lock, path)| fs::remove_dir_all(path).is_ok()).count()
}

/// The lock of a folder that was left behind; `None` if it is in use, or may not be ours.
fn claim(folder: &Path) -> Option<File> {
    let found = fs::symlink_metadata(folder).ok()?;
    let is_own = found.is_dir()
        && found.uid() == nix::unistd::geteuid().as_raw()
        && found.mode() & 0o077 == 0;
    if !is_own {
        return None;
    }
    let lock = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(folder.join(LOCK_FILE))
        .ok()?;
    let held = lock.metadata().ok()?;
    (held.is_file() && held.len() > 0 && lock.try_lock().is_ok()).then_some(lock)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder as a killed process leaves it.
    fn left_behind(parent: &Path) -> std::path::PathBuf {
        let Temporary { directory, _lock } = Temporary::make_in(parent).unwrap();
        fs::create_dir(directory.path().join("samples")).unwrap();
        fs::write(directory.path().join("samples/1"), "figures").unwrap();
        directory.keep()
    }

    #[test]
    fn what_an_ended_process_left_goes_and_what_is_used_stays() {
        let parent = tempfile::tempdir().unwrap();
        let left = left_behind(parent.path());
        let used = Temporary::make_in(parent.path()).unwrap();
        assert_eq!(sweep(parent.path()), 1);
        assert!(!left.exists() && used.path().exists());
        let path = used.path().to_owned();
        used.close().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn only_what_is_surely_ours_goes() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        // Another name, with the same in it.
        fs::rename(left_behind(parent.path()), at("plimsoll-demo")).unwrap();
        // Others may write into it.
        let open = left_behind(parent.path());
        fs::set_permissions(&open, fs::Permissions::from_mode(0o770)).unwrap();
        // Links, to a folder that would go and from a lock.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = left_behind(elsewhere.path());
        symlink(&other, at("plimsoll-tmp-link")).unwrap();
        let linked = left_behind(parent.path());
        fs::rename(linked.join(LOCK_FILE), linked.join("lock")).unwrap();
        symlink("lock", linked.join(LOCK_FILE)).unwrap();
        // Not locked yet, and no folder at all.
        let young = left_behind(parent.path());
        fs::write(young.join(LOCK_FILE), "").unwrap();
        fs::write(at("plimsoll-tmp-file"), "mine").unwrap();
        assert_eq!(sweep(parent.path()), 0);
        assert!(other.exists());
    }

    #[test]
    fn a_link_inside_is_removed_and_not_followed() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("mine"), "mine").unwrap();
        let left = left_behind(parent.path());
        symlink(elsewhere.path(), left.join("samples/link")).unwrap();
        assert_eq!(sweep(parent.path()), 1);
        assert!(elsewhere.path().join("mine").exists());
    }
}
