//! Counters of the data path: for each worker its own, summed when somebody asks.
//!
//! Invariants: a cell is written by one worker only, with plain loads and stores; cells of different
//! workers never share a cache line; anybody reads, and sees each number whole but not all of one
//! moment. Counters live as long as what they count is configured, over reloads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http1::{Method, Version};

use super::histogram::{Counts, Histogram, add};

/// Methods in the order of their label index.
const METHODS: [(Method, &str); 10] = [
    (Method::Get, "GET"),
    (Method::Head, "HEAD"),
    (Method::Post, "POST"),
    (Method::Put, "PUT"),
    (Method::Delete, "DELETE"),
    (Method::Connect, "CONNECT"),
    (Method::Options, "OPTIONS"),
    (Method::Trace, "TRACE"),
    (Method::Patch, "PATCH"),
    (Method::Other, "OTHER"),
];

/// What is counted: a group (service or entrypoint) and a server within it, empty for the group.
pub(crate) type Name = (Arc<str>, Arc<str>);

/// Combinations of labels that one cell tells apart; the rest is counted under status 0.
const COMBINATIONS: usize = 64;

/// Labels of a counted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestLabels {
    status: u16,
    method: u8,
    version: u8,
}

impl RequestLabels {
    /// The labels of one request.
    #[inline]
    pub(crate) fn new(method: Method, version: Version, status: u16) -> Self {
        // The order of METHODS is that of the enum.
        Self { status, method: method as u8, version: (version == Version::Http10) as u8 }
    }

    /// Lower-case protocol label, as Traefik writes it.
    pub(crate) fn protocol(self) -> &'static str {
        if self.version == 1 { "http/1.0" } else { "http/1.1" }
    }

    /// The method, `OTHER` for unregistered ones.
    pub(crate) fn method(self) -> &'static str {
        METHODS.get(usize::from(self.method)).map_or("OTHER", |(_, text)| text)
    }

    /// The status; 0 where there were too many combinations to tell.
    pub(crate) fn status(self) -> u16 {
        self.status
    }

    fn key(self) -> u32 {
        1 << 31
            | u32::from(self.version) << 24
            | u32::from(self.method) << 16
            | u32::from(self.status)
    }

    fn from_key(key: u32) -> Self {
        Self { status: key as u16, method: (key >> 16) as u8, version: (key >> 24) as u8 & 1 }
    }
}

/// Requests by labels: a small open-addressed table that only grows.
#[derive(Debug)]
pub(crate) struct RequestCounts {
    keys: [AtomicU32; COMBINATIONS],
    counts: [AtomicU64; COMBINATIONS],
    /// Requests that found no place.
    rest: AtomicU64,
}

impl Default for RequestCounts {
    fn default() -> Self {
        Self {
            keys: [const { AtomicU32::new(0) }; COMBINATIONS],
            counts: [const { AtomicU64::new(0) }; COMBINATIONS],
            rest: AtomicU64::new(0),
        }
    }
}

impl RequestCounts {
    #[inline]
    fn count(&self, labels: RequestLabels) {
        let key = labels.key();
        let start = (key.wrapping_mul(0x9e37_79b1) >> 26) as usize;
        for probe in 0..COMBINATIONS {
            let place = (start + probe) % COMBINATIONS;
            let found = self.keys[place].load(Ordering::Relaxed);
            if found == 0 {
                self.keys[place].store(key, Ordering::Release);
            } else if found != key {
                continue;
            }
            add(&self.counts[place], 1);
            return;
        }
        add(&self.rest, 1);
    }

    fn sum(&self) -> u64 {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        counts.sum::<u64>() + self.rest.load(Ordering::Relaxed)
    }

