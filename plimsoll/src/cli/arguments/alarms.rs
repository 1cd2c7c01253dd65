//! What may be typed after `plimsoll alarms` and `plimsoll silence`.

use clap::Args;

use super::Connection;

/// Shown below the help of `plimsoll alarms`.
pub const ALARMS_EXAMPLES: &str = "\
Examples:
  plimsoll alarms
  plimsoll alarms --rules
  plimsoll alarms --try ops                         does the receiver `ops` get them?
  plimsoll alarms --json | jq '.data.groups[].rules[].alerts[]'";

/// Shown below the help of `plimsoll silence`.
pub const SILENCE_EXAMPLES: &str = "\
A matcher is NAME=VALUE, NAME!=VALUE, NAME=~PATTERN or NAME!~PATTERN; a word alone is the name of an
alarm; 'ALARM{NAME=\"VALUE\", …}' is all in one. An alarm is silenced if all of them hold.

Examples:
  plimsoll silence ServerDown service=web --for 2h --comment 'moving the rack'
  plimsoll silence 'ServerDown{server=~\"web-.*\"}'   as the log and PromQL write it
  plimsoll silence                                  which there are
  plimsoll silence --expire 3f9c…                   end one now";

/// `plimsoll alarms`.
#[derive(Debug, Args)]
pub struct AlarmsArguments {
    /// Also show the rules that are quiet.
    #[arg(long)]
    pub rules: bool,

    /// Send a test alarm to this receiver and show what it answers.
    #[arg(long = "try", value_name = "RECEIVER", conflicts_with_all = ["rules", "json"])]
    pub receiver: Option<String>,

    /// Print all there is as JSON, as Prometheus' API has it.
    #[arg(long, conflicts_with = "rules")]
    pub json: bool,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}

/// `plimsoll silence`.
#[derive(Debug, Args)]
pub struct SilenceArguments {
    /// Which alarms; all must hold.
    #[arg(value_name = "MATCHER", conflicts_with = "expire")]
    pub matchers: Vec<String>,

    /// For how long, as 30m, 2h, 1d.
    #[arg(long = "for", value_name = "DURATION", default_value = "1h")]
    pub duration: String,

    /// Why, for others.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub comment: String,

    /// Who says so [default: $USER]
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,

    /// End the silence with this ID, or the beginning of it, now.
    #[arg(long, value_name = "ID")]
    pub expire: Option<String>,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}
