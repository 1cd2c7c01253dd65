//! `--find-limit`: the highest rate at which a service still keeps its objective.
//!
//! A service is probed at one rate after the other: from a low one up by multiples until one breaks
//! the objective, then in between until the limit is known closely enough, and at last for longer at
//! the rate found. Whether a probe holds is a question of statistics, see `verdict`; which probe
//! comes next is decided by `planner`, which knows no clock; `run` is its hands, and `document` the form
//! of the JSON.
//!
//! Left out: how load is made (the caller's), and how the tester finds that itself was the limit.

pub mod document;
pub mod objective;
pub mod planner;
pub mod run;
pub mod verdict;

#[cfg(test)]
mod tests;
