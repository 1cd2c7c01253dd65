//! Set operators: `and`, `or`, `unless`. They look at which series are there, not at their values.

use super::column::{ABSENT, Column, Distinct, is_absent, merge};
use super::evaluate::{Evaluator, Sink};
use super::grouping::Groups;
use super::outcome::{Grid, QueryError};
use super::plan::{Binary, Node, SetOperator};

/// At which steps each match group has a series.
struct Presence<'g> {
    groups: Groups<'g>,
    steps: Vec<Vec<bool>>,
}

impl Presence<'_> {
    fn note(&mut self, column: &Column) {
        let (number, is_new) = self.groups.place(&column.metric);
        if is_new {
            self.steps.push(vec![false; column.values.len()]);
        }
        for (there, value) in self.steps[number].iter_mut().zip(&column.values) {
            *there |= !is_absent(*value);
        }
    }

    /// Keeps values at those steps alone at which the group is there, or is not.
    fn filter(&mut self, column: &mut Column, there: bool) {
        let Some(number) = self.groups.find(&column.metric) else {
            if there {
                column.values.fill(ABSENT);
            }
            return;
        };
        for (value, is_there) in column.values.iter_mut().zip(&self.steps[number]) {
            if *is_there != there {
                *value = ABSENT;
            }
        }
    }
}

/// Evaluates a set operator.
pub(super) fn stream(
    evaluator: &Evaluator,
    operator: SetOperator,
    binary: &Binary,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut presence =
        Presence { groups: Groups::new(&binary.matching.grouping), steps: Vec::new() };
    if operator == SetOperator::Or {
        return either(evaluator, presence, binary, grid, sink);
    }
    let mut note = |node: &Node| {
        evaluator.stream(node, grid, &mut |column| {
            presence.note(&column);
            Ok(())
        })
    };
    note(&binary.right)?;
    evaluator.stream(&binary.left, grid, &mut |mut column| {
        presence.filter(&mut column, operator == SetOperator::And);
        sink(column)
    })
}

/// Everything of the left, and what of the right has no match there.
fn either(
    evaluator: &Evaluator,
    mut presence: Presence,
    binary: &Binary,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut table = evaluator.table();
    evaluator.stream(&binary.left, grid, &mut |column| {
        presence.note(&column);
        evaluator.hold(&mut table, column)
    })?;
    evaluator.stream(&binary.right, grid, &mut |mut column| {
        presence.filter(&mut column, false);
        evaluator.hold(&mut table, column)
    })?;
    let columns = std::mem::take(&mut table.columns);
    merge(columns, Distinct::EachStep)?.into_iter().try_for_each(sink)
}
