//! From the parser's tree to a [plan](super::plan), checking what the parser lets pass.

use std::time::{Duration, SystemTime};

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::token::{
    T_ADD, T_ATAN2, T_AVG, T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_DIV, T_EQLC, T_GROUP, T_GTE,
    T_GTR, T_LAND, T_LIMIT_RATIO, T_LIMITK, T_LOR, T_LSS, T_LTE, T_LUNLESS, T_MAX, T_MIN, T_MOD,
    T_MUL, T_NEQ, T_POW, T_QUANTILE, T_STDDEV, T_STDVAR, T_SUB, T_SUM, T_TOPK, TokenId,
};
use promql_parser::parser::{
    AggregateExpr, AtModifier, BinaryExpr, Call, Expr, LabelModifier, Offset,
    VectorMatchCardinality, VectorSelector,
};
use regex::Regex;

use super::plan::{
    Aggregation, Aggregator, Arithmetic, At, Binary, Cardinality, Comparison, Function, Grouping,
    Matching, Node, Operator, Selector, SetOperator, Shift, Subquery,
};
use super::query::ValueType;
use super::screen::DURATION_SECONDS_MAX;
use crate::labels::NAME;
use crate::source::{Condition, Matcher};

/// The plan of a tree.
///
/// # Errors
/// What is wrong with it, in Prometheus' words.
pub(super) fn lower(expression: &Expr) -> Result<Node, String> {
    Ok(match expression {
        Expr::NumberLiteral(number) => Node::Number(number.val),
        Expr::StringLiteral(text) => Node::Text(text.val.clone()),
        Expr::Paren(paren) => lower(&paren.expr)?,
        Expr::VectorSelector(selector) => Node::Selector(lower_selector(selector)?),
        Expr::MatrixSelector(matrix) => {
            Node::Matrix(lower_selector(&matrix.vs)?, milliseconds(matrix.range)?)
        }
        Expr::Subquery(subquery) => {
            let step = match subquery.step {
                Some(step) => Some(milliseconds(step)?),
                None => None,
            };
            Node::Subquery(Box::new(Subquery {
                node: typed(&subquery.expr, ValueType::Vector, "subquery")?,
                shift: lower_shift(subquery.at.as_ref(), subquery.offset.as_ref())?,
                range: milliseconds(subquery.range)?,
                step,
            }))
        }
        Expr::Unary(unary) => match lower(&unary.expr)? {
            Node::Number(number) => Node::Number(-number),
            inner => {
                if !matches!(inner.value_type(), ValueType::Scalar | ValueType::Vector) {
                    return Err(format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                        describe(inner.value_type())
                    ));
                }
                Node::Negation(Box::new(inner))
            }
        },
        Expr::Binary(binary) => lower_binary(binary)?,
        Expr::Aggregate(aggregate) => lower_aggregate(aggregate)?,
        Expr::Call(call) => lower_call(call)?,
        Expr::Extension(_) => return Err("extensions of the language are not known".to_owned()),
    })
}

/// What Prometheus calls a type in messages.
pub(super) fn describe(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Vector => "instant vector",
        ValueType::Matrix => "range vector",
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
    }
}

fn typed(expression: &Expr, wanted: ValueType, context: &str) -> Result<Node, String> {
    let node = lower(expression)?;
    let found = node.value_type();
    if found == wanted {
        return Ok(node);
    }
    Err(format!("expected type {} in {context}, got {}", describe(wanted), describe(found)))
}

fn milliseconds(duration: Duration) -> Result<i64, String> {
    match distance(duration)? {
        0 => Err("duration must be greater than 0".to_owned()),
        milliseconds => Ok(milliseconds),
    }
}

/// Milliseconds that may be none.
fn distance(duration: Duration) -> Result<i64, String> {
    match i64::try_from(duration.as_millis()) {
        Ok(distance) if duration.as_secs_f64() <= DURATION_SECONDS_MAX => Ok(distance),
        _ => Err(format!("duration out of range: {}s", duration.as_secs())),
    }
}

