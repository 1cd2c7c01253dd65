//! Which figures of PostgreSQL are read: groups of them, each by one statement.
//!
//! A statement's first columns are labels, called as they are called there; one column for each figure
//! follows. Catalogs differ from version to version, so groups say for which they are.
//!
//! Invariants: statements read catalogs and statistics only, take no lock that others wait for, and
//! yield no row, or nulls, where the user may not see; the order is that of asking, and what may take
//! long (sizes of databases) is last.
//!
//! Sources: postgres_exporter's collectors
//! (<https://github.com/prometheus-community/postgres_exporter>) for names and meanings, PostgreSQL's
//! manual, "The Cumulative Statistics System", for columns by version.

use std::ops::RangeInclusive;

use tsdb::exposition::Kind::{self, Counter, Gauge};

/// Figures that one statement yields.
pub(super) struct Group {
    /// What postgres_exporter calls it.
    pub(super) collector: &'static str,
    /// Major versions of the server.
    pub(super) versions: RangeInclusive<u32>,
    /// Columns that are labels.
    pub(super) labels: usize,
    /// The columns after them.
    pub(super) figures: &'static [Figure],
    /// Yields them.
    pub(super) statement: &'static str,
}

/// A figure.
pub(super) struct Figure {
    /// The metric.
    pub(super) name: &'static str,
    /// What its samples mean.
    pub(super) kind: Kind,
    /// For people.
    pub(super) help: &'static str,
}

const fn figure(name: &'static str, kind: Kind, help: &'static str) -> Figure {
    Figure { name, kind, help }
}

/// Every version that is out or will be.
const ALL: RangeInclusive<u32> = 0..=u32::MAX;

/// All groups.
pub(super) const GROUPS: &[Group] = &[
    REPLICATION,
    STAT_REPLICATION,
    REPLICATION_SLOTS,
    STAT_DATABASE,
    STAT_DATABASE_SESSIONS,
    STAT_DATABASE_CONFLICTS,
    STAT_ACTIVITY,
    LOCKS,
    BGWRITER_BEFORE_17,
    BGWRITER,
    CHECKPOINTER,
    ARCHIVER,
    DATABASE,
];

const REPLICATION: Group = Group {
    collector: "replication",
    versions: 10..=u32::MAX,
    labels: 0,
    figures: &[
        figure(
            "pg_replication_lag_seconds",
            Gauge,
            "How far a standby is behind: 0 on a primary, and where all that was received is replayed.",
        ),
        figure("pg_replication_is_replica", Gauge, "Whether the server is a standby."),
        figure(
            "pg_replication_last_replay_seconds",
            Gauge,
            "Time since the last transaction that a standby replayed.",
        ),
    ],
    statement: "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 \
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
        ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END, \
        pg_is_in_recovery()::int, \
        CASE WHEN pg_last_xact_replay_timestamp() IS NOT NULL THEN \
        greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END",
};

const STAT_REPLICATION: Group = Group {
    collector: "stat_replication",
    versions: 10..=u32::MAX,
    labels: 4,
    figures: &[
        figure(
            "pg_stat_replication_pg_current_wal_lsn_bytes",
            Gauge,
            "Where the write-ahead log ends here, bytes.",
        ),
        figure(
            "pg_stat_replication_pg_wal_lsn_diff",
            Gauge,
            "Bytes of the write-ahead log that the standby has not replayed.",
        ),
        figure(
            "pg_stat_replication_sent_lag_bytes",
            Gauge,
            "Bytes of the write-ahead log that were not sent to the standby.",
        ),
        figure(
            "pg_stat_replication_flush_lag_bytes",
            Gauge,
            "Bytes of the write-ahead log that are not safe on the standby.",
        ),
        figure(
            "pg_stat_replication_replay_lag_seconds",
            Gauge,
            "Time from a transaction's end here to its effect on the standby; absent when idle.",
        ),
    ],
    statement: "SELECT r.application_name, coalesce(host(r.client_addr), '') AS client_addr, \
        r.state, coalesce(s.slot_name, '') AS slot_name, \
        pg_wal_lsn_diff(w.lsn, '0/0'), pg_wal_lsn_diff(w.lsn, r.replay_lsn), \
        pg_wal_lsn_diff(w.lsn, r.sent_lsn), pg_wal_lsn_diff(w.lsn, r.flush_lsn), \
        extract(epoch FROM r.replay_lag) \
        FROM pg_stat_replication r \
        LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid \
        CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() \
        ELSE pg_current_wal_lsn() END AS lsn) w \
        WHERE r.state IS NOT NULL",
};

