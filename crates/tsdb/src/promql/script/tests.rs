use proptest::prelude::*;

use super::*;

/// Series for the queries below: `a{x="1"}` is 0, 10, 20…, `a{x="2"}` is 5 always.
const LOAD: &str = "load 1m\n  a{x=\"1\"} 0+10x10\n  a{x=\"2\"} 5x10\n  b 1 stale\n\n";

fn report(text: &str) -> Report {
    run("a.test", &format!("{LOAD}{text}"), &Limits::default())
}

/// The only failure's message.
fn message(text: &str) -> String {
    let report = report(text);
    assert_eq!((report.passed, report.failed.len()), (0, 1), "{text}: {report}");
    assert_eq!(report.refused, [], "{text}");
    report.failed[0].message.clone()
}

fn passes(text: &str, passed: usize) {
    let report = report(text);
    assert!(report.is_success(), "{report}");
    assert_eq!(report.passed, passed, "{text}");
}

#[test]
fn right_answers_pass() {
    passes("eval instant at 2m a\n  a{x=\"2\"} 5\n  a{x=\"1\"} 20\n", 1);
    passes("eval instant at 2m 1 + 1\n  2\n", 1);
    passes("eval instant at 2m \"a\\tb\"\n  expect string \"a\\tb\"\n", 1);
    passes("eval instant at 2m nothing\n\neval instant at 5m b\n", 2);
    passes("eval range from 1m to 3m step 1m a{x=\"1\"}\n  a{x=\"1\"} 10 20 30\n", 1);
    passes("eval range from 0 to 2m step 1m b\n  b 1 _ _\n", 1);
    passes("eval instant at 2m sum(a)\n  {} 25.00001\n", 1);
    passes(
        "eval instant at 2m a{x=\"1\"}[2m]\n  expect range vector from 1m to 2m step 1m\n  \
         a{x=\"1\"} 10 20\n",
        1,
    );
    passes("clear\n\neval instant at 2m a\n", 1);
    passes("eval_ordered instant at 2m sort_desc(a)\n  a{x=\"1\"} 20\n  a{x=\"2\"} 5\n", 1);
}

#[test]
fn differences_are_told_the_first_one_first() {
    let text = "eval instant at 2m a\n  a{x=\"1\"} 21\n  a{x=\"3\"} 1\n";
    assert_eq!(
        message(text),
        "expected `a{x=\"1\"} 21`, found 20\nexpected `a{x=\"3\"} 1`, found no such series\n\
         expected no `a{x=\"2\"}`, found it with 5"
    );
    let report = report(text);
    assert_eq!((report.failed[0].line, report.failed[0].expression.as_str()), (6, "a"));
    let shown = report.to_string();
    assert!(shown.starts_with("a.test:6: a\n    expected `a{x=\"1\"} 21`, found 20\n"), "{shown}");
    assert!(shown.ends_with("\n0 passed, 1 failed"), "{shown}");
}

#[test]
fn wrong_answers_fail() {
    for (text, wanted) in [
        ("eval instant at 2m 1\n", "expected no series, found the scalar 1"),
        (
            "eval instant at 2m a\n  5\n",
            "expected the scalar 5, found an instant vector of 2 series",
        ),
        (
            "eval instant at 2m \"a\"\n  expect string \"b\"\n",
            "expected the string \"b\", found the string \"a\"",
        ),
        ("eval instant at 2m nothing\n  {} 1\n", "expected `{} 1`, found no such series"),
        ("eval instant at 2m sum(a)\n  {} 25.0001\n", "expected `{} 25.0001`, found 25"),
        (
            "eval_ordered instant at 2m sort(a)\n  a{x=\"1\"} 20\n  a{x=\"2\"} 5\n",
            "expected `a{x=\"1\"} 20` at place 1, found it at 2",
        ),
        (
            "eval range from 1m to 3m step 1m a{x=\"1\"}\n  a{x=\"1\"} 10 _ 31\n",
            "`a{x=\"1\"}` at 120s: expected no value, found 20\n  expected 10 _ 31\n  found 10 20 30",
        ),
        (
            "eval range from 1m to 2m step 1m a{x=\"1\"}\n  a{x=\"1\"} 10 20 30\n",
            "`a{x=\"1\"}` at 180s: expected 30, found no value",
        ),
        ("eval_fail instant at 2m a\n", "expected an error, found an instant vector"),
        ("eval instant at 2m a +\n", "expected an answer, found the error: parse error"),
        ("eval instant at 2m a\n  expect warn\n", "expected warning any, found: none"),
        ("eval instant at 2m a\n  expect info msg: x\n", "expected info `x`, found: none"),
    ] {
        let message = message(text);
        assert!(message.starts_with(wanted), "{text}: {message}");
    }
}

