//! The operator's commands: status, metrics, reload, restart, drain.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tsdb::exposition::Exposition;

use super::{App, bind, status};
use crate::admin::{Command, Drained, Refusal, RefusalKind, Reloaded, Restarted};
use crate::config::ConfigErrors;
use crate::config::model::Source;
use crate::edge::roster::ServerView;
use crate::edge::server::ServerState;
use crate::fleet::RestartError;
use crate::{config, log, observe};

/// Carries out one command. A reply that nobody waits for any more is dropped.
pub async fn carry_out(app: Arc<App>, command: Command) {
    match command {
        Command::Status(reply) => {
            let _ = reply.send(status::status(&app));
        }
        Command::Metrics(reply) => {
            let _ = reply.send(metrics(&app));
        }
        Command::Reload(reply) => {
            let _ = reply.send(reload(&app).await);
        }
        Command::Restart { service, reply } => {
            let _ = reply.send(restart(&app, service).await);
        }
        Command::Drain { service, server, undo, reply } => {
            let _ = reply.send(drain(&app, service, server, undo));
        }
        Command::TryReceiver { receiver, reply } => {
            let _ = reply.send(super::observe::try_receiver(&app, receiver).await);
        }
    }
}

/// All figures of this Plimsoll.
pub fn metrics(app: &App) -> String {
    let mut exposition = Exposition::new();
    let fleet = Arc::clone(&app.fleet.changes().borrow());
    let keeps = |service: &str, server: &str| {
        let instances = fleet.services.get(service).map_or(&[][..], Vec::as_slice);
        instances.iter().any(|instance| instance.name == server)
    };
    app.edge.expose(&keeps, &mut exposition);
    app.roster.expose(&mut exposition);
    app.fleet.expose(&mut exposition);
    status::expose(app, &mut exposition);
    if let Some(observer) = app.observer.get() {
        observer.expose(&mut exposition);
    }
    exposition.finish()
}

/// Reads the config file again and applies it, or changes nothing and says why.
pub async fn reload(app: &App) -> Result<Reloaded, Refusal> {
    let _reloading = app.reloading.lock().await;
    let outcome = try_reload(app).await;
    match &outcome {
        Ok(reloaded) if reloaded.changes.is_empty() => {
            log::info("reload", "nothing has changed in the config file");
        }
        // Told when it was applied.
        Ok(_) => {}
        Err(refusal) => {
            log::error("reload", format_args!("refused: {}", refusal.error));
            for detail in &refusal.details {
                log::error("reload", detail);
            }
        }
    }
    // Without a file nothing can be out of step with it.
    if app.path.is_some() {
        let failure = outcome.as_ref().err().map(|refusal| refusal.error.clone());
        app.state().reload_failure = failure;
    }
    outcome
}

async fn try_reload(app: &App) -> Result<Reloaded, Refusal> {
    let Some(path) = app.path.clone() else {
        return Err(Refusal {
            kind: RefusalKind::Conflict,
            error: "there is no config file to reload: this Plimsoll was started without one"
                .into(),
            remedy: "write a config file and start it with `plimsoll up -c FILE`".into(),
            details: Vec::new(),
        });
    };
    let invalid = |details: Vec<String>| Refusal {
        kind: RefusalKind::Invalid,
        error: format!("{} is not right; what was in force stays in force", path.display()),
        remedy: "mend it, and reload again; `plimsoll check` finds most mistakes beforehand".into(),
        details,
    };
    let reading = path.clone();
    let (loaded, rules) = tokio::task::spawn_blocking(move || read(&reading))
        .await
        .map_err(|error| invalid(vec![error.to_string()]))?
        .map_err(invalid)?;
    let mut diff = config::diff(&app.config(), &loaded.config);
    if !diff.restart_needed.is_empty() {
        return Err(Refusal {
            kind: RefusalKind::Conflict,
            error: "the file changes what a running Plimsoll cannot change; nothing was applied"
                .into(),
            remedy: "take these changes back, or stop Plimsoll and start it again".into(),
            details: diff.restart_needed,
        });
    }
    let origin = loaded.origin();
    let new = Arc::new(loaded.config);
    app.edge.apply(Arc::clone(&new)).map_err(|error| {
        match bind::mistake(&error, &new, &origin) {
            Some(mistake) => invalid(vec![ConfigErrors::from(mistake).to_string()]),
            None => Refusal {
                kind: RefusalKind::Failed,
                error: error.to_string(),
                remedy: "nothing was applied; look at what the machine lacks".into(),
                details: Vec::new(),
            },
        }
    })?;
    // Before what it makes the fleet tell, which is why that is not told twice.
    for change in &diff.changes {
        log::info("reload", change);
    }
    let instances = app.fleet.apply(&new).await.changes;
    let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    if let Some(observer) = app.observer.get() {
        warnings.extend(rules.warnings.iter().cloned());
        let changes = observer.apply(&new, rules);
        changes.iter().for_each(|change| log::info("reload", change));
        diff.changes.extend(changes);
    }
    {
        let mut state = app.state();
        state.config = new;
        state.loaded_at = Timestamp::now();
    }
    app.publish_instances();
    Ok(Reloaded { changes: diff.changes, instances, warnings })
}

