//! When which target is scraped.
//!
//! A target's ticks are the times that leave a certain rest when divided by its interval, the rest
//! being a hash of the target: so a fleet is not asked at once, ticks are the same after a restart,
//! and two targets keep their distance (as in Prometheus). A tick at which the scrape before it is
//! still going on is skipped and counted: slow targets never pile up.
//!
//! Invariants: a target is due at most once for each tick, and never while it is being scraped; the
//! work of a decision is that of the targets that are due. A clock that is set back or ahead moves
//! the ticks with it. Times are milliseconds since 1970.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Which target; given out by the caller.
pub(super) type Id = u64;

/// A scrape that starts late by less than this part of the interval counts as being on time: times at
/// equal distances take half the room in the store, and a rate errs by as little.
const LATE_PART: i64 = 100;

/// All ticks.
#[derive(Debug, Default)]
pub(super) struct Plan {
    cadences: HashMap<Id, Cadence>,
    /// The next tick of each target.
    queue: BTreeSet<(i64, Id)>,
    /// When it was last asked.
    asked_at: i64,
}

#[derive(Debug)]
struct Cadence {
    every: i64,
    /// The rest that ticks leave, below `every`.
    phase: i64,
    next: i64,
    is_running: bool,
}

/// A target whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// Which.
    pub id: Id,
    /// The tick.
    pub tick: i64,
    /// What is to be done.
    pub decision: Decision,
    /// Ticks that have passed unnoticed before this one (the machine slept, or was too busy).
    pub missed: u64,
}

/// What is to be done with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is scraped; [`Plan::ended`] must follow.
    Scrape,
    /// The scrape before is still going on.
    Skip,
}

impl Cadence {
    /// The first tick after `now`.
    fn after(&self, now: i64) -> i64 {
        now + self.every - (now - self.phase).rem_euclid(self.every)
    }
}

impl Plan {
    /// Takes a target in, or its interval if it changed; with the same interval it goes on.
    pub(super) fn set(&mut self, id: Id, every: Duration, hash: u64, now: i64) {
        let every = (every.as_millis() as i64).max(1);
        let known = self.cadences.get(&id);
        if known.is_some_and(|cadence| cadence.every == every) {
            return;
        }
        let is_running = known.is_some_and(|cadence| cadence.is_running);
        self.remove(id);
        let phase = (hash % every.cast_unsigned()).cast_signed();
        let mut cadence = Cadence { every, phase, next: 0, is_running };
        cadence.next = cadence.after(now);
        self.queue.insert((cadence.next, id));
        self.cadences.insert(id, cadence);
    }

    /// Forgets a target.
    pub(super) fn remove(&mut self, id: Id) {
        if let Some(cadence) = self.cadences.remove(&id) {
            self.queue.remove(&(cadence.next, id));
        }
    }

    /// The targets whose time has come, in the order of their ticks.
    pub(super) fn due(&mut self, now: i64) -> Vec<Due> {
        if now < self.asked_at {
            self.realign(now);
        }
        self.asked_at = now;
        let mut due = Vec::new();
        while let Some(&(next, id)) = self.queue.first().filter(|(next, _)| *next <= now) {
            self.queue.remove(&(next, id));
            let Some(cadence) = self.cadences.get_mut(&id) else { continue };
            cadence.next = cadence.after(now);
            let tick = cadence.next - cadence.every;
            let missed = ((tick - next) / cadence.every).max(0).cast_unsigned();
            let decision = if cadence.is_running { Decision::Skip } else { Decision::Scrape };
            cadence.is_running = true;
            self.queue.insert((cadence.next, id));
            due.push(Due { id, tick, decision, missed });
        }
        due
    }

    /// A scrape has ended. Who has nothing to tell rests: its next tick is the first after `rest`.
    pub(super) fn ended(&mut self, id: Id, rest: Option<Duration>, now: i64) {
        let Some(cadence) = self.cadences.get_mut(&id) else { return };
        cadence.is_running = false;
        if let Some(rest) = rest {
            self.queue.remove(&(cadence.next, id));
            cadence.next = cadence.after(now.saturating_add(rest.as_millis() as i64));
            self.queue.insert((cadence.next, id));
        }
    }

    /// The next tick of all.
    pub(super) fn next(&self) -> Option<i64> {
        self.queue.first().map(|(next, _)| *next)
    }

    /// After the clock was set back: ticks of before would be far away. Who rests is asked early,
    /// once.
    fn realign(&mut self, now: i64) {
        self.queue.clear();
        for (id, cadence) in &mut self.cadences {
            cadence.next = cadence.after(now);
            self.queue.insert((cadence.next, *id));
        }
    }
}

/// The time that samples get of a scrape that begins at `now` for a tick: the tick, unless it is
/// too long ago.
pub(super) fn stamp(tick: i64, now: i64, every: Duration) -> i64 {
    let late_max = every.as_millis() as i64 / LATE_PART;
    if (0..=late_max).contains(&(now - tick)) { tick } else { now }
}

/// A number that is the same for the same parts, on every machine and after every start (FNV-1a, with
/// a final mix because few bits would be spread otherwise).
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // A byte that is no UTF-8 stands between the parts.
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests;
