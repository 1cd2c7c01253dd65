//! What a person must know before believing the figures of a run.
//!
//! A load tester measures itself as much as the service. Each of these says what happened, what it
//! means for the figures and what to do. Pure; the gravest come first.
//!
//! Left out: whether the figures are good enough (see `threshold`).

use super::figures;
use super::results::{Ended, Results, Tester};
use super::timeline::{Bucket, Timeline};

/// Share of a core above which a thread of the tester is taken for the limit. A thread cannot get
/// all of it: the system's own work is counted elsewhere.
const THREAD_BUSY: f64 = 0.9;
/// Share of a core above which more threads help against lag: below it, a thread that came late was
/// not let run.
const THREAD_LADEN: f64 = 0.8;
/// Scheduling lag, 99th percentile, from which the tester was late whatever it measured; seconds.
const LAG_LATE_SECONDS: f64 = 0.01;
/// …or from which it was, if it is a good part of the response time; seconds.
const LAG_NOTABLE_SECONDS: f64 = 0.001;
/// A good part of the response time's 99th percentile.
const LAG_SHARE: f64 = 0.1;
/// Arrivals below which their 99th percentile is a single one.
const LAG_ARRIVALS_MIN: u64 = 100;
/// Share of failed requests above which latencies tell little of the service's work.
const ERRORS_MANY: f64 = 0.1;
/// Requests that must lie beyond a percentile for it to be more than chance.
const BEYOND_MIN: f64 = 10.0;
/// Most of what was left out of a plan that is told one by one.
const LEFT_OUT_TOLD_MAX: usize = 10;
/// Connections a request above which connecting is a good part of what was measured.
const CHURN: f64 = 0.1;
/// Connections by the most that were under way at once, above which there were more than needed.
const CHURN_TIMES: f64 = 3.0;
/// Connections below which churn is only the beginning of a run.
const CHURN_CONNECTIONS_MIN: u64 = 200;

/// Something to know before believing the figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which.
    pub kind: WarningKind,
    /// In words: what happened, what it means, what to do.
    pub text: String,
}

/// What there may be to know, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// No request ended.
    Nothing,
    /// No request succeeded.
    EverythingFailed,
    /// So many failed that the latencies are those of failures too.
    ManyFailed,
    /// The run was ended before its time.
    EndedEarly,
    /// Not all parts of the load are among these results.
    PartsMissing,
    /// The plan's file asks for more than was done.
    LeftOut,
    /// The tester had no processor time left.
    TesterBusy,
    /// The tester came late to what was due.
    SchedulingLag,
    /// The tester ran out of ports or descriptors.
    PortsExhausted,
    /// Iterations that were due never began: the rate was not reached.
    RateNotReached,
    /// Iterations waited because as many as may be were under way.
    Waited,
    /// Many requests needed a new connection.
    ConnectionChurn,
    /// The highest percentiles rest on a few requests.
    FewSamples,
    /// The model leaves out what others would have waited.
    ClosedModel,
}

impl WarningKind {
    /// Its name in results: `scheduling_lag`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::EverythingFailed => "everything_failed",
            Self::ManyFailed => "many_failed",
            Self::EndedEarly => "ended_early",
            Self::PartsMissing => "parts_missing",
            Self::LeftOut => "left_out",
            Self::TesterBusy => "tester_busy",
            Self::SchedulingLag => "scheduling_lag",
            Self::PortsExhausted => "ports_exhausted",
            Self::RateNotReached => "rate_not_reached",
            Self::Waited => "waited",
            Self::ConnectionChurn => "connection_churn",
            Self::FewSamples => "few_samples",
            Self::ClosedModel => "closed_model",
        }
    }

    /// Whether the figures say little about the service at all.
    pub fn is_fatal(self) -> bool {
        matches!(self, Self::Nothing | Self::EverythingFailed)
    }

    /// Whether it means that the tester, not the service, was the limit.
    pub fn is_of_the_tester(self) -> bool {
        matches!(self, Self::TesterBusy | Self::SchedulingLag | Self::PortsExhausted)
    }

    /// Whether it is no fault of the run but something to keep in mind.
    pub fn is_note(self) -> bool {
        matches!(self, Self::FewSamples | Self::ClosedModel)
    }
}

