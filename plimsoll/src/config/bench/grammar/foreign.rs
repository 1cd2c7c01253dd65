//! Words that people bring along from k6, JMeter, Gatling, Artillery, wrk and hey, and what they are
//! called here.

use super::super::super::grammar::{Meaning, find};
use Meaning::{Key, Told};

const QUERY: Meaning = Told("write the query after the path: path = \"/search?q={{term}}\"");

/// Tables, words in lower case without `_` and `-`, meanings.
const WORDS: &[(&str, &[&str], Meaning)] = &[
    ("", &["target", "baseurl", "base", "host", "server", "address", "endpoint"], Key("url")),
    ("", &["duration", "time", "runtime", "lasting", "length", "runfor"], Key("for")),
    (
        "",
        &["vus", "users", "clients", "concurrency", "virtualusers", "workers"],
        Key("connections"),
    ),
    ("", &["rps", "qps", "arrivalrate", "throughput", "requestspersecond"], Key("rate")),
    ("", &["rampup", "ramp", "phases", "schedule", "load"], Key("stages")),
    ("", &["iterations", "count", "total", "number"], Key("requests")),
    ("", &["slo", "slos", "objective", "threshold", "limits", "assert"], Key("thresholds")),
    ("", &["scenarios", "flow", "flows", "journey"], Key("scenario")),
    ("", &["step", "steps", "urls", "get", "httprequest"], Key("request")),
    ("", &["variable", "vars", "env", "parameters"], Key("variables")),
    ("", &["csv", "feed", "feeder", "feeders", "dataset", "datasets"], Key("data")),
    ("", &["sleep", "wait", "pause", "thinktime", "delay"], Key("think")),
    ("", &["nthreads", "cores", "processes"], Key("threads")),
    ("", &["keepalive", "reuse"], Key("keep_alive")),
    ("", &["followredirects", "maxredirects"], Key("redirects")),
    ("", &["groups", "threadgroup", "threadgroups"], Key("group")),
    ("", &["header", "defaultheaders"], Key("headers")),
    ("", &["protocol", "httpversion"], Key("http")),
    ("", &["title", "testname"], Key("name")),
    (
        "",
        &["insecure", "ca", "cert", "certificate", "insecureskipverify", "verify"],
        Told("it belongs in `tls`: tls = { insecure = true }, or ca, cert and key"),
    ),
    (
        "",
        &["path", "method", "body", "json", "form", "check", "extract"],
        Told("it belongs to a request: write it below a line [[request]]"),
    ),
    ("", &["part", "startat"], Told("say it on the command line: --part 0/4, --start-at 12:00:00")),
    ("group.NAME", &["duration", "time", "lasting"], Key("for")),
    ("group.NAME", &["vus", "users", "threads", "concurrency", "clients"], Key("connections")),
    ("group.NAME", &["rps", "qps", "arrivalrate"], Key("rate")),
    ("group.NAME", &["scenarios", "flow"], Key("scenario")),
    ("request", &["uri", "endpoint", "target", "location", "route"], Key("path")),
    ("request", &["verb", "type"], Key("method")),
    ("request", &["data", "payload", "text", "content"], Key("body")),
    ("request", &["header"], Key("headers")),
    ("request", &["checks", "expect", "assert", "assertions", "asserts"], Key("check")),
    ("request", &["capture", "captures", "save", "saveas", "extractors"], Key("extract")),
    ("request", &["sleep", "wait", "pause", "thinktime", "delay"], Key("think")),
    ("request", &["label", "title"], Key("name")),
    ("request", &["if", "condition", "onlyif", "while", "unless"], Key("when")),
    ("request", &["loop", "loops", "times", "count", "iterations"], Key("repeat")),
    ("request", &["foreach", "over", "for", "items"], Key("each")),
    ("request", &["steps", "request", "requests", "group"], Key("step")),
    ("request", &["params", "query", "querystring", "parameters", "qs"], QUERY),
    ("request", &["send", "websocket"], Key("message")),
    (
        "request",
        &["cookies", "cookie"],
        Told(
            "users send back the cookies they are given; one of your own is a header: headers = { Cookie = \"a=b\" }",
        ),
    ),
    ("request.check", &["code", "codes", "statuses", "statuscode"], Key("status")),
    ("request.check", &["body", "text", "includes", "contain", "has"], Key("contains")),
    ("request.check", &["notcontains", "excludes"], Key("lacks")),
    ("request.check", &["regex", "regexp", "match"], Key("matches")),
    ("request.check", &["jsonpath"], Key("json")),
    ("request.check", &["header"], Key("headers")),
    ("request.check", &["maxtime", "within", "responsetime", "duration"], Key("faster")),
    ("request.extract.NAME", &["jsonpath", "path"], Key("json")),
    ("request.extract.NAME", &["regexp", "re", "pattern", "match"], Key("regex")),
    ("request.extract.NAME", &["matchnumber", "matchno", "index", "nth"], Key("number")),
    ("request.extract.NAME", &["multiple", "every", "matchall", "list"], Key("all")),
    ("request.extract.NAME", &["fallback", "otherwise", "defaultvalue"], Key("default")),
    ("scenario", &["steps", "request", "requests", "flow"], Key("step")),
    ("scenario", &["title", "label"], Key("name")),
    ("data.NAME", &["path", "filename", "csv", "source"], Key("file")),
    ("data.NAME", &["variables", "names", "fields", "header"], Key("columns")),
    ("data.NAME", &["separator", "sep"], Key("delimiter")),
    ("data.NAME", &["mode", "strategy"], Key("order")),
    ("data.NAME", &["recycle", "loop", "oneof"], Key("at_end")),
    ("tls", &["skipverify", "insecureskipverify", "verify"], Key("insecure")),
    ("tls", &["certificate"], Key("cert")),
    ("tls", &["sni", "servername"], Key("server_name")),
];

/// What `word` means in `table`, if it is a known foreign one with at most so many `typos`.
pub(super) fn meaning(table: &str, word: &str, typos: usize) -> Option<Meaning> {
    find(WORDS, table, word, typos)
}

#[cfg(test)]
mod tests {
    use super::WORDS;

    #[test]
    fn every_word_leads_to_a_key_and_is_none() {
        crate::config::tests::words::lead_to_keys(WORDS, &super::super::tables());
    }
}
