//! Decides what happens to the instances of one service.
//!
//! The planner is told what is wanted (count, policy, a restart, a stop) and what was seen (an
//! exit, traffic, memory), and answers with steps to carry out, each with its reason. It reads no
//! clock and starts nothing: times are durations since an arbitrary start, randomness is an
//! argument. `plan/*.txt` are its tests.
//!
//! Numbers: instances of service `web` are called `web-1`, `web-2`, …; a new one takes the lowest
//! free number, and one that died is started again under its own. While a service of n instances
//! is restarted, the replacement of the first takes number n + 1, the next one the number that
//! became free, and so on: each name means one process at a time, `X-Served-By`, logs and metrics
//! can tell old from new while both live, and there are never more than n + 1 names however often
//! a service is restarted. The price is that after a restart the numbers have a gap.
//!
//! Invariants:
//! - A service has at most one replacement under way, be it for a restart or for a ceiling.
//! - An instance that serves is taken away only when its replacement is ready, unless fewer are
//!   wanted or it died.
//! - An instance is told to stop only after the balancer has acknowledged that it drains, or
//!   `stop_timeout` has passed.
//! - A number is used again only when nothing of its former process is left.
//!
//! Leaves out: names, ports, processes and texts of output, which belong to the hands.

mod count;
mod rollout;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::backoff;
use crate::config::model::{ProcessSpec, RestartPolicy};

pub use rollout::{Cause, Replacement, Rollout};

/// How long a drained instance must have no request before it is told to stop. Covers workers
/// that chose it just before they saw that it drains.
pub const DRAIN_SETTLE: Duration = Duration::from_millis(100);
/// Why an instance is told to stop when everything goes as planned.
pub const DRAINED: &str = "drained";
/// How long a start waits at most until the balancer forgets the health of the number's former
/// process.
const STALE_HEALTH_WAIT: Duration = Duration::from_secs(1);
/// Rounds of planning for one moment; the longest chain of steps that enable each other is four.
const ROUNDS_MAX: usize = 8;

/// The part of a [`ProcessSpec`] that decisions rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub start_timeout: Duration,
    pub stop_timeout: Duration,
    pub restart: RestartPolicy,
    pub max_memory_bytes: Option<u64>,
    pub max_requests: Option<u64>,
}

impl From<&ProcessSpec> for Policy {
    fn from(spec: &ProcessSpec) -> Self {
        Self {
            start_timeout: spec.start_timeout,
            stop_timeout: spec.stop_timeout,
            restart: spec.restart.clone(),
            max_memory_bytes: spec.max_memory_bytes,
            max_requests: spec.max_requests,
        }
    }
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its process was started; not healthy yet.
    Starting,
    /// Was healthy since its start.
    Ready,
    /// Gets nothing new; told to stop at the latest at `until`.
    Draining { until: Duration },
    /// Told to stop; killed at `kill_at`.
    Stopping { kill_at: Duration },
    /// Killed, not gone yet.
    Killed,
    /// Its main process ended at `at`; others may be left, and are killed at `kill_at` if it was
    /// told to stop. Of one that died by itself the guard takes care.
    Exited { at: Duration, kill_at: Option<Duration> },
    /// Gone; started again at `until`.
    Backoff { until: Duration },
}

/// What the balancer sees of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Gets traffic.
    pub healthy: bool,
    /// Gets no new traffic because that was asked for.
    pub draining: bool,
    pub in_flight: u32,
    /// Since the balancer knows it.
    pub requests: u64,
}

/// One instance as the planner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub stage: Stage,
    /// Which command it runs; a higher one is newer.
    pub generation: u64,
    /// Starts after the first.
    pub restarts: u64,
    /// Died too often in a row; ends when it lives for `reset_after`.
    pub crash_loop: bool,
    /// Why it ended last.
    pub last_exit: Option<String>,
    /// It goes for good when it ends.
    leaving: bool,
    /// The place of its last start among all starts of the service.
    order: u64,
    started: Duration,
    was_ready: bool,
    /// Its last start took longer than `start_timeout`.
    timed_out: bool,
    deaths: u32,
    /// Why it was told to stop, if that was not asked for.
    failure: Option<String>,
    /// How its process ended last, whyever it was told to.
    end: String,
    /// The end that was reported last: in a crash loop the same one is not reported again.
    end_reported: String,
    gone: bool,
    traffic: Option<Seen>,
    /// Since when it drains without a request.
    quiet_since: Option<Duration>,
    /// Requests of the number's former processes, once that is known: the balancer may go on
    /// counting for the name, or begin again.
    requests_before: Option<u64>,
    memory_bytes: u64,
}

