//! What is done with results that are there: joined, shown, compared.

use std::path::Path;
use std::process::ExitCode;

use super::outputs::Outputs;
use super::{MISSED, print, refuse};
use crate::cli::arguments::bench::{
    CompareArguments, MergeArguments, ResultArguments, ShowArguments,
};
use crate::load::json::{self, Stored};
use crate::load::{merge as joining, summary};

/// `plimsoll bench merge`.
pub(super) fn merge(arguments: &MergeArguments) -> ExitCode {
    let mut parts = Vec::new();
    let mut outcomes = Vec::new();
    for path in &arguments.results {
        match read(path) {
            Ok(stored) => {
                outcomes = stored.outcomes;
                parts.push((path.display().to_string(), stored.results));
            }
            Err(problem) => return refuse(problem),
        }
    }
    match joining::merge(&parts, arguments.force) {
        Ok(results) => {
            // What held for a part need not hold for the whole.
            let outcomes = outcomes.iter().map(|outcome| outcome.again(&results)).collect();
            make(&Stored { results, outcomes }, &arguments.output)
        }
        Err(problem) => refuse(format_args!("error: {problem}")),
    }
}

/// `plimsoll bench show`.
pub(super) fn show(arguments: &ShowArguments) -> ExitCode {
    match read(&arguments.result) {
        Ok(stored) => make(&stored, &arguments.output),
        Err(problem) => refuse(problem),
    }
}

/// `plimsoll bench compare`.
pub(super) fn compare(arguments: &CompareArguments) -> ExitCode {
    let (before, after) = match (read(&arguments.before), read(&arguments.after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(problem), _) | (_, Err(problem)) => return refuse(problem),
    };
    let _ = (before, after, MISSED);
    ExitCode::SUCCESS
}

/// Prints the summary and writes what else is wanted.
fn make(stored: &Stored, arguments: &ResultArguments) -> ExitCode {
    let outputs = Outputs::of_results(arguments);
    if let Err(problems) = outputs.verify() {
        return refuse(problems);
    }
    if !outputs.takes_standard_output() {
        let colours = super::watch::colours();
        let code = print(summary::text(&stored.results, &stored.outcomes, colours));
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    let (written, problems) = outputs.write(stored);
    super::watch::tell_written(&written);
    if problems.is_empty() { ExitCode::SUCCESS } else { refuse(problems.join("\n")) }
}

/// A file of results.
fn read(path: &Path) -> Result<Stored, String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("error: cannot read {name}: {error}"))?;
    json::read(&text, &name).map_err(|error| format!("error: {error}"))
}
