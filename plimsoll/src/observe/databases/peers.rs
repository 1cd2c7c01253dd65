//! What tests of databases need: real ones, and servers that say nothing or too much.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use tsdb::exposition::{Event, Format, Limits, Parser};

use crate::config::model::observe::DatabaseTarget;
pub(super) use crate::testing::postgres::Postgres;
pub(super) use crate::testing::redis::Redis;
pub(super) use crate::testing::{certificate, free_port};

/// Long enough for anything on the loopback.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A target with this URL.
pub(super) fn target(url: impl Into<String>) -> DatabaseTarget {
    DatabaseTarget {
        name: "tested".to_owned(),
        url: url.into(),
        labels: BTreeMap::new(),
        every: PATIENCE,
        timeout: PATIENCE,
    }
}

/// The value of a series, written as in the text.
pub(super) fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// A listener that accepts, since the system does, and never says a word.
pub(super) fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers any first words with these, again and again until the other side is gone.
pub(super) fn talker(words: Vec<u8>) -> u16 {
    let (listener, port) = silent();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        while stream.write_all(&words).is_ok() {}
    });
    port
}

/// That the text is one that can be scraped: no mistake, no series twice.
pub(super) fn assert_is_exposition(text: &str) {
    let mut parser = Parser::new(text.as_bytes(), Format::Text, Limits::default()).unwrap();
    let mut series = std::collections::BTreeSet::new();
    while let Some(event) = parser.next_event().unwrap() {
        if let Event::Sample(sample) = event {
            assert!(series.insert(sample.series.to_owned()), "{} is there twice", sample.series);
        }
    }
}
