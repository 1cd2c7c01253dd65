//! `plimsoll promql`: test scripts run here, queries asked of a running server.

mod answer;
mod span;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tsdb::promql::script::{self, Report, Totals};
use tsdb::promql::{self, Limits, QueryError};

use super::arguments::promql::{PromqlArguments, PromqlCommand, QueryArguments, TestArguments};
use super::client::Client;
use super::commands::{USAGE, painter};
use crate::admin::units::plural;
use crate::config::model::observe::HttpEndpoint;
use crate::config::problem::{ConfigError, Source};
use crate::outbound;
use crate::trust::Remedies;
use span::Span;

/// Largest script that is read.
const SCRIPT_BYTES_MAX: u64 = 64 << 20;
/// Failures of a file that are shown unless all are wanted.
const FAILURES_SHOWN: usize = 10;
/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// What to do where `--url` names a Plimsoll without the place of its API.
const BASE_REMEDY: &str = "this is a Plimsoll, whose API is below /prometheus: add that to --url, or \
                           name it by --admin HOST:PORT, or leave --url away for the one that runs here";
/// Longer than any query may take by default.
const PATIENCE: Duration = Duration::from_secs(130);

/// Carries the command out.
pub fn run(arguments: &PromqlArguments) -> ExitCode {
    match &arguments.command {
        PromqlCommand::Test(arguments) => test(arguments),
        PromqlCommand::Query(arguments) => match query(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(),
        },
    }
}

fn test(arguments: &TestArguments) -> ExitCode {
    let mut totals = Totals::default();
    let (mut is_right, mut is_readable, mut refused) = (true, true, 0);
    for path in &arguments.files {
        match read(path) {
            Ok(text) => {
                let report = script::run(&path.display().to_string(), &text, &Limits::default());
                is_right &= report.is_success();
                refused += report.refused.len();
                totals += report.totals();
                if !show(&report, arguments.all) {
                    return ExitCode::FAILURE;
                }
            }
            Err(error) => {
                is_readable = false;
                let _ = writeln!(io::stderr(), "error: cannot read {}: {error}", path.display());
            }
        }
    }
    is_readable &= refused == 0;
    if totals.passed + totals.failed == 0 && is_readable && is_right {
        let _ = writeln!(io::stderr(), "warning: there is no `eval` line, so nothing was tested");
    }
    let unread = match refused {
        0 => String::new(),
        count => format!(", {} not understood", plural(count, "line")),
    };
    let printed = super::prepare::print(format_args!("{totals}{unread}\n"));
    match (is_readable, is_right) {
        (false, _) => ExitCode::from(USAGE),
        (true, false) => ExitCode::FAILURE,
        (true, true) => printed,
    }
}

fn read(path: &Path) -> Result<String, String> {
    let known = fs::metadata(path).map_err(|error| plainly(&error))?;
    if known.is_dir() {
        return Err(format!("it is a folder; name its files: {}/*.test", path.display()));
    }
    if known.len() > SCRIPT_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", SCRIPT_BYTES_MAX >> 20));
    }
    let bytes = fs::read(path).map_err(|error| plainly(&error))?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text")
    })
}

