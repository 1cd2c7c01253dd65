//! Plimsoll: arguments in, exit code out.

mod config;
mod edge;
mod fleet;
mod log;

fn main() {}
