//! Words that people bring along from nginx, HAProxy, Compose, Kubernetes, systemd and others, and
//! what they are called here. Whoever writes one is told the word of this grammar.

/// What a foreign word means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Meaning {
    /// A key of the same table.
    Key(&'static str),
    /// Something else, told in a sentence that says what to do.
    Told(&'static str),
}
use Meaning::{Key, Told};

const NO_TLS: Meaning = Told(
    "Plimsoll does not speak TLS: let a proxy in front of it do so, and name that in `trusted_proxies`",
);
const NOT_HERE: Meaning = Told("Plimsoll has nothing of the kind: remove it");
const NO_CONTAINERS: Meaning =
    Told("Plimsoll starts commands of this machine, not containers: write the command in `run`");
const ROUTES: Meaning = Told(
    "which requests go where is said by routes: [[route]] path = \"/api/\" service = \"NAME\"",
);

/// Shortest word in which a typo is looked for.
const MISTYPED_BYTES: usize = 5;

/// Tables, words in lower case without `_` and `-`, meanings.
pub(in crate::config) type Words = [(&'static str, &'static [&'static str], Meaning)];

const WORDS: &Words = &[
    ("", &["upstream", "upstreams", "backend", "backends", "cluster", "clusters"], Key("service")),
    ("", &["server", "app", "apps", "application", "program", "process", "web"], Key("service")),
    ("", &["frontend", "entrypoint", "entrypoints", "bind", "port", "ports"], Key("listen")),
    ("", &["address", "host", "addr"], Key("listen")),
    ("", &["location", "locations", "rule", "rules", "path", "ingress"], Key("route")),
    ("", &["stats", "dashboard", "metrics", "status", "api"], Key("admin")),
    ("", &["threads", "nbthread", "workerprocesses", "processes", "concurrency"], Key("workers")),
    ("", &["log", "logs", "logging", "accesslogs", "accesslogformat"], Key("access_log")),
    ("", &["realip", "setrealipfrom", "forwardedallowips"], Key("trusted_proxies")),
    ("", &["gracefultimeout", "shutdowntimeout", "grace"], Key("drain_timeout")),
    (
        "",
        &["maxconn", "workerconnections", "maxconnections"],
        Told("write limits = { connections = 10000 }"),
    ),
    ("", &["clientmaxbodysize", "maxbodysize"], Told("write limits = { body = \"10MiB\" }")),
    ("", &["keepalivetimeout"], Told("write timeouts = { idle = \"65s\" }")),
    ("", &["tls", "ssl", "https", "cert", "certificate", "certificates"], NO_TLS),
    ("", &["cache", "proxycache", "gzip", "compression", "ratelimit", "http2", "static"], NOT_HERE),
    ("service.NAME", &["command", "cmd", "exec", "execstart", "entrypoint"], Key("run")),
    ("service.NAME", &["start", "script", "program", "args", "arguments"], Key("run")),
    ("service.NAME", &["replicas", "scale", "count", "processes", "numprocs"], Key("instances")),
    (
        "service.NAME",
        &["workers"],
        Told(
            "`instances` says how many are started; `workers`, at the top of the file, are \
             Plimsoll's own event loops",
        ),
    ),
    (
        "service.NAME",
        &["port", "ports", "expose"],
        Told(
            "each instance gets a port of its own in `$PORT`; `first_port` chooses them, and \
             `listen`, at the top of the file, is where clients connect",
        ),
    ),
    (
        "service.NAME",
        &["listen", "bind"],
        Told(
            "`listen`, at the top of the file, is where clients connect; a [[route]] with `host` \
             or `path` leads to the service",
        ),
    ),
    ("service.NAME", &["upstream", "upstreams", "backend", "backends", "server"], Key("servers")),
    ("service.NAME", &["target", "targets", "endpoint", "endpoints"], Key("servers")),
    ("service.NAME", &["node", "nodes", "member", "members", "proxypass"], Key("servers")),
    ("service.NAME", &["url", "urls", "address", "addresses"], Key("servers")),
    ("service.NAME", &["location", "path", "route", "routes", "host", "hosts"], ROUTES),
    ("service.NAME", &["domain", "domains", "hostname", "servername", "rule", "rules"], ROUTES),
    ("service.NAME", &["env", "envs", "variables"], Key("environment")),
    (
        "service.NAME",
        &["envfile", "environmentfile"],
        Told("write the variables into `environment`, or set them for Plimsoll: instances inherit"),
    ),
    ("service.NAME", &["cwd", "chdir", "dir", "workdir", "workingdir"], Key("directory")),
    ("service.NAME", &["workingdirectory", "root"], Key("directory")),
    ("service.NAME", &["healthcheck", "healthchecks", "check", "option"], Key("health")),
    ("service.NAME", &["probe", "livenessprobe", "readinessprobe"], Key("health")),
    ("service.NAME", &["lb", "lbpolicy", "loadbalancing", "loadbalancer"], Key("balance")),
    ("service.NAME", &["strategy", "algorithm", "policy", "method"], Key("balance")),
    (
        "service.NAME",
        &["sticky", "stickysessions", "sessionaffinity", "affinity", "iphash"],
        Told("write balance = { hash = \"cookie\", name = \"session\" }, or balance = \"ip-hash\""),
    ),
    ("service.NAME", &["stopgraceperiod", "terminationgraceperiodseconds"], Key("stop_timeout")),
    ("service.NAME", &["timeoutstopsec", "grace", "stopwaitsecs"], Key("stop_timeout")),
    ("service.NAME", &["timeoutstartsec", "startperiod", "startsecs"], Key("start_timeout")),
    ("service.NAME", &["memory", "memlimit", "memorylimit", "memorymax"], Key("max_memory")),
    ("service.NAME", &["maxconn", "maxconnections"], Key("max_conns")),
    ("service.NAME", &["uid", "runas", "username"], Key("user")),
    ("service.NAME", &["autorestart", "restartpolicy", "restartsec"], Key("restart")),
    ("service.NAME", &["logs", "logging", "logfile", "stdout", "output"], Key("log")),
    ("service.NAME", &["image", "build", "container", "volumes", "networks"], NO_CONTAINERS),
    ("service.NAME", &["tls", "ssl", "https"], NO_TLS),
    ("service.NAME", &["dependson", "cache"], NOT_HERE),
    ("service.NAME.servers", &["address", "addr", "url", "host", "server", "target"], Key("at")),
    ("service.NAME.servers", &["maxconn", "maxconnections"], Key("max_conns")),
    ("service.NAME.servers", &["port"], Told("write it after the host: at = \"10.0.0.1:8000\"")),
    ("service.NAME.servers", &["down"], Told("remove the server, or take it out: plimsoll drain")),
    ("service.NAME.health", &["interval", "inter", "period", "periodseconds"], Key("every")),
    ("service.NAME.health", &["url", "uri", "endpoint", "httpget", "httpchk"], Key("path")),
    ("service.NAME.health", &["healthythreshold", "successthreshold", "passes"], Key("rise")),
    ("service.NAME.health", &["unhealthythreshold", "failurethreshold"], Key("fall")),
    ("service.NAME.health", &["retries", "fails", "maxfails"], Key("fall")),
    ("service.NAME.health", &["timeoutseconds"], Key("timeout")),
    ("service.NAME.health", &["expect", "code", "codes", "expectedstatus"], Key("status")),
    ("service.NAME.health", &["threshold"], Key("min_healthy")),
    (
        "service.NAME.health",
        &["startperiod", "initialdelay", "initialdelayseconds", "startinterval"],
        Told(
            "a new server gets no requests before its first success; how long an instance may \
             take to it is the service's `start_timeout`",
        ),
    ),
    ("service.NAME.balance", &["key", "header", "cookie"], Key("name")),
    ("service.NAME.retry", &["attempts", "retries", "max", "count", "numretries"], Key("tries")),
    ("service.NAME.retry", &["conditions", "retryon", "statuses", "codes", "status"], Key("on")),
    ("service.NAME.retry", &["timeout"], Key("within")),
    ("service.NAME.timeouts", &["read", "response"], Key("header")),
    ("service.NAME.log", &["dir", "path", "file", "to"], Key("directory")),
    ("service.NAME.log", &["size", "maxbytes"], Key("max_size")),
    ("service.NAME.log", &["files", "backups", "maxfiles", "rotate"], Key("keep")),
    ("admin", &["listen", "address", "port", "at"], Key("bind")),
    ("admin", &["password", "secret", "key"], Key("token")),
    ("access_log", &["path", "file", "target", "output"], Key("to")),
    ("limits", &["clientmaxbodysize", "maxbodysize", "bodysize"], Key("body")),
    ("limits", &["maxconn", "maxconnections", "workerconnections"], Key("connections")),
    ("route", &["prefix", "pathprefix", "location", "match", "uri", "url"], Key("path")),
    ("route", &["backend", "upstream", "proxypass", "target", "to", "pool"], Key("service")),
    ("route", &["hosts", "domain", "hostname", "servername"], Key("host")),
    ("route", &["strip", "strippath", "rewrite"], Key("strip_prefix")),
    ("route", &["log", "logging"], Key("access_log")),
];

/// What `word` means in `table`, if it is a known foreign one with at most so many `typos`.
pub(in crate::config) fn meaning(table: &str, word: &str, typos: usize) -> Option<Meaning> {
    let lists = [WORDS, super::observe::WORDS].into_iter();
    lists.filter_map(|words| find(words, table, word, typos)).next()
}

/// What `word` means in `table` by these `words`, with at most so many `typos`.
pub(in crate::config) fn find(
    words: &Words,
    table: &str,
    word: &str,
    typos: usize,
) -> Option<Meaning> {
    let plain: String = word.chars().filter(|c| !matches!(c, '_' | '-')).collect();
    let plain = plain.to_lowercase();
    // In a short word a typo leaves too little.
    let typos = if plain.len() < MISTYPED_BYTES { 0 } else { typos };
    let is_meant = |known: &str| strsim::damerau_levenshtein(known, &plain) <= typos;
    let of_table = words.iter().filter(|(at, ..)| *at == table);
    let mut meant = of_table.filter(|(_, words, _)| words.iter().any(|known| is_meant(known)));
    meant.next().map(|(_, _, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_to_a_key_and_is_none() {
        crate::config::tests::words::lead_to_keys(WORDS, &super::super::tables());
    }

    #[test]
    fn words_are_found_however_they_are_written() {
        for word in ["command", "cmd", "exec", "ExecStart", "COMMAND"] {
            assert_eq!(meaning("service.NAME", word, 0), Some(Key("run")), "{word}");
        }
        for word in ["livenessProbe", "health_check", "healthcheck", "health-check"] {
            assert_eq!(meaning("service.NAME", word, 0), Some(Key("health")), "{word}");
        }
        assert_eq!(meaning("service.NAME", "colour", 1), None);
        assert_eq!(meaning("route", "command", 1), None);
        assert_eq!(meaning("service.NAME", "comand", 0), None);
        assert_eq!(meaning("service.NAME", "comand", 1), Some(Key("run")));
        assert_eq!(meaning("service.NAME", "cmb", 1), None);
    }
}