const REPLICATION_SLOTS: Group = Group {
    collector: "replication_slots",
    versions: 10..=u32::MAX,
    labels: 3,
    figures: &[
        figure("pg_replication_slots_active", Gauge, "Whether anybody reads from the slot."),
        figure(
            "pg_replication_slots_pg_wal_lsn_diff",
            Gauge,
            "Bytes of the write-ahead log that are kept for the slot.",
        ),
    ],
    statement: "SELECT slot_name, slot_type, coalesce(database, '') AS database, active::int, \
        pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() \
        ELSE pg_current_wal_lsn() END, restart_lsn) FROM pg_replication_slots",
};

const STAT_DATABASE: Group = Group {
    collector: "stat_database",
    versions: ALL,
    labels: 2,
    figures: &[
        figure("pg_stat_database_numbackends", Gauge, "Sessions."),
        figure("pg_stat_database_xact_commit", Counter, "Transactions that were committed."),
        figure("pg_stat_database_xact_rollback", Counter, "Transactions that were rolled back."),
        figure("pg_stat_database_blks_read", Counter, "Blocks that were read from the disk."),
        figure("pg_stat_database_blks_hit", Counter, "Blocks that were found in the buffer cache."),
        figure("pg_stat_database_tup_returned", Counter, "Rows that scans went over."),
        figure("pg_stat_database_tup_fetched", Counter, "Rows that index scans fetched."),
        figure("pg_stat_database_tup_inserted", Counter, "Rows that were inserted."),
        figure("pg_stat_database_tup_updated", Counter, "Rows that were updated."),
        figure("pg_stat_database_tup_deleted", Counter, "Rows that were deleted."),
        figure(
            "pg_stat_database_conflicts",
            Counter,
            "Statements that were cancelled because of conflicts with recovery, on a standby.",
        ),
        figure("pg_stat_database_temp_files", Counter, "Temporary files that statements made."),
        figure("pg_stat_database_temp_bytes", Counter, "Bytes that went to temporary files."),
        figure("pg_stat_database_deadlocks", Counter, "Deadlocks."),
        figure(
            "pg_stat_database_blk_read_time",
            Counter,
            "Milliseconds of reading blocks, if track_io_timing is on.",
        ),
        figure(
            "pg_stat_database_blk_write_time",
            Counter,
            "Milliseconds of writing blocks, if track_io_timing is on.",
        ),
        figure(
            "pg_stat_database_stats_reset",
            Counter,
            "When these figures began, seconds since 1970.",
        ),
    ],
    statement: "SELECT datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, \
        tup_returned, tup_fetched, tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, \
        temp_bytes, deadlocks, blk_read_time, blk_write_time, extract(epoch FROM stats_reset) \
        FROM pg_stat_database WHERE datname IS NOT NULL",
};

const STAT_DATABASE_SESSIONS: Group = Group {
    collector: "stat_database_sessions",
    versions: 14..=u32::MAX,
    labels: 2,
    figures: &[
        figure(
            "pg_stat_database_active_time_seconds_total",
            Counter,
            "Time that sessions spent on statements.",
        ),
        figure("pg_stat_database_sessions_total", Counter, "Sessions that were begun."),
    ],
    statement: "SELECT datid, datname, active_time / 1000, sessions FROM pg_stat_database \
        WHERE datname IS NOT NULL",
};

