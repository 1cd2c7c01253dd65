//! Plimsoll: arguments in, exit code out.

mod admin;
mod cli;
mod config;
mod demo;
mod edge;
mod fleet;
mod log;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "guard") {
        return fleet::guard::main(words);
    }
    let _ = cli::arguments::Arguments::parse();
    ExitCode::SUCCESS
}
