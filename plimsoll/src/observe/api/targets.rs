//! Targets of scraping and what they say of metrics.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use tsdb::labels::Labels;

use super::App;
use super::answer::{self, LabelsObject, Wanted};
use super::failure::Failure;
use super::parameters::Parameters;
use crate::observe::query::matchers;
use crate::observe::views::{MetadataView, TargetHealth, TargetView};

/// Go's time of nothing yet.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Targets<'a> {
    active_targets: Vec<Active<'a>>,
    dropped_targets: Vec<Dropped<'a>>,
    /// By scrape pool; only told where all are asked for.
    dropped_target_counts: Option<BTreeMap<&'a str, usize>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Active<'a> {
    discovered_labels: LabelsObject<'a>,
    labels: LabelsObject<'a>,
    scrape_pool: &'a str,
    scrape_url: &'a str,
    global_url: &'a str,
    last_error: &'a str,
    last_scrape: String,
    last_scrape_duration: f64,
    /// Of Plimsoll's own; clients of Prometheus pass over it.
    last_scrape_samples: u64,
    health: &'static str,
    scrape_interval: String,
    scrape_timeout: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped<'a> {
    discovered_labels: LabelsObject<'a>,
    scrape_pool: &'a str,
}

/// `/api/v1/targets`
pub(super) async fn targets(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    answer::beside(move || Ok(listed(wanted, &parameters, &(shared.parts.targets)()))).await
}

fn listed(wanted: Wanted, parameters: &Parameters, all: &[TargetView]) -> Response {
    let (state, pool) = (parameters.first("state").to_lowercase(), parameters.first("scrapePool"));
    let is_all = state.is_empty() || state == "any";
    let (wants_active, wants_dropped) = (is_all || state == "active", is_all || state == "dropped");
    let (dropped, active): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|target| pool.is_empty() || target.job == pool)
        .partition(|target| target.health == TargetHealth::Dropped);
    let mut counts = BTreeMap::new();
    dropped.iter().for_each(|target| *counts.entry(&*target.job).or_default() += 1);
    let dropped_targets = dropped.iter().map(|target| Dropped {
        discovered_labels: LabelsObject(&target.discovered),
        scrape_pool: &target.job,
    });
    let found = Targets {
        active_targets: active.iter().filter(|_| wants_active).map(|one| of(one)).collect(),
        dropped_targets: dropped_targets.filter(|_| wants_dropped).collect(),
        dropped_target_counts: wants_dropped.then_some(counts),
    };
    answer::of(wanted, found)
}

fn of(target: &TargetView) -> Active<'_> {
    Active {
        discovered_labels: LabelsObject(&target.discovered),
        labels: LabelsObject(&target.labels),
        scrape_pool: &target.job,
        scrape_url: &target.url,
        global_url: &target.url,
        last_error: target.last_error.as_deref().unwrap_or_default(),
        last_scrape: time(target.last_at),
        last_scrape_duration: target.last_took.as_secs_f64(),
        last_scrape_samples: target.last_samples,
        health: match target.health {
            TargetHealth::Up => "up",
            TargetHealth::Down => "down",
            TargetHealth::Unknown | TargetHealth::WithoutMetrics | TargetHealth::Dropped => {
                "unknown"
            }
        },
        scrape_interval: duration(target.every),
        scrape_timeout: duration(target.timeout),
    }
}

/// A time as Go's JSON has it.
pub(super) fn time(milliseconds: Option<i64>) -> String {
    let time = milliseconds.and_then(|time| Timestamp::from_millisecond(time).ok());
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_string())
}

/// A duration as Prometheus writes it: `1h30m`, `250ms`.
pub(super) fn duration(duration: std::time::Duration) -> String {
    const UNITS: [(&str, u128); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        if rest >= milliseconds {
            text.push_str(&format!("{}{unit}", rest / milliseconds));
            rest %= milliseconds;
        }
    }
    text
}

/// `/api/v1/scrape_pools`
pub(super) async fn pools(State(shared): App, wanted: Wanted) -> Result<Response, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Pools {
        scrape_pools: Vec<String>,
    }
    answer::beside(move || {
        let mut scrape_pools: Vec<_> =
            (shared.parts.targets)().into_iter().map(|target| target.job).collect();
        scrape_pools.sort();
        scrape_pools.dedup();
        Ok(answer::of(wanted, Pools { scrape_pools }))
    })
    .await
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<LabelsObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    help: &'a str,
    unit: &'a str,
}

impl<'a> Metadata<'a> {
    fn of(view: &'a MetadataView) -> Self {
        let (kind, help, unit) = (view.kind.as_str(), &*view.help, &*view.unit);
        Self { target: None, metric: None, kind, help, unit }
    }
}

/// A number that is without bound if it is absent or negative.
fn bound(parameters: &Parameters, name: &str) -> Result<usize, Failure> {
    match parameters.first(name) {
        "" => Ok(usize::MAX),
        text => {
            let number: i64 =
                text.parse().map_err(|_| Failure::bad(format!("{name} must be a number")))?;
            Ok(usize::try_from(number).unwrap_or(usize::MAX))
        }
    }
}

/// `/api/v1/metadata`: what targets say of each metric, each text once.
pub(super) async fn metadata(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    answer::beside(move || families(wanted, &parameters, &(shared.parts.metadata)())).await
}

fn families(
    wanted: Wanted,
    parameters: &Parameters,
    all: &[MetadataView],
) -> Result<Response, Failure> {
    let (most, most_each) = (bound(parameters, "limit")?, bound(parameters, "limit_per_metric")?);
    // Here the bound of nothing is none.
    let most_each = if most_each == 0 { usize::MAX } else { most_each };
    let metric = parameters.first("metric");
    let mut families: BTreeMap<&str, Vec<&MetadataView>> = BTreeMap::new();
    for view in all.iter().filter(|view| metric.is_empty() || view.family == metric) {
        let told = families.entry(&view.family).or_default();
        let is_new = told.iter().all(|known| {
            (known.kind, &known.help, &known.unit) != (view.kind, &view.help, &view.unit)
        });
        if is_new && told.len() < most_each {
            told.push(view);
        }
    }
    let found: BTreeMap<_, Vec<_>> = families
        .into_iter()
        .take(most)
        .map(|(family, told)| (family, told.into_iter().map(Metadata::of).collect()))
        .collect();
    Ok(answer::of(wanted, found))
}

/// `/api/v1/targets/metadata`: what each target says.
pub(super) async fn of_targets(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    answer::beside(move || said(wanted, &parameters, &(shared.parts.metadata)())).await
}

fn said(
    wanted: Wanted,
    parameters: &Parameters,
    all: &[MetadataView],
) -> Result<Response, Failure> {
    let (most, metric) = (bound(parameters, "limit")?, parameters.first("metric"));
    let chosen = match parameters.first("match_target") {
        "" => Vec::new(),
        text => {
            matchers(text).map_err(|error| Failure::of_evaluation("match_target", text, &error))?
        }
    };
    let fits = |labels: &Labels| chosen.iter().all(|matcher| matcher.accepts_labels(labels));
    let found: Vec<_> = all
        .iter()
        .filter(|view| (metric.is_empty() || view.family == metric) && fits(&view.target))
        .take(most)
        .map(|view| Metadata {
            target: Some(LabelsObject(&view.target)),
            metric: metric.is_empty().then_some(&view.family),
            ..Metadata::of(view)
        })
        .collect();
    Ok(answer::of(wanted, found))
}
