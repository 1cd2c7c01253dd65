//! Where a user is in its group's steps, and what it does next.
//!
//! Invariants: one call of [`User::next`] takes a bounded number of instructions, however a plan
//! loops; every transaction that began ends, but where the user leaves or the iteration is cut off
//! by the run's end.

use std::time::Duration;

use super::program::Op;
use super::run::{Shared, counts};
use super::user::{User, entry};
use super::{Action, condition, pause, template};
use crate::config::bench::model::{
    FeedEnd, FeedOrder, LabelIndex, OnError, Pace, PaceScope, ShareBound, Slot, Template,
};

/// Most instructions of one call. A loop in which nothing is sent and nothing waits pauses after.
const INSTRUCTIONS_MAX: usize = 10_000;
/// How long it pauses then, so that others of its thread come to do something.
const BREATH: Duration = Duration::from_millis(1);
/// Most passes a minute that a pace tells apart.
const PACE_MAX: f64 = 60e9;
/// What a feed gives behind its end, where the plan wants to see it.
const END_OF_FEED: &str = "<EOF>";

/// A place in the steps.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    at: usize,
    /// What was entered and not left, innermost last; as deep as the plan nests.
    frames: Vec<Frame>,
}

/// Something that was entered.
#[derive(Debug)]
enum Frame {
    /// A loop, its round from 0, and how many there are.
    Loop { round: u64, times: Option<u64> },
    /// A transaction.
    Transaction { label: LabelIndex, with_pauses: bool, succeeded: bool },
}

impl Cursor {
    /// Back to the first step, out of everything.
    pub(super) fn restart(&mut self) {
        self.at = 0;
        self.frames.clear();
    }

    /// A request within all transactions that are open did not succeed.
    pub(super) fn fail_transactions(&mut self) {
        for frame in &mut self.frames {
            if let Frame::Transaction { succeeded, .. } = frame {
                *succeeded = false;
            }
        }
    }
}

