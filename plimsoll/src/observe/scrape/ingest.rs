//! From a target's page to samples in the store.
//!
//! A page is read whole before anything of it is stored: half of a page would look like series that
//! ended. Series are known by their text as it stands in the page (`cache`), so that a page like
//! the one before costs no labels and no look-up. What was there in the last scrape and is not in this
//! one ends with [`STALE`]; of a failed scrape, everything does. A series whose samples bring their own
//! time is not watched for that, as in Prometheus: it may legitimately be absent.
//!
//! Every scrape leaves five samples of its own (`up` and the like), whether it went well or not.
//!
//! Invariant: after [`Ingest::end`] nothing more of the target is stored.

mod cache;

use std::collections::HashSet;

use tsdb::exposition::{Event, Format, Limits, Parser, Sample};
use tsdb::labels::{Labels, NAME};
use tsdb::sample::STALE;
use tsdb::store::{Append, Handle};

use super::failure::Failure;
use super::identity;
use super::metadata::Metadata;
use super::targets::Intake;
use crate::observe::storage::{Appended, Storage};
use cache::{Cache, Place};

/// What each scrape leaves besides the target's own samples, in the order of [`Ingest::report`].
const REPORT: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
/// When the first certificate ends that the target has shown, seconds since 1970: named as
/// blackbox_exporter names it.
const EXPIRY: &str = "probe_ssl_earliest_cert_expiry";
/// Labels of a sample in the page, before rules may take some away; the parser's work for a line grows
/// with the square.
const PAGE_LABELS_MIN: usize = 128;

/// What is known of one target's series.
#[derive(Debug, Default)]
pub(super) struct Ingest {
    cache: Cache,
    /// Series of before the intake changed, which end unless the next scrape has them.
    former: Vec<Handle>,
    /// Series of [`REPORT`]; made at the first report.
    reports: Vec<Handle>,
    /// The series of [`EXPIRY`], unless the target tells it itself.
    expiry: Option<Handle>,
    /// The target tells [`EXPIRY`] itself, as blackbox_exporter does of others.
    has_own_expiry: bool,
    metadata: Metadata,
    /// Samples of the page that is being read; kept for its memory.
    points: Vec<Point>,
    /// The number of the scrape.
    round: u64,
    is_over: bool,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    place: Place,
    time: i64,
    value: f64,
}

/// How many samples a scrape had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// In the page.
    pub scraped: u64,
    /// After relabelling.
    pub kept: u64,
    /// Series that the scrape before did not have.
    pub added: u64,
}

/// What came of reading a page.
#[derive(Debug)]
pub(super) struct Read {
    /// What was counted, up to the failure.
    pub counts: Counts,
    /// Why the page is not taken.
    pub failure: Option<Failure>,
}

/// What came of a scrape.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// What the store says.
    pub appended: Appended,
    /// New series that the store had no room for, and what it says.
    pub unplaced: Option<(u64, String)>,
}

/// One scrape, as the store needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scrape<'a> {
    /// Labels of the target.
    pub target: &'a Labels,
    /// What becomes of the page.
    pub intake: &'a Intake,
    /// The time of samples that bring none, milliseconds since 1970.
    pub at: i64,
    /// Whether `up` and the like are written even if there is no page.
    pub is_promised: bool,
    /// When the first certificate ends that the target has shown, seconds since 1970.
    pub expires_at: Option<i64>,
}

impl Ingest {
    /// Reads a page. What it holds waits for [`Ingest::store`].
    pub(super) fn read(&mut self, body: &[u8], format: Format, scrape: &Scrape<'_>) -> Read {
        self.round += 1;
        self.points.clear();
        self.cache.begin(self.round);
        let mut counts = Counts::default();
        let failure = self.read_page(body, format, scrape, &mut counts).err();
        if failure.is_none() {
            counts.added = self.cache.added();
        } else {
            self.points.clear();
            self.cache.give_up();
        }
        Read { counts, failure }
    }

    fn read_page(
        &mut self,
        body: &[u8],
        format: Format,
        scrape: &Scrape<'_>,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let Scrape { target, intake, at, .. } = *scrape;
        let limits = intake.limits;
        let bounds = Limits {
            body_bytes: usize::try_from(limits.body_bytes).unwrap_or(usize::MAX),
            labels: limits.labels.max(PAGE_LABELS_MIN),
            // A page of a million samples may be one of which rules keep ten.
            samples: Limits::default().samples.max(limits.samples.saturating_add(1)),
            ..Limits::default()
        };
        let mut parser = Parser::new(body, format, bounds).map_err(Failure::Parse)?;
        while let Some(event) = parser.next_event().map_err(Failure::Parse)? {
            let Event::Sample(sample) = event else {
                self.metadata.take(&event, self.round);
                continue;
            };
            counts.scraped += 1;
            // Over the limit the page is only counted, for the message.
            if counts.kept >= limits.samples as u64 {
                counts.kept += u64::from(self.is_kept(sample, target, intake)?);
                continue;
            }
            let place = match self.cache.find(sample.series) {
                Some(place) => place,
                None => {
                    let labels = identity::labels(sample, target, intake)?;
                    self.cache.add(sample.series, labels)
                }
            };
            if !self.cache.is_kept(place) {
                continue;
            }
            counts.kept += 1;
            let own = sample.time.filter(|_| intake.honor_timestamps);
            self.cache.seen(place, own.is_none());
            self.points.push(Point { place, time: own.unwrap_or(at), value: sample.value });
        }
        if counts.kept > limits.samples as u64 {
            return Err(Failure::Limit(format!(
                "{} samples, more than {} (observe.scrape.max_samples)",
                counts.kept, limits.samples
            )));
        }
        if counts.scraped == 0 && !scrape.is_promised {
            return Err(Failure::Empty);
        }
        self.metadata.sweep(self.round);
        Ok(())
    }

