//! Floats as whole numbers with one decimal exponent.
//!
//! What programs measure was mostly a decimal number with few digits before it became a float: 53.27
//! is 5327 · 10⁻². Whole numbers compress several times better than the bits of floats, which is why
//! VictoriaMetrics stores them so, and ALP (Afroozeh, Kuffo, Boncz: "ALP: Adaptive Lossless
//! floating-Point Compression", SIGMOD 2024) adds what is used here: exactness is tested by
//! converting back, bit by bit, and the few values that fail are exceptions kept apart (NaN, the stale
//! mark, infinities, -0.0, long fractions).
//!
//! The conversion back is a division by an exact power of ten: IEEE 754 rounds it correctly, so it
//! yields what parsing the decimal text yields, as long as the digits fit 53 bits.

/// Powers of ten; a float holds them exactly up to 10²².
const POWERS: [f64; 17] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16];
/// Values looked at before it is decided that a column is not decimal.
const PROBE: usize = 32;
/// Bits of an exception, about: its place and the float.
const EXCEPTION_BITS: usize = 80;

/// A column of floats as whole numbers.
pub(super) struct Decimal {
    /// A value is its number divided by ten to this.
    pub(super) exponent: u8,
    /// As many as values; at an exception's place its neighbour's.
    pub(super) numbers: Vec<i64>,
    /// Places and bits of the values that are no such number.
    pub(super) exceptions: Vec<(usize, u64)>,
}

/// The power that numbers are divided by; `None` when there is no such exponent.
pub(super) fn power(exponent: u8) -> Option<f64> {
    POWERS.get(usize::from(exponent)).copied()
}

/// The column, or `None` when too many values are not decimal.
pub(super) fn of(values: &[f64]) -> Option<Decimal> {
    let exponent = exponent(values)?;
    let mut numbers = Vec::with_capacity(values.len());
    let (mut exceptions, mut last) = (Vec::new(), 0);
    for (place, value) in values.iter().enumerate() {
        match number(*value, exponent) {
            Some(number) => last = number,
            None => exceptions.push((place, value.to_bits())),
        }
        numbers.push(last);
    }
    // A neighbour that is near: the first number stands for exceptions before it.
    if let Some((0, _)) = exceptions.first() {
        let start = exceptions.iter().enumerate().take_while(|(rank, (place, _))| rank == place);
        let start = start.count();
        let first = numbers.get(start).copied().unwrap_or(0);
        numbers[..start].fill(first);
    }
    (exceptions.len() * 4 <= values.len().max(4)).then_some(Decimal {
        exponent: exponent as u8,
        numbers,
        exceptions,
    })
}

/// The whole number that a value is at an exponent, if that is exact.
#[inline]
fn number(value: f64, exponent: usize) -> Option<i64> {
    let scaled = value * POWERS[exponent];
    let number = (scaled + f64::copysign(0.5, scaled)) as i64;
    // Comparing bits refuses -0.0 and NaN as well.
    let back = number as f64 / POWERS[exponent];
    if back.to_bits() == value.to_bits() {
        return Some(number);
    }
    // Adding one half to a whole number above 2⁵² rounds it up.
    let number = scaled as i64;
    (number as f64 / POWERS[exponent] == value && number != 0).then_some(number)
}

/// The exponent at which the digits and the exceptions together take the least.
fn exponent(values: &[f64]) -> Option<usize> {
    // How many values need each exponent; the last place counts those that fit none.
    let mut needed = [0usize; POWERS.len() + 1];
    let mut last = 0;
    for (place, &value) in values.iter().enumerate() {
        let is_last =
            number(value, last).is_some() && (last == 0 || number(value, last - 1).is_none());
        if !is_last {
            let found = (0..POWERS.len()).find(|exponent| number(value, *exponent).is_some());
            if let Some(found) = found {
                last = found;
            } else {
                needed[POWERS.len()] += 1;
                if place < PROBE && needed[POWERS.len()] > PROBE / 4 {
                    return None;
                }
                continue;
            }
        }
        needed[last] += 1;
    }
    let mut beyond = values.len();
    let costs = (0..POWERS.len()).map(|exponent| {
        beyond -= needed[exponent];
        // A decimal digit is 3.3 bits.
        (exponent * values.len() * 33 / 10 + beyond * EXCEPTION_BITS, exponent)
    });
    costs.min().map(|(_, exponent)| exponent)
}

/// The greatest number that divides the distances of all from the first: memory is measured in pages.
pub(super) fn divisor(numbers: &[i64]) -> i64 {
    let mut divisor = 0u64;
    for number in numbers {
        let mut rest = number.wrapping_sub(numbers[0]).unsigned_abs();
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        if divisor == 1 {
            break;
        }
    }
    i64::try_from(divisor).unwrap_or(1).max(1)
}
