//! `--find-limit`: runs the same plan at one rate after the other.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::measure::Run;
use super::outputs::Outputs;
use super::{INTERRUPTED, refuse};
use crate::cli::arguments::bench::BenchArguments;
use crate::cli::prepare::print;
use crate::config::bench::IN_FLIGHT_MAX;
use crate::config::bench::model::{Arrivals, Load, Open, Plan, Spacing, Stage};
use crate::load::engine::RunError;
use crate::load::figures::{count, duration, plural};
use crate::load::limit::objective::Objective;
use crate::load::limit::planner::{Probe, Settings};
use crate::load::limit::run::search;
use crate::load::limit::verdict::Outcome;
use crate::load::progress::Progress;
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

/// The tester is the limit where its own lag, at this quantile…
const LAG_QUANTILE: f64 = 0.99;
/// …exceeds this part of the strictest bound on response times.
const LAG_PART: u32 = 10;

/// While a probe runs a line tells how it is doing, this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Whole seconds: figures are kept by the second, and what is of the warm-up must not count.
fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs_f64().round() as u64)
}

/// `  5 s of 10 s: 1 600 requests ended, 3 under way`, if it is time for it; the end has none, for
/// it is told with the verdict. `told` is how many times [`LINE_EVERY`] had passed at the last.
fn line(progress: &Progress, told: &mut u64) -> Option<String> {
    let planned = progress.planned.filter(|planned| progress.elapsed < *planned)?;
    let seconds = progress.elapsed.as_secs();
    let passed = seconds / LINE_EVERY.as_secs();
    if passed <= *told {
        return None;
    }
    *told = passed;
    Some(format!(
        "  {} of {}: {} ended, {} under way",
        duration(Duration::from_secs(seconds)),
        duration(planned),
        plural(progress.total_requests, "request"),
        count(progress.second.in_flight),
    ))
}

/// The search that `--for` asks for: it says how long each probe counts.
fn settings(probe: Option<Duration>) -> Settings {
    let settings = Settings::default();
    let Some(probe) = probe else { return settings };
    Settings {
        warm_up: settings.warm_up.min(whole(probe / WARM_UP_SHARE)),
        pause: settings.pause.min(probe / WARM_UP_SHARE),
        confirmation: probe * CONFIRMATION,
        longest: probe * LONGEST,
        time_max: settings.time_max.max(probe * SEARCH),
        probe,
        ..settings
    }
}

/// What is searched, and how.
pub(super) struct Search {
    objective: Objective,
    /// How long each rate is measured, if that was said.
    probe: Option<Duration>,
    /// Most requests under way at once, where the plan has no rate of its own.
    in_flight_max: usize,
}

impl Search {
    /// The search that the arguments ask for, if they do. `probe` is how long each rate is measured.
    ///
    /// # Errors
    /// In words: the objective, or what of the plan does not go with a search.
    pub(super) fn new(
        arguments: &BenchArguments,
        plan: &Plan,
        probe: Option<Duration>,
    ) -> Result<Option<Self>, String> {
        let slo = arguments.verdict.slo.as_ref().filter(|_| arguments.verdict.find_limit);
        let Some(slo) = slo else { return Ok(None) };
        let objective = Objective::parse(slo).map_err(|error| format!("error: --slo: {error}"))?;
        if plan.groups.len() != 1 {
            return Err(
                "error: --find-limit: the plan has several groups, so that it has no single \
                        rate; leave one of them"
                    .to_owned(),
            );
        }
        let in_flight_max = match &arguments.load.connections {
            None => IN_FLIGHT_MAX,
            Some(text) => text.trim().parse().map_err(|_| {
                format!(
                    "error: --connections: beside --find-limit this is the most requests at once; \
                     write a number instead of {text}"
                )
            })?,
        };
        Ok(Some(Self { objective, probe, in_flight_max }))
    }
}

