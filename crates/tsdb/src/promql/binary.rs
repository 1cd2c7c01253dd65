//! Operators: what they do with two values, and with a scalar and a vector.

use super::column::{ABSENT, Number, is_absent};
use super::evaluate::{Evaluator, Sink};
use super::outcome::{Grid, QueryError};
use super::plan::{Arithmetic, Binary, Comparison, Operator};
use super::query::ValueType;

impl Arithmetic {
    #[inline]
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            // The sign is that of the dividend, as with Go's math.Mod.
            Self::Remainder => a % b,
            Self::Power => a.powf(b),
            Self::Atan2 => a.atan2(b),
        }
    }
}

impl Comparison {
    #[inline]
    pub fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Greater => a > b,
            Self::Less => a < b,
            Self::GreaterOrEqual => a >= b,
            Self::LessOrEqual => a <= b,
        }
    }
}

/// What becomes of two values: arithmetic, 0 or 1, or the left one if it passes.
#[inline]
pub(super) fn combine(operator: Operator, to_bool: bool, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Arithmetic(arithmetic) => arithmetic.apply(left, right),
        Operator::Comparison(comparison) if to_bool => {
            f64::from(u8::from(comparison.holds(left, right)))
        }
        Operator::Comparison(comparison) if comparison.holds(left, right) => left,
        // Set operators look at labels, not at values.
        Operator::Comparison(_) | Operator::Set(_) => ABSENT,
    }
}

/// Whether the result is another metric than the operand.
pub(super) fn drops_name(binary: &Binary) -> bool {
    matches!(binary.operator, Operator::Arithmetic(_)) || binary.to_bool
}

/// Whether one side is a scalar.
pub(super) fn has_scalar(binary: &Binary) -> bool {
    [&binary.left, &binary.right].iter().any(|side| side.value_type() == ValueType::Scalar)
}

/// Evaluates an operator between a scalar and a vector, either way round.
pub(super) fn stream(
    evaluator: &Evaluator,
    binary: &Binary,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let scalar_left = binary.left.value_type() == ValueType::Scalar;
    let (vector, scalar) =
        if scalar_left { (&binary.right, &binary.left) } else { (&binary.left, &binary.right) };
    let scalar = evaluator.number(scalar, grid)?;
    let change = |values: &mut [f64]| change(binary, scalar_left, &scalar, values);
    if drops_name(binary) {
        return evaluator.stream_unnamed(vector, grid, sink, |column| change(&mut column.values));
    }
    evaluator.stream(vector, grid, &mut |mut column| {
        change(&mut column.values);
        sink(column)
    })
}

/// Combines each value with the scalar of its step.
fn change(binary: &Binary, scalar_left: bool, scalar: &Number, values: &mut [f64]) {
    let to_bool = binary.to_bool;
    match binary.operator {
        // What dashboards are full of gets loops of its own.
        Operator::Arithmetic(Arithmetic::Multiply) => each(scalar, values, |a, b| a * b),
        Operator::Arithmetic(Arithmetic::Divide) if !scalar_left => {
            each(scalar, values, |a, b| a / b);
        }
        Operator::Comparison(Comparison::Greater) if !scalar_left && !to_bool => {
            each(scalar, values, |a, b| if a > b { a } else { ABSENT });
        }
        // A filter keeps the vector's value, whichever side it is on.
        Operator::Comparison(comparison) if scalar_left && !to_bool => {
            each(scalar, values, |a, b| if comparison.holds(b, a) { a } else { ABSENT });
        }
        operator if scalar_left => each(scalar, values, |a, b| combine(operator, to_bool, b, a)),
        operator => each(scalar, values, |a, b| combine(operator, to_bool, a, b)),
    }
}

#[inline]
fn each(scalar: &Number, values: &mut [f64], combine: impl Fn(f64, f64) -> f64) {
    let combine = |value: f64, scalar: f64| {
        let result = combine(value, scalar);
        if is_absent(value) { ABSENT } else { result }
    };
    match scalar {
        Number::Constant(scalar) => {
            values.iter_mut().for_each(|value| *value = combine(*value, *scalar))
        }
        Number::Each(scalars) => {
            values
                .iter_mut()
                .zip(scalars)
                .for_each(|(value, scalar)| *value = combine(*value, *scalar));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_follow_floating_point() {
        assert_eq!(Arithmetic::Remainder.apply(-7.0, 3.0), -1.0);
        assert_eq!(Arithmetic::Power.apply(2.0, -1.0), 0.5);
        assert!(Arithmetic::Divide.apply(0.0, 0.0).is_nan());
        assert_eq!(Arithmetic::Divide.apply(1.0, 0.0), f64::INFINITY);
        assert!(!Comparison::Equal.holds(f64::NAN, f64::NAN));
        assert!(Comparison::NotEqual.holds(f64::NAN, f64::NAN));
    }

    #[test]
    fn a_comparison_filters_or_tells() {
        let greater = Operator::Comparison(Comparison::Greater);
        assert_eq!(combine(greater, false, 2.0, 1.0), 2.0);
        assert!(is_absent(combine(greater, false, 1.0, 2.0)));
        assert_eq!(combine(greater, true, 1.0, 2.0), 0.0);
        assert_eq!(combine(greater, true, 2.0, 1.0), 1.0);
    }
}
