//! The same engine over HTTP/2, TLS, Unix sockets and WebSockets.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite;

use super::peer::{
    get, ok, peer, plan, rate, results, results_at_last, serve, staged, users, users_each,
};
use crate::config::bench::model::*;
use crate::load::client::peers::{Authority, listener, serve_tls};
use crate::load::tally::Failure;
use crate::net;

async fn serve_http2<S>(stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((_, mut answer))) = connection.accept().await {
        let response = Response::builder().header("x-served-by", "two").body(()).unwrap();
        let mut body = answer.send_response(response, false).unwrap();
        body.send_data(bytes::Bytes::from_static(b"hello"), true).unwrap();
    }
}

/// Serves HTTP/2 on each connection; the port.
fn http2_peer() -> u16 {
    serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                net::spawn(serve_http2(stream));
            }
        });
        port
    })
}

#[test]
fn users_share_connections_of_http2() {
    let port = http2_peer();
    let url = format!("http://127.0.0.1:{port}/");
    let mut plan = plan(users_each(12, 10), vec![Step::Request(Box::new(get(url)))]);
    plan.threads = Some(1);
    plan.http.version = HttpVersion::Http2;
    plan.http.streams = 5;
    plan.served_by = Some(ServedBy::Header("X-Served-By".into()));
    let results = results(&plan);
    assert_eq!((results.total.requests, results.total.errors()), (120, 0), "{results:?}");
    assert_eq!(results.connections.opened, 3);
    assert_eq!(results.instances["two"].requests, 120);
    assert!(results.total.bytes_received >= 600);
}

#[test]
fn users_of_a_connection_are_on_one_thread() {
    let port = http2_peer();
    // Six connections on four threads: fifteen users on each would be eight.
    for load in [users_each(60, 5), rate(2000.0, Duration::from_millis(200), 60)] {
        let is_open = matches!(load, Load::Open(_));
        let url = format!("http://127.0.0.1:{port}/");
        let mut plan = plan(load, vec![Step::Request(Box::new(get(url)))]);
        plan.threads = Some(4);
        plan.http.version = HttpVersion::Http2;
        plan.http.streams = 10;
        let results = results(&plan);
        assert_eq!(results.total.errors(), 0, "{results:?}");
        // Of the open model no more are made than are needed.
        let opened = results.connections.opened;
        assert!(if is_open { (4..=6).contains(&opened) } else { opened == 6 }, "{opened}");
    }
}

#[test]
fn tls_agrees_on_the_version() {
    let authority = Authority::new();
    let trusted = authority.trusted();
    let (one, two) = (authority.issue("localhost"), authority.issue("localhost"));
    let over_http2 = serve(async move || serve_tls(two.server(&["h2"]), serve_http2).await);
    let over_http1 = serve(async move || {
        serve_tls(one.server(&["http/1.1"]), async |mut stream| {
            let mut head = [0; 4096];
            while stream.read(&mut head).await.is_ok_and(|count| count > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        })
        .await
    });
    for (port, version) in [(over_http2, 2), (over_http1, 1)] {
        let url = format!("https://localhost:{port}/");
        let mut plan = plan(users_each(4, 10), vec![Step::Request(Box::new(get(url)))]);
        plan.threads = Some(1);
        plan.http = trusted.clone();
        let results = results(&plan);
        assert_eq!((results.total.requests, results.total.errors()), (40, 0), "{results:?}");
        assert_eq!(results.connections.opened, 4, "HTTP/{version}");
        assert_eq!(results.connections.tls_time.count(), 4);
    }
}

#[test]
fn each_connection_may_agree_on_another_version() {
    let authority = Authority::new();
    let (trusted, pair) = (authority.trusted(), authority.issue("localhost"));
    let port = serve(async move || {
        let (listener, port) = listener().await;
        let [first, next] = [["http/1.1"], ["h2"]]
            .map(|protocols| TlsAcceptor::from(Arc::new(pair.server(&protocols))));
        net::spawn(async move {
            // One request, and that is it.
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = first.accept(stream).await.unwrap();
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            serve_http2(next.accept(stream).await.unwrap()).await;
        });
        port
    });
    let url = format!("https://localhost:{port}/");
    let mut plan = plan(users(1, 5), vec![Step::Request(Box::new(get(url)))]);
    plan.http = trusted;
    let results = results_at_last(plan);
    assert_eq!((results.total.requests, results.total.errors()), (5, 0), "{results:?}");
    assert_eq!(results.connections.opened, 2);
}

#[test]
fn a_unix_socket_is_asked_whatever_the_url_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        while stream.read(&mut head).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&head);
            assert!(text.contains("Host: a.invalid\r\n"));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let url = "http://a.invalid/".to_owned();
    let mut plan = plan(users(1, 10), vec![Step::Request(Box::new(get(url)))]);
    plan.http.unix = Some(path);
    let results = results(&plan);
    assert_eq!((results.total.requests, results.total.errors()), (10, 0), "{results:?}");
}

