//! When iterations begin and users come: the arithmetic of stages.
//!
//! A rate that follows stages has a cumulative count, which is a parabola in each stage; arrival
//! `i` of evenly spaced ones lies where that count reaches `i + ½`, arrivals of a Poisson process
//! where it reaches sums of exponential numbers. Times come from the count and not from the time
//! before, so that no error adds up, and the number of arrivals of a run is exact.
//!
//! Several threads and processes share one sequence: each takes the arrivals of its [`Share`].
//! Poisson processes are drawn by each of them at its part of the rate; their union is one of the
//! whole rate.
//!
//! Invariants: times rise; reading them reads no clock. Left out: what happens when a time has come
//! (see `engine::pacer`).

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use crate::config::bench::model::{Arrivals, Part, Spacing, Stage};

/// Every `of`-th of a sequence, from the `index`-th on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From 0, below `of`.
    pub index: u64,
    /// How many shares there are, at least 1.
    pub of: u64,
}

impl Share {
    /// That of a thread of a process that makes `part` of the load. Other processes may have other
    /// numbers of threads.
    pub fn of_thread(part: Part, thread: usize, threads: usize) -> Self {
        let parts = u64::from(part.of.get());
        Self {
            index: u64::from(part.index) + parts * thread as u64,
            of: parts * threads.max(1) as u64,
        }
    }

    /// Those of the first `count` that are in it, where `together` that follow each other stay
    /// together.
    pub fn members(self, count: u64, together: u64) -> impl Iterator<Item = u64> {
        let blocks = self.size(count.div_ceil(together));
        (0..blocks).flat_map(move |ordinal| {
            let first = (self.index + self.of * ordinal) * together;
            first..(first + together).min(count)
        })
    }

    /// How many of the first `count` are in it.
    pub fn size(self, count: u64) -> u64 {
        count.saturating_sub(self.index).div_ceil(self.of)
    }
}

/// One stage, with what came before it.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Seconds since the start.
    start: f64,
    /// Seconds; infinite for no end.
    lasting: f64,
    from: f64,
    /// Change of the level in a second.
    slope: f64,
    /// The count at its start.
    before: f64,
    /// The count within it.
    count: f64,
}

/// A level over time, and its integral.
#[derive(Debug, Clone)]
pub struct Curve(Arc<[Piece]>);

impl Curve {
    /// Of stages, one after the other.
    pub fn new(stages: &[Stage]) -> Self {
        let (mut start, mut before) = (0.0, 0.0);
        let pieces = stages.iter().filter(|stage| !stage.lasting.is_zero()).map(|stage| {
            let (from, to) = (stage.from.max(0.0), stage.to.max(0.0));
            let endless = stage.lasting == Duration::MAX;
            let lasting = if endless { f64::INFINITY } else { stage.lasting.as_secs_f64() };
            let slope = if endless { 0.0 } else { (to - from) / lasting };
            // Nothing for ever is nothing.
            let count = if endless && from == 0.0 {
                0.0
            } else if endless {
                f64::INFINITY
            } else {
                f64::midpoint(from, to) * lasting
            };
            let piece = Piece { start, lasting, from, slope, before, count };
            start += lasting;
            before += count;
            piece
        });
        Self(pieces.collect())
    }

    /// How long the stages last; `None` for no end.
    pub fn lasting(&self) -> Option<Duration> {
        self.0.last().map_or(Some(Duration::ZERO), |last| duration(last.start + last.lasting))
    }

    /// The level at a time; 0 after the end.
    pub fn level(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        let piece = self.0.iter().find(|piece| at < piece.start + piece.lasting);
        piece.map_or(0.0, |piece| piece.from + piece.slope * (at - piece.start).max(0.0))
    }

    /// The highest level that there ever is.
    pub fn highest(&self) -> f64 {
        self.0.iter().fold(0.0, |highest, piece| {
            let end = if piece.slope > 0.0 { piece.slope * piece.lasting } else { 0.0 };
            f64::max(highest, piece.from + end)
        })
    }

