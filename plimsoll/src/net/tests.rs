//! Real sockets on the loopback, with the ring (where the kernel gives one) and without.

use std::future::poll_fn;
use std::io::{IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::*;

/// Runs a test with one call for each send and, if possible, with the ring.
fn both_ways<F: Future<Output = ()>>(test: impl Fn() -> F) {
    run_with(None, test()).unwrap();
    if let Ok(ring) = SendRing::new() {
        run_with(Some(ring), test()).unwrap();
    }
}

/// A stream of ours and its blocking peer.
fn pair() -> (Stream, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Stream::new(ours.into()).unwrap(), peer)
}

fn tcp_pair() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_nonblocking(true).unwrap();
    (Stream::new(ours.into()).unwrap(), listener.accept().unwrap().0)
}

async fn read(stream: &Stream, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|context| stream.poll_read(context, buffer)).await
}

async fn write(stream: &Stream, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|context| stream.poll_write(context, bytes)).await
}

async fn write_all(stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = write(stream, bytes).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// What a blocking peer reads to the end, on a thread of its own.
fn read_to_end(mut peer: impl Read + Send + 'static) -> oneshot::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = peer.read_to_end(&mut bytes).map(|_| bytes);
        let _ = sender.send(outcome);
    });
    receiver
}

/// Bytes whose order can be told.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// Fills the socket until a write has to wait; returns how many bytes were taken.
async fn fill(stream: &Stream, bytes: &[u8], piece: usize) -> usize {
    let mut taken = 0;
    poll_fn(|context| {
        while taken < bytes.len() {
            let end = bytes.len().min(taken + piece);
            match stream.poll_write(context, &bytes[taken..end]) {
                Poll::Ready(count) => taken += count.unwrap(),
                Poll::Pending => break,
            }
        }
        Poll::Ready(())
    })
    .await;
    taken
}

