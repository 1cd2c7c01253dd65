//! Whether `promtool test rules` (Debian's package `prometheus`) sees the same alarms.
//!
//! Rules of all durations get answers that come and go by chance, and the series that come of them
//! here are written down as what promtool must find at each minute.

use std::fmt::Write;
use std::process::Command;

use super::*;

const RULES: u64 = 48;
const MINUTES: i64 = 40;
const CASES: [&str; 2] = ["a", "b"];

/// The same on every run.
fn chance(rule: u64, case: usize, run: i64) -> u64 {
    // SplitMix64 (Steele, Lea, Flood 2014).
    let mut mixed =
        (rule << 32 | (case as u64) << 16 | run.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Whether there is an answer: it comes and goes in runs of one to seven minutes.
fn answers(rule: u64, case: usize) -> Vec<bool> {
    let mut answers = Vec::new();
    let mut run = 0;
    while (answers.len() as i64) <= MINUTES {
        let length = 1 + chance(rule, case, run) % 7;
        answers.extend((0..length).map(|_| run % 2 == (rule % 2) as i64));
        run += 1;
    }
    answers.truncate(MINUTES as usize + 1);
    answers
}

/// The series of the rule at each minute, as labels and values in YAML.
fn expected(rule: u64, terms: &Terms) -> Vec<String> {
    let cases: Vec<Vec<bool>> = (0..CASES.len()).map(|case| answers(rule, case)).collect();
    let mut alarms = Alarms::default();
    let minute = |minute: i64| {
        let mut answer = Vec::new();
        for (place, case) in CASES.iter().enumerate() {
            if cases[place][minute as usize] {
                answer.push(raised(case, 1.0));
            }
        }
        let step = alarms.evaluate(minute * 60_000, answer, terms);
        let mut text = String::new();
        for sample in step.series {
            let (labels, value) = (sample.labels, sample.value);
            let labels = Labels::from_pairs(labels.iter().chain([("rule", &*rule.to_string())]));
            writeln!(text, "          - labels: '{labels}'\n            value: {value}").unwrap();
        }
        text
    };
    (0..=MINUTES).map(minute).collect()
}

#[test]
fn promtool_sees_the_same_alarms() {
    let mut rules = "groups:\n- name: all\n  rules:\n".to_owned();
    let mut tests = "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  \
                     input_series:\n"
        .to_owned();
    let mut minutes = vec![String::new(); MINUTES as usize + 1];
    for rule in 0..RULES {
        let (hold, keep) = (rule % 6, rule / 6 % 4 * 2);
        writeln!(rules, "  - alert: Alarm\n    expr: x{{rule=\"{rule}\"}} > 0").unwrap();
        writeln!(rules, "    for: {hold}m\n    keep_firing_for: {keep}m").unwrap();
        for (place, case) in CASES.iter().enumerate() {
            let values: Vec<_> =
                answers(rule, place).into_iter().map(|is| if is { "1" } else { "0" }).collect();
            let series = format!("x{{rule=\"{rule}\", case=\"{case}\"}}");
            writeln!(tests, "  - series: '{series}'\n    values: '{}'", values.join(" ")).unwrap();
        }
        let terms = Terms {
            hold: hold as i64 * 60_000,
            keep_firing: keep as i64 * 60_000,
            ..super::terms()
        };
        for (minute, text) in expected(rule, &terms).into_iter().enumerate() {
            minutes[minute].push_str(&text);
        }
    }
    tests.push_str("  promql_expr_test:\n");
    for (minute, text) in minutes.iter().enumerate() {
        let query = "{__name__=~\"ALERTS.*\"}";
        writeln!(tests, "  - eval_time: {minute}m\n    expr: '{query}'").unwrap();
        tests.push_str(if text.is_empty() { "" } else { "    exp_samples:\n" });
        tests.push_str(text);
    }
    let samples = tests.matches("value:").count();
    assert!(samples > 1000, "the rules have alarms to compare: {samples} samples");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yml"), rules).expect("written");
    std::fs::write(folder.path().join("tests.yml"), tests).expect("written");
    let out = Command::new("promtool")
        .args(["test", "rules", "tests.yml"])
        .current_dir(folder.path())
        .output()
        .expect("promtool is not there; install Prometheus (Debian: `apt install prometheus`)");
    let (said, told) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let said: String = said.chars().chain(told.chars()).take(4000).collect();
    assert!(out.status.success(), "{said}");
}