/// Searches the limit of a plan.
pub(super) fn run(plan: &Plan, searched: &Search, run: &mut Run, outputs: &Outputs) -> ExitCode {
    let Search { objective, probe, in_flight_max } = searched;
    let mut say = run.say();
    let tell = run.say();
    let stopped = run.stopped();
    let found = search(
        objective,
        settings(*probe),
        &mut |pause| wait(pause, &stopped),
        &mut |probe| {
            let plan = at_rate(plan, probe, *in_flight_max);
            let mut told = 0;
            let results = run.watched(&plan, &mut |progress| {
                if let Some(line) = line(progress, &mut told) {
                    tell(&line);
                }
            })?;
            Ok(outcome(&results, objective))
        },
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
fn at_rate(plan: &Plan, probe: &Probe, in_flight_max: usize) -> Plan {
    let mut plan = plan.clone();
    let stage = Stage { from: probe.rate, to: probe.rate, lasting: probe.duration() };
    for group in &mut plan.groups {
        let (spacing, at_once) = match &group.load {
            Load::Open(Open { arrivals: Arrivals::Scheduled { spacing, .. }, in_flight_max }) => {
                (*spacing, *in_flight_max)
            }
            Load::Open(open) => (Spacing::Even, open.in_flight_max),
            Load::Closed(_) => (Spacing::Even, in_flight_max),
        };
        let arrivals = Arrivals::Scheduled { stages: vec![stage], spacing };
        group.load = Load::Open(Open { arrivals, in_flight_max: at_once });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::bench::{LoadArguments, VerdictArguments};
    use crate::config::bench::{BenchOptions, from_options};
    use crate::load::timeline::Bucket;

    fn plan(rate: Option<&str>) -> Plan {
        let options = BenchOptions {
            urls: vec!["http://a/".to_owned()],
            rate: rate.map(str::to_owned),
            ..BenchOptions::default()
        };
        from_options(&options).unwrap().plan
    }

    fn search(slo: &str, connections: Option<&str>, plan: &Plan) -> Result<Option<Search>, String> {
        let arguments = BenchArguments {
            verdict: VerdictArguments {
                find_limit: true,
                slo: Some(slo.to_owned()),
                ..VerdictArguments::default()
            },
            load: LoadArguments {
                connections: connections.map(str::to_owned),
                ..LoadArguments::default()
            },
            ..BenchArguments::default()
        };
        Search::new(&arguments, plan, None)
    }

    #[test]
    fn a_search_is_looked_at_before_anything_is_asked() {
        let said = |slo, connections, plan: &Plan| search(slo, connections, plan).err().unwrap();
        assert!(said("p99", None, &plan(None)).starts_with("error: --slo:"));
        assert!(said("p99=1s", Some("1/1s"), &plan(None)).contains("--connections"));
        let mut several = plan(None);
        several.groups.push(several.groups[0].clone());
        assert!(said("p99=1s", None, &several).contains("several groups"));
        let none = Search::new(&BenchArguments::default(), &several, None);
        assert!(none.is_ok_and(|search| search.is_none()));
    }

    #[test]
    fn the_warm_up_of_a_probe_ends_with_a_second() {
        // Else the requests of a warm-up of 250 ms would count with those of the second it is in.
        for (probe, warm_up) in [(1.0, 0), (3.0, 1), (4.5, 1), (8.0, 2), (60.0, 2)] {
            let settings = settings(Some(Duration::from_secs_f64(probe)));
            assert_eq!(settings.warm_up, Duration::from_secs(warm_up), "{probe}");
        }
        assert_eq!(settings(None), Settings::default());
    }

    #[test]
    fn a_probe_tells_how_it_is_doing() {
        let progress = |elapsed, planned: Option<u64>| Progress {
            elapsed: Duration::from_millis(elapsed),
            planned: planned.map(Duration::from_secs),
            second: Bucket { in_flight: 3, ..Bucket::default() },
            total_requests: 1600,
            total_errors: 0,
            failures: std::collections::BTreeMap::new(),
            response_time: crate::load::tally::Latencies::default(),
            target_rate: None,
            lag: Duration::ZERO,
            stopping: false,
        };
        let mut told = 0;
        let mut line = |elapsed, planned| line(&progress(elapsed, planned), &mut told);
        assert_eq!(line(4003, Some(10)), None);
        assert_eq!(
            line(5003, Some(10)).unwrap(),
            "  5 s of 10 s: 1 600 requests ended, 3 under way"
        );
        for (elapsed, planned) in [(5990, Some(10)), (10_003, Some(10)), (10_003, None)] {
            assert_eq!(line(elapsed, planned), None);
        }
        assert!(line(10_990, Some(32)).unwrap().starts_with("  10 s of 32 s: "));
    }

    #[test]
    fn connections_bound_what_is_under_way() {
        let probe = Probe {
            rate: 5.0,
            pause: Duration::ZERO,
            warm_up: Duration::ZERO,
            measured: Duration::from_secs(1),
            reason: String::new(),
            fresh: false,
        };
        let at_once = |rate: Option<&str>, connections: Option<&str>| {
            let plan = plan(rate);
            let search = search("p99=1s", connections, &plan).unwrap().unwrap();
            match at_rate(&plan, &probe, search.in_flight_max).groups.remove(0).load {
                Load::Open(open) => open.in_flight_max,
                Load::Closed(_) => panic!("a rate is searched"),
            }
        };
        assert_eq!(at_once(None, None), IN_FLIGHT_MAX);
        assert_eq!(at_once(None, Some("9")), 9);
        assert_eq!(at_once(Some("7"), None), IN_FLIGHT_MAX);
    }
}
