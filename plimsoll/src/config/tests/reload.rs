//! What a reload says that it changes.

use super::super::diff;
use super::super::diff::Diff;
use super::resolve;

const BEFORE: &str = r#"
listen = ":9999"
workers = 2

[service.web]
run = "server"
instances = 3
environment = { SECRET = "one", OLD = "x" }
health = "/health/"

[service.legacy]
servers = ["10.0.0.1:80", { at = "10.0.0.2:80", weight = 5 }]

[service.gone]
servers = ["10.0.0.9:80"]

[[route]]
service = "web"

[[route]]
path = "/legacy/"
service = "legacy"

[[route]]
path = "/gone/"
service = "gone"
"#;

const AFTER: &str = r#"
listen = [":9999", "127.0.0.1:8080"]
workers = 4
drain_timeout = "1m"

[service.web]
run = "server"
instances = 5
environment = { SECRET = "two", NEW = "y" }
health = { path = "/health/", fall = 1 }
balance = { hash = "cookie", name = "session" }

[service.legacy]
servers = ["10.0.0.1:80", { at = "10.0.0.2:80", weight = 6 }, "10.0.0.3:80"]

[service.api]
run = ["node", "api.js"]
instances = 2

[[route]]
service = "web"
access_log = false

[[route]]
path = "/legacy/"
service = "api"

[[route]]
host = "*.example.com"
service = "api"
"#;

fn compare(before: &str, after: &str) -> Diff {
    diff(&resolve(before).unwrap().config, &resolve(after).unwrap().config)
}

#[test]
fn the_same_file_changes_nothing() {
    assert_eq!(compare(BEFORE, BEFORE), Diff::default());
    assert_eq!(compare(AFTER, &AFTER.replace("\"1m\"", "\"60s\"")), Diff::default());
}

#[test]
fn every_change_has_its_line() {
    let diff = compare(BEFORE, AFTER);
    assert_eq!(diff.restart_needed, ["workers 2 → 4: needs a restart of Plimsoll"]);
    assert_eq!(
        diff.changes,
        [
            "drain_timeout 30s → 1m",
            "listen 127.0.0.1:8080 added",
            "service api added: 2 instances of `node api.js`",
            "service legacy: server 10.0.0.2:80 (weight 5) → (weight 6)",
            "service legacy: server 10.0.0.3:80 (weight 1) added",
            "service web: balance round-robin → hash of cookie session",
            "service web: environment.NEW added",
            "service web: environment.OLD removed",
            "service web: environment.SECRET changed",
            "service web: health.fall 3 → 1",
            "service web: instances 3 → 5",
            "service gone removed",
            "route *.example.com/ → api added",
            "route /: access_log true → false",
            "route /legacy/: service legacy → api",
            "route /gone/ → gone removed",
        ]
    );
}

#[test]
fn servers_in_the_place_of_a_command_are_one_line() {
    let diff = compare(
        "[service.web]\nrun = \"server\"\ninstances = 3\n",
        "[service.web]\nservers = [\"10.0.0.1:80\"]\nslow_start = \"5s\"\n",
    );
    let lines =
        ["service web: 3 instances of `server` → 1 server", "service web: slow_start 0s → 5s"];
    assert_eq!(
        (diff.changes.as_slice(), diff.restart_needed.len()),
        (&lines.map(String::from)[..], 0)
    );
}

#[test]
fn the_admin_server_cannot_be_changed() {
    let with = |admin: &str| format!("{admin}\n[service.web]\nrun = \"x\"\n");
    let token = |token: &str| with(&format!("admin = {{ token = \"{token}\" }}"));
    let moved = compare(&with(""), &with("admin = \"127.0.0.1:9901\""));
    let line = "admin 127.0.0.1:9900 → 127.0.0.1:9901: needs a restart of Plimsoll";
    assert_eq!(moved.restart_needed, [line]);
    let off = compare(&with(""), &with("admin = false"));
    assert_eq!(off.restart_needed, ["admin 127.0.0.1:9900 → none: needs a restart of Plimsoll"]);
    let changed = compare(&token("0123456789abcdef"), &token("fedcba9876543210"));
    assert_eq!(changed.restart_needed, ["admin.token changed: needs a restart of Plimsoll"]);
    assert!(changed.changes.is_empty());
}

