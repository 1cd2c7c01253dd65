//! What each receiver gets, to the letter, and how it takes a refusal.

use serde_json::{Value, json};

use super::peer::Peer;
use super::*;
use crate::config::model::observe::HttpEndpoint;

fn slack(url: String, channel: Option<&str>) -> Means {
    Means::Slack { endpoint: HttpEndpoint::open(url), channel: channel.map(str::to_owned) }
}

fn pagerduty(peer: &Peer) -> Means {
    let endpoint = HttpEndpoint::open(peer.url("/v2/enqueue"));
    Means::PagerDuty { routing_key: "0123456789abcdef".to_owned(), endpoint }
}

#[tokio::test]
async fn a_webhook_gets_alertmanagers_json() {
    let mut peer = Peer::start().await;
    let endpoint = HttpEndpoint {
        bearer: Some("open sesame".to_owned()),
        headers: vec![("x-tenant".to_owned(), "one".to_owned())],
        ..HttpEndpoint::open(peer.url("/hook"))
    };
    let message = message(
        "ops",
        &[alert("Down service=web instance=1")],
        &[alert("Down service=web instance=2")],
    );
    let answer = sent(Means::Webhook(endpoint), &message).await;
    assert_eq!(answer, Ok("HTTP 200: ok".to_owned()));
    let asked = peer.asked().await;
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/hook"));
    assert_eq!(asked.headers["content-type"], "application/json");
    assert_eq!(asked.headers["authorization"], "Bearer open sesame");
    assert_eq!(asked.headers["x-tenant"], "one");
    let of = |instance: &str, status: &str, ends: &str, fingerprint: &str| {
        json!({
            "status": status,
            "labels": { "alertname": "Down", "instance": instance, "service": "web" },
            "annotations": { "summary": "Down is wrong" },
            "startsAt": "2026-01-02T03:04:05.678Z",
            "endsAt": ends,
            "generatorURL": "http://127.0.0.1:9900/graph?g0.expr=up",
            "fingerprint": fingerprint,
        })
    };
    assert_eq!(
        asked.body,
        json!({
            "receiver": "ops",
            "status": "firing",
            "alerts": [
                of("1", "firing", "0001-01-01T00:00:00Z", "54c84f919d193ef3"),
                of("2", "resolved", "2026-01-02T03:05:05.679Z", "2f4c3062934aea5c"),
            ],
            "groupLabels": { "alertname": "Down" },
            "commonLabels": { "alertname": "Down", "service": "web" },
            "commonAnnotations": { "summary": "Down is wrong" },
            "externalURL": "https://ops.example/",
            "version": "4",
            "groupKey": "{}:{alertname=\"Down\"}",
            "truncatedAlerts": 0,
        })
    );
}

#[tokio::test]
async fn slack_gets_what_cannot_be_misread() {
    let mut peer = Peer::start().await;
    let mut evil = alert("Down team=<!channel>");
    evil.annotations.insert("summary".to_owned(), "a < b & c > d".to_owned());
    let means = slack(peer.url("/services/T/B/key"), Some("#ops"));
    sent(means, &message("chat", &[evil], &[])).await.unwrap();
    let body = peer.asked().await.body;
    assert_eq!(body["channel"], "#ops");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["color"], "danger");
    assert_eq!(attachment["title"], "[FIRING:1] Down (&lt;!channel&gt;)");
    assert_eq!(attachment["title_link"], "https://ops.example/");
    assert_eq!(
        attachment["text"],
        "*Firing:* a &lt; b &amp; c &gt; d\nteam=&lt;!channel&gt;\n_since 2026-01-02 03:04:05 UTC_\n"
    );
    // What fires comes first, and every text is escaped.
    let mut late = alert("Down n=2");
    late.annotations.insert("description".to_owned(), "<!here>".to_owned());
    let mixed = message("chat", &[late], &[alert("Down n=1")]);
    sent(slack(peer.url("/x"), None), &mixed).await.unwrap();
    let body = peer.asked().await.body;
    let text = body["attachments"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("*Firing:* Down is wrong\n&lt;!here&gt;\nn=2\n"), "{text}");
    assert!(text.contains("*Resolved:* Down is wrong\nn=1\n"), "{text}");
    // Milder, over, and without a channel.
    let means = || slack(peer.url("/x"), None);
    sent(means(), &message("chat", &[alert("Slow severity=warning")], &[])).await.unwrap();
    sent(means(), &message("chat", &[], &[alert("Slow severity=page")])).await.unwrap();
    let (mild, over) = (peer.asked().await.body, peer.asked().await.body);
    assert_eq!(mild["attachments"][0]["color"], "warning");
    assert_eq!(mild.get("channel"), None);
    assert_eq!(over["attachments"][0]["color"], "good");
    assert_eq!(over["attachments"][0]["title"], "[RESOLVED] Slow (page)");
}