fn lower_shift(at: Option<&AtModifier>, offset: Option<&Offset>) -> Result<Shift, String> {
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(time)) => {
            Some(At::Time(match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => distance(after)?,
                Err(before) => -distance(before.duration())?,
            }))
        }
    };
    let offset = match offset {
        None => 0,
        Some(Offset::Pos(duration)) => distance(*duration)?,
        Some(Offset::Neg(duration)) => -distance(*duration)?,
    };
    Ok(Shift { at, offset })
}

fn lower_selector(selector: &VectorSelector) -> Result<Selector, String> {
    let Matchers { matchers, or_matchers } = &selector.matchers;
    if !or_matchers.is_empty() {
        return Err("unexpected \"or\" in label matching, expected \",\" or \"}\"".to_owned());
    }
    let mut lowered = Vec::with_capacity(matchers.len() + 1);
    if let Some(name) = &selector.name {
        lowered.push(Matcher { name: NAME.to_owned(), condition: Condition::Equal(name.clone()) });
    }
    for matcher in matchers {
        let value = || matcher.value.clone();
        let condition = match &matcher.op {
            MatchOp::Equal => Condition::Equal(value()),
            MatchOp::NotEqual => Condition::NotEqual(value()),
            MatchOp::Re(pattern) => Condition::Match(across_lines(pattern)?),
            MatchOp::NotRe(pattern) => Condition::NotMatch(across_lines(pattern)?),
        };
        lowered.push(Matcher { name: matcher.name.clone(), condition });
    }
    if lowered.iter().all(|matcher| matcher.accepts("")) {
        return Err("vector selector must contain at least one non-empty matcher".to_owned());
    }
    Ok(Selector {
        matchers: lowered,
        shift: lower_shift(selector.at.as_ref(), selector.offset.as_ref())?,
    })
}

/// The parser has anchored it; that a dot takes a line's end too is left to do.
fn across_lines(pattern: &Regex) -> Result<Regex, String> {
    crate::pattern::anchored(pattern.as_str()).map_err(|error| error.to_string())
}

fn lower_binary(binary: &BinaryExpr) -> Result<Node, String> {
    let (left, right) = (lower(&binary.lhs)?, lower(&binary.rhs)?);
    let operator = operator(binary.op.id()).ok_or_else(|| {
        format!("binary expression does not support operator {:?}", binary.op.to_string())
    })?;
    let mut matching = Matching {
        grouping: Grouping { names: Vec::new(), with: false },
        cardinality: Cardinality::OneToOne,
        include: Vec::new(),
        fill_left: None,
        fill_right: None,
    };
    let mut to_bool = false;
    if let Some(modifier) = &binary.modifier {
        to_bool = modifier.return_bool;
        if let Some(modifier) = &modifier.matching {
            matching.grouping = lower_grouping(modifier);
        }
        (matching.cardinality, matching.include) = match &modifier.card {
            VectorMatchCardinality::ManyToOne(labels) => {
                (Cardinality::ManyToOne, labels.labels.clone())
            }
            VectorMatchCardinality::OneToMany(labels) => {
                (Cardinality::OneToMany, labels.labels.clone())
            }
            VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {
                (Cardinality::OneToOne, Vec::new())
            }
        };
        matching.fill_left = modifier.fill_values.lhs;
        matching.fill_right = modifier.fill_values.rhs;
        let scalar = [&left, &right].iter().any(|side| side.value_type() == ValueType::Scalar);
        let filled = matching.fill_left.is_some() || matching.fill_right.is_some();
        if scalar && (filled || matching.cardinality != Cardinality::OneToOne) {
            return Err("vector matching only allowed between instant vectors".to_owned());
        }
        if filled && matches!(operator, Operator::Set(_)) {
            return Err("filling in missing series not allowed for set operators".to_owned());
        }
    }
    for side in [&left, &right] {
        if !matches!(side.value_type(), ValueType::Scalar | ValueType::Vector) {
            return Err(
                "binary expression must contain only scalar and instant vector types".to_owned()
            );
        }
    }
    Ok(Node::Binary(Box::new(Binary { operator, left, right, to_bool, matching })))
}

