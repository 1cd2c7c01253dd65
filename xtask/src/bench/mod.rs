//! `cargo xtask bench`: Plimsoll beside its peers, in one run, on one machine.
//!
//! Machines are shared and noisy, so no figure stands alone: each is the median of alternating
//! rounds, and what counts is its ratio to that of a peer measured a moment before or after on
//! the same core. How to read the figures is told in `bench/README.md`.

mod histogram;
mod idle;
mod lab;
mod load;
mod machine;
mod open_loop;
mod process;
mod promql;
mod proxy;
mod render;
mod response;
mod results;
mod scenario;
mod throughput;
mod upstream;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::provision;
use crate::workspace::{Profile, Workspace};
use lab::Lab;
use proxy::Peer;
use results::{Outcome, Run};
use scenario::{SCENARIOS, Scenario};

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// The balancer beside nginx and HAProxy.
    Edge(EdgeOptions),
    /// The load tester beside wrk and h2load, and beside the truth.
    Load(load::LoadOptions),
    /// The store of figures and its queries beside Prometheus and VictoriaMetrics.
    Promql(promql::PromqlOptions),
}

/// Options of `cargo xtask bench edge`.
#[derive(Args)]
struct EdgeOptions {
    /// Rounds of each scenario; every proxy is measured once in each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// One round of one second: shows that everything works, and no figures to cite.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios (comma-separated); `--list` names them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Only these proxies.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAMES",
        default_value = "nginx,haproxy,plimsoll"
    )]
    proxies: Vec<Peer>,
    /// Measure this program instead of building the repository's.
    #[arg(long, value_name = "FILE")]
    plimsoll: Option<PathBuf>,
    /// List the scenarios and stop.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(workspace: &Workspace, options: Options) -> anyhow::Result<ExitCode> {
    match options.subject {
        Subject::Edge(options) => edge(workspace, &options),
        Subject::Load(options) => load::run(workspace, &options),
        Subject::Promql(options) => promql::run(workspace, &options),
    }
}

fn edge(workspace: &Workspace, options: &EdgeOptions) -> anyhow::Result<ExitCode> {
    if options.list {
        for scenario in &SCENARIOS {
            println!("{:14} {}", scenario.name, scenario.title);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let scenarios = chosen(&options.only)?;
    provision::for_edge_benchmark()?;
    let plimsoll = match &options.plimsoll {
        Some(program) => program.clone(),
        None if needs_plimsoll(&options.proxies, &scenarios) => {
            workspace.build(Profile::Release)?
        }
        None => workspace.program(Profile::Release),
    };
    process::end_all_on_signals(lab::folder_of_this_run())?;
    let seconds = if options.quick { 1 } else { options.seconds };
    let rounds = if options.quick { 1 } else { options.rounds };
    let mut lab = Lab::open(plimsoll, Duration::from_secs(seconds))?;
    let mut run = Run::begin(&lab, rounds, seconds, &options.proxies)?;
    println!("{}", render::head(&run));
    for scenario in scenarios {
        let outcome = play(&mut lab, scenario, rounds, &options.proxies)?;
        println!("{}", render::outcome(&outcome));
        run.scenarios.push(outcome);
    }
    drop(lab);
    let is_whole = options.only.is_empty() && !options.quick && options.proxies == Peer::ALL;
    // Checked-in figures come from whole runs only.
    let folder = if is_whole {
        workspace.root.join("bench/results")
    } else {
        workspace.target.join("bench")
    };
    for file in run.write(&folder)? {
        println!("written: {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let known = || SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        SCENARIOS
            .iter()
            .find(|scenario| scenario.name == name)
            .with_context(|| format!("there is no scenario `{name}`; there are {}", known()))
    };
    names.iter().map(find).collect()
}

fn needs_plimsoll(proxies: &[Peer], scenarios: &[&Scenario]) -> bool {
    proxies.contains(&Peer::Plimsoll) || scenarios.iter().any(|scenario| scenario.uses_clinic())
}

/// All rounds of a scenario. The order of the proxies turns from round to round, so that none is
/// always the one after the pause.
fn play(
    lab: &mut Lab,
    scenario: &Scenario,
    rounds: u32,
    proxies: &[Peer],
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new(scenario);
    match scenario.prepare(lab)? {
        scenario::Readiness::Ready(note) => outcome.note = note,
        scenario::Readiness::Skipped(why) => {
            outcome.skipped = Some(why);
            return Ok(outcome);
        }
    }
    if proxies.is_empty() {
        bail!("no proxy was chosen");
    }
    let proxies: Vec<Peer> =
        proxies.iter().copied().filter(|peer| scenario.is_for(*peer)).collect();
    for round in 0..rounds as usize {
        for turn in 0..proxies.len() {
            let peer = proxies[(round + turn) % proxies.len()];
            eprintln!("{}: round {} of {rounds}: {}", scenario.name, round + 1, peer.name());
            let sample = scenario.measure(lab, peer).with_context(|| {
                format!("cannot measure {} in `{}`", peer.name(), scenario.name)
            })?;
            outcome.add(peer, sample);
        }
    }
    outcome.conclude(scenario);
    Ok(outcome)
}
