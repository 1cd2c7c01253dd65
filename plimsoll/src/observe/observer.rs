//! The parts of measuring as one: prepared before anything is started, started, reloaded, stopped.
//!
//! Invariants: what can be refused is refused by [`prepare`] (or, at a reload, by [`check`]), so that
//! a start or a reload is never half done; alarms stop before the figures that they judge.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::get;
use jiff::Timestamp;
use tsdb::exposition::Exposition;
use tsdb::labels::Labels;
use tsdb::store::Recovery;

use super::alarms::{Alarms, External, Judges};
use super::api::{self, Parts, Received};
use super::folder::{self, FolderError, Opened};
use super::notify::{self, Notifier, NotifyError, TestError};
use super::query::{Asker, Engine};
use super::remote::Remote;
use super::rules::{self, RuleErrors};
use super::scrape::{self, Inputs, Scraper};
use super::storage::Storage;
use super::upkeep::Upkeep;
use super::views::{ConfigurationView, RuleHealth};
use super::{Alert, PART, now};
use crate::config::Origin;
use crate::config::model::Config;
use crate::config::model::observe::{HttpEndpoint, Observe};
use crate::config::problem::{ConfigError, ConfigErrors};
use crate::temporary::Temporary;
use crate::{log, outbound};

/// Why measuring cannot begin, or a reload cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Rules are wrong.
    #[error(transparent)]
    Rules(#[from] RuleErrors),
    /// An endpoint cannot be used, as for its file of certificates.
    #[error("{0}")]
    Endpoint(String),
    /// A file of certificates cannot be used.
    #[error(transparent)]
    Certificates(ConfigErrors),
    /// A receiver of alarms cannot be used.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The system refuses a thread.
    #[error("cannot start a thread: {0}; look at `ulimit -u`")]
    Thread(std::io::Error),
}

impl ObserveError {
    /// With the places in the config file of the keys that it names.
    pub fn placed(self, origin: &Origin) -> Self {
        match self {
            Self::Rules(RuleErrors { errors, further }) => {
                let errors = errors.into_iter().map(|error| origin.place(error)).collect();
                Self::Rules(RuleErrors { errors, further })
            }
            Self::Certificates(ConfigErrors { errors, further }) => {
                let errors = errors.into_iter().map(|error| origin.place(error)).collect();
                Self::Certificates(ConfigErrors { errors, further })
            }
            other => other,
        }
    }

    /// Whether it is told as mistakes in the config file are, `error:` and all.
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::Rules(_) | Self::Certificates(_))
    }
}

/// Everything that may be refused is done.
pub struct Prepared {
    settings: Arc<Observe>,
    opened: Opened,
    rules: rules::Loaded,
}

/// The running parts.
pub struct Observer {
    /// Written by reloads; read by the API.
    settings: ArcSwap<Observe>,
    storage: Arc<Storage>,
    engine: Arc<Engine>,
    /// For rules, so that people cannot starve them.
    judges: Judges,
    remote: Remote,
    /// Written by the API.
    received: Arc<Received>,
    scraper: Scraper,
    alarms: Alarms,
    notifier: Arc<Notifier>,
    started_at: Timestamp,
    admin: Option<SocketAddr>,
    /// What the rules in force say; written by reloads.
    rules: Mutex<rules::Contents>,
    /// Taken by the stop.
    upkeep: Mutex<Option<Upkeep>>,
    /// Removes the folder at the end, if it is a temporary one.
    temporary: Mutex<Option<Temporary>>,
}

/// Opens the folder and reads the rules; `None` if nothing is to be measured.
///
/// # Errors
/// What cannot be had, or is wrong.
pub fn prepare(config: &Config) -> Result<Option<Prepared>, ObserveError> {
    let Some(settings) = &config.observe else { return Ok(None) };
    let rules = check(config)?;
    let opened = folder::open(settings, now())?;
    Ok(Some(Prepared { settings: Arc::clone(settings), opened, rules }))
}

