//! Rule files: what is read, and what is refused with which words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::promtool;
use crate::config::model::observe::RuleSettings;
use crate::observe::rules::files::Read;
use crate::observe::rules::{RuleErrors, RuleKind, check, load};

const EVERY: Duration = Duration::from_secs(15);

fn read(text: &str) -> Read {
    let mut read = Read::default();
    read.text("rules.yml", text, EVERY);
    read
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules")
}

/// Files that only we refuse, because they could only fail later or are newer than promtool.
const OURS_ALONE: [&str; 4] = ["types.yml", "repeated.yml", "documents.yml", "numbers.yml"];

#[test]
fn every_mistake_has_its_message() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut names: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yml"))
        .collect();
    names.sort();
    assert!(names.len() >= 15, "only {} fixtures", names.len());
    let mut failures = String::new();
    for name in &names {
        let text = std::fs::read_to_string(fixtures().join(name)).unwrap();
        let mut read = Read::default();
        read.text(name, &text, EVERY);
        assert!(!read.errors.is_empty(), "{name} is not refused");
        let said = RuleErrors::new(read.errors, read.further).to_string() + "\n";
        for message in said.split("\n\n").filter(|message| message.starts_with("error:")) {
            assert!(message.contains("remedy:"), "{name}: no remedy\n{message}");
        }
        let expected_file = fixtures().join(name).with_extension("expected");
        if update {
            std::fs::write(&expected_file, &said).unwrap();
        }
        if std::fs::read_to_string(&expected_file).unwrap_or_default() != said {
            writeln!(failures, "--- {name}\n{said}").unwrap();
        }
        let foreign = OURS_ALONE.contains(&name.as_str());
        assert_eq!(promtool::takes(&text), foreign, "{name}: promtool sees it otherwise");
    }
    assert!(failures.is_empty(), "messages differ; UPDATE_EXPECT=1 accepts them\n{failures}");
}

const GOOD: &str = r#"
# A comment, anchors, merges and every style of text.
groups:
- name: web
  interval: 1m
  limit: 10
  rules:
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
    labels: &common { team: web, number: 5, empty: }
  - alert: Slow
    expr: |-
      job:requests:rate5m
        < 1
    for: 1h30m
    keep_firing_for: 5m
    labels:
      <<: *common
      severity: "{{ if gt $value 1.0 }}page{{ else }}ticket{{ end }}"
    annotations:
      summary: 'It''s {{ $value }}'
      description: >-
        Folded {{ $labels.job }}
        over two lines.
- name: empty
"#;

#[test]
fn a_file_is_read_as_prometheus_reads_it() {
    let read = read(GOOD);
    assert!(read.errors.is_empty(), "{}", RuleErrors::new(read.errors, 0));
    assert!(promtool::takes(GOOD));
    let [web, empty] = read.groups.as_slice() else { panic!("{:?}", read.groups) };
    assert_eq!((web.name.as_str(), web.file.as_str()), ("web", "rules.yml"));
    assert_eq!((web.interval, empty.interval), (Duration::from_secs(60), EVERY));
    assert_eq!((web.limit, empty.limit, empty.rules.len()), (10, 0, 0));
    let (recorded, alert) = (&web.rules[0], &web.rules[1]);
    assert!(matches!(recorded.kind, RuleKind::Recording));
    assert_eq!((recorded.labels["number"].as_str(), recorded.labels["empty"].as_str()), ("5", ""));
    let RuleKind::Alerting(alerting) = &alert.kind else { panic!("{alert:?}") };
    assert_eq!(alerting.hold, Duration::from_secs(5400));
    assert_eq!(alerting.keep_firing, Duration::from_secs(300));
    assert_eq!(alert.labels["team"], "web");
    assert_eq!(alert.query.text(), "job:requests:rate5m\n  < 1");
    assert_eq!(alerting.annotations["summary"], "It's {{ $value }}");
    assert_eq!(alerting.annotations["description"], "Folded {{ $labels.job }} over two lines.");
}

#[test]
fn what_prometheus_3_adds_is_known() {
    let text = "groups:\n- name: a\n  query_offset: 30s\n  labels: { team: web, tier: gold }\n  rules:\n  - record: x\n    expr: up\n    labels: { tier: iron }\n";
    let read = read(text);
    assert!(read.errors.is_empty(), "{:?}", read.errors);
    let group = &read.groups[0];
    assert_eq!(group.query_offset, 30_000);
    let labels = BTreeMap::from([
        ("team".to_owned(), "web".to_owned()),
        ("tier".to_owned(), "iron".to_owned()),
    ]);
    assert_eq!(group.rules[0].labels, labels);
}

