//! The turns of a receiver: how many attempts are under way at once, in which order, and what holds
//! none.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use super::super::Notifier;
use super::peer::Peer;
use super::*;

/// A web server that answers when it is told to.
struct Gate {
    url: String,
    /// Names of alarms, as messages came.
    came: mpsc::UnboundedReceiver<String>,
    /// As many messages are answered.
    answers: Arc<Semaphore>,
}

async fn hold(
    State((tell, answers)): State<(mpsc::UnboundedSender<String>, Arc<Semaphore>)>,
    body: Bytes,
) {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let _ = tell.send(body["groupLabels"]["alertname"].as_str().unwrap().to_owned());
    answers.acquire().await.unwrap().forget();
}

impl Gate {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (tell, came) = mpsc::unbounded_channel();
        let answers = Arc::new(Semaphore::new(0));
        let app = axum::Router::new().fallback(hold).with_state((tell, Arc::clone(&answers)));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, came, answers }
    }

    async fn came(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(20), self.came.recv())
            .await
            .expect("no message comes")
            .unwrap()
    }
}

fn name(number: usize) -> String {
    format!("Down{number:02}")
}

/// Told once, and not looked at again.
fn once() -> Notify {
    Notify { group_interval: Duration::from_secs(7200), ..settings() }
}

#[tokio::test]
async fn four_attempts_at_a_receiver_are_under_way_at_once_and_others_follow_in_order() {
    let (mut gate, mut peer) = (Gate::start().await, Peer::start().await);
    let mut notify = once();
    notify.receivers.insert("gated".to_owned(), webhook(&gate.url));
    notify.receivers.insert("other".to_owned(), webhook(&peer.url("/")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    notifier.offer((0..12).map(|number| alert(&name(number))).collect());
    let mut first = BTreeSet::new();
    for _ in 0..4 {
        first.insert(gate.came().await);
    }
    assert_eq!(first, (0..4).map(name).collect());
    // Whoever had no need to wait for a turn would be here by now, as all are at the other.
    for _ in 0..12 {
        peer.asked().await;
    }
    assert_eq!(gate.came.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    for number in 4..12 {
        gate.answers.add_permits(1);
        assert_eq!(gate.came().await, name(number));
    }
    gate.answers.add_permits(4);
    notifier.stop().await;
    assert!(gate.came.try_recv().is_err(), "one is told twice");
}

#[tokio::test]
async fn a_message_that_rests_before_its_next_attempt_holds_up_no_other() {
    let mut peer = Peer::start().await;
    let mut notify = once();
    notify.receivers.insert("ops".to_owned(), webhook(&peer.url("/")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    // As many as there are turns are to come back in an hour.
    peer.will_say(&[(503, "Retry-After: 3600"); 4]);
    notifier.offer((0..5).map(|number| alert(&name(number))).collect());
    let mut told = BTreeSet::new();
    for _ in 0..5 {
        let body = peer.asked().await.body;
        told.insert(body["groupLabels"]["alertname"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, (0..5).map(name).collect());
    notifier.stop().await;
}
