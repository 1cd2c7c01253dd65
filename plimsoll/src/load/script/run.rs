//! What the users of all threads share: the plan, and places in feeds, counters, shares and paces.
//!
//! Places are atomics that users of every thread write and read; nothing else changes during a run.
//! Several processes may run one plan together (see `Part`): each takes its own rows and counter
//! values without knowing of the others, and its part of shares that are bounded and of paces.
//!
//! Invariants: no row in turn and no value of a counter goes to two users, unless all were used.
//! Left out: what a single user keeps to itself (see `user`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::program::{Census, Op, compile};
use crate::config::bench::model::{Cookies, Group, PaceScope, Pattern, Plan, ShareBound, Slot};

/// What the run is told of its surroundings, so that nothing in here has to ask.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The wall clock at the run's start; times since then are added to it.
    pub started_at: Timestamp,
    /// Where random choices begin.
    pub seed: u64,
    /// The zone that dates are written in.
    pub zone: TimeZone,
    /// The name of this machine.
    pub machine: String,
}

/// One for each run, shared by its threads.
#[derive(Debug)]
pub struct Shared {
    plan: Arc<Plan>,
    /// Instructions of each group.
    programs: Vec<Vec<Op>>,
    /// Of each group: whether cookies are kept.
    cookies: Vec<bool>,
    surroundings: Surroundings,
    slots: HashMap<String, Slot>,
    census: Census,
    /// Of each feed: rows that were taken here.
    feeds: Vec<AtomicU64>,
    /// Of each call: values that were taken here.
    counters: Vec<AtomicU64>,
    /// Of each share: rounds that came by.
    shares: Vec<AtomicU64>,
    /// Of each pace and group (and the whole plan): the next free time, nanoseconds of the run.
    paces: Vec<AtomicU64>,
}

impl Shared {
    /// For a run of a plan.
    pub fn new(plan: Arc<Plan>, surroundings: Surroundings) -> Self {
        let mut census = Census::of_variables(&plan);
        let programs: Vec<_> =
            plan.groups.iter().map(|group| compile(&group.steps, &mut census)).collect();
        let cookies = plan.groups.iter().zip(&programs);
        let cookies = cookies.map(|(group, program)| cookies_matter(group, program)).collect();
        let slots = plan.variables.iter().enumerate();
        let slots = slots.map(|(slot, one)| (one.name.clone(), slot)).collect();
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            feeds: zeros(plan.feeds.len()),
            counters: zeros(census.calls),
            shares: zeros(census.shares),
            paces: zeros(census.paces * (programs.len() + 1)),
            plan,
            programs,
            cookies,
            surroundings,
            slots,
            census,
        }
    }

    /// The plan that is run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The instructions of a group.
    pub(super) fn program(&self, group: usize) -> &[Op] {
        self.programs.get(group).map_or(&[], Vec::as_slice)
    }

    /// Whether users of a group keep cookies. Not where none could ever be sent back.
    pub(super) fn keeps_cookies(&self, group: usize) -> bool {
        self.cookies.get(group).copied().unwrap_or(false)
    }

    /// What the run was told of its surroundings.
    pub(super) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The wall clock at a time of the run.
    pub(super) fn wall(&self, now: Duration) -> Timestamp {
        let since = SignedDuration::try_from(now).unwrap_or(SignedDuration::MAX);
        self.surroundings.started_at.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// The slot of a variable by its name.
    pub(super) fn slot(&self, name: &str) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    /// Whether variables without a slot may be asked for.
    pub(super) fn asks_by_name(&self) -> bool {
        self.census.by_name
    }

    /// Whether one of the plan's expressions matches a text as a whole.
    pub(super) fn matches_whole(&self, pattern: &Pattern, text: &str) -> bool {
        match self.census.whole.get(pattern.0.as_str()) {
            Some(anchored) => anchored.is_match(text),
            // It could not be anchored, so that its leftmost match must do.
            None => pattern.0.find(text).is_some_and(|found| found.len() == text.len()),
        }
    }

    /// Where a user's random choices begin: far from those of its neighbours.
    pub(super) fn seed(&self, group: usize, number: u64) -> u64 {
        let part = u64::from(self.plan.part.index);
        [part, group as u64, number].into_iter().fold(self.surroundings.seed, |seed, of| {
            // SplitMix64 (Steele, Lea, Flood 2014): neighbours in, strangers out.
            let mut mixed = (seed ^ of).wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }

    /// The number of the next row of a feed, counted over all processes.
    pub(super) fn next_row(&self, feed: usize) -> u64 {
        self.feeds.get(feed).map_or(0, |place| self.turn(place))
    }

    /// The next value of a counter, from 1.
    pub(super) fn count(&self, id: usize) -> u64 {
        self.counters.get(id).map_or(1, |place| self.turn(place) + 1)
    }

    /// Takes the next turn, of those that belong to this process.
    fn turn(&self, place: &AtomicU64) -> u64 {
        let part = self.plan.part;
        let turn = place.fetch_add(1, Ordering::Relaxed);
        turn.wrapping_mul(u64::from(part.of.get())).wrapping_add(u64::from(part.index))
    }

    /// Whether this round of a share counts.
    pub(super) fn share(&self, id: usize, bound: &ShareBound) -> bool {
        let round = self.shares.get(id).map_or(0, |place| place.fetch_add(1, Ordering::Relaxed));
        match bound {
            ShareBound::Percent(_) => counts(bound, round),
            ShareBound::Times(times) => {
                let (part, of) = (self.plan.part.index, u64::from(self.plan.part.of.get()));
                let mine = times / of + u64::from(u64::from(part) < times % of);
                round < mine
            }
        }
    }

    /// Takes the next free time of a pace that many users share, at or after `now`, and leaves
    /// `interval` free behind it; processes that run the plan together leave as much more.
    pub(super) fn pace(
        &self,
        id: usize,
        scope: PaceScope,
        group: usize,
        now: Duration,
        interval: Duration,
    ) -> Duration {
        let column = if scope == PaceScope::Plan { self.programs.len() } else { group };
        let Some(place) = self.paces.get(id * (self.programs.len() + 1) + column) else {
            return now;
        };
        let interval = nanos(interval).saturating_mul(u64::from(self.plan.part.of.get()));
        let now = nanos(now);
        let next = |free: u64| Some(free.max(now).saturating_add(interval));
        let free = match place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(free) | Err(free) => free,
        };
        Duration::from_nanos(free.max(now))
    }
}

/// Whether a cookie that a user of the group is given could come to be sent back: it is kept beyond
/// the iteration, or more than one request may follow each other within.
fn cookies_matter(group: &Group, program: &[Op]) -> bool {
    let is_fresh = group.fresh_users || group.cookies == Cookies::FreshEachIteration;
    let may_follow = || match program {
        [Op::Request(request)] => request.redirects_max > 0,
        _ => true,
    };
    group.cookies != Cookies::Ignored && (!is_fresh || may_follow())
}

/// Whether a round (from 0) is one of those that count.
pub(super) fn counts(bound: &ShareBound, round: u64) -> bool {
    match bound {
        // The line `round * percent / 100` rises by one wherever a round counts. The half makes the
        // first round count from 50 % on; the rounded product of tenths of percents stays exact.
        ShareBound::Percent(percent) => {
            let level =
                |round: u64| (round as f64 * percent.clamp(0.0, 100.0) / 100.0 + 0.5).floor();
            level(round + 1) > level(round)
        }
        ShareBound::Times(times) => round < *times,
    }
}

/// Nanoseconds, at most those that fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
