//! Messages with real servers on the loopback: tungstenite's own, and hand-written bytes.

use std::cell::RefCell;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server as handshake;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::*;
use crate::load::client::Scheme;
use crate::load::client::dial::Purpose;
use crate::load::client::peers::{Authority, connect, listener, origin, serve_tls, settings};
use crate::net;

/// A transport to a server that is this future, and where it goes.
async fn against<F: Future<Output = ()> + 'static>(
    serve: impl FnOnce(TcpStream) -> F + 'static,
) -> (Transport, Rc<Origin>) {
    let (listener, port) = listener().await;
    net::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    let origin = origin(Scheme::Http, "127.0.0.1", port);
    let dialled = connect(&settings(), &origin, Purpose::Messages).await.unwrap();
    (dialled.transport, origin)
}

/// An open WebSocket to a server that is this future.
async fn open_against<F: Future<Output = ()> + 'static>(
    serve: impl FnOnce(WebSocketStream<TcpStream>) -> F + 'static,
) -> Connection {
    let (transport, origin) = against(async |stream| {
        let stream = tokio_tungstenite::accept_async(stream).await.unwrap();
        serve(stream).await;
    })
    .await;
    Connection::open(transport, Rc::default(), &origin, "/messages", &[]).await.unwrap()
}

fn text(text: &str) -> Option<Payload> {
    Some(Payload { bytes: Bytes::copy_from_slice(text.as_bytes()), is_binary: false })
}

/// Sends each message back until the other side goes; tells what came last.
async fn echo<S>(mut stream: WebSocketStream<S>) -> Option<Message>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut last = None;
    while let Some(Ok(message)) = stream.next().await {
        last = Some(message.clone());
        if message.is_text() || message.is_binary() {
            stream.send(message).await.unwrap();
        }
    }
    last
}

