//! Which probe comes next in the search for the limit, and when the search is over.
//!
//! 1. *Grow*: from [`Settings::start`] by multiples until a rate breaks the objective.
//! 2. *Narrow*: halve what lies between the highest rate that holds and the lowest that breaks.
//! 3. *Confirm*: when the two are close enough, probe the one that holds for longer, and the one
//!    that breaks once more.
//!
//! What is unclear is measured for longer, at the same rate, up to [`Settings::longest`]; then the
//! figures as they are decide. A probe in which the tester itself was the limit says nothing of the
//! service: it is repeated once, and then bounds the search from above.
//!
//! The next step follows from the probes so far and nothing else; there is no clock here.
//! Invariants: at most [`Settings::probes_max`] probes and [`Settings::time_max`] of them. No rate
//! that holds lies above one that breaks, for no probe lies below the highest that holds, nor above
//! the lowest that breaks: whatever comes of it, the two still follow each other.

use std::time::Duration;

use super::objective::{LatencyBound, Objective};
use super::verdict::{Evidence, Judgement, Outcome, Verdict, Word};
use crate::load::figures::rate as rate_text;

/// By how much the rate grows as long as the objective is far off.
const GROWTH_FAR: f64 = 4.0;
/// By how much it grows otherwise.
const GROWTH: f64 = 2.0;
/// The objective is far off while latencies are below this share of their bounds.
const FAR: f64 = 0.1;
/// By how much the rate falls until something holds.
const SHRINKING: f64 = 4.0;
/// Fewest arrivals of a probe, as far as [`Settings::longest`] admits.
const ARRIVALS_MIN: f64 = 30.0;

/// How the search goes about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The first rate, arrivals a second.
    pub start: f64,
    /// The lowest rate that is tried.
    pub rate_min: f64,
    /// The highest rate that is tried.
    pub rate_max: f64,
    /// The search ends when the lowest rate that breaks exceeds the highest that holds by no more
    /// than this share.
    pub precision: f64,
    /// Without load before each probe.
    pub pause: Duration,
    /// At the beginning of each probe, not counted.
    pub warm_up: Duration,
    /// What is counted of a probe.
    pub probe: Duration,
    /// What is counted of the probe that confirms the rate found.
    pub confirmation: Duration,
    /// Most time that is counted of one rate before the figures decide as they are.
    pub longest: Duration,
    /// Most probes.
    pub probes_max: usize,
    /// Most time of all, pauses included.
    pub time_max: Duration,
}

/// A search takes as many probes as this as a rule, beside those that confirm, or more…
const PROBES_FEW: u32 = 6;
/// …up to this many; a service that does not do the same all the time takes still more.
const PROBES_MANY: u32 = 20;

impl Settings {
    /// How long a search takes as a rule, at least and at most; never longer than
    /// [`Settings::time_max`].
    pub fn estimate(&self) -> (Duration, Duration) {
        let each = self.pause + self.warm_up + self.probe;
        // The confirmation, and what the last rate takes when it is asked again.
        let last = self.confirmation.min(self.longest) + self.probe;
        let whole = |probes| (each * probes + last).min(self.time_max);
        (whole(PROBES_FEW), whole(PROBES_MANY))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start: 20.0,
            rate_min: 1.0,
            rate_max: 1_000_000.0,
            precision: 0.05,
            pause: Duration::from_secs(1),
            warm_up: Duration::from_secs(2),
            probe: Duration::from_secs(8),
            confirmation: Duration::from_secs(30),
            longest: Duration::from_secs(60),
            probes_max: 60,
            time_max: Duration::from_secs(20 * 60),
        }
    }
}

/// A rate to try.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Arrivals a second.
    pub rate: f64,
    /// Without load before it.
    pub pause: Duration,
    /// At its beginning, not counted.
    pub warm_up: Duration,
    /// What is counted.
    pub measured: Duration,
    /// Why this one, in words.
    pub reason: String,
    /// Whether earlier probes at this rate no longer count.
    pub fresh: bool,
}

