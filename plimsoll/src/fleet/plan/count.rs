//! As many instances as are wanted: starting what is missing, taking away what is too much.

use std::time::Duration;

use super::{Action, Planned, Planner, Stage, Step};

impl Planner {
    /// Starts what is missing, takes away what is too much.
    pub(super) fn fit_count(&mut self, now: Duration, steps: &mut Vec<Step>) {
        let wanted = self.wanted as usize;
        // Ends: each turn adds an instance or makes one leave.
        while self.settled_count() < wanted {
            let reason = format!("{} of {wanted}", self.settled_count() + 1);
            self.start_new(now, reason, steps);
        }
        while self.settled_count() > wanted {
            let Some(number) = self.least_needed() else { return };
            let reason = match wanted {
                0 => "no longer wanted".to_owned(),
                _ => format!("{wanted} wanted, {} there", self.settled_count()),
            };
            self.retire(number, now, &reason, steps);
        }
    }

    /// Instances that stay, with a pair of old and replacement counted once.
    fn settled_count(&self) -> usize {
        let stays = |number: &u32| self.instances.get(number).is_some_and(|one| !one.leaving);
        let staying = self.instances.values().filter(|instance| !instance.leaving).count();
        let pair = self.replacement.as_ref().filter(|pair| stays(&pair.old) && stays(&pair.new));
        staying - usize::from(pair.is_some())
    }

    /// The instance to take away first: one that does not serve, then one of an old generation,
    /// then the one of the highest number.
    fn least_needed(&self) -> Option<u32> {
        let replacing = self.replacement.as_ref().map(|pair| pair.new);
        self.instances
            .iter()
            .filter(|(_, instance)| !instance.leaving)
            .max_by_key(|(number, instance)| {
                let serves = instance.stage == Stage::Ready;
                let old = instance.generation != self.generation;
                (Some(**number) != replacing, !serves, old, **number)
            })
            .map(|(number, _)| *number)
    }

    /// Starts an instance under the lowest free number.
    pub(super) fn start_new(
        &mut self,
        now: Duration,
        reason: String,
        steps: &mut Vec<Step>,
    ) -> u32 {
        let mut number = 1;
        while self.instances.contains_key(&number) {
            number += 1;
        }
        self.starts += 1;
        let instance = Planned {
            stage: Stage::Starting,
            generation: self.generation,
            restarts: 0,
            crash_loop: false,
            last_exit: None,
            leaving: false,
            order: self.starts,
            started: now,
            was_ready: false,
            timed_out: false,
            deaths: 0,
            failure: None,
            end: String::new(),
            end_reported: String::new(),
            gone: false,
            traffic: None,
            quiet_since: None,
            requests_before: None,
            memory_bytes: 0,
        };
        let action = Action::Start { generation: instance.generation };
        self.instances.insert(number, instance);
        steps.push(Step { number: Some(number), action, reason });
        number
    }

    /// Takes an instance away for good, as gently as its stage asks for.
    pub(super) fn retire(&mut self, number: u32, now: Duration, why: &str, steps: &mut Vec<Step>) {
        let Some(instance) = self.instances.get_mut(&number) else { return };
        instance.leaving = true;
        let stop_timeout = self.policy.stop_timeout;
        let reason = why.to_owned();
        let action = match instance.stage {
            Stage::Ready => {
                instance.stage = Stage::Draining { until: now + stop_timeout };
                // Only what is seen from now on says that it drained.
                instance.quiet_since = None;
                Action::MarkDraining
            }
            Stage::Starting => {
                instance.stage = Stage::Stopping { kill_at: now + stop_timeout };
                Action::Terminate
            }
            Stage::Backoff { .. } => {
                self.instances.remove(&number);
                Action::Remove
            }
            Stage::Draining { .. }
            | Stage::Stopping { .. }
            | Stage::Killed
            | Stage::Exited { .. } => {
                return;
            }
        };
        steps.push(Step { number: Some(number), action, reason });
    }
}
