//! Instant vectors over all steps of a grid: one column of values for each series.
//!
//! Invariant: a column has one value for each step; [`ABSENT`] says that the series has none there.
//! No arithmetic yields that pattern, because the processor quiets a NaN it computes with, but loops
//! over columns must look for it first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::outcome::{Grid, QueryError};
use crate::labels::{Labels, NAME};
use crate::sample::{STALE, Samples, is_stale};

/// No value at this step. The pattern of staleness serves, so that a stale sample is absent by itself.
pub(super) const ABSENT: f64 = STALE;

/// What Prometheus says when an operation makes two series one.
pub(super) const SAME_LABELSET: &str = "vector cannot contain metrics with the same labelset";

/// Whether there is no value.
#[inline]
pub(super) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// The labels of a column. Forgetting the name, as most operations must, copies nothing.
#[derive(Debug, Clone)]
pub(super) struct Metric {
    labels: Labels,
    unnamed: bool,
}

impl Metric {
    pub fn of(labels: Labels) -> Self {
        Self { labels, unnamed: false }
    }

    pub fn drop_name(&mut self) {
        self.unnamed = true;
    }

    /// Names and values by rising name.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let unnamed = self.unnamed;
        self.labels.iter().filter(move |(name, _)| !(unnamed && *name == NAME))
    }

    /// The value of a label; empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        if self.unnamed && name == NAME {
            return "";
        }
        self.labels.get(name).unwrap_or_default()
    }

    pub fn labels(&self) -> Labels {
        if self.unnamed { Labels::from_sorted(self.pairs()) } else { self.labels.clone() }
    }

    /// With labels set; an empty value takes a label away.
    pub fn with<'a>(&'a self, changes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::of(Labels::from_pairs(self.pairs().chain(changes)))
    }

    /// With those labels alone whose names are wanted.
    pub fn filtered(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self::of(Labels::from_sorted(self.pairs().filter(|(name, _)| wanted(name))))
    }
}

/// One series of an instant vector, at every step.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub metric: Metric,
    /// One for each step, [`ABSENT`] where there is none.
    pub values: Vec<f64>,
}

impl Column {
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|value| is_absent(*value))
    }

    /// The values that are there, with their times.
    pub fn samples(self, grid: &Grid) -> Samples {
        let steps = self.values.len();
        if !self.values.iter().any(|value| is_absent(*value)) {
            let times = (0..steps).map(|step| grid.time(step)).collect();
            return Samples { times, values: self.values };
        }
        let mut samples =
            Samples { times: Vec::with_capacity(steps), values: Vec::with_capacity(steps) };
        for (step, value) in self.values.iter().enumerate() {
            if !is_absent(*value) {
                samples.push(grid.time(step), *value);
            }
        }
        samples
    }
}

/// A scalar at every step.
#[derive(Debug, Clone)]
pub(super) enum Number {
    Constant(f64),
    Each(Vec<f64>),
}

impl Number {
    #[inline]
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Each(values) => values[step],
        }
    }

    pub fn into_values(self, steps: usize) -> Vec<f64> {
        match self {
            Self::Constant(value) => vec![value; steps],
            Self::Each(values) => values,
        }
    }

    /// With both combined at every step.
    pub fn combine(self, other: Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Constant(a), Self::Constant(b)) => Self::Constant(combine(a, b)),
            (Self::Constant(a), Self::Each(mut values)) => {
                values.iter_mut().for_each(|b| *b = combine(a, *b));
                Self::Each(values)
            }
            (Self::Each(mut values), other) => {
                for (step, a) in values.iter_mut().enumerate() {
                    *a = combine(*a, other.at(step));
                }
                Self::Each(values)
            }
        }
    }

    pub fn map(self, map: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(map(value)),
            Self::Each(mut values) => {
                values.iter_mut().for_each(|value| *value = map(*value));
                Self::Each(values)
            }
        }
    }
}

/// Where two series of equal labels may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distinct {
    /// At one step; at different ones they are one series.
    EachStep,
    /// In the whole result.
    Always,
}

/// Makes columns of equal labels one; leaves those without values out.
pub(super) fn merge(columns: Vec<Column>, distinct: Distinct) -> Result<Vec<Column>, QueryError> {
    let same = || QueryError::Execution(SAME_LABELSET.to_owned());
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    let mut places = HashMap::with_capacity(columns.len());
    for mut column in columns {
        if column.is_empty() {
            continue;
        }
        let labels = column.metric.labels();
        match places.entry(labels.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(merged.len());
                column.metric = Metric::of(labels);
                merged.push(column);
            }
            Entry::Occupied(_) if distinct == Distinct::Always => return Err(same()),
            Entry::Occupied(entry) => {
                let earlier = &mut merged[*entry.get()];
                for (value, new) in earlier.values.iter_mut().zip(&column.values) {
                    if is_absent(*value) {
                        *value = *new;
                    } else if !is_absent(*new) {
                        return Err(same());
                    }
                }
            }
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: &[f64]) -> Column {
        let mut metric = Metric::of(Labels::from_pairs([(NAME, name), ("a", "1")]));
        metric.drop_name();
        Column { metric, values: values.to_vec() }
    }

    #[test]
    fn series_of_equal_labels_become_one_if_no_step_has_both() {
        let columns = || vec![column("x", &[1.0, ABSENT]), column("y", &[ABSENT, 2.0])];
        let merged = merge(columns(), Distinct::EachStep).expect("never both");
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].values, [1.0, 2.0]);
        assert_eq!(merged[0].metric.labels().to_string(), r#"{a="1"}"#);
        assert!(merge(columns(), Distinct::Always).is_err());
        let both = vec![column("x", &[1.0]), column("y", &[2.0])];
        assert!(merge(both, Distinct::EachStep).is_err());
        let empty = vec![column("x", &[1.0]), column("y", &[ABSENT])];
        assert_eq!(merge(empty, Distinct::Always).expect("one is empty").len(), 1);
    }

    #[test]
    fn no_arithmetic_yields_absence() {
        let absent = std::hint::black_box(ABSENT);
        for value in [absent + 1.0, 1.0 - absent, absent * absent, absent / 2.0, absent % 2.0] {
            assert!(value.is_nan() && !is_absent(value));
        }
    }
}
