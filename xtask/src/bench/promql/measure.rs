//! Taking samples in, coming to rest, answering: what each costs a server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;

use super::QueryOutcome;
use super::answer::Answer;
use super::batches::Span;
use super::queries::Query;
use super::server::{Peer, Server};
use crate::bench::process::Memory;
use crate::bench::results::median;

/// The fleet, whatever else a server has.
const FLEET: &str = r#"{zone=~"eu-.+"}"#;
/// How long the last samples may take until they are found.
const QUERYABLE_PATIENCE: Duration = Duration::from_secs(60);
/// A server is at rest when it took less than so much of a core for so long.
const REST: Duration = Duration::from_secs(5);
const REST_SHARE: f64 = 0.05;
/// How long it may take until then.
const REST_PATIENCE: Duration = Duration::from_secs(150);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A measurement has at least so many repetitions, and at most.
const REPETITIONS_MIN: u32 = 2;
const REPETITIONS_MAX: u32 = 10_000;

/// What taking the samples in took.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Ingest {
    /// From the first request until the last sample was found.
    pub(super) wall_seconds: f64,
    /// User and system time of the server meanwhile.
    pub(super) processor_seconds: f64,
    /// From the first request until the server was at rest: with what it does afterwards.
    pub(super) processor_seconds_at_rest: f64,
    /// Share of a core that it takes at rest.
    pub(super) idle_share: f64,
    /// At rest.
    pub(super) memory: Memory,
    /// Before the first request.
    #[serde(skip)]
    before: Duration,
}

impl Ingest {
    /// What is known once the samples are found; afterwards it is the same until it rests.
    pub(super) fn new(wall_seconds: f64, processor_seconds: f64, memory: Memory) -> Self {
        Self {
            wall_seconds,
            processor_seconds,
            processor_seconds_at_rest: processor_seconds,
            idle_share: 0.0,
            memory,
            before: Duration::ZERO,
        }
    }
}

/// What a query took, as the mean of its repetitions.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Measured {
    pub(super) processor_milliseconds: f64,
    /// The median of the repetitions.
    pub(super) wall_milliseconds: f64,
    pub(super) repetitions: u32,
}

/// Sends everything and waits until it is found.
pub(super) fn ingest(server: &Server, bodies: &[Vec<u8>], span: &Span) -> anyhow::Result<Ingest> {
    let before = server.process.processor_time()?;
    let start = Instant::now();
    for body in bodies {
        server.push(body)?;
    }
    let sent = Instant::now();
    while found(server, &format!("count({FLEET})"), span)? != span.series() {
        if sent.elapsed() > QUERYABLE_PATIENCE {
            bail!("not all series are found {} s after the last", QUERYABLE_PATIENCE.as_secs());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    let wall_seconds = start.elapsed().as_secs_f64();
    let taken = server.process.processor_time()?.saturating_sub(before).as_secs_f64();
    Ok(Ingest { before, ..Ingest::new(wall_seconds, taken, server.process.memory()) })
}

/// What a query for a number gives at the end of the samples; none is 0.
fn found(server: &Server, expression: &str, span: &Span) -> anyhow::Result<u64> {
    let time = (span.end as f64 / 1000.0).to_string();
    let body = server.ask("query", &[("query", expression.to_owned()), ("time", time)])?;
    let Answer::Series(series) = Answer::parse(&body)? else { bail!("no number was answered") };
    let number = series.values().next().and_then(|points| points.values().next().copied());
    Ok(number.unwrap_or(0.0) as u64)
}

/// Waits until the server has done what it does with new samples, and makes sure that it has all.
pub(super) fn settle(server: &Server, ingest: &mut Ingest) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let (before, watched) = (server.process.processor_time()?, Instant::now());
        std::thread::sleep(REST);
        let after = server.process.processor_time()?;
        let share = after.saturating_sub(before).as_secs_f64() / watched.elapsed().as_secs_f64();
        if share < REST_SHARE && server.has_blocks()? {
            ingest.idle_share = share;
            ingest.processor_seconds_at_rest = after.saturating_sub(ingest.before).as_secs_f64();
            ingest.memory = server.process.memory();
            return Ok(());
        }
        if start.elapsed() > REST_PATIENCE {
            bail!("{} does not come to rest ({share:.2} of a core)", server.peer.name());
        }
    }
}

/// Whether every sample is found. Takes memory, so it is done last.
pub(super) fn verify(server: &Server, span: &Span) -> anyhow::Result<()> {
    let window = (span.end - span.start) / 1000;
    let body = server.ask("label/__name__/values", &[("match[]", FLEET.to_owned())])?;
    let Answer::Values(names) = Answer::parse(&body)? else { bail!("no names were answered") };
    let mut all = 0;
    // Name by name: without it, series of different metrics have the same labels.
    for name in names {
        let expression = format!("sum(count_over_time({name}{FLEET}[{window}s]))");
        all += found(server, &expression, span)?;
    }
    if all != span.samples() {
        bail!("{} has {all} of {} samples", server.peer.name(), span.samples());
    }
    Ok(())
}

/// All rounds of a query. The order turns, so that none is always the first.
pub(super) fn query(
    servers: &[Server],
    query: &Query,
    span: &Span,
    rounds: u32,
    time: Duration,
) -> anyhow::Result<QueryOutcome> {
    let (path, parameters) = query.request(span);
    let mut outcomes: BTreeMap<Peer, Vec<Measured>> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    // The first answer warms what is to be warm, and is the one that is compared.
    for server in servers {
        let answer = server.ask(&path, &parameters).and_then(|body| Answer::parse(&body));
        let answer = answer.with_context(|| format!("{} was asked", server.peer.name()))?;
        if answer.len() == 0 {
            bail!("{} answers with nothing", server.peer.name());
        }
        answers.insert(server.peer, answer);
    }
    for round in 0..rounds as usize {
        for turn in 0..servers.len() {
            let server = &servers[(round + turn) % servers.len()];
            let measured = measure(server, &path, &parameters, time)?;
            outcomes.entry(server.peer).or_default().push(measured);
        }
    }
    let own = answers.get(&Peer::Plimsoll);
    let pair = own.zip(answers.get(&Peer::Prometheus));
    Ok(QueryOutcome {
        title: query.title.clone(),
        way: query.way.shown(),
        expression: query.expression.clone(),
        rounds: outcomes,
        answer_lengths: answers.iter().map(|(peer, answer)| (*peer, answer.len())).collect(),
        difference: pair.and_then(|(own, other)| own.difference(other)),
    })
}

fn measure(
    server: &Server,
    path: &str,
    parameters: &[(&'static str, String)],
    time: Duration,
) -> anyhow::Result<Measured> {
    let before = server.process.processor_time()?;
    let start = Instant::now();
    let mut walls = Vec::new();
    let mut repetitions = 0;
    while repetitions < REPETITIONS_MIN || (start.elapsed() < time && repetitions < REPETITIONS_MAX)
    {
        let asked = Instant::now();
        server.ask(path, parameters)?;
        walls.push(asked.elapsed().as_secs_f64() * 1e3);
        repetitions += 1;
    }
    let taken = server.process.processor_time()?.saturating_sub(before);
    let processor_milliseconds = taken.as_secs_f64() * 1e3 / f64::from(repetitions);
    let wall_milliseconds = median(walls);
    Ok(Measured { processor_milliseconds, wall_milliseconds, repetitions })
}
