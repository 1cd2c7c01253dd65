//! The same requests asked of a real Prometheus that holds the same samples.
//!
//! Prometheus is the one of the distribution, of the second major version; what the third, which is
//! followed here, answers otherwise stands in [`KNOWN`] with the reason.

use super::*;
use crate::testing::prometheus::{Prometheus, is_installed};

/// When samples begin, seconds since 1970.
const START: i64 = 1_700_000_000;
/// How many each series has, 15 s apart.
const SAMPLES: i64 = 120;

/// Asked of both; status and JSON must be the same.
const SAME: &[&str] = &[
    // Queries at one time.
    "GET /api/v1/query?query=up&time=1700000900",
    "POST /api/v1/query query=up&time=1700000900",
    "POST /api/v1/query?time=1700000900 query=up",
    "GET /api/v1/query?query=up&time=2023-11-14T22:28:20.123Z",
    "GET /api/v1/query?query=up&time=2023-11-15T00:28:20.5%2B02:00",
    "GET /api/v1/query?query=up&time=1700000900.1239",
    "GET /api/v1/query?query=up%5B1m%5D&time=1700000900",
    "GET /api/v1/query?query=odd&time=1700000900",
    "GET /api/v1/query?query=1%2B1&time=1700000900.5",
    "GET /api/v1/query?query=%22te%5C%22xt%22&time=1700000900",
    "GET /api/v1/query?query=0/0&time=0",
    "GET /api/v1/query?query=1/0&time=-1.5",
    "GET /api/v1/query?query=sum(up)&time=1700000900&timeout=1m",
    "GET /api/v1/query?query=up&time=1700002000&lookback_delta=1h",
    "GET /api/v1/query?query=nothing&time=1700000900",
    "GET /api/v1/query?query=sort_desc(counter_total)&time=1700000900",
    // Ranges.
    "GET /api/v1/query_range?query=counter_total&start=1700000000&end=1700001800&step=60",
    "POST /api/v1/query_range query=rate(counter_total%5B2m5s%5D)&start=1700000300&end=1700001800&step=1m",
    "GET /api/v1/query_range?query=odd&start=1700000000&end=1700000100&step=0.25m",
    "GET /api/v1/query_range?query=odd&start=1700000000&end=1700000100&step=7.5",
    "GET /api/v1/query_range?query=time()&start=1700000000&end=1700000000&step=1",
    "GET /api/v1/query_range?query=nothing&start=1700000000&end=1700000060&step=15s",
    "GET /api/v1/query_range?query=1&start=0&end=11000&step=1",
    // What is wrong with them.
    "GET /api/v1/query?query=up&time=x",
    "GET /api/v1/query?query=up&timeout=x",
    "GET /api/v1/query?query=up&timeout=1e300",
    "GET /api/v1/query_range?query=up&end=2&step=1",
    "GET /api/v1/query_range?query=up&start=1&step=1",
    "GET /api/v1/query_range?query=up&start=1&end=2",
    "GET /api/v1/query_range?query=up&start=1&end=2&step=x",
    "GET /api/v1/query_range?query=up&start=2&end=1&step=1",
    "GET /api/v1/query_range?query=up&start=1&end=2&step=0",
    "GET /api/v1/query_range?query=up&start=1&end=2&step=-1",
    "GET /api/v1/query_range?query=up&start=0&end=11001&step=1",
    "GET /api/v1/query?query=up%2Bon(job)group_left()up&time=1700000900",
    // Lists.
    "GET /api/v1/series?match[]=up&start=1700000000&end=1700001800",
    "POST /api/v1/series match[]=up&match[]=odd&start=1700000000&end=1700001800",
    "GET /api/v1/series?match[]=up&match[]=%7Bjob=%22web%22%7D",
    "GET /api/v1/series?match[]=nothing",
    "GET /api/v1/series?match[]=up&start=0&end=1",
    "GET /api/v1/series",
    "GET /api/v1/series?match[]=up&start=x",
    "GET /api/v1/labels",
    "POST /api/v1/labels match[]=odd",
    "GET /api/v1/labels?match[]=up&match[]=counter_total&start=1700000000",
    "GET /api/v1/labels?start=0&end=1",
    "GET /api/v1/labels?end=x",
    "GET /api/v1/label/job/values",
    "GET /api/v1/label/__name__/values",
    "GET /api/v1/label/kind/values?match[]=odd",
    "GET /api/v1/label/job/values?match[]=odd",
    "GET /api/v1/label/nothing/values",
    "GET /api/v1/label/job/values?start=1700000000&end=1700001800",
    // Others.
    "GET /api/v1/format_query?query=sum%20by(job)(rate(up%5B5m%5D))%20%3E%201",
    "GET /api/v1/query_exemplars?query=up&start=1700000000&end=1700001800",
    "GET /api/v1/query_exemplars?query=up&start=2&end=1",
    "GET /api/v1/metadata?limit=x",
    "GET /api/v1/rules?type=x",
    "GET /api/v1/targets/metadata?metric=nothing",
    "GET /api/v1/status/walreplay",
];

