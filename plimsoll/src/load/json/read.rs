//! JSON to results. Whatever is not exactly what is written is refused, with what to do about it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::config::bench::model::{Comparison, Measure};

use super::super::limit::document as limit;
use super::super::results::{
    CheckCount, Connections, Ended, GroupModel, Part, Results, Run, Tester,
};
use super::super::tally::{Failure, Latencies, Tally};
use super::super::threshold::Outcome;
use super::super::timeline::{BUCKETS_MAX, Bucket, Timeline};
use super::document::{
    ComparisonDocument, ConnectionsDocument, Document, EndedDocument, LabelDocument,
    MeasureDocument, Model, RunDocument, TallyDocument, TallyHistograms, TesterDocument,
    ThresholdDocument, TimelineDocument,
};
use super::{Stored, VERSION, encoding};

/// Why a file gives no results. `file` is its name.
#[derive(Debug, Error, PartialEq)]
pub enum ReadError {
    /// It is not JSON.
    #[error(
        "{file} is not a file of results: {why}; give a file that plimsoll bench wrote with --json"
    )]
    NotJson {
        /// Its name.
        file: String,
        /// Where the JSON ends to be one.
        why: String,
    },
    /// It is JSON of something else.
    #[error(
        "{file} is JSON, but not results of plimsoll bench; give a file that plimsoll bench wrote \
         with --json"
    )]
    Foreign {
        /// Its name.
        file: String,
    },
    /// It is what a search for the limit found.
    #[error(
        "{file} is what plimsoll bench --find-limit found, and no results of a run: nothing is drawn \
         or compared of it; to have results, run plimsoll bench at its rate, with --rate and --json"
    )]
    Limit {
        /// Its name.
        file: String,
    },
    /// It was written by another version of this program.
    #[error(
        "{file} has version {found} of the form of results, and this plimsoll reads version \
         {VERSION}; read it with the plimsoll that wrote it, or with a newer one"
    )]
    Version {
        /// Its name.
        file: String,
        /// The form's version.
        found: u64,
    },
    /// It lacks something, or holds what cannot be.
    #[error("{file} is damaged: {why}; get it again from where it was written")]
    Damaged {
        /// Its name.
        file: String,
        /// What is wrong, and where.
        why: String,
    },
}

/// Greatest count that is read, of bytes too: sums of thousands of such files do not overflow.
pub(super) const COUNT_MAX: u64 = 1 << 50;
/// Longest time that is read: a hundred years.
const LASTING_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);
/// Longest bucket that is read, in seconds: [`BUCKETS_MAX`] of them are about as long.
const BUCKET_SECONDS_MAX: u64 = 1 << 22;

/// What a file needs to have to be looked at further.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
}

/// Reads what [`text`](super::text) wrote; `file` is its name, for messages.
///
/// # Errors
///
/// Where it is something else, of another version, or damaged.
pub fn read(text: &str, file: &str) -> Result<Stored, ReadError> {
    let file = file.to_owned();
    let head: Head = match serde_json::from_str(text) {
        Ok(head) => head,
        Err(error) if error.is_data() => return Err(ReadError::Foreign { file }),
        Err(error) if error.is_eof() && text.contains("\"plimsoll-bench-results\"") => {
            return Err(ReadError::Damaged { file, why: format!("it ends too early ({error})") });
        }
        Err(error) => return Err(ReadError::NotJson { file, why: error.to_string() }),
    };
    if head.format.as_deref() == Some(limit::FORMAT) {
        return Err(ReadError::Limit { file });
    }
    if head.format.as_deref() != Some("plimsoll-bench-results") {
        return Err(ReadError::Foreign { file });
    }
    match head.version {
        Some(found) if found == u64::from(VERSION) => {}
        Some(found) => return Err(ReadError::Version { file, found }),
        None => {
            let why = "it does not say its version".to_owned();
            return Err(ReadError::Damaged { file, why });
        }
    }
    let document: Result<Document, _> = serde_json::from_str(text);
    document
        .map_err(|error| error.to_string())
        .and_then(|document| bounded(text).map(|()| document))
        .and_then(stored)
        .map_err(|why| ReadError::Damaged { file, why })
}

/// Makes sure that no count is greater than [`COUNT_MAX`].
fn bounded(text: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut left = vec![&value];
    // Ends: each value is put there once.
    while let Some(value) = left.pop() {
        match value {
            Value::Number(number) if number.as_u64().is_some_and(|count| count > COUNT_MAX) => {
                return Err(format!("it counts {number}, more than any run can"));
            }
            Value::Array(values) => left.extend(values),
            Value::Object(values) => left.extend(values.values()),
            _ => {}
        }
    }
    Ok(())
}

