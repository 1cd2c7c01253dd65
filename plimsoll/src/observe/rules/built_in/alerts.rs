//! The alerts themselves.

use super::Alert;

/// Makes an alert of its parts.
const fn alert(
    name: &'static str,
    severity: &'static str,
    hold: &'static str,
    expression: &'static str,
    summary: &'static str,
    description: &'static str,
) -> Alert {
    Alert { name, severity, hold, expression, summary, description }
}

const CRITICAL: &str = "critical";
const WARNING: &str = "warning";

/// Groups by name.
pub(super) const GROUPS: &[(&str, &[Alert])] = &[
    ("plimsoll services", SERVICES),
    ("plimsoll instances", INSTANCES),
    ("plimsoll itself", ITSELF),
    ("targets and certificates", TARGETS),
    ("host", HOST),
    ("databases", DATABASES),
];

const SERVICES: &[Alert] = &[
    alert(
        "ServiceDown",
        CRITICAL,
        "1m",
        "plimsoll_service_up == 0",
        "Service {{ $labels.service }} takes no requests",
        "Service {{ $labels.service }} has had no server to send requests to for a minute; clients get 503. First: `plimsoll status` says why each server is down; if all failed at once, suspect the last deploy or a shared database.",
    ),
    alert(
        "ServiceBelowMinHealthy",
        CRITICAL,
        "1m",
        "plimsoll_service_below_min_healthy == 1",
        "Too few servers of {{ $labels.service }} are healthy",
        "Healthy servers of {{ $labels.service }}: {{ with query (printf \"sum(plimsoll_service_servers{service=%q,state=\\\"healthy\\\"})\" $labels.service) }}{{ . | first | value }}{{ else }}0{{ end }}, less than `min_healthy`. First: `plimsoll status` says why the others are not; start them again, or add servers before the rest is overloaded.",
    ),
    alert(
        "ServerDown",
        WARNING,
        "1m",
        "max without (state) (plimsoll_server_state{state=~\"unhealthy|ejected\"}) == 1",
        "Server {{ $labels.server }} of {{ $labels.service }} is down",
        "Server {{ $labels.server }} of service {{ $labels.service }} has been unhealthy or ejected for a minute; the others carry its traffic, if there are any. First: `plimsoll status` shows the failed check; then look at the server's own log.",
    ),
    alert(
        "ServiceErrors",
        CRITICAL,
        "5m",
        // Not by status code: such a series begins with its first request, which no rate shows.
        "sum by (service) (rate(plimsoll_service_errors_total[5m]))
           / sum by (service) (rate(plimsoll_service_request_duration_seconds_count[5m])) > 0.05
           and sum by (service) (increase(plimsoll_service_request_duration_seconds_count[5m])) > 20",
        "{{ $value | humanizePercentage }} of requests to {{ $labels.service }} fail",
        "For 5 minutes {{ $value | humanizePercentage }} of the requests to service {{ $labels.service }} have been answered with a status of 500 and above. First: see in the access log which server and path they come from; one server alone can be drained (`plimsoll drain {{ $labels.service }}/SERVER`), all of them together point to the last deploy or a database.",
    ),
    alert(
        "ServerSaturated",
        WARNING,
        "5m",
        "plimsoll_server_in_flight / plimsoll_server_max_conns > 0.9",
        "Server {{ $labels.server }} of {{ $labels.service }} is at its limit",
        "Server {{ $labels.server }} of service {{ $labels.service }} has worked on {{ $value | humanizePercentage }} of its `max_conns` for 5 minutes; beyond it, requests are refused. First: see whether its answers have become slower; if not, add servers.",
    ),
    alert(
        "RequestsRefused",
        CRITICAL,
        "5m",
        "sum without (reason) (rate(plimsoll_rejected_requests_total{reason=~\"no_server|unreachable|exhausted\"}[5m]))
           / sum without (entrypoint) (rate(plimsoll_entrypoint_request_duration_seconds_count[5m])) > 0.01",
        "{{ $value | humanizePercentage }} of all requests find no server",
        "For 5 minutes {{ $value | humanizePercentage }} of all requests have been refused, because no server could take them or be reached. Nothing waits in a queue here: what cannot be sent is refused. First: `plimsoll status` for servers that are down or at their limit, then add servers.",
    ),
    alert(
        "TrafficInNeed",
        WARNING,
        "5m",
        "rate(plimsoll_service_needs_total{to=~\"backup|spread|last-resort\"}[5m]) > 0",
        "{{ $labels.service }} lives on its last servers ({{ $labels.to }})",
        "For 5 minutes requests of service {{ $labels.service }} have gone where they go only in need: {{ $labels.to }}, {{ $value | humanize }} a second. First: `plimsoll status` says why its usual servers do not take them.",
    ),
];

