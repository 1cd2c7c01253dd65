//! Exchanges with a hand-written server on the loopback: every framing of answers, and every way in
//! which they break.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::load::client::dial::Purpose;
use crate::load::client::peers::{Authority, connect, listener, origin, serve_tls, settings};
use crate::load::client::{Origin, Outgoing, Scheme};
use crate::net::{self, Deadlines};

const ALL: Wanted = Wanted { headers: true, body: true };

/// Reads a request's head; false at the end of the stream.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// A connection to a server that is this future, and where it goes.
async fn against<F: Future<Output = ()> + 'static>(
    serve: impl FnOnce(TcpStream) -> F + 'static,
) -> (Connection, Rc<Origin>) {
    let (listener, port) = listener().await;
    net::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        serve(stream).await;
    });
    let origin = origin(Scheme::Http, "127.0.0.1", port);
    let dialled = connect(&settings(), &origin, Purpose::Requests).await.unwrap();
    (Connection::new(dialled.transport), origin)
}

fn message(origin: &Rc<Origin>, method: &str, body: Vec<u8>) -> Message {
    let outgoing = Outgoing {
        origin: Rc::clone(origin),
        method: method.into(),
        target: "/".into(),
        headers: Vec::new(),
        body: body.into(),
    };
    Message::new(&outgoing, true).unwrap()
}

/// One exchange; the deadline fires at once if it is `late`.
async fn ask(
    connection: &mut Connection,
    message: &Message,
    late: bool,
) -> Result<Answer, Trouble> {
    let deadlines = Deadlines::new();
    net::spawn(Rc::clone(&deadlines).run());
    let deadline = deadlines.add();
    let limit = if late { Duration::from_nanos(1) } else { Duration::from_secs(20) };
    deadline.set(Instant::now(), limit);
    let scratch = RefCell::default();
    let terms = Terms {
        wanted: ALL,
        authority: "HOST",
        look: None,
        deadline: &deadline,
        scratch: &scratch,
        sent: Instant::now(),
    };
    connection.exchange(message, terms).await
}

/// What comes of an answer whose bytes arrive in these pieces, after which the server waits for the
/// next request or closes.
fn answered(
    method: &str,
    pieces: &'static [&'static str],
    closes: bool,
) -> Result<Answer, Trouble> {
    let method = method.to_owned();
    net::run(async move {
        let (mut connection, origin) = against(async move |mut stream| {
            assert!(read_head(&mut stream).await);
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                // Lets the other side read it alone.
                for _ in 0..20 {
                    net::yield_now().await;
                }
            }
            if !closes {
                read_head(&mut stream).await;
            }
        })
        .await;
        let message = message(&origin, &method, Vec::new());
        ask(&mut connection, &message, false).await
    })
    .unwrap()
}

