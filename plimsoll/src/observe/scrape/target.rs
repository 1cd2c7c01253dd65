//! One target and what is known of it: asked, read, stored, and how it is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tsdb::exposition::Format;

use super::failure::Failure;
use super::fetch::{self, Bounds, LargeBodies, Page, Reader};
use super::ingest::{Counts, Ingest, Read, Scrape, Stored};
use super::plan;
use super::targets::{Fate, Source, Wanted};
use super::{Inputs, Shared, host, lock};
use crate::observe::storage::Storage;
use crate::observe::views::{MetadataView, TargetHealth, TargetView};
use crate::observe::{databases, now};
use crate::trust::Presented;

/// Something that answers without metrics is asked again after this; it doubles with each such answer…
const REST_MIN: Duration = Duration::from_secs(10 * 60);
/// …of one that did not answer in time, because it may have been busy, after this…
const REST_LATE_MIN: Duration = Duration::from_secs(60);
/// (but so many times at its interval, since a server that has just started is slow)…
const LATE_FREE: u32 = 10;
/// …up to this: each time leaves a line in somebody's log.
const REST_MAX: Duration = Duration::from_secs(4 * 3600);
/// Who takes longer, or does not answer in time, waits for a place among its like.
const SLOW: Duration = Duration::from_secs(1);

/// A target that is asked.
#[derive(Debug)]
pub(super) struct Target {
    /// What the configuration says; written by `apply`.
    wanted: Mutex<Asked>,
    /// Held by a scrape while it reads and stores a page, by the end of the target, and by who asks
    /// for metadata.
    ingest: Mutex<Ingest>,
    /// Written by scrapes; read by views.
    condition: Mutex<Condition>,
    /// Held by the thread that looks at the machine, lest a look that hangs be joined by others.
    look: Mutex<()>,
}

/// What is asked, and with what.
#[derive(Debug, Clone)]
struct Asked {
    wanted: Arc<Wanted>,
    reader: Result<Reader, String>,
    /// What a database has shown.
    presented: Arc<Presented>,
}

impl Asked {
    /// When the first of the target's certificates ends, seconds since 1970, if any was seen.
    fn expires_at(&self) -> Option<i64> {
        match &self.wanted.source {
            Source::Http { .. } => self.reader.as_ref().ok()?.expires_at(),
            Source::Postgres(_) | Source::Redis(_) => self.presented.expires_at(),
            Source::Own | Source::Host | Source::Instance { .. } => None,
        }
    }
}

/// How a target is.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    health: TargetHealth,
    last_error: Option<String>,
    last_at: Option<i64>,
    last_took: Duration,
    /// Samples after relabelling.
    last_samples: u64,
    /// The last scrape was not answered in time.
    was_late: bool,
    /// It had metrics at least once.
    had_metrics: bool,
    /// Answers without metrics in a row.
    without: u32,
}

/// What came of a scrape, for those who count and tell.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What became of it.
    pub stored: Stored,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How long it took.
    pub took: Duration,
    /// Its time to rest, if it has nothing to tell.
    pub rest: Option<Duration>,
}

impl Target {
    /// Not asked yet.
    pub(super) fn new(wanted: Wanted, reader: Result<Reader, String>) -> Self {
        let condition = Condition {
            health: TargetHealth::Unknown,
            last_error: None,
            last_at: None,
            last_took: Duration::ZERO,
            last_samples: 0,
            was_late: false,
            had_metrics: false,
            without: 0,
        };
        Self {
            wanted: Mutex::new(Asked {
                wanted: Arc::new(wanted),
                reader,
                presented: Arc::default(),
            }),
            ingest: Mutex::default(),
            condition: Mutex::new(condition),
            look: Mutex::new(()),
        }
    }

    /// Takes what a new configuration says of the same target.
    pub(super) fn change(&self, wanted: Wanted, reader: Result<Reader, String>) {
        let mut asked = lock(&self.wanted);
        let presented = match asked.wanted.source == wanted.source {
            true => Arc::clone(&asked.presented),
            false => Arc::default(),
        };
        let is_same = asked.wanted.intake.is_same(&wanted.intake);
        *asked = Asked { wanted: Arc::new(wanted), reader, presented };
        drop(asked);
        if !is_same {
            lock(&self.ingest).change();
        }
    }