fn plainly(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Shows what is wrong; `false` if nobody reads on.
fn show(report: &Report, all: bool) -> bool {
    let most = if all { usize::MAX } else { FAILURES_SHOWN };
    let mut text = String::new();
    for refusal in report.refused.iter().take(most) {
        text.push_str(&format!("{}:{}: {}\n", report.name, refusal.line, refusal.message));
    }
    for failure in report.failed.iter().take(most) {
        text.push_str(&format!("{failure}\n"));
    }
    for (what, count) in [("failures", report.failed.len()), ("lines", report.refused.len())] {
        if count > most {
            let more = count - most;
            text.push_str(&format!("{}: {more} more {what}; --all shows them\n", report.name));
        }
    }
    write!(io::stdout(), "{text}").is_ok()
}

/// Why a query was not answered.
struct Failure {
    text: String,
    remedy: String,
    code: u8,
}

impl Failure {
    fn usage(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { text: text.into(), remedy: remedy.into(), code: USAGE }
    }

    fn answer(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { text: text.into(), remedy: remedy.into(), code: 1 }
    }

    fn tell(&self) -> ExitCode {
        let mut text = format!("error: {}", self.text);
        if !self.remedy.is_empty() {
            text.push_str(&format!("\n = remedy: {}", self.remedy));
        }
        let _ = writeln!(io::stderr(), "{text}");
        ExitCode::from(self.code)
    }
}

fn query(arguments: &QueryArguments) -> Result<(), Failure> {
    let now = jiff::Timestamp::now();
    let span = Span::new(arguments, now).map_err(|wrong| Failure::usage(wrong, ""))?;
    // Mistakes are told the same way whoever is asked; what only another server understands is
    // left to it.
    if arguments.url.is_none() {
        promql::parse(&arguments.expression)
            .map_err(|error| Failure::usage(shown(&arguments.expression, &error), ""))?;
    }
    let endpoint = endpoint(arguments)?;
    let times = span.times();
    let (path, mut form) = match span {
        Span::At(at) => ("query", at.map(|at| vec![("time", at)]).unwrap_or_default()),
        Span::Over { from, to, step } => {
            ("query_range", vec![("start", from), ("end", to), ("step", step)])
        }
    };
    form.push(("query", arguments.expression.clone()));
    let url = format!("{}/api/v1/{path}", endpoint.url);
    let bytes = ask(&endpoint, &url, &form)?;
    let stranger = || {
        Failure::answer(
            format!("what answers on {} does not speak Prometheus' API", without_password(&url)),
            "look at the address; Plimsoll's own needs no --url",
        )
    };
    let answer: Value = serde_json::from_slice(&bytes).map_err(|_| stranger())?;
    let status = answer.get("status").and_then(Value::as_str);
    // Plimsoll's own refusals, as of a missing token, have no status, and a remedy.
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        let remedy = answer.get("remedy").and_then(Value::as_str).unwrap_or_default();
        let missing = format!("there is no {}", path_of(&url));
        // Of another server's API it is only Plimsoll itself that answers in these words.
        if arguments.url.is_some() && error == missing {
            return Err(Failure::answer(error, BASE_REMEDY));
        }
        return Err(Failure::answer(error, remedy));
    }
    if status == Some("error") {
        return Err(Failure::answer("it does not say why", ""));
    }
    if status != Some("success") {
        return Err(stranger());
    }
    for kind in ["warnings", "infos"] {
        for note in answer.get(kind).and_then(Value::as_array).into_iter().flatten() {
            let note = super::table::harmless(note.as_str().unwrap_or_default());
            let _ = writeln!(io::stderr(), "{}: {note}", kind.trim_end_matches('s'));
        }
    }
    let text = match arguments.json {
        true => format!("{}\n", String::from_utf8_lossy(&bytes).trim_end()),
        false => answer::table(&answer["data"], times, painter()).ok_or_else(stranger)?,
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::answer(format!("cannot write the answer: {error}"), ""))
        }
        _ => Ok(()),
    }
}

/// What is wrong with a query, with the place if it is known.
fn shown(text: &str, error: &QueryError) -> String {
    let QueryError::Parse { position: Some(at), .. } = error else { return error.to_string() };
    let place = Source::new("query", text).place(&(*at..*at + 1));
    let told = ConfigError::new("", error.to_string()).at(Some(place)).to_string();
    told.strip_prefix("error: ").unwrap_or(&told).to_owned()
}