const INSTANCES: &[Alert] = &[
    alert(
        "InstanceDown",
        WARNING,
        "2m",
        "plimsoll_instance_up == 0 unless plimsoll_instance_crash_loop == 1",
        "Instance {{ or $labels.exported_instance $labels.instance }} is not ready",
        "Instance {{ or $labels.exported_instance $labels.instance }} of service {{ $labels.service }} has not been ready for 2 minutes. First: `plimsoll status` says in which phase it is; its own log says why it does not start or pass its check.",
    ),
    alert(
        "InstanceCrashLoop",
        CRITICAL,
        "1m",
        "plimsoll_instance_crash_loop == 1",
        "Instance {{ or $labels.exported_instance $labels.instance }} keeps dying",
        "Instance {{ or $labels.exported_instance $labels.instance }} of service {{ $labels.service }} dies soon after each start and is tried again only rarely. First: its log has the reason; if it began with a deploy, roll that back.",
    ),
    alert(
        "InstanceRestarts",
        WARNING,
        "0s",
        // Extrapolated to the whole window: 3 may come to a little more.
        "increase(plimsoll_instance_restarts_total[15m]) > 3.5",
        "Instance {{ or $labels.exported_instance $labels.instance }} was restarted often",
        "Instance {{ or $labels.exported_instance $labels.instance }} of service {{ $labels.service }} was started again {{ printf \"%.0f\" $value }} times in 15 minutes. First: `plimsoll status` has its last exit; look for memory limits, failing checks and signals.",
    ),
    alert(
        "InstancesMissing",
        WARNING,
        "5m",
        "sum by (service) (plimsoll_instance_up) < on (service) sum by (service) (plimsoll_service_instances)",
        "{{ $labels.service }} has fewer instances than it should",
        "Ready instances of service {{ $labels.service }}: {{ $value }}, for 5 minutes fewer than are configured. First: `plimsoll status` says what the others wait for.",
    ),
];

