//! The fixtures of refused and doubtful plans.

use std::fmt::Write;

use super::super::super::tests::fixtures::compare;
use super::{resolve, root};

/// What reading `text` says.
fn messages(name: &str, text: &str) -> String {
    let mut said = String::new();
    match resolve(name, text) {
        Err(errors) => writeln!(said, "{errors}").unwrap(),
        Ok((_, warnings)) => {
            for warning in warnings {
                writeln!(said, "{warning}\n").unwrap();
            }
        }
    }
    said
}

#[test]
fn every_mistake_has_its_message() {
    compare(&root("tests/fixtures/bench"), 30, messages);
}
