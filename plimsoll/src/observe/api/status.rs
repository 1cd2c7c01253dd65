//! What is asked about the program itself: versions, settings, figures of the store.

use std::collections::BTreeMap;
use std::thread::available_parallelism;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tsdb::store::Offender;

use super::answer::{self, Wanted};
use super::failure::Failure;
use super::parameters::Parameters;
use super::targets::duration;
use super::{App, SPOKEN_VERSION};
use crate::config::model::observe::Observe;

/// Entries of each list in `/status/tsdb`, if nothing else is said.
const OFFENDERS: usize = 10;
/// Most of them.
const OFFENDERS_MAX: usize = 10_000;

/// `/api/v1/status/buildinfo`: Grafana decides by the version what it may ask.
pub(super) async fn build(wanted: Wanted) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Build {
        application: &'static str,
        version: &'static str,
        revision: &'static str,
        branch: &'static str,
        build_user: &'static str,
        build_date: &'static str,
        go_version: &'static str,
    }
    let build = Build {
        application: "Plimsoll",
        version: SPOKEN_VERSION,
        revision: concat!("plimsoll ", env!("CARGO_PKG_VERSION")),
        branch: "",
        build_user: "",
        build_date: "",
        go_version: "",
    };
    answer::of(wanted, build)
}

/// `/api/v1/status/runtimeinfo`
pub(super) async fn runtime(State(shared): App, wanted: Wanted) -> Response {
    #[derive(Serialize)]
    struct Runtime {
        #[serde(rename = "startTime")]
        start_time: String,
        #[serde(rename = "CWD")]
        folder: String,
        #[serde(rename = "serverTime")]
        server_time: String,
        #[serde(rename = "reloadConfigSuccess")]
        is_reloaded: bool,
        #[serde(rename = "lastConfigTime")]
        configured_at: String,
        #[serde(rename = "corruptionCount")]
        corruptions: u64,
        #[serde(rename = "goroutineCount")]
        threads: usize,
        #[serde(rename = "GOMAXPROCS")]
        cores: usize,
        #[serde(rename = "GOGC")]
        gc: &'static str,
        #[serde(rename = "GODEBUG")]
        debug: &'static str,
        #[serde(rename = "storageRetention")]
        retention: String,
    }
    let settings = (shared.parts.settings)();
    let folder = std::env::current_dir().unwrap_or_default();
    let configuration = (shared.parts.configuration)();
    let runtime = Runtime {
        folder: folder.display().to_string(),
        server_time: jiff::Timestamp::now().to_string(),
        is_reloaded: configuration.is_current,
        configured_at: configuration.loaded_at.to_string(),
        start_time: shared.parts.started_at.to_string(),
        corruptions: 0,
        threads: std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
        cores: available_parallelism().map_or(1, usize::from),
        gc: "",
        debug: "",
        retention: format!("{} or {}B", duration(settings.retention), settings.bytes_max),
    };
    answer::of(wanted, runtime)
}

/// `/api/v1/status/flags`: the settings, by the names of Prometheus' flags.
pub(super) async fn flags(State(shared): App, wanted: Wanted) -> Response {
    let settings = (shared.parts.settings)();
    let query = shared.parts.engine.bounds();
    let store = shared.parts.storage.store();
    let flags = BTreeMap::from([
        ("query.lookback-delta", duration(query.lookback)),
        ("query.max-concurrency", query.concurrency.to_string()),
        ("query.max-samples", query.samples_max.to_string()),
        ("query.timeout", duration(query.timeout)),
        ("storage.tsdb.path", store.folder().display().to_string()),
        ("storage.tsdb.retention.size", format!("{}B", settings.bytes_max)),
        ("storage.tsdb.retention.time", duration(settings.retention)),
        ("web.enable-admin-api", "false".to_owned()),
        ("web.enable-lifecycle", "false".to_owned()),
        ("web.enable-remote-write-receiver", settings.remote_write_receiver.to_string()),
    ]);
    answer::of(wanted, flags)
}

/// `/api/v1/status/config`: what of Plimsoll's settings Prometheus' file could say.
pub(super) async fn config(State(shared): App, wanted: Wanted) -> Response {
    #[derive(Serialize)]
    struct Config {
        yaml: String,
    }
    answer::of(wanted, Config { yaml: yaml(&(shared.parts.settings)()) })
}

