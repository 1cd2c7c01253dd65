use std::time::Duration;

use super::*;
use crate::load::report::samples;
use crate::load::results::GroupModel;
use crate::load::tally::Latencies;
use crate::load::timeline::Bucket;

fn of(results: &Results, id: &str) -> Figure {
    figures(results).into_iter().find(|figure| figure.id == id).unwrap()
}

fn ids(results: &Results) -> String {
    figures(results).iter().map(|figure| figure.id).collect::<Vec<_>>().join(" ")
}

fn lines(figure: &Figure) -> (&[f64], &[Series]) {
    match &figure.content {
        Content::Lines { at, series, .. } => (at, series),
        other => panic!("{other:?}"),
    }
}

/// Buckets of (requests, errors, due, latencies in milliseconds) over 2.5 seconds.
fn made(buckets: &[(u64, u64, u64, &[u64])]) -> Results {
    let mut results = samples::empty();
    for (second, (requests, errors, due, latencies)) in buckets.iter().enumerate() {
        let (requests, errors, due) = (*requests, *errors, *due);
        let mut bucket = Bucket { requests, errors, due, ..Bucket::default() };
        for latency in *latencies {
            bucket.response_time.record(Duration::from_millis(*latency));
            results.total.response_time.record(Duration::from_millis(*latency));
            results.total.service_time.record(Duration::from_millis(*latency));
        }
        results.total.requests += requests;
        results.timeline.add(second as u64, &bucket);
    }
    results.run.elapsed = Duration::from_millis(2500);
    results
}

#[test]
fn a_run_has_the_figures_that_it_has_something_to_show_in() {
    for (results, expected) in [
        (samples::empty(), ""),
        (samples::one_request(), "latency throughput percentiles histogram"),
        (samples::all_failed(), "throughput errors errors-over-time"),
        (
            samples::one_instance(),
            "latency throughput in-flight percentiles histogram heat instances errors \
             errors-over-time",
        ),
        (
            samples::stalled(20),
            "latency throughput in-flight percentiles histogram heat instances \
             instances-over-time errors errors-over-time labels",
        ),
    ] {
        assert_eq!(ids(&results), expected);
    }
}

#[test]
fn a_second_without_answers_is_a_gap_and_not_zero() {
    let results = made(&[(3, 0, 3, &[1, 2, 9]), (0, 0, 3, &[]), (3, 0, 0, &[900, 900, 900])]);
    let figure = of(&results, "latency");
    let (at, series) = lines(&figure);
    assert_eq!(at, [0.5, 1.5, 2.25]);
    let close =
        |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < expected / 500.0;
    assert!(close(series[0].values[0], 0.002) && close(series[3].values[0], 0.009));
    assert_eq!(series[0].values[1], None);
    assert!(close(series[0].values[2], 0.9));
    assert_eq!((figure.y.from, figure.y.to), (0.002, 1.0));
}

#[test]
fn rates_are_by_the_time_that_a_bucket_really_had() {
    let results = made(&[(100, 0, 110, &[1]), (90, 0, 110, &[1]), (60, 0, 55, &[1])]);
    let figure = of(&results, "throughput");
    let (_, series) = lines(&figure);
    assert_eq!(series[0].name, "intended");
    assert_eq!(series[0].values, [Some(110.0), Some(110.0), Some(110.0)]);
    assert_eq!(series[1].values, [Some(100.0), Some(90.0), Some(120.0)]);
    let mut shorter = results;
    shorter.run.elapsed = Duration::from_millis(2100);
    let figure = of(&shorter, "throughput");
    assert_eq!(lines(&figure).1[1].values[2], None, "a tenth of a second is noise");
}

#[test]
fn the_closed_model_has_no_intended_rate() {
    let mut results = made(&[(10, 2, 0, &[1])]);
    let load = "64 users".to_owned();
    results.run.groups = vec![GroupModel { name: String::new(), open: false, load, processes: 1 }];
    results.total.failures.insert(crate::load::tally::Failure::Status, 2);
    let names: Vec<String> =
        lines(&of(&results, "throughput")).1.iter().map(|series| series.name.clone()).collect();
    assert_eq!(names, ["ended", "failed"]);
}

#[test]
fn users_are_shown_where_their_number_was_meant() {
    let mut results = samples::one_instance();
    let names = |results: &Results| lines(&of(results, "in-flight")).1.len();
    assert_eq!(names(&results), 2);
    results.run.groups[0].open = true;
    assert_eq!(names(&results), 1);
}

#[test]
fn a_percentile_curve_ends_at_the_longest_and_goes_no_further_than_requests_tell() {
    let mut few = Latencies::default();
    let mut many = Latencies::default();
    for millis in 1..=1000 {
        many.record(Duration::from_millis(millis));
        if millis <= 10 {
            few.record(Duration::from_millis(millis));
        }
    }
    let points = distribution::percentile_points(many.count());
    assert_eq!((points[0], points[points.len() - 1]), (1.0, 1000.0));
    let values = distribution::percentile_values(&many, &points);
    let close = |value: f64, expected: f64| (value - expected).abs() < expected / 400.0;
    let last = values[values.len() - 1].unwrap();
    assert!(close(last, 0.999) || close(last, 1.0), "{last}");
    assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
    let told = distribution::percentile_values(&few, &points);
    let reach = points.iter().zip(&told).filter(|(_, value)| value.is_some()).map(|(at, _)| *at);
    assert!(reach.fold(0.0, f64::max) <= 10.1);
}

