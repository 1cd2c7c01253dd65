//! The hands against real peers on ports of their own.

mod delivery;
mod forwarding;
mod interface;
mod mail;
mod notifier;
mod peer;
mod receivers;

use std::collections::BTreeMap;
use std::time::Duration;

use tsdb::labels::Labels;

use super::plan::Message;
use super::receiver::{Failure, Sender};
use crate::config::model::observe::{Means, Notify, Receiver};
use crate::observe::Alert;

/// 2026-01-02 03:04:05.678 UTC.
const BEGAN: i64 = 1_767_323_045_678;

/// `name label=value …`, firing since [`BEGAN`].
fn alert(text: &str) -> Alert {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let pairs = rest.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    Alert {
        labels: Labels::from_pairs(pairs.chain([("alertname", name)])),
        annotations: BTreeMap::from([("summary".to_owned(), format!("{name} is wrong"))]),
        starts_at: BEGAN,
        ends_at: None,
        generator_url: "http://127.0.0.1:9900/graph?g0.expr=up".to_owned(),
    }
}

/// Messages for one receiver, as the plan makes them, of alarms that fire and of those that ended.
fn messages(receiver: &str, firing: &[Alert], over: &[Alert]) -> Vec<Message> {
    let mut notify = settings();
    notify.receivers.insert(receiver.to_owned(), webhook("http://127.0.0.1/"));
    let mut plan = super::plan::Plan::new(&notify);
    let now = BEGAN + 60_000;
    plan.offer(firing.iter().chain(over).cloned().collect(), now);
    let first = plan.due(now).0;
    if over.is_empty() {
        return first;
    }
    first.iter().for_each(|message| plan.delivered(message, true));
    let ended = |alert: &Alert| Alert { ends_at: Some(now + 1), ..alert.clone() };
    plan.offer(over.iter().map(ended).collect(), now + 1);
    plan.due(now + 600_000).0
}

fn message(receiver: &str, firing: &[Alert], over: &[Alert]) -> Message {
    messages(receiver, firing, over).remove(0)
}

/// All at once; a group is looked at each 20 ms.
fn settings() -> Notify {
    Notify {
        group_by: vec!["alertname".to_owned()],
        group_wait: Duration::ZERO,
        group_interval: Duration::from_millis(20),
        repeat_interval: Duration::from_secs(3600),
        receivers: BTreeMap::new(),
        routes: Vec::new(),
        inhibit: Vec::new(),
        alertmanagers: Vec::new(),
    }
}

fn webhook(url: &str) -> Receiver {
    let means = Means::Webhook(crate::config::model::observe::HttpEndpoint::open(url));
    Receiver { means, resolved: true }
}

fn sender(means: Means) -> Sender {
    Sender::new("ops", &Receiver { means, resolved: true }, "https://ops.example/").unwrap()
}

async fn sent(means: Means, message: &Message) -> Result<String, Failure> {
    sender(means).send(message).await
}

/// How often the log says so.
fn told(words: &str) -> usize {
    crate::log::recent().iter().filter(|line| line.text.contains(words)).count()
}
