//! A query as the evaluator wants it: checked, functions and operators resolved, durations in
//! milliseconds, regular expressions compiled.

use super::calendar::CalendarFunction;
use super::math::MathFunction;
use super::query::ValueType;
use super::range_function::RangeFunction;
use crate::labels::NAME;
use crate::source::{Condition, Matcher};

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Number(f64),
    Text(String),
    /// Instant vector: the youngest sample of each series.
    Selector(Selector),
    /// Range vector: samples of the last milliseconds.
    Matrix(Selector, i64),
    /// Range vector: an expression at the steps of the last milliseconds.
    Subquery(Box<Subquery>),
    Negation(Box<Node>),
    Binary(Box<Binary>),
    Aggregation(Box<Aggregation>),
    Call(Function, Vec<Node>),
}

/// Which series, and at what time.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    pub matchers: Vec<Matcher>,
    pub shift: Shift,
}

/// Another time than that of the step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shift {
    pub at: Option<At>,
    /// Backwards, milliseconds.
    pub offset: i64,
}

impl Shift {
    /// Whether the time is that of the step.
    pub fn is_none(&self) -> bool {
        self.at.is_none() && self.offset == 0
    }
}

/// A fixed time.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    Start,
    End,
    /// Milliseconds since 1970.
    Time(i64),
}

#[derive(Debug, Clone)]
pub(super) struct Subquery {
    pub node: Node,
    pub shift: Shift,
    /// Milliseconds.
    pub range: i64,
    /// Milliseconds; `None` for the evaluation interval.
    pub step: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub operator: Operator,
    pub left: Node,
    pub right: Node,
    /// Compare to 0 or 1 rather than filter.
    pub to_bool: bool,
    pub matching: Matching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Arithmetic(Arithmetic),
    Comparison(Comparison),
    Set(SetOperator),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Atan2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperator {
    And,
    Or,
    Unless,
}

/// Which series of two vectors belong together.
#[derive(Debug, Clone)]
pub(super) struct Matching {
    pub grouping: Grouping,
    pub cardinality: Cardinality,
    /// Labels taken over from the side that has one.
    pub include: Vec<String>,
    /// What stands for a series missing on the left.
    pub fill_left: Option<f64>,
    /// What stands for a series missing on the right.
    pub fill_right: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    OneToOne,
    ManyToOne,
    OneToMany,
}

/// Some labels of a series: `by`/`on`, or all but some: `without`/`ignoring`.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    /// Sorted, each once.
    pub names: Vec<String>,
    pub with: bool,
}

impl Grouping {
    /// Whether a label takes part. The name does only where it is asked for.
    pub fn takes(&self, name: &str) -> bool {
        let listed = self.names.iter().any(|listed| listed == name);
        if self.with { listed } else { !listed && name != NAME }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Aggregation {
    pub operator: Aggregator,
    pub node: Node,
    pub parameter: Option<Node>,
    pub grouping: Grouping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregator {
    Sum,
    Average,
    Count,
    Minimum,
    Maximum,
    Group,
    StandardDeviation,
    StandardVariance,
    Top,
    Bottom,
    Quantile,
    CountValues,
    Limit,
    LimitRatio,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    Range(RangeFunction),
    Math(MathFunction),
    Calendar(CalendarFunction),
    Absent,
    AbsentOverTime,
    Timestamp,
    Scalar,
    Vector,
    Time,
    Pi,
    QueryStart,
    QueryEnd,
    QueryRange,
    QueryStep,
    MinimumOf,
    MaximumOf,
    LabelReplace,
    LabelJoin,
    Sort {
        descending: bool,
    },
    SortByLabel {
        descending: bool,
    },
    HistogramQuantile,
    HistogramQuantiles,
    HistogramFraction,
    /// One that looks at native histograms alone, and hence finds nothing here.
    NativeHistogram,
}

impl Function {
    /// One known by its name; `None` if it is not evaluated here.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "absent" => Self::Absent,
            "absent_over_time" => Self::AbsentOverTime,
            "timestamp" => Self::Timestamp,
            "scalar" => Self::Scalar,
            "vector" => Self::Vector,
            "time" => Self::Time,
            "pi" => Self::Pi,
            "start" => Self::QueryStart,
            "end" => Self::QueryEnd,
            "range" => Self::QueryRange,
            "step" => Self::QueryStep,
            "min_of" => Self::MinimumOf,
            "max_of" => Self::MaximumOf,
            "label_replace" => Self::LabelReplace,
            "label_join" => Self::LabelJoin,
            "sort" => Self::Sort { descending: false },
            "sort_desc" => Self::Sort { descending: true },
            "sort_by_label" => Self::SortByLabel { descending: false },
            "sort_by_label_desc" => Self::SortByLabel { descending: true },
            "histogram_quantile" => Self::HistogramQuantile,
            "histogram_quantiles" => Self::HistogramQuantiles,
            "histogram_fraction" => Self::HistogramFraction,
            "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar"
            | "histogram_sum" => Self::NativeHistogram,
            _ => {
                return RangeFunction::named(name)
                    .map(Self::Range)
                    .or_else(|| MathFunction::named(name).map(Self::Math))
                    .or_else(|| CalendarFunction::named(name).map(Self::Calendar));
            }
        })
    }
}

