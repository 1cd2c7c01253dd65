//! Bodies: whatever is read lies in the body and means the same when it is read again alone, and a
//! body written again from what was read reads back.
#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use tsdb::exposition::{Event, Format, Label, Limits, ParseError, Parser, Sample};
use tsdb::labels::Labels;

const LIMITS: Limits =
    Limits { body_bytes: 4096, line_bytes: 512, samples: 64, labels: 8, families: 48 };

/// Labels, bits of the value, milliseconds.
type Read = (Labels, u64, Option<i64>);

fn check_labels(labels: &[Label<'_>]) {
    assert!(labels.len() <= LIMITS.labels);
    for (place, label) in labels.iter().enumerate() {
        let name = label.name.text();
        assert!(!name.is_empty() && name != "__name__");
        assert!(labels[..place].iter().all(|before| before.name.text() != name));
    }
}

fn read(sample: &Sample<'_>) -> Read {
    check_labels(sample.labels());
    if let Some(exemplar) = sample.exemplar() {
        check_labels(exemplar.labels);
    }
    assert!(sample.name.raw.starts_with(sample.family()));
    assert!(!tsdb::sample::is_stale(sample.value));
    (sample.to_labels(), sample.value.to_bits(), sample.time)
}

fn all(body: &[u8], format: Format) -> Result<Vec<Read>, ParseError> {
    let (mut samples, mut lines) = (Vec::new(), 0);
    let mut parser = Parser::new(body, format, LIMITS)?;
    loop {
        match parser.next_event() {
            Ok(Some(Event::Sample(sample))) => {
                samples.push(read(sample));
                let alone = format!("{} 1\n# EOF\n", sample.series);
                let mut again = Parser::new(alone.as_bytes(), format, LIMITS).unwrap();
                let Ok(Some(Event::Sample(same))) = again.next_event() else { panic!("{alone}") };
                assert_eq!(same.series, sample.series);
                assert_eq!(same.to_labels(), sample.to_labels());
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(samples),
            Err(error) => {
                assert!(matches!(parser.next_event(), Ok(None)));
                assert!(error.line as usize <= body.split(|byte| *byte == b'\n').count());
                assert!(!error.to_string().is_empty());
                return Err(error);
            }
        }
        lines += 1;
        assert!(lines <= body.len());
    }
}

/// The samples as the text format writes them, every name in quotes.
fn written(samples: &[Read]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
    let mut out = String::new();
    for (labels, bits, time) in samples {
        let _ = write!(out, "{{\"{}\"", quoted(labels.name()));
        for (name, value) in labels.iter().filter(|(name, _)| *name != "__name__") {
            let _ = write!(out, ",\"{}\"=\"{}\"", quoted(name), quoted(value));
        }
        let _ = write!(out, "}} {:?}", f64::from_bits(*bits));
        // The text format writes no time before 1970.
        if let Some(time) = time.filter(|time| *time >= 0) {
            let _ = write!(out, " {time}");
        }
        out.push('\n');
    }
    out
}

fuzz_target!(|body: &[u8]| {
    for format in [Format::Text, Format::OpenMetrics] {
        let Ok(samples) = all(body, format) else { continue };
        let text = written(&samples);
        let limits = Limits { body_bytes: usize::MAX, line_bytes: usize::MAX, ..Limits::default() };
        let mut parser = Parser::new(text.as_bytes(), Format::Text, limits).unwrap();
        for (labels, bits, time) in &samples {
            let Ok(Some(Event::Sample(sample))) = parser.next_event() else { panic!("{text}") };
            assert_eq!(&sample.to_labels(), labels);
            assert_eq!(sample.value.to_bits(), *bits);
            assert_eq!(sample.time, time.filter(|time| *time >= 0));
        }
        assert!(matches!(parser.next_event(), Ok(None)));
    }
});