#[test]
fn every_framing_is_read_to_its_end() {
    for (method, pieces, closes, status, body, reusable) in [
        ("GET", &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"][..], false, 200, "abc", true),
        ("GET", &["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], false, 200, "", true),
        (
            "GET",
            &["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 3\r\n\r", "\na", "bc"],
            false,
            200,
            "abc",
            true,
        ),
        (
            "GET",
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
            false,
            200,
            "abc",
            true,
        ),
        (
            "GET",
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "3\r\na",
                "bc\r\n0\r\n",
                "\r\n",
            ],
            false,
            200,
            "abc",
            true,
        ),
        ("GET", &["HTTP/1.1 200 OK\r\n\r\nab", "c"], true, 200, "abc", false),
        ("GET", &["HTTP/1.0 200 OK\r\n\r\n"], true, 200, "", false),
        (
            "GET",
            &["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"],
            true,
            200,
            "a",
            false,
        ),
        ("HEAD", &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"], false, 200, "", true),
        ("GET", &["HTTP/1.1 204 No Content\r\n\r\n"], false, 204, "", true),
        ("GET", &["HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], false, 304, "", true),
        (
            "GET",
            &[
                "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20",
                "0 OK\r\nContent-Length: 1\r\n\r\na",
            ],
            false,
            200,
            "a",
            true,
        ),
        // More came than belongs to the answer: who knows what that is.
        ("GET", &["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"], false, 200, "a", false),
    ] {
        let answer = answered(method, pieces, closes).unwrap();
        let kept = answer.kept.unwrap();
        assert_eq!(answer.status, status, "{pieces:?}");
        assert_eq!(String::from_utf8(kept.body).unwrap(), body, "{pieces:?}");
        assert_eq!(answer.body_length, body.len() as u64, "{pieces:?}");
        assert_eq!(answer.reusable, reusable, "{pieces:?}");
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        assert_eq!(answer.bytes_received, length as u64);
        let Timings { sent, first_byte, done } = answer.timings;
        assert!(sent <= first_byte && first_byte <= done);
    }
}

#[test]
fn what_is_no_answer_is_told_in_words() {
    for (pieces, failure, words) in [
        (&[][..], Failure::Closed, "closed before an answer came"),
        (&["HTTP/1.1 200"], Failure::Closed, "closed within an answer's head"),
        (
            &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"],
            Failure::Closed,
            "within an answer's body, after 2 bytes of it",
        ),
        (
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"],
            Failure::Closed,
            "within an answer's body",
        ),
        (&["SSH-2.0-OpenSSH_9.9\r\n"], Failure::Protocol, "no answer of HTTP/1.1"),
        (&["HTTP/1.1 101 Switching Protocols\r\n\r\n"], Failure::Protocol, "no answer"),
        (
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
            Failure::Protocol,
            "no answer",
        ),
    ] {
        let trouble = answered("GET", pieces, true).unwrap_err();
        assert_eq!(trouble.failure, failure, "{pieces:?}: {}", trouble.detail);
        assert!(trouble.detail.contains(words), "{pieces:?}: {}", trouble.detail);
        assert!(!trouble.before_sending);
    }
}

#[test]
fn a_deadline_ends_the_wait() {
    let trouble = net::run(async {
        let (mut connection, origin) = against(async |mut stream| {
            read_head(&mut stream).await;
            read_head(&mut stream).await;
        })
        .await;
        ask(&mut connection, &message(&origin, "GET", Vec::new()), true).await.unwrap_err()
    });
    let trouble = trouble.unwrap();
    assert_eq!(trouble.failure, Failure::Timeout);
    assert_eq!(trouble.detail, "no answer came in time");
}

#[test]
fn a_connection_takes_one_request_after_the_other_until_it_ends() {
    net::run(async {
        let (mut connection, origin) = against(async |mut stream| {
            for _ in 0..3 {
                assert!(read_head(&mut stream).await);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
            }
        })
        .await;
        let message = message(&origin, "GET", Vec::new());
        for _ in 0..3 {
            assert!(ask(&mut connection, &message, false).await.unwrap().reusable);
        }
        while connection.is_quiet() {
            net::yield_now().await;
        }
    })
    .unwrap();
}

#[test]
fn a_large_body_is_sent_and_an_early_answer_is_read_while_it_is() {
    const LENGTH: usize = 32 << 20;
    net::run(async {
        let (mut connection, origin) = against(async |mut stream| {
            assert!(read_head(&mut stream).await);
            let mut body = vec![0; LENGTH];
            stream.read_exact(&mut body).await.unwrap();
            assert!(body.iter().all(|byte| *byte == 7));
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            read_head(&mut stream).await;
        })
        .await;
        let answer =
            ask(&mut connection, &message(&origin, "POST", vec![7; LENGTH]), false).await.unwrap();
        assert!(answer.status == 201 && answer.reusable && answer.bytes_sent > LENGTH as u64);

        let (mut connection, origin) = against(async |mut stream| {
            assert!(read_head(&mut stream).await);
            let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            // Reads no body, but waits until the other side has had its answer.
            std::future::pending::<()>().await;
        })
        .await;
        let answer =
            ask(&mut connection, &message(&origin, "POST", vec![7; LENGTH]), false).await.unwrap();
        assert_eq!(answer.status, 413);
        assert!(!answer.reusable, "the request was not sent whole");
    })
    .unwrap();
}

#[test]
fn tls_carries_the_same() {
    net::run(async {
        let authority = Authority::new();
        let server = authority.issue("localhost").server(&["http/1.1"]);
        let port = serve_tls(server, async |mut stream| {
            while read_head(&mut stream).await {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
                stream.flush().await.unwrap();
            }
        })
        .await;
        let origin = origin(Scheme::Https, "localhost", port);
        let dialled = connect(&authority.trusted(), &origin, Purpose::Requests).await.unwrap();
        let mut connection = Connection::new(dialled.transport);
        for _ in 0..2 {
            let message = message(&origin, "GET", Vec::new());
            let answer = ask(&mut connection, &message, false).await.unwrap();
            assert_eq!((answer.status, answer.body_length), (200, 2));
            assert!(answer.reusable && connection.is_quiet());
        }
    })
    .unwrap();
}

#[test]
fn a_certificate_that_is_missed_after_the_handshake_is_told() {
    net::run(async {
        let authority = Authority::new();
        let config = authority.demanding(&authority.issue("localhost"));
        let port = serve_tls(config, async |_| {}).await;
        let origin = origin(Scheme::Https, "localhost", port);
        let dialled = connect(&authority.trusted(), &origin, Purpose::Requests).await.unwrap();
        // With TLS 1.3 the client is done first. What the server says to it then must be there.
        let socket = dialled.transport.socket();
        poll_fn(|context| socket.poll_readable(context)).await.unwrap();
        let mut connection = Connection::new(dialled.transport);
        let message = message(&origin, "GET", Vec::new());
        let trouble = ask(&mut connection, &message, false).await.unwrap_err();
        assert_eq!(trouble.failure, Failure::Tls);
        assert_eq!(trouble.detail, "HOST wants a client certificate: name one with its key");
    })
    .unwrap();
}

#[test]
fn tls_that_breaks_off_ends_no_answer() {
    net::run(async {
        let cases: [(&[u8], &str); 3] = [
            (b"", "the connection was closed before an answer came"),
            (b"HTTP/1.1 200", "the connection was closed within an answer's head"),
            // It lasts to the end of the connection, which is not said to have come.
            (
                b"HTTP/1.1 200 OK\r\n\r\nhalf",
                "the connection was closed within an answer's body, after 4 bytes of it",
            ),
        ];
        let authority = Authority::new();
        for (said, words) in cases {
            let server = authority.issue("localhost").server(&["http/1.1"]);
            let port = serve_tls(server, async move |mut stream| {
                assert!(read_head(&mut stream).await);
                stream.write_all(said).await.unwrap();
                stream.flush().await.unwrap();
            })
            .await;
            let origin = origin(Scheme::Https, "localhost", port);
            let dialled = connect(&authority.trusted(), &origin, Purpose::Requests).await.unwrap();
            let mut connection = Connection::new(dialled.transport);
            let message = message(&origin, "GET", Vec::new());
            let trouble = ask(&mut connection, &message, false).await.unwrap_err();
            assert_eq!((trouble.failure, trouble.detail.as_str()), (Failure::Closed, words));
        }
    })
    .unwrap();
}
