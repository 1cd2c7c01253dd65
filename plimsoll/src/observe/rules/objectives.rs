//! What services promise (`service.NAME.slo`), as a rule file: recorded ratios, the error budget,
//! and alarms by how fast it burns.
//!
//! For each service and objective (`success`, `latency`) one group:
//!
//! | series | labels besides `service`, `objective` | |
//! |---|---|---|
//! | `plimsoll_slo_objective_ratio` | | the promised share, as 0.999 |
//! | `plimsoll_slo_window_seconds` | | over what time |
//! | `plimsoll_slo_requests_per_second` | `window` | all requests, of the two base windows |
//! | `plimsoll_slo_errors_per_second` | `window` | those that break the promise |
//! | `plimsoll_slo_error_ratio` | `window` | their share |
//! | `plimsoll_slo_burn_rate` | `window` | the share by what is allowed: 1 uses up the budget exactly |
//! | `plimsoll_slo_error_budget_remaining_ratio` | | 1: untouched; 0: used up; less: overdrawn |
//!
//! Alarms are those of chapter 5 of Google's "Site Reliability Workbook"
//! (<https://sre.google/workbook/alerting-on-slos/>): multiple windows, multiple burn rates, the
//! short window so that they end soon after the trouble does. For windows other than 30 days its
//! windows are scaled and its rates kept, so that the same share of the budget is gone when they
//! fire; none is shorter than a minute (short) or five (long).
//!
//! Only the shortest window is taken from counters; the others are averages of recorded rates, the
//! days of recorded hours, so that they stay cheap. Averages of *rates* weigh each request alike;
//! averages of ratios would not. Without traffic there is no ratio, and so no alarm. With very little
//! traffic one failure is a large share; so that it wakes nobody, there must be two in the long
//! window, counted by recorded rates (until there are rates of a whole long window, one may do).
//! Even so, a service with a few requests an hour needs a lower promise, as in the workbook.
//!
//! A latency between two bounds of the histogram is interpolated between them, as
//! `histogram_quantile` does it; [`warnings`] says so. Beyond the last bound nothing is known:
//! there, everything slower than the last bound counts as too slow.
//!
//! The recorded series must be readable where rules are evaluated: an outside Prometheus that
//! answers queries needs them by remote write.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tsdb::promql::number;

use super::duration::show;
use crate::config::model::Service;
use crate::config::model::observe::LatencyObjective;

/// Upper bounds of the buckets of `plimsoll_service_request_duration_seconds`, in seconds. The edge
/// has them; a test of the program compares.
pub const LATENCY_BOUNDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The window that the workbook's figures are for.
const USUAL_WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);
/// Windows are whole minutes: the shortest that a rate of scrapes every 15 s can be taken of.
const MINUTE: u64 = 60;
/// The shortest long window, minutes.
const LONG_MIN: u64 = 5;
/// From this window on, averages are of the rates of the longer base window.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Time between two evaluations of the long windows.
const LONG_EVERY: &str = "1m";
/// An alarm needs more failures in its long window: two, by rates that are a little off.
const FAILURES_ABOVE: f64 = 1.5;

/// Long and short window in minutes for the usual one, how many times the allowed rate, how urgent.
const BURNS: [(u64, u64, f64, &str); 4] = [
    (60, 5, 14.4, "critical"),
    (6 * 60, 30, 6.0, "critical"),
    (24 * 60, 2 * 60, 3.0, "warning"),
    (3 * 24 * 60, 6 * 60, 1.0, "warning"),
];

/// One promise of one service.
struct Promise<'a> {
    service: &'a str,
    /// `success` or `latency`.
    objective: &'static str,
    /// The promised share.
    target: f64,
    window: Duration,
    /// The latency, of one about it.
    below: Option<LatencyObjective>,
}

/// Seconds as an expression writes them.
pub(super) fn seconds(duration: Duration) -> String {
    number::plain(duration.as_secs_f64())
}