#[test]
fn a_histogram_loses_no_request() {
    for results in [samples::stalled(20), samples::one_request()] {
        let figure = of(&results, "histogram");
        let Content::Bins { edges, series } = &figure.content else { panic!("{figure:?}") };
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
        for series in series {
            assert_eq!(series.values.len() + 1, edges.len());
            let sum: f64 = series.values.iter().flatten().sum();
            assert!((sum - 1.0).abs() < 0.001, "{sum}");
        }
    }
}

#[test]
fn the_heat_map_loses_no_request_and_is_bounded() {
    for seconds in [20, 700] {
        let results = samples::stalled(seconds);
        let figure = of(&results, "heat");
        let Content::Heat { edges, columns, step } = &figure.content else { panic!("{figure:?}") };
        let sum: u64 = columns.iter().flat_map(|(_, counts)| counts).sum();
        let timed: u64 =
            results.timeline.buckets.iter().map(|bucket| bucket.response_time.count()).sum();
        assert_eq!(sum, timed);
        assert!(columns.len() <= 240 && edges.len() <= 37);
        assert!(columns.iter().all(|(first, counts)| first + counts.len() < edges.len()));
        assert!(*step * columns.len() as f64 >= seconds as f64);
    }
}

#[test]
fn many_instances_are_shown_as_the_slowest_and_the_busiest() {
    let results = samples::many_instances();
    let figure = of(&results, "instances");
    let Content::Rows { rows, .. } = &figure.content else { panic!("{figure:?}") };
    assert_eq!(rows.len(), 24);
    assert!(figure.reading.contains("24 slowest of 257"), "{}", figure.reading);
    let slow =
        |name: &String| rounded(results.instances[name].response_time.quantile(0.99).as_secs_f64());
    let shown = rows.iter().map(|row| slow(&row.name)).fold(f64::INFINITY, f64::min);
    let faster = results.instances.keys().filter(|name| slow(name) > shown).count();
    assert!(faster < 24, "{faster} instances are slower than one that is shown");
    let figure = of(&results, "instances-over-time");
    let (_, series) = lines(&figure);
    assert_eq!(series.len(), COLOURS as usize);
    assert_eq!(series[7].name, "250 others");
}

#[test]
fn figures_hold_finite_numbers_on_axes_that_have_a_length() {
    for (name, results) in samples::all() {
        for figure in figures(&results) {
            for axis in [&figure.x, &figure.y] {
                assert!(axis.from < axis.to && axis.to.is_finite(), "{name} {axis:?}");
                assert!(!axis.logarithmic || axis.from > 0.0, "{name} {axis:?}");
            }
            let json = serde_json::to_value(&figure).unwrap();
            assert!(json["title"].is_string());
            if let Content::Lines { at, series, .. } = &figure.content {
                assert!(at.windows(2).all(|pair| pair[0] < pair[1]), "{name} {}", figure.id);
                for series in series {
                    assert_eq!(series.values.len(), at.len(), "{name} {}", figure.id);
                    assert!(series.values.iter().flatten().all(|value| value.is_finite()));
                    assert!(series.colour < COLOURS);
                }
            }
        }
    }
}

#[test]
fn ends_of_latency_axes_are_round() {
    for (value, below, above) in
        [(0.001, 0.001, 0.001), (0.0013, 0.001, 0.002), (0.049, 0.02, 0.05), (7.0, 5.0, 10.0)]
    {
        assert_eq!((round_below(value), round_above(value)), (below, above), "{value}");
    }
    for (value, expected) in [(0.0, 0.0), (1_234_567.0, 1_235_000.0), (0.000_123_456, 0.000_123_5)]
    {
        assert!((rounded(value) - expected).abs() <= expected * 1e-9, "{value}");
    }
}

#[test]
fn a_pair_is_laid_over_each_other_by_time_whatever_the_widths() {
    let long = samples::stalled(1500);
    let short = samples::one_instance();
    assert_ne!(long.timeline.width, short.timeline.width);
    let named = |name, results| Named { name, results, skipped: 0 };
    for pair in [[named("a", &long), named("b", &short)], [named("b", &short), named("a", &long)]] {
        for figure in pair_figures(pair) {
            let (at, series) = lines(&figure);
            assert_eq!(series.len(), 2);
            assert!(series.iter().all(|series| series.values.len() == at.len()), "{}", figure.id);
            assert!(series.iter().all(|series| series.values.iter().any(Option::is_some)));
        }
    }
    let empty = samples::empty();
    assert!(pair_figures([named("a", &empty), named("b", &empty)]).is_empty());
}
