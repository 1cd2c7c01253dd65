//! A run: prepared, watched, and what came of it told.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::outputs::Outputs;
use super::watch::{self, Stopper, Watch};
use super::{INTERRUPTED, MISSED, plan, print, refuse, start};
use crate::cli::arguments::bench::BenchArguments;
use crate::config::bench::model::Plan;
use crate::load::engine::{self, Controls};
use crate::load::json::Stored;
use crate::load::results::{Ended, Results};
use crate::load::{reach, summary, threshold, warnings};

/// `plimsoll bench URL` or `plimsoll bench -c FILE`.
pub(super) fn run(arguments: &BenchArguments) -> ExitCode {
    let loaded = match plan::load(arguments) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(errors),
    };
    if !arguments.output.quiet {
        watch::warn(&loaded.warnings);
    }
    let outputs = Outputs::of_run(&arguments.output);
    let start_at = match &arguments.load.start_at {
        None => None,
        Some(text) => match start::parse(text, Timestamp::now(), &TimeZone::system()) {
            Ok(at) => Some(at),
            Err(problem) => return refuse(format_args!("error: {problem}")),
        },
    };
    let plan = loaded.plan;
    if let Err(problems) = outputs.verify().and_then(|()| answers(&plan)) {
        return refuse(problems);
    }
    let stopper = match Stopper::new() {
        Ok(stopper) => stopper,
        Err(error) => return refuse(format_args!("error: cannot listen for signals: {error}")),
    };
    let controls = Controls { stop: stopper.stop(), start_at, command: watch::command_as_typed() };
    let mut watch = Watch::open(&plan, &arguments.output, &stopper);
    watch.wait_for_start(start_at);
    let run = engine::run(&plan, &controls, &mut |progress| watch.show(progress));
    watch.close();
    match run {
        Ok(results) => tell(&plan, results, &outputs, arguments.output.quiet),
        Err(engine::RunError::Stopped) => {
            let _ = refuse("stopped before the first request");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => refuse(format_args!("error: {error}")),
    }
}

/// Asks every server that the plan names whether it is there.
fn answers(plan: &Plan) -> Result<(), String> {
    let origins = reach::origins(plan);
    let asked = origins.iter().map(|(origin, _)| origin);
    let each = |problems: &mut dyn Iterator<Item = String>| {
        problems.map(|problem| format!("error: {problem}\n")).collect::<String>()
    };
    let prepared = crate::load::client::dial::prepare(&plan.http, asked)
        .map_err(|errors| each(&mut errors.iter().map(ToString::to_string)))?;
    reach::verify(&Arc::new(prepared), &origins, plan.http.connect_timeout)
        .map_err(|problems| each(&mut problems.into_iter()))
}

/// Tells what came of a run, and gives the exit code that it deserves.
fn tell(plan: &Plan, results: Results, outputs: &Outputs, quiet: bool) -> ExitCode {
    let outcomes = threshold::evaluate(plan, &results);
    let missed = outcomes.iter().any(|outcome| !outcome.held);
    let failed = warnings::warnings(&results).iter().any(|warning| warning.kind.is_fatal());
    let interrupted = results.run.ended == Ended::Interrupted;
    let stored = Stored { results, outcomes };
    if !outputs.takes_standard_output() {
        let text = summary::text(&stored.results, &stored.outcomes, watch::colours());
        let code = print(text);
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    let (written, problems) = outputs.write(&stored);
    if !quiet {
        watch::tell_written(&written);
    }
    if !problems.is_empty() {
        return refuse(problems.join("\n"));
    }
    match () {
        () if interrupted => ExitCode::from(INTERRUPTED),
        () if missed => ExitCode::from(MISSED),
        () if failed => ExitCode::FAILURE,
        () => ExitCode::SUCCESS,
    }
}