#[test]
fn messages_go_over_one_connection_an_iteration() {
    let port = serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                net::spawn(async {
                    let mut stream = tokio_tungstenite::accept_async(stream).await.unwrap();
                    while let Some(Ok(message)) = stream.next().await {
                        if message.is_text() && stream.send(message).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        port
    });
    let message = Message {
        label: 0,
        url: Template::text(format!("ws://127.0.0.1:{port}/chat")),
        headers: Vec::new(),
        send: Some(Template::text("hello")),
        binary: false,
        replies: 1,
        until: None,
        timeout: None,
        extract: Vec::new(),
        checks: vec![Check {
            name: "comes back".into(),
            of: Source::Body,
            what: Finder::Whole,
            test: Test::Equals(Template::text("hello")),
            not: false,
        }],
    };
    let steps = vec![Step::Message(Box::new(message.clone())), Step::Message(Box::new(message))];
    let results = results(&plan(users_each(2, 3), steps));
    assert_eq!((results.total.requests, results.total.errors()), (12, 0), "{results:?}");
    assert_eq!(results.checks["comes back"].passed, 12);
    assert_eq!(results.connections.opened, 6);
}

#[test]
fn pings_are_answered_while_a_user_pauses() {
    let (tell, told) = mpsc::channel();
    let port = serve(async move || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = stream.next().await {
                if message.is_text() {
                    stream.send(message.clone()).await.unwrap();
                    stream.send(tungstenite::Message::Ping("there?".into())).await.unwrap();
                }
                tell.send(message).unwrap();
            }
        });
        port
    });
    let message = |text: &str| {
        Step::Message(Box::new(Message {
            label: 0,
            url: Template::text(format!("ws://127.0.0.1:{port}/")),
            headers: Vec::new(),
            send: Some(Template::text(text)),
            binary: false,
            replies: 1,
            until: None,
            timeout: None,
            extract: Vec::new(),
            checks: Vec::new(),
        }))
    };
    let pause = Step::Pause(Pause::Constant(Template::text("1000")));
    let results = results(&plan(users(1, 1), vec![message("a"), pause, message("b")]));
    assert_eq!((results.total.requests, results.total.errors()), (2, 0), "{results:?}");
    let order: Vec<_> = told.iter().take(3).collect();
    let text = tungstenite::Message::text;
    assert_eq!(order, [text("a"), tungstenite::Message::Pong("there?".into()), text("b")]);
}

#[test]
fn a_message_has_its_own_timeout() {
    let port = serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_tungstenite::accept_async(stream).await.unwrap();
            while stream.next().await.is_some() {}
        });
        port
    });
    let step = Step::Message(Box::new(Message {
        label: 0,
        url: Template::text(format!("ws://127.0.0.1:{port}/")),
        headers: Vec::new(),
        send: Some(Template::text("a")),
        binary: false,
        replies: 1,
        until: None,
        timeout: Some(Duration::from_millis(100)),
        extract: Vec::new(),
        checks: Vec::new(),
    }));
    let mut plan = plan(users(1, 1), vec![step]);
    plan.http.timeout = Duration::from_secs(3600);
    let results = results_at_last(plan);
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Timeout, 1)]));
    // What opened the WebSocket, and the message.
    let (sent, received) = (results.total.bytes_sent, results.total.bytes_received);
    assert!(sent > 150 && received > 100, "{sent} {received}");
}