fn stored(document: Document) -> Result<Stored, String> {
    let total = TallyDocument {
        requests: document.requests,
        requests_per_second: document.requests_per_second,
        errors: document.errors,
        error_rate: document.error_rate,
        failures: document.failures,
        statuses: document.statuses,
        bytes_sent: document.bytes_sent,
        bytes_received: document.bytes_received,
        latency: document.latency,
        service_time: document.service_time,
        first_byte: document.first_byte,
        histograms: document.histograms,
    };
    let results = Results {
        run: run(document.run, seconds(document.duration_seconds, "duration_seconds")?)?,
        total: tally(total, "the total")?,
        labels: labels(document.labels, "labels")?,
        transactions: labels(document.transactions, "transactions")?,
        instances: (document.instances.into_iter())
            .map(|(name, of)| Ok((name.clone(), tally(of, &format!("instances.{name}"))?)))
            .collect::<Result<_, String>>()?,
        unnamed: document.unnamed,
        checks: (document.checks.into_iter())
            .map(|(name, of)| (name, CheckCount { passed: of.passed, failed: of.failed }))
            .collect(),
        examples: document.examples,
        connections: connections(document.connections)?,
        timeline: timeline(document.timeline)?,
        tester: tester(document.tester)?,
    };
    // Taken anew, so that what is told of the thresholds cannot contradict the results.
    let outcomes =
        document.thresholds.into_iter().map(|of| threshold(of).again(&results)).collect();
    Ok(Stored { results, outcomes })
}

fn seconds(value: f64, place: &str) -> Result<Duration, String> {
    let duration = Duration::try_from_secs_f64(value);
    let duration = duration.map_err(|error| format!("{place} is {value}: {error}"))?;
    if duration > LASTING_MAX {
        return Err(format!("{place} is {value}, longer than any run"));
    }
    Ok(duration)
}

fn histogram(text: Option<&String>, place: &str) -> Result<Latencies, String> {
    encoding::decode(text.map(String::as_str)).map_err(|why| format!("{place} {why}"))
}

fn run(of: RunDocument, elapsed: Duration) -> Result<Run, String> {
    let started_at = (of.started_at.parse())
        .map_err(|error| format!("run.started_at is \"{}\": {error}", of.started_at))?;
    Ok(Run {
        name: of.name,
        source: of.source,
        command: of.command,
        groups: (of.groups.into_iter())
            .map(|group| GroupModel {
                name: group.name,
                open: group.model == Model::Open,
                load: group.load,
                processes: group.processes,
            })
            .collect(),
        started_at,
        elapsed,
        ended: match of.ended {
            EndedDocument::Finished => Ended::Finished,
            EndedDocument::Interrupted => Ended::Interrupted,
            EndedDocument::Stopped => Ended::Stopped,
        },
        parts: (of.parts.iter())
            .map(|part| match part.index < part.of {
                true => Ok(Part { index: part.index, of: part.of }),
                false => Err(format!("run.parts has part {} of {}", part.index, part.of)),
            })
            .collect::<Result<_, _>>()?,
        machines: of.machines,
        left_out: of.left_out,
    })
}

fn threshold(of: ThresholdDocument) -> Outcome {
    Outcome {
        text: of.text,
        label: of.label,
        measure: match of.measure {
            MeasureDocument::Quantile(quantile) => Measure::Quantile(quantile),
            MeasureDocument::Mean => Measure::Mean,
            MeasureDocument::Max => Measure::Max,
            MeasureDocument::Errors => Measure::Errors,
            MeasureDocument::Rate => Measure::Rate,
        },
        comparison: match of.comparison {
            ComparisonDocument::Equal => Comparison::Equal,
            ComparisonDocument::NotEqual => Comparison::NotEqual,
            ComparisonDocument::Less => Comparison::Less,
            ComparisonDocument::LessOrEqual => Comparison::LessOrEqual,
            ComparisonDocument::Greater => Comparison::Greater,
            ComparisonDocument::GreaterOrEqual => Comparison::GreaterOrEqual,
        },
        bound: of.bound,
        measured: of.measured,
        held: of.held,
    }
}

