//! Labels that are given, and rules that change labels.

use std::collections::BTreeMap;

use tsdb::relabel::{Rule, RuleError, RuleText};

use super::super::super::grammar::observe::Relabel;
use super::super::super::kind::{Item, Named};
use super::super::super::problem::ConfigError;
use super::super::super::reader::{Reader, Where};
use super::super::super::table::Setting;
use super::super::super::text::label::{self, last_line};

/// What the names of labels begin with that say how a target is scraped, and are gone afterwards.
const OF_TARGETS: &str = "__";

/// Labels that series keep.
pub(super) fn own(
    setting: &Setting<Vec<Named<String>>>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, String> {
    for label in setting.value.iter().filter(|label| label.name.starts_with(OF_TARGETS)) {
        let message = "names that begin with `__` are Plimsoll's own";
        let error = ConfigError::new(&label.at.key, message)
            .found(format!("{:?}", label.name))
            .remedy("give it another name");
        reader.refuse(&label.at, error);
    }
    of_target(setting, reader)
}

/// Labels that a target begins with: `__param_module` and its kin are among them.
pub(super) fn of_target(
    setting: &Setting<Vec<Named<String>>>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, String> {
    for label in &setting.value {
        if let Err(refusal) = label::name(&label.name) {
            let error =
                ConfigError::new(&label.at.key, refusal.message).found(format!("{:?}", label.name));
            reader.refuse(&label.at, ConfigError { remedy: refusal.remedy, ..error });
        }
    }
    setting.value.iter().map(|label| (label.name.clone(), label.value.clone())).collect()
}

/// Compiled rules, in their order.
pub(super) fn rules(items: &[Item<Relabel>], reader: &mut Reader<'_>) -> Vec<Rule> {
    items.iter().filter_map(|item| rule(&item.value, &item.at, reader)).collect()
}

fn rule(raw: &Relabel, at: &Where, reader: &mut Reader<'_>) -> Option<Rule> {
    let Relabel { source_labels, separator, regex, modulus, target_label, replacement, action } =
        raw;
    let is_sound = source_labels.is_sound()
        && separator.is_sound()
        && regex.is_sound()
        && modulus.is_sound()
        && target_label.is_sound()
        && replacement.is_sound()
        && action.is_sound();
    let text = RuleText {
        source_labels: source_labels.value.iter().map(|name| name.value.clone()).collect(),
        separator: separator.value.clone(),
        regex: regex.value.clone(),
        modulus: modulus.value,
        target_label: target_label.value.clone(),
        replacement: replacement.value.clone(),
        action: Some(action.value.as_str().to_owned()),
    };
    if !is_sound {
        return None;
    }
    let error = match Rule::new(&text) {
        Ok(rule) => return Some(rule),
        Err(error) => error,
    };
    let place = |field: &str| match field {
        "source_labels" => &source_labels.at,
        "separator" => &separator.at,
        "regex" => &regex.at,
        "modulus" => &modulus.at,
        "target_label" => &target_label.at,
        "replacement" => &replacement.at,
        _ => at,
    };
    let (at, remedy) = match &error {
        RuleError::Action(_) => (&action.at, "write another action".to_owned()),
        RuleError::Regex(_) => (
            &regex.at,
            "correct it; a TOML text in 'single quotes' keeps its backslashes".to_owned(),
        ),
        RuleError::Missing { field: "modulus", .. } => (at, "add modulus = 8".to_owned()),
        RuleError::Missing { field, .. } => (at, format!("add {field} = \"…\"")),
        RuleError::Superfluous { field, .. } => (place(field), format!("remove `{field}`")),
        RuleError::Name { field, .. } => (place(field), "name a label".to_owned()),
    };
    let message = match &error {
        RuleError::Regex(pattern) => {
            format!("this is not a regular expression: {}", last_line(&pattern.reason))
        }
        other => other.to_string(),
    };
    let error = ConfigError::new(&at.key, message).found(reader.shown(at)).remedy(remedy);
    reader.refuse(at, error);
    None
}
