//! What may be typed after `plimsoll promql`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Connection;

/// Shown below the help of `plimsoll promql`.
pub const EXAMPLES: &str = "\
Examples:
  plimsoll promql query 'sum(rate(plimsoll_service_requests_total[1m])) by (service)'
  plimsoll promql test queries.test";

pub(super) const TEST_EXAMPLES: &str = "\
The format is that of Prometheus' own tests:
  load 1m
    requests_total{path=\"/\"} 0+60x10

  eval instant at 10m rate(requests_total[5m])
    {path=\"/\"} 1

Examples:
  plimsoll promql test queries.test
  plimsoll promql test tests/*.test

Exit codes: 0 all passed, 1 some failed, 2 a file or a line of it cannot be read.";

const QUERY_EXAMPLES: &str = "\
Examples:
  plimsoll promql query 'rate(plimsoll_service_requests_total[1m])'
  plimsoll promql query up --last 1h
  plimsoll promql query 'sum(up)' --from 2026-01-31T10:00:00Z --to 2026-01-31T12:00:00Z --step 1m
  plimsoll promql query up --url http://prometheus:9090 --json";

/// `plimsoll promql`.
#[derive(Debug, Args)]
pub struct PromqlArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: PromqlCommand,
}

/// What can be done with PromQL.
#[derive(Debug, Subcommand)]
pub enum PromqlCommand {
    /// Run test scripts: load series, ask, and hold the answers against those expected.
    ///
    /// Needs no running Plimsoll. Says for each query that failed what was expected and what came,
    /// and at the end how many passed.
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArguments),

    /// Ask a running Plimsoll, or any server with Prometheus' API.
    ///
    /// Answers for now, for another time (--at), or over a span (--last, or --from and --to) as
    /// one line a series.
    #[command(after_help = QUERY_EXAMPLES)]
    Query(Box<QueryArguments>),
}

/// `plimsoll promql test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Scripts, as `*.test`.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Show every failure, not only the first of each file.
    #[arg(long)]
    pub all: bool,
}

/// `plimsoll promql query`.
#[derive(Debug, Args)]
pub struct QueryArguments {
    /// What to ask.
    #[arg(value_name = "EXPR")]
    pub expression: String,

    /// For this time: RFC 3339 or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["last", "from", "to", "step"])]
    pub at: Option<String>,

    /// Over this span up to now, as 15m, 6h, 2d.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"])]
    pub last: Option<String>,

    /// From this time on.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,

    /// Up to this time [default: now]
    #[arg(long, value_name = "TIME", requires = "from", allow_hyphen_values = true)]
    pub to: Option<String>,

    /// Time between two values of a span [default: such that 60 fit in]
    #[arg(long, value_name = "DURATION")]
    pub step: Option<String>,

    /// Print the answer as the server wrote it.
    #[arg(long)]
    pub json: bool,

    /// Base URL of another server with Prometheus' API; of tokens only --token is sent there.
    #[arg(long, value_name = "URL", conflicts_with_all = ["admin", "config"])]
    pub url: Option<String>,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}
