//! The live view on paper: lays a screen out on whatever size there is.
//!
//! From the top: what is measured and how far it is, the figures, the charts, instances and errors.
//! Where there is little room the lower parts go first, and in a narrow terminal what stands side
//! by side stands one below the other. Colours only add to what words and signs say.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, Borders, Chart, Dataset, GraphType, Paragraph, RenderDirection, Sparkline,
    SparklineBar,
};

use super::screen::{HISTORY_MAX, Screen, tester_is_limit};
use crate::load::figures::{NONE, count, duration, latency, latency_seconds, rate, share};
use crate::load::progress::Progress;
use crate::load::tally::Latencies;

/// Below this width things stand one below the other.
const WIDE: u16 = 64;
/// Rows of title, model and progress bar.
const HEADER: u16 = 3;
/// Rows of the figures, side by side.
const FIGURES: u16 = 6;
/// Fewest rows of a chart.
const CHART_MIN: u16 = 5;
/// Fewest rows of instances and errors, the heading included.
const TABLES_MIN: u16 = 4;
/// The width of the names before figures.
const NAMES: usize = 11;
/// The width of a figure, where there is room.
const FIGURE: usize = 10;
/// Fewest seconds that a chart of latency spans.
const SPAN_MIN: usize = 30;
/// Most columns of a second in the chart of rates.
const COLUMNS_MAX: usize = 6;

/// Draws the screen over the whole frame.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let paint = Paint { colours: screen.colours };
    let area = frame.area();
    let wide = area.width >= WIDE;
    let [header, rest] =
        Layout::vertical([Constraint::Length(HEADER), Constraint::Min(0)]).areas(area);
    draw_header(frame, header, screen, paint);
    let Some(progress) = &screen.progress else {
        let text = Line::styled(" The first figures come after a second.", paint.dim());
        frame.render_widget(Paragraph::new(text), rest);
        return;
    };
    let figures = if wide { FIGURES } else { FIGURES + 5 };
    if rest.height < figures {
        draw_least(frame, rest, progress, paint);
        return;
    }
    let below = rest.height - figures;
    let charts = if below < CHART_MIN { 0 } else { below };
    let lists = screen.instances.len().max(progress.failures.len()).max(1);
    let tables = (lists as u16 + 1).clamp(TABLES_MIN, (below / 3).max(TABLES_MIN));
    let tables = if charts >= CHART_MIN + tables { tables } else { 0 };
    let [figures, charts, tables] = Layout::vertical([
        Constraint::Length(figures),
        Constraint::Length(charts.saturating_sub(tables)),
        Constraint::Length(tables),
    ])
    .areas(rest);
    draw_figures(frame, figures, progress, paint, wide);
    draw_charts(frame, charts, screen, paint, wide);
    draw_tables(frame, tables, screen, progress, paint, wide);
}

/// Styles, or none where colours are not wanted.
#[derive(Clone, Copy)]
struct Paint {
    colours: bool,
}

impl Paint {
    fn colour(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, screen: &Screen, paint: Paint) {
    let keys = if screen.ending { " q: at once, without results " } else { " q: end " };
    let title = Line::from(vec![
        Span::styled(" plimsoll bench ", paint.bold()),
        Span::raw(" "),
        Span::styled(screen.title.as_str(), paint.colour(Color::Cyan)),
    ]);
    let rows = Layout::vertical([Constraint::Length(1); HEADER as usize]).split(area);
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(keys.len() as u16)])
            .areas(rows[0]);
    frame.render_widget(Paragraph::new(title), left);
    frame.render_widget(Paragraph::new(Span::styled(keys, paint.dim())), right);
    frame.render_widget(Paragraph::new(format!(" {}", screen.model)).style(paint.dim()), rows[1]);
    draw_bar(frame, rows[2], screen, paint);
}

