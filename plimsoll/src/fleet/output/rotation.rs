//! A log file of bounded size: at `max_bytes` `web-1.log` becomes `web-1.log.1`, that one `.2`,
//! and so on; `keep` old ones stay.
//!
//! The file is opened with the first line and opened again after a failure, which is reported
//! once until a write succeeds.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::model::InstanceLog;
use crate::log;

/// One instance's file.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    open: Option<(File, u64)>,
    failing: bool,
}

impl RotatingFile {
    /// Nothing is opened yet.
    pub fn new(log: &InstanceLog, file_name: &str) -> Self {
        Self {
            path: log.directory.join(file_name),
            max_bytes: log.max_bytes,
            keep: log.keep,
            open: None,
            failing: false,
        }
    }

    /// Whether both write the same file in the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.path, self.max_bytes, self.keep) == (&other.path, other.max_bytes, other.keep)
    }

    /// Appends whole lines. What cannot be written is lost.
    pub fn write(&mut self, lines: &[u8]) {
        match self.try_write(lines) {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !self.failing {
                    self.failing = true;
                    let path = self.path.display();
                    log::warn("fleet", format!("cannot write {path}: {error}; lines are lost"));
                }
            }
        }
    }

    /// A file is turned over between lines, so that no line is torn.
    fn try_write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let (mut file, size) = match self.open.take() {
                Some(open) => open,
                None => self.open_file()?,
            };
            let room = usize::try_from(self.max_bytes.saturating_sub(size)).unwrap_or(usize::MAX);
            let fitting = match memchr::memrchr(b'\n', &lines[..room.min(lines.len())]) {
                Some(end) => end + 1,
                // A line longer than a whole file has a file of its own.
                None if size == 0 => {
                    memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1)
                }
                None => {
                    self.turn_over()?;
                    continue;
                }
            };
            file.write_all(&lines[..fitting])?;
            self.open = Some((file, size + fitting as u64));
            lines = &lines[fitting..];
        }
        Ok(())
    }

    fn open_file(&self) -> io::Result<(File, u64)> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// The file must not be open.
    fn turn_over(&self) -> io::Result<()> {
        if self.keep == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn written(max_bytes: u64, keep: u32, writes: &[&str]) -> BTreeMap<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let log = InstanceLog { directory: directory.path().join("new"), max_bytes, keep };
        let mut file = RotatingFile::new(&log, "web-1.log");
        for lines in writes {
            file.write(lines.as_bytes());
        }
        read(&log.directory)
    }

    fn read(directory: &Path) -> BTreeMap<String, String> {
        let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
        files
            .map(|file| {
                let text = std::fs::read_to_string(file.path()).unwrap();
                (file.file_name().into_string().unwrap(), text)
            })
            .collect()
    }

    fn files<const N: usize>(files: [(&str, &str); N]) -> BTreeMap<String, String> {
        files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn old_files_are_counted_and_only_some_are_kept() {
        let found = written(4, 2, &["a\nb\n", "c\n", "d\ne\nf\ng\nh\n"]);
        let wanted =
            [("web-1.log", "g\nh\n"), ("web-1.log.1", "e\nf\n"), ("web-1.log.2", "c\nd\n")];
        assert_eq!(found, files(wanted));
        assert_eq!(written(2, 0, &["a\nb\nc\n"]), files([("web-1.log", "c\n")]));
    }

    #[test]
    fn a_line_longer_than_a_file_is_not_torn() {
        let found = written(4, 3, &["a\nlong line\nb\n"]);
        let wanted = [("web-1.log", "b\n"), ("web-1.log.1", "long line\n"), ("web-1.log.2", "a\n")];
        assert_eq!(found, files(wanted));
    }

    #[test]
    fn what_is_there_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let log = InstanceLog { directory: directory.path().to_owned(), max_bytes: 4, keep: 1 };
        std::fs::write(directory.path().join("web-1.log"), "a\n").unwrap();
        RotatingFile::new(&log, "web-1.log").write(b"b\nc\n");
        let wanted = [("web-1.log", "c\n"), ("web-1.log.1", "a\nb\n")];
        assert_eq!(read(directory.path()), files(wanted));
    }

    #[test]
    fn writing_goes_on_after_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("logs");
        let log = InstanceLog { directory: place.clone(), max_bytes: 100, keep: 1 };
        let mut file = RotatingFile::new(&log, "web-1.log");
        std::fs::write(&place, "in the way").unwrap();
        file.write(b"lost\n");
        assert!(file.failing);
        std::fs::remove_file(&place).unwrap();
        file.write(b"kept\n");
        assert!(!file.failing);
        assert_eq!(read(&place), files([("web-1.log", "kept\n")]));
    }
}
