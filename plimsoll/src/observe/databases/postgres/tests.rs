use super::super::peers::{
    PATIENCE, Postgres, assert_is_exposition, free_port, silent, talker, target, value,
};
use super::connection::Server;
use crate::config::model::observe::DatabaseTarget;

async fn figures(target: &DatabaseTarget) -> Result<String, String> {
    super::figures(target, &Default::default()).await
}

const COUNTERS: [&str; 15] = [
    "numbackends",
    "xact_commit",
    "xact_rollback",
    "blks_read",
    "blks_hit",
    "tup_returned",
    "tup_fetched",
    "tup_inserted",
    "tup_updated",
    "tup_deleted",
    "conflicts",
    "temp_files",
    "temp_bytes",
    "deadlocks",
    "active_time_seconds_total",
];

#[tokio::test]
async fn a_server_tells_all_its_figures_to_who_may_see_them() {
    let server = Postgres::start();
    server
        .execute(
            "CREATE ROLE watcher LOGIN PASSWORD 'se/cret' IN ROLE pg_monitor; \
             CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 500); \
             SELECT pg_stat_force_next_flush()",
        )
        .await;
    let text = figures(&target(server.url("watcher:se%2Fcret"))).await.unwrap();
    assert_is_exposition(&text);
    let of = |series: &str| value(&text, series).unwrap_or_else(|| panic!("{series}\n{text}"));
    assert_eq!(of("pg_up"), 1.0);
    assert!(text.contains("pg_static{version=\"PostgreSQL 1"), "{text}");
    let oid = server.execute("SELECT oid FROM pg_database WHERE datname = 'postgres'").await;
    for name in COUNTERS {
        let labels = format!("{{datid=\"{}\",datname=\"postgres\"}}", oid.as_deref().unwrap());
        of(&format!("pg_stat_database_{name}{labels}"));
        if name == "tup_inserted" {
            assert!(of(&format!("pg_stat_database_{name}{labels}")) >= 500.0, "{text}");
        }
    }
    assert_eq!(of(r#"pg_stat_activity_count{datname="postgres",state="active"}"#), 1.0);
    assert_eq!(
        of(r#"pg_stat_activity_count{datname="postgres",state="idle in transaction"}"#),
        0.0
    );
    of(r#"pg_stat_activity_max_tx_duration{datname="postgres",state="active"}"#);
    assert!(of(r#"pg_database_size_bytes{datname="postgres"}"#) > 1e6);
    assert!(of(r#"pg_locks_count{datname="postgres",mode="accesssharelock"}"#) >= 1.0);
    assert_eq!(of("pg_settings_max_connections"), 100.0);
    assert_eq!(of("pg_settings_shared_buffers_bytes"), 134_217_728.0);
    assert_eq!((of("pg_replication_lag_seconds"), of("pg_replication_is_replica")), (0.0, 0.0));
    assert!(of("pg_postmaster_start_time_seconds") > 1.6e9);
    of("pg_stat_bgwriter_buffers_alloc_total");
    let refused: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("pg_scrape_collector_success") && !line.ends_with(" 1"))
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// What such a user sees of others is half the truth: sessions without a state.
#[tokio::test]
async fn what_a_user_may_not_see_is_left_out() {
    let server = Postgres::start();
    server.execute("CREATE ROLE stranger LOGIN PASSWORD 'x'").await;
    server.execute("CREATE DATABASE hidden").await;
    server.execute("REVOKE CONNECT ON DATABASE hidden FROM PUBLIC").await;
    let text = figures(&target(server.url("stranger:x"))).await.unwrap();
    assert_eq!(value(&text, "pg_up"), Some(1.0));
    assert!(value(&text, r#"pg_database_size_bytes{datname="postgres"}"#).is_some(), "{text}");
    assert_eq!(value(&text, r#"pg_database_size_bytes{datname="hidden"}"#), None, "{text}");
    assert!(!text.contains("pg_stat_activity_count"), "{text}");
    // A statement that the server refuses costs its figures only.
    server.execute("REVOKE SELECT ON pg_stat_archiver FROM PUBLIC").await;
    let text = figures(&target(server.url("stranger:x"))).await.unwrap();
    assert_eq!(
        value(&text, r#"pg_scrape_collector_success{collector="stat_archiver"}"#),
        Some(0.0)
    );
    assert_eq!(value(&text, r#"pg_scrape_collector_success{collector="database"}"#), Some(1.0));
    assert!(!text.contains("pg_stat_archiver_archived_count"), "{text}");
}

#[tokio::test]
async fn a_session_is_named_bounded_and_cannot_write() {
    let server = Postgres::start();
    let (client, connection) = Server::of(&server.url("postgres"), PATIENCE)
        .unwrap()
        .connect(&Default::default())
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let shown = |rows: Vec<tokio_postgres::SimpleQueryMessage>| {
        super::rows(rows)[0].get(0).unwrap().to_owned()
    };
    for (setting, expected) in [
        ("application_name", "plimsoll"),
        ("statement_timeout", "15s"),
        ("default_transaction_read_only", "on"),
    ] {
        let answer = client.simple_query(&format!("SHOW {setting}")).await.unwrap();
        assert_eq!(shown(answer), expected);
    }
    let refused = client.simple_query("CREATE TABLE t (n int)").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
    driver.abort();
}

#[tokio::test]
async fn a_refused_statement_costs_itself_and_an_ended_session_the_whole_look() {
    let server = Postgres::start();
    let (client, connection) = Server::of(&server.url("postgres"), PATIENCE)
        .unwrap()
        .connect(&std::sync::Arc::default())
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    assert!(super::permitted(client.simple_query("SELECT 1/0").await).unwrap().is_none());
    let many = format!("SELECT generate_series(1, {})", super::ROWS_MAX + 1);
    let rows = super::permitted(client.simple_query(&many).await).unwrap().unwrap();
    assert_eq!(rows.len(), super::ROWS_MAX);
    // An operator ends the session; then it is gone.
    let end = "SELECT pg_terminate_backend(pg_backend_pid())";
    let error = super::permitted(client.simple_query(end).await).unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57P01");
    let error = super::permitted(client.simple_query("SELECT 1").await).unwrap_err();
    assert!(error.is_closed(), "{error}");
    driver.abort();
}

#[tokio::test]
async fn a_standby_tells_its_lag_and_the_primary_tells_of_it() {
    let primary = Postgres::start();
    let standby = primary.standby();
    let url = standby.url("postgres");
    primary.execute("CREATE TABLE t (n int)").await;
    let labels = "{application_name=\"walreceiver\",client_addr=\"127.0.0.1\",state=\"streaming\",\
                  slot_name=\"\"}";
    // Both ends of the link are up once the standby has told the primary how far it is.
    loop {
        let text = figures(&target(primary.url("postgres"))).await.unwrap();
        let names = ["pg_stat_replication_pg_wal_lsn_diff", "pg_stat_replication_flush_lag_bytes"];
        if names.iter().all(|name| value(&text, &format!("{name}{labels}")).is_some()) {
            break;
        }
    }
    let text = loop {
        let text = figures(&target(url.clone())).await.unwrap();
        if value(&text, "pg_replication_lag_seconds") == Some(0.0) {
            break text;
        }
    };
    assert_eq!(value(&text, "pg_replication_is_replica"), Some(1.0));
    assert!(value(&text, r#"pg_database_size_bytes{datname="postgres"}"#).is_some());
    assert!(text.contains("pg_stat_database_conflicts_confl_lock{"), "{text}");

    // Replay stands still, so that what comes now is received and not replayed.
    standby.execute("SELECT pg_wal_replay_pause()").await;
    let received = "SELECT pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()";
    primary.execute("INSERT INTO t SELECT generate_series(1, 5000)").await;
    while standby.execute(received).await.as_deref() != Some("t") {}
    let text = figures(&target(url)).await.unwrap();
    assert!(value(&text, "pg_replication_lag_seconds").unwrap() > 0.0, "{text}");
    let told = figures(&target(primary.url("postgres"))).await.unwrap();
    let behind = value(&told, &format!("pg_stat_replication_pg_wal_lsn_diff{labels}"));
    assert!(behind.unwrap() > 1000.0, "{told}");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_without_the_password() {
    let server = Postgres::start();
    server.execute("CREATE ROLE watcher LOGIN PASSWORD 'right'").await;
    let said = figures(&target(server.url("watcher:wr0ng"))).await.unwrap_err();
    assert_eq!(
        said,
        format!(
            "127.0.0.1:{} does not let watcher in with this password (password authentication \
             failed for user \"watcher\"); correct user and password in the URL",
            server.port
        )
    );
    let url = server.url("watcher:right").replace("/postgres", "/absent");
    let said = figures(&target(url.clone())).await.unwrap_err();
    let port = server.port;
    assert_eq!(
        said,
        format!("127.0.0.1:{port} refuses: database \"absent\" does not exist (SQLSTATE 3D000)")
    );
    let said = figures(&target(format!("{url}?sslmode=require"))).await.unwrap_err();
    assert_eq!(said, format!("127.0.0.1:{port}: server does not support TLS"));
    server.stop();
    let said = figures(&target(url)).await.unwrap_err();
    assert_eq!(said, format!("cannot connect to 127.0.0.1:{port}: connection refused"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_late() {
    let (_listener, port) = silent();
    let said = figures(&target(format!("postgres://u:p4ss@127.0.0.1:{port}/d"))).await.unwrap_err();
    assert_eq!(
        said,
        format!(
            "127.0.0.1:{port} has not answered within 30 s: it hangs, is overloaded, or is no such \
             server"
        )
    );
}

#[tokio::test]
async fn what_is_no_postgresql_is_told_so_and_bounded() {
    for words in [b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]] {
        let port = talker(words);
        let url = format!("postgres://u:p4ss@127.0.0.1:{port}/d?sslmode=disable");
        let said = figures(&target(url)).await.unwrap_err();
        assert_eq!(said, format!("127.0.0.1:{port}: it said more than 16777216 bytes"));
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_quoted() {
    for url in [
        "postgres://u:p4ss@h/d?sslmode=often",
        "postgres://u:p4ss@a,b/d",
        "postgres://h/d",
        "postgres://u:p4ss@h:p4ss/d",
    ] {
        let said = figures(&target(url)).await.unwrap_err();
        assert!(said.contains("URL") && !said.contains("p4ss"), "{url}: {said}");
    }
    let absent = format!("postgres://u:p4ss@127.0.0.1:{}/d", free_port());
    let verified = format!("{absent}?sslmode=verify-full&sslrootcert=/absent/issuer.pem");
    let said = figures(&target(verified)).await.unwrap_err();
    assert!(said.starts_with("cannot use the certificates of /absent/issuer.pem: "), "{said}");
}

#[tokio::test]
async fn a_socket_is_as_good_as_a_port() {
    let server = Postgres::start();
    let folder = server.socket_folder().display().to_string().replace('/', "%2F");
    let url = format!("postgres://postgres@{folder}:{}/postgres", server.port);
    let text = figures(&target(url)).await.unwrap();
    assert_eq!(value(&text, "pg_up"), Some(1.0));
}

#[tokio::test]
async fn tls_asks_who_is_there_as_far_as_the_url_says() {
    let server = Postgres::start_secured();
    let url = server.url("postgres");
    for mode in ["require", "prefer"] {
        let presented = std::sync::Arc::<crate::trust::Presented>::default();
        let secured = target(format!("{url}?sslmode={mode}"));
        let text = super::figures(&secured, &presented).await.unwrap();
        assert_eq!(value(&text, "pg_up"), Some(1.0), "{mode}");
        assert!(presented.expires_at().is_some(), "{mode}");
    }
    // The certificate is for `localhost`.
    let issuer = server.data().join("issuer.pem").display().to_string().replace('/', "%2F");
    let named = url.replace("127.0.0.1", "localhost");
    for (url, mode) in [(&named, "verify-full"), (&named, "verify-ca"), (&url, "verify-ca")] {
        let url = format!("{url}?sslmode={mode}&sslrootcert={issuer}");
        let text = figures(&target(url)).await.unwrap();
        assert_eq!(value(&text, "pg_up"), Some(1.0), "{mode}");
    }
    let verified = format!("{url}?sslmode=verify-full&sslrootcert={issuer}");
    let said = figures(&target(verified)).await.unwrap_err();
    assert!(said.contains("is for localhost, not for 127.0.0.1"), "{said}");
    let said = figures(&target(format!("{named}?sslmode=verify-full"))).await.unwrap_err();
    assert!(
        said.contains("is not trusted; name the issuer's certificate with sslrootcert=FILE"),
        "{said}"
    );
}
