//! Columns of whole numbers in few bits, decoded without a branch for each bit.
//!
//! The column is written as its values, their differences, or the differences of those, whichever is
//! smallest. Groups of [`GROUP`] each say their least value and a width, and hold every value's
//! distance from the least in so many bits; the few that need more are written apart, with their
//! place ("patched frame of reference": Zukowski, Héman, Nes, Boncz, "Super-Scalar RAM-CPU Cache
//! Compression", ICDE 2006). When all that is left is equal, one mark says so: a straight line of any
//! length takes some ten bytes.

use super::super::wire::{
    Corrupt, Reader, from_zigzag, put_varint, put_zigzag, to_zigzag, varint_bytes,
};

/// Values with a common width: as many as bits in a word, so that a full group takes `width` words.
const GROUP: usize = 64;
/// In place of a width: all values that are left are equal.
const REST: u8 = 0x7f;
/// Added to a width: exceptions follow.
const PATCHED: u8 = 0x80;

/// Writes a column.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let first = differences(values);
    let second = differences(&first);
    let (mut order, mut residuals, mut bits) = (0, values, cost(values));
    for (candidate, candidate_residuals) in [(1, &first), (2, &second)] {
        let candidate_bits = cost(candidate_residuals);
        if candidate_bits < bits && values.len() > candidate {
            (order, residuals, bits) = (candidate, candidate_residuals, candidate_bits);
        }
    }
    out.push(order as u8);
    for seed in [values.first(), first.first()].into_iter().take(order).flatten() {
        put_zigzag(out, *seed);
    }
    let equal = residuals.iter().rev().take_while(|value| residuals.last() == Some(value)).count();
    for (place, group) in residuals.chunks(GROUP).enumerate() {
        if place * GROUP >= residuals.len() - equal {
            out.push(REST);
            put_zigzag(out, group[0]);
            return;
        }
        encode_group(group, &Plan::of(group), out);
    }
}

fn differences(values: &[i64]) -> Vec<i64> {
    values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect()
}

/// Bits that the groups of a column take.
fn cost(residuals: &[i64]) -> u64 {
    residuals.chunks(GROUP).map(|group| Plan::of(group).bits).sum()
}

/// How a group is written.
struct Plan {
    base: i64,
    width: u32,
    bits: u64,
}

impl Plan {
    /// The cheaper of two bases: the least value, or the third: of a counter's differences one is far
    /// below all others when it was reset.
    fn of(group: &[i64]) -> Self {
        let mut low = [i64::MAX; 3];
        for &value in group {
            if value < low[2] {
                low[2] = value;
                low.sort_unstable();
            }
        }
        let least = Self::from_base(group, low[0]);
        if least.width == 0 || low[2] == low[0] || group.len() < low.len() {
            return least;
        }
        let third = Self::from_base(group, low[2]);
        if third.bits < least.bits { third } else { least }
    }

    fn from_base(group: &[i64], base: i64) -> Self {
        // For each width, the bits that its values take when they are exceptions; 65: below the base.
        let mut patches = [0u32; 66];
        for &value in group {
            let distance = value.wrapping_sub(base);
            let needed =
                if value < base { 65 } else { 64 - (distance as u64).leading_zeros() as usize };
            patches[needed] += 8 + 8 * varint_bytes(to_zigzag(distance));
        }
        let mut patched = patches[65];
        let (mut width, mut bits) = (64, u64::MAX);
        for candidate in (0..=64).rev() {
            let candidate_bits = group.len() as u64 * candidate as u64 + u64::from(patched);
            if candidate_bits <= bits {
                (width, bits) = (candidate as u32, candidate_bits);
            }
            patched += patches[candidate];
        }
        let head = 8 + 8 * varint_bytes(to_zigzag(base));
        Self { base, width, bits: bits + u64::from(head) }
    }

    /// Whether a value is written apart.
    fn is_exception(&self, value: i64) -> bool {
        let distance = value.wrapping_sub(self.base) as u64;
        value < self.base || 64 - distance.leading_zeros() > self.width
    }
}

