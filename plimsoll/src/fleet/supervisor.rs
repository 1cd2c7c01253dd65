//! The owner task of the fleet: takes commands and news, lets each service act, publishes.
//!
//! Invariant: the task never blocks and never waits for an instance; everything long happens
//! elsewhere and comes back as news.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, MissedTickBehavior};

use super::figures;
use super::launch::Hands;
use super::output::Writers;
use super::process::{News, ProcessId};
use super::service::ServiceRun;
use super::snapshot::{Figures, FleetSnapshot};
use super::{ApplyReport, RestartError, RestartReport, StopReport, Traffic, UnknownService};
use crate::config::model::{Config, ProcessSpec, Source};

/// How often traffic is looked at while an instance starts, drains or stops.
const BUSY_INTERVAL: Duration = Duration::from_millis(50);
/// How often traffic is looked at otherwise, for ceilings.
const CALM_INTERVAL: Duration = Duration::from_millis(500);
/// How often figures are read.
const FIGURES_INTERVAL: Duration = Duration::from_secs(2);
/// News that waits for the owner; whoever has more to tell waits.
const NEWS_MAX: usize = 256;
/// How long a stop waits, beyond its deadline, for what was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(2);

/// The local processes of a configuration, by service.
type Specs = BTreeMap<String, ProcessSpec>;

/// What the outside asks of the owner.
#[derive(Debug)]
pub enum Command {
    Apply(Specs, oneshot::Sender<ApplyReport>),
    Restart(String, oneshot::Sender<Result<RestartReport, RestartError>>),
    Stop(Instant, oneshot::Sender<StopReport>),
}

/// Takes the local processes out of a configuration.
pub fn specs(config: &Config) -> Specs {
    let services = config.services.values();
    services
        .filter_map(|service| match &service.source {
            Source::Processes(spec) => Some((service.name.clone(), (**spec).clone())),
            Source::Servers(_) => None,
        })
        .collect()
}

/// Who waits for the end, and what it has come to so far.
#[derive(Debug)]
struct Stopping {
    /// When everything is to have stopped.
    deadline: Instant,
    reply: oneshot::Sender<StopReport>,
    report: StopReport,
}

/// The owner.
pub struct Supervisor {
    services: BTreeMap<String, ServiceRun>,
    hands: Hands,
    traffic: Traffic,
    commands: mpsc::Receiver<Command>,
    news: mpsc::Receiver<(ProcessId, News)>,
    figures: mpsc::Receiver<Vec<(ProcessId, Figures)>>,
    figures_sender: mpsc::Sender<Vec<(ProcessId, Figures)>>,
    snapshot: watch::Sender<Arc<FleetSnapshot>>,
    stopping: Option<Stopping>,
}

impl Supervisor {
    /// The owner of the instances of these services, none of them started yet.
    pub fn new(
        specs: &Specs,
        traffic: Traffic,
        writers: Arc<Writers>,
        commands: mpsc::Receiver<Command>,
        snapshot: watch::Sender<Arc<FleetSnapshot>>,
    ) -> Self {
        let (news_sender, news) = mpsc::channel(NEWS_MAX);
        let (figures_sender, figures) = mpsc::channel(1);
        let service =
            |(name, spec): (&String, &ProcessSpec)| (name.clone(), ServiceRun::new(name, spec));
        Self {
            services: specs.iter().map(service).collect(),
            hands: Hands::new(writers, news_sender),
            traffic,
            commands,
            news,
            figures,
            figures_sender,
            snapshot,
            stopping: None,
        }
    }

