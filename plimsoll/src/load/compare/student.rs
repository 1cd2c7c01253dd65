//! Student's t distribution: how far an estimate may lie from the truth by chance, where its
//! deviation is itself estimated from few blocks.

/// Steps of the continued fraction; it settles in far fewer for the degrees that occur here.
const STEPS_MAX: u32 = 300;
/// Halvings when a quantile is sought: beyond the digits of a double.
const HALVINGS: u32 = 200;

/// The probability that |t| is at least this, with so many degrees of freedom.
pub(super) fn two_sided(t: f64, degrees: f64) -> f64 {
    if !t.is_finite() {
        return 0.0;
    }
    incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)
}

/// The t that |t| exceeds with probability `alpha`.
pub(super) fn critical(alpha: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if two_sided(middle, degrees) > alpha { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The regularised incomplete beta function (DLMF 8.17), by its continued fraction (8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let front = (a * x.ln() + b * (1.0 - x).ln() - beta).exp() / a;
    // Lentz's method: the fraction from its front, with neither part of a step zero.
    let apart = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / apart(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for step in 1..=STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for term in [even, odd] {
            d = 1.0 / apart(1.0 + term * d);
            c = apart(1.0 + term / c);
            fraction *= c * d;
        }
        if (fraction / before - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * fraction
}

/// The logarithm of the gamma function above 0: Stirling's series (DLMF 5.11.1) where it holds.
fn ln_gamma(x: f64) -> f64 {
    if x < 12.0 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + (2.0 * std::f64::consts::PI).ln() / 2.0 + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_tables_come_out() {
        for (alpha, degrees, expected) in [
            (0.05, 1.0, 12.706),
            (0.05, 5.0, 2.571),
            (0.05, 14.0, 2.145),
            (0.01, 10.0, 3.169),
            (0.001, 30.0, 3.646),
            (0.05, 1e6, 1.960),
        ] {
            let is = critical(alpha, degrees);
            assert!((is - expected).abs() < 0.000_6, "{is} for {expected}");
            assert!((two_sided(is, degrees) - alpha).abs() < 1e-9);
        }
        assert!((two_sided(0.0, 7.0) - 1.0).abs() < 1e-12);
        assert_eq!(two_sided(f64::INFINITY, 7.0), 0.0);
    }
}
