//! A load at a constant rate, whatever the server does.
//!
//! Every request has a time at which it should be sent. If all connections are busy then, it
//! waits, and its latency counts from when it *should* have been sent: a server that stalls pays
//! for all the requests that the stall held up (no coordinated omission). wrk cannot do this: it
//! sends the next request when the last one is answered.
//!
//! Each thread has a core, its share of the rate and its own connections. It polls without
//! sleeping, because a timer of the kernel would add its own tenths of a millisecond to every
//! figure; between polls it yields, for machines where the upstream shares its core.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::histogram::Histogram;
use super::machine;
use super::response::{self, Response};

/// How long replies are waited for after the last request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 64;

/// A load.
#[derive(Clone, Copy)]
pub(super) struct OpenLoop<'a> {
    pub(super) port: u16,
    pub(super) path: &'static str,
    /// Requests per second, all threads together.
    pub(super) rate: f64,
    /// Open connections, all threads together.
    pub(super) connections: usize,
    /// Time before what is recorded.
    pub(super) warm_up: Duration,
    /// Time that is recorded.
    pub(super) duration: Duration,
    /// One thread each.
    pub(super) cores: &'a [usize],
}

/// What came of it.
pub(super) struct Report {
    /// From the intended sending to the last byte of the reply.
    pub(super) latencies: Histogram,
    /// Requests that should have been sent while recording.
    pub(super) intended: u64,
    /// Of these, not answered, or not with 200.
    pub(super) failures: u64,
}

impl OpenLoop<'_> {
    /// Runs the load to its end.
    pub(super) fn run(&self) -> anyhow::Result<Report> {
        let start = Instant::now() + Duration::from_millis(100);
        let mut report = Report { latencies: Histogram::new(), intended: 0, failures: 0 };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.cores.len())
                .map(|index| scope.spawn(move || Thread::open(self, index, start)?.run()))
                .collect();
            for thread in threads {
                let Ok(part) = thread.join() else { bail!("a thread of the load panicked") };
                let part = part?;
                report.latencies.add(&part.latencies);
                report.intended += part.intended;
                report.failures += part.failures;
            }
            Ok(report)
        })
    }
}

struct Connection {
    stream: TcpStream,
    response: Response,
    /// When its request should have been sent; `None` while it has none.
    intended: Option<Duration>,
}

/// One thread's part. Times are since the start of the load.
struct Thread<'a> {
    load: &'a OpenLoop<'a>,
    start: Instant,
    epoll: Epoll,
    connections: Vec<Connection>,
    /// Connections without a request, the longest idle first.
    free: VecDeque<usize>,
    /// Intended times of requests that wait for a connection. Bounded by the load's length.
    waiting: VecDeque<Duration>,
    next: Duration,
    interval: Duration,
    request: Vec<u8>,
    report: Report,
}

impl<'a> Thread<'a> {
    fn open(load: &'a OpenLoop<'a>, index: usize, start: Instant) -> anyhow::Result<Self> {
        machine::pin_thread(load.cores[index])?;
        let threads = load.cores.len();
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let mut connections = Vec::new();
        for number in 0..(load.connections / threads).max(1) {
            let stream = TcpStream::connect(("127.0.0.1", load.port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
            connections.push(Connection { stream, response: Response::default(), intended: None });
        }
        let interval = Duration::from_secs_f64(threads as f64 / load.rate);
        Ok(Self {
            load,
            start,
            epoll,
            free: (0..connections.len()).collect(),
            connections,
            waiting: VecDeque::new(),
            // Threads take turns.
            next: interval.mul_f64(index as f64 / threads as f64),
            interval,
            request: response::request(load.path),
            report: Report { latencies: Histogram::new(), intended: 0, failures: 0 },
        })
    }

    fn run(mut self) -> anyhow::Result<Report> {
        let end = self.load.warm_up + self.load.duration;
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        loop {
            let now = self.start.elapsed();
            while self.next <= now && self.next < end {
                self.waiting.push_back(self.next);
                self.report.intended += u64::from(self.next >= self.load.warm_up);
                self.next += self.interval;
            }
            while let (Some(intended), Some(index)) =
                (self.waiting.front().copied(), self.free.front().copied())
            {
                self.waiting.pop_front();
                self.free.pop_front();
                self.send(index, intended)?;
            }
            let is_idle = self.free.len() == self.connections.len() && self.waiting.is_empty();
            if now >= end && is_idle || now >= end + PATIENCE {
                self.report.failures += self.report.intended - self.answered();
                return Ok(self.report);
            }
            let count = self.epoll.wait(&mut events, EpollTimeout::ZERO)?;
            if count == 0 {
                std::thread::yield_now();
            }
            for event in &events[..count] {
                self.receive(event.data() as usize)?;
            }
        }
    }

    /// Requests that have an end already, good or bad.
    fn answered(&self) -> u64 {
        self.report.latencies.total() + self.report.failures
    }

    fn send(&mut self, index: usize, intended: Duration) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        // A small request always fits into the empty buffer of an idle connection.
        connection.stream.write_all(&self.request).context("cannot send a request")?;
        connection.intended = Some(intended);
        Ok(())
    }

    fn receive(&mut self, index: usize) -> anyhow::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let connection = &mut self.connections[index];
        let count = match connection.stream.read(&mut buffer) {
            Ok(0) => bail!("the server closed a connection in the middle of the load"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                return Err(error).context("a connection broke in the middle of the load");
            }
        };
        if !connection.response.feed(&buffer[..count])? {
            return Ok(());
        }
        let status = connection.response.status;
        connection.response.reset();
        let Some(intended) = connection.intended.take() else { bail!("a reply without a request") };
        self.free.push_back(index);
        if intended < self.load.warm_up {
            return Ok(());
        }
        if status == 200 {
            self.report.latencies.record(self.start.elapsed().saturating_sub(intended));
        } else {
            self.report.failures += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::OpenLoop;
    use crate::bench::machine::available;

    /// Answers each read on each connection with a reply.
    fn server(reply: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                        stream.write_all(reply).unwrap();
                    }
                });
            }
        });
        port
    }

    fn load(port: u16, cores: &[usize]) -> OpenLoop<'_> {
        OpenLoop {
            port,
            path: "/",
            rate: 1000.0,
            connections: 4,
            warm_up: Duration::from_millis(50),
            duration: Duration::from_millis(200),
            cores,
        }
    }

    #[test]
    fn as_many_requests_are_made_as_intended() {
        let port = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let report = load(port, &available().unwrap()[..1]).run().unwrap();
        assert_eq!((report.intended, report.failures), (200, 0));
        assert_eq!(report.latencies.total(), 200);
    }

    #[test]
    fn other_statuses_are_failures() {
        let port = server(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        let report = load(port, &available().unwrap()[..1]).run().unwrap();
        assert_eq!((report.intended, report.failures), (200, 200));
    }
}
