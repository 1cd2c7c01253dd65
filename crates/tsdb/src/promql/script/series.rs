//! Series notation: labels, then values at equal distances.
//!
//! `1 2.5 _ NaN` are values (`_` is none), `1x3` is one and three repetitions, `1+2x3` rises by two
//! three times, `_x3` is three times none, `stale` ends the series.

use super::number;
use super::text::Cursor;
use crate::labels::Labels;
use crate::sample::STALE;

/// A series as it stands in a script.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Notation {
    pub(super) labels: Labels,
    /// One at every interval; `None` where there is no sample.
    pub(super) values: Vec<Option<f64>>,
}

/// Reads a line that is a series.
///
/// `budget` is how many values may still be made; those of this series are taken from it.
pub(super) fn parse(line: &str, budget: &mut usize) -> Result<Notation, String> {
    let mut cursor = Cursor::new(line);
    let labels = cursor.metric()?;
    let mut values = Vec::new();
    loop {
        let spaced = cursor.skip_spaces();
        if cursor.rest().is_empty() {
            return Ok(Notation { labels, values });
        }
        if cursor.rest().starts_with("{{") {
            return Err("native histograms `{{…}}` are not supported: \
                        write a classic histogram, series `…_bucket{le=\"…\"}`"
                .to_owned());
        }
        if !spaced {
            return Err(format!("a space is expected before `{}`", cursor.excerpt()));
        }
        item(&mut cursor, &mut values, budget)?;
    }
}

/// Reads one item and adds the values it stands for.
fn item(
    cursor: &mut Cursor<'_>,
    values: &mut Vec<Option<f64>>,
    budget: &mut usize,
) -> Result<(), String> {
    let start = *cursor;
    let refuse = || {
        format!(
            "`{}` is no value: write a number, `NaN`, `Inf`, `stale`, `_`, or `1+2x3` for a row",
            start.rest().split_whitespace().next().unwrap_or_default()
        )
    };
    if cursor.take("_") {
        let count = repetitions(cursor)?.unwrap_or(1);
        spend(budget, count)?;
        values.extend(std::iter::repeat_n(None, count));
        return Ok(());
    }
    let first = value(cursor).ok_or_else(refuse)?;
    let mut step = 0.0;
    if cursor.rest().starts_with(['+', '-']) {
        step = value(cursor).ok_or_else(refuse)?;
        if !cursor.rest().starts_with('x') {
            return Err(refuse());
        }
    }
    let count = repetitions(cursor)?.unwrap_or(0);
    spend(budget, count.saturating_add(1))?;
    let mut sum = first;
    values.push(Some(sum));
    for _ in 0..count {
        // Zero is not added: it would make another NaN of the stale marker.
        sum = if step == 0.0 { sum } else { sum + step };
        values.push(Some(sum));
    }
    Ok(())
}

/// Reads a number with an optional sign, or `stale`.
fn value(cursor: &mut Cursor<'_>) -> Option<f64> {
    if cursor.take("stale") {
        return Some(STALE);
    }
    let start = *cursor;
    let sign = if cursor.take("-") {
        -1.0
    } else {
        cursor.take("+");
        1.0
    };
    let lower = cursor.rest().get(..3).map(str::to_ascii_lowercase);
    if let Some(word @ ("nan" | "inf")) = lower.as_deref() {
        cursor.take_while(|c| c.is_ascii_alphabetic() && c != 'x');
        let word_end = start.rest().len() - cursor.rest().len();
        let whole = start.rest()[..word_end].trim_start_matches(['+', '-']);
        let known = whole.len() == 3 || whole.eq_ignore_ascii_case("infinity");
        return known.then_some(if word == "nan" { f64::NAN } else { sign * f64::INFINITY });
    }
    cursor.take_while(|c| c.is_ascii_digit() || c == '.');
    let mantissa = *cursor;
    if cursor.take("e") || cursor.take("E") {
        let _ = cursor.take("+") || cursor.take("-");
        if cursor.take_while(|c| c.is_ascii_digit()).is_empty() {
            *cursor = mantissa;
        }
    }
    number::parse(&start.rest()[..start.rest().len() - cursor.rest().len()])
}

/// Reads `x3`, if it is there.
fn repetitions(cursor: &mut Cursor<'_>) -> Result<Option<usize>, String> {
    if !cursor.take("x") {
        return Ok(None);
    }
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    match digits.parse() {
        Ok(count) => Ok(Some(count)),
        Err(_) if digits.is_empty() => {
            Err(format!("how often is expected after `x`, e.g. `1x5`, at `{}`", cursor.excerpt()))
        }
        Err(_) => Err(format!("`x{digits}` is too many")),
    }
}

fn spend(budget: &mut usize, count: usize) -> Result<(), String> {
    *budget = budget.checked_sub(count).ok_or_else(|| {
        format!(
            "{count} values are too many: a script holds at most {}, shorten the series",
            super::VALUES_MAX
        )
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::is_stale;

    fn values(items: &str) -> Result<String, String> {
        let notation = parse(&format!("a {items}"), &mut 100)?;
        let texts = notation.values.iter().map(|value| match value {
            Some(value) => number::Number(*value).to_string(),
            None => "_".to_owned(),
        });
        Ok(texts.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn items_stand_for_rows_of_values() {
        for (items, wanted) in [
            ("", ""),
            ("1 2.5  -3", "1 2.5 -3"),
            ("1x3", "1 1 1 1"),
            ("1x0", "1"),
            ("1+2x3", "1 3 5 7"),
            ("1-1x2", "1 0 -1"),
            ("-1+.5x2", "-1 -0.5 0"),
            ("0x2", "0 0 0"),
            ("1e3 1E-1 1e+1x1", "1000 0.1 10 10"),
            ("_ _x2 4", "_ _ _ 4"),
            ("_x0", ""),
            ("NaN nan Inf -Inf +inf", "NaN NaN +Inf -Inf +Inf"),
            ("NaNx1 Infx1 -Infx1", "NaN NaN +Inf +Inf -Inf -Inf"),
            ("stale stalex1 1", "stale stale stale 1"),
            ("Inf-1x1", "+Inf +Inf"),
        ] {
            assert_eq!(values(items).as_deref(), Ok(wanted), "{items}");
        }
    }

    #[test]
    fn a_repeated_stale_marker_stays_one() {
        let notation = parse("a stalex2", &mut 100).expect("well-formed");
        assert!(notation.values.iter().all(|value| value.is_some_and(is_stale)));
    }

    #[test]
    fn broken_items_are_refused() {
        for (items, part) in [
            ("a", "`a` is no value"),
            ("1+2", "`1+2` is no value"),
            ("1x", "how often is expected after `x`"),
            ("1x-1", "how often is expected"),
            ("1x99999999999999999999999", "too many"),
            ("1x200", "201 values are too many"),
            ("1x18446744073709551615", "too many"),
            ("_x101", "too many"),
            ("1,2", "a space is expected before `,2`"),
            ("{{schema:0}}", "native histograms"),
            ("1 {{count:1}}x3", "native histograms"),
            ("nanx1y", "a space is expected"),
            ("nano", "no value"),
            ("--1", "no value"),
            ("1__2", "a space is expected"),
        ] {
            let message = values(items).expect_err(items);
            assert!(message.contains(part), "{items}: {message}");
        }
    }
}
