//! What `--find-limit --json` writes: the form, and the JSON Schema made of it.
//!
//! Rates are arrivals a second, times seconds, shares parts of one. `rates` is what the search went
//! by, `probes` how it came to it. Invariant: the form says its name and version, for it is not that
//! of results: nothing can be compared or joined here.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::objective::Objective;
use super::planner::{Above, Cut, Standing};
use super::run::{Made, Search};
use super::verdict::{Judgement, Word};

/// The name of the form.
pub const FORMAT: &str = "plimsoll-bench-limit";
/// The version of the form.
const VERSION: u32 = 1;

/// The highest rate that keeps an objective, as `plimsoll bench --find-limit --json` writes it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Limit found by plimsoll bench")]
pub(super) struct Document {
    /// Says what file this is.
    #[schemars(extend("const" = FORMAT))]
    format: &'static str,
    /// The version of this form. Others differ in their fields.
    #[schemars(extend("const" = VERSION))]
    version: u32,
    /// What had to hold.
    objective: ObjectiveDocument,
    /// The highest rate that holds; null if none does.
    rate: Option<f64>,
    /// The lowest rate above it that does not; null if none was met.
    rate_above: Option<f64>,
    /// What ends the rates that hold.
    limited_by: LimitedBy,
    /// What was measured at `rate_above`, or why the tester was the limit; null if neither.
    because: Option<String>,
    /// Whether `rate` held for the longer time of a confirmation.
    confirmed: bool,
    /// Whether `rate` holds by no more than chance.
    close: bool,
    /// Whether `rate_above` breaks by no more than chance.
    above_close: bool,
    /// Why the search ended early; null if it did not.
    ended_early: Option<EndedEarly>,
    /// What is known of each rate, the lowest first: all its probes that count, together.
    rates: Vec<RateDocument>,
    /// Each probe by itself, in the order in which they were made.
    probes: Vec<ProbeDocument>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ObjectiveDocument {
    /// Bounds of response times in seconds, by percentile: `p99`.
    latency: BTreeMap<String, f64>,
    /// The share of requests that may fail.
    errors: f64,
}

/// What ends the rates that hold.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LimitedBy {
    /// The objective broke at `rate_above`.
    Objective,
    /// The tester itself was the limit at `rate_above`.
    Tester,
    /// `rate` is the highest that is tried.
    Bound,
    /// Nothing above `rate` was tried to its end.
    Unknown,
}

/// Why a search ended early.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EndedEarly {
    /// It was told to stop.
    Interrupted,
    /// As many probes were made as may be.
    Probes,
    /// The next probe would have taken longer than the search may.
    Time,
}

/// What was measured.
#[derive(Debug, Serialize, JsonSchema)]
struct Measured {
    /// What that says of the objective; `seems_to_…` where it could be chance.
    verdict: Word,
    /// What decided it.
    because: String,
    /// Response times in seconds at the percentiles of the objective.
    latency: BTreeMap<String, f64>,
    /// The share of requests that failed.
    errors: f64,
    /// Arrivals that were due in `seconds`: about the rate times that.
    arrivals: u64,
    /// Requests that ended in `seconds`, and after it those that were still under way. More than
    /// `arrivals` where requests had piled up in the warm-up, or an arrival makes several.
    requests: u64,
}

/// What is known of a rate.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct RateDocument {
    /// Arrivals a second.
    rate: f64,
    /// The time that counts, without warm-ups.
    seconds: f64,
    /// Probes at this rate, those included that do not count.
    probes: usize,
    #[serde(flatten)]
    measured: Measured,
}

/// A probe by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct ProbeDocument {
    /// Arrivals a second.
    rate: f64,
    /// The time that counts, without the warm-up.
    seconds: f64,
    /// Whether it counts in `rates`; a longer probe of the same rate may stand in its place.
    counts: bool,
    /// Why it was made.
    reason: String,
    #[serde(flatten)]
    measured: Measured,
}

impl Document {
    pub(super) fn of(search: &Search) -> Self {
        let Search { objective, found, rates, probes } = search;
        let (rate_above, limited_by, because) = match &found.above {
            Above::Broke(rate, why) => (Some(*rate), LimitedBy::Objective, Some(why.clone())),
            Above::Tester(rate, why) => (Some(*rate), LimitedBy::Tester, Some(why.clone())),
            Above::Bound(_) => (None, LimitedBy::Bound, None),
            Above::Unknown => (None, LimitedBy::Unknown, None),
        };
        Self {
            format: FORMAT,
            version: VERSION,
            objective: ObjectiveDocument {
                latency: by_name(objective, objective.latencies.iter().map(|bound| bound.within)),
                errors: objective.errors,
            },
            rate: found.rate,
            rate_above,
            limited_by,
            because,
            confirmed: found.confirmed,
            close: found.close,
            above_close: found.above_close,
            ended_early: found.cut.map(|cut| match cut {
                Cut::Interrupted => EndedEarly::Interrupted,
                Cut::Probes => EndedEarly::Probes,
                Cut::Time => EndedEarly::Time,
            }),
            rates: rates.iter().map(|standing| RateDocument::of(objective, standing)).collect(),
            probes: (probes.iter().enumerate())
                .map(|(place, made)| ProbeDocument::of(objective, made, &probes[place + 1..]))
                .collect(),
        }
    }
}

impl RateDocument {
    fn of(objective: &Objective, standing: &Standing) -> Self {
        Self {
            rate: standing.rate,
            seconds: standing.measured.as_secs_f64(),
            probes: standing.probes,
            measured: Measured::of(objective, &standing.judgement, standing.tester_limit()),
        }
    }
}

impl ProbeDocument {
    /// `later` are the probes after it.
    fn of(objective: &Objective, made: &Made, later: &[Made]) -> Self {
        let Made { probe, judgement, tester_limit } = made;
        let replaces = |other: &Made| other.probe.rate == probe.rate && other.probe.fresh;
        Self {
            rate: probe.rate,
            seconds: probe.measured.as_secs_f64(),
            counts: !later.iter().any(replaces),
            reason: probe.reason.clone(),
            measured: Measured::of(objective, judgement, tester_limit.as_deref()),
        }
    }
}

impl Measured {
    fn of(objective: &Objective, judgement: &Judgement, tester_limit: Option<&str>) -> Self {
        Self {
            verdict: Word::of(judgement, tester_limit.is_some()),
            because: tester_limit.unwrap_or(&judgement.because).to_owned(),
            latency: by_name(objective, judgement.quantiles.iter().copied()),
            errors: judgement.errors,
            arrivals: judgement.arrivals,
            requests: judgement.requests,
        }
    }
}

fn by_name(objective: &Objective, times: impl Iterator<Item = Duration>) -> BTreeMap<String, f64> {
    let names = objective.latencies.iter().map(super::objective::LatencyBound::name);
    names.zip(times.map(|time| time.as_secs_f64())).collect()
}

/// The JSON Schema (2020-12) of what a search writes.
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Document>().to_value()
}