fn operator(token: TokenId) -> Option<Operator> {
    Some(match token {
        T_ADD => Operator::Arithmetic(Arithmetic::Add),
        T_SUB => Operator::Arithmetic(Arithmetic::Subtract),
        T_MUL => Operator::Arithmetic(Arithmetic::Multiply),
        T_DIV => Operator::Arithmetic(Arithmetic::Divide),
        T_MOD => Operator::Arithmetic(Arithmetic::Remainder),
        T_POW => Operator::Arithmetic(Arithmetic::Power),
        T_ATAN2 => Operator::Arithmetic(Arithmetic::Atan2),
        T_EQLC => Operator::Comparison(Comparison::Equal),
        T_NEQ => Operator::Comparison(Comparison::NotEqual),
        T_GTR => Operator::Comparison(Comparison::Greater),
        T_LSS => Operator::Comparison(Comparison::Less),
        T_GTE => Operator::Comparison(Comparison::GreaterOrEqual),
        T_LTE => Operator::Comparison(Comparison::LessOrEqual),
        T_LAND => Operator::Set(SetOperator::And),
        T_LOR => Operator::Set(SetOperator::Or),
        T_LUNLESS => Operator::Set(SetOperator::Unless),
        _ => return None,
    })
}

fn lower_grouping(modifier: &LabelModifier) -> Grouping {
    let mut names = modifier.labels().labels.clone();
    names.sort();
    names.dedup();
    Grouping { names, with: modifier.is_include() }
}

fn lower_aggregate(aggregate: &AggregateExpr) -> Result<Node, String> {
    let operator = match aggregate.op.id() {
        T_SUM => Aggregator::Sum,
        T_AVG => Aggregator::Average,
        T_COUNT => Aggregator::Count,
        T_MIN => Aggregator::Minimum,
        T_MAX => Aggregator::Maximum,
        T_GROUP => Aggregator::Group,
        T_STDDEV => Aggregator::StandardDeviation,
        T_STDVAR => Aggregator::StandardVariance,
        T_TOPK => Aggregator::Top,
        T_BOTTOMK => Aggregator::Bottom,
        T_QUANTILE => Aggregator::Quantile,
        T_COUNT_VALUES => Aggregator::CountValues,
        T_LIMITK => Aggregator::Limit,
        T_LIMIT_RATIO => Aggregator::LimitRatio,
        _ => {
            return Err(format!(
                "aggregation operator expected in aggregation expression but got {:?}",
                aggregate.op.to_string()
            ));
        }
    };
    const CONTEXT: &str = "aggregation expression";
    let parameter = match (&aggregate.param, operator) {
        (Some(parameter), Aggregator::CountValues) => {
            Some(typed(parameter, ValueType::String, CONTEXT)?)
        }
        (Some(parameter), _) => Some(typed(parameter, ValueType::Scalar, CONTEXT)?),
        (None, _) => None,
    };
    Ok(Node::Aggregation(Box::new(Aggregation {
        operator,
        node: typed(&aggregate.expr, ValueType::Vector, CONTEXT)?,
        parameter,
        grouping: aggregate
            .modifier
            .as_ref()
            .map_or(Grouping { names: Vec::new(), with: true }, lower_grouping),
    })))
}

fn lower_call(call: &Call) -> Result<Node, String> {
    let name = call.func.name;
    let function = Function::named(name)
        .ok_or_else(|| format!("function {name:?} is not supported by this engine"))?;
    let context = format!("call to function {name:?}");
    let types = &call.func.arg_types;
    let mut arguments = Vec::with_capacity(call.args.len());
    for (place, argument) in call.args.args.iter().enumerate() {
        // The last of the types holds for all arguments after it.
        let wanted = types
            .get(place)
            .or(types.last())
            .ok_or_else(|| format!("expected no arguments in {context}"))?;
        arguments.push(typed(argument, *wanted, &context)?);
    }
    Ok(Node::Call(function, arguments))
}
