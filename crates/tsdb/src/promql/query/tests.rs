use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::super::{Memory, NESTING_MAX};
use super::*;
use crate::labels::Labels;

const MINUTE: i64 = 60_000;

/// `a{n="0"}`, `a{n="1"}`… with a sample a minute.
fn memory(series: usize, samples: i64) -> Memory {
    let mut memory = Memory::new();
    for number in 0..series {
        let labels = Labels::from_pairs([("__name__", "a"), ("n", number.to_string().as_str())]);
        for sample in 0..samples {
            memory.append(&labels, sample * MINUTE, (sample * 10) as f64);
        }
    }
    memory
}

fn ask(text: &str, limits: &Limits) -> Result<Outcome, QueryError> {
    let grid = Grid { start: 0, end: 9 * MINUTE, step: MINUTE };
    range(&parse(text).expect("well-formed"), &memory(10, 10), grid, limits)
}

fn refusal(text: &str, limits: &Limits) -> String {
    match ask(text, limits) {
        Err(QueryError::Limit(words)) => words,
        other => panic!("{text} is within bounds: {other:?}"),
    }
}

#[test]
fn samples_read_are_bounded() {
    let limits = Limits { read_max: 100, ..Limits::default() };
    assert_eq!(ask("sum(a)", &limits).expect("as many as allowed").samples_read, 100);
    let limits = Limits { read_max: 99, ..limits };
    assert!(refusal("sum(a)", &limits).contains("may read 99 (read_max)"));
    let limits = Limits { samples_max: 9, ..Limits::default() };
    assert!(refusal("sum(a)", &limits).contains("may hold 9 at once"));
}

#[test]
fn values_held_are_bounded_and_given_back() {
    let limits = Limits { samples_max: 1000, ..Limits::default() };
    // Six seconds a step: 180 values, twice, and as many of a column held inside.
    assert!(ask("sum(max_over_time(a[9m:6s]))", &limits).is_ok());
    assert!(refusal("max_over_time(topk(10, a)[9m:6s])", &limits).contains("may hold 1000"));
    assert!(refusal("max_over_time(vector(1)[1000y:1ms])", &limits).contains("samples_max"));
    // One after the other is not at once.
    let text = ["count(topk(10, a))"; 12].join(" + ");
    assert!(ask(&text, &limits).is_ok());
}

#[test]
fn series_that_differ_by_name_alone_may_not_lose_it() {
    let mut memory = Memory::new();
    for name in ["a", "b"] {
        let labels = Labels::from_pairs([("__name__", name), ("job", "x")]);
        (0..10).for_each(|sample| memory.append(&labels, sample * MINUTE, sample as f64));
    }
    let ask = |text: &str| {
        let query = parse(text).expect("well-formed");
        let grid = Grid { start: 2 * MINUTE, end: 9 * MINUTE, step: MINUTE };
        let limits = Limits::default();
        let at_once = instant(&query, &memory, 5 * MINUTE, &limits).map(|_| ());
        let in_range = range(&query, &memory, grid, &limits).map(|_| ());
        assert_eq!(at_once, in_range, "{text}");
        in_range.map_err(|error| error.to_string())
    };
    let both = "{job=\"x\"}";
    for text in [
        "(a or on (__name__) b) + 1",
        "2 * BOTH",
        "-BOTH",
        "abs(BOTH)",
        "(a > 0 or on (__name__) b) * 2",
        "BOTH > bool 0",
        "rate(BOTH[5m])",
        "timestamp(BOTH)",
        "timestamp(BOTH > 0)",
        "hour(BOTH)",
        "sort(BOTH) + 1",
        "topk(5, BOTH) + 1",
        "sum by (__name__) (BOTH) + 1",
        "last_over_time(BOTH[5m]) + 1",
        "max_over_time(BOTH[5m:1m])",
        "max_over_time((a or on (__name__) b)[5m:1m])",
        "BOTH - a * 0",
        "label_replace(BOTH, \"__name__\", \"c\", \"\", \"\")",
        "count_values by (__name__) (\"v\", BOTH) + 1",
        "histogram_quantile(0.5, label_replace(BOTH, \"le\", \"+Inf\", \"\", \"\"))",
    ] {
        let text = text.replace("BOTH", both);
        let refused = ask(&text).expect_err(&text);
        assert!(
            refused.contains("same labelset") || refused.contains("multiple matches"),
            "{text}: {refused}"
        );
    }
    for text in [
        "a + 1",
        "BOTH",
        "BOTH > 0",
        "last_over_time(BOTH[5m])",
        "sum(BOTH)",
        "rate(a[5m]) or b",
        "a + b",
    ] {
        assert_eq!(ask(&text.replace("BOTH", both)), Ok(()), "{text}");
    }
}

