//! Rules evaluated.

mod plan;
