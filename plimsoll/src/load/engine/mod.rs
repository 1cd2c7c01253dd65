//! Runs a plan: threads that make the load, and one that joins what they find out.
//!
//! The calling thread prepares everything that can be wrong before the first request, starts the
//! threads, tells of the run once a second and joins the sums at the end.
//!
//! Left out: what a plan is (see `config::bench`), what its steps mean (see `script`), what to make
//! of results (see the rest of `load`).

mod collector;
mod connections;
mod constant;
mod dense;
mod description;
mod group;
mod multiplex;
mod pacer;
mod recorder;
#[cfg(test)]
mod tests;
mod usage;
mod user;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::sys::resource::UsageWho;
use tokio::sync::watch;

use super::arrivals::{self, Curve, Share};
use super::client::dial::{self, PrepareError};
use super::progress::Progress;
use super::results::{Connections, Ended, Part, Results, Run, Tester};
use super::script::{self, Shared, Surroundings};
use super::tally::{Latencies, Tally};
use super::timeline::Timeline;
use crate::config::bench::model::{LabelKind, Load, Plan};
use collector::Collector;
use recorder::SECONDS_WAITING_MAX;
use worker::Common;

/// From starting the threads to the start of the run, so that none is late.
const LEAD: Duration = Duration::from_millis(20);
/// Between two looks whether a person stopped the wait for the start.
const WAIT_STEP: Duration = Duration::from_millis(100);