/// How far the run is.
fn draw_bar(frame: &mut Frame<'_>, area: Rect, screen: &Screen, paint: Paint) {
    let Some(progress) = &screen.progress else { return };
    // Fractions of a second would only flicker.
    let elapsed = Duration::from_secs(progress.elapsed.as_secs());
    let text = match progress.planned {
        _ if progress.stopping || screen.ending => {
            let left = progress.second.in_flight;
            format!(" {}, ending: {} under way ", duration(elapsed), count(left))
        }
        Some(planned) if planned > elapsed => {
            let left = planned.saturating_sub(elapsed);
            format!(" {} of {}, {} left ", duration(elapsed), duration(planned), duration(left))
        }
        Some(planned) => format!(" {} of {} ", duration(elapsed), duration(planned)),
        None => format!(" {}, until all is done ", duration(elapsed)),
    };
    let width = (area.width as usize).saturating_sub(text.chars().count() + 1);
    let share = progress
        .planned
        .map_or(0.0, |planned| elapsed.as_secs_f64() / planned.as_secs_f64().max(1e-9));
    let done = ((width as f64 * share.min(1.0)).round() as usize).min(width);
    let line = Line::from(vec![
        Span::raw(" "),
        Span::styled("━".repeat(done), paint.colour(Color::Green)),
        Span::styled("─".repeat(width - done), paint.dim()),
        Span::raw(text),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

/// All that fits where there is next to no room.
fn draw_least(frame: &mut Frame<'_>, area: Rect, progress: &Progress, paint: Paint) {
    // A figure that is cut is another figure.
    let width = (area.width as usize).saturating_sub(NAMES + 1).min(FIGURE);
    let mut lines = load_lines(progress, width, paint);
    let high = quantile(&progress.second.response_time, 0.99);
    lines.insert(1, named("p99 now", format!("{high:>width$}"), paint));
    if let Some(warning) = tester_warning(progress) {
        lines.insert(0, Line::styled(format!(" {warning}"), paint.bad()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, progress: &Progress, paint: Paint, wide: bool) {
    let [figures, tester] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(area);
    let [left, right] = if wide {
        Layout::horizontal([Constraint::Percentage(50); 2]).areas(figures)
    } else {
        Layout::vertical([Constraint::Percentage(50); 2]).areas(figures)
    };
    frame.render_widget(Paragraph::new(load_lines(progress, FIGURE, paint)), left);
    frame.render_widget(Paragraph::new(latency_lines(progress, paint)), right);
    let line = match tester_warning(progress) {
        Some(warning) => Line::styled(format!(" {warning}"), paint.bad()),
        None if progress.target_rate.is_some() => {
            let lag = latency(progress.lag);
            named("tester", format!("{lag:>10}   late at most (p99)"), paint)
        }
        None => Line::default(),
    };
    frame.render_widget(Paragraph::new(line), tester);
}

/// Figures of the load, at least `width` wide.
fn load_lines(progress: &Progress, width: usize, paint: Paint) -> Vec<Line<'static>> {
    let second = &progress.second;
    let mut achieved = format!("{:>width$}", rate(second.requests as f64));
    if let Some(target) = progress.target_rate {
        achieved.push_str(&format!("   {} due", rate(target)));
    }
    // Beside figures of the last second, errors of the last second.
    let errors =
        format!("{:>width$}   {} so far", rate(second.errors as f64), count(progress.total_errors));
    let errors = if progress.total_errors > 0 {
        Line::from(vec![name("errors", paint), Span::styled(errors, paint.bad())])
    } else {
        named("errors", errors, paint)
    };
    vec![
        Line::from(vec![name("rate", paint), Span::styled(achieved, paint.bold())]),
        named("requests", format!("{:>width$}", count(progress.total_requests)), paint),
        errors,
        named("in flight", format!("{:>width$}", count(second.in_flight)), paint),
        named("users", format!("{:>width$}", count(second.users)), paint),
    ]
}

fn latency_lines(progress: &Progress, paint: Paint) -> Vec<Line<'static>> {
    let (now, all) = (&progress.second.response_time, &progress.response_time);
    let row =
        |label: &str, now: String, all: String| named(label, format!("{now:>9}  {all:>9}"), paint);
    let mut lines = vec![Line::styled(
        format!(" {:<NAMES$}{:>9}  {:>9}", "latency", "now", "so far"),
        paint.dim(),
    )];
    for (label, at) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        lines.push(row(label, quantile(now, at), quantile(all, at)));
    }
    lines.push(row("max", quantile(now, 1.0), quantile(all, 1.0)));
    lines
}

/// In words, if the tester itself is the limit.
fn tester_warning(progress: &Progress) -> Option<String> {
    tester_is_limit(progress).then(|| {
        let lag = latency(progress.lag);
        format!("! The tester is the limit: arrivals begin {lag} late (p99).")
    })
}

fn quantile(latencies: &Latencies, at: f64) -> String {
    if latencies.count() == 0 { NONE.to_owned() } else { latency(latencies.quantile(at)) }
}

fn name(label: &str, paint: Paint) -> Span<'static> {
    Span::styled(format!(" {label:<NAMES$}"), paint.dim())
}

fn named(label: &str, figure: String, paint: Paint) -> Line<'static> {
    Line::from(vec![name(label, paint), Span::raw(figure)])
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, screen: &Screen, paint: Paint, wide: bool) {
    if area.height < CHART_MIN {
        return;
    }
    let [rates, latencies] = if wide {
        Layout::horizontal([Constraint::Percentage(50); 2]).areas(area)
    } else if area.height >= 2 * CHART_MIN {
        Layout::vertical([Constraint::Percentage(50); 2]).areas(area)
    } else {
        [Rect::default(), area]
    };
    if rates.height > 0 {
        draw_rate_chart(frame, rates, screen, paint);
    }
    draw_latency_chart(frame, latencies, screen, paint);
}

/// How long the run is meant to last.
fn planned_seconds(screen: &Screen) -> Option<usize> {
    let planned = screen.progress.as_ref()?.planned?;
    Some(planned.as_secs_f64().ceil() as usize)
}

/// A heading with a rule, for what stands below it.
fn headed<'a>(heading: impl Into<Line<'a>>, paint: Paint) -> Block<'a> {
    Block::new().borders(Borders::TOP).border_style(paint.dim()).title(heading)
}

