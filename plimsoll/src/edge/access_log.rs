//! The access log: lines are made by the workers, in batches, and written by a thread of its own.
//!
//! Invariants: a worker never waits for the log: what the writer cannot keep up with, or the system
//! does not take, is dropped and counted; at most [`QUEUED`] batches of [`BATCH_BYTES`] wait. The
//! file is appended to, and reopened on request, so that a rotated file is let go. Neither a reload nor
//! the end waits for a pipe whose reader does not read.

mod writer;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::forward::AddressText;
use crate::config::model::{AccessLog as Configured, AccessLogFormat};
pub(crate) use writer::Losses;
use writer::Writer;

/// Bytes of lines that a worker gathers before it hands them over.
const BATCH_BYTES: usize = 32 * 1024;
/// Batches that may wait for the writer.
const QUEUED: usize = 64;
/// Most time that the last lines have to be written.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// An access log that is open.
#[derive(Debug)]
pub(crate) struct AccessLog {
    /// What it was opened for.
    pub(crate) configured: Configured,
    sender: SyncSender<Vec<u8>>,
    /// Whether the file is to be opened again. Set by a reload, cleared by the writer.
    reopen: Arc<AtomicBool>,
    losses: Arc<Losses>,
    /// Disconnected when the writer has ended.
    ended: Mutex<Receiver<()>>,
}

impl AccessLog {
    /// Opens the log and starts its writer.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread be started.
    pub(crate) fn open(configured: Configured) -> io::Result<Arc<Self>> {
        let losses = Arc::<Losses>::default();
        let writer = Writer::open(configured.to.clone(), Arc::clone(&losses))?;
        let (sender, batches) = sync_channel(QUEUED);
        let (running, ended) = channel();
        let reopen = Arc::<AtomicBool>::default();
        let wanted = Arc::clone(&reopen);
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            writer.run(&batches, &wanted);
            drop(running);
        })?;
        Ok(Arc::new(Self { configured, sender, reopen, losses, ended: Mutex::new(ended) }))
    }

    /// Lets the file go and opens it again by name, before lines that are handed over from now on.
    /// Those that wait for the writer go to either.
    pub(crate) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
        // Wakes the writer; if the queue is full it has something to wake up for.
        let _ = self.sender.try_send(Vec::new());
    }

    /// Lines that are missing.
    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Waits until everything that was handed over is written, if this is the last user, for
    /// [`FINISH_TIMEOUT`] at most.
    pub(crate) fn finish(self: Arc<Self>) {
        self.finish_within(FINISH_TIMEOUT);
    }

    fn finish_within(self: Arc<Self>, time: Duration) {
        let Some(log) = Arc::into_inner(self) else { return };
        drop(log.sender);
        let ended = log.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            let text = "the last lines are lost: nobody takes them";
            crate::log::error("access log", text);
        }
    }
}

/// What is logged of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogEntry<'a> {
    /// The client's address.
    pub(crate) client: IpAddr,
    /// As on the wire; empty for a head that could not be read.
    pub(crate) method: &'a [u8],
    /// As on the wire.
    pub(crate) target: &'a [u8],
    /// `HTTP/1.1`.
    pub(crate) version: &'a str,
    /// As asked for.
    pub(crate) host: &'a [u8],
    /// Of the response; 499 if the client went away before there was one.
    pub(crate) status: u16,
    /// Bytes of the response body.
    pub(crate) bytes: u64,
    /// Empty if there is none.
    pub(crate) referer: &'a [u8],
    /// Empty if there is none.
    pub(crate) user_agent: &'a [u8],
    /// Empty if there is none.
    pub(crate) service: &'a str,
    /// Empty if no server was asked.
    pub(crate) server: &'a str,
    /// From the first byte of the request to the last of the response.
    pub(crate) duration: Duration,
    /// Attempts on servers.
    pub(crate) attempts: u32,
    /// The request's id.
    pub(crate) request_id: &'a [u8],
    /// What went wrong; empty if nothing did.
    pub(crate) detail: &'a str,
}

/// A worker's lines that were not handed over yet.
#[derive(Debug)]
pub(crate) struct LogLines {
    lines: RefCell<Vec<u8>>,
    count: Cell<u64>,
    log: RefCell<Option<Arc<AccessLog>>>,
}

impl LogLines {
    /// No lines for this log.
    pub(crate) fn new(log: Option<Arc<AccessLog>>) -> Self {
        Self { lines: RefCell::default(), count: Cell::new(0), log: RefCell::new(log) }
    }

