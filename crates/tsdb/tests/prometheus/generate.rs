//! Queries put together from selectors, functions and operators, the same ones every time.
//!
//! They keep away from what two right evaluators may answer differently: elements of equal value that
//! are ranked, and steps (`floor`, `==`, `%`) over values that were computed.

use super::random::Random;

const GAUGES: [&str; 8] = [
    "temperature_celsius",
    "temperature_celsius{room=~\"h.*|bath\"}",
    "temperature_celsius{floor!=\"\"}",
    "queue_length",
    "queue_length{job=\"web\"}",
    "queue_length{instance!~\"a.*\"}",
    "weight",
    "{__name__=~\"queue_length|weight\", job=\"api\"}",
];
const COUNTERS: [&str; 7] = [
    "requests_total",
    "requests_total{code=\"500\"}",
    "requests_total{job=\"api\", instance=\"c:3\"}",
    "requests_total{code=~\"4..|5..\", job!=\"web\"}",
    "bytes_total",
    "latency_seconds_count",
    "latency_seconds_bucket{le=\"0.5\"}",
];
const RANGES: [&str; 5] = ["40s", "2m", "5m", "17m", "1h"];
const OVER_TIME: [&str; 12] = [
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "present_over_time",
    "changes",
    "resets",
    "quantile_over_time",
];
const OF_COUNTERS: [&str; 5] = ["rate", "increase", "irate", "resets", "changes"];
const OF_GAUGES: [&str; 4] = ["delta", "idelta", "deriv", "predict_linear"];
const AGGREGATIONS: [&str; 10] = [
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "quantile(0.3)",
    "quantile(0.95)",
    "stddev",
    "stdvar",
];
/// How many of them answer alike whatever the values: the last ones tell infinity otherwise.
const COMPARABLE: usize = 8;
const GROUPINGS: [&str; 8] = [
    "",
    " by (job)",
    " by (instance, job)",
    " by (room)",
    " by (nowhere)",
    " without (instance)",
    " without (code, le)",
    " by (__name__)",
];
const OF_VALUES: [&str; 9] = [
    "abs(V)",
    "sqrt(V)",
    "ln(V)",
    "exp(V / 1e7)",
    "clamp(V, 3, 21)",
    "clamp_min(V, 10)",
    "atan(V)",
    "-V",
    "sin(V / 1e3)",
];
const OFFSETS: [&str; 7] = ["", "", "", " offset 10m", " offset -5m", " @ 1700003003", " @ end()"];
const ARITHMETIC: [&str; 5] = ["+", "-", "*", "/", "^"];
const MATCHINGS: [&str; 8] = [
    "",
    "",
    "on (job)",
    "on (job, instance)",
    "ignoring (code)",
    "on (job) group_left",
    "ignoring (code, le) group_right",
    "on (job) group_left (version)",
];

/// So many queries.
pub fn queries(count: usize) -> Vec<String> {
    let mut random = Random(0xca5e);
    let mut queries = systematic(&mut random);
    while queries.len() < count {
        queries.push(vector(&mut random, 3));
    }
    queries
}

/// Functions of ranges that are to be asked at many steps close to one another.
pub fn sliding() -> Vec<String> {
    let names = OVER_TIME.iter().chain(&OF_COUNTERS).chain(&OF_GAUGES);
    let selectors = ["spiky_total", "temperature_celsius", "bytes_total", "requests_total"];
    let (mut random, mut queries) = (Random(0x51de), Vec::new());
    for name in names {
        for selector in selectors {
            for range in ["40s", "5m", "17m"] {
                queries.push(match *name {
                    "quantile_over_time" => format!("{name}(0.7, {selector}[{range}])"),
                    "predict_linear" => format!("{name}({selector}[{range}], 600)"),
                    _ => format!("{name}({selector}[{range}])"),
                });
            }
        }
        queries.push(of_range(&mut random, name, &["spiky_total"], "95s:10s"));
    }
    queries
}

