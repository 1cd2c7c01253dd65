//! A run: prepared, watched, and what came of it told.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::limit::{self, Search};
use super::outputs::Outputs;
use super::push::{self, Pushers};
use super::watch::{self, Stopper, Watch};
use super::{INTERRUPTED, MISSED, plan, refuse, start};
use crate::cli::arguments::bench::BenchArguments;
use crate::cli::prepare::print;
use crate::config::bench::model::{HttpSettings, HttpVersion, Plan, Tls};
use crate::load::client::dial::{self, Purpose};
use crate::load::client::{Origin, Scheme};
use crate::load::engine::{self, Controls, RunError};
use crate::load::json::Stored;
use crate::load::progress::Progress;
use crate::load::push::receiver::Receiver;
use crate::load::results::{Ended, Results};
use crate::load::tally::Tally;
use crate::load::{reach, script, summary, threshold, warnings};

/// What servers of TLS answer to a request without it.
const BAD_REQUEST: u16 = 400;
/// Most servers that are asked whether they speak TLS.
const ASKED_MAX: usize = 4;

/// All that is known before the first request.
struct Prepared {
    plan: Plan,
    outputs: Outputs,
    receivers: Vec<Receiver>,
    start_at: Option<Timestamp>,
    /// What `--find-limit` searches.
    search: Option<Search>,
}

/// What the runs of a command share.
pub(super) struct Run {
    controls: Controls,
    stopper: Stopper,
    watch: Watch,
    pushers: Pushers,
}

/// `plimsoll bench URL` or `plimsoll bench -c FILE`.
pub(super) fn run(arguments: &BenchArguments) -> ExitCode {
    let prepared = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(problems) => return refuse(problems),
    };
    let quiet = arguments.output.quiet;
    let mut run = match Run::new(&prepared, arguments) {
        Ok(run) => run,
        Err(error) => return refuse(format_args!("error: cannot start: {error}")),
    };
    let Prepared { plan, outputs, search, .. } = prepared;
    if let Some(search) = search {
        let code = limit::run(&plan, &search, &mut run, &outputs);
        run.finish();
        return code;
    }
    let results = run.once(&plan);
    run.finish();
    match results {
        Ok(results) => tell(&plan, results, &outputs, quiet),
        Err(RunError::Stopped) => {
            let _ = refuse("stopped before the first request");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => refuse(format_args!("error: {error}")),
    }
}

/// Finds everything that can be wrong before the first request.
fn prepare(arguments: &BenchArguments) -> Result<Prepared, String> {
    plan::verify_target(arguments)?;
    let plan::Loaded { plan, warnings, probe } =
        plan::load(arguments).map_err(|errors| errors.to_string())?;
    if arguments.output.quiet {
        watch::warn_of_left_out(&plan);
    } else {
        crate::cli::prepare::warn(&warnings);
    }
    let outputs = Outputs::of(&arguments.output.files);
    let receivers = push::receivers(&arguments.output, plan.part)?;
    let now = Timestamp::now();
    let start_at = (arguments.load.start_at.as_ref())
        .map(|text| start::parse(text, now, &TimeZone::system()))
        .transpose()
        .map_err(|problem| format!("error: {problem}"))?;
    let search = Search::new(arguments, &plan, probe)?;
    outputs.verify()?;
    answers(&plan)?;
    Ok(Prepared { plan, outputs, receivers, start_at, search })
}

/// Asks every server that the plan names whether it is there.
fn answers(plan: &Plan) -> Result<(), String> {
    let each = |problems: Vec<String>| {
        problems.into_iter().map(|problem| format!("error: {problem}\n")).collect::<String>()
    };
    let origins = script::origins(plan).map_err(|why| each(vec![why]))?;
    let prepared = dial::prepare(&plan.http, origins.iter().map(|(origin, _)| origin))
        .map_err(|errors| each(errors.iter().map(ToString::to_string).collect()))?;
    reach::verify(&Arc::new(prepared), &origins, plan.http.connect_timeout).map_err(each)
}

