//! The configuration: text → raw (typed, with spans) → resolved.
//!
//! `model` is what the rest of the program sees: resolved, validated, every default filled in.
//! Nothing below `config` knows TOML; nothing above it parses text.

pub mod model;