impl Planned {
    /// Requests that its present process has got.
    fn served(&self) -> u64 {
        let before = self.requests_before.unwrap_or_default();
        self.traffic.map_or(0, |seen| seen.requests.saturating_sub(before))
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a process for this number.
    Start { generation: u64 },
    /// Publish that it drains.
    MarkDraining,
    /// TERM to its process group.
    Terminate,
    /// KILL to all that is left of it.
    Kill,
    /// It is gone for good: forget it.
    Remove,
    /// It became healthy.
    ReportReady,
    /// It died and will be started again.
    ReportExit,
    /// It died so often in a row that somebody should look.
    DeclareCrashLoop,
    /// A restart or change is complete.
    FinishRollout(Rollout),
    /// A restart or change failed because of this instance.
    RollBack(Rollout),
    /// A restart or change ends because the service stops.
    AbortRollout(Rollout),
    /// The replacement of an instance beyond its ceilings failed; the old one goes on.
    AbandonRecycle,
}

/// One thing to do, to whom, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which instance; `None` for the whole service.
    pub number: Option<u32>,
    pub action: Action,
    /// For people.
    pub reason: String,
}

/// When everything must have stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StopBy {
    terminate_at: Duration,
    kill_at: Duration,
}

/// The planner of one service.
#[derive(Debug)]
pub struct Planner {
    service: String,
    policy: Policy,
    wanted: u32,
    /// What new starts run.
    generation: u64,
    /// The highest generation so far.
    newest: u64,
    /// What a failed change goes back to.
    good: u64,
    instances: BTreeMap<u32, Planned>,
    starts: u64,
    replacement: Option<Replacement>,
    rollout: Option<Rollout>,
    recycle_after: Duration,
    stop_by: Option<StopBy>,
}

impl Planner {
    /// A service without instances; the first [`Planner::plan`] starts them.
    pub fn new(service: &str, policy: Policy, wanted: u32) -> Self {
        Self {
            service: service.to_owned(),
            policy,
            wanted,
            generation: 1,
            newest: 1,
            good: 1,
            instances: BTreeMap::new(),
            starts: 0,
            replacement: None,
            rollout: None,
            recycle_after: Duration::ZERO,
            stop_by: None,
        }
    }

    /// The generation that new starts run.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a generation may still be needed.
    pub fn needs(&self, generation: u64) -> bool {
        generation == self.generation
            || generation == self.good
            || self.instances.values().any(|instance| instance.generation == generation)
    }

    /// All instances by number.
    pub fn instances(&self) -> &BTreeMap<u32, Planned> {
        &self.instances
    }

    /// The restart or change under way.
    pub fn rollout(&self) -> Option<&Rollout> {
        self.rollout.as_ref()
    }

    /// How many are wanted.
    pub fn wanted(&self) -> u32 {
        self.wanted
    }

    /// Changes how many are wanted.
    pub fn want(&mut self, count: u32) {
        self.wanted = count;
    }

    /// Changes timeouts and ceilings; nothing restarts.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Wants nothing any more, and everything gone by `deadline`.
    pub fn stop(&mut self, now: Duration, deadline: Duration) {
        self.wanted = 0;
        let left = deadline.saturating_sub(now);
        self.stop_by = Some(StopBy { terminate_at: now + left / 2, kill_at: now + left });
    }