#[test]
fn opening_request_is_as_rendered() {
    net::run(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&seen);
        let (transport, origin) = against(async move |stream| {
            #[expect(clippy::result_large_err, reason = "the crate's own signature")]
            let look = |request: &handshake::Request, mut response: handshake::Response| {
                let mut seen = kept.borrow_mut();
                seen.push(("target".to_owned(), request.uri().to_string()));
                for name in ["host", "cookie", "sec-websocket-protocol", "connection"] {
                    let values = request.headers().get_all(name).iter();
                    seen.extend(
                        values.map(|value| (name.to_owned(), value.to_str().unwrap().to_owned())),
                    );
                }
                let chosen = HeaderValue::from_static("graphql-ws");
                response.headers_mut().insert("sec-websocket-protocol", chosen);
                Ok(response)
            };
            echo(accept_hdr_async(stream, look).await.unwrap()).await;
        })
        .await;
        let headers = [
            ("Cookie", "a=b"),
            ("Sec-WebSocket-Protocol", "graphql-ws"),
            ("Connection", "keep-alive"),
            ("Content-Length", "3"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Connection::open(transport, Rc::default(), &origin, "/messages?room=1", &headers)
            .await
            .unwrap();
        let expected = [
            ("target", "/messages?room=1"),
            ("host", origin.authority.as_str()),
            ("cookie", "a=b"),
            ("sec-websocket-protocol", "graphql-ws"),
            ("connection", "Upgrade"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(*seen.borrow(), expected);
    })
    .unwrap();
}

#[test]
fn text_and_binary_come_back() {
    net::run(async {
        let (sender, kinds) = oneshot::channel();
        let mut connection = open_against(async |mut stream| {
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let message = stream.next().await.unwrap().unwrap();
                kinds.push(message.is_text());
                stream.send(message).await.unwrap();
            }
            sender.send(kinds).unwrap();
        })
        .await;
        let reply = connection.exchange(text("Grüße"), 1, None).await.unwrap();
        assert_eq!(reply.body, "Grüße".as_bytes());
        assert_eq!((reply.body_length, reply.status), (7, 101));
        let timings = reply.timings;
        assert!(timings.sent <= timings.first_byte && timings.first_byte <= timings.done);
        let bytes = Bytes::from_static(&[0xff, 0, 1]);
        let payload = Payload { bytes: bytes.clone(), is_binary: true };
        let reply = connection.exchange(Some(payload), 1, None).await.unwrap();
        assert_eq!(reply.body, bytes);
        // Frame headers: two bytes from the server; the client's four of masking besides (§5.2).
        assert_eq!((reply.bytes_sent, reply.bytes_received), (3 + 6, 3 + 2));
        assert_eq!(kinds.await.unwrap(), [true, false]);
    })
    .unwrap();
}

#[test]
fn text_that_is_none_is_told() {
    net::run(async {
        let mut connection = open_against(async |stream| {
            echo(stream).await;
        })
        .await;
        let payload = Payload { bytes: Bytes::from_static(&[0xff]), is_binary: false };
        let trouble = connection.exchange(Some(payload), 1, None).await.unwrap_err();
        assert_eq!((trouble.failure, trouble.before_sending), (Failure::Plan, true));
        assert!(trouble.detail.ends_with("send it as binary"), "{}", trouble.detail);
        // It was not sent, so nothing is spoiled.
        connection.exchange(text("a"), 1, None).await.unwrap();
    })
    .unwrap();
}

/// Answers each message with this many, numbered.
async fn number(mut stream: WebSocketStream<TcpStream>, count: usize) {
    while let Some(Ok(message)) = stream.next().await {
        let Ok(question) = message.to_text() else { return };
        for index in 1..=count {
            let answer = format!("{question} {index}");
            if stream.send(Message::text(answer)).await.is_err() {
                return;
            }
        }
    }
}

#[test]
fn waits_for_as_many_replies_as_are_wanted() {
    net::run(async {
        let mut connection = open_against(|stream| number(stream, 4)).await;
        assert_eq!(connection.exchange(text("a"), 3, None).await.unwrap().body, b"a 3");
        // Without sending: the one that is left.
        assert_eq!(connection.exchange(None, 1, None).await.unwrap().body, b"a 4");
        // Without waiting.
        let reply = connection.exchange(text("b"), 0, None).await.unwrap();
        assert!(reply.body.is_empty());
        assert_eq!(reply.timings.first_byte, reply.timings.done);
        assert_eq!(connection.exchange(None, 4, None).await.unwrap().body, b"b 4");
    })
    .unwrap();
}

#[test]
fn passes_over_messages_that_do_not_match() {
    net::run(async {
        let mut connection = open_against(|stream| number(stream, 9)).await;
        let odd = Regex::new("[13579]$").unwrap();
        let reply = connection.exchange(text("a"), 2, Some(&odd)).await.unwrap();
        assert_eq!(reply.body, b"a 3");
        let last = Regex::new("9$").unwrap();
        // One at least, also where no number is given.
        assert_eq!(connection.exchange(None, 0, Some(&last)).await.unwrap().body, b"a 9");
    })
    .unwrap();
}

#[test]
fn pings_are_answered_while_waiting() {
    net::run(async {
        let mut connection = open_against(async |mut stream| {
            let question = stream.next().await.unwrap().unwrap();
            stream.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
            assert_eq!(
                stream.next().await.unwrap().unwrap(),
                Message::Pong(Bytes::from_static(b"there?"))
            );
            stream.send(question).await.unwrap();
        })
        .await;
        assert_eq!(connection.exchange(text("a"), 1, None).await.unwrap().body, b"a");
    })
    .unwrap();
}

/// Attends to a connection until the other side has told something.
async fn attend_until<T>(connection: &mut Connection, told: oneshot::Receiver<T>) -> T {
    let mut told = std::pin::pin!(told);
    poll_fn(|context| {
        connection.attend(context);
        Future::poll(told.as_mut(), context)
    })
    .await
    .unwrap()
}

#[test]
fn pings_are_answered_between_exchanges_and_messages_kept() {
    net::run(async {
        let (sender, answered) = oneshot::channel();
        let mut connection = open_against(async |mut stream| {
            for text in ["one", "two"] {
                stream.send(Message::text(text)).await.unwrap();
            }
            stream.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
            stream.send(Message::text("three")).await.unwrap();
            let frame = CloseFrame { code: 1001.into(), reason: "restarting".into() };
            sender.send(stream.next().await.unwrap().unwrap()).unwrap();
            stream.close(Some(frame)).await.unwrap();
            while stream.next().await.is_some() {}
        })
        .await;
        let pong = attend_until(&mut connection, answered).await;
        assert_eq!(pong, Message::Pong(Bytes::from_static(b"there?")));
        for text in ["one", "two", "three"] {
            assert_eq!(connection.exchange(None, 1, None).await.unwrap().body, text.as_bytes());
        }
        poll_fn(|context| {
            connection.attend(context);
            if connection.ended.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let trouble = connection.exchange(text("a"), 1, None).await.unwrap_err();
        assert!(trouble.detail.ends_with("with code 1001: restarting"), "{}", trouble.detail);
    })
    .unwrap();
}

#[test]
fn no_more_is_kept_than_may_be() {
    net::run(async {
        let (sender, sent) = oneshot::channel();
        let mut connection = open_against(async |mut stream| {
            for number in 0..2 * UNASKED_MAX {
                stream.feed(Message::text(number.to_string())).await.unwrap();
            }
            stream.flush().await.unwrap();
            sender.send(()).unwrap();
            while stream.next().await.is_some() {}
        })
        .await;
        attend_until(&mut connection, sent).await;
        poll_fn(|context| {
            connection.attend(context);
            if connection.has_room() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        assert_eq!(connection.unasked.len(), UNASKED_MAX);
        // What is over is not lost.
        for number in 0..2 * UNASKED_MAX {
            let reply = connection.exchange(None, 1, None).await.unwrap();
            assert_eq!(reply.body, number.to_string().as_bytes());
        }
    })
    .unwrap();
}

#[test]
fn closing_is_told_with_code_and_reason() {
    net::run(async {
        let close = |code: u16, reason: &'static str| {
            Some(CloseFrame { code: code.into(), reason: reason.into() })
        };
        let cases = [
            (close(1001, "restarting"), " with code 1001: restarting"),
            (close(4000, ""), " with code 4000"),
            (None, ""),
        ];
        for (frame, said) in cases {
            let (sender, answer) = oneshot::channel();
            let mut connection = open_against(async |mut stream| {
                stream.next().await.unwrap().unwrap();
                stream.close(frame).await.unwrap();
                // The answer to it, then the end.
                sender.send(stream.next().await.unwrap().unwrap()).unwrap();
            })
            .await;
            let trouble = connection.exchange(text("a"), 1, None).await.unwrap_err();
            assert_eq!(trouble.failure, Failure::Closed);
            let words = format!("{} closed the WebSocket{said}", connection.authority);
            assert_eq!(trouble.detail, words);
            assert!(answer.await.unwrap().is_close());
            let trouble = connection.exchange(text("a"), 1, None).await.unwrap_err();
            assert_eq!(trouble.failure, Failure::Closed);
        }
    })
    .unwrap();
}

#[test]
fn end_without_closing_is_told() {
    net::run(async {
        let mut connection = open_against(async |mut stream| {
            stream.next().await.unwrap().unwrap();
        })
        .await;
        let trouble = connection.exchange(text("a"), 1, None).await.unwrap_err();
        assert_eq!(trouble.failure, Failure::Closed);
        assert_eq!(
            trouble.detail,
            format!("{} ended the connection without closing the WebSocket", connection.authority)
        );
    })
    .unwrap();
}

#[test]
fn says_goodbye() {
    net::run(async {
        let (sender, last) = oneshot::channel();
        let mut connection = open_against(async |stream| {
            sender.send(echo(stream).await).unwrap();
        })
        .await;
        connection.exchange(text("a"), 1, None).await.unwrap();
        drop(connection);
        let Some(Message::Close(Some(frame))) = last.await.unwrap() else { panic!("no goodbye") };
        assert_eq!(frame.code, CloseCode::Normal);
    })
    .unwrap();
}

/// A server that reads the opening request, says this, and waits for the end.
async fn say(mut stream: TcpStream, said: &[u8]) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await.unwrap();
    stream.write_all(said).await.unwrap();
    stream.shutdown().await.unwrap();
    while stream.read(&mut head).await.is_ok_and(|count| count > 0) {}
}

#[test]
fn refusals_are_told() {
    net::run(async {
        let cases: [(&[u8], Option<u16>, Failure, &str); 4] = [
            (
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                Some(404),
                Failure::Status,
                "HOST answered 404 Not Found to the request for a WebSocket at /messages: is that \
                 where it takes them?",
            ),
            (
                b"",
                None,
                Failure::Closed,
                "HOST ended the connection instead of opening a WebSocket at /messages",
            ),
            (
                b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
                None,
                Failure::Protocol,
                "HOST does not answer with HTTP: invalid HTTP version",
            ),
            (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                  Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
                None,
                Failure::Protocol,
                "HOST did not open a WebSocket properly: Key mismatch in \
                 \"Sec-WebSocket-Accept\" header",
            ),
        ];
        for (said, status, failure, words) in cases {
            let (transport, origin) = against(move |stream| say(stream, said)).await;
            let refusal = Connection::open(transport, Rc::default(), &origin, "/messages", &[])
                .await
                .unwrap_err();
            assert_eq!(refusal.status, status);
            assert_eq!(refusal.trouble.failure, failure);
            assert_eq!(refusal.trouble.detail.replace(&origin.authority, "HOST"), words);
        }
    })
    .unwrap();
}

#[test]
fn subprotocol_that_is_not_agreed_on_is_told() {
    net::run(async {
        let (transport, origin) = against(async |stream| {
            let _ = tokio_tungstenite::accept_async(stream).await;
        })
        .await;
        let headers = [("Sec-WebSocket-Protocol".to_owned(), "graphql-ws".to_owned())];
        let refusal =
            Connection::open(transport, Rc::default(), &origin, "/", &headers).await.unwrap_err();
        assert_eq!(refusal.trouble.failure, Failure::Protocol);
        let words = format!("no agreement with {} on a WebSocket subprotocol: ", origin.authority);
        assert!(refusal.trouble.detail.starts_with(&words), "{}", refusal.trouble.detail);
    })
    .unwrap();
}

#[test]
fn messages_have_a_greatest_size() {
    net::run(async {
        // In one frame and in two.
        let cases = [
            (MESSAGE_MAX, 0, true),
            (MESSAGE_MAX + 1, 0, false),
            (MESSAGE_MAX - 1, 1, true),
            (MESSAGE_MAX, 1, false),
        ];
        for (first, second, is_taken) in cases {
            let size = first + second;
            let mut connection = open_against(async move |mut stream| {
                stream.next().await.unwrap().unwrap();
                let frame = |size, kind, is_last| {
                    Message::Frame(Frame::message(vec![7; size], OpCode::Data(kind), is_last))
                };
                let _ = stream.feed(frame(first, Data::Binary, second == 0)).await;
                if second > 0 {
                    let _ = stream.feed(frame(second, Data::Continue, true)).await;
                }
                let _ = stream.flush().await;
                while stream.next().await.is_some_and(|message| message.is_ok()) {}
            })
            .await;
            let outcome = connection.exchange(text("a"), 1, None).await;
            if is_taken {
                let reply = outcome.unwrap();
                assert_eq!(reply.body_length, size as u64);
                assert_eq!(reply.body.len(), BODY_KEPT_MAX);
            } else {
                let trouble = outcome.unwrap_err();
                assert_eq!(trouble.failure, Failure::Protocol);
                let words = format!(
                    "{} sent a message of {size} bytes; {MESSAGE_MAX} are the most",
                    connection.authority
                );
                assert_eq!(trouble.detail, words);
            }
        }
    })
    .unwrap();
}

#[test]
fn speaks_over_tls() {
    net::run(async {
        let authority = Authority::new();
        // A server that would rather speak HTTP/2.
        let config = authority.issue("localhost").server(&["h2", "http/1.1"]);
        let port = serve_tls(config, async |stream| {
            echo(tokio_tungstenite::accept_async(stream).await.unwrap()).await;
        })
        .await;
        let origin = origin(Scheme::Https, "localhost", port);
        let dialled = connect(&authority.trusted(), &origin, Purpose::Messages).await.unwrap();
        let mut connection =
            Connection::open(dialled.transport, Rc::default(), &origin, "/", &[]).await.unwrap();
        assert_eq!(connection.exchange(text("safe"), 1, None).await.unwrap().body, b"safe");
    })
    .unwrap();
}
