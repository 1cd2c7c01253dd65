//! Who is told of alarms, and when: what Alertmanager is installed for.
//!
//! ```text
//!  alarms ──offer──▶ plan ──messages──▶ delivery (a queue each) ──▶ receiver: webhook, Slack, mail, …
//!                     │ ▲
//!    API (amtool) ────┘ └── kept: notify.json          resend ──▶ forward ──▶ Alertmanagers
//! ```
//!
//! `plan` decides and is pure; one task asks it what is due and hands messages out. Invariants: the
//! plan is behind a short mutex that is never held over an await; what a receiver was told is noted
//! only when it has taken it; whatever a receiver, an Alertmanager or the disk does delays no other.

mod api;
mod delivery;
mod figures;
mod forward;
mod kept;
mod message;
mod plan;
mod receiver;
mod resend;
mod retry;
mod settings;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tsdb::exposition::{Exposition, Kind};
use tsdb::labels::Labels;

use self::delivery::Hand;
use self::figures::Figures;
use self::forward::Forwards;
use self::plan::{Message, Plan};
pub use self::plan::{Silence, SilenceError, SilenceState};
pub use self::receiver::ReceiverError;
use self::receiver::Sender;
use super::Alert;
use crate::config::model::observe::Notify;
use crate::log;

/// How long a receiver that is tried by hand may take, milliseconds.
const TEST_PATIENCE: i64 = 60_000;

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotifyError {
    /// A receiver.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    /// An Alertmanager, in words.
    #[error("{0}")]
    Alertmanager(String),
}

