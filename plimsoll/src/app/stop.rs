//! The end: no new connections, open requests finished or cut at the deadline, instances stopped.
//!
//! A second signal ends the waiting at once. Status and metrics stay readable while it drains.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{App, Signals, Told, operate};
use crate::admin::{Command, status::Phase, units::plural};
use crate::config::model::{Config, Source};
use crate::log;

/// Drains and stops everything. The exit code says whether something was cut.
pub async fn stop(
    app: Arc<App>,
    mut commands: mpsc::Receiver<Command>,
    mut signals: Signals,
    signal: &str,
) -> ExitCode {
    let config = app.config();
    app.state().phase = Phase::Draining;
    log::info(
        log::PROGRAM,
        format_args!(
            "{signal}: stopping; open requests have {} s to finish, a second signal cuts them off",
            config.drain_timeout.as_secs_f64()
        ),
    );
    let deadline = Instant::now() + config.drain_timeout;
    let hurry = tokio::sync::watch::Sender::new(false);
    let end = end(&app, deadline, grace(&config), hurry.subscribe());
    tokio::pin!(end);
    loop {
        tokio::select! {
            code = &mut end => return code,
            Some(command) = commands.recv() => match command {
                Command::Status(_) | Command::Metrics(_) => {
                    tokio::spawn(operate::carry_out(Arc::clone(&app), command));
                }
                // Dropping the reply says that Plimsoll is stopping.
                _ => {}
            },
            told = signals.next() => if let Told::Stop(_) = told {
                let _ = hurry.send(true);
            },
        }
    }
}

/// The longest time that an instance of any service is given to obey TERM.
fn grace(config: &Config) -> Duration {
    let processes = config.services.values().filter_map(|service| match &service.source {
        Source::Processes(spec) => Some(spec.stop_timeout),
        Source::Servers(_) => None,
    });
    processes.max().unwrap_or_default()
}

async fn end(
    app: &App,
    deadline: Instant,
    grace: Duration,
    mut hurry: tokio::sync::watch::Receiver<bool>,
) -> ExitCode {
    let hurried = async {
        // The sender lives as long as this future.
        let _ = hurry.wait_for(|hurry| *hurry).await;
    };
    tokio::pin!(hurried);
    if let Some(observer) = app.observer.get() {
        observer.stop_alarms().await;
    }
    let drained = tokio::select! {
        report = app.edge.drain(deadline.saturating_duration_since(Instant::now())) => report,
        () = &mut hurried => app.edge.drain(Duration::ZERO).await,
    };
    // However long the requests took, instances get their time to obey TERM.
    let deadline = deadline.max(Instant::now() + grace);
    let stopped = tokio::select! {
        report = app.fleet.stop(deadline) => report,
        () = &mut hurried => app.fleet.stop(Instant::now()).await,
    };
    if let Some(observer) = app.observer.get() {
        observer.stop().await;
    }
    let mut cut = Vec::new();
    if drained.requests > 0 {
        cut.push(plural(drained.requests, "request"));
    }
    if drained.tunnels > 0 {
        cut.push(plural(drained.tunnels, "tunnel"));
    }
    for killed in stopped.killed {
        cut.push(format!("{killed} and was killed"));
    }
    for left in stopped.left {
        cut.push(format!("{left} did not even obey KILL in time"));
    }
    if cut.is_empty() {
        log::info(log::PROGRAM, "stopped; nothing was cut");
        return ExitCode::SUCCESS;
    }
    log::warn(log::PROGRAM, format_args!("stopped; cut: {}", cut.join("; ")));
    ExitCode::FAILURE
}
