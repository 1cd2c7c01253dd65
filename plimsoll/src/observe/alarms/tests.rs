//! Rules evaluated over a real store, by a clock that stands still unless a test waits.

mod evaluation;
mod recording;
mod reload;
mod restart;

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use tsdb::labels::{Labels, NAME};
use tsdb::promql::{self, Value};
use tsdb::store::{Append, Options, Store};

use super::*;
use crate::config::model::observe::QueryBounds;
use crate::observe::rules::{Alerting, Rule, RuleKind};
use crate::observe::views::{AlertView, RuleHealth, RuleView};

/// When each test begins.
const START: i64 = 1_700_000_000_000;
/// Time between two evaluations, milliseconds.
const INTERVAL: i64 = 10_000;

/// What the notifier was told last, by evaluation.
type Told = Arc<Mutex<Vec<Vec<Alert>>>>;

/// A store, a clock and a notifier, for one set of rules after the other.
struct Bench {
    _store_folder: TempDir,
    folder: TempDir,
    storage: Arc<Storage>,
    engine: Arc<Engine>,
    clock: Clock,
    told: Told,
}

impl Bench {
    fn new() -> Self {
        let store_folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(store_folder.path(), Options::default(), START).unwrap();
        let store = Arc::new(store);
        let bounds = QueryBounds {
            samples_max: 1_000_000,
            timeout: Duration::from_secs(10),
            concurrency: 2,
            lookback: Duration::from_secs(300),
        };
        let begun = Instant::now();
        Self {
            _store_folder: store_folder,
            folder: tempfile::tempdir().unwrap(),
            storage: Arc::new(Storage::new(Arc::clone(&store), Vec::new())),
            engine: Arc::new(Engine::new(store, bounds)),
            clock: Arc::new(move || START + begun.elapsed().as_millis() as i64),
            told: Told::default(),
        }
    }

    /// Starts rules that keep their alarms in the folder.
    fn start(&self, groups: Vec<Group>) -> Alarms {
        let told = Arc::clone(&self.told);
        let notifier: Notifier = Arc::new(move |alerts| told.lock().unwrap().push(alerts));
        let (engine, storage) = (|| Arc::clone(&self.engine), Arc::clone(&self.storage));
        let judges = Judges { files: engine(), own: engine() };
        let hands = Hands::new(judges, storage, notifier, external(), Arc::clone(&self.clock));
        Alarms::begin(hands, Some(self.folder.path().to_owned()), groups)
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Appends a sample of now.
    fn set(&self, metric: &str, labels: &[(&str, &str)], value: f64) {
        let labels = Labels::from_pairs(labels.iter().copied().chain([(NAME, metric)]));
        let series = self.storage.store().series(&labels).unwrap();
        let append = Append { series: &series, time: self.now(), value };
        assert_eq!(self.storage.append(&[append], self.now()).committed.accepted, 1);
    }

    /// Series and values at a time.
    async fn ask(&self, query: &str, at: i64) -> Vec<String> {
        let query = promql::parse(query).unwrap();
        let Value::Vector(elements) = self.engine.instant(&query, at).await.unwrap().value else {
            panic!("no vector")
        };
        let mut shown: Vec<_> =
            elements.iter().map(|one| format!("{} {}", one.labels, one.value)).collect();
        shown.sort();
        shown
    }

    /// What was told since the last time that this was asked.
    fn told(&self) -> Vec<Vec<Alert>> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// What was told, as `labels starts..ends` in seconds since `from`, begun ones full.
    fn shown(&self, from: i64) -> Vec<String> {
        let seconds = |at: i64| (at - from + 999) / 1000;
        let told = self.told().into_iter().flatten();
        told.map(|alert| {
            let ends = alert.ends_at.map(|at| seconds(at).to_string()).unwrap_or_default();
            let name = alert.labels.get("alertname").unwrap();
            let job = alert.labels.get("job").unwrap_or_default();
            format!("{name} {job} {}..{ends}", seconds(alert.starts_at))
        })
        .collect()
    }
}

/// Waits until all groups are evaluated once more. For which time.
async fn next(alarms: &Alarms) -> i64 {
    let times = || alarms.groups().iter().map(|group| group.evaluated_at).collect::<Vec<_>>();
    let before = times();
    let is_done = || times().iter().zip(&before).all(|(now, before)| now > before);
    for _ in 0..3600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if is_done() {
            return times().into_iter().flatten().max().unwrap();
        }
    }
    panic!("groups are not evaluated")
}

fn external() -> External {
    let labels = [("site".to_owned(), "north".to_owned())].into();
    External { labels, url: "http://plimsoll.example:9900/".to_owned() }
}

fn group(name: &str, rules: Vec<Rule>) -> Group {
    Group {
        name: name.to_owned(),
        file: "rules.yml".to_owned(),
        interval: Duration::from_millis(INTERVAL as u64),
        query_offset: 0,
        limit: 0,
        rules,
    }
}

fn rule(name: &str, query: &str, kind: RuleKind) -> Rule {
    let query = promql::parse(query).unwrap();
    Rule { name: name.to_owned(), query, labels: BTreeMap::new(), kind }
}

fn record(name: &str, query: &str) -> Rule {
    rule(name, query, RuleKind::Recording)
}

/// Seconds of `for` and `keep_firing_for`.
fn alert(name: &str, query: &str, hold: u64, keep_firing: u64) -> Rule {
    let (hold, keep_firing) = (Duration::from_secs(hold), Duration::from_secs(keep_firing));
    let summary = "{{ $labels.job }} is at {{ $value }}".to_owned();
    let annotations = [("summary".to_owned(), summary)].into();
    rule(name, query, RuleKind::Alerting(Alerting { hold, keep_firing, annotations }))
}

fn labelled(mut rule: Rule, name: &str, value: &str) -> Rule {
    rule.labels.insert(name.to_owned(), value.to_owned());
    rule
}

/// The rule at a place in the first group.
fn view(alarms: &Alarms, place: usize) -> RuleView {
    alarms.groups()[0].rules[place].clone()
}

/// Alarms of the rule at a place in the first group.
fn alerts(alarms: &Alarms, place: usize) -> Vec<AlertView> {
    view(alarms, place).alerting.unwrap().alerts
}

/// What the figures say.
fn figures(alarms: &Alarms) -> String {
    let mut exposition = Exposition::new();
    alarms.expose(&mut exposition);
    exposition.finish()
}

/// Alarms are counted as they are.
fn counted(alarms: &Alarms) {
    let census = *alarms.hands.census();
    let groups = lives(&alarms.running);
    let mut found = hands::Census::default();
    for live in groups {
        for rule in &live.state().rules {
            found.live += rule.alarms.live();
            found.all += rule.alarms.len();
        }
    }
    assert_eq!(census, found);
}
