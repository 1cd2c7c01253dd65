//! Results to JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::bench::model::{Comparison, Measure};

use super::super::results::{Connections, Ended, Results, Run, Tester};
use super::super::tally::{Failure, Latencies, Tally};
use super::super::threshold::Outcome;
use super::super::timeline::Timeline;
use super::super::warnings;
use super::VERSION;
use super::document::{
    CheckDocument, ComparisonDocument, ConnectionHistograms, ConnectionsDocument, Document,
    EndedDocument, Format, GroupDocument, LabelDocument, LatencySeries, MeasureDocument, Model,
    PartDocument, Percentiles, RunDocument, TallyDocument, TallyHistograms, TesterDocument,
    ThresholdDocument, TimelineDocument, WarningDocument,
};
use super::encoding::Encoder;

/// The file's text: results and what became of the plan's thresholds.
pub fn text(results: &Results, outcomes: &[Outcome]) -> String {
    let document = document(results, outcomes);
    // Cannot fail: keys are strings or numbers, and numbers that are not finite become null.
    let value = serde_json::to_value(document).unwrap_or_default();
    let mut text = String::from("{");
    for (index, (key, value)) in value.as_object().into_iter().flatten().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        text.push_str(&format!("{comma}\n  {}: {value}", serde_json::json!(key)));
    }
    text.push_str("\n}\n");
    text
}

fn document(results: &Results, outcomes: &[Outcome]) -> Document {
    let encoder = &mut Encoder::new();
    let elapsed = results.run.elapsed;
    let total = tally(&results.total, elapsed, encoder);
    Document {
        requests_per_second: total.requests_per_second,
        errors: total.errors,
        latency: total.latency,
        requests: total.requests,
        duration_seconds: elapsed.as_secs_f64(),
        error_rate: total.error_rate,
        model: model(&results.run),
        format: Format::Results,
        version: VERSION,
        warnings: (warnings::warnings(results).into_iter())
            .map(|warning| WarningDocument {
                kind: warning.kind.name().to_owned(),
                text: warning.text,
            })
            .collect(),
        thresholds: outcomes.iter().map(threshold).collect(),
        run: run(&results.run),
        failures: total.failures,
        examples: results.examples.clone(),
        statuses: total.statuses,
        bytes_sent: total.bytes_sent,
        bytes_received: total.bytes_received,
        service_time: total.service_time,
        first_byte: total.first_byte,
        histograms: total.histograms,
        labels: labels(&results.labels, elapsed, encoder),
        transactions: labels(&results.transactions, elapsed, encoder),
        instances: (results.instances.iter())
            .map(|(name, of)| (name.clone(), tally(of, elapsed, encoder)))
            .collect(),
        unnamed: results.unnamed,
        checks: (results.checks.iter())
            .map(|(name, count)| {
                let (passed, failed) = (count.passed, count.failed);
                (name.clone(), CheckDocument { passed, failed })
            })
            .collect(),
        connections: connections(&results.connections, encoder),
        tester: tester(&results.tester, encoder),
        timeline: timeline(&results.timeline, encoder),
    }
}

fn model(run: &Run) -> Model {
    let open = run.groups.iter().filter(|group| group.open).count();
    match open {
        0 => Model::Closed,
        _ if open == run.groups.len() => Model::Open,
        _ => Model::Mixed,
    }
}

fn run(run: &Run) -> RunDocument {
    RunDocument {
        name: run.name.clone(),
        source: run.source.clone(),
        command: run.command.clone(),
        started_at: run.started_at.to_string(),
        ended: match run.ended {
            Ended::Finished => EndedDocument::Finished,
            Ended::Interrupted => EndedDocument::Interrupted,
            Ended::Stopped => EndedDocument::Stopped,
        },
        parts: (run.parts.iter())
            .map(|part| PartDocument { index: part.index, of: part.of })
            .collect(),
        machines: run.machines.clone(),
        left_out: run.left_out.clone(),
        groups: (run.groups.iter())
            .map(|group| GroupDocument {
                name: group.name.clone(),
                model: if group.open { Model::Open } else { Model::Closed },
                load: group.load.clone(),
                processes: group.processes,
            })
            .collect(),
    }
}

fn threshold(outcome: &Outcome) -> ThresholdDocument {
    ThresholdDocument {
        text: outcome.text.clone(),
        label: outcome.label.clone(),
        measure: match outcome.measure {
            Measure::Quantile(quantile) => MeasureDocument::Quantile(quantile),
            Measure::Mean => MeasureDocument::Mean,
            Measure::Max => MeasureDocument::Max,
            Measure::Errors => MeasureDocument::Errors,
            Measure::Rate => MeasureDocument::Rate,
        },
        comparison: match outcome.comparison {
            Comparison::Equal => ComparisonDocument::Equal,
            Comparison::NotEqual => ComparisonDocument::NotEqual,
            Comparison::Less => ComparisonDocument::Less,
            Comparison::LessOrEqual => ComparisonDocument::LessOrEqual,
            Comparison::Greater => ComparisonDocument::Greater,
            Comparison::GreaterOrEqual => ComparisonDocument::GreaterOrEqual,
        },
        bound: outcome.bound,
        measured: outcome.measured,
        held: outcome.held,
    }
}

