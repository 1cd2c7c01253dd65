use std::num::NonZeroU32;

use super::*;

const WHOLE: Share = Share { index: 0, of: 1 };

fn stage(from: f64, to: f64, seconds: f64) -> Stage {
    Stage { from, to, lasting: Duration::from_secs_f64(seconds) }
}

fn even(stages: &[Stage]) -> Arrivals {
    Arrivals::Scheduled { stages: stages.to_vec(), spacing: Spacing::Even }
}

fn poisson(stages: &[Stage]) -> Arrivals {
    Arrivals::Scheduled { stages: stages.to_vec(), spacing: Spacing::Poisson }
}

fn times(arrivals: &Arrivals) -> Vec<Duration> {
    Schedule::new(arrivals, WHOLE, 7).collect()
}

#[test]
fn evenly_spaced_arrivals_lie_in_the_middle_of_their_intervals() {
    let found: Vec<u128> =
        times(&even(&[stage(4.0, 4.0, 1.0)])).iter().map(Duration::as_millis).collect();
    assert_eq!(found, [125, 375, 625, 875]);
}

#[test]
fn as_many_arrive_as_the_stages_hold() {
    for (stages, count) in [
        (vec![stage(2000.0, 2000.0, 60.0)], 120_000),
        (vec![stage(0.0, 500.0, 30.0), stage(500.0, 500.0, 2.0), stage(500.0, 0.0, 30.0)], 16_000),
        (vec![stage(0.0, 0.0, 10.0)], 0),
        (vec![stage(5.0, 9.0, 0.0), stage(3.0, 3.0, 2.0), stage(7.0, 7.0, 0.0)], 6),
        (vec![stage(0.0, 0.0, 1.0), stage(1.0, 1.0, 3.0)], 3),
        (vec![stage(0.1, 0.1, 10.0)], 1),
        (vec![stage(0.04, 0.04, 10.0)], 0),
        (vec![stage(33_333.3, 33_333.3, 9.0)], 300_000),
        (vec![], 0),
    ] {
        let times = times(&even(&stages));
        assert_eq!(times.len(), count, "{stages:?}");
        assert!(times.is_sorted());
        let end = Curve::new(&stages).lasting().unwrap();
        assert!(times.last().is_none_or(|last| *last < end), "{stages:?}");
    }
}

#[test]
fn a_ramp_is_a_parabola() {
    // From 0 to 100 a second in 10 s: 500 in all, a quarter of them in the first half.
    let times = times(&even(&[stage(0.0, 100.0, 10.0)]));
    let half = times.iter().filter(|time| **time < Duration::from_secs(5)).count();
    assert_eq!((times.len(), half), (500, 125));
    let down = Schedule::new(&even(&[stage(100.0, 0.0, 10.0)]), WHOLE, 0);
    assert_eq!(down.filter(|time| *time < Duration::from_secs(5)).count(), 375);
}

#[test]
fn threads_and_processes_take_each_arrival_once() {
    let arrivals = even(&[stage(0.0, 50.0, 3.0), stage(200.0, 10.0, 2.0)]);
    let recorded = Arrivals::Recorded((0..77).map(Duration::from_millis).collect());
    for arrivals in [arrivals, recorded] {
        let mut joined = Vec::new();
        // The processes have different numbers of threads.
        for (index, threads) in [(0, 1), (1, 3), (2, 2)] {
            let part = Part { index, of: NonZeroU32::new(3).unwrap() };
            for thread in 0..threads {
                let share = Share::of_thread(part, thread, threads);
                let own: Vec<_> = Schedule::new(&arrivals, share, 0).collect();
                assert_eq!(own.len() as u64, share.size(times(&arrivals).len() as u64));
                joined.extend(own);
            }
        }
        joined.sort();
        assert_eq!(joined, times(&arrivals));
    }
}

#[test]
fn a_poisson_process_has_the_rate_and_spread_of_one() {
    let arrivals = poisson(&[stage(1000.0, 1000.0, 100.0)]);
    let found = times(&arrivals);
    // 100 000 are expected with a standard deviation of 316.
    assert!((98_500..101_500).contains(&found.len()), "{}", found.len());
    let gaps: Vec<f64> = found.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{}", variance.sqrt() / mean);
    // Shares make up the same rate, each with its part of it.
    let of = |index| Schedule::new(&arrivals, Share { index, of: 4 }, index).count();
    let counts: Vec<usize> = (0..4).map(of).collect();
    assert!(counts.iter().all(|count| (24_000..26_000).contains(count)), "{counts:?}");
    assert_eq!(times(&arrivals), found, "a seed gives the same times again");
}