impl Run {
    fn new(prepared: &Prepared, arguments: &BenchArguments) -> std::io::Result<Self> {
        let stopper = Stopper::new()?;
        let controls = Controls {
            stop: stopper.stop(),
            start_at: prepared.start_at,
            command: watch::command_as_typed(),
        };
        let watch = match prepared.search.is_some() {
            true => Watch::of_a_search(&arguments.output),
            false => Watch::open(&prepared.plan, &arguments.output, &stopper),
        };
        watch.wait_for_start(prepared.start_at);
        let pushers = Pushers::start(prepared.receivers.clone(), watch.teller())?;
        Ok(Self { controls, stopper, watch, pushers })
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// When it cannot begin, or was ended before it did.
    pub(super) fn once(&mut self, plan: &Plan) -> Result<Results, RunError> {
        self.watched(plan, &mut |_| ())
    }

    /// Runs a plan and lets `each` see how it is doing, too.
    ///
    /// # Errors
    /// As [`Run::once`].
    pub(super) fn watched(
        &mut self,
        plan: &Plan,
        each: &mut dyn FnMut(&Progress),
    ) -> Result<Results, RunError> {
        let Self { controls, watch, pushers, .. } = self;
        engine::run(plan, controls, &mut |progress| {
            watch.show(progress);
            each(progress);
            pushers.offer(progress);
        })
    }

    /// Tells something between runs.
    pub(super) fn say(&self) -> impl Fn(&str) + Clone + Send + use<> {
        self.watch.teller()
    }

    /// Says whether a person asked for the end.
    pub(super) fn stopped(&self) -> impl Fn() -> bool + use<> {
        let stopper = self.stopper.clone();
        move || stopper.is_asked()
    }

    /// Gives the terminal back, and pushes what is left.
    fn finish(self) {
        self.watch.close();
        self.pushers.finish();
    }
}

/// The servers that were asked without TLS, answered nothing but 400, and do speak TLS.
fn with_tls(plan: &Plan, total: &Tally) -> Vec<String> {
    let refused = total.statuses.get(&BAD_REQUEST).copied().unwrap_or(0);
    if refused == 0 || refused < total.requests {
        return Vec::new();
    }
    let tls = Tls { insecure: true, ..Tls::default() };
    let settings = HttpSettings { version: HttpVersion::Auto, tls, ..plan.http.clone() };
    let speaks = |(origin, purpose): &(Origin, Purpose)| {
        let origin = Origin { scheme: Scheme::Https, ..origin.clone() };
        let Ok(prepared) = dial::prepare(&settings, [&origin]) else { return false };
        let origins = [(origin, *purpose)];
        reach::verify(&Arc::new(prepared), &origins, settings.connect_timeout).is_ok()
    };
    let origins = script::origins(plan).unwrap_or_default();
    let without = origins.into_iter().filter(|(origin, _)| origin.scheme == Scheme::Http);
    without.take(ASKED_MAX).filter(speaks).map(|(origin, _)| origin.authority).collect()
}

/// Tells what came of a run, and gives the exit code that it deserves.
fn tell(plan: &Plan, results: Results, outputs: &Outputs, quiet: bool) -> ExitCode {
    let outcomes = threshold::evaluate(plan, &results);
    let missed = outcomes.iter().any(|outcome| !outcome.held);
    let failed = warnings::warnings(&results).iter().any(|warning| warning.kind.is_fatal());
    let interrupted = results.run.ended == Ended::Interrupted;
    let stored = Stored { results, outcomes };
    if !outputs.takes_standard_output() {
        let code = print(summary::text(&stored.results, &stored.outcomes, watch::colours()));
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    for server in with_tls(plan, &stored.results.total) {
        let hint = format_args!(
            "{server} answered 400 to every request, and it speaks TLS: write https:// instead of \
             http://"
        );
        let _ = writeln!(io::stderr(), "{hint}");
    }
    let (written, problems) = outputs.write(&stored);
    if !quiet {
        watch::tell_written(&written);
    }
    match () {
        () if !problems.is_empty() => refuse(problems.join("\n")),
        () if interrupted => ExitCode::from(INTERRUPTED),
        () if missed => ExitCode::from(MISSED),
        () if failed => ExitCode::FAILURE,
        () => ExitCode::SUCCESS,
    }
}