/// Whether so many requests lie beyond a quantile that it is more than chance.
pub fn is_supported(quantile: f64, count: u64) -> bool {
    // A hair of tolerance: 1 - 0.999 is a bit less than 0.001.
    (1.0 - quantile) * count as f64 >= BEYOND_MIN * (1.0 - 1e-9)
}

/// What there is to know, the gravest first.
pub fn warnings(results: &Results) -> Vec<Warning> {
    let found = [
        failed(results),
        ended_early(results),
        parts_missing(results),
        left_out(results),
        tester_busy(results),
        scheduling_lag(results),
        ports_exhausted(&results.tester),
        rate_not_reached(results),
        waited(&results.tester),
        connection_churn(results),
        few_samples(results),
        closed_model(results),
    ];
    found.into_iter().flatten().map(|(kind, text)| Warning { kind, text }).collect()
}

type Found = Option<(WarningKind, String)>;

fn failed(results: &Results) -> Found {
    let (requests, errors) = (results.total.requests, results.total.errors());
    if requests == 0 {
        let text = "No request ended, so that there is nothing to report.".to_owned();
        return Some((WarningKind::Nothing, text));
    }
    let worst = results.total.failures.iter().max_by_key(|(_, count)| **count)?.0;
    let example = results.examples.get(worst.name()).map(|words| format!(" ({words})"));
    let most = format!("mostly \"{}\"{}", worst.words(), example.unwrap_or_default());
    if errors == requests {
        let text = format!(
            "Every one of {} failed, {most}. The figures say nothing about the service's speed.",
            figures::plural(requests, "request")
        );
        return Some((WarningKind::EverythingFailed, text));
    }
    let share = errors as f64 / requests as f64;
    (share > ERRORS_MANY).then(|| {
        let text = format!(
            "{} of all requests failed, {most}. Latencies include failed requests that were \
             answered, and failing is often quicker than working.",
            figures::share(share)
        );
        (WarningKind::ManyFailed, text)
    })
}

fn ended_early(results: &Results) -> Found {
    let why = match results.run.ended {
        Ended::Finished => return None,
        Ended::Interrupted => "was interrupted",
        Ended::Stopped => "was stopped after a failure, as the plan says,",
    };
    let lasted = figures::duration(results.run.elapsed);
    let mut text =
        format!("The run {why} after {lasted}; the figures are of what was done until then.");
    let given_up = results.tester.given_up;
    if given_up > 0 {
        text.push_str(&format!(
            " {} under way had no end a few seconds later and {} given up: what they waited for is \
             in no figure.",
            figures::plural(given_up, "iteration"),
            if given_up == 1 { "was" } else { "were" }
        ));
    }
    Some((WarningKind::EndedEarly, text))
}

fn parts_missing(results: &Results) -> Found {
    let (missing, of) = results.run.missing()?;
    let text = format!(
        "This is {} of {of} parts of the load: the service had others beside it, or less than the \
         model says. `plimsoll bench merge` joins the parts.",
        of - missing
    );
    Some((WarningKind::PartsMissing, text))
}

fn left_out(results: &Results) -> Found {
    let left_out = &results.run.left_out;
    if left_out.is_empty() {
        return None;
    }
    let told: Vec<&str> = left_out.iter().take(LEFT_OUT_TOLD_MAX).map(String::as_str).collect();
    let more = match left_out.len() - told.len() {
        0 => String::new(),
        more => format!("; and {more} more, in the JSON under run.left_out"),
    };
    let text = format!(
        "The plan asks for more than was done, so that these are figures of another load: {}{more}. \
         These were left out (--skip-unsupported).",
        told.join("; ")
    );
    Some((WarningKind::LeftOut, text))
}