    fn add_to(&self, total: &mut BTreeMap<RequestLabels, u64>) {
        for (key, count) in self.keys.iter().zip(&self.counts) {
            let key = key.load(Ordering::Acquire);
            if key != 0 {
                let labels = RequestLabels::from_key(key);
                *total.entry(labels).or_default() += count.load(Ordering::Relaxed);
            }
        }
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            let labels = RequestLabels { status: 0, method: METHODS.len() as u8 - 1, version: 0 };
            *total.entry(labels).or_default() += rest;
        }
    }
}

/// What one worker counts for one entrypoint, service or server. Aligned to two cache lines, since
/// processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Cell {
    requests: RequestCounts,
    latency: Histogram,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    retries: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
    errors: AtomicU64,
}

impl Cell {
    /// Counts a finished request; bytes are of bodies.
    #[inline]
    pub(crate) fn request(
        &self,
        labels: RequestLabels,
        latency: Duration,
        bytes_in: u64,
        bytes_out: u64,
    ) {
        self.requests.count(labels);
        self.latency.record(latency);
        add(&self.bytes_in, bytes_in);
        add(&self.bytes_out, bytes_out);
        if labels.status >= 500 {
            add(&self.errors, 1);
        }
    }

    /// Counts an attempt that was repeated elsewhere.
    pub(crate) fn retry(&self) {
        add(&self.retries, 1);
    }

    /// Counts a connection opened.
    pub(crate) fn open(&self) {
        add(&self.opened, 1);
    }

    /// Counts a connection closed.
    pub(crate) fn close(&self) {
        add(&self.closed, 1);
    }
}

/// The sum of a group of cells at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Requests by labels.
    pub(crate) requests: BTreeMap<RequestLabels, u64>,
    /// Durations, from the first byte of a request to the last of its response.
    pub(crate) latency: Counts,
    /// Bytes of request bodies.
    pub(crate) bytes_in: u64,
    /// Bytes of response bodies.
    pub(crate) bytes_out: u64,
    /// Attempts repeated elsewhere.
    pub(crate) retries: u64,
    /// Connections opened since the start.
    pub(crate) opened: u64,
    /// Connections open now.
    pub(crate) open: u64,
    /// Responses with status 500 and above.
    pub(crate) errors: u64,
}

/// The cells of one thing that is counted, one for each worker.
#[derive(Debug)]
pub(crate) struct Cells {
    /// What is counted: service and server, service, or entrypoint.
    pub(crate) name: Name,
    by_worker: Box<[Cell]>,
}

impl Cells {
    /// The cell of one worker.
    #[inline]
    pub(crate) fn of(&self, worker: usize) -> &Cell {
        &self.by_worker[worker]
    }

    /// From now on counts requests that take up to `latency` apart.
    pub(crate) fn promise(&self, latency: Option<Duration>) {
        self.by_worker.iter().for_each(|cell| cell.latency.promise(latency));
    }

    /// The sum over workers.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.add_to(&mut totals);
        totals
    }

    /// Adds the sum over workers.
    pub(crate) fn add_to(&self, totals: &mut Totals) {
        for cell in &self.by_worker {
            cell.requests.add_to(&mut totals.requests);
            cell.latency.add_to(&mut totals.latency);
            totals.bytes_in += cell.bytes_in.load(Ordering::Relaxed);
            totals.bytes_out += cell.bytes_out.load(Ordering::Relaxed);
            totals.retries += cell.retries.load(Ordering::Relaxed);
            totals.errors += cell.errors.load(Ordering::Relaxed);
            // Closed first: a connection that closes meanwhile must not be counted twice.
            let closed = cell.closed.load(Ordering::Acquire);
            let opened = cell.opened.load(Ordering::Acquire);
            totals.opened += opened;
            totals.open += opened.saturating_sub(closed);
        }
    }

    /// Requests over all workers.
    pub(crate) fn requests(&self) -> u64 {
        self.by_worker.iter().map(|cell| cell.requests.sum()).sum()
    }
}

/// All cells of one kind, by name.
#[derive(Debug)]
pub(crate) struct Registry {
    workers: usize,
    /// Locked to add and to read, never for a request.
    cells: Mutex<BTreeMap<Name, Arc<Cells>>>,
}

