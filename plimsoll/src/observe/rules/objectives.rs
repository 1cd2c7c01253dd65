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
//! window. They are counted as the sum of recorded rates by the time between two of them, which the
//! groups name therefore: that is right from the first minute on, however little of the window is
//! known. Even so, a service with a few requests an hour needs a lower promise, as in the workbook.
//!
//! The histogram of a service has its promised latency as a bound, so nothing is interpolated. Where
//! that bound is younger than the window (another promise), fewer fast requests than all are known:
//! nothing is recorded until both are of the same time.
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

/// The window that the workbook's figures are for.
const USUAL_WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);
/// Windows are whole minutes: the shortest that a rate of scrapes every 15 s can be taken of.
const MINUTE: u64 = 60;
/// The shortest long window, minutes.
const LONG_MIN: u64 = 5;
/// From this window on, averages are of the rates of the longer base window.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Time between two evaluations, seconds: short enough for the shortest window.
const EVERY: u64 = 15;
/// The same of the long windows.
const LONG_EVERY: u64 = 60;
/// An alarm needs more failures in its long window: two, by rates that are a little off.
const FAILURES_ABOVE: f64 = 1.5;

/// Long and short window in minutes for the usual one, how many times the allowed rate, how urgent.
const BURNS: [(u64, u64, f64, &str); 4] = [
    (60, 5, 14.4, "critical"),
    (6 * 60, 30, 6.0, "critical"),
    (24 * 60, 2 * 60, 3.0, "warning"),
    (3 * 24 * 60, 6 * 60, 1.0, "warning"),
];

/// The histogram of what requests to a service take.
const DURATION: &str = "plimsoll_service_request_duration_seconds";

/// How many requests of a service keep the promised latency, over a window.
fn fast(service: &str, latency: LatencyObjective, window: &str) -> String {
    // The edge counts whole microseconds, and writes its bound so.
    let bound = number::plain(latency.below.as_micros() as f64 / 1e6);
    // Whole numbers are written `1` by some and `1.0` by others.
    let le = match bound.contains('.') {
        true => format!("le=\"{bound}\""),
        false => format!("le=~\"{bound}|{bound}[.]0\""),
    };
    format!("{DURATION}_bucket{{service=\"{service}\",{le}}}[{window}]")
}

/// Whether the count of fast requests is known as long as that of all.
fn is_known(service: &str, latency: LatencyObjective, window: &str) -> String {
    let fast = fast(service, latency, window);
    format!(
        "count_over_time({DURATION}_count{{service=\"{service}\"}}[{window}])\n          \
         <= sum without (le) (count_over_time({fast}))"
    )
}

/// Requests of a service a second that take longer than is promised.
pub(super) fn slow(service: &str, latency: LatencyObjective, window: &str) -> String {
    let (fast, is_known) = (fast(service, latency, window), is_known(service, latency, window));
    // Rates are rounded: never less than none.
    format!(
        "sum by (service) (\n        \
         clamp_min(rate({DURATION}_count{{service=\"{service}\"}}[{window}])\n          \
         - sum without (le) (rate({fast})), 0)\n        \
         and {is_known})"
    )
}

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

/// The share that may break a promise, without the noise of the subtraction.
pub(super) fn allowed(target: f64) -> f64 {
    ((1.0 - target) * 1e12).round() / 1e12
}

/// 99.9 of 0.999.
pub(super) fn percent(share: f64) -> String {
    number::plain((share * 1e8).round() / 1e6)
}