/// Share of a core that the tester's busiest thread used.
fn busiest(results: &Results) -> f64 {
    let tester = &results.tester;
    let elapsed = results.run.elapsed.as_secs_f64();
    if elapsed <= 0.0 {
        return 0.0;
    }
    let mean = tester.processor_time.as_secs_f64() / (elapsed * f64::from(tester.threads.max(1)));
    tester.thread_time.iter().max().map_or(mean, |time| time.as_secs_f64() / elapsed)
}

/// Clocks of threads and of the run differ a little.
fn share_of(busy: f64) -> String {
    figures::share(busy.min(1.0))
}

fn tester_busy(results: &Results) -> Found {
    let busy = busiest(results);
    (busy > THREAD_BUSY).then(|| {
        let text = format!(
            "The tester's busiest thread used {} of a core: the tester may have been the limit. Give \
             it more --threads, or spread the load over machines (--part) and join the results.",
            share_of(busy)
        );
        (WarningKind::TesterBusy, text)
    })
}

fn scheduling_lag(results: &Results) -> Found {
    let lags = &results.tester.scheduling_lag;
    let lag = lags.quantile(0.99);
    let response = results.total.response_time.quantile(0.99).as_secs_f64();
    let seconds = lag.as_secs_f64();
    let is_notable = seconds >= LAG_NOTABLE_SECONDS && seconds > LAG_SHARE * response;
    let is_late = seconds >= LAG_LATE_SECONDS || is_notable;
    (is_late && lags.count() >= LAG_ARRIVALS_MIN).then(|| {
        let busy = busiest(results);
        let remedy = if busy > THREAD_LADEN {
            format!("Its busiest thread used {} of a core: give it more --threads", share_of(busy))
        } else {
            "Its threads had time left, so that something else kept this machine busy: use one \
             with less other work"
                .to_owned()
        };
        let text = format!(
            "The tester itself came late to what was due: by {} at the 99th percentile, which \
             response times include. {remedy}.",
            figures::latency(lag)
        );
        (WarningKind::SchedulingLag, text)
    })
}

fn ports_exhausted(tester: &Tester) -> Found {
    (tester.exhausted > 0).then(|| {
        let text = format!(
            "{} failed because the tester had no free port or file descriptor. Keep connections \
             alive, raise `ulimit -n` or net.ipv4.ip_local_port_range, or use several machines.",
            figures::plural(tester.exhausted, "connection attempt")
        );
        (WarningKind::PortsExhausted, text)
    })
}

fn rate_not_reached(results: &Results) -> Found {
    let Tester { due, unsent, .. } = results.tester;
    (due > 0 && unsent > 0).then(|| {
        let text = format!(
            "The rate was not reached: {} of {} never began ({}), because too many before them were \
             still under way. Their wait is in no figure, so that the service is slower than the \
             response times say.",
            figures::count(unsent),
            figures::plural(due, "iteration"),
            figures::share(unsent as f64 / due as f64)
        );
        (WarningKind::RateNotReached, text)
    })
}

fn waited(tester: &Tester) -> Found {
    let Tester { due, waited, .. } = *tester;
    (due > 0 && waited > 0).then(|| {
        let text = format!(
            "{} of {} ({}) had to wait because as many as may be were under way; response times \
             include the wait. The service cannot keep up, or the bound on what is under way is too \
             low.",
            figures::count(waited),
            figures::plural(due, "iteration"),
            figures::share(waited as f64 / due as f64)
        );
        (WarningKind::Waited, text)
    })
}

fn connection_churn(results: &Results) -> Found {
    let (opened, requests) = (results.connections.opened, results.total.requests);
    let each = opened as f64 / requests.max(1) as f64;
    let is_more_than_needed = opened as f64 > CHURN_TIMES * most_in_flight(&results.timeline);
    (opened >= CHURN_CONNECTIONS_MIN && each > CHURN && is_more_than_needed).then(|| {
        let text = format!(
            "{} were opened for {}: much of what was measured is connecting. Does the service close \
             connections after each answer, or does the plan turn keep-alive off?",
            figures::plural(opened, "connection"),
            figures::plural(requests, "request")
        );
        (WarningKind::ConnectionChurn, text)
    })
}

