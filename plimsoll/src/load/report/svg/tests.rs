use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;
use crate::load::report::figure::{Named, figures, pair_figures};
use crate::load::report::samples;

/// Reads it to the end as XML, and counts its elements.
fn elements(svg: &str) -> usize {
    let mut reader = Reader::from_str(svg);
    reader.config_mut().enable_all_checks(true);
    let (mut depth, mut count) = (0_i32, 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} in {svg}")) {
            Event::Start(start) => {
                depth += 1;
                count += 1;
                assert!(start.attributes().all(|attribute| attribute.is_ok()));
            }
            Event::Empty(start) => {
                count += 1;
                assert!(start.attributes().all(|attribute| attribute.is_ok()));
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    count
}

#[test]
fn pictures_are_well_formed_whatever_names_say() {
    for (name, results) in samples::all() {
        for figure in figures(&results) {
            for setting in [Setting::Alone, Setting::Page] {
                let svg = picture(&figure, setting);
                assert!(elements(&svg) > 5, "{name} {}", figure.id);
                assert!(!svg.contains("NaN") && !svg.contains("inf "), "{name} {}", figure.id);
                assert!(!svg.contains("<script"), "{name} {}", figure.id);
            }
        }
    }
    let results = samples::stalled(20);
    let named = Named { name: samples::HOSTILE, results: &results, skipped: 0 };
    for figure in pair_figures([named, named]) {
        elements(&picture(&figure, Setting::Alone));
    }
}

#[test]
fn a_picture_alone_says_what_it_is_and_brings_its_colours() {
    let figure = figures(&samples::stalled(20)).remove(0);
    let alone = picture(&figure, Setting::Alone);
    assert!(alone.contains("Latency over time</text>") && alone.contains("<style>"));
    assert!(alone.contains("flat lines are what you want"));
    let in_page = picture(&figure, Setting::Page);
    assert!(!in_page.contains("<style>") && !in_page.contains("flat lines"));
    for series in ["p50", "p90", "p99", "max"] {
        assert!(in_page.contains(&format!("\">{series}</text>")));
    }
}

#[test]
fn lines_have_gaps_where_there_is_no_value() {
    let series = [Series {
        name: "one".to_owned(),
        colour: 0,
        drawn: Drawn::Line,
        values: vec![Some(0.0), Some(1.0), None, Some(0.5)],
    }];
    let scale = |start, end| Scale { from: 0.0, to: 4.0, logarithmic: false, start, end };
    let area = Area { x: scale(0.0, 40.0), y: scale(100.0, 0.0) };
    let mut out = String::new();
    marks::lines(&mut out, &[0.0, 1.0, 2.0, 3.0], &series, area);
    assert_eq!(
        out, "<path class=\"s0 line\" d=\"M0.0 100.0L10.0 75.0M28.0 87.5h4\"/>",
        "a lone point is a dash"
    );
}

#[test]
fn readings_are_broken_between_words() {
    assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
    assert_eq!(wrapped("muchlongerthanthat", 5), ["muchlongerthanthat"]);
}

#[test]
fn what_belongs_to_a_row_stands_at_its_height() {
    let figure = figures(&samples::stalled(20)).into_iter().find(|figure| figure.id == "labels");
    let svg = picture(&figure.unwrap(), Setting::Page);
    let groups: Vec<&str> = svg.split("<g>").skip(1).collect();
    assert_eq!(groups.len(), 3);
    for group in groups {
        let heights: Vec<f64> = group
            .split(" y=\"")
            .skip(1)
            .take(3)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 3, "name, bar, number of the bar");
        assert!(heights.iter().all(|height| (height - heights[0]).abs() < 15.0), "{heights:?}");
    }
}

#[test]
fn stacked_areas_end_with_their_values() {
    let stack = |values| Series { name: String::new(), colour: 0, drawn: Drawn::Stack, values };
    let series = [stack(vec![Some(1.0), Some(2.0), None]), stack(vec![Some(1.0), None, None])];
    let scale = |start, end| Scale { from: 0.0, to: 4.0, logarithmic: false, start, end };
    let area = Area { x: scale(0.0, 40.0), y: scale(100.0, 0.0) };
    let mut out = String::new();
    marks::lines(&mut out, &[0.0, 1.0, 2.0], &series, area);
    assert!(out.contains("M0.0 75.0L10.0 50.0L10.0 100.0L0.0 100.0Z"), "{out}");
    assert!(out.contains("M0.0 50.0L10.0 50.0L10.0 50.0L0.0 75.0Z"), "{out}");
}