impl Probe {
    /// How long there is load.
    pub fn duration(&self) -> Duration {
        self.warm_up + self.measured
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Another probe.
    Probe(Probe),
    /// No more.
    End(Found),
}

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The highest rate that holds the objective; `None` if none does.
    pub rate: Option<f64>,
    /// What lies above it.
    pub above: Above,
    /// Whether a probe of [`Settings::confirmation`] holds at that rate.
    pub confirmed: bool,
    /// Whether that rate was still too close to call after [`Settings::longest`]: its figures are
    /// within the objective, but what they come from need not be.
    pub close: bool,
    /// The same of the rate that breaks: its figures are beyond the objective, but what they come
    /// from need not be.
    pub above_close: bool,
    /// Why the search ended early, if it did.
    pub cut: Option<Cut>,
}

/// What lies above the rate that holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Above {
    /// At this rate the objective broke: the rate and what broke.
    Broke(f64, String),
    /// At this rate the tester itself was the limit: the rate and why.
    Tester(f64, String),
    /// [`Settings::rate_max`] was reached and holds.
    Bound(f64),
    /// Nothing was tried.
    Unknown,
}

/// Why a search ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It was told to.
    Interrupted,
    /// [`Settings::probes_max`] were made.
    Probes,
    /// [`Settings::time_max`] would have been exceeded.
    Time,
}

/// A probe that was made.
#[derive(Debug, Clone)]
struct Made {
    probe: Probe,
    evidence: Evidence,
    tester_limit: Option<String>,
}

/// What is known of a rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Arrivals a second.
    pub rate: f64,
    /// What the search takes it for.
    pub status: Status,
    /// What was measured, of all probes that count.
    pub judgement: Judgement,
    /// What counts of the time at this rate.
    pub measured: Duration,
    /// Probes at this rate, those included that no longer count.
    pub probes: usize,
    /// How often it was begun afresh.
    rounds: usize,
    /// Whether it would be unclear, had it not been measured for the longest time.
    close: bool,
}

/// What the search takes a rate for.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It keeps the objective.
    Holds,
    /// It does not.
    Breaks,
    /// It may be measured for longer.
    Unclear,
    /// The tester itself was the limit, and why.
    Tester(String),
}

impl Standing {
    /// Why the tester itself was the limit, if it was.
    pub fn tester_limit(&self) -> Option<&str> {
        match &self.status {
            Status::Tester(why) => Some(why),
            Status::Holds | Status::Breaks | Status::Unclear => None,
        }
    }

    /// Whether probes at this rate no longer count, later ones being in their place.
    pub fn is_replaced(&self) -> bool {
        self.rounds > 1
    }

    /// What is said of the rate.
    pub fn word(&self) -> Word {
        Word::of(&self.judgement, self.tester_limit().is_some())
    }

    /// `320/s seems to hold`
    fn sentence(&self) -> String {
        let rate = rate_text(self.rate);
        match self.word() {
            Word::TesterLimited => format!("the tester was the limit at {rate}"),
            word => format!("{rate} {}", word.text()),
        }
    }
}

/// Decides which probe comes next.
#[derive(Debug, Clone)]
pub struct Planner {
    objective: Objective,
    settings: Settings,
    made: Vec<Made>,
    /// What is known of each rate, rising.
    standings: Vec<Standing>,
    interrupted: bool,
}

impl Planner {
    /// Nothing was tried yet.
    pub fn new(objective: Objective, settings: Settings) -> Self {
        Self { objective, settings, made: Vec::new(), standings: Vec::new(), interrupted: false }
    }

    /// Takes what a probe gave; returns what it gave by itself, for people to see. What is known of
    /// its rate since is among [`Planner::standings`].
    pub fn take(&mut self, probe: Probe, outcome: &Outcome) -> Judgement {
        self.interrupted |= outcome.interrupted;
        let evidence = Evidence::of(&self.objective, outcome, probe.warm_up, probe.duration());
        let judgement = evidence.judge(&self.objective);
        if outcome.interrupted {
            return judgement;
        }
        let rate = probe.rate;
        self.made.push(Made { probe, evidence, tester_limit: outcome.tester_limit.clone() });
        let standing = self.standing(rate);
        match self.standings.binary_search_by(|known| known.rate.total_cmp(&rate)) {
            Ok(place) => self.standings[place] = standing,
            Err(place) => self.standings.insert(place, standing),
        }
        judgement
    }