#[test]
fn nothing_is_no_mistake() {
    for text in ["", "# nothing\n", "groups:\n", "groups: []\n", "{}", "---\n", "\u{feff}groups:\n"]
    {
        let read = read(text);
        assert!(read.errors.is_empty() && read.groups.is_empty(), "{text:?} {:?}", read.errors);
    }
}

#[test]
fn the_same_record_with_another_expression_is_told_of() {
    let text = "groups:\n- name: a\n  rules:\n  - { record: x, expr: up }\n  - { record: x, expr: down }\n";
    let read = read(text);
    assert!(read.errors.is_empty());
    assert!(
        read.warnings[0]
            .starts_with("rules.yml:5: `x` is recorded with the same labels as in line 4")
    );
}

#[test]
fn bombs_are_refused() {
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let before = format!("*a{},", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(','));
    }
    let deep_flow = "[".repeat(100);
    let deep_block = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    let within = "groups: &a [*a]";
    for (text, words) in [
        (laughs.as_str(), "has more than 500000 values"),
        (&deep_flow, "nested deeper than 32 levels"),
        (&deep_block, "nested deeper than 32 levels"),
        (within, "alias"),
        (&" ".repeat(5 << 20), "larger than 4194304 bytes"),
    ] {
        let read = read(text);
        let said = RuleErrors::new(read.errors, 0).to_string();
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn many_mistakes_are_counted() {
    let rules = "  - { record: 1x, expr: up }\n".repeat(70);
    let read = read(&format!("groups:\n- name: a\n  rules:\n{rules}"));
    let said = RuleErrors::new(read.errors, read.further).to_string();
    assert!(
        said.ends_with(
            "70 errors in rules, of which the first 50 are shown; none of them was taken over"
        ),
        "{said}"
    );
}

fn settings(files: Vec<PathBuf>) -> RuleSettings {
    RuleSettings { files, built_in: true, without: Vec::new(), every: EVERY, external_url: None }
}

#[test]
fn everything_is_loaded_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.yml"), folder.path().join("bad.yml"));
    std::fs::write(&good, GOOD).unwrap();
    let services = BTreeMap::new();
    let loaded =
        load(&settings(vec![good.clone(), folder.path().join("*.none")]), &services).unwrap();
    assert_eq!(loaded.groups[0].file, good.display().to_string());
    assert!(loaded.groups.iter().any(|group| group.file == "built-in"));
    assert!(loaded.warnings[0].starts_with("no file matches"), "{:?}", loaded.warnings);
    assert_eq!(check(&good).unwrap().0, 2);
    std::fs::write(&bad, "groups:\n- nam: x\n").unwrap();
    let mut both = settings(vec![folder.path().join("*.yml")]);
    both.without = vec!["ServiceDwn".to_owned()];
    let said = load(&both, &services).unwrap_err().to_string();
    assert!(said.contains("bad.yml:2:3") && said.contains("`ServiceDown`?"), "{said}");
    assert!(
        check(&folder.path().join("none.yml")).unwrap_err().to_string().contains("cannot be read")
    );
}

/// Pieces of rule files, sound and unsound.
const PIECES: &[&str] = &[
    "groups:",
    "- name: a",
    "  rules:",
    "  - alert: x",
    "    expr: up",
    "    expr: |-\n      up >",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "&a",
    "*a",
    "<<: *a",
    ": ",
    "\n",
    "    labels:",
    "      a: '{{ $x }}'",
    "!!str",
    "? ",
    "%YAML 1.2",
    "---",
    "...",
    "\t",
    "é",
    "- ",
    "|",
    ">",
    "#",
    "    annotations: { a: \"\\x41{{\" }",
    ",",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "(\\PC|\n|\t){0,120}") {
        let _ = read(&text);
    }

    #[test]
    fn no_mix_of_pieces_panics(places in proptest::collection::vec(0..PIECES.len(), 0..30), lines in any::<bool>()) {
        let pieces: Vec<&str> = places.iter().map(|place| PIECES[*place]).collect();
        let _ = read(&pieces.join(if lines { "\n" } else { "" }));
    }
}