const STAT_DATABASE_CONFLICTS: Group = Group {
    collector: "stat_database_conflicts",
    versions: ALL,
    labels: 2,
    figures: &[
        figure(
            "pg_stat_database_conflicts_confl_tablespace",
            Counter,
            "Statements cancelled because a tablespace was dropped.",
        ),
        figure(
            "pg_stat_database_conflicts_confl_lock",
            Counter,
            "Statements cancelled because of locks that recovery needed.",
        ),
        figure(
            "pg_stat_database_conflicts_confl_snapshot",
            Counter,
            "Statements cancelled because their snapshot was too old.",
        ),
        figure(
            "pg_stat_database_conflicts_confl_bufferpin",
            Counter,
            "Statements cancelled because of pinned buffers.",
        ),
        figure(
            "pg_stat_database_conflicts_confl_deadlock",
            Counter,
            "Statements cancelled because of deadlocks.",
        ),
    ],
    // There is nothing to tell of a primary.
    statement: "SELECT datid, datname, confl_tablespace, confl_lock, confl_snapshot, \
        confl_bufferpin, confl_deadlock FROM pg_stat_database_conflicts WHERE pg_is_in_recovery()",
};

const STAT_ACTIVITY: Group = Group {
    collector: "stat_activity",
    versions: 10..=u32::MAX,
    labels: 2,
    figures: &[
        figure("pg_stat_activity_count", Gauge, "Sessions in this state."),
        figure(
            "pg_stat_activity_max_tx_duration",
            Gauge,
            "Seconds since the oldest transaction of a session in this state began.",
        ),
    ],
    // Who may not read all statistics sees the state of their own sessions only, and would count
    // none of others: half a truth.
    statement: "SELECT d.datname, s.state, coalesce(a.count, 0), coalesce(a.longest, 0) \
        FROM (VALUES ('active'), ('idle'), ('idle in transaction'), \
        ('idle in transaction (aborted)'), ('fastpath function call'), ('disabled')) AS s(state) \
        CROSS JOIN pg_database d LEFT JOIN (SELECT datname, state, count(*), \
        max(extract(epoch FROM now() - xact_start)) AS longest \
        FROM pg_stat_activity GROUP BY datname, state) a \
        ON a.datname = d.datname AND a.state = s.state \
        WHERE d.datallowconn AND pg_has_role('pg_read_all_stats', 'USAGE')",
};

const LOCKS: Group = Group {
    collector: "locks",
    versions: ALL,
    labels: 2,
    figures: &[figure("pg_locks_count", Gauge, "Locks that are held or waited for.")],
    statement: "SELECT d.datname, m.mode, coalesce(l.count, 0) \
        FROM (VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), \
        ('shareupdateexclusivelock'), ('sharelock'), ('sharerowexclusivelock'), \
        ('exclusivelock'), ('accessexclusivelock'), ('sireadlock')) AS m(mode) \
        CROSS JOIN pg_database d LEFT JOIN (SELECT database, lower(mode) AS mode, count(*) \
        FROM pg_locks WHERE database IS NOT NULL GROUP BY database, lower(mode)) l \
        ON l.database = d.oid AND l.mode = m.mode WHERE d.datallowconn",
};

const BUFFERS_CLEAN: Figure = figure(
    "pg_stat_bgwriter_buffers_clean_total",
    Counter,
    "Buffers that the background writer wrote.",
);
const MAXWRITTEN_CLEAN: Figure = figure(
    "pg_stat_bgwriter_maxwritten_clean_total",
    Counter,
    "Rounds that the background writer stopped because it had written too many buffers.",
);
const BUFFERS_ALLOC: Figure =
    figure("pg_stat_bgwriter_buffers_alloc_total", Counter, "Buffers that were allocated.");

