//! `cargo xtask bench load`: the load tester beside wrk and h2load, and beside the truth.
//!
//! The tester has the first core to itself and the server all others, so that the tester is the
//! limit and what it reaches is what it reaches for each core. Processor time for each request is the
//! figure to trust on a shared machine.

mod known;
mod report;
mod testers;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::lab::{self, Folder};
use super::machine::{self, Cores, Machine};
use super::process::{self, Guarded};
use super::results::median;
use super::upstream::{SMALL, Upstream};
use super::wrk;
use crate::provision;
use crate::workspace::{Profile, Workspace};
use testers::{H2load, Plimsoll, Sample, Tester, Wrk};

/// Connections of the closed model.
const CONNECTIONS: usize = 64;
/// Connections and requests at once on each, over HTTP/2.
const CARRIERS: usize = 8;
const STREAMS: usize = 8;
/// Most requests under way in the open model.
const IN_FLIGHT_MAX: usize = 256;
/// The share of its own greatest rate that the open model is held at.
const OPEN_SHARE: f64 = 0.5;
/// Lengths of the runs whose memory is compared.
const SHORT_SECONDS: u64 = 5;
const LONG_SECONDS: u64 = 60;

/// Options of `cargo xtask bench load`.
#[derive(Args)]
pub(super) struct LoadOptions {
    /// Rounds of each comparison.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// One round of one second: shows that everything works, and no figures to cite.
    #[arg(long)]
    quick: bool,
    /// Measure this program instead of building the repository's.
    #[arg(long, value_name = "FILE")]
    plimsoll: Option<PathBuf>,
}

/// A run with everything it depends on.
#[derive(Serialize)]
pub(super) struct Run {
    /// As it was typed.
    command: String,
    date: String,
    machine: Machine,
    versions: BTreeMap<&'static str, String>,
    rounds: u32,
    seconds: u64,
    closed: Comparison,
    http2: Comparison,
    open: Open,
    memory: Memory,
    truths: Vec<known::Comparison>,
}

/// Two testers against the same server.
#[derive(Serialize)]
struct Comparison {
    title: &'static str,
    other: &'static str,
    /// Whether to be no worse is an aim.
    is_aim: bool,
    /// Command lines.
    commands: [String; 2],
    own_rounds: Vec<Sample>,
    other_rounds: Vec<Sample>,
}

/// The open model, held at a rate.
#[derive(Serialize)]
struct Open {
    command: String,
    /// What was asked for.
    rate: f64,
    /// Requests that were answered by those that should have been sent, of each round.
    achieved: Vec<f64>,
    /// 99th percentile of the scheduling lag in seconds, of each round.
    lag_p99: Vec<f64>,
    /// Processor time by time, of each round.
    utilization: Vec<f64>,
}

/// Memory that runs of different lengths took at most.
#[derive(Serialize)]
struct Memory {
    short_seconds: u64,
    short_bytes: u64,
    long_seconds: u64,
    long_bytes: u64,
}

/// What every measurement uses.
struct Place {
    // Dropped in this order.
    upstream: Upstream,
    folder: Folder,
    tester: Vec<usize>,
    server: Vec<usize>,
    duration: Duration,
    plimsoll: PathBuf,
}

pub(super) fn run(workspace: &Workspace, options: &LoadOptions) -> anyhow::Result<ExitCode> {
    provision::for_load_benchmark()?;
    let plimsoll = match &options.plimsoll {
        Some(program) => program.clone(),
        None => workspace.build(Profile::Release)?,
    };
    process::end_all_on_signals(lab::folder_of_this_run())?;
    let (rounds, seconds) = if options.quick { (1, 1) } else { (options.rounds, options.seconds) };
    let cores = Cores::share_out()?;
    let folder = Folder::new()?;
    let all = cores.all();
    let server = all[1..].to_vec();
    let place = Place {
        upstream: Upstream::start(folder.path(), &server)?,
        folder,
        tester: vec![all[0]],
        server,
        duration: Duration::from_secs(seconds),
        plimsoll,
    };
    fs::write(place.folder.path().join(wrk::SCRIPT_FILE), wrk::SCRIPT)?;
    let versions = versions(&place)?;
    let closed = closed(&place, rounds)?;
    let http2 = http2(&place, rounds)?;
    let open = open(&place, rounds, &closed)?;
    let memory = memory(&place, options.quick)?;
    let truths = known::compare(&place, options.quick)?;
    let run = Run {
        command: options.command_line(),
        date: machine::date()?,
        machine: Machine::read(&cores),
        versions,
        rounds,
        seconds,
        closed,
        http2,
        open,
        memory,
        truths,
    };
    let text = report::document(&run);
    println!("{text}");
    let target = if options.quick {
        workspace.target.join("bench")
    } else {
        workspace.root.join("bench/results")
    };
    fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    let (json, table) = (target.join("load.json"), target.join("load.md"));
    fs::write(&json, serde_json::to_string_pretty(&run)? + "\n")?;
    fs::write(&table, text)?;
    println!("written: {}\nwritten: {}", json.display(), table.display());
    Ok(ExitCode::SUCCESS)
}

