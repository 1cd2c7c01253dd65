//! The answer to `INFO` as exposition text.
//!
//! The answer is lines of `key:value`. Unknown keys are passed over, so that any version will do. Keys
//! that name parts of the server (`db0`, `slave0`, `cmdstat_get`) are taken up to a bound each.
//!
//! Source: <https://redis.io/docs/latest/commands/info/> for the keys, redis_exporter
//! (<https://github.com/oliver006/redis_exporter>) for the names.

use std::collections::HashMap;

use tsdb::exposition::Exposition;
use tsdb::exposition::Kind::{self, Counter, Gauge};

/// Databases, replicas and commands that are told, of each kind.
const PARTS_MAX: usize = 512;

/// A line that is a figure: key, metric, what its samples mean, factor to base units, help.
type Line = (&'static str, &'static str, Kind, f64, &'static str);

const LINES: &[Line] = &[
    ("uptime_in_seconds", "redis_uptime_in_seconds", Gauge, 1.0, "Time since the start."),
    ("connected_clients", "redis_connected_clients", Gauge, 1.0, "Clients that are connected."),
    (
        "blocked_clients",
        "redis_blocked_clients",
        Gauge,
        1.0,
        "Clients that wait in a blocking call.",
    ),
    ("maxclients", "redis_config_maxclients", Gauge, 1.0, "Most clients at once."),
    ("used_memory", "redis_memory_used_bytes", Gauge, 1.0, "Memory that data takes."),
    ("used_memory_rss", "redis_memory_used_rss_bytes", Gauge, 1.0, "Memory of the process."),
    ("used_memory_peak", "redis_memory_used_peak_bytes", Gauge, 1.0, "Most memory data ever took."),
    ("used_memory_lua", "redis_memory_used_lua_bytes", Gauge, 1.0, "Memory that scripts take."),
    ("maxmemory", "redis_memory_max_bytes", Gauge, 1.0, "Most memory for data; 0 is no bound."),
    (
        "mem_fragmentation_ratio",
        "redis_mem_fragmentation_ratio",
        Gauge,
        1.0,
        "Memory of the process for each byte that data takes.",
    ),
    ("loading", "redis_loading_dump_file", Gauge, 1.0, "Whether data is being loaded."),
    (
        "rdb_changes_since_last_save",
        "redis_rdb_changes_since_last_save",
        Gauge,
        1.0,
        "Changes that the last dump does not have.",
    ),
    (
        "rdb_last_save_time",
        "redis_rdb_last_save_timestamp_seconds",
        Gauge,
        1.0,
        "When the last dump was written, seconds since 1970.",
    ),
    ("aof_enabled", "redis_aof_enabled", Gauge, 1.0, "Whether changes are written to a log."),
    (
        "total_connections_received",
        "redis_connections_received_total",
        Counter,
        1.0,
        "Connections that were accepted.",
    ),
    (
        "total_commands_processed",
        "redis_commands_processed_total",
        Counter,
        1.0,
        "Commands that were carried out.",
    ),
    (
        "instantaneous_ops_per_sec",
        "redis_instantaneous_ops_per_sec",
        Gauge,
        1.0,
        "Commands a second, now.",
    ),
    ("total_net_input_bytes", "redis_net_input_bytes_total", Counter, 1.0, "Bytes received."),
    ("total_net_output_bytes", "redis_net_output_bytes_total", Counter, 1.0, "Bytes sent."),
    (
        "rejected_connections",
        "redis_rejected_connections_total",
        Counter,
        1.0,
        "Connections refused because there were too many.",
    ),
    ("expired_keys", "redis_expired_keys_total", Counter, 1.0, "Keys whose time was over."),
    ("evicted_keys", "redis_evicted_keys_total", Counter, 1.0, "Keys given up for want of memory."),
    ("keyspace_hits", "redis_keyspace_hits_total", Counter, 1.0, "Look-ups that found a key."),
    ("keyspace_misses", "redis_keyspace_misses_total", Counter, 1.0, "Look-ups that found none."),
    ("pubsub_channels", "redis_pubsub_channels", Gauge, 1.0, "Channels with subscribers."),
    ("pubsub_patterns", "redis_pubsub_patterns", Gauge, 1.0, "Patterns with subscribers."),
    (
        "latest_fork_usec",
        "redis_latest_fork_seconds",
        Gauge,
        1e-6,
        "How long the last fork took, for a dump or for a replica.",
    ),
    (
        "total_error_replies",
        "redis_total_error_replies",
        Counter,
        1.0,
        "Commands that were answered with an error.",
    ),
    ("slave_priority", "redis_slave_priority", Gauge, 1.0, "Who is chosen first as a new primary."),
    ("connected_slaves", "redis_connected_slaves", Gauge, 1.0, "Replicas that are connected."),
    (
        "master_repl_offset",
        "redis_master_repl_offset",
        Gauge,
        1.0,
        "Where the stream to replicas ends, bytes.",
    ),
    (
        "repl_backlog_size",
        "redis_replication_backlog_bytes",
        Gauge,
        1.0,
        "Bytes of that stream that are kept for replicas that come back.",
    ),
    ("used_cpu_sys", "redis_cpu_sys_seconds_total", Counter, 1.0, "Processor time in the kernel."),
    (
        "used_cpu_user",
        "redis_cpu_user_seconds_total",
        Counter,
        1.0,
        "Processor time of the server.",
    ),
    ("cluster_enabled", "redis_cluster_enabled", Gauge, 1.0, "Whether it is part of a cluster."),
];

/// Of a replica: its own lines, which name the primary in their labels.
const REPLICA_LINES: &[Line] = &[
    (
        "master_last_io_seconds_ago",
        "redis_master_last_io_seconds_ago",
        Gauge,
        1.0,
        "Time since the primary was heard of; -1 while the link is down.",
    ),
    (
        "master_sync_in_progress",
        "redis_master_sync_in_progress",
        Gauge,
        1.0,
        "Whether all data is being fetched from the primary.",
    ),
    (
        "slave_repl_offset",
        "redis_slave_repl_offset",
        Gauge,
        1.0,
        "Where the replica is in the primary's stream, bytes.",
    ),
];

/// The text; `None` if this is no answer to `INFO`.
pub(super) fn tell(answer: &str) -> Option<String> {
    let lines: Vec<(&str, &str)> = answer
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key, value.trim()))
        .collect();
    let values: HashMap<&str, &str> = lines.iter().copied().collect();
    // Valkey tells `redis_version` as well; what does not is something else.
    values.get("redis_version")?;
    let mut text = Exposition::new();
    text.family("redis_up", Gauge, "Whether the last look at the server succeeded.")
        .sample(&[], 1.0);
    about(&mut text, &values);
    tell_lines(&mut text, &values, LINES, &[]);
    if let Some(status) = values.get("rdb_last_bgsave_status") {
        text.family("redis_rdb_last_bgsave_status", Gauge, "Whether the last dump was written.")
            .sample(&[], f64::from(u8::from(*status == "ok")));
    }
    replica(&mut text, &values);
    replicas(&mut text, &lines);
    databases(&mut text, &lines);
    commands(&mut text, &lines);
    Some(text.finish())
}

