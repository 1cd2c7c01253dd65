//! What one thread counts: cheap to write a hundred thousand times a second, read when it is over.
//!
//! A request costs two histogram entries: one of its second and one of its label. Sums over labels
//! are taken at the end. Service and response time and that of the first byte, which are one and the
//! same for most requests of the closed model with a small answer, are counted once then.
//!
//! Invariants: one thread writes; a request counts in the second in which it ended. A second is told
//! once, and not at all if the reader is [`SECONDS_WAITING_MAX`] behind (no sum depends on it).
//! Memory depends on labels, instances and sizes of latencies, not on the number of requests.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use super::dense::Dense;
use crate::load::results::{CheckCount, Connections, INSTANCES_MAX, OTHER_INSTANCES};
use crate::load::tally::{Failure, Latencies, Sample, Tally};
use crate::load::timeline::Bucket;

/// Most seconds of all threads that wait for the reader.
pub(super) const SECONDS_WAITING_MAX: usize = 256;
/// Longest name of an instance; longer ones are cut.
const INSTANCE_BYTES_MAX: usize = 128;
/// Longest example of a failure, in characters; longer ones are cut.
const EXAMPLE_MAX: usize = 2000;
/// Most checks that are told apart by name; a plan has no more.
const CHECKS_MAX: usize = 10_000;

/// An instance, by its place in the recorder.
pub(super) type Instance = u16;

/// What a thread tells the reader.
#[derive(Debug)]
pub(super) struct Told {
    /// Which thread, from 0.
    pub(super) thread: usize,
    /// A second that is over; `None` once it tells no more.
    pub(super) second: Option<Second>,
}

/// What happened on one thread in one second.
#[derive(Debug)]
pub(super) struct Second {
    /// Since the start.
    pub(super) number: u64,
    /// Its figures.
    pub(super) bucket: Bucket,
    /// Failures by kind.
    pub(super) failures: [u64; Failure::ALL.len()],
    /// Scheduling lag.
    pub(super) lag: Latencies,
}

/// What is there at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Levels {
    /// Iterations under way.
    pub(super) in_flight: u64,
    /// Users that are there.
    pub(super) users: u64,
}

/// Counts of requests.
#[derive(Debug, Default)]
struct Figures {
    requests: u64,
    failures: [u64; Failure::ALL.len()],
    /// A few at most.
    statuses: Vec<(u16, u64)>,
    bytes_sent: u64,
    bytes_received: u64,
    /// Of requests whose three times are the same.
    alike: Dense,
    response_time: Dense,
    service_time: Dense,
    first_byte: Dense,
}

impl Figures {
    #[inline]
    fn record(&mut self, sample: &Sample) {
        self.requests += 1;
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        if let Some(failure) = sample.failure {
            self.failures[failure as usize] += 1;
        }
        if let Some(status) = sample.status {
            match self.statuses.iter_mut().find(|entry| entry.0 == status) {
                Some(entry) => entry.1 += 1,
                None => self.statuses.push((status, 1)),
            }
        }
        if !has_time(sample) {
            return;
        }
        if sample.first_byte == Some(sample.service_time)
            && sample.response_time == sample.service_time
        {
            self.alike.record(sample.service_time);
            return;
        }
        self.response_time.record(sample.response_time);
        self.service_time.record(sample.service_time);
        if let Some(first_byte) = sample.first_byte {
            self.first_byte.record(first_byte);
        }
    }

    fn tally(&mut self) -> Tally {
        let alike = self.alike.take();
        let with_alike = |dense: &mut Dense| {
            let mut latencies = dense.take();
            latencies.absorb(&alike);
            latencies
        };
        Tally {
            requests: self.requests,
            failures: by_kind(&self.failures),
            statuses: self.statuses.drain(..).collect(),
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            response_time: with_alike(&mut self.response_time),
            service_time: with_alike(&mut self.service_time),
            first_byte: with_alike(&mut self.first_byte),
        }
    }
}

