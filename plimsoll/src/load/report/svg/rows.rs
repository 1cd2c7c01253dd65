//! Named things beside each other: a bar for their number, a range for their latency.

use std::fmt::Write as _;

use super::{Scale, WIDTH};
use crate::load::report::escape::{markup, shortened};
use crate::load::report::figure::{Axis, Row};
use crate::load::report::text;
use crate::load::report::ticks::ticks;

/// Height of a row.
const ROW_HEIGHT: f64 = 26.0;
/// Where names end.
const NAMES_END: f64 = 190.0;
/// Where bars end that have latencies beside them.
const BARS_END: f64 = 330.0;
/// Where latencies begin.
const LATENCIES_START: f64 = 420.0;
/// Right of everything.
const RIGHT: f64 = 30.0;
/// Room for the text beside a bar that has nothing else beside it.
const BAR_TEXT: f64 = 150.0;
/// Characters of a name.
const NAME_CHARACTERS: usize = 24;

/// Draws rows; returns the height of the picture.
pub(super) fn draw(
    out: &mut String,
    (bar_label, colour, rows): (&str, u8, &[Row]),
    axis: &Axis,
    top: f64,
) -> f64 {
    let with_latency = rows.iter().any(|row| row.latency.is_some());
    let first = top + 18.0;
    let bottom = first + rows.len() as f64 * ROW_HEIGHT;
    let bars_end = if with_latency { BARS_END } else { WIDTH - RIGHT - BAR_TEXT };
    let _ = write!(
        out,
        "<text class=\"label\" x=\"{NAMES_END}\" y=\"{:.1}\">{}</text>",
        top + 8.0,
        markup(bar_label)
    );
    let scale = Scale::new(axis, LATENCIES_START, WIDTH - RIGHT);
    if with_latency {
        grid(out, axis, scale, first, bottom);
    }
    let longest = rows.iter().map(|row| row.bar).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    for (index, row) in rows.iter().enumerate() {
        let middle = first + (index as f64 + 0.5) * ROW_HEIGHT;
        let width = (row.bar / longest * (bars_end - NAMES_END)).max(1.0);
        let _ = write!(
            out,
            "<g><title>{}</title><text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text><rect class=\"f{colour}\" x=\"{NAMES_END}\" y=\"{:.1}\" \
             width=\"{width:.1}\" height=\"12\"/><text class=\"tick\" x=\"{:.1}\" y=\"{2:.1}\">{}</text>",
            markup(&described(row)),
            NAMES_END - 10.0,
            middle + 4.0,
            markup(&shortened(&row.name, NAME_CHARACTERS)),
            middle - 6.0,
            NAMES_END + width + 6.0,
            markup(&row.bar_text)
        );
        if let Some(latency) = row.latency {
            range(out, latency.map(|value| scale.at(value)), middle);
        }
        out.push_str("</g>");
    }
    bottom + if with_latency { 44.0 } else { 14.0 }
}

/// A row in words.
fn described(row: &Row) -> String {
    let mut words = format!("{}: {}", row.name, row.bar_text);
    if let Some(latency) = row.latency {
        let [half, most, slow, longest] = latency.map(text::latency);
        let _ = write!(words, "; p50 {half}, p90 {most}, p99 {slow}, max {longest}");
    }
    words
}

/// The axis of latencies.
fn grid(out: &mut String, axis: &Axis, scale: Scale, top: f64, bottom: f64) {
    for tick in ticks(axis, 5) {
        let x = scale.at(tick.at);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/><text class=\"tick\" x=\"{x:.1}\" \
             y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 17.0,
            markup(&tick.text)
        );
    }
    let _ = write!(
        out,
        "<text class=\"label\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(scale.start, scale.end),
        bottom + 35.0,
        markup(axis.label)
    );
}

/// p50 as a mark, a thick line to p90, a thin one to p99, the longest as a dot.
fn range(out: &mut String, [half, most, slow, longest]: [f64; 4], y: f64) {
    let _ = write!(
        out,
        "<path class=\"s1 line thin\" d=\"M{half:.1} {y:.1}H{slow:.1}\"/><path class=\"s1 thick\" \
         d=\"M{half:.1} {y:.1}H{most:.1}\"/><path class=\"s1 line\" d=\"M{half:.1} {:.1}v14\"/>\
         <path class=\"s1 line\" d=\"M{slow:.1} {:.1}v8\"/><circle class=\"f7\" cx=\"{longest:.1}\" \
         cy=\"{y:.1}\" r=\"3\"/>",
        y - 7.0,
        y - 4.0
    );
}
