//! The whole: from alarms that are offered to messages that arrive, over failures and restarts.

use std::sync::Arc;

use serde_json::json;

use super::super::{Notifier, TestError};
use super::peer::Peer;
use super::*;

fn one_receiver(peer: &Peer) -> Notify {
    let mut notify = settings();
    notify.receivers.insert("ops".to_owned(), webhook(&peer.url("/")));
    notify
}

fn ended(text: &str) -> Alert {
    Alert { ends_at: Some(crate::observe::now()), ..alert(text) }
}

fn exposed(notifier: &Notifier) -> String {
    let mut exposition = tsdb::exposition::Exposition::new();
    notifier.expose(&mut exposition);
    exposition.finish()
}

#[tokio::test]
async fn what_was_told_is_kept_and_not_told_again() {
    let mut peer = Peer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let start =
        || Notifier::start(&one_receiver(&peer), Some(directory.path().to_owned()), "").unwrap();
    let notifier = start();
    notifier.offer(vec![alert("Down n=1"), alert("Full n=1")]);
    for _ in 0..2 {
        assert_eq!(peer.asked().await.body["status"], "firing");
    }
    let silence = super::super::Silence {
        id: String::new(),
        matchers: vec![super::super::plan::Term::parse("n=3").unwrap()],
        starts_at: 0,
        ends_at: crate::observe::now() + 3_600_000,
        updated_at: 0,
        created_by: "me".to_owned(),
        comment: "new \u{1F525} disk".to_owned(),
    };
    notifier.silence(silence).await.unwrap();
    notifier.stop().await;
    let notifier = {
        let peer = &peer;
        Notifier::start(&one_receiver(peer), Some(directory.path().to_owned()), "").unwrap()
    };
    assert_eq!(notifier.silences()[0].comment, "new \u{1F525} disk");
    // One goes on, one has ended meanwhile, one is new, and one is silenced: two messages.
    notifier.offer(vec![
        alert("Down n=1"),
        ended("Full n=1"),
        alert("Late n=2"),
        alert("Hush n=3"),
    ]);
    let mut told: Vec<String> = Vec::new();
    for _ in 0..2 {
        let body = peer.asked().await.body;
        told.push(format!("{} {}", body["alerts"][0]["labels"]["alertname"], body["status"]));
    }
    told.sort();
    assert_eq!(told, ["\"Full\" \"resolved\"", "\"Late\" \"firing\""]);
    notifier.stop().await;
    assert!(peer.is_quiet());
}

#[tokio::test]
async fn a_damaged_file_is_put_aside() {
    let peer = Peer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for text in [
        "{\"version\":1,\"silences\":[",
        "{\"version\":2,\"silences\":[],\"told\":[],\"alerts\":[]}",
        "",
    ] {
        std::fs::write(path("notify.json"), text).unwrap();
        let notifier =
            Notifier::start(&one_receiver(&peer), Some(directory.path().to_owned()), "").unwrap();
        assert_eq!(std::fs::read_to_string(path("notify.json.damaged")).unwrap(), text);
        assert!(!path("notify.json").exists());
        notifier.stop().await;
    }
}

#[tokio::test]
async fn a_receiver_that_is_away_delays_no_other() {
    // One that takes connections and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = Peer::start().await;
    let mut notify = one_receiver(&peer);
    let url = format!("http://{}/", mute.local_addr().unwrap());
    notify.receivers.insert("mute".to_owned(), webhook(&url));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    let many = (0..50).map(|number| alert(&format!("Down{number}"))).collect();
    notifier.offer(many);
    for _ in 0..50 {
        peer.asked().await;
    }
    let text = exposed(&notifier);
    assert!(text.contains("plimsoll_notification_queue_messages{receiver=\"mute\"} 50"), "{text}");
    notifier.owner.lock().unwrap().take().unwrap().abort();
}

#[tokio::test]
async fn messages_are_tried_until_they_are_taken_and_refused_ones_are_not() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    peer.will_say(&[(500, "boom"), (200, "ok")]);
    notifier.offer(vec![alert("Down")]);
    let (first, second) = (peer.asked().await.body, peer.asked().await.body);
    assert_eq!(first, second);
    notifier.stop().await;
    let text = exposed(&notifier);
    for line in [
        "plimsoll_notifications_total{receiver=\"ops\"} 1",
        "plimsoll_notifications_failed_total{receiver=\"ops\"} 0",
        "plimsoll_notification_latency_seconds_count{receiver=\"ops\"} 1",
        "plimsoll_notification_queue_messages{receiver=\"ops\"} 0",
        "plimsoll_notification_alerts{state=\"active\"} 1",
        "plimsoll_silences{state=\"active\"} 0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_refused_message_is_sent_again_at_the_next_look() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    peer.will_say(&[(400, "no")]);
    notifier.offer(vec![alert("Down")]);
    peer.asked().await;
    peer.asked().await;
    notifier.stop().await;
    let text = exposed(&notifier);
    assert!(text.contains("plimsoll_notifications_failed_total{receiver=\"ops\"} 1"), "{text}");
    assert!(text.contains("plimsoll_notifications_total{receiver=\"ops\"} 2"), "{text}");
    assert!(peer.is_quiet());
}