    /// What the configuration says.
    pub(super) fn wanted(&self) -> Arc<Wanted> {
        lock(&self.wanted).wanted.clone()
    }

    /// Whether it is one of those that take their time.
    pub(super) fn is_slow(&self) -> bool {
        let condition = lock(&self.condition);
        condition.was_late || condition.last_took >= SLOW
    }

    /// Asks it, and stores what it says. `tick` is the time that it was due.
    ///
    /// Reading and storing is work for another thread, and few at once do it: a disk that hangs keeps
    /// those waiting and nobody else.
    pub(super) async fn scrape(
        self: Arc<Self>,
        tick: i64,
        shared: Arc<Shared>,
        large: LargeBodies,
    ) -> Outcome {
        let asked = lock(&self.wanted).clone();
        let started = now();
        let at = plan::stamp(tick, started, asked.wanted.every);
        let clock = Instant::now();
        let page = self.page(&asked, &shared.inputs, &large).await;
        let took = clock.elapsed();
        let expires_at = asked.expires_at();
        // Never closed; and if it were, nothing but a bound would be lost.
        let turn = Arc::clone(&shared.storing).acquire_owned().await.ok();
        let work = move || {
            let outcome = self.take(page, expires_at, (at, started), took, &shared.storage);
            drop(turn);
            outcome
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Outcome {
            stored: Stored::default(),
            failure: Some(Failure::Figures(format!("its page could not be read: {error}"))),
            took,
            rest: None,
        })
    }

    async fn page(
        self: &Arc<Self>,
        Asked { wanted, reader, presented }: &Asked,
        inputs: &Arc<Inputs>,
        large: &LargeBodies,
    ) -> Result<Page, Failure> {
        let body_bytes = wanted.intake.limits.body_bytes;
        let bounds = Bounds { timeout: wanted.timeout, body_bytes, large };
        let text = |text: String| Page {
            body: text.into_bytes(),
            format: Format::Text,
            is_named: true,
            _place: None,
        };
        match &wanted.source {
            Source::Own => Ok(text((inputs.own)())),
            Source::Host => bounds.within(self.look()).await.map(text),
            Source::Http { url, endpoint } => {
                fetch::url(reader.clone(), endpoint, url, bounds).await
            }
            Source::Instance { address, path, host, .. } => {
                fetch::server(address, path, host.as_deref(), bounds).await
            }
            // They keep to the target's timeout themselves, and say where they were when it was over.
            Source::Postgres(database) => {
                let page = databases::postgres::figures(database, presented).await;
                page.map(text).map_err(Failure::Figures)
            }
            Source::Redis(database) => {
                let page = databases::redis::figures(database, presented).await;
                page.map(text).map_err(Failure::Figures)
            }
        }
    }

    /// The machine's figures. Reading them may hang where a disk does.
    async fn look(self: &Arc<Self>) -> Result<String, Failure> {
        let target = Arc::clone(self);
        let look = move || match target.look.try_lock() {
            Ok(_alone) => Ok(host::figures()),
            Err(_) => Err("the look before has not come to an end".to_owned()),
        };
        let broken = |error: tokio::task::JoinError| Failure::Figures(error.to_string());
        let text = tokio::task::spawn_blocking(look).await.map_err(broken)?;
        text.map_err(Failure::Figures)
    }

    /// Reads and stores a page, or that there is none.
    fn take(
        &self,
        page: Result<Page, Failure>,
        expires_at: Option<i64>,
        (at, started): (i64, i64),
        asked_for: Duration,
        storage: &Storage,
    ) -> Outcome {
        let clock = Instant::now();
        let mut ingest = lock(&self.ingest);
        // It may have changed while the page was on its way.
        let wanted = self.wanted();
        let is_tried = matches!(wanted.source, Source::Instance { is_tried: true, .. });
        let is_named = page.as_ref().is_ok_and(|page| page.is_named);
        let is_promised = !is_tried || is_named || lock(&self.condition).had_metrics;
        let scrape =
            Scrape { target: &wanted.labels, intake: &wanted.intake, at, is_promised, expires_at };
        let read = match page {
            Ok(page) => ingest.read(&page.body, page.format, &scrape),
            Err(failure) => Read { counts: Counts::default(), failure: Some(failure) },
        };
        let took = asked_for + clock.elapsed();
        let stored = ingest.store(&read, took.as_secs_f64(), &scrape, storage, now());
        let failure = read.failure;
        drop(ingest);
        let is_late = matches!(failure, Some(Failure::Timeout(_)));
        let is_without =
            !is_promised && (is_late || failure.as_ref().is_some_and(Failure::is_another_answer));
        lock(&self.condition).last_samples = read.counts.kept;
        let without = self.note(&stored, failure.as_ref(), is_without, started, took);
        let rest = is_without.then(|| rest(without, is_late)).flatten();
        Outcome { stored, failure, took, rest }
    }