impl User {
    /// What the user does next. `now` is since the run's start and does not go back.
    ///
    /// After [`Action::IterationEnds`] the next call needs a `begin_iteration` before it; after
    /// [`Action::Leave`] and [`Action::StopRun`] there is none.
    pub fn next<'s>(&mut self, shared: &'s Shared, now: Duration) -> Action<'s> {
        self.now = now;
        if let Some(ending) = self.ending {
            return self.end(ending);
        }
        let program = shared.program(self.group);
        for _ in 0..INSTRUCTIONS_MAX {
            let Some(op) = program.get(self.cursor.at) else {
                return Action::IterationEnds;
            };
            self.cursor.at += 1;
            if let Some(action) = self.act(op, shared) {
                return action;
            }
        }
        Action::Pause(BREATH)
    }

    /// Ends open transactions one by one, and then what a failed request is to end.
    fn end<'s>(&mut self, ending: OnError) -> Action<'s> {
        while let Some(frame) = self.cursor.frames.pop() {
            if let Frame::Transaction { label, with_pauses, succeeded } = frame {
                return Action::TransactionEnds { label, succeeded, with_pauses };
            }
        }
        match ending {
            OnError::Continue | OnError::NextIteration => Action::IterationEnds,
            OnError::StopUser => Action::Leave,
            OnError::StopRun => Action::StopRun,
        }
    }

    /// Does one instruction: something for the engine to do, or nothing.
    fn act<'s>(&mut self, op: &'s Op, shared: &'s Shared) -> Option<Action<'s>> {
        match op {
            Op::Request(request) => return Some(Action::Request(request)),
            Op::Message(message) => return Some(Action::Message(message)),
            Op::Pause(pause) => {
                let pause = pause::length(pause, self, shared);
                return self.waits(pause);
            }
            Op::Pace(pace) => {
                let wait = self.pace(pace, shared);
                return self.waits(wait);
            }
            Op::Set(slot, text) => match template::render(text, self, shared) {
                Ok(value) => self.set(*slot, value.into()),
                Err(problem) => self.stumble(problem),
            },
            Op::Feed(feed) => return self.feed(*feed, shared),
            Op::Repeat { times, counter, end } => {
                self.repeat(times.as_ref(), *counter, *end, shared);
            }
            Op::Round { body, counter } => self.round(*body, *counter),
            Op::Unless { condition, to } => {
                let holds = condition::holds(condition, self, shared);
                let holds = holds.unwrap_or_else(|problem| {
                    self.stumble(problem);
                    false
                });
                if !holds {
                    self.cursor.at = *to;
                }
            }
            Op::Jump(to) => self.cursor.at = *to,
            Op::Choose { sums, starts } => self.choose(sums, starts),
            Op::Interleave { id, starts, end } => self.interleave(*id, starts, *end),
            Op::Share { id, bound, per_user, end } => {
                if !self.is_in_share(*id, bound, *per_user, shared) {
                    self.cursor.at = *end;
                }
            }
            Op::Once { id, end } => {
                if std::mem::replace(entry(&mut self.kept.onces, *id), true) {
                    self.cursor.at = *end;
                }
            }
            Op::Begin { label, with_pauses } => {
                let (label, with_pauses) = (*label, *with_pauses);
                let frame = Frame::Transaction { label, with_pauses, succeeded: true };
                self.cursor.frames.push(frame);
                return Some(Action::TransactionBegins);
            }
            Op::End => {
                if let Some(Frame::Transaction { label, with_pauses, succeeded }) =
                    self.cursor.frames.pop()
                {
                    return Some(Action::TransactionEnds { label, succeeded, with_pauses });
                }
            }
        }
        None
    }

    /// A pause for the engine, if there is anything to wait for.
    fn waits<'s>(&mut self, wait: Result<Duration, String>) -> Option<Action<'s>> {
        match wait {
            Ok(Duration::ZERO) => None,
            Ok(wait) => Some(Action::Pause(wait)),
            Err(problem) => {
                self.stumble(problem);
                None
            }
        }
    }

    fn repeat(
        &mut self,
        times: Option<&Template>,
        counter: Option<Slot>,
        end: usize,
        shared: &Shared,
    ) {
        let times = match times.map(|times| rounds(times, self, shared)) {
            None => None,
            Some(Ok(times)) => times,
            Some(Err(problem)) => {
                self.stumble(problem);
                Some(0)
            }
        };
        if times == Some(0) {
            self.cursor.at = end;
            return;
        }
        self.cursor.frames.push(Frame::Loop { round: 0, times });
        if let Some(counter) = counter {
            self.set(counter, "0".into());
        }
    }

    fn round(&mut self, body: usize, counter: Option<Slot>) {
        let Some(Frame::Loop { round, times }) = self.cursor.frames.last_mut() else { return };
        *round += 1;
        let round = *round;
        if times.is_some_and(|times| round >= times) {
            self.cursor.frames.pop();
            return;
        }
        self.cursor.at = body;
        if let Some(counter) = counter {
            self.set(counter, round.to_string().into());
        }
    }

    fn choose(&mut self, sums: &[f64], starts: &[usize]) {
        let point = self.random.f64() * sums.last().copied().unwrap_or_default();
        // Rounding may put the point on the last sum.
        let chosen = sums.iter().position(|sum| point < *sum).unwrap_or(sums.len() - 1);
        if let Some(start) = starts.get(chosen) {
            self.cursor.at = *start;
        }
    }

    fn interleave(&mut self, id: usize, starts: &[usize], end: usize) {
        let turn = entry(&mut self.kept.interleavings, id);
        let start = starts.get(*turn as usize);
        *turn = if *turn + 1 < starts.len() as u64 { *turn + 1 } else { 0 };
        self.cursor.at = start.copied().unwrap_or(end);
    }

    /// Whether this round of a share counts.
    fn is_in_share(
        &mut self,
        id: usize,
        bound: &ShareBound,
        per_user: bool,
        shared: &Shared,
    ) -> bool {
        if !per_user {
            return shared.share(id, bound);
        }
        let rounds = entry(&mut self.kept.shares, id);
        *rounds += 1;
        counts(bound, *rounds - 1)
    }

    /// Takes a row into its variables, or leaves.
    fn feed<'s>(&mut self, index: usize, shared: &Shared) -> Option<Action<'s>> {
        let feed = shared.plan().feeds.get(index)?;
        let rows = feed.rows.len() as u64;
        let row = match feed.order {
            FeedOrder::Random => self.any_row(rows, shared),
            FeedOrder::InTurn if feed.per_user => {
                let place = entry(&mut self.kept.feeds, index);
                *place += 1;
                *place - 1
            }
            FeedOrder::InTurn => shared.next_row(index),
        };
        let row = match feed.at_end {
            FeedEnd::Again => row.checked_rem(rows).unwrap_or_default(),
            FeedEnd::StopUser if row >= rows => return Some(Action::Leave),
            FeedEnd::StopUser | FeedEnd::Mark => row,
        };
        let row = feed.rows.get(row as usize);
        for (column, slot) in feed.columns.iter().enumerate() {
            match row {
                Some(row) => match row.get(column) {
                    Some(value) => self.set(*slot, value.clone()),
                    None => self.unset(*slot),
                },
                None => self.set(*slot, END_OF_FEED.into()),
            }
        }
        None
    }

    /// Any of the rows that belong to this process; any at all where there are too few to share.
    fn any_row(&mut self, rows: u64, shared: &Shared) -> u64 {
        let (index, of) = (u64::from(shared.plan().part.index), shared.plan().part.of.get());
        let of = if rows < u64::from(of) { 1 } else { u64::from(of) };
        let first = if of == 1 { 0 } else { index };
        let mine = rows.saturating_sub(first).div_ceil(of);
        first + self.random.u64(0..mine.max(1)) * of
    }

    /// How long the user waits for its turn.
    fn pace(&mut self, pace: &Pace, shared: &Shared) -> Result<Duration, String> {
        let per_minute = template::number(&pace.per_minute, self, shared)?;
        if per_minute.is_nan() || per_minute <= 0.0 {
            return Err(format!("a pace of {per_minute} a minute never lets anyone pass"));
        }
        let interval = Duration::try_from_secs_f64(60.0 / per_minute.min(PACE_MAX));
        let interval = interval.unwrap_or(Duration::MAX);
        let turn = match pace.scope {
            PaceScope::User => {
                let free = entry(&mut self.kept.paces, pace.id);
                let turn = self.now.max(*free);
                *free = turn.saturating_add(interval);
                turn
            }
            scope => shared.pace(pace.id, scope, self.group, self.now, interval),
        };
        Ok(turn.saturating_sub(self.now))
    }
}

/// How often a loop is done: a whole number, or for ever if it is below zero, as JMeter has it.
fn rounds(times: &Template, user: &mut User, shared: &Shared) -> Result<Option<u64>, String> {
    let text = template::text(times, user, shared)?;
    let times = text.trim().parse::<i64>();
    let times = times.map_err(|_| format!("“{text}” is no whole number of rounds"))?;
    Ok(u64::try_from(times).ok())
}

#[cfg(test)]
mod tests;
