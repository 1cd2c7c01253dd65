//! Figures over the time of a run.
//!
//! A point stands in the middle of its bucket. The last bucket is mostly not a whole one: rates are
//! by the time that the run really lasted in it, and a bucket of which it lasted less than half has
//! no rate at all, because a handful of requests by a handful of milliseconds is noise.

use std::collections::BTreeMap;

use super::{Axis, COLOURS, Content, Drawn, Figure, Series, Unit, round_above, rounded};
use crate::load::report::text;
use crate::load::results::Results;
use crate::load::timeline::Bucket;

/// Most columns of the heat map; buckets are joined to stay below.
const HEAT_COLUMNS_MAX: usize = 240;
/// Most rows of the heat map.
const HEAT_ROWS_MAX: usize = 36;
/// Rows of the heat map in each factor of ten.
const HEAT_ROWS_EACH_DECADE: f64 = 10.0;
/// Most instances that have a colour of their own; the rest are one area.
const INSTANCES_SHOWN_MAX: usize = COLOURS as usize - 1;

/// Where the middle of each bucket is.
pub(super) fn middles(results: &Results) -> Vec<f64> {
    let width = results.timeline.width.as_secs_f64();
    let covered = covered_seconds(results);
    covered
        .iter()
        .enumerate()
        .map(|(index, covered)| rounded(index as f64 * width + covered / 2.0))
        .collect()
}

/// How long the run lasted in each bucket.
fn covered_seconds(results: &Results) -> Vec<f64> {
    let width = results.timeline.width.as_secs_f64();
    let elapsed = results.run.elapsed.as_secs_f64();
    let count = results.timeline.buckets.len();
    (0..count).map(|index| (elapsed - index as f64 * width).clamp(0.0, width)).collect()
}

/// A count of each bucket by the second.
fn rates(results: &Results, count: impl Fn(&Bucket) -> u64) -> Vec<Option<f64>> {
    let width = results.timeline.width.as_secs_f64();
    let lone = results.timeline.buckets.len() == 1;
    let covered = covered_seconds(results);
    let buckets = results.timeline.buckets.iter().zip(covered);
    buckets
        .map(|(bucket, covered)| {
            let enough = covered >= width / 2.0 || (lone && covered > 0.0);
            enough.then(|| rounded(count(bucket) as f64 / covered))
        })
        .collect()
}

/// A quantile of the response time of each bucket.
pub(super) fn quantiles(results: &Results, quantile: f64) -> Vec<Option<f64>> {
    let buckets = results.timeline.buckets.iter();
    buckets
        .map(|bucket| {
            let latencies = &bucket.response_time;
            let latency =
                if quantile < 1.0 { latencies.quantile(quantile) } else { latencies.max() };
            (latencies.count() > 0).then(|| rounded(latency.as_secs_f64()))
        })
        .collect()
}

/// All requests that ended, by the second.
pub(super) fn request_rates(results: &Results) -> Vec<Option<f64>> {
    rates(results, |bucket| bucket.requests)
}

/// A figure of lines over the time of a run.
fn over_time(
    results: &Results,
    id: &'static str,
    title: &'static str,
    reading: impl Into<String>,
    y: Axis,
    series: Vec<Series>,
) -> Figure {
    Figure {
        id,
        title,
        reading: reading.into(),
        x: Axis::elapsed(results.run.elapsed.as_secs_f64()),
        y,
        content: Content::Lines {
            at: middles(results),
            step: results.timeline.width.as_secs_f64(),
            series,
        },
    }
}

/// All values of some series.
pub(super) fn values(series: &[Series]) -> impl Iterator<Item = f64> {
    series.iter().flat_map(|series| series.values.iter().copied().flatten())
}

