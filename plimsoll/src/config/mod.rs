//! The configuration: text → raw (typed, with spans) → resolved.
//!
//! `model` is what the rest of the program sees: resolved, validated, every default filled in.
//! Nothing below `config` knows TOML; nothing above it parses text. The tables of `grammar` are
//! the one place that says which keys exist; `resolve` checks what spans several keys.
//!
//! Reading touches nothing but the file and the environment's variables. Whether a command, a user
//! or a directory exists is asked by [`Loaded::verify_environment`] and [`verify_command`],
//! whether servers answer by [`Loaded::probe_servers`]: both are for those who are about to start, not for those who read.

mod address;
mod admin;
pub mod bench;
mod defaults;
mod diff;
mod environment;
mod file;
mod grammar;
pub(crate) mod host;
mod kind;
pub mod model;
mod origin;
mod probe;
pub(crate) mod problem;
mod quantity;
mod reader;
mod reference;
mod resolve;
mod run;
#[cfg(test)]
pub mod sample;
mod schema;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use admin::{AdminOfFile, load_admin};
pub use diff::diff;
pub use file::{Loaded, load, parse};
pub use origin::Origin;
pub use problem::{ConfigError, ConfigErrors, Warning};
pub use reference::reference;
#[cfg(test)]
pub use resolve::observe::usual as usual_observe;
pub use run::{RunOptions, for_command, verify_command};
pub use schema::schema;
