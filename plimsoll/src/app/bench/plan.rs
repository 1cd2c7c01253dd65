//! From what was typed to a plan: the command line alone, a TOML file, or a JMeter file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::arguments::bench::{BenchArguments, HttpArgument};
use crate::config::bench::jmx::{self, JmxOptions};
use crate::config::bench::model::Plan;
use crate::config::bench::{BenchOptions, Prepared, from_options};
use crate::config::{ConfigErrors, Warning};

/// Beginnings of what is a URL and not the name of a file.
const SCHEMES: &str = "://";
/// How JMeter calls its files.
const JMETER: &str = "jmx";

/// A plan that holds, with what is likely not meant.
pub(super) struct Loaded {
    pub(super) plan: Plan,
    pub(super) warnings: Vec<Warning>,
}

/// The plan that the arguments mean.
///
/// # Errors
/// Everything that is wrong with them and the file they name.
pub(super) fn load(arguments: &BenchArguments) -> Result<Loaded, ConfigErrors> {
    let options = options(arguments);
    let prepared = match file(arguments) {
        None => from_options(&options)?,
        Some(path) if is_jmeter(&path) => {
            let jmx = JmxOptions {
                skip_unsupported: arguments.target.skip_unsupported,
                properties: properties(&arguments.target.set),
            };
            let loaded = jmx::load(&path, &jmx)?;
            Prepared { plan: loaded.plan, warnings: loaded.warnings }
        }
        Some(_) => from_options(&options)?,
    };
    let mut plan = prepared.plan;
    if let Some(name) = &arguments.output.name {
        plan.name.clone_from(name);
    }
    Ok(Loaded { plan, warnings: prepared.warnings })
}

/// The file of a plan, if one is named.
fn file(arguments: &BenchArguments) -> Option<PathBuf> {
    let target = arguments.target.target.as_deref();
    let named = target.filter(|target| !target.contains(SCHEMES)).map(PathBuf::from);
    arguments.target.config.clone().or_else(|| named.filter(|path| is_plan(path)))
}

/// Whether a word without a scheme is meant as a file: it is called like one, or is one.
fn is_plan(path: &Path) -> bool {
    is_jmeter(path) || path.extension().is_some_and(|it| it == "toml") || path.is_file()
}

fn is_jmeter(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(JMETER))
}

/// `NAME=VALUE`; a name alone is given nothing.
fn properties(set: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    set.iter().map(pair).collect()
}

fn options(arguments: &BenchArguments) -> BenchOptions {
    let BenchArguments { target, load, request, connection, verdict, .. } = arguments.clone();
    let is_url = target.target.as_deref().is_some_and(|it| file(arguments) != Some(it.into()));
    let slo = verdict.slo.filter(|_| !verdict.find_limit);
    BenchOptions {
        urls: target.target.filter(|_| is_url).into_iter().collect(),
        method: request.method,
        headers: request.headers,
        data: request.data,
        data_file: request.data_file,
        form: request.form,
        message: request.message,
        rate: load.rate,
        poisson: load.poisson,
        stages: load.stages,
        requests: load.requests,
        connections: load.connections,
        lasting: load.duration,
        think: load.think,
        threads: load.threads,
        http: connection.http.map(|version| match version {
            HttpArgument::One => "1".to_owned(),
            HttpArgument::Two => "2".to_owned(),
        }),
        no_keepalive: connection.no_keepalive,
        streams: connection.streams,
        insecure: connection.insecure,
        ca: connection.ca,
        certificate: connection.cert,
        key: connection.key,
        server_name: connection.server_name,
        unix: connection.unix,
        timeout: request.timeout,
        connect_timeout: connection.connect_timeout,
        redirects: request.redirects,
        expect_status: request.expect_status,
        expect_text: request.expect_text,
        served_by: request.served_by,
        thresholds: verdict.threshold.into_iter().chain(slo).collect(),
        part: load.part,
        seed: load.seed,
        variables: target.set,
    }
}
