//! Opening the blocks of a store: damaged ones are set aside, and of a merge that was not finished what
//! it has merged is removed.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::block::{self, Block, BlockError, EXTENSION};
use super::super::disk::{self, TEMPORARY};
use super::super::index::Index;
use super::{Recovery, Store};

/// Removes what was not completed.
pub(super) fn remove_temporary(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == TEMPORARY) {
            disk::remove(&path)?;
        }
    }
    Ok(())
}

/// Opens all blocks, by rising span. Of a merge that was not finished the merged block stays.
pub(super) fn open_blocks(
    folder: &Path,
    index: &mut Index,
    recovery: &mut Recovery,
) -> io::Result<Vec<Arc<Block>>> {
    let mut blocks = Vec::<Arc<Block>>::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        match Block::open(&path, |labels| index.intern(labels).map(|entry| entry.id)) {
            // The name is what merging and dropping go by.
            Ok(block) if path.ends_with(block::file_name(block.start, block.end)) => {
                blocks.push(Arc::new(block));
            }
            Ok(_) => {
                let what = Store::set_aside(&path);
                let path = path.display();
                recovery.losses.push(format!("the name of {path} is not that of its span; {what}"));
            }
            Err(error @ BlockError::Damaged { .. }) => {
                recovery.losses.push(format!("{error}; {}", Store::set_aside(&path)));
            }
            Err(error) => recovery.losses.push(error.to_string()),
        }
    }
    blocks.sort_by_key(|block| (block.start, std::cmp::Reverse(block.end)));
    let mut kept = Vec::<Arc<Block>>::new();
    for block in blocks {
        if kept.last().is_some_and(|last| block.end <= last.end) {
            disk::remove(&block.path)?;
            continue;
        }
        kept.push(block);
    }
    for block in &kept {
        recovery.blocks += 1;
        recovery.samples_in_blocks += block.samples;
        for id in block.ids() {
            if let Some(entry) = index.by_id(id) {
                entry.blocks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    // Series of blocks that were removed or found damaged half-way.
    let orphans: Vec<_> = index
        .entries()
        .filter(|entry| entry.blocks.load(Ordering::Relaxed) == 0)
        .map(|entry| entry.id)
        .collect();
    index.remove(&orphans);
    Ok(kept)
}
