//! Text that is true on every machine, and finished.

use super::Finding;
use super::source::Source;

/// Folders of one machine or one person.
const MACHINE_FOLDERS: &[&str] = &["/home/", "/root/", "/work/"];

/// Words that promise what is not there.
const PROMISES: &[&str] = &["TODO", "FIXME", "XXX"];

/// This rule's own words.
const EXEMPT: &str = "xtask/src/tidy/wording.rs";

pub(super) fn check(source: &Source) -> Vec<Finding> {
    if source.path == EXEMPT {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| starts_path(line, folder)) {
            let message = format!("`{folder}…` is a path of one machine");
            findings.push(Finding::new(source, index + 1, message));
        }
        let is_promise = |word: &&&str| has_word(line, word);
        if let (Some(_), Some(word)) = (&source.rust, PROMISES.iter().find(is_promise)) {
            let message = format!("`{word}` is a promise: do it now, or leave it out");
            findings.push(Finding::new(source, index + 1, message));
        }
    }
    findings
}

/// Whether the line names a path that begins with `folder`, and not one that has it further down.
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~*}/".contains(c))
    })
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric()).any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use crate::tidy::messages;

    #[test]
    fn paths_of_one_machine_are_found_in_any_text() {
        for line in ["see /root/notes.md", "cd \"/home/x/y\"", "`/work/tree`", "/home/me/a"] {
            let found = messages("docs/guide.md", &format!("Title\n{line}\n"));
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].starts_with("docs/guide.md:2: `/"), "{found:?}");
        }
        for line in ["GET /api/work/ 200", "https://host/home/", "$DIR/work/", "/homework/"] {
            assert!(messages("docs/guide.md", &format!("{line}\n")).is_empty(), "{line}");
        }
    }

    #[test]
    fn promises_are_found_in_code() {
        let found = messages("plimsoll/src/edge/part.rs", "//! A part.\n// TODO: more\n");
        assert_eq!(found.len(), 1);
        assert!(messages("plimsoll/src/edge/part.rs", "//! A TODOLIST.\n").is_empty());
    }
}