/// The most that may have been under way at once: what was at the end of a bucket, or what arrived
/// while an answer took as long as slow ones did (Little's law), for a stall may lie within one.
fn most_in_flight(timeline: &Timeline) -> f64 {
    let width = timeline.width.as_secs_f64();
    let most = |bucket: &Bucket| {
        let arrivals = bucket.requests.max(bucket.due) as f64 / width;
        let slow = bucket.response_time.quantile(0.99).as_secs_f64();
        (arrivals * slow).max(bucket.in_flight as f64)
    };
    timeline.buckets.iter().map(most).fold(1.0, f64::max)
}

fn few_samples(results: &Results) -> Found {
    let count = results.total.response_time.count();
    let weak: Vec<String> = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999]
        .into_iter()
        .filter(|quantile| !is_supported(*quantile, count))
        .map(figures::percentile_name)
        .collect();
    let first = weak.first()?;
    if count == 0 {
        return None;
    }
    let (rests, may) = match weak.len() {
        1 => (format!("{first} rests"), "it may"),
        _ => (format!("Percentiles from {first} on rest"), "they may"),
    };
    let all = figures::plural(count, "request");
    let text = if (count as f64) < BEYOND_MIN {
        format!("Percentiles of {all} may be chance. Measure longer.")
    } else {
        format!("{rests} on fewer than {BEYOND_MIN} of {all}: {may} be chance. Measure longer.")
    };
    Some((WarningKind::FewSamples, text))
}

