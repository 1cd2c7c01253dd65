//! `cargo xtask bench promql`: the store of figures beside Prometheus and VictoriaMetrics.
//!
//! All three are given the same samples by remote write, one after the other, and then asked the
//! same queries in alternating rounds. Servers have all cores but the first, which is this
//! program's. Processor time is that of the server's process: it hardly depends on what else runs.

mod answer;
mod batches;
mod disk;
mod fleet;
mod measure;
mod queries;
mod report;
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::lab::{self, Folder};
use super::machine::{self, Cores, Machine};
use super::process;
use crate::workspace::{Profile, Workspace};
use crate::{command, provision};
use batches::{Batches, Span};
use measure::{Ingest, Measured};
use server::{Disk, Peer, Server};

/// The list of queries.
const QUERIES: &str = include_str!("../../../../bench/promql-queries.txt");
/// Instances of the fleet, with 200 series each, and minutes of samples.
const FLEET: (usize, i64) = (50, 360);
const QUICK_FLEET: (usize, i64) = (5, 360);
/// Each measurement repeats its query for so long.
const MEASUREMENT: Duration = Duration::from_millis(300);
const QUICK_MEASUREMENT: Duration = Duration::from_millis(20);

/// Options of `cargo xtask bench promql`.
#[derive(Args)]
pub(super) struct PromqlOptions {
    /// Rounds of queries; every server is asked every query in each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// A tenth of the series, one round: shows that everything works, and no figures to
    /// cite.
    #[arg(long)]
    quick: bool,
    /// Only these servers.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAMES",
        default_value = "prometheus,victoria-metrics,plimsoll"
    )]
    peers: Vec<Peer>,
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
    /// Of the repository, with a mark if files differ from it.
    revision: String,
    machine: Machine,
    versions: BTreeMap<Peer, String>,
    rounds: u32,
    series: u64,
    samples: u64,
    /// Bytes of all requests that brought them.
    sent_bytes: u64,
    ingest: BTreeMap<Peer, Ingest>,
    queries: Vec<QueryOutcome>,
    /// Memory after the queries.
    memory_after: BTreeMap<Peer, process::Memory>,
    disk: BTreeMap<Peer, Disk>,
}

/// What a query took.
#[derive(Serialize)]
pub(super) struct QueryOutcome {
    title: String,
    way: String,
    expression: String,
    rounds: BTreeMap<Peer, Vec<Measured>>,
    /// Series or values of the answer.
    answer_lengths: BTreeMap<Peer, usize>,
    /// In what Plimsoll's answer differs from Prometheus'; `None` when it was not compared too.
    difference: Option<String>,
}

pub(super) fn run(workspace: &Workspace, options: &PromqlOptions) -> anyhow::Result<ExitCode> {
    if options.peers.is_empty() {
        bail!("no server was chosen");
    }
    let queries = queries::parse(QUERIES)?;
    provision::for_promql_benchmark()?;
    let plimsoll = match &options.plimsoll {
        Some(program) => program.clone(),
        None if options.peers.contains(&Peer::Plimsoll) => workspace.build(Profile::Release)?,
        None => workspace.program(Profile::Release),
    };
    process::end_all_on_signals(lab::folder_of_this_run())?;
    let mut versions = BTreeMap::new();
    for peer in &options.peers {
        versions.insert(*peer, peer.version(&plimsoll)?);
    }
    let cores = Cores::share_out()?;
    let before = Machine::read(&cores);
    eprintln!("making samples");
    let (instances, minutes) = if options.quick { QUICK_FLEET } else { FLEET };
    let Batches { bodies, span } = Batches::prepare(instances, minutes)?;
    machine::pin_thread(cores.all()[0])?;

    let folder = Folder::new()?;
    let mut servers = Vec::new();
    for peer in &options.peers {
        servers.push(Server::start(*peer, &plimsoll, &cores.all()[1..], folder.path())?);
    }
    let sent_bytes = bodies.iter().map(|body| body.len() as u64).sum();
    let ingest = feed(&servers, bodies, &span)?;
    let (rounds, time) = match options.quick {
        true => (1, QUICK_MEASUREMENT),
        false => (options.rounds, MEASUREMENT),
    };
    let mut outcomes = Vec::new();
    for query in &queries {
        eprintln!("{}", query.title);
        let outcome = measure::query(&servers, query, &span, rounds, time);
        outcomes.push(outcome.with_context(|| format!("in the query `{}`", query.title))?);
    }
    let mut memory_after = BTreeMap::new();
    let mut disk = BTreeMap::new();
    for server in &servers {
        memory_after.insert(server.peer, server.process.memory());
        measure::verify(server, &span)?;
        disk.insert(server.peer, server.disk(&span)?);
    }
    drop(servers);
    let run = Run {
        command: options.command_line(),
        date: machine::date()?,
        revision: revision(workspace)?,
        machine: before,
        versions,
        rounds,
        series: span.series(),
        samples: span.samples(),
        sent_bytes,
        ingest,
        queries: outcomes,
        memory_after,
        disk,
    };
    let is_whole = !options.quick && Peer::ALL.iter().all(|peer| options.peers.contains(peer));
    write(workspace, &run, is_whole)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives the servers the samples, one after the other, and waits until all are at rest.
fn feed(
    servers: &[Server],
    bodies: Vec<Vec<u8>>,
    span: &Span,
) -> anyhow::Result<BTreeMap<Peer, Ingest>> {
    let mut all = BTreeMap::new();
    for server in servers {
        let name = server.peer.name();
        eprintln!("{name}: {} samples", span.samples());
        let taken = measure::ingest(server, &bodies, span);
        all.insert(server.peer, taken.with_context(|| format!("{name} takes samples"))?);
    }
    drop(bodies);
    for server in servers {
        eprintln!("{}: until it is at rest", server.peer.name());
        let taken = all.get_mut(&server.peer).context("it was given samples")?;
        measure::settle(server, taken)?;
    }
    Ok(all)
}

/// Checked-in figures come from whole runs only.
fn write(workspace: &Workspace, run: &Run, is_whole: bool) -> anyhow::Result<()> {
    let text = report::document(run);
    println!("{text}");
    let folder = if is_whole {
        workspace.root.join("bench/results")
    } else {
        workspace.target.join("bench")
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (json, table) = (folder.join("promql.json"), folder.join("promql.md"));
    fs::write(&json, serde_json::to_string_pretty(run)? + "\n")?;
    fs::write(&table, text)?;
    println!("written: {}\nwritten: {}", json.display(), table.display());
    Ok(())
}

fn revision(workspace: &Workspace) -> anyhow::Result<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"]).current_dir(&workspace.root);
    Ok(command::output(&mut git)?.trim().to_owned())
}

impl PromqlOptions {
    /// For people.
    fn command_line(&self) -> String {
        let peers: Vec<_> = self.peers.iter().map(|peer| peer.name()).collect();
        let peers = match self.peers == Peer::ALL {
            true => String::new(),
            false => format!(" --peers {}", peers.join(",")),
        };
        let program = if self.plimsoll.is_some() { " --plimsoll FILE" } else { "" };
        let quick = if self.quick { " --quick" } else { "" };
        format!("cargo xtask bench promql --rounds {}{quick}{peers}{program}", self.rounds)
    }
}
