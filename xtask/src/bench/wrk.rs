//! wrk: as many requests as the server can answer, over kept-alive connections.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::process::Guarded;

/// Prints what wrk counted in a line that is easy to read; its own report rounds and lacks p99.9.
pub(super) const SCRIPT: &str = r#"done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("COUNTED %d %d %d %d %d %d\n",
        summary.requests, summary.duration,
        e.connect + e.read + e.write + e.timeout + e.status,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"#;

/// Where the script lies in the folder of a run.
pub(super) const SCRIPT_FILE: &str = "counted.lua";

/// What wrk saw.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    pub(super) requests: u64,
    pub(super) duration: Duration,
    /// Broken connections, time-outs and statuses from 400.
    pub(super) failures: u64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) p999: Duration,
}

/// A load.
pub(super) struct Load<'a> {
    pub(super) port: u16,
    pub(super) path: &'a str,
    pub(super) connections: usize,
    pub(super) duration: Duration,
    pub(super) cores: &'a [usize],
}

impl Load<'_> {
    /// Runs it to its end. Files go to `folder`.
    pub(super) fn run(&self, folder: &Path) -> anyhow::Result<Report> {
        let script = folder.join(SCRIPT_FILE);
        std::fs::write(&script, SCRIPT)?;
        let mut command = Command::new("wrk");
        command
            .arg(format!("-t{}", self.cores.len().min(self.connections)))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.duration.as_secs().max(1)))
            .arg("--timeout=10s")
            .arg("-s")
            .arg(&script)
            .arg(format!("http://127.0.0.1:{}{}", self.port, self.path));
        let printed = Guarded::start("wrk", &command, self.cores, folder)?.finish()?;
        read(&printed).with_context(|| format!("cannot read wrk's report: {printed}"))
    }
}

/// Reads what the script printed.
pub(super) fn read(printed: &str) -> anyhow::Result<Report> {
    let line = printed.lines().find_map(|line| line.strip_prefix("COUNTED "));
    let numbers: Result<Vec<u64>, _> =
        line.context("the report is missing")?.split(' ').map(str::parse).collect();
    let [requests, duration, failures, p50, p99, p999] = numbers?[..] else {
        bail!("the report is not complete");
    };
    if requests == 0 {
        bail!("not one request was answered");
    }
    Ok(Report {
        requests,
        duration: Duration::from_micros(duration),
        failures,
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(p99),
        p999: Duration::from_micros(p999),
    })
}

#[cfg(test)]
mod tests {
    use super::{Duration, read};

    #[test]
    fn the_report_is_read_and_its_absence_told() {
        let report = read("Running 1s test\nCOUNTED 5000 1000000 2 40 99 1999\n").unwrap();
        assert_eq!((report.requests, report.failures), (5000, 2));
        assert_eq!(report.duration, Duration::from_secs(1));
        assert_eq!(report.p999, Duration::from_micros(1999));
        assert!(read("unable to connect\n").is_err());
        assert!(read("COUNTED 0 1000000 2 0 0 0\n").is_err());
    }
}
