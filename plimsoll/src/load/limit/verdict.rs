//! Whether a rate holds an objective, from what a probe at that rate measured.
//!
//! `p99 within 50 ms` means that at most 1 % of the requests may take longer. Each probe gives that
//! share for every second; the share's confidence interval comes from how much the seconds differ
//! (a stall makes one second bad as a whole, so a second's requests are not independent of each
//! other): the spread of at most [`GROUPS_MAX`] batch means gives the effective sample size, Wilson's
//! interval of that size the bounds; what is left without the worst batch bounds it from below, for
//! one stall proves nothing. If the whole interval is within what is allowed, the rate
//! holds; if none of it is, it breaks; else more must be measured.
//!
//! This is a rule for choosing the next probe, not a statement about the limit: bursts that are
//! rarer than a probe is long are not in its batches, and the search picks the highest rate that
//! happened to hold. At the very limit of a simulated queue (M/M/1, p99 within 100 ms at 254/s) a
//! probe of 8 s is taken to hold in 64 of 100 cases, one of 60 s in 18. What the search comes to is
//! nevertheless close: within 7 % of the truth in 120 of 120 searches.
//!
//! A queue that keeps growing breaks a rate too, even while its answers still come in time.
//!
//! Sources: batch means, see Law, "Simulation Modeling and Analysis", §9.5.3; Wilson (1927), JASA
//! 22, 209–212.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::objective::{Objective, bound_text};
use crate::load::figures;
use crate::load::tally::Latencies;
use crate::load::timeline::{Bucket, Timeline};

/// The normal distribution's 97.5 % quantile: two-sided 95 %.
const NORMAL: f64 = 1.96;
/// Most batch means.
const GROUPS_MAX: usize = 10;
/// Student's 97.5 % quantile for 1 to `GROUPS_MAX - 1` degrees of freedom.
const STUDENT: [f64; GROUPS_MAX - 1] =
    [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
/// A queue grows if it gains more than this share of the arrivals…
const BACKLOG_SHARE: f64 = 0.05;
/// …and more than this many times the square root of its length: its ordinary fluctuation.
const BACKLOG_DEVIATIONS: f64 = 4.0;

/// What a probe gave.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// By the second, from the probe's start on, the time after its end included.
    pub timeline: Timeline,
    /// Why the tester itself was the limit, if it was: "arrivals began 40 ms late (p99)".
    pub tester_limit: Option<String>,
    /// Whether the run was told to stop: its figures do not count.
    pub interrupted: bool,
}

/// What counts of a probe, or of several at the same rate.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    seconds: Vec<Second>,
    response_time: Latencies,
    /// Whether the queue grew in the last probe.
    falls_behind: Option<Backlog>,
}

/// One second.
#[derive(Debug, Clone, Default)]
struct Second {
    arrivals: u64,
    requests: u64,
    errors: u64,
    answered: u64,
    /// Answers that took longer, for each bound of the objective.
    over: Vec<u64>,
}

/// A queue that grew.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    from: f64,
    to: f64,
}

/// What is known of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Breaks,
    /// Both may be.
    Unclear,
}

/// A verdict, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Beyond doubt.
    pub verdict: Verdict,
    /// Taking the figures as they are, without asking how sure they are.
    pub seems_to_hold: bool,
    /// What decided: what broke, what is unclear, or what was nearest to its bound.
    pub because: String,
    /// Response times at the objective's quantiles, in its order.
    pub quantiles: Vec<Duration>,
    /// The share of requests that failed.
    pub errors: f64,
    /// Arrivals in the time that counts.
    pub arrivals: u64,
    /// Requests that it rests on: those that ended in that time or, begun by its end, after it.
    /// More than arrivals where those of the warm-up had piled up, or an arrival makes several.
    pub requests: u64,
}

/// A verdict in a word: the same in the log, the table and the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The objective is kept, beyond chance.
    Holds,
    /// The figures are within the objective, but that could be chance.
    SeemsToHold,
    /// The figures are beyond the objective, but that could be chance.
    SeemsToBreak,
    /// The objective is not kept, beyond chance.
    Breaks,
    /// The tester itself was the limit, which says nothing of the service.
    TesterLimited,
}

impl Word {
    /// The word for this.
    pub fn of(judgement: &Judgement, is_tester_limited: bool) -> Self {
        match judgement.verdict {
            _ if is_tester_limited => Self::TesterLimited,
            Verdict::Holds => Self::Holds,
            Verdict::Breaks => Self::Breaks,
            Verdict::Unclear if judgement.seems_to_hold => Self::SeemsToHold,
            Verdict::Unclear => Self::SeemsToBreak,
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::SeemsToHold => "seems to hold",
            Self::SeemsToBreak => "seems to break",
            Self::Breaks => "breaks",
            Self::TesterLimited => "tester limited",
        }
    }
}