fn tell_lines(
    text: &mut Exposition,
    values: &HashMap<&str, &str>,
    lines: &[Line],
    labels: &[(&str, &str)],
) {
    for (key, name, kind, factor, help) in lines {
        if let Some(value) = values.get(key).and_then(|value| value.parse::<f64>().ok()) {
            text.family(name, *kind, help).sample(labels, value * factor);
        }
    }
}

fn about(text: &mut Exposition, values: &HashMap<&str, &str>) {
    let of = |key: &str| values.get(key).copied().unwrap_or_default();
    // Valkey says that it is Redis 7.2 for the sake of clients; here people want to know.
    let version = values.get("valkey_version").copied().unwrap_or_else(|| of("redis_version"));
    let labels = [
        ("redis_version", version),
        ("redis_build_id", of("redis_build_id")),
        ("redis_mode", of("redis_mode")),
        ("os", of("os")),
        ("role", of("role")),
        ("maxmemory_policy", of("maxmemory_policy")),
        ("tcp_port", of("tcp_port")),
        ("run_id", of("run_id")),
        ("process_id", of("process_id")),
    ];
    text.family("redis_instance_info", Gauge, "What the server is.").sample(&labels, 1.0);
    let now = of("server_time_usec").parse::<f64>().map(|microseconds| microseconds / 1e6);
    if let (Ok(now), Ok(uptime)) = (now, of("uptime_in_seconds").parse::<f64>()) {
        let help = "When the server started, seconds since 1970.";
        text.family("redis_start_time_seconds", Gauge, help).sample(&[], (now - uptime).floor());
    }
}

