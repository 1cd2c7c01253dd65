//! Words that people bring along from Prometheus, Alertmanager and Grafana, and what they are
//! called here.

use super::super::foreign::Meaning::{self, Key, Told};
use super::super::foreign::Words;

const EVERY_OF_SCRAPES: Meaning = Told("write it under [observe.scrape]: every = \"15s\"");
const TIMEOUT_OF_SCRAPES: Meaning = Told("write it under [observe.scrape]: timeout = \"10s\"");
const EVERY_OF_RULES: Meaning = Told("write it under [observe.rules]: every = \"15s\"");
const RECEIVERS: Meaning = Told(
    "write each receiver as a section: [observe.notify.receiver.ops] with webhook = \"http://…\"",
);
const ROUTES: Meaning =
    Told("write each route as a section: [[observe.notify.route]] with to = [\"ops\"]");
const ALERTMANAGERS: Meaning =
    Told("write it under [observe.notify]: alertmanager = [\"http://10.0.0.9:9093\"]");
const TARGET_URL: Meaning =
    Told("write the whole URL in `targets`: [\"https://10.0.0.1:9100/metrics?module=x\"]");
const JOBS: Meaning = Told("write each job as a section: [[observe.job]] with name and targets");
const DISCOVERY: Meaning = Told(
    "instances of services are found by themselves; list other targets, or let a Prometheus find \
     them and name it: [observe] prometheus = \"http://…\"",
);
const SECRET_FILE: Meaning = Told(
    "secrets come from the environment: bearer = \"${TOKEN}\", or basic = \"user:${PASSWORD}\"",
);
const OTHER_MEANS: Meaning = Told(
    "the means are webhook, slack, email, pagerduty and command: a webhook or a command reaches the \
     rest",
);
const TEMPLATES: Meaning =
    Told("messages have a form of their own; what they say is in the annotations of the rules");
const MUTE_TIMES: Meaning = Told("hush alarms for a time by a silence: plimsoll silence");
const BURN_RATES: Meaning = Told(
    "alarms on the error budget follow from the objective; their rates and times are built in",
);