#[test]
fn what_is_measured_changes_while_it_runs() {
    let file = |observe: &str| format!("{observe}\n[service.web]\nrun = \"x\"\n");
    let before = file(
        r#"
[observe]
external_labels = { cluster = "a" }
redis = ["redis://:one@cache"]
job = [{ name = "node", targets = ["a:1", "http://u:one@b/"] }, { name = "old", targets = ["c:1"] }]
[observe.notify.receiver.ops]
webhook = "http://a/one"
[[observe.notify.route]]
match = ['a="b"']
to = ["ops"]
"#,
    );
    let after = file(
        r#"
[observe]
external_labels = { cluster = "b" }
redis = ["redis://:two@cache"]
job = [{ name = "node", targets = ["a:1", "http://u:two@b/"], every = "1m" }, { name = "new", targets = ["c:1"] }]
rules = ["a.yml"]
[observe.notify.receiver.ops]
webhook = "http://a/two"
[[observe.notify.route]]
match = ['a="c"']
to = ["ops"]
"#,
    );
    assert_eq!(compare(&before, &before), Diff::default());
    let diff = compare(&before, &after);
    assert!(diff.restart_needed.is_empty(), "{diff:?}");
    assert_eq!(
        diff.changes,
        [
            "observe: external_labels.cluster \"a\" → \"b\"",
            "observe: rules.files [] → [a.yml]",
            "observe: job new added",
            "observe: job node: every 15s → 1m",
            "observe: job node: target http://b/ changed",
            "observe: notify.route[0]: match changed",
            "observe: receiver ops: webhook changed",
            "observe: redis cache:6379: url changed",
            "observe: job old removed",
        ]
    );
}

#[test]
fn the_store_cannot_be_changed() {
    let file = |observe: &str| format!("{observe}\n[service.web]\nrun = \"x\"\n");
    let moved = compare(
        &file(""),
        &file("[observe]\ndirectory = \"/x\"\nretention = \"40d\"\nmax_size = \"1GiB\""),
    );
    assert_eq!(
        moved.restart_needed,
        [
            "observe.directory plimsoll-data → /x: needs a restart of Plimsoll",
            "observe.max_size 8GiB → 1GiB: needs a restart of Plimsoll",
            "observe.retention 31d → 40d: needs a restart of Plimsoll",
        ]
    );
    let other = compare(&file(""), &file("observe.prometheus = \"http://u:p@a\""));
    assert_eq!(
        (other.changes, other.restart_needed),
        (vec!["observe: prometheus added".into()], vec![])
    );
    let off = compare(&file(""), &file("observe = false"));
    assert_eq!(off.restart_needed, ["observe on → off: needs a restart of Plimsoll"]);
    let job = |rules: &str| {
        file(&format!("[[observe.job]]\nname = \"node\"\ntargets = [\"a:1\"]\n{rules}"))
    };
    for key in ["relabel", "metric_relabel"] {
        let rule = |regex: &str| {
            job(&format!(
                "{key} = [{{ source_labels = [\"a\"], regex = \"{regex}\", action = \"drop\" }}]"
            ))
        };
        let changes = compare(&rule("x.*"), &rule("y.*")).changes;
        assert_eq!(changes, [format!("observe: job node: {key} changed")]);
    }
    let promise = |slo: &str| format!("[service.web]\nrun = \"x\"\n{slo}\n");
    let promised =
        compare(&promise(""), &promise("slo = { success = \"99.9%\" }\nmetrics = false"));
    assert_eq!(
        promised.changes,
        [
            "service web: metrics tried → none",
            "service web: slo.success 99.9% added",
            "service web: slo.window 30d added",
        ]
    );
}