/// What a replica says of its primary.
fn replica(text: &mut Exposition, values: &HashMap<&str, &str>) {
    let of = |key: &str| values.get(key).copied().unwrap_or_default();
    let Some(link) = values.get("master_link_status") else { return };
    let labels = [("master_host", of("master_host")), ("master_port", of("master_port"))];
    text.family("redis_master_link_up", Gauge, "Whether the link to the primary is up.")
        .sample(&labels, f64::from(u8::from(*link == "up")));
    tell_lines(text, values, REPLICA_LINES, &labels);
}

/// `slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=1`.
fn replicas(text: &mut Exposition, lines: &[(&str, &str)]) {
    for (_, value) in numbered(lines, "slave").take(PARTS_MAX) {
        let of = |key: &str| field(value, key).unwrap_or_default();
        let labels =
            [("slave_ip", of("ip")), ("slave_port", of("port")), ("slave_state", of("state"))];
        if let Ok(offset) = of("offset").parse() {
            let help = "What the replica has acknowledged of the stream, bytes.";
            text.family("redis_connected_slave_offset_bytes", Gauge, help).sample(&labels, offset);
        }
        if let Ok(lag) = of("lag").parse() {
            let help = "Time since the replica was heard of.";
            text.family("redis_connected_slave_lag_seconds", Gauge, help).sample(&labels, lag);
        }
    }
}

/// `db0:keys=3,expires=1,avg_ttl=1000`. Empty databases are not listed; the first is told all the same,
/// so that a server that was emptied has no keys rather than no figure.
fn databases(text: &mut Exposition, lines: &[(&str, &str)]) {
    let first = Some(("db0", "keys=0,expires=0"));
    let first = first.filter(|_| !lines.iter().any(|(key, _)| *key == "db0"));
    for (database, value) in first.into_iter().chain(numbered(lines, "db")).take(PARTS_MAX) {
        let labels = [("db", database)];
        let of = |key: &str| field(value, key).and_then(|value| value.parse::<f64>().ok());
        if let Some(keys) = of("keys") {
            text.family("redis_db_keys", Gauge, "Keys.").sample(&labels, keys);
        }
        if let Some(expiring) = of("expires") {
            let help = "Keys whose time will be over.";
            text.family("redis_db_keys_expiring", Gauge, help).sample(&labels, expiring);
        }
        if let Some(milliseconds) = of("avg_ttl").filter(|ttl| *ttl > 0.0) {
            let help = "How long such keys have left, on average.";
            text.family("redis_db_avg_ttl_seconds", Gauge, help)
                .sample(&labels, milliseconds / 1000.0);
        }
    }
}

/// `cmdstat_get:calls=3,usec=6,usec_per_call=2.00,rejected_calls=0,failed_calls=0`.
fn commands(text: &mut Exposition, lines: &[(&str, &str)]) {
    /// Field, metric, factor to base units, help.
    const FIELDS: [(&str, &str, f64, &str); 4] = [
        ("calls", "redis_commands_total", 1.0, "Calls by command."),
        ("usec", "redis_commands_duration_seconds_total", 1e-6, "Time spent, by command."),
        (
            "rejected_calls",
            "redis_commands_rejected_calls_total",
            1.0,
            "Calls refused, by command.",
        ),
        (
            "failed_calls",
            "redis_commands_failed_calls_total",
            1.0,
            "Calls that failed, by command.",
        ),
    ];
    let found =
        lines.iter().filter_map(|(key, value)| Some((key.strip_prefix("cmdstat_")?, value)));
    for (command, value) in found.take(PARTS_MAX) {
        for (key, name, factor, help) in FIELDS {
            if let Some(count) = field(value, key).and_then(|value| value.parse::<f64>().ok()) {
                text.family(name, Counter, help).sample(&[("cmd", command)], count * factor);
            }
        }
    }
}

/// Lines whose key is this and a number.
fn numbered<'a>(
    lines: &'a [(&'a str, &'a str)],
    prefix: &'static str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    lines.iter().copied().filter(move |(key, _)| {
        let number = key.strip_prefix(prefix);
        number.is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
        })
    })
}

/// A field of `name=value,name=value`.
fn field<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value
        .split(',')
        .find_map(|field| field.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}
