//! Plimsoll: arguments in, exit code out.

mod config;
mod demo;
mod edge;
mod fleet;
mod log;

fn main() {}