#[test]
fn failures_and_their_words_are_expected() {
    let query = "eval instant at 2m a / on() a";
    passes(&format!("{query}\n  expect fail\n\neval_fail instant at 2m a +\n"), 2);
    passes(&format!("{query}\n  expect fail regex: many-to-.*|duplicate series\n"), 1);
    let wrong = message(&format!("{query}\n  expect fail msg: other\n"));
    assert!(wrong.starts_with("expected the error `other`, found: "), "{wrong}");
    let wrong = message("eval_fail instant at 2m a / on() a\n  expected_fail_regexp ^other\n");
    assert!(wrong.starts_with("expected the error one that matches `^other`, found: "), "{wrong}");
}

#[test]
fn warnings_and_infos_are_expected() {
    let warned = "eval instant at 2m quantile(2, a)";
    passes(&format!("{warned}\n  expect warn\n  expect no_info\n  {{}} Inf\n"), 1);
    passes(&format!("{warned}\n  expect warn regex: quantile value\n  {{}} Inf\n"), 1);
    passes("eval_warn instant at 2m quantile(2, a)\n  {} Inf\n", 1);
    let wrong = message(&format!("{warned}\n  expect no_warn\n  {{}} Inf\n"));
    assert!(wrong.starts_with("expected no warning, found: PromQL warning"), "{wrong}");
    let wrong = message(&format!("{warned}\n  expect warn msg: x\n  {{}} Inf\n"));
    assert!(wrong.starts_with("expected warning `x`, found: PromQL warning"), "{wrong}");
}

#[test]
fn an_eval_that_is_not_understood_has_failed() {
    for (text, wanted) in [
        ("eval", "line 6: `instant` or `range` is expected"),
        ("eval_often instant at 1m a", "line 6: `eval_often` is not known"),
        ("eval instant a", "line 6: `at` is expected at `a`"),
        ("eval instant at x a", "line 6: `x` is no duration"),
        ("eval instant at 1m", "line 6: there is no query"),
        ("eval range from 2m to 1m step 1m a", "line 6: the end `1m` is before"),
        ("eval range from 0 to 1m step 0s a", "line 6: the step `0s` must be"),
        ("eval_ordered range from 0 to 1m step 1m a", "line 6: `eval_ordered` is for instant"),
        ("eval range from 0 to 1m step 1m a\nexpect ordered", "line 7: `expect ordered` belongs"),
        ("eval instant at 1m a\na 1\na b", "line 8: `b` is no value"),
        ("eval instant at 1m a\na 1 2", "line 7: `a` needs one value"),
        ("eval instant at 1m a\na _", "line 7: `a` needs one value"),
        ("eval instant at 1m a\na {{sum:1}}", "line 7: native histograms"),
        ("eval instant at 1m a\na 1\na 2", "line 6: `a` is expected twice"),
        ("eval instant at 1m a\n1\na 2", "line 8: a number or string is the whole answer"),
        ("eval instant at 1m a\nexpect", "line 7: `expect ` is not known"),
        ("eval instant at 1m a\nexpect fun", "line 7: `expect fun` is not known"),
        ("eval instant at 1m a\nexpect fail\nexpect fail", "line 8: `expect fail` stands twice"),
        ("eval instant at 1m a\nexpect fail\na 1", "line 6: a query that is expected to fail"),
        ("eval instant at 1m a\nexpect fail because", "line 7: `msg:` or `regex:` is expected"),
        ("eval instant at 1m a\nexpect fail regex: (", "line 7: `(` is no regular expression"),
        ("eval instant at 1m a\nexpect warn\nexpect no_warn", "line 6: both `expect warn`"),
        ("eval instant at 1m a\nexpect no_info at all", "line 7: nothing may follow"),
        ("eval instant at 1m a\nexpect string x", "line 7: a quoted string is expected"),
        ("eval instant at 1m a\nexpect string \"x\" y", "line 7: nothing may follow the string"),
        ("eval instant at 1m a\nexpect range vector", "line 7: write `expect range vector from"),
        (
            "eval range from 0 to 1m step 1m a\nexpect range vector from 0 to 1m step 1m",
            "line 7: `expect range vector` belongs",
        ),
    ] {
        let message = message(text);
        assert!(message.starts_with(wanted), "{text}: {message}");
    }
}

