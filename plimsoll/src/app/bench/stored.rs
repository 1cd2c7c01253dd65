//! What is done with results that are there: joined, shown, compared.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::outputs::Outputs;
use super::{MISSED, refuse};
use crate::cli::arguments::bench::{
    CompareArguments, MergeArguments, ResultArguments, ShowArguments,
};
use crate::cli::prepare::print;
use crate::load::compare::{self as comparing, Options};
use crate::load::json::{self, Stored};
use crate::load::report::html;
use crate::load::{merge as joining, summary, threshold};

/// `plimsoll bench merge`.
pub(super) fn merge(arguments: &MergeArguments) -> ExitCode {
    let mut parts = Vec::new();
    let mut outcomes = Vec::new();
    for path in &arguments.results {
        match read(path) {
            Ok(stored) => {
                outcomes.push(stored.outcomes);
                parts.push((path.display().to_string(), stored.results));
            }
            Err(problem) => return refuse(problem),
        }
    }
    match joining::merge(&parts, arguments.force) {
        Ok(results) => {
            // What held for a part need not hold for the whole.
            let outcomes = threshold::joined(&outcomes, &results);
            let missed = outcomes.iter().any(|outcome| !outcome.held);
            match make(&Stored { results, outcomes }, &arguments.output) {
                // The parts cannot tell whether the whole held.
                ExitCode::SUCCESS if missed => ExitCode::from(MISSED),
                code => code,
            }
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
        (Ok(before), Ok(after)) => (before.results, after.results),
        (Err(problem), _) | (_, Err(problem)) => return refuse(problem),
    };
    let options = match options(arguments) {
        Ok(options) => options,
        Err(problem) => return refuse(problem),
    };
    let names = [&arguments.before, &arguments.after].map(|path| path.display().to_string());
    let comparison = comparing::compare((&names[0], &before), (&names[1], &after), &options);
    let text = match arguments.json {
        true => comparison.json(),
        false => comparison.text(super::watch::colours()),
    };
    let printed = print(text);
    if let Some(path) = &arguments.report {
        let page = html::compare_page(&comparison, [&before, &after]);
        if let Err(error) = std::fs::write(path, page) {
            return refuse(format_args!("error: cannot write {}: {error}", path.display()));
        }
        super::watch::tell_written(std::slice::from_ref(path));
    }
    match comparison.exit_code(arguments.fail_if_worse) {
        0 => printed,
        code => ExitCode::from(code),
    }
}

fn options(arguments: &CompareArguments) -> Result<Options, String> {
    let practical = arguments.tolerance / 100.0;
    if !(0.0..=1.0).contains(&practical) {
        return Err(format!(
            "error: --tolerance: {} is no percentage from 0 to 100",
            arguments.tolerance
        ));
    }
    let warm_up = (arguments.warm_up)
        .map(|seconds| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| format!("error: --warm-up: {seconds} is no number of seconds"))
        })
        .transpose()?;
    Ok(Options { warm_up, practical, ..Options::default() })
}

/// Prints the summary and writes what else is wanted.
fn make(stored: &Stored, arguments: &ResultArguments) -> ExitCode {
    let outputs = Outputs::of(arguments);
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