/// A share and its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Interval {
    low: f64,
    middle: f64,
    high: f64,
}

impl Evidence {
    /// Of one probe: what ended after the warm-up. What ended after the end, when no more requests
    /// began, belongs to the last second.
    pub fn of(
        objective: &Objective,
        outcome: &Outcome,
        warm_up: Duration,
        whole: Duration,
    ) -> Self {
        let width = outcome.timeline.width.as_secs_f64();
        let place = |at: Duration| (at.as_secs_f64() / width).round() as usize;
        let buckets = &outcome.timeline.buckets;
        let end = place(whole).min(buckets.len());
        let begin = place(warm_up).min(end);
        let mut evidence = Self::default();
        for bucket in &buckets[begin..end] {
            evidence.seconds.push(Second::of(objective, bucket));
            evidence.response_time.absorb(&bucket.response_time);
        }
        evidence.falls_behind = backlog(&buckets[begin..end]);
        for bucket in &buckets[end..] {
            let late = Second::of(objective, bucket);
            match evidence.seconds.last_mut() {
                Some(last) => last.add(&late),
                None => evidence.seconds.push(late),
            }
            evidence.response_time.absorb(&bucket.response_time);
        }
        evidence
    }

    /// Adds a later probe at the same rate.
    pub fn absorb(&mut self, later: &Self) {
        self.seconds.extend(later.seconds.iter().cloned());
        self.response_time.absorb(&later.response_time);
        self.falls_behind = later.falls_behind;
    }

    /// Whether the objective was kept.
    pub fn judge(&self, objective: &Objective) -> Judgement {
        let total = self.seconds.iter().fold(Second::default(), |mut total, second| {
            total.add(second);
            total
        });
        let mut judgement = Judgement {
            verdict: Verdict::Holds,
            seems_to_hold: true,
            because: String::new(),
            quantiles: Vec::new(),
            errors: total.errors as f64 / total.requests.max(1) as f64,
            arrivals: total.arrivals,
            requests: total.requests,
        };
        for bound in &objective.latencies {
            judgement.quantiles.push(self.response_time.quantile(bound.quantile));
        }
        if total.requests == 0 {
            judgement.verdict = Verdict::Breaks;
            judgement.seems_to_hold = false;
            "no request was answered".clone_into(&mut judgement.because);
            return judgement;
        }
        if let Some(Backlog { from, to }) = self.falls_behind {
            judgement.verdict = Verdict::Breaks;
            judgement.seems_to_hold = false;
            judgement.because =
                format!("the queue kept growing, from {from:.0} to {to:.0} requests under way");
            return judgement;
        }
        self.weigh(objective, &mut judgement);
        judgement
    }

    /// Takes the worst of what the objective bounds.
    fn weigh(&self, objective: &Objective, judgement: &mut Judgement) {
        let mut worst = f64::MIN;
        let mut consider = |interval: Interval, allowed: f64, because: String| {
            let verdict = interval.verdict(allowed);
            judgement.seems_to_hold &= interval.middle <= allowed;
            // What breaks matters more than what is unclear, and that more than what holds; of
            // the same kind, the one that takes most of what it is allowed.
            let severity = match verdict {
                Verdict::Holds => 0.0,
                Verdict::Unclear => 1e6,
                Verdict::Breaks => 1e12,
            };
            let taken = severity + (interval.middle / allowed.max(1e-9)).min(1e5);
            if taken > worst {
                (worst, judgement.verdict, judgement.because) = (taken, verdict, because);
            }
        };
        for (place, bound) in objective.latencies.iter().enumerate() {
            let pairs: Vec<_> =
                self.seconds.iter().map(|second| (second.over[place], second.answered)).collect();
            if pairs.iter().all(|(_, answered)| *answered == 0) {
                continue;
            }
            let (interval, allowed) = (interval(&pairs), bound.allowed());
            let within = bound_text(bound.within);
            consider(interval, allowed, format!("{} over {within}", interval.words(allowed)));
        }
        let pairs: Vec<_> =
            self.seconds.iter().map(|second| (second.errors, second.requests)).collect();
        let (interval, allowed) = (interval(&pairs), objective.errors);
        consider(interval, allowed, format!("{} failed", interval.words(allowed)));
    }
}

