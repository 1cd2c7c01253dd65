//! Two runs side by side: is one slower, and how sure is that?
//!
//! Each figure is compared by its ratio (shares of failures by their difference) with an interval
//! that holds the truth in 95 of 100 comparisons. Several figures are looked at, so the intervals
//! are widened by Holm's method: with no difference at all, one is claimed in 5 of 100 comparisons
//! at most, whichever figure it is. A difference counts if it is shown and is large enough to matter.
//!
//! Pure and repeatable: the same files give the same words. What it cannot know is said: chance
//! within a run is seen, what differs from run to run (a busy neighbour, a cold cache) is not.

mod bootstrap;
mod series;
mod student;
mod text;
mod verdict;

use std::time::Duration;

use serde::Serialize;

use super::results::Results;
use super::warnings;
use series::Series;

pub use bootstrap::Measured;
pub use text::{HEADS, REMINDER};

/// Resamples of each run: the standard error is then within some 2 % of what more would give.
const RESAMPLES: usize = 1000;
/// Slots that a run must have after its warm-up: with fewer, a few seconds decide.
const SLOTS_MIN: usize = 10;
/// Probability of claiming any difference where there is none.
const ALPHA: f64 = 0.05;
/// Shares of failures that differ by less do not matter.
const ERRORS_PRACTICAL: f64 = 0.000_5;

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is left out at each run's beginning; `None` for a tenth of it in whole
    /// seconds, 5 s at most.
    pub warm_up: Option<Duration>,
    /// The smallest change that matters: 0.02 for 2 %.
    pub practical: f64,
    /// Where chance begins.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { warm_up: None, practical: 0.02, seed: 1 }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// In one word.
    pub verdict: Verdict,
    /// In words for people.
    pub words: String,
    /// What to know before believing it.
    pub warnings: Vec<String>,
    /// The first run.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Figure by figure.
    pub differences: Vec<Difference>,
    /// The smallest change that matters.
    pub practical: f64,
}

/// A run that was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Its file.
    pub file: String,
    /// The plan's name.
    pub name: String,
    /// Each group's load, in words.
    pub load: Vec<String>,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// All its requests.
    pub requests: u64,
    /// How much of it was compared, without warm-up.
    pub compared_seconds: f64,
    /// What was left out at its beginning: whole buckets of its timeline.
    pub warm_up_seconds: f64,
    /// How many buckets of its timeline that is.
    #[serde(skip)]
    pub skipped: usize,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The second is better in something and worse in nothing.
    Better,
    /// The second is worse in something and better in nothing.
    Worse,
    /// The second is better in something and worse in something.
    Mixed,
    /// All differences are shown to be too small to matter.
    Same,
    /// No difference is shown, and one that matters is not ruled out.
    Unclear,
    /// There is too little to compare.
    TooShort,
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which.
    #[serde(serialize_with = "measured_name")]
    pub measured: Measured,
    /// Of the first: seconds, requests a second or a share.
    pub a: f64,
    /// Of the second.
    pub b: f64,
    /// 0.12 for 12 % more; of shares of failures, the difference itself.
    pub change: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// Probability of a difference like this by chance, corrected for the number of figures.
    pub p: f64,
    /// What it means.
    pub finding: Finding,
    /// Whether it counts for the verdict: a rate that the plans set to different values does not.
    pub counts: bool,
}

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Shown, large enough, and to the good.
    Better,
    /// Shown, large enough, and to the bad.
    Worse,
    /// Shown to be too small to matter.
    Same,
    /// Neither.
    Unclear,
}

impl Comparison {
    /// Whether the second is shown to be worse in anything.
    pub fn is_worse(&self) -> bool {
        matches!(self.verdict, Verdict::Worse | Verdict::Mixed)
    }

    /// The exit code: 0, or with `fail_if_worse` 99 where the second is worse in anything and 1
    /// where there was too little to tell, which must not pass for a success.
    pub fn exit_code(&self, fail_if_worse: bool) -> u8 {
        match self.verdict {
            _ if !fail_if_worse => 0,
            Verdict::TooShort => 1,
            _ if self.is_worse() => 99,
            _ => 0,
        }
    }