    /// Works until a stop is complete, or nobody can command it any more; then what still runs is
    /// killed.
    pub async fn run(mut self) {
        let mut figures_tick = time::interval(FIGURES_INTERVAL);
        figures_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.act();
        while !self.is_stopped() {
            let look_again = self.look_again();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
                Some((id, news)) = self.news.recv() => self.hear(&id, news),
                Some(figures) = self.figures.recv() => self.weigh(figures),
                _ = figures_tick.tick() => self.sample(),
                () = time::sleep(look_again) => {}
            }
            self.act();
        }
        self.finish().await;
    }

    fn obey(&mut self, command: Command) {
        // Whoever asked may have gone meanwhile: failed replies are dropped.
        match command {
            Command::Apply(specs, reply) => {
                let _ = reply.send(self.apply(&specs));
            }
            Command::Restart(service, reply) => match self.services.get_mut(&service) {
                _ if self.stopping.is_some() => {
                    let _ = reply.send(Err(RestartError::Stopping { service }));
                }
                Some(run) => run.restart(reply),
                None => {
                    let _ = reply.send(Err(UnknownService { service }.into()));
                }
            },
            Command::Stop(deadline, reply) => self.stop(deadline, reply),
        }
    }

    fn apply(&mut self, specs: &Specs) -> ApplyReport {
        let mut changes = Vec::new();
        if self.stopping.is_some() {
            return ApplyReport { changes };
        }
        for (name, spec) in specs {
            if let Some(run) = self.services.get_mut(name) {
                let change = run.apply(spec);
                changes.extend(change.map(|change| format!("service {name}: {change}")));
            } else {
                let starting = match spec.instances {
                    1 => "1 instance starts".to_owned(),
                    count => format!("{count} instances start"),
                };
                changes.push(format!("service {name}: new, {starting}"));
                self.services.insert(name.clone(), ServiceRun::new(name, spec));
            }
        }
        for (name, run) in &mut self.services {
            if !specs.contains_key(name) {
                changes.push(format!("service {name}: removed, its instances drain and stop"));
                run.remove();
            }
        }
        ApplyReport { changes }
    }

    /// A second stop takes the place of the first: whoever hurries gets the report.
    fn stop(&mut self, deadline: Instant, reply: oneshot::Sender<StopReport>) {
        let before = self.stopping.take();
        let deadline = before.as_ref().map_or(deadline, |before| before.deadline.min(deadline));
        let within = deadline.saturating_duration_since(Instant::now());
        let mut stopped = Vec::new();
        for run in self.services.values_mut() {
            run.stop(&self.hands, within);
            if before.is_none() {
                // Those killed before are not this stop's.
                run.take_killed();
                stopped.extend(run.names());
            }
        }
        let report = before.map_or_else(
            || StopReport { stopped, ..StopReport::default() },
            |before| before.report,
        );
        self.stopping = Some(Stopping { deadline, reply, report });
    }

    fn is_stopped(&self) -> bool {
        let over = self.services.values().all(ServiceRun::is_empty);
        let give_up = |stop: &Stopping| stop.deadline + KILL_PATIENCE;
        self.stopping.as_ref().is_some_and(|stop| over || Instant::now() >= give_up(stop))
    }

    async fn finish(mut self) {
        let Some(mut stopping) = self.stopping.take() else { return };
        for run in self.services.values_mut() {
            stopping.report.killed.extend(run.take_killed());
            stopping.report.left.extend(run.names());
        }
        self.hands.writers().terminal.flush().await;
        self.hands.writers().files.flush().await;
        let _ = stopping.reply.send(stopping.report);
    }

    fn hear(&mut self, id: &ProcessId, news: News) {
        if let Some(run) = self.services.get_mut(&*id.service) {
            run.hear(id, news, &mut self.hands);
        }
    }

    fn weigh(&mut self, figures: Vec<(ProcessId, Figures)>) {
        for (id, figures) in figures {
            if let Some(run) = self.services.get_mut(&*id.service) {
                run.weigh(&id, figures, self.hands.now());
            }
        }
    }

    /// Reads figures on a thread for blocking work. A reading that takes longer than the interval
    /// makes the next one wait for room in the channel, so that they do not pile up.
    fn sample(&self) {
        let processes: Vec<_> = self.services.values().flat_map(ServiceRun::processes).collect();
        if processes.is_empty() {
            return;
        }
        if let Ok(room) = self.figures_sender.clone().try_reserve_owned() {
            tokio::task::spawn_blocking(move || room.send(figures::sample(processes)));
        }
    }

    fn act(&mut self) {
        for run in self.services.values_mut() {
            run.observe(&self.traffic, &self.hands);
            run.act(&mut self.hands);
        }
        self.services.retain(|_, run| !run.is_over());
        if self.services.values().any(ServiceRun::wants_figures) {
            self.sample();
        }
        let snapshot = self.view();
        self.snapshot.send_if_modified(|published| {
            let changed = **published != snapshot;
            if changed {
                *published = Arc::new(snapshot);
            }
            changed
        });
    }

    fn look_again(&self) -> Duration {
        let next = |run: &ServiceRun| run.look_again(&self.hands, BUSY_INTERVAL, CALM_INTERVAL);
        let soonest = self.services.values().map(next).min();
        soonest.unwrap_or(CALM_INTERVAL)
    }

    fn view(&self) -> FleetSnapshot {
        let services = self.services.iter();
        FleetSnapshot {
            services: services.clone().map(|(name, run)| (name.clone(), run.snapshot())).collect(),
            rollouts: services
                .filter_map(|(name, run)| Some((name.clone(), run.progress()?)))
                .collect(),
        }
    }
}
