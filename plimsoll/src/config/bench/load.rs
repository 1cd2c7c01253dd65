//! Who arrives when, as people write it: rates, stages, users, pauses, and what follows from them
//! together.
//!
//! The command line and the plan file say the same things under the same names, so that what
//! contradicts itself is found here for both. [`Voice`] words it for the one that was used.

use std::sync::Arc;
use std::time::Duration;

use super::super::quantity::{self, Refusal, show_duration};
use super::model::{Arrivals, Closed, Group, Load, Open, Pause, Spacing, Stage, Template};

/// How long a run lasts unless said otherwise.
pub(in crate::config) const LASTING: Duration = Duration::from_secs(10);
/// Users of the closed model unless said otherwise: enough to keep a server of a few cores busy.
pub(in crate::config) const CONNECTIONS: u64 = 64;
/// Most iterations of the open model that are under way at once unless said otherwise.
pub const IN_FLIGHT_MAX: usize = 4096;
/// Most users, and most iterations at once.
pub(in crate::config) const CONNECTIONS_MAX: u64 = 1_000_000;
/// Highest rate, per second.
pub(in crate::config) const RATE_MAX: f64 = 10_000_000.0;
/// Most stages of a plan.
const STAGES_MAX: usize = 1000;
/// Shortest stage or run.
const LASTING_MIN: Duration = Duration::from_millis(1);
/// Longest stage or run: 30 days.
const LASTING_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest pause: a day.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Longest number that is read; more digits mean nothing.
const NUMBER_BYTES: usize = 18;

/// A number of users: fixed, or following stages.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Users {
    /// This many.
    Fixed(u64),
    /// A level over time.
    Staged(Vec<Stage>),
}

/// What was said about the load.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct Keys {
    /// `rate`: iterations a second.
    pub(in crate::config) rate: Option<f64>,
    /// `stages`: a rate over time.
    pub(in crate::config) stages: Option<Vec<Stage>>,
    /// `replay`: recorded times.
    pub(in crate::config) replay: Option<Arc<[Duration]>>,
    /// `poisson`.
    pub(in crate::config) poisson: bool,
    /// `connections`.
    pub(in crate::config) connections: Option<Users>,
    /// `requests`: iterations in all.
    pub(in crate::config) requests: Option<u64>,
    /// `for`.
    pub(in crate::config) lasting: Option<Duration>,
}

/// A name under which something is said about the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Key {
    /// `rate`
    Rate,
    /// `stages`
    Stages,
    /// `replay`
    Replay,
    /// `poisson`
    Poisson,
    /// `connections`
    Connections,
    /// `requests`
    Requests,
    /// `for`
    For,
}

impl Key {
    /// As the file has it.
    pub(in crate::config) fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Stages => "stages",
            Self::Replay => "replay",
            Self::Poisson => "poisson",
            Self::Connections => "connections",
            Self::Requests => "requests",
            Self::For => "for",
        }
    }
}

/// To whom a contradiction is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Voice {
    /// One who typed options.
    Options,
    /// One who wrote a file.
    File,
}

impl Voice {
    /// The name as it was written.
    fn name(self, key: Key) -> String {
        match self {
            Self::Options => format!("--{}", key.name()),
            Self::File => format!("`{}`", key.name()),
        }
    }

    /// The name with a value, as it should be written.
    fn written(self, key: Key, value: &str) -> String {
        match self {
            Self::Options => format!("--{} {value}", key.name()),
            Self::File if value.parse::<u64>().is_ok() => format!("{} = {value}", key.name()),
            Self::File => format!("{} = \"{value}\"", key.name()),
        }
    }
}

impl Keys {
    /// Whether something says when iterations begin.
    pub(in crate::config) fn has_schedule(&self) -> bool {
        self.rate.is_some() || self.stages.is_some() || self.replay.is_some()
    }

    /// These where they say something, else those of `file`. A schedule takes the place of any
    /// other, and with it what only that one needed. `is_replay` says that the schedule is a
    /// recording, which is added later.
    pub(in crate::config) fn over(self, file: Self, is_replay: bool) -> Self {
        let is_replaced = self.has_schedule() || is_replay;
        let lasting_of_file = match (&self.stages, &self.connections) {
            (Some(_), _) | (_, Some(Users::Staged(_))) => None,
            _ => file.lasting,
        };
        let connections_of_file = match &file.connections {
            Some(Users::Staged(_)) if is_replaced => None,
            other => other.clone(),
        };
        Self {
            rate: if is_replaced { self.rate } else { file.rate },
            stages: if is_replaced { self.stages } else { file.stages },
            replay: None,
            poisson: self.poisson || file.poisson && !is_replay,
            connections: self.connections.or(connections_of_file),
            requests: self.requests.or(file.requests.filter(|_| !is_replaced)),
            lasting: self.lasting.or(lasting_of_file),
        }
    }