#[tokio::test]
async fn the_stop_tries_once_more_what_waits() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    // It is to be left alone for an hour.
    peer.will_say(&[(503, "Retry-After: 3600")]);
    let mut notify = one_receiver(&peer);
    notify.group_interval = Duration::from_secs(7200);
    notifier.apply(&notify, "").unwrap();
    notifier.offer(vec![alert("Down")]);
    peer.asked().await;
    // What came just now is told as well.
    notifier.offer(vec![alert("Full")]);
    notifier.stop().await;
    let names = [peer.asked().await, peer.asked().await]
        .map(|asked| asked.body["groupLabels"]["alertname"].as_str().unwrap().to_owned());
    assert!(names.contains(&"Down".to_owned()) && names.contains(&"Full".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_reload_that_cannot_be_used_changes_nothing() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    let mut notify = one_receiver(&peer);
    let endpoint = crate::config::model::observe::HttpEndpoint {
        ca: Some("/no/such/ca.pem".into()),
        ..crate::config::model::observe::HttpEndpoint::open("https://127.0.0.1/")
    };
    notify.receivers.clear();
    notify
        .receivers
        .insert("other".to_owned(), Receiver { means: Means::Webhook(endpoint), resolved: true });
    let error = notifier.apply(&notify, "").unwrap_err().to_string();
    assert!(
        error.starts_with("receiver `other` cannot be used: cannot use the certificates"),
        "{error}"
    );
    notifier.offer(vec![alert("Down")]);
    assert_eq!(peer.asked().await.body["receiver"], "ops");
    notifier.stop().await;
}

#[tokio::test]
async fn a_receiver_can_be_tried() {
    let mut peer = Peer::start().await;
    let mut notify = one_receiver(&peer);
    notify
        .receivers
        .insert("quiet".to_owned(), Receiver { resolved: false, ..webhook(&peer.url("/")) });
    let notifier: Arc<Notifier> = Notifier::start(&notify, None, "https://ops.example/").unwrap();
    peer.will_say(&[(200, "thanks"), (204, "")]);
    let answer = notifier.test("ops").await;
    assert_eq!(answer, Ok("HTTP 200: thanks; and that it is over: HTTP 204".to_owned()));
    let (firing, over) = (peer.asked().await.body, peer.asked().await.body);
    assert_eq!((&firing["status"], &over["status"]), (&json!("firing"), &json!("resolved")));
    assert_eq!(firing["commonLabels"]["alertname"], "PlimsollTest");
    assert_eq!(notifier.test("quiet").await, Ok("HTTP 200: ok".to_owned()));
    peer.asked().await;
    peer.will_say(&[(404, "gone")]);
    let words = "HTTP 404: gone".to_owned();
    let remedy = "check its URL, and that what listens there is well";
    assert_eq!(notifier.test("ops").await, Err(TestError::Failed { words, remedy }));
    assert_eq!(
        notifier.test("nobody").await.unwrap_err().to_string(),
        "there is no receiver `nobody`; there are: ops, quiet"
    );
    // It is no alarm: nobody else hears of it.
    peer.asked().await;
    notifier.stop().await;
    assert!(peer.is_quiet());
}

#[tokio::test]
async fn an_outage_is_told_once_and_its_end_once() {
    let mut peer = Peer::start().await;
    let mut notify = settings();
    notify.receivers.insert("shaky".to_owned(), webhook(&peer.url("/")));
    let notifier = Notifier::start(&notify, None, "").unwrap();
    peer.will_say(&[(500, "boom"), (503, "bang")]);
    notifier.offer(vec![alert("Down")]);
    for _ in 0..3 {
        peer.asked().await;
    }
    notifier.stop().await;
    let fails =
        "receiver `shaky` (webhook) was not told of alarms: HTTP 500: boom; it is tried again";
    assert_eq!((told(fails), told("receiver `shaky` (webhook) was not told")), (1, 1));
    assert_eq!(told("receiver `shaky` works again, after 2 failed attempts"), 1);
}

#[tokio::test]
async fn too_many_alarms_are_told_once_until_it_is_over() {
    use super::super::plan::Offered;
    let notifier = Notifier::start(&settings(), None, "").unwrap();
    let words = "7301 alarms are not told of: there are more than 20000 alarms";
    for (refused, ungrouped, count) in [(7000, 301, 1), (0, 7301, 1), (0, 0, 1), (7301, 0, 2)] {
        notifier.overrun(Offered { refused, ungrouped });
        assert_eq!(told(words), count);
    }
    assert!(exposed(&notifier).contains("plimsoll_alerts_refused_total 21903\n"));
    notifier.stop().await;
}

#[tokio::test]
async fn what_would_come_too_late_is_left_to_the_next_look() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    // In an hour; the group is looked at anew before that.
    peer.will_say(&[(503, "Retry-After: 3600")]);
    notifier.offer(vec![alert("Down")]);
    peer.asked().await;
    peer.asked().await;
    notifier.stop().await;
}

