//! Samples of one series in few bytes.
//!
//! An open chunk ([`gorilla`]) takes one sample after the other. A sealed one is two columns that are
//! written at once and read at once: times are whole numbers ([`packed`]); values are one constant,
//! whole numbers with a decimal exponent ([`decimal`], packed), or, where that fails or is larger,
//! Gorilla's stream or their bits as numbers, whichever is smaller. All encodings are exact for all bit patterns.
//!
//! Measured against the alternatives on 14.4 million samples of a mix like that of real services
//! (`examples/ingest.rs`): Gorilla alone takes about three bytes a sample, because a decimal fraction
//! fills the mantissa; the columns take less than one. A general compressor on top (zstd, which
//! VictoriaMetrics has) is not needed for that and would cost decoding speed.
//!
//! Bounds: at most [`SAMPLES_MAX`] samples. Checksums are the business of who keeps the bytes.

mod bits;
mod decimal;
mod gorilla;
mod packed;

use super::wire::{Corrupt, Reader, put_varint, put_zigzag};
use crate::sample::Samples;
use bits::{BitReader, BitWriter};
pub(super) use gorilla::OpenChunk;

/// Samples in one chunk: more compress no better and are decoded in vain by short queries.
pub const SAMPLES_MAX: usize = 1024;

/// All values are equal.
const CONSTANT: u8 = 0;
/// Whole numbers divided by a power of ten.
const DECIMAL: u8 = 1;
/// Differing bits.
const XOR: u8 = 2;
/// The bits as whole numbers: sums of noisy floats differ by numbers of one size.
const BITS: u8 = 3;
/// Values that take fewer bytes than this times their number are not tried as differing bits.
const DECIMAL_GOOD_BYTES: usize = 2;

/// Appends a chunk of one to [`SAMPLES_MAX`] samples by rising time; as many times as values.
pub fn encode(times: &[i64], values: &[f64], out: &mut Vec<u8>) {
    debug_assert!(times.len() == values.len() && (1..=SAMPLES_MAX).contains(&times.len()));
    put_varint(out, times.len() as u64);
    put_zigzag(out, times[0]);
    encode_times(times, out);
    encode_values(values, out);
}

/// Adds the samples of a chunk to `samples`, which are older.
///
/// # Errors
/// When the bytes are no chunk; `samples` may then hold part of it.
pub fn decode(bytes: &[u8], samples: &mut Samples) -> Result<(), Corrupt> {
    let mut reader = Reader::new(bytes);
    let count = count(&mut reader)?;
    let first = reader.zigzag()?;
    decode_times(&mut reader, first, count, &mut samples.times)?;
    decode_values(&mut reader, count, count, &mut samples.values)
}

/// Adds the samples of a chunk up to a time. What lies behind is not decoded; what lies before is,
/// because values are written as differences from it.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_until(bytes: &[u8], to: i64, samples: &mut Samples) -> Result<(), Corrupt> {
    let mut reader = Reader::new(bytes);
    let count = count(&mut reader)?;
    let first = reader.zigzag()?;
    let start = samples.len();
    decode_times(&mut reader, first, count, &mut samples.times)?;
    finish_until(&mut reader, count, start, to, samples)
}

/// Keeps of the times from place `start` on, which are those of a chunk of `count` samples, the ones up
/// to a time, and reads as many values.
pub(super) fn finish_until(
    values: &mut Reader<'_>,
    count: usize,
    start: usize,
    to: i64,
    samples: &mut Samples,
) -> Result<(), Corrupt> {
    let wanted = samples.times[start..].partition_point(|time| *time <= to);
    samples.times.truncate(start + wanted);
    decode_values(values, count, wanted, &mut samples.values)?;
    samples.values.truncate(start + wanted);
    Ok(())
}

/// Reads a number of samples that a chunk may have.
pub(super) fn count(reader: &mut Reader<'_>) -> Result<usize, Corrupt> {
    let count = reader.length()?;
    if (1..=SAMPLES_MAX).contains(&count) {
        Ok(count)
    } else {
        Err(Corrupt("impossibly many samples"))
    }
}

/// Appends times, relative to the first of them.
pub(super) fn encode_times(times: &[i64], out: &mut Vec<u8>) {
    let distances: Vec<_> = times.iter().map(|time| time.wrapping_sub(times[0])).collect();
    packed::encode(&distances, out);
}

/// Reads times, the first of which is known. They rise strictly.
pub(super) fn decode_times(
    reader: &mut Reader<'_>,
    first: i64,
    count: usize,
    times: &mut Vec<i64>,
) -> Result<(), Corrupt> {
    let start = times.len();
    times.reserve(count);
    // Most series are measured at a steady interval.
    if let Some((offset, distance, rest)) = packed::line(reader) {
        let begin = first.wrapping_add(offset);
        let end = i128::from(begin) + i128::from(distance) * (count as i128 - 1);
        if distance > 0 && end <= i128::from(i64::MAX) {
            times.extend((0..count as i64).map(|place| begin + place * distance));
            *reader = rest;
            return Ok(());
        }
    }
    packed::decode(reader, count, count, |distances| {
        times.extend(distances.iter().map(|distance| first.wrapping_add(*distance)));
    })?;
    // No early exit, so that it takes a fraction of a nanosecond a sample.
    let rising = times[start..].windows(2).fold(true, |rising, pair| rising & (pair[0] < pair[1]));
    if rising { Ok(()) } else { Err(Corrupt("the times do not rise")) }
}

