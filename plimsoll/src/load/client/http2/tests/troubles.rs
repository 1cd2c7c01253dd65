//! How exchanges and connections end before their time: given up, reset, refused, cut off, or met
//! by a server of another protocol.

use super::*;

#[test]
fn exchange_that_is_given_up_is_reset() {
    net::run(async {
        let (sender, reset) = oneshot::channel();
        let (arrived, has_arrived) = oneshot::channel();
        let mut first = Some((sender, arrived));
        let (connection, outgoing) = against(1, |stream| {
            serve_each(stream, move |(_, mut to)| {
                let first = first.take();
                async move {
                    let Some((sender, arrived)) = first else { return respond(to, 200, b"x") };
                    arrived.send(()).unwrap();
                    let reason = poll_fn(|context| to.poll_reset(context)).await.unwrap();
                    sender.send(reason).unwrap();
                }
            })
        })
        .await;
        tokio::select! {
            _ = connection.exchange(&outgoing, NOTHING) => panic!("nothing was answered"),
            arrived = has_arrived => arrived.unwrap(),
        }
        assert_eq!(connection.in_flight(), 0);
        assert_eq!(connection.exchange(&outgoing, NOTHING).await.unwrap().status, 200);
        assert_eq!(reset.await.unwrap(), Reason::CANCEL);
    })
    .unwrap();
}

#[test]
fn resets_are_told() {
    net::run(async {
        let cases = [
            (
                Reason::REFUSED_STREAM,
                "HOST refused the request before looking at it (REFUSED_STREAM)",
                true,
            ),
            (
                Reason::INTERNAL_ERROR,
                "HOST reset the stream (INTERNAL_ERROR: unexpected internal error encountered)",
                false,
            ),
            (
                Reason::ENHANCE_YOUR_CALM,
                "HOST wants fewer requests (reset with ENHANCE_YOUR_CALM)",
                false,
            ),
        ];
        let mut reasons = cases.iter().map(|case| case.0).collect::<Vec<_>>().into_iter();
        let (connection, outgoing) = against(10, move |stream| {
            serve_each(stream, move |(_, mut to)| {
                to.send_reset(reasons.next().unwrap());
                async {}
            })
        })
        .await;
        for (_, words, before_sending) in cases {
            let trouble = connection.exchange(&outgoing, NOTHING).await.unwrap_err();
            let detail = trouble.detail.replace(&outgoing.origin.authority, "HOST");
            assert_eq!(detail, words);
            assert_eq!(
                (trouble.failure, trouble.before_sending),
                (Failure::Closed, before_sending)
            );
            assert!(connection.has_room(), "only the stream is gone");
        }
    })
    .unwrap();
}

#[test]
fn server_that_goes_away_finishes_what_it_took() {
    net::run(async {
        let (connection, outgoing) = against(10, |stream| async {
            let mut connection = server::handshake(stream).await.unwrap();
            let (_, to) = connection.accept().await.unwrap().unwrap();
            connection.graceful_shutdown();
            // The end of the exchange is all that the connection still waits for.
            respond(to, 200, b"last");
            assert!(connection.accept().await.is_none());
        })
        .await;
        assert!(connection.is_usable());
        let reply = connection.exchange(&outgoing, ALL).await.unwrap();
        assert_eq!(reply.body, b"last");
        // The server's last word may not have been read yet.
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if connection.is_usable() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        assert!(!connection.has_room());
        let trouble = connection.exchange(&outgoing, ALL).await.unwrap_err();
        assert_eq!(trouble.failure, Failure::Closed);
        assert!(trouble.before_sending, "another connection may be tried");
    })
    .unwrap();
}

/// Settings without any, as a server begins.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A server that reads the beginning of what comes, says this (and no more, unless it stays), and
/// waits until the client goes.
async fn say(mut stream: TcpStream, said: Vec<u8>, stays: bool) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&said).await.unwrap();
    if !stays {
        stream.shutdown().await.unwrap();
    }
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

#[test]
fn requests_that_a_leaving_server_did_not_take_may_be_sent_again() {
    net::run(async {
        // GOAWAY: the last stream that was taken is 0, without an error.
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let said = [&SETTINGS[..], &goaway].concat();
        let (connection, outgoing) = against(10, |stream| say(stream, said, true)).await;
        let trouble = connection.exchange(&outgoing, ALL).await.unwrap_err();
        assert_eq!(
            trouble.detail.replace(&outgoing.origin.authority, "HOST"),
            "HOST is closing the connection and did not take the request"
        );
        assert_eq!((trouble.failure, trouble.before_sending), (Failure::Closed, true));
        assert!(!connection.is_usable());
    })
    .unwrap();
}

