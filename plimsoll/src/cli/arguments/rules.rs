//! What may be typed after `plimsoll rules`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Shown below the help of `plimsoll rules`.
pub const EXAMPLES: &str = "\
Examples:
  plimsoll rules check alerts.yml more/*.yml
  plimsoll rules print                              the built-in alerts
  plimsoll rules print -c plimsoll.toml             and what its objectives come to";

/// `plimsoll rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say whether rule files are right, and what is wrong with them.
    ///
    /// Shows all mistakes with file, line and remedy; exit code 0 if there are none, 2 otherwise.
    Check(RulesCheckArguments),

    /// Print the rules that Plimsoll brings along, as a rule file.
    ///
    /// With a config file: those that are in force by it, and the rules that its objectives (`slo`)
    /// come to. What is printed is read by Prometheus as well.
    Print(RulesPrintArguments),
}

/// `plimsoll rules check`.
#[derive(Debug, Args)]
pub struct RulesCheckArguments {
    /// Rule files in Prometheus' format.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `plimsoll rules print`.
#[derive(Debug, Args)]
pub struct RulesPrintArguments {
    /// The config file.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
