//! What may be typed after `plimsoll bench`.
//!
//! Values stay text here: the same readers that understand a plan's file understand them, so that a
//! rate or a duration means and is refused the same in both places. A number may begin with a `-`,
//! so that those readers tell what is wrong with it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const BENCH_EXAMPLES: &str = "\
Examples:
  plimsoll bench http://127.0.0.1:9999/
  plimsoll bench http://127.0.0.1:9999/ --rate 2000 --for 60s
  plimsoll bench http://127.0.0.1:9999/ --stages 0..500/30s,500/2m,500..0/30s
  plimsoll bench http://127.0.0.1:9999/ --find-limit --slo p99=50ms,errors=0.1%
  plimsoll bench -c plan.toml --report report.html --json result.json
  plimsoll bench plan.jmx
  plimsoll bench compare before.json after.json

Exit codes: 0 done, 1 nothing succeeded, 2 it was asked wrongly or nobody
answers there, 99 a threshold was missed, 130 ended by Ctrl-C (with the results
so far).

Plans are described in docs/bench-plan.md, what of JMeter is understood in
docs/bench-jmeter.md.";

const COMPARE_EXAMPLES: &str = "\
Examples:
  plimsoll bench compare before.json after.json
  plimsoll bench compare before.json after.json --fail-if-worse && deploy

Exit codes: 0 done, 2 it was asked wrongly; with --fail-if-worse also 99 it is
shown to be worse, and 1 too little was measured to tell.";

const MERGE_EXAMPLES: &str = "\
Each process of a spread run writes a result with --json; this joins them
exactly: a percentile of the whole, not a mean of percentiles.

Examples:
  plimsoll bench http://web/ -r 9000 --start-at 12:00 --part 0/2 --json a.json
  plimsoll bench http://web/ -r 9000 --start-at 12:00 --part 1/2 --json b.json
  plimsoll bench merge a.json b.json --json whole.json --report whole.html";

/// `plimsoll bench`.
#[derive(Debug, Clone, Default, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true)]
#[command(after_help = BENCH_EXAMPLES)]
pub struct BenchArguments {
    /// What is done with results instead of a run.
    #[command(subcommand)]
    pub command: Option<BenchCommand>,

    /// What is asked.
    #[command(flatten)]
    pub target: Target,

    /// How much of it.
    #[command(flatten)]
    pub load: LoadArguments,

    /// How it is asked.
    #[command(flatten)]
    pub request: RequestArguments,

    /// How connections are made.
    #[command(flatten)]
    pub connection: ConnectionArguments,

    /// What must hold.
    #[command(flatten)]
    pub verdict: VerdictArguments,

    /// Where results go.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What is done with results.
#[derive(Debug, Clone, Subcommand)]
pub enum BenchCommand {
    /// Say whether one result is better than another, and how sure that is.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArguments),

    /// Join the results of several processes into one.
    #[command(after_help = MERGE_EXAMPLES)]
    Merge(MergeArguments),

    /// Make a report, plots or other forms of a result.
    #[command(after_help = "Example:\n  plimsoll bench show result.json --report report.html")]
    Show(ShowArguments),

    /// Print the JSON Schema of results.
    ///
    /// That of plans is printed by `plimsoll config plan-schema`.
    Schema,

    /// Print the JSON Schema of what --find-limit writes with --json.
    LimitSchema,
}

/// What is asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// A URL (`http://`, `https://`, `ws://`, `wss://`), or the file of a plan (`.toml`, `.jmx`).
    #[arg(value_name = "URL|FILE")]
    pub target: Option<String>,

    /// The plan: a TOML file, or a JMeter plan (`.jmx`).
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Gives a variable of the plan, or a property that a JMeter plan asks for (`${__P(NAME)}`), a value.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Leave out what a JMeter plan has that cannot be run here; each is told.
    #[arg(long)]
    pub skip_unsupported: bool,
}

