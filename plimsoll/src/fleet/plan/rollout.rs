//! Replacing instances one at a time: for a restart, for a changed command, for a ceiling.
//!
//! Each replacement is a surge: a new instance starts beside the old one, and only when it is
//! ready the old one drains and stops. A new instance that does not become ready is taken away
//! and the old ones stay. After a changed command failed, instances that already run it are
//! brought back to the former one in the same way.

use std::time::Duration;

use super::{Action, Planned, Planner, Stage, Step};

/// Deaths before its first healthy check that make a replacement a failure. One is forgiven:
/// another process may have taken its port.
const DEATHS_MAX: u32 = 2;
/// How long an instance beyond a ceiling is left alone after its replacement failed.
const RECYCLE_PAUSE: Duration = Duration::from_secs(60);

/// Why the instances of a service are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for a restart.
    Restart,
    /// The command or what belongs to it changed.
    Change,
    /// A change failed.
    RollBack,
}

/// A restart or change under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub cause: Cause,
    /// Pairs of numbers, old and new, that are done.
    pub replaced: Vec<(u32, u32)>,
}

/// A pair of instances of which the new one takes the old one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pub old: u32,
    pub new: u32,
    /// Because of a ceiling, not of a rollout.
    recycles: bool,
}

/// A rollout is under way already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl Planner {
    /// Replaces all instances by new ones of the same command. Returns the new generation.
    ///
    /// # Errors
    /// While another restart or change is under way.
    pub fn restart(&mut self) -> Result<u64, Busy> {
        if self.rollout.is_some() {
            return Err(Busy);
        }
        Ok(self.begin(Cause::Restart))
    }

    /// Replaces all instances by ones of a new command. Returns its generation. A rollout under
    /// way goes on towards the new one; what a failure goes back to stays what it was.
    pub fn change(&mut self) -> u64 {
        self.begin(Cause::Change)
    }

    fn begin(&mut self, cause: Cause) -> u64 {
        self.newest += 1;
        self.generation = self.newest;
        self.rollout = Some(Rollout { cause, replaced: Vec::new() });
        self.newest
    }

    /// Follows the pair that is under way.
    pub fn advance_replacement(&mut self, now: Duration, steps: &mut Vec<Step>) {
        let Some(pair) = self.replacement.clone() else { return };
        let Some(new) = self.instances.get(&pair.new).filter(|new| !new.leaving) else {
            self.replacement = None;
            return;
        };
        let Some(old) = self.instances.get(&pair.old) else {
            if let Some(rollout) = self.rollout.as_mut().filter(|_| !pair.recycles) {
                rollout.replaced.push((pair.old, pair.new));
            }
            self.replacement = None;
            return;
        };
        if old.leaving {
            return;
        }
        if new.stage == Stage::Ready {
            let reason = format!("{}-{} takes its place", self.service, pair.new);
            self.retire(pair.old, now, &reason, steps);
        } else if new.timed_out || new.deaths >= DEATHS_MAX {
            let why = new.last_exit.clone().or_else(|| new.failure.clone()).unwrap_or_default();
            self.fail_replacement(&pair, &why, now, steps);
        } else if new.generation != self.generation {
            self.replacement = None;
            self.retire(pair.new, now, "superseded by a newer change", steps);
        }
    }

    fn fail_replacement(
        &mut self,
        pair: &Replacement,
        why: &str,
        now: Duration,
        steps: &mut Vec<Step>,
    ) {
        self.replacement = None;
        let old = format!("{}-{}", self.service, pair.old);
        if pair.recycles {
            self.recycle_after = now + RECYCLE_PAUSE;
            let reason = format!("{why}; {old} goes on");
            steps.push(Step { number: Some(pair.new), action: Action::AbandonRecycle, reason });
        } else {
            self.roll_back(pair.new, why, steps);
        }
        self.retire(pair.new, now, &format!("failed to replace {old}"), steps);
    }

    /// Gives up the rollout because of instance `number`.
    fn roll_back(&mut self, number: u32, why: &str, steps: &mut Vec<Step>) {
        let Some(rollout) = self.rollout.take() else { return };
        match rollout.cause {
            Cause::Change => {
                self.generation = self.good;
                let good = self.good;
                let runs_it = self.instances.iter().any(|(other, one)| {
                    let down = matches!(one.stage, Stage::Backoff { .. });
                    *other != number && !one.leaving && !down && one.generation > good
                });
                if runs_it {
                    self.rollout = Some(Rollout { cause: Cause::RollBack, replaced: Vec::new() });
                }
            }
            Cause::Restart => self.good = self.generation,
            Cause::RollBack => {}
        }
        let action = Action::RollBack(rollout);
        steps.push(Step { number: Some(number), action, reason: why.to_owned() });
    }

    /// Takes the next instance of a rollout, when all of the new generation are ready.
    pub fn advance_rollout(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if self.wanted == 0
            && let Some(rollout) = self.rollout.take()
        {
            let reason = "the service stops".to_owned();
            steps.push(Step { number: None, action: Action::AbortRollout(rollout), reason });
        }
        if self.replacement.is_some() || self.rollout.is_none() {
            return;
        }
        self.renew_what_is_down(now, steps);
        let current = |one: &&Planned| !one.leaving && one.generation == self.generation;
        let failed = self
            .instances
            .iter()
            .find(|(_, one)| current(one) && (one.timed_out || one.deaths >= DEATHS_MAX));
        if let Some((number, failed)) = failed {
            let why = failed.last_exit.clone().or_else(|| failed.failure.clone());
            return self.roll_back(*number, &why.unwrap_or_default(), steps);
        }
        if self.instances.values().filter(current).any(|one| one.stage != Stage::Ready) {
            return;
        }
        let outdated = |one: &&Planned| !one.leaving && self.is_outdated(one.generation);
        let next = self
            .instances
            .iter()
            .filter(|(_, one)| outdated(one))
            .min_by_key(|(_, one)| one.order)
            .map(|(number, one)| (*number, one.stage));
        match next {
            Some((old, Stage::Ready | Stage::Starting)) => {
                let new = self.start_new(now, format!("replaces {}-{old}", self.service), steps);
                self.replacement = Some(Replacement { old, new, recycles: false });
            }
            // It ended or is ending, and is renewed when it starts again.
            Some(_) => {}
            None => self.finish(steps),
        }
    }

    fn finish(&mut self, steps: &mut Vec<Step>) {
        if let Some(rollout) = self.rollout.take() {
            self.good = self.generation;
            let reason = format!("{} replaced", rollout.replaced.len());
            let action = Action::FinishRollout(rollout);
            steps.push(Step { number: None, action, reason });
        }
    }

    /// What went before a restart is older; what a failed change brought is newer.
    fn is_outdated(&self, generation: u64) -> bool {
        match self.rollout.as_ref().map(|rollout| rollout.cause) {
            Some(Cause::RollBack) => generation > self.generation,
            _ => generation < self.generation,
        }
    }

    /// Instances that wait for their next start serve nobody: they start at once, anew.
    fn renew_what_is_down(&mut self, now: Duration, steps: &mut Vec<Step>) {
        let generation = self.generation;
        let is_down = |one: &Planned| {
            matches!(one.stage, Stage::Backoff { .. }) && one.generation != generation
        };
        let down = self.instances.iter().filter(|(_, one)| is_down(one));
        let down: Vec<u32> = down.map(|(number, _)| *number).collect();
        for number in down {
            if let Some(one) = self.instances.get_mut(&number) {
                one.generation = generation;
                one.stage = Stage::Backoff { until: now };
                one.deaths = 0;
                one.timed_out = false;
            }
            if let Some(rollout) = &mut self.rollout {
                rollout.replaced.push((number, number));
            }
            self.advance_backoff(number, now, now, steps);
        }
    }

    /// Replaces an instance that went beyond a ceiling. One that does so right after its start
    /// is left alone for `reset_after`: a ceiling below what the service needs must not keep it
    /// restarting without pause.
    pub fn recycle(&mut self, now: Duration, steps: &mut Vec<Step>) {
        let busy = self.replacement.is_some() || self.rollout.is_some();
        if busy || self.wanted == 0 || now < self.recycle_after {
            return;
        }
        let memory = self.policy.max_memory_bytes.unwrap_or(u64::MAX);
        let requests = self.policy.max_requests.unwrap_or(u64::MAX);
        let beyond = self.instances.iter().find_map(|(number, one)| {
            let young = now.saturating_sub(one.started) < self.policy.restart.reset_after;
            if one.leaving || one.stage != Stage::Ready || young {
                return None;
            }
            let served = one.served();
            if one.memory_bytes > memory {
                let used = one.memory_bytes;
                return Some((
                    *number,
                    format!("uses {used} bytes of memory, at most {memory} allowed"),
                ));
            }
            (served >= requests)
                .then(|| (*number, format!("served {served} requests of {requests} allowed")))
        });
        if let Some((old, why)) = beyond {
            let reason = format!("replaces {}-{old}, which {why}", self.service);
            let new = self.start_new(now, reason, steps);
            self.replacement = Some(Replacement { old, new, recycles: true });
        }
    }
}
