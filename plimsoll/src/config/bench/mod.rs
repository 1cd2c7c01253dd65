//! Bench plans: from arguments, TOML or JMeter files to one [`model::Plan`].

pub mod builder;
mod file;
mod functions;
mod grammar;
pub mod jmx;
mod load;
pub mod model;
mod options;
mod reference;
mod replay;
mod resolve;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod threshold;
mod url;

pub use load::IN_FLIGHT_MAX;
pub use options::{BenchOptions, Prepared, from_options, over};
pub use reference::{plan_reference, plan_schema};