fn draw_rate_chart(frame: &mut Frame<'_>, area: Rect, screen: &Screen, paint: Paint) {
    let columns = area.width.saturating_sub(2) as usize;
    // A short run fills the chart too.
    let each = planned_seconds(screen).map_or(1, |planned| columns / planned.max(1));
    let each = each.clamp(1, COLUMNS_MAX);
    let shown = screen.history.len().min(columns / each);
    let seconds = screen.history.iter().skip(screen.history.len() - shown);
    let peak = seconds.clone().map(|second| second.requests).max().unwrap_or_default();
    let bars = seconds.flat_map(|second| {
        let style = if second.errors > 0 { paint.bad() } else { paint.colour(Color::Green) };
        std::iter::repeat_n(SparklineBar::from(second.requests).style(style), each)
    });
    // The newest stands at the right, as in the other chart.
    let empty = std::iter::repeat_n(SparklineBar::from(None), columns - shown * each);
    let mut heading = vec![
        Span::styled(" requests/s", paint.bold()),
        Span::styled(format!("  highest {} ", count(peak)), paint.dim()),
    ];
    if screen.history.iter().any(|second| second.errors > 0) && paint.colours {
        heading.push(Span::styled(" with errors ", paint.bad()));
    }
    let chart = Sparkline::default()
        .block(headed(Line::from(heading), paint))
        .direction(RenderDirection::LeftToRight)
        .absent_value_symbol(" ")
        .max(peak.max(1))
        .data(empty.chain(bars).collect::<Vec<_>>());
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    frame.render_widget(chart, area);
}

fn draw_latency_chart(frame: &mut Frame<'_>, area: Rect, screen: &Screen, paint: Paint) {
    // Two dots a column, and the axis takes some columns. A run that is shorter takes all of them.
    let widest = (area.width.saturating_sub(8) as usize * 2).clamp(SPAN_MIN, HISTORY_MAX);
    let span = planned_seconds(screen).map_or(widest, |planned| planned.clamp(SPAN_MIN, widest));
    let count = screen.history.len();
    let seconds: Vec<_> = screen.history.iter().skip(count.saturating_sub(span)).collect();
    let points = |pick: fn(&super::screen::Second) -> Option<Duration>| {
        let last = seconds.len() as f64 - 1.0;
        let point = |(place, second): (usize, &&super::screen::Second)| {
            Some((place as f64 - last, pick(second)?.as_secs_f64()))
        };
        seconds.iter().enumerate().filter_map(point).collect::<Vec<(f64, f64)>>()
    };
    let (median, high) = (points(|second| second.median), points(|second| second.high));
    let top = high.iter().map(|point| point.1).fold(0.0, f64::max).max(1e-6);
    let mut heading = vec![Span::styled(" latency ", paint.bold())];
    heading.push(Span::styled(" p50", paint.colour(Color::Cyan)));
    heading.push(Span::styled(" ∙", paint.colour(Color::Cyan)));
    heading.push(Span::styled("  p99", paint.colour(Color::Magenta)));
    heading.push(Span::styled(" ⠒ ", paint.colour(Color::Magenta)));
    let line = |points, marker, colour| {
        Dataset::default()
            .data(points)
            .marker(marker)
            .graph_type(GraphType::Line)
            .style(paint.colour(colour))
    };
    // Short, for it pushes the whole chart to the right.
    let begin = format!("-{span} s");
    let chart = Chart::new(vec![
        line(&median, Marker::Dot, Color::Cyan),
        line(&high, Marker::Braille, Color::Magenta),
    ])
    .block(headed(Line::from(heading), paint))
    .x_axis(
        Axis::default()
            .bounds([-(span as f64), 0.0])
            .labels([begin, "now".to_owned()])
            .style(paint.dim()),
    )
    .y_axis(
        Axis::default()
            .bounds([0.0, top])
            .labels(["0".to_owned(), latency_seconds(top)])
            .labels_alignment(Alignment::Right)
            .style(paint.dim()),
    );
    let area = Rect { width: area.width.saturating_sub(1), ..area };
    frame.render_widget(chart, area);
}

