//! `--find-limit`: runs the same plan at one rate after the other.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::measure::Run;
use super::outputs::Outputs;
use super::{INTERRUPTED, print, refuse};
use crate::config::bench::model::{Arrivals, Load, Open, Plan, Spacing, Stage};
use crate::load::engine::RunError;
use crate::load::limit::objective::Objective;
use crate::load::limit::planner::{Probe, Settings};
use crate::load::limit::run::search;
use crate::load::limit::verdict::Outcome;
use crate::load::results::{Ended, Results};
use crate::load::warnings::{self, WarningKind};

/// Between two looks whether a person ended the search.
const LOOK: Duration = Duration::from_millis(50);
/// A probe is warmed up, after a pause, for this part of its length each…
const WARM_UP_SHARE: u32 = 4;
/// …and the rate found is confirmed for this many times its length.
const CONFIRMATION: u32 = 4;
/// One rate is tried for this many times its length at most.
const LONGEST: u32 = 8;
/// All probes together take this many times its length at most, and no less than by default.
const SEARCH: u32 = 150;

/// Most requests under way at once, as for any run with a rate.
const IN_FLIGHT_MAX: usize = 4096;
/// The tester is the limit where its own lag, at this quantile…
const LAG_QUANTILE: f64 = 0.99;
/// …exceeds this part of the strictest bound on response times.
const LAG_PART: u32 = 10;

/// The search that `--for` asks for: it says how long each probe counts.
fn settings(probe: Option<Duration>) -> Settings {
    let settings = Settings::default();
    let Some(probe) = probe else { return settings };
    Settings {
        warm_up: settings.warm_up.min(probe / WARM_UP_SHARE),
        pause: settings.pause.min(probe / WARM_UP_SHARE),
        confirmation: probe * CONFIRMATION,
        longest: probe * LONGEST,
        time_max: settings.time_max.max(probe * SEARCH),
        probe,
        ..settings
    }
}

/// Searches the limit of a plan. `probe` is how long each rate is measured.
pub(super) fn run(
    plan: &Plan,
    slo: &str,
    probe: Option<Duration>,
    run: &mut Run,
    outputs: &Outputs,
) -> ExitCode {
    let objective = match Objective::parse(slo) {
        Ok(objective) => objective,
        Err(error) => return refuse(format_args!("error: --slo: {error}")),
    };
    if plan.groups.len() != 1 {
        return refuse(
            "error: --find-limit: the plan has several groups, so that it has no single rate; \
             leave one of them",
        );
    }
    let mut say = run.say();
    let stopped = run.stopped();
    let found = search(
        &objective,
        settings(probe),
        &mut |pause| wait(pause, &stopped),
        &mut |probe| run.once(&at_rate(plan, probe)).map(|results| outcome(&results, &objective)),
        &mut say,
    );
    let found = match found {
        Ok(found) => found,
        Err(RunError::Stopped) => return ExitCode::from(INTERRUPTED),
        Err(error) => return refuse(format_args!("error: {error}")),
    };
    if !outputs.takes_standard_output() {
        let code = print(found.text());
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    if let Err(problem) = outputs.write_json(&format!("{:#}\n", found.json())) {
        return refuse(problem);
    }
    match () {
        () if stopped() => ExitCode::from(INTERRUPTED),
        () if found.found.rate.is_none() => ExitCode::FAILURE,
        () => ExitCode::SUCCESS,
    }
}

/// Waits, unless a person ends the search.
fn wait(pause: Duration, is_stopped: &dyn Fn() -> bool) {
    let end = Instant::now() + pause;
    while !is_stopped() && Instant::now() < end {
        std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
    }
}

/// The plan at a constant rate.
fn at_rate(plan: &Plan, probe: &Probe) -> Plan {
    let mut plan = plan.clone();
    let stage = Stage { from: probe.rate, to: probe.rate, lasting: probe.duration() };
    for group in &mut plan.groups {
        let (spacing, in_flight_max) = match &group.load {
            Load::Open(Open { arrivals: Arrivals::Scheduled { spacing, .. }, in_flight_max }) => {
                (*spacing, *in_flight_max)
            }
            Load::Open(open) => (Spacing::Even, open.in_flight_max),
            Load::Closed(_) => (Spacing::Even, IN_FLIGHT_MAX),
        };
        let arrivals = Arrivals::Scheduled { stages: vec![stage], spacing };
        group.load = Load::Open(Open { arrivals, in_flight_max });
    }
    plan
}

/// What a probe gave.
fn outcome(results: &Results, objective: &Objective) -> Outcome {
    // Late arrivals count in response times; a little of that decides nothing.
    let bound = objective.latencies.iter().map(|bound| bound.within).min();
    let lag = results.tester.scheduling_lag.quantile(LAG_QUANTILE);
    let is_late = bound.is_some_and(|bound| lag > bound / LAG_PART);
    let limit = warnings::warnings(results)
        .into_iter()
        .find(|warning| {
            let of_lag = warning.kind == WarningKind::SchedulingLag;
            warning.kind.is_of_the_tester() && (!of_lag || is_late)
        })
        .map(|warning| warning.text);
    Outcome {
        timeline: results.timeline.clone(),
        tester_limit: limit,
        interrupted: results.run.ended == Ended::Interrupted,
    }
}