    /// The main process of an instance ended, or could not be started.
    pub fn exited(&mut self, number: u32, status: &str, now: Duration) {
        if let Some(instance) = self.instances.get_mut(&number)
            && !matches!(instance.stage, Stage::Exited { .. } | Stage::Backoff { .. })
        {
            let kill_at = match instance.stage {
                Stage::Stopping { kill_at } => Some(kill_at),
                _ => None,
            };
            instance.stage = Stage::Exited { at: now, kill_at };
            instance.end = status.to_owned();
            instance.last_exit = Some(match instance.failure.take() {
                Some(failure) => format!("{failure}, then {status}"),
                None => status.to_owned(),
            });
        }
    }

    /// Nothing is left of an instance that has exited.
    pub fn gone(&mut self, number: u32) {
        if let Some(instance) = self.instances.get_mut(&number) {
            instance.gone = true;
        }
    }

    /// What the balancer sees of an instance; `None` when it does not know it.
    pub fn observe(&mut self, number: u32, seen: Option<Seen>, now: Duration) {
        let Some(instance) = self.instances.get_mut(&number) else { return };
        instance.traffic = seen;
        let quiet = seen.is_none_or(|seen| seen.draining && seen.in_flight == 0);
        match (quiet, instance.quiet_since) {
            (false, _) => instance.quiet_since = None,
            (true, None) => instance.quiet_since = Some(now),
            (true, Some(_)) => {}
        }
        if let Some(seen) = seen {
            // Nothing is sent to it before it is healthy for the first time.
            let before = instance.requests_before;
            let before = before.map_or(seen.requests, |before| before.min(seen.requests));
            instance.requests_before = Some(before);
        }
    }

    /// The resident memory of an instance.
    pub fn weigh(&mut self, number: u32, memory_bytes: u64) {
        if let Some(instance) = self.instances.get_mut(&number) {
            instance.memory_bytes = memory_bytes;
        }
    }

    /// When the planner should look again if nothing happens before; `busy` and `calm` are the
    /// caller's intervals for looking at traffic.
    pub fn look_again(&self, now: Duration, busy: Duration, calm: Duration) -> Duration {
        let due = |instance: &Planned| match instance.stage {
            Stage::Ready => calm,
            Stage::Backoff { until } => until.saturating_sub(now).clamp(busy, calm),
            _ => busy,
        };
        self.instances.values().map(due).min().unwrap_or(calm)
    }

