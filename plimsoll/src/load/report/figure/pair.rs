//! Figures of two results laid over each other.

use super::distribution::{percentile_axis, percentile_points, percentile_values};
use super::time::{middles, quantiles, request_rates, values};
use super::{Axis, Content, Drawn, Figure, Series, Unit};
use crate::load::results::Results;
use crate::load::tally::Latencies;

/// Results with the name that they have in a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Shown in legends and heads of columns.
    pub name: &'a str,
    /// What it names.
    pub results: &'a Results,
    /// Buckets at its beginning that are not compared.
    pub skipped: usize,
}

impl Named<'_> {
    /// The response times that are compared.
    fn compared(&self) -> Latencies {
        let mut all = Latencies::default();
        let buckets = self.results.timeline.buckets.iter().skip(self.skipped);
        buckets.for_each(|bucket| all.absorb(&bucket.response_time));
        all
    }
}

/// The colour and the way of drawing of the first and of the second.
const DRAWN: [(u8, Drawn); 2] = [(0, Drawn::Line), (1, Drawn::Line)];

/// What two results have to show beside each other.
pub fn pair_figures(pair: [Named<'_>; 2]) -> Vec<Figure> {
    let latency = |quantile: f64| move |results: &Results| quantiles(results, quantile);
    let all = [
        percentiles(pair),
        over_time(
            pair,
            ("latency-p50", "Half of the requests: p50 over time"),
            "Half of the requests that ended at a time took no longer than this.",
            |values| Axis::latency("response time, p50", values),
            latency(0.5),
        ),
        over_time(
            pair,
            ("latency-p99", "The slow ones: p99 over time"),
            "One of a hundred requests that ended at a time took longer than this.",
            |values| Axis::latency("response time, p99", values),
            latency(0.99),
        ),
        over_time(
            pair,
            ("throughput", "Throughput over time"),
            "How many requests ended each second.",
            |values| Axis::from_zero("requests a second", Unit::Rate, values, 1.0),
            request_rates,
        ),
    ];
    all.into_iter().flatten().collect()
}

/// Percentile curves of the response time, without what is not compared.
fn percentiles(pair: [Named<'_>; 2]) -> Option<Figure> {
    let latencies = pair.map(|named| named.compared());
    let most = latencies.iter().map(|latencies| latencies.count()).max().unwrap_or_default();
    if most == 0 {
        return None;
    }
    let at = percentile_points(most);
    let series: Vec<Series> = pair
        .iter()
        .zip(&latencies)
        .zip(DRAWN)
        .map(|((named, latencies), (colour, drawn))| Series {
            name: named.name.to_owned(),
            colour,
            drawn,
            values: percentile_values(latencies, &at),
        })
        .collect();
    let mut reading = "The lower curve is the faster; where they cross, one is better for most \
                       requests and the other for the slowest."
        .to_owned();
    if pair.iter().any(|named| named.skipped > 0) {
        reading.push_str(" Without the warm-up, like the numbers.");
    }
    Some(Figure {
        id: "percentiles",
        title: "Latency by percentile",
        reading,
        x: percentile_axis(&at),
        y: Axis::latency("response time", values(&series)),
        content: Content::Lines { at, step: 0.0, series },
    })
}

/// One curve of each over the longer one's time.
fn over_time(
    pair: [Named<'_>; 2],
    (id, title): (&'static str, &'static str),
    reading: &str,
    axis: impl Fn(Vec<f64>) -> Axis,
    curve: impl Fn(&Results) -> Vec<Option<f64>>,
) -> Option<Figure> {
    let width = pair.map(|named| named.results.timeline.width.as_secs_f64());
    let coarse = usize::from(width[1] > width[0]);
    let step = width[coarse];
    let longest = usize::from(pair[1].results.run.elapsed > pair[0].results.run.elapsed);
    // The points of the longer one, or of the coarser one where widths differ: a bucket of the
    // finer one is then looked up by time.
    let guide = if width[0] == width[1] { longest } else { coarse };
    let at = middles(pair[guide].results);
    if at.is_empty() {
        return None;
    }
    let series: Vec<Series> = (0..2)
        .map(|index| {
            let own = curve(pair[index].results);
            let place = |middle: &f64| (*middle / width[index]) as usize;
            Series {
                name: pair[index].name.to_owned(),
                colour: DRAWN[index].0,
                drawn: DRAWN[index].1,
                values: at.iter().map(|middle| own.get(place(middle)).copied().flatten()).collect(),
            }
        })
        .collect();
    let y = axis(values(&series).collect());
    let elapsed = pair[guide].results.run.elapsed.as_secs_f64();
    let is_cut = pair.iter().any(|named| named.skipped > 0);
    let warm_up =
        if is_cut { " The warm-up is shown here; the numbers are without it." } else { "" };
    Some(Figure {
        id,
        title,
        reading: format!("{reading}{warm_up}"),
        x: Axis::elapsed(elapsed),
        y,
        content: Content::Lines { at, step, series },
    })
}