    /// Writes down how it is; says how many answers in a row had no metrics.
    fn note(
        &self,
        stored: &Stored,
        failure: Option<&Failure>,
        is_without: bool,
        started: i64,
        took: Duration,
    ) -> u32 {
        let mut condition = lock(&self.condition);
        condition.health = match failure {
            None => TargetHealth::Up,
            Some(_) if is_without => TargetHealth::WithoutMetrics,
            Some(_) => TargetHealth::Down,
        };
        condition.last_error = failure.map(Failure::to_string).or_else(|| {
            // It is up; but who looks for what is missing finds the reason here.
            let (count, reason) = stored.unplaced.as_ref()?;
            Some(format!("{count} series are not stored: {reason}"))
        });
        condition.last_at = Some(started);
        condition.last_took = took;
        condition.was_late = matches!(failure, Some(Failure::Timeout(_)));
        condition.had_metrics |= failure.is_none();
        condition.without = if is_without { condition.without.saturating_add(1) } else { 0 };
        condition.without
    }

    /// It is no more: its series end at `at`. Waits for a page that is being read.
    pub(super) fn end(&self, storage: &Storage, at: i64) {
        lock(&self.ingest).end(storage, at, now());
    }

    /// How it is, for people.
    pub(super) fn view(&self) -> TargetView {
        let condition = lock(&self.condition).clone();
        TargetView {
            health: condition.health,
            last_error: condition.last_error,
            last_at: condition.last_at,
            last_took: condition.last_took,
            last_samples: condition.last_samples,
            ..view(&self.wanted())
        }
    }

    /// What it says of its metrics.
    pub(super) fn metadata(&self) -> Vec<MetadataView> {
        let target = self.wanted().labels.clone();
        let ingest = lock(&self.ingest);
        let view = |(family, told): (&str, &super::metadata::Told)| MetadataView {
            family: family.to_owned(),
            kind: told.kind,
            help: told.help.to_string(),
            unit: told.unit.to_string(),
            target: target.clone(),
        };
        ingest.metadata().iter().map(view).collect()
    }
}

/// How long to rest after so many answers without metrics, or without any in time, in a row; `None` is
/// not at all.
fn rest(without: u32, is_late: bool) -> Option<Duration> {
    let (first, free) = if is_late { (REST_LATE_MIN, LATE_FREE) } else { (REST_MIN, 0) };
    let doubled = 2_u32.saturating_pow(without.checked_sub(free + 1)?);
    Some(first.saturating_mul(doubled).min(REST_MAX))
}

/// A target that was never asked, for people.
pub(super) fn view(wanted: &Wanted) -> TargetView {
    let (health, last_error) = match &wanted.fate {
        Fate::Asked => (TargetHealth::Unknown, None),
        Fate::Dropped => (TargetHealth::Dropped, None),
        Fate::Refused(reason) => (TargetHealth::Down, Some(reason.clone())),
    };
    TargetView {
        job: wanted.job.clone(),
        labels: wanted.labels.clone(),
        discovered: wanted.discovered.clone(),
        url: wanted.url(),
        health,
        last_error,
        last_at: None,
        last_took: Duration::ZERO,
        last_samples: 0,
        every: wanted.every,
        timeout: wanted.timeout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_bound() {
        let minutes = |count, is_late| rest(count, is_late).map(|rest| rest.as_secs() / 60);
        let ordinary = [1, 2, 3, 5, 6, 40, u32::MAX].map(|count| minutes(count, false));
        assert_eq!(ordinary, [10, 20, 40, 160, 240, 240, 240].map(Some));
        let late = [1, 10, 11, 12, 19, 50].map(|count| minutes(count, true));
        assert_eq!(late, [None, None, Some(1), Some(2), Some(240), Some(240)]);
    }
}