    /// As JSON, ending with a line break.
    pub fn json(&self) -> String {
        // Cannot fail: keys are texts, and numbers that are not finite become null.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// Figure by figure: its name, both values, the change, the interval, what it means.
    pub fn rows(&self) -> Vec<[String; 6]> {
        self.differences.iter().map(text::row).collect()
    }

    /// As text for people, with terminal colours if wanted.
    pub fn text(&self, colours: bool) -> String {
        text::text(self, colours)
    }
}

impl Side {
    /// Its file, what was run, and how much of it was compared, in words.
    pub fn words(&self) -> String {
        text::told(self)
    }

    /// What was left out at its beginning, in words: `without its first 3 s`.
    pub fn left_out(&self) -> Option<String> {
        text::left_out(self)
    }
}

impl Measured {
    /// Its name: `p99`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Mean => "mean",
            Self::Rate => "rate",
            Self::Errors => "errors",
        }
    }
}

fn measured_name<S: serde::Serializer>(of: &Measured, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(of.name())
}

/// Compares two runs, each with its file's name: how the second differs from the first.
pub fn compare(a: (&str, &Results), b: (&str, &Results), options: &Options) -> Comparison {
    let series = [a.1, b.1].map(|results| {
        let elapsed = results.run.elapsed;
        let warm_up = options.warm_up.unwrap_or_else(|| default_warm_up(elapsed));
        let skipped = series::skipped(&results.timeline, warm_up);
        (Series::of(&results.timeline, elapsed, skipped), skipped)
    });
    let [(first, _), (second, _)] = &series;
    let is_whole = |results: &Results| results.run.missing().is_none();
    let same_load = loads(a.1) == loads(b.1) && is_whole(a.1) == is_whole(b.1);
    let is_enough = first.slots.len().min(second.slots.len()) >= SLOTS_MIN;
    let differences = if is_enough {
        verdict::differences(first, second, options, same_load, RESAMPLES)
    } else {
        Vec::new()
    };
    let side = |(file, results): (&str, &Results), (series, skipped): &(Series, usize)| Side {
        file: file.to_owned(),
        name: results.run.name.clone(),
        load: loads(results),
        started_at: results.run.started_at.to_string(),
        requests: results.total.requests,
        compared_seconds: series.seconds(),
        warm_up_seconds: (results.timeline.width * *skipped as u32).as_secs_f64(),
        skipped: *skipped,
    };
    let verdict = if is_enough { verdict::verdict(&differences) } else { Verdict::TooShort };
    let mut comparison = Comparison {
        verdict,
        words: String::new(),
        warnings: cautions(a, b),
        a: side(a, &series[0]),
        b: side(b, &series[1]),
        differences,
        practical: options.practical,
    };
    comparison.words = verdict::words(&comparison);
    comparison
}

fn default_warm_up(elapsed: Duration) -> Duration {
    Duration::from_secs(elapsed.as_secs() / 10).min(Duration::from_secs(5))
}

/// Each group's load, in words.
fn loads(results: &Results) -> Vec<String> {
    results.run.groups.iter().map(|group| results.run.load(group)).collect()
}

/// What makes two runs hard to compare.
fn cautions(a: (&str, &Results), b: (&str, &Results)) -> Vec<String> {
    let mut cautions = Vec::new();
    let loads = [a.1, b.1].map(|results| loads(results).join("; "));
    let is_open = [a.1, b.1].map(|results| results.run.groups.iter().all(|group| group.open));
    if is_open[0] != is_open[1] {
        cautions.push(
            "One run's model is open, the other's closed: their response times mean different \
             things."
                .to_owned(),
        );
    } else if loads[0] != loads[1] {
        cautions.push(format!(
            "The runs had different loads: \"{}\" and \"{}\". What differs may be the load.",
            loads[0], loads[1]
        ));
    }
    let labels = [a.1, b.1].map(|results| {
        let mut names: Vec<&String> = results.labels.iter().map(|(name, _)| name).collect();
        names.sort();
        names
    });
    if labels[0] != labels[1] {
        let only = |of: usize| {
            let others = &labels[1 - of];
            let names = labels[of].iter().filter(|name| !others.contains(name));
            names.map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let parts: Vec<String> = [(a.0, only(0)), (b.0, only(1))]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(file, names)| format!("only {file} has {names}"))
            .collect();
        cautions.push(format!("The runs did different things: {}.", parts.join("; ")));
    }
    for (file, results) in [a, b] {
        for warning in warnings::warnings(results).iter().filter(|warning| !warning.kind.is_note())
        {
            cautions.push(format!("{file}: {}", warning.text));
        }
    }
    cautions
}

#[cfg(test)]
mod tests;
