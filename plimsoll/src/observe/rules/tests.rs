mod built_in;
mod files;
mod objectives;
pub(in crate::observe::rules) mod promtool;
