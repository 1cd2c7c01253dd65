//! Pictures of the view, compared with golden ones.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::load::tally::Failure;
use crate::load::timeline::Bucket;

/// A second of a run of 2 000 requests a second for a minute.
pub(in crate::load::live) fn progress(second: u64) -> Progress {
    let mut bucket =
        Bucket { requests: 2000, due: 2000, in_flight: 12, users: 12, ..Bucket::default() };
    for i in 0..100 {
        bucket.response_time.record(Duration::from_micros(3100 + i * 10));
    }
    for (instance, answers) in [("web-1", 1000), ("web-2", 600), ("web-3", 400)] {
        bucket.instances.insert(instance.to_owned(), answers);
    }
    Progress {
        elapsed: Duration::from_secs(second),
        planned: Some(Duration::from_secs(60)),
        response_time: bucket.response_time.clone(),
        second: bucket,
        total_requests: 2000 * second,
        total_errors: 0,
        failures: Default::default(),
        target_rate: Some(2000.0),
        lag: Duration::from_micros(240),
        stopping: false,
    }
}

fn screen(seconds: u64) -> Screen {
    let model = "open: 2 000 requests a second, evenly spaced, for 60 s";
    let mut screen = Screen::new("http://127.0.0.1:9999/", model, false);
    for second in 1..=seconds {
        let mut progress = progress(second);
        // A slope and a peak, so that the charts have something to show.
        progress.second.requests = 1000 + 1000 * second.min(20) / 20;
        if second == 25 {
            for _ in 0..20 {
                progress.second.response_time.record(Duration::from_millis(20));
            }
        }
        screen.take(&progress);
    }
    screen
}

fn picture(screen: &Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, screen)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in buffer.content().chunks(usize::from(width)) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `UPDATE_GOLDEN=1` writes the pictures anew: look at them then.
#[track_caller]
fn same(picture: &str, name: &str) {
    let path = format!("{}/src/load/live/draw/pictures/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(picture == golden, "drawn:\n{picture}\nexpected:\n{golden}");
}

#[test]
fn an_ordinary_terminal() {
    same(&picture(&screen(31), 80, 24), "ordinary");
}

#[test]
fn trouble_is_named() {
    let mut screen = screen(31);
    let mut trouble = progress(32);
    trouble.failures.insert(Failure::Timeout, 40);
    trouble.failures.insert(Failure::ConnectTimeout, 1200);
    trouble.total_errors = 1240;
    trouble.second.errors = 1240;
    trouble
        .second
        .instances
        .insert("web-4 with a name that is much too long for its place".to_owned(), 3);
    trouble.second.instances.insert("web-5".to_owned(), 3);
    trouble.second.instances.insert("web-6".to_owned(), 3);
    trouble.lag = Duration::from_millis(42);
    trouble.stopping = true;
    screen.take(&trouble);
    same(&picture(&screen, 80, 24), "trouble");
}

#[test]
fn a_small_and_a_large_terminal() {
    same(&picture(&screen(31), 40, 20), "narrow");
    same(&picture(&screen(31), 60, 7), "least");
    same(&picture(&screen(31), 130, 40), "large");
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for screen in [screen(0), screen(1), screen(700)] {
        for (width, height) in
            [(1, 1), (2, 30), (300, 2), (10, 10), (20, 5), (64, 9), (63, 14), (400, 120)]
        {
            picture(&screen, width, height);
        }
    }
}

#[test]
fn figures_are_whole_however_narrow_it_is() {
    let picture = picture(&screen(31), 20, 8);
    assert!(picture.contains("p99 now     4.08 ms\n"), "{picture}");
    assert!(picture.contains("2 000/s\n"), "{picture}");
}

#[test]
fn a_short_run_fills_the_charts() {
    let mut screen = screen(31);
    for planned in [31, 3600] {
        screen.progress.as_mut().unwrap().planned = Some(Duration::from_secs(planned));
        let picture = picture(&screen, 130, 24);
        let bars = picture.lines().map(|line| line.matches('█').count()).max().unwrap();
        let begin = if planned == 31 { "-31 s" } else { "-114 s" };
        assert_eq!(bars > 40, planned == 31, "{picture}");
        assert!(picture.contains(begin), "{picture}");
    }
}

#[test]
fn colours_are_used_where_they_are_wanted_only() {
    let coloured = |colours| {
        let mut screen = screen(31);
        screen.colours = colours;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &screen)).unwrap();
        terminal.backend().buffer().content().iter().any(|cell| cell.fg != Color::Reset)
    };
    assert!(coloured(true) && !coloured(false));
}

#[test]
fn the_end_repeats_no_second() {
    let mut screen = screen(31);
    let before = screen.instances.clone();
    screen.take(&progress(31));
    assert_eq!((screen.history.len(), &screen.instances), (31, &before));
}
