//! The fixtures of refused and doubtful plans.

use std::fmt::Write;

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
    let directory = root("tests/fixtures/bench");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert!(names.len() >= 30, "only {} fixtures", names.len());
    let mut failures = String::new();
    for name in &names {
        let text = std::fs::read_to_string(directory.join(name)).unwrap();
        let said = messages(name, &text);
        let expected_file = directory.join(name).with_extension("expected");
        if update {
            std::fs::write(&expected_file, &said).unwrap();
        }
        for message in said.split("\n\n").filter(|message| message.starts_with("error:")) {
            assert!(message.contains("remedy:"), "{name}: no remedy\n{message}");
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if said.is_empty() || said != expected {
            writeln!(failures, "--- {name}\nexpected:\n{expected}\nsaid:\n{said}").unwrap();
        }
    }
    assert!(failures.is_empty(), "messages differ; UPDATE_EXPECT=1 accepts them\n{failures}");
}
