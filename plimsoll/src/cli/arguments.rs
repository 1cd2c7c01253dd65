//! What may be typed: commands, options, and the help a person learns them from.
//!
//! Only form is checked here (clap answers a mistake with exit code 2); what names mean is for
//! the config and the running Plimsoll to say.

pub mod alarms;
pub mod bench;
pub mod promql;
pub mod rules;
pub mod targets;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::values;

/// Where client commands look for a running Plimsoll.
pub const DEFAULT_ADMIN: &str = "127.0.0.1:9900";

/// Policies that `--balance` offers; those that hash need a config file to say of what.
const BALANCE_POLICIES: [&str; 6] =
    ["round-robin", "least-conn", "random", "power-of-two", "peak-ewma", "ip-hash"];

const EXAMPLES: &str = "\
Start here:
  plimsoll demo                                     three clinic servers on http://127.0.0.1:9999
  plimsoll run -n 3 -- gunicorn app:wsgi --bind '127.0.0.1:$PORT'
                                                    three of yours; Plimsoll sets $PORT for each
  plimsoll status                                   who is healthy, how busy, how fast
  plimsoll bench http://127.0.0.1:9999/ --rate 100  how it does under load

With a config file:
  plimsoll check -c plimsoll.toml                   is it right?
  plimsoll up -c plimsoll.toml                      run it
  plimsoll reload                                   apply an edited file; no request is lost
  plimsoll restart web                              replace the instances one by one
  plimsoll drain web-2                              take one server out; --undo gives it back
  plimsoll alarms                                   what fires, and since when

Exit codes: 0 done, 1 it did not work, 2 it was asked wrongly (arguments or config file).
`plimsoll COMMAND --help` tells more and shows examples.";

/// One command turns a web server into a balanced, health-checked, supervised fleet.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run several instances of a command behind one port, without a config file.
    ///
    /// Starts them, waits until they answer, balances requests over them and starts again what
    /// dies. Ctrl-C lets open requests finish and stops everything; so does closing the terminal,
    /// unless it is started by nohup.
    #[command(after_help = RUN_EXAMPLES)]
    #[command(override_usage = "plimsoll run [OPTIONS] [--] COMMAND [ARGUMENTS]...")]
    Run(RunArguments),

    /// Run what a config file describes.
    ///
    /// Services, servers, routes, health checks, limits. Ctrl-C or SIGTERM lets open requests
    /// finish and stops everything; SIGHUP (or `plimsoll reload`) applies the file again.
    #[command(after_help = "Example:\n  plimsoll up -c plimsoll.toml")]
    Up(UpArguments),

    /// Measure a service: how much it can do, how fast it answers.
    ///
    /// With --rate requests are sent at that rate whatever becomes of them, and latency counts from
    /// when a request was due (open model). Without, connections ask as fast as they are answered
    /// (closed model).
    Bench(Box<bench::BenchArguments>),

    /// Say whether a config file is right, and what is wrong with it.
    ///
    /// Starts nothing. Shows all mistakes at once, each with file, line, key and remedy;
    /// exit code 0 if there are none, 2 otherwise.
    #[command(after_help = "Example:\n  plimsoll check -c plimsoll.toml && plimsoll reload")]
    Check(CheckArguments),

    /// Commands to a running Plimsoll.
    #[command(flatten)]
    Client(ClientCommand),

    /// Print what a config file may say.
    ///
    /// Either the reference (every key with its type, default and meaning, as Markdown) or the
    /// JSON Schema, with which editors complete and check the file.
    #[command(after_help = "Examples:\n  plimsoll config reference | less\n  \
                            plimsoll config schema > plimsoll.schema.json")]
    Config(ConfigArguments),

    /// Ask and test PromQL, the language of metrics.
    ///
    /// `query` asks a running Plimsoll, or any other server with Prometheus' API; `test` runs
    /// scripts in the format of Prometheus' own tests.
    #[command(after_help = promql::EXAMPLES)]
    Promql(promql::PromqlArguments),

    /// Check rule files, or print the rules that Plimsoll brings along.
    ///
    /// Rules record what queries answer and raise alarms; files are in Prometheus' format.
    #[command(after_help = rules::EXAMPLES)]
    Rules(rules::RulesArguments),

    /// Start a fleet of the built-in clinic service, to see Plimsoll work.
    ///
    /// Balanced on http://127.0.0.1:9999 with its status on http://127.0.0.1:9900. Needs nothing
    /// else on the machine.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),

    /// Run one built-in clinic server, the service that `demo` starts several of.
    ///
    /// A small REST service (variables, measurements, alarms) that can be made slow or ill on
    /// purpose. Listens on $SOCKET or $PORT, which Plimsoll sets for its instances, else on port
    /// 8000.
    #[command(after_help = CLINIC_EXAMPLES)]
    Clinic(ClinicArguments),
}