fn promises(services: &BTreeMap<String, Arc<Service>>) -> Vec<Promise<'_>> {
    let mut promises = Vec::new();
    for (service, configured) in services {
        let Some(slo) = &configured.slo else { continue };
        let window = slo.window;
        if let Some(target) = slo.success {
            let objective = "success";
            promises.push(Promise { service, objective, target, window, below: None });
        }
        if let Some(latency) = slo.latency {
            let (objective, target) = ("latency", latency.quantile);
            promises.push(Promise { service, objective, target, window, below: Some(latency) });
        }
    }
    promises
}

/// What services promise as a rule file; without promises, one without groups.
pub fn text(services: &BTreeMap<String, Arc<Service>>) -> String {
    let promises = promises(services);
    if promises.is_empty() {
        return "groups: []\n".to_owned();
    }
    let mut out = String::from("groups:\n");
    promises.iter().for_each(|promise| promise.write(&mut out));
    out
}

/// What is said of promises that cannot be measured exactly.
pub(super) fn warnings(services: &BTreeMap<String, Arc<Service>>) -> Vec<String> {
    let inexact = promises(services).into_iter().filter_map(|promise| {
        let below = promise.below?.below;
        let key = format!("service.{}.slo.latency", promise.service);
        let wanted = show(below);
        match Place::of(below.as_secs_f64()) {
            Place::At(_) => None,
            Place::Between(low, high) => {
                let (low, high) = (Duration::from_secs_f64(low), Duration::from_secs_f64(high));
                let exact = match low.is_zero() {
                    true => show(high),
                    false => format!("{} or {}", show(low), show(high)),
                };
                Some(format!(
                    "{key}: {wanted} lies between two bounds of the histogram, so the share of \
                     slower requests is interpolated; it is exact at {exact}"
                ))
            }
            Place::Beyond(last) => Some(format!(
                "{key}: the histogram ends at {}, so that everything slower counts as slower \
                 than {wanted}",
                show(Duration::from_secs_f64(last))
            )),
        }
    });
    inexact.collect()
}

/// Where a latency lies among the bounds of the histogram.
#[derive(Debug, PartialEq)]
enum Place {
    /// It is one.
    At(f64),
    /// Between these; the lower is 0 below the first.
    Between(f64, f64),
    /// Above the last, which this is.
    Beyond(f64),
}

impl Place {
    fn of(latency: f64) -> Self {
        let mut below = 0.0;
        for bound in LATENCY_BOUNDS {
            if latency == bound {
                return Self::At(bound);
            }
            if latency < bound {
                return Self::Between(below, bound);
            }
            below = bound;
        }
        Self::Beyond(below)
    }
}

/// The windows of a promise.
struct Windows {
    /// Long and short, by burn rate.
    burns: Vec<(Duration, Duration, f64, &'static str)>,
    /// All of them but the shortest, rising, with that of the promise.
    averaged: Vec<Duration>,
    /// The shortest, taken from counters.
    base: Duration,
    /// What days are made of.
    hour: Duration,
}

impl Windows {
    fn of(window: Duration) -> Self {
        let scale = window.as_secs_f64() / USUAL_WINDOW.as_secs_f64();
        let scaled = |minutes: u64, least: u64| {
            // Positive and far below 2^64: windows are at most a year.
            let minutes = (minutes as f64 * scale).round() as u64;
            Duration::from_secs(minutes.max(least) * MINUTE)
        };
        let burns: Vec<_> = BURNS
            .into_iter()
            .map(|(long, short, rate, severity)| {
                (scaled(long, LONG_MIN), scaled(short, 1), rate, severity)
            })
            // Never longer than the promise itself.
            .map(|(long, short, rate, severity)| (long.min(window), short, rate, severity))
            .collect();
        let base = burns.iter().map(|(_, short, ..)| *short).min().unwrap_or(window);
        let hour = burns.iter().map(|(long, ..)| *long).min().unwrap_or(window);
        let mut averaged: Vec<_> =
            burns.iter().flat_map(|(long, short, ..)| [*long, *short]).chain([window]).collect();
        averaged.sort_unstable();
        averaged.dedup();
        averaged.retain(|one| *one > base);
        Self { burns, averaged, base, hour }
    }
}

impl Promise<'_> {
    /// `service="web",objective="success"`
    fn matchers(&self) -> String {
        format!("service=\"{}\",objective=\"{}\"", self.service, self.objective)
    }

