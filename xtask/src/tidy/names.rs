//! Names that say something, and modules that introduce themselves.

use super::Finding;
use super::source::Source;

/// Names of files and folders that would hold whatever has no place.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "misc", "shared", "types", "util", "utils"];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else { return Vec::new() };
    let mut findings = Vec::new();
    if let Some(name) = source.parts().into_iter().find(|part| EMPTY_NAMES.contains(part)) {
        let message = format!("`{name}` says nothing: name the file for what it holds");
        findings.push(Finding::new(source, 1, message));
    }
    // The tests of a module are introduced by the module.
    let is_tests_of_module = source.path.ends_with("/tests.rs");
    if !is_tests_of_module && !source.text.starts_with("//!") {
        let message =
            "a module opens with `//!`: what it is, why, its invariants, what it leaves out";
        findings.push(Finding::new(source, 1, message));
    }
    // Beside showing how, it makes the last lines of `cargo test` those of a test that ran.
    let is_library = source.path.starts_with("crates/") && source.path.ends_with("/src/lib.rs");
    if is_library && !source.text.lines().any(|line| line == "//! ```") {
        let message = "a library crate opens with an example that runs";
        findings.push(Finding::new(source, 1, message));
    }
    for attribute in &rust.attributes {
        let text = attribute.text.as_str();
        let silences_dead_code =
            text.contains("dead_code") && (text.contains("allow(") || text.contains("expect("));
        if text == "ignore" || text.starts_with("cfg_attr(") && text.contains(",ignore") {
            let message = "an ignored test proves nothing: make it run or remove it";
            findings.push(Finding::new(source, attribute.line, message));
        } else if silences_dead_code {
            let message = "dead code is removed, not silenced";
            findings.push(Finding::new(source, attribute.line, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::tidy::messages;

    #[test]
    fn files_and_folders_are_named_for_what_they_hold() {
        for path in [
            "plimsoll/src/edge/utils.rs",
            "plimsoll/src/edge/helpers/a.rs",
            "plimsoll/tests/common/mod.rs",
        ] {
            let found = messages(path, "//! Things.\n");
            assert_eq!(found.len(), 1, "{path}");
            assert!(found[0].contains("says nothing"), "{found:?}");
        }
    }

    #[test]
    fn modules_introduce_themselves() {
        for text in ["", "fn f() {}\n", "// A comment.\n", "\n//! Late.\n"] {
            let found = messages("plimsoll/src/edge/part.rs", text);
            assert_eq!(found.len(), 1, "{text:?}");
            assert!(found[0].contains(":1: a module opens with `//!`"), "{found:?}");
        }
        assert!(messages("plimsoll/src/edge/part/tests.rs", "use super::*;\n").is_empty());
    }

    #[test]
    fn libraries_open_with_an_example() {
        let path = "crates/http1/src/lib.rs";
        let found = messages(path, "//! HTTP.\n");
        assert_eq!(found, [format!("{path}:1: a library crate opens with an example that runs")]);
        assert!(messages(path, "//! HTTP.\n//!\n//! ```\n//! f();\n//! ```\n").is_empty());
    }

    #[test]
    fn tests_run_and_code_lives() {
        let path = "plimsoll/src/edge/part.rs";
        for attribute in ["#[ignore]", "#[ignore = \"slow\"]", "#[cfg_attr(unix, ignore)]"] {
            let found =
                messages(path, &format!("//! A part.\n\n{attribute}\n#[test]\nfn f() {{}}\n"));
            assert_eq!(
                found,
                [
                    "plimsoll/src/edge/part.rs:3: an ignored test proves nothing: make it run or remove it"
                ]
            );
        }
        let dead = "//! A part.\n#![allow(dead_code)]\n\n#[expect(dead_code)]\nfn f() {}\n";
        assert_eq!(messages(path, dead).len(), 2);
    }
}
