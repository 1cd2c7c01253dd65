//! Evaluates groups, records what comes of it, and tells of alarms.
//!
//! A rule is evaluated in two parts: what waits (its query, its templates) changes nothing; what
//! comes of it is settled at once, under the lock of its group: alarms are told, and samples handed
//! over to be written. So a group can be retired at any moment, and nothing that is still under way
//! tells after it, or is written after what comes later. The next rule waits until this one's samples
//! are in the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use reqwest::Url;
use tokio::sync::Notify;
use tokio::time::Instant;
use tsdb::labels::Labels;

use super::answer::{self, Answer};
use super::expand::{Expanded, Expansion, expanded};
use super::judge::{Fault, Judge};
use super::live::{Live, RuleState};
use super::plan::{self, Alarm, Alarms, Change, State, Terms};
use super::record::Recording;
use super::recorder::Recorder;
use super::tell::{self, Teller};
use super::{Clock, External, Judges, Notifier};
use crate::log::Level;
use crate::observe::Alert;
use crate::observe::rules::{Alerting, Group, Rule, RuleKind};
use crate::observe::storage::Storage;
use crate::observe::views::RuleHealth;

/// Pending and firing alarms of all rules together. What would be more leaves its rule failed.
pub const ALARMS_MAX: usize = 20_000;

/// What evaluations use together.
pub struct Hands {
    /// Of groups that are files'.
    files: Judge,
    /// Of Plimsoll's own: they wait for no file's.
    own: Judge,
    pub(super) storage: Arc<Storage>,
    pub(super) recorder: Arc<Recorder>,
    notifier: Notifier,
    clock: Clock,
    /// Written at a reload.
    pub external: ArcSwap<External>,
    /// Alarms of all rules; held while those of one are settled.
    census: Mutex<Census>,
    /// Held while a line is written.
    teller: Mutex<Teller>,
    /// Told when an alarm begins, fires or ends.
    pub changed: Notify,
}

/// How many alarms there are in all rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Pending and firing.
    pub live: usize,
    /// Those that are over and remembered included.
    pub all: usize,
}

/// What a rule's query and templates come to.
enum Yield {
    Series(Answer),
    Raised(Expanded),
}

