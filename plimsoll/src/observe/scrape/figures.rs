//! How scraping itself goes, by job.

use std::collections::BTreeMap;
use std::time::Duration;

use tsdb::exposition::{Exposition, Kind};
use tsdb::store::Refused;

use super::failure::Failure;
use super::target::Outcome;

/// Counters of all jobs. Jobs are those of the configuration, so they are few; the counters of one
/// that is gone stay, because counters do not fall.
#[derive(Debug, Default)]
pub(super) struct Figures {
    jobs: BTreeMap<String, Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    scrapes: u64,
    failures: BTreeMap<&'static str, u64>,
    skipped: u64,
    seconds: f64,
    samples: u64,
    refused: BTreeMap<&'static str, u64>,
}

impl Figures {
    fn job(&mut self, name: &str) -> &mut Counters {
        if !self.jobs.contains_key(name) {
            self.jobs.insert(name.to_owned(), Counters::default());
        }
        // It is there now.
        self.jobs.entry(name.to_owned()).or_default()
    }

    /// Ticks at which nothing was asked.
    pub(super) fn skipped(&mut self, job: &str, ticks: u64) {
        self.job(job).skipped += ticks;
    }

    /// A scrape that broke off with a defect of ours.
    pub(super) fn broken(&mut self, job: &str) {
        let counters = self.job(job);
        counters.scrapes += 1;
        *counters.failures.entry("panic").or_default() += 1;
    }

    /// A scrape has ended.
    pub(super) fn ended(&mut self, job: &str, outcome: &Outcome) {
        let counters = self.job(job);
        counters.scrapes += 1;
        counters.seconds += seconds(outcome.took);
        let appended = &outcome.stored.appended;
        counters.samples += appended.committed.accepted;
        if let Some(reason) = outcome.failure.as_ref().map(Failure::reason) {
            *counters.failures.entry(reason).or_default() += 1;
        }
        let Refused { old, conflicting, before_blocks, memory_full, too_many_series } =
            appended.committed.refused;
        let unplaced = outcome.stored.unplaced.as_ref().map_or(0, |(count, _)| *count);
        for (reason, count) in [
            ("old", old + before_blocks),
            ("conflicting", conflicting),
            ("memory_full", memory_full),
            ("too_many_series", too_many_series + unplaced),
            ("ahead", appended.ahead),
        ] {
            if count > 0 {
                *counters.refused.entry(reason).or_default() += count;
            }
        }
    }

    /// Writes them down.
    pub(super) fn expose(&self, exposition: &mut Exposition) {
        self.each(
            exposition,
            "plimsoll_scrapes_total",
            "Scrapes of targets, by job.",
            |counters| counters.scrapes as f64,
        );
        self.each(
            exposition,
            "plimsoll_scrape_seconds_total",
            "Time that scrapes took, seconds, by job.",
            |counters| counters.seconds,
        );
        self.each(
            exposition,
            "plimsoll_scrape_skipped_total",
            "Scrapes that were left out because the one before was still going on or the machine \
             was too busy, by job.",
            |counters| counters.skipped as f64,
        );
        self.each(
            exposition,
            "plimsoll_scrape_samples_total",
            "Samples that scrapes have stored, by job.",
            |counters| counters.samples as f64,
        );
        self.by_reason(
            exposition,
            "plimsoll_scrape_failures_total",
            "Scrapes that have failed, by job and reason.",
            |counters| &counters.failures,
        );
        self.by_reason(
            exposition,
            "plimsoll_scrape_samples_refused_total",
            "Samples of scrapes that the store did not take, by job and reason.",
            |counters| &counters.refused,
        );
    }

    fn each(
        &self,
        exposition: &mut Exposition,
        name: &str,
        help: &str,
        figure: impl Fn(&Counters) -> f64,
    ) {
        let mut family = exposition.family(name, Kind::Counter, help);
        for (job, counters) in &self.jobs {
            family.sample(&[("scrape_job", job)], figure(counters));
        }
    }

    fn by_reason(
        &self,
        exposition: &mut Exposition,
        name: &str,
        help: &str,
        figures: impl Fn(&Counters) -> &BTreeMap<&'static str, u64>,
    ) {
        let mut family = exposition.family(name, Kind::Counter, help);
        for (job, counters) in &self.jobs {
            for (reason, count) in figures(counters) {
                family.sample(&[("scrape_job", job), ("reason", reason)], *count as f64);
            }
        }
    }
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}
