//! What is drawn within the axes: lines, areas, bins, cells.

use std::fmt::Write as _;

use super::Area;
use crate::load::report::figure::{Drawn, Series};

/// Shades of the heat map.
const SHADES: usize = 8;

/// The class of a line that is drawn so.
pub(super) fn line_class(drawn: Drawn) -> &'static str {
    match drawn {
        Drawn::Line => "line",
        Drawn::Thin => "line thin",
        Drawn::Dashed => "line dashed",
        Drawn::Area | Drawn::Stack => "edge",
    }
}

/// Lines and areas over points.
pub(super) fn lines(out: &mut String, at: &[f64], series: &[Series], area: Area) {
    let mut floor = vec![0.0; at.len()];
    // Stacked areas end where no series has a value; a single one without is nothing there.
    let told: Vec<usize> = (0..at.len())
        .filter(|index| series.iter().any(|series| series.values[*index].is_some()))
        .collect();
    for series in series {
        let colour = series.colour;
        match series.drawn {
            Drawn::Stack => {
                let values = series.values.iter().zip(&floor);
                let tops: Vec<f64> =
                    values.map(|(value, floor)| value.unwrap_or_default() + floor).collect();
                let mut path = String::new();
                for index in &told {
                    let draws = !path.is_empty();
                    step(&mut path, draws, area.x.at(at[*index]), area.y.at(tops[*index]));
                }
                for index in told.iter().rev() {
                    step(&mut path, true, area.x.at(at[*index]), area.y.at(floor[*index]));
                }
                let _ = write!(out, "<path class=\"f{colour} stack\" d=\"{path}Z\"/>");
                floor = tops;
            }
            drawn => {
                let points = at.iter().zip(&series.values);
                let path = runs(
                    points.map(|(at, value)| value.map(|value| (area.x.at(*at), area.y.at(value)))),
                );
                if drawn == Drawn::Area {
                    let filled: String = path.iter().map(|run| closed(run, area)).collect();
                    let _ = write!(out, "<path class=\"f{colour} area\" d=\"{filled}\"/>");
                }
                let class = line_class(drawn);
                let drawn: String = path.iter().map(connected).collect();
                let _ = write!(out, "<path class=\"s{colour} {class}\" d=\"{drawn}\"/>");
            }
        }
    }
}

/// Points without gaps between them.
type Points = Vec<(f64, f64)>;

/// The points between gaps.
fn runs(points: impl Iterator<Item = Option<(f64, f64)>>) -> Vec<Points> {
    let mut runs: Vec<Points> = Vec::new();
    let mut within = false;
    for point in points {
        match (point, runs.last_mut()) {
            (Some(point), Some(run)) if within => run.push(point),
            (Some(point), _) => runs.push(vec![point]),
            (None, _) => {}
        }
        within = point.is_some();
    }
    runs
}

/// A line through these points. A lone one is a dash, so that it can be seen.
fn connected(points: &Points) -> String {
    let mut path = String::new();
    if let [(x, y)] = points[..] {
        let _ = write!(path, "M{:.1} {y:.1}h4", x - 2.0);
        return path;
    }
    for (index, (x, y)) in points.iter().enumerate() {
        step(&mut path, index > 0, *x, *y);
    }
    path
}

/// The area between these points and zero.
fn closed(points: &Points, area: Area) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let bottom = area.y.start;
    format!("{}L{:.1} {bottom:.1}L{:.1} {bottom:.1}Z", connected(points), last.0, first.0)
}

/// On to a point.
fn step(path: &mut String, draws: bool, x: f64, y: f64) {
    let _ = write!(path, "{}{x:.1} {y:.1}", if draws { 'L' } else { 'M' });
}

/// Bars that touch, or their outline.
pub(super) fn bins(out: &mut String, edges: &[f64], series: &[Series], area: Area) {
    for series in series {
        let mut points = vec![(area.x.at(edges[0]), area.y.start)];
        for (ends, value) in edges.windows(2).zip(&series.values) {
            let y = area.y.at(value.unwrap_or_default());
            points.push((area.x.at(ends[0]), y));
            points.push((area.x.at(ends[1]), y));
        }
        points.push((area.x.at(edges[edges.len() - 1]), area.y.start));
        let path = connected(&points);
        let colour = series.colour;
        if series.drawn == Drawn::Area {
            let _ = write!(out, "<path class=\"f{colour} area\" d=\"{path}Z\"/>");
        }
        let class = line_class(series.drawn);
        let _ = write!(out, "<path class=\"s{colour} {class}\" d=\"{path}\"/>");
    }
}

/// Cells by how many lie in them; one path for each shade, because there are thousands of cells.
pub(super) fn heat(
    out: &mut String,
    width: f64,
    edges: &[f64],
    columns: &[(usize, Vec<u64>)],
    area: Area,
) {
    let most = columns.iter().flat_map(|(_, counts)| counts).copied().max().unwrap_or(1).max(1);
    let mut shades = vec![String::new(); SHADES];
    for (index, (first, counts)) in columns.iter().enumerate() {
        let left = area.x.at(index as f64 * width);
        let right = area.x.at((index + 1) as f64 * width);
        for (offset, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let row = first + offset;
            let (bottom, top) = (area.y.at(edges[row]), area.y.at(edges[row + 1]));
            let share = (1.0 + *count as f64).ln() / (1.0 + most as f64).ln();
            let shade = ((share * SHADES as f64).ceil() as usize).clamp(1, SHADES);
            let _ = write!(
                shades[shade - 1],
                "M{left:.1} {top:.1}h{:.1}v{:.1}h-{0:.1}z",
                right - left + 0.3,
                bottom - top + 0.3
            );
        }
    }
    for (index, path) in shades.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let _ = write!(out, "<path class=\"h{}\" d=\"{path}\"/>", index + 1);
    }
}
