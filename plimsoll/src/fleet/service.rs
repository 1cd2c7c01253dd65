//! The hands of one service: carries out what its planner decided.
//!
//! Owned by the supervisor's task alone, so that nothing here is shared or locked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::launch::{Hands, Place, launch};
use super::output::Output;
use super::plan::{Action, Cause, DRAINED, Planned, Planner, Policy, Rollout, Seen, Stage, Step};
use super::process::{News, Process, ProcessId};
use super::snapshot::{Figures, Instance, Phase, RolloutProgress};
use super::{RestartError, RestartReport, Traffic};
use crate::config::model::{Address, InstanceAddress, ProcessSpec};
use crate::log;

/// Lines of output that a report about a failure shows.
const REPORT_LINES: usize = 10;
/// What is said of a process that ended as if all was well; nobody asked it to.
const EXITED_WELL: &str = "exited with status 0";
/// Rounds of planning at one moment; a start that fails at once makes another round.
const ROUNDS_MAX: usize = 4;

/// Who waits for a restart, and since when.
#[derive(Debug)]
struct Waiter {
    reply: oneshot::Sender<Result<RestartReport, RestartError>>,
    since: std::time::Instant,
}

/// What fills a number now.
#[derive(Debug)]
struct Slot {
    output: Arc<Output>,
    address: Address,
    /// Counts all starts of the fleet.
    start: u64,
    process: Option<Process>,
    pid: Option<u32>,
    started_at: Option<SystemTime>,
    /// When the process before ended; `None` while there is one.
    ended_at: Option<SystemTime>,
    figures: Figures,
    /// When the figures were taken; `None` before the first.
    weighed_at: Option<Duration>,
    /// Whether the figures were taken since it is ready.
    weighed_ready: bool,
    /// The last line of the process before, for whoever asks why it ended.
    last_line: Option<String>,
}

/// One service.
#[derive(Debug)]
pub struct ServiceRun {
    name: Arc<str>,
    planner: Planner,
    /// What is in force, wanted count aside.
    spec: Arc<ProcessSpec>,
    /// What each generation runs.
    specs: BTreeMap<u64, Arc<ProcessSpec>>,
    slots: BTreeMap<u32, Slot>,
    place: Place,
    waiter: Option<Waiter>,
    /// It is no longer configured and goes when its last instance has.
    removed: bool,
    /// All of Plimsoll stops: what ends is no news.
    stopping: bool,
    killed: Vec<String>,
}

impl ServiceRun {
    /// Nothing is started before [`ServiceRun::act`].
    pub fn new(name: &str, spec: &ProcessSpec) -> Self {
        let spec = Arc::new(spec.clone());
        let planner = Planner::new(name, Policy::from(&*spec), spec.instances);
        Self {
            name: Arc::from(name),
            specs: BTreeMap::from([(planner.generation(), Arc::clone(&spec))]),
            planner,
            spec,
            slots: BTreeMap::new(),
            place: Place::default(),
            waiter: None,
            removed: false,
            stopping: false,
            killed: Vec::new(),
        }
    }

    /// Takes over a changed configuration. Returns what that means, in words; `None` for nothing.
    pub fn apply(&mut self, spec: &ProcessSpec) -> Option<String> {
        let restored = std::mem::take(&mut self.removed);
        if *self.spec == *spec && !restored {
            return None;
        }
        let mut words = Vec::new();
        if restored || spec.instances != self.spec.instances {
            words.push(format!(
                "{} instances instead of {}",
                spec.instances,
                self.planner.wanted()
            ));
            self.planner.want(spec.instances);
        }
        let rerun = needs_new_process(&self.spec, spec);
        self.spec = Arc::new(spec.clone());
        self.planner.set_policy(Policy::from(spec));
        if rerun {
            words.push(
                "what its instances are started with changed, so they are replaced one by one"
                    .to_owned(),
            );
            let generation = self.planner.change();
            log::info(
                &self.name,
                "rolling restart begins: what its instances are started with changed",
            );
            self.specs.insert(generation, Arc::clone(&self.spec));
        } else {
            self.specs.insert(self.planner.generation(), Arc::clone(&self.spec));
        }
        for slot in self.slots.values() {
            slot.output.set_log(spec.log.as_ref());
        }
        if words.is_empty() {
            words.push("new limits are in force without a restart".to_owned());
        }
        Some(words.join("; "))
    }

    /// The service is configured no longer.
    pub fn remove(&mut self) {
        self.removed = true;
        self.planner.want(0);
    }

    /// Whether it may be forgotten.
    pub fn is_over(&self) -> bool {
        self.removed && self.slots.is_empty()
    }

