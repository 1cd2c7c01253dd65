//! What measuring is told of the rest: the program's own figures, and where instances are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::any;
use axum::{Json, Router};

use super::{App, operate};
use crate::admin::status::AlarmStatus;
use crate::admin::{Refusal, RefusalKind, Tried};
use crate::config::model::{Address, Config, Source};
use crate::fleet::FleetSnapshot;
use crate::observe::notify::TestError;
use crate::observe::scrape::Inputs;
use crate::observe::{ConfigurationView, InstanceAt};

/// What scraping is told. The app outlives it.
pub fn inputs(app: &Arc<App>, admin: Option<SocketAddr>) -> Inputs {
    let weak = Arc::downgrade(app);
    let own = move || weak.upgrade().map_or_else(String::new, |app| operate::metrics(&app));
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    let own_instance = match admin {
        Some(address) => format!("{host}:{}", address.port()),
        None => host,
    };
    Inputs { own: Arc::new(own), own_instance, instances: app.instances.subscribe() }
}

/// The APIs of what is measured, for the admin server; where nothing is, they say so.
pub fn router(app: &Arc<App>) -> Router {
    let observer = app.observer.get();
    observer.map_or_else(unmeasured, |observer| observer.router(configuration(app)))
}

/// What is said where nothing is measured.
const UNMEASURED: &str = "nothing is measured here: the config file says `observe = false`";
/// What to do about it.
const MEASURE: &str = "remove `observe = false` from the config file, and start Plimsoll again";

/// Answers in a form that our own commands and clients of Prometheus read.
fn unmeasured() -> Router {
    let answer = || async {
        let body = serde_json::json!({
            "status": "error",
            "errorType": "unavailable",
            "error": UNMEASURED,
            "remedy": MEASURE,
        });
        (StatusCode::NOT_FOUND, Json(body))
    };
    let paths = ["/prometheus", "/alertmanager"];
    paths.into_iter().fold(Router::new(), |router, path| {
        router.route(path, any(answer)).route(&format!("{path}/{{*rest}}"), any(answer))
    })
}

/// Tells whoever asks the API how the configuration came into force. The app outlives it.
fn configuration(app: &Arc<App>) -> impl Fn() -> ConfigurationView + Send + Sync + 'static {
    let (weak, started_at) = (Arc::downgrade(app), app.started_at);
    move || {
        let Some(app) = weak.upgrade() else {
            return ConfigurationView { loaded_at: started_at, is_current: true };
        };
        let state = app.state();
        let is_current = state.reload_failure.is_none();
        ConfigurationView { loaded_at: state.loaded_at, is_current }
    }
}

/// Alarms that fire and are not silenced, in short, and how many more there are.
pub fn alarms(app: &App) -> (Vec<AlarmStatus>, u64) {
    let Some(observer) = app.observer.get() else { return (Vec::new(), 0) };
    super::alarms::in_short(&observer.active_alarms(), &observer.unjudged_alarms())
}

/// Sends a test alarm to a receiver.
pub async fn try_receiver(app: &App, receiver: String) -> Result<Tried, Refusal> {
    let refusal = |kind, error: String, remedy: &str| {
        let remedy = remedy.to_owned();
        Refusal { kind, error, remedy, details: Vec::new() }
    };
    let Some(observer) = app.observer.get() else {
        return Err(refusal(
            RefusalKind::Conflict,
            format!("{UNMEASURED}, so nobody is told of alarms"),
            MEASURE,
        ));
    };
    match observer.try_receiver(&receiver).await {
        Ok(answer) => Ok(Tried { receiver, answer }),
        Err(error @ TestError::Unknown { .. }) => Err(refusal(
            RefusalKind::NotFound,
            error.to_string(),
            "receivers are those of [observe.notify.receiver] in the config file",
        )),
        Err(TestError::Failed { words, remedy }) => {
            Err(refusal(RefusalKind::Failed, words, remedy))
        }
    }
}

/// Every server whose own figures may be asked for: those that are listed, and the fleet's instances
/// that have an address.
pub fn instances(config: &Config, fleet: &FleetSnapshot) -> Arc<[InstanceAt]> {
    let mut instances = BTreeMap::new();
    for (service, settings) in &config.services {
        let mut add = |instance: &str, address: &Address| {
            let place = (service.clone(), instance.to_owned());
            instances.insert(place, address.clone());
        };
        match &settings.source {
            Source::Servers(servers) => {
                servers.iter().for_each(|server| add(&server.name, &server.at));
            }
            Source::Processes(_) => {
                let running = fleet.services.get(service).into_iter().flatten();
                running
                    .filter(|instance| instance.is_served())
                    .for_each(|instance| add(&instance.name, &instance.address));
            }
        }
    }
    let at = |((service, instance), address)| InstanceAt { service, instance, address };
    instances.into_iter().map(at).collect()
}
