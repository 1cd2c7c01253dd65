//! The alarms that an expression's answer raises: labels and annotations with templates expanded.
//!
//! Templates may ask queries, which wait; so they are expanded where waiting is allowed. A template
//! that fails becomes a text that says so, as in Prometheus: an alarm with a poor text is better than
//! none.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tsdb::labels::{Labels, NAME};
use tsdb::promql;

use super::External;
use super::answer::{self, Answer};
use super::plan::{Raised, Sample};

use crate::observe::query::Engine;
use crate::observe::rules::template::{Data, expand};
use crate::observe::rules::{Alerting, Rule};

/// Longest text of a label or an annotation; of a longer one the rest is cut off.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most time that the queries of a rule's templates may take together in an evaluation.
const QUERIES_TIME_MAX: Duration = Duration::from_secs(30);
/// The label of an alarm's name.
const ALERT_NAME: &str = "alertname";

/// What it takes to expand templates.
pub struct Expansion {
    /// Answers queries of templates.
    pub engine: Arc<Engine>,
    /// What leaves Plimsoll has these labels and this URL.
    pub external: Arc<External>,
    /// For which time the rule is evaluated.
    pub now: i64,
    /// For which time queries are asked.
    pub time: i64,
}

/// What comes of it.
#[derive(Debug, Default)]
pub struct Expanded {
    /// An alarm for each series of the answer.
    pub raised: Vec<Raised>,
    /// Why a template of them could not be expanded, the first that could not.
    pub fault: Option<String>,
}

/// Queries of templates, each asked once in an evaluation.
struct Queries<'e> {
    expansion: &'e Expansion,
    runtime: Handle,
    until: Instant,
    asked: HashMap<String, Result<Vec<(Labels, f64)>, String>>,
}

impl Queries<'_> {
    fn ask(&mut self, text: &str) -> Result<Vec<(Labels, f64)>, String> {
        if let Some(known) = self.asked.get(text) {
            return known.clone();
        }
        let answer = self.evaluate(text);
        self.asked.insert(text.to_owned(), answer.clone());
        answer
    }

    fn evaluate(&self, text: &str) -> Result<Vec<(Labels, f64)>, String> {
        let query = promql::parse(text).map_err(|error| error.to_string())?;
        let Expansion { engine, time, .. } = self.expansion;
        let late = |_| format!("queries of a rule's templates took more than {QUERIES_TIME_MAX:?}");
        let answer = self.runtime.block_on(async {
            tokio::time::timeout_at(self.until, engine.instant(&query, *time)).await.map_err(late)
        })?;
        let samples = answer::series(answer.map_err(|failure| failure.to_string())?)?;
        Ok(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
    }
}

/// Makes alarms of an answer. Waits for queries of templates, so it must not be called where
/// others would wait as well.
pub fn expanded(
    rule: &Rule,
    alerting: &Alerting,
    answer: Answer,
    expansion: &Expansion,
) -> Expanded {
    let mut queries = Queries {
        expansion,
        runtime: Handle::current(),
        until: Instant::now() + QUERIES_TIME_MAX,
        asked: HashMap::new(),
    };
    let mut expanded = Expanded::default();
    for sample in answer {
        let raised = raise(rule, alerting, sample, &mut queries, &mut expanded.fault);
        expanded.raised.push(raised);
    }
    expanded
}

fn raise(
    rule: &Rule,
    alerting: &Alerting,
    sample: Sample,
    queries: &mut Queries<'_>,
    fault: &mut Option<String>,
) -> Raised {
    let Expansion { external, now, .. } = queries.expansion;
    let data = Data {
        labels: sample.labels,
        value: sample.value,
        external_labels: external.labels.clone(),
        external_url: external.url.clone(),
        now: *now,
    };
    let mut text = |template: &str| {
        let text = expand(template, &data, &mut |query| queries.ask(query));
        cut(text.unwrap_or_else(|error| {
            fault.get_or_insert_with(|| error.clone());
            format!("<error expanding template: {error}>")
        }))
    };
    let mut all = |templates: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        templates.iter().map(|(name, template)| (name.clone(), text(template))).collect()
    };
    let (own, annotations) = (all(&rule.labels), all(&alerting.annotations));
    let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let without_name = data.labels.iter().filter(|(name, _)| *name != NAME);
    let labels = Labels::from_pairs(without_name.chain(own).chain([(ALERT_NAME, &*rule.name)]));
    Raised { labels, annotations, value: data.value }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let cut = cut(format!("x{long}"));
        assert_eq!(cut.len(), TEXT_BYTES_MAX - 1 + '…'.len_utf8());
        assert!(cut.ends_with("ä…"));
    }
}