/// Those that occurred.
pub(super) fn by_kind(counts: &[u64]) -> BTreeMap<Failure, u64> {
    let all = Failure::ALL.into_iter().zip(counts.iter().copied());
    all.filter(|entry| entry.1 > 0).collect()
}

/// Whether a request has a latency: it was answered, or not in time.
fn has_time(sample: &Sample) -> bool {
    sample.status.is_some() || sample.failure == Some(Failure::Timeout)
}

/// A text of which a server may have made a part, for terminals: nothing in it controls them.
fn shown(text: &str, most: usize) -> String {
    let letter =
        |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    text.chars().take(most).map(letter).collect()
}

/// What a thread counts.
#[derive(Debug)]
pub(super) struct Recorder {
    start: Instant,
    thread: usize,
    seconds: SyncSender<Told>,
    second: Current,
    labels: Vec<Figures>,
    instances: Vec<(String, Figures)>,
    instance_places: HashMap<Box<[u8]>, Instance>,
    unnamed: u64,
    checks: HashMap<String, CheckCount>,
    examples: BTreeMap<String, String>,
    connections: Connections,
    connect_time: Dense,
    tls_time: Dense,
    lag: Dense,
    due: u64,
    waited: u64,
    last_end: Option<Instant>,
}

/// The second that is going on.
#[derive(Debug)]
struct Current {
    number: u64,
    ends: Instant,
    requests: u64,
    errors: u64,
    due: u64,
    bytes_received: u64,
    failures: [u64; Failure::ALL.len()],
    response_time: Dense,
    lag: Dense,
    /// By instance.
    instances: Vec<u64>,
}

/// Everything that a thread counted.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) labels: Vec<Tally>,
    pub(super) instances: BTreeMap<String, Tally>,
    pub(super) unnamed: u64,
    pub(super) checks: HashMap<String, CheckCount>,
    pub(super) examples: BTreeMap<String, String>,
    pub(super) connections: Connections,
    pub(super) lag: Latencies,
    pub(super) due: u64,
    pub(super) waited: u64,
    pub(super) last_end: Option<Instant>,
}

impl Recorder {
    /// For a plan with so many labels, that starts then.
    pub(super) fn new(
        start: Instant,
        labels: usize,
        thread: usize,
        seconds: SyncSender<Told>,
    ) -> Self {
        Self {
            start,
            thread,
            seconds,
            second: Current {
                number: 0,
                ends: start + Duration::from_secs(1),
                requests: 0,
                errors: 0,
                due: 0,
                bytes_received: 0,
                failures: Default::default(),
                response_time: Dense::default(),
                lag: Dense::default(),
                instances: Vec::new(),
            },
            labels: (0..labels).map(|_| Figures::default()).collect(),
            instances: Vec::new(),
            instance_places: HashMap::new(),
            unnamed: 0,
            checks: HashMap::new(),
            examples: BTreeMap::new(),
            connections: Connections::default(),
            connect_time: Dense::default(),
            tls_time: Dense::default(),
            lag: Dense::default(),
            due: 0,
            waited: 0,
            last_end: None,
        }
    }

    /// Counts a request that ended at `ended`, which must not be earlier than that of the call
    /// before.
    #[inline]
    pub(super) fn request(
        &mut self,
        label: usize,
        sample: &Sample,
        instance: Option<Instance>,
        ended: Instant,
    ) {
        self.last_end = Some(ended);
        let second = &mut self.second;
        second.requests += 1;
        second.bytes_received += sample.bytes_received;
        if let Some(failure) = sample.failure {
            second.errors += 1;
            second.failures[failure as usize] += 1;
        }
        if has_time(sample) {
            second.response_time.record(sample.response_time);
        }
        self.labels[label].record(sample);
        match instance {
            Some(instance) => {
                let place = usize::from(instance);
                self.instances[place].1.record(sample);
                if second.instances.len() <= place {
                    second.instances.resize(place + 1, 0);
                }
                second.instances[place] += 1;
            }
            None if sample.status.is_some() => self.unnamed += 1,
            None => {}
        }
    }

