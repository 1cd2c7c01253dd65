//! From two estimates of each figure to differences, a verdict, and words.

use super::super::figures;
use super::bootstrap::{Estimate, Measured, estimates};
use super::series::Series;
use super::student;
use super::{
    ALPHA, Comparison, Difference, ERRORS_PRACTICAL, Finding, Options, SLOTS_MIN, Verdict,
};

/// A figure's difference before it is judged: on the scale on which it is tested.
struct Raw {
    measured: Measured,
    a: f64,
    b: f64,
    change: f64,
    error: f64,
    degrees: f64,
    p: f64,
}

/// Every figure that both runs have.
pub(super) fn differences(
    a: &Series,
    b: &Series,
    options: &Options,
    same_load: bool,
    resamples: usize,
) -> Vec<Difference> {
    // Two seeds: the same chance in both would make them resemble each other.
    let first = estimates(a, resamples, options.seed);
    let second = estimates(b, resamples, options.seed.wrapping_add(1));
    let raws: Vec<Raw> = (Measured::ALL.into_iter().zip(first.into_iter().zip(second)))
        .filter_map(|(measured, (a, b))| Some(raw(measured, a?, b?)))
        // No errors in either: there is nothing to test, and a test less makes the others stronger.
        .filter(|raw| raw.measured != Measured::Errors || raw.a > 0.0 || raw.b > 0.0)
        .collect();
    let levels = holm(&raws.iter().map(|raw| raw.p).collect::<Vec<_>>());
    (raws.into_iter().zip(levels))
        .map(|(raw, (alpha, p))| judged(&raw, alpha, p, options.practical, same_load))
        .collect()
}

/// Welch's test: the runs vary by different amounts.
fn raw(measured: Measured, a: Estimate, b: Estimate) -> Raw {
    let change = b.value - a.value;
    let (first, second) = (a.error.powi(2), b.error.powi(2));
    let error = (first + second).sqrt();
    let degrees =
        (first + second).powi(2) / (first.powi(2) / a.degrees + second.powi(2) / b.degrees);
    let p = student::two_sided(change / error, degrees);
    let back = |value: f64| if measured == Measured::Errors { value } else { value.exp() };
    Raw { measured, a: back(a.value), b: back(b.value), change, error, degrees, p }
}

/// Holm's step-down method ("A simple sequentially rejective multiple test procedure", 1979): for
/// each test the level at which its interval is drawn, and its corrected probability. An interval
/// excludes no difference exactly where its test is passed.
fn holm(ps: &[f64]) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|one, other| ps[*one].total_cmp(&ps[*other]));
    let mut levels = vec![(ALPHA, 1.0); ps.len()];
    let (mut stopped_at, mut corrected) = (None, 0.0f64);
    for (rank, index) in order.into_iter().enumerate() {
        let left = (ps.len() - rank) as f64;
        corrected = corrected.max(ps[index] * left).min(1.0);
        let level = stopped_at.unwrap_or(ALPHA / left);
        if ps[index] > level {
            stopped_at = Some(level);
        }
        levels[index] = (level, corrected);
    }
    levels
}

fn judged(raw: &Raw, alpha: f64, p: f64, practical: f64, same_load: bool) -> Difference {
    let reach = student::critical(alpha, raw.degrees) * raw.error;
    let is_share = raw.measured == Measured::Errors;
    let scale = |value: f64| if is_share { value } else { value.exp() - 1.0 };
    let [change, low, high] = [raw.change, raw.change - reach, raw.change + reach].map(scale);
    let least = if is_share { ERRORS_PRACTICAL } else { practical };
    let is_shown = low > 0.0 || high < 0.0;
    let more_is_good = raw.measured == Measured::Rate;
    let finding = if is_shown && change.abs() >= least {
        if (change > 0.0) == more_is_good { Finding::Better } else { Finding::Worse }
    } else if low > -least && high < least {
        Finding::Same
    } else {
        Finding::Unclear
    };
    let counts = raw.measured != Measured::Rate || same_load;
    Difference { measured: raw.measured, a: raw.a, b: raw.b, change, low, high, p, finding, counts }
}

/// What the differences come to.
pub(super) fn verdict(differences: &[Difference]) -> Verdict {
    let counted = || differences.iter().filter(|difference| difference.counts);
    let has = |finding| counted().any(|difference| difference.finding == finding);
    match (has(Finding::Better), has(Finding::Worse)) {
        (true, true) => Verdict::Mixed,
        (true, false) => Verdict::Better,
        (false, true) => Verdict::Worse,
        _ if counted().next().is_none() => Verdict::TooShort,
        _ if counted().all(|difference| difference.finding == Finding::Same) => Verdict::Same,
        _ => Verdict::Unclear,
    }
}

/// The verdict for people. The runs are called `a` and `b`.
pub(super) fn words(of: &Comparison) -> String {
    let practical = figures::share(of.practical);
    match of.verdict {
        Verdict::Better => format!("b is {}.", told(of, Finding::Better)),
        Verdict::Worse => format!("b is {}.", told(of, Finding::Worse)),
        Verdict::Mixed => {
            format!("b is {}, but {}.", told(of, Finding::Worse), told(of, Finding::Better))
        }
        Verdict::Same => {
            format!("No difference that matters: everything is shown to be within ±{practical}.")
        }
        Verdict::Unclear => unclear(of),
        Verdict::TooShort => too_short(of),
    }
}

