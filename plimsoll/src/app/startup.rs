//! Says when the fleet first serves, or why it does not yet.
//!
//! Whoever has just typed `plimsoll run` wants one line that says "it works, look here", or one
//! that says what is in the way. Later changes of health are the balancer's to tell. It only looks;
//! nothing waits for it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::App;
use crate::admin::units::plural;
use crate::config::model::Source;
use crate::edge::roster::ServiceView;
use crate::edge::server::ServerState;
use crate::fleet::Instance;
use crate::log;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(50);
/// A service that nobody can use for longer is told of, once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends once every service has all its servers, or has been told of.
pub async fn tell(app: Arc<App>) {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let views = app.roster.views();
        let services = &app.config().services;
        let whole = |view: &ServiceView| {
            let expected = match services.get(&view.name).map(|service| &service.source) {
                Some(Source::Processes(spec)) => spec.instances as usize,
                _ => view.servers.len(),
            };
            healthy(view) >= expected
        };
        if views.iter().all(whole) {
            let seconds = began.elapsed().as_secs_f64();
            let locations = super::locations(&app.edge);
            log::info(log::PROGRAM, ready(&views, seconds, &locations));
            return;
        }
        if began.elapsed() >= PATIENCE {
            views.iter().filter(|view| healthy(view) == 0).for_each(|view| {
                let process = services
                    .get(&view.name)
                    .is_some_and(|service| matches!(service.source, Source::Processes(_)));
                let fleet = app.fleet.changes().borrow().clone();
                let instances = fleet.services.get(&view.name).map_or(&[][..], Vec::as_slice);
                log::warn(&view.name, unready(view, process, instances.first()));
            });
            return;
        }
    }
}

fn healthy(view: &ServiceView) -> usize {
    view.servers.iter().filter(|server| server.state == ServerState::Healthy).count()
}

/// `ready after 0.8 s on http://127.0.0.1:9999: web has 3 healthy servers`
fn ready(views: &[ServiceView], seconds: f64, locations: &[String]) -> impl Display {
    let each = views
        .iter()
        .map(|view| format!("{} has {}", view.name, plural(healthy(view), "healthy server")))
        .collect::<Vec<_>>()
        .join(", ");
    format!("ready after {seconds:.1} s on {}: {each}", locations.join(" and "))
}

fn unready(view: &ServiceView, process: bool, instance: Option<&Instance>) -> impl Display {
    let seconds = PATIENCE.as_secs();
    let mut text = format!("no server is healthy after {seconds} s, so requests get 503");
    if let Some(server) = view.servers.first() {
        text.push_str(&format!("; {}: {}", server.name, server.reason));
        if process && server.reason.contains("refused") {
            text.push_str("; does its command listen on $PORT?");
        }
    } else if let Some(instance) = instance
        && let Some(exit) = &instance.last_exit
    {
        text.push_str(&format!("; {} {exit}", instance.name));
    }
    text
}
