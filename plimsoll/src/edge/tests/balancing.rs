//! Which server a request goes to, seen from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use super::harness::{Harness, Script};
use super::{OK, PATIENCE, answers};
use crate::config::model::{Balance, HashKey, StaticServer};

/// A server that tells of each request and answers when it is let.
fn holding() -> (Script, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (arrive, arrived) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let script: Script = Arc::new(move |connection, _| {
        while connection.read_request().is_some() {
            let _ = arrive.send(());
            let _ = released.lock().unwrap().recv();
            connection.send(OK);
        }
    });
    (script, arrived, release)
}

/// A request with the key of a number.
type Ask = fn(usize) -> String;

#[test]
fn what_a_service_hashes_binds_requests_to_a_server() {
    let hashes: [(HashKey, Ask); 3] = [
        (HashKey::Uri, |key| format!("GET /page?{key} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (HashKey::Header("X-Tenant".to_owned()), |key| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nx-tenant: t{key}\r\n\r\n")
        }),
        (HashKey::Cookie("session".to_owned()), |key| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=1; session=s{key}\r\n\r\n")
        }),
    ];
    for (hash, request) in hashes {
        let harness = Harness::start(&[answers(&[OK; 60]), answers(&[OK; 60])], |config| {
            config.balance(Balance::Hash(hash.clone()));
        });
        let mut served = std::collections::BTreeSet::new();
        for key in 0..8 {
            let mut servers: Vec<String> = (0..3)
                .map(|_| harness.connect().send(&request(key)).read())
                .map(|response| response.header("x-served-by").unwrap().to_owned())
                .collect();
            servers.dedup();
            assert_eq!(servers.len(), 1, "{hash:?}: key {key} went to {servers:?}");
            served.extend(servers);
        }
        assert_eq!(served.len(), 2, "{hash:?}: all keys went to {served:?}");
    }
}

#[test]
fn a_client_stays_with_its_server_by_address() {
    let harness = Harness::start(&[answers(&[OK; 60]), answers(&[OK; 60])], |config| {
        config.balance(Balance::IpHash);
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let mut served: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for client in 0..16u8 {
        let request =
            format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.{client}\r\n\r\n");
        let ask = || {
            let response = harness.connect().send(&request).read();
            response.header("x-served-by").unwrap().to_owned()
        };
        let server = ask();
        assert_eq!(ask(), server, "client {client}");
        served.entry(server).or_default().push(client);
    }
    assert_eq!(served.len(), 2, "{served:?}");
}

#[test]
fn weights_are_shares() {
    let harness = Harness::start(&[answers(&[OK; 9]), answers(&[OK; 9])], |config| {
        config.change_servers(|servers| servers[0].weight = 3);
    });
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..8 {
        let response = harness.connect().get("/");
        *counts.entry(response.header("x-served-by").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [6, 2]);
}

#[test]
fn the_fewest_requests_in_flight_are_counted_over_all_workers() {
    const EACH: usize = 6;
    let (first, first_arrived, first_release) = holding();
    let (second, second_arrived, second_release) = holding();
    let harness = Harness::start(&[first, second], |config| {
        config.workers = 4;
        config.balance(Balance::LeastConn);
    });
    let mut clients = Vec::new();
    for _ in 0..EACH {
        for _ in 0..2 {
            let mut client = harness.connect();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            clients.push(client);
        }
        // Whichever workers took these two, they went to different servers.
        first_arrived.recv_timeout(PATIENCE).unwrap();
        second_arrived.recv_timeout(PATIENCE).unwrap();
    }
    for _ in 0..EACH {
        first_release.send(()).unwrap();
        second_release.send(()).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.read().body, b"ok");
    }
}

#[test]
fn a_full_server_gets_no_more_and_the_client_is_told() {
    let (script, arrived, release) = holding();
    let harness = Harness::start(&[script], |config| {
        config.change_servers(|servers| servers[0].max_conns = Some(1));
    });
    let mut first = harness.connect();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    arrived.recv_timeout(PATIENCE).unwrap();
    let refused = harness.connect().get("/");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(harness.connections(0), 1);
    release.send(()).unwrap();
    assert_eq!(first.read().body, b"ok");
    release.send(()).unwrap();
    assert_eq!(first.get("/").body, b"ok", "it has room again");
}

#[test]
fn backups_wait_until_no_other_server_can() {
    let backup = |servers: &mut Vec<StaticServer>| servers.last_mut().unwrap().backup = true;
    let harness = Harness::start(&[answers(&[OK; 9]), answers(&[OK; 9])], |config| {
        config.change_servers(backup);
    });
    for _ in 0..4 {
        assert_eq!(harness.connect().get("/").header("x-served-by"), Some("s1"));
    }
    // The only other one cannot be reached, which its traffic shows soon.
    let harness = Harness::start(&[answers(&[OK; 9])], |config| {
        config.change_servers(backup);
        config.add_dead_server();
        config.change_service(|service| service.passive.max_fails = 2);
    });
    for _ in 0..6 {
        assert_eq!(harness.connect().get("/").header("x-served-by"), Some("s1"));
    }
    assert_eq!(harness.edge.snapshot().services["web"].retries_total, 2, "then it was ejected");
}