impl LoadOptions {
    /// For people.
    fn command_line(&self) -> String {
        let Self { rounds, seconds, .. } = self;
        let program = if self.plimsoll.is_some() { " --plimsoll FILE" } else { "" };
        let quick = if self.quick { " --quick" } else { "" };
        format!("cargo xtask bench load --rounds {rounds} --seconds {seconds}{quick}{program}")
    }
}

impl Place {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.upstream.port, SMALL.path)
    }
}

fn versions(place: &Place) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut versions = BTreeMap::new();
    let plimsoll = place.plimsoll.display().to_string();
    for (name, program) in [("plimsoll", plimsoll.as_str()), ("wrk", "wrk"), ("h2load", "h2load")] {
        // wrk takes its version for a wrong option, and fails.
        let argument = if name == "wrk" { "-v" } else { "--version" };
        let output = Command::new(program).arg(argument).output();
        let output = output.with_context(|| format!("cannot run {name}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        versions.insert(name, printed.lines().next().unwrap_or_default().trim().to_owned());
    }
    Ok(versions)
}

/// Alternating rounds; who is first alternates too.
fn rounds(
    place: &Place,
    rounds: u32,
    title: &'static str,
    own: &dyn Tester,
    other: &dyn Tester,
) -> anyhow::Result<Comparison> {
    let (mut own_rounds, mut other_rounds) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("{title}: round {} of {rounds}", round + 1);
        if round % 2 == 0 {
            own_rounds.push(own.measure(place)?);
            other_rounds.push(other.measure(place)?);
        } else {
            other_rounds.push(other.measure(place)?);
            own_rounds.push(own.measure(place)?);
        }
    }
    let commands = [own.command_line(place), other.command_line(place)];
    let is_aim = other.name() == "wrk";
    Ok(Comparison { title, other: other.name(), is_aim, commands, own_rounds, other_rounds })
}

fn closed(place: &Place, count: u32) -> anyhow::Result<Comparison> {
    let connections = CONNECTIONS.to_string();
    let arguments = ["--connections", &connections, "--threads", "1"];
    let own = Plimsoll::new(place.url(), &arguments, place.duration);
    let other = Wrk { connections: CONNECTIONS, url: place.url() };
    rounds(place, count, "Closed model, HTTP/1.1: 64 connections, 100-byte answers", &own, &other)
}

fn http2(place: &Place, count: u32) -> anyhow::Result<Comparison> {
    let files = place.folder.path().join("http2");
    fs::create_dir_all(&files)?;
    fs::write(files.join("small"), "x".repeat(SMALL.bytes))?;
    let port = lab::free_port()?;
    let mut command = Command::new("nghttpd");
    command.arg("--no-tls").arg(format!("-n{}", place.server.len())).arg("-d").arg(&files);
    command.args(["-a", "127.0.0.1"]).arg(port.to_string());
    let mut server = Guarded::start("nghttpd", &command, &place.server, place.folder.path())?;
    server.wait_listening(port)?;
    let url = format!("http://127.0.0.1:{port}/small");
    let (carriers, streams) = (CARRIERS.to_string(), STREAMS.to_string());
    let arguments =
        ["--http", "2", "--connections", &carriers, "--streams", &streams, "--threads", "1"];
    let own = Plimsoll::new(url.clone(), &arguments, place.duration);
    let other = H2load { carriers: CARRIERS, streams: STREAMS, url };
    rounds(place, count, "Closed model, HTTP/2: 8 connections of 8 streams", &own, &other)
}

fn open(place: &Place, count: u32, closed: &Comparison) -> anyhow::Result<Open> {
    let rates = closed.own_rounds.iter().map(|sample| sample.requests_per_second).collect();
    let rate = (median(rates) * OPEN_SHARE).round();
    let (asked, in_flight) = (rate.to_string(), IN_FLIGHT_MAX.to_string());
    let arguments = ["--rate", &asked, "--connections", &in_flight, "--threads", "1"];
    let tester = Plimsoll::new(place.url(), &arguments, place.duration);
    let mut open = Open {
        command: tester.command_line(place),
        rate,
        achieved: Vec::new(),
        lag_p99: Vec::new(),
        utilization: Vec::new(),
    };
    for round in 0..count {
        eprintln!("open model: round {} of {count}", round + 1);
        let sample = tester.measure(place)?;
        let intended = rate * place.duration.as_secs_f64();
        open.achieved.push((sample.requests - sample.failures) as f64 / intended);
        open.lag_p99.push(sample.lag_p99.context("the open model told no lag")?);
        let seconds = sample.processor_seconds;
        open.utilization.push(seconds / place.duration.as_secs_f64());
    }
    Ok(open)
}

fn memory(place: &Place, quick: bool) -> anyhow::Result<Memory> {
    let (short_seconds, long_seconds) = if quick { (1, 3) } else { (SHORT_SECONDS, LONG_SECONDS) };
    let measure = |seconds: u64| {
        eprintln!("memory: {seconds} s");
        let connections = CONNECTIONS.to_string();
        let arguments = ["--connections", &connections, "--threads", "1"];
        let duration = Duration::from_secs(seconds);
        Ok::<u64, anyhow::Error>(
            Plimsoll::new(place.url(), &arguments, duration).measure(place)?.peak_memory_bytes,
        )
    };
    Ok(Memory {
        short_seconds,
        short_bytes: measure(short_seconds)?,
        long_seconds,
        long_bytes: measure(long_seconds)?,
    })
}