    /// Adds a line for `log`.
    pub(crate) fn push(&self, log: &Arc<AccessLog>, clock: &Clock, entry: &LogEntry<'_>) {
        let same = self.log.borrow().as_ref().is_some_and(|current| Arc::ptr_eq(current, log));
        if !same {
            self.flush();
            self.log.replace(Some(Arc::clone(log)));
        }
        let mut lines = self.lines.borrow_mut();
        clock.local(|time, millis| match log.configured.format {
            AccessLogFormat::Combined => combined(&mut lines, time, entry),
            AccessLogFormat::Json => json(&mut lines, millis, entry),
        });
        self.count.set(self.count.get() + 1);
        if lines.len() >= BATCH_BYTES {
            drop(lines);
            self.flush();
        }
    }

    /// Hands over what there is.
    pub(crate) fn flush(&self) {
        let mut lines = self.lines.borrow_mut();
        let log = self.log.borrow();
        if lines.is_empty() {
            return;
        }
        let count = self.count.replace(0);
        let capacity = lines.len().next_power_of_two().min(2 * BATCH_BYTES);
        let batch = std::mem::replace(&mut *lines, Vec::with_capacity(capacity));
        if let Some(log) = &*log
            && log.sender.try_send(batch).is_err()
        {
            log.losses.queue_full.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// NCSA combined, then service, server, seconds and request id.
fn combined(out: &mut Vec<u8>, time: &str, entry: &LogEntry<'_>) {
    out.extend_from_slice(AddressText::new(entry.client).as_bytes());
    out.extend_from_slice(b" - - [");
    out.extend_from_slice(time.as_bytes());
    out.extend_from_slice(b"] \"");
    if entry.method.is_empty() {
        out.push(b'-');
    } else {
        quoted(out, entry.method);
        out.push(b' ');
        quoted(out, entry.target);
        out.push(b' ');
        out.extend_from_slice(entry.version.as_bytes());
    }
    out.extend_from_slice(b"\" ");
    number(out, entry.status.into());
    out.push(b' ');
    number(out, entry.bytes);
    for text in [entry.referer, entry.user_agent] {
        out.extend_from_slice(b" \"");
        quoted(out, if text.is_empty() { b"-" } else { text });
        out.push(b'"');
    }
    for text in [entry.service, entry.server] {
        out.push(b' ');
        quoted(out, if text.is_empty() { b"-" } else { text.as_bytes() });
    }
    out.push(b' ');
    seconds(out, entry.duration);
    out.push(b' ');
    quoted(out, if entry.request_id.is_empty() { b"-" } else { entry.request_id });
    out.push(b'\n');
}

fn json(out: &mut Vec<u8>, millis: u64, entry: &LogEntry<'_>) {
    out.extend_from_slice(b"{\"time\":");
    number(out, millis / 1000);
    let fraction = [b'.', digit(millis, 100), digit(millis, 10), digit(millis, 1)];
    out.extend_from_slice(&fraction);
    out.extend_from_slice(b",\"client\":\"");
    out.extend_from_slice(AddressText::new(entry.client).as_bytes());
    out.push(b'"');
    for (name, value) in [
        ("method", entry.method),
        ("target", entry.target),
        ("protocol", entry.version.as_bytes()),
        ("host", entry.host),
        ("referer", entry.referer),
        ("user_agent", entry.user_agent),
        ("service", entry.service.as_bytes()),
        ("server", entry.server.as_bytes()),
        ("request_id", entry.request_id),
        ("detail", entry.detail.as_bytes()),
    ] {
        if !value.is_empty() {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":\"");
            json_text(out, value);
            out.push(b'"');
        }
    }
    out.extend_from_slice(b",\"status\":");
    number(out, entry.status.into());
    out.extend_from_slice(b",\"bytes\":");
    number(out, entry.bytes);
    out.extend_from_slice(b",\"attempts\":");
    number(out, entry.attempts.into());
    out.extend_from_slice(b",\"seconds\":");
    seconds(out, entry.duration);
    out.extend_from_slice(b"}\n");
}

/// Text between quotes as nginx escapes it: no quote, backslash, control or non-ASCII byte as such.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\' {
            out.push(byte);
        } else {
            out.extend_from_slice(b"\\x");
            out.push(b"0123456789ABCDEF"[usize::from(byte >> 4)]);
            out.push(b"0123456789ABCDEF"[usize::from(byte & 15)]);
        }
    }
}