impl Hands {
    /// Those of one set of groups.
    pub fn new(
        judges: Judges,
        storage: Arc<Storage>,
        notifier: Notifier,
        external: External,
        clock: Clock,
    ) -> Self {
        Self {
            files: Judge::new(judges.files),
            own: Judge::new(judges.own),
            recorder: Arc::new(Recorder::new(Arc::clone(&storage))),
            storage,
            notifier,
            clock,
            external: ArcSwap::from_pointee(external),
            census: Mutex::default(),
            teller: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Now, milliseconds since 1970.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// How many alarms there are, to read or to change.
    pub fn census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, group: &Group) -> &Judge {
        if group.is_own() { &self.own } else { &self.files }
    }

    /// Evaluates a group for a time. Returns early when it is retired.
    pub async fn evaluate(&self, live: &Arc<Live>, at: i64, missed: u64) {
        let begun = Instant::now();
        for place in 0..live.group.rules.len() {
            let (rule_begun, now) = (Instant::now(), self.now());
            let yielded = self.ask(live, place, at).await;
            let recording = {
                let mut state = live.state();
                if state.is_retired {
                    return;
                }
                self.settle(&live.group, place, &mut state.rules[place], yielded, at)
            };
            let outcome = match recording {
                Ok(recording) => self.recorded(recording).await.map_err(Fault::Rule),
                Err(fault) => Err(fault),
            };
            let mut state = live.state();
            if state.is_retired {
                return;
            }
            let own = &mut state.rules[place];
            let is_well = self.conclude(&live.group, place, own, outcome);
            (own.evaluated_at, own.took) = (Some(now), rule_begun.elapsed());
            state.figures.evaluations += 1;
            state.figures.failures += u64::from(!is_well);
        }
        let figures = &mut live.state().figures;
        (figures.evaluated_at, figures.took) = (Some(at), begun.elapsed());
        figures.missed += missed;
    }

    /// What waits.
    async fn ask(&self, live: &Arc<Live>, place: usize, at: i64) -> Result<Yield, Fault> {
        let (rule, judge) = (&live.group.rules[place], self.judge(&live.group));
        let _permit = judge.permit().await;
        let time = at - live.group.query_offset;
        let (answered, news) = judge.ask(&rule.query, time, &self.clock).await;
        if let Some((level, text)) = news {
            self.teller().line(level, text, self.now());
        }
        let answer = answer::series(answered?)?;
        if matches!(rule.kind, RuleKind::Recording) {
            return Ok(Yield::Series(answer));
        }
        if answer.is_empty() {
            return Ok(Yield::Raised(Expanded::default()));
        }
        let (engine, external) = (Arc::clone(&judge.engine), self.external.load_full());
        let (expansion, live) = (Expansion { engine, external, now: at, time }, Arc::clone(live));
        let expand = move || match &live.group.rules[place] {
            rule @ Rule { kind: RuleKind::Alerting(alerting), .. } => {
                expanded(rule, alerting, answer, &expansion)
            }
            _ => Expanded::default(),
        };
        let done = tokio::task::spawn_blocking(expand).await;
        Ok(done.map(Yield::Raised).map_err(|error| format!("its templates failed: {error}"))?)
    }

    /// What changes something; what is to be recorded is handed over.
    fn settle(
        &self,
        group: &Group,
        place: usize,
        own: &mut RuleState,
        yielded: Result<Yield, Fault>,
        at: i64,
    ) -> Result<Recording, Fault> {
        let (rule, time) = (&group.rules[place], at - group.query_offset);
        let outcome = yielded.and_then(|yielded| match (yielded, &rule.kind) {
            (Yield::Raised(expanded), RuleKind::Alerting(alerting)) => {
                self.note_template(group, rule, own, expanded.fault);
                Ok(self.raise(group, alerting, own, expanded.raised, at)?)
            }
            (Yield::Series(answer), _) => {
                let samples = plan::record(&rule.name, &rule.labels, group.limit, answer)
                    .map_err(|failure| failure.to_string())?;
                Ok(self.record(&mut own.series, &samples, time)?)
            }
            (Yield::Raised(_), RuleKind::Recording) => {
                Ok(self.record(&mut own.series, &[], time)?)
            }
        });
        // Also after a failure: not to know is no end of an alarm.
        self.offer(rule.query.text(), &own.alarms);
        outcome
    }

    /// Notes how an evaluation went; whether well.
    fn conclude(
        &self,
        group: &Group,
        place: usize,
        own: &mut RuleState,
        outcome: Result<(), Fault>,
    ) -> bool {
        let rule = &group.rules[place];
        own.health = match outcome {
            Ok(()) => {
                self.note_health(group, rule, &mut own.is_told_of, Ok(()));
                RuleHealth::Ok
            }
            Err(Fault::Rule(words)) => {
                self.note_health(group, rule, &mut own.is_told_of, Err(&words));
                RuleHealth::Failed(words)
            }
            // Of which the log is told for all of them.
            Err(Fault::Outage(words)) => RuleHealth::Failed(words),
        };
        own.health == RuleHealth::Ok
    }

    /// Goes on with the alarms of a rule.
    fn raise(
        &self,
        group: &Group,
        alerting: &Alerting,
        own: &mut RuleState,
        raised: Vec<plan::Raised>,
        at: i64,
    ) -> Result<Recording, String> {
        let mut census = self.census();
        let before = (own.alarms.live(), own.alarms.len());
        let terms = Terms {
            hold: milliseconds(alerting.hold),
            keep_firing: milliseconds(alerting.keep_firing),
            limit: group.limit,
            room: ALARMS_MAX.saturating_sub(census.live - before.0),
            max: ALARMS_MAX,
            is_crowded: census.all > ALARMS_MAX,
        };
        let step = own.alarms.evaluate(at, raised, &terms);
        let after = (own.alarms.live(), own.alarms.len());
        census.live = census.live - before.0 + after.0;
        census.all = census.all - before.1 + after.1;
        drop(census);
        self.tell(&step.changes);
        if step.is_changed {
            self.changed.notify_one();
        }
        match step.failure {
            Some(failure) => Err(failure.to_string()),
            None => self.record(&mut own.series, &step.series, at - group.query_offset),
        }
    }

    /// Hands over what fires of a rule, and what is over.
    pub fn offer(&self, query: &str, alarms: &Alarms) {
        let external = self.external.load();
        let url = generator_url(&external.url, query);
        let alerts: Vec<Alert> = alarms
            .iter()
            .filter_map(|(labels, alarm)| alert(labels, alarm, &external.labels, &url))
            .collect();
        if !alerts.is_empty() {
            (self.notifier)(alerts);
        }
    }

    /// Tells the log of alarms that have begun or ceased to fire.
    pub fn tell(&self, changes: &[Change]) {
        let (now, mut teller) = (self.now(), self.teller());
        changes.iter().for_each(|change| teller.change(change, now));
    }

    fn teller(&self) -> MutexGuard<'_, Teller> {
        self.teller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the log when a rule begins to fail, and when it is well again.
    fn note_health(
        &self,
        group: &Group,
        rule: &Rule,
        is_told_of: &mut bool,
        now: Result<(), &str>,
    ) {
        let of = format!("{} of group {} in {}", rule.name, group.name, group.file);
        if let Some((level, text)) = tell::health(&of, is_told_of, now) {
            self.teller().line(level, text, self.now());
        }
    }

    /// Tells the log when a template of a rule begins to fail.
    fn note_template(
        &self,
        group: &Group,
        rule: &Rule,
        own: &mut RuleState,
        fault: Option<String>,
    ) {
        if let (None, Some(words)) = (&own.bad_template, &fault) {
            let Rule { name, .. } = rule;
            let Group { name: group, file, .. } = group;
            let text = format!("a template of rule {name} of group {group} in {file}: {words}");
            self.teller().line(Level::Warn, text, self.now());
        }
        own.bad_template = fault;
    }
}

/// The alarm as it is told of; a pending one is not.
fn alert(
    labels: &Labels,
    alarm: &Alarm,
    external: &BTreeMap<String, String>,
    generator_url: &str,
) -> Option<Alert> {
    let (starts_at, ends_at) = match alarm.state {
        State::Pending => return None,
        State::Firing { since, .. } => (since, None),
        State::Over { since, ended } => (since, Some(ended)),
    };
    let external = external.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Some(Alert {
        // An alarm's own labels win.
        labels: Labels::from_pairs(external.chain(labels.iter())),
        annotations: alarm.annotations.clone(),
        starts_at,
        ends_at,
        generator_url: generator_url.to_owned(),
    })
}

/// Where the expression can be asked.
fn generator_url(base: &str, query: &str) -> String {
    let path = format!("{}/prometheus/api/v1/query", base.trim_end_matches('/'));
    match Url::parse_with_params(&path, [("query", query)]) {
        Ok(url) => url.into(),
        Err(_) => path,
    }
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
