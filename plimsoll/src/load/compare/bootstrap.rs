//! How much a run's figures would have varied by chance: the circular block bootstrap.
//!
//! Seconds of a run resemble their neighbours (a stall lasts, a queue drains), so that single
//! seconds are no independent draws. Blocks of neighbouring slots are drawn with replacement until a
//! run is full, a thousand times; what the figures vary by is their standard error (Politis and
//! Romano, "A circular block-resampling procedure for stationary data", 1992). Percentiles are taken
//! of each resample's summed histogram.
//!
//! Pure: chance comes from a seed.

use super::series::{Figures, Series};

/// What of a run is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The median response time.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th percentile.
    P99,
    /// The mean response time.
    Mean,
    /// Requests a second.
    Rate,
    /// The share of failed requests.
    Errors,
}

impl Measured {
    pub(super) const ALL: [Self; 6] =
        [Self::Mean, Self::P50, Self::P90, Self::P99, Self::Rate, Self::Errors];

    pub(super) fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::P50 => figures.p50,
            Self::P90 => figures.p90,
            Self::P99 => figures.p99,
            Self::Mean => figures.mean,
            Self::Rate => figures.rate,
            Self::Errors => figures.errors,
        }
    }

    /// Whether it is compared by ratio, on a logarithmic scale. Shares may be zero and are not.
    fn is_ratio(self) -> bool {
        self != Self::Errors
    }
}

/// A figure and what it varies by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// Its logarithm, or the share itself.
    pub value: f64,
    /// The standard error of that.
    pub error: f64,
    /// Degrees of freedom of the standard error.
    pub degrees: f64,
}

/// The length of a block by the cube root of the number of slots. With 1.0, seconds that correlate by
/// half with their neighbours gave 7.5 % false claims instead of 5 %; with this, 4.7 %.
const BLOCK_FACTOR: f64 = 1.4;
/// What a percentile may be off by through bins and histogram cells: no error is below it.
const RESOLUTION: f64 = 0.000_5;

/// Draws `resamples` runs of the same kind and tells what each figure varies by.
pub(super) fn estimates(series: &Series, resamples: usize, seed: u64) -> [Option<Estimate>; 6] {
    let slots = series.slots.len();
    let block = block_length(slots);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut counts = Vec::new();
    let whole = series.figures(&vec![1; slots], &mut counts);
    let mut draws: [Vec<f64>; 6] = Default::default();
    let mut weights = vec![0; slots];
    for _ in 0..resamples {
        weights.fill(0);
        let mut left = slots;
        while left > 0 {
            let start = random.usize(0..slots);
            let length = block.min(left);
            (start..start + length).for_each(|slot| weights[slot % slots] += 1);
            left -= length;
        }
        let figures = series.figures(&weights, &mut counts);
        for (measured, draws) in Measured::ALL.into_iter().zip(&mut draws) {
            draws.extend(measured.of(&figures).map(|value| scaled(measured, value)));
        }
    }
    // What is drawn from a run with replacement varies less than the run itself.
    let inflation = (slots as f64 / (slots - block).max(1) as f64).sqrt();
    let degrees = (slots as f64 / block as f64 - 1.0).max(1.0);
    let requests: u64 = series.slots.iter().map(|slot| slot.requests).sum();
    let estimates = Measured::ALL.map(|measured| {
        let value = measured.of(&whole)?;
        let least = match measured {
            // No errors in a run do not mean that there never are any (Jeffreys).
            Measured::Errors => {
                let requests = requests as f64;
                let share = (value * requests + 0.5) / (requests + 1.0);
                (share * (1.0 - share) / requests).sqrt()
            }
            _ => RESOLUTION,
        };
        Some((scaled(measured, value), least))
    });
    let mut draws = draws.into_iter();
    estimates.map(|estimate| {
        let draws = draws.next().unwrap_or_default();
        let (value, least) = estimate?;
        let error = (deviation(&draws) * inflation).max(least);
        Some(Estimate { value, error, degrees })
    })
}

/// The usual order of a block's length: the cube root of how much data there is, and somewhat more,
/// because blocks too short hide that bad seconds come together, and claim what is not there.
pub(super) fn block_length(slots: usize) -> usize {
    ((BLOCK_FACTOR * (slots as f64).cbrt()).round() as usize).max(1)
}

fn scaled(measured: Measured, value: f64) -> f64 {
    // A rate of zero has no logarithm; a request in a hundred years is none too.
    if measured.is_ratio() { value.max(1e-9).ln() } else { value }
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0)).sqrt()
}