/// Asked of both; status and `errorType` must be the same, the words are each parser's own.
const SAME_KIND: &[&str] = &[
    "GET /api/v1/query?query=",
    "GET /api/v1/query?query=up(",
    "GET /api/v1/query?query=%7B%7D",
    "GET /api/v1/query?query=no_such_function(up)",
    "GET /api/v1/query_range?query=up%20%2B&start=1&end=2&step=1",
    "GET /api/v1/series?match[]=%7B%7D",
    "GET /api/v1/series?match[]=rate(up%5B1m%5D)",
    "GET /api/v1/labels?match[]=up%7B",
    "GET /api/v1/label/job/values?match[]=%7Bjob=~%22.*%22%7D",
    "GET /api/v1/format_query?query=sum(",
    "GET /api/v1/query_exemplars?query=(",
    "GET /api/v1/query?query=up%2Bon(nothing)counter_total&time=1700000900",
];

/// Asked of both; the answers differ because of the second number, and ours has the third.
const KNOWN: &[(&str, &str, u16)] = &[
    (
        "GET /api/v1/query?query=up&time=1700000900&lookback_delta=1s",
        "`lookback_delta` came with version 2.45",
        200,
    ),
    ("GET /api/v1/query?query=up&lookback_delta=x", "`lookback_delta` came with version 2.45", 400),
    (
        "GET /api/v1/query_range?query=up%5B1m%5D&start=1&end=2&step=1",
        "version 3 says which parameter is wrong",
        400,
    ),
    (
        "GET /api/v1/query_range?query=%22x%22&start=1&end=2&step=1",
        "version 3 says which parameter is wrong",
        400,
    ),
    (
        "GET /api/v1/targets?state=dropped&scrapePool=none",
        "`droppedTargetCounts` came with version 2.48",
        200,
    ),
    ("GET /api/v1/query?query=up&limit=1&time=1700000900", "`limit` came with version 3", 200),
    ("GET /api/v1/query?query=up&limit=-1", "`limit` came with version 3", 400),
    ("GET /api/v1/series?match[]=up&limit=1", "`limit` came with version 3", 200),
    ("GET /api/v1/labels?limit=x", "`limit` came with version 3", 400),
    ("GET /api/v1/label/a.b/values", "version 3 takes every UTF-8 name", 200),
    ("GET /api/v1/query?query=rate(up%5B1m%5D)&time=1700000900", "infos came with version 3", 200),
];

/// Labels, and the value by the place among the samples.
type Made = (Vec<(&'static str, &'static str)>, fn(i64) -> f64);

