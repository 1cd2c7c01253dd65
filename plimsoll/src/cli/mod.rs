//! The command line: what may be typed, and the commands that need no running parts of their own.
//!
//! It starts nothing: `run`, `up`, `demo` and `clinic` are carried out by `main` with the parts
//! above this one; here they are read, and turned into a configuration that holds (`prepare`).

mod alarms;
pub mod arguments;
mod client;
pub mod commands;
pub mod prepare;
pub mod promql;
mod report;
pub mod rules;
mod silence;
mod table;
mod targets;
mod values;
