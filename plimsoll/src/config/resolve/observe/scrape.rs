//! What is looked at: listed targets and databases, how often, and how much they may send.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::super::super::defaults;
use super::super::super::grammar::observe::{Job, Postgres, Redis, Scrape};
use super::super::super::kind::{Item, Named, OneOf};
use super::super::super::model::observe::{
    DatabaseTarget, HttpEndpoint, ScrapeDefaults, ScrapeJob, ScrapeLimits,
};
use super::super::super::problem::ConfigError;
use super::super::super::reader::{Reader, Where};
use super::super::super::table::Setting;
use super::super::super::text::database::instance;
use super::endpoint::Entrance;
use super::{label, refuse_long_timeout, refuse_same_name};

/// What scrapes have in common.
pub(super) fn defaults(raw: &Scrape, reader: &mut Reader<'_>) -> ScrapeDefaults {
    // Nothing follows for the jobs from an interval that was refused.
    let every = if raw.every.is_sound() { raw.every.value } else { Duration::MAX };
    let timeout = raw.timeout.value.unwrap_or(defaults::SCRAPE_TIMEOUT.min(every));
    refuse_long_timeout(timeout, every, &raw.timeout.at, reader);
    ScrapeDefaults {
        every,
        timeout,
        limits: ScrapeLimits {
            body_bytes: raw.max_body.value,
            samples: raw.max_samples.value,
            labels: raw.max_labels.value,
            label_name_bytes: bytes(raw.max_label_name.value),
            label_value_bytes: bytes(raw.max_label_value.value),
        },
    }
}

/// Bounds in the grammar keep sizes of labels far below any `usize`.
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Interval and timeout of a target that may leave them to `usual`.
fn times(
    every: &Setting<Option<Duration>>,
    timeout: &Setting<Option<Duration>>,
    usual: &ScrapeDefaults,
    reader: &mut Reader<'_>,
) -> (Duration, Duration) {
    let interval = every.value.unwrap_or(usual.every);
    let longest = timeout.value.unwrap_or(usual.timeout.min(interval));
    if every.is_sound() {
        refuse_long_timeout(longest, interval, &timeout.at, reader);
    }
    (interval, longest)
}

/// Listed targets.
pub(super) fn jobs(
    items: &[Item<Job>],
    usual: &ScrapeDefaults,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Vec<ScrapeJob> {
    let mut names: BTreeMap<String, &Where> = BTreeMap::new();
    for item in items {
        let name = &item.value.name;
        if let Some(text) = &name.value {
            let remedy = "give it another name, or add its targets to the other job";
            refuse_same_name("jobs", text, &name.at, &mut names, remedy, reader);
        }
    }
    items.iter().filter_map(|item| job(&item.value, usual, base, reader)).collect()
}

fn job(
    raw: &Job,
    usual: &ScrapeDefaults,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<ScrapeJob> {
    let (every, timeout) = times(&raw.every, &raw.timeout, usual, reader);
    let labels = label::of_target(&raw.labels, reader);
    let relabel = label::rules(&raw.relabel.value, reader);
    let metric_relabel = label::rules(&raw.metric_relabel.value, reader);
    let targets = targets(raw, base, reader);
    let limits = usual.limits;
    Some(ScrapeJob {
        name: raw.name.value.clone()?,
        targets: targets?,
        labels,
        every,
        timeout,
        honor_labels: raw.honor_labels.value,
        honor_timestamps: raw.honor_timestamps.value,
        relabel,
        metric_relabel,
        limits: ScrapeLimits {
            body_bytes: raw.max_body.value.unwrap_or(limits.body_bytes),
            samples: raw.max_samples.value.unwrap_or(limits.samples),
            labels: raw.max_labels.value.unwrap_or(limits.labels),
            label_name_bytes: raw.max_label_name.value.map_or(limits.label_name_bytes, bytes),
            label_value_bytes: raw.max_label_value.value.map_or(limits.label_value_bytes, bytes),
        },
    })
}

fn targets(raw: &Job, base: &Path, reader: &mut Reader<'_>) -> Option<Vec<HttpEndpoint>> {
    let trust = (&raw.ca, &raw.insecure);
    let entrance = Entrance::new(&raw.basic, &raw.bearer, &raw.headers, trust, base, reader);
    let items = raw.targets.value.as_ref()?;
    if items.is_empty() {
        let at = &raw.targets.at;
        let error = ConfigError::new(&at.key, "the list of targets is empty")
            .found("[]")
            .remedy("add a target, as in [\"10.0.0.1:9100\"], or remove the job");
        reader.refuse(at, error);
    }
    let mut seen: BTreeMap<&str, &Where> = BTreeMap::new();
    for item in items {
        let first = *seen.entry(&item.value.url).or_insert(&item.at);
        if first != &item.at {
            reader.refuse_with(&item.at, |reader| {
                ConfigError::new(&item.at.key, "this target is listed twice")
                    .found(item.value.url.clone())
                    .note(format!("first listed in {}", reader.line(first)))
                    .remedy("remove one of them")
            });
        }
    }
    Some(items.iter().map(|item| entrance.to(&item.value, &item.at, reader)).collect())
}

/// A table of a database, taken apart: those of both kinds have the same keys.
struct Database<'a> {
    url: &'a Setting<Option<String>>,
    name: &'a Setting<Option<String>>,
    labels: &'a Setting<Vec<Named<String>>>,
    every: &'a Setting<Option<Duration>>,
    timeout: &'a Setting<Option<Duration>>,
}

impl<'a> From<&'a Postgres> for Database<'a> {
    fn from(Postgres { url, name, labels, every, timeout }: &'a Postgres) -> Self {
        Self { url, name, labels, every, timeout }
    }
}