    /// What is known of each rate, rising.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// What comes next.
    pub fn next(&self) -> Step {
        if self.interrupted {
            return Step::End(self.found(Some(Cut::Interrupted)));
        }
        let Some(probe) = self.wanted() else {
            return Step::End(self.found(None));
        };
        if self.made.len() >= self.settings.probes_max {
            return Step::End(self.found(Some(Cut::Probes)));
        }
        let spent: Duration =
            self.made.iter().map(|made| made.probe.pause + made.probe.duration()).sum();
        if spent + probe.pause + probe.duration() > self.settings.time_max {
            return Step::End(self.found(Some(Cut::Time)));
        }
        Step::Probe(probe)
    }

    fn standing(&self, rate: f64) -> Standing {
        let (mut evidence, mut measured, mut rounds) = (Evidence::default(), Duration::ZERO, 0);
        let (mut tester, mut probes) = (None, 0);
        for made in self.made.iter().filter(|made| made.probe.rate == rate) {
            if made.probe.fresh {
                (evidence, measured) = (Evidence::default(), Duration::ZERO);
                rounds += 1;
            }
            evidence.absorb(&made.evidence);
            measured += made.probe.measured;
            probes += 1;
            tester.clone_from(&made.tester_limit);
        }
        let judgement = evidence.judge(&self.objective);
        let close = judgement.verdict == Verdict::Unclear;
        let status = match (tester, judgement.verdict) {
            (Some(why), _) => Status::Tester(why),
            (None, Verdict::Unclear) if measured < self.settings.longest => Status::Unclear,
            (None, Verdict::Holds) => Status::Holds,
            (None, Verdict::Unclear) if judgement.seems_to_hold => Status::Holds,
            (None, _) => Status::Breaks,
        };
        Standing { rate, status, judgement, measured, probes, rounds, close }
    }

    /// The probe that is wanted; `None` when there is nothing more to learn.
    fn wanted(&self) -> Option<Probe> {
        let Some(last) = self.made.last() else {
            let start = self.settings.start.clamp(self.settings.rate_min, self.settings.rate_max);
            return Some(self.probe(start, self.settings.probe, "to begin with".to_owned()));
        };
        let field = Field::of(&self.standings);
        let last = self.standings.iter().find(|known| known.rate == last.probe.rate)?;
        if let Some(probe) = self.again(last, &field) {
            return Some(probe);
        }
        match (field.low, field.upper) {
            (Some(low), None) => self.grow(low),
            (None, Some(upper)) => self.shrink(upper),
            (Some(low), Some(upper)) => self.narrow(low, upper),
            (None, None) => None,
        }
    }

    /// The last rate once more, if its probe did not settle it.
    fn again(&self, last: &Standing, field: &Field<'_>) -> Option<Probe> {
        match &last.status {
            Status::Tester(why) if last.rounds == 1 => {
                let reason = format!("the tester was the limit ({why}); once more");
                Some(self.probe(last.rate, self.settings.probe, reason))
            }
            Status::Unclear if field.upper.is_some() || !last.judgement.seems_to_hold => {
                let rest = self.settings.longest.saturating_sub(last.measured);
                let reason = format!("{} is too close to call", last.judgement.because);
                let probe = self.probe(last.rate, last.measured.min(rest), reason);
                Some(Probe { fresh: false, measured: last.measured.min(rest), ..probe })
            }
            _ => None,
        }
    }

    /// Upwards, nothing having broken yet.
    fn grow(&self, low: &Standing) -> Option<Probe> {
        let maximum = self.settings.rate_max;
        if low.rate >= maximum {
            return self.confirm(low);
        }
        let far = |(bound, quantile): (&LatencyBound, &Duration)| {
            quantile.as_secs_f64() < bound.within.as_secs_f64() * FAR
        };
        let far = low.judgement.errors == 0.0
            && self.objective.latencies.iter().zip(&low.judgement.quantiles).all(far);
        let factor = if far { GROWTH_FAR } else { GROWTH };
        let rate = (low.rate * factor).min(maximum);
        Some(self.probe(rate, self.settings.probe, low.sentence()))
    }