    fn write(&self, out: &mut String) {
        let windows = Windows::of(self.window);
        let (service, objective) = (self.service, self.objective);
        let base = show(windows.base);
        out.push_str(&format!("- name: slo {service} {objective}\n  rules:\n"));
        self.record(
            out,
            "objective_ratio",
            None,
            &format!("vector({})", number::plain(self.target)),
        );
        self.record(out, "window_seconds", None, &format!("vector({})", seconds(self.window)));
        self.record(out, "requests_per_second", Some(&base), &self.requests(&base));
        self.record(out, "errors_per_second", Some(&base), &self.errors(&base));
        self.record(out, "error_ratio", Some(&base), &self.ratio(&base));
        let (short, long): (Vec<_>, Vec<_>) =
            windows.averaged.iter().copied().partition(|window| *window < DAY);
        short.iter().for_each(|window| self.average(out, &windows, *window));
        self.burn_rate(out);
        self.alarms(out, &windows);
        // A group of its own, evaluated less often: it reads many samples.
        out.push_str(&format!(
            "- name: slo {service} {objective} long\n  interval: {LONG_EVERY}\n  rules:\n"
        ));
        if !long.is_empty() {
            let hour = show(windows.hour);
            for what in ["requests_per_second", "errors_per_second"] {
                if windows.hour > windows.base {
                    let expression = self.averaged(what, &base, &hour);
                    self.record(out, what, Some(&hour), &expression);
                }
            }
            long.iter().for_each(|window| self.average(out, &windows, *window));
        }
        let remaining = format!(
            "1 - plimsoll_slo_error_ratio{{{},window=\"{}\"}} / {}",
            self.matchers(),
            show(self.window),
            number::plain(self.allowed())
        );
        self.record(out, "error_budget_remaining_ratio", None, &remaining);
    }

    /// The share that may break the promise, without the noise of the subtraction.
    fn allowed(&self) -> f64 {
        ((1.0 - self.target) * 1e12).round() / 1e12
    }

    fn record(&self, out: &mut String, name: &str, window: Option<&str>, expression: &str) {
        let (service, objective) = (self.service, self.objective);
        let window = window.map_or(String::new(), |window| format!(", window: {window}"));
        let _ = writeln!(
            out,
            "  - record: plimsoll_slo_{name}
    expr: |-
      {expression}
    labels: {{ service: {service:?}, objective: {objective}{window} }}"
        );
    }

    /// All requests a second.
    fn requests(&self, window: &str) -> String {
        let metric = match self.below {
            None => "plimsoll_service_requests_total",
            Some(_) => "plimsoll_service_request_duration_seconds_count",
        };
        format!("sum by (service) (rate({metric}{{service=\"{}\"}}[{window}]))", self.service)
    }

    /// Those a second that break the promise; 0 if there are requests and none does.
    fn errors(&self, window: &str) -> String {
        let (service, all) = (self.service, self.requests(window));
        let Some(latency) = self.below else {
            return format!(
                "sum by (service) (rate(plimsoll_service_requests_total{{service=\"{service}\",\
                 code=~\"5..\"}}[{window}]))\n        or 0 * {all}"
            );
        };
        // Whole numbers are written `1` by some and `1.0` by others.
        let up_to = |bound: f64| {
            let text = number::plain(bound);
            let le = match text.contains('.') {
                true => format!("le=\"{text}\""),
                false => format!("le=~\"{text}|{text}[.]0\""),
            };
            format!(
                "sum by (service) (rate(plimsoll_service_request_duration_seconds_bucket\
                 {{service=\"{service}\",{le}}}[{window}]))"
            )
        };
        let wanted = latency.below.as_secs_f64();
        let fast = match Place::of(wanted) {
            Place::At(bound) | Place::Beyond(bound) => up_to(bound),
            Place::Between(low, high) => {
                let share = ((wanted - low) / (high - low) * 1e9).round() / 1e9;
                let share = number::plain(share);
                match low > 0.0 {
                    false => format!("{share} * {}", up_to(high)),
                    true => format!(
                        "({low} + {share} * ({high} - {low}))",
                        low = up_to(low),
                        high = up_to(high)
                    ),
                }
            }
        };
        // Buckets and the count are not read at one instant: never less than none.
        format!("clamp_min({all} - {fast}, 0)")
    }

