//! What the live view shows: the last progress, and what it keeps of earlier ones.
//!
//! Invariant: memory does not grow with the run: [`HISTORY_MAX`] seconds and as many instances as the
//! engine tells apart.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::load::progress::Progress;
use crate::load::results::of_instance;

/// Seconds that are kept for the charts; wider terminals show no more.
pub const HISTORY_MAX: usize = 600;
/// The tester is the limit when arrivals begin this late (99th percentile of a second)…
const LAG_MAX: Duration = Duration::from_millis(10);
/// …or this late, and that is half of the 99th percentile of the response times or more: what is
/// measured then is as much the tester's slowness as the service's.
const LAG_NOTABLE: Duration = Duration::from_millis(1);

/// What the live view shows.
#[derive(Debug, Clone)]
pub struct Screen {
    /// What is measured.
    pub title: String,
    /// How the load comes about, in words.
    pub model: String,
    /// Whether colours may be used.
    pub colours: bool,
    /// How it is doing; `None` before the first second.
    pub progress: Option<Progress>,
    /// The last seconds, the newest last.
    pub history: VecDeque<Second>,
    /// Answers by instance, so far.
    pub instances: BTreeMap<String, u64>,
    /// Whether somebody asked for the end.
    pub ending: bool,
}

/// A second that went by.
#[derive(Debug, Clone, Copy)]
pub struct Second {
    /// Requests that ended.
    pub requests: u64,
    /// Failed ones.
    pub errors: u64,
    /// Median response time, if anything was answered.
    pub median: Option<Duration>,
    /// 99th percentile.
    pub high: Option<Duration>,
}

/// Whether the tester itself was the limit within the last second.
pub fn tester_is_limit(progress: &Progress) -> bool {
    let high = progress.second.response_time.quantile(0.99);
    progress.lag >= LAG_MAX || (progress.lag >= LAG_NOTABLE && progress.lag * 2 >= high)
}

impl Screen {
    /// Before the run.
    pub fn new(title: &str, model: &str, colours: bool) -> Self {
        Self {
            title: title.to_owned(),
            model: model.to_owned(),
            colours,
            progress: None,
            history: VecDeque::with_capacity(HISTORY_MAX),
            instances: BTreeMap::new(),
            ending: false,
        }
    }

    /// Takes the next progress. A second that was told before (the run's end repeats it) counts
    /// once.
    pub fn take(&mut self, progress: &Progress) {
        let known = self.progress.as_ref().map(|known| known.elapsed.as_secs());
        if known != Some(progress.elapsed.as_secs()) {
            let times = &progress.second.response_time;
            let quantile = |at| (times.count() > 0).then(|| times.quantile(at));
            if self.history.len() == HISTORY_MAX {
                self.history.pop_front();
            }
            self.history.push_back(Second {
                requests: progress.second.requests,
                errors: progress.second.errors,
                median: quantile(0.5),
                high: quantile(0.99),
            });
            for (instance, count) in &progress.second.instances {
                *of_instance(&mut self.instances, instance) += count;
            }
        }
        self.progress = Some(progress.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::tests::progress;
    use super::*;

    #[test]
    fn the_tester_is_the_limit_where_it_is_late_or_as_slow_as_the_service() {
        for (lag, response, is_limit) in [
            (12_000, 500_000, true),
            (5_000, 500_000, false),
            (2_000, 3_000, true),
            (500, 600, false),
        ] {
            let mut progress = progress(1);
            progress.lag = Duration::from_micros(lag);
            progress.second.response_time = Default::default();
            progress.second.response_time.record(Duration::from_micros(response));
            assert_eq!(tester_is_limit(&progress), is_limit, "{lag} of {response}");
        }
    }

    #[test]
    fn a_run_of_days_is_shown_from_the_same_memory() {
        let mut screen = Screen::new("shop", "open", false);
        for second in 1..=HISTORY_MAX as u64 + 50 {
            screen.take(&progress(second));
        }
        assert_eq!(screen.history.len(), HISTORY_MAX);
    }
}