#[tokio::test]
async fn slack_messages_have_bounds() {
    let mut peer = Peer::start().await;
    let many: Vec<Alert> = (0..100)
        .map(|number| {
            let mut alert = alert(&format!("Down n={number}"));
            alert.annotations.insert("description".to_owned(), "é".repeat(5000));
            alert
        })
        .collect();
    sent(slack(peer.url("/x"), None), &message("chat", &many, &[])).await.unwrap();
    let body = peer.asked().await.body;
    let text = body["attachments"][0]["text"].as_str().unwrap();
    assert!(text.chars().count() <= 8000, "{}", text.chars().count());
    assert!(text.ends_with("… and 93 more"), "{}", &text[text.len() - 40..]);
    let many: Vec<Alert> = (0..25).map(|number| alert(&format!("Down n={number}"))).collect();
    sent(slack(peer.url("/x"), None), &message("chat", &many, &[])).await.unwrap();
    let body = peer.asked().await.body;
    let text = body["attachments"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("… and 5 more"), "{text}");
    // Mattermost and others say in JSON that it was nothing.
    peer.will_say(&[(200, r#"{"ok":false,"error":"channel_not_found"}"#)]);
    let refused =
        sent(slack(peer.url("/x"), None), &message("chat", &many, &[])).await.unwrap_err();
    assert!(!refused.passes && refused.words.contains("channel_not_found"), "{refused:?}");
}

#[tokio::test]
async fn pagerduty_gets_one_incident_a_group() {
    let mut peer = Peer::start().await;
    let firing = [
        alert("Down service=web n=1 severity=warning"),
        alert("Down service=web n=2 severity=page"),
    ];
    peer.will_say(&[(202, r#"{"status":"success"}"#)]);
    let answer = sent(pagerduty(&peer), &message("pager", &firing, &[])).await;
    assert_eq!(answer, Ok(r#"HTTP 202: {"status":"success"}"#.to_owned()));
    let event = peer.asked().await.body;
    assert_eq!(event["routing_key"], "0123456789abcdef");
    assert_eq!(event["event_action"], "trigger");
    assert_eq!(event["dedup_key"], "{}:{alertname=\"Down\"}");
    assert_eq!(event["client_url"], "https://ops.example/");
    assert_eq!(event["payload"]["severity"], "critical");
    assert_eq!(event["payload"]["summary"], "[FIRING:2] Down (web)");
    assert_eq!(event["payload"]["component"], "web");
    assert_eq!(event["payload"]["class"], "Down");
    assert_eq!(event["payload"]["custom_details"]["num_firing"], "2");
    assert_eq!(event["links"][0]["href"], "http://127.0.0.1:9900/graph?g0.expr=up");
    assert!(event["payload"]["source"].as_str().is_some_and(|source| !source.is_empty()));
    // The same incident is resolved.
    sent(pagerduty(&peer), &message("pager", &[], &firing)).await.unwrap();
    let over = peer.asked().await.body;
    assert_eq!(over["event_action"], "resolve");
    assert_eq!(over["dedup_key"], event["dedup_key"]);
}

#[tokio::test]
async fn pagerduty_events_have_bounds() {
    let mut peer = Peer::start().await;
    let mut huge = alert("Down");
    for number in 0..1000 {
        huge.annotations.insert(format!("a{number}"), "\u{1F525}".repeat(1000));
    }
    let long = "x".repeat(3000);
    huge.labels = Labels::from_pairs([("alertname", long.as_str())]);
    sent(pagerduty(&peer), &message("pager", &[huge.clone()], &[])).await.unwrap();
    let event = peer.asked().await.body;
    assert!(event.to_string().len() < 512_000);
    let error = event["payload"]["custom_details"]["error"].as_str().unwrap();
    assert!(error.starts_with("The details are left out: with them, the event has "), "{error}");
    assert_eq!(event["payload"]["summary"].as_str().unwrap().chars().count(), 1024);
    let key = event["dedup_key"].as_str().unwrap().to_owned();
    assert_eq!(key.chars().count(), 255);
    // Another long key with the same beginning is another.
    huge.labels = Labels::from_pairs([("alertname", (long + "y").as_str())]);
    sent(pagerduty(&peer), &message("pager", &[huge], &[])).await.unwrap();
    assert_ne!(peer.asked().await.body["dedup_key"], key.as_str());
}

#[tokio::test]
async fn pagerduty_gets_each_link_once_and_ten_at_most() {
    let mut peer = Peer::start().await;
    let linked = |number: usize, link: usize| Alert {
        generator_url: format!("http://127.0.0.1/{link}"),
        ..alert(&format!("Down n={number:02}"))
    };
    for (different, expected) in [(25, 10), (1, 1)] {
        let many: Vec<Alert> = (0..25).map(|number| linked(number, number % different)).collect();
        sent(pagerduty(&peer), &message("pager", &many, &[])).await.unwrap();
        let event = peer.asked().await.body;
        assert_eq!(event["links"].as_array().unwrap().len(), expected);
        assert_eq!(event["payload"]["custom_details"]["num_firing"], "25");
        assert_eq!(event["payload"]["custom_details"]["left_out"], "5");
    }
}

#[tokio::test]
async fn severities_are_pagerdutys() {
    let mut peer = Peer::start().await;
    for (ours, theirs) in [
        ("severity=critical", "critical"),
        ("severity=Page", "critical"),
        ("severity=error", "error"),
        ("severity=warning", "warning"),
        ("severity=info", "info"),
        ("severity=strange", "error"),
        ("", "error"),
    ] {
        let firing = [alert(&format!("Down {ours}"))];
        sent(pagerduty(&peer), &message("pager", &firing, &[])).await.unwrap();
        assert_eq!(peer.asked().await.body["payload"]["severity"], theirs, "{ours}");
    }
}

#[tokio::test]
async fn refusals_say_whether_they_pass_and_hide_secrets() {
    let peer = Peer::start().await;
    let message = message("ops", &[alert("Down")], &[]);
    for (status, body, passes, words) in [
        (500, "boom\nat line 3", true, "HTTP 500: boom at line 3"),
        (503, "", true, "HTTP 503"),
        (429, "Retry-After: 7", true, "HTTP 429"),
        (408, "", true, "HTTP 408"),
        (400, "invalid_payload", false, "HTTP 400: invalid_payload"),
        (404, "no_service", false, "HTTP 404: no_service"),
        (403, "/services/T/B/key is gone", false, "HTTP 403: (hidden) is gone"),
    ] {
        peer.will_say(&[(status, body)]);
        let failure = sent(slack(peer.url("/services/T/B/key"), None), &message).await.unwrap_err();
        let wait = (status == 429).then(|| Duration::from_secs(7));
        assert_eq!(failure, Failure { words: words.to_owned(), passes, wait });
    }
    // Nobody is left alone for days.
    peer.will_say(&[(503, "Retry-After: 86400")]);
    let failure = sent(slack(peer.url("/services/T/B/key"), None), &message).await.unwrap_err();
    assert_eq!(failure.wait, Some(Duration::from_secs(3600)));
    // A page of an error, however long, is told in part.
    peer.will_say(&[(502, &"<p>".repeat(100_000))]);
    let failure = sent(slack(peer.url("/services/T/B/key"), None), &message).await.unwrap_err();
    assert_eq!(failure.words.chars().count(), "HTTP 502: ".len() + 300);
    // Nobody there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/T/B/key", listener.local_addr().unwrap());
    drop(listener);
    let failure = sent(slack(url, None), &message).await.unwrap_err();
    assert_eq!(
        failure,
        Failure { words: "connection refused".to_owned(), passes: true, wait: None }
    );
}

#[tokio::test]
async fn of_two_secrets_the_longer_is_hidden_whole_and_of_none_a_letter() {
    let peer = Peer::start().await;
    let headers = [("x-key", "secret"), ("x-token", "secret-token"), ("x-on", "on")];
    let endpoint = HttpEndpoint {
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..HttpEndpoint::open(peer.url("/hook"))
    };
    peer.will_say(&[(200, "secret-token and secret are gone")]);
    let answer = sent(Means::Webhook(endpoint), &message("ops", &[alert("Down")], &[])).await;
    assert_eq!(answer, Ok("HTTP 200: (hidden) and (hidden) are gone".to_owned()));
}

#[tokio::test]
async fn an_answer_without_end_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let talking = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 1 << 16]).await.is_ok() {}
    });
    let answer = sent(webhook(&url).means, &message("ops", &[alert("Down")], &[])).await.unwrap();
    assert_eq!(answer.chars().count(), "HTTP 200: ".len() + 300);
    // The connection is given up as soon as it is known what is told.
    tokio::time::timeout(Duration::from_secs(20), talking).await.expect("in time").unwrap();
}

fn shell(script: &str, timeout: Duration) -> Means {
    let words = ["/bin/sh", "-c", script].map(str::to_owned).into();
    Means::Command { words, timeout }
}

const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_command_gets_the_json_and_little_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let script = format!("cat > {}; env > {}; echo spoken >&2", path("json"), path("env"));
    let message = message("ops", &[alert("Down service=web")], &[]);
    assert_eq!(sent(shell(&script, PATIENT), &message).await.unwrap(), "exit status 0: spoken");
    let json: Value = serde_json::from_slice(&std::fs::read(path("json")).unwrap()).unwrap();
    assert_eq!((&json["version"], &json["receiver"]), (&json!("4"), &json!("ops")));
    let environment = std::fs::read_to_string(path("env")).unwrap();
    for line in [
        "PLIMSOLL_RECEIVER=ops",
        "PLIMSOLL_STATUS=firing",
        "PLIMSOLL_GROUP_KEY={}:{alertname=\"Down\"}",
        "PLIMSOLL_TITLE=[FIRING:1] Down (web)",
        "PLIMSOLL_FIRING=1",
        "PLIMSOLL_RESOLVED=0",
        "PLIMSOLL_EXTERNAL_URL=https://ops.example/",
    ] {
        assert!(environment.lines().any(|known| known == line), "{line} is not in {environment}");
    }
    let known = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "PWD", "SHLVL", "_", "OLDPWD"];
    for name in environment.lines().filter_map(|line| line.split('=').next()) {
        assert!(name.starts_with("PLIMSOLL_") || known.contains(&name), "{name} is handed on");
    }
}

#[tokio::test]
async fn a_command_that_fails_says_why() {
    let small = message("ops", &[alert("Down")], &[]);
    let failure = |words: &str| Failure { words: words.to_owned(), passes: true, wait: None };
    let failed = |script| sent(shell(script, PATIENT), &small);
    assert_eq!(
        failed("echo one >&2; echo 'two: no route' >&2; echo >&2; exit 3").await,
        Err(failure("exit status 3: two: no route"))
    );
    assert_eq!(failed("kill -TERM $$").await, Err(failure("killed by SIGTERM")));
    // What it left behind holds its standard error open; the words are there all the same.
    assert_eq!(
        failed("sleep 600 & echo gone >&2; exit 1; ").await,
        Err(failure("exit status 1: gone"))
    );
    // A message that is larger than a pipe, and is not read.
    let many: Vec<Alert> = (0..2000).map(|n| alert(&format!("Down n={n}"))).collect();
    let large = message("ops", &many, &[]);
    assert_eq!(sent(shell("exit 0", PATIENT), &large).await.unwrap(), "exit status 0");
    // Of what it says, the end is held.
    let chatty = "printf begin >&2; head -c 20000 /dev/zero | tr '\\0' x >&2; exit 1";
    let said = failed(chatty).await.unwrap_err().words;
    assert!(said.starts_with("exit status 1: xxx") && !said.contains("begin"), "{said}");
    // A variable longer than systems take.
    let long = message("ops", &[alert(&"x".repeat(200_000))], &[]);
    let script = "test ${#PLIMSOLL_TITLE} -le 5000";
    assert_eq!(sent(shell(script, PATIENT), &long).await.unwrap(), "exit status 0");
    let missing = Means::Command { words: vec!["/no/such/program".to_owned()], timeout: PATIENT };
    let failure = sent(missing, &small).await.unwrap_err();
    assert!(!failure.passes);
    assert!(
        failure.words.starts_with("cannot start `/no/such/program`: No such file"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_command_is_killed_with_all_that_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("child");
    // The child writes its id; it ends only if somebody ends it.
    let script = format!(
        "sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600' & echo waiting >&2; wait",
        path.display()
    );
    let message = message("ops", &[alert("Down")], &[]);
    let failure = sent(shell(&script, Duration::from_secs(1)), &message).await.unwrap_err();
    assert_eq!(failure.words, "killed after 1 s: waiting");
    assert!(failure.passes);
    let id = std::fs::read_to_string(&path).unwrap().trim().to_owned();
    // Killed processes end, but not before the signal has reached them.
    let is_gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    while !is_gone() {
        tokio::task::yield_now().await;
    }
}