/// Every function once or more.
fn systematic(random: &mut Random) -> Vec<String> {
    let mut queries = Vec::new();
    for range in RANGES {
        queries.extend(OVER_TIME.map(|name| of_range(random, name, &GAUGES, range)));
        queries.extend(OF_COUNTERS.map(|name| of_range(random, name, &COUNTERS, range)));
        queries.extend(OF_GAUGES.map(|name| of_range(random, name, &GAUGES, range)));
    }
    for aggregation in AGGREGATIONS {
        for grouping in GROUPINGS {
            let inner = random.of(&GAUGES).to_owned();
            queries.push(aggregated(aggregation, grouping, &inner));
        }
    }
    queries
}

fn of_range(random: &mut Random, name: &str, selectors: &[&str], range: &str) -> String {
    let selector = random.of(selectors);
    let offset = random.of(&OFFSETS);
    match name {
        "quantile_over_time" => format!("{name}(0.7, {selector}[{range}]{offset})"),
        // At a fixed time, Prometheus answers for the first step of a range alone.
        "predict_linear" => format!("{name}({selector}[{range}], 600)"),
        _ => format!("{name}({selector}[{range}]{offset})"),
    }
}

fn aggregated(aggregation: &str, grouping: &str, inner: &str) -> String {
    match aggregation.split_once('(') {
        Some((name, parameter)) => {
            format!("{name}{grouping} ({}, {inner})", parameter.trim_end_matches(')'))
        }
        None => format!("{aggregation}{grouping} ({inner})"),
    }
}

/// An expression that yields a vector.
fn vector(random: &mut Random, depth: u64) -> String {
    if depth == 0 {
        let selectors: &[&str] = if random.below(2) == 0 { &GAUGES } else { &COUNTERS };
        return format!("{}{}", random.of(selectors), random.of(&OFFSETS));
    }
    let range = random.of(&RANGES);
    match random.below(12) {
        0 => {
            let name = random.of(&OVER_TIME);
            of_range(random, name, &GAUGES, range)
        }
        1 | 2 => {
            let name = random.of(&OF_COUNTERS);
            of_range(random, name, &COUNTERS, range)
        }
        3 | 4 => {
            let aggregation = random.of(&AGGREGATIONS[..COMPARABLE]);
            let grouping = random.of(&GROUPINGS);
            let inner = vector(random, depth - 1);
            aggregated(aggregation, grouping, &inner)
        }
        5 => {
            let (operator, number) = (random.of(&ARITHMETIC), random.below(5) as f64 - 1.5);
            format!("({} {operator} {number})", vector(random, depth - 1))
        }
        6 | 7 => {
            let (left, right) = (vector(random, depth - 1), vector(random, depth - 1));
            let (operator, matching) = (random.of(&ARITHMETIC), random.of(&MATCHINGS));
            format!("({left} {operator} {matching} {right})")
        }
        8 => {
            let (left, right) = (vector(random, depth - 1), vector(random, depth - 1));
            let operator = random.of(&["and", "or", "unless"]);
            let matching =
                random.of(&["", "on (job)", "ignoring (code, le)", "on (job, instance)"]);
            format!("({left} {operator} {matching} {right})")
        }
        9 => {
            let inner = vector(random, depth - 1);
            random.of(&OF_VALUES).replace('V', &format!("({inner})"))
        }
        10 => {
            let (name, inner) = (random.of(&OVER_TIME), vector(random, depth - 1));
            // Nested, too, none of them starts at a multiple of its step.
            let subquery = random.of(&["135s:20s", "305s:30s", "605s:60s", "325s:50s"]);
            match name {
                "quantile_over_time" => format!("{name}(0.7, ({inner})[{subquery}])"),
                // Whether computed values are the same is for the last digit to say.
                "changes" | "resets" => format!("max_over_time(({inner})[{subquery}])"),
                _ => format!("{name}(({inner})[{subquery}])"),
            }
        }
        _ => {
            let (operator, bound) = (random.of(&[">", "<", ">=", "<= bool"]), random.below(60));
            format!("({} {operator} {bound}.2531)", vector(random, depth - 1))
        }
    }
}

impl Random {
    /// One of several.
    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