/// Whom to ask.
fn endpoint(arguments: &QueryArguments) -> Result<HttpEndpoint, Failure> {
    if let Some(url) = &arguments.url {
        let url = url.trim_end_matches('/');
        if !url.starts_with("http://") && !url.starts_with("https://") {
            let shown = without_password(url);
            let remedy = format!("write --url http://{shown}");
            return Err(Failure::usage(format!("{shown:?} is no URL"), remedy));
        }
        let token = arguments.connection.token.clone();
        return Ok(HttpEndpoint { bearer: token, ..HttpEndpoint::open(url) });
    }
    let client = Client::find(&arguments.connection, |name| std::env::var(name).ok())
        .map_err(|error| Failure::usage(error.to_string(), error.remedy()))?;
    if let Some(warning) = &client.warning {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let url = format!("http://{}/prometheus", client.address());
    Ok(HttpEndpoint { bearer: client.token().map(str::to_owned), ..HttpEndpoint::open(url) })
}

/// `/api/v1/query` of `http://host/api/v1/query`.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// A URL for messages, which get into logs: `http://me:…@host/`.
fn without_password(url: &str) -> String {
    // To the last one: a password with a slash in it must not be repeated either.
    let Some((before, host)) = url.rsplit_once('@') else { return url.to_owned() };
    let start = before.find("://").map_or(0, |at| at + 3);
    match before[start..].split_once(':') {
        Some((user, _)) => format!("{}{user}:…@{host}", &before[..start]),
        None => url.to_owned(),
    }
}

/// What to do about a certificate.
const REMEDIES: Remedies = Remedies {
    naming: "by the variable SSL_CERT_FILE, or add it to those of the system",
    anyway: None,
};

fn ask(endpoint: &HttpEndpoint, url: &str, form: &[(&str, String)]) -> Result<Vec<u8>, Failure> {
    let remedy = "start Plimsoll, or say where it is: --admin ADDRESS, PLIMSOLL_ADMIN, -c FILE, or \
                  --url URL for another server";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::answer(format!("cannot ask: {error}"), ""))?;
    runtime.block_on(async {
        let client = outbound::client(endpoint).map_err(|error| Failure::answer(error, ""))?;
        let asked = outbound::request(&client, Method::POST, endpoint, url)
            .timeout(PATIENCE)
            .header("x-plimsoll", "1")
            .form(form)
            .send()
            .await;
        let response = asked.map_err(|error| {
            let server = without_password(url.split("/api/v1/").next().unwrap_or(url));
            let words = outbound::in_words_with(&error, &REMEDIES);
            Failure::answer(format!("no answer from {server}: {words}"), remedy)
        })?;
        outbound::body(response, ANSWER_BYTES_MAX).await.map_err(|error| {
            Failure::answer(error.to_string(), "ask for less: fewer series or a larger --step")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_url_is_what_a_server_is_asked_for() {
        assert_eq!(path_of("http://[::1]:9900/api/v1/query"), "/api/v1/query");
        assert_eq!(path_of("https://me:x@host/base/api/v1/query"), "/base/api/v1/query");
        assert_eq!(path_of("http://host"), "/");
    }

    #[test]
    fn a_caret_shows_where_a_query_is_wrong() {
        let of = |text: &str| shown(text, &promql::parse(text).unwrap_err());
        assert_eq!(
            of("sum(up by job)"),
            "parse error: unexpected <by> in aggregation, expected \")\" before it\n \
             --> query:1:8\n  |\n1 | sum(up by job)\n  |        ^"
        );
        let end = of("sum(\n  up");
        assert!(end.ends_with("--> query:2:5\n  |\n2 |   up\n  |     ^"), "{end}");
    }

    #[test]
    fn no_password_gets_into_a_message() {
        for (url, shown) in [
            ("http://host:9090/a", "http://host:9090/a"),
            ("http://me:sec/ret@host/a", "http://me:…@host/a"),
            ("http://me:secret@host:9090/prometheus", "http://me:…@host:9090/prometheus"),
            ("https://me:sec@ret@host?a", "https://me:…@host?a"),
            ("http://me@host", "http://me@host"),
            ("me:secret@host:9090", "me:…@host:9090"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
