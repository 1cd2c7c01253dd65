use super::super::dial::ANSWER_BYTES_MAX;
use super::super::peers::{
    Redis, assert_is_exposition, certificate, free_port, silent, talker, target, value,
};
use super::info;
use crate::config::model::observe::DatabaseTarget;

async fn figures(target: &DatabaseTarget) -> Result<String, String> {
    super::figures(target, &Default::default()).await
}

async fn given(port: u16, login: &str, commands: &[&str]) {
    let client = redis::Client::open(format!("redis://{login}127.0.0.1:{port}")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for command in commands {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        let _: redis::Value = command.query_async(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_tells_its_figures() {
    let server = Redis::start(&["--maxmemory", "64mb"]).await;
    let commands = ["SET a 1", "SET b 2 EX 1000", "GET a", "GET absent", "SELECT 3", "SET c 3"];
    given(server.port, "", &commands).await;
    let text = figures(&target(format!("redis://127.0.0.1:{}", server.port))).await.unwrap();
    assert_is_exposition(&text);
    let of = |series: &str| value(&text, series).unwrap_or_else(|| panic!("{series}\n{text}"));
    for (series, expected) in [
        ("redis_up", 1.0),
        ("redis_connected_clients", 1.0),
        ("redis_blocked_clients", 0.0),
        ("redis_memory_max_bytes", 67_108_864.0),
        ("redis_keyspace_hits_total", 1.0),
        ("redis_keyspace_misses_total", 1.0),
        ("redis_evicted_keys_total", 0.0),
        ("redis_expired_keys_total", 0.0),
        ("redis_rejected_connections_total", 0.0),
        ("redis_connected_slaves", 0.0),
        ("redis_db_keys{db=\"db0\"}", 2.0),
        ("redis_db_keys_expiring{db=\"db0\"}", 1.0),
        ("redis_db_keys{db=\"db3\"}", 1.0),
        ("redis_commands_total{cmd=\"set\"}", 3.0),
    ] {
        assert_eq!(of(series), expected, "{series}");
    }
    assert!(of("redis_memory_used_bytes") > 100_000.0);
    assert!(of("redis_commands_processed_total") >= 6.0);
    of("redis_uptime_in_seconds");
    of("redis_master_repl_offset");
    assert!(of("redis_start_time_seconds") > 1.6e9);
    assert!(text.contains(",role=\"master\",maxmemory_policy=\"noeviction\","), "{text}");
}

#[tokio::test]
async fn a_replica_tells_of_its_primary_and_the_primary_of_it() {
    let primary = Redis::start(&["--repl-diskless-sync-delay", "0"]).await;
    let port = primary.port.to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]).await;
    let link = format!("{{master_host=\"127.0.0.1\",master_port=\"{port}\"}}");
    let url = format!("redis://127.0.0.1:{}", replica.port);
    let text = loop {
        let text = figures(&target(url.clone())).await.unwrap();
        if value(&text, &format!("redis_master_link_up{link}")) == Some(1.0) {
            break text;
        }
    };
    assert!(value(&text, &format!("redis_slave_repl_offset{link}")).is_some(), "{text}");
    let url = format!("redis://127.0.0.1:{port}");
    let told = loop {
        let text = figures(&target(url.clone())).await.unwrap();
        if text.contains("slave_state=\"online\"") {
            break text;
        }
    };
    let labels = format!(
        "{{slave_ip=\"127.0.0.1\",slave_port=\"{}\",slave_state=\"online\"}}",
        replica.port
    );
    assert_eq!(value(&told, "redis_connected_slaves"), Some(1.0));
    for name in ["redis_connected_slave_offset_bytes", "redis_connected_slave_lag_seconds"] {
        assert!(value(&told, &format!("{name}{labels}")).is_some(), "{name}\n{told}");
    }
    drop(primary);
    let url = format!("redis://127.0.0.1:{}", replica.port);
    while value(
        &figures(&target(url.clone())).await.unwrap(),
        &format!("redis_master_link_up{link}"),
    ) != Some(0.0)
    {}
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_without_the_password() {
    let mut server = Redis::start(&["--requirepass", "right"]).await;
    let port = server.port;
    let said = figures(&target(format!("redis://127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(
        said,
        format!("127.0.0.1:{port} asks for a password; put it in the URL, redis://:PASSWORD@…")
    );
    let said = figures(&target(format!("redis://:wr0ng@127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(
        said,
        format!("127.0.0.1:{port} does not let this user in with this password; correct the URL")
    );
    let text = figures(&target(format!("redis://:right@127.0.0.1:{port}/9"))).await.unwrap();
    assert_eq!(value(&text, "redis_up"), Some(1.0));
    assert_eq!(value(&text, "redis_db_keys{db=\"db0\"}"), Some(0.0));
    // A user needs the right to ask, and no other.
    let users = ["ACL SETUSER watcher on >seen +info", "ACL SETUSER blind on >seen +ping"];
    given(port, ":right@", &users).await;
    let text = figures(&target(format!("redis://watcher:seen@127.0.0.1:{port}"))).await.unwrap();
    assert_eq!(value(&text, "redis_up"), Some(1.0));
    let said = figures(&target(format!("redis://blind:seen@127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(
        said,
        format!("127.0.0.1:{port} does not let this user ask for figures; allow it +info")
    );
    server.stop();
    let said = figures(&target(format!("redis://:right@127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(said, format!("cannot connect to 127.0.0.1:{port}: connection refused"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_late() {
    let (_listener, port) = silent();
    let said = figures(&target(format!("redis://:p4ss@127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(
        said,
        format!(
            "127.0.0.1:{port} has not answered within 30 s: it hangs, is overloaded, or is no such \
             server"
        )
    );
}

#[tokio::test]
async fn a_server_that_says_too_much_is_cut_off() {
    // The two answers to what the client says of itself, and then a text without end.
    let mut words = b"+OK\r\n+OK\r\n$100000000000\r\n".to_vec();
    words.resize(1 << 20, b'x');
    let said = figures(&target(format!("redis://127.0.0.1:{}", talker(words)))).await.unwrap_err();
    assert!(said.ends_with(&format!("it said more than {ANSWER_BYTES_MAX} bytes")), "{said}");
}

#[tokio::test]
async fn what_is_no_redis_is_told_so() {
    let port = talker(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let said = figures(&target(format!("redis://:p4ss@127.0.0.1:{port}"))).await.unwrap_err();
    assert!(said.starts_with(&format!("127.0.0.1:{port}")) && !said.contains("p4ss"), "{said}");
    assert_eq!(info::tell("# Server\r\nvarnish_version:7\r\n"), None);
    for url in ["redis://:p4ss@h:port", "rediss://:p4ss@", "p4ss", "redis://:p4ss@0.0.0.0"] {
        let said = figures(&target(url)).await.unwrap_err();
        assert!(said.contains("URL") && !said.contains("p4ss"), "{url}: {said}");
    }
    let said = figures(&target(format!("redis://127.0.0.1:{}", free_port()))).await.unwrap_err();
    assert!(said.contains("connection refused"), "{said}");
}

#[test]
fn of_many_replicas_databases_and_commands_some_are_told() {
    let mut said = "# Server\r\nredis_version:7.0.0\r\n".to_owned();
    for number in 0..600 {
        said += &format!(
            "slave{number}:ip=10.0.0.1,port={number},state=online,offset=1,lag=1\r\n\
             db{number}:keys=1,expires=0,avg_ttl=0\r\n\
             cmdstat_c{number}:calls=1,usec=1\r\n"
        );
    }
    let text = info::tell(&said).unwrap();
    for name in ["redis_connected_slave_lag_seconds", "redis_db_keys", "redis_commands_total"] {
        let begin = format!("{name}{{");
        let lines = text.lines().filter(|line| line.starts_with(&begin)).count();
        assert_eq!(lines, 512, "{name}");
    }
}

#[tokio::test]
async fn tls_asks_who_is_there_unless_the_url_says_insecure() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, certificate, key) = certificate();
    let paths =
        [("issuer", issuer), ("certificate", certificate), ("key", key)].map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        });
    let [issuer, certificate, key] = &paths;
    let port = free_port();
    let words = ["--tls-port", &port.to_string(), "--tls-auth-clients", "no"];
    let files = ["--tls-ca-cert-file", issuer, "--tls-cert-file", certificate];
    let words = [&words[..], &files, &["--tls-key-file", key]].concat();
    let _server = Redis::start(&words).await;
    let said = figures(&target(format!("rediss://localhost:{port}"))).await.unwrap_err();
    assert!(said.contains("not trusted") && said.contains("#insecure"), "{said}");
    let insecure = target(format!("rediss://localhost:{port}#insecure"));
    let presented = std::sync::Arc::<crate::trust::Presented>::default();
    let text = super::figures(&insecure, &presented).await.unwrap();
    assert_eq!(value(&text, "redis_up"), Some(1.0));
    assert!(presented.expires_at().is_some());
}
