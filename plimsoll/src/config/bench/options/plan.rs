//! Options beside a plan: those that change it, and those that cannot.

use std::path::Path;

use super::super::super::problem::ConfigErrors;
use super::super::super::quantity::Refusal;
use super::super::model::Plan;
use super::super::replay::{self, Recording};
use super::super::resolve::{Overrides, Refused};
use super::super::{file, grammar, load, settings};
use super::{BenchOptions, Prepared, Typed, assignment, load_keys, request, whole};

/// The plan of a file, changed by the options.
pub(super) fn over_plan(path: &Path, options: &BenchOptions) -> Result<Prepared, ConfigErrors> {
    let mut typed = Typed::default();
    refuse_given(&request_options(options), "the plan says what is asked", &mut typed);
    let overrides = overrides(options, &mut typed);
    let read = file::load(path, overrides)?;
    for Refused { option, text, refusal } in read.refused {
        typed.refuse(&option, text.as_deref(), refusal);
    }
    typed.warnings.extend(read.warnings);
    match read.plan {
        Some(plan) => typed.change(options, plan).map(Prepared::with_streams),
        None => {
            let further = read.further;
            let errors = read.errors.into_iter().chain(typed.errors).collect();
            Err(ConfigErrors { errors, further })
        }
    }
}

/// A plan that was read elsewhere, with those options put into force that go with any plan: how
/// connections are made, thresholds, threads, part, seed, name.
///
/// # Errors
/// Every option that cannot be used, at once, and those that would change what is asked or when.
pub fn over(plan: Plan, options: &BenchOptions) -> Result<Prepared, ConfigErrors> {
    let mut typed = Typed::default();
    refuse_given(&request_options(options), "the plan says what is asked", &mut typed);
    refuse_given(&load_options(options), "the plan says how much is asked", &mut typed);
    let of_requests = [
        ("URL", !options.urls.is_empty()),
        ("--header", !options.headers.is_empty()),
        ("--redirects", options.redirects.is_some()),
    ];
    refuse_given(&of_requests, "the plan says what is asked", &mut typed);
    typed.change(options, plan)
}

/// Options that say what a request is, and whether they were given.
pub(super) fn request_options(options: &BenchOptions) -> [(&'static str, bool); 7] {
    [
        ("--method", options.method.is_some()),
        ("--data", options.data.is_some()),
        ("--data-file", options.data_file.is_some()),
        ("--form", !options.form.is_empty()),
        ("--message", options.message.is_some()),
        ("--expect-status", options.expect_status.is_some()),
        ("--expect-body", options.expect_body.is_some()),
    ]
}

/// Options that say how much is asked, and whether they were given.
fn load_options(options: &BenchOptions) -> [(&'static str, bool); 8] {
    [
        ("--rate", options.rate.is_some()),
        ("--stages", options.stages.is_some()),
        ("--replay", options.replay.is_some()),
        ("--poisson", options.poisson),
        ("--connections", options.connections.is_some()),
        ("--requests", options.requests.is_some()),
        ("--for", options.lasting.is_some()),
        ("--think", options.think.is_some()),
    ]
}

fn refuse_given(given: &[(&'static str, bool)], message: &str, typed: &mut Typed) {
    for (option, _) in given.iter().filter(|(_, given)| *given) {
        typed.refuse(option, None, Refusal::new(message).remedy(format!("remove {option}")));
    }
}

/// What the options say instead of a plan file.
fn overrides(options: &BenchOptions, typed: &mut Typed) -> Overrides {
    let mut headers = Vec::new();
    for line in &options.headers {
        headers.extend(typed.read("--header", Some(line), settings::header_line));
    }
    let mut variables = Vec::new();
    for text in &options.variables {
        variables.extend(typed.read("--set", Some(text), assignment));
    }
    if let [_, second, ..] = &options.urls[..] {
        let refusal = Refusal::new("a plan has one URL below which its paths are")
            .remedy("keep one of the two");
        typed.refuse("URL", Some(second), refusal);
    }
    let redirects = whole(0, settings::REDIRECTS_MAX.into(), 5);
    let of_load = load_options(options).into_iter().find(|(_, given)| *given);
    Overrides {
        recording: recording(options, typed),
        tell: options.tell,
        keys: load_keys(options, typed),
        load: of_load.map(|(option, _)| option),
        url: options.urls.first().map(|text| request::with_scheme(text)),
        headers,
        think: typed.read("--think", options.think.as_ref(), load::pause),
        http: options.http.as_deref().and_then(|text| settings::http_version(text).ok()),
        redirects: typed
            .read("--redirects", options.redirects.as_ref(), redirects)
            .map(|redirects| redirects as u32),
        variables,
    }
}

/// What is replayed, and how much faster.
pub(super) fn recording(options: &BenchOptions, typed: &mut Typed) -> Option<(Recording, f64)> {
    let speed = typed.read("--speed", options.speed.as_ref(), grammar::speed);
    let Some(path) = &options.replay else {
        if speed.is_some() {
            let refusal = Refusal::new("nothing is replayed that could be faster")
                .remedy("add --replay FILE, or remove --speed");
            typed.refuse("--speed", options.speed.as_deref(), refusal);
        }
        return None;
    };
    match replay::read(path, path, options.tell) {
        Ok(recording) => Some((recording, speed.unwrap_or(1.0))),
        Err(refusal) => {
            typed.refuse("--replay", None, refusal);
            None
        }
    }
}