fn series() -> Vec<Made> {
    vec![
        (vec![("__name__", "up"), ("job", "web"), ("instance", "a:1")], |_| 1.0),
        (vec![("__name__", "up"), ("job", "web"), ("instance", "b:2")], |n| f64::from(n % 7 != 0)),
        (vec![("__name__", "up"), ("job", "db")], |_| 1.0),
        (vec![("__name__", "counter_total"), ("job", "web")], |n| n as f64 * 13.37),
        (vec![("__name__", "counter_total"), ("job", "db")], |n| (n * n) as f64),
        (vec![("__name__", "odd"), ("kind", "nan")], |_| f64::NAN),
        (vec![("__name__", "odd"), ("kind", "inf")], |_| f64::INFINITY),
        (vec![("__name__", "odd"), ("kind", "minus")], |_| f64::NEG_INFINITY),
        (vec![("__name__", "odd"), ("kind", "small")], |n| 1.5e-7 / (n + 1) as f64),
        (vec![("__name__", "odd"), ("kind", "large")], |n| 1.25e21 * (n + 1) as f64),
        (vec![("__name__", "odd"), ("kind", "thirds")], |n| n as f64 / 3.0),
        (vec![("__name__", "odd"), ("kind", "ä\"\\<&>\u{2028}")], |n| -0.0 * n as f64),
    ]
}

/// The time of a sample: never on a whole second, so that it does not matter which end of a range is
/// open.
fn time(place: i64) -> i64 {
    START * 1000 + place * 15_000 + 137
}

fn open_metrics() -> String {
    let mut text = String::new();
    for (labels, value) in series() {
        let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
        let others: Vec<_> = labels[1..]
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", quoted(value)))
            .collect();
        for place in 0..SAMPLES {
            let value = match value(place) {
                value if value.is_nan() => "NaN".to_owned(),
                value if value.is_infinite() => {
                    format!("{}Inf", if value > 0.0 { '+' } else { '-' })
                }
                value => format!("{value:?}"),
            };
            let (name, others) = (labels[0].1, others.join(","));
            let (seconds, rest) = (time(place) / 1000, time(place) % 1000);
            text.push_str(&format!("{name}{{{others}}} {value} {seconds}.{rest:03}\n"));
        }
    }
    text + "# EOF\n"
}

/// Both answers in one form: vectors have no order but that of `sort`.
fn ordered(request: &str, mut json: Json) -> Json {
    if json["data"]["resultType"] == "vector"
        && !request.contains("sort")
        && let Some(result) = json["data"]["result"].as_array_mut()
    {
        result.sort_by_key(|series| series["metric"].to_string());
    }
    json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_prometheus() {
    if !is_installed() {
        return;
    }
    let peer = tokio::task::spawn_blocking(|| Prometheus::start("{}\n", &open_metrics()));
    let peer = peer.await.unwrap();
    let fixture = Fixture::new(settings(), Options::default(), Vec::new());
    for (labels, value) in series() {
        (0..SAMPLES).for_each(|place| fixture.append(&labels, time(place), value(place)));
    }
    let mut differences = Vec::new();
    for request in SAME {
        let (theirs, ours) = (peer.ask(request).await, fixture.json(request).await);
        let theirs = (theirs.0, ordered(request, serde_json::from_str(&theirs.1).unwrap()));
        let ours = (ours.0, ordered(request, ours.1));
        if theirs != ours {
            differences.push(format!("{request}\n  theirs {theirs:?}\n  ours   {ours:?}"));
        }
    }
    for request in SAME_KIND {
        let (theirs, ours) = (peer.ask(request).await, fixture.json(request).await);
        let of = |json: Json| json["errorType"].clone();
        let theirs = (theirs.0, of(serde_json::from_str(&theirs.1).unwrap()));
        let kind = (ours.0, of(ours.1.clone()));
        if theirs != kind || ours.0 == 200 {
            differences.push(format!("{request}\n  theirs {theirs:?}\n  ours   {ours:?}"));
        }
    }
    for (request, reason, status) in KNOWN {
        let (theirs, ours) = (peer.ask(request).await, fixture.json(request).await);
        if ours.0 != *status {
            differences.push(format!("{request} ({reason})\n  ours {ours:?}"));
        }
        if serde_json::from_str(&theirs.1).ok() == Some(ours.1) {
            differences.push(format!("{request}: no difference any more ({reason})"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} answers differ:\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    println!("{} answers are equal, {} differ as known", SAME.len() + SAME_KIND.len(), KNOWN.len());
}