impl Node {
    /// The type of what it evaluates to.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::Text(_) => ValueType::String,
            Self::Selector(_) | Self::Aggregation(_) => ValueType::Vector,
            Self::Matrix(..) | Self::Subquery(_) => ValueType::Matrix,
            Self::Negation(inner) => inner.value_type(),
            Self::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
            Self::Call(function, _) => match function {
                Function::Scalar
                | Function::Time
                | Function::Pi
                | Function::QueryStart
                | Function::QueryEnd
                | Function::QueryRange
                | Function::QueryStep
                | Function::MinimumOf
                | Function::MaximumOf => ValueType::Scalar,
                _ => ValueType::Vector,
            },
        }
    }

    /// Whether its series differ by more than the name, so that dropping it makes no two alike.
    pub fn differs_without_name(&self) -> bool {
        match self {
            Self::Selector(selector) | Self::Matrix(selector, _) => {
                selector.matchers.iter().any(|matcher| {
                    matcher.name == NAME && matches!(matcher.condition, Condition::Equal(_))
                })
            }
            Self::Subquery(subquery) => subquery.node.differs_without_name(),
            // Names have been dropped, and what became alike has been refused.
            Self::Negation(_) => true,
            Self::Binary(binary) => match binary.operator {
                Operator::Arithmetic(_) => true,
                Operator::Comparison(_) => binary.to_bool,
                Operator::Set(_) => false,
            },
            Self::Aggregation(aggregation) => {
                let Grouping { names, with } = &aggregation.grouping;
                match aggregation.operator {
                    Aggregator::Top
                    | Aggregator::Bottom
                    | Aggregator::Limit
                    | Aggregator::LimitRatio => aggregation.node.differs_without_name(),
                    Aggregator::CountValues => false,
                    _ => !(*with && names.iter().any(|name| name == NAME)),
                }
            }
            Self::Call(function, arguments) => match function {
                Function::Range(function) => {
                    !function.keeps_name()
                        || arguments.iter().all(|argument| {
                            argument.value_type() != ValueType::Matrix
                                || argument.differs_without_name()
                        })
                }
                Function::Math(_) | Function::Calendar(_) | Function::Timestamp => true,
                Function::Sort { .. } | Function::SortByLabel { .. } => {
                    arguments.first().is_some_and(Self::differs_without_name)
                }
                _ => false,
            },
            Self::Number(_) | Self::Text(_) => true,
        }
    }

    /// Whether an instant query's result has an order of its own.
    pub fn has_order(&self) -> bool {
        match self {
            Self::Call(Function::Sort { .. } | Function::SortByLabel { .. }, _) => true,
            Self::Aggregation(aggregation) => {
                matches!(aggregation.operator, Aggregator::Top | Aggregator::Bottom)
            }
            _ => false,
        }
    }
}
