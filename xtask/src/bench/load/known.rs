//! The truth beside what is reported: a server that knows how long each of its answers takes,
//! because it decided it, stalls included.
//!
//! *Independent*: each request has its latency from a list; now and then nobody is answered for a
//! while. The truth is the time from reading a request to when its answer was due, and is compared
//! with the service time that is reported.
//!
//! *Queue*: one request after the other, each taking its time from a list that holds a stall now and
//! then, while the tester is asked for a constant rate. The truth is the time from when a request
//! should have been sent, counted from the start of the run, to when its answer was due, and is
//! compared with the response time: a tester that forgets who had to wait during a stall reports far
//! less.
//!
//! Latencies are tens of milliseconds, so that what the network and the timers add is below what
//! is allowed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use serde::Serialize;

use super::Place;
use super::testers::{Latency, Plimsoll, Tester};

/// A stall of the independent server begins every so often…
const STALL_INTERVAL: Duration = Duration::from_secs(1);
/// …and lasts this long.
const STALL: Duration = Duration::from_millis(200);
/// Users of the independent server.
const USERS: &str = "32";
/// Requests a second to the queue.
const QUEUE_RATE: u32 = 8;
/// What each of so many requests to the queue stalls it for.
const QUEUE_STALL_EVERY: usize = 40;
const QUEUE_STALL: Duration = Duration::from_millis(500);

/// Reported beside the truth.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) title: &'static str,
    pub(super) command: String,
    pub(super) requests: usize,
    pub(super) percentiles: Vec<Percentile>,
}

/// One percentile, seconds.
#[derive(Serialize)]
pub(super) struct Percentile {
    pub(super) name: &'static str,
    pub(super) truth: f64,
    pub(super) reported: f64,
}

impl Percentile {
    /// How far off it is, as a share of the truth.
    pub(super) fn error(&self) -> f64 {
        (self.reported / self.truth - 1.0).abs()
    }
}

/// How answers come to take the time that they take.
#[derive(Clone, Copy)]
enum Kind {
    Independent,
    Queue,
}

/// What the server decided. Written by the threads of its connections.
struct Schedule {
    kind: Kind,
    /// When each request came, and when it was answered.
    answers: Vec<(Instant, Instant)>,
}

impl Schedule {
    /// When a request that comes now is to be answered.
    fn answer_at(&mut self, now: Instant) -> Instant {
        let start = self.answers.first().map_or(now, |(came, _)| *came);
        let number = self.answers.len();
        // All latencies of the list occur equally often, in an order without a pattern.
        let part = (number * 37 % 101) as u32;
        let due = match self.kind {
            Kind::Independent => {
                let due = now + Duration::from_millis(20) + Duration::from_micros(800) * part;
                after_stall(start, due)
            }
            Kind::Queue => {
                let free = self.answers.last().map_or(now, |(_, answered)| *answered);
                let takes = if number % QUEUE_STALL_EVERY == QUEUE_STALL_EVERY - 1 {
                    QUEUE_STALL
                } else {
                    Duration::from_millis(60) + Duration::from_micros(400) * part
                };
                free.max(now) + takes
            }
        };
        self.answers.push((now, due));
        due
    }

    /// The true latencies of a run that started then.
    fn latencies(&self, started_at: SystemTime) -> Vec<Duration> {
        let (now, time) = (Instant::now(), SystemTime::now());
        let since_start = |at: Instant| {
            // One of the two is nothing.
            let time = time + at.saturating_duration_since(now) - now.saturating_duration_since(at);
            time.duration_since(started_at).unwrap_or_default()
        };
        let answers = self.answers.iter().enumerate();
        let latency = |(number, &(came, answered)): (usize, &(Instant, Instant))| match self.kind {
            Kind::Independent => answered - came,
            // Requests are in the middle of their share of the time.
            Kind::Queue => {
                let intended =
                    Duration::from_secs_f64((number as f64 + 0.5) / f64::from(QUEUE_RATE));
                since_start(answered).saturating_sub(intended)
            }
        };
        answers.map(latency).collect()
    }
}

/// The end of the stall that a time lies in, or the time itself.
fn after_stall(start: Instant, at: Instant) -> Instant {
    let since = at - start;
    let into = Duration::from_nanos((since.as_nanos() % STALL_INTERVAL.as_nanos()) as u64);
    let begins = STALL_INTERVAL - STALL;
    if into < begins { at } else { at + (STALL_INTERVAL - into) }
}

