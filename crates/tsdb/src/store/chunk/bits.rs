//! Bits one after the other, from the highest of each word down.

use super::super::wire::Corrupt;

/// Bits being written.
#[derive(Default)]
pub(super) struct BitWriter {
    words: Vec<u64>,
    /// Free bits of the last word.
    free: u32,
}

impl BitWriter {
    /// Adds the lowest `count` bits of `value`, at most 64; the others must be zero.
    #[inline]
    pub(super) fn put(&mut self, value: u64, count: u32) {
        match self.words.last_mut() {
            Some(last) if count <= self.free => {
                self.free -= count;
                *last |= value << self.free;
            }
            last => {
                let rest = count - self.free;
                if let Some(last) = last.filter(|_| self.free > 0) {
                    *last |= value >> rest;
                }
                self.free = 64 - rest;
                self.words.push(if rest == 0 { 0 } else { value << self.free });
            }
        }
    }

    /// The words so far; what is free in the last is zero.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bytes that hold what was written, without what is free at the end.
    pub(super) fn used_bytes(&self) -> usize {
        self.words.len() * 8 - self.free as usize / 8
    }

    /// Bytes of memory.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.words.capacity() * 8
    }

    /// Forgets all bits and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.free = 0;
    }

    /// Gives back memory beyond what is used.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.words.shrink_to(bytes / 8);
    }
}

/// Bits being read.
pub(super) struct BitReader<'a> {
    words: &'a [u64],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(words: &'a [u64]) -> Self {
        Self { words, position: 0 }
    }

    /// The next `count` bits, one to 64.
    #[inline]
    pub(super) fn get(&mut self, count: u32) -> Result<u64, Corrupt> {
        let (word, shift) = (self.position / 64, (self.position % 64) as u32);
        let first = *self.words.get(word).ok_or(Corrupt("the bits end early"))? << shift;
        self.position += count as usize;
        let mut bits = first;
        if shift + count > 64 {
            let second = self.words.get(word + 1).ok_or(Corrupt("the bits end early"))?;
            bits |= second >> (64 - shift);
        }
        Ok(bits >> (64 - count))
    }

    #[inline]
    pub(super) fn is_set(&mut self) -> Result<bool, Corrupt> {
        self.get(1).map(|bit| bit == 1)
    }
}