/// How a run is started and stopped.
#[derive(Debug, Clone)]
pub struct Controls {
    /// True ends the run: nothing begins any more, requests under way are awaited for a few seconds.
    pub stop: watch::Receiver<bool>,
    /// When to begin; at once if that is past.
    pub start_at: Option<Timestamp>,
    /// The command as it was typed.
    pub command: String,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A URL of the plan can never be asked.
    #[error("{0}")]
    Plan(String),
    /// Hosts or certificates of the plan are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Prepare(Vec<PrepareError>),
    /// The machine gives no thread or event loop.
    #[error("cannot start an event loop: {0}")]
    Start(#[from] io::Error),
    /// The run was stopped before it began.
    #[error("stopped before the first request")]
    Stopped,
}

/// The load of a plan in words, a sentence for each group.
pub fn description(plan: &Plan) -> String {
    let groups = plan.groups.iter().map(|group| description::of(group, plan.http.streams));
    let sentence = |group: super::results::GroupModel| match plan.groups.len() {
        1 => group.load,
        _ => format!("{}: {}", group.name, group.load),
    };
    groups.map(sentence).collect::<Vec<_>>().join("; ")
}

/// Runs a plan to its end. `observe` is called once a second on the calling thread.
///
/// # Errors
/// When something is wrong that shows before the first request. What goes wrong later is in the
/// results.
pub fn run(
    plan: &Plan,
    controls: &Controls,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Results, RunError> {
    let plan = Arc::new(plan.clone());
    let threads = threads(&plan);
    let origins = script::origins(&plan).map_err(RunError::Plan)?;
    let asked = origins.iter().map(|(origin, _)| origin);
    // Looks names up and reads files, which may take long: the start is set after it.
    let connecting = dial::prepare(&plan.http, asked).map_err(RunError::Prepare)?;
    let soonest = Timestamp::now() + LEAD;
    let started_at = controls.start_at.map_or(soonest, |start_at| start_at.max(soonest));
    let seed = plan.seed.unwrap_or_else(|| fastrand::u64(..));
    let surroundings =
        Surroundings { started_at, seed, zone: TimeZone::system(), machine: machine() };
    let shared = Arc::new(Shared::new(Arc::clone(&plan), surroundings));
    let start = wait_until_near(started_at, controls)?;
    let planned = planned(&plan);
    let processor_time = usage::processor_time(UsageWho::RUSAGE_SELF);
    let common = Arc::new(Common {
        start,
        end: planned.and_then(|planned| start.checked_add(planned)),
        threads,
        seed,
        shared,
        connecting: Arc::new(connecting),
        iterations: iterations(&plan),
        stopped: watch::Sender::new(false),
        plan: Arc::clone(&plan),
    });
    let (seconds, told) = mpsc::sync_channel(SECONDS_WAITING_MAX);
    let mut running = Vec::with_capacity(threads);
    for index in 0..threads {
        let (common, seconds) = (Arc::clone(&common), seconds.clone());
        let stop = controls.stop.clone();
        let thread = thread::Builder::new().name(format!("load-{index}"));
        running.push(thread.spawn(move || worker::run(common, index, seconds, stop))?);
    }
    drop(seconds);
    let timeline =
        Collector::new(&plan, threads, planned, controls.stop.clone(), observe).collect(&told);
    let mut shares = Vec::with_capacity(threads);
    for thread in running {
        let share = thread.join().map_err(|_| io::Error::other("a thread of the load panicked"))?;
        shares.push(share?);
    }
    let mut results = join(&plan, &shares, timeline);
    // Each thread tells as many apart.
    results.bound_instances();
    results.run.command.clone_from(&controls.command);
    results.run.started_at = started_at;
    let last_end = shares.iter().filter_map(|share| share.record.last_end).max();
    let lasted = start.elapsed();
    let until_last = last_end.map_or(lasted, |end| end.saturating_duration_since(start));
    // What was planned was also waited for: a rate is that of the whole time, whenever in it the
    // last answer came. What ended earlier, by a count or by somebody, lasted to its last answer.
    let planned = planned.filter(|planned| *planned <= lasted);
    let planned = planned.filter(|_| results.run.ended == Ended::Finished);
    results.run.elapsed = until_last.max(planned.unwrap_or_default());
    results.tester.processor_time =
        usage::processor_time(UsageWho::RUSAGE_SELF).saturating_sub(processor_time);
    Ok(results)
}

/// As many as the plan says, or as there are cores; no more than there can be connections.
fn threads(plan: &Plan) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let users = plan.groups.iter().map(|group| match &group.load {
        Load::Open(open) => open.in_flight_max,
        Load::Closed(closed) => Curve::new(&closed.stages).highest().ceil() as usize,
    });
    plan.threads
        .unwrap_or_else(cores)
        .min(users.max().unwrap_or(1).div_ceil(plan.http.streams))
        .max(1)
}

/// How long the longest group lasts; `None` where only counts or people end it.
fn planned(plan: &Plan) -> Option<Duration> {
    let mut longest = Duration::ZERO;
    for group in &plan.groups {
        let lasting = match &group.load {
            Load::Open(open) => arrivals::lasting(&open.arrivals),
            Load::Closed(closed) => Curve::new(&closed.stages).lasting(),
        };
        longest = longest.max(lasting?);
    }
    Some(longest)
}

/// How many iterations each group has left, of those whose number is bounded.
fn iterations(plan: &Plan) -> Vec<Option<AtomicU64>> {
    let share = Share::of_thread(plan.part, 0, 1);
    let bound = |group: &crate::config::bench::model::Group| match &group.load {
        Load::Open(_) => None,
        Load::Closed(closed) => closed.iterations.map(|all| AtomicU64::new(share.size(all))),
    };
    plan.groups.iter().map(bound).collect()
}

/// Waits until shortly before the start; when that is.
fn wait_until_near(started_at: Timestamp, controls: &Controls) -> Result<Instant, RunError> {
    loop {
        if *controls.stop.borrow() {
            return Err(RunError::Stopped);
        }
        let left = Duration::try_from(started_at.duration_since(Timestamp::now()));
        // What has passed begins at once.
        let left = left.unwrap_or_default();
        if left <= LEAD {
            return Ok(Instant::now() + left);
        }
        thread::sleep((left - LEAD).min(WAIT_STEP));
    }
}

/// Joins the threads' counts.
fn join(plan: &Plan, shares: &[worker::Share], timeline: Timeline) -> Results {
    let mut labels: Vec<Tally> = plan.labels.iter().map(|_| Tally::default()).collect();
    let mut instances: BTreeMap<String, Tally> = BTreeMap::new();
    let mut checks: BTreeMap<String, super::results::CheckCount> = BTreeMap::new();
    let mut examples = BTreeMap::new();
    let mut connections = Connections::default();
    let mut tester = Tester { threads: shares.len() as u32, ..Tester::default() };
    let mut lag = Latencies::default();
    let mut unnamed = 0;
    for share in shares {
        let record = &share.record;
        for (sum, tally) in labels.iter_mut().zip(&record.labels) {
            sum.absorb(tally);
        }
        for (name, tally) in &record.instances {
            instances.entry(name.clone()).or_default().absorb(tally);
        }
        for (name, count) in &record.checks {
            let sum = checks.entry(name.clone()).or_default();
            sum.passed += count.passed;
            sum.failed += count.failed;
        }
        for (kind, words) in &record.examples {
            examples.entry(kind.clone()).or_insert_with(|| words.clone());
        }
        connections.opened += record.connections.opened;
        connections.failed += record.connections.failed;
        connections.connect_time.absorb(&record.connections.connect_time);
        connections.tls_time.absorb(&record.connections.tls_time);
        lag.absorb(&record.lag);
        unnamed += record.unnamed;
        tester.thread_time.push(share.processor_time);
        tester.due += record.due;
        tester.waited += record.waited;
        tester.unsent += share.unsent;
        tester.given_up += share.given_up;
        tester.exhausted += share.exhausted;
    }
    tester.scheduling_lag = lag;
    let (total, requests, transactions) = by_label(plan, labels);
    let unnamed = if instances.is_empty() { 0 } else { unnamed };
    Results {
        run: run_of(plan, shares),
        total,
        labels: requests,
        transactions,
        instances,
        unnamed,
        checks,
        examples,
        connections,
        timeline,
        tester,
    }
}

/// What was run; its times are told by who knows them.
fn run_of(plan: &Plan, shares: &[worker::Share]) -> Run {
    let ended = [Ended::Stopped, Ended::Interrupted]
        .into_iter()
        .find(|ended| shares.iter().any(|share| share.ended == *ended));
    Run {
        name: plan.name.clone(),
        source: plan.source.clone(),
        command: String::new(),
        groups: plan.groups.iter().map(|group| description::of(group, plan.http.streams)).collect(),
        started_at: Timestamp::UNIX_EPOCH,
        elapsed: Duration::ZERO,
        ended: ended.unwrap_or(Ended::Finished),
        parts: vec![Part { index: plan.part.index, of: plan.part.of.get() }],
        machines: vec![machine()],
        left_out: plan.left_out.clone(),
    }
}

/// A name and what is kept under it.
type Named = (String, Tally);

/// The sum of requests, requests by label, and transactions by label.
fn by_label(plan: &Plan, labels: Vec<Tally>) -> (Tally, Vec<Named>, Vec<Named>) {
    let (mut total, mut requests, mut transactions) = (Tally::default(), Vec::new(), Vec::new());
    for (label, tally) in plan.labels.iter().zip(labels) {
        match label.kind {
            LabelKind::Request => {
                total.absorb(&tally);
                requests.push((label.name.clone(), tally));
            }
            LabelKind::Transaction => transactions.push((label.name.clone(), tally)),
        }
    }
    (total, requests, transactions)
}

/// This machine's name.
fn machine() -> String {
    let name = nix::unistd::gethostname().ok();
    name.and_then(|name| name.into_string().ok()).unwrap_or_else(|| "unknown".to_owned())
}
