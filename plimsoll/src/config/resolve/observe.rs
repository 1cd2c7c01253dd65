//! What is measured, kept, judged and told.

mod endpoint;
mod label;
mod notify;
mod objective;
mod scrape;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::defaults;
use super::super::grammar::observe::{RemoteWrite as RawRemoteWrite, Rules};
use super::super::grammar::{self, observe as raw};
use super::super::kind::{Item, OneOf};
use super::super::model::observe::{
    DataDirectory, HttpEndpoint, Observe, QueryBounds, RemoteWrite, RuleSettings,
};
use super::super::problem::{ConfigError, Source};
use super::super::quantity::show_duration;
use super::super::reader::{Reader, Where};
use super::super::table::{Entries, RawTable};
use super::super::text::url::host_and_port;
use endpoint::Entrance;
pub(super) use objective::{metrics, objective};

/// The resolved form of `[observe]`; `None` if it is turned off. Relative paths begin at `base`.
pub(super) fn observe(
    top: &grammar::Top,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<Arc<Observe>> {
    let OneOf::Second(raw) = &top.observe.value else {
        objective::warn_of_unmeasured(&top.service.value, reader);
        return None;
    };
    let directory = match &raw.directory.value {
        Some(directory) => DataDirectory::Named(super::path(base, directory)),
        None => usual_directory(base, reader.variable("STATE_DIRECTORY").as_deref()),
    };
    let observe = of_table(raw, directory, base, reader);
    if observe.prometheus.is_none() {
        objective::refuse_long_windows(&top.service.value, &raw.retention, reader);
    }
    if observe.remote_write_receiver && matches!(top.admin.value, OneOf::First(())) {
        let at = &raw.remote_write_receiver.at;
        let error =
            ConfigError::new(&at.key, "samples are taken by the admin server, which is off")
                .found(reader.shown(&top.admin.at))
                .remedy("remove admin = false, or remote_write_receiver");
        reader.warn(at, error);
    }
    Some(Arc::new(observe))
}

/// Measuring when nothing is said about it.
pub fn usual(directory: DataDirectory) -> Observe {
    let mut reader = Reader::new(Source::new("", ""), &|_| None, &grammar::VOCABULARY);
    let at = Where { key: "observe".to_owned(), span: 0..0 };
    let raw = raw::Observe::read(&Entries::absent(at), &mut reader);
    of_table(&raw, directory, Path::new(""), &mut reader)
}

/// The folder when none is named: systemd's, or one beside the config file.
fn usual_directory(base: &Path, state: Option<&str>) -> DataDirectory {
    // systemd names several folders with colons between them; the first is ours.
    match state.and_then(|folders| folders.split(':').find(|folder| !folder.is_empty())) {
        Some(folder) => DataDirectory::Usual(folder.into()),
        None => DataDirectory::Usual(base.join("plimsoll-data")),
    }
}

fn of_table(
    raw: &raw::Observe,
    directory: DataDirectory,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Observe {
    let scrape = scrape::defaults(&raw.scrape.value, reader);
    let query = &raw.query.value;
    let concurrency = || super::default_workers().max(defaults::QUERY_CONCURRENCY_MINIMUM);
    let prometheus = raw.prometheus.value.as_ref();
    Observe {
        directory,
        retention: raw.retention.value,
        bytes_max: raw.max_size.value,
        series_max: raw.max_series.value,
        memory_bytes_max: raw.max_memory.value,
        external_labels: label::own(&raw.external_labels, reader),
        own_every: raw.own_every.value,
        jobs: scrape::jobs(&raw.job.value, &scrape, base, reader),
        postgres: scrape::postgres(&raw.postgres.value, &scrape, reader),
        redis: scrape::redis(&raw.redis.value, &scrape, reader),
        scrape,
        query: QueryBounds {
            samples_max: query.max_samples.value,
            timeout: query.timeout.value,
            concurrency: query.concurrency.value.unwrap_or_else(concurrency),
            lookback: query.lookback.value,
        },
        prometheus: prometheus.and_then(|raw| endpoint::endpoint(raw, base, reader)),
        remote_write: remote_writes(&raw.remote_write.value, base, reader),
        remote_write_receiver: raw.remote_write_receiver.value,
        rules: rules(raw, base),
        notify: notify::notify(&raw.notify.value, base, reader),
    }
}

fn rules(raw: &raw::Observe, base: &Path) -> RuleSettings {
    let (files, table): (&[Item<String>], Option<&Rules>) = match &raw.rules.value {
        OneOf::First(files) => (files, None),
        OneOf::Second(table) => (&table.files.value, Some(table)),
    };
    let without = table.map_or(&[][..], |table| &table.without.value);
    RuleSettings {
        files: files.iter().map(|file| super::path(base, Path::new(&file.value))).collect(),
        built_in: table.map_or(defaults::BUILT_IN_RULES, |table| table.built_in.value),
        without: without.iter().map(|name| name.value.clone()).collect(),
        every: table.map_or(defaults::RULES_EVERY, |table| table.every.value),
        external_url: raw.external_url.value.clone(),
    }
}

fn remote_writes(
    items: &[Item<OneOf<HttpEndpoint, RawRemoteWrite>>],
    base: &Path,
    reader: &mut Reader<'_>,
) -> Vec<RemoteWrite> {
    let mut stores = Vec::with_capacity(items.len());
    let mut names: BTreeMap<String, &Where> = BTreeMap::new();
    for item in items {
        let (store, at) = match &item.value {
            OneOf::First(endpoint) => (Some(plain_remote_write(endpoint)), &item.at),
            OneOf::Second(table) => {
                let at = if table.name.is_present() { &table.name.at } else { &table.url.at };
                (remote_write(table, base, reader), at)
            }
        };
        let Some(store) = store else { continue };
        let remedy = "remove one, or give it a name of its own: { url = \"…\", name = \"…\" }";
        refuse_same_name("stores", &store.name, at, &mut names, remedy, reader);
        stores.push(store);
    }
    stores
}

fn plain_remote_write(endpoint: &HttpEndpoint) -> RemoteWrite {
    RemoteWrite {
        name: host_and_port(&endpoint.url),
        endpoint: endpoint.clone(),
        timeout: defaults::REMOTE_WRITE_TIMEOUT,
        queue_samples: defaults::REMOTE_WRITE_QUEUE,
        relabel: Vec::new(),
    }
}

fn remote_write(raw: &RawRemoteWrite, base: &Path, reader: &mut Reader<'_>) -> Option<RemoteWrite> {
    let RawRemoteWrite { url, basic, bearer, headers, ca, insecure, name, timeout, queue, relabel } =
        raw;
    let entrance = Entrance::new(basic, bearer, headers, (ca, insecure), base, reader);
    let relabel = label::rules(&relabel.value, reader);
    let endpoint = entrance.to(url.value.as_ref()?, &url.at, reader);
    Some(RemoteWrite {
        name: name.value.clone().unwrap_or_else(|| host_and_port(&endpoint.url)),
        endpoint,
        timeout: timeout.value,
        queue_samples: queue.value,
        relabel,
    })
}

/// Notes that two of `what` have the same name.
fn refuse_same_name<'a>(
    what: &str,
    name: &str,
    at: &'a Where,
    names: &mut BTreeMap<String, &'a Where>,
    remedy: &str,
    reader: &mut Reader<'_>,
) {
    if let Some(first) = names.get(name) {
        reader.refuse_with(at, |reader| {
            ConfigError::new(&at.key, format!("two {what} are named `{name}`"))
                .found(reader.shown(at))
                .note(format!("the other is in {}", reader.line(first)))
                .remedy(remedy)
        });
    } else {
        names.insert(name.to_owned(), at);
    }
}

/// Notes a `timeout` beyond its interval.
fn refuse_long_timeout(
    timeout: std::time::Duration,
    every: std::time::Duration,
    at: &Where,
    reader: &mut Reader<'_>,
) {
    if timeout <= every {
        return;
    }
    let (every, timeout) = (show_duration(every), show_duration(timeout));
    let error = ConfigError::new(&at.key, "one look may take longer than the interval")
        .found(format!("timeout {timeout}, every {every}"))
        .allowed("`timeout` up to `every`")
        .remedy(format!("write timeout = \"{every}\" or less, or raise `every`"));
    reader.refuse(at, error);
}