/// The commands that ask a running Plimsoll through its admin server.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Show services and servers: state, load, rates, latencies.
    ///
    /// Rates, error shares and latencies are over the last 10 seconds.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArguments),

    /// Apply an edited config file without losing a request.
    ///
    /// Plimsoll reads its file again, checks it, and applies what changed; open connections live
    /// on. Instances whose command or environment changed are replaced one by one; the answer
    /// says so and does not wait for it. A file with a mistake changes nothing (exit code 2).
    #[command(after_help = "Example:\n  plimsoll check -c plimsoll.toml && plimsoll reload")]
    Reload(ReloadArguments),

    /// Replace the instances of a service one by one, without losing a request.
    ///
    /// For each: starts a new one, waits until it is healthy, drains and stops the old one. Goes
    /// back if a new one does not become healthy (exit code 1).
    #[command(after_help = "Example:\n  plimsoll restart web")]
    Restart(RestartArguments),

    /// Take a server out of traffic, or give it back.
    ///
    /// It gets no new requests, those in flight finish, and it runs on. Health checks do not
    /// bring it back, `--undo` does.
    #[command(after_help = "Examples:\n  plimsoll drain web-2\n  plimsoll drain web/web-2 --undo")]
    Drain(DrainArguments),

    /// Show which alarms fire, since when, and what they mean.
    ///
    /// An alarm is pending while its condition has not held for long enough. Rules come from
    /// Plimsoll itself, from objectives (`slo`) and from rule files.
    #[command(after_help = alarms::ALARMS_EXAMPLES)]
    Alarms(alarms::AlarmsArguments),

    /// Keep alarms from being told to anybody for a while, or show which are.
    ///
    /// They still fire, are shown and recorded. Silences are kept over restarts.
    #[command(after_help = alarms::SILENCE_EXAMPLES)]
    Silence(alarms::SilenceArguments),

    /// Show what is asked for figures, and what of it fails.
    ///
    /// Servers of services, databases and listed targets (`[[observe.job]]`), Plimsoll itself and the
    /// machine.
    #[command(after_help = targets::TARGETS_EXAMPLES)]
    Targets(targets::TargetsArguments),
}

const RUN_EXAMPLES: &str = "\
The command learns where to listen from $PORT (or $SOCKET, a path); write it in single quotes, so
that your shell leaves it for Plimsoll to fill in.

Examples:
  plimsoll run -n 3 -- gunicorn app:wsgi --bind '127.0.0.1:$PORT'
  plimsoll run -n 2 --health /health/ -- python3 manage.py runserver --noreload '127.0.0.1:$PORT'
  plimsoll run -n 4 --listen 127.0.0.1:8080 -- node server.js
  plimsoll run -- 'cd site && exec python3 -m http.server $PORT'        one word: a shell command";

const STATUS_EXAMPLES: &str = "\
States of a server:
  starting    not seen healthy yet; gets no requests
  healthy     gets requests
  unhealthy   its health checks fail; gets none
  ejected     failed real requests; gets none for a while
  draining    gets no new requests, because of `plimsoll drain` or because it is about to stop
  stopped     its process is gone

Examples:
  plimsoll status
  plimsoll status --watch
  plimsoll status --json | jq '.services[].servers[] | {name, state}'";

const DEMO_EXAMPLES: &str = "\
Examples:
  plimsoll demo --traffic              with a gentle load, so that there is something to see
  plimsoll demo --traffic --chaos      and an instance killed every 20 s: watch nothing fail";

const CLINIC_EXAMPLES: &str = "\
Examples:
  PORT=8001 plimsoll clinic
  PORT=8001 plimsoll clinic --latency 10ms..50ms --health-failure-chance 0.1
  PORT=8001 plimsoll clinic --database postgres://clinic@127.0.0.1/clinic";

