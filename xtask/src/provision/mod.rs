//! What a chore needs and the machine lacks.
//!
//! Each missing thing is named with the reason it is wanted. Programs come from the distribution
//! (`system`), test peers from their own package registries at pinned versions (`python`,
//! `node`) into a folder of the build products. Nothing is installed twice, and nothing that an
//! installation starts is left running.

mod node;
mod python;
mod stamp;
mod system;

use crate::workspace::Workspace;

use system::Need;

const NGINX: Need = Need::program(
    "nginx",
    "nginx-light",
    "the peer and the upstream of benchmarks and their tests",
);
const HAPROXY: Need = Need::program("haproxy", "haproxy", "the peer of benchmarks and their tests");
const WRK: Need = Need::program("wrk", "wrk", "the load of benchmarks and their tests");
const H2LOAD: Need =
    Need::program("h2load", "nghttp2-client", "the load of benchmarks over HTTP/2");
const NGHTTPD: Need =
    Need::program("nghttpd", "nghttp2-server", "the server of benchmarks over HTTP/2");
const POSTGRES: Need =
    Need::program("initdb", "postgresql", "the tests of the clinic's PostgreSQL store");
const OPENSSL: Need =
    Need::program("openssl", "openssl", "makes the certificates of the servers that the tests run");
const NPM: Need = Need::program("npm", "npm", "installs the Node servers that the tests run");
const TASKSET: Need = Need::program("taskset", "util-linux", "gives a server a core of its own");
const SETPRIV: Need = Need::program(
    "setpriv",
    "util-linux",
    "starts a server as another user, or bound to its parent",
);
const PROMETHEUS: Need = Need::program(
    "prometheus",
    "prometheus",
    "answers the queries that tests compare, receives what they push",
);
const PUSHGATEWAY: Need = Need::program(
    "prometheus-pushgateway",
    "prometheus-pushgateway",
    "receives the figures that tests of the bench push",
);
const ALERTMANAGER: Need = Need::program(
    "prometheus-alertmanager",
    "prometheus-alertmanager",
    "takes the alarms that tests forward",
);
const AMTOOL: Need =
    Need::program("amtool", "prometheus-alertmanager", "asks for alarms and silences in tests");
const REDIS: Need =
    Need::program("redis-server", "redis-server", "has the figures that tests read from a Redis");
const VICTORIA_METRICS: Need =
    Need::program("victoria-metrics", "victoria-metrics", "the peer of benchmarks of the store");

/// Everything that `cargo test` needs.
pub(crate) fn for_tests(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Need::new(
        "python3 with venv",
        python::has_environment_module,
        "python3-venv",
        "runs the Flask and Django servers that the tests put behind Plimsoll",
    );
    system::install(&[
        NGINX,
        HAPROXY,
        WRK,
        POSTGRES,
        OPENSSL,
        NPM,
        TASKSET,
        SETPRIV,
        PROMETHEUS,
        PUSHGATEWAY,
        ALERTMANAGER,
        AMTOOL,
        REDIS,
        python,
    ])?;
    python::install(workspace)?;
    node::install(workspace)
}

/// Everything that `cargo xtask bench edge` needs.
pub(crate) fn for_edge_benchmark() -> anyhow::Result<()> {
    system::install(&[NGINX, HAPROXY, WRK, TASKSET, SETPRIV])
}

/// Everything that `cargo xtask bench load` needs.
pub(crate) fn for_load_benchmark() -> anyhow::Result<()> {
    system::install(&[NGINX, WRK, H2LOAD, NGHTTPD, TASKSET, SETPRIV])
}

/// Everything that `cargo xtask bench promql` needs.
pub(crate) fn for_promql_benchmark() -> anyhow::Result<()> {
    system::install(&[PROMETHEUS, VICTORIA_METRICS, TASKSET, SETPRIV])
}
