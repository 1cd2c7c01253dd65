//! Accepting connections: bounded, surviving the lack of descriptors, leaving nobody in the queue
//! when told to stop.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection;
use super::worker::{Worker, either};
use crate::net::{self, Listener};

/// Pause after `accept` failed for lack of something, and between looks at the connection limit.
const PAUSE: Duration = Duration::from_millis(20);
/// Least time between two log lines about it, over all workers.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// Stops an accept loop when dropped.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Never sent to: its drop is the message.
    _dropped: oneshot::Sender<()>,
}

/// Accepts from `listener` for the entrypoint called `name` until the returned value is dropped.
pub(crate) fn start(worker: &Rc<Worker>, name: &Arc<str>, listener: Listener) -> Stop {
    let (sender, stop) = oneshot::channel();
    net::spawn(accept(Rc::clone(worker), Arc::clone(name), listener, stop));
    Stop { _dropped: sender }
}

async fn accept(
    worker: Rc<Worker>,
    name: Arc<str>,
    listener: Listener,
    mut stop: oneshot::Receiver<()>,
) {
    let cells = worker.shared.entrypoints.cells(&name, &Arc::from(""));
    loop {
        if worker.shared.connections.load(Ordering::Relaxed)
            >= worker.routing().config.limits.connections
        {
            complain(&worker, || "the connection limit is reached; new clients wait".to_owned());
            if either(&mut stop, net::sleep_until(Instant::now() + PAUSE)).await.is_ok() {
                return;
            }
            continue;
        }
        match either(&mut stop, listener.accept()).await {
            Ok(_) => break,
            Err(Ok((stream, address))) => {
                connection::start(&worker, &cells, stream, address);
            }
            Err(Err(error)) if is_of_the_peer(&error) => {}
            Err(Err(error)) => {
                complain(&worker, || lack(&name, &error));
                if either(&mut stop, net::sleep_until(Instant::now() + PAUSE)).await.is_ok() {
                    return;
                }
            }
        }
    }
    // What the kernel has accepted for us already would be reset by closing the socket.
    loop {
        let mut accepting = std::pin::pin!(listener.accept());
        let next = poll_fn(|context| Poll::Ready(accepting.as_mut().poll(context))).await;
        match next {
            Poll::Ready(Ok((stream, address))) => {
                connection::start(&worker, &cells, stream, address);
            }
            _ => return,
        }
    }
}

/// Whether an error of `accept` is about one connection that is already gone.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// What an error of `accept` that is about us means, and what to do.
fn lack(name: &str, error: &io::Error) -> String {
    let remedy = match error.raw_os_error() {
        Some(libc::EMFILE) => {
            "Plimsoll has no file descriptors left; raise its limit (`ulimit -n`, LimitNOFILE=) or \
             lower `limits.connections`; "
        }
        Some(libc::ENFILE) => "the machine has no file descriptors left; see fs.file-max; ",
        _ => "",
    };
    format!("cannot accept on {name}: {error}; {remedy}new clients wait until it works again")
}

fn complain(worker: &Worker, text: impl FnOnce() -> String) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = worker.shared.epoch.elapsed().as_millis() as u64 + LOG_PAUSE.as_millis() as u64;
    let last = LAST.load(Ordering::Relaxed);
    let due = now.saturating_sub(last) >= LOG_PAUSE.as_millis() as u64;
    if due && LAST.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        crate::log::warn("edge", text());
    }
}
