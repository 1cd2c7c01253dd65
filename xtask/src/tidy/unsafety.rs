//! `unsafe` stands only in files that declare it and hold nothing else, each use with its proof.

use super::Finding;
use super::source::Source;

/// Lines above a use in which its `SAFETY:` note is looked for.
const NOTE_DISTANCE_LINES: usize = 8;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else { return Vec::new() };
    let mut findings = Vec::new();
    let mut declaration = None;
    for attribute in &rust.attributes {
        if attribute.text != "allow(unsafe_code)" {
            continue;
        }
        if attribute.is_inner {
            declaration = Some(attribute.line);
        } else {
            let message = "`unsafe_code` is allowed for a whole file that holds nothing else, by \
                           `#![allow(unsafe_code)]` at its top; move the unsafe code to such a file";
            findings.push(Finding::new(source, attribute.line, message));
        }
    }
    if let (Some(line), []) = (declaration, rust.unsafe_lines.as_slice()) {
        let message = "the file declares `unsafe` and has none: remove the declaration";
        findings.push(Finding::new(source, line, message));
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for &line in &rust.unsafe_lines {
        if declaration.is_none() {
            let message = "`unsafe` in a file that does not declare it by `#![allow(unsafe_code)]`";
            findings.push(Finding::new(source, line, message));
        }
        let first = line.saturating_sub(NOTE_DISTANCE_LINES + 1);
        let near = lines.get(first..line.min(lines.len())).unwrap_or_default();
        if !near.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
            let message = "`unsafe` without a `// SAFETY:` note that proves it sound";
            findings.push(Finding::new(source, line, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::tidy::messages;

    const PATH: &str = "plimsoll/src/net/ring.rs";

    #[test]
    fn a_declared_and_proven_use_passes() {
        let text = "//! The ring.\n#![allow(unsafe_code)]\n\nfn f() {\n    // SAFETY: p is valid.\n    \
                    unsafe { g() }\n}\n";
        assert!(messages(PATH, text).is_empty());
    }

    #[test]
    fn an_undeclared_or_unproven_use_is_found() {
        let text = "//! The ring.\n\nfn f() {\n    // SAFETY: p is valid.\n    unsafe { g() }\n}\n";
        let found = messages(PATH, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("plimsoll/src/net/ring.rs:5: `unsafe` in a file"));
        let text = "//! The ring.\n#![allow(unsafe_code)]\n\nfn f() {\n    unsafe { g() }\n}\n";
        let found = messages(PATH, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(":5: `unsafe` without"), "{found:?}");
    }

    #[test]
    fn a_declaration_is_for_a_file_and_has_a_use() {
        let item = "//! The ring.\n\n#[allow(unsafe_code)]\nfn f() {}\n";
        assert!(messages(PATH, item)[0].contains(":3: `unsafe_code` is allowed for a whole file"));
        let idle = "//! The ring.\n#![allow(unsafe_code)]\n";
        assert!(messages(PATH, idle)[0].contains(":2: the file declares `unsafe` and has none"));
    }
}
