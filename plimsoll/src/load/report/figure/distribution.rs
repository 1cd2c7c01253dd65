//! Figures of how long requests took, whenever they ended.

use super::{Axis, Content, Drawn, Figure, Series, Unit, rounded};
use crate::load::results::Results;
use crate::load::tally::Latencies;

/// Points of a percentile curve in each factor of ten of 1 / (1 - quantile).
const POINTS_EACH_DECADE: usize = 24;
/// The furthest that a percentile curve goes: to 99.99999 %.
const DECADES_MAX: f64 = 7.0;
/// Most bins of the histogram.
const BINS_MAX: f64 = 60.0;
/// Fewest bins of the histogram.
const BINS_MIN: f64 = 12.0;
/// Bins of the histogram in each factor of ten.
const BINS_EACH_DECADE: f64 = 16.0;

/// Where the points of a percentile curve are, as 1 / (1 - quantile), for this many requests.
pub(super) fn percentile_points(requests: u64) -> Vec<f64> {
    let decades = (requests.max(2) as f64).log10().min(DECADES_MAX);
    let steps = (decades * POINTS_EACH_DECADE as f64).ceil().max(1.0) as usize;
    (0..=steps).map(|step| rounded(10_f64.powf(decades * step as f64 / steps as f64))).collect()
}

/// What these latencies are at those points; `None` beyond what so few requests can tell.
pub(super) fn percentile_values(latencies: &Latencies, points: &[f64]) -> Vec<Option<f64>> {
    let count = latencies.count() as f64;
    let value = |point: &f64| {
        // A little more than there are requests is the longest of them.
        let told = count > 0.0 && *point <= (count * 1.01).max(2.0);
        told.then(|| rounded(latencies.quantile(1.0 - 1.0 / point).as_secs_f64()))
    };
    points.iter().map(value).collect()
}

/// The axis of percentiles up to this many requests.
pub(super) fn percentile_axis(points: &[f64]) -> Axis {
    Axis {
        label: "percentile",
        unit: Unit::Percentile,
        logarithmic: true,
        switchable: false,
        from: 1.0,
        to: points.last().copied().unwrap_or(10.0).max(2.0),
    }
}

/// Response and service time by percentile.
pub(super) fn percentiles(results: &Results) -> Option<Figure> {
    let total = &results.total;
    if total.response_time.count() == 0 {
        return None;
    }
    let at = percentile_points(total.response_time.count());
    let curve = |name: &str, colour, drawn, latencies| Series {
        name: name.to_owned(),
        colour,
        drawn,
        values: percentile_values(latencies, &at),
    };
    let series = vec![
        curve("response time", 0, Drawn::Line, &total.response_time),
        curve("service time", 1, Drawn::Dashed, &total.service_time),
    ];
    let y = Axis::latency("latency", super::time::values(&series));
    Some(Figure {
        id: "percentiles",
        title: "Latency by percentile",
        reading: "How slow the slowest are: at 99.9 %, one request of a thousand took longer. \
                  Response time counts from when a request should have been sent, service time from \
                  when it was; a gap between the two is waiting."
            .to_owned(),
        x: percentile_axis(&at),
        y,
        content: Content::Lines { at, step: 0.0, series },
    })
}

/// How many requests took how long.
pub(super) fn histogram(results: &Results) -> Option<Figure> {
    let total = &results.total;
    if total.response_time.count() == 0 {
        return None;
    }
    let both = [&total.response_time, &total.service_time];
    let with_some = || both.iter().filter(|latencies| latencies.count() > 0);
    let low = with_some().map(|latencies| latencies.histogram().min()).min().unwrap_or(1).max(1);
    let high = with_some().map(|latencies| latencies.histogram().max()).max().unwrap_or(1).max(low);
    // A little wider, so that neither end falls out by rounding; and never a single point.
    let (low, high) = (low as f64 / 1e9 * 0.99, high as f64 / 1e9 * 1.01);
    let decades = (high / low).log10();
    let bins = (decades * BINS_EACH_DECADE).ceil().clamp(BINS_MIN, BINS_MAX);
    let factor = (high / low).powf(1.0 / bins);
    let edges: Vec<f64> =
        (0..=bins as usize).map(|index| rounded(low * factor.powi(index as i32))).collect();
    let shares = |latencies: &Latencies| -> Vec<Option<f64>> {
        let mut counts = vec![0_u64; bins as usize];
        for value in latencies.histogram().iter_recorded() {
            let seconds = value.value_iterated_to() as f64 / 1e9;
            let bin = ((seconds / low).ln() / factor.ln()).floor().clamp(0.0, bins - 1.0);
            counts[bin as usize] += value.count_since_last_iteration();
        }
        let all = latencies.count().max(1) as f64;
        counts.into_iter().map(|count| Some(rounded(count as f64 / all))).collect()
    };
    let series = vec![
        Series {
            name: "response time".to_owned(),
            colour: 0,
            drawn: Drawn::Area,
            values: shares(&total.response_time),
        },
        Series {
            name: "service time".to_owned(),
            colour: 1,
            drawn: Drawn::Dashed,
            values: shares(&total.service_time),
        },
    ];
    let y = Axis::from_zero("share of requests", Unit::Share, super::time::values(&series), 1.0);
    let (from, to) = (edges[0], edges[bins as usize]);
    let x = Axis {
        label: "latency",
        unit: Unit::Latency,
        logarithmic: true,
        switchable: false,
        from,
        to,
    };
    Some(Figure {
        id: "histogram",
        title: "Distribution of latency",
        reading:
            "The share of the requests that took so long, on a logarithmic axis; several humps \
                  are several ways through the service, such as a cache's hits and misses."
                .to_owned(),
        x,
        y,
        content: Content::Bins { edges, series },
    })
}
