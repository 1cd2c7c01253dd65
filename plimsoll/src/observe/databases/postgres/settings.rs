//! The server's settings that dashboards show, in base units.

use tokio_postgres::{Client, Error};
use tsdb::exposition::{Exposition, Kind};

use super::permitted;

/// Asks for all that are numbers or flags.
const STATEMENT: &str = "SELECT name, setting, coalesce(unit, ''), short_desc FROM pg_settings \
    WHERE vartype IN ('bool', 'integer', 'real')";

/// Settings that are told: what bounds the server, and what its figures are judged by. All three
/// hundred would be as many series.
const SHOWN: [&str; 30] = [
    "autovacuum",
    "autovacuum_max_workers",
    "checkpoint_completion_target",
    "checkpoint_timeout",
    "default_statistics_target",
    "effective_cache_size",
    "effective_io_concurrency",
    "fsync",
    "full_page_writes",
    "hot_standby",
    "idle_in_transaction_session_timeout",
    "log_min_duration_statement",
    "maintenance_work_mem",
    "max_connections",
    "max_locks_per_transaction",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_standby_streaming_delay",
    "max_wal_senders",
    "max_wal_size",
    "max_worker_processes",
    "min_wal_size",
    "random_page_cost",
    "seq_page_cost",
    "shared_buffers",
    "superuser_reserved_connections",
    "wal_buffers",
    "work_mem",
];

/// Tells settings; false if the server refuses to give them.
pub(super) async fn tell(text: &mut Exposition, client: &Client) -> Result<bool, Error> {
    let Some(found) = permitted(client.simple_query(STATEMENT).await)? else { return Ok(false) };
    for row in &found {
        let [name, setting, unit, help] = [0, 1, 2, 3].map(|at| row.get(at).unwrap_or_default());
        if !SHOWN.contains(&name) {
            continue;
        }
        if let Some((suffix, value)) = in_base_units(setting, unit) {
            let name = format!("pg_settings_{name}{suffix}");
            text.family(&name, Kind::Gauge, help).sample(&[], value);
        }
    }
    Ok(true)
}

/// A setting in seconds or bytes, with what its name gets for that. -1 means that there is none, or
/// that the server decides, and stays.
fn in_base_units(setting: &str, unit: &str) -> Option<(&'static str, f64)> {
    let value = match setting {
        "on" => 1.0,
        "off" => 0.0,
        number => number.parse::<f64>().ok()?,
    };
    let digits = unit.find(|c: char| !c.is_ascii_digit()).unwrap_or(unit.len());
    let (count, name) = unit.split_at(digits);
    let count = if count.is_empty() { 1.0 } else { count.parse::<f64>().ok()? };
    let (suffix, factor) = match name {
        "" => ("", 1.0),
        "us" => ("_seconds", 1e-6),
        "ms" => ("_seconds", 1e-3),
        "s" => ("_seconds", 1.0),
        "min" => ("_seconds", 60.0),
        "h" => ("_seconds", 3600.0),
        "d" => ("_seconds", 86_400.0),
        "B" => ("_bytes", 1.0),
        "kB" => ("_bytes", 1024.0),
        "MB" => ("_bytes", 1024.0 * 1024.0),
        "GB" => ("_bytes", 1024.0 * 1024.0 * 1024.0),
        "TB" => ("_bytes", 1024.0 * 1024.0 * 1024.0 * 1024.0),
        _ => return None,
    };
    Some((suffix, if value == -1.0 { value } else { value * count * factor }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_in_seconds_and_bytes() {
        for (setting, unit, told) in [
            ("16384", "8kB", Some(("_bytes", 134_217_728.0))),
            ("1024", "MB", Some(("_bytes", 1_073_741_824.0))),
            ("300", "s", Some(("_seconds", 300.0))),
            ("30000", "ms", Some(("_seconds", 30.0))),
            ("5", "min", Some(("_seconds", 300.0))),
            ("-1", "ms", Some(("_seconds", -1.0))),
            ("100", "", Some(("", 100.0))),
            ("0.9", "", Some(("", 0.9))),
            ("on", "", Some(("", 1.0))),
            ("off", "", Some(("", 0.0))),
            ("replica", "", None),
            ("1", "parsec", None),
        ] {
            assert_eq!(in_base_units(setting, unit), told, "{setting} {unit}");
        }
    }
}