/// How much is asked, and when.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArguments {
    /// Requests a second, whatever becomes of them (open model): `2000`, `100/min`.
    #[arg(short, long, value_name = "RATE", allow_hyphen_values = true)]
    pub rate: Option<String>,

    /// A rate that changes: `0..500/30s,500/2m,500..0/30s`.
    #[arg(long, value_name = "STAGES", conflicts_with_all = ["rate", "duration"], allow_hyphen_values = true)]
    pub stages: Option<String>,

    /// Let requests arrive at random times around the rate, as people do.
    #[arg(long)]
    pub poisson: bool,

    /// Send when the lines of an access log, or the rows of a CSV file, say, packed with gzip or not; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "stages"])]
    pub replay: Option<PathBuf>,

    /// How much faster than recorded a replay goes.
    #[arg(long, value_name = "FACTOR", requires = "replay", allow_hyphen_values = true)]
    pub speed: Option<String>,

    /// Connections that ask as fast as they are answered (closed model), or stages of them,
    /// `0..64/30s,64/2m`; with a rate, the most that are in use at once. With --streams each has as
    /// many users, and requests under way [default: 64, and 4096 with a rate].
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pub connections: Option<String>,

    /// Ends after this many requests (closed model).
    #[arg(short = 'n', long, value_name = "COUNT", allow_hyphen_values = true)]
    pub requests: Option<String>,

    /// A pause after each answer (closed model): `1s`, or from a range at random, `1s..3s`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub think: Option<String>,

    /// How long it goes on; beside --find-limit, how long each rate is measured [default: 10s, of a
    /// rate 8s].
    #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,

    /// Threads that make the load [default: one for each core].
    #[arg(short, long, value_name = "COUNT", allow_hyphen_values = true)]
    pub threads: Option<String>,

    /// Begin at this time, as `14:30:00` or `2026-01-02T14:30:00Z`: aligns several machines.
    #[arg(long, value_name = "TIME")]
    pub start_at: Option<String>,

    /// Make this part of the load, as `0/4`, the first of four: others make the rest, and `merge` joins the results.
    #[arg(long, value_name = "K/N", allow_hyphen_values = true)]
    pub part: Option<String>,

    /// Makes random choices the same each time.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub seed: Option<String>,
}

/// What a request of a plain URL is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestArguments {
    /// The method [default: GET, or POST with a body].
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,

    /// A header, as `Accept: text/html`. May be given several times.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,

    /// The body. Like URL and headers it may hold `{{uuid()}}` and other functions.
    #[arg(short, long, value_name = "TEXT", conflicts_with_all = ["data_file", "form"])]
    pub data: Option<String>,

    /// The body is this file, as it is.
    #[arg(long, value_name = "FILE", conflicts_with = "form")]
    pub data_file: Option<PathBuf>,

    /// A field of a form. May be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub form: Vec<String>,

    /// What is sent on a WebSocket, each time; one answer is awaited.
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,

    /// Status that counts as success: `200`, `200-299`, `200,404` [default: below 400].
    #[arg(long, value_name = "STATUS")]
    pub expect_status: Option<String>,

    /// Text that an answer's body must contain.
    #[arg(long, value_name = "TEXT")]
    pub expect_body: Option<String>,

    /// Most redirects that are followed [default: 0].
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pub redirects: Option<String>,

    /// Most time from sending to the end of the answer [default: 30s].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub timeout: Option<String>,

    /// What names the instance that answered: a header, or `json:$.path` [default: X-Served-By].
    #[arg(long, value_name = "WHERE")]
    pub served_by: Option<String>,
}

/// How connections are made.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArguments {
    /// Which HTTP [default: 1.1 without TLS, and what the server chooses with TLS].
    #[arg(long, value_name = "VERSION")]
    pub http: Option<HttpArgument>,

    /// Requests at once on each HTTP/2 connection (needs --http 2): 8 connections of 8 streams have
    /// 64 requests under way [default: 1].
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pub streams: Option<String>,

    /// A new connection for each request.
    #[arg(long)]
    pub no_keepalive: bool,

    /// Connect to this Unix socket, whatever the URL says.
    #[arg(long, value_name = "PATH")]
    pub unix: Option<PathBuf>,

    /// Most time to connect [default: 5s].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub connect_timeout: Option<String>,

    /// Take any certificate.
    #[arg(short = 'k', long)]
    pub insecure: bool,

    /// Trust these certificates (PEM) instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Show this certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// The name that the certificate is for [default: the URL's host].
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// The key of --cert (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// The versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HttpArgument {
    /// HTTP/1.1.
    #[value(name = "1", alias = "1.1")]
    One,
    /// HTTP/2, also without TLS.
    #[value(name = "2")]
    Two,
}