/// A receiver could not be tried, or did not take the test.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TestError {
    /// There is none of this name.
    #[error("there is no receiver `{name}`; there are: {known}")]
    Unknown {
        /// As asked.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// It did not take it.
    #[error("{words}; {remedy}")]
    Failed {
        /// What happened.
        words: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// Tells people of alarms.
pub struct Notifier {
    /// Written by offers, deliveries and the API; read by the owner task.
    plan: Mutex<Plan>,
    /// Wakes the owner task: something may be due.
    wake: tokio::sync::Notify,
    /// Written by `apply`, read by the owner task.
    hands: Mutex<BTreeMap<String, Arc<Hand>>>,
    /// Written by `apply` and the owner task.
    forwards: Mutex<Forwards>,
    /// Written by `apply`, read by the API.
    settings: Mutex<String>,
    /// Where notify.json is.
    directory: Option<PathBuf>,
    /// Written by `apply`: the link to Plimsoll for people.
    external_url: Mutex<String>,
    /// When it started, milliseconds since 1970.
    started_at: i64,
    /// Whether it was said that there are too many alarms. Written and read by offers.
    is_overrun: AtomicBool,
    /// Alarms refused because there are too many. Written by offers.
    refused: AtomicU64,
    /// One writer of notify.json at a time; the revision that is on the disk, and whether writing
    /// fails.
    keeping: tokio::sync::Mutex<work::Kept>,
    stopping: watch::Sender<bool>,
    /// Taken by `stop`.
    owner: Mutex<Option<JoinHandle<()>>>,
}

impl Notifier {
    /// Goes on from what was kept in `directory`, if anything was. `external_url` is the link to
    /// Plimsoll for people; may be empty. Needs a runtime.
    ///
    /// # Errors
    /// A receiver or an Alertmanager that cannot be used.
    pub fn start(
        notify: &Notify,
        directory: Option<PathBuf>,
        external_url: &str,
    ) -> Result<Arc<Self>, NotifyError> {
        let now = super::now();
        let mut plan = Plan::new(notify);
        if let Some((directory, saved)) =
            directory.as_deref().and_then(|directory| Some((directory, kept::read(directory)?)))
            && let Err(damaged) = plan.restore(saved, now)
        {
            kept::put_aside(directory, &damaged.to_string());
        }
        let hands = hands(notify, external_url, &BTreeMap::new())?;
        let (stopping, stop) = watch::channel(false);
        let mut forwards = Forwards::default();
        forwards.apply(&notify.alertmanagers, &stop).map_err(NotifyError::Alertmanager)?;
        let notifier = Arc::new(Self {
            plan: Mutex::new(plan),
            wake: tokio::sync::Notify::new(),
            hands: Mutex::new(hands),
            forwards: Mutex::new(forwards),
            settings: Mutex::new(settings::document(notify)),
            directory,
            external_url: Mutex::new(external_url.to_owned()),
            started_at: now,
            is_overrun: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            keeping: tokio::sync::Mutex::default(),
            stopping,
            owner: Mutex::new(None),
        });
        let owner = tokio::spawn(Arc::clone(&notifier).work(stop));
        *notifier.owner.lock().unwrap_or_else(PoisonError::into_inner) = Some(owner);
        Ok(notifier)
    }

    /// Goes by other settings from now on. Timers of groups that stay the same go on.
    ///
    /// # Errors
    /// A receiver or an Alertmanager that cannot be used; nothing has changed then.
    pub fn apply(&self, notify: &Notify, external_url: &str) -> Result<(), NotifyError> {
        let known =
            self.hands().iter().map(|(name, hand)| (name.clone(), Arc::clone(hand))).collect();
        let new = hands(notify, external_url, &known)?;
        self.forwards()
            .apply(&notify.alertmanagers, &self.stopping.subscribe())
            .map_err(NotifyError::Alertmanager)?;
        *self.hands() = new;
        external_url.clone_into(&mut self.external_url());
        self.plan().apply(notify, super::now());
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings::document(notify);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes all alarms of one evaluation that fire, and those that ended. An alarm that fires must
    /// be offered again and again; otherwise it is taken to be over.
    pub fn offer(&self, alerts: Vec<Alert>) {
        let offered = self.plan().offer(alerts, super::now());
        self.overrun(offered);
        self.wake.notify_one();
    }

    /// All silences, those that expired within five days included.
    pub fn silences(&self) -> Vec<Silence> {
        self.plan().silences().cloned().collect()
    }

    /// Makes a silence (`id` is empty) or edits one; yields the id under which it is known now.
    ///
    /// # Errors
    /// It cannot be, and why.
    pub async fn silence(&self, silence: Silence) -> Result<String, SilenceError> {
        let id = self.plan().silence(silence, fastrand::u128(..), super::now())?;
        self.keep().await;
        Ok(id)
    }

    /// Ends a silence now.
    ///
    /// # Errors
    /// There is none of this id, or it is over.
    pub async fn expire(&self, id: &str) -> Result<(), SilenceError> {
        self.plan().expire(id, super::now())?;
        self.keep().await;
        Ok(())
    }

    /// Alarms that fire and are not hushed, the oldest first.
    pub fn active(&self) -> Vec<Arc<Alert>> {
        let shown = self.plan().shown(super::now());
        let active = shown.iter().filter(|shown| shown.state() == plan::AlertState::Active);
        let mut alerts: Vec<Arc<Alert>> = active.map(|shown| Arc::clone(&shown.alert)).collect();
        alerts.sort_by_key(|alert| alert.starts_at);
        alerts
    }

    /// Sends a marked test alarm to one receiver, and that it is over if it wants to know; yields
    /// what the receiver answered.
    ///
    /// # Errors
    /// There is no such receiver, or it did not take it.
    pub async fn test(&self, receiver: &str) -> Result<String, TestError> {
        let hand = {
            let hands = self.hands();
            hands.get(receiver).cloned().ok_or_else(|| TestError::Unknown {
                name: receiver.to_owned(),
                known: hands.keys().cloned().collect::<Vec<_>>().join(", "),
            })?
        };
        let (now, external_url) = (super::now(), self.external_url().clone());
        let alert = |ends_at| Alert {
            labels: Labels::from_pairs([("alertname", "PlimsollTest"), ("severity", "info")]),
            annotations: BTreeMap::from([
                ("summary".to_owned(), "This is a test: nothing is wrong".to_owned()),
                (
                    "description".to_owned(),
                    format!("Somebody tries whether receiver {receiver} is told of alarms."),
                ),
            ]),
            starts_at: now,
            ends_at,
            generator_url: external_url.clone(),
        };
        let failed = |words| TestError::Failed { words, remedy: hand.sender.remedy() };
        let mut answers = Vec::new();
        for ends_at in [None, Some(now + 1)].into_iter().take(1 + usize::from(hand.resolved)) {
            let message = Message::test(receiver, alert(ends_at), now, now + TEST_PATIENCE);
            let patience = std::time::Duration::from_millis(TEST_PATIENCE as u64);
            let answer = tokio::time::timeout(patience, hand.sender.send(&message))
                .await
                .map_err(|_| failed(format!("no answer within {} s", patience.as_secs())))?
                .map_err(|failure| failed(failure.words))?;
            answers.push(answer);
        }
        Ok(answers.join("; and that it is over: "))
    }

    /// The part of Alertmanager's API, version 2, that `amtool` and Grafana use. Paths begin below
    /// `/api/v2`.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        api::router(Arc::clone(self))
    }

    /// Adds its own figures.
    pub fn expose(&self, out: &mut Exposition) {
        let all: Vec<(String, Arc<Figures>)> = self
            .hands()
            .iter()
            .map(|(name, hand)| (name.clone(), Arc::clone(&hand.figures)))
            .collect();
        figures::expose(all.iter().map(|(name, figures)| (name.as_str(), &**figures)), out);
        self.forwards().expose(out);
        let now = super::now();
        let plan = self.plan();
        let shown = plan.shown(now);
        let mut alerts = out.family(
            "plimsoll_notification_alerts",
            Kind::Gauge,
            "Alarms that fire, by whether people are told.",
        );
        for state in [plan::AlertState::Active, plan::AlertState::Suppressed] {
            let count = shown.iter().filter(|shown| shown.state() == state).count();
            alerts.sample(&[("state", state.as_str())], count as f64);
        }
        let refused = self.refused.load(std::sync::atomic::Ordering::Relaxed);
        let help = "Alarms of which nobody is told, because too many fire.";
        out.family("plimsoll_alerts_refused_total", Kind::Counter, help)
            .sample(&[], refused as f64);
        let help = "Groups of alarms that are told of together.";
        let groups = plan.group_count() as f64;
        out.family("plimsoll_notification_groups", Kind::Gauge, help).sample(&[], groups);
        let mut silences = out.family("plimsoll_silences", Kind::Gauge, "Silences, by state.");
        for state in [SilenceState::Active, SilenceState::Pending, SilenceState::Expired] {
            let count = plan.silences().filter(|silence| silence.state(now) == state).count();
            silences.sample(&[("state", state.as_str())], count as f64);
        }
    }

    /// Tries once more what is due, for a bounded time, and keeps what is to be kept.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(owner) = owner
            && let Err(error) = owner.await
        {
            log::error("notify", format!("telling of alarms did not end well: {error}"));
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hands(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Hand>>> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn external_url(&self) -> MutexGuard<'_, String> {
        self.external_url.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forwards(&self) -> MutexGuard<'_, Forwards> {
        self.forwards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries whether settings can be used, and starts nothing.
///
/// # Errors
/// A receiver or an Alertmanager that cannot be used.
pub fn check(notify: &Notify) -> Result<(), NotifyError> {
    hands(notify, "", &BTreeMap::new())?;
    forward::check(&notify.alertmanagers).map_err(NotifyError::Alertmanager)
}

/// All receivers, ready for use; those of the same name go on counting.
fn hands(
    notify: &Notify,
    external_url: &str,
    known: &BTreeMap<String, Arc<Hand>>,
) -> Result<BTreeMap<String, Arc<Hand>>, ReceiverError> {
    let hand = |(name, receiver): (&String, &crate::config::model::observe::Receiver)| {
        let sender = Sender::new(name, receiver, external_url)?;
        let figures = known.get(name).map(|hand| Arc::clone(&hand.figures)).unwrap_or_default();
        Ok((name.clone(), Arc::new(Hand::new(name, sender, receiver.resolved, figures))))
    };
    notify.receivers.iter().map(hand).collect()
}