#[test]
fn reason_for_leaving_is_told() {
    net::run(async {
        // GOAWAY: stream 1 was taken; ENHANCE_YOUR_CALM, "slow down".
        let mut goaway = vec![0, 0, 17, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11];
        goaway.extend_from_slice(b"slow down");
        let said = [&SETTINGS[..], &goaway].concat();
        let (connection, outgoing) = against(10, |stream| say(stream, said, false)).await;
        let trouble = connection.exchange(&outgoing, ALL).await.unwrap_err();
        assert_eq!(
            trouble.detail.replace(&outgoing.origin.authority, "HOST"),
            "HOST closed the connection: connection error received: detected excessive load \
             generating behavior (b\"slow down\")"
        );
        // The server said that it took the request.
        assert_eq!((trouble.failure, trouble.before_sending), (Failure::Closed, false));
    })
    .unwrap();
}

#[test]
fn server_of_another_protocol_is_told() {
    net::run(async {
        let cases: [(&[u8], Failure, &str); 2] = [
            (
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                Failure::Protocol,
                "HOST does not answer with HTTP/2 (FRAME_SIZE_ERROR): does it speak it on this \
                 port? HTTP/1.1 may be what it speaks",
            ),
            (
                b"",
                Failure::Closed,
                "HOST closed the connection without any answer: does it speak HTTP/2 on this port?",
            ),
        ];
        for (said, failure, words) in cases {
            let (connection, outgoing) =
                against(10, |stream| say(stream, said.to_vec(), false)).await;
            let trouble = connection.exchange(&outgoing, ALL).await.unwrap_err();
            let detail = trouble.detail.replace(&outgoing.origin.authority, "HOST");
            assert_eq!((trouble.failure, detail.as_str()), (failure, words));
            assert!(!connection.has_room());
        }
    })
    .unwrap();
}

#[test]
fn end_within_an_answer_is_told() {
    net::run(async {
        let (cut, is_cut) = oneshot::channel::<()>();
        let (connection, outgoing) = against(10, |stream| async {
            let mut connection = server::handshake(stream).await.unwrap();
            let (_, mut to) = connection.accept().await.unwrap().unwrap();
            let mut body = to.send_response(Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(b"half of"), false).unwrap();
            tokio::select! {
                _ = connection.accept() => panic!("no other request"),
                _ = is_cut => {}
            }
        })
        .await;
        let exchange = async {
            let trouble = connection.exchange(&outgoing, ALL).await.unwrap_err();
            assert_eq!(
                trouble.detail.replace(&outgoing.origin.authority, "HOST"),
                "HOST closed the connection before the answer was complete"
            );
            assert_eq!((trouble.failure, trouble.before_sending), (Failure::Closed, false));
        };
        let cutting = poll_fn(|context| {
            context.waker().wake_by_ref();
            let has_begun = connection.state.has_answered.get();
            if has_begun { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::join!(exchange, async {
            cutting.await;
            cut.send(()).unwrap();
        });
        let trouble = connection.exchange(&outgoing, ALL).await.unwrap_err();
        assert_eq!(
            trouble.detail.replace(&outgoing.origin.authority, "HOST"),
            "HOST takes no more requests on this connection"
        );
        assert!(trouble.before_sending);
    })
    .unwrap();
}

#[test]
fn waiting_exchanges_are_told_that_the_connection_is_gone() {
    net::run(async {
        let (connection, outgoing) = against(1, |stream| async {
            let mut connection = server::handshake::<_>(stream).await.unwrap();
            let _: Asked = connection.accept().await.unwrap().unwrap();
        })
        .await;
        let exchange = || connection.exchange(&outgoing, NOTHING);
        let (first, second, third) = tokio::join!(exchange(), exchange(), exchange());
        assert!(!first.unwrap_err().before_sending);
        assert!(second.unwrap_err().before_sending);
        assert!(third.unwrap_err().before_sending);
    })
    .unwrap();
}

#[test]
fn waiting_exchange_is_told_of_the_end_though_no_other_ends() {
    net::run(async {
        let (connection, outgoing) = against(1, |stream| say(stream, Vec::new(), false)).await;
        let _taken = connection.state.turns.take().await.unwrap();
        let trouble = connection.exchange(&outgoing, NOTHING).await.unwrap_err();
        assert_eq!((trouble.failure, trouble.before_sending), (Failure::Closed, true));
    })
    .unwrap();
}

#[test]
fn pings_are_answered_while_nothing_is_asked() {
    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const PONG: [u8; 17] = [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    net::run(async {
        let (sender, answered) = oneshot::channel();
        let (_connection, _) = against(10, async move |mut stream| {
            stream.write_all(&[&SETTINGS[..], &PING].concat()).await.unwrap();
            let mut came = Vec::new();
            while !came.windows(PONG.len()).any(|window| window == PONG) {
                came.push(stream.read_u8().await.unwrap());
            }
            sender.send(()).unwrap();
        })
        .await;
        answered.await.unwrap();
    })
    .unwrap();
}