/// Hours of days, minutes of hours.
fn show_roughly(seconds: f64) -> String {
    const MINUTES_BELOW: f64 = 6.0 * 3600.0;
    let unit = if seconds < MINUTES_BELOW { 60.0 } else { 3600.0 };
    show(Duration::from_secs_f64((seconds / unit).round().max(1.0) * unit))
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
        let mut burns: Vec<_> = BURNS
            .into_iter()
            .map(|(long, short, rate, severity)| {
                (scaled(long, LONG_MIN), scaled(short, 1), rate, severity)
            })
            // Never longer than the promise itself.
            .map(|(long, short, rate, severity)| (long.min(window), short, rate, severity))
            .collect();
        // Of short promises some coincide; where the higher rate holds, the lower does.
        burns.dedup_by(|next, kept| {
            let coincide = (next.0, next.1, next.3) == (kept.0, kept.1, kept.3);
            if coincide {
                *kept = *next;
            }
            coincide
        });
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
        out.push_str(&format!(
            "- name: slo {service} {objective}\n  interval: {EVERY}s\n  rules:\n"
        ));
        self.record(
            out,
            "objective_ratio",
            None,
            &format!("vector({})", number::plain(self.target)),
        );
        self.record(out, "window_seconds", None, &format!("vector({})", self.window.as_secs()));
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
            "- name: slo {service} {objective} long\n  interval: {LONG_EVERY}s\n  rules:\n"
        ));
        if !long.is_empty() {
            let hour = show(windows.hour);
            for what in ["requests_per_second", "errors_per_second"] {
                // No average: failures are summed up of it, and the first hour is not whole.
                let expression = format!(
                    "sum_over_time(plimsoll_slo_{what}{{{},window=\"{base}\"}}[{hour}]) \
                     * {EVERY} / {}",
                    self.matchers(),
                    windows.hour.as_secs()
                );
                self.record(out, what, Some(&hour), &expression);
            }
            long.iter().for_each(|window| self.average(out, &windows, *window));
        }
        let remaining = format!(
            "1 - plimsoll_slo_error_ratio{{{},window=\"{}\"}} / {}",
            self.matchers(),
            show(self.window),
            number::plain(allowed(self.target))
        );
        self.record(out, "error_budget_remaining_ratio", None, &remaining);
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
        let count = format!("{DURATION}_count{{service=\"{}\"}}[{window}]", self.service);
        match self.below {
            None => format!("sum by (service) (rate({count}))"),
            Some(latency) => {
                let is_known = is_known(self.service, latency, window);
                format!("sum by (service) (\n        rate({count})\n        and {is_known})")
            }
        }
    }

    /// Those a second that break the promise.
    fn errors(&self, window: &str) -> String {
        match self.below {
            None => format!(
                "sum by (service) (rate(plimsoll_service_errors_total{{service=\"{}\"}}[{window}]))",
                self.service
            ),
            Some(latency) => slow(self.service, latency, window),
        }
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
            number::plain(allowed(self.target))
        );
        self.record(out, "burn_rate", None, &expression);
    }

    fn alarms(&self, out: &mut String, windows: &Windows) {
        let (service, objective, matchers) = (self.service, self.objective, self.matchers());
        let (target, period) = (percent(self.target), show(self.window));
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
        // Labels that the answer has anyway tell rules of several promises apart.
        for (long, short, rate, severity) in &windows.burns {
            let (of, every) =
                if *long < DAY { (&base, EVERY) } else { (&show(windows.hour), LONG_EVERY) };
            let failures = format!(
                "sum_over_time(plimsoll_slo_errors_per_second{{{matchers},window=\"{of}\"}}[{}]) \
                 * {every} > {FAILURES_ABOVE}",
                show(*long)
            );
            let share = number::plain(((rate * allowed(self.target)) * 1e12).round() / 1e12);
            let lasts = show_roughly(self.window.as_secs_f64() / rate);
            let faster = match *rate {
                1.0 => String::new(),
                rate => format!("more than {} times ", number::plain(rate)),
            };
            let (long, short) = (show(*long), show(*short));
            let _ = writeln!(
                out,
                "  - alert: ErrorBudgetBurns
    expr: |-
      plimsoll_slo_error_ratio{{{matchers},window=\"{long}\"}} > {share}
        and ignoring (window) plimsoll_slo_error_ratio{{{matchers},window=\"{short}\"}} > {share}
        and ignoring (window) {failures}
    labels:
      service: {service:?}
      objective: {objective}
      severity: {severity}
      long_window: {long}
      short_window: {short}
    annotations:
      summary: '{service} breaks its promise ({objective}): the error budget burns {faster}too fast'
      description: |-
        {{{{ $value | humanizePercentage }}}} of the requests to {service} {broken} within the last {long}, as far as figures reach back; promised is that {promise}. At this rate the whole budget lasts less than {lasts}. First: `plimsoll status` for servers that are down or slow, then what was deployed when it began.",
            );
        }
    }
}