/// What must hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Verdict")]
pub struct VerdictArguments {
    /// What must hold, else the exit code is 99: `p99<50ms,errors<0.1%,rate>1900`.
    #[arg(long, value_name = "LIST")]
    pub threshold: Vec<String>,

    /// Search the highest rate that holds --slo: some minutes, see --for. --json then writes what
    /// was found, of a form of its own.
    #[arg(long, requires = "slo", conflicts_with_all = [
        "rate", "stages", "replay", "requests", "threshold", "report", "plots", "junit", "part",
    ])]
    pub find_limit: bool,

    /// The objective: `p99=50ms,errors=0.1%`. Without --find-limit the same as --threshold.
    #[arg(long, value_name = "LIST")]
    pub slo: Option<String>,
}

/// Where results go.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct OutputArguments {
    /// What the report is headed with.
    #[arg(long)]
    pub name: Option<String>,

    /// The files.
    #[command(flatten)]
    pub files: ResultArguments,

    /// Send figures each second to a Prometheus Pushgateway (`https://USER:PASSWORD@HOST/` where it asks for them).
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,

    /// Send figures each second to a Prometheus that receives remote writes.
    #[arg(long, value_name = "URL")]
    pub remote_write: Option<String>,

    /// A label of the figures that are sent; `job=NAME` names the job. With --part, `part` is one.
    #[arg(long, value_name = "NAME=VALUE")]
    pub push_label: Vec<String>,

    /// A header of the requests that carry figures, as `X-Scope-OrgID: shop`; `@FILE` reads them from a file, which keeps a token secret.
    #[arg(long, value_name = "HEADER")]
    pub push_header: Vec<String>,

    /// Trust these certificates (PEM) instead of the system's where figures are sent.
    #[arg(long, value_name = "FILE")]
    pub push_ca: Option<PathBuf>,

    /// Plain lines instead of the live view.
    #[arg(long)]
    pub plain: bool,

    /// Nothing while it runs, and only the results at the end.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PlotArgument {
    /// Drawings that scale.
    #[default]
    Svg,
    /// Pixels.
    Png,
}

/// `plimsoll bench compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArguments {
    /// The result that is compared with.
    pub before: PathBuf,
    /// The result that is judged.
    pub after: PathBuf,
    /// Exit with 99 if it is shown to be worse.
    #[arg(long)]
    pub fail_if_worse: bool,
    /// Differences below this do not matter.
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0)]
    pub tolerance: f64,
    /// Leave out the first seconds of both, while caches warm up [default: a tenth, 5s at most]
    #[arg(long, value_name = "SECONDS")]
    pub warm_up: Option<f64>,
    /// Print the comparison as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write a report that any browser shows.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// `plimsoll bench merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArguments {
    /// The results of the parts.
    #[arg(required = true, num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// Join them although they are of different plans.
    #[arg(long)]
    pub force: bool,
    /// Where the whole goes.
    #[command(flatten)]
    pub output: ResultArguments,
}

/// `plimsoll bench show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArguments {
    /// The result.
    pub result: PathBuf,
    /// What is made of it.
    #[command(flatten)]
    pub output: ResultArguments,
}

/// What is made of a result.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct ResultArguments {
    /// Write the whole result as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write a report that any browser shows.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Write the plots as pictures into this directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub plots: Option<PathBuf>,

    /// What pictures --plots writes.
    #[arg(long, value_name = "FORMAT", default_value = "svg", requires = "plots")]
    pub plot_format: PlotArgument,

    /// Write thresholds and checks as JUnit XML; what fails is a threshold that did not hold.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}
