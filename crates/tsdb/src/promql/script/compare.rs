//! Where an answer differs from what was expected.
//!
//! Differences come in the order in which series are expected, then those that nobody expected.

use std::collections::HashMap;
use std::fmt;

use super::expectation::Answer;
use super::number::{Number, same};
use super::series::Notation;
use crate::labels::Labels;
use crate::promql::{Element, Grid, Row, Value};
use crate::sample::Samples;

/// Differences that a message shows.
const SHOWN_MAX: usize = 10;

/// All differences, as one text of a line each; `Ok` if there are none.
///
/// `grid` is when the query was asked for; `ordered` whether the series of an instant vector must come
/// as they are expected.
pub(super) fn compare(
    expected: &Answer,
    found: &Value,
    grid: Grid,
    ordered: bool,
) -> Result<(), String> {
    let differences = match (expected, found) {
        (Answer::Series(series), Value::Vector(elements)) => vector(series, elements, ordered),
        (Answer::Series(series), Value::Matrix(rows)) => matrix(series, rows, grid),
        (Answer::Matrix(grid, series), Value::Matrix(rows)) => matrix(series, rows, *grid),
        (Answer::Scalar(wanted), Value::Scalar { value, .. }) if same(*wanted, *value) => vec![],
        (Answer::Text(wanted), Value::String { value, .. }) if wanted == value => vec![],
        _ => vec![format!("expected {}, found {}", Wanted(expected), Found(found))],
    };
    summary(differences)
}

/// Whether rows are sorted by labels, each once, as the answer to a range query must be.
pub(super) fn sorted(rows: &[Row]) -> Result<(), String> {
    match rows.windows(2).find(|pair| pair[0].labels >= pair[1].labels) {
        Some(pair) => Err(format!(
            "expected series sorted by labels, found `{}` before `{}`",
            pair[0].labels, pair[1].labels
        )),
        None => Ok(()),
    }
}

fn summary(mut differences: Vec<String>) -> Result<(), String> {
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(SHOWN_MAX);
    differences.truncate(SHOWN_MAX);
    if more > 0 {
        differences.push(format!("… and {more} more differences"));
    }
    Err(differences.join("\n"))
}

/// Series by labels, each with its place; those that occur twice are differences.
fn places<'a>(
    labels: impl Iterator<Item = &'a Labels>,
    differences: &mut Vec<String>,
) -> HashMap<&'a Labels, usize> {
    let mut places = HashMap::new();
    for (place, labels) in labels.enumerate() {
        if places.insert(labels, place).is_some() {
            differences.push(format!("found `{labels}` twice"));
        }
    }
    places
}

fn vector(expected: &[Notation], found: &[Element], ordered: bool) -> Vec<String> {
    let mut differences = Vec::new();
    let mut places = places(found.iter().map(|element| &element.labels), &mut differences);
    for (wanted_place, Notation { labels, values }) in expected.iter().enumerate() {
        let Some(wanted) = values.first().copied().flatten() else { continue };
        let Some(place) = places.remove(labels) else {
            differences
                .push(format!("expected `{labels} {}`, found no such series", Number(wanted)));
            continue;
        };
        let value = found[place].value;
        if !same(wanted, value) {
            differences.push(format!(
                "expected `{labels} {}`, found {}",
                Number(wanted),
                Number(value)
            ));
        } else if ordered && place != wanted_place {
            differences.push(format!(
                "expected `{labels} {}` at place {}, found it at {}",
                Number(wanted),
                wanted_place + 1,
                place + 1
            ));
        }
    }
    let unexpected = found.iter().filter(|element| places.contains_key(&element.labels));
    differences.extend(unexpected.map(|Element { labels, value, .. }| {
        format!("expected no `{labels}`, found it with {}", Number(*value))
    }));
    differences
}

fn matrix(expected: &[Notation], found: &[Row], grid: Grid) -> Vec<String> {
    let mut differences = Vec::new();
    let mut places = places(found.iter().map(|row| &row.labels), &mut differences);
    for Notation { labels, values } in expected {
        let wanted = samples(values, grid);
        match places.remove(labels) {
            Some(place) => differences.extend(row(labels, &wanted, &found[place].samples, grid)),
            None => {
                differences.push(format!(
                    "expected `{labels}{}`, found no such series",
                    Items(&wanted, grid)
                ));
            }
        }
    }
    let unexpected = found.iter().filter(|row| places.contains_key(&row.labels));
    differences.extend(unexpected.map(|Row { labels, samples }| {
        format!("expected no `{labels}`, found it with{}", Items(samples, grid))
    }));
    differences
}