impl Registry {
    /// No cells, for so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, cells: Mutex::default() }
    }

    /// The cells of a thing, made at first use.
    pub(crate) fn cells(&self, group: &Arc<str>, name: &Arc<str>) -> Arc<Cells> {
        let key = (Arc::clone(group), Arc::clone(name));
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let made = cells.entry(key).or_insert_with_key(|key| {
            let by_worker = (0..self.workers).map(|_| Cell::default()).collect();
            Arc::new(Cells { name: key.clone(), by_worker })
        });
        Arc::clone(made)
    }

    /// Everything that is counted now, in order.
    pub(crate) fn all(&self) -> Vec<Arc<Cells>> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.values().map(Arc::clone).collect()
    }

    /// Forgets what is not wanted any more and that no worker holds.
    pub(crate) fn retain(&self, wanted: impl Fn(&str, &str) -> bool) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.retain(|(group, name), cells| Arc::strong_count(cells) > 1 || wanted(group, name));
    }
}

/// Requests that were refused without a server, by reason. Refusals are rare enough for a lock.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<BTreeMap<&'static str, u64>>);

impl Rejections {
    /// Counts one.
    pub(crate) fn count(&self, reason: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// The counts by reason.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums_over_workers() {
        let registry = Registry::new(2);
        let cells = registry.cells(&Arc::from("web"), &Arc::from("web-1"));
        let labels = RequestLabels::new(Method::Get, Version::Http11, 200);
        let failed = RequestLabels::new(Method::Post, Version::Http10, 503);
        cells.of(0).request(labels, Duration::from_millis(1), 1, 10);
        cells.of(1).request(labels, Duration::from_millis(2), 2, 20);
        cells.of(1).request(failed, Duration::from_millis(3), 3, 30);
        cells.of(0).open();
        cells.of(1).open();
        cells.of(1).close();
        let totals = cells.totals();
        assert_eq!(totals.requests, BTreeMap::from([(labels, 2), (failed, 1)]));
        assert_eq!(
            (failed.method(), failed.protocol(), failed.status()),
            ("POST", "http/1.0", 503)
        );
        assert_eq!((totals.bytes_in, totals.bytes_out, totals.open, totals.errors), (6, 60, 1, 1));
        assert_eq!((cells.requests(), totals.latency.count()), (3, 3));
        assert_eq!(totals.latency.sum(), Duration::from_millis(6));
    }

    #[test]
    fn no_request_is_lost_when_combinations_run_out() {
        let registry = Registry::new(1);
        let cells = registry.cells(&Arc::from("web"), &Arc::from(""));
        for status in 100..400 {
            let labels = RequestLabels::new(Method::Get, Version::Http11, status);
            cells.of(0).request(labels, Duration::ZERO, 0, 0);
        }
        let totals = cells.totals();
        assert_eq!((cells.requests(), totals.requests.values().sum::<u64>()), (300, 300));
        assert!(totals.requests.len() <= COMBINATIONS + 1);
    }

    #[test]
    fn methods_are_in_the_order_of_their_numbers() {
        for (index, (method, text)) in METHODS.iter().enumerate() {
            assert_eq!(*method as usize, index);
            assert_eq!(RequestLabels::new(*method, Version::Http11, 200).method(), *text);
        }
    }

    #[test]
    fn cells_are_kept_while_wanted_or_held() {
        let registry = Registry::new(1);
        let held = registry.cells(&Arc::from("web"), &Arc::from("web-1"));
        registry.cells(&Arc::from("web"), &Arc::from("web-2"));
        registry.cells(&Arc::from("web"), &Arc::from("web-3"));
        registry.retain(|_, server| server == "web-2");
        assert_eq!(registry.all().len(), 2);
        drop(held);
        registry.retain(|_, _| false);
        assert!(registry.all().is_empty());
    }
}
