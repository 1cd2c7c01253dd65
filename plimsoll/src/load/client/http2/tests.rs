//! Exchanges with real servers on the loopback, the h2 crate's own; in `troubles` hand-written bytes,
//! too, where a server misbehaves.

mod troubles;

use std::sync::Arc;

use h2::Reason;
use h2::server::{self, SendResponse};
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::config::bench::model::{HttpSettings, HttpVersion};
use crate::load::client::dial::Purpose;
use crate::load::client::peers::{Authority, connect, listener, origin, serve_tls, settings};
use crate::load::client::{Outgoing, Scheme};
use crate::load::tally::Failure;

const ALL: Wanted = Wanted { headers: true, body: true };
const NOTHING: Wanted = Wanted { headers: false, body: false };

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// A connection to a server that is this future, and what requests to it begin with.
async fn against<F: Future<Output = ()> + 'static>(
    streams: usize,
    serve: impl FnOnce(TcpStream) -> F + 'static,
) -> (Connection, Outgoing) {
    let (listener, port) = listener().await;
    net::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    let origin = origin(Scheme::Http, "127.0.0.1", port);
    let settings = HttpSettings { version: HttpVersion::Http2, ..settings() };
    let dialled = connect(&settings, &origin, Purpose::Requests).await.unwrap();
    assert!(dialled.http2);
    let connection = Connection::open(dialled.transport, &origin, streams).await.unwrap();
    let outgoing = Outgoing {
        origin,
        method: "GET".into(),
        target: "/".into(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    (connection, outgoing)
}

/// Serves each request of a connection by a task of its own.
async fn serve_each<S, F>(stream: S, mut handle: impl FnMut(Asked) -> F)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    F: Future<Output = ()> + 'static,
{
    let mut connection = server::handshake(stream).await.unwrap();
    while let Some(Ok(asked)) = connection.accept().await {
        net::spawn(handle(asked));
    }
}

/// All of a request's body.
async fn read_body(mut body: RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = next_piece(&mut body).await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all
}

fn respond(mut to: SendResponse<Bytes>, status: u16, body: &[u8]) {
    let head = Response::builder().status(status).header("x-served-by", "web-1").body(()).unwrap();
    let mut stream = to.send_response(head, body.is_empty()).unwrap();
    if !body.is_empty() {
        stream.send_data(Bytes::copy_from_slice(body), true).unwrap();
    }
}

/// Bytes whose order can be told.
fn pattern(length: usize) -> Bytes {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn request_arrives_as_rendered() {
    net::run(async {
        let (sender, asked) = oneshot::channel();
        let mut sender = Some(sender);
        let (connection, outgoing) = against(10, |stream| {
            serve_each(stream, move |(request, to)| {
                let (parts, body) = request.into_parts();
                let sender = sender.take().unwrap();
                async move {
                    sender.send((parts, read_body(body).await)).unwrap();
                    respond(to, 201, b"made");
                }
            })
        })
        .await;
        let headers = [
            ("X-One", "1"),
            ("Connection", "keep-alive"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("Keep-Alive", "timeout=5"),
            ("Content-Length", "77"),
            ("TE", "gzip"),
            ("te", "trailers"),
            ("x-one", "zwei ü"),
        ];
        let outgoing = Outgoing {
            method: "POST".into(),
            target: "/patients?name=a%20b".into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
            body: Bytes::from_static(b"body"),
            ..outgoing
        };
        let reply = connection.exchange(&outgoing, ALL).await.unwrap();
        let (parts, body) = asked.await.unwrap();
        assert_eq!(parts.method, "POST");
        assert_eq!(
            parts.uri.to_string(),
            format!("http://127.0.0.1:{}/patients?name=a%20b", outgoing.origin.port)
        );
        let mut seen = fields::of_answer(&parts.headers);
        seen.sort();
        let expected = [("content-length", "4"), ("te", "trailers"), ("x-one", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(seen[..3], expected);
        assert_eq!(seen[3..], [("x-one".to_owned(), "zwei ü".to_owned())]);
        assert_eq!(body, b"body");

        assert_eq!(reply.status, 201);
        assert_eq!(reply.headers, [("x-served-by".to_owned(), "web-1".to_owned())]);
        assert_eq!(reply.body, b"made");
        assert_eq!(reply.body_length, 4);
        let timings = reply.timings;
        assert!(timings.sent <= timings.first_byte && timings.first_byte <= timings.done);
    })
    .unwrap();
}

#[test]
fn host_of_the_plan_becomes_the_authority() {
    let outgoing = Outgoing {
        origin: origin(Scheme::Https, "127.0.0.1", 443),
        method: "GET".into(),
        target: "/".into(),
        headers: vec![("Host".into(), "shop.example".into())],
        body: Bytes::new(),
    };
    let request = head::request(&outgoing).unwrap();
    assert_eq!(request.uri().to_string(), "https://shop.example/");
    assert!(request.headers().is_empty());
}

#[test]
fn what_is_no_request_is_told() {
    let outgoing = Outgoing {
        origin: origin(Scheme::Http, "127.0.0.1", 80),
        method: "GET".into(),
        target: "/".into(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let with_header = |name: &str, value: &str| Outgoing {
        headers: vec![(name.into(), value.into())],
        ..outgoing.clone()
    };
    let cases = [
        (Outgoing { method: "G T".into(), ..outgoing.clone() }, "\"G T\" is no method of HTTP"),
        (with_header("a b", ""), "\"a b\" is no name of a header field"),
        (with_header("a", "b\nc"), "\"b\\nc\" is no value of the header field a"),
        (with_header("host", "a b"), "\"a b\" is no host and port"),
        (
            Outgoing { target: "/a b".into(), ..outgoing.clone() },
            "\"/a b\" is no path and query: invalid uri character",
        ),
    ];
    for (outgoing, words) in cases {
        let trouble = head::request(&outgoing).unwrap_err();
        assert_eq!((trouble.failure, trouble.detail.as_str()), (Failure::Plan, words));
        assert!(trouble.before_sending);
    }
}

#[test]
fn only_what_is_wanted_is_kept() {
    net::run(async {
        let (connection, outgoing) =
            against(10, |stream| serve_each(stream, |(_, to)| async { respond(to, 404, b"gone") }))
                .await;
        let reply = connection.exchange(&outgoing, NOTHING).await.unwrap();
        assert_eq!((reply.status, reply.body_length), (404, 4));
        assert!(reply.headers.is_empty() && reply.body.is_empty());
    })
    .unwrap();
}

#[test]
fn large_bodies_pass_flow_control() {
    const SENT: usize = 3 << 20;
    /// More than the window of a stream, and more than is kept.
    const RECEIVED: usize = 20 << 20;
    net::run(async {
        let (connection, outgoing) = against(10, |stream| {
            serve_each(stream, |(request, mut to)| async move {
                assert!(read_body(request.into_body()).await == pattern(SENT));
                let stream = to.send_response(Response::new(()), false).unwrap();
                // The other side counts nothing.
                let ledger = Ledger::default();
                upload(&Bodies::new(&ledger), stream, pattern(RECEIVED)).await.unwrap();
            })
        })
        .await;
        let outgoing = Outgoing { method: "PUT".into(), body: pattern(SENT), ..outgoing };
        let reply = connection.exchange(&outgoing, ALL).await.unwrap();
        assert_eq!(reply.body_length, RECEIVED as u64);
        assert!(reply.body == pattern(BODY_KEPT_MAX));
        // Frame headers of at least 9 bytes for each 16 KiB are told too.
        let framing = 9 * (RECEIVED / (16 << 10)) as u64;
        assert!(reply.bytes_received >= RECEIVED as u64 + framing, "{}", reply.bytes_received);
        assert!(reply.bytes_received < (RECEIVED + (64 << 10)) as u64, "{}", reply.bytes_received);
        assert!(reply.bytes_sent > SENT as u64, "{}", reply.bytes_sent);
        assert!(reply.bytes_sent < (SENT + (64 << 10)) as u64, "{}", reply.bytes_sent);
    })
    .unwrap();
}

#[test]
fn answer_may_come_before_the_body_was_sent() {
    net::run(async {
        let (connection, outgoing) = against(10, |stream| {
            let mut kept = Vec::new();
            serve_each(stream, move |(request, to)| {
                // Kept, so that nothing gives room for the rest of the body.
                kept.push(request);
                async { respond(to, 413, b"too large") }
            })
        })
        .await;
        let outgoing = Outgoing { method: "PUT".into(), body: pattern(1 << 20), ..outgoing };
        for _ in 0..2 {
            let reply = connection.exchange(&outgoing, ALL).await.unwrap();
            assert_eq!((reply.status, reply.body.as_slice()), (413, &b"too large"[..]));
        }
    })
    .unwrap();
}

/// A server that answers requests only when it has this many of them, again and again.
async fn serve_by(count: usize, streams_max: u32, stream: TcpStream) {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(streams_max);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    let mut waiting = Vec::new();
    let mut is_first = true;
    while let Some(Ok((_, to))) = connection.accept().await {
        waiting.push(to);
        // The first tells the client about the limit.
        if waiting.len() == count || std::mem::take(&mut is_first) {
            waiting.drain(..).for_each(|to| respond(to, 200, b"x"));
        }
    }
}

/// Makes six exchanges at once, of which two can be under way.
async fn assert_two_at_once(connection: &Connection, outgoing: &Outgoing) {
    connection.exchange(outgoing, NOTHING).await.unwrap();
    assert!(connection.has_room());
    let exchange = || async { connection.exchange(outgoing, NOTHING).await.unwrap().status };
    // Looked at when the others have begun and none can have ended.
    let look = async { (connection.in_flight(), connection.has_room()) };
    let (a, b, c, d, e, f, seen) =
        tokio::join!(exchange(), exchange(), exchange(), exchange(), exchange(), exchange(), look);
    assert_eq!(seen, (2, false));
    assert_eq!([a, b, c, d, e, f], [200; 6]);
    assert_eq!(connection.in_flight(), 0);
}

#[test]
fn settings_bound_exchanges_at_once() {
    net::run(async {
        let (connection, outgoing) = against(2, |stream| serve_by(2, 100, stream)).await;
        assert_two_at_once(&connection, &outgoing).await;
    })
    .unwrap();
}

#[test]
fn server_bounds_exchanges_at_once() {
    net::run(async {
        let (connection, outgoing) = against(100, |stream| serve_by(2, 2, stream)).await;
        assert_two_at_once(&connection, &outgoing).await;
    })
    .unwrap();
}

#[test]
fn first_come_is_first_served() {
    net::run(async {
        let order = Rc::new(RefCell::new(String::new()));
        let seen = Rc::clone(&order);
        let (connection, outgoing) = against(1, |stream| {
            serve_each(stream, move |(request, to)| {
                seen.borrow_mut().push_str(request.uri().path());
                async { respond(to, 200, b"x") }
            })
        })
        .await;
        let user = async |target: &str| {
            let outgoing = Outgoing { target: target.into(), ..outgoing.clone() };
            for _ in 0..3 {
                connection.exchange(&outgoing, NOTHING).await.unwrap();
            }
        };
        tokio::join!(user("/a"), user("/b"), user("/c"));
        assert_eq!(*order.borrow(), "/a/b/c/a/b/c/a/b/c");
    })
    .unwrap();
}

#[test]
fn turns_follow_what_is_allowed() {
    net::run(async {
        let turns = Turns::new(2);
        let first = turns.take().await.unwrap();
        let second = turns.take().await.unwrap();
        assert!(!turns.has_free());
        // Fewer than are taken: those that end give none back until it fits.
        turns.allow(1);
        drop(first);
        assert_eq!((turns.taken(), turns.has_free()), (1, false));
        // As many again, while one that was to be given up is still owed.
        turns.allow(3);
        let third = turns.take().await.unwrap();
        let fourth = turns.take().await.unwrap();
        assert_eq!((turns.taken(), turns.has_free()), (3, false));
        turns.allow(1);
        turns.allow(2);
        drop((second, third));
        assert_eq!((turns.taken(), turns.has_free()), (1, true));
        drop(fourth);
        let both = (turns.take().await.unwrap(), turns.take().await.unwrap());
        assert!(!turns.has_free());
        turns.end();
        assert!(turns.take().await.is_none());
        drop(both);
    })
    .unwrap();
}

#[test]
fn speaks_over_tls() {
    net::run(async {
        let authority = Authority::new();
        let config = authority.issue("localhost").server(&["h2"]);
        let port = serve_tls(config, |stream| {
            serve_each(stream, |(_, to)| async { respond(to, 200, b"safe") })
        })
        .await;
        let origin = origin(Scheme::Https, "localhost", port);
        let dialled = connect(&authority.trusted(), &origin, Purpose::Requests).await.unwrap();
        assert!(dialled.http2);
        let connection = Connection::open(dialled.transport, &origin, 10).await.unwrap();
        let outgoing = Outgoing {
            origin,
            method: "GET".into(),
            target: "/".into(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        assert_eq!(connection.exchange(&outgoing, ALL).await.unwrap().body, b"safe");
    })
    .unwrap();
}

#[test]
fn bytes_of_all_exchanges_add_up() {
    net::run(async {
        let counted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = Arc::clone(&counted);
        let (connection, outgoing) = against(10, move |stream| {
            serve_each(stream, move |(request, to)| {
                let seen = Arc::clone(&seen);
                async move {
                    let body = read_body(request.into_body()).await;
                    seen.fetch_add(body.len(), std::sync::atomic::Ordering::Relaxed);
                    respond(to, 200, &[7; 300]);
                }
            })
        })
        .await;
        let outgoing = Outgoing { method: "PUT".into(), body: pattern(5000), ..outgoing };
        let exchange = || async { connection.exchange(&outgoing, NOTHING).await.unwrap() };
        let (a, b) = tokio::join!(exchange(), exchange());
        let c = exchange().await;
        let sent: u64 = [&a, &b, &c].iter().map(|reply| reply.bytes_sent).sum();
        let received: u64 = [&a, &b, &c].iter().map(|reply| reply.bytes_received).sum();
        // What is written after the last exchange has ended is not told any more.
        let after = connection.lost();
        let (all_sent, all_received) = connection.state.ledger.carried();
        assert_eq!(sent + after.sent, all_sent);
        // A body that was on its way when the other exchange ended was told with that, too; what
        // comes after makes up for it.
        let told = received + after.received;
        assert!((all_received..=all_received + 300).contains(&told), "{told} of {all_received}");
        assert!(sent > 3 * 5000 && received > 3 * 300);
        assert!(c.bytes_sent < 5000 + 200 && c.bytes_received < 300 + 200);
        assert_eq!(counted.load(std::sync::atomic::Ordering::Relaxed), 3 * 5000);
    })
    .unwrap();
}

#[test]
fn bytes_of_an_exchange_that_was_given_up_are_told() {
    net::run(async {
        let (connection, outgoing) = against(10, |stream| {
            serve_each(stream, |(request, mut to)| async move {
                let _upload = request.into_body();
                let mut body = to.send_response(Response::new(()), false).unwrap();
                body.send_data(pattern(700), false).unwrap();
                // Nothing more comes.
                std::future::pending::<()>().await;
            })
        })
        .await;
        let outgoing = Outgoing { method: "PUT".into(), body: pattern(3000), ..outgoing };
        let mut exchange = Box::pin(connection.exchange(&outgoing, NOTHING));
        poll_fn(|context| match exchange.as_mut().poll(context) {
            Poll::Ready(_) => panic!("it has no end"),
            Poll::Pending => match connection.state.ledger.carried() {
                (3000.., 700..) => Poll::Ready(()),
                _ => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            },
        })
        .await;
        drop(exchange);
        let lost = connection.lost();
        assert!((3000..3300).contains(&lost.sent), "{lost:?}");
        assert!((700..1000).contains(&lost.received), "{lost:?}");
        // Told once.
        assert!(connection.lost().received == 0);
    })
    .unwrap();
}
