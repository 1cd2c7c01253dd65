//! `eq`, `ne`, `lt`, `le`, `gt` and `ge` as in Go: only values of one kind can be compared.

use std::cmp::Ordering;

use super::value::{Failure, Value, failed};

/// Whether the first equals any of the others.
pub(super) fn equal(first: &Value, others: &[Value]) -> Result<bool, Failure> {
    if others.is_empty() {
        return failed("missing argument for comparison");
    }
    let mut any = false;
    for other in others {
        any |= match (first, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Nothing, Value::Nothing) => true,
            (Value::Nothing, _) | (_, Value::Nothing) => false,
            _ => return incompatible(first, other),
        };
        if any {
            break;
        }
    }
    Ok(any)
}

/// How two stand to each other; `None` with a NaN.
fn order(first: &Value, second: &Value) -> Result<Option<Ordering>, Failure> {
    match (first, second) {
        (Value::Integer(a), Value::Integer(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        _ => incompatible(first, second),
    }
}

pub(super) fn less(first: &Value, second: &Value) -> Result<bool, Failure> {
    Ok(order(first, second)? == Some(Ordering::Less))
}

pub(super) fn at_most(first: &Value, second: &Value) -> Result<bool, Failure> {
    Ok(matches!(order(first, second)?, Some(Ordering::Less | Ordering::Equal)))
}

fn incompatible<T>(first: &Value, second: &Value) -> Result<T, Failure> {
    let (a, b) = (first.type_name(), second.type_name());
    if matches!(
        (first, second),
        (Value::Integer(_), Value::Float(_)) | (Value::Float(_), Value::Integer(_))
    ) {
        return failed(format!(
            "{a} and {b} cannot be compared: write the number with a point, as in 10.0"
        ));
    }
    failed(format!("{a} and {b} cannot be compared"))
}
