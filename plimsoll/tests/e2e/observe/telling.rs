//! Who is told of alarms by the real program: groups, routes and inhibition over a webhook, a
//! command and mail; silences by `amtool`, over a kill.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::receiver;
use crate::harness::{self, Plimsoll};
use crate::http;
use crate::upstream::Upstream;

/// A mail server that takes everything; what clients say, line by line.
fn mail_server() -> (Upstream, Arc<Mutex<Vec<String>>>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let said = Arc::clone(&lines);
    let server = Upstream::start(move |mut stream: TcpStream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut answer, mut in_mail) = ("220 ready", false);
        loop {
            if !answer.is_empty() && write!(stream, "{answer}\r\n").is_err() {
                return;
            }
            let mut line = String::new();
            if !matches!(reader.read_line(&mut line), Ok(1..)) {
                return;
            }
            let line = line.trim_end().to_owned();
            let was_in_mail = in_mail;
            in_mail = if in_mail { line != "." } else { line == "DATA" };
            answer = match (was_in_mail, in_mail) {
                (true, true) => "",
                (false, true) => "354 go on",
                _ if line == "QUIT" => "221 bye",
                _ => "250 ok",
            };
            said.lock().unwrap().push(line);
        }
    });
    (server, lines)
}

const RULES: &str = "groups:
- name: own
  interval: 1s
  rules:
  - { alert: Slow, expr: vector(1), labels: { service: web, severity: warning } }
  - { alert: Slow, expr: vector(1), labels: { service: api, severity: warning } }
  - { alert: Slow, expr: vector(1), labels: { service: shop, severity: warning } }
  - alert: Down
    expr: vector(1)
    labels: { service: web, severity: critical }
    annotations: { summary: 'There are {{ $value }} of 2' }
";

#[test]
fn alarms_come_grouped_by_their_route_and_without_what_others_imply() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("own.yml"), RULES).unwrap();
    let ((webhook, messages), (mail, lines)) = (receiver(), mail_server());
    let observe = format!(
        r#"[observe]
rules = {{ files = ["own.yml"], built_in = false }}
[observe.notify]
group_by = ["alertname"]
group_wait = "3s"
group_interval = "1s"
[observe.notify.receiver.people]
webhook = "http://{}/"
[observe.notify.receiver.script]
command = "cat > told.new && mv told.new told-$PLIMSOLL_STATUS.json"
[observe.notify.receiver.mail]
email = {{ to = ["ops@example.com"], from = "plimsoll@example.com", server = "{}", security = "plain" }}
[[observe.notify.route]]
match = ['severity="critical"']
to = ["script", "mail"]
[[observe.notify.route]]
to = ["people"]
repeat_interval = "1s"
[[observe.notify.inhibit]]
source = ['severity="critical"']
target = ['severity="warning"']
equal = ["service"]
"#,
        webhook.address, mail.address
    );
    let plimsoll = Plimsoll::up_in(directory, &harness::clinic(1, &observe), &[]);
    // One message for both services that nothing implies, again at the repeat interval.
    plimsoll.wait("two messages", || messages.lock().unwrap().len() >= 2);
    for message in messages.lock().unwrap().iter() {
        let alerts = message["alerts"].as_array().unwrap().iter();
        let mut services: Vec<_> = alerts.map(|alert| &alert["labels"]["service"]).collect();
        services.sort_by_key(|service| service.to_string());
        assert_eq!(services, ["api", "shop"], "{message}");
        assert_eq!(message["groupLabels"], json!({ "alertname": "Slow" }));
    }
    let told = plimsoll.directory.path().join("told-firing.json");
    plimsoll.wait("the command's message", || told.exists());
    let message: Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    assert_eq!(message["receiver"], "script");
    assert_eq!(message["alerts"][0]["labels"]["alertname"], "Down");
    plimsoll.wait("the mail", || lines.lock().unwrap().iter().any(|line| line == "."));
    let mail = lines.lock().unwrap().join("\n");
    for words in
        ["MAIL FROM:<plimsoll@example.com>", "RCPT TO:<ops@example.com>", "There are 1 of 2"]
    {
        assert!(mail.contains(words), "{words}: {mail}");
    }
    // What implied the alarm is over: now that one is told.
    let rules = RULES.split("  - alert: Down").next().unwrap();
    std::fs::write(plimsoll.directory.path().join("own.yml"), rules).unwrap();
    let (code, _, errors) = plimsoll.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    plimsoll.wait("the third service", || {
        let messages = messages.lock().unwrap();
        messages.last().unwrap()["alerts"].as_array().unwrap().len() == 3
    });
    let told = plimsoll.directory.path().join("told-resolved.json");
    plimsoll.wait("the end by the command", || told.exists());
}

fn amtool(plimsoll: &Plimsoll, words: &[&str]) -> String {
    let mut command = Command::new("amtool");
    command.arg(format!("--alertmanager.url=http://{}/alertmanager", plimsoll.admin));
    // Debian's own settings are not wanted.
    command.args(words).env("HOME", plimsoll.directory.path());
    let (code, out, errors) = harness::output(command);
    assert_eq!(code, 0, "amtool {words:?}: {errors}");
    out.trim().to_owned()
}

/// What amtool was told is there is there, whatever happens to Plimsoll.
#[test]
fn silences_of_amtool_outlive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let rule = "groups:\n- name: own\n  interval: 1s\n  rules:\n  - alert: Lasts\n    \
                expr: vector(1)\n    labels: { service: web }\n";
    std::fs::write(directory.path().join("own.yml"), rule).unwrap();
    let (webhook, messages) = receiver();
    let config = |files: &str| {
        let observe = format!(
            "[observe]\ndirectory = \"data\"\nrules = {{ files = [{files}], built_in = false }}\n\
             [observe.notify]\ngroup_wait = \"0s\"\ngroup_interval = \"1s\"\n\
             [observe.notify.receiver.people]\nwebhook = \"http://{}/\"\n",
            webhook.address
        );
        harness::clinic(1, &observe)
    };
    let mut plimsoll = Plimsoll::up_in(directory, &config(""), &[]);
    let add = ["silence", "add", "alertname=~L.+", "service=web", "-a", "me", "-c", "it is known"];
    let id = amtool(&plimsoll, &add);
    plimsoll.signal(nix::sys::signal::Signal::SIGKILL);
    plimsoll.wait_exit();
    let directory = std::mem::replace(&mut plimsoll.directory, tempfile::tempdir().unwrap());
    drop(plimsoll);
    let again = Plimsoll::up_in(directory, &config("\"own.yml\""), &[]);
    again.wait("a silenced alarm", || {
        let alerts = http::get(again.admin, "/alertmanager/api/v2/alerts").json();
        alerts[0]["status"]["silencedBy"] == json!([id])
    });
    let (code, out, errors) = again.command(&["silence"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains(&id[..8]) && out.contains("it is known"), "{out}");
    assert_eq!(amtool(&again, &["alert", "query", "-o", "json"]), "[]");
    assert!(amtool(&again, &["alert", "query", "--silenced"]).contains("Lasts"));
    // A whole evaluation and a look later it is still told to nobody.
    again.wait("more evaluations", || {
        again.metric("plimsoll_rule_evaluations_total", &[";own\""]) >= 4.0
    });
    assert_eq!(messages.lock().unwrap().len(), 0);
    amtool(&again, &["silence", "expire", &id]);
    again.wait("the alarm", || messages.lock().unwrap().len() == 1);
}
