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
    let named = Named { name: samples::HOSTILE, results: &results };
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
