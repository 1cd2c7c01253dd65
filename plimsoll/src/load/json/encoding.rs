//! Histograms as text and back: HdrHistogram's own V2 form, compressed, in Base64.
//!
//! The form is that of the Java, C and Go libraries too, so that other programs can take a
//! percentile that is not written.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::super::latencies::{DIGITS, LONGEST, Latencies};
use super::read::COUNT_MAX;

/// Longest text of a histogram that is read. The longest that is written has some 34 000 counts of
/// nine bytes.
const TEXT_BYTES_MAX: usize = 512 * 1024;

/// Writes histograms, reusing its buffers.
pub(super) struct Encoder {
    serializer: V2DeflateSerializer,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { serializer: V2DeflateSerializer::new(), bytes: Vec::new() }
    }

    /// `None` of an empty one.
    pub(super) fn encode(&mut self, latencies: &Latencies) -> Option<String> {
        if latencies.count() == 0 {
            return None;
        }
        self.bytes.clear();
        // Fails only where a count exceeds i64: at a million requests a second, after 300 000 years.
        self.serializer.serialize(&latencies.histogram(), &mut self.bytes).ok()?;
        Some(BASE64_STANDARD.encode(&self.bytes))
    }
}

/// Reads a histogram.
///
/// # Errors
///
/// In words, where the text is none or is one of another kind.
pub(super) fn decode(text: Option<&str>) -> Result<Latencies, String> {
    let Some(text) = text else { return Ok(Latencies::default()) };
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("is longer than {TEXT_BYTES_MAX} bytes"));
    }
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("is not Base64: {error}"))?;
    let read: Histogram<u64> = Deserializer::new()
        .deserialize(&mut &bytes[..])
        .map_err(|error| format!("is not a histogram: {error}"))?;
    let longest = LONGEST.as_nanos() as u64;
    if (read.low(), read.high(), read.sigfig()) != (1, longest, DIGITS) {
        return Err("is a histogram with other bounds than results have".to_owned());
    }
    // The sum of its own may have wrapped.
    let counts = read.iter_recorded().map(|value| value.count_at_value());
    let sum = counts.fold(0u64, u64::saturating_add);
    if sum > COUNT_MAX {
        return Err(format!("counts {sum}, more than any run can"));
    }
    Ok(Latencies::from_histogram(&read))
}
