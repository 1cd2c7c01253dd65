//! What good files and command lines resolve to.

use std::time::Duration;

use proptest::prelude::*;

use super::super::model::*;
use super::super::{RunOptions, for_command};
use super::resolve;

fn config(text: &str) -> Config {
    resolve(text).unwrap_or_else(|errors| panic!("{errors}")).config
}

fn processes(service: &Service) -> &ProcessSpec {
    match &service.source {
        Source::Processes(process) => process,
        Source::Servers(_) => panic!("{} has servers", service.name),
    }
}

#[test]
fn the_smallest_file_has_every_default() {
    let config = config("[service.web]\nrun = \"server\"\n");
    assert_eq!(config.listen[0].bind, "[::]:9999".parse().unwrap());
    assert_eq!(config.listen[0].name, ":9999");
    let admin = config.admin.unwrap();
    assert_eq!((admin.bind, admin.token), ("127.0.0.1:9900".parse().unwrap(), None));
    assert_eq!(config.access_log, None);
    assert!((1..=256).contains(&config.workers));
    assert!(config.limits.connections > 0);
    assert_eq!(config.limits.head_bytes, 32 << 10);
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    let service = &config.services["web"];
    assert_eq!(service.balance, Balance::RoundRobin);
    assert_eq!(service.min_healthy, MinHealthy { percent: 0, below: BelowMinHealthy::Fail });
    assert!(service.retry.on_connect && !service.retry.on_timeout);
    let health = service.health.as_ref().unwrap();
    assert!(matches!(health.kind, HealthCheckKind::Tcp));
    assert_eq!((health.every, health.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
    let process = processes(service);
    assert_eq!(process.command, Command::Shell("server".to_owned()));
    assert_eq!((process.instances, process.connect), (1, InstanceAddress::Port));
    let route = &config.routes[..];
    assert_eq!(route.len(), 1);
    assert_eq!((route[0].path.as_str(), route[0].service.as_str()), ("/", "web"));
}

#[test]
fn the_gateway_table_is_read() {
    let config = config(
        "[service.api]\nservers = [\"10.0.0.1:80\"]\nhealth = { path = \"/health/\", every = \"5s\", \
         timeout = \"2s\", rise = 1, fall = 1, min_healthy = \"66%\", below_min_healthy = \"spread\", \
         status = [204, \"300-302\"], body = \"ok\", headers = { Host = \"x\" }, jitter = \"0%\" }\n",
    );
    let service = &config.services["api"];
    assert_eq!(service.min_healthy, MinHealthy { percent: 66, below: BelowMinHealthy::Spread });
    let health = service.health.as_ref().unwrap();
    assert_eq!((health.rise, health.fall, health.jitter), (1, 1, 0.0));
    let HealthCheckKind::Http { path, headers, statuses, body } = &health.kind else {
        panic!("{health:?}");
    };
    assert_eq!(path, "/health/");
    assert_eq!(headers, &[("Host".to_owned(), "x".to_owned())]);
    assert_eq!(statuses, &[(204, 204), (300, 302)]);
    assert!(body.as_ref().unwrap().is_match("it is ok"));
}

#[test]
fn servers_are_read_in_both_forms() {
    let config = config(
        "[service.a]\nservers = [\"10.0.0.1:80\", { at = \"App:81\", name = \"two\", weight = 5, \
         max_conns = 80 }, { at = \"unix:/run/a.sock\", backup = true }]\nhealth = false\n",
    );
    let service = &config.services["a"];
    assert!(service.health.is_none());
    let Source::Servers(servers) = &service.source else { panic!("{service:?}") };
    assert_eq!(servers[0].name, "10.0.0.1:80");
    assert_eq!(servers[1].at, Address::Host("app".to_owned(), 81));
    assert_eq!((servers[1].name.as_str(), servers[1].weight), ("two", 5));
    assert_eq!(servers[1].max_conns, Some(80));
    assert_eq!(servers[2].at, Address::Unix("/run/a.sock".into()));
    assert!(servers[2].backup && servers[2].name == "unix:/run/a.sock");
}

#[test]
fn variables_fill_in_texts_and_numbers_but_not_commands() {
    let config = config(
        "listen = \"${HOST}:80\"\n[service.web]\nrun = \"server ${PORT} ${NOT_SET}\"\n\
         instances = \"${COUNT}\"\nenvironment = { A = \"$${X}\" }\n",
    );
    assert_eq!(config.listen[0].bind, "10.0.0.7:80".parse().unwrap());
    let process = processes(&config.services["web"]);
    assert_eq!(process.instances, 3);
    assert_eq!(process.command, Command::Shell("server ${PORT} ${NOT_SET}".to_owned()));
    assert_eq!(process.environment["A"], "${X}");
}

#[test]
fn a_short_interval_shortens_the_default_timeout() {
    let config = config("[service.web]\nrun = \"x\"\nhealth = { path = \"/\", every = \"1s\" }\n");
    assert_eq!(config.services["web"].health.as_ref().unwrap().timeout, Duration::from_secs(1));
}

#[test]
fn the_connection_follows_the_command() {
    for (run, connect) in [
        ("\"app $PORT\"", InstanceAddress::Port),
        ("\"app unix:$SOCKET\"", InstanceAddress::Socket),
        ("[\"app\", \"${SOCKET}\"]", InstanceAddress::Socket),
        ("\"app $SOCKET $PORT\"", InstanceAddress::Port),
        ("\"app $SOCKET\"\nconnect = \"port\"", InstanceAddress::Port),
    ] {
        let config = config(&format!("[service.web]\nrun = {run}\n"));
        assert_eq!(processes(&config.services["web"]).connect, connect, "{run}");
    }
}

#[test]
fn hashes_are_read() {
    for (text, key) in [
        ("{ hash = \"uri\" }", HashKey::Uri),
        ("{ hash = \"header\", name = \"X-User\" }", HashKey::Header("x-user".to_owned())),
        ("{ hash = \"cookie\", name = \"Session\" }", HashKey::Cookie("Session".to_owned())),
    ] {
        let config = config(&format!("[service.web]\nrun = \"x\"\nbalance = {text}\n"));
        assert_eq!(config.services["web"].balance, Balance::Hash(key));
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_command_becomes_the_only_service() {
    let config = for_command(&RunOptions {
        instances: 3,
        listen: words(&["127.0.0.1:0"]),
        admin: Some("127.0.0.1:0".to_owned()),
        health: Some("/health/".to_owned()),
        balance: Some("least-conn".to_owned()),
        name: Some("app".to_owned()),
        command: words(&["node", "app.js", "$PORT"]),
    })
    .unwrap();
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.admin.as_ref().unwrap().bind.port(), 0);
    assert_eq!(config.routes[0].service, "app");
    let service = &config.services["app"];
    assert_eq!((service.name.as_str(), &service.balance), ("app", &Balance::LeastConn));
    let health = service.health.as_ref().unwrap();
    assert_eq!(health.every, Duration::from_secs(2));
    assert!(matches!(&health.kind, HealthCheckKind::Http { path, .. } if path == "/health/"));
    let process = processes(service);
    assert_eq!(process.instances, 3);
    assert_eq!(process.command, Command::Words(words(&["node", "app.js", "$PORT"])));
    assert_eq!(process.directory, None);
}

#[test]
fn one_word_with_spaces_is_for_the_shell() {
    let command = words(&["python3 -m http.server $PORT"]);
    let config = for_command(&RunOptions { instances: 1, command, ..Default::default() }).unwrap();
    let process = processes(&config.services["web"]);
    assert_eq!(process.command, Command::Shell("python3 -m http.server $PORT".to_owned()));
    assert_eq!(config.listen[0].name, ":9999");
}

#[test]
fn every_wrong_option_is_told_at_once() {
    let errors = for_command(&RunOptions {
        instances: 0,
        listen: words(&["9999", "127.0.0.1:80"]),
        admin: Some("0.0.0.0:9900".to_owned()),
        health: Some("health".to_owned()),
        balance: Some("leastconn".to_owned()),
        name: Some("a b".to_owned()),
        command: words(&["gunicorn", "--bind", "127.0.0.1:"]),
    })
    .unwrap_err();
    let keys: Vec<&str> = errors.errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["--listen", "--admin", "--health", "-n", "--name", "--balance", "COMMAND"]);
    let text = errors.to_string();
    for part in ["write :9999", "did you mean least-conn", "'127.0.0.1:$PORT'", "write /health"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = resolve(&text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn arbitrary_values_never_panic(
        key in prop::sample::select(keys()),
        value in prop_oneof![
            "[0-9a-zA-Z:/.\\[\\]%*${}-]{0,20}".prop_map(|text| format!("'{text}'")),
            "-?[0-9]{1,25}",
            Just("[]".to_owned()),
            Just("{}".to_owned()),
            Just("[{}, 'x', 1]".to_owned()),
            Just("true".to_owned()),
            Just("inf".to_owned()),
            Just("1979-05-27".to_owned()),
        ],
    ) {
        let _ = resolve(&format!("{key} = {value}\n")).map_err(|errors| errors.to_string());
    }

    #[test]
    fn damaged_files_never_panic(cut in 0usize..2000, insert in "\\PC{0,3}") {
        let text = include_str!("../../../../examples/static.toml");
        let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let damaged = format!("{}{insert}{}", &text[..cut], text[cut..].get(1..).unwrap_or(""));
        let _ = resolve(&damaged).map_err(|errors| errors.to_string());
    }
}

/// Every key of every table, as a dotted key.
fn keys() -> Vec<String> {
    let tables = super::super::grammar::tables();
    let key = |table: &str, key: &str| match table.replace("NAME", "web") {
        table if table.is_empty() => key.to_owned(),
        table => format!("{table}.{key}"),
    };
    tables
        .iter()
        .flat_map(|table| table.fields.iter().map(move |field| key(table.path, field.key)))
        .collect()
}
