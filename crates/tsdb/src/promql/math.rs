//! Functions of each value by itself: rounding, bounds, logarithms, trigonometry.

use std::f64::consts::PI;

use super::column::{ABSENT, Number, is_absent};
use super::evaluate::{Evaluator, Sink};
use super::outcome::{Grid, QueryError};
use super::plan::Node;

/// A function of each value by itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum MathFunction {
    /// Of the value alone.
    Of(fn(f64) -> f64),
    Clamp,
    ClampMaximum,
    ClampMinimum,
    Round,
}

impl MathFunction {
    pub fn named(name: &str) -> Option<Self> {
        Some(Self::Of(match name {
            "clamp" => return Some(Self::Clamp),
            "clamp_max" => return Some(Self::ClampMaximum),
            "clamp_min" => return Some(Self::ClampMinimum),
            "round" => return Some(Self::Round),
            "abs" => f64::abs,
            "ceil" => f64::ceil,
            "floor" => f64::floor,
            "exp" => f64::exp,
            "sqrt" => f64::sqrt,
            "ln" => f64::ln,
            "log2" => f64::log2,
            "log10" => f64::log10,
            "sgn" => sign,
            "sin" => f64::sin,
            "cos" => f64::cos,
            "tan" => f64::tan,
            "asin" => f64::asin,
            "acos" => f64::acos,
            "atan" => f64::atan,
            "sinh" => f64::sinh,
            "cosh" => f64::cosh,
            "tanh" => f64::tanh,
            "asinh" => f64::asinh,
            "acosh" => f64::acosh,
            "atanh" => f64::atanh,
            "deg" => |radians| radians * 180.0 / PI,
            "rad" => |degrees| degrees * PI / 180.0,
            _ => return None,
        }))
    }
}

fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The greater of both; NaN if one of them is, unless the other is +Inf. As Go's `math.Max`.
pub(super) fn maximum(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// The less of both; NaN if one of them is, unless the other is -Inf. As Go's `math.Min`.
pub(super) fn minimum(a: f64, b: f64) -> f64 {
    -maximum(-a, -b)
}

/// To the nearest multiple; halves go up.
fn round(value: f64, multiple: f64) -> f64 {
    let inverse = 1.0 / multiple;
    (value * inverse + 0.5).floor() / inverse
}

/// Evaluates a call of such a function.
pub(super) fn stream(
    evaluator: &Evaluator,
    function: MathFunction,
    arguments: &[Node],
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let [vector, parameters @ ..] = arguments else {
        return Err(QueryError::Execution("expected an instant vector".to_owned()));
    };
    let parameters: Vec<Number> = parameters
        .iter()
        .map(|parameter| evaluator.number(parameter, grid))
        .collect::<Result<_, _>>()?;
    let parameter = |place: usize, step: usize, default: f64| {
        parameters.get(place).map_or(default, |parameter| parameter.at(step))
    };
    let each: Box<dyn Fn(usize, f64) -> f64> = match function {
        MathFunction::Of(function) => Box::new(move |_, value| function(value)),
        MathFunction::Clamp => Box::new(|step, value| {
            let (least, most) = (parameter(0, step, f64::NAN), parameter(1, step, f64::NAN));
            if most < least { ABSENT } else { maximum(least, minimum(most, value)) }
        }),
        MathFunction::ClampMaximum => {
            Box::new(|step, value| minimum(parameter(0, step, f64::NAN), value))
        }
        MathFunction::ClampMinimum => {
            Box::new(|step, value| maximum(parameter(0, step, f64::NAN), value))
        }
        MathFunction::Round => Box::new(|step, value| round(value, parameter(0, step, 1.0))),
    };
    evaluator.stream_unnamed(vector, grid, sink, |column| {
        for (step, value) in column.values.iter_mut().enumerate() {
            if !is_absent(*value) {
                *value = each(step, *value);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_up() {
        for (value, multiple, rounded) in
            [(2.5, 1.0, 3.0), (-2.5, 1.0, -2.0), (3.3, 0.5, 3.5), (12.0, 5.0, 10.0)]
        {
            assert_eq!(round(value, multiple), rounded);
        }
    }

    #[test]
    fn nan_is_neither_greater_nor_less() {
        assert!(maximum(f64::NAN, 1.0).is_nan() && minimum(1.0, f64::NAN).is_nan());
        assert_eq!(maximum(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert_eq!(minimum(f64::NAN, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!((maximum(1.0, 2.0), minimum(1.0, 2.0)), (2.0, 1.0));
        assert_eq!((sign(-3.0), sign(3.0), sign(0.0)), (-1.0, 1.0, 0.0));
    }
}
