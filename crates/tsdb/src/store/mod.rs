//! An embedded store of series.

pub mod chunk;
mod wire;

pub use wire::Corrupt;
