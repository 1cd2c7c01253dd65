//! The evaluator: walks a plan and produces columns.
//!
//! Vectors are streamed: each column goes to whoever asked for it as soon as it is computed, so that
//! a sum over ten thousand series holds the sum. What needs all columns at once (`topk`, matching of
//! two vectors) collects them, and is charged for it.
//!
//! Recursion follows the plan, whose depth [`screen`](super::screen) has bounded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::column::{Column, Distinct, Number, is_absent, merge};
use super::outcome::{Grid, Limits, QueryError};
use super::plan::{Aggregator, Node, Operator};
use super::{aggregate, binary, function, matching, rank, selector, set};
use crate::source::Source;

/// Takes columns one by one.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Column) -> Result<(), QueryError>;

/// One query being evaluated.
pub(super) struct Evaluator<'a> {
    pub source: &'a dyn Source,
    pub limits: &'a Limits<'a>,
    /// Of the whole query: what `@ start()` and `@ end()` mean.
    pub whole: Grid,
    read: Cell<u64>,
    held: Cell<u64>,
    pub warnings: RefCell<BTreeSet<String>>,
    pub infos: RefCell<BTreeSet<String>>,
}

/// Columns held at once. The query is charged for them while they are.
pub(super) struct Table<'e> {
    pub columns: Vec<Column>,
    held: &'e Cell<u64>,
    charge: u64,
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        self.held.set(self.held.get() - self.charge);
    }
}

impl Grid {
    /// How many steps there are.
    pub(super) fn steps(&self) -> usize {
        if self.end < self.start {
            return 0;
        }
        usize::try_from((self.end - self.start) / self.step).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// The time of a step, milliseconds.
    pub(super) fn time(&self, step: usize) -> i64 {
        self.start + self.step * step as i64
    }

    /// The times of all steps, seconds.
    pub(super) fn seconds(&self) -> impl Iterator<Item = f64> {
        let grid = *self;
        (0..self.steps()).map(move |step| grid.time(step) as f64 / 1000.0)
    }
}

impl<'a> Evaluator<'a> {
    pub fn new(source: &'a dyn Source, limits: &'a Limits<'a>, whole: Grid) -> Self {
        Self {
            source,
            limits,
            whole,
            read: Cell::new(0),
            held: Cell::new(0),
            warnings: RefCell::default(),
            infos: RefCell::default(),
        }
    }

    /// Evaluates a node that is an instant vector.
    pub fn stream(&self, node: &Node, grid: &Grid, sink: Sink) -> Result<(), QueryError> {
        match node {
            Node::Selector(selector) => selector::stream(self, selector, grid, sink),
            Node::Negation(inner) => self.stream_unnamed(inner, grid, sink, |column| {
                for value in column.values.iter_mut().filter(|value| !is_absent(**value)) {
                    *value = -*value;
                }
            }),
            Node::Binary(binary) => match binary.operator {
                Operator::Set(operator) => set::stream(self, operator, binary, grid, sink),
                _ if binary::has_scalar(binary) => binary::stream(self, binary, grid, sink),
                _ => matching::stream(self, binary, grid, sink),
            },
            Node::Aggregation(aggregation) => match aggregation.operator {
                Aggregator::Top
                | Aggregator::Bottom
                | Aggregator::Quantile
                | Aggregator::CountValues
                | Aggregator::Limit
                | Aggregator::LimitRatio => rank::stream(self, aggregation, grid, sink),
                _ => aggregate::stream(self, aggregation, grid, sink),
            },
            Node::Call(called, arguments) => function::stream(self, *called, arguments, grid, sink),
            Node::Number(_) | Node::Text(_) | Node::Matrix(..) | Node::Subquery(_) => {
                Err(unexpected(node, "instant vector"))
            }
        }
    }

    /// Evaluates a node that is a scalar.
    pub fn number(&self, node: &Node, grid: &Grid) -> Result<Number, QueryError> {
        match node {
            Node::Number(number) => Ok(Number::Constant(*number)),
            Node::Negation(inner) => Ok(self.number(inner, grid)?.map(|value| -value)),
            Node::Binary(binary) => {
                let (left, right) =
                    (self.number(&binary.left, grid)?, self.number(&binary.right, grid)?);
                match binary.operator {
                    Operator::Arithmetic(operator) => {
                        Ok(left.combine(right, |a, b| operator.apply(a, b)))
                    }
                    Operator::Comparison(operator) => {
                        Ok(left.combine(right, |a, b| f64::from(u8::from(operator.holds(a, b)))))
                    }
                    Operator::Set(_) => Err(unexpected(node, "scalar")),
                }
            }
            Node::Call(called, arguments) => function::number(self, *called, arguments, grid),
            _ => Err(unexpected(node, "scalar")),
        }
    }