#[test]
fn a_refused_websocket_counts_its_bytes() {
    let server = peer(|_, _| ok("", "no"));
    let step = Step::Message(Box::new(Message {
        label: 0,
        url: Template::text(format!("ws://127.0.0.1:{}/", server.port)),
        headers: Vec::new(),
        send: Some(Template::text("a")),
        binary: false,
        replies: 1,
        until: None,
        timeout: None,
        extract: Vec::new(),
        checks: Vec::new(),
    }));
    let results = results_at_last(plan(users(1, 1), vec![step]));
    assert_eq!(results.total.statuses, BTreeMap::from([(200, 1)]));
    assert!(results.total.bytes_sent > 150, "{}", results.total.bytes_sent);
    assert_eq!(results.total.bytes_received, 40);
}

#[test]
fn over_http2_a_timeout_counts_its_bytes() {
    let port = serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let mut kept = Vec::new();
            while let Some(Ok((_, mut answer))) = connection.accept().await {
                let mut body = answer.send_response(Response::new(()), false).unwrap();
                body.send_data(vec![7; 600].into(), false).unwrap();
                kept.push(body);
            }
        });
        port
    });
    let url = format!("http://127.0.0.1:{port}/");
    let mut plan = plan(users(1, 1), vec![Step::Request(Box::new(get(url)))]);
    plan.http.version = HttpVersion::Http2;
    plan.http.timeout = Duration::from_millis(300);
    let results = results_at_last(plan);
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::Timeout, 1)]));
    let (sent, received) = (results.total.bytes_sent, results.total.bytes_received);
    assert!(sent > 24 && received > 600, "{sent} {received}");
}

#[test]
fn websockets_are_closed_at_the_end() {
    // Users that wait: for their next iteration, or for the end of a pause.
    let waiting = [
        (rate(20.0, Duration::from_millis(100), 4), None),
        (staged(&[(2.0, 2.0, 300)]), Some("3600000")),
    ];
    for (load, pause) in waiting {
        let (tell, told) = mpsc::channel();
        let port = serve(async move || {
            let (listener, port) = listener().await;
            net::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let tell = tell.clone();
                    net::spawn(async move {
                        let mut stream = tokio_tungstenite::accept_async(stream).await.unwrap();
                        let mut last = None;
                        while let Some(Ok(message)) = stream.next().await {
                            if message.is_text() {
                                stream.send(message.clone()).await.unwrap();
                            }
                            last = Some(message);
                        }
                        tell.send(last).unwrap();
                    });
                }
            });
            port
        });
        let message = Step::Message(Box::new(Message {
            label: 0,
            url: Template::text(format!("ws://127.0.0.1:{port}/")),
            headers: Vec::new(),
            send: Some(Template::text("a")),
            binary: false,
            replies: 1,
            until: None,
            timeout: None,
            extract: Vec::new(),
            checks: Vec::new(),
        }));
        let mut steps = vec![message];
        steps.extend(pause.map(|pause| Step::Pause(Pause::Constant(Template::text(pause)))));
        let mut plan = plan(load, steps);
        plan.groups[0].fresh_users = false;
        let results = results_at_last(plan);
        assert_eq!(results.total.errors(), 0, "{results:?}");
        for _ in 0..results.connections.opened {
            let last = told.recv_timeout(Duration::from_secs(60)).unwrap();
            let Some(tungstenite::Message::Close(Some(frame))) = last else { panic!("{last:?}") };
            assert_eq!(u16::from(frame.code), 1000);
        }
    }
}

#[test]
fn what_a_leaving_server_did_not_take_is_sent_again() {
    // Settings, and GOAWAY: the last stream that was taken is 0.
    const LEAVING: [u8; 26] =
        [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let port = serve(async || {
        let (listener, port) = listener().await;
        net::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            stream.write_all(&LEAVING).await.unwrap();
            let (next, _) = listener.accept().await.unwrap();
            serve_http2(next).await;
        });
        port
    });
    let url = format!("http://127.0.0.1:{port}/");
    let mut plan = plan(users(1, 1), vec![Step::Request(Box::new(get(url)))]);
    plan.http.version = HttpVersion::Http2;
    let results = results(&plan);
    assert_eq!((results.total.requests, results.total.errors()), (1, 0), "{results:?}");
    assert_eq!(results.connections.opened, 2);
}
