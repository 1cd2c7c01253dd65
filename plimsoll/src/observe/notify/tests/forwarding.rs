//! A real Alertmanager (Debian's package `prometheus-alertmanager`) gets our alarms, and tells of
//! them in the same words as we do.

use serde_json::{Value, json};

use super::super::Notifier;
use super::peer::Peer;
use super::*;
use crate::config::model::observe::HttpEndpoint;
use crate::testing::alertmanager::Alertmanager;

async fn alerts(url: &str) -> Vec<Value> {
    let text = reqwest::get(format!("{url}/api/v2/alerts")).await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn alertmanager_gets_alarms_and_says_the_same_of_them() {
    let (mut theirs, mut ours) = (Peer::start().await, Peer::start().await);
    let alertmanager = Alertmanager::start(&theirs.url("/"));
    let mut notify = settings();
    notify.alertmanagers.push(HttpEndpoint::open(alertmanager.url.clone() + "/"));
    notify.receivers.insert("ops".to_owned(), webhook(&ours.url("/")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    let firing = Alert {
        starts_at: crate::observe::now() - 1000,
        ..alert("Down service=web \u{e9}=no instance=a\"b\\c")
    };
    let firing = Alert {
        labels: Labels::from_pairs(firing.labels.iter().filter(|(name, _)| name.is_ascii())),
        ..firing
    };
    notifier.offer(vec![firing.clone(), Alert { generator_url: String::new(), ..alert("Bare") }]);
    let bodies = |mut first: Value, mut second: Value| {
        // Which group comes first is chance; its link to itself is its own.
        first["externalURL"] = json!("");
        second["externalURL"] = json!("");
        if first["groupKey"].as_str() > second["groupKey"].as_str() {
            std::mem::swap(&mut first, &mut second);
        }
        [first, second]
    };
    let of_theirs = bodies(theirs.asked().await.body, theirs.asked().await.body);
    let of_ours = bodies(ours.asked().await.body, ours.asked().await.body);
    assert_eq!(of_ours, of_theirs);
    let known = alerts(&alertmanager.url).await;
    let down = known.iter().find(|alert| alert["labels"]["alertname"] == "Down").unwrap();
    assert_eq!(known.len(), 2);
    assert_eq!(down["labels"]["instance"], "a\"b\\c");
    assert_eq!(down["annotations"]["summary"], "Down is wrong");
    // It ends there too, at the same time.
    notifier.offer(vec![Alert { ends_at: Some(crate::observe::now()), ..firing }]);
    let mut over = [theirs.asked().await.body, ours.asked().await.body];
    over.iter_mut().for_each(|body| body["externalURL"] = json!(""));
    assert_eq!(over[0], over[1]);
    assert_eq!(over[0]["status"], "resolved");
    let known = alerts(&alertmanager.url).await;
    assert!(known.iter().all(|alert| alert["labels"]["alertname"] == "Bare"), "{known:?}");
    notifier.stop().await;
}

#[tokio::test]
async fn an_alertmanager_that_is_away_gets_what_is_true_when_it_is_back() {
    let (mut well, mut sick) = (Peer::start().await, Peer::start().await);
    sick.will_say(&[(503, "starting"), (503, "starting")]);
    let mut notify = settings();
    notify.alertmanagers =
        vec![HttpEndpoint::open(well.url("")), HttpEndpoint::open(sick.url("/am"))];
    let notifier = Notifier::start(&notify, None, "").unwrap();
    notifier.offer(vec![alert("Down")]);
    assert_eq!(well.asked().await.path, "/api/v2/alerts");
    let first = sick.asked().await;
    assert_eq!(first.path, "/am/api/v2/alerts");
    assert_eq!(first.body[0]["labels"], json!({ "alertname": "Down" }));
    let ends: jiff::Timestamp = first.body[0]["endsAt"].as_str().unwrap().parse().unwrap();
    let ahead = ends.as_millisecond() - crate::observe::now();
    assert!((180_000..=240_000).contains(&ahead), "{ahead} ms");
    // It ends while the other is away, which is told of the end only.
    let ended = crate::observe::now();
    let words = super::super::message::rfc3339(ended);
    notifier.offer(vec![Alert { ends_at: Some(ended), ..alert("Down") }]);
    assert_eq!(well.asked().await.body[0]["endsAt"], words.as_str());
    loop {
        let body = sick.asked().await.body;
        assert_eq!(body.as_array().unwrap().len(), 1);
        if body[0]["endsAt"] == words.as_str() {
            break;
        }
    }
    let mut exposition = tsdb::exposition::Exposition::new();
    notifier.expose(&mut exposition);
    let text = exposition.finish();
    let line = format!(
        "plimsoll_notification_forwarded_alerts_total{{alertmanager=\"{}\"}} 2",
        well.address
    );
    assert!(text.contains(&line), "{text}");
    notifier.stop().await;
}

#[tokio::test]
async fn many_alarms_go_in_batches() {
    let mut peer = Peer::start().await;
    let mut notify = settings();
    notify.alertmanagers.push(HttpEndpoint::open(peer.url("")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    notifier.offer((0..600).map(|number| alert(&format!("Down n={number}"))).collect());
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 600 {
        sizes.push(peer.asked().await.body.as_array().unwrap().len());
    }
    assert_eq!(sizes, [256, 256, 88]);
    // A reload changes nothing for those that stay, and a new one gets everything.
    let mut other = Peer::start().await;
    notify.alertmanagers.push(HttpEndpoint::open(other.url("")));
    notifier.apply(&notify, "").unwrap();
    notifier.offer(Vec::new());
    assert_eq!(other.asked().await.body.as_array().unwrap().len(), 256);
    notifier.stop().await;
}

#[tokio::test]
async fn what_failed_is_sent_again_and_what_was_refused_is_not() {
    let mut peer = Peer::start().await;
    let mut notify = settings();
    notify.alertmanagers.push(HttpEndpoint::open(peer.url("")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    let names = |body: Value| {
        let alerts = body.as_array().unwrap().iter();
        alerts.map(|alert| alert["labels"]["alertname"].to_string()).collect::<Vec<_>>()
    };
    peer.will_say(&[(503, "starting")]);
    notifier.offer(vec![alert("One")]);
    for _ in 0..2 {
        assert_eq!(names(peer.asked().await.body), ["\"One\""]);
    }
    peer.will_say(&[(400, "no")]);
    notifier.offer(vec![alert("Two")]);
    assert_eq!(names(peer.asked().await.body), ["\"Two\""]);
    notifier.offer(vec![alert("Three")]);
    assert_eq!(names(peer.asked().await.body), ["\"Three\""]);
    let mut exposition = tsdb::exposition::Exposition::new();
    notifier.expose(&mut exposition);
    let text = exposition.finish();
    for (figure, count) in [("forward_failed_total", 2), ("forward_dropped_alerts_total", 1)] {
        let line = format!(
            "plimsoll_notification_{figure}{{alertmanager=\"{}\"}} {count}\n",
            peer.address
        );
        assert!(text.contains(&line), "{line}{text}");
    }
    notifier.stop().await;
}

#[tokio::test]
async fn the_stop_tries_an_alertmanager_once_and_no_more() {
    let mut peer = Peer::start().await;
    let mut notify = settings();
    notify.alertmanagers.push(HttpEndpoint::open(peer.url("")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    peer.will_say(&[(503, ""); 10_000]);
    notifier.offer(vec![alert("Down")]);
    peer.asked().await;
    notifier.stop().await;
    let more = peer.more();
    // One may have been on its way already.
    assert!((1..=2).contains(&more), "{more}");
}

#[tokio::test]
async fn an_outage_of_an_alertmanager_is_told_once_and_its_end_once() {
    let mut peer = Peer::start().await;
    let mut notify = settings();
    notify.alertmanagers.push(HttpEndpoint::open(peer.url("")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    peer.will_say(&[(503, "starting"), (429, "slowly"), (503, "starting")]);
    notifier.offer(vec![alert("Down")]);
    for _ in 0..4 {
        peer.asked().await;
    }
    // What it has taken is known once the next is on its way.
    notifier.offer(vec![alert("Full")]);
    peer.asked().await;
    notifier.stop().await;
    let fails = format!("Alertmanager {} did not take 1 alarms: HTTP 503 starting;", peer.address);
    assert_eq!(told(&fails), 1);
    assert_eq!(told(&format!("Alertmanager {} did not take", peer.address)), 1);
    assert_eq!(told(&format!("Alertmanager {} takes alarms again", peer.address)), 1);
}

#[tokio::test]
async fn no_more_wait_for_an_alertmanager_than_have_room() {
    // One that takes connections and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut notify = settings();
    let address = mute.local_addr().unwrap();
    notify.alertmanagers.push(HttpEndpoint::open(format!("http://{address}")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    notifier.offer((0..11_000).map(|number| alert(&format!("Down n={number}"))).collect());
    let dropped = format!(
        "plimsoll_notification_forward_dropped_alerts_total{{alertmanager=\"{address}\"}} "
    );
    let count = || {
        let mut exposition = tsdb::exposition::Exposition::new();
        notifier.expose(&mut exposition);
        let text = exposition.finish();
        text.lines().find_map(|line| line.strip_prefix(&dropped)?.parse::<u64>().ok()).unwrap()
    };
    let dropped = async {
        while count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), dropped).await.expect("too many are dropped");
    assert_eq!(count(), 1000);
    notifier.owner.lock().unwrap().take().unwrap().abort();
}