    /// The load that was meant.
    ///
    /// # Errors
    /// What contradicts itself, with the name that should change.
    pub(in crate::config) fn load(self, voice: Voice) -> Result<Load, (Key, Refusal)> {
        let open = self.only_one_schedule(voice)?;
        match open {
            Some(_) => self.open(voice),
            None => self.closed(voice),
        }
    }

    /// Which of the names that make the load open was used.
    fn only_one_schedule(&self, voice: Voice) -> Result<Option<Key>, (Key, Refusal)> {
        let given = [
            (Key::Rate, self.rate.is_some()),
            (Key::Stages, self.stages.is_some()),
            (Key::Replay, self.replay.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key);
        let first = given.next();
        if let (Some(first), Some(second)) = (first, given.next()) {
            let (first, name) = (voice.name(first), voice.name(second));
            let refusal = Refusal::new(format!("{first} and {name} both say when requests begin"))
                .remedy(format!("keep one of the two; {name} can hold a rate that changes"));
            return Err((second, refusal));
        }
        Ok(first)
    }

    fn open(self, voice: Voice) -> Result<Load, (Key, Refusal)> {
        if let Some(requests) = self.requests {
            let refusal = Refusal::new(format!(
                "{} is for a number of users; a rate begins requests by the clock",
                voice.name(Key::Requests)
            ));
            let remedy = match self.rate {
                Some(rate) => {
                    let seconds = (requests as f64 / rate).clamp(0.001, LASTING_MAX.as_secs_f64());
                    let milliseconds = Duration::from_millis((seconds * 1000.0).ceil() as u64);
                    let lasting = voice.written(Key::For, &show_duration(milliseconds));
                    format!("for so many requests at this rate write {lasting}")
                }
                None => "remove it".to_owned(),
            };
            return Err((Key::Requests, refusal.remedy(remedy)));
        }
        let in_flight_max = match self.connections {
            None => IN_FLIGHT_MAX,
            Some(Users::Fixed(count)) => usize::try_from(count).unwrap_or(usize::MAX),
            Some(Users::Staged(_)) => {
                let name = voice.name(Key::Connections);
                let refusal = Refusal::new(format!(
                    "beside a rate, {name} is the most at once and does not follow stages"
                ));
                let remedy =
                    format!("write a number, as in {}", voice.written(Key::Connections, "500"));
                return Err((Key::Connections, refusal.remedy(remedy)));
            }
        };
        let spacing = if self.poisson { Spacing::Poisson } else { Spacing::Even };
        let arrivals = match (self.rate, self.stages, self.replay) {
            (_, _, Some(times)) => {
                if self.poisson {
                    let refusal = Refusal::new("recorded times are not moved at random")
                        .remedy(format!("remove {}", voice.name(Key::Poisson)));
                    return Err((Key::Poisson, refusal));
                }
                let within = self
                    .lasting
                    .map_or(times.len(), |lasting| times.partition_point(|time| *time < lasting));
                Arrivals::Recorded(times.get(..within).map(Arc::from).unwrap_or_default())
            }
            (_, Some(stages), None) => {
                no_other_end(&stages, self.lasting, Key::Stages, voice)?;
                Arrivals::Scheduled { stages, spacing }
            }
            (rate, None, None) => {
                let rate = rate.unwrap_or_default();
                let lasting = self.lasting.unwrap_or(LASTING);
                Arrivals::Scheduled {
                    stages: vec![Stage { from: rate, to: rate, lasting }],
                    spacing,
                }
            }
        };
        Ok(Load::Open(Open { arrivals, in_flight_max }))
    }

    fn closed(self, voice: Voice) -> Result<Load, (Key, Refusal)> {
        if self.poisson {
            let refusal = Refusal::new("arrivals at random need a rate around which they lie")
                .remedy(format!("add {}", voice.written(Key::Rate, "100")));
            return Err((Key::Poisson, refusal));
        }
        let stages = match self.connections {
            Some(Users::Staged(stages)) => {
                no_other_end(&stages, self.lasting, Key::Connections, voice)?;
                stages
            }
            Some(Users::Fixed(count)) => self.constant(count),
            None => self.constant(CONNECTIONS.min(self.requests.unwrap_or(u64::MAX))),
        };
        Ok(Load::Closed(Closed { stages, iterations_per_user: None, iterations: self.requests }))
    }

    /// A level that stays: for the time given, or until all requests are done.
    fn constant(&self, count: u64) -> Vec<Stage> {
        let endless = if self.requests.is_some() { Duration::MAX } else { LASTING };
        let level = count as f64;
        vec![Stage { from: level, to: level, lasting: self.lasting.unwrap_or(endless) }]
    }
}

/// Stages end by themselves.
fn no_other_end(
    stages: &[Stage],
    lasting: Option<Duration>,
    key: Key,
    voice: Voice,
) -> Result<(), (Key, Refusal)> {
    if lasting.is_none() {
        return Ok(());
    }
    let sum = stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.lasting));
    let (stages, name) = (voice.name(key), voice.name(Key::For));
    let refusal = Refusal::new(format!("{stages} says how long the run lasts, and so does {name}"))
        .remedy(format!("remove {name}: the stages take {} together", show_duration(sum)));
    Err((Key::For, refusal))
}

