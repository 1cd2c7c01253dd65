//! Functions of range vectors: which there are, and which kernel computes each.

use super::column::{Column, Distinct, merge};
use super::evaluate::{Evaluator, Sink, unexpected};
use super::outcome::{Grid, QueryError};
use super::plan::Node;
use super::query::ValueType;
use super::window::Windows;
use super::{annotation, counter, over_time, trend, window};
use crate::sample::Samples;

/// A function of a range vector that yields a value for each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeFunction {
    Rate,
    Increase,
    Delta,
    InstantRate,
    InstantDelta,
    Resets,
    Changes,
    Derivative,
    PredictLinear,
    DoubleExponentialSmoothing,
    Average,
    Count,
    First,
    Last,
    MedianAbsoluteDeviation,
    Maximum,
    Minimum,
    Present,
    Quantile,
    StandardDeviation,
    StandardVariance,
    Sum,
    TimeOfFirst,
    TimeOfLast,
    TimeOfMaximum,
    TimeOfMinimum,
}

/// Scalars that some functions take beside the range vector, in the order of the call.
type Parameters = Vec<super::column::Number>;

impl RangeFunction {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            "delta" => Self::Delta,
            "irate" => Self::InstantRate,
            "idelta" => Self::InstantDelta,
            "resets" => Self::Resets,
            "changes" => Self::Changes,
            "deriv" => Self::Derivative,
            "predict_linear" => Self::PredictLinear,
            "double_exponential_smoothing" => Self::DoubleExponentialSmoothing,
            "avg_over_time" => Self::Average,
            "count_over_time" => Self::Count,
            "first_over_time" => Self::First,
            "last_over_time" => Self::Last,
            "mad_over_time" => Self::MedianAbsoluteDeviation,
            "max_over_time" => Self::Maximum,
            "min_over_time" => Self::Minimum,
            "present_over_time" => Self::Present,
            "quantile_over_time" => Self::Quantile,
            "stddev_over_time" => Self::StandardDeviation,
            "stdvar_over_time" => Self::StandardVariance,
            "sum_over_time" => Self::Sum,
            "ts_of_first_over_time" => Self::TimeOfFirst,
            "ts_of_last_over_time" => Self::TimeOfLast,
            "ts_of_max_over_time" => Self::TimeOfMaximum,
            "ts_of_min_over_time" => Self::TimeOfMinimum,
            _ => return None,
        })
    }

    /// Whether what it yields is still the metric: one of its own samples.
    pub fn keeps_name(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }

    fn apply(
        self,
        samples: &Samples,
        windows: &Windows,
        parameters: &Parameters,
    ) -> Result<Vec<f64>, QueryError> {
        let parameter = |place: usize, step: usize| {
            parameters.get(place).map_or(f64::NAN, |parameter| parameter.at(step))
        };
        Ok(match self {
            Self::Rate => counter::extrapolate(samples, windows, counter::Kind::Rate),
            Self::Increase => counter::extrapolate(samples, windows, counter::Kind::Increase),
            Self::Delta => counter::extrapolate(samples, windows, counter::Kind::Delta),
            Self::InstantRate => counter::instant(samples, windows, true),
            Self::InstantDelta => counter::instant(samples, windows, false),
            Self::Resets => counter::resets(samples, windows),
            Self::Changes => counter::changes(samples, windows),
            Self::Derivative => trend::derivative(samples, windows),
            Self::PredictLinear => {
                trend::predict_linear(samples, windows, |step| parameter(0, step))
            }
            Self::DoubleExponentialSmoothing => {
                let factors = |step| (parameter(0, step), parameter(1, step));
                trend::double_exponential_smoothing(samples, windows, factors)?
            }
            Self::Average => over_time::average(samples, windows),
            Self::Count => windows.slide(samples, |window| window.values.len() as f64),
            Self::First => windows.slide(samples, |window| window.values[0]),
            Self::Last => windows.slide(samples, |window| window.values[window.values.len() - 1]),
            Self::MedianAbsoluteDeviation => over_time::median_absolute_deviation(samples, windows),
            Self::Maximum => over_time::maximum(samples, windows),
            Self::Minimum => over_time::minimum(samples, windows),
            Self::Present => windows.slide(samples, |_| 1.0),
            Self::Quantile => over_time::quantile(samples, windows, |step| parameter(0, step)),
            Self::StandardDeviation => over_time::deviation(samples, windows, f64::sqrt),
            Self::StandardVariance => over_time::deviation(samples, windows, |variance| variance),
            Self::Sum => over_time::sum(samples, windows),
            Self::TimeOfFirst => windows.slide(samples, |window| seconds(window.times[0])),
            Self::TimeOfLast => {
                windows.slide(samples, |window| seconds(window.times[window.times.len() - 1]))
            }
            Self::TimeOfMaximum => over_time::time_of(samples, windows, |new, best| new >= best),
            Self::TimeOfMinimum => over_time::time_of(samples, windows, |new, best| new <= best),
        })
    }

    /// Whether its value depends on the step and not on the window alone.
    fn looks_at_step(self) -> bool {
        matches!(self, Self::PredictLinear | Self::Quantile | Self::DoubleExponentialSmoothing)
    }
}

pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Evaluates a call of such a function.
pub(super) fn stream(
    evaluator: &Evaluator,
    function: RangeFunction,
    arguments: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let is_range = |argument: &&Node| argument.value_type() == ValueType::Matrix;
    let Some(range) = arguments.iter().find(is_range) else {
        return Err(QueryError::Execution("expected a range vector".to_owned()));
    };
    let mut parameters = Vec::new();
    for argument in arguments.iter().filter(|argument| !is_range(argument)) {
        if argument.value_type() != ValueType::Scalar {
            return Err(unexpected(argument, "scalar"));
        }
        parameters.push(evaluator.number(argument, grid)?);
    }
    if function == RangeFunction::Quantile {
        annotation::quantile(evaluator, &parameters[0], grid.steps());
    }
    let is_counter = matches!(function, RangeFunction::Rate | RangeFunction::Increase);
    let each = |metric: super::column::Metric, samples: &Samples, windows: &Windows, sink: Sink| {
        let mut column =
            Column { metric, values: one_or_all(function, samples, windows, &parameters)? };
        if is_counter && !column.is_empty() {
            annotation::counter_name(evaluator, column.metric.get(crate::labels::NAME));
        }
        if !function.keeps_name() {
            column.metric.drop_name();
        }
        sink(column)
    };
    if range.differs_without_name() {
        return window::for_each(evaluator, range, grid, &mut |metric, samples, windows| {
            each(metric, samples, windows, sink)
        });
    }
    let mut table = evaluator.table();
    window::for_each(evaluator, range, grid, &mut |metric, samples, windows| {
        each(metric, samples, windows, &mut |column| evaluator.hold(&mut table, column))
    })?;
    let columns = std::mem::take(&mut table.columns);
    merge(columns, Distinct::Always)?.into_iter().try_for_each(sink)
}

/// Windows that all end at one fixed time are one window.
fn one_or_all(
    function: RangeFunction,
    samples: &Samples,
    windows: &Windows,
    parameters: &Parameters,
) -> Result<Vec<f64>, QueryError> {
    if windows.ends.step != 0 || windows.ends.count <= 1 || function.looks_at_step() {
        return function.apply(samples, windows, parameters);
    }
    let mut one = *windows;
    one.ends.count = 1;
    let values = function.apply(samples, &one, parameters)?;
    Ok(vec![values[0]; windows.ends.count])
}