    /// When the count reaches `count`, looking no further back than the piece at `place`, which is
    /// moved on.
    fn reaches(&self, count: f64, place: &mut usize) -> Option<Duration> {
        while let Some(piece) = self.0.get(*place) {
            let within = count - piece.before;
            if within < piece.count {
                return duration(piece.start + piece.time_of(within.max(0.0)));
            }
            *place += 1;
        }
        None
    }

    /// When the level is above `floor`: from and until, in order, `None` for no end.
    pub fn above(&self, floor: f64) -> Vec<(Duration, Option<Duration>)> {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        for piece in self.0.iter() {
            let Some((from, until)) = piece.above(floor) else { continue };
            let (from, until) = (piece.start + from, piece.start + until);
            match spans.last_mut() {
                Some(last) if last.1 >= from => last.1 = until,
                _ => spans.push((from, until)),
            }
        }
        let span = |(from, until)| Some((duration(from)?, duration(until)));
        spans.into_iter().filter_map(span).collect()
    }
}

impl Piece {
    /// Seconds from its start until it has counted `count`, which is below its whole count.
    fn time_of(&self, count: f64) -> f64 {
        // The root of slope/2·t² + from·t = count, in the form that neither divides by a slope of 0
        // nor takes the difference of near numbers.
        let root = (self.from * self.from + 2.0 * self.slope * count).max(0.0).sqrt();
        let divisor = self.from + root;
        if divisor > 0.0 { (2.0 * count / divisor).min(self.lasting) } else { 0.0 }
    }

    /// Seconds from its start between which the level is above `floor`.
    fn above(&self, floor: f64) -> Option<(f64, f64)> {
        let crossing = (floor - self.from) / self.slope;
        let (from, until) = if self.slope > 0.0 {
            (crossing.max(0.0), self.lasting)
        } else if self.slope < 0.0 {
            (0.0, crossing.min(self.lasting))
        } else if self.from > floor {
            (0.0, self.lasting)
        } else {
            return None;
        };
        (from < until).then_some((from, until))
    }
}

/// Of seconds; `None` where there is no such duration.
fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// The times at which iterations begin, since the start, rising.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Even { curve: Curve, place: usize, next: u64, step: u64 },
    Poisson { curve: Curve, place: usize, sum: f64, scale: f64, random: Rng },
    Recorded { times: Arc<[Duration]>, next: u64, step: u64 },
}

impl Schedule {
    /// The share's arrivals. `seed` must be another one for each share.
    pub fn new(arrivals: &Arrivals, share: Share, seed: u64) -> Self {
        Self(match arrivals {
            Arrivals::Scheduled { stages, spacing: Spacing::Even } => Kind::Even {
                curve: Curve::new(stages),
                place: 0,
                next: share.index,
                step: share.of,
            },
            Arrivals::Scheduled { stages, spacing: Spacing::Poisson } => Kind::Poisson {
                curve: Curve::new(stages),
                place: 0,
                sum: 0.0,
                scale: share.of as f64,
                random: Rng::with_seed(seed),
            },
            Arrivals::Recorded(times) => {
                Kind::Recorded { times: Arc::clone(times), next: share.index, step: share.of }
            }
        })
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        match &mut self.0 {
            Kind::Even { curve, place, next, step } => {
                let time = curve.reaches(*next as f64 + 0.5, place);
                *next += *step;
                time
            }
            Kind::Poisson { curve, place, sum, scale, random } => {
                // 1 - x is never 0, whose logarithm is infinite.
                *sum -= (1.0 - random.f64()).ln() * *scale;
                curve.reaches(*sum, place)
            }
            Kind::Recorded { times, next, step } => {
                let time = times.get(usize::try_from(*next).ok()?).copied();
                *next = next.saturating_add(*step);
                time
            }
        }
    }
}

/// How long arrivals go on; `None` for no end.
pub fn lasting(arrivals: &Arrivals) -> Option<Duration> {
    match arrivals {
        Arrivals::Scheduled { stages, .. } => Curve::new(stages).lasting(),
        // The last one is due at the very end.
        Arrivals::Recorded(times) => Some(times.last().copied().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
