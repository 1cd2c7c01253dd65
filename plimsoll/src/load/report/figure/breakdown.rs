//! Figures of parts beside each other: instances, labels, kinds of failure.

use super::{Axis, Content, Figure, Row, rounded};
use crate::load::report::text;
use crate::load::results::Results;
use crate::load::tally::Tally;

/// Most rows of a figure; the slowest of more.
const ROWS_MAX: usize = 24;

/// Some parts of a whole: their shares and their latencies.
fn parts<'a>(
    id: &'static str,
    title: &'static str,
    mut reading: String,
    bar_label: &'static str,
    tallies: impl Iterator<Item = (&'a String, &'a Tally)>,
) -> Option<Figure> {
    let mut tallies: Vec<_> = tallies.filter(|(_, tally)| tally.requests > 0).collect();
    if tallies.is_empty() {
        return None;
    }
    let all: u64 = tallies.iter().map(|(_, tally)| tally.requests).sum();
    if tallies.len() > ROWS_MAX {
        let count = tallies.len();
        tallies.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.response_time.quantile(0.99)));
        tallies.truncate(ROWS_MAX);
        reading.push_str(&format!(" These are the {ROWS_MAX} slowest of {count}, by p99."));
    }
    let rows: Vec<Row> = tallies
        .into_iter()
        .map(|(name, tally)| {
            let share = tally.requests as f64 / all as f64;
            let latencies = &tally.response_time;
            let quantile = |quantile| rounded(latencies.quantile(quantile).as_secs_f64());
            let longest = rounded(latencies.max().as_secs_f64());
            Row {
                name: name.clone(),
                bar: rounded(share),
                bar_text: text::share(share),
                latency: (latencies.count() > 0)
                    .then(|| [quantile(0.5), quantile(0.9), quantile(0.99), longest]),
            }
        })
        .collect();
    let latencies = rows.iter().filter_map(|row| row.latency).flatten();
    let x = Axis::latency("response time", latencies);
    Some(Figure {
        id,
        title,
        reading,
        x,
        y: Axis::none(),
        content: Content::Rows { bar_label, colour: 0, rows },
    })
}

/// Each instance's share and latency.
pub(super) fn instances(results: &Results) -> Option<Figure> {
    let reading = "What share of the answers each instance gave, and how long it took: the mark is \
                   the p50, the thick line reaches the p90, the thin one the p99, the dot is the \
                   longest.";
    let mut tallies: Vec<_> = results.instances.iter().collect();
    tallies.sort_by_cached_key(|(name, _)| text::natural_order(name));
    let tallies = tallies.into_iter();
    parts("instances", "Distribution over instances", reading.into(), "share of answers", tallies)
}

/// Each label's share and latency, if there are several.
pub(super) fn labels(results: &Results) -> Option<Figure> {
    if results.labels.len() < 2 {
        return None;
    }
    let reading = "What share of the requests each label is, and how long it took: the mark is the \
                   p50, the thick line reaches the p90, the thin one the p99, the dot is the longest.";
    let tallies = results.labels.iter().map(|(name, tally)| (name, tally));
    parts("labels", "Labels", reading.into(), "share of requests", tallies)
}

/// How often which kind of failure happened.
pub(super) fn errors(results: &Results) -> Option<Figure> {
    if results.total.errors() == 0 {
        return None;
    }
    let requests = results.total.requests.max(1) as f64;
    let mut failures: Vec<_> = results.total.failures.iter().collect();
    failures.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows = failures
        .into_iter()
        .map(|(failure, count)| Row {
            name: failure.words().to_owned(),
            bar: *count as f64,
            bar_text: format!(
                "{} ({})",
                text::count(*count),
                text::share(*count as f64 / requests)
            ),
            latency: None,
        })
        .collect();
    Some(Figure {
        id: "errors",
        title: "Errors by kind",
        reading: "How many requests failed in which way; in brackets the share of all requests."
            .to_owned(),
        x: Axis::none(),
        y: Axis::none(),
        content: Content::Rows { bar_label: "failed requests", colour: 1, rows },
    })
}