fn labels(
    labels: &[(String, Tally)],
    elapsed: Duration,
    encoder: &mut Encoder,
) -> Vec<LabelDocument> {
    (labels.iter())
        .map(|(name, of)| LabelDocument::of(name.clone(), tally(of, elapsed, encoder)))
        .collect()
}

fn tally(tally: &Tally, elapsed: Duration, encoder: &mut Encoder) -> TallyDocument {
    let failures = (tally.failures.iter())
        .map(|(failure, count): (&Failure, &u64)| (failure.name().to_owned(), *count))
        .collect::<BTreeMap<_, _>>();
    TallyDocument {
        requests: tally.requests,
        requests_per_second: quotient(tally.requests as f64, elapsed.as_secs_f64()),
        errors: tally.errors(),
        error_rate: quotient(tally.errors() as f64, tally.requests as f64),
        failures,
        statuses: tally.statuses.clone(),
        bytes_sent: tally.bytes_sent,
        bytes_received: tally.bytes_received,
        latency: percentiles(&tally.response_time),
        service_time: percentiles(&tally.service_time),
        first_byte: percentiles(&tally.first_byte),
        histograms: TallyHistograms {
            response_time: encoder.encode(&tally.response_time),
            service_time: encoder.encode(&tally.service_time),
            first_byte: encoder.encode(&tally.first_byte),
        },
    }
}

/// Zero by zero is zero here: no requests in no time.
fn quotient(dividend: f64, divisor: f64) -> f64 {
    if divisor > 0.0 { dividend / divisor } else { 0.0 }
}

fn percentiles(latencies: &Latencies) -> Percentiles {
    let seconds = |value: Duration| (latencies.count() > 0).then_some(value.as_secs_f64());
    let quantile = |quantile| seconds(latencies.quantile(quantile));
    Percentiles {
        mean: seconds(latencies.mean()),
        min: latencies.sizes().next().map(|(shortest, _)| shortest.as_secs_f64()),
        p50: quantile(0.5),
        p75: quantile(0.75),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        p99_9: quantile(0.999),
        p99_99: quantile(0.9999),
        max: seconds(latencies.max()),
    }
}

fn connections(connections: &Connections, encoder: &mut Encoder) -> ConnectionsDocument {
    ConnectionsDocument {
        opened: connections.opened,
        failed: connections.failed,
        connect_time: percentiles(&connections.connect_time),
        tls_time: percentiles(&connections.tls_time),
        histograms: ConnectionHistograms {
            connect_time: encoder.encode(&connections.connect_time),
            tls_time: encoder.encode(&connections.tls_time),
        },
    }
}

fn tester(tester: &Tester, encoder: &mut Encoder) -> TesterDocument {
    TesterDocument {
        threads: tester.threads,
        processor_seconds: tester.processor_time.as_secs_f64(),
        thread_seconds: tester.thread_time.iter().map(Duration::as_secs_f64).collect(),
        scheduling_lag: percentiles(&tester.scheduling_lag),
        scheduling_lag_histogram: encoder.encode(&tester.scheduling_lag),
        due: tester.due,
        waited: tester.waited,
        unsent: tester.unsent,
        given_up: tester.given_up,
        exhausted: tester.exhausted,
    }
}

fn timeline(timeline: &Timeline, encoder: &mut Encoder) -> TimelineDocument {
    let buckets = &timeline.buckets;
    let mut latency = LatencySeries::default();
    let mut instances: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (index, bucket) in buckets.iter().enumerate() {
        let of = percentiles(&bucket.response_time);
        latency.mean.push(of.mean);
        latency.p50.push(of.p50);
        latency.p90.push(of.p90);
        latency.p99.push(of.p99);
        latency.max.push(of.max);
        for (name, count) in &bucket.instances {
            let counts = instances.entry(name.clone()).or_insert_with(|| vec![0; buckets.len()]);
            counts[index] = *count;
        }
    }
    TimelineDocument {
        bucket_seconds: timeline.width.as_secs(),
        requests: buckets.iter().map(|bucket| bucket.requests).collect(),
        errors: buckets.iter().map(|bucket| bucket.errors).collect(),
        due: buckets.iter().map(|bucket| bucket.due).collect(),
        bytes_received: buckets.iter().map(|bucket| bucket.bytes_received).collect(),
        in_flight: buckets.iter().map(|bucket| bucket.in_flight).collect(),
        users: buckets.iter().map(|bucket| bucket.users).collect(),
        latency,
        instances,
        histograms: buckets.iter().map(|bucket| encoder.encode(&bucket.response_time)).collect(),
    }
}