#[test]
fn a_plain_selector_has_matchers() {
    let of = |text| parse(text).expect("well-formed").matchers().map(<[_]>::len);
    assert_eq!(of("a{b=\"c\"}"), Some(2));
    for other in ["a offset 5m", "a @ 10", "sum(a)", "a[5m]", "-a", "1"] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn series_and_steps_are_bounded() {
    let limits = Limits { series_max: 9, ..Limits::default() };
    assert!(refusal("a", &limits).contains("the bound is 9 (series_max)"));
    assert!(
        refusal("sum by (n) (label_replace(vector(1), \"n\", \"x\", \"\", \"\") or a)", &limits)
            .contains("series_max")
    );
    let limits = Limits { steps_max: 9, ..Limits::default() };
    assert!(refusal("a", &limits).contains("maximum resolution of 9 points"));
}

#[test]
fn a_query_whose_time_is_over_ends() {
    let asked = AtomicU32::new(0);
    let interrupted = || asked.fetch_add(1, Ordering::Relaxed) >= 3;
    let limits = Limits { interrupted: &interrupted, ..Limits::default() };
    assert_eq!(ask("sum(rate(a[5m]))", &limits), Err(QueryError::Interrupted));
}

#[test]
fn times_that_are_none_are_refused() {
    let query = parse("a").expect("well-formed");
    let limits = Limits::default();
    for (start, end, step) in [(0, 10, 0), (10, 0, 1), (i64::MIN, 0, 1), (0, i64::MAX, i64::MAX)] {
        let refused = range(&query, &Memory::new(), Grid { start, end, step }, &limits);
        assert!(matches!(refused, Err(QueryError::Execution(_))), "{refused:?}");
    }
}

#[test]
fn what_is_no_query_is_refused_in_familiar_words() {
    for (text, words) in [
        ("rate(a)", "expected type range vector in call to function \"rate\", got instant vector"),
        ("nope(a)", "unknown function with name \"nope\""),
        (
            "holt_winters(a[5m], 0.5, 0.5)",
            "unknown function with name \"holt_winters\": it is called \
             double_exponential_smoothing since Prometheus 3",
        ),
        ("sum(a) by", "unexpected end of input in grouping opts, expected \"(\""),
        ("exp(NaN)", "expected type instant vector in call to function \"exp\", got scalar"),
        ("1 == 1", "comparisons between scalars must use BOOL modifier"),
        ("{a=~\".*\"}", "vector selector must contain at least one non-empty matcher"),
        ("a{b=\"1\" or b=\"2\"}", "unexpected \"or\" in label matching, expected \",\" or \"}\""),
        ("info(a)", "function \"info\" is not supported by this engine"),
        ("topk(a, a)", "expected type scalar in aggregation expression, got instant vector"),
        ("limitk(a, a)", "expected type scalar in aggregation expression, got instant vector"),
    ] {
        match parse(text) {
            Err(QueryError::Parse { message, .. }) => assert_eq!(message, words, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let refused = ask("a[5m]", &Limits::default()).expect_err("no vector");
    assert!(
        refused.to_string().starts_with("invalid expression type \"range vector\" for range query")
    );
}

#[test]
fn the_deepest_query_that_passes_is_evaluated() {
    let limits = Limits::default();
    let depth = NESTING_MAX - 2;
    let nested = format!("{}a{}", "abs(".repeat(depth), ")".repeat(depth));
    let sums = format!("{}a{}", "sum(".repeat(depth), ")".repeat(depth));
    let chain = format!("a{}", " or a".repeat(depth));
    let signs = format!("{}a", "-".repeat(depth));
    let right = format!("a{}", " ^ a".repeat(depth));
    for text in [&nested, &sums, &chain, &signs, &right] {
        assert!(ask(text, &limits).is_ok(), "{text}");
        assert!(!parse(text).expect("well-formed").pretty().is_empty());
    }
    let depth = NESTING_MAX / 3;
    let ranges = format!("{}a{}", "max_over_time(".repeat(depth), "[5m:1m])".repeat(depth));
    assert!(ask(&ranges, &limits).is_ok());
}

#[test]
fn an_instant_query_of_a_range_has_its_samples() {
    let query = parse("a{n=\"1\"}[2m]").expect("well-formed");
    let outcome =
        instant(&query, &memory(2, 10), 5 * MINUTE, &Limits::default()).expect("in memory");
    let Value::Matrix(rows) = outcome.value else { panic!("no matrix") };
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].samples.times, [4 * MINUTE, 5 * MINUTE]);
}

/// Pieces that make texts near to queries.
const PIECES: [&str; 62] = [
    "a",
    "b:c",
    "rate",
    "sum",
    "topk",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "5m",
    "1h30m",
    "1e300",
    "-",
    "+",
    "*",
    "/",
    "%",
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
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
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
    "#",
    "\n",
    "\\",
    "é",
    "fill",
    "0",
    "1y",
    "99999999999y",
    "le",
];

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_pieces_of_queries_make_it_panic(places in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = places.iter().map(|place| PIECES[*place]).collect();
        if let Ok(query) = parse(&text) {
            let limits = Limits { samples_max: 10_000, ..Limits::default() };
            let memory = memory(3, 5);
            let _ = instant(&query, &memory, 3 * MINUTE, &limits);
            let _ = range(&query, &memory, Grid { start: 0, end: 5 * MINUTE, step: MINUTE }, &limits);
            let _ = query.pretty();
        }
    }

    #[test]
    fn every_function_takes_any_samples(
        values in prop::collection::vec(prop::num::f64::ANY, 1..12),
        parameter in prop::num::f64::ANY,
    ) {
        let mut memory = Memory::new();
        let labels = Labels::from_pairs([("__name__", "a"), ("le", "1")]);
        for (place, value) in values.iter().enumerate() {
            memory.append(&labels, place as i64 * MINUTE, *value);
        }
        let parameter = super::super::number::plain(parameter);
        for text in [
            format!("clamp(a, {parameter}, 1)"),
            format!("quantile_over_time({parameter}, a[5m])"),
            format!("topk({parameter}, a)"),
            format!("histogram_quantile({parameter}, a)"),
            format!("predict_linear(a[5m], {parameter})"),
            format!("round(a, {parameter}) + day_of_year(a) + days_in_month(a * {parameter})"),
            format!("count_values(\"v\", a ^ {parameter})"),
            "max_over_time(a[3m]) + avg_over_time(a[3m]) + mad_over_time(a[3m])".to_owned(),
            "rate(a[3m]) + changes(a[3m]) + resets(a[3m]) + deriv(a[3m])".to_owned(),
        ] {
            let query = parse(&text).expect("well-formed");
            let grid = Grid { start: 0, end: 12 * MINUTE, step: MINUTE };
            let _ = range(&query, &memory, grid, &Limits::default());
        }
    }
}
