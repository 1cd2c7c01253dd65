use super::*;
use crate::load::script::sample::{plan, shared, text, user};

fn lengths(pause: &Pause) -> Vec<f64> {
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    let mut one = || length(pause, &mut user, &shared).unwrap().as_secs_f64() * 1000.0;
    (0..20_000).map(|_| one()).collect()
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, spread.sqrt())
}

#[test]
fn distributions_have_their_mean_and_deviation() {
    let uniform = Pause::Uniform { from: text("100"), to: text("300") };
    let gaussian = Pause::Gaussian { mean: text("500"), deviation: text("50") };
    let few = Pause::Poisson { offset: text("100"), lambda: text("9") };
    let sliced = Pause::Poisson { offset: text("0"), lambda: text("250.5") };
    let many = Pause::Poisson { offset: text("0"), lambda: text("10000") };
    for (pause, mean, deviation) in [
        (uniform, 200.0, 57.7),
        (gaussian, 500.0, 50.0),
        (few, 109.0, 3.0),
        (sliced, 250.5, 15.83),
        (many, 10_000.0, 100.0),
    ] {
        let lengths = lengths(&pause);
        let (found_mean, found_deviation) = moments(&lengths);
        // Five standard errors of 20 000 values.
        assert!((found_mean - mean).abs() < deviation * 0.036, "{pause:?}: {found_mean}");
        assert!((found_deviation / deviation - 1.0).abs() < 0.05, "{pause:?}: {found_deviation}");
    }
}

#[test]
fn pauses_stay_within_bounds() {
    let uniform = lengths(&Pause::Uniform { from: text("100"), to: text("300") });
    assert!(uniform.iter().all(|length| (99.999..=300.001).contains(length)));
    let gaussian = lengths(&Pause::Gaussian { mean: text("1"), deviation: text("100") });
    assert!(gaussian.iter().all(|length| *length >= 0.0));
    assert_eq!(lengths(&Pause::Constant(text("-5")))[0], 0.0);
    assert_eq!(lengths(&Pause::Constant(text("NaN")))[0], 0.0);
    assert_eq!(lengths(&Pause::Constant(text("1e300")))[0], LONGEST.as_secs_f64() * 1000.0);
}

#[test]
fn what_is_no_number_is_said() {
    let shared = shared(plan(Vec::new()));
    let why = length(&Pause::Constant(text("2s")), &mut user(&shared), &shared);
    assert_eq!(why, Err("“2s” is no number".to_owned()));
}
