//! Where an axis has its marks: at round values, as many as there is room for.

use super::figure::{Axis, Unit};
use super::text;

/// Steps of a time axis that people count in, in seconds.
const TIME_STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];
/// The points of a percentile axis that are named, beside whole powers of ten: 0 % and 50 %.
const LOW_PERCENTILES: [f64; 2] = [1.0, 2.0];
/// Most marks, whatever is asked for.
const TICKS_MAX: usize = 40;

/// A mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value at which it stands.
    pub at: f64,
    /// What is written there.
    pub text: String,
}

/// The marks of an axis, about as many as wanted, rising.
pub fn ticks(axis: &Axis, wanted: usize) -> Vec<Tick> {
    let wanted = wanted.clamp(2, TICKS_MAX / 2);
    let values = match (axis.unit, axis.logarithmic) {
        (Unit::Percentile, _) => percentile_values(axis),
        (_, true) => logarithmic_values(axis, wanted),
        (Unit::Elapsed, false) => stepped_values(axis, time_step(axis.to - axis.from, wanted)),
        (_, false) => stepped_values(axis, round_step((axis.to - axis.from) / wanted as f64)),
    };
    values.into_iter().take(TICKS_MAX).map(|at| Tick { at, text: tick_text(axis, at) }).collect()
}

/// A value in the words of its axis.
fn tick_text(axis: &Axis, value: f64) -> String {
    match axis.unit {
        Unit::Elapsed => text::elapsed(value, axis.to),
        Unit::Percentile => text::percentile(value),
        Unit::Latency if value == 0.0 => "0".to_owned(),
        Unit::Latency => without_zeros(&text::latency(value)),
        Unit::Share => format!("{}\u{a0}%", text::trimmed(&format!("{:.4}", value * 100.0))),
        Unit::Rate | Unit::Count if value >= 1000.0 => text::count(value.round() as u64),
        Unit::Rate | Unit::Count => text::trimmed(&format!("{value:.3}")).to_owned(),
    }
}

/// `2 ms` of `2.00 ms`.
fn without_zeros(text: &str) -> String {
    match text.split_once('\u{a0}') {
        Some((number, unit)) => format!("{}\u{a0}{unit}", text::trimmed(number)),
        None => text.to_owned(),
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below this.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(power * 10.0)
}

/// A step of a time axis.
fn time_step(span: f64, wanted: usize) -> f64 {
    let least = span / wanted as f64;
    if least < 1.0 {
        return round_step(least);
    }
    TIME_STEPS.into_iter().find(|step| *step >= least).unwrap_or_else(|| round_step(least))
}

/// Whole multiples of a step.
fn stepped_values(axis: &Axis, step: f64) -> Vec<f64> {
    let first = (axis.from / step - 1e-9).ceil() as i64;
    (0..TICKS_MAX as i64)
        .map(|index| (first + index) as f64 * step)
        .take_while(|value| *value <= axis.to + step * 1e-6)
        .collect()
}

/// Powers of ten, with 2 and 5 times them, or all whole multiples, where there is room.
fn logarithmic_values(axis: &Axis, wanted: usize) -> Vec<f64> {
    let decades = (axis.to / axis.from).log10();
    let factors: &[f64] =
        if decades * 3.0 <= wanted as f64 * 1.3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let low = axis.from.log10().floor() as i32;
    let high = axis.to.log10().ceil() as i32;
    let every = ((decades / wanted as f64).ceil() as i32).max(1);
    let values: Vec<f64> = (low..=high)
        .filter(|power| (power - low) % every == 0)
        .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
        .filter(|value| *value >= axis.from * 0.999_999 && *value <= axis.to * 1.000_001)
        .collect();
    // Less than a factor of ten may hold no such value at all.
    if values.len() >= 2 {
        return values;
    }
    stepped_values(axis, round_step((axis.to - axis.from) / wanted as f64))
}

/// 0 %, 50 %, 90 %, 99 %…
fn percentile_values(axis: &Axis) -> Vec<f64> {
    let highest = axis.to.log10().floor() as i32;
    LOW_PERCENTILES
        .into_iter()
        .chain((1..=highest).map(|power| 10_f64.powi(power)))
        .filter(|value| *value <= axis.to * 1.000_001)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(unit: Unit, logarithmic: bool, from: f64, to: f64, wanted: usize) -> String {
        let axis = Axis { label: "", unit, logarithmic, switchable: false, from, to };
        let texts: Vec<String> =
            ticks(&axis, wanted).into_iter().map(|tick| tick.text.replace('\u{a0}', " ")).collect();
        texts.join(", ")
    }

    #[test]
    fn marks_stand_at_round_values() {
        for (unit, logarithmic, from, to, wanted, expected) in [
            (Unit::Rate, false, 0.0, 2100.0, 5, "0, 500, 1 000, 1 500, 2 000"),
            (Unit::Rate, false, 0.0, 1.05, 5, "0, 0.5, 1"),
            (Unit::Latency, false, 0.0, 0.023, 5, "0, 5 ms, 10 ms, 15 ms, 20 ms"),
            (Unit::Share, false, 0.0, 0.0105, 5, "0 %, 0.5 %, 1 %"),
            (Unit::Latency, true, 0.001, 1.0, 6, "1 ms, 10 ms, 100 ms, 1 s"),
            (Unit::Latency, true, 0.001, 0.05, 6, "1 ms, 2 ms, 5 ms, 10 ms, 20 ms, 50 ms"),
            (Unit::Latency, true, 0.012, 0.018, 4, "12 ms, 14 ms, 16 ms, 18 ms"),
            (Unit::Elapsed, false, 0.0, 60.0, 6, "0 s, 10 s, 20 s, 30 s, 40 s, 50 s, 60 s"),
            (Unit::Elapsed, false, 0.0, 300.0, 6, "0:00, 1:00, 2:00, 3:00, 4:00, 5:00"),
            (
                Unit::Elapsed,
                false,
                100.0,
                112.0,
                6,
                "100 s, 102 s, 104 s, 106 s, 108 s, 110 s, 112 s",
            ),
            (Unit::Elapsed, false, 0.0, 0.4, 4, "0 ms, 100 ms, 200 ms, 300 ms, 400 ms"),
            (Unit::Percentile, true, 1.0, 12_000.0, 6, "0 %, 50 %, 90 %, 99 %, 99.9 %, 99.99 %"),
        ] {
            assert_eq!(texts(unit, logarithmic, from, to, wanted), expected);
        }
    }

    #[test]
    fn there_are_never_too_many() {
        for (from, to) in [(1e-9, 1e9), (0.001, 0.001_000_1), (1.0, 2.0)] {
            for logarithmic in [false, true] {
                let axis = Axis {
                    label: "",
                    unit: Unit::Latency,
                    logarithmic,
                    switchable: true,
                    from,
                    to,
                };
                let count = ticks(&axis, 6).len();
                assert!((1..=TICKS_MAX).contains(&count), "{from} to {to}: {count}");
            }
        }
    }
}