/// Text between the quotes of a JSON string; bytes that are not UTF-8 become U+FFFD.
fn json_text(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0..0x20 | 0x7f => {
                    out.extend_from_slice(b"\\u00");
                    out.push(b"0123456789abcdef"[usize::from(byte >> 4)]);
                    out.push(b"0123456789abcdef"[usize::from(byte & 15)]);
                }
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn seconds(out: &mut Vec<u8>, duration: Duration) {
    let micros = duration.as_micros() as u64;
    number(out, micros / 1_000_000);
    out.push(b'.');
    for unit in [100_000, 10_000, 1_000, 100, 10, 1] {
        out.push(digit(micros, unit));
    }
}

fn digit(number: u64, unit: u64) -> u8 {
    b'0' + (number / unit % 10) as u8
}

fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = digit(rest, 1);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::LogTarget;

    const ENTRY: LogEntry<'static> = LogEntry {
        client: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)),
        method: b"GET",
        target: b"/a\"b",
        version: "HTTP/1.1",
        host: b"example.org",
        status: 200,
        bytes: 1234,
        referer: b"",
        user_agent: b"curl/8 \xff\n",
        service: "web",
        server: "web-1",
        duration: Duration::from_micros(1_002_003),
        attempts: 1,
        request_id: b"abc",
        detail: "",
    };

    #[test]
    fn combined_lines_cannot_be_forged() {
        let mut out = Vec::new();
        combined(&mut out, "21/Nov/2026:03:13:12 +0100", &ENTRY);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "203.0.113.7 - - [21/Nov/2026:03:13:12 +0100] \"GET /a\\x22b HTTP/1.1\" 200 1234 \"-\" \
             \"curl/8 \\xFF\\x0A\" web web-1 1.002003 abc\n"
        );
    }

    #[test]
    fn json_lines_parse_whatever_is_in_them() {
        let mut out = Vec::new();
        json(&mut out, 1_700_000_000_123, &ENTRY);
        assert!(out.ends_with(b"}\n"));
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["target"], "/a\"b");
        assert_eq!(value["user_agent"], "curl/8 \u{fffd}\n");
        assert_eq!(value["seconds"], 1.002003);
        assert_eq!(value["time"], 1_700_000_000.123);
        assert_eq!(value.get("referer"), None);
    }

    #[test]
    fn a_slow_writer_costs_lines_and_no_time() {
        let (sender, batches) = sync_channel(1);
        let log = Arc::new(AccessLog {
            configured: Configured { to: LogTarget::Stderr, format: AccessLogFormat::Json },
            sender,
            reopen: Arc::default(),
            losses: Arc::default(),
            ended: Mutex::new(channel().1),
        });
        let lines = LogLines::new(None);
        let clock = Clock::new();
        for _ in 0..3 {
            lines.push(&log, &clock, &ENTRY);
            lines.push(&log, &clock, &ENTRY);
            lines.flush();
        }
        assert_eq!(log.losses().total(), 4, "one batch of two fits the queue");
        assert!(batches.try_recv().is_ok());
    }

    #[test]
    fn a_rotated_file_is_let_go_on_reopen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let to = LogTarget::File(path.clone());
        let configured = Configured { to, format: AccessLogFormat::Combined };
        let log = AccessLog::open(configured).unwrap();
        let lines = LogLines::new(None);
        let clock = Clock::new();
        lines.push(&log, &clock, &ENTRY);
        lines.flush();
        while std::fs::read_to_string(&path).unwrap().is_empty() {
            std::thread::yield_now();
        }
        let rotated = directory.path().join("access.log.1");
        std::fs::rename(&path, &rotated).unwrap();
        log.reopen();
        lines.push(&log, &clock, &ENTRY);
        lines.flush();
        drop(lines);
        log.finish();
        assert_eq!(std::fs::read_to_string(&rotated).unwrap().lines().count(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
    #[test]
    fn a_pipe_that_nobody_reads_holds_up_neither_reload_nor_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Linux lets a FIFO be opened for both, so that there is a reader.
        let _reader = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let to = LogTarget::File(path);
        let log = AccessLog::open(Configured { to, format: AccessLogFormat::Json }).unwrap();
        // The writer is stuck with more than a pipe holds, and the queue is full behind it.
        while log.sender.try_send(vec![b'\n'; 128 * 1024]).is_ok() {}
        log.reopen();
        log.finish_within(Duration::from_millis(1));
    }
}
