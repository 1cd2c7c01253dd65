//! The last minute of one set of counters, and what it says.
//!
//! Samples are of running totals, one a second, so any window is the difference of two. Pure: the
//! time of a sample is an argument. Bounded: [`SAMPLES`] samples, of latencies every tenth beyond the
//! last ten seconds, and one set of them for all samples between which nothing happened.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::edge::cells::Totals;
use crate::edge::histogram::{self, FINE_BUCKETS};

/// Samples kept: a minute and the one before it.
const SAMPLES: usize = 61;
/// Samples from the latest on that keep their latencies each.
const DENSE: usize = 11;

/// Traffic over a window of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rates {
    /// The length of the window; shorter than asked for after a start. Zero if nothing is known.
    pub(crate) window: Duration,
    /// Requests a second.
    pub(crate) requests_per_second: f64,
    /// Share of them that were answered with 500 and above, 0.0 to 1.0.
    pub(crate) error_share: f64,
    /// Half of them took at most this; `None` without requests.
    pub(crate) p50: Option<Duration>,
    /// Nine in ten.
    pub(crate) p90: Option<Duration>,
    /// 99 in a hundred.
    pub(crate) p99: Option<Duration>,
}

#[derive(Debug)]
struct Sample {
    at: Instant,
    requests: u64,
    errors: u64,
    /// Shared by samples between which there was no request.
    latencies: Option<Arc<[u64; FINE_BUCKETS]>>,
}

/// Samples, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    samples: VecDeque<Sample>,
    pushed: usize,
}

impl History {
    /// The requests of the latest sample.
    pub(crate) fn requests(&self) -> Option<u64> {
        self.samples.back().map(|latest| latest.requests)
    }

    /// Adds the totals at a time; times rise.
    pub(crate) fn push(&mut self, now: Instant, totals: &Totals) {
        self.add(Sample {
            at: now,
            requests: totals.requests.values().sum(),
            errors: totals.errors,
            latencies: Some(Arc::new(*totals.latency.fine())),
        });
    }

    /// Adds the totals of the latest sample again: there was no request since.
    pub(crate) fn repeat(&mut self, now: Instant) {
        if let Some(Sample { requests, errors, latencies, .. }) = self.samples.back() {
            let (requests, errors, latencies) = (*requests, *errors, latencies.clone());
            self.add(Sample { at: now, requests, errors, latencies });
        }
    }

    fn add(&mut self, sample: Sample) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        // One in ten keeps its latencies for the minute's quantiles.
        if let Some(place) = self.samples.len().checked_sub(DENSE)
            && !(self.pushed - DENSE).is_multiple_of(10)
        {
            self.samples[place].latencies = None;
        }
        self.pushed += 1;
        self.samples.push_back(sample);
    }

    /// Requests of about the last `seconds` samples.
    pub(crate) fn requests_within(&self, seconds: usize) -> u64 {
        let Some(latest) = self.samples.back() else { return 0 };
        let oldest = self.samples.len().saturating_sub(seconds + 1);
        latest.requests.saturating_sub(self.samples[oldest].requests)
    }

    /// What happened over the last `seconds` samples, or as many as there are.
    pub(crate) fn rates(&self, seconds: usize) -> Rates {
        let Some(latest) = self.samples.back() else { return Rates::default() };
        let oldest = self.samples.len().saturating_sub(seconds + 1);
        let first = &self.samples[oldest];
        let window = latest.at.saturating_duration_since(first.at);
        if window.is_zero() {
            return Rates::default();
        }
        let requests = latest.requests.saturating_sub(first.requests);
        let errors = latest.errors.saturating_sub(first.errors);
        // The oldest of the window that has latencies; at most nine seconds younger.
        let mut latencies = [0; FINE_BUCKETS];
        let base = self.samples.range(oldest..).find_map(|sample| sample.latencies.as_ref());
        if let (Some(base), Some(last)) = (base, &latest.latencies) {
            for (place, count) in latencies.iter_mut().enumerate() {
                *count = last[place].saturating_sub(base[place]);
            }
        }
        Rates {
            window,
            requests_per_second: requests as f64 / window.as_secs_f64(),
            error_share: if requests == 0 { 0.0 } else { errors as f64 / requests as f64 },
            p50: histogram::quantile(&latencies, 0.5),
            p90: histogram::quantile(&latencies, 0.9),
            p99: histogram::quantile(&latencies, 0.99),
        }
    }
}

#[cfg(test)]
mod tests {
    use http1::{Method, Version};

    use super::*;
    use crate::edge::cells::{Registry, RequestLabels};

    #[test]
    fn rates_are_those_of_their_window() {
        let registry = Registry::new(1);
        let cells = registry.cells(&Arc::from("web"), &Arc::from(""));
        let start = Instant::now();
        let mut history = History::default();
        assert_eq!(history.rates(10), Rates::default());
        for second in 0..120 {
            history.push(start + Duration::from_secs(second), &cells.totals());
            // Five a second, in the second minute ten, one in five of these an error and slow.
            for number in 0..if second < 60 { 5 } else { 10 } {
                let slow = second >= 60 && number % 5 == 0;
                let status = if slow { 503 } else { 200 };
                let labels = RequestLabels::new(Method::Get, Version::Http11, status);
                let latency = Duration::from_millis(if slow { 1_000 } else { 1 });
                cells.of(0).request(labels, latency, 0, 0);
            }
        }
        let rates = history.rates(10);
        assert_eq!(rates.window, Duration::from_secs(10));
        assert_eq!(rates.requests_per_second, 10.0);
        assert_eq!(rates.error_share, 0.2);
        assert!(rates.p50.unwrap() < Duration::from_millis(2));
        assert!(rates.p90.unwrap() >= Duration::from_millis(1_000));
        let minute = history.rates(60);
        assert_eq!(minute.window, Duration::from_secs(60));
        assert!(minute.requests_per_second > 9.9);
        assert!(minute.p99.unwrap() >= Duration::from_millis(1_000));
        assert_eq!(history.requests_within(10), 100);
        assert!(history.samples.len() <= SAMPLES);
        let kept = history.samples.iter().filter(|sample| sample.latencies.is_some()).count();
        assert!(kept <= DENSE + 6, "{kept} samples keep their latencies");
    }

    #[test]
    fn a_quiet_time_takes_no_room_and_counts_as_one() {
        let registry = Registry::new(1);
        let cells = registry.cells(&Arc::from("web"), &Arc::from(""));
        let start = Instant::now();
        let mut history = History::default();
        history.push(start, &cells.totals());
        let labels = RequestLabels::new(Method::Get, Version::Http11, 200);
        cells.of(0).request(labels, Duration::from_millis(1), 0, 0);
        assert_ne!(history.requests(), Some(cells.requests()));
        for second in 1..=20 {
            match second {
                1 => history.push(start + Duration::from_secs(second), &cells.totals()),
                _ => history.repeat(start + Duration::from_secs(second)),
            }
        }
        assert_eq!(history.requests(), Some(cells.requests()));
        assert_eq!(history.rates(10).requests_per_second, 0.0);
        assert_eq!(history.rates(20).requests_per_second, 0.05);
        assert!(history.rates(20).p50.is_some() && history.rates(10).p50.is_none());
        let mut kept: Vec<_> =
            history.samples.iter().filter_map(|sample| sample.latencies.as_ref()).collect();
        kept.dedup_by_key(|latencies| Arc::as_ptr(latencies));
        assert_eq!(kept.len(), 2);
    }
}