/// Compares what is reported with both kinds of truth.
pub(super) fn compare(place: &Place, quick: bool) -> anyhow::Result<Vec<Comparison>> {
    let seconds = |long: u64| Duration::from_secs(if quick { 3 } else { long });
    let independent = one(
        place,
        "Closed model: 32 users, latencies of 20 to 100 ms, a stall of 200 ms every second",
        Kind::Independent,
        &["--connections", USERS, "--threads", "1"],
        seconds(20),
    )?;
    let rate = QUEUE_RATE.to_string();
    let queue = one(
        place,
        "Open model: 8 a second over one connection, 60 to 100 ms each, every 40th 500 ms",
        Kind::Queue,
        &["--rate", &rate, "--connections", "1", "--threads", "1"],
        seconds(50),
    )?;
    Ok(vec![independent, queue])
}

fn one(
    place: &Place,
    title: &'static str,
    kind: Kind,
    arguments: &[&str],
    duration: Duration,
) -> anyhow::Result<Comparison> {
    eprintln!("{title}");
    let schedule = Arc::new(Mutex::new(Schedule { kind, answers: Vec::new() }));
    let port = serve(Arc::clone(&schedule))?;
    let tester = Plimsoll::new(format!("http://127.0.0.1:{port}/"), arguments, duration);
    let sample = tester.measure(place)?;
    let started_at = sample.started_at.context("the result tells no start")?;
    let mut latencies = lock(&schedule).latencies(started_at);
    latencies.sort();
    ensure!(
        latencies.len() as u64 == sample.requests && sample.failures == 0,
        "{} requests came, {} are reported, {} of them failed",
        latencies.len(),
        sample.requests,
        sample.failures
    );
    let reported = match kind {
        Kind::Independent => sample.service_time,
        Kind::Queue => sample.latency,
    };
    let reported = reported.context("no latency is reported")?;
    let percentile = |name, share: f64, of: fn(&Latency) -> f64| {
        let rank = (share * latencies.len() as f64).ceil().max(1.0) as usize;
        let truth = latencies[rank.min(latencies.len()) - 1].as_secs_f64();
        Percentile { name, truth, reported: of(&reported) }
    };
    Ok(Comparison {
        title,
        command: tester.command_line(place),
        requests: latencies.len(),
        percentiles: vec![
            percentile("p50", 0.5, |latency| latency.p50),
            percentile("p90", 0.9, |latency| latency.p90),
            percentile("p99", 0.99, |latency| latency.p99),
            percentile("max", 1.0, |latency| latency.max),
        ],
    })
}

/// Serves each connection on a thread of its own until its other side goes; the port.
fn serve(schedule: Arc<Mutex<Schedule>>) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let schedule = Arc::clone(&schedule);
            // An error is the other side's leaving.
            thread::spawn(move || drop(answer(stream, &schedule)));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream, schedule: &Mutex<Schedule>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // Without it sleeps take 50 µs more.
    let _ = nix::sys::prctl::set_timerslack(1);
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..count]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let due = lock(schedule).answer_at(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    }
}

fn lock(schedule: &Mutex<Schedule>) -> std::sync::MutexGuard<'_, Schedule> {
    schedule.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_answered_within_a_stall() {
        let start = Instant::now();
        let millis = Duration::from_millis;
        for (at, answered) in
            [(0, 0), (799, 799), (800, 1000), (999, 1000), (1000, 1000), (2900, 3000)]
        {
            assert_eq!(after_stall(start, start + millis(at)), start + millis(answered));
        }
    }

    #[test]
    fn who_comes_to_a_queue_late_waited_since_it_should_have_come() {
        let mut schedule = Schedule { kind: Kind::Queue, answers: Vec::new() };
        let (started_at, start) = (SystemTime::now(), Instant::now());
        let each = Duration::from_secs(1) / QUEUE_RATE;
        // All come a second late.
        let late = Duration::from_secs(1);
        for number in 0..QUEUE_STALL_EVERY as u32 {
            schedule.answer_at(start + late + each / 2 + each * number);
        }
        let latencies = schedule.latencies(started_at);
        let is_near = |a: Duration, b: Duration| a.abs_diff(b) < Duration::from_millis(20);
        assert!(is_near(latencies[0], late + Duration::from_millis(60)), "{latencies:?}");
        let stalled = latencies[QUEUE_STALL_EVERY - 1];
        assert!(is_near(stalled, late + QUEUE_STALL), "{latencies:?}");
    }
}