    /// Whether no rule drops a sample.
    fn is_kept(
        &mut self,
        sample: &Sample<'_>,
        target: &Labels,
        intake: &Intake,
    ) -> Result<bool, Failure> {
        if let Some(place) = self.cache.find(sample.series) {
            return Ok(self.cache.is_kept(place));
        }
        // Without rules there is no need to put labels together.
        Ok(intake.metric_relabel.is_empty() || identity::labels(sample, target, intake)?.is_some())
    }

    /// Stores what was read, or that nothing was, with the report of the scrape.
    pub(super) fn store(
        &mut self,
        read: &Read,
        seconds: f64,
        scrape: &Scrape<'_>,
        storage: &Storage,
        now: i64,
    ) -> Stored {
        let (is_up, counts) = (read.failure.is_none(), read.counts);
        let mut stored = Stored::default();
        if self.is_over {
            return stored;
        }
        let ended = if is_up {
            stored.unplaced = self.cache.place(storage);
            self.gone()
        } else {
            self.points.clear();
            self.all()
        };
        let report = if is_up || scrape.is_promised {
            let counts = [counts.scraped, counts.kept, counts.added].map(|count| count as f64);
            let up = if is_up { 1.0 } else { 0.0 };
            vec![up, seconds, counts[0], counts[1], counts[2]]
        } else {
            Vec::new()
        };
        if !report.is_empty() {
            self.make_reports(scrape.target, storage);
        }
        let expiry = self.expiry(scrape, storage);
        let points = self.points.iter().filter_map(|point| {
            let series = self.cache.handle(point.place)?;
            Some(Append { series, time: point.time, value: point.value })
        });
        let at = scrape.at;
        let ends = ended.iter().map(|series| Append { series, time: at, value: STALE });
        let reports = self.reports.iter().zip(report);
        let reports = reports.map(|(series, value)| Append { series, time: at, value });
        let expiry =
            expiry.iter().map(|(series, value)| Append { series, time: at, value: *value });
        let samples: Vec<Append<'_>> = points.chain(ends).chain(reports).chain(expiry).collect();
        stored.appended = storage.append(&samples, now);
        self.points.clear();
        if is_up {
            self.cache.sweep();
        }
        stored
    }

    /// A sample of the end of the target's certificates, or its own end where that is not known any
    /// more.
    fn expiry(&mut self, scrape: &Scrape<'_>, storage: &Storage) -> Option<(Handle, f64)> {
        if let Some(place) = self.cache.find(EXPIRY) {
            self.has_own_expiry |= self.points.iter().any(|point| point.place == place);
        }
        if self.has_own_expiry {
            // The series goes on with what the target tells.
            self.expiry = None;
            return None;
        }
        let Some(expires_at) = scrape.expires_at else {
            return self.expiry.take().map(|series| (series, STALE));
        };
        if self.expiry.is_none() {
            self.expiry = storage.store().series(&named(scrape.target, EXPIRY)).ok();
        }
        Some((self.expiry.clone()?, expires_at as f64))
    }

    /// The target is no more: all its series end, `up` too.
    pub(super) fn end(&mut self, storage: &Storage, at: i64, now: i64) {
        self.is_over = true;
        let mut ended = self.all();
        ended.append(&mut self.reports);
        ended.extend(self.expiry.take());
        let samples: Vec<Append<'_>> =
            ended.iter().map(|series| Append { series, time: at, value: STALE }).collect();
        storage.append(&samples, now);
        self.cache = Cache::default();
    }

    /// The same text may be another series from now on.
    pub(super) fn change(&mut self) {
        self.former = self.all();
        self.cache = Cache::default();
    }

    /// What the target says of its metrics.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Series of the scrape before that this one does not have.
    fn gone(&mut self) -> Vec<Handle> {
        let mut gone = self.cache.turn();
        gone.append(&mut self.former);
        if gone.is_empty() {
            return gone;
        }
        // Another text, of a target that writes labels in another order, may be the same series.
        let there: HashSet<&Labels> = self.cache.watched().map(Handle::labels).collect();
        gone.retain(|handle| !there.contains(handle.labels()));
        gone
    }

    /// All series that are watched; none is any more.
    fn all(&mut self) -> Vec<Handle> {
        let mut all = self.cache.drop_watch();
        all.append(&mut self.former);
        all
    }

    fn make_reports(&mut self, target: &Labels, storage: &Storage) {
        if !self.reports.is_empty() {
            return;
        }
        let series = REPORT.map(|name| storage.store().series(&named(target, name)));
        // All or none: without room for them the next scrape tries again.
        self.reports = series.into_iter().collect::<Result<_, _>>().unwrap_or_default();
    }
}

/// Labels of a target's series of this name.
fn named(target: &Labels, name: &str) -> Labels {
    let pairs = target.iter().filter(|(label, _)| *label != NAME);
    Labels::from_pairs(pairs.chain([(NAME, name)]))
}

#[cfg(test)]
mod tests;