const ITSELF: &[Alert] = &[
    alert(
        "PlimsollReloadFailed",
        WARNING,
        "1m",
        "plimsoll_config_last_reload_successful == 0",
        "The config file of Plimsoll was refused",
        "The last reload on {{ $labels.instance }} changed nothing, because the config file has errors; the old configuration stays in force, but the next restart would fail. First: `plimsoll check` names each error.",
    ),
    alert(
        "PlimsollRestarts",
        WARNING,
        "0s",
        "changes(plimsoll_start_time_seconds[15m]) > 2",
        "Plimsoll itself was restarted often",
        "Plimsoll on {{ $labels.instance }} was started {{ $value }} times in 15 minutes. First: the journal of its service has the reason for each end.",
    ),
    alert(
        "ConnectionsNearLimit",
        WARNING,
        "5m",
        "sum without (entrypoint) (plimsoll_entrypoint_open_connections) / plimsoll_open_connections_max > 0.9",
        "Almost all client connections are in use",
        "For 5 minutes {{ $value | humanizePercentage }} of the client connections that may be open on {{ $labels.instance }} have been; beyond, new clients wait. First: see whether few clients hold many connections; then raise `limits.connections` and the descriptor limit (`LimitNOFILE`).",
    ),
    alert(
        "DescriptorsNearLimit",
        WARNING,
        "5m",
        "process_open_fds / process_max_fds > 0.8",
        "{{ $labels.job }} on {{ $labels.instance }} runs out of descriptors",
        "{{ $labels.job }} on {{ $labels.instance }} has {{ $value | humanizePercentage }} of its file descriptors open; at the limit it can accept no connection and open no file. First: raise its limit (`LimitNOFILE`), then look for a leak: does the number fall when traffic does?",
    ),
    alert(
        "AccessLogLosesLines",
        WARNING,
        "5m",
        "rate(plimsoll_access_log_dropped_total[5m]) > 0",
        "The access log loses lines",
        "For 5 minutes the access log on {{ $labels.instance }} has lost lines ({{ $labels.reason }}), {{ $value | humanize }} a second. Requests are not affected. First: is the disk that it is written to full or slow?",
    ),
    alert(
        "StoreTrouble",
        CRITICAL,
        "1m",
        "plimsoll_store_trouble == 1",
        "Figures are no longer written to the disk",
        "Plimsoll on {{ $labels.instance }} cannot write samples; requests are served, but figures since then are lost at a restart. First: is the disk of the data directory full or read-only? `plimsoll status` has the reason among its events.",
    ),
    alert(
        "SamplesRefused",
        WARNING,
        "5m",
        "rate(plimsoll_store_refused_samples_total{reason=~\"memory_full|too_many_series\"}[5m]) > 0",
        "The store of figures is full ({{ $labels.reason }})",
        "For 5 minutes Plimsoll on {{ $labels.instance }} has refused samples, {{ $value | humanize }} a second, because {{ if eq $labels.reason \"memory_full\" }}its memory for young samples is full; figures are missing{{ else }}the store has as many series as it may; new series are missing{{ end }}. First: look which metric or label has too many values (`plimsoll promql query 'topk(5, count by (__name__) ({__name__!=\"\"}))'`, or the reason among the events of `plimsoll status`) and drop it by relabelling, or raise `{{ if eq $labels.reason \"memory_full\" }}max_memory{{ else }}max_series{{ end }}` in [observe].",
    ),
    alert(
        "RemoteWriteBehind",
        WARNING,
        "5m",
        "plimsoll_remote_write_behind_seconds > 120",
        "Samples for {{ $labels.receiver }} wait for {{ $value | humanizeDuration }}",
        "The oldest sample that {{ $labels.receiver }} has not taken is {{ $value | humanizeDuration }} old; when the queue is full, samples are given up. First: does that store answer? The log of Plimsoll has its last error.",
    ),
    alert(
        "RulesFail",
        WARNING,
        "5m",
        "plimsoll_rule_group_failing_rules > 0",
        "Rules of {{ $labels.rule_group }} cannot be evaluated",
        "For 5 minutes rules of the group {{ $labels.rule_group }} have failed (the last time: {{ $value }}); the alarms that rest on them are blind. First: `plimsoll alarms` and the log say which and why; where `observe.prometheus` is set, does that one answer?",
    ),
    alert(
        "NotificationsFail",
        CRITICAL,
        "0s",
        // A receiver that is away loses a message each `group_interval`. What is extrapolated
        // from one is no second.
        "increase(plimsoll_notifications_failed_total[30m]) > 1.5",
        "Messages about alarms do not reach {{ $labels.receiver }}",
        "In the last 30 minutes {{ $value | printf \"%.0f\" }} messages about alarms could not be delivered to the receiver {{ $labels.receiver }}, however often it was tried. First: look at the alarms themselves (`plimsoll alarms`), then at the receiver's address and key; the log has its answer.",
    ),
    alert(
        "ForwardingFails",
        CRITICAL,
        "0s",
        "increase(plimsoll_notification_forward_dropped_alerts_total[10m]) > 0
           or increase(plimsoll_notification_forward_failed_total[10m]) > 2
             unless increase(plimsoll_notification_forwarded_alerts_total[5m]) > 0",
        "Alarms do not reach the Alertmanager {{ $labels.alertmanager }}",
        "The Alertmanager {{ $labels.alertmanager }} has refused alarms, or has taken none for 5 minutes however often it was tried; its receivers hear of nothing. First: look at the alarms themselves (`plimsoll alarms`), then whether the Alertmanager runs; the log has its answer.",
    ),
];