/// `slower: p99 +12 % (95 % CI +8 … +17 %)`, all differences of a kind.
fn told(of: &Comparison, finding: Finding) -> String {
    let is_better = finding == Finding::Better;
    let groups: [(&str, &[Measured]); 3] = [
        (
            if is_better { "faster" } else { "slower" },
            &[Measured::P99, Measured::P90, Measured::P50, Measured::Mean],
        ),
        (if is_better { "failing less often" } else { "failing more often" }, &[Measured::Errors]),
        (if is_better { "doing more requests" } else { "doing fewer requests" }, &[Measured::Rate]),
    ];
    let told: Vec<String> = (groups.iter())
        .filter_map(|(word, measures)| {
            let parts: Vec<String> = (measures.iter())
                .filter_map(|measured| {
                    of.differences.iter().find(|difference| {
                        let is_it = difference.measured == *measured && difference.counts;
                        is_it && difference.finding == finding
                    })
                })
                .map(|difference| {
                    let (name, change) = (difference.measured.name(), change(difference));
                    format!("{name} {change} (95 % CI {})", interval(difference))
                })
                .collect();
            (!parts.is_empty()).then(|| format!("{word}: {}", parts.join(", ")))
        })
        .collect();
    told.join("; ")
}

/// What could have been seen, and how long it takes to see what matters.
fn unclear(of: &Comparison) -> String {
    let unclear = || {
        of.differences
            .iter()
            .filter(|difference| difference.counts && difference.finding == Finding::Unclear)
    };
    let bounds: Vec<String> = unclear()
        .map(|difference| {
            format!(
                "of {} below {}",
                difference.measured.name(),
                unsigned(difference, reach(difference))
            )
        })
        .collect();
    let mut words = format!(
        "No difference shown: differences {} could not be seen with this much data.",
        bounds.join(", ")
    );
    // The interval narrows with the square root of the time.
    let factor = unclear()
        .filter(|difference| difference.measured != Measured::Errors)
        .map(|difference| (reach(difference) / of.practical).powi(2))
        .fold(0.0, f64::max);
    let compared = of.a.compared_seconds.min(of.b.compared_seconds);
    if factor > 1.0 && factor * compared < LONGEST_ADVISED {
        let needed = std::time::Duration::from_secs_f64((factor * compared / 10.0).ceil() * 10.0);
        words.push_str(&format!(
            " To see {} in all of them, each run would have to last about {}.",
            figures::share(of.practical),
            figures::duration(needed)
        ));
    }
    words
}

/// Longer runs are no advice; seconds.
const LONGEST_ADVISED: f64 = 86_400.0;

/// Half the interval: what the difference would have had to be.
fn reach(difference: &Difference) -> f64 {
    (difference.high - difference.low) / 2.0
}

fn too_short(of: &Comparison) -> String {
    let compared = of.a.compared_seconds.min(of.b.compared_seconds);
    let seconds = |seconds: f64| {
        figures::duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    if compared >= SLOTS_MIN as f64 {
        return "There is nothing to compare: no figure is known of both runs.".to_owned();
    }
    let shorter = if of.a.compared_seconds <= of.b.compared_seconds { &of.a } else { &of.b };
    let left = match shorter.warm_up_seconds {
        0.0 => format!("the shorter run lasted {}", seconds(compared)),
        warm_up => format!(
            "{} of the shorter run are left without its first {}",
            seconds(compared),
            seconds(warm_up)
        ),
    };
    format!(
        "Too short to compare: {left}, and at least {} are needed; a minute is a good beginning.",
        seconds(SLOTS_MIN as f64)
    )
}

/// `+12 %`, `-0.4 %`; of shares of failures `+0.21 points`.
pub(super) fn change(difference: &Difference) -> String {
    format!("{} {}", signed(difference.change, decimals(difference)), unit(difference))
}

/// In hundredths, `+8` or `-0.4`; what rounds to nothing has no sign.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{:+.decimals$}", value * 100.0);
    let is_zero = !text.contains(|char: char| matches!(char, '1'..='9'));
    if is_zero { text[1..].to_owned() } else { text }
}

fn unit(difference: &Difference) -> &'static str {
    if difference.measured == Measured::Errors { "points" } else { "%" }
}

/// `+8 … +17 %`.
pub(super) fn interval(difference: &Difference) -> String {
    let (unit, decimals) = (unit(difference), decimals(difference));
    let [low, high] = [difference.low, difference.high].map(|value| signed(value, decimals));
    format!("{low} … {high} {unit}")
}

fn unsigned(difference: &Difference, value: f64) -> String {
    let decimals = decimals(difference);
    format!("{:.decimals$} {}", value * 100.0, unit(difference))
}

/// As many decimals as a figure with this uncertainty deserves, and as many as show on which side of
/// zero its interval lies.
fn decimals(difference: &Difference) -> usize {
    let deserved = match reach(difference) * 100.0 {
        reach if reach >= 3.0 => 0,
        reach if reach >= 0.3 => 1,
        reach if reach >= 0.03 => 2,
        _ => DECIMALS_MAX,
    };
    let nearest = difference.low.abs().min(difference.high.abs()) * 100.0;
    let is_shown = difference.low > 0.0 || difference.high < 0.0;
    (deserved..DECIMALS_MAX)
        .find(|decimals| !is_shown || nearest >= 0.5 * 0.1f64.powi(*decimals as i32))
        .unwrap_or(DECIMALS_MAX)
}

/// More decimals of a percentage than these are noise.
const DECIMALS_MAX: usize = 3;