fn yaml(settings: &Observe) -> String {
    // A text in JSON is one in YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = format!(
        "# Plimsoll is configured by its own file; this is what of it is a Prometheus' too.\nglobal:\n  \
         scrape_interval: {}\n  scrape_timeout: {}\n  evaluation_interval: {}\n",
        duration(settings.scrape.every),
        duration(settings.scrape.timeout),
        duration(settings.rules.every)
    );
    if !settings.external_labels.is_empty() {
        out.push_str("  external_labels:\n");
        for (name, value) in &settings.external_labels {
            out.push_str(&format!("    {}: {}\n", quoted(name), quoted(value)));
        }
    }
    if !settings.rules.files.is_empty() {
        out.push_str("rule_files:\n");
        for file in &settings.rules.files {
            out.push_str(&format!("- {}\n", quoted(&file.display().to_string())));
        }
    }
    if !settings.jobs.is_empty() {
        out.push_str("scrape_configs:\n");
        for job in &settings.jobs {
            out.push_str(&format!(
                "- job_name: {}\n  scrape_interval: {}\n  scrape_timeout: {}\n",
                quoted(&job.name),
                duration(job.every),
                duration(job.timeout)
            ));
        }
    }
    out
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    head_stats: Head,
    series_count_by_metric_name: Vec<Count>,
    label_value_count_by_label_name: Vec<Count>,
    memory_in_bytes_by_label_name: [Count; 0],
    series_count_by_label_value_pair: [Count; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    num_series: usize,
    num_label_pairs: usize,
    chunk_count: u64,
    min_time: i64,
    max_time: i64,
}

#[derive(Serialize)]
struct Count {
    name: String,
    value: usize,
}

/// `/api/v1/status/tsdb`
pub(super) async fn store(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    let most = match parameters.first("limit") {
        "" => OFFENDERS,
        text => match text.parse() {
            Ok(most) if most > 0 => OFFENDERS_MAX.min(most),
            _ => return Err(Failure::bad("limit must be a positive number")),
        },
    };
    let store = shared.parts.storage.store().clone();
    // It counts all series under a lock of the index.
    let looked =
        tokio::task::spawn_blocking(move || (store.statistics(), store.offenders(usize::MAX)));
    let (statistics, offenders) = looked
        .await
        .map_err(|error| Failure::internal(format!("the store was not looked at: {error}")))?;
    let counts = |offenders: Vec<Offender>| {
        let worst = offenders.into_iter().take(most);
        worst.map(|Offender { count, name }| Count { name, value: count }).collect()
    };
    let names = offenders.metrics.len();
    let pairs: usize = offenders.labels.iter().map(|label| label.count).sum();
    Ok(answer::of(
        wanted,
        Store {
            head_stats: Head {
                num_series: statistics.series_young,
                num_label_pairs: names + pairs,
                chunk_count: statistics.chunks_in_blocks,
                min_time: statistics.oldest.unwrap_or(i64::MAX),
                max_time: statistics.newest.unwrap_or(i64::MIN),
            },
            series_count_by_metric_name: counts(offenders.metrics),
            label_value_count_by_label_name: counts(offenders.labels),
            memory_in_bytes_by_label_name: [],
            series_count_by_label_value_pair: [],
        },
    ))
}

/// `/api/v1/status/walreplay`: what the log had was read before anything is answered.
pub(super) async fn replay(wanted: Wanted) -> Response {
    #[derive(Serialize)]
    struct Replay {
        min: u64,
        max: u64,
        current: u64,
    }
    answer::of(wanted, Replay { min: 0, max: 0, current: 0 })
}

/// The base itself: what asks it wants to know whether this is the place, as clients do before they
/// ask more.
pub async fn base() -> &'static str {
    "Plimsoll's Prometheus API. The address of this page is what Grafana takes as the URL of a \
     Prometheus data source; queries are at api/v1/query below it.\n"
}

/// `/-/healthy`
pub(super) async fn healthy() -> &'static str {
    "Plimsoll's Prometheus API is healthy.\n"
}

/// `/-/ready`: it is mounted when the store is open.
pub(super) async fn ready() -> &'static str {
    "Plimsoll's Prometheus API is ready.\n"
}
