//! The testers: how each is started, and what it reports in one form.

use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::process::{Guarded, Usage};
use super::super::wrk;
use super::Place;

/// What a tester found out, and what it took for it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sample {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) requests_per_second: f64,
    /// Of the tester, user and system.
    pub(super) processor_seconds: f64,
    pub(super) peak_memory_bytes: u64,
    /// Seconds by percentile, where the tester tells them.
    pub(super) latency: Option<Latency>,
    /// Of the time from the sending, where it is told apart.
    pub(super) service_time: Option<Latency>,
    /// Seconds; of the open model.
    pub(super) lag_p99: Option<f64>,
    /// When the first request could have been sent.
    #[serde(skip)]
    pub(super) started_at: Option<SystemTime>,
}

impl Sample {
    /// Requests for each second of processor time.
    pub(super) fn requests_per_processor_second(&self) -> f64 {
        self.requests as f64 / self.processor_seconds
    }
}

/// Seconds by percentile.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    #[serde(default)]
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(default)]
    pub(super) max: f64,
}

/// Something that makes load.
pub(super) trait Tester {
    fn name(&self) -> &'static str;

    /// The command for a measurement.
    fn command(&self, place: &Place) -> Command;

    /// What it printed, or wrote.
    fn read(&self, place: &Place, printed: &str, usage: Usage) -> anyhow::Result<Sample>;

    fn measure(&self, place: &Place) -> anyhow::Result<Sample> {
        let command = self.command(place);
        let process = Guarded::start(self.name(), &command, &place.tester, place.folder.path())?;
        let (printed, usage) = process.finish_with_usage()?;
        let read = self.read(place, &printed, usage);
        read.with_context(|| format!("cannot read what {} found: {printed}", self.name()))
    }

    /// For people, with `DIR` for the temporary folder.
    fn command_line(&self, place: &Place) -> String {
        let command = self.command(place);
        let folder = place.folder.path().to_string_lossy();
        let words = command.get_args().map(|word| word.to_string_lossy().replace(&*folder, "DIR"));
        [self.name().to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// `plimsoll bench`.
pub(super) struct Plimsoll {
    url: String,
    arguments: Vec<String>,
    duration: Duration,
}

impl Plimsoll {
    pub(super) fn new(url: String, arguments: &[&str], duration: Duration) -> Self {
        Self { url, arguments: arguments.iter().map(|&word| word.to_owned()).collect(), duration }
    }
}

/// The part of a result that is looked at.
#[derive(Deserialize)]
struct Document {
    requests_per_second: f64,
    errors: u64,
    requests: u64,
    latency: Latency,
    service_time: Latency,
    tester: DocumentTester,
    run: DocumentRun,
}

#[derive(Deserialize)]
struct DocumentRun {
    started_at: String,
}

#[derive(Deserialize)]
struct DocumentTester {
    scheduling_lag: DocumentLag,
}

#[derive(Deserialize)]
struct DocumentLag {
    p99: Option<f64>,
}

impl Tester for Plimsoll {
    fn name(&self) -> &'static str {
        "plimsoll"
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = Command::new(&place.plimsoll);
        command.arg("bench").arg(&self.url).args(&self.arguments);
        command.arg("--for").arg(format!("{}s", self.duration.as_secs()));
        command.arg("--quiet").arg("--json").arg(place.folder.path().join("result.json"));
        command
    }

    fn read(&self, place: &Place, _printed: &str, usage: Usage) -> anyhow::Result<Sample> {
        let text = std::fs::read_to_string(place.folder.path().join("result.json"))?;
        let document: Document = serde_json::from_str(&text)?;
        if document.requests == document.errors {
            bail!("every request failed");
        }
        Ok(Sample {
            requests: document.requests,
            failures: document.errors,
            requests_per_second: document.requests_per_second,
            processor_seconds: usage.processor_time.as_secs_f64(),
            peak_memory_bytes: usage.peak_memory_bytes,
            latency: Some(document.latency),
            service_time: Some(document.service_time),
            lag_p99: document.tester.scheduling_lag.p99,
            started_at: Some(document.run.started_at.parse::<Timestamp>()?.into()),
        })
    }
}

/// wrk.
pub(super) struct Wrk {
    pub(super) connections: usize,
    pub(super) url: String,
}

impl Tester for Wrk {
    fn name(&self) -> &'static str {
        "wrk"
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = Command::new("wrk");
        command.arg("-t1").arg(format!("-c{}", self.connections));
        command.arg(format!("-d{}s", place.duration.as_secs())).arg("--timeout=10s");
        command.arg("-s").arg(place.folder.path().join(wrk::SCRIPT_FILE)).arg(&self.url);
        command
    }

    fn read(&self, _place: &Place, printed: &str, usage: Usage) -> anyhow::Result<Sample> {
        let report = wrk::read(printed)?;
        Ok(Sample {
            requests: report.requests,
            failures: report.failures,
            requests_per_second: report.requests as f64 / report.duration.as_secs_f64(),
            processor_seconds: usage.processor_time.as_secs_f64(),
            peak_memory_bytes: usage.peak_memory_bytes,
            latency: Some(Latency {
                p50: report.p50.as_secs_f64(),
                p90: 0.0,
                p99: report.p99.as_secs_f64(),
                max: 0.0,
            }),
            service_time: None,
            lag_p99: None,
            started_at: None,
        })
    }
}

/// h2load of nghttp2.
pub(super) struct H2load {
    pub(super) carriers: usize,
    pub(super) streams: usize,
    pub(super) url: String,
}

impl Tester for H2load {
    fn name(&self) -> &'static str {
        "h2load"
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = Command::new("h2load");
        command.arg("-t1").arg(format!("-c{}", self.carriers)).arg(format!("-m{}", self.streams));
        command.arg(format!("-D{}", place.duration.as_secs())).arg(&self.url);
        command
    }

    fn read(&self, _place: &Place, printed: &str, usage: Usage) -> anyhow::Result<Sample> {
        // "finished in 3.00s, 63824.00 req/s, 7.79MB/s"
        let rate = printed
            .lines()
            .find_map(|line| line.strip_prefix("finished in "))
            .and_then(|line| line.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok())
            .context("no rate")?;
        // "requests: 191472 total, 191536 started, 191472 done, 191472 succeeded, 0 failed, …"
        let counts = printed
            .lines()
            .find_map(|line| line.strip_prefix("requests: "))
            .context("no count of requests")?;
        let count = |name: &str| {
            let of = |part: &str| part.strip_suffix(name)?.trim().parse::<u64>().ok();
            counts.split(", ").find_map(of).with_context(|| format!("no count of{name}"))
        };
        Ok(Sample {
            requests: count(" done")?,
            failures: count(" failed")?,
            requests_per_second: rate,
            processor_seconds: usage.processor_time.as_secs_f64(),
            peak_memory_bytes: usage.peak_memory_bytes,
            latency: None,
            service_time: None,
            lag_p99: None,
            started_at: None,
        })
    }
}