#[test]
fn accepts_answers_and_closes() {
    both_ways(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Listener::new(listener).unwrap();
        spawn(async move {
            let (stream, peer) = listener.accept().await.unwrap();
            assert!(peer.ip().is_loopback());
            let mut buffer = [0; 64];
            let count = read(&stream, &mut buffer).await.unwrap();
            write_all(&stream, &buffer[..count]).await.unwrap();
        });
        let client = Stream::connect_tcp(address).await.unwrap();
        write_all(&client, b"there and back").await.unwrap();
        let mut buffer = [0; 64];
        poll_fn(|context| client.poll_readable(context)).await.unwrap();
        let count = read(&client, &mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"there and back");
        assert_eq!(read(&client, &mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn connects_to_unix_sockets_and_says_why_not() {
    both_ways(|| async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server");
        let missing = Stream::connect_unix(&path).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        let stream = Stream::connect_unix(&path).await.unwrap();
        write_all(&stream, b"hello").await.unwrap();
        drop(stream);
        let received = read_to_end(listener.accept().unwrap().0).await.unwrap();
        assert_eq!(received.unwrap(), b"hello");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = Stream::connect_tcp(port).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn bytes_keep_their_order_whatever_their_sizes() {
    both_ways(|| async {
        let (stream, peer) = tcp_pair();
        let received = read_to_end(peer);
        let bytes = pattern(6_000_000);
        let mut rest = &bytes[..];
        let mut state = 7_u32;
        while !rest.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Mostly small pieces, some that go directly, all mixed.
            let size = if state >> 29 == 0 { 40_000 } else { 300 } + (state >> 24) as usize;
            let size = size.min(rest.len());
            let count = if state >> 28 & 1 == 0 {
                write(&stream, &rest[..size]).await.unwrap()
            } else {
                let (first, second) = rest[..size].split_at(size / 3);
                let pieces = [IoSlice::new(first), IoSlice::new(second)];
                poll_fn(|context| stream.poll_write_vectored(context, &pieces)).await.unwrap()
            };
            rest = &rest[count..];
            if state >> 26 & 7 == 0 {
                yield_now().await;
            }
        }
        stream.shutdown_write();
        assert!(received.await.unwrap().unwrap() == bytes);
    });
}

#[test]
fn one_turn_sends_for_more_streams_than_a_batch_has() {
    both_ways(|| async {
        let (streams, peers): (Vec<_>, Vec<_>) = (0..300).map(|_| pair()).unzip();
        for (index, stream) in streams.iter().enumerate() {
            write_all(stream, &[index as u8; 10]).await.unwrap();
            write_all(stream, &[index as u8; 5]).await.unwrap();
        }
        drop(streams);
        for (index, peer) in peers.into_iter().enumerate() {
            let received = read_to_end(peer).await.unwrap().unwrap();
            assert_eq!(received, [index as u8; 15]);
        }
    });
}

#[test]
fn a_broken_stream_fails_alone_and_tells_its_next_write() {
    both_ways(|| async {
        let (broken, gone) = pair();
        let (good, peer) = pair();
        drop(gone);
        assert!(!broken.is_open());
        // Taken: that it cannot be sent turns out later.
        write_all(&broken, b"lost").await.unwrap();
        write_all(&good, b"kept").await.unwrap();
        drop(good);
        assert_eq!(read_to_end(peer).await.unwrap().unwrap(), b"kept");
        let error = write(&broken, b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(read(&broken, &mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn a_full_socket_stops_the_writer_until_the_peer_reads() {
    for piece in [700, 60_000] {
        both_ways(|| async {
            let (stream, peer) = tcp_pair();
            let bytes = pattern(64 * 1024 * 1024);
            let mut taken = 0;
            let mut stopped = 0;
            // Stopped once by the bound on what waits, then by the socket itself.
            while stopped < 3 {
                let count = fill(&stream, &bytes[taken..], piece).await;
                taken += count;
                stopped = if count == 0 { stopped + 1 } else { 0 };
                yield_now().await;
            }
            assert!(taken < bytes.len(), "no back-pressure");
            let received = read_to_end(peer);
            write_all(&stream, &bytes[taken..taken + 100_000]).await.unwrap();
            poll_fn(|context| stream.poll_flush(context)).await.unwrap();
            drop(stream);
            assert!(received.await.unwrap().unwrap() == bytes[..taken + 100_000]);
        });
    }
}

#[test]
fn a_dropped_stream_sends_what_it_took() {
    both_ways(|| async {
        let (stream, peer) = pair();
        let bytes = pattern(8 * 1024 * 1024);
        let mut taken = fill(&stream, &bytes, 700).await;
        yield_now().await;
        // The socket is full now, and a task has the rest.
        taken += fill(&stream, &bytes[taken..], 700).await;
        stream.shutdown_write();
        drop(stream);
        yield_now().await;
        assert!(read_to_end(peer).await.unwrap().unwrap() == bytes[..taken]);
    });
}

#[test]
fn a_reset_stream_forgets_what_it_took() {
    both_ways(|| async {
        let (stream, mut peer) = tcp_pair();
        let bytes = pattern(64 * 1024 * 1024);
        let mut taken = fill(&stream, &bytes, 700).await;
        for _ in 0..10_000 {
            yield_now().await;
            taken += fill(&stream, &bytes[taken..], 700).await;
        }
        stream.reset_on_close();
        drop(stream);
        // Turns for the task that had the rest.
        yield_now().await;
        yield_now().await;
        let (sender, outcome) = oneshot::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = sender.send(peer.read_to_end(&mut bytes));
        });
        let error = outcome.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn half_closed_streams_go_on_in_the_other_direction() {
    both_ways(|| async {
        let (stream, mut peer) = tcp_pair();
        write_all(&stream, b"question").await.unwrap();
        stream.shutdown_write();
        let (sender, question) = oneshot::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            peer.write_all(b"answer").unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let _ = sender.send(bytes);
        });
        assert_eq!(question.await.unwrap(), b"question");
        let mut buffer = [0; 64];
        assert_eq!(read(&stream, &mut buffer).await.unwrap(), 6);
        assert_eq!(&buffer[..6], b"answer");
        assert_eq!(read(&stream, &mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn a_reset_after_the_end_is_seen_by_who_asks() {
    both_ways(|| async {
        let (stream, peer) = tcp_pair();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read(&stream, &mut [0; 8]).await.unwrap(), 0);
        assert!(!stream.is_broken(), "the peer may be listening");
        drop(peer);
        // Nobody does: the peer's kernel says so.
        write(&stream, b"there?").await.unwrap();
        while !stream.is_broken() {
            super::yield_now().await;
        }
        assert_eq!(read(&stream, &mut [0; 8]).await.unwrap(), 0, "reads tell the end only");
    });
}

#[test]
fn a_silent_stream_is_quiet_until_the_peer_speaks_or_closes() {
    both_ways(|| async {
        let (stream, mut peer) = tcp_pair();
        assert!(stream.is_quiet() && stream.is_open());
        peer.write_all(b"1234").unwrap();
        let mut buffer = [0; 4];
        // It fills the buffer, so there might be more.
        assert_eq!(read(&stream, &mut buffer).await.unwrap(), 4);
        assert!(stream.is_quiet());
        peer.write_all(b"5").unwrap();
        poll_fn(|context| stream.poll_readable(context)).await.unwrap();
        assert!(!stream.is_quiet() && !stream.is_open());
        assert_eq!(read(&stream, &mut buffer).await.unwrap(), 1);
        assert!(stream.is_quiet());
        drop(peer);
        poll_fn(|context| stream.poll_readable(context)).await.unwrap();
        assert!(!stream.is_quiet() && !stream.is_open());
    });
}

#[test]
fn shutting_down_reading_wakes_the_reader() {
    both_ways(|| async {
        let (stream, _peer) = tcp_pair();
        let stream = Rc::new(stream);
        let (sender, ended) = oneshot::channel();
        let reader = Rc::clone(&stream);
        spawn(async move {
            let _ = sender.send(read(&reader, &mut [0; 8]).await.unwrap());
        });
        yield_now().await;
        stream.shutdown_read();
        assert_eq!(ended.await.unwrap(), 0);
    });
}

#[test]
fn other_threads_wake_tasks() {
    both_ways(|| async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (answer, answers) = std::sync::mpsc::channel();
        let other = thread::spawn(move || {
            for number in 0..1_000 {
                sender.send(number).unwrap();
                // Each wake finds the loop asleep.
                assert_eq!(answers.recv().unwrap(), number);
            }
        });
        while let Some(number) = receiver.recv().await {
            answer.send(number).unwrap();
        }
        other.join().unwrap();
    });
}

#[test]
fn the_end_of_main_sends_what_waits_and_closes_all_streams() {
    for ring in [None, SendRing::new().ok()] {
        let (last, kept) = run_with(ring, async {
            let (stream, last) = pair();
            write_all(&stream, b"bye").await.unwrap();
            let (held, kept) = pair();
            spawn(async move {
                write_all(&held, b"also").await.unwrap();
                std::future::pending::<()>().await;
            });
            yield_now().await;
            (last, kept)
        })
        .unwrap();
        for (mut peer, expected) in [(last, "bye"), (kept, "also")] {
            let mut text = String::new();
            peer.read_to_string(&mut text).unwrap();
            assert_eq!(text, expected);
        }
    }
}

#[test]
fn what_a_dropped_task_says_at_last_is_sent() {
    struct Polite(Stream);
    impl Drop for Polite {
        fn drop(&mut self) {
            let mut context = Context::from_waker(Waker::noop());
            let _ = self.0.poll_write(&mut context, b"bye");
        }
    }
    for ring in [None, SendRing::new().ok()] {
        let mut peer = run_with(ring, async {
            let (stream, peer) = pair();
            let polite = Polite(stream);
            spawn(async move {
                let _polite = polite;
                std::future::pending::<()>().await;
            });
            yield_now().await;
            peer
        })
        .unwrap();
        let mut text = String::new();
        peer.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye");
    }
}

#[test]
fn a_task_that_moves_many_bytes_must_yield() {
    both_ways(|| async {
        let (streams, mut peers): (Vec<_>, Vec<_>) = (0..24).map(|_| pair()).unzip();
        let mut there = 0;
        for (stream, peer) in streams.iter().zip(&mut peers) {
            peer.set_nonblocking(true).unwrap();
            while let Ok(count) = peer.write(&[7; 65_536]) {
                there += count;
            }
            poll_fn(|context| stream.poll_readable(context)).await.unwrap();
        }
        assert!(there > 2 * 1024 * 1024, "{there} bytes are too few for this test");
        yield_now().await;
        let mut buffer = vec![0; 65_536];
        let mut moved = 0;
        let mut calls = 0;
        poll_fn(|context| {
            for stream in &streams {
                while let Poll::Ready(count) = stream.poll_read(context, &mut buffer) {
                    moved += count.unwrap();
                    calls += 1;
                }
            }
            Poll::Ready(())
        })
        .await;
        // Fewer calls than tokio's budget has units: the bytes have used it up.
        assert!(moved < there && calls < 128, "{moved} of {there} bytes in {calls} calls");
    });
}

#[test]
fn a_lost_ring_is_replaced_by_single_sends() {
    // A ring belongs to the thread that made it: from any other the kernel refuses it.
    let Ok(ring) = thread::spawn(SendRing::new).join().unwrap() else { return };
    run_with(Some(ring), async {
        let (streams, peers): (Vec<_>, Vec<_>) = (0..3).map(|_| pair()).unzip();
        for stream in &streams {
            write_all(stream, b"in spite of it").await.unwrap();
        }
        drop(streams);
        for peer in peers {
            assert_eq!(read_to_end(peer).await.unwrap().unwrap(), b"in spite of it");
        }
    })
    .unwrap();
}

#[test]
fn a_pipe_moves_bytes_behind_those_that_were_written() {
    both_ways(|| async {
        for (from, mut sender, to, mut receiver) in [
            {
                let ((from, sender), (to, receiver)) = (pair(), tcp_pair());
                (from, Box::new(sender) as Box<dyn Write>, to, Box::new(receiver) as Box<dyn Read>)
            },
            {
                let ((from, sender), (to, receiver)) = (tcp_pair(), pair());
                (from, Box::new(sender) as Box<dyn Write>, to, Box::new(receiver) as Box<dyn Read>)
            },
        ] {
            sender.write_all(b"spliced").unwrap();
            write_all(&to, b"written ").await.unwrap();
            let mut pipe = Pipe::take().unwrap();
            let count = poll_fn(|context| from.poll_fill(context, &mut pipe, 4)).await.unwrap();
            assert_eq!((count, pipe.filled()), (4, 4));
            poll_fn(|context| to.poll_drain(context, &mut pipe)).await.unwrap();
            let count = poll_fn(|context| from.poll_fill(context, &mut pipe, 99)).await.unwrap();
            assert_eq!(count, 3);
            poll_fn(|context| to.poll_drain(context, &mut pipe)).await.unwrap();
            write_all(&to, b" written").await.unwrap();
            super::yield_now().await;
            let mut seen = [0; 23];
            receiver.read_exact(&mut seen).unwrap();
            assert_eq!(seen.escape_ascii().to_string(), "written spliced written");
            drop(sender);
            let count = poll_fn(|context| from.poll_fill(context, &mut pipe, 99)).await.unwrap();
            assert_eq!(count, 0);
        }
    });
}

#[test]
fn a_pipe_that_was_given_up_full_is_not_used_again() {
    both_ways(|| async {
        let ((from, mut sender), (to, mut receiver)) = (pair(), pair());
        sender.write_all(b"first").unwrap();
        let mut pipe = Pipe::take().unwrap();
        poll_fn(|context| from.poll_fill(context, &mut pipe, 5)).await.unwrap();
        drop(pipe);
        sender.write_all(b"other").unwrap();
        let mut pipe = Pipe::take().unwrap();
        poll_fn(|context| from.poll_fill(context, &mut pipe, 5)).await.unwrap();
        poll_fn(|context| to.poll_drain(context, &mut pipe)).await.unwrap();
        let mut seen = [0; 5];
        receiver.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"other");
    });
}

#[test]
fn there_are_only_so_many_pipes() {
    both_ways(|| async {
        let pipes: Vec<Pipe> = std::iter::from_fn(Pipe::take).collect();
        assert!(Pipe::take().is_none());
        assert!(pipes.len() > 1);
        drop(pipes);
        assert!(Pipe::take().is_some());
    });
}