/// Reads what a configuration names besides itself.
///
/// # Errors
/// Everything that is wrong with its rules, or a file of certificates that cannot be used.
pub fn check(config: &Config) -> Result<rules::Loaded, ObserveError> {
    let Some(settings) = &config.observe else { return Ok(rules::Loaded::default()) };
    let mut files = BTreeSet::new();
    for (key, endpoint) in endpoints(settings) {
        if files.insert(&endpoint.ca) {
            let refused = |words| {
                let remedy = "name a PEM file with the certificate of who issued the server's";
                ObserveError::Certificates(ConfigError::new(key, words).remedy(remedy).into())
            };
            outbound::verifier(endpoint).map_err(refused)?;
        }
    }
    notify::check(&settings.notify)?;
    let mut rules = rules::load(&settings.rules, &config.services)?;
    rules.warnings.extend(scrape::warnings(settings));
    let receivers = settings.remote_write.iter().map(|receiver| &receiver.endpoint);
    let unseen = rules::unseen_records(settings.prometheus.as_ref(), receivers, &rules.groups);
    rules.warnings.extend(unseen);
    Ok(rules)
}

/// Everything that is asked or written to by HTTP and has certificates of its own, with their key.
fn endpoints(settings: &Observe) -> impl Iterator<Item = (String, &HttpEndpoint)> {
    let Observe { jobs, prometheus, remote_write, .. } = settings;
    let all = jobs.iter().enumerate().flat_map(|(place, job)| {
        job.targets.iter().map(move |target| (format!("observe.job[{place}].ca"), target))
    });
    let all = all.chain(prometheus.iter().map(|one| ("observe.prometheus.ca".to_owned(), one)));
    let receivers = remote_write.iter().enumerate();
    let receivers =
        receivers.map(|(place, one)| (format!("observe.remote_write[{place}].ca"), &one.endpoint));
    all.chain(receivers).filter(|(_, endpoint)| endpoint.ca.is_some())
}

impl Prepared {
    /// Starts the parts. Says where figures are kept and what of them was found.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        self,
        config: &Config,
        inputs: Inputs,
        admin: Option<SocketAddr>,
    ) -> Result<Observer, ObserveError> {
        let Self { settings, opened, rules } = self;
        let Opened { store, folder, temporary, recovery, warning } = opened;
        if let Some(warning) = warning {
            log::warn(PART, warning);
        }
        tell(&folder, &recovery, temporary.is_some());
        rules.warnings.iter().for_each(|warning| log::warn(PART, warning));
        let store = Arc::new(store);
        let upkeep = Upkeep::start(Arc::clone(&store)).map_err(ObserveError::Thread)?;
        let labels = &settings.external_labels;
        let (remote, tap) = Remote::start(&settings.remote_write, labels);
        let storage = Arc::new(Storage::new(Arc::clone(&store), vec![tap]));
        let engine = |asker| {
            let engine = Engine::of(Arc::clone(&store), &settings, asker);
            engine.map(Arc::new).map_err(ObserveError::Endpoint)
        };
        let people = engine(Asker::People)?;
        let judges = Judges { files: engine(Asker::Files)?, own: engine(Asker::Itself)? };
        let contents = rules::Contents::of(&rules.groups);
        let external = external(&settings, admin);
        let notifier = Notifier::start(&settings.notify, Some(folder.clone()), &external.url)?;
        let told = Arc::clone(&notifier);
        let alarms = Alarms::start(
            judges.clone(),
            Arc::clone(&storage),
            Arc::new(move |alerts| told.offer(alerts)),
            Some(folder),
            rules.groups,
            external,
        );
        let scraper = Scraper::start(Arc::clone(&storage), &settings, &config.services, inputs);
        Ok(Observer {
            settings: ArcSwap::from(settings),
            storage,
            engine: people,
            judges,
            remote,
            received: Arc::default(),
            scraper,
            alarms,
            notifier,
            started_at: Timestamp::now(),
            admin,
            upkeep: Mutex::new(Some(upkeep)),
            rules: Mutex::new(contents),
            temporary: Mutex::new(temporary),
        })
    }
}

/// What alarms carry.
fn external(settings: &Observe, admin: Option<SocketAddr>) -> External {
    let own = || admin.map_or_else(String::new, |address| format!("http://{address}"));
    let url = settings.rules.external_url.clone().unwrap_or_else(own);
    External { labels: settings.external_labels.clone(), url }
}

/// Says what was found; a new or a temporary folder has nothing to tell.
fn tell(folder: &Path, recovery: &Recovery, is_temporary: bool) {
    let place = folder.display();
    if is_temporary {
        log::info(PART, format_args!("figures are kept in {place} until the stop"));
    } else if *recovery == Recovery::default() {
        log::info(PART, format_args!("figures are kept in {place}"));
    } else {
        log::info(PART, format_args!("figures are kept in {place}, which has {}", kept(recovery)));
    }
    for loss in &recovery.losses {
        log::warn(PART, loss);
    }
}