    /// Counts a transaction: no request of the total.
    pub(super) fn transaction(&mut self, label: usize, took: Duration, failure: Option<Failure>) {
        let figures = &mut self.labels[label];
        figures.requests += 1;
        if let Some(failure) = failure {
            figures.failures[failure as usize] += 1;
        }
        figures.alike.record(took);
    }

    /// The place of an instance by the name that an answer gave.
    #[inline]
    pub(super) fn instance(&mut self, name: &[u8]) -> Instance {
        match self.instance_places.get(name) {
            Some(place) => *place,
            None => self.new_instance(name),
        }
    }

    #[cold]
    fn new_instance(&mut self, name: &[u8]) -> Instance {
        let name = &name[..name.len().min(INSTANCE_BYTES_MAX)];
        if let Some(place) = self.instance_places.get(name) {
            return *place;
        }
        let text = shown(&String::from_utf8_lossy(name), INSTANCE_BYTES_MAX);
        // Other bytes may be shown as the same text.
        let place = match self.place_of(&text) {
            Some(place) => place,
            None if self.instances.len() < INSTANCES_MAX => self.push_instance(text),
            None => self
                .place_of(OTHER_INSTANCES)
                .unwrap_or_else(|| self.push_instance(OTHER_INSTANCES.to_owned())),
        };
        if self.instance_places.len() < INSTANCES_MAX {
            self.instance_places.insert(name.into(), place);
        }
        place
    }

    fn place_of(&self, name: &str) -> Option<Instance> {
        let place = self.instances.iter().position(|instance| instance.0 == name);
        place.map(|place| place as Instance)
    }

    /// There are [`INSTANCES_MAX`] and one at most.
    fn push_instance(&mut self, name: String) -> Instance {
        self.instances.push((name, Figures::default()));
        (self.instances.len() - 1) as Instance
    }

    /// Counts a check.
    pub(super) fn check(&mut self, name: &str, passed: bool) {
        if !self.checks.contains_key(name) {
            if self.checks.len() >= CHECKS_MAX {
                return;
            }
            self.checks.insert(name.to_owned(), CheckCount::default());
        }
        if let Some(count) = self.checks.get_mut(name) {
            count.passed += u64::from(passed);
            count.failed += u64::from(!passed);
        }
    }

    /// Keeps an example of a kind of failure, if it has none.
    pub(super) fn example(&mut self, failure: Failure, words: impl FnOnce() -> String) {
        if !self.examples.contains_key(failure.name()) {
            self.examples.insert(failure.name().to_owned(), shown(&words(), EXAMPLE_MAX));
        }
    }

    /// Counts an iteration that is due, and how late it was come to.
    #[inline]
    pub(super) fn due(&mut self, lag: Duration, waits: bool) {
        self.due += 1;
        self.second.due += 1;
        self.waited += u64::from(waits);
        self.lag.record(lag);
        self.second.lag.record(lag);
    }

    /// Counts a connection.
    pub(super) fn connected(&mut self, connect_time: Duration, tls_time: Option<Duration>) {
        self.connections.opened += 1;
        self.connect_time.record(connect_time);
        if let Some(tls_time) = tls_time {
            self.tls_time.record(tls_time);
        }
    }

    /// Counts a connection that could not be made.
    pub(super) fn not_connected(&mut self) {
        self.connections.failed += 1;
    }

