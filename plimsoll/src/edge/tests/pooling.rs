//! Connections to servers: how many are kept, how long, and for how many requests.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::harness::{Harness, Script};
use super::{OK, PATIENCE, answers};
use crate::config::model::Address;

/// A server that answers as long as it is asked, and tells of each connection that ends.
fn telling() -> (Script, mpsc::Receiver<usize>) {
    let (tell, told) = mpsc::channel();
    let script: Script = Arc::new(move |connection, number| {
        while connection.read_request().is_some() {
            connection.send(OK);
        }
        // After the test nobody listens.
        let _ = tell.send(number);
    });
    (script, told)
}

/// Waits for the end of a connection at the server.
fn ended(told: &mpsc::Receiver<usize>) -> usize {
    told.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn a_connection_serves_so_many_requests_and_no_more() {
    let (script, told) = telling();
    let harness = Harness::start(&[script], |config| {
        config.workers = 1;
        config.change_service(|service| service.keepalive.requests = Some(2));
    });
    let mut client = harness.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").body, b"ok");
    }
    assert_eq!(harness.connections(0), 3);
    assert_eq!((ended(&told), ended(&told)), (0, 1));
}

#[test]
fn where_none_is_kept_servers_are_told_so() {
    let harness = Harness::start(&[answers(&[OK; 4])], |config| {
        config.change_service(|service| service.keepalive.connections = 0);
    });
    let mut client = harness.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/").body, b"ok");
    }
    assert_eq!(harness.connections(0), 3);
    assert_eq!(harness.request(0).matches("Connection: close\r\n").count(), 3);
}

#[test]
fn only_so_many_connections_stay_idle() {
    const AT_ONCE: usize = 3;
    let all = Arc::new(std::sync::Barrier::new(AT_ONCE));
    let (tell, told) = mpsc::channel();
    let script: Script = Arc::new(move |connection, number| {
        while let Some(request) = connection.read_request() {
            if request.starts_with("GET /together") {
                all.wait();
            }
            connection.send(OK);
        }
        let _ = tell.send(number);
    });
    let harness = Harness::start(&[script], |config| {
        config.workers = 1;
        config.change_service(|service| service.keepalive.connections = 1);
    });
    let mut clients: Vec<_> = (0..AT_ONCE).map(|_| harness.connect()).collect();
    for client in &mut clients {
        client.send("GET /together HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.read().body, b"ok");
    }
    let closed = [ended(&told), ended(&told)];
    assert_eq!(clients[0].get("/").body, b"ok");
    assert_eq!(harness.connections(0), AT_ONCE, "the one that was kept is used, not {closed:?}");
}

#[test]
fn idle_connections_are_closed_after_their_time() {
    let (script, told) = telling();
    let harness = Harness::start(&[script], |config| {
        config.change_service(|service| service.keepalive.idle = Duration::from_millis(50));
    });
    let mut client = harness.connect();
    assert_eq!(client.get("/").body, b"ok");
    assert_eq!(ended(&told), 0);
    assert_eq!(client.get("/").body, b"ok", "the client's own connection stays");
    assert_eq!(harness.connections(0), 2);
}

#[test]
fn a_server_that_is_gone_keeps_no_connection() {
    let (script, told) = telling();
    let harness = Harness::start(&[script, answers(&[OK])], |config| {
        config.change_servers(|servers| servers.truncate(1));
    });
    assert_eq!(harness.connect().get("/").header("x-served-by"), Some("s1"));
    let mut changed = (*harness.config).clone();
    changed.change_servers(|servers| {
        servers[0].at = Address::Tcp(harness.server_address(1));
        servers[0].name = "s2".to_owned();
    });
    harness.edge.apply(Arc::new(changed)).unwrap();
    assert_eq!(ended(&told), 0);
    assert_eq!(harness.connect().get("/").header("x-served-by"), Some("s2"));
}