impl Second {
    fn of(objective: &Objective, bucket: &Bucket) -> Self {
        let histogram = bucket.response_time.histogram();
        let over = objective.latencies.iter().map(|bound| {
            let within = u64::try_from(bound.within.as_nanos()).unwrap_or(u64::MAX - 1);
            bucket.response_time.count() - histogram.count_between(0, within)
        });
        Self {
            arrivals: bucket.due,
            requests: bucket.requests,
            errors: bucket.errors,
            answered: bucket.response_time.count(),
            over: over.collect(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.arrivals += other.arrivals;
        self.requests += other.requests;
        self.errors += other.errors;
        self.answered += other.answered;
        self.over.resize(other.over.len().max(self.over.len()), 0);
        for (over, more) in self.over.iter_mut().zip(&other.over) {
            *over += more;
        }
    }
}

/// Whether the number of requests under way rose, from the first quarter of the time to the last.
fn backlog(buckets: &[Bucket]) -> Option<Backlog> {
    let quarter = (buckets.len() / 4).max(1);
    if buckets.len() < 2 {
        return None;
    }
    let mean = |part: &[Bucket]| {
        part.iter().map(|bucket| bucket.in_flight as f64).sum::<f64>() / part.len() as f64
    };
    let (from, to) = (mean(&buckets[..quarter]), mean(&buckets[buckets.len() - quarter..]));
    let due: u64 = buckets.iter().map(|bucket| bucket.due).sum();
    let least = BACKLOG_SHARE * due as f64 + BACKLOG_DEVIATIONS * (from + 1.0).sqrt();
    (to - from > least).then_some(Backlog { from, to })
}

/// The share of the first of each pair in the second, over all.
fn interval(seconds: &[(u64, u64)]) -> Interval {
    let groups = grouped(seconds);
    let bad: f64 = groups.iter().map(|group| group.0).sum();
    let size: f64 = groups.iter().map(|group| group.1).sum();
    if size == 0.0 {
        return Interval { low: 0.0, middle: 0.0, high: 1.0 };
    }
    let share = bad / size;
    let (effect, deviations) = design_effect(&groups, share, size);
    let sample = size / effect;
    // Wilson's interval.
    let square = deviations * deviations;
    let centre = (share + square / (2.0 * sample)) / (1.0 + square / sample);
    let half = deviations / (1.0 + square / sample)
        * (share * (1.0 - share) / sample + square / (4.0 * sample * sample)).sqrt();
    Interval {
        low: if bad == 0.0 { 0.0 } else { (centre - half).max(0.0).min(without_worst(&groups)) },
        middle: share,
        high: if bad == size { 1.0 } else { (centre + half).min(1.0) },
    }
}

/// The seconds in at most [`GROUPS_MAX`] groups that follow each other: failures and all of each.
fn grouped(seconds: &[(u64, u64)]) -> Vec<(f64, f64)> {
    let count = seconds.len().min(GROUPS_MAX);
    let mut groups = vec![(0.0, 0.0); count];
    for (place, (bad, all)) in seconds.iter().enumerate() {
        let group = &mut groups[place * count / seconds.len()];
        group.0 += *bad as f64;
        group.1 += *all as f64;
    }
    groups
}

/// The share without the group that is worst: a single stall proves nothing yet.
fn without_worst(groups: &[(f64, f64)]) -> f64 {
    if groups.len() < 2 {
        return 1.0;
    }
    let worst = groups.iter().max_by(|one, other| one.0.total_cmp(&other.0));
    let worst = worst.copied().unwrap_or_default();
    let rest =
        groups.iter().fold((-worst.0, -worst.1), |sum, group| (sum.0 + group.0, sum.1 + group.1));
    if rest.1 > 0.0 { rest.0 / rest.1 } else { 0.0 }
}

/// By how much the share varies more than that of independent requests would, and how many standard
/// deviations the confidence takes.
fn design_effect(groups: &[(f64, f64)], share: f64, size: f64) -> (f64, f64) {
    if groups.len() < 2 || share <= 0.0 || share >= 1.0 {
        return (1.0, NORMAL);
    }
    let squares: f64 = groups.iter().map(|(bad, all)| (bad - share * all).powi(2)).sum();
    let count = groups.len() as f64;
    let variance = count / (count - 1.0) * squares / (size * size);
    let effect = variance / (share * (1.0 - share) / size);
    if effect <= 1.0 {
        return (1.0, NORMAL);
    }
    // No less than one request for each group.
    (effect.min((size / count).max(1.0)), STUDENT[groups.len() - 2])
}

impl Interval {
    fn verdict(&self, allowed: f64) -> Verdict {
        // Of nothing allowed no sample could prove more than that there was none.
        if self.middle <= allowed && (self.high <= allowed || allowed == 0.0) {
            Verdict::Holds
        } else if self.low > allowed || allowed == 0.0 {
            Verdict::Breaks
        } else {
            Verdict::Unclear
        }
    }

    /// `0.31 % (0.2 % to 0.48 %, 1 % allowed)`
    fn words(&self, allowed: f64) -> String {
        let (low, high) = (figures::share(self.low), figures::share(self.high));
        let range = if low == high { String::new() } else { format!("{low} to {high}, ") };
        format!("{} ({range}{} allowed)", figures::share(self.middle), figures::share(allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_the_share_and_widen_with_bursts() {
        let steady = interval(&[(10, 1000); 8]);
        let burst = interval(&[
            (80, 1000),
            (0, 1000),
            (0, 1000),
            (0, 1000),
            (0, 1000),
            (0, 1000),
            (0, 1000),
            (0, 1000),
        ]);
        assert_eq!(steady.middle, burst.middle);
        assert!(steady.low > 0.008 && steady.high < 0.0125, "{steady:?}");
        assert!(burst.low == 0.0 && burst.high > 0.05, "{burst:?}");
    }

    #[test]
    fn none_of_a_few_proves_little() {
        let few = interval(&[(0, 20); 8]);
        assert_eq!(few.verdict(0.01), Verdict::Unclear);
        assert_eq!(interval(&[(0, 100); 8]).verdict(0.01), Verdict::Holds);
        assert_eq!(few.verdict(0.0), Verdict::Holds);
        assert_eq!(interval(&[(1, 100_000); 8]).verdict(0.0), Verdict::Breaks);
        assert_eq!(interval(&[]).verdict(0.01), Verdict::Unclear);
        assert_eq!(interval(&[(20, 20); 8]).high, 1.0);
    }

    fn bucket(requests: u64, millis: u64, in_flight: u64) -> Bucket {
        let mut bucket = Bucket { requests, due: requests, in_flight, ..Bucket::default() };
        for _ in 0..requests {
            bucket.response_time.record(Duration::from_millis(millis));
        }
        bucket
    }

    fn judged(objective: &str, buckets: Vec<Bucket>, whole: u64) -> Judgement {
        let objective = Objective::parse(objective).unwrap();
        let timeline = Timeline { buckets, ..Timeline::default() };
        let outcome = Outcome { timeline, ..Outcome::default() };
        Evidence::of(&objective, &outcome, Duration::from_secs(1), Duration::from_secs(whole))
            .judge(&objective)
    }

    #[test]
    fn the_warm_up_does_not_count_and_late_answers_do() {
        let mut buckets = vec![bucket(100, 900, 0)];
        buckets.extend((0..8).map(|_| bucket(100, 10, 0)));
        let judgement = judged("p99=50ms", buckets.clone(), 9);
        assert_eq!((judgement.verdict, judgement.requests), (Verdict::Holds, 800));
        assert_eq!(judgement.arrivals, 800);
        assert_eq!(judgement.because, "0 % (0 % to 0.48 %, 1 % allowed) over 50 ms");
        buckets.push(bucket(100, 400, 0));
        let judgement = judged("p99=50ms", buckets, 9);
        assert_eq!((judgement.verdict, judgement.seems_to_hold), (Verdict::Unclear, false));
        assert_eq!(judgement.requests, 900);
        let judgement = judged("p99=50ms", (0..9).map(|_| bucket(100, 60, 0)).collect(), 9);
        assert_eq!(judgement.verdict, Verdict::Breaks);
        assert_eq!(judgement.because, "100 % (99.5 % to 100 %, 1 % allowed) over 50 ms");
    }

    #[test]
    fn a_growing_queue_breaks_though_answers_come_in_time() {
        let judgement = judged("p99=50s", (0..9).map(|i| bucket(100, 60, i * 20)).collect(), 9);
        assert_eq!(judgement.verdict, Verdict::Breaks);
        assert_eq!(judgement.because, "the queue kept growing, from 30 to 150 requests under way");
        let steady = (0..9).map(|i| bucket(100, 60, 50 + i % 3 * 20)).collect();
        assert_eq!(judged("p99=50s", steady, 9).verdict, Verdict::Holds);
    }

    #[test]
    fn failures_break_and_so_does_silence() {
        let mut failed = bucket(100, 1, 0);
        failed.errors = 30;
        let judgement = judged("p99=50ms", vec![failed; 9], 9);
        assert_eq!(judgement.verdict, Verdict::Breaks);
        assert_eq!(judgement.because, "30 % (26.9 % to 33.3 %, 1 % allowed) failed");
        assert_eq!(judged("p99=50ms", vec![Bucket::default(); 9], 9).verdict, Verdict::Breaks);
    }
}
