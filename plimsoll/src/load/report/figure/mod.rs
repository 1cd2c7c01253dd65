//! What a plot shows, apart from how it is drawn: axes, and series in the numbers they are made of.
//!
//! The same figures become SVG files, PNG files and the interactive plots of the HTML report, which
//! therefore cannot disagree. All of this is pure: results go in, figures come out.
//!
//! Invariants: every list of a figure has a bound that does not depend on the length of the run;
//! every number is finite; latencies are in seconds, shares from 0 to 1; a value that does not exist
//! (no request ended in that second) is `None`, never 0.
//!
//! Left out: pixels, ticks and colours (see `svg` and the page's script).

mod breakdown;
mod distribution;
mod pair;
#[cfg(test)]
mod tests;
mod time;

use serde::Serialize;

use crate::load::results::Results;

pub use pair::{Named, pair_figures};

/// Colours that a series may have; see the palette in `svg::style`.
pub const COLOURS: u8 = 8;

/// One plot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in file names and in the page: `latency`.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// How to read it, in one sentence.
    pub reading: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is drawn.
    pub content: Content,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// What it measures.
    pub label: &'static str,
    /// How its values are written.
    pub unit: Unit,
    /// Whether equal distances are equal factors.
    pub logarithmic: bool,
    /// Whether a reader may switch between linear and logarithmic: all values are above 0.
    pub switchable: bool,
    /// Its lower end; above 0 where it may be logarithmic.
    pub from: f64,
    /// Its upper end, above `from`.
    pub to: f64,
}

/// How the values of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds since the start.
    Elapsed,
    /// Seconds that something took.
    Latency,
    /// Each second.
    Rate,
    /// From 0 to 1, written in percent.
    Share,
    /// 1 / (1 - quantile), written as the percentile: 100 is 99 %.
    Percentile,
    /// A number of things.
    Count,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Content {
    /// Values over points that all series share.
    Lines {
        /// Where the points are on the x axis, rising.
        at: Vec<f64>,
        /// How wide a bucket is whose middle a point is; 0 where points are points.
        step: f64,
        /// Each as long as `at`.
        series: Vec<Series>,
    },
    /// Values over intervals that all series share.
    Bins {
        /// The ends of the intervals, rising: one more than each series has values.
        edges: Vec<f64>,
        /// What lies in each interval.
        series: Vec<Series>,
    },
    /// How many lie in each cell of time by latency.
    Heat {
        /// How wide a column is.
        step: f64,
        /// The ends of the rows, rising.
        edges: Vec<f64>,
        /// Of each column: the first row that is not empty, and the counts from there on.
        columns: Vec<(usize, Vec<u64>)>,
    },
    /// Named things beside each other.
    Rows {
        /// What the bars show.
        bar_label: &'static str,
        /// The bars' colour, below [`COLOURS`].
        colour: u8,
        /// From top to bottom.
        rows: Vec<Row>,
    },
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Below [`COLOURS`].
    pub colour: u8,
    /// How it is drawn.
    pub drawn: Drawn,
    /// What is drawn; a gap where there is no value.
    pub values: Vec<Option<f64>>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Drawn {
    /// A line.
    Line,
    /// A thin line, for what is less sure.
    Thin,
    /// A dashed line, for what was meant or is set beside.
    Dashed,
    /// Filled down to zero.
    Area,
    /// Filled, upon the series before it.
    Stack,
}

/// One of several things.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How long its bar is; the longest is the whole width.
    pub bar: f64,
    /// What stands beside the bar.
    pub bar_text: String,
    /// p50, p90, p99 and the longest latency, where it has any.
    pub latency: Option<[f64; 4]>,
}

/// The figures that these results have something to show for, in the order of a report.
pub fn figures(results: &Results) -> Vec<Figure> {
    let all = [
        time::latency(results),
        time::throughput(results),
        time::in_flight(results),
        distribution::percentiles(results),
        distribution::histogram(results),
        time::heat(results),
        breakdown::instances(results),
        time::instances(results),
        breakdown::errors(results),
        time::errors(results),
        breakdown::labels(results),
    ];
    all.into_iter().flatten().collect()
}

/// Four significant digits: more than a plot can show, and short as text.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let digits = (3.0 - value.abs().log10().floor()).clamp(-12.0, 12.0) as i32;
    let factor = 10_f64.powi(digits.abs());
    if digits >= 0 { (value * factor).round() / factor } else { (value / factor).round() * factor }
}

impl Axis {
    /// A linear axis from 0 that has room for the largest of these values.
    fn from_zero(
        label: &'static str,
        unit: Unit,
        values: impl IntoIterator<Item = f64>,
        least: f64,
    ) -> Self {
        let largest = values.into_iter().fold(0.0, f64::max);
        let to = if largest > 0.0 { largest * 1.05 } else { least };
        let to = if unit == Unit::Share { to.min(1.0) } else { to };
        Self { label, unit, logarithmic: false, switchable: false, from: 0.0, to }
    }

    /// An axis of latencies, logarithmic at first, whose ends are round.
    fn latency(label: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = values
            .into_iter()
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low.is_finite() { (low, high) } else { (0.001, 1.0) };
        let from = round_below(low);
        let mut to = round_above(high);
        if to <= from {
            to = from * 2.0;
        }
        Self { label, unit: Unit::Latency, logarithmic: true, switchable: true, from, to }
    }

    /// The time of a run.
    fn elapsed(seconds: f64) -> Self {
        Self {
            label: "time since the start",
            unit: Unit::Elapsed,
            logarithmic: false,
            switchable: false,
            from: 0.0,
            to: if seconds > 0.0 { seconds } else { 1.0 },
        }
    }

    /// An axis that is not drawn.
    fn none() -> Self {
        let unit = Unit::Count;
        Self { label: "", unit, logarithmic: false, switchable: false, from: 0.0, to: 1.0 }
    }
}

/// The largest of 1, 2 or 5 times a power of ten that is not above this.
fn round_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    // A grain of tolerance, for powers of ten that are not exact.
    let factor = [5.0, 2.0].into_iter().find(|factor| power * factor <= value * 1.000_001);
    rounded(power * factor.unwrap_or(1.0))
}

/// The smallest of 1, 2 or 5 times a power of ten that is not below this.
fn round_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| power * factor >= value * 0.999_999);
    rounded(power * factor.unwrap_or(10.0))
}
