//! What came of a script: how many queries were right, and what is wrong with the others.

use std::fmt;
use std::ops::AddAssign;

/// What came of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The script's name.
    pub name: String,
    /// Queries that answered as expected.
    pub passed: usize,
    /// Those that did not, in the order of the script.
    pub failed: Vec<Failure>,
    /// Lines that are no part of a query and were not understood; the rest was run without them.
    pub refused: Vec<Refusal>,
}

/// A query that did not answer as expected, or that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The script's name.
    pub name: String,
    /// The line of the query, from one.
    pub line: usize,
    /// The query; the whole line if it could not be made out.
    pub expression: String,
    /// What was expected and found, the first difference first; of several lines.
    pub message: String,
}

/// A line that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which, from one.
    pub line: usize,
    /// What is wrong and what to write.
    pub message: String,
}

/// How many queries were right and how many were not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answered as expected.
    pub passed: usize,
    /// Did not.
    pub failed: usize,
}

impl Report {
    pub(super) fn new(name: &str, refused: Vec<Refusal>) -> Self {
        Self { name: name.to_owned(), passed: 0, failed: Vec::new(), refused }
    }

    pub(super) fn add(&mut self, line: usize, expression: String, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(message) => {
                self.failed.push(Failure { name: self.name.clone(), line, expression, message });
            }
        }
    }

    /// How many queries were right and how many were not.
    pub fn totals(&self) -> Totals {
        Totals { passed: self.passed, failed: self.failed.len() }
    }

    /// Whether every query was right and every line understood.
    pub fn is_success(&self) -> bool {
        self.failed.is_empty() && self.refused.is_empty()
    }
}

impl fmt::Display for Report {
    /// Everything that is wrong, then the totals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for refusal in &self.refused {
            writeln!(f, "{}:{}: {}", self.name, refusal.line, refusal.message)?;
        }
        for failure in &self.failed {
            writeln!(f, "{failure}")?;
        }
        write!(f, "{}", self.totals())
    }
}

impl fmt::Display for Failure {
    /// `FILE:LINE: EXPRESSION`, and below it what was expected and found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.name, self.line, self.expression)?;
        self.message.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}
