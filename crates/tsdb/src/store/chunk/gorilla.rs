//! The open chunk: each sample is appended to a stream of bits.
//!
//! As in Facebook's Gorilla (Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series
//! Database", VLDB 2015, sections 4.1.1 and 4.1.2): of a time the change of its distance to the
//! previous one, of a value the bits in which it differs from the previous one. Widths are for
//! milliseconds, where the paper has seconds. The values' half also stands alone, for sealed columns
//! that are not decimal.

use super::super::wire::Corrupt;
use super::bits::{BitReader, BitWriter};
use crate::sample::Samples;

/// Mark, its bits, and the bits of the number for a change of distance; zero is a lone 0 bit.
const WIDTHS: [(u64, u32, u32); 4] =
    [(0b10, 2, 8), (0b110, 3, 14), (0b1110, 4, 20), (0b1111, 4, 64)];
/// More leading zeros are not counted: the count has five bits.
const LEADING_MAX: u32 = 31;
/// Bits that a difference may waste in the width of an older one, before a new width is written.
const WIDTH_WASTE_MAX: u32 = 16;

/// Turns values into bits and back; both sides run the same states.
#[derive(Default, Clone)]
pub(super) struct Xor {
    previous: u64,
    leading: u8,
    /// Bits between leading and trailing zeros; 0 before the first difference.
    meaningful: u8,
}

impl Xor {
    #[inline]
    pub(super) fn put(&mut self, value: f64, out: &mut BitWriter) {
        let previous = std::mem::replace(&mut self.previous, value.to_bits());
        let difference = value.to_bits() ^ previous;
        if difference == 0 {
            out.put(0, 1);
            return;
        }
        let leading = difference.leading_zeros().min(LEADING_MAX);
        let trailing = difference.trailing_zeros();
        let meaningful = 64 - leading - trailing;
        let (old_leading, old_meaningful) = (u32::from(self.leading), u32::from(self.meaningful));
        if (meaningful..meaningful + WIDTH_WASTE_MAX).contains(&old_meaningful)
            && leading >= old_leading
            && trailing >= 64 - old_leading - old_meaningful
        {
            out.put(0b10, 2);
            out.put(difference >> (64 - old_leading - old_meaningful), old_meaningful);
            return;
        }
        self.remember(previous, leading, meaningful);
        out.put(0b11 << 11 | u64::from(leading) << 6 | u64::from(meaningful - 1), 13);
        out.put(difference >> trailing, meaningful);
    }

    #[inline]
    pub(super) fn get(&mut self, bits: &mut BitReader<'_>) -> Result<f64, Corrupt> {
        if bits.is_set()? {
            let (mut leading, mut meaningful) =
                (u32::from(self.leading), u32::from(self.meaningful));
            if bits.is_set()? {
                let widths = bits.get(11)? as u32;
                (leading, meaningful) = (widths >> 6, (widths & 63) + 1);
                self.remember(self.previous, leading, meaningful);
            }
            if meaningful == 0 || leading + meaningful > 64 {
                return Err(Corrupt("a value has an impossible width"));
            }
            self.previous ^= bits.get(meaningful)? << (64 - leading - meaningful);
        }
        Ok(f64::from_bits(self.previous))
    }

    /// The width of a difference from zero says nothing of those that follow, and they would keep it.
    #[inline]
    fn remember(&mut self, previous: u64, leading: u32, meaningful: u32) {
        if previous != 0 {
            (self.leading, self.meaningful) = (leading as u8, meaningful as u8);
        }
    }
}

/// Samples that wait, so that the stream's end is fetched from memory once for all of them: with ten
/// thousand series it is never in a cache, and appending is waiting for memory.
const WAITING: usize = 8;

/// Samples of one series, the newest of which is known.
#[derive(Default)]
pub(in super::super) struct OpenChunk {
    waiting: [(i64, f64); WAITING],
    waiting_count: u8,
    /// Samples in the stream.
    count: u16,
    first: i64,
    last: i64,
    bits: BitWriter,
    /// Of the stream's newest sample.
    stream_last: i64,
    distance: i64,
    xor: Xor,
}

impl OpenChunk {
    /// Adds a sample that is younger than all others.
    pub(in super::super) fn push(&mut self, time: i64, value: f64) {
        if self.len() == 0 {
            self.first = time;
        }
        self.last = time;
        let place = usize::from(self.waiting_count) % WAITING;
        self.waiting[place] = (time, value);
        self.waiting_count += 1;
        if place == WAITING - 1 {
            self.waiting_count = 0;
            for (time, value) in self.waiting {
                self.put(time, value);
            }
        }
    }

    fn put(&mut self, time: i64, value: f64) {
        if self.count > 0 {
            let distance = time.wrapping_sub(self.stream_last);
            put_change(distance.wrapping_sub(self.distance), &mut self.bits);
            self.distance = distance;
        }
        self.stream_last = time;
        self.xor.put(value, &mut self.bits);
        self.count += 1;
    }

    pub(in super::super) fn len(&self) -> usize {
        usize::from(self.count) + usize::from(self.waiting_count)
    }

    /// Time of the first sample; meaningless when there is none.
    pub(in super::super) fn first(&self) -> i64 {
        self.first
    }

    /// Time of the last sample; meaningless when there is none.
    pub(in super::super) fn last(&self) -> i64 {
        self.last
    }

    /// Bytes of memory beyond the value itself.
    pub(in super::super) fn capacity_bytes(&self) -> usize {
        self.bits.capacity_bytes()
    }

    /// Forgets all samples and keeps memory for about as many.
    pub(in super::super) fn clear(&mut self) {
        let used = self.bits.used_bytes();
        self.bits.clear();
        self.bits.shrink(used + used / 8);
        let bits = std::mem::take(&mut self.bits);
        *self = Self { bits, ..Self::default() };
    }

    /// Adds all samples to `samples`.
    ///
    /// # Errors
    /// Never for what [`push`](Self::push) wrote.
    pub(in super::super) fn read(&self, samples: &mut Samples) -> Result<(), Corrupt> {
        let (mut bits, mut xor) = (BitReader::new(self.bits.words()), Xor::default());
        let (mut time, mut distance) = (self.first, 0i64);
        samples.times.reserve(self.len());
        samples.values.reserve(self.len());
        for place in 0..self.count {
            if place > 0 {
                distance = distance.wrapping_add(get_change(&mut bits)?);
                time = time.wrapping_add(distance);
            }
            samples.times.push(time);
            samples.values.push(xor.get(&mut bits)?);
        }
        for (time, value) in &self.waiting[..usize::from(self.waiting_count)] {
            samples.times.push(*time);
            samples.values.push(*value);
        }
        Ok(())
    }
}

#[inline]
fn put_change(change: i64, out: &mut BitWriter) {
    if change == 0 {
        out.put(0, 1);
        return;
    }
    for (mark, mark_bits, width) in WIDTHS {
        let unused = 64 - width;
        if change << unused >> unused == change {
            out.put(mark, mark_bits);
            out.put((change << unused) as u64 >> unused, width);
            return;
        }
    }
}

#[inline]
fn get_change(bits: &mut BitReader<'_>) -> Result<i64, Corrupt> {
    if !bits.is_set()? {
        return Ok(0);
    }
    let mut rank = 0;
    while rank + 1 < WIDTHS.len() && bits.is_set()? {
        rank += 1;
    }
    let width = WIDTHS[rank].2;
    Ok((bits.get(width)? << (64 - width)) as i64 >> (64 - width))
}
