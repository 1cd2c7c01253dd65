//! Every built-in alert fires when it should, not when it should not, and says the same here and in
//! the real promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::promtool::{self, Case, Series};
use crate::config::model::observe::{LatencyObjective, Objective};
use crate::config::model::{Service, Source};
use crate::config::sample;
use crate::observe::rules::built_in;
use crate::observe::rules::files::Read;

/// Alert, minutes after which it is asked for, series that make it fire, and series that do not.
type Trial<'a> = (&'a str, u32, Series<'a>, Series<'a>);

const TRIALS: &[Trial<'_>] = &[
    (
        "ServiceDown",
        5,
        &[(r#"plimsoll_service_up{service="web"}"#, "0x10")],
        &[(r#"plimsoll_service_up{service="web"}"#, "1x10")],
    ),
    (
        "ServiceBelowMinHealthy",
        5,
        &[
            (r#"plimsoll_service_below_min_healthy{service="web"}"#, "1x10"),
            (r#"plimsoll_service_servers{service="web",state="healthy"}"#, "1x10"),
        ],
        &[(r#"plimsoll_service_below_min_healthy{service="web"}"#, "0x10")],
    ),
    (
        "ServerDown",
        5,
        &[
            (r#"plimsoll_server_state{service="web",server="a",state="ejected"}"#, "1x10"),
            (r#"plimsoll_server_state{service="web",server="a",state="unhealthy"}"#, "0x10"),
        ],
        &[
            (r#"plimsoll_server_state{service="web",server="a",state="draining"}"#, "1x10"),
            (r#"plimsoll_server_state{service="web",server="a",state="unhealthy"}"#, "0x10"),
        ],
    ),
    (
        "ServiceErrors",
        20,
        &[
            (r#"plimsoll_service_errors_total{service="web"}"#, "0+60x30"),
            (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+600x30"),
        ],
        &[
            (r#"plimsoll_service_errors_total{service="web"}"#, "0+6x30"),
            (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+600x30"),
        ],
    ),
    (
        "ServerSaturated",
        10,
        &[
            (r#"plimsoll_server_in_flight{service="web",server="a"}"#, "76x20"),
            (r#"plimsoll_server_max_conns{service="web",server="a"}"#, "80x20"),
        ],
        // Without a bound there is nothing to reach.
        &[(r#"plimsoll_server_in_flight{service="web",server="a"}"#, "1000x20")],
    ),
    (
        "RequestsRefused",
        20,
        &[
            (r#"plimsoll_rejected_requests_total{reason="no_server"}"#, "0+60x30"),
            (
                r#"plimsoll_entrypoint_request_duration_seconds_count{entrypoint=":9999"}"#,
                "0+600x30",
            ),
        ],
        &[
            (r#"plimsoll_rejected_requests_total{reason="no_route"}"#, "0+60x30"),
            (
                r#"plimsoll_entrypoint_request_duration_seconds_count{entrypoint=":9999"}"#,
                "0+600x30",
            ),
        ],
    ),
    (
        "TrafficInNeed",
        20,
        &[(r#"plimsoll_service_needs_total{service="web",to="last-resort"}"#, "0+60x30")],
        &[(r#"plimsoll_service_needs_total{service="web",to="overflow"}"#, "0+60x30")],
    ),
    (
        "InstanceDown",
        5,
        &[
            (r#"plimsoll_instance_up{service="web",instance="web-1"}"#, "0x10"),
            (r#"plimsoll_instance_crash_loop{service="web",instance="web-1"}"#, "0x10"),
        ],
        // That one has an alert of its own.
        &[
            (r#"plimsoll_instance_up{service="web",instance="web-1"}"#, "0x10"),
            (r#"plimsoll_instance_crash_loop{service="web",instance="web-1"}"#, "1x10"),
        ],
    ),
    (
        "InstanceCrashLoop",
        5,
        &[(
            r#"plimsoll_instance_crash_loop{service="web",instance="h",exported_instance="web-1"}"#,
            "1x10",
        )],
        &[(r#"plimsoll_instance_crash_loop{service="web",instance="web-1"}"#, "0x10")],
    ),
    (
        "InstanceRestarts",
        20,
        &[(r#"plimsoll_instance_restarts_total{service="web",instance="web-1"}"#, "0+1x30")],
        // What is extrapolated from three is no fourth.
        &[(r#"plimsoll_instance_restarts_total{service="web",instance="web-1"}"#, "0x16 1 2 3x12")],
    ),
    (
        "InstancesMissing",
        10,
        &[
            (r#"plimsoll_instance_up{service="web",instance="web-1"}"#, "1x20"),
            (r#"plimsoll_instance_up{service="web",instance="web-2"}"#, "0x20"),
            (r#"plimsoll_service_instances{service="web"}"#, "2x20"),
        ],
        &[
            (r#"plimsoll_instance_up{service="web",instance="web-1"}"#, "1x20"),
            (r#"plimsoll_service_instances{service="web"}"#, "1x20"),
        ],
    ),
    (
        "PlimsollReloadFailed",
        5,
        &[(r#"plimsoll_config_last_reload_successful{instance="h"}"#, "0x10")],
        &[(r#"plimsoll_config_last_reload_successful{instance="h"}"#, "1x10")],
    ),
    (
        "PlimsollRestarts",
        20,
        &[(r#"plimsoll_start_time_seconds{instance="h"}"#, "1x7 2x2 3x2 4x20")],
        &[(r#"plimsoll_start_time_seconds{instance="h"}"#, "1x9 2x30")],
    ),
    (
        "ConnectionsNearLimit",
        10,
        &[
            (r#"plimsoll_entrypoint_open_connections{entrypoint=":1",instance="h"}"#, "500x20"),
            (r#"plimsoll_entrypoint_open_connections{entrypoint=":2",instance="h"}"#, "450x20"),
            (r#"plimsoll_open_connections_max{instance="h"}"#, "1000x20"),
        ],
        &[
            (r#"plimsoll_entrypoint_open_connections{entrypoint=":1",instance="h"}"#, "500x20"),
            (r#"plimsoll_open_connections_max{instance="h"}"#, "1000x20"),
        ],
    ),
    (
        "DescriptorsNearLimit",
        10,
        &[
            (r#"process_open_fds{job="plimsoll",instance="h"}"#, "900x20"),
            (r#"process_max_fds{job="plimsoll",instance="h"}"#, "1024x20"),
        ],
        &[
            (r#"process_open_fds{job="plimsoll",instance="h"}"#, "90x20"),
            (r#"process_max_fds{job="plimsoll",instance="h"}"#, "1024x20"),
        ],
    ),
    (
        "AccessLogLosesLines",
        20,
        &[(r#"plimsoll_access_log_dropped_total{instance="h",reason="full"}"#, "0+60x30")],
        &[(r#"plimsoll_access_log_dropped_total{instance="h",reason="full"}"#, "7x30")],
    ),
    (
        "StoreTrouble",
        5,
        &[(r#"plimsoll_store_trouble{instance="h"}"#, "1x10")],
        &[(r#"plimsoll_store_trouble{instance="h"}"#, "0x10")],
    ),
    (
        "SamplesRefused",
        20,
        &[(
            r#"plimsoll_store_refused_samples_total{instance="h",reason="memory_full"}"#,
            "0+60x30",
        )],
        &[(r#"plimsoll_store_refused_samples_total{instance="h",reason="old"}"#, "0+60x30")],
    ),
    (
        "RemoteWriteBehind",
        10,
        &[(r#"plimsoll_remote_write_behind_seconds{instance="h",receiver="far"}"#, "300x20")],
        &[(r#"plimsoll_remote_write_behind_seconds{instance="h",receiver="far"}"#, "3x20")],
    ),
    (
        "RulesFail",
        20,
        &[(r#"plimsoll_rule_group_failing_rules{rule_group="web.yml;web"}"#, "2x30")],
        &[(r#"plimsoll_rule_group_failing_rules{rule_group="web.yml;web"}"#, "2x4 0x30")],
    ),
    (
        "NotificationsFail",
        20,
        &[(r#"plimsoll_notifications_failed_total{receiver="mail"}"#, "0x5 1x5 2x20")],
        // What is extrapolated from one is no second.
        &[(r#"plimsoll_notifications_failed_total{receiver="mail"}"#, "0x5 1x30")],
    ),
    (
        "ForwardingFails",
        20,
        &[(
            r#"plimsoll_notification_forward_dropped_alerts_total{alertmanager="a:9093"}"#,
            "0+1x30",
        )],
        &[(r#"plimsoll_notification_forward_dropped_alerts_total{alertmanager="a:9093"}"#, "5x30")],
    ),
    // One that is away refuses nothing; one that hiccups takes alarms in between.
    (
        "ForwardingFails",
        20,
        &[
            (r#"plimsoll_notification_forward_failed_total{alertmanager="a:9093"}"#, "0+1x30"),
            (r#"plimsoll_notification_forwarded_alerts_total{alertmanager="a:9093"}"#, "7x30"),
        ],
        &[
            (r#"plimsoll_notification_forward_failed_total{alertmanager="a:9093"}"#, "0+1x30"),
            (r#"plimsoll_notification_forwarded_alerts_total{alertmanager="a:9093"}"#, "0+1x30"),
        ],
    ),
    (
        "TargetDown",
        10,
        &[(r#"up{job="web",instance="web-1"}"#, "0x20")],
        &[(r#"up{job="web",instance="web-1"}"#, "1x20")],
    ),
    (
        "CertificateExpiresSoon",
        90,
        &[(r#"probe_ssl_earliest_cert_expiry{instance="https://a"}"#, "864000x100")],
        &[(r#"probe_ssl_earliest_cert_expiry{instance="https://a"}"#, "8640000x100")],
    ),
    (
        "CertificateExpires",
        10,
        &[(r#"probe_ssl_earliest_cert_expiry{instance="https://a"}"#, "86400x20")],
        &[(r#"probe_ssl_earliest_cert_expiry{instance="https://a"}"#, "864000x20")],
    ),
    (
        "DiskAlmostFull",
        10,
        &[
            (r#"node_filesystem_avail_bytes{instance="h",mountpoint="/",fstype="ext4"}"#, "4x20"),
            (r#"node_filesystem_size_bytes{instance="h",mountpoint="/",fstype="ext4"}"#, "100x20"),
            (r#"node_filesystem_readonly{instance="h",mountpoint="/",fstype="ext4"}"#, "0x20"),
        ],
        &[
            (r#"node_filesystem_avail_bytes{instance="h",mountpoint="/cd",fstype="iso"}"#, "0x20"),
            (r#"node_filesystem_size_bytes{instance="h",mountpoint="/cd",fstype="iso"}"#, "100x20"),
            (r#"node_filesystem_readonly{instance="h",mountpoint="/cd",fstype="iso"}"#, "1x20"),
        ],
    ),
    (
        "DiskWillFill",
        400,
        &[
            (
                r#"node_filesystem_avail_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "40000-30x500",
            ),
            (
                r#"node_filesystem_size_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "100000x500",
            ),
        ],
        &[
            (
                r#"node_filesystem_avail_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "39000x500",
            ),
            (
                r#"node_filesystem_size_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "100000x500",
            ),
        ],
    ),
    // Nothing can be told of the next day from the minutes after a start.
    (
        "DiskWillFill",
        125,
        &[
            (
                r#"node_filesystem_avail_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "39000-30x200",
            ),
            (
                r#"node_filesystem_size_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "100000x200",
            ),
        ],
        &[
            (
                r#"node_filesystem_avail_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "_x80 39000-30x200",
            ),
            (
                r#"node_filesystem_size_bytes{instance="h",mountpoint="/",fstype="ext4"}"#,
                "100000x300",
            ),
        ],
    ),
    (
        "InodesAlmostGone",
        20,
        &[
            (r#"node_filesystem_files_free{instance="h",mountpoint="/",fstype="ext4"}"#, "4x40"),
            (r#"node_filesystem_files{instance="h",mountpoint="/",fstype="ext4"}"#, "100x40"),
        ],
        // A file system that has no inodes.
        &[
            (r#"node_filesystem_files_free{instance="h",mountpoint="/",fstype="btrfs"}"#, "0x40"),
            (r#"node_filesystem_files{instance="h",mountpoint="/",fstype="btrfs"}"#, "0x40"),
        ],
    ),
    (
        "MemoryAlmostGone",
        10,
        &[
            (r#"node_memory_MemAvailable_bytes{instance="h"}"#, "30x20"),
            (r#"node_memory_MemTotal_bytes{instance="h"}"#, "1000x20"),
        ],
        &[
            (r#"node_memory_MemAvailable_bytes{instance="h"}"#, "300x20"),
            (r#"node_memory_MemTotal_bytes{instance="h"}"#, "1000x20"),
        ],
    ),
    (
        "CpuSaturated",
        30,
        &[
            (r#"node_cpu_seconds_total{instance="h",cpu="0",mode="idle"}"#, "0+3x60"),
            (r#"node_cpu_seconds_total{instance="h",cpu="1",mode="idle"}"#, "0+0x60"),
        ],
        &[
            (r#"node_cpu_seconds_total{instance="h",cpu="0",mode="idle"}"#, "0+3x60"),
            (r#"node_cpu_seconds_total{instance="h",cpu="1",mode="idle"}"#, "0+60x60"),
        ],
    ),
    (
        "HostDescriptorsNearLimit",
        10,
        &[
            (r#"node_filefd_allocated{instance="h"}"#, "90x20"),
            (r#"node_filefd_maximum{instance="h"}"#, "100x20"),
        ],
        &[
            (r#"node_filefd_allocated{instance="h"}"#, "9x20"),
            (r#"node_filefd_maximum{instance="h"}"#, "100x20"),
        ],
    ),
    (
        "ClockOff",
        20,
        &[(r#"node_timex_offset_seconds{instance="h"}"#, "-0.5x40")],
        &[(r#"node_timex_offset_seconds{instance="h"}"#, "0.001x40")],
    ),
    (
        "DatabaseDown",
        5,
        &[
            (r#"redis_up{job="redis",instance="cache:6379"}"#, "0x10"),
            (r#"pg_up{job="postgres",instance="db:5432"}"#, "0x10"),
        ],
        &[
            (r#"redis_up{job="redis",instance="cache:6379"}"#, "1x10"),
            (r#"pg_up{job="postgres",instance="db:5432"}"#, "1x10"),
        ],
    ),
    (
        "ReplicaLag",
        10,
        &[(r#"pg_replication_lag_seconds{job="postgres",instance="db:5432"}"#, "95x20")],
        &[(r#"pg_replication_lag_seconds{job="postgres",instance="db:5432"}"#, "0x20")],
    ),
    (
        "ReplicaDisconnected",
        5,
        &[(r#"redis_master_link_up{job="redis",instance="cache:6379"}"#, "0x10")],
        &[(r#"redis_master_link_up{job="redis",instance="cache:6379"}"#, "1x10")],
    ),
    (
        "DatabaseConnectionsNearLimit",
        10,
        &[
            (r#"pg_stat_database_numbackends{job="postgres",instance="db",datname="a"}"#, "50x20"),
            (r#"pg_stat_database_numbackends{job="postgres",instance="db",datname="b"}"#, "45x20"),
            (r#"pg_settings_max_connections{job="postgres",instance="db"}"#, "100x20"),
        ],
        &[
            (r#"pg_stat_database_numbackends{job="postgres",instance="db",datname="a"}"#, "50x20"),
            (r#"pg_settings_max_connections{job="postgres",instance="db"}"#, "100x20"),
        ],
    ),
    (
        "CacheAlmostFull",
        20,
        &[
            (r#"redis_memory_used_bytes{instance="cache"}"#, "95x40"),
            (r#"redis_memory_max_bytes{instance="cache"}"#, "100x40"),
        ],
        &[
            (r#"redis_memory_used_bytes{instance="cache"}"#, "95x40"),
            (r#"redis_memory_max_bytes{instance="cache"}"#, "0x40"),
        ],
    ),
    (
        "ServiceLatencyAboveObjective",
        20,
        &[
            (
                r#"plimsoll_service_request_duration_seconds_bucket{service="web",le="0.3"}"#,
                "0+980x40",
            ),
            (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+1000x40"),
        ],
        &[
            (
                r#"plimsoll_service_request_duration_seconds_bucket{service="web",le="0.3"}"#,
                "0+995x40",
            ),
            (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+1000x40"),
        ],
    ),
    // A promise that is younger than the requests before it says nothing of those.
    (
        "ServiceLatencyAboveObjective",
        30,
        &[
            (
                r#"plimsoll_service_request_duration_seconds_bucket{service="web",le="0.3"}"#,
                "_x10 500+900x40",
            ),
            (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+1000x50"),
        ],
        &[
            (
                r#"plimsoll_service_request_duration_seconds_bucket{service="web",le="0.3"}"#,
                "_x28 28000+995x40",
            ),
            (r#"plimsoll_service_request_duration_seconds_count{service="web"}"#, "0+1000x50"),
        ],
    ),
];

fn services() -> BTreeMap<String, Arc<Service>> {
    let mut service = sample::service("web", Source::Servers(Vec::new()), Duration::from_secs(1));
    let latency = LatencyObjective { quantile: 0.99, below: Duration::from_millis(300) };
    let window = Duration::from_secs(30 * 86_400);
    service.slo = Some(Objective { success: None, latency: Some(latency), window });
    BTreeMap::from([("web".to_owned(), Arc::new(service))])
}

#[test]
fn each_fires_and_does_not_as_promtool_sees_it() {
    let text = built_in::text(&[], &services());
    let mut read = Read::default();
    read.text("built-in", &text, Duration::from_secs(15));
    assert!(read.errors.is_empty(), "{:?}", read.errors);
    let mut cases = Vec::new();
    for (alert, at, fires, hushed) in TRIALS {
        for (series, expected) in [(fires, true), (hushed, false)] {
            let memory = promtool::memory(series, 1);
            let fires = promtool::firing(&read.groups, alert, &memory, *at);
            assert_eq!(!fires.is_empty(), expected, "{alert}");
            cases.push(Case { series, interval: 1, at: *at, alert, fires });
        }
    }
    promtool::agree(&text, "1m", &cases);
    let tried: BTreeSet<&str> = TRIALS.iter().map(|trial| trial.0).collect();
    assert_eq!(tried, built_in::names().collect(), "each alert is tried");
}

#[test]
fn descriptions_are_for_people() {
    let mut read = Read::default();
    read.text("built-in", &built_in::text(&[], &services()), Duration::from_secs(15));
    for rule in read.groups.iter().flat_map(|group| &group.rules) {
        let super::super::RuleKind::Alerting(alerting) = &rule.kind else {
            panic!("{}", rule.name)
        };
        let texts = &alerting.annotations;
        assert!(
            texts["summary"].len() < 120 && texts["description"].contains("First: "),
            "{}",
            rule.name
        );
        assert!(["critical", "warning"].contains(&rule.labels["severity"].as_str()));
    }
}

#[test]
fn unwanted_alerts_are_left_out_and_unknown_ones_refused() {
    let all: Vec<String> = built_in::names().map(str::to_owned).collect();
    assert_eq!(built_in::text(&all, &services()), "groups: []\n");
    let text = built_in::text(&["ServiceDown".to_owned()], &BTreeMap::new());
    assert!(!text.contains("alert: ServiceDown") && text.contains("alert: ServerDown"));
    let errors = built_in::refuse_unknown(&["ServerDwn".to_owned(), "TargetDown".to_owned()]);
    assert_eq!(
        errors[0].to_string(),
        "error: there is no built-in alert `ServerDwn`\n  = key:     observe.rules.without[0]\n  = remedy:  did you mean `ServerDown`?"
    );
    assert_eq!(errors.len(), 1);
}
