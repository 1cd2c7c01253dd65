//! Measuring as it is resolved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::model::observe::{
    DataDirectory, HttpEndpoint, InstanceMetrics, MailSecurity, Means, Observe,
};
use super::super::resolve::observe::usual;
use super::resolve;

fn observe(text: &str) -> Observe {
    let text = format!("{text}\n[service.web]\nrun = \"x\"\n");
    match resolve(&text) {
        Ok(loaded) => (**loaded.config.observe.as_ref().unwrap()).clone(),
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn without_a_word_the_usual_holds() {
    let usual = usual(DataDirectory::Usual(PathBuf::from("plimsoll-data")));
    for text in ["", "[observe]", "[observe.scrape]"] {
        assert_eq!(format!("{:?}", observe(text)), format!("{usual:?}"), "{text}");
    }
    assert_eq!(usual.retention, Duration::from_secs(31 * 86_400));
    assert_eq!(usual.scrape.timeout, Duration::from_secs(10));
    assert_eq!(usual.notify.group_by, ["alertname", "service"]);
    assert!(usual.rules.built_in && usual.query.concurrency >= 2);
}

#[test]
fn it_can_be_turned_off() {
    let loaded = resolve("observe = false\n[service.web]\nrun = \"x\"\n").unwrap();
    assert!(loaded.config.observe.is_none());
}

#[test]
fn the_directory_is_that_of_the_file_or_of_systemd() {
    let of = |text: &str, state: Option<&str>| {
        let text = format!("{text}\n[service.web]\nrun = \"x\"\n");
        let environment =
            |name: &str| state.filter(|_| name == "STATE_DIRECTORY").map(str::to_owned);
        let base = Path::new("/etc/plimsoll");
        let loaded =
            super::super::file::resolve("plimsoll.toml", &text, base, &environment).unwrap();
        loaded.config.observe.as_ref().unwrap().directory.clone()
    };
    let usual = |path: &str| DataDirectory::Usual(PathBuf::from(path));
    assert_eq!(of("", None), usual("/etc/plimsoll/plimsoll-data"));
    assert_eq!(of("", Some("/var/lib/a:/var/lib/b")), usual("/var/lib/a"));
    assert_eq!(
        of("observe.directory = \"data\"", Some("/var/lib/a")),
        DataDirectory::Named(PathBuf::from("/etc/plimsoll/data"))
    );
}

#[test]
fn jobs_take_from_the_scrapes_what_they_do_not_say() {
    let observe = observe(
        r#"
        observe.scrape = { every = "5s", max_samples = 10 }
        observe.job = [
            { name = "a", targets = ["10.0.0.1:9100", "http://u:p%40@b/x"], ca = "ca.pem" },
            { name = "b", targets = ["c:1"], every = "1m", timeout = "20s", max_labels = 5, bearer = "t", insecure = true },
        ]
        observe.redis = ["redis://:secret@cache"]
        observe.postgres = [{ url = "postgres://db:6000/app", every = "1m", labels = { a = "b" } }]
        "#,
    );
    let [a, b] = observe.jobs.as_slice() else { panic!("{observe:?}") };
    let seconds = Duration::from_secs;
    // The usual timeout gives way to a short interval.
    assert_eq!((a.every, a.timeout, a.limits.samples), (seconds(5), seconds(5), 10));
    let open = HttpEndpoint::open("http://10.0.0.1:9100/metrics");
    let ca = Some(PathBuf::from("ca.pem"));
    assert_eq!(a.targets[0], HttpEndpoint { ca: ca.clone(), ..open });
    let basic = Some(("u".to_owned(), "p@".to_owned()));
    assert_eq!(a.targets[1], HttpEndpoint { basic, ca, ..HttpEndpoint::open("http://b/x") });
    assert_eq!((b.every, b.timeout, b.limits.labels), (seconds(60), seconds(20), 5));
    assert_eq!((b.limits.samples, b.targets[0].bearer.as_deref()), (10, Some("t")));
    assert_eq!((a.targets[0].insecure, b.targets[0].insecure), (false, true));
    assert_eq!(
        (observe.redis[0].name.as_str(), observe.redis[0].every),
        ("cache:6379", seconds(5))
    );
    let postgres = &observe.postgres[0];
    assert_eq!((postgres.name.as_str(), postgres.timeout), ("db:6000", seconds(5)));
    assert_eq!(postgres.labels["a"], "b");
}

#[test]
fn people_are_told_by_many_means() {
    let observe = observe(
        r##"
        [observe.notify.receiver]
        a.webhook = "http://u:p@a/x"
        b.slack = { url = "https://hooks/x", channel = "#ops" }
        c.email = { to = ["a@b"], from = "c@d", server = "mail:465", user = "u", password = "p" }
        d = { pagerduty = "key", resolved = false }
        e.command = "logger -t ${x}"
        f.command = { run = ["logger", "-t"], timeout = "5s" }
        [[observe.notify.route]]
        match = ['severity="critical"', "service=~'a|b'"]
        to = ["a", "b"]
        goes_on = true
        group_by = ["..."]
        [[observe.notify.route]]
        to = []
        "##,
    );
    let means = |name: &str| observe.notify.receivers[name].means.clone();
    let Means::Webhook(webhook) = means("a") else { panic!() };
    assert_eq!((webhook.url.as_str(), webhook.basic.is_some()), ("http://a/x", true));
    let Means::Slack { endpoint, channel } = means("b") else { panic!() };
    assert_eq!((endpoint.url.as_str(), channel.as_deref()), ("https://hooks/x", Some("#ops")));
    let Means::Email { security, login, server, .. } = means("c") else { panic!() };
    assert_eq!((security, login.is_some(), server.1), (MailSecurity::Tls, true, 465));
    let Means::PagerDuty { routing_key, endpoint } = means("d") else { panic!() };
    assert_eq!((routing_key.as_str(), endpoint.url.contains("pagerduty")), ("key", true));
    assert!(!observe.notify.receivers["d"].resolved && observe.notify.receivers["a"].resolved);
    let Means::Command { words, .. } = means("e") else { panic!() };
    assert_eq!(words, ["/bin/sh", "-c", "logger -t ${x}"]);
    let Means::Command { words, timeout } = means("f") else { panic!() };
    assert_eq!((words, timeout), (vec!["logger".into(), "-t".into()], Duration::from_secs(5)));
    let [first, second] = observe.notify.routes.as_slice() else { panic!() };
    assert!(first.goes_on && first.matchers[1].accepts("b") && first.receivers == ["a", "b"]);
    assert!(second.matchers.is_empty() && second.receivers.is_empty());
}

#[test]
fn rules_stores_and_promises() {
    let observe = observe(
        r#"
        [observe]
        remote_write = ["https://m/write", { url = "https://m/b", name = "b", queue = 1000 }]
        rules = ["a.yml", "rules/*.yml"]
        prometheus = { url = "http://p", basic = { user = "u", password = "a:b" } }
        "#,
    );
    assert_eq!(observe.remote_write[0].name, "m:443");
    assert_eq!(
        (observe.remote_write[1].queue_samples, observe.remote_write[0].queue_samples),
        (1000, 500_000)
    );
    assert_eq!(observe.rules.files, [Path::new("a.yml"), Path::new("rules/*.yml")]);
    let basic = observe.prometheus.unwrap().basic.unwrap();
    assert_eq!(basic, ("u".to_owned(), "a:b".to_owned()));
    let loaded = resolve(
        "[service.a]\nrun = \"x\"\nmetrics = \"/m\"\nslo = { latency = \"p99.9 < 1s\", window = \"7d\" }\n\
         [service.b]\nrun = \"x\"\nmetrics = false\n[[route]]\nservice = \"a\"\n[[route]]\npath = \"/b\"\nservice = \"b\"\n",
    )
    .unwrap();
    let (a, b) = (&loaded.config.services["a"], &loaded.config.services["b"]);
    assert_eq!(
        (&a.metrics, &b.metrics),
        (&InstanceMetrics::At("/m".into()), &InstanceMetrics::Off)
    );
    let objective = a.slo.clone().unwrap();
    assert_eq!((objective.success, objective.latency.unwrap().quantile), (None, 0.999));
    assert_eq!((objective.window, &b.slo), (Duration::from_secs(7 * 86_400), &None));
}