/// Appends values.
pub(super) fn encode_values(values: &[f64], out: &mut Vec<u8>) {
    let first = values[0].to_bits();
    if values.iter().all(|value| value.to_bits() == first) {
        out.push(CONSTANT);
        out.extend_from_slice(&first.to_le_bytes());
        return;
    }
    let start = out.len();
    if let Some(decimal) = decimal::of(values) {
        encode_decimal(decimal, out);
        if out.len() - start <= DECIMAL_GOOD_BYTES * values.len() {
            return;
        }
    }
    let (mut bits, mut xor) = (BitWriter::default(), gorilla::Xor::default());
    for value in values {
        xor.put(*value, &mut bits);
    }
    let mut packed = vec![BITS];
    packed::encode(
        &values.iter().map(|value| value.to_bits() as i64).collect::<Vec<_>>(),
        &mut packed,
    );
    let decimal = Some(out.len() - start).filter(|length| *length > 0).unwrap_or(usize::MAX);
    let xor = 1 + bits.used_bytes();
    if decimal <= xor.min(packed.len()) {
        return;
    }
    out.truncate(start);
    // What decodes faster is worth a little.
    if packed.len() <= xor + xor / 32 {
        out.extend_from_slice(&packed);
    } else {
        out.push(XOR);
        out.extend(bits.words().iter().flat_map(|word| word.to_be_bytes()).take(xor - 1));
    }
}

fn encode_decimal(mut decimal: decimal::Decimal, out: &mut Vec<u8>) {
    out.push(DECIMAL);
    out.push(decimal.exponent);
    let (first, divisor) = (decimal.numbers[0], decimal::divisor(&decimal.numbers));
    put_zigzag(out, first);
    put_varint(out, divisor as u64);
    put_varint(out, decimal.exceptions.len() as u64);
    for (place, bits) in &decimal.exceptions {
        put_varint(out, *place as u64);
        out.extend_from_slice(&bits.to_le_bytes());
    }
    for number in &mut decimal.numbers {
        // The quotient is exact; most columns have no divisor but one.
        let distance = number.wrapping_sub(first);
        *number = if divisor > 1 { distance / divisor } else { distance };
    }
    packed::encode(&decimal.numbers, out);
}

/// Reads the first `wanted` values of `count`, or some more.
pub(super) fn decode_values(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: usize,
    values: &mut Vec<f64>,
) -> Result<(), Corrupt> {
    values.reserve(wanted);
    match reader.u8()? {
        CONSTANT => {
            let value = f64::from_bits(reader.u64()?);
            values.resize(values.len() + wanted, value);
            Ok(())
        }
        DECIMAL => decode_decimal(reader, count, wanted, values),
        BITS => packed::decode(reader, count, wanted, |numbers| {
            values.extend(numbers.iter().map(|bits| f64::from_bits(*bits as u64)));
        }),
        XOR => {
            let mut bytes = reader.take(reader.left())?.chunks(8);
            let words: Vec<_> = bytes
                .by_ref()
                .map(|bytes| {
                    let mut word = [0; 8];
                    word[..bytes.len()].copy_from_slice(bytes);
                    u64::from_be_bytes(word)
                })
                .collect();
            let (mut bits, mut xor) = (BitReader::new(&words), gorilla::Xor::default());
            for _ in 0..wanted {
                values.push(xor.get(&mut bits)?);
            }
            Ok(())
        }
        _ => Err(Corrupt("values have an unknown form")),
    }
}

fn decode_decimal(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: usize,
    values: &mut Vec<f64>,
) -> Result<(), Corrupt> {
    let power = decimal::power(reader.u8()?).ok_or(Corrupt("an exponent is too great"))?;
    let first = reader.zigzag()?;
    let divisor = reader.varint()? as i64;
    let exceptions_count = reader.length()?;
    if exceptions_count > count {
        return Err(Corrupt("more exceptions than values"));
    }
    let mut exceptions = Vec::with_capacity(exceptions_count);
    for _ in 0..exceptions_count {
        exceptions.push((reader.length()?, f64::from_bits(reader.u64()?)));
    }
    let start = values.len();
    let of = |number: &i64| first.wrapping_add(number.wrapping_mul(divisor)) as f64;
    if power == 1.0 {
        packed::decode(reader, count, wanted, |numbers| values.extend(numbers.iter().map(of)))?;
    } else {
        packed::decode(reader, count, wanted, |numbers| {
            values.extend(numbers.iter().map(|number| of(number) / power));
        })?;
    }
    for (place, value) in exceptions {
        if place >= count {
            return Err(Corrupt("an exception lies outside of its column"));
        }
        if let Some(slot) = values.get_mut(start + place) {
            *slot = value;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