    /// The share of errors of a base window; none without traffic.
    fn ratio(&self, window: &str) -> String {
        let matchers = self.matchers();
        format!(
            "plimsoll_slo_errors_per_second{{{matchers},window=\"{window}\"}}\n        \
             / (plimsoll_slo_requests_per_second{{{matchers},window=\"{window}\"}} > 0)"
        )
    }

    fn averaged(&self, what: &str, of: &str, over: &str) -> String {
        let matchers = self.matchers();
        format!("avg_over_time(plimsoll_slo_{what}{{{matchers},window=\"{of}\"}}[{over}])")
    }

    /// Records the share of errors over a window longer than the base.
    fn average(&self, out: &mut String, windows: &Windows, window: Duration) {
        let of = show(if window < DAY { windows.base } else { windows.hour });
        let over = show(window);
        let expression = format!(
            "{}\n        / ({} > 0)",
            self.averaged("errors_per_second", &of, &over),
            self.averaged("requests_per_second", &of, &over)
        );
        self.record(out, "error_ratio", Some(&over), &expression);
    }

    /// One rule for all windows, whose label stays.
    fn burn_rate(&self, out: &mut String) {
        let expression = format!(
            "plimsoll_slo_error_ratio{{{}}} / {}",
            self.matchers(),
            number::plain(self.allowed())
        );
        self.record(out, "burn_rate", None, &expression);
    }

    fn alarms(&self, out: &mut String, windows: &Windows) {
        let (service, matchers) = (self.service, self.matchers());
        let (target, period) =
            (number::plain((self.target * 1e8).round() / 1e6), show(self.window));
        let promise = match self.below {
            None => format!("{target}% of requests succeed over {period}"),
            Some(latency) => {
                format!(
                    "{target}% of requests take less than {} over {period}",
                    show(latency.below)
                )
            }
        };
        let broken = if self.below.is_some() { "have been too slow" } else { "have failed" };
        let base = show(windows.base);
        for (long, short, rate, severity) in &windows.burns {
            let of = if *long < DAY { &base } else { &show(windows.hour) };
            let failures = format!(
                "{} * {} > {FAILURES_ABOVE}",
                self.averaged("errors_per_second", of, &show(*long)),
                seconds(*long)
            );
            let share = number::plain(((rate * self.allowed()) * 1e12).round() / 1e12);
            let rest = self.window.as_secs_f64() / rate;
            let rest = show(Duration::from_secs((rest / 3600.0).round().max(1.0) as u64 * 3600));
            let rate = number::plain(*rate);
            let (long, short) = (show(*long), show(*short));
            let _ = writeln!(
                out,
                "  - alert: ErrorBudgetBurns
    expr: |-
      plimsoll_slo_error_ratio{{{matchers},window=\"{long}\"}} > {share}
        and ignoring (window) plimsoll_slo_error_ratio{{{matchers},window=\"{short}\"}} > {share}
        and ignoring (window) {failures}
    labels:
      severity: {severity}
      long_window: {long}
      short_window: {short}
    annotations:
      summary: '{service} breaks its promise ({objective}): the error budget burns {rate} times too fast'
      description: |-
        Over {long}, {{{{ $value | humanizePercentage }}}} of the requests to {service} {broken}; promised is that {promise}. At {rate} times the allowed rate the whole budget lasts {rest}. First: `plimsoll status` for servers that are down or slow, then what was deployed when it began.",
                objective = self.objective,
            );
        }
    }
}
