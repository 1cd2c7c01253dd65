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
/// Values that may lie below the base of a group.
const LOW_MAX: usize = 2;
/// In place of a width: all values that are left are equal.
const REST: u8 = 0x7f;
/// Added to a width: exceptions follow.
const PATCHED: u8 = 0x80;

/// Writes a column.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let first = differences(values);
    let mut second = Vec::new();
    let (mut order, mut residuals, mut bits) = (0, values, cost(values));
    let first_bits = cost(&first);
    if first_bits < bits && values.len() > 1 {
        (order, residuals, bits) = (1, &first, first_bits);
        // Where differences are no better, differences of those are not either.
        second = differences(&first);
    }
    if order == 1 && values.len() > 2 && cost(&second) < bits {
        (order, residuals) = (2, &second);
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

/// Bits that a distance needs, as a number without a sign.
fn width(distance: i64) -> u32 {
    64 - distance.leading_zeros()
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
        let (least, most) = group
            .iter()
            .fold((i64::MAX, i64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        if least == most {
            return Self { base: least, width: 0, bits: Self::head_bits(least) };
        }
        let spread = width(most.wrapping_sub(least));
        let from_least = Self::from_base(group, least, spread);
        // Only if the least two are far below the others can it be worth while.
        let near = most.wrapping_sub((most.wrapping_sub(least) as u64 / 4) as i64);
        if group.iter().filter(|value| **value < near).count() > LOW_MAX {
            return from_least;
        }
        let mut sorted = [0; GROUP];
        let sorted = &mut sorted[..group.len()];
        sorted.copy_from_slice(group);
        sorted.sort_unstable();
        let third = sorted[LOW_MAX.min(group.len() - 1)];
        let from_third = Self::from_base(group, third, width(most.wrapping_sub(third)));
        if from_third.bits < from_least.bits { from_third } else { from_least }
    }

    /// `spread`: bits that the greatest value needs.
    fn from_base(group: &[i64], base: i64, spread: u32) -> Self {
        // For each width, the bits that its values take when they are exceptions.
        let (mut patches, mut patched) = ([0u32; 65], 0);
        for &value in group {
            let distance = value.wrapping_sub(base);
            let bits = 8 + 8 * varint_bytes(to_zigzag(distance));
            if value < base {
                patched += bits;
            } else {
                patches[width(distance) as usize] += bits;
            }
        }
        let (mut best, mut least) = (spread, u32::MAX);
        for candidate in (0..=spread).rev() {
            let bits = group.len() as u32 * candidate + patched;
            if bits <= least {
                (best, least) = (candidate, bits);
            }
            patched += patches[candidate as usize];
            if patched >= least {
                break;
            }
        }
        Self { base, width: best, bits: u64::from(least) + Self::head_bits(base) }
    }

    /// Bits of what a group begins with.
    fn head_bits(base: i64) -> u64 {
        8 + 8 * u64::from(varint_bytes(to_zigzag(base)))
    }

    /// Whether a value is written apart.
    fn is_exception(&self, value: i64) -> bool {
        value < self.base || width(value.wrapping_sub(self.base)) > self.width
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

/// Of a column that is a straight line the first value and the distance from one to the next, and what
/// follows it.
pub(super) fn line<'a>(reader: &Reader<'a>) -> Option<(i64, i64, Reader<'a>)> {
    let mut reader = reader.clone();
    let order = reader.u8().ok().filter(|order| (1..=2).contains(order))?;
    let first = reader.zigzag().ok()?;
    let second = if order == 2 { reader.zigzag().ok()? } else { 0 };
    let is_rest = reader.u8() == Ok(REST);
    let rest = reader.zigzag().ok().filter(|_| is_rest)?;
    // Of order 2, the rest is how much the distance changes.
    let is_straight = order == 1 || rest == 0;
    is_straight.then_some((first, if order == 1 { rest } else { second }, reader))
}

/// Reads a column of `count` values and hands them on in pieces, at least the first `wanted`. Of those
/// behind, not even whether they are written is looked at.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: usize,
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
    while left > count.saturating_sub(wanted) {
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
