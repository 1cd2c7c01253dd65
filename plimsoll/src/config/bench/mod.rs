//! Bench plans: from arguments, TOML or JMeter files to one [`model::Plan`].

pub mod builder;
pub mod model;