    /// Whether the second that goes on is over: [`Recorder::turn`] then, before counting.
    #[inline]
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.second.ends
    }

    /// Tells what happened in the seconds that are over.
    #[cold]
    pub(super) fn turn(&mut self, now: Instant, levels: Levels) {
        while self.is_over(now) {
            self.tell(levels);
            self.second.number += 1;
            self.second.ends = self.start + Duration::from_secs(self.second.number + 1);
        }
    }

    fn tell(&mut self, levels: Levels) {
        let second = &mut self.second;
        let names = self.instances.iter().map(|instance| &instance.0);
        let instances = names.zip(&second.instances).filter(|entry| *entry.1 > 0);
        let message = Second {
            number: second.number,
            bucket: Bucket {
                requests: second.requests,
                errors: second.errors,
                due: second.due,
                bytes_received: second.bytes_received,
                in_flight: levels.in_flight,
                users: levels.users,
                response_time: second.response_time.take(),
                instances: instances.map(|(name, count)| (name.clone(), *count)).collect(),
            },
            failures: second.failures,
            lag: second.lag.take(),
        };
        second.requests = 0;
        second.errors = 0;
        second.due = 0;
        second.bytes_received = 0;
        second.failures.fill(0);
        second.instances.clear();
        match self.seconds.try_send(Told { thread: self.thread, second: Some(message) }) {
            // Without a reader nobody wants to know.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            // The reader is stuck in what it does with seconds; waiting for it would hold up the
            // load. Only its view by time loses this second, no sum does.
            Err(TrySendError::Full(_)) => {}
        }
    }

    /// Ends counting: all that was counted.
    pub(super) fn finish(&mut self, now: Instant, levels: Levels) -> Record {
        self.turn(now, levels);
        if self.second.requests > 0 || self.second.due > 0 {
            self.tell(levels);
        }
        // Waits for the reader if need be: the load is over. Without a reader nobody wants to know.
        let _ = self.seconds.send(Told { thread: self.thread, second: None });
        let mut connections = mem::take(&mut self.connections);
        connections.connect_time = self.connect_time.take();
        connections.tls_time = self.tls_time.take();
        let instances = self.instances.iter_mut();
        Record {
            labels: self.labels.iter_mut().map(Figures::tally).collect(),
            instances: instances.map(|(name, figures)| (name.clone(), figures.tally())).collect(),
            unnamed: self.unnamed,
            checks: mem::take(&mut self.checks),
            examples: mem::take(&mut self.examples),
            connections,
            lag: self.lag.take(),
            due: self.due,
            waited: self.waited,
            last_end: self.last_end,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn sample(status: u16) -> Sample {
        let time = Duration::from_millis(1);
        Sample {
            response_time: time,
            service_time: time,
            first_byte: Some(time),
            status: Some(status),
            failure: None,
            bytes_sent: 1,
            bytes_received: 1,
        }
    }

    #[test]
    fn names_that_look_alike_count_together_and_control_nothing() {
        let start = Instant::now();
        let (seconds, told) = mpsc::sync_channel(8);
        let mut recorder = Recorder::new(start, 1, 0, seconds);
        let long = "a".repeat(INSTANCE_BYTES_MAX);
        let longer = format!("{long}b");
        // What further ones are called, too.
        let names: [&[u8]; 7] = [
            b"\xff",
            b"\xfe",
            b"\x1b[2J",
            b"\x07[2J",
            longer.as_bytes(),
            long.as_bytes(),
            OTHER_INSTANCES.as_bytes(),
        ];
        for name in names {
            let instance = recorder.instance(name);
            recorder.request(0, &sample(200), Some(instance), start);
        }
        for number in 0..2 * INSTANCES_MAX {
            let instance = recorder.instance(format!("i{number}").as_bytes());
            recorder.request(0, &sample(200), Some(instance), start);
        }
        recorder.example(Failure::Closed, || "\x1b[2J".repeat(EXAMPLE_MAX));
        let record = recorder.finish(start, Levels::default());
        let of = |name: &str| record.instances[name].requests;
        assert_eq!((of("\u{fffd}"), of("\u{fffd}[2J"), of(&long)), (2, 2, 2));
        assert!(record.instances.len() <= INSTANCES_MAX + 1);
        let all = names.len() as u64 + 2 * INSTANCES_MAX as u64;
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.sum::<u64>();
        assert_eq!(sum(&mut record.instances.values().map(|tally| tally.requests)), all);
        let second = told.try_iter().find_map(|told| told.second).unwrap();
        assert_eq!(sum(&mut second.bucket.instances.values().copied()), all);
        let example = &record.examples["closed"];
        assert_eq!(example.chars().count(), EXAMPLE_MAX);
        assert!(!example.contains('\x1b'));
    }
}
