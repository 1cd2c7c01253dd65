//! What may be typed after `plimsoll targets`.

use clap::Args;

use super::Connection;

/// Shown below the help of `plimsoll targets`.
pub const TARGETS_EXAMPLES: &str = "\
States of a target:
  down        it could not be asked, or what it sent could not be taken: the reason is below
  no metrics  it answers with something else than metrics, and is asked rarely
  waiting     not asked yet
  up          its figures are taken

Examples:
  plimsoll targets
  plimsoll targets --json | jq '.data.activeTargets[] | select(.health == \"down\")'";

/// `plimsoll targets`.
#[derive(Debug, Args)]
pub struct TargetsArguments {
    /// Print all there is as JSON, as Prometheus' API has it.
    #[arg(long)]
    pub json: bool,

    /// Where to ask.
    #[command(flatten)]
    pub connection: Connection,
}
