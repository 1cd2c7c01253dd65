//! The options of `plimsoll bench` into a plan: without a plan file they are the whole plan, with
//! one they change it.
//!
//! Options arrive as they were typed. All that is wrong with them is told at once, each by its name.

mod plan;
mod request;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::problem::{ConfigError, ConfigErrors, Warning};
use super::super::quantity::{self, Refusal};
use super::builder::Builder;
use super::load::{self, Key, Keys, Voice};
use super::model::{
    Cookies, Group, HttpSettings, HttpVersion, Load, OnError, Part, Plan, ServedBy, Step,
    Threshold, Tls,
};
use super::template::{self, Uses};
use super::{settings, threshold};
pub use plan::over;
pub(in crate::config) use request::{complete, file_name, read_file};

/// What `plimsoll bench` was told. Texts are as typed; empty or absent is what was not given.
#[derive(Debug, Clone, Default)]
pub struct BenchOptions {
    /// URLs; each gets the same share of the requests. With a plan, the base of its paths.
    pub urls: Vec<String>,
    /// `-c`: a plan in TOML, which the other options change.
    pub plan: Option<PathBuf>,
    /// `--name`: what the report is headed with.
    pub name: Option<String>,
    /// `-X`, `--method`: `GET` without, `POST` with a body.
    pub method: Option<String>,
    /// `-H`, `--header`: `Name: value`. An empty value leaves the header out.
    pub headers: Vec<String>,
    /// `-d`, `--data`: the body.
    pub data: Option<String>,
    /// `--data-file`: the body as it is in a file.
    pub data_file: Option<PathBuf>,
    /// `--form`: `name=value`; `name=@FILE` sends a file, and all as `multipart/form-data`.
    pub form: Vec<String>,
    /// `--message`: what is sent to a `ws://` URL.
    pub message: Option<String>,
    /// `--rate`: `2000`, `2000/s`, `100/min`.
    pub rate: Option<String>,
    /// `--poisson`: arrivals at random around the rate.
    pub poisson: bool,
    /// `--stages`: `0..500/30s,500/2m,500..0/30s`.
    pub stages: Option<String>,
    /// `--replay`: an access log or a CSV file with times; `-` is standard input.
    pub replay: Option<PathBuf>,
    /// Told how far reading a recording is, where that takes long.
    pub tell: Option<fn(&str)>,
    /// `--speed`: how much faster than recorded.
    pub speed: Option<String>,
    /// `--requests`: how many in all (closed model).
    pub requests: Option<String>,
    /// `--connections`: users of the closed model, or stages of them; the most at once with a rate.
    pub connections: Option<String>,
    /// `--for`: how long.
    pub lasting: Option<String>,
    /// `--think`: a pause after each iteration: `1s`, `1s..3s`.
    pub think: Option<String>,
    /// `--threads`: event loops.
    pub threads: Option<String>,
    /// `--http`: `1`, `2` or `auto`.
    pub http: Option<String>,
    /// `--no-keepalive`: a connection for each request.
    pub no_keepalive: bool,
    /// `--streams`: requests at once on an HTTP/2 connection.
    pub streams: Option<String>,
    /// `--insecure`: any certificate will do.
    pub insecure: bool,
    /// `--ca`: trusts these certificates (PEM) instead of the system's.
    pub ca: Option<PathBuf>,
    /// `--cert`: shows this certificate (PEM).
    pub certificate: Option<PathBuf>,
    /// `--key`: its key (PEM).
    pub key: Option<PathBuf>,
    /// `--server-name`: the name that the certificate is for, instead of the URL's host.
    pub server_name: Option<String>,
    /// `--unix`: connects to this socket, whatever the URL says.
    pub unix: Option<PathBuf>,
    /// `--timeout`: from sending to the end of the answer.
    pub timeout: Option<String>,
    /// `--connect-timeout`.
    pub connect_timeout: Option<String>,
    /// `--redirects`: the most that are followed.
    pub redirects: Option<String>,
    /// `--expect-status`: `200`, `200-299`, `2xx`.
    pub expect_status: Option<String>,
    /// `--expect-body`: must be in the body.
    pub expect_body: Option<String>,
    /// `--served-by`: a header, `json:$.path` or `none`.
    pub served_by: Option<String>,
    /// `--threshold`: `p99<50ms,errors<0.1%`.
    pub thresholds: Vec<String>,
    /// `--slo`: more of them, `p99=50ms,errors=0.1%`.
    pub slo: Option<String>,
    /// `--part`: `0/8` for the first of eight processes.
    pub part: Option<String>,
    /// `--seed`: repeats random choices.
    pub seed: Option<String>,
    /// `--set`: `name=value`, a variable of templates.
    pub variables: Vec<String>,
}