    /// What to do now. Steps are to be carried out in their order.
    pub fn plan(&mut self, now: Duration, random: &mut dyn FnMut() -> u64) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let before = steps.len();
            let numbers: Vec<u32> = self.instances.keys().copied().collect();
            for number in numbers {
                self.advance(number, now, random, &mut steps);
            }
            self.advance_replacement(now, &mut steps);
            self.advance_rollout(now, &mut steps);
            self.recycle(now, &mut steps);
            self.fit_count(now, &mut steps);
            if steps.len() == before {
                break;
            }
        }
        steps
    }

    /// One instance's own life, whatever happens to the others.
    fn advance(
        &mut self,
        number: u32,
        now: Duration,
        random: &mut dyn FnMut() -> u64,
        steps: &mut Vec<Step>,
    ) {
        let Some(instance) = self.instances.get_mut(&number) else { return };
        let policy = &self.policy;
        let mut step = |action, reason| steps.push(Step { number: Some(number), action, reason });
        match instance.stage {
            Stage::Starting => {
                let lived = now.saturating_sub(instance.started);
                if instance.traffic.is_some_and(|seen| seen.healthy) {
                    instance.stage = Stage::Ready;
                    instance.was_ready = true;
                    instance.timed_out = false;
                    step(Action::ReportReady, format!("healthy {} after its start", words(lived)));
                } else if lived >= policy.start_timeout {
                    let why = format!("was not healthy within {}", words(policy.start_timeout));
                    instance.timed_out = true;
                    instance.failure = Some(why.clone());
                    instance.stage = Stage::Stopping { kill_at: now + policy.stop_timeout };
                    step(Action::Terminate, why);
                }
            }
            Stage::Ready => {
                if now.saturating_sub(instance.started) >= policy.restart.reset_after {
                    instance.deaths = 0;
                    instance.crash_loop = false;
                }
            }
            Stage::Draining { until } => {
                let until = self.stop_by.map_or(until, |stop| until.min(stop.terminate_at));
                let settled = instance.quiet_since.is_some_and(|since| now >= since + DRAIN_SETTLE);
                if settled || now >= until {
                    instance.stage = Stage::Stopping { kill_at: now + policy.stop_timeout };
                    let in_flight = instance.traffic.map_or(0, |seen| seen.in_flight);
                    let reason = match (settled, in_flight) {
                        (false, 1..) => {
                            format!("requests in flight after its time to drain: {in_flight}")
                        }
                        _ => DRAINED.to_owned(),
                    };
                    step(Action::Terminate, reason);
                }
            }
            Stage::Stopping { kill_at } => {
                let kill_at = self.stop_by.map_or(kill_at, |stop| kill_at.min(stop.kill_at));
                if now >= kill_at {
                    instance.stage = Stage::Killed;
                    step(Action::Kill, "did not stop in time after TERM".to_owned());
                }
            }
            Stage::Killed => {}
            Stage::Exited { at, kill_at } => {
                let latest = self.stop_by.map(|stop| stop.kill_at);
                let kill_at = kill_at.map(|own| latest.map_or(own, |latest| own.min(latest)));
                if !instance.gone && kill_at.is_some_and(|kill_at| now >= kill_at) {
                    instance.stage = Stage::Exited { at, kill_at: None };
                    step(Action::Kill, "left processes that did not stop in time".to_owned());
                }
                self.advance_exited(number, at, random(), steps);
            }
            Stage::Backoff { until } => self.advance_backoff(number, until, now, steps),
        }
    }

    /// Once nothing is left of an instance it goes for good or waits for its next start.
    fn advance_exited(&mut self, number: u32, at: Duration, random: u64, steps: &mut Vec<Step>) {
        let Some(instance) = self.instances.get_mut(&number).filter(|instance| instance.gone)
        else {
            return;
        };
        // Why it was told to stop was told then.
        let end = instance.end.clone();
        if instance.leaving {
            self.instances.remove(&number);
            steps.push(Step { number: Some(number), action: Action::Remove, reason: end });
            return;
        }
        let is_news = std::mem::replace(&mut instance.end_reported, end.clone()) != end;
        let policy = &self.policy.restart;
        if instance.was_ready && at.saturating_sub(instance.started) >= policy.reset_after {
            instance.deaths = 0;
            instance.crash_loop = false;
        }
        instance.deaths = instance.deaths.saturating_add(1);
        let delay = backoff::delay(policy, instance.deaths, random);
        instance.stage = Stage::Backoff { until: at + delay };
        let (action, reason) = if instance.deaths >= policy.crash_loop_after && !instance.crash_loop
        {
            instance.crash_loop = true;
            let deaths = instance.deaths;
            let status = instance.last_exit.clone().unwrap_or_default();
            let text =
                format!("{status}; deaths in a row: {deaths}; next start in {}", words(delay));
            (Action::DeclareCrashLoop, text)
        } else if instance.crash_loop && !is_news {
            return;
        } else {
            (Action::ReportExit, format!("{end}; next start in {}", words(delay)))
        };
        steps.push(Step { number: Some(number), action, reason });
    }

    fn advance_backoff(
        &mut self,
        number: u32,
        until: Duration,
        now: Duration,
        steps: &mut Vec<Step>,
    ) {
        let generation = self.generation;
        let Some(instance) = self.instances.get_mut(&number) else { return };
        let stale = instance.traffic.is_some_and(|seen| seen.healthy);
        if now < until || (stale && now < until + STALE_HEALTH_WAIT) {
            return;
        }
        self.starts += 1;
        instance.restarts += 1;
        instance.requests_before = None;
        instance.generation = generation;
        instance.order = self.starts;
        instance.stage = Stage::Starting;
        instance.started = now;
        instance.was_ready = false;
        instance.gone = false;
        instance.memory_bytes = 0;
        let reason = format!("restart {}", instance.restarts);
        steps.push(Step { number: Some(number), action: Action::Start { generation }, reason });
    }
}

/// A duration for people.
fn words(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{} ms", duration.as_millis());
    }
    // One decimal, and none when it is zero.
    let tenths = duration.as_millis() / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        tenth => format!("{}.{tenth} s", tenths / 10),
    }
}