fn closed_model(results: &Results) -> Found {
    results.run.groups.iter().any(|group| !group.open).then(|| {
        let text = "In the closed model each user waits for its answer before it asks again: while \
                    the service stalls hardly anybody asks, and what others would have waited is in \
                    no figure (coordinated omission). Use --rate to measure what people would see."
            .to_owned();
        (WarningKind::ClosedModel, text)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures;
    use super::super::results::Part;
    use super::super::tally::Latencies;
    use super::*;

    fn kinds(results: &Results) -> Vec<WarningKind> {
        warnings(results).into_iter().map(|warning| warning.kind).collect()
    }

    fn after(change: impl Fn(&mut Results)) -> Vec<WarningKind> {
        let mut results = fixtures::shop();
        change(&mut results);
        kinds(&results)
    }

    #[test]
    fn a_good_run_has_none_but_what_its_length_brings() {
        assert_eq!(after(|_| {}), [WarningKind::FewSamples]);
        let text = &warnings(&fixtures::shop())[0].text;
        assert!(text.starts_with("p99.99 rests on fewer than 10 of"), "{text}");
    }

    #[test]
    fn the_tester_is_suspected_where_it_had_no_reserve() {
        let few = WarningKind::FewSamples;
        let busy = after(|results| results.tester.thread_time[1] = Duration::from_secs(28));
        assert_eq!(busy, [WarningKind::TesterBusy, few]);
        let late = |lag| {
            after(|results| {
                for _ in 0..2000 {
                    results.tester.scheduling_lag.record(lag);
                }
            })
        };
        assert_eq!(late(Duration::from_millis(50)), [WarningKind::SchedulingLag, few]);
        // Beside answers of hundreds of milliseconds this is nothing.
        assert_eq!(late(Duration::from_micros(1100)), [few]);
        let exhausted = after(|results| results.tester.exhausted = 4);
        assert_eq!(exhausted, [WarningKind::PortsExhausted, few]);
        let unsent = after(|results| {
            results.tester.unsent = 12;
            results.tester.waited = 900;
        });
        assert_eq!(unsent, [WarningKind::RateNotReached, WarningKind::Waited, few]);
        let part = after(|results| results.run.parts = vec![Part { index: 0, of: 2 }]);
        assert_eq!(part, [WarningKind::PartsMissing, few]);
        let churn = after(|results| results.connections.opened = 29_000);
        assert_eq!(churn, [WarningKind::ConnectionChurn, few]);
        let begun = after(|results| {
            results.connections.opened = CHURN_CONNECTIONS_MIN - 1;
            results.total.requests = 1000;
        });
        assert!(!begun.contains(&WarningKind::ConnectionChurn), "{begun:?}");
    }

    #[test]
    fn a_short_lag_matters_where_answers_are_quick() {
        let lag = |micros, arrivals| {
            let mut results = fixtures::shop();
            results.total.response_time = Latencies::default();
            results.tester.scheduling_lag = Latencies::default();
            results.total.response_time.record(Duration::from_micros(800));
            for _ in 0..arrivals {
                results.tester.scheduling_lag.record(Duration::from_micros(micros));
            }
            kinds(&results).contains(&WarningKind::SchedulingLag)
        };
        assert!(!lag(120, 1000), "timers are no finer");
        assert!(lag(1200, 1000));
        assert!(!lag(1200, 99), "one of few arrivals");
    }

    #[test]
    fn more_threads_are_advised_only_where_they_help() {
        let text = |busy| {
            let mut results = fixtures::shop();
            results.tester.thread_time = vec![Duration::from_secs(busy)];
            for _ in 0..2000 {
                results.tester.scheduling_lag.record(Duration::from_millis(50));
            }
            scheduling_lag(&results).unwrap().1
        };
        assert!(text(26).contains("86.7 % of a core: give it more --threads"), "{}", text(26));
        assert!(text(3).ends_with("use one with less other work."), "{}", text(3));
    }

    #[test]
    fn connections_that_a_stall_needed_are_no_churn() {
        let churn = |opened| {
            let mut results = fixtures::shop();
            results.total.requests = 3000;
            results.connections.opened = opened;
            kinds(&results).contains(&WarningKind::ConnectionChurn)
        };
        // The shop stalls for up to 0.4 s at 1 000 requests a second.
        assert!(!churn(402));
        assert!(churn(2900));
    }

    #[test]
    fn what_was_left_out_is_told_with_its_place() {
        let mut results = fixtures::shop();
        results.run.left_out = (1..=12).map(|line| format!("shop.jmx:{line}: no")).collect();
        let warning = &warnings(&results)[0];
        assert_eq!(warning.kind, WarningKind::LeftOut);
        assert!(warning.text.contains("shop.jmx:1: no; shop.jmx:2: no"), "{}", warning.text);
        assert!(warning.text.contains("shop.jmx:10: no; and 2 more"), "{}", warning.text);
    }

    #[test]
    fn failures_come_first() {
        let refused = warnings(&fixtures::refused());
        assert_eq!(
            refused[0].text,
            "Every one of 5 120 requests failed, mostly \"not connected\" (connection refused by \
             127.0.0.1:9999). The figures say nothing about the service's speed."
        );
        let kinds: Vec<WarningKind> = refused.iter().map(|warning| warning.kind).collect();
        assert_eq!(kinds, [WarningKind::EverythingFailed, WarningKind::ClosedModel]);
        assert!(kinds.is_sorted());
        let nothing = after(|results| {
            results.total = Default::default();
            results.run.ended = Ended::Interrupted;
        });
        assert_eq!(nothing, [WarningKind::Nothing, WarningKind::EndedEarly]);
    }

    #[test]
    fn what_was_given_up_is_told() {
        let mut results = fixtures::shop();
        results.run.ended = Ended::Interrupted;
        results.tester.given_up = 1200;
        let text = ended_early(&results).unwrap().1;
        assert!(
            text.ends_with(
                " 1 200 iterations under way had no end a few seconds later and were given up: \
                 what they waited for is in no figure."
            ),
            "{text}"
        );
    }

    #[test]
    fn a_percentile_needs_ten_requests_beyond_it() {
        for (quantile, count, supported) in
            [(0.999, 10_000, true), (0.999, 9_999, false), (0.5, 20, true), (0.9999, 100_000, true)]
        {
            assert_eq!(is_supported(quantile, count), supported, "{quantile} of {count}");
        }
    }
}
