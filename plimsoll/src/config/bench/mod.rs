//! Bench plans: from arguments, TOML or JMeter files to one [`model::Plan`].

pub mod builder;
mod file;
mod functions;
mod grammar;
pub mod jmx;
mod load;
pub mod model;
mod options;
mod replay;
mod resolve;
mod settings;
mod template;
mod threshold;
mod url;

pub use options::{BenchOptions, Prepared, from_options, over};