impl<'a> From<&'a Redis> for Database<'a> {
    fn from(Redis { url, name, labels, every, timeout }: &'a Redis) -> Self {
        Self { url, name, labels, every, timeout }
    }
}

/// PostgreSQL servers.
pub(super) fn postgres(
    items: &[Item<OneOf<String, Postgres>>],
    usual: &ScrapeDefaults,
    reader: &mut Reader<'_>,
) -> Vec<DatabaseTarget> {
    databases(items, usual, reader)
}

/// Redis and Valkey servers.
pub(super) fn redis(
    items: &[Item<OneOf<String, Redis>>],
    usual: &ScrapeDefaults,
    reader: &mut Reader<'_>,
) -> Vec<DatabaseTarget> {
    databases(items, usual, reader)
}

fn databases<'a, T>(
    items: &'a [Item<OneOf<String, T>>],
    usual: &ScrapeDefaults,
    reader: &mut Reader<'_>,
) -> Vec<DatabaseTarget>
where
    Database<'a>: From<&'a T>,
{
    let mut names: BTreeMap<String, &Where> = BTreeMap::new();
    let mut targets = Vec::with_capacity(items.len());
    for item in items {
        let (target, at) = match &item.value {
            OneOf::First(url) => (Some(plain_database(url, usual)), &item.at),
            OneOf::Second(table) => {
                let table = Database::from(table);
                let at = if table.name.is_present() { &table.name.at } else { &table.url.at };
                (database(&table, usual, reader), at)
            }
        };
        let Some(target) = target else { continue };
        let remedy = "remove one, or give it a name of its own: { url = \"…\", name = \"…\" }";
        refuse_same_name("servers", &target.name, at, &mut names, remedy, reader);
        targets.push(target);
    }
    targets
}

fn plain_database(url: &str, usual: &ScrapeDefaults) -> DatabaseTarget {
    DatabaseTarget {
        name: instance(url),
        url: url.to_owned(),
        labels: BTreeMap::new(),
        every: usual.every,
        timeout: usual.timeout,
    }
}

fn database(
    raw: &Database<'_>,
    usual: &ScrapeDefaults,
    reader: &mut Reader<'_>,
) -> Option<DatabaseTarget> {
    let labels = label::own(raw.labels, reader);
    let (every, timeout) = times(raw.every, raw.timeout, usual, reader);
    let url = raw.url.value.clone()?;
    let name = raw.name.value.clone().unwrap_or_else(|| instance(&url));
    Some(DatabaseTarget { name, url, labels, every, timeout })
}