/// The tables of `grammar::observe` and what leads there.
pub(in crate::config) const WORDS: &Words = &[
    ("", &["monitoring", "alerting", "alerts", "alarms", "global"], Key("observe")),
    ("", &["scrapeconfigs", "scrapeconfig", "jobs"], JOBS),
    ("", &["rulefiles", "rulefile"], Told("write it under [observe]: rules = [\"rules/*.yml\"]")),
    ("", &["receivers"], RECEIVERS),
    ("service.NAME", &["scrape", "metricspath", "prometheus", "exporter"], Key("metrics")),
    ("service.NAME", &["slos", "objective", "objectives", "sla", "errorbudget"], Key("slo")),
    ("service.NAME.slo", &["availability", "successrate", "errors", "objective"], Key("success")),
    ("service.NAME.slo", &["target", "uptime"], Key("success")),
    ("service.NAME.slo", &["duration", "responsetime", "p50", "p90", "p95", "p99"], Key("latency")),
    ("service.NAME.slo", &["period", "timewindow", "over", "range"], Key("window")),
    ("service.NAME.slo", &["burnrate", "burnrates", "alerting", "alerts"], BURN_RATES),
    ("observe", &["scrapeinterval", "interval"], EVERY_OF_SCRAPES),
    ("observe", &["scrapetimeout"], TIMEOUT_OF_SCRAPES),
    ("observe", &["evaluationinterval"], EVERY_OF_RULES),
    ("observe", &["scrapeconfigs", "scrapeconfig", "jobs", "target", "targets"], Key("job")),
    ("observe", &["rulefiles", "rulefile", "alerts", "alertrules", "recordingrules"], Key("rules")),
    ("observe", &["receivers", "receiver"], RECEIVERS),
    ("observe", &["route", "routes"], ROUTES),
    ("observe", &["alerting", "alertmanagers", "alertmanager"], ALERTMANAGERS),
    ("observe", &["notifications", "notification", "notifier"], Key("notify")),
    ("observe", &["storage", "tsdb", "path", "data", "datadir", "dir", "folder"], Key("directory")),
    ("observe", &["storagetsdbpath", "storagepath"], Key("directory")),
    ("observe", &["retentiontime", "retentionperiod", "keep", "maxage"], Key("retention")),
    ("observe", &["storagetsdbretentiontime"], Key("retention")),
    (
        "observe",
        &["retentionsize", "storagetsdbretentionsize", "size", "maxbytes"],
        Key("max_size"),
    ),
    ("observe", &["serieslimit", "series"], Key("max_series")),
    ("observe", &["memory", "memorylimit"], Key("max_memory")),
    ("observe", &["labels", "globallabels"], Key("external_labels")),
    ("observe", &["remoteread"], Told("a Prometheus that answers queries is `prometheus = URL`")),
    ("observe", &["webexternalurl", "publicurl"], Key("external_url")),
    ("observe", &["webenableremotewritereceiver"], Key("remote_write_receiver")),
    ("observe", &["queries"], Key("query")),
    ("observe", &["postgresql", "pg", "database", "databases"], Key("postgres")),
    ("observe", &["valkey"], Key("redis")),
    (
        "observe",
        &["global"],
        Told(
            "write its keys under [observe.scrape] and [observe.rules], its labels in `external_labels`",
        ),
    ),
    ("observe.scrape", &["scrapeinterval", "interval"], Key("every")),
    ("observe.scrape", &["scrapetimeout"], Key("timeout")),
    ("observe.scrape", &["evaluationinterval"], EVERY_OF_RULES),
    ("observe.scrape", &["bodysizelimit", "maxscrapesize"], Key("max_body")),
    ("observe.scrape", &["samplelimit"], Key("max_samples")),
    ("observe.scrape", &["labellimit"], Key("max_labels")),
    ("observe.scrape", &["labelnamelengthlimit"], Key("max_label_name")),
    ("observe.scrape", &["labelvaluelengthlimit"], Key("max_label_value")),
    ("observe.job", &["jobname", "job"], Key("name")),
    ("observe.job", &["url", "urls", "target", "hosts", "addresses"], Key("targets")),
    ("observe.job", &["scrapeinterval", "interval"], Key("every")),
    ("observe.job", &["scrapetimeout"], Key("timeout")),
    ("observe.job", &["metricspath", "scheme", "params", "path", "port"], TARGET_URL),
    ("observe.job", &["staticconfigs", "staticconfig"], Key("targets")),
    ("observe.job", &["relabelconfigs", "relabelconfig"], Key("relabel")),
    ("observe.job", &["metricrelabelconfigs", "metricrelabelconfig"], Key("metric_relabel")),
    ("observe.job", &["bodysizelimit", "maxscrapesize"], Key("max_body")),
    ("observe.job", &["samplelimit"], Key("max_samples")),
    ("observe.job", &["labellimit"], Key("max_labels")),
    ("observe.job", &["labelnamelengthlimit"], Key("max_label_name")),
    ("observe.job", &["labelvaluelengthlimit"], Key("max_label_value")),
    ("observe.job", &["dockersdconfigs", "kubernetessdconfigs", "dnssdconfigs"], DISCOVERY),
    ("observe.job", &["consulsdconfigs", "filesdconfigs", "ec2sdconfigs"], DISCOVERY),
    ("observe.job", &["httpsdconfigs", "dockerswarmsdconfigs", "gcesdconfigs"], DISCOVERY),
    ("observe.job", &["basicauth", "auth"], Key("basic")),
    ("observe.job", &["authorization", "bearertoken", "token"], Key("bearer")),
    ("observe.job", &["bearertokenfile", "passwordfile"], SECRET_FILE),
    ("observe.job", &["httpheaders"], Key("headers")),
    ("observe.job", &["tlsconfig", "tls", "cafile"], Key("ca")),
    ("observe.job", &["insecureskipverify", "skipverify"], Key("insecure")),
    ("endpoint", &["address", "uri", "at", "endpoint", "apiurl"], Key("url")),
    ("endpoint", &["basicauth", "auth", "user", "username", "password"], Key("basic")),
    ("endpoint", &["authorization", "bearertoken", "token"], Key("bearer")),
    ("endpoint", &["bearertokenfile", "passwordfile"], SECRET_FILE),
    ("endpoint", &["httpheaders", "header"], Key("headers")),
    ("endpoint", &["tlsconfig", "tls", "cafile"], Key("ca")),
    ("endpoint", &["insecureskipverify", "skipverify"], Key("insecure")),
    ("basic", &["username", "name", "login"], Key("user")),
    ("basic", &["passwordfile"], SECRET_FILE),
    ("relabel", &["source", "sourcelabel", "labels"], Key("source_labels")),
    ("relabel", &["target", "label"], Key("target_label")),
    ("relabel", &["pattern", "match"], Key("regex")),
    ("relabel", &["value", "replace", "with"], Key("replacement")),
    ("observe.remote_write", &["address", "uri", "endpoint"], Key("url")),
    ("observe.remote_write", &["remotetimeout"], Key("timeout")),
    ("observe.remote_write", &["queueconfig", "capacity"], Key("queue")),
    ("observe.remote_write", &["writerelabelconfigs"], Key("relabel")),
    ("observe.remote_write", &["basicauth", "auth"], Key("basic")),
    ("observe.remote_write", &["authorization", "bearertoken", "token"], Key("bearer")),
    ("observe.remote_write", &["bearertokenfile", "passwordfile"], SECRET_FILE),
    ("observe.remote_write", &["tlsconfig", "tls", "cafile"], Key("ca")),
    ("observe.remote_write", &["insecureskipverify", "skipverify"], Key("insecure")),
    ("observe.rules", &["evaluationinterval", "interval"], Key("every")),
    ("observe.rules", &["rulefiles", "file", "paths"], Key("files")),
    ("observe.rules", &["builtins", "defaults"], Key("built_in")),
    ("observe.rules", &["disable", "disabled", "except", "exclude"], Key("without")),
    ("observe.postgres", &["uri", "dsn", "at", "address", "host"], Key("url")),
    ("observe.postgres", &["scrapeinterval", "interval"], Key("every")),
    ("observe.redis", &["uri", "at", "address", "addr", "host"], Key("url")),
    ("observe.redis", &["scrapeinterval", "interval"], Key("every")),
    ("observe.query", &["maxconcurrency", "parallel"], Key("concurrency")),
    ("observe.query", &["lookbackdelta", "querylookbackdelta"], Key("lookback")),
    ("observe.query", &["querytimeout", "maxtime"], Key("timeout")),
    ("observe.notify", &["receivers"], Key("receiver")),
    ("observe.notify", &["routes", "routing"], Key("route")),
    ("observe.notify", &["inhibitrules", "inhibitions", "inhibition"], Key("inhibit")),
    ("observe.notify", &["alertmanagers", "alerting"], Key("alertmanager")),
    ("observe.notify", &["templates", "template"], TEMPLATES),
    ("observe.notify", &["timeintervals", "mutetimeintervals", "silences"], MUTE_TIMES),
    ("observe.notify", &["webhook", "slack", "email", "pagerduty", "command"], RECEIVERS),
    ("observe.notify.receiver.NAME", &["webhookconfigs", "url", "webhooks"], Key("webhook")),
    ("observe.notify.receiver.NAME", &["slackconfigs"], Key("slack")),
    ("observe.notify.receiver.NAME", &["emailconfigs", "mail", "smtp"], Key("email")),
    ("observe.notify.receiver.NAME", &["pagerdutyconfigs"], Key("pagerduty")),
    ("observe.notify.receiver.NAME", &["exec", "run", "script", "program"], Key("command")),
    ("observe.notify.receiver.NAME", &["sendresolved"], Key("resolved")),
    ("observe.notify.receiver.NAME", &["opsgenieconfigs", "telegramconfigs"], OTHER_MEANS),
    ("observe.notify.receiver.NAME", &["discordconfigs", "msteamsconfigs"], OTHER_MEANS),
    ("observe.notify.receiver.NAME", &["victoropsconfigs", "pushoverconfigs"], OTHER_MEANS),
    ("observe.notify.receiver.NAME", &["snsconfigs", "webexconfigs"], OTHER_MEANS),
    ("observe.notify.receiver.NAME.slack", &["apiurl", "webhook", "slackapiurl"], Key("url")),
    ("observe.notify.receiver.NAME.email", &["smarthost", "host", "smtpsmarthost"], Key("server")),
    ("observe.notify.receiver.NAME.email", &["smtpfrom", "sender"], Key("from")),
    ("observe.notify.receiver.NAME.email", &["authusername", "username"], Key("user")),
    ("observe.notify.receiver.NAME.email", &["authpassword", "smtpauthpassword"], Key("password")),
    ("observe.notify.receiver.NAME.email", &["requiretls", "tls", "starttls"], Key("security")),
    (
        "observe.notify.receiver.NAME.email",
        &["port"],
        Told("write it after the host: server = \"mail.example.com:587\""),
    ),
    ("observe.notify.receiver.NAME.pagerduty", &["servicekey", "key", "token"], Key("routing_key")),
    ("observe.notify.receiver.NAME.command", &["exec", "cmd", "command"], Key("run")),
    ("observe.notify.route", &["receiver", "receivers"], Key("to")),
    ("observe.notify.route", &["matchers", "matchre", "when", "if"], Key("match")),
    ("observe.notify.route", &["continue"], Key("goes_on")),
    (
        "observe.notify.route",
        &["routes", "route"],
        Told(
            "routes do not nest: write each as a [[observe.notify.route]], the special ones first",
        ),
    ),
    ("observe.notify.route", &["mutetimeintervals", "activetimeintervals"], MUTE_TIMES),
    ("observe.notify.inhibit", &["sourcematchers", "sourcematch"], Key("source")),
    ("observe.notify.inhibit", &["targetmatchers", "targetmatch"], Key("target")),
];

#[cfg(test)]
mod tests {
    use super::super::super::{meaning, tables};
    use super::*;

    #[test]
    fn every_word_leads_to_a_key_and_is_none() {
        crate::config::tests::words::lead_to_keys(WORDS, &tables());
    }

    #[test]
    fn words_of_prometheus_are_known() {
        assert_eq!(meaning("observe", "scrape_configs", 0), Some(Key("job")));
        assert_eq!(
            meaning("observe.job", "metric_relabel_configs", 0),
            Some(Key("metric_relabel"))
        );
        assert_eq!(meaning("observe.notify.route", "continue", 0), Some(Key("goes_on")));
    }
}
