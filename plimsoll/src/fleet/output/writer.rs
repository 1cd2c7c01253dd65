//! A thread that writes what instances print, behind a bounded queue.
//!
//! Writing to a terminal or disk may block for ever, which no task of the runtime may. When the
//! queue stays full for [`PATIENCE`], lines are dropped, counted, and the count is written once
//! there is room: an instance is slowed down, never stopped, by a terminal that stands still.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::rotation::RotatingFile;
use super::{Stream, lock};

/// Reads' worth of lines that wait; with the bound of a read at most about 5 MiB.
const QUEUE_MAX: usize = 64;
/// How long a full queue is waited for before lines are dropped.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whole lines, and where they go.
#[derive(Debug)]
pub enum Job {
    /// To standard output or error.
    Terminal { stream: Stream, bytes: Vec<u8> },
    /// To a file.
    File { file: Arc<Mutex<RotatingFile>>, bytes: Vec<u8> },
    /// To nowhere: answers when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// The sending end of the queue.
#[derive(Debug)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    /// Set by whoever waited in vain, taken back by the next who finds room.
    stalled: AtomicBool,
    /// Bytes dropped since the last report. Written by every reading task and the thread.
    dropped: Arc<AtomicU64>,
}

/// The two places that terminal jobs go to.
pub struct Terminal {
    /// For what instances print on standard output.
    pub out: Box<dyn Write + Send>,
    /// For what instances print on standard error, and for reports of dropped bytes.
    pub error: Box<dyn Write + Send>,
}

impl Terminal {
    /// Plimsoll's own standard output and error.
    pub fn own() -> Self {
        Self { out: Box::new(std::io::stdout()), error: Box::new(std::io::stderr()) }
    }

    /// Whether names are to be coloured: on terminals, unless `NO_COLOR` is set.
    pub fn own_has_colours() -> bool {
        crate::log::may_colour()
            && std::io::stdout().is_terminal()
            && std::io::stderr().is_terminal()
    }
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped and the queue is empty.
    pub fn start(name: &str, terminal: Terminal) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new().name(name.to_owned());
        if let Err(error) = thread.spawn(move || work(queue, terminal, &counter)) {
            // The queue is closed with the thread that was not started: every line is dropped.
            crate::log::error("fleet", format!("instances' output is lost: no thread: {error}"));
        }
        Self { jobs, stalled: AtomicBool::new(false), dropped }
    }

    /// Queues lines, waiting for room for at most [`PATIENCE`].
    pub async fn push(&self, job: Job) {
        let job = match self.jobs.try_send(job) {
            Ok(()) => return self.stalled.store(false, Ordering::Relaxed),
            Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => {
                job
            }
        };
        if !self.stalled.load(Ordering::Relaxed)
            && let Ok(Ok(room)) = timeout(PATIENCE, self.jobs.reserve()).await
        {
            return room.send(job);
        }
        self.stalled.store(true, Ordering::Relaxed);
        let lost = match &job {
            Job::Terminal { bytes, .. } | Job::File { bytes, .. } => bytes.len() as u64,
            Job::Flush(_) => 0,
        };
        self.dropped.fetch_add(lost, Ordering::Relaxed);
    }

    /// Waits until what was queued is written, for at most twice [`PATIENCE`].
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if let Ok(Ok(room)) = timeout(PATIENCE, self.jobs.reserve()).await {
            room.send(Job::Flush(done));
            let _ = timeout(PATIENCE, written).await;
        }
    }
}

fn work(mut queue: mpsc::Receiver<Job>, mut terminal: Terminal, dropped: &AtomicU64) {
    while let Some(job) = queue.blocking_recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("fleet | {lost} bytes of output dropped: written too slowly\n");
            let _ = terminal.error.write_all(text.as_bytes());
        }
        // A closed terminal must not stop the instances: failed writes are dropped.
        match job {
            Job::Terminal { stream, bytes } => {
                let place = match stream {
                    Stream::Out => &mut terminal.out,
                    Stream::Error => &mut terminal.error,
                };
                let _ = place.write_all(&bytes).and_then(|()| place.flush());
            }
            Job::File { file, bytes } => lock(&file).write(&bytes),
            Job::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}