#[test]
fn a_poisson_process_follows_its_stages() {
    let found = times(&poisson(&[stage(0.0, 2000.0, 10.0), stage(0.0, 0.0, 5.0)]));
    let half = found.iter().filter(|time| **time < Duration::from_secs(5)).count() as f64;
    assert!((half / found.len() as f64 - 0.25).abs() < 0.03);
    assert!(found.iter().all(|time| *time <= Duration::from_secs(10)));
}

#[test]
fn a_stage_without_end_goes_on_without_drifting() {
    let arrivals =
        even(&[stage(0.0, 10.0, 2.0), Stage { from: 10.0, to: 10.0, lasting: Duration::MAX }]);
    assert_eq!(lasting(&arrivals), None);
    // The ramp holds 10; number 10 + 10⁷ comes 10⁶ seconds later.
    let time = Schedule::new(&arrivals, Share { index: 10_000_010, of: 1 }, 0).next().unwrap();
    assert_eq!(time, Duration::from_secs_f64(1_000_002.05));
    let none = even(&[Stage { from: 0.0, to: 0.0, lasting: Duration::MAX }]);
    assert!(times(&none).is_empty());
}

#[test]
fn a_share_counts_what_is_in_it() {
    for (index, of, count, size) in [(0, 1, 5, 5), (0, 2, 5, 3), (1, 2, 5, 2), (4, 9, 3, 0)] {
        assert_eq!(Share { index, of }.size(count), size);
    }
}

#[test]
fn users_are_there_while_the_level_exceeds_their_number() {
    let curve =
        Curve::new(&[stage(0.0, 10.0, 10.0), stage(10.0, 10.0, 5.0), stage(10.0, 0.0, 10.0)]);
    let seconds = |floor: f64| {
        let span = |(from, until): &(Duration, Option<Duration>)| {
            (from.as_secs_f64(), until.map(|until| until.as_secs_f64()))
        };
        curve.above(floor).iter().map(span).collect::<Vec<_>>()
    };
    assert_eq!(seconds(0.0), [(0.0, Some(25.0))]);
    assert_eq!(seconds(4.0), [(4.0, Some(21.0))]);
    assert_eq!(seconds(10.0), []);
    assert_eq!(curve.highest(), 10.0);
    // Down and up again: the user leaves and comes back.
    let curve = Curve::new(&[stage(5.0, 5.0, 1.0), stage(1.0, 1.0, 1.0), stage(5.0, 5.0, 1.0)]);
    let spans = curve.above(2.0);
    let second = Duration::from_secs(1);
    assert_eq!(spans, [(Duration::ZERO, Some(second)), (second * 2, Some(second * 3))]);
    let endless = Curve::new(&[Stage { from: 3.0, to: 3.0, lasting: Duration::MAX }]);
    assert_eq!(endless.above(2.0), [(Duration::ZERO, None)]);
    assert_eq!(endless.lasting(), None);
}

#[test]
fn the_level_is_that_of_its_stage() {
    let curve = Curve::new(&[stage(0.0, 10.0, 10.0), stage(4.0, 4.0, 5.0)]);
    for (second, level) in [(0, 0.0), (5, 5.0), (10, 4.0), (14, 4.0), (15, 0.0)] {
        assert_eq!(curve.level(Duration::from_secs(second)), level);
    }
}

#[test]
fn those_that_belong_together_are_in_one_share() {
    let shares = (0..4).map(|index| Share { index, of: 4 }.members(58, 10).collect::<Vec<_>>());
    let shares: Vec<_> = shares.collect();
    assert_eq!(shares[1], (10..20).chain(50..58).collect::<Vec<_>>());
    assert_eq!(shares.iter().map(Vec::len).collect::<Vec<_>>(), [20, 18, 10, 10]);
    let one = Share { index: 1, of: 3 };
    assert_eq!(one.members(8, 1).collect::<Vec<_>>(), [1, 4, 7]);
}