fn encode_group(group: &[i64], plan: &Plan, out: &mut Vec<u8>) {
    let exceptions = group.iter().filter(|value| plan.is_exception(**value)).count();
    out.push(plan.width as u8 | if exceptions > 0 { PATCHED } else { 0 });
    put_zigzag(out, plan.base);
    if exceptions > 0 {
        out.push(exceptions as u8);
    }
    let (mut word, mut used, start) = (0u64, 0, out.len());
    for &value in group {
        let apart = plan.is_exception(value);
        let distance = if apart { 0 } else { value.wrapping_sub(plan.base) as u64 };
        word |= distance << used;
        used += plan.width;
        if used >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            // The bits that did not fit; shifting by all 64 would be none of them.
            word = distance.checked_shr(plan.width - used).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(start + packed_bytes(group.len(), plan.width));
    for (place, &value) in group.iter().enumerate().filter(|(_, value)| plan.is_exception(**value))
    {
        out.push(place as u8);
        put_varint(out, to_zigzag(value.wrapping_sub(plan.base)));
    }
}

fn packed_bytes(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Reads a column of `count` values and hands them on in pieces.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    count: usize,
    mut sink: impl FnMut(&[i64]),
) -> Result<(), Corrupt> {
    let order = reader.u8()?;
    if order > 2 || count < usize::from(order) {
        return Err(Corrupt("a column has an unknown form"));
    }
    let (mut value, mut difference) = (0i64, 0i64);
    if order >= 1 {
        value = reader.zigzag()?;
        sink(&[value]);
    }
    if order == 2 {
        difference = reader.zigzag()?;
        value = value.wrapping_add(difference);
        sink(&[value]);
    }
    let mut group = [0i64; GROUP];
    let mut left = count - usize::from(order);
    let mut rest = false;
    while left > 0 {
        let length = left.min(GROUP);
        if !rest {
            rest = decode_group(reader, length, &mut group)?;
        }
        let mut values = group;
        match order {
            0 => {}
            1 => {
                for entry in &mut values {
                    value = value.wrapping_add(*entry);
                    *entry = value;
                }
            }
            _ => {
                for entry in &mut values {
                    difference = difference.wrapping_add(*entry);
                    value = value.wrapping_add(difference);
                    *entry = value;
                }
            }
        }
        sink(&values[..length]);
        left -= length;
    }
    Ok(())
}

/// Reads one group; true when all that follows equals it.
#[inline]
fn decode_group(
    reader: &mut Reader<'_>,
    length: usize,
    group: &mut [i64; GROUP],
) -> Result<bool, Corrupt> {
    let head = reader.u8()?;
    let base = reader.zigzag()?;
    if head == REST {
        group.fill(base);
        return Ok(true);
    }
    let width = u32::from(head & !PATCHED);
    if width > 64 {
        return Err(Corrupt("a group of a column is too wide"));
    }
    let exceptions = if head & PATCHED == 0 { 0 } else { reader.u8()? };
    unpack(reader.take(packed_bytes(length, width))?, width, base, group);
    for _ in 0..exceptions {
        let place = usize::from(reader.u8()?);
        let distance = from_zigzag(reader.varint()?);
        *group.get_mut(place).ok_or(Corrupt("an exception lies outside of its group"))? =
            base.wrapping_add(distance);
    }
    Ok(false)
}

/// Adds the base to each distance. The masks tell the compiler that no index is out of bounds.
fn unpack(bytes: &[u8], width: u32, base: i64, group: &mut [i64; GROUP]) {
    if width == 0 {
        group.fill(base);
        return;
    }
    let mut words = [0u64; GROUP + 1];
    let (whole, tail) = bytes.as_chunks::<8>();
    for (word, bytes) in words.iter_mut().zip(whole) {
        *word = u64::from_le_bytes(*bytes);
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        words[whole.len() % GROUP] = u64::from_le_bytes(last);
    }
    let mask = u64::MAX >> (64 - width);
    for (place, value) in group.iter_mut().enumerate() {
        let bit = place * width as usize;
        let (word, shift) = ((bit / 64) % GROUP, bit % 64);
        // Shifted in two steps, because shifting by all 64 bits is no shift.
        let distance = words[word] >> shift | words[word + 1] << 1 << (63 - shift);
        *value = base.wrapping_add((distance & mask) as i64);
    }
}
