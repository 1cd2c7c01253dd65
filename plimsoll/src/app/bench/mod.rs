//! `plimsoll bench`: from arguments to a run, and from its results to what was asked for.
//!
//! Everything that can be wrong is found before the first request: the plan, the files of results,
//! the hosts and whether anybody answers there.

mod limit;
mod measure;
mod outputs;
mod plan;
mod push;
mod start;
mod stored;
mod watch;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::arguments::bench::{BenchArguments, BenchCommand};
use crate::cli::prepare::print;
use crate::load::json;
use crate::load::limit::document;

/// It was asked wrongly, or nobody answers there.
const REFUSED: u8 = 2;
/// A threshold was missed, or a comparison came out worse.
const MISSED: u8 = 99;
/// Ended by Ctrl-C or a signal (128 + SIGINT, as shells have it).
const INTERRUPTED: u8 = 130;

/// Carries `plimsoll bench` out.
pub fn run(arguments: &BenchArguments) -> ExitCode {
    match &arguments.command {
        None => measure::run(arguments),
        Some(BenchCommand::Compare(arguments)) => stored::compare(arguments),
        Some(BenchCommand::Merge(arguments)) => stored::merge(arguments),
        Some(BenchCommand::Show(arguments)) => stored::show(arguments),
        Some(BenchCommand::Schema) => print(format_args!("{:#}\n", json::schema())),
        Some(BenchCommand::LimitSchema) => print(format_args!("{:#}\n", document::schema())),
    }
}

/// Tells what is wrong.
fn refuse(problem: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "{}", problem.to_string().trim_end());
    ExitCode::from(REFUSED)
}
