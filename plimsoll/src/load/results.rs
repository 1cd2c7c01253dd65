//! What a run found out: everything that reports, comparisons and thresholds are made of.
//!
//! Invariants: figures are sums (see `tally`), so that results of several processes join exactly;
//! nothing here is rounded for people.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::tally::{Latencies, Tally};
use super::timeline::Timeline;

/// Most instances that are told apart; further ones count as [`OTHER_INSTANCES`].
pub const INSTANCES_MAX: usize = 256;
/// What further instances are called.
pub const OTHER_INSTANCES: &str = "(others)";

/// What a run found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What was run.
    pub run: Run,
    /// All requests.
    pub total: Tally,
    /// By label, in the plan's order. Requests only.
    pub labels: Vec<(String, Tally)>,
    /// Transactions by label: `requests` are rounds, `response_time` what they took.
    pub transactions: Vec<(String, Tally)>,
    /// By instance, if the plan says how to tell and answers did; at most [`INSTANCES_MAX`] and one.
    pub instances: BTreeMap<String, Tally>,
    /// Answers that named no instance while others did.
    pub unnamed: u64,
    /// Checks by name: passed and failed.
    pub checks: BTreeMap<String, CheckCount>,
    /// An example of each kind of failure, in words: what failed, how, where.
    pub examples: BTreeMap<String, String>,
    /// Connections made.
    pub connections: Connections,
    /// By time.
    pub timeline: Timeline,
    /// How the tester itself did.
    pub tester: Tester,
}

/// What was run, when, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The plan's name.
    pub name: String,
    /// The file, or the command line's own words.
    pub source: String,
    /// The command as it was typed.
    pub command: String,
    /// The model of each group.
    pub groups: Vec<GroupModel>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it lasted: to the end of the last request.
    pub elapsed: Duration,
    /// How it ended.
    pub ended: Ended,
    /// Which parts of the plan's load these are, one for each process whose results they are.
    pub parts: Vec<Part>,
    /// The machines that made the load.
    pub machines: Vec<String>,
    /// What the plan's file asks for and was left out, each with its place, in words.
    pub left_out: Vec<String>,
}

/// How a group's load came about.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupModel {
    /// The group's name.
    pub name: String,
    /// Whether arrivals were independent of answers.
    pub open: bool,
    /// Of the whole plan, in words: "2 000 requests a second, evenly spaced, for 60 s".
    pub load: String,
    /// How many processes made it or a part of it.
    pub processes: u32,
}

/// The `index`-th of `of` parts of a plan's load; the 0th of 1 is the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// From 0, below `of`.
    pub index: u32,
    /// At least 1.
    pub of: u32,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As planned.
    Finished,
    /// By Ctrl-C or a signal; results are of what was done until then.
    Interrupted,
    /// Because the plan says so after a failure.
    Stopped,
}

impl Part {
    /// The whole load.
    pub const WHOLE: Self = Self { index: 0, of: 1 };
}

impl Run {
    /// The load of one of its groups in words, as often as it was made: processes that are not told
    /// to make a part each make the whole. A lone part says that it is one.
    pub fn load(&self, group: &GroupModel) -> String {
        let of = self.parts.first().map_or(1, |part| part.of.max(1));
        if let [part] = &self.parts[..]
            && of > 1
        {
            return format!("part {} of {of} of {}", part.index + 1, group.load);
        }
        match group.processes / of {
            0 | 1 => group.load.clone(),
            times => format!("{times} times {}", group.load),
        }
    }

    /// Parts of the load that are not among these, of how many; `None` where it is whole.
    pub fn missing(&self) -> Option<(u32, u32)> {
        let of = self.parts.first()?.of;
        let mut there: Vec<u32> = self.parts.iter().map(|part| part.index).collect();
        there.sort_unstable();
        there.dedup();
        let missing = of.saturating_sub(there.len() as u32);
        (missing > 0).then_some((missing, of))
    }
}

