//! Remembers what was installed from, so that an unchanged installation is not repeated.
//!
//! The stamp holds the whole of its inputs (they are small) and is written last: an installation
//! that was cut short has none and is made anew.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The inputs of an installation, kept in its folder.
pub(crate) struct Stamp {
    file: PathBuf,
    inputs: String,
}

impl Stamp {
    /// For an installation into `folder` made from `inputs`.
    pub(crate) fn new(folder: &Path, inputs: &[&str]) -> Self {
        Self { file: folder.join(".installed-from"), inputs: inputs.join("\n--\n") }
    }

    /// Whether what is in the folder was made from the same inputs.
    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|found| found == self.inputs)
    }

    /// Removes the folder and makes it empty.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        let Some(folder) = self.file.parent() else { return Ok(()) };
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
    }

    /// The installation is complete.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        fs::write(&self.file, &self.inputs)
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn only_the_same_inputs_are_current() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("peers");
        let stamp = Stamp::new(&inner, &["flask==3", "python 3.11"]);
        assert!(!stamp.is_current());
        stamp.clear().unwrap();
        assert!(!stamp.is_current(), "an installation that was cut short is not current");
        stamp.write().unwrap();
        assert!(stamp.is_current());
        assert!(!Stamp::new(&inner, &["flask==4", "python 3.11"]).is_current());
        assert!(!Stamp::new(&inner, &["flask==3", "python 3.12"]).is_current());
        stamp.clear().unwrap();
        assert!(!stamp.is_current());
    }
}
