use super::*;
use crate::exposition::{Event, Format, Limits, Parser};

/// A series as text: `up{job="web"}`, or `{job="web"}` without a name.
fn labels(text: &str) -> Labels {
    let nameless = text.starts_with('{');
    let body = format!("{}{text} 1\n", if nameless { "x" } else { "" });
    let mut parser = Parser::new(body.as_bytes(), Format::Text, Limits::default()).unwrap();
    let Some(Event::Sample(sample)) = parser.next_event().unwrap() else { panic!("{text}") };
    let labels = sample.to_labels();
    let pairs = labels.iter().filter(|(name, _)| !(nameless && *name == crate::labels::NAME));
    Labels::from_sorted(pairs)
}

fn set(rule: &mut RuleText, line: &str) {
    let (field, value) = line.split_once(':').unwrap();
    let value = value.trim();
    // Quotes keep blanks.
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let text = Some(value.to_owned());
    match field.trim() {
        "source_labels" => {
            let names = value.trim_matches(['[', ']']).split(',');
            rule.source_labels = names.map(|name| name.trim().to_owned()).collect();
        }
        "separator" => rule.separator = text,
        "regex" => rule.regex = text,
        "modulus" => rule.modulus = Some(value.parse().unwrap()),
        "target_label" => rule.target_label = text,
        "replacement" => rule.replacement = text,
        "action" => rule.action = text,
        other => panic!("no field {other}"),
    }
}

#[test]
fn rules_do_what_the_script_says() {
    let (mut rules, mut checks): (Vec<RuleText>, usize) = (Vec::new(), 0);
    let mut is_new = true;
    for (place, line) in include_str!("tests/rules.script").lines().enumerate() {
        let place = place + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(field) = line.strip_prefix("- ") {
            if std::mem::take(&mut is_new) {
                rules.clear();
            }
            rules.push(RuleText::default());
            set(rules.last_mut().unwrap(), field);
            continue;
        }
        if let Some(field) = line.strip_prefix("  ") {
            set(rules.last_mut().unwrap(), field);
            continue;
        }
        is_new = true;
        checks += 1;
        let built: Result<Vec<_>, _> = rules.iter().map(Rule::new).collect();
        if let Some(message) = line.strip_prefix("refused: ") {
            // A regex's error is of several lines; the first says which.
            let found = built.unwrap_err().to_string();
            assert_eq!(found.lines().next().unwrap(), message, "line {place}");
            continue;
        }
        let (from, to) = line.split_once(" -> ").unwrap();
        let rules = built.unwrap_or_else(|error| panic!("line {place}: {error}"));
        let found = relabel(&rules, &labels(from));
        let found = found.map_or("dropped".to_owned(), |labels| labels.to_string());
        assert_eq!(found, to, "line {place}");
    }
    assert!(checks > 60, "{checks}");
}

#[test]
fn without_a_change_labels_are_shared() {
    let text = RuleText { action: Some("keep".to_owned()), ..RuleText::default() };
    let rules = [Rule::new(&text).unwrap()];
    let up = labels("up{job=\"web\"}");
    assert_eq!(relabel(&rules, &up), Some(up.clone()));
    assert_eq!(relabel(&[], &up), Some(up));
}

#[test]
fn a_regex_that_takes_too_much_memory_is_refused() {
    let regex = Some("(a{1000}){1000}".to_owned());
    let text = RuleText { regex, target_label: Some("a".to_owned()), ..RuleText::default() };
    let message = Rule::new(&text).unwrap_err().to_string();
    assert_eq!(
        message,
        "the regex `(a{1000}){1000}` cannot be used: it would take more than 1048576 bytes; match \
         less with it"
    );
}
