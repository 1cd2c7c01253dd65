//! Network devices, from `/proc/net/dev`.
//!
//! Devices of single containers are left out: they come and go, and what goes through them is counted
//! at the bridge.

use tsdb::exposition::{Exposition, Kind};

use super::DEVICES_MAX;

/// What the names of containers' devices begin with.
const OF_CONTAINERS: [&str; 5] = ["veth", "cali", "lxc", "tap", "vnet"];

/// Columns of each direction.
const COLUMNS: [&str; 4] = ["bytes", "packets", "errs", "drop"];
/// Columns of what is received; those of what is sent follow.
const RECEIVED: usize = 8;

/// `/proc/net/dev`.
pub(super) fn expose(text: &str, exposition: &mut Exposition) {
    let devices: Vec<(&str, Vec<f64>)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, figures)| (name.trim(), figures))
        .filter(|(name, _)| !OF_CONTAINERS.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, figures)| {
            (name, figures.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect())
        })
        .take(DEVICES_MAX)
        .collect();
    for (direction, skipped) in [("receive", 0), ("transmit", RECEIVED)] {
        for (column, figure) in COLUMNS.iter().enumerate() {
            let name = format!("node_network_{direction}_{figure}_total");
            let help = format!("`{figure}` ({direction}) of /proc/net/dev.");
            let mut family = exposition.family(&name, Kind::Counter, &help);
            for (device, figures) in &devices {
                if let Some(value) = figures.get(skipped + column) {
                    family.sample(&[("device", device)], *value);
                }
            }
        }
    }
}
