//! Builds the parts, wires them, runs, drains.
//!
//! The parts do not know each other. Here instances of the fleet become servers of the edge, health
//! of the edge becomes readiness for the fleet, and the admin server's commands reach both:
//!
//! ```text
//!            changes                set_servers
//!   fleet ───────────▶  app  ─────────────────────▶ roster ◀── edge
//!     ▲                  ▲                            │
//!     └── traffic ───────│────────────────────────────┘
//!                        │ commands, signals
//!                      admin
//! ```
//!
//! Invariants: everything that can be refused is refused before anything is started (addresses are
//! bound, the config is checked); a reload that is refused changes nothing; a stop ends in bounded
//! time.

mod alarms;
pub mod bench;
mod bind;
mod demo;
mod observe;
mod operate;
mod signals;
mod startup;
mod status;
mod stop;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::admin::{self, Command, status::Phase};
use crate::config::model::Config;
use crate::config::{ConfigErrors, Origin};
use crate::edge::roster::Roster;
use crate::edge::server::ServerSpec;
use crate::edge::{Edge, server::ServerState};
use crate::fleet::{Fleet, FleetSnapshot, InstanceTraffic};
use crate::log;
use crate::observe::{InstanceAt, ObserveError, Observer, prepare};

use bind::Bound;
pub use demo::{Demo, DemoOptions, run_demo};
use signals::{Signals, Told};

/// Threads for everything but the data path: checks, supervision, admin.
const CONTROL_THREADS: usize = 2;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// Validated.
    pub config: Config,
    /// Where it comes from, for messages.
    pub origin: Origin,
    /// The file that a reload reads again; `None` when there is none.
    pub path: Option<PathBuf>,
    /// What the demonstration adds.
    pub demo: Option<Demo>,
}

/// The running parts, shared by the tasks that answer commands.
struct App {
    edge: Arc<Edge>,
    roster: Arc<Roster>,
    fleet: Fleet,
    /// Set before anything is asked, unless nothing is measured.
    observer: OnceLock<Arc<Observer>>,
    /// Where servers are that may tell figures; written when there are others.
    instances: watch::Sender<Arc<[InstanceAt]>>,
    path: Option<PathBuf>,
    started_at: Timestamp,
    /// Written by reloads and the stop, read by status.
    state: Mutex<State>,
    /// Held over a whole reload, so that two do not mix.
    reloading: tokio::sync::Mutex<()>,
}

/// What changes while the app runs.
struct State {
    config: Arc<Config>,
    loaded_at: Timestamp,
    reload_failure: Option<String>,
    phase: Phase,
}

impl App {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells measuring where servers are.
    fn publish_instances(&self) {
        self.instances.send_if_modified(|known| {
            // In here, so that of two who tell at once the later does not tell what was before.
            let instances = observe::instances(&self.config(), &self.fleet.changes().borrow());
            let is_other = *known != instances;
            *known = instances;
            is_other
        });
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.state().config)
    }
}

/// Runs until SIGTERM, SIGINT, or a failure to start. Exit code 0 after a stop, 1 where something
/// was cut by it, 2 where nothing could be started.
pub fn run(plan: Plan) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(serve(plan));
            // Tasks that still wait for something are of no use any more.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("plimsoll: cannot start its threads: {error}; look at `ulimit -u`");
            ExitCode::from(2)
        }
    }
}