/// A plan that holds.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What to do.
    pub plan: Plan,
    /// What is likely not meant.
    pub warnings: Vec<Warning>,
}

impl Prepared {
    /// The plan, whose groups were given as connections, with the users that these have room for.
    fn with_streams(mut self) -> Self {
        let streams = self.plan.http.streams;
        for group in &mut self.plan.groups {
            group.load.multiply(streams);
        }
        self
    }
}

/// The plan that options make.
///
/// # Errors
/// Every option that cannot be used, at once; `key` names the option.
pub fn from_options(options: &BenchOptions) -> Result<Prepared, ConfigErrors> {
    if let Some(path) = &options.plan {
        return plan::over_plan(path, options);
    }
    let mut typed = Typed::default();
    let mut builder = Builder::default();
    set_variables(options, &mut builder, &mut typed);
    let recording = plan::recording(options, &mut typed);
    let (steps, times) = request::steps(options, recording, &mut builder, &mut typed);
    let load = load(options, times, &mut typed);
    let refusal = load.as_ref().and_then(|load| load::idle_pause(load, Voice::Options));
    if let (Some(think), Some(refusal)) = (&options.think, refusal) {
        typed.refuse("--think", Some(think), refusal);
    }
    let mut plan = Plan {
        name: options.urls.first().cloned().unwrap_or_default(),
        source: "the command line".to_owned(),
        groups: Vec::new(),
        labels: Vec::new(),
        variables: Vec::new(),
        feeds: Vec::new(),
        http: default_http(),
        served_by: Some(ServedBy::Header(settings::SERVED_BY.to_owned())),
        thresholds: Vec::new(),
        threads: None,
        part: Part::WHOLE,
        seed: None,
        left_out: Vec::new(),
    };
    let lists = builder.finish();
    (plan.labels, plan.variables, plan.feeds) = (lists.labels, lists.variables, lists.feeds);
    if let Some(load) = load {
        plan.groups = vec![group("requests", load, steps)];
    }
    typed.change(options, plan).map(Prepared::with_streams)
}

/// A group of users that take no notice of cookies: without steps that build on each other there is
/// nobody to be recognised as. They keep their connections.
fn group(name: &str, load: Load, steps: Vec<Step>) -> Group {
    let (name, on_error) = (name.to_owned(), OnError::Continue);
    Group { name, load, steps, fresh_users: false, cookies: Cookies::Ignored, on_error }
}

/// How connections are made and used unless said otherwise.
pub(in crate::config) fn default_http() -> HttpSettings {
    HttpSettings {
        version: HttpVersion::Auto,
        keep_alive: true,
        streams: settings::STREAMS,
        connect_timeout: settings::CONNECT_TIMEOUT,
        timeout: settings::TIMEOUT,
        unix: None,
        tls: Tls::default(),
    }
}

/// Options that are being read, and what is wrong with those that were.
#[derive(Debug, Default)]
pub(super) struct Typed {
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
}