    /// Whether it has instances.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Begins a rolling restart.
    pub fn restart(&mut self, reply: oneshot::Sender<Result<RestartReport, RestartError>>) {
        let service = self.name.to_string();
        match self.planner.restart() {
            Ok(generation) => {
                log::info(&service, "rolling restart begins");
                self.specs.insert(generation, Arc::clone(&self.spec));
                self.waiter = Some(Waiter { reply, since: std::time::Instant::now() });
            }
            Err(_) => {
                let progress = self.progress().unwrap_or_default();
                let RolloutProgress { replaced, wanted } = progress;
                // Whoever asked may have gone meanwhile.
                let _ = reply.send(Err(RestartError::InProgress { service, replaced, wanted }));
            }
        }
    }

    /// Everything is to stop in time.
    pub fn stop(&mut self, hands: &Hands, within: std::time::Duration) {
        let now = hands.now();
        self.stopping = true;
        self.planner.stop(now, now + within);
    }

    /// Names and reasons of those that were killed, taken out.
    pub fn take_killed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.killed)
    }

    /// Names of those that are still there.
    pub fn names(&self) -> Vec<String> {
        self.slots.keys().map(|number| self.instance_name(*number)).collect()
    }

    /// The guards of running processes.
    pub fn processes(&self) -> impl Iterator<Item = (ProcessId, u32)> + '_ {
        self.slots.iter().filter_map(|(number, slot)| {
            let process = slot.process.as_ref()?;
            Some((self.process_id(*number, slot.start), process.guard))
        })
    }

    /// Whether a process runs that was not looked at since it started, or since it is ready.
    pub fn wants_figures(&self) -> bool {
        self.slots.iter().any(|(number, slot)| {
            let fresh =
                slot.weighed_at.is_some() && (slot.weighed_ready || !self.is_ready(*number));
            slot.pid.is_some() && !fresh
        })
    }

    fn is_ready(&self, number: u32) -> bool {
        let planned = self.planner.instances().get(&number);
        planned.is_some_and(|planned| planned.stage == Stage::Ready)
    }

    /// Takes figures, unless they are of a former process.
    pub fn weigh(&mut self, id: &ProcessId, figures: Figures, now: Duration) {
        let ready = self.is_ready(id.number);
        if let Some(slot) = self.slots.get_mut(&id.number).filter(|slot| slot.start == id.start) {
            // Time of children that nobody waited for is lost to the kernel; a counter must not
            // go back.
            let before = slot.figures.cpu_seconds;
            let cpu_seconds = figures.cpu_seconds.max(before);
            let passed = slot.weighed_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
            let cpu_percent = if passed.is_zero() {
                0.0
            } else {
                (cpu_seconds - before) / passed.as_secs_f64() * 100.0
            };
            slot.weighed_at = Some(now);
            slot.weighed_ready = ready;
            slot.figures = Figures { cpu_seconds, cpu_percent, ..figures };
            self.planner.weigh(id.number, figures.resident_bytes);
        }
    }

    /// Takes news of a process, unless it is a former one.
    pub fn hear(&mut self, id: &ProcessId, news: News, hands: &mut Hands) {
        let now = hands.now();
        let Some(slot) = self.slots.get_mut(&id.number).filter(|slot| slot.start == id.start)
        else {
            return;
        };
        match news {
            News::Running(pid) => slot.pid = Some(pid),
            News::Ended(how) => {
                slot.pid = None;
                slot.figures =
                    Figures { cpu_seconds: slot.figures.cpu_seconds, ..Figures::default() };
                let how = match self.planner.instances().get(&id.number).map(|one| one.stage) {
                    Some(Stage::Starting | Stage::Ready) if how == EXITED_WELL => {
                        format!("{how} (a service has to stay in the foreground)")
                    }
                    _ => how,
                };
                self.planner.exited(id.number, &how, now);
            }
            News::Gone => {
                slot.process = None;
                slot.started_at = None;
                slot.ended_at = Some(SystemTime::now());
                slot.last_line = slot
                    .output
                    .recent(usize::MAX)
                    .into_iter()
                    .rfind(|line| !line.trim().is_empty());
                hands.release(&slot.address);
                self.planner.gone(id.number);
            }
        }
    }

    /// Looks at the balancer's view of each instance.
    pub fn observe(&mut self, traffic: &Traffic, hands: &Hands) {
        let now = hands.now();
        let numbers: Vec<u32> = self.slots.keys().copied().collect();
        for number in numbers {
            let seen = traffic(&self.name, &self.instance_name(number)).map(|seen| Seen {
                healthy: seen.healthy,
                draining: seen.draining,
                in_flight: seen.in_flight,
                requests: seen.requests_total,
            });
            self.planner.observe(number, seen, now);
        }
    }

    /// Plans and carries out.
    pub fn act(&mut self, hands: &mut Hands) {
        for _ in 0..ROUNDS_MAX {
            let steps = self.planner.plan(hands.now(), &mut || fastrand::u64(..));
            if steps.is_empty() {
                break;
            }
            for step in steps {
                self.carry_out(step, hands);
            }
        }
        self.specs.retain(|generation, _| self.planner.needs(*generation));
    }

    /// When to act again if nothing happens.
    pub fn look_again(
        &self,
        hands: &Hands,
        busy: std::time::Duration,
        calm: std::time::Duration,
    ) -> std::time::Duration {
        self.planner.look_again(hands.now(), busy, calm)
    }

    fn carry_out(&mut self, step: Step, hands: &mut Hands) {
        let Step { number, action, reason } = step;
        let number = number.unwrap_or_default();
        let name = self.instance_name(number);
        let service: &str = &Arc::clone(&self.name);
        match action {
            Action::Start { generation } => self.start(number, generation, &reason, hands),
            // The balancer logs it as a change of its server's state.
            Action::ReportReady => {}
            Action::MarkDraining => {
                // Of a stop of everything one line tells.
                if !self.stopping {
                    log::info(service, format!("{name} is draining: {reason}"));
                }
            }
            Action::Terminate => {
                // What is as planned shows in how it ends.
                if reason != DRAINED && !self.stopping {
                    log::warn(service, format!("{name} is told to stop: {reason}"));
                }
                self.order(number, Process::terminate);
            }
            Action::Kill => {
                log::warn(service, format!("{name} is killed: {reason}"));
                self.order(number, Process::kill);
                self.killed.push(format!("{name} {reason}"));
            }
            Action::Remove => {
                self.slots.remove(&number);
                log::info(service, format!("{name} has stopped: {reason}"));
            }
            Action::ReportExit => log::warn(service, format!("{name} {reason}")),
            Action::DeclareCrashLoop => {
                let text = self.with_output(number, &reason);
                log::error(service, format!("{name} is in a crash loop: {text}"));
            }
            Action::AbandonRecycle => {
                let text = self.with_output(number, &reason);
                log::warn(service, format!("{name} did not become ready: {text}"));
            }
            Action::FinishRollout(rollout) => self.finish(&rollout),
            Action::RollBack(rollout) => self.roll_back(&rollout, number, &reason),
            Action::AbortRollout(_) => {
                self.answer(Err(RestartError::Stopping { service: self.name.to_string() }));
            }
        }
    }

    fn start(&mut self, number: u32, generation: u64, reason: &str, hands: &mut Hands) {
        let name = self.instance_name(number);
        let spec = self.specs.get(&generation).unwrap_or(&self.spec).clone();
        let start = hands.next_start();
        let writers = hands.writers();
        let slot = self.slots.entry(number).or_insert_with(|| Slot {
            output: Arc::new(Output::new(&name, number, writers)),
            address: Address::Host(String::new(), 0),
            start,
            process: None,
            pid: None,
            started_at: None,
            ended_at: None,
            figures: Figures::default(),
            weighed_at: None,
            weighed_ready: false,
            last_line: None,
        });
        slot.start = start;
        slot.figures = Figures::default();
        slot.weighed_at = None;
        slot.weighed_ready = false;
        slot.output.clear_recent();
        slot.output.set_log(self.spec.log.as_ref());
        let output = Arc::clone(&slot.output);
        let id = ProcessId { service: Arc::clone(&self.name), number, start };
        match launch(&id, &name, &spec, &mut self.place, output, hands) {
            Ok((process, address)) => {
                let planned = self.planner.instances().get(&number);
                // One that keeps dying has been told of.
                if !planned.is_some_and(|planned| planned.crash_loop) {
                    let place = describe(&address);
                    log::info(&self.name, format!("{name} starts on {place} ({reason})"));
                }
                slot.address = address;
                slot.process = Some(process);
                slot.started_at = Some(SystemTime::now());
                slot.ended_at = None;
            }
            Err(why) => {
                slot.last_line = None;
                slot.ended_at = Some(SystemTime::now());
                self.planner.exited(number, &format!("could not be started: {why}"), hands.now());
                self.planner.gone(number);
            }
        }
    }

    fn order(&self, number: u32, order: impl Fn(&Process)) {
        if let Some(process) = self.slots.get(&number).and_then(|slot| slot.process.as_ref()) {
            order(process);
        }
    }

    fn finish(&mut self, rollout: &Rollout) {
        let names = |(old, new): &(u32, u32)| (self.instance_name(*old), self.instance_name(*new));
        let replaced: Vec<_> = rollout.replaced.iter().map(names).collect();
        let service = self.name.to_string();
        let what = match rollout.cause {
            Cause::Restart | Cause::Change => "rolling restart is complete",
            Cause::RollBack => "rolled back to what worked before",
        };
        log::info(&service, format!("{what}; instances replaced: {}", replaced.len()));
        let took = self.waiter.as_ref().map(|waiter| waiter.since.elapsed()).unwrap_or_default();
        self.answer(Ok(RestartReport { service, replaced, took }));
    }

    /// What is in force is again what the planner went back to.
    fn roll_back(&mut self, rollout: &Rollout, number: u32, reason: &str) {
        let service = self.name.to_string();
        let instance = self.instance_name(number);
        let reason = self.with_output(number, reason);
        let what = match rollout.cause {
            Cause::Restart => "rolling restart is given up, the other instances stay",
            Cause::Change => "change is taken back",
            Cause::RollBack => "going back is given up, instances of both commands stay",
        };
        log::error(&service, format!("{what}, because {instance} {reason}"));
        if let Some(spec) = self.specs.get(&self.planner.generation()) {
            self.spec = Arc::clone(spec);
            self.planner.set_policy(Policy::from(&*self.spec));
        }
        self.answer(Err(RestartError::RolledBack { service, instance, reason }));
    }

    fn answer(&mut self, result: Result<RestartReport, RestartError>) {
        if let Some(waiter) = self.waiter.take() {
            // Whoever asked may have gone meanwhile; the restart went on without.
            let _ = waiter.reply.send(result);
        }
    }

    /// A reason with the last lines that the instance printed.
    fn with_output(&self, number: u32, reason: &str) -> String {
        let slot = self.slots.get(&number);
        let lines = slot.map(|slot| slot.output.recent(REPORT_LINES)).unwrap_or_default();
        if lines.is_empty() {
            return format!("{reason}; it printed nothing");
        }
        format!("{reason}; its last output:\n    {}", lines.join("\n    "))
    }

    fn instance_name(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }

    fn process_id(&self, number: u32, start: u64) -> ProcessId {
        ProcessId { service: Arc::clone(&self.name), number, start }
    }

    /// How far a restart is.
    pub fn progress(&self) -> Option<RolloutProgress> {
        let rollout = self.planner.rollout()?;
        let replaced = rollout.replaced.len() as u32;
        Some(RolloutProgress { replaced, wanted: self.planner.wanted() })
    }

    /// All instances for the outside.
    pub fn snapshot(&self) -> Vec<Instance> {
        let known = self.planner.instances().iter();
        known
            .filter_map(|(number, planned)| {
                let slot = self.slots.get(number)?;
                Some(self.instance(*number, planned, slot))
            })
            .collect()
    }

    fn instance(&self, number: u32, planned: &Planned, slot: &Slot) -> Instance {
        let phase = phase(planned);
        let last_exit = planned.last_exit.as_ref().map(|how| match &slot.last_line {
            Some(line) => format!("{how}; last line: {line}"),
            None => how.clone(),
        });
        Instance {
            name: self.instance_name(number),
            address: slot.address.clone(),
            draining: matches!(phase, Phase::Draining | Phase::Stopping),
            weight: self.spec.weight,
            max_conns: self.spec.max_conns,
            phase,
            crash_loop: planned.crash_loop,
            generation: planned.generation,
            pid: slot.pid,
            restarts: planned.restarts,
            started_at: slot.started_at,
            ended_at: slot.ended_at,
            figures: slot.figures,
            last_exit,
        }
    }
}

fn phase(planned: &Planned) -> Phase {
    match planned.stage {
        Stage::Starting => Phase::Starting,
        Stage::Ready => Phase::Ready,
        Stage::Draining { .. } => Phase::Draining,
        Stage::Stopping { .. } | Stage::Killed => Phase::Stopping,
        Stage::Exited { .. } | Stage::Backoff { .. } if planned.crash_loop => Phase::CrashLoop,
        Stage::Exited { .. } | Stage::Backoff { .. } => Phase::Backoff,
    }
}

/// Whether the change reaches a process only when it is started again.
fn needs_new_process(old: &ProcessSpec, new: &ProcessSpec) -> bool {
    let identity = |spec: &ProcessSpec| -> (_, _, _, _, InstanceAddress, _) {
        (
            spec.command.clone(),
            spec.environment.clone(),
            spec.directory.clone(),
            spec.user.clone(),
            spec.connect,
            spec.first_port,
        )
    };
    identity(old) != identity(new)
}

/// An address as people write it.
fn describe(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}