    /// Downwards, nothing holding yet.
    fn shrink(&self, upper: &Standing) -> Option<Probe> {
        let reason = upper.sentence();
        if upper.rate > self.settings.rate_min {
            let rate = (upper.rate / SHRINKING).max(self.settings.rate_min);
            return Some(self.probe(rate, self.settings.probe, reason));
        }
        (upper.rounds == 1).then(|| self.probe(upper.rate, self.settings.probe * 2, reason))
    }

    /// Between what holds and what does not, and then those two once more.
    fn narrow(&self, low: &Standing, upper: &Standing) -> Option<Probe> {
        if upper.rate > low.rate * (1.0 + self.settings.precision) {
            let rate = between(low.rate, upper.rate);
            let reason = format!(
                "the limit lies between {} and {}",
                rate_text(low.rate),
                rate_text(upper.rate)
            );
            return Some(self.probe(rate, self.settings.probe, reason));
        }
        if let Some(probe) = self.confirm(low) {
            return Some(probe);
        }
        // A stall may have been the whole reason.
        let doubtful = upper.measured < self.confirmation() || upper.close;
        (upper.status == Status::Breaks && upper.rounds == 1 && doubtful).then(|| {
            let reason = "to see whether it really breaks".to_owned();
            self.probe(upper.rate, self.settings.probe * 2, reason)
        })
    }

    /// What is counted of a probe that confirms: a rate is measured no longer than the longest.
    fn confirmation(&self) -> Duration {
        self.settings.confirmation.min(self.settings.longest)
    }

    fn confirm(&self, low: &Standing) -> Option<Probe> {
        (low.measured < self.confirmation() || low.status != Status::Holds).then(|| {
            let reason = "to confirm it over a longer time".to_owned();
            self.probe(low.rate, self.confirmation(), reason)
        })
    }

    fn probe(&self, rate: f64, measured: Duration, reason: String) -> Probe {
        let least = Duration::from_secs_f64((ARRIVALS_MIN / rate).ceil());
        Probe {
            rate,
            pause: if self.made.is_empty() { Duration::ZERO } else { self.settings.pause },
            warm_up: self.settings.warm_up,
            measured: measured.max(least).min(self.settings.longest),
            reason,
            fresh: true,
        }
    }

    fn found(&self, cut: Option<Cut>) -> Found {
        let field = Field::of(&self.standings);
        let above = match field.upper {
            Some(Standing { rate, status: Status::Tester(why), .. }) => {
                Above::Tester(*rate, why.clone())
            }
            Some(upper) => Above::Broke(upper.rate, upper.judgement.because.clone()),
            None => match field.low {
                Some(low) if low.rate >= self.settings.rate_max => Above::Bound(low.rate),
                _ => Above::Unknown,
            },
        };
        Found {
            rate: field.low.map(|low| low.rate),
            above,
            confirmed: field.low.is_some_and(|low| {
                low.status == Status::Holds && low.measured >= self.confirmation()
            }),
            close: field.low.is_some_and(|low| low.close),
            above_close: field
                .upper
                .is_some_and(|upper| upper.status == Status::Breaks && upper.close),
            cut,
        }
    }
}

/// Where the limit lies.
struct Field<'a> {
    /// The highest rate below `upper` that holds, or seems to.
    low: Option<&'a Standing>,
    /// The lowest rate that breaks, or at which the tester was the limit.
    upper: Option<&'a Standing>,
}

impl<'a> Field<'a> {
    fn of(standings: &'a [Standing]) -> Self {
        let ends = |known: &&Standing| match known.status {
            Status::Breaks => true,
            Status::Tester(_) => known.rounds > 1,
            Status::Holds | Status::Unclear => false,
        };
        let upper = standings.iter().find(ends);
        let below = |known: &&Standing| {
            let holds = match known.status {
                Status::Holds => true,
                Status::Unclear => known.judgement.seems_to_hold,
                Status::Breaks | Status::Tester(_) => false,
            };
            holds && upper.is_none_or(|upper| known.rate < upper.rate)
        };
        Self { low: standings.iter().rev().find(below), upper }
    }
}

/// The middle of two rates, of three digits if such a one lies between.
fn between(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    let unit = 10_f64.powf(middle.log10().floor() - 2.0);
    let round = (middle / unit).round() * unit;
    // Without the dust of a division by a power of ten.
    let round = (round * 1e6).round() / 1e6;
    if round > low && round < high { round } else { middle }
}