const TARGETS: &[Alert] = &[
    alert(
        "TargetDown",
        WARNING,
        "5m",
        "up{job!~\"postgres|redis\"} == 0",
        "{{ $labels.job }} at {{ $labels.instance }} delivers no figures",
        "The target {{ $labels.instance }} of job {{ $labels.job }} could not be scraped for 5 minutes; alarms that rest on its figures are blind. First: `plimsoll targets` says why.",
    ),
    alert(
        "CertificateExpiresSoon",
        WARNING,
        "1h",
        "probe_ssl_earliest_cert_expiry - time() < 14 * 86400 and probe_ssl_earliest_cert_expiry - time() >= 3 * 86400",
        "The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
        "The certificate that {{ $labels.instance }} shows expires in {{ $value | humanizeDuration }}. First: see why it was not renewed by itself (the log of certbot or whatever renews it), then whether the server was told to load the new one.",
    ),
    alert(
        "CertificateExpires",
        CRITICAL,
        "5m",
        "probe_ssl_earliest_cert_expiry - time() < 3 * 86400",
        "The certificate of {{ $labels.instance }} {{ if gt $value 0.0 }}expires within 3 days{{ else }}has expired{{ end }}",
        "The certificate that {{ $labels.instance }} shows {{ if gt $value 0.0 }}expires in {{ $value | humanizeDuration }}; after that no browser connects{{ else }}has expired: nobody who looks at it connects{{ end }}. First: renew it by hand now, reload the server, and look afterwards why it was not renewed.",
    ),
];

const HOST: &[Alert] = &[
    alert(
        "DiskAlmostFull",
        CRITICAL,
        "5m",
        "node_filesystem_avail_bytes{fstype!~\"tmpfs|ramfs|squashfs|overlay\"} / node_filesystem_size_bytes < 0.05
           unless node_filesystem_readonly == 1",
        "{{ $labels.mountpoint }} on {{ $labels.instance }} is almost full",
        "Only {{ $value | humanizePercentage }} of {{ $labels.mountpoint }} on {{ $labels.instance }} are left. First: `du -xh --max-depth=2 {{ $labels.mountpoint }} | sort -h | tail` finds what is large; old logs and packages may go.",
    ),
    alert(
        "DiskWillFill",
        WARNING,
        "1h",
        // Of less than an hour, a day cannot be told.
        "predict_linear(node_filesystem_avail_bytes{fstype!~\"tmpfs|ramfs|squashfs|overlay\"}[6h], 24 * 3600) < 0
           and node_filesystem_avail_bytes offset 1h >= 0
           and node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.4
           unless node_filesystem_readonly == 1",
        "{{ $labels.mountpoint }} on {{ $labels.instance }} will be full within a day",
        "If {{ $labels.mountpoint }} on {{ $labels.instance }} goes on filling as in the last 6 hours, it is full within 24 hours. First: find what grows (`du -xh --max-depth=2 {{ $labels.mountpoint }} | sort -h | tail`), and bound it.",
    ),
    alert(
        "InodesAlmostGone",
        WARNING,
        "10m",
        "node_filesystem_files_free{fstype!~\"tmpfs|ramfs|squashfs|overlay\"} / (node_filesystem_files > 0) < 0.05
           unless node_filesystem_readonly == 1",
        "{{ $labels.mountpoint }} on {{ $labels.instance }} runs out of inodes",
        "Only {{ $value | humanizePercentage }} of the inodes of {{ $labels.mountpoint }} on {{ $labels.instance }} are left; without one, no file can be made although there is space. First: find the folder with very many small files (sessions, caches, queues).",
    ),
    alert(
        "MemoryAlmostGone",
        CRITICAL,
        "5m",
        "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.05",
        "{{ $labels.instance }} is almost out of memory",
        "Only {{ $value | humanizePercentage }} of the memory of {{ $labels.instance }} have been available for 5 minutes; next the kernel kills a process. First: `ps aux --sort=-rss | head` shows who has it; restart what has grown, or run fewer instances here.",
    ),
    alert(
        "CpuSaturated",
        WARNING,
        "15m",
        "1 - avg without (cpu, mode) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) > 0.9",
        "The processors of {{ $labels.instance }} are busy",
        "For 15 minutes {{ $value | humanizePercentage }} of the processor time of {{ $labels.instance }} have been used; answers become slower. First: `top` shows by whom; if it is the service and traffic has grown, add instances or machines.",
    ),
    alert(
        "HostDescriptorsNearLimit",
        WARNING,
        "5m",
        "node_filefd_allocated / node_filefd_maximum > 0.8",
        "{{ $labels.instance }} runs out of file descriptors",
        "{{ $value | humanizePercentage }} of all descriptors of {{ $labels.instance }} are in use (`fs.file-max`). First: find the process that has most of them: `ls /proc/PID/fd | wc -l`.",
    ),
    alert(
        "ClockOff",
        WARNING,
        "10m",
        "abs(node_timex_offset_seconds) > 0.05",
        "The clock of {{ $labels.instance }} is wrong",
        "The clock of {{ $labels.instance }} has been off by {{ $value | humanizeDuration }} for 10 minutes; figures, logs and tokens of several machines no longer fit together. First: is chrony or systemd-timesyncd running, and does it reach its servers?",
    ),
];