    /// Evaluates a node whose series lose their name, changing the columns on the way.
    pub fn stream_unnamed(
        &self,
        node: &Node,
        grid: &Grid,
        sink: Sink,
        change: impl Fn(&mut Column),
    ) -> Result<(), QueryError> {
        let change = |mut column: Column| {
            change(&mut column);
            column.metric.drop_name();
            column
        };
        if node.differs_without_name() {
            return self.stream(node, grid, &mut |column| sink(change(column)));
        }
        let mut table = self.table();
        self.stream(node, grid, &mut |column| self.hold(&mut table, change(column)))?;
        let columns = std::mem::take(&mut table.columns);
        merge(columns, Distinct::EachStep)?.into_iter().try_for_each(sink)
    }

    /// A table without columns.
    pub fn table(&self) -> Table<'_> {
        Table { columns: Vec::new(), held: &self.held, charge: 0 }
    }

    /// Adds a column to a table, within bounds. One without values is left out.
    pub fn hold(&self, table: &mut Table, column: Column) -> Result<(), QueryError> {
        if column.is_empty() {
            return Ok(());
        }
        self.charge(table, table.columns.len() + 1, column.values.len())?;
        table.columns.push(column);
        Ok(())
    }

    /// Charges a table for one more column: how many it then has, and of how many values each.
    pub fn charge(
        &self,
        table: &mut Table,
        series: usize,
        values: usize,
    ) -> Result<(), QueryError> {
        let series_max = self.limits.series_max;
        if series as u64 > u64::from(series_max) {
            return Err(QueryError::Limit(format!(
                "query yields too many series: the bound is {series_max} (series_max); choose \
                 fewer with more matchers, or aggregate"
            )));
        }
        self.charge_values(table, values)
    }

    /// Charges a table for values that are held with it.
    pub fn charge_values(&self, table: &mut Table, values: usize) -> Result<(), QueryError> {
        let charged = self.held.get().saturating_add(values as u64);
        if charged > self.limits.samples_max {
            return Err(self.too_many());
        }
        table.charge += values as u64;
        self.held.set(charged);
        Ok(())
    }

    /// Evaluates an instant vector into columns held at once.
    pub fn collect(&self, node: &Node, grid: &Grid) -> Result<Table<'_>, QueryError> {
        let mut table = self.table();
        self.stream(node, grid, &mut |column| self.hold(&mut table, column))?;
        Ok(table)
    }

    /// Counts the samples of one series read from the source.
    pub fn count_read(&self, samples: usize) -> Result<(), QueryError> {
        self.read.set(self.read.get() + samples as u64);
        if self.read.get() > self.limits.read_max {
            return Err(QueryError::Limit(format!(
                "query reads too many samples: it may read {} (read_max); choose fewer series or a \
                 shorter range",
                self.limits.read_max
            )));
        }
        if self.held.get() + samples as u64 > self.limits.samples_max {
            return Err(self.too_many());
        }
        self.check_time()
    }

    /// Whether the query's time is over.
    pub fn check_time(&self) -> Result<(), QueryError> {
        if (self.limits.interrupted)() { Err(QueryError::Interrupted) } else { Ok(()) }
    }

    pub fn samples_read(&self) -> u64 {
        self.read.get()
    }

    pub fn too_many(&self) -> QueryError {
        QueryError::Limit(format!(
            "query processing would load too many samples into memory in query execution: it may \
             hold {} at once (samples_max); choose fewer series, a shorter range or a longer step",
            self.limits.samples_max
        ))
    }

    pub fn warn(&self, text: &str) {
        note(&self.warnings, format!("PromQL warning: {text}"));
    }

    pub fn inform(&self, text: &str) {
        note(&self.infos, format!("PromQL info: {text}"));
    }

    /// Whether one time alone is asked for.
    pub fn is_instant(&self) -> bool {
        self.whole.start == self.whole.end
    }
}

/// Warnings, and infos, one query may give; more say nothing new.
const NOTES_MAX: usize = 10;

fn note(notes: &RefCell<BTreeSet<String>>, text: String) {
    let mut notes = notes.borrow_mut();
    if notes.len() < NOTES_MAX {
        notes.insert(text);
    }
}

/// The plan is checked when it is made, so this tells of a fault in that check.
pub(super) fn unexpected(node: &Node, wanted: &str) -> QueryError {
    let found = super::lower::describe(node.value_type());
    QueryError::Execution(format!("expected type {wanted}, got {found}"))
}
