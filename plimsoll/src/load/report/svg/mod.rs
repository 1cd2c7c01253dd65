//! A figure as a picture: SVG 1.1, drawn by hand because a plot is little more than lines.
//!
//! A picture stands alone (white background, heading, its own colours) or in a page that brings the
//! heading and, by classes, the colours. Class names: `s0`…`s7` stroke and `f0`…`f7` fill with the
//! palette's colours, `h1`…`h8` fill the heat map.
//!
//! Invariants: well-formed XML whatever names say; size bounded by that of the figure; no scripts, no
//! references.

mod marks;
mod rows;
pub(super) mod style;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::escape::{markup, shortened};
use super::figure::{Axis, Content, Drawn, Figure, Series};
use super::ticks::ticks;

/// Width of a picture, in pixels.
pub const WIDTH: f64 = 860.0;
/// Height of the area that is plotted in.
const PLOT_HEIGHT: f64 = 280.0;
/// Left of the plotted area: room for the texts of the y axis.
const LEFT: f64 = 74.0;
/// Right of the plotted area.
const RIGHT: f64 = 22.0;
/// Below the plotted area: texts and label of the x axis.
const BELOW: f64 = 46.0;
/// Characters of a line of reading aid.
const READING_CHARACTERS: usize = 118;
/// Characters of a name in the legend.
const LEGEND_CHARACTERS: usize = 34;

/// Where a picture is going to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// In a file of its own.
    Alone,
    /// In a page that has headings and colours.
    Page,
}

/// From values of an axis to pixels.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
    start: f64,
    end: f64,
}

impl Scale {
    fn new(axis: &Axis, start: f64, end: f64) -> Self {
        Self { from: axis.from, to: axis.to, logarithmic: axis.logarithmic, start, end }
    }

    /// Where a value is; values beyond the ends are at the ends.
    fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }
}

/// The area that is plotted in.
#[derive(Debug, Clone, Copy)]
struct Area {
    x: Scale,
    y: Scale,
}

/// The picture of a figure.
pub fn picture(figure: &Figure, setting: Setting) -> String {
    let mut body = String::new();
    let mut top = 10.0;
    if setting == Setting::Alone {
        top = heading(&mut body, figure);
    }
    let height = match &figure.content {
        Content::Rows { bar_label, colour, rows } => {
            rows::draw(&mut body, (bar_label, *colour, rows), &figure.x, top)
        }
        content => plot(&mut body, figure, content, top),
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\"{} role=\"img\" aria-label=\"{}\">",
        if setting == Setting::Page { " class=\"still\"" } else { "" },
        markup(figure.title)
    );
    if setting == Setting::Alone {
        let _ = write!(svg, "<title>{}</title><style>", markup(figure.title));
        style::write(&mut svg);
        let _ =
            write!(svg, "</style><rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>");
    }
    svg.push_str(&body);
    svg.push_str("</svg>");
    svg
}

/// Writes title and reading aid; returns where they end.
fn heading(out: &mut String, figure: &Figure) -> f64 {
    let mut bottom = 30.0;
    let _ = write!(
        out,
        "<text class=\"title\" x=\"16\" y=\"{bottom}\">{}</text>",
        markup(figure.title)
    );
    for line in wrapped(&figure.reading, READING_CHARACTERS) {
        bottom += 18.0;
        let _ =
            write!(out, "<text class=\"reading\" x=\"16\" y=\"{bottom}\">{}</text>", markup(&line));
    }
    bottom + 14.0
}

/// A text in lines of at most so many characters, where words are not longer.
fn wrapped(text: &str, characters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < characters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Draws axes, legend and content; returns the height of the picture.
fn plot(out: &mut String, figure: &Figure, content: &Content, top: f64) -> f64 {
    let series: &[Series] = match content {
        Content::Lines { series, .. } | Content::Bins { series, .. } => series,
        Content::Heat { .. } | Content::Rows { .. } => &[],
    };
    let top = legend(out, series, top) + 8.0;
    let bottom = top + PLOT_HEIGHT;
    let area = Area {
        x: Scale::new(&figure.x, LEFT, WIDTH - RIGHT),
        y: Scale::new(&figure.y, bottom, top),
    };
    axes(out, figure, area);
    match content {
        Content::Lines { at, series, .. } => marks::lines(out, at, series, area),
        Content::Bins { edges, series } => marks::bins(out, edges, series, area),
        Content::Heat { step, edges, columns } => marks::heat(out, *step, edges, columns, area),
        Content::Rows { .. } => {}
    }
    bottom + BELOW
}

/// Draws names and colours of series; returns where they end.
fn legend(out: &mut String, series: &[Series], top: f64) -> f64 {
    if series.is_empty() {
        return top;
    }
    let (mut x, mut y) = (LEFT, top + 8.0);
    for series in series {
        let name = shortened(&series.name, LEGEND_CHARACTERS);
        let width = 34.0 + 7.3 * name.chars().count() as f64;
        if x + width > WIDTH - RIGHT && x > LEFT {
            x = LEFT;
            y += 20.0;
        }
        let colour = series.colour;
        let _ = match series.drawn {
            Drawn::Area | Drawn::Stack => write!(
                out,
                "<rect class=\"f{colour}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"16\" height=\"10\"/>",
                y - 5.0
            ),
            drawn => write!(
                out,
                "<path class=\"s{colour} {}\" d=\"M{x:.1} {y:.1}h18\"/>",
                marks::line_class(drawn)
            ),
        };
        let _ = write!(
            out,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 23.0,
            y + 4.0,
            markup(&name)
        );
        x += width;
    }
    y + 8.0
}

/// Draws grid, marks and labels of both axes.
fn axes(out: &mut String, figure: &Figure, area: Area) {
    let (top, bottom) = (area.y.end, area.y.start);
    for tick in ticks(&figure.y, 6) {
        let y = area.y.at(tick.at);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
            markup(&tick.text)
        );
    }
    for tick in ticks(&figure.x, 8) {
        let x = area.x.at(tick.at);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/><text class=\"tick\" x=\"{x:.1}\" \
             y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 17.0,
            markup(&tick.text)
        );
    }
    let middle = f64::midpoint(top, bottom);
    let _ = write!(
        out,
        "<path class=\"axis\" d=\"M{LEFT} {bottom}H{}\"/><text class=\"label\" x=\"{:.1}\" y=\"{}\" \
         text-anchor=\"middle\">{}</text><text class=\"label\" transform=\"translate(15 {middle}) \
         rotate(-90)\" text-anchor=\"middle\">{}</text>",
        WIDTH - RIGHT,
        f64::midpoint(LEFT, WIDTH - RIGHT),
        bottom + 37.0,
        markup(figure.x.label),
        markup(figure.y.label)
    );
}