impl Typed {
    /// Reads the text of an option, if it was given.
    fn read<T>(
        &mut self,
        option: &str,
        text: Option<&String>,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let text = text?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(option, Some(text), refusal);
                None
            }
        }
    }

    /// Notes what is wrong with an option.
    fn refuse(&mut self, option: &str, found: Option<&str>, refusal: Refusal) {
        let mut error = ConfigError::new(option, refusal.message);
        error.found = found.map(str::to_owned);
        // Remedies quote text as the file does; a command line does without.
        error.remedy = refusal.remedy.map(|remedy| remedy.replace('"', ""));
        if error.remedy.is_none() {
            error.remedy = Some("correct it".to_owned());
        }
        self.errors.push(error);
    }

    /// Notes what is likely not meant.
    fn warn(&mut self, option: &str, doubt: Refusal) {
        let mut error = ConfigError::new(option, doubt.message);
        error.remedy = doubt.remedy;
        self.warnings.push(Warning(error));
    }

    /// The plan with the options that go with any plan, unless something was wrong.
    fn change(mut self, options: &BenchOptions, mut plan: Plan) -> Result<Prepared, ConfigErrors> {
        if let Some(name) = &options.name {
            plan.name.clone_from(name);
        }
        apply_settings(options, &mut plan, &mut self);
        if let Some(refusal) = load::too_many_streams(&plan.groups, plan.http.streams) {
            self.refuse("--streams", options.streams.as_deref(), refusal);
        }
        match self.errors.is_empty() {
            true => Ok(Prepared { plan, warnings: self.warnings }),
            false => Err(self.errors.into()),
        }
    }
}

/// A whole number within bounds.
fn whole(least: u64, most: u64, example: u64) -> impl Fn(&str) -> Result<u64, Refusal> {
    move |text: &str| match text.trim().parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) => Err(Refusal::new(format!("{text} is not possible"))
            .remedy(format!("write a number from {least} to {most}"))),
        Err(_) => Err(Refusal::new(format!("`{text}` is not a whole number"))
            .remedy(format!("write it as in {example}"))),
    }
}

/// A bound on time: never zero.
fn timeout(text: &str) -> Result<Duration, Refusal> {
    let timeout = quantity::duration(text)?;
    match timeout.is_zero() {
        true => Err(Refusal::new("a timeout of 0 lets nothing pass").remedy("write 1ms or more")),
        false => Ok(timeout),
    }
}

/// The load that the options describe.
fn load(options: &BenchOptions, times: Option<Arc<[Duration]>>, typed: &mut Typed) -> Option<Load> {
    let before = typed.errors.len();
    let keys = Keys { replay: times, ..load_keys(options, typed) };
    let is_unread = options.replay.is_some() && keys.replay.is_none();
    if typed.errors.len() > before || is_unread {
        return None;
    }
    match keys.load(Voice::Options) {
        Ok(load) => Some(load),
        Err((key, refusal)) => {
            typed.refuse(&format!("--{}", key.name()), typed_text(options, key), refusal);
            None
        }
    }
}

/// What was typed under a name of the load.
fn typed_text(options: &BenchOptions, key: Key) -> Option<&str> {
    let text = match key {
        Key::Rate => &options.rate,
        Key::Stages => &options.stages,
        Key::Connections => &options.connections,
        Key::Requests => &options.requests,
        Key::For => &options.lasting,
        Key::Replay | Key::Poisson => return None,
    };
    text.as_deref()
}

/// The names of the load that were given.
fn load_keys(options: &BenchOptions, typed: &mut Typed) -> Keys {
    Keys {
        rate: typed.read("--rate", options.rate.as_ref(), load::rate),
        stages: typed.read("--stages", options.stages.as_ref(), load::stages),
        replay: None,
        poisson: options.poisson,
        connections: typed.read("--connections", options.connections.as_ref(), load::users),
        requests: typed.read("--requests", options.requests.as_ref(), load::requests),
        lasting: typed.read("--for", options.lasting.as_ref(), load::lasting),
    }
}

