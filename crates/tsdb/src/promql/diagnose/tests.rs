use proptest::prelude::*;

use super::*;
use crate::promql::{QueryError, parse};

/// `1:8: message`, as the interface of Prometheus has it.
fn refused(text: &str) -> String {
    match parse(text) {
        Err(QueryError::Parse { message, position: Some(position) }) => {
            let (line, column) = line_and_column(text, position).expect("within the text");
            format!("{line}:{column}: {message}")
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// The words and places of Prometheus 2.42; at times more is said after them.
#[test]
fn prometheus_says_the_same() {
    for line in include_str!("as_prometheus.txt").lines() {
        let (text, said) = line.split_once(" ~~ ").expect("two parts");
        let found = refused(text);
        assert!(found.starts_with(said), "{text}\n{said}\n{found}");
    }
}

#[test]
fn what_helps_more_than_the_words_of_prometheus() {
    for (text, said) in [
        ("sum(up by job)", "1:8: unexpected <by> in aggregation, expected \")\" before it"),
        ("up = 5", "1:4: unexpected \"=\", expected \"==\""),
        ("up === 5", "1:6: unexpected \"=\""),
        ("up && up", "1:4: unexpected character: '&', the operator is \"and\""),
        ("(a + (b)", "1:9: unclosed left parenthesis, opened at 1:1"),
        ("up)", "1:3: unexpected right parenthesis ')'"),
        (
            "up[]",
            "1:4: unexpected \"]\" in subquery or range selector, expected number or duration",
        ),
        ("up[5m:1m:1m]", "1:9: unexpected \":\" in subquery selector, expected \"]\""),
        ("a or on(x) group_left b", "1:12: no grouping allowed for \"or\" operation"),
        ("a{b=\"\\d\"}", "1:6: unknown escape sequence \"d\""),
        ("a{b=~\"(\"}", "1:6: illegal regex for ("),
        (
            "-a[5m]",
            "1:1: unary expression only allowed on expressions of type scalar or instant vector, got range vector",
        ),
        // Which of the arguments is meant is not known.
        (
            "label_replace(a, b, \"c\", \"d\", \"e\")",
            "1:1: expected type string in call to function \"label_replace\", got instant vector",
        ),
    ] {
        assert_eq!(refused(text), said);
    }
}

#[test]
fn places_are_lines_and_columns() {
    assert_eq!(line_and_column("up ++", 3), Some((1, 4)));
    assert_eq!(line_and_column("up\n+\n ++", 6), Some((3, 2)));
    assert_eq!(line_and_column("up", 2), Some((1, 3)));
    assert_eq!(line_and_column("ä", 1), None);
    assert_eq!(line_and_column("up", 3), None);
    assert_eq!(refused("sum(\n  up\n  by job)\n").split(": ").next(), Some("3:3"));
    assert_eq!(refused("up +  # more\n\n").split(": ").next(), Some("1:13"));
}

#[test]
fn what_nests_too_deep_is_not_judged() {
    let text = format!("{}1 1", "(".repeat(DEPTH_MAX + 1));
    assert_eq!(diagnose(&text).fault, None);
    assert!(diagnose(&format!("{}1 1", "(".repeat(DEPTH_MAX - 1))).fault.is_some());
    assert!(diagnose(&format!("{}*", "-".repeat(100_000))).fault.is_some());
}

/// Pieces that make texts near to queries.
const PIECES: [&str; 64] = [
    "a",
    "b:c",
    "rate(",
    "sum",
    "topk(5,",
    "(",
    ")",
    "[",
    "]",
    "[5m]",
    "{",
    "}",
    "{a=\"b\"}",
    "5m",
    "1h30m",
    "5",
    "-",
    "+",
    "*",
    "/",
    "^",
    "==",
    "!=",
    ">",
    "<=",
    "=~",
    "!~",
    "=",
    "\"x\"",
    "'y'",
    "`\\d`",
    ",",
    " ",
    "by",
    "by (a)",
    "without",
    "on",
    "on(a)",
    "ignoring",
    "group_left",
    "group_right(b)",
    "offset",
    "offset 5m",
    "@",
    "start()",
    "end()",
    "bool",
    "and",
    "or",
    "unless",
    "atan2",
    "0x1f",
    "1_000",
    ".5",
    "Inf",
    "NaN",
    ":",
    "# x\n",
    "\\",
    "é",
    "fill(0)",
    "fill_left",
    "1y",
    "smoothed",
];

#[test]
fn durations_may_have_their_digits_apart() {
    assert!(parse("1_0005m").is_ok());
    assert_eq!(diagnose("1_0005m").fault, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_walked_over(text in "\\PC{0,80}") {
        let found = diagnose(&text);
        if let Some(fault) = found.fault {
            prop_assert!(line_and_column(&text, fault.position).is_some());
        }
    }

    /// It is not asked of one, but what it holds for a fault in one would be none in another.
    #[test]
    fn no_fault_is_found_in_a_query(
        places in prop::collection::vec(0..PIECES.len(), 0..12),
        separator in prop::sample::select(vec!["", " "]),
    ) {
        let pieces: Vec<&str> = places.iter().map(|place| PIECES[*place]).collect();
        let text = pieces.join(separator);
        let found = diagnose(&text);
        if parse(&text).is_ok() {
            prop_assert_eq!(found.fault, None, "{}", text);
        }
    }
}