#[test]
fn lines_that_are_not_understood_are_told_and_the_rest_is_run() {
    let text = "lod 1m\n\nclear all\n\nload\n  c 1\n\nload 0s\n\nload 1m\n  c 1 x\n  d 4\n\n\
                load_with_nhcb 1m\n  e 6\n\nload 1m\n  f {{}}\n  # a comment ends it\n  g 1\n\n\
                load 9000y\n  h 1x3\n\neval instant at 0 d + on() e\n  {} 10\n";
    let report = run("a.test", text, &Limits::default());
    let refused: Vec<_> = report.refused.iter().map(|r| (r.line, &r.message[..12])).collect();
    assert_eq!(
        refused,
        [
            (1, "`lod 1m` is "),
            (3, "`clear all` "),
            (5, "one interval"),
            (8, "the interval"),
            (11, "`x` is no va"),
            (14, "`load_with_n"),
            (18, "native histo"),
            (20, "`g 1` is no "),
            (23, "the series e"),
        ]
    );
    assert_eq!(report.totals().to_string(), "1 passed, 0 failed");
    assert!(!report.is_success());
    assert!(report.to_string().starts_with("a.test:1: `lod 1m` is no command"));
}

#[test]
fn an_empty_line_that_is_missing_is_named() {
    let report = run(
        "a.test",
        "load 1m\n  a 1 2\neval instant at 1m a\n  a 2\neval_fail instant at 1m a\n",
        &Limits::default(),
    );
    let words = "`eval` stands among the lines of the `load` above: put an empty line before it";
    assert_eq!(report.refused[0].message, words, "{report}");
    let report = run("a.test", "eval instant at 1m 1\n  1\nload 1m\n  a 1\n", &Limits::default());
    let words = "`load` stands among the lines of the `eval` above: put an empty line before it";
    assert!(report.to_string().contains(words), "{report}");
    // A metric may be called as a command is.
    passes("load 1m\n  eval 1 2\n\neval instant at 1m eval\n  eval 2\n", 1);
}

#[test]
fn the_last_line_of_a_loaded_series_counts() {
    passes("load 1m\n  c 1 2 3\n  c 7\n\neval instant at 1m c\n  c 7\n", 1);
}

#[test]
fn values_of_a_script_are_bounded() {
    let report = run("a.test", "load 1m\n  a 1x2000000\n  b 1\n", &Limits::default());
    assert_eq!(report.refused.len(), 1);
    assert!(report.refused[0].message.contains("at most 2000000"), "{report}");
}

/// Pieces of scripts, put together in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "load 1m",
        "clear",
        "eval instant at 1m ",
        "eval range from 0 to 2m step 30s ",
        "eval_fail",
        "expect ",
        "fail",
        "warn",
        "ordered",
        "msg:",
        "regex:",
        "string",
        "range vector ",
        "from ",
        "\n",
        "\n",
        "\n\n",
        " ",
        " ",
        "a",
        "{x=\"1\"}",
        "{",
        "}",
        "\"",
        "\\",
        "1",
        "-",
        "+",
        "x",
        "3",
        "_",
        "NaN",
        "Inf",
        "stale",
        "{{",
        "9999999999999999",
        "1e400",
        "é",
        "\u{2028}",
        "#",
        "sum(a)",
        "rate(a[1m])",
        "[5m]",
        "by (x)",
        "offset ",
        "@ ",
        "100y",
        "topk(",
        ")",
        ",",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "\\PC*|(?s).{0,200}") {
        let _ = run("any", &text, &small()).to_string();
    }

    #[test]
    fn no_order_of_pieces_is_too_much(text in pieces()) {
        let text = format!("load 30s\n  a{{x=\"1\"}} 1+1x10\n\n{text}");
        let _ = run("any", &text, &small()).to_string();
    }
}

fn small() -> Limits<'static> {
    Limits { samples_max: 10_000, steps_max: 100, ..Limits::default() }
}
