//! Samples: a value at a time.

/// The value that says that a series has ended here: a NaN of one bit pattern, told from all others.
/// The pattern is that of Prometheus (`value.StaleNaN` of its `model/value`).
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is [`STALE`].
#[inline]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// Samples of one series by rising time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Milliseconds since 1970-01-01 00:00 UTC, strictly rising.
    pub times: Vec<i64>,
    /// As many as times; [`STALE`] where the series ended.
    pub values: Vec<f64>,
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Adds one after all others.
    pub fn push(&mut self, time: i64, value: f64) {
        debug_assert!(self.times.last().is_none_or(|last| *last < time));
        self.times.push(time);
        self.values.push(value);
    }

    /// Forgets all, keeping the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
    }
}