/// The config file and the rules that it names, or what is wrong with them. Blocks: files are read,
/// users and commands looked up.
fn read(path: &Path) -> Result<(config::Loaded, observe::rules::Loaded), Vec<String>> {
    let loaded = config::load(path).map_err(|errors| vec![errors.to_string()])?;
    loaded.verify_environment().map_err(|errors| vec![errors.to_string()])?;
    let rules = observe::check(&loaded.config)
        .map_err(|error| vec![error.placed(&loaded.origin()).to_string()])?;
    Ok((loaded, rules))
}

async fn restart(app: &App, service: String) -> Result<Restarted, Refusal> {
    let config = app.config();
    match config.services.get(&service).map(|service| &service.source) {
        None => {
            let known: Vec<_> = config.services.keys().map(String::as_str).collect();
            return Err(Refusal {
                kind: RefusalKind::NotFound,
                error: format!("there is no service {service:?}"),
                remedy: format!("services are: {}", known.join(", ")),
                details: Vec::new(),
            });
        }
        Some(Source::Servers(_)) => {
            return Err(Refusal {
                kind: RefusalKind::Conflict,
                error: format!("the servers of {service} are not run by Plimsoll"),
                remedy: "restart them where they run; `plimsoll drain` takes one out meanwhile"
                    .into(),
                details: Vec::new(),
            });
        }
        Some(Source::Processes(_)) => {}
    }
    let began = Instant::now();
    match app.fleet.restart(&service).await {
        Ok(report) => Ok(Restarted {
            service,
            steps: report
                .replaced
                .into_iter()
                .map(|(old, new)| {
                    if old == new {
                        format!("{old} started anew")
                    } else {
                        format!("{old} → {new}")
                    }
                })
                .collect(),
            took_seconds: began.elapsed().as_secs_f64(),
        }),
        Err(error) => {
            let (kind, remedy) = match &error {
                RestartError::InProgress { .. } => {
                    (RefusalKind::Conflict, "`plimsoll status` shows how far it is")
                }
                RestartError::RolledBack { .. } => {
                    (RefusalKind::Failed, "the old instances serve on; see the log of the new one")
                }
                // Both happen only while the service goes.
                RestartError::Unknown(_) | RestartError::Stopping { .. } => {
                    (RefusalKind::Conflict, "look at the log of Plimsoll for the reason")
                }
            };
            let (error, remedy) = (error.to_string(), remedy.into());
            Err(Refusal { kind, error, remedy, details: Vec::new() })
        }
    }
}

fn drain(app: &App, service: String, server: String, undo: bool) -> Result<Drained, Refusal> {
    let before = look_at(app, &service, &server).0.map(|view| view.state);
    let unknown = |error: &dyn std::fmt::Display| Refusal {
        kind: RefusalKind::NotFound,
        error: error.to_string(),
        remedy: "`plimsoll status` lists them".into(),
        details: Vec::new(),
    };
    app.roster.set_draining(&service, &server, !undo).map_err(|error| unknown(&error))?;
    let (now, others) = look_at(app, &service, &server);
    // A reload may have removed it in this moment.
    let now = now.ok_or_else(|| unknown(&format_args!("{service} has no server {server} now")))?;
    let mut warnings = Vec::new();
    if !undo && !others {
        warnings.push(format!("no other server of {service} is healthy: its requests get 503"));
    }
    let draining = now.state == ServerState::Draining;
    Ok(Drained {
        service,
        server,
        draining,
        changed: draining != (before == Some(ServerState::Draining)),
        state: status::state(now.state),
        reason: now.reason,
        in_flight: u64::from(now.in_flight),
        warnings,
    })
}

/// A server as the balancer sees it, and whether another one of its service is healthy.
fn look_at(app: &App, service: &str, server: &str) -> (Option<ServerView>, bool) {
    let views = app.roster.views();
    let servers = views.into_iter().filter(|view| view.name == service);
    let (this, others): (Vec<_>, Vec<_>) =
        servers.flat_map(|view| view.servers).partition(|known| known.name == server);
    let healthy = others.iter().any(|known| known.state == ServerState::Healthy);
    (this.into_iter().next(), healthy)
}
