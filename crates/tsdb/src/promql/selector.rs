//! Instant selectors: the youngest sample within the lookback, for each series and step.

use super::column::{ABSENT, Column, Metric, is_absent};
use super::evaluate::{Evaluator, Sink};
use super::outcome::{Grid, QueryError};
use super::plan::{At, Selector, Shift};
use super::window::Cursor;
use crate::labels::Labels;
use crate::sample::Samples;

/// Times a selector looks at: one for each step, or one for all if they are fixed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instants {
    pub first: i64,
    /// From one to the next; 0 if all are the same.
    pub step: i64,
    pub count: usize,
}

impl Instants {
    pub fn of(evaluator: &Evaluator, shift: Shift, grid: &Grid) -> Self {
        let count = grid.steps();
        let fixed = match shift.at {
            None => return Self { first: grid.start - shift.offset, step: grid.step, count },
            Some(At::Start) => evaluator.whole.start,
            Some(At::End) => evaluator.whole.end,
            Some(At::Time(time)) => time,
        };
        Self { first: fixed - shift.offset, step: 0, count }
    }

    pub fn last(&self) -> i64 {
        self.first + self.step * self.count.saturating_sub(1) as i64
    }

    #[inline]
    pub fn at(&self, step: usize) -> i64 {
        self.first + self.step * step as i64
    }
}

/// Reads every chosen series' samples of `from..=to`.
pub(super) fn for_each_series(
    evaluator: &Evaluator,
    selector: &Selector,
    from: i64,
    to: i64,
    take: &mut dyn FnMut(&Labels, &mut Samples) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let chosen = evaluator.source.select(&selector.matchers, from, to)?;
    let series_max = evaluator.limits.series_max;
    if chosen.len() as u64 > u64::from(series_max) {
        return Err(QueryError::Limit(format!(
            "query selects {} series, the bound is {series_max} (series_max); choose fewer with \
             more matchers",
            chosen.len()
        )));
    }
    let mut samples = Samples::default();
    for series in chosen {
        samples.clear();
        series.read(from, to, &mut samples)?;
        evaluator.count_read(samples.len())?;
        take(series.labels(), &mut samples)?;
    }
    Ok(())
}

/// The value of each series at each step.
pub(super) fn stream(
    evaluator: &Evaluator,
    selector: &Selector,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    stream_by(evaluator, selector, grid, sink, |samples, place| samples.values[place])
}

/// When each value was sampled, seconds.
pub(super) fn stream_times(
    evaluator: &Evaluator,
    selector: &Selector,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    stream_by(evaluator, selector, grid, sink, |samples, place| {
        if is_absent(samples.values[place]) { ABSENT } else { samples.times[place] as f64 / 1000.0 }
    })
}

fn stream_by(
    evaluator: &Evaluator,
    selector: &Selector,
    grid: &Grid,
    sink: Sink,
    value: impl Fn(&Samples, usize) -> f64,
) -> Result<(), QueryError> {
    let instants = Instants::of(evaluator, selector.shift, grid);
    let lookback = evaluator.limits.lookback;
    let (from, to) = (instants.first - lookback + 1, instants.last());
    for_each_series(evaluator, selector, from, to, &mut |labels, samples| {
        let values = look_back(samples, instants, lookback, &value);
        sink(Column { metric: Metric::of(labels.clone()), values })
    })
}

fn look_back(
    samples: &Samples,
    instants: Instants,
    lookback: i64,
    value: impl Fn(&Samples, usize) -> f64,
) -> Vec<f64> {
    let times = &samples.times;
    let mut passed = Cursor::default();
    let mut values = Vec::with_capacity(instants.count);
    for step in 0..instants.count {
        let time = instants.at(step);
        values.push(match passed.pass(times, time).checked_sub(1) {
            Some(youngest) if times[youngest] > time - lookback => value(samples, youngest),
            _ => ABSENT,
        });
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::STALE;

    fn values(times: &[i64], values: &[f64], instants: Instants) -> Vec<f64> {
        let samples = Samples { times: times.to_vec(), values: values.to_vec() };
        look_back(&samples, instants, 300, |samples, place| samples.values[place])
    }

    #[test]
    fn the_lookback_is_open_on_the_left() {
        let found = values(&[0], &[7.0], Instants { first: 0, step: 100, count: 5 });
        assert_eq!(&found[..3], [7.0, 7.0, 7.0]);
        assert!(is_absent(found[3]) && is_absent(found[4]));
    }

    #[test]
    fn a_stale_marker_ends_a_series_at_once() {
        let instants = Instants { first: -50, step: 50, count: 6 };
        let found = values(&[0, 60, 160], &[1.0, STALE, 2.0], instants);
        let present: Vec<_> =
            found.iter().map(|value| (!is_absent(*value)).then_some(*value)).collect();
        assert_eq!(present, [None, Some(1.0), Some(1.0), None, None, Some(2.0)]);
    }
}
