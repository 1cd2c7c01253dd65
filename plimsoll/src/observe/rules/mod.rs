//! Rules: what is recorded and what raises alarms. Texts in, [`Group`]s out; nothing is evaluated
//! here.

mod model;

pub use model::{Alerting, Group, Rule, RuleKind};
