//! The command line: what may be typed, and the commands that ask a running Plimsoll.

pub mod arguments;
mod values;
