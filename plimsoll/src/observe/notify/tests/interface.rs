//! The API, as the real `amtool` and the real Alertmanager (Debian's package
//! `prometheus-alertmanager`) know it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Notifier;
use super::peer::Peer;
use super::*;
use crate::config::model::observe::{Inhibition, NotifyRoute};
use crate::testing::alertmanager::Alertmanager;

/// The notifier's API on a port of its own.
async fn serve(notifier: &Arc<Notifier>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().nest("/alertmanager/api/v2", notifier.router());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

async fn amtool(address: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let output = tokio::process::Command::new("amtool")
        .arg(format!("--alertmanager.url=http://{address}/alertmanager"))
        .args(arguments)
        .env("HOME", "/nonexistent")
        .output()
        .await
        .expect("amtool is not there; `apt install prometheus-alertmanager`");
    // What it says besides does not belong to what it was asked for.
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap().trim().to_owned())
}

async fn well(address: SocketAddr, arguments: &[&str]) -> String {
    let (is_well, text) = amtool(address, arguments).await;
    assert!(is_well, "amtool {arguments:?}: {text}");
    text
}

fn matcher(text: &str) -> tsdb::source::Matcher {
    let (name, value) = text.split_once('=').unwrap();
    let condition = tsdb::source::Condition::Equal(value.to_owned());
    tsdb::source::Matcher { name: name.to_owned(), condition }
}

/// Two receivers, of which one is for `team=db`; what pages hushes the rest.
fn two_receivers(peer: &Peer) -> Notify {
    let mut notify = settings();
    notify.group_interval = Duration::from_secs(3600);
    notify.receivers.insert("web".to_owned(), webhook(&peer.url("/")));
    notify.receivers.insert("db".to_owned(), webhook(&peer.url("/")));
    notify.routes.push(NotifyRoute {
        matchers: vec![matcher("team=db")],
        receivers: vec!["db".to_owned()],
        goes_on: false,
        group_by: Some(vec!["...".to_owned()]),
        group_wait: None,
        group_interval: None,
        repeat_interval: None,
    });
    notify.inhibit.push(Inhibition {
        source: vec![matcher("severity=page")],
        target: vec![matcher("severity=warning")],
        equal: Vec::new(),
    });
    notify
}