fn labels(labels: Vec<LabelDocument>, place: &str) -> Result<Vec<(String, Tally)>, String> {
    (labels.into_iter())
        .map(|label| {
            let (name, of) = label.apart();
            let tally = tally(of, &format!("{place}, \"{name}\","))?;
            Ok((name, tally))
        })
        .collect()
}

fn tally(of: TallyDocument, place: &str) -> Result<Tally, String> {
    let failures = (of.failures.iter())
        .map(|(name, count)| {
            let known = Failure::ALL.into_iter().find(|failure| failure.name() == name);
            let known = known.ok_or_else(|| format!("{place} has an unknown failure, {name}"))?;
            Ok((known, *count))
        })
        .collect::<Result<BTreeMap<_, _>, String>>()?;
    let TallyHistograms { response_time, service_time, first_byte } = &of.histograms;
    let read = |text: &Option<String>, name: &str| {
        histogram(text.as_ref(), &format!("the histogram {name} of {place}"))
    };
    let tally = Tally {
        requests: of.requests,
        failures,
        statuses: of.statuses,
        bytes_sent: of.bytes_sent,
        bytes_received: of.bytes_received,
        response_time: read(response_time, "response_time")?,
        service_time: read(service_time, "service_time")?,
        first_byte: read(first_byte, "first_byte")?,
    };
    let failed = tally.failures.values().try_fold(0u64, |sum, count| sum.checked_add(*count));
    if failed != Some(of.errors) || of.errors > of.requests {
        return Err(format!(
            "{place} has {} requests and {} errors, which its failures by kind do not add up to",
            of.requests, of.errors
        ));
    }
    if tally.response_time.count() > tally.requests {
        return Err(format!("{place} has more response times than requests"));
    }
    Ok(tally)
}

fn connections(of: ConnectionsDocument) -> Result<Connections, String> {
    let place = "the histogram of connections,";
    Ok(Connections {
        opened: of.opened,
        failed: of.failed,
        connect_time: histogram(
            of.histograms.connect_time.as_ref(),
            &format!("{place} connect_time,"),
        )?,
        tls_time: histogram(of.histograms.tls_time.as_ref(), &format!("{place} tls_time,"))?,
    })
}

fn tester(of: TesterDocument) -> Result<Tester, String> {
    Ok(Tester {
        threads: of.threads,
        processor_time: seconds(of.processor_seconds, "tester.processor_seconds")?,
        thread_time: (of.thread_seconds.into_iter())
            .map(|value| seconds(value, "tester.thread_seconds"))
            .collect::<Result<_, _>>()?,
        scheduling_lag: histogram(
            of.scheduling_lag_histogram.as_ref(),
            "tester.scheduling_lag_histogram",
        )?,
        due: of.due,
        waited: of.waited,
        unsent: of.unsent,
        given_up: of.given_up,
        exhausted: of.exhausted,
    })
}

fn timeline(of: TimelineDocument) -> Result<Timeline, String> {
    let count = of.histograms.len();
    let numbers = [&of.requests, &of.errors, &of.due, &of.bytes_received, &of.in_flight, &of.users];
    let uneven = numbers.into_iter().chain(of.instances.values()).any(|list| list.len() != count);
    let is_wide = of.bucket_seconds.is_power_of_two() && of.bucket_seconds <= BUCKET_SECONDS_MAX;
    if uneven || count > BUCKETS_MAX || !is_wide {
        return Err(format!(
            "timeline has lists of different lengths, more than {BUCKETS_MAX} buckets, or buckets \
             of {} s",
            of.bucket_seconds
        ));
    }
    let buckets = (0..count)
        .map(|index| {
            let place = format!("timeline.histograms[{index}]");
            let response_time = histogram(of.histograms[index].as_ref(), &place)?;
            if of.errors[index].max(response_time.count()) > of.requests[index] {
                return Err(format!(
                    "timeline has more errors or response times than requests in bucket {index}"
                ));
            }
            Ok(Bucket {
                requests: of.requests[index],
                errors: of.errors[index],
                due: of.due[index],
                bytes_received: of.bytes_received[index],
                in_flight: of.in_flight[index],
                users: of.users[index],
                response_time,
                instances: (of.instances.iter())
                    .filter(|(_, counts)| counts[index] > 0)
                    .map(|(name, counts)| (name.clone(), counts[index]))
                    .collect(),
            })
        })
        .collect::<Result<_, String>>()?;
    Ok(Timeline { width: Duration::from_secs(of.bucket_seconds), buckets })
}