/// Percentiles of the response time.
pub(super) fn latency(results: &Results) -> Option<Figure> {
    if results.total.response_time.count() == 0 {
        return None;
    }
    let series = [
        ("p50", 0, Drawn::Line, 0.5),
        ("p90", 2, Drawn::Line, 0.9),
        ("p99", 1, Drawn::Line, 0.99),
        ("max", 7, Drawn::Thin, 1.0),
    ]
    .map(|(name, colour, drawn, quantile)| Series {
        name: name.to_owned(),
        colour,
        drawn,
        values: quantiles(results, quantile),
    })
    .to_vec();
    let y = Axis::latency("response time", values(&series));
    let reading = "Of the requests that ended at a time, half took no longer than the p50 line and \
                   99 of 100 no longer than the p99 line; flat lines are what you want.";
    Some(over_time(results, "latency", "Latency over time", reading, y, series))
}

/// Requests and errors a second, with the rate that was meant.
pub(super) fn throughput(results: &Results) -> Option<Figure> {
    if results.timeline.buckets.is_empty() {
        return None;
    }
    let mut series = Vec::new();
    let line =
        |name: &str, colour, drawn, values| Series { name: name.into(), colour, drawn, values };
    let open = results.run.groups.iter().any(|group| group.open);
    if open {
        let due = rates(results, |bucket| bucket.due);
        // An iteration of several steps is more than one request.
        let name = if results.labels.len() > 1 { "iterations due" } else { "intended" };
        series.push(line(name, 7, Drawn::Dashed, due));
    }
    series.push(line("ended", 0, Drawn::Line, request_rates(results)));
    if results.total.errors() > 0 {
        let failed = rates(results, |bucket| bucket.errors);
        series.push(line("failed", 1, Drawn::Area, failed));
    }
    let y = Axis::from_zero("requests a second", Unit::Rate, values(&series), 1.0);
    let reading = if open {
        "Where the requests that ended leave the dashed line, the service (or the tester) did not \
         keep up with the load that was meant."
    } else {
        "How many requests ended each second; in the closed model a dip means that users were \
         waiting for answers."
    };
    Some(over_time(results, "throughput", "Throughput over time", reading, y, series))
}

/// Requests under way and users at the end of each bucket.
pub(super) fn in_flight(results: &Results) -> Option<Figure> {
    let buckets = &results.timeline.buckets;
    if buckets.iter().all(|bucket| bucket.in_flight == 0 && bucket.users == 0) {
        return None;
    }
    let level = |name: &str, colour, drawn, level: fn(&Bucket) -> u64| Series {
        name: name.to_owned(),
        colour,
        drawn,
        values: buckets.iter().map(|bucket| Some(level(bucket) as f64)).collect(),
    };
    let mut series = vec![level("requests under way", 0, Drawn::Line, |bucket| bucket.in_flight)];
    // In the open model there are as many users as requests at once have made necessary.
    let has_closed = results.run.groups.iter().any(|group| !group.open);
    if has_closed && buckets.iter().any(|bucket| bucket.users > 0) {
        series.push(level("users", 7, Drawn::Dashed, |bucket| bucket.users));
    }
    let y = Axis::from_zero("at the same time", Unit::Count, values(&series), 1.0);
    let reading = "Requests that were sent and not yet answered; growth without end is a queue \
                   that the service cannot work off.";
    Some(over_time(results, "in-flight", "Requests under way", reading, y, series))
}

/// The share of requests that failed.
pub(super) fn errors(results: &Results) -> Option<Figure> {
    if results.total.errors() == 0 {
        return None;
    }
    let share = |bucket: &Bucket| {
        (bucket.requests > 0).then(|| rounded(bucket.errors as f64 / bucket.requests as f64))
    };
    let series = vec![Series {
        name: "failed".to_owned(),
        colour: 1,
        drawn: Drawn::Area,
        values: results.timeline.buckets.iter().map(share).collect(),
    }];
    let y = Axis::from_zero("share of requests", Unit::Share, values(&series), 0.01);
    let reading = "The share of the requests that ended at a time and had failed.";
    Some(over_time(results, "errors-over-time", "Errors over time", reading, y, series))
}