async fn serve(plan: Plan) -> ExitCode {
    let signals = match Signals::new(plan.path.is_some()) {
        Ok(signals) => signals,
        Err(error) => return refused(format_args!("cannot listen for signals: {error}")),
    };
    let Bound { listeners, admin: bound } = match bind::bind(&plan.config, &plan.origin) {
        Ok(bound) => bound,
        Err(errors) => return wrong(&errors),
    };
    let prepared = match prepare(&plan.config) {
        Ok(prepared) => prepared,
        Err(error @ ObserveError::Folder(_)) => {
            return wrong(&plan.origin.refuse("observe.directory", &error.to_string()).into());
        }
        Err(error) if error.is_mistake() => return refused_as_it_is(&error.placed(&plan.origin)),
        Err(error) => return refused(error),
    };
    let config = Arc::new(plan.config);
    let roster = Arc::new(Roster::new(&config));
    let edge = match Edge::start(listeners, Arc::clone(&config), Arc::clone(&roster)) {
        Ok(edge) => edge,
        Err(error) => {
            let mistake = bind::mistake(&error, &config, &plan.origin);
            return mistake.map_or_else(|| refused(error), |mistake| wrong(&mistake.into()));
        }
    };
    tokio::spawn(Arc::clone(&roster).run());
    let edge = Arc::new(edge);
    let fleet = Fleet::start(&config, traffic(&edge, &roster));
    let app = Arc::new(App {
        edge,
        roster,
        fleet,
        observer: OnceLock::new(),
        instances: watch::Sender::default(),
        path: plan.path,
        started_at: Timestamp::now(),
        state: Mutex::new(State {
            config: Arc::clone(&config),
            loaded_at: Timestamp::now(),
            reload_failure: None,
            phase: Phase::Running,
        }),
        reloading: tokio::sync::Mutex::default(),
    });
    let admin = bound.as_ref().map(|bound| bound.address());
    if let Some(prepared) = prepared {
        match prepared.start(&config, observe::inputs(&app, admin), admin) {
            // It is set here only.
            Ok(observer) => drop(app.observer.set(Arc::new(observer))),
            Err(error) => return refused(error),
        }
    }
    tokio::spawn(follow_fleet(Arc::clone(&app)));
    let (sender, commands) = mpsc::channel(admin::COMMANDS_MAX);
    if let Some(bound) = bound {
        let token = config.admin.as_ref().and_then(|admin| admin.token.clone());
        log::info(log::PROGRAM, format_args!("status and metrics on http://{}", bound.address()));
        tokio::spawn(admin::serve(bound, token, sender, observe::router(&app)));
    }
    let addresses: Vec<_> = app.edge.listeners().into_iter().map(|(_, at)| at).collect();
    for location in locations(&app.edge) {
        log::info(log::PROGRAM, format_args!("serving on {location}"));
    }
    tokio::spawn(startup::tell(Arc::clone(&app)));
    let _demo = plan.demo.map(|demo| demo.start(&app, &addresses, admin));
    obey(app, commands, signals).await
}

/// Where clients find it, as links.
fn locations(edge: &Edge) -> Vec<String> {
    edge.listeners().into_iter().map(|(_, address)| location(address)).collect()
}

/// An address as a link that can be opened on this machine.
fn location(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return format!("http://{address}");
    }
    format!("http://127.0.0.1:{} (on all addresses)", address.port())
}

fn wrong(errors: &ConfigErrors) -> ExitCode {
    eprintln!("{errors}");
    ExitCode::from(2)
}

fn refused_as_it_is(error: &ObserveError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}

fn refused(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("plimsoll: {error}");
    ExitCode::from(2)
}

/// What the fleet may know of an instance's traffic.
fn traffic(edge: &Arc<Edge>, roster: &Arc<Roster>) -> crate::fleet::Traffic {
    let (edge, roster) = (Arc::clone(edge), Arc::clone(roster));
    Arc::new(move |service, instance| {
        let server = roster.service(service)?.server(instance)?;
        let state = server.state();
        Some(InstanceTraffic {
            healthy: state == ServerState::Healthy,
            draining: state == ServerState::Draining,
            in_flight: server.in_flight.load(Ordering::Relaxed),
            requests_total: edge.requests_total(&server),
        })
    })
}

/// Tells the edge of the fleet's instances, whenever they change.
async fn follow_fleet(app: Arc<App>) {
    let mut changes = app.fleet.changes();
    loop {
        let snapshot = Arc::clone(&changes.borrow_and_update());
        for (service, servers) in servers(&snapshot) {
            app.roster.set_servers(&service, servers);
        }
        app.publish_instances();
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn servers(snapshot: &FleetSnapshot) -> Vec<(String, Vec<ServerSpec>)> {
    let specs = |instances: &[crate::fleet::Instance]| {
        instances
            .iter()
            .filter(|instance| instance.is_served())
            .map(|instance| ServerSpec {
                name: instance.name.clone(),
                address: instance.address.clone(),
                weight: instance.weight,
                max_conns: instance.max_conns,
                backup: false,
                draining: instance.draining,
            })
            .collect()
    };
    snapshot.services.iter().map(|(name, all)| (name.clone(), specs(all))).collect()
}

/// Carries out commands and signals until a stop.
async fn obey(
    app: Arc<App>,
    mut commands: mpsc::Receiver<Command>,
    mut signals: Signals,
) -> ExitCode {
    loop {
        tokio::select! {
            Some(command) = commands.recv() => {
                tokio::spawn(operate::carry_out(Arc::clone(&app), command));
            }
            told = signals.next() => match told {
                // The outcome is in the log.
                Told::Reload => drop(tokio::spawn({
                    let app = Arc::clone(&app);
                    async move { drop(operate::reload(&app).await) }
                })),
                Told::HungUp => return stop::stop(app, commands, signals, "SIGHUP").await,
                Told::Stop(name) => return stop::stop(app, commands, signals, name).await,
            },
        }
    }
}