const BGWRITER_BEFORE_17: Group = Group {
    collector: "stat_bgwriter",
    versions: 0..=16,
    labels: 0,
    figures: &[
        BUFFERS_CLEAN,
        MAXWRITTEN_CLEAN,
        BUFFERS_ALLOC,
        figure(
            "pg_stat_bgwriter_checkpoints_timed_total",
            Counter,
            "Checkpoints because it was time.",
        ),
        figure(
            "pg_stat_bgwriter_checkpoints_req_total",
            Counter,
            "Checkpoints because somebody, or too much writing, asked for one.",
        ),
        figure(
            "pg_stat_bgwriter_checkpoint_write_time_total",
            Counter,
            "Milliseconds of writing in checkpoints.",
        ),
        figure(
            "pg_stat_bgwriter_checkpoint_sync_time_total",
            Counter,
            "Milliseconds of making checkpoints safe on the disk.",
        ),
        figure(
            "pg_stat_bgwriter_buffers_checkpoint_total",
            Counter,
            "Buffers that checkpoints wrote.",
        ),
        figure(
            "pg_stat_bgwriter_buffers_backend_total",
            Counter,
            "Buffers that sessions had to write themselves.",
        ),
        figure(
            "pg_stat_bgwriter_buffers_backend_fsync_total",
            Counter,
            "Times that sessions had to make files safe on the disk themselves.",
        ),
    ],
    statement: "SELECT buffers_clean, maxwritten_clean, buffers_alloc, checkpoints_timed, \
        checkpoints_req, checkpoint_write_time, checkpoint_sync_time, buffers_checkpoint, \
        buffers_backend, buffers_backend_fsync FROM pg_stat_bgwriter",
};

const BGWRITER: Group = Group {
    collector: "stat_bgwriter",
    versions: 17..=u32::MAX,
    labels: 0,
    figures: &[BUFFERS_CLEAN, MAXWRITTEN_CLEAN, BUFFERS_ALLOC],
    statement: "SELECT buffers_clean, maxwritten_clean, buffers_alloc FROM pg_stat_bgwriter",
};

const CHECKPOINTER: Group = Group {
    collector: "stat_checkpointer",
    versions: 17..=u32::MAX,
    labels: 0,
    figures: &[
        figure("pg_stat_checkpointer_num_timed_total", Counter, "Checkpoints because it was time."),
        figure(
            "pg_stat_checkpointer_num_requested_total",
            Counter,
            "Checkpoints because somebody, or too much writing, asked for one.",
        ),
        figure(
            "pg_stat_checkpointer_restartpoints_timed_total",
            Counter,
            "Restart points of a standby because it was time.",
        ),
        figure(
            "pg_stat_checkpointer_restartpoints_req_total",
            Counter,
            "Restart points of a standby that were asked for.",
        ),
        figure(
            "pg_stat_checkpointer_restartpoints_done_total",
            Counter,
            "Restart points of a standby that were made.",
        ),
        figure(
            "pg_stat_checkpointer_write_time_total",
            Counter,
            "Milliseconds of writing in checkpoints.",
        ),
        figure(
            "pg_stat_checkpointer_sync_time_total",
            Counter,
            "Milliseconds of making checkpoints safe on the disk.",
        ),
        figure(
            "pg_stat_checkpointer_buffers_written_total",
            Counter,
            "Buffers that checkpoints wrote.",
        ),
    ],
    statement: "SELECT num_timed, num_requested, restartpoints_timed, restartpoints_req, \
        restartpoints_done, write_time, sync_time, buffers_written FROM pg_stat_checkpointer",
};

const ARCHIVER: Group = Group {
    collector: "stat_archiver",
    versions: ALL,
    labels: 0,
    figures: &[
        figure("pg_stat_archiver_archived_count", Counter, "Files of the log that were archived."),
        figure(
            "pg_stat_archiver_failed_count",
            Counter,
            "Failed attempts to archive a file of the log.",
        ),
        figure(
            "pg_stat_archiver_last_archive_age",
            Gauge,
            "Seconds since a file of the log was archived.",
        ),
    ],
    statement: "SELECT archived_count, failed_count, \
        extract(epoch FROM now() - last_archived_time) FROM pg_stat_archiver",
};

const DATABASE: Group = Group {
    collector: "database",
    versions: 10..=u32::MAX,
    labels: 1,
    figures: &[figure("pg_database_size_bytes", Gauge, "Bytes of the database on the disk.")],
    statement: "SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') \
        OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(oid) END \
        FROM pg_database",
};
