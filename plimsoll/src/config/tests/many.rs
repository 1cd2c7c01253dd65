//! Files with thousands of mistakes: the first are told, the rest is counted.
//!
//! Reading takes time in proportion to the file. That is not measured here, but each text is so
//! large that a test run shows it when it does not.

use super::super::problem::SHOWN_PROBLEMS;
use super::resolve;

/// Mistakes in each text.
const COUNT: usize = 20_000;

/// `head`, then the lines of `line` for each number, then `tail`.
fn many(head: &str, line: fn(usize) -> String, tail: &str) -> String {
    let lines: String = (0..COUNT).map(line).collect();
    format!("{head}{lines}{tail}")
}

#[test]
fn the_first_are_told_and_the_rest_is_counted() {
    let service = "[service.web]\nrun = \"x\"\n";
    let texts = [
        ("unknown keys", many(service, |at| format!("key{at} = 1\n"), ""), 3),
        ("unknown sections", many(service, |at| format!("[key{at}]\n"), ""), 3),
        ("keys that are there twice", many(service, |_| "run = \"x\"\n".to_owned(), ""), 3),
        ("sections that are there twice", many(service, |_| "[service.web]\n".to_owned(), ""), 3),
        (
            "wrong addresses on one line",
            many("[service.web]\nservers = [", |_| "\"80x\", ".to_owned(), "]\n"),
            2,
        ),
        (
            "names that are there twice",
            many(
                "[service.web]\nservers = [ \"a:1\",\n",
                |at| format!("{{ at = \"a:{}\", name = \"a:1\" }},\n", 2 + at % 60_000),
                "]\n",
            ),
            3,
        ),
        (
            "routes to nowhere",
            many(service, |at| format!("[[route]]\npath = \"/{at}\"\nservice = \"no\"\n"), ""),
            5,
        ),
        (
            "routes that match the same",
            many(
                &format!("{service}[[route]]\nservice = \"web\"\n"),
                |_| "[[route]]\nservice = \"web\"\n".to_owned(),
                "",
            ),
            5,
        ),
        (
            "variables that are not set",
            many(
                "[service.web]\nrun = \"x\"\n[service.web.environment]\n",
                |at| format!("A{at} = \"${{NONE}}\"\n"),
                "",
            ),
            4,
        ),
    ];
    for (what, text, line) in texts {
        let errors = resolve(&text).unwrap_err();
        assert_eq!((errors.errors.len(), errors.further), (SHOWN_PROBLEMS, COUNT - 50), "{what}");
        let lines: Vec<usize> =
            errors.errors.iter().map(|error| error.place.as_ref().unwrap().line).collect();
        assert!(lines.is_sorted() && lines[0] == line, "{what}: {lines:?}");
        assert!(
            errors.to_string().ends_with(
                "20000 errors, of which the first 50 are shown and 19950 are not; nothing was \
                 changed or started"
            ),
            "{what}"
        );
    }
}

#[test]
fn as_many_as_are_told_are_all_told() {
    let keys = |count: usize| -> String { (0..count).map(|at| format!("k{at} = 1\n")).collect() };
    let said = |count: usize| {
        resolve(&format!("[service.web]\nrun = \"x\"\n{}", keys(count))).unwrap_err().to_string()
    };
    assert!(said(SHOWN_PROBLEMS).ends_with("\n50 errors; nothing was changed or started"));
    assert!(
        said(SHOWN_PROBLEMS + 1).contains("\n51 errors, of which the first 50 are shown and 1")
    );
}

#[test]
fn warnings_are_bounded_too() {
    let text = many(
        "[service.web]\nservers = [\n",
        |at| format!("{{ at = \"a:1\", name = \"{at}\" }},\n"),
        "]\n",
    );
    let warnings = resolve(&text).unwrap().warnings;
    assert_eq!(warnings.len(), SHOWN_PROBLEMS + 1);
    assert_eq!(warnings[0].0.place.as_ref().unwrap().line, 4);
    let last = warnings.last().unwrap().to_string();
    assert!(last.contains("19949 more warnings are not shown"), "{last}");
}