/// `name=value`
fn assignment(text: &str) -> Result<(String, String), Refusal> {
    let (name, value) = text.split_once('=').ok_or_else(|| {
        Refusal::new("there is no `=` between name and value")
            .remedy("write it as in --set user=anna")
    })?;
    template::variable_name(name)?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Variables of the command line.
fn set_variables(options: &BenchOptions, builder: &mut Builder, typed: &mut Typed) {
    for setting in &options.variables {
        let read = |text: &str| {
            let (name, value) = assignment(text)?;
            Ok((name, template::parse(&value, builder, &mut Uses::default())?))
        };
        if let Some((name, value)) = typed.read("--set", Some(setting), read) {
            builder.set_initial(&name, value);
        }
    }
}

/// Changes what any plan has: connections, thresholds, part, seed.
fn apply_settings(options: &BenchOptions, plan: &mut Plan, typed: &mut Typed) {
    apply_http(options, &mut plan.http, typed);
    apply_tls(options, &mut plan.http.tls, typed);
    let served_by = typed.read("--served-by", options.served_by.as_ref(), settings::served_by);
    if let Some(served_by) = served_by {
        plan.served_by = served_by;
    }
    let thresholds = options.thresholds.iter().map(|text| ("--threshold", text));
    for (option, text) in thresholds.chain(options.slo.iter().map(|text| ("--slo", text))) {
        let labels = &plan.labels;
        let read = |text: &str| {
            let written = threshold::thresholds(text)?;
            written.into_iter().map(|written| threshold::labelled(written, labels)).collect()
        };
        let read: Option<Vec<Threshold>> = typed.read(option, Some(text), read);
        plan.thresholds.extend(read.into_iter().flatten());
    }
    let threads = whole(1, settings::THREADS_MAX as u64, 2);
    if let Some(threads) = typed.read("--threads", options.threads.as_ref(), threads) {
        plan.threads = Some(threads as usize);
    }
    if let Some(part) = typed.read("--part", options.part.as_ref(), settings::part) {
        plan.part = part;
    }
    if let Some(seed) = typed.read("--seed", options.seed.as_ref(), whole(0, u64::MAX, 42)) {
        plan.seed = Some(seed);
    }
}

fn apply_http(options: &BenchOptions, http: &mut HttpSettings, typed: &mut Typed) {
    if let Some(version) = typed.read("--http", options.http.as_ref(), settings::http_version) {
        http.version = version;
    }
    http.keep_alive &= !options.no_keepalive;
    let streams = whole(1, settings::STREAMS_MAX as u64, 10);
    if let Some(streams) = typed.read("--streams", options.streams.as_ref(), streams) {
        http.streams = streams as usize;
    }
    if let Some(refusal) = settings::lone_streams(http.version, http.streams, Voice::Options) {
        match &options.streams {
            Some(streams) => typed.refuse("--streams", Some(streams), refusal),
            None => typed.refuse("--http", options.http.as_deref(), refusal),
        }
    }
    if let Some(time) = typed.read("--timeout", options.timeout.as_ref(), timeout) {
        http.timeout = time;
    }
    if let Some(time) = typed.read("--connect-timeout", options.connect_timeout.as_ref(), timeout) {
        http.connect_timeout = time;
    }
    if let Some(path) = &options.unix {
        http.unix = Some(path.clone());
    }
}

fn apply_tls(options: &BenchOptions, tls: &mut Tls, typed: &mut Typed) {
    tls.insecure |= options.insecure;
    let paths = [
        (&options.ca, &mut tls.ca),
        (&options.certificate, &mut tls.certificate),
        (&options.key, &mut tls.key),
    ];
    for (given, path) in paths {
        if given.is_some() {
            path.clone_from(given);
        }
    }
    if options.server_name.is_some() {
        tls.server_name.clone_from(&options.server_name);
    }
    for (option, refusal) in tls_contradictions(tls) {
        typed.refuse(&format!("--{option}"), None, refusal);
    }
}

/// What contradicts itself in how TLS is to be done, with the names that should change.
pub(in crate::config) fn tls_contradictions(tls: &Tls) -> Vec<(&'static str, Refusal)> {
    let mut found = Vec::new();
    if tls.insecure && tls.ca.is_some() {
        let refusal =
            Refusal::new("any certificate will do, so that nothing is compared with `ca`")
                .remedy("remove `insecure` or `ca`");
        found.push(("ca", refusal));
    }
    if tls.certificate.is_some() && tls.key.is_none() {
        let refusal = Refusal::new("a certificate cannot be shown without its key");
        found.push(("cert", refusal.remedy("add `key`")));
    }
    if tls.key.is_some() && tls.certificate.is_none() {
        let refusal = Refusal::new("there is no certificate for this key");
        found.push(("key", refusal.remedy("add `cert`")));
    }
    found
}

#[cfg(test)]
mod tests;
