//! Plimsoll: arguments in, exit code out.

mod admin;
mod cli;
mod config;
mod demo;
mod edge;
mod fleet;
mod log;

use clap::Parser;

fn main() {
    let _ = cli::arguments::Arguments::parse();
}
