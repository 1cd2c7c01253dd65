//! What a store has on the disk.
//!
//! Counted is what the files take there (blocks of the file system), as `du` does.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Unit of `st_blocks`, stat(2).
const UNIT: u64 = 512;

/// Bytes that everything in a folder takes.
pub(super) fn bytes(folder: &Path) -> io::Result<u64> {
    let files = files(folder)?;
    Ok(files.iter().map(|(_, bytes)| bytes).sum())
}

/// All files below a folder, with the bytes that they take. One that vanishes meanwhile is left out.
pub(super) fn files(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                found.push((entry.path(), metadata.blocks() * UNIT));
            }
        }
    }
    Ok(found)
}

/// The span that the name of one of Plimsoll's blocks tells: `START-END.block`, milliseconds.
pub(super) fn span_of_block(file: &Path) -> Option<(i64, i64)> {
    let (start, end) = file.file_name()?.to_str()?.strip_suffix(".block")?.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{bytes, span_of_block};

    #[test]
    fn files_count_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/c"), vec![7; 100_000]).unwrap();
        fs::write(folder.path().join("d"), vec![7; 100_000]).unwrap();
        let counted = bytes(folder.path()).unwrap();
        assert!((200_000..300_000).contains(&counted), "{counted}");
        assert_eq!(bytes(&folder.path().join("nowhere")).unwrap(), 0);
    }

    #[test]
    fn a_block_tells_its_span() {
        let span = |name| span_of_block(Path::new(name));
        assert_eq!(
            span("/x/1763690400000-1763697600000.block"),
            Some((1_763_690_400_000, 1_763_697_600_000))
        );
        assert_eq!(span("1-2.block.damaged"), None);
        assert_eq!(span("00000001.log"), None);
    }
}
