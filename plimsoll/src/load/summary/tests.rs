//! The golden texts beside this file are what a person sees: read them when they change.
//! `UPDATE_GOLDEN=1` writes them anew.

use crate::config::bench::model::{Comparison, Measure};

use super::super::fixtures;
use super::super::results::Part;
use super::*;

fn outcomes(results: &Results) -> Vec<Outcome> {
    let outcome = |text: &str, measure, comparison, bound| {
        let (text, label) = (text.to_owned(), None);
        Outcome { text, label, measure, comparison, bound, measured: None, held: false }
            .again(results)
    };
    vec![
        outcome("p99<50ms", Measure::Quantile(0.99), Comparison::Less, 0.05),
        outcome("errors<1%", Measure::Errors, Comparison::Less, 0.01),
    ]
}

fn check(name: &str, text: &str) {
    let path = format!("{}/src/load/summary/{name}.golden", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name}.golden differs from:\n{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "a line of {widest} characters");
}

#[test]
fn a_run_of_a_shop() {
    let results = fixtures::shop();
    check("shop", &text(&results, &outcomes(&results), false));
}

#[test]
fn a_run_in_which_everything_fails_says_so_first() {
    let results = fixtures::refused();
    let text = text(&results, &outcomes(&results), false);
    assert!(text.starts_with("Every one of 5 120 requests failed"), "{text}");
    check("refused", &text);
}

#[test]
fn a_run_that_was_cut_with_long_names_fits() {
    let mut results = fixtures::shop();
    results.run.ended = Ended::Interrupted;
    results.labels[1].0 = "GET /a/path/that/is/longer/than/any/table/has/room/for".to_owned();
    let words = "x".repeat(300);
    results.examples.insert("status".to_owned(), words);
    results.tester.waited = 812;
    results.tester.unsent = 31;
    results.run.parts = [0, 1].map(|index| Part { index, of: 2 }).to_vec();
    results.run.machines.push("tester-2".to_owned());
    check("interrupted", &text(&results, &[], false));
}

#[test]
fn foreign_words_cannot_command_the_terminal() {
    let hostile = "\u{1b}]0;gone\u{7}\u{9b}2J\nweb\r";
    let mut results = fixtures::shop();
    let tally = results.total.clone();
    results.instances.insert(hostile.to_owned(), tally.clone());
    results.labels[0].0 = hostile.to_owned();
    results.checks.insert(hostile.to_owned(), Default::default());
    results.examples.insert("status".to_owned(), hostile.to_owned());
    results.run.name = hostile.to_owned();
    let lines = |results: &Results, colours| {
        let text = text(results, &outcomes(results), colours);
        let escape = regex::Regex::new("\u{1b}\\[[0-9]+m").unwrap();
        escape.replace_all(&text, "").into_owned()
    };
    for colours in [false, true] {
        let text = lines(&results, colours);
        assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{text:?}");
        assert!(text.contains("\u{fffd}]0;gone\u{fffd}\u{fffd}2J\u{fffd}web\u{fffd}"), "{text}");
    }
    let named = |name: &str| {
        let mut results = results.clone();
        results.instances.remove(hostile);
        results.instances.insert(name.to_owned(), tally.clone());
        lines(&results, false).lines().count()
    };
    assert_eq!(named("a\nb"), named("a b"));
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let results = fixtures::shop();
    let coloured = text(&results, &outcomes(&results), true);
    assert!(coloured.contains("\u{1b}[31m  broken") || coloured.contains("\u{1b}[32m  held"));
    let escape = regex::Regex::new("\u{1b}\\[[0-9]+m").unwrap();
    let plain = text(&results, &outcomes(&results), false);
    assert_eq!(escape.replace_all(&coloured, ""), plain);
    assert!(!plain.contains('\u{1b}'));
}
