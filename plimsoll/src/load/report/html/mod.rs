//! The page: one HTML file that needs nothing else, for people who get it by mail.
//!
//! It stands without scripts (plots are pictures, numbers are tables) and prints; a script of its own
//! makes the plots answer to pointer and keyboard.
//!
//! Invariants: it refers to nothing outside itself, and a content security policy forbids it to;
//! foreign words are escaped wherever they stand; its size is bounded by those of the figures and by
//! how many labels, instances and checks a run may have.

mod head;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::Serialize;

use super::Facts;
use super::escape::{markup, script};
use super::figure::{Figure, Named, figures, pair_figures};
use super::svg::{Setting, picture};
use crate::load::compare::Comparison;
use crate::load::results::Results;

/// What makes plots interactive.
const SCRIPT: &str = include_str!("report.js");
/// How the page looks, light and dark.
const STYLE: &str = include_str!("report.css");
/// Nothing may be loaded, sent or framed; style and script are those in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

/// What the script reads.
#[derive(Serialize)]
struct Data<'a> {
    /// Seconds since 1970 at which the run began; 0 where several began at several times.
    started: f64,
    figures: &'a [Figure],
}

/// The report of a run.
pub fn page(results: &Results, facts: Facts<'_>) -> String {
    let figures = figures(results);
    let mut body = String::new();
    head::write(&mut body, results, facts);
    body.push_str("<main>");
    plots(&mut body, &figures);
    tables::write(&mut body, results);
    body.push_str("</main>");
    footer(&mut body, results);
    let started = results.run.started_at.as_millisecond() as f64 / 1e3;
    document(&results.run.name, &body, &Data { started, figures: &figures })
}

/// Two results beside each other, with what comparing them found: no figure but those of the
/// comparison is told, and what it leaves out is said. `results` are the first's and the second's.
pub fn compare_page(comparison: &Comparison, results: [&Results; 2]) -> String {
    let [a, b] = [("a", &comparison.a), ("b", &comparison.b)]
        .map(|(letter, side)| (format!("{letter}: {}", side.file), side.skipped));
    let figures = pair_figures([
        Named { name: &a.0, results: results[0], skipped: a.1 },
        Named { name: &b.0, results: results[1], skipped: b.1 },
    ]);
    let mut body = String::new();
    head::write_pair(&mut body, comparison);
    body.push_str("<main>");
    tables::write_pair(&mut body, comparison);
    plots(&mut body, &figures);
    body.push_str("</main>");
    let title = format!("{} and {}", comparison.a.file, comparison.b.file);
    document(&title, &body, &Data { started: 0.0, figures: &figures })
}

/// All of the page around its body.
fn document(title: &str, body: &str, data: &Data<'_>) -> String {
    // Cannot fail: strings, numbers and lists only, and no number is infinite.
    let json = serde_json::to_string(data).unwrap_or_else(|_| "{\"figures\":[]}".to_owned());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"referrer\" content=\"no-referrer\">\
         <meta name=\"generator\" content=\"plimsoll {}\">\
         <title>{} – load test</title><style>{STYLE}</style></head>\n<body>{body}\n\
         <script type=\"application/json\" id=\"data\">{}</script>\n<script>{SCRIPT}</script>\
         </body></html>\n",
        env!("CARGO_PKG_VERSION"),
        markup(title),
        script(&json)
    )
}

/// Figures that take the whole width of a page; others share it with a neighbour, if they have one.
const WIDE: [&str; 5] = ["latency", "heat", "instances", "instances-over-time", "labels"];

/// The plots, as pictures until the script takes over.
fn plots(out: &mut String, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    out.push_str("<h2>Plots</h2><div class=\"plots\">");
    let is_wide = |figure: &Figure| WIDE.contains(&figure.id);
    let mut is_second = false;
    for (index, figure) in figures.iter().enumerate() {
        let has_second = figures.get(index + 1).is_some_and(|next| !is_wide(next));
        let alone = is_wide(figure) || (!is_second && !has_second);
        is_second = !alone && !is_second;
        let class = if alone { " class=\"wide\"" } else { "" };
        let _ = write!(
            out,
            "<figure{class} id=\"{}\" data-figure=\"{index}\"><figcaption><h3>{}</h3><p>{}</p>\
             </figcaption><div class=\"canvas\">{}</div></figure>",
            figure.id,
            markup(figure.title),
            markup(&figure.reading),
            picture(figure, Setting::Page)
        );
    }
    out.push_str("</div>");
}

/// What made the page, and when.
fn footer(out: &mut String, results: &Results) {
    let _ = write!(
        out,
        "<footer>Plimsoll {} · run began {}</footer>",
        env!("CARGO_PKG_VERSION"),
        head::moment(results)
    );
}