/// A number that is not negative.
fn number(text: &str, what: &str, example: &str) -> Result<f64, Refusal> {
    let is_number = !text.is_empty()
        && text.len() <= NUMBER_BYTES
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit());
    let number = if is_number { text.parse::<f64>().ok() } else { None };
    number.ok_or_else(|| match text.strip_prefix('-') {
        Some(_) => Refusal::new(format!("{what} cannot be negative"))
            .remedy(format!("write it as in \"{example}\"")),
        None => Refusal::new(format!("`{text}` is not {what}"))
            .remedy(format!("write it as in \"{example}\"")),
    })
}

/// A rate per second: `2000`, `2000/s`, `100/min`, `5/h`.
pub(in crate::config) fn rate(text: &str) -> Result<f64, Refusal> {
    let text = text.trim();
    let (count, unit) = match text.split_once('/') {
        Some((count, unit)) => (count.trim(), unit.trim()),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        _ => {
            let message = format!("`{unit}` is not a unit of time for a rate");
            return Err(Refusal::new(message).remedy(format!("write \"{count}/s\", /min or /h")));
        }
    };
    let plain = count.trim_end_matches("rps").trim_end();
    let rate = number(plain, "a rate", "500/s")? / seconds;
    if rate <= 0.0 {
        return Err(Refusal::new("a rate of 0 makes no requests").remedy("write 1 or more"));
    }
    if rate > RATE_MAX {
        return Err(Refusal::new("this is more than can be made")
            .remedy(format!("write {RATE_MAX}/s or less")));
    }
    Ok(rate)
}

/// A rate as it is written.
pub(in crate::config) fn show_rate(rate: f64) -> String {
    format!("{rate}/s")
}

/// How long a run or a stage lasts.
pub(in crate::config) fn lasting(text: &str) -> Result<Duration, Refusal> {
    let lasting = quantity::duration(text.trim())?;
    if lasting < LASTING_MIN {
        return Err(Refusal::new("this is too short to measure anything").remedy("write \"10s\""));
    }
    if lasting > LASTING_MAX {
        return Err(Refusal::new(format!("{} is too long", show_duration(lasting)))
            .remedy(format!("write \"{}\" or less", show_duration(LASTING_MAX))));
    }
    Ok(lasting)
}

/// Levels over time: `0..500/30s,500/2m,500..0/30s`. A stage without its beginning, `..500/30s`,
/// begins where the one before ended.
pub(in crate::config) fn stages(text: &str) -> Result<Vec<Stage>, Refusal> {
    let mut stages: Vec<Stage> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let Some((levels, time)) = part.split_once('/') else {
            return Err(Refusal::new(format!("the stage `{part}` does not say how long it lasts"))
                .remedy(format!("write its time after a slash, as in \"{}/30s\"", shown(part))));
        };
        let before = stages.last().map_or(0.0, |stage| stage.to);
        let (from, to) = match levels.split_once("..") {
            Some(("", to)) => (before, level(to)?),
            Some((from, to)) => (level(from)?, level(to)?),
            None => (level(levels)?, level(levels)?),
        };
        let lasting = lasting(time).map_err(|refusal| Refusal {
            message: format!("in the stage `{part}`: {}", refusal.message),
            ..refusal
        })?;
        stages.push(Stage { from, to, lasting });
        if stages.len() > STAGES_MAX {
            return Err(Refusal::new(format!("there are more than {STAGES_MAX} stages"))
                .remedy("join some of them"));
        }
    }
    if stages.iter().all(|stage| stage.from == 0.0 && stage.to == 0.0) {
        return Err(
            Refusal::new("no stage is above 0").remedy("write them as in \"0..500/30s,500/2m\"")
        );
    }
    Ok(stages)
}

/// The level for a remedy: as written, or an example.
fn shown(part: &str) -> &str {
    if part.is_empty() { "500" } else { part }
}

/// A level of a stage.
fn level(text: &str) -> Result<f64, Refusal> {
    let text = text.trim();
    let level = number(text, "a level of a stage", "0..500/30s")?;
    if level > RATE_MAX {
        return Err(Refusal::new(format!("{text} is more than can be made"))
            .remedy(format!("write {RATE_MAX} or less")));
    }
    Ok(level)
}

