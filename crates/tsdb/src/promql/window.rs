//! Range vectors: the samples of a window that moves over each series step by step.
//!
//! A window is open on the left: at time `t` it holds samples of `t - range < time <= t`. Two
//! cursors follow it, so that a series is walked once, however many windows a sample is in.

use super::column::{ABSENT, Metric, is_absent};
use super::evaluate::{Evaluator, unexpected};
use super::outcome::{Grid, QueryError};
use super::plan::{Node, Selector, Subquery};
use super::selector::{Instants, for_each_series};
use crate::sample::Samples;

/// Where the windows of a range vector are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// Where they end.
    pub ends: Instants,
    /// How long they are, milliseconds.
    pub range: i64,
    /// The steps they belong to: their ends but for `offset` and `@`.
    pub grid: Grid,
}

/// One window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'s> {
    pub step: usize,
    /// Where it ends, milliseconds.
    pub end: i64,
    /// Where its samples are in the series.
    pub from: usize,
    /// After the last of them.
    pub to: usize,
    pub times: &'s [i64],
    /// As many as times, at least one.
    pub values: &'s [f64],
}

impl Windows {
    /// What a function makes of each window that has samples.
    #[inline]
    pub fn slide(&self, samples: &Samples, mut function: impl FnMut(Window) -> f64) -> Vec<f64> {
        let Samples { times, values } = samples;
        let mut results = Vec::with_capacity(self.ends.count);
        let (mut from, mut to) = (Cursor::default(), Cursor::default());
        for step in 0..self.ends.count {
            let end = self.ends.at(step);
            let to = to.pass(times, end);
            let from = from.pass(times, end - self.range);
            results.push(if from == to {
                ABSENT
            } else {
                let (times, values) = (&times[from..to], &values[from..to]);
                function(Window { step, end, from, to, times, values })
            });
        }
        results
    }
}

/// A place in a series that moves on with time.
#[derive(Default)]
pub(super) struct Cursor {
    place: usize,
    /// How far it moved last: samples are mostly regular, so that it moves as far again.
    stride: usize,
}

impl Cursor {
    /// Moves to the first sample later than a time, which must not be less than the one before.
    #[inline]
    pub fn pass(&mut self, times: &[i64], time: i64) -> usize {
        let guess = self.place + self.stride;
        let is_passed = |place: usize| times.get(place).is_some_and(|sample| *sample <= time);
        if (self.stride == 0 || is_passed(guess - 1)) && !is_passed(guess) && guess <= times.len() {
            self.place = guess;
            return guess;
        }
        let before = self.place;
        while is_passed(self.place) {
            self.place += 1;
        }
        self.stride = self.place - before;
        self.place
    }
}

/// Hands over the series of a range vector one by one, without stale markers, and its windows.
pub(super) fn for_each(
    evaluator: &Evaluator,
    node: &Node,
    grid: &Grid,
    take: &mut dyn FnMut(Metric, &Samples, &Windows) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    match node {
        Node::Matrix(selector, range) => for_each_selected(evaluator, selector, *range, grid, take),
        Node::Subquery(subquery) => for_each_of_subquery(evaluator, subquery, grid, take),
        _ => Err(unexpected(node, "range vector")),
    }
}

fn for_each_selected(
    evaluator: &Evaluator,
    selector: &Selector,
    range: i64,
    grid: &Grid,
    take: &mut dyn FnMut(Metric, &Samples, &Windows) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let ends = Instants::of(evaluator, selector.shift, grid);
    let windows = Windows { ends, range, grid: *grid };
    let from = ends.first - range + 1;
    for_each_series(evaluator, selector, from, ends.last(), &mut |labels, samples| {
        drop_absent(samples);
        take(Metric::of(labels.clone()), samples, &windows)
    })
}

/// The inner expression is evaluated once, at all steps any window holds. Steps are multiples of the
/// step's length, so that they do not move with the query.
fn for_each_of_subquery(
    evaluator: &Evaluator,
    subquery: &Subquery,
    grid: &Grid,
    take: &mut dyn FnMut(Metric, &Samples, &Windows) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let ends = Instants::of(evaluator, subquery.shift, grid);
    let windows = Windows { ends, range: subquery.range, grid: *grid };
    let step = subquery.step.unwrap_or(evaluator.limits.interval).max(1);
    let open = ends.first - subquery.range;
    let start = (open.div_euclid(step) + 1) * step;
    let inner = Grid { start, end: ends.last(), step };
    let steps = inner.steps();
    if steps == 0 {
        return Ok(());
    }
    // A column and its samples at a time.
    let mut held = evaluator.table();
    evaluator.charge_values(&mut held, steps.saturating_mul(2))?;
    let mut samples = Samples::default();
    evaluator.stream(&subquery.node, &inner, &mut |column| {
        samples.clear();
        for (step, value) in column.values.iter().enumerate() {
            if !is_absent(*value) {
                samples.push(inner.time(step), *value);
            }
        }
        evaluator.check_time()?;
        if samples.is_empty() { Ok(()) } else { take(column.metric, &samples, &windows) }
    })
}

/// Stale markers are no samples of a range.
fn drop_absent(samples: &mut Samples) {
    // Counting has no branches, and mostly finds none.
    if samples.values.iter().map(|value| u32::from(is_absent(*value))).sum::<u32>() == 0 {
        return;
    }
    let Samples { times, values } = samples;
    let mut kept = 0;
    for place in 0..times.len() {
        if !is_absent(values[place]) {
            (times[kept], values[kept]) = (times[place], values[place]);
            kept += 1;
        }
    }
    times.truncate(kept);
    values.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::STALE;

    #[test]
    fn cursors_pass_what_is_not_later() {
        let times = [0, 10, 20, 30, 31, 32, 33, 60, 70, 80, 90];
        let mut cursor = Cursor::default();
        for time in [-5, 0, 5, 10, 20, 25, 32, 33, 59, 60, 80, 85, 90, 90, 500, 600] {
            let expected = times.partition_point(|sample| *sample <= time);
            assert_eq!(cursor.pass(&times, time), expected, "{time}");
        }
    }

    #[test]
    fn windows_are_open_on_the_left() {
        let mut samples = Samples {
            times: vec![0, 10, 15, 20, 30, 40],
            values: vec![0.0, 1.0, STALE, 2.0, 3.0, 4.0],
        };
        drop_absent(&mut samples);
        let windows = Windows {
            ends: Instants { first: 0, step: 10, count: 7 },
            range: 20,
            grid: Grid { start: 0, end: 60, step: 10 },
        };
        let mut seen = Vec::new();
        let results = windows.slide(&samples, |window| {
            seen.push((window.step, window.values.to_vec()));
            window.values.len() as f64
        });
        assert_eq!(&results[..6], [1.0, 2.0, 2.0, 2.0, 2.0, 1.0]);
        assert!(is_absent(results[6]));
        assert_eq!(seen[0], (0, vec![0.0]));
        assert_eq!(seen[2], (2, vec![1.0, 2.0]));
        assert_eq!(seen[5], (5, vec![4.0]));
    }
}