/// Expected values with their times, which may be past the end of the grid.
fn samples(values: &[Option<f64>], grid: Grid) -> Samples {
    let mut samples = Samples::default();
    for (place, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let after_start = (place as i64).saturating_mul(grid.step);
            samples.times.push(grid.start.saturating_add(after_start));
            samples.values.push(*value);
        }
    }
    samples
}

/// The first sample of a series that differs.
fn row(labels: &Labels, wanted: &Samples, found: &Samples, grid: Grid) -> Option<String> {
    let count = wanted.len().max(found.len());
    let at = |samples: &Samples, place: usize| -> Option<(i64, f64)> {
        Some((*samples.times.get(place)?, *samples.values.get(place)?))
    };
    let (wanted_first, found_first) = (0..count)
        .map(|place| (at(wanted, place), at(found, place)))
        .find(|(wanted, found)| match (wanted, found) {
            (Some(wanted), Some(found)) => wanted.0 != found.0 || !same(wanted.1, found.1),
            _ => true,
        })?;
    // The earlier of the two times is the one where only one of them has a value.
    let time = match (wanted_first, found_first) {
        (Some(wanted), Some(found)) => wanted.0.min(found.0),
        (wanted, found) => wanted.or(found)?.0,
    };
    let told = |sample: Option<(i64, f64)>| match sample {
        Some((own, value)) if own == time => Number(value).to_string(),
        _ => "no value".to_owned(),
    };
    Some(format!(
        "`{labels}` at {}: expected {}, found {}\n  expected{}\n  found{}",
        Moment(time),
        told(wanted_first),
        told(found_first),
        Items(wanted, grid),
        Items(found, grid)
    ))
}

/// A time as scripts write it.
pub(super) struct Moment(pub(super) i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 1_000 == 0 {
            write!(f, "{}s", self.0 / 1_000)
        } else {
            write!(f, "{}ms", self.0)
        }
    }
}

/// Samples as a script writes them: a value for every step, `_` for none.
struct Items<'a>(&'a Samples, Grid);

impl fmt::Display for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Values of a series that a message shows.
        const VALUES_MAX: usize = 30;
        let Self(samples, grid) = self;
        let mut next = Some(grid.start);
        for (shown, (time, value)) in samples.times.iter().zip(&samples.values).enumerate() {
            if shown == VALUES_MAX {
                return write!(f, " … {} more", samples.len() - VALUES_MAX);
            }
            let skipped = next
                .and_then(|next| time.checked_sub(next))
                .filter(|gap| *gap > 0 && gap % grid.step == 0)
                .map_or(0, |gap| gap / grid.step);
            match skipped {
                0 => {}
                1 => f.write_str(" _")?,
                count => write!(f, " _x{count}")?,
            }
            write!(f, " {}", Number(*value))?;
            let on_grid = next.is_some_and(|next| *time >= next && (time - next) % grid.step == 0);
            if !on_grid {
                write!(f, "@{}", Moment(*time))?;
            }
            next = time.checked_add(grid.step);
        }
        Ok(())
    }
}

struct Wanted<'a>(&'a Answer);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Answer::Series(series) if series.is_empty() => f.write_str("no series"),
            Answer::Series(series) | Answer::Matrix(_, series) => {
                write!(f, "{} series", series.len())
            }
            Answer::Scalar(value) => write!(f, "the scalar {}", Number(*value)),
            Answer::Text(text) => write!(f, "the string {text:?}"),
        }
    }
}

struct Found<'a>(&'a Value);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Scalar { value, .. } => write!(f, "the scalar {}", Number(*value)),
            Value::String { value, .. } => write!(f, "the string {value:?}"),
            Value::Vector(elements) => write!(f, "an instant vector of {} series", elements.len()),
            Value::Matrix(rows) => write!(f, "a range vector of {} series", rows.len()),
        }
    }
}