fn kept(recovery: &Recovery) -> String {
    let Recovery { blocks, samples_in_blocks, samples_from_log, losses: _ } = recovery;
    format!("{samples_in_blocks} samples in {blocks} blocks and {samples_from_log} in its log")
}

impl Observer {
    /// Takes another configuration, whose rules were read by [`check`]. Says what changes in rules, a
    /// line each.
    pub fn apply(&self, config: &Config, rules: rules::Loaded) -> Vec<String> {
        let Some(settings) = &config.observe else { return Vec::new() };
        let new = rules::Contents::of(&rules.groups);
        let changes = {
            let mut known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, new.clone()).changes(&new)
        };
        rules.warnings.iter().for_each(|warning| log::warn(PART, warning));
        self.settings.store(Arc::clone(settings));
        let external = external(settings, self.admin);
        // All of it was tried by `check`; what fails now goes on by the settings before.
        let tried = [
            self.engine.apply(settings),
            self.judges.files.apply(settings),
            self.judges.own.apply(settings),
            self.notifier.apply(&settings.notify, &external.url).map_err(|error| error.to_string()),
        ];
        for error in tried.into_iter().filter_map(Result::err) {
            log::error(PART, error);
        }
        self.remote.apply(&settings.remote_write, &settings.external_labels);
        self.scraper.apply(settings, &config.services);
        self.alarms.apply(rules.groups, external);
        changes
    }

    /// What the admin server has besides: the APIs of Prometheus and of Alertmanager.
    /// `configuration` is what only the whole program knows.
    pub fn router(
        self: &Arc<Self>,
        configuration: impl Fn() -> ConfigurationView + Send + Sync + 'static,
    ) -> Router {
        let look = || Arc::clone(self);
        let (settings, targets, metadata, groups) = (look(), look(), look(), look());
        let parts = Parts {
            engine: Arc::clone(&self.engine),
            storage: Arc::clone(&self.storage),
            received: Arc::clone(&self.received),
            settings: Arc::new(move || settings.settings.load_full()),
            targets: Arc::new(move || targets.scraper.targets()),
            metadata: Arc::new(move || metadata.scraper.metadata()),
            groups: Arc::new(move || groups.alarms.groups()),
            configuration: Arc::new(configuration),
            started_at: self.started_at,
        };
        Router::new()
            .nest("/prometheus", api::router(parts))
            .route("/prometheus/", get(api::base))
            .nest("/alertmanager/api/v2", self.notifier.router())
    }

    /// Alarms that fire and are not silenced, the oldest first.
    pub fn active_alarms(&self) -> Vec<Arc<Alert>> {
        self.notifier.active()
    }

    /// Labels, external ones left out, of alarms whose rule cannot be evaluated now: what they were
    /// when it could be last is all that is known of them.
    pub fn unjudged_alarms(&self) -> Vec<Labels> {
        let rules = self.alarms.groups().into_iter().flat_map(|group| group.rules);
        let failing = rules.filter(|rule| matches!(rule.health, RuleHealth::Failed(_)));
        let alarms = failing.filter_map(|rule| rule.alerting).flat_map(|rule| rule.alerts);
        alarms.map(|alarm| alarm.labels).collect()
    }

    /// Sends a test alarm to a receiver; yields its answer in words.
    ///
    /// # Errors
    /// There is none of this name, or it did not take it.
    pub async fn try_receiver(&self, receiver: &str) -> Result<String, TestError> {
        self.notifier.test(receiver).await
    }

    /// Adds the parts' own figures.
    pub fn expose(&self, out: &mut Exposition) {
        self.storage.expose(out);
        self.scraper.expose(out);
        self.remote.expose(out);
        self.received.expose(out);
        self.alarms.expose(out);
        self.notifier.expose(out);
    }

    /// Judges no more: what goes down from here on is meant to.
    pub async fn stop_alarms(&self) {
        self.alarms.stop().await;
        self.notifier.stop().await;
    }

    /// Ends the parts; what they know is on the disk afterwards.
    pub async fn stop(&self) {
        self.scraper.stop().await;
        self.remote.stop().await;
        let upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(upkeep) = upkeep {
            // It waits for the disk. If the runtime is going, so is everything.
            let _ = tokio::task::spawn_blocking(move || upkeep.stop()).await;
        }
        // The process may end before this value is dropped.
        let temporary = self.temporary.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(folder) = temporary
            && let Err(error) = folder.close()
        {
            log::warn(PART, format_args!("a temporary folder is left behind: {error}"));
        }
    }
}