/// Stages as they are written.
pub(in crate::config) fn show_stages(stages: &[Stage]) -> String {
    let show = |stage: &Stage| {
        let lasting = show_duration(stage.lasting);
        if stage.from == stage.to {
            format!("{}/{lasting}", stage.to)
        } else {
            format!("{}..{}/{lasting}", stage.from, stage.to)
        }
    };
    stages.iter().map(show).collect::<Vec<_>>().join(",")
}

/// A number of users, or stages of it.
pub(in crate::config) fn users(text: &str) -> Result<Users, Refusal> {
    let text = text.trim();
    if text.contains(['/', ',']) {
        let stages = stages(text)?;
        return match stages.iter().any(|stage| stage.from.max(stage.to) > CONNECTIONS_MAX as f64) {
            true => Err(too_many_users()),
            false => Ok(Users::Staged(stages)),
        };
    }
    match text.parse::<u64>() {
        Ok(0) => Err(Refusal::new("nobody makes no requests").remedy("write 1 or more")),
        Ok(count) if count <= CONNECTIONS_MAX => Ok(Users::Fixed(count)),
        Ok(_) => Err(too_many_users()),
        Err(_) => Err(Refusal::new(format!("`{text}` is not a number of connections"))
            .remedy("write 64, or stages as in \"0..64/30s,64/2m\"")),
    }
}

/// What is wrong with a pause after each iteration of a load: by the clock, users would only be kept
/// from the next.
pub(in crate::config) fn idle_pause(load: &Load, voice: Voice) -> Option<Refusal> {
    if matches!(load, Load::Closed(_)) {
        return None;
    }
    let (think, remedy) = match voice {
        Voice::Options => ("--think", "remove it, or write --connections instead of the rate"),
        Voice::File => {
            ("`think`", "remove it, or give it to steps of a scenario, between requests")
        }
    };
    let message = format!("{think} is for a number of users; a rate begins requests by the clock");
    Some(Refusal::new(message).remedy(remedy))
}

/// What is wrong with so many streams on each connection of the groups.
pub(in crate::config) fn too_many_streams(groups: &[Group], streams: usize) -> Option<Refusal> {
    let level = |group: &Group| match &group.load {
        Load::Open(_) => 0.0,
        Load::Closed(closed) => {
            closed.stages.iter().map(|stage| stage.from.max(stage.to)).fold(0.0, f64::max)
        }
    };
    let most = groups.iter().map(level).fold(0.0, f64::max);
    if streams == 1 || most * streams as f64 <= CONNECTIONS_MAX as f64 {
        return None;
    }
    let refusal = Refusal::new(format!("{most} connections of {streams} streams are too many"));
    Some(refusal.remedy(format!("let their product be {CONNECTIONS_MAX} or less")))
}

fn too_many_users() -> Refusal {
    Refusal::new("these are more connections than a process can have")
        .remedy(format!("write {CONNECTIONS_MAX} or less"))
}

/// Users as they are written.
pub(in crate::config) fn show_users(users: &Users) -> String {
    match users {
        Users::Fixed(count) => count.to_string(),
        Users::Staged(stages) => show_stages(stages),
    }
}

/// A number of requests in all.
pub(in crate::config) fn requests(text: &str) -> Result<u64, Refusal> {
    match text.trim().parse::<u64>() {
        Ok(0) => Err(Refusal::new("0 requests measure nothing").remedy("write 1 or more")),
        Ok(count) => Ok(count),
        Err(_) => Err(Refusal::new(format!("`{text}` is not a number of requests"))
            .remedy("write a whole number, as in 10000")),
    }
}

/// A pause: `1s`, or evenly between two: `1s..3s`.
pub(in crate::config) fn pause(text: &str) -> Result<Pause, Refusal> {
    let bounded = |text: &str| {
        let pause = quantity::duration(text.trim())?;
        match pause > PAUSE_MAX {
            true => Err(Refusal::new("this is longer than a day").remedy("write \"24h\" or less")),
            false => Ok(pause),
        }
    };
    let milliseconds =
        |duration: Duration| Template::text((duration.as_secs_f64() * 1000.0).to_string());
    let Some((from, to)) = text.split_once("..") else {
        return Ok(Pause::Constant(milliseconds(bounded(text)?)));
    };
    let (from, to) = (bounded(from)?, bounded(to)?);
    if from > to {
        let (from, to) = (show_duration(from), show_duration(to));
        return Err(Refusal::new("the pause ends before it begins")
            .remedy(format!("write \"{to}..{from}\"")));
    }
    Ok(Pause::Uniform { from: milliseconds(from), to: milliseconds(to) })
}

#[cfg(test)]
mod tests;
