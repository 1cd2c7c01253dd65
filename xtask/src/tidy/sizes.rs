//! Files and functions that can be read in one go.

use super::Finding;
use super::source::Source;

/// Lines of a file without its tests. The aim is 150 to 300.
const FILE_LINES_MAX: usize = 600;

/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Tests are exempt: a table of cases is as long as it has cases.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else { return Vec::new() };
    if source.is_test_file() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let lines = (1..=source.text.lines().count()).filter(|line| !rust.is_test(*line)).count();
    if lines > FILE_LINES_MAX {
        let message = format!(
            "{lines} lines without tests, {FILE_LINES_MAX} are allowed: split the file by subject"
        );
        findings.push(Finding::new(source, 1, message));
    }
    for function in &rust.functions {
        let (start, lines) = (*function.lines.start(), function.lines.clone().count());
        if lines > FUNCTION_LINES_MAX && !rust.is_test(start) {
            let message = format!(
                "`{}` has {lines} lines, {FUNCTION_LINES_MAX} are allowed: take a step out of it",
                function.name
            );
            findings.push(Finding::new(source, start, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX};
    use crate::tidy::messages;

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_ends_in_time() {
        let path = "plimsoll/src/edge/part.rs";
        let fine = format!("//! A part.\n{}", function(FUNCTION_LINES_MAX));
        assert!(messages(path, &fine).is_empty());
        let long = format!("//! A part.\n/// Docs.\n#[inline]\n{}", function(71));
        assert_eq!(
            messages(path, &long),
            [format!("{path}:4: `long` has 71 lines, 70 are allowed: take a step out of it")]
        );
        let method = format!("//! A part.\nimpl S {{\n{}}}\n", function(71));
        assert_eq!(messages(path, &method).len(), 1);
        let test = format!("//! A part.\n#[test]\n{}", function(71));
        assert!(messages(path, &test).is_empty());
    }

    #[test]
    fn a_file_ends_in_time_without_its_tests() {
        let path = "plimsoll/src/edge/part.rs";
        let text = |code: usize, test: usize| {
            format!(
                "//! A part.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n",
                "const A: u8 = 1;\n".repeat(code),
                "    const B: u8 = 1;\n".repeat(test)
            )
        };
        assert!(messages(path, &text(FILE_LINES_MAX - 1, 900)).is_empty());
        assert_eq!(
            messages(path, &text(FILE_LINES_MAX, 0)),
            [format!(
                "{path}:1: 601 lines without tests, 600 are allowed: split the file by subject"
            )]
        );
        assert!(messages("plimsoll/src/edge/part/tests.rs", &text(900, 0)).is_empty());
    }
}