fn names(json: &str) -> BTreeSet<String> {
    let all: Vec<Value> = serde_json::from_str(json).unwrap();
    all.iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn amtool_makes_asks_for_and_ends_silences() {
    let notifier = Notifier::start(&settings(), None, "").unwrap();
    let address = serve(&notifier).await;
    let made = [
        "silence",
        "add",
        "alertname=Down",
        "instance=~web-.+",
        "team!=db",
        "-a",
        "me",
        "-c",
        "a \"new\" disk",
    ];
    let id = well(address, &made).await;
    let all: Vec<Value> =
        serde_json::from_str(&well(address, &["silence", "query", "-o", "json"]).await).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["id"], &all[0]["comment"]), (&json!(id), &json!("a \"new\" disk")));
    assert_eq!(
        (&all[0]["createdBy"], &all[0]["status"]["state"]),
        (&json!("me"), &json!("active"))
    );
    let matchers: Vec<String> =
        notifier.silences()[0].matchers.iter().map(ToString::to_string).collect();
    assert_eq!(matchers, [r#"alertname="Down""#, r#"instance=~"web-.+""#, r#"team!="db""#]);
    // It is found by what it is about.
    assert!(well(address, &["silence", "query", "-q", "alertname=Down"]).await.contains(&id));
    assert_eq!(well(address, &["silence", "query", "-q", "alertname=Up"]).await, "");
    // Longer, it stays the same one.
    assert!(well(address, &["silence", "update", "-d", "5h", &id]).await.contains(&id));
    assert_eq!(notifier.silences().len(), 1);
    well(address, &["silence", "expire", &id]).await;
    assert_eq!(well(address, &["silence", "query", "-q"]).await, "");
    assert!(well(address, &["silence", "query", "-q", "--expired"]).await.contains(&id));
    // What cannot be is refused, and amtool shows why.
    let (is_well, text) = amtool(address, &["silence", "expire", &id]).await;
    assert!(!is_well && text.contains("already expired"), "{text}");
    let (is_well, text) =
        amtool(address, &["silence", "add", "a=~.*", "-a", "me", "-c", "all"]).await;
    assert!(
        !is_well && text.contains("at least one matcher must not match the empty string"),
        "{text}"
    );
    // Another client's silences come in, too.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("silences.json");
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let silence = json!([{
        "matchers": [{ "name": "a", "value": "b", "isRegex": false }],
        "startsAt": later.to_string(),
        "endsAt": (later + jiff::SignedDuration::from_hours(1)).to_string(),
        "createdBy": "me",
        "comment": "",
    }]);
    std::fs::write(&file, silence.to_string()).unwrap();
    well(address, &["silence", "import", &file.display().to_string()]).await;
    let pending = notifier.silences().into_iter().find(|silence| silence.id != id).unwrap();
    assert_eq!(pending.state(crate::observe::now()), super::super::SilenceState::Pending);
    notifier.stop().await;
}

#[tokio::test]
async fn amtool_asks_for_alarms_and_routes() {
    let peer = Peer::start().await;
    let notifier = Notifier::start(&two_receivers(&peer), None, "").unwrap();
    let address = serve(&notifier).await;
    notifier.offer(vec![
        alert("Down team=db severity=page"),
        alert("Slow team=db severity=warning"),
        alert("Full team=web"),
        alert("Late team=web"),
    ]);
    well(address, &["silence", "add", "alertname=Late", "-a", "me", "-c", "it is known"]).await;
    let ask = async |more: &[&str]| {
        names(&well(address, &[&["alert", "query", "-o", "json"], more].concat()).await)
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    // By default, amtool asks for what is neither silenced nor inhibited.
    assert_eq!(ask(&[]).await, set(&["Down", "Full"]));
    assert_eq!(ask(&["--silenced"]).await, set(&["Late"]));
    assert_eq!(ask(&["--inhibited"]).await, set(&["Slow"]));
    assert_eq!(ask(&["--receiver", "w.*"]).await, set(&["Full"]));
    assert_eq!(ask(&["team=web"]).await, set(&["Full"]));
    assert_eq!(ask(&["alertname=~.*o.*"]).await, set(&["Down"]));
    let route = well(address, &["config", "routes", "test", "team=db"]).await;
    assert_eq!(route, "db");
    let route = well(address, &["config", "routes", "test", "team=web"]).await;
    assert_eq!(route, "db,web");
    assert!(well(address, &["config", "show"]).await.contains("\"group_interval\": \"1h\""));
    notifier.stop().await;
}

#[tokio::test]
async fn groups_are_shown_with_their_receivers() {
    let peer = Peer::start().await;
    let notifier = Notifier::start(&two_receivers(&peer), None, "").unwrap();
    let address = serve(&notifier).await;
    notifier.offer(vec![alert("Down team=db"), alert("Full n=1"), alert("Full n=2")]);
    let url = format!("http://{address}/alertmanager/api/v2");
    let get = async |path: &str| {
        let text = reqwest::get(format!("{url}{path}")).await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let shape = |groups: &Value| {
        let groups = groups.as_array().unwrap().iter();
        let group = |group: &Value| {
            let alerts = group["alerts"].as_array().unwrap().len();
            format!("{} {} {alerts}", group["receiver"]["name"].as_str().unwrap(), group["labels"])
        };
        groups.map(group).collect::<Vec<_>>()
    };
    assert_eq!(
        shape(&get("/alerts/groups").await),
        [
            r#"db {"alertname":"Down","team":"db"} 1"#,
            r#"db {"alertname":"Full"} 2"#,
            r#"web {"alertname":"Full"} 2"#,
        ]
    );
    assert_eq!(shape(&get("/alerts/groups?receiver=web").await), [r#"web {"alertname":"Full"} 2"#]);
    let filtered = "/alerts/groups?filter=n%3D%221%22";
    assert_eq!(
        shape(&get(filtered).await),
        [r#"db {"alertname":"Full"} 1"#, r#"web {"alertname":"Full"} 1"#]
    );
    assert_eq!(get("/receivers").await, json!([{ "name": "db" }, { "name": "web" }]));
    assert_eq!(get("/status").await["cluster"]["status"], "disabled");
    let secret = get("/status").await.to_string().contains(&peer.address.to_string());
    assert!(!secret, "the status tells the URL of a webhook");
    notifier.stop().await;
}

/// An answer, without what differs from run to run.
async fn said(
    client: &reqwest::Client,
    base: &str,
    request: &(&str, &str, String),
) -> (u16, String) {
    let (method, path, body) = request;
    let response = client
        .request(method.parse().unwrap(), format!("{base}{path}"))
        .header("content-type", "application/json")
        .body(body.clone())
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.text().await.unwrap().trim().to_owned())
}

#[tokio::test]
async fn errors_are_those_of_alertmanager() {
    let peer = Peer::start().await;
    let theirs = Alertmanager::start(&peer.url("/"));
    let notifier = Notifier::start(&settings(), None, "").unwrap();
    let ours = format!("http://{}/alertmanager", serve(&notifier).await);
    let unknown = "/silence/3f1b6f4e-0000-4000-8000-000000000000";
    let silence = |id: &str, matchers: Value, starts: &str, ends: &str| {
        json!({
            "id": id, "matchers": matchers, "startsAt": starts, "endsAt": ends,
            "createdBy": "me", "comment": "",
        })
        .to_string()
    };
    let one = || json!([{ "name": "a", "value": "b", "isRegex": false, "isEqual": true }]);
    let all = || json!([{ "name": "a", "value": ".*", "isRegex": true, "isEqual": true }]);
    let (past, then, later) =
        ("2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z", "2121-01-01T00:00:00Z");
    // What is asked, and whether the words are the same as well.
    let cases = [
        (("GET", unknown, String::new()), true),
        (("GET", "/silence/x", String::new()), true),
        (("GET", "/silences?filter=x", String::new()), false),
        (("GET", "/alerts?filter=x", String::new()), false),
        (("GET", "/alerts?receiver=(", String::new()), false),
        (("GET", "/alerts?active=maybe", String::new()), true),
        (("GET", "/alerts/groups?filter=1%3D1", String::new()), false),
        (("POST", "/silences", "{".to_owned()), false),
        (("POST", "/silences", "{}".to_owned()), false),
        (("POST", "/silences", silence("", json!([]), then, later)), false),
        (("POST", "/silences", silence("", all(), then, later)), false),
        (("POST", "/silences", silence("", one(), later, then)), true),
        (("POST", "/silences", silence("", one(), then, then)), true),
        (("POST", "/silences", silence("", one(), past, past)), true),
        (("POST", "/silences", silence("", one(), "2019-01-01T00:00:00Z", past)), true),
        (("POST", "/silences", silence("", one(), "soon", later)), false),
        (
            (
                "POST",
                "/silences",
                silence("3f1b6f4e-0000-4000-8000-000000000000", one(), then, later),
            ),
            true,
        ),
        (("PUT", "/silences", String::new()), false),
        (("GET", "/nothing", String::new()), false),
    ];
    let client = reqwest::Client::new();
    let mut differences = Vec::new();
    for (request, same_words) in &cases {
        let expected = said(&client, &format!("{}/api/v2", theirs.url), request).await;
        let found = said(&client, &format!("{ours}/api/v2"), request).await;
        if found.0 != expected.0 || *same_words && found.1 != expected.1 {
            differences.push(format!("{request:?}: {found:?} is not {expected:?}"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    // Since version 0.26, Alertmanager says that it is not there; before, that it failed.
    let gone = said(&client, &format!("{ours}/api/v2"), &("DELETE", unknown, String::new())).await;
    assert_eq!(gone, (404, String::new()));
    // A silence that can be: the same form, whoever keeps it.
    let mut forms = Vec::new();
    for base in [format!("{}/api/v2", theirs.url), format!("{ours}/api/v2")] {
        let post = ("POST", "/silences", silence("", one(), then, later));
        let (status, made) = said(&client, &base, &post).await;
        assert_eq!(status, 200, "{made}");
        let id =
            serde_json::from_str::<Value>(&made).unwrap()["silenceID"].as_str().unwrap().to_owned();
        let (_, text) =
            said(&client, &base, &("GET", &format!("/silence/{id}"), String::new())).await;
        let mut form: Value = serde_json::from_str(&text).unwrap();
        (form["id"], form["updatedAt"]) = (json!("x"), json!("y"));
        let expired =
            said(&client, &base, &("DELETE", &format!("/silence/{id}"), String::new())).await;
        forms.push((form, expired));
    }
    assert_eq!(forms[0], forms[1]);
    notifier.stop().await;
}

#[tokio::test]
async fn who_adds_an_alarm_is_told_where_alarms_come_from() {
    let notifier = Notifier::start(&settings(), None, "").unwrap();
    let address = serve(&notifier).await;
    let (is_well, text) = amtool(address, &["alert", "add", "Down", "service=web"]).await;
    assert!(!is_well && text.contains("alarms come from rules here"), "{text}");
    assert!(notifier.active().is_empty());
    notifier.stop().await;
}