fn draw_tables(
    frame: &mut Frame<'_>,
    area: Rect,
    screen: &Screen,
    progress: &Progress,
    paint: Paint,
    wide: bool,
) {
    if area.height < TABLES_MIN {
        return;
    }
    let errors = error_lines(progress, area.height as usize - 1, paint);
    if screen.instances.is_empty() {
        frame.render_widget(
            Paragraph::new(errors)
                .block(headed(Span::styled(" errors so far ", paint.bold()), paint)),
            area,
        );
        return;
    }
    let [left, right] = if wide {
        Layout::horizontal([Constraint::Percentage(50); 2]).areas(area)
    } else {
        [area, Rect::default()]
    };
    let instances = instance_lines(screen, left, paint);
    let heading = Span::styled(" instances ", paint.bold());
    let left = Rect { x: left.x + 1, width: left.width.saturating_sub(2), ..left };
    frame.render_widget(Paragraph::new(instances).block(headed(heading, paint)), left);
    let heading = Span::styled(" errors so far ", paint.bold());
    let right = Rect { width: right.width.saturating_sub(1), ..right };
    frame.render_widget(Paragraph::new(errors).block(headed(heading, paint)), right);
}

fn instance_lines(screen: &Screen, area: Rect, paint: Paint) -> Vec<Line<'static>> {
    let rows = area.height as usize - 1;
    let names = screen.instances.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    let names = names.min(area.width as usize / 2);
    let width = (area.width as usize).saturating_sub(names + 14);
    let all: u64 = screen.instances.values().sum();
    let largest = screen.instances.values().max().copied().unwrap_or_default().max(1);
    let row = |(name, answers): (&String, &u64)| {
        let name: String = name.chars().take(names).collect();
        let bar = (*answers as f64 / largest as f64 * width as f64).round() as usize;
        let share = share(*answers as f64 / all.max(1) as f64);
        Line::from(vec![
            Span::raw(format!("{name:<names$}  {share:>7}  ")),
            Span::styled("▇".repeat(bar), paint.colour(Color::Blue)),
        ])
    };
    let lines = screen.instances.iter().map(row).collect();
    shortened(lines, rows, paint)
}

fn error_lines(progress: &Progress, rows: usize, paint: Paint) -> Vec<Line<'static>> {
    let mut kinds: Vec<_> = progress.failures.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    if kinds.is_empty() {
        return vec![Line::styled(" none", paint.dim())];
    }
    let line = |(kind, number): (&crate::load::tally::Failure, &u64)| {
        let part = share(*number as f64 / progress.total_requests.max(1) as f64);
        let kind = kind.words();
        Line::styled(format!(" {kind:<21}{:>8}  {part:>7}", count(*number)), paint.bad())
    };
    shortened(kinds.into_iter().map(line).collect(), rows, paint)
}

/// The first of them, and how many more there are.
fn shortened(mut lines: Vec<Line<'static>>, rows: usize, paint: Paint) -> Vec<Line<'static>> {
    if lines.len() > rows && rows > 0 {
        let more = lines.len() - rows + 1;
        lines.truncate(rows - 1);
        lines.push(Line::styled(format!(" and {more} more"), paint.dim()));
    }
    lines
}

#[cfg(test)]
pub(super) mod tests;