#[tokio::test]
async fn the_stop_tries_once_and_no_more() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    peer.will_say(&[(503, ""); 1000]);
    let mut notify = one_receiver(&peer);
    notify.group_interval = Duration::from_secs(7200);
    notifier.apply(&notify, "").unwrap();
    notifier.offer(vec![alert("Down")]);
    peer.asked().await;
    notifier.stop().await;
    let more = peer.more();
    // One may have been on its way already.
    assert!((1..=2).contains(&more), "{more}");
}

#[tokio::test]
async fn no_more_wait_for_a_receiver_than_have_room() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut notify = settings();
    let url = format!("http://{}/", mute.local_addr().unwrap());
    notify.receivers.insert("mute".to_owned(), webhook(&url));
    notify.group_interval = Duration::from_secs(7200);
    let notifier = Notifier::start(&notify, None, "").unwrap();
    notifier.offer((0..1200).map(|number| alert(&format!("Down{number}"))).collect());
    let failed = "plimsoll_notifications_failed_total{receiver=\"mute\"} 200\n";
    let waiting = "plimsoll_notification_queue_messages{receiver=\"mute\"} 1000\n";
    let is_full = || {
        let text = exposed(&notifier);
        text.contains(failed) && text.contains(waiting)
    };
    let full = async {
        while !is_full() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), full).await;
    assert!(in_time.is_ok(), "{}", exposed(&notifier));
    notifier.owner.lock().unwrap().take().unwrap().abort();
}

#[tokio::test]
async fn what_could_not_be_kept_is_kept_later() {
    let mut peer = Peer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (file, folder) = (directory.path().join("x"), directory.path().join("x/y"));
    std::fs::write(&file, "in the way").unwrap();
    let notifier = Notifier::start(&one_receiver(&peer), Some(folder.clone()), "").unwrap();
    notifier.offer(vec![alert("Down")]);
    peer.asked().await;
    let words = format!("cannot be kept in {}", folder.display());
    let patience = Duration::from_secs(20);
    let until = async |is_so: &dyn Fn() -> bool| {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(patience, wait).await.expect("in time");
    };
    until(&|| told(&words) > 0).await;
    notifier.keep().await;
    assert_eq!(told(&words), 1);
    let again = told("silences are kept on the disk again");
    std::fs::remove_file(&file).unwrap();
    // Nothing has changed since, and there is no stop.
    until(&|| folder.join("notify.json").exists()).await;
    until(&|| told("silences are kept on the disk again") > again).await;
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.join("notify.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    notifier.stop().await;
}

#[tokio::test]
async fn a_reload_goes_on_counting() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "").unwrap();
    notifier.offer(vec![alert("Down n=2"), Alert { starts_at: BEGAN - 1, ..alert("Full n=1") }]);
    for _ in 0..2 {
        peer.asked().await;
    }
    let count = |number: usize| {
        exposed(&notifier).contains(&format!("notifications_total{{receiver=\"ops\"}} {number}\n"))
    };
    while !count(2) {
        tokio::task::yield_now().await;
    }
    notifier.apply(&one_receiver(&peer), "").unwrap();
    assert!(count(2), "{}", exposed(&notifier));
    // What fires is listed by its age.
    let oldest: Vec<i64> = notifier.active().iter().map(|alert| alert.starts_at).collect();
    assert_eq!(oldest, [BEGAN - 1, BEGAN]);
    notifier.stop().await;
}

#[tokio::test]
async fn a_reload_brings_the_new_link_to_plimsoll() {
    let mut peer = Peer::start().await;
    let notifier = Notifier::start(&one_receiver(&peer), None, "https://old.example/").unwrap();
    notifier.apply(&one_receiver(&peer), "https://new.example/").unwrap();
    notifier.offer(vec![alert("Down")]);
    assert_eq!(peer.asked().await.body["externalURL"], "https://new.example/");
    notifier.stop().await;
}

#[test]
fn settings_are_tried_without_starting_anything() {
    let mut notify = settings();
    assert_eq!(super::super::check(&notify), Ok(()));
    let means = Means::Email {
        to: vec!["ops@example.com".to_owned()],
        from: "plimsoll@example.com".to_owned(),
        server: ("localhost".to_owned(), 25),
        security: crate::config::model::observe::MailSecurity::Tls,
        login: None,
        ca: Some("/no/such/ca.pem".into()),
    };
    notify.receivers.insert("mail".to_owned(), Receiver { means, resolved: true });
    let error = super::super::check(&notify).unwrap_err().to_string();
    assert!(error.starts_with("receiver `mail` cannot be used: cannot use the cert"), "{error}");
}
