//! What holds for every body.

use proptest::prelude::*;

use super::*;

/// Labels as a writer takes them.
fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[a-z_][a-z0-9_]{0,6}", any::<String>()), 0..4).prop_filter(
        "the writer keeps the first of a name",
        |labels| {
            let names: std::collections::HashSet<_> = labels.iter().map(|label| &label.0).collect();
            names.len() == labels.len() && !names.contains(&"__name__".to_owned())
        },
    )
}

/// Pieces that meet in bodies, so that chance reaches beyond the first byte.
const PIECES: &[&str] = &[
    "# ",
    "HELP ",
    "TYPE ",
    "UNIT ",
    "EOF",
    "\n",
    "up",
    "a_total",
    "a",
    "took",
    "_bucket",
    "_sum",
    "_created",
    "{",
    "}",
    "\"",
    "=",
    ",",
    "le=\"1\"",
    "job=\"web\"",
    "\\",
    "n",
    " ",
    "\t",
    "1",
    "1.5",
    "NaN",
    "+Inf",
    "e9",
    "# {id=\"1\"} 1",
    " gauge\n",
    " counter\n",
    " histogram\n",
    "é",
    "\r",
    "\u{0}",
    "{\"my.name\",",
    "# EOF\n",
    " 1\n",
    "took_bucket{le=\"0.5\"} 1\n",
];

fn body() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

/// Holds for every body: no panic, and every sample lies in the body and makes valid labels.
fn check(body: &[u8]) -> Result<(), TestCaseError> {
    for format in [Format::Text, Format::OpenMetrics] {
        let limits = Limits { line_bytes: 200, labels: 3, samples: 5, ..Limits::default() };
        let Ok(mut parser) = Parser::new(body, format, limits) else { continue };
        let mut count = 0;
        while let Ok(Some(event)) = parser.next_event() {
            let Event::Sample(sample) = event else { continue };
            count += 1;
            prop_assert!(sample.labels().len() <= 3);
            let names: Vec<_> = sample.labels().iter().map(|label| label.name.text()).collect();
            for (place, name) in names.iter().enumerate() {
                prop_assert!(!name.is_empty() && !names[..place].contains(name));
            }
            // The text of a series means the same in any line.
            let alone = format!("{} 1\n# EOF\n", sample.series);
            let mut again = Parser::new(alone.as_bytes(), format, limits).unwrap();
            let Ok(Some(Event::Sample(same))) = again.next_event() else {
                return Err(TestCaseError::fail(alone));
            };
            prop_assert_eq!(same.series, sample.series);
            prop_assert_eq!(same.to_labels(), sample.to_labels());
        }
        prop_assert!(count <= 5);
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        samples in prop::collection::vec(("[a-c]", labels(), any::<f64>()), 0..8),
    ) {
        let mut exposition = Exposition::new();
        let mut expected = Vec::new();
        for (name, labels, value) in &samples {
            let pairs: Vec<_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
            exposition.family(name, Kind::Gauge, "Help.").sample(&pairs, *value);
            let all = pairs.iter().copied().chain([(crate::labels::NAME, name.as_str())]);
            expected.push((crate::labels::Labels::from_pairs(all), *value));
        }
        // Families are written in the order in which they first came.
        let text = exposition.finish();
        let mut parser = Parser::new(text.as_bytes(), Format::Text, Limits::default()).unwrap();
        while let Some(event) = parser.next_event().unwrap() {
            let Event::Sample(sample) = event else { continue };
            let labels = sample.to_labels();
            let place = expected.iter().position(|(other, value)| {
                *other == labels
                    && (value.to_bits() == sample.value.to_bits()
                        || (value.is_nan() && sample.value.is_nan()))
            });
            prop_assert!(place.is_some(), "{} in\n{}", labels, text);
            expected.remove(place.unwrap_or(0));
        }
        prop_assert!(expected.is_empty(), "{:?} in\n{}", expected, text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn any_pieces_are_read_or_refused(body in body()) {
        check(body.as_bytes())?;
    }

    #[test]
    fn a_valid_body_with_one_byte_changed_is_read_or_refused(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = b"# HELP a A \\n.\n# TYPE a counter\na_total{x=\"\\\"\",y=\"2\"} 1 5 # {id=\"1\"} 2 3\n\
            # TYPE took histogram\ntook_bucket{le=\"+Inf\",x=\"1\"} 1\ntook_bucket{le=\"+Inf\",x=\"2\"} 1\n\
            {\"my.name\",x=\"1\"} 1\n# EOF\n".to_vec();
        prop_assert!(read(&body, Format::OpenMetrics, Limits::default()).is_ok());
        let place = place.index(body.len());
        body[place] = byte;
        check(&body)?;
    }
}
