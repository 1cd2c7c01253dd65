//! An alarm as it is told of.

use std::collections::BTreeMap;

use tsdb::labels::Labels;

/// An alarm that fires, or did. Its labels are its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// `alertname` and the others, external ones included.
    pub labels: Labels,
    /// What people read, templates expanded.
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire, milliseconds since 1970.
    pub starts_at: i64,
    /// When it ended; `None` while it fires.
    pub ends_at: Option<i64>,
    /// A link to its expression.
    pub generator_url: String,
}