/// Answers a second of each instance, upon each other.
pub(super) fn instances(results: &Results) -> Option<Figure> {
    if results.instances.len() < 2 {
        return None;
    }
    let mut names: Vec<&String> = results.instances.keys().collect();
    names.sort_by_cached_key(|name| text::natural_order(name));
    let mut reading = "How many answers a second each instance gave, upon each other; a band that \
                       thins is an instance that fell behind or was taken out."
        .to_owned();
    if names.len() > INSTANCES_SHOWN_MAX {
        names.sort_by_key(|name| std::cmp::Reverse(results.instances[*name].requests));
        names.truncate(INSTANCES_SHOWN_MAX);
        reading.push_str(" The busiest have a colour of their own.");
    }
    let count = |instances: &BTreeMap<String, u64>, name: &String| {
        instances.get(name).copied().unwrap_or_default()
    };
    let mut series: Vec<Series> = names
        .iter()
        .enumerate()
        .map(|(index, name)| Series {
            name: (*name).clone(),
            colour: index as u8,
            drawn: Drawn::Stack,
            values: rates(results, |bucket| count(&bucket.instances, name)),
        })
        .collect();
    if results.instances.len() > names.len() {
        let rest = |bucket: &Bucket| {
            let all: u64 = bucket.instances.values().sum();
            let shown: u64 = names.iter().map(|name| count(&bucket.instances, name)).sum();
            all.saturating_sub(shown)
        };
        let name = format!("{} others", results.instances.len() - names.len());
        let values = rates(results, rest);
        series.push(Series { name, colour: COLOURS - 1, drawn: Drawn::Stack, values });
    }
    let sums = (0..results.timeline.buckets.len())
        .map(|index| series.iter().filter_map(|series| series.values[index]).sum::<f64>());
    let y = Axis::from_zero("answers a second", Unit::Rate, sums, 1.0);
    Some(over_time(results, "instances-over-time", "Instances over time", reading, y, series))
}

/// How many requests took how long, over time.
pub(super) fn heat(results: &Results) -> Option<Figure> {
    let total = &results.total.response_time;
    let count = results.timeline.buckets.len();
    if total.count() == 0 || count < 2 {
        return None;
    }
    let lowest = (total.histogram().min() as f64 / 1e9).max(1e-9);
    let highest = round_above(total.max().as_secs_f64());
    let decades = (highest / lowest).log10().max(0.1);
    let wanted = (decades * HEAT_ROWS_EACH_DECADE).ceil().clamp(4.0, HEAT_ROWS_MAX as f64) as usize;
    let factor = (highest / lowest).powf(1.0 / wanted as f64).max(1.001);
    let edges: Vec<f64> =
        (0..=wanted).map(|index| rounded(lowest * factor.powi(index as i32))).collect();
    let joined = count.div_ceil(HEAT_COLUMNS_MAX);
    let columns = results.timeline.buckets.chunks(joined).map(|buckets| {
        let mut rows = vec![0_u64; wanted];
        for (latency, count) in buckets.iter().flat_map(|bucket| bucket.response_time.sizes()) {
            let seconds = latency.as_secs_f64();
            let row = ((seconds / lowest).ln() / factor.ln()).floor().max(0.0) as usize;
            rows[row.min(wanted - 1)] += count;
        }
        let first = rows.iter().position(|count| *count > 0).unwrap_or_default();
        let end = rows.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
        (first, rows[first..end].to_vec())
    });
    let columns = columns.collect();
    let step = results.timeline.width.as_secs_f64() * joined as f64;
    let mut y = Axis::latency("response time", edges.iter().copied());
    (y.from, y.to, y.switchable) = (edges[0], edges[wanted], false);
    Some(Figure {
        id: "heat",
        title: "Where the requests lie",
        reading: "Each cell counts the requests that ended at a time and took so long; a stronger \
                  colour is more of them, by orders of magnitude, so that a single slow one shows."
            .to_owned(),
        x: Axis::elapsed(results.run.elapsed.as_secs_f64()),
        y,
        content: Content::Heat { step, edges, columns },
    })
}
