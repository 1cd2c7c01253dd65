//! Operators: what they do with two values, and with a scalar and a vector.

use super::column::{ABSENT, is_absent};
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
    let each = |value: f64, scalar: f64| match binary.operator {
        // A filter keeps the vector's value, whichever side it is on.
        Operator::Comparison(comparison) if scalar_left && !binary.to_bool => {
            if comparison.holds(scalar, value) { value } else { ABSENT }
        }
        operator if scalar_left => combine(operator, binary.to_bool, scalar, value),
        operator => combine(operator, binary.to_bool, value, scalar),
    };
    let change = |values: &mut [f64]| {
        for (step, value) in values.iter_mut().enumerate() {
            if !is_absent(*value) {
                *value = each(*value, scalar.at(step));
            }
        }
    };
    if drops_name(binary) {
        return evaluator.stream_unnamed(vector, grid, sink, |column| change(&mut column.values));
    }
    evaluator.stream(vector, grid, &mut |mut column| {
        change(&mut column.values);
        sink(column)
    })
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
