//! The fixtures of refused and doubtful configurations.

use std::fmt::Write;
use std::path::Path;

use super::{environment, root};

/// What reading `text` says.
fn messages(name: &str, text: &str) -> String {
    let mut said = String::new();
    match super::super::file::resolve(name, text, Path::new(""), &environment) {
        Err(errors) => writeln!(said, "{errors}").unwrap(),
        Ok(loaded) => {
            for warning in loaded.warnings {
                writeln!(said, "{warning}\n").unwrap();
            }
        }
    }
    said
}

/// The lines of both texts, those that differ marked.
fn difference(expected: &str, said: &str) -> String {
    let mut shown = String::new();
    let (mut expected, mut said) = (expected.lines(), said.lines());
    loop {
        match (expected.next(), said.next()) {
            (None, None) => return shown,
            (a, b) if a == b => writeln!(shown, "  {}", a.unwrap_or_default()).unwrap(),
            (a, b) => {
                for (mark, line) in [('-', a), ('+', b)] {
                    if let Some(line) = line {
                        writeln!(shown, "{mark} {line}").unwrap();
                    }
                }
            }
        }
    }
}

/// Compares what `messages` says of each `NAME.toml` of a directory with `NAME.expected`. There are
/// at least so many.
pub(in crate::config) fn compare(
    directory: &Path,
    least: usize,
    messages: impl Fn(&str, &str) -> String,
) {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert!(names.len() >= least, "only {} fixtures", names.len());
    let mut failures = String::new();
    for name in &names {
        let text = std::fs::read_to_string(directory.join(name)).unwrap();
        let said = messages(name, &text);
        let expected_file = directory.join(name).with_extension("expected");
        if update {
            std::fs::write(&expected_file, &said).unwrap();
        }
        assert!(!said.contains("hunter2"), "{name}: what a variable stands for is told\n{said}");
        for message in said.split("\n\n").filter(|message| message.starts_with("error:")) {
            assert!(message.contains("remedy:"), "{name}: no remedy\n{message}");
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if said.is_empty() || said != expected {
            writeln!(failures, "--- {name}\n{}", difference(&expected, &said)).unwrap();
        }
    }
    assert!(
        failures.is_empty(),
        "messages differ (- expected, + said); UPDATE_EXPECT=1 accepts them\n{failures}"
    );
}

#[test]
fn every_mistake_has_its_message() {
    compare(&root("tests/fixtures/config"), 50, messages);
}