impl Results {
    /// Sees to it that there are no more instances than are told apart: the busiest stay, the
    /// others are one. Those of the timeline are the same then.
    pub fn bound_instances(&mut self) {
        let mut names: Vec<(Reverse<u64>, String)> = (self.instances.iter())
            .filter(|(name, _)| *name != OTHER_INSTANCES)
            .map(|(name, tally)| (Reverse(tally.requests), name.clone()))
            .collect();
        if names.len() <= INSTANCES_MAX {
            return;
        }
        names.sort_unstable();
        for (_, name) in names.drain(INSTANCES_MAX..) {
            if let Some(tally) = self.instances.remove(&name) {
                self.instances.entry(OTHER_INSTANCES.to_owned()).or_default().absorb(&tally);
            }
        }
        for bucket in &mut self.timeline.buckets {
            for (name, count) in std::mem::take(&mut bucket.instances) {
                let is_kept = self.instances.contains_key(&name);
                let name = if is_kept { name } else { OTHER_INSTANCES.to_owned() };
                *bucket.instances.entry(name).or_default() += count;
            }
        }
    }
}

/// What is kept of an instance, or of the others where as many as may be are told apart.
pub fn of_instance<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    let is_full = map.len() >= INSTANCES_MAX && !map.contains_key(name);
    map.entry(if is_full { OTHER_INSTANCES } else { name }.to_owned()).or_default()
}

/// How often a check held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckCount {
    /// It held.
    pub passed: u64,
    /// It did not.
    pub failed: u64,
}

/// Connections made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connections {
    /// How many were opened.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Until TCP (or the Unix socket) was connected.
    pub connect_time: Latencies,
    /// The TLS handshake after it.
    pub tls_time: Latencies,
}

/// How the tester itself did: what a person must know before believing the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tester {
    /// Event loops.
    pub threads: u32,
    /// Processor time that this process took, user and system, over the run.
    pub processor_time: Duration,
    /// Of each thread.
    pub thread_time: Vec<Duration>,
    /// From the time at which an iteration should have begun to the time at which the tester came
    /// to it, waiting for a free connection not counted. Open model only.
    pub scheduling_lag: Latencies,
    /// Iterations that should have begun, in the open model.
    pub due: u64,
    /// Those that had to wait because `in_flight_max` were under way.
    pub waited: u64,
    /// Those that never began: the run ended first.
    pub unsent: u64,
    /// Those that were given up under way: the run was broken off, and they had not ended a few
    /// seconds later. What they waited for is in no figure.
    pub given_up: u64,
    /// Connection attempts that failed for want of ports or descriptors here.
    pub exhausted: u64,
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::super::timeline::Bucket;
    use super::*;

    #[test]
    fn a_server_that_calls_itself_ever_anew_takes_no_memory() {
        let mut results = fixtures::shop();
        for number in 0..5_000 {
            let name = format!("instance-{number}");
            results.instances.entry(name.clone()).or_default().requests = 1;
            let told = Bucket { instances: [(name, 1)].into(), ..Bucket::default() };
            // As the seconds of several threads come together.
            results.timeline.add(number % 30, &told);
        }
        let counted = |results: &Results| -> u64 {
            let buckets = results.timeline.buckets.iter();
            buckets.flat_map(|bucket| bucket.instances.values()).sum()
        };
        let (before, answers) = (counted(&results), results.instances["web-3"].requests);
        results.bound_instances();
        assert_eq!(results.instances.len(), INSTANCES_MAX + 1);
        assert_eq!(results.instances[OTHER_INSTANCES].requests, 5_003 - INSTANCES_MAX as u64);
        assert_eq!(results.instances["web-3"].requests, answers, "the busiest stay");
        assert_eq!(counted(&results), before);
        for bucket in &results.timeline.buckets {
            assert!(bucket.instances.len() <= INSTANCES_MAX + 1);
            assert!(bucket.instances.keys().all(|name| results.instances.contains_key(name)));
        }
        let mut bucket = Bucket::default();
        for number in 0..5_000 {
            let told =
                Bucket { instances: [(format!("i-{number}"), 1)].into(), ..Bucket::default() };
            bucket.absorb(&told);
        }
        assert_eq!(bucket.instances.len(), INSTANCES_MAX + 1);
    }
}