/// `plimsoll run`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RunArguments {
    /// How many instances to run, 1 to 1000.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = values::instances)]
    pub instances: u32,

    /// Name of the service; instances are called NAME-1, NAME-2 … [default: web]
    #[arg(long)]
    pub name: Option<String>,

    /// Address for clients; without a host, all addresses. May be given several times.
    #[arg(long, value_name = "ADDRESS", default_value = ":9999", help_heading = "Traffic")]
    pub listen: Vec<String>,

    /// Path that a healthy instance answers with a status of 200 to 399 [default: it is enough
    /// that it can be connected to]
    #[arg(long, value_name = "PATH", help_heading = "Traffic")]
    pub health: Option<String>,

    /// How an instance is chosen for a request [default: round-robin]
    #[arg(long, value_name = "POLICY", help_heading = "Traffic")]
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(BALANCE_POLICIES))]
    pub balance: Option<String>,

    /// Address of the status page, metrics and commands.
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADMIN, help_heading = "Admin")]
    pub admin: String,

    /// The command of one instance, with its arguments. Options for Plimsoll come before it.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `plimsoll up`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct UpArguments {
    /// The config file.
    #[arg(short, long, value_name = "FILE", default_value = "plimsoll.toml")]
    pub config: PathBuf,
}

/// `plimsoll check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CheckArguments {
    /// The config file.
    #[arg(short, long, value_name = "FILE", default_value = "plimsoll.toml")]
    pub config: PathBuf,
}

/// `plimsoll config`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ConfigArguments {
    /// Which of the two to print.
    pub what: ConfigDocument,
}

/// What is known about config files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigDocument {
    /// Every key with its type, default and meaning, as Markdown.
    Reference,
    /// The JSON Schema.
    Schema,
    /// The same of the plans of `plimsoll bench`, as Markdown.
    PlanReference,
    /// The JSON Schema of these plans.
    PlanSchema,
}

/// `plimsoll demo`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DemoArguments {
    /// How many clinic servers to run, 1 to 1000.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 3)]
    #[arg(value_parser = values::instances)]
    pub instances: u32,

    /// Send a gentle load.
    #[arg(long)]
    pub traffic: bool,

    /// Kill an instance every 20 s.
    #[arg(long)]
    pub chaos: bool,

    /// Address for clients.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9999")]
    pub listen: String,

    /// Address of the status page, metrics and commands.
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADMIN)]
    pub admin: String,
}

/// `plimsoll clinic`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ClinicArguments {
    /// Name that its answers carry [default: $INSTANCE, else clinic]
    #[arg(long)]
    pub name: Option<String>,

    /// Where its records are kept: a `postgres://` URL or the path of a SQLite file [default:
    /// $DATABASE_URL, else clinic.db]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,

    /// Computations it does at once, 1 to 256.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = values::threads)]
    pub threads: u16,

    /// Chance that a health check fails: 0 to 1, or 0% to 100%.
    #[arg(long, value_name = "CHANCE", default_value = "0", value_parser = values::chance)]
    #[arg(help_heading = "Illness")]
    pub health_failure_chance: f64,

    /// Time added to each answer, as `50ms`, or from a range at random, as `10ms..50ms`.
    #[arg(long, value_name = "TIME", default_value = "0")]
    #[arg(help_heading = "Illness")]
    pub latency: String,
}

/// `plimsoll status`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct StatusArguments {
    /// Print all there is as JSON, the same as /api/status.
    #[arg(long, conflicts_with = "watch")]
    pub json: bool,

    /// Show it again every 2 seconds until Ctrl-C.
    #[arg(short, long)]
    pub watch: bool,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// `plimsoll reload`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ReloadArguments {
    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// `plimsoll restart`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RestartArguments {
    /// The service, as `plimsoll status` names it.
    pub service: String,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// `plimsoll drain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DrainArguments {
    /// The server: `web-2`, or `web/web-2` where two services have one of that name.
    pub server: String,

    /// Give it back to traffic.
    #[arg(long)]
    pub undo: bool,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// Where a running Plimsoll is found. `--admin` wins over `--config`, which wins over
/// `PLIMSOLL_ADMIN`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Which Plimsoll")]
pub struct Connection {
    /// Address of its admin server [env: PLIMSOLL_ADMIN] [default: 127.0.0.1:9900]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    pub admin: Option<String>,

    /// Config file to take the admin address and token from; mistakes elsewhere in it do no harm.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Token of the admin server, if it asks for one [env: PLIMSOLL_TOKEN]
    #[arg(long)]
    pub token: Option<String>,
}

#[cfg(test)]
mod tests;