const DATABASES: &[Alert] = &[
    alert(
        "DatabaseDown",
        CRITICAL,
        "1m",
        "up{job=~\"postgres|redis\"} == 0 or pg_up == 0 or redis_up == 0",
        "The database {{ $labels.instance }} cannot be reached",
        "{{ $labels.instance }} ({{ $labels.job }}) has not let Plimsoll in for a minute. First: does the server run, is its disk full, and are all of its connections taken?",
    ),
    alert(
        "ReplicaLag",
        WARNING,
        "5m",
        "pg_replication_lag_seconds > 30",
        "The replica {{ $labels.instance }} is {{ $value | humanizeDuration }} behind",
        "The PostgreSQL replica {{ $labels.instance }} has been behind its primary for 5 minutes, now by {{ $value | humanizeDuration }}; readers see old data. First: is there a long query on the replica that holds up replay, or more writing on the primary than usual?",
    ),
    alert(
        "ReplicaDisconnected",
        CRITICAL,
        "2m",
        "redis_master_link_up == 0",
        "The replica {{ $labels.instance }} has lost its primary",
        "The Redis replica {{ $labels.instance }} has had no connection to its primary for 2 minutes and serves old data. First: does the primary run, and can the replica reach it?",
    ),
    alert(
        "DatabaseConnectionsNearLimit",
        WARNING,
        "5m",
        "sum by (job, instance) (pg_stat_database_numbackends) / max by (job, instance) (pg_settings_max_connections) > 0.9",
        "{{ $labels.instance }} is almost out of connections",
        "{{ $value | humanizePercentage }} of the connections of the database {{ $labels.instance }} are taken; beyond, it refuses. First: `SELECT state, count(*) FROM pg_stat_activity GROUP BY 1` tells idle ones from busy ones; lower the pools of the services, or use a pooler.",
    ),
    alert(
        "CacheAlmostFull",
        WARNING,
        "10m",
        "redis_memory_used_bytes / (redis_memory_max_bytes > 0) > 0.9",
        "{{ $labels.instance }} is almost full",
        "{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its `maxmemory`; beyond, it evicts keys or refuses writes, as its policy says. First: `redis-cli --bigkeys` finds what is large; are there keys without an expiry?",
    ),
];
