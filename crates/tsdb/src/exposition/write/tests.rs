use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;

/// One case of a table: what it is, what is written, the text expected.
type Case = (&'static str, fn(&mut Exposition), &'static str);

const CASES: &[Case] = &[
    ("nothing at all", |_| {}, ""),
    (
        "a family without samples",
        |out| {
            out.family("idle", Kind::Gauge, "Never set.");
        },
        "",
    ),
    (
        "samples with and without labels",
        |out| {
            out.family("requests_total", Kind::Counter, "Requests.")
                .sample(&[], 3.0)
                .sample(&[("service", "web"), ("code", "200")], 1027.0);
        },
        "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total 3\n\
         requests_total{service=\"web\",code=\"200\"} 1027\n",
    ),
    (
        "families of one name from several parts are one family",
        |out| {
            out.family("a", Kind::Gauge, "").sample(&[("part", "one")], 1.0);
            out.family("b", Kind::Gauge, "B.").sample(&[], 2.0);
            out.family("a", Kind::Gauge, "A.").sample(&[("part", "two")], 3.0);
            out.family("a", Kind::Gauge, "Other words.");
        },
        "# HELP a A.\n# TYPE a gauge\na{part=\"one\"} 1\na{part=\"two\"} 3\n\
         # HELP b B.\n# TYPE b gauge\nb 2\n",
    ),
    (
        "escapes in help and label values",
        |out| {
            out.family("a", Kind::Gauge, "one\\two\n\"three\"")
                .sample(&[("path", "C:\\x\n\"y\" é {,}")], 1.0);
        },
        "# HELP a one\\\\two\\n\"three\"\n# TYPE a gauge\n\
         a{path=\"C:\\\\x\\n\\\"y\\\" é {,}\"} 1\n",
    ),
    (
        "floats",
        |out| {
            let mut family = out.family("a", Kind::Gauge, "");
            for value in [
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::NAN,
                0.0,
                -1.5,
                0.1,
                1e-9,
                1e300,
                1_763_690_000.123,
                9_007_199_254_740_993.0,
            ] {
                family.sample(&[], value);
            }
        },
        "# TYPE a gauge\na +Inf\na -Inf\na NaN\na 0\na -1.5\na 0.1\na 1e-9\na 1e300\n\
         a 1763690000.123\na 9007199254740992\n",
    ),
    (
        "a histogram",
        |out| {
            out.family("took_seconds", Kind::Histogram, "Time.").histogram(
                &[("service", "web")],
                &[(0.005, 2), (0.1, 5), (1.0, 5)],
                0.75,
                6,
            );
        },
        "# HELP took_seconds Time.\n# TYPE took_seconds histogram\n\
         took_seconds_bucket{service=\"web\",le=\"0.005\"} 2\n\
         took_seconds_bucket{service=\"web\",le=\"0.1\"} 5\n\
         took_seconds_bucket{service=\"web\",le=\"1\"} 5\n\
         took_seconds_bucket{service=\"web\",le=\"+Inf\"} 6\n\
         took_seconds_sum{service=\"web\"} 0.75\ntook_seconds_count{service=\"web\"} 6\n",
    ),
    (
        "a histogram read while it was written still adds up",
        |out| {
            out.family("a", Kind::Histogram, "").histogram(
                &[("le", "no")],
                &[(1.0, 5), (2.0, 4), (f64::INFINITY, 9)],
                1.0,
                3,
            );
        },
        "# TYPE a histogram\na_bucket{le=\"1\"} 5\na_bucket{le=\"2\"} 5\na_bucket{le=\"+Inf\"} 5\n\
         a_sum 1\na_count 5\n",
    ),
    (
        "names outside the alphabet",
        |out| {
            out.family("9 lives-é", Kind::Gauge, "")
                .sample(&[("a:b", "1"), ("a_b", "2"), ("", "3")], 1.0);
            out.family("a:b", Kind::Gauge, "").sample(&[], 2.0);
        },
        "# TYPE _9_lives__ gauge\n_9_lives__{a_b=\"1\",_=\"3\"} 1\n# TYPE a:b gauge\na:b 2\n",
    ),
    (
        "one name as two kinds",
        |out| {
            out.family("a", Kind::Gauge, "").sample(&[], 1.0);
            out.family("a", Kind::Counter, "").sample(&[], 2.0);
            out.family("b", Kind::Histogram, "").sample(&[], 3.0);
        },
        "# TYPE a untyped\na 1\na 2\n# TYPE b untyped\nb 3\n",
    ),
];

#[test]
fn writes_what_the_format_says() {
    for (what, write, expected) in CASES {
        let mut out = Exposition::new();
        write(&mut out);
        assert_eq!(out.finish(), *expected, "{what}");
    }
}

/// A sample read back: name, labels in order, the text of the value.
type Sample = (String, Vec<(String, String)>, String);

/// A reader as strict as the format's words: every line must be well formed.
fn read(text: &str) -> (BTreeMap<String, String>, Vec<Sample>) {
    let (mut kinds, mut samples) = (BTreeMap::new(), Vec::new());
    let mut helped = HashSet::new();
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name.to_owned()), "{name} helped twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else {
            samples.push(read_sample(line));
        }
    }
    (kinds, samples)
}

fn read_sample(line: &str) -> Sample {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()), "{line}");
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
            assert!(!label.is_empty() && !label.starts_with(|c: char| c.is_ascii_digit()));
            let (value, after) = read_quoted(after);
            labels.push((label.to_owned(), value));
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',').unwrap();
        }
    }
    (name.to_owned(), labels, rest.strip_prefix(' ').unwrap().to_owned())
}

fn read_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => value.push('\n'),
                other => {
                    assert!(other == '"' || other == '\\');
                    value.push(other);
                }
            },
            _ => value.push(c),
        }
    }
    panic!("no end of the value in {text}");
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

proptest! {
    /// Whatever is handed in reads back: values without loss, label values without change,
    /// every family in one piece.
    #[test]
    fn reads_back(
        samples in prop::collection::vec(
            ("[a-e]{1,2}", "\\PC*|[\"\\\\\n]{0,6}", any::<f64>(), "\\PC{0,4}|[\\\\\n]{1,3}"),
            0..40,
        )
    ) {
        let mut out = Exposition::new();
        for (name, label, value, help) in &samples {
            out.family(name, Kind::Gauge, help).sample(&[("label", label)], *value);
        }
        let text = out.finish();
        let (kinds, found) = read(&text);
        prop_assert!(kinds.values().all(|kind| kind == "gauge"));
        prop_assert_eq!(found.len(), samples.len());
        // Grouped by name in the order of first mention, and in order within.
        let mut order: Vec<&str> = Vec::new();
        for (name, ..) in &samples {
            if !order.contains(&name.as_str()) {
                order.push(name);
            }
        }
        let expected = order.iter().flat_map(|name| samples.iter().filter(move |s| s.0 == *name));
        for (expected, found) in expected.zip(&found) {
            prop_assert_eq!(&expected.0, &found.0);
            prop_assert_eq!(&expected.1, &found.1[0].1);
            let value: f64 = found.2.replace("Inf", "inf").parse().unwrap();
            prop_assert!(same(value, expected.2), "{} is not {}", found.2, expected.2);
        }
    }

    /// Names of any kind still give lines that parse, and no declaration is repeated.
    #[test]
    fn any_name_can_be_scraped(
        families in prop::collection::vec(("\\PC{0,6}|[\n\" {}]{0,3}", "\\PC{0,6}", 0..3u8), 0..20)
    ) {
        let mut out = Exposition::new();
        for (name, label, kind) in &families {
            let labels = [(label.as_str(), "1"), ("le", "2"), ("le", "3")];
            match kind {
                0 => out.family(name, Kind::Gauge, name).sample(&labels, 1.0),
                1 => out.family(name, Kind::Counter, name).sample(&labels, 1.0),
                _ => out.family(name, Kind::Histogram, name).histogram(&labels, &[], 0.0, 1),
            };
        }
        for (_, labels, _) in read(&out.finish()).1 {
            let names: HashSet<&String> = labels.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(names.len(), labels.len(), "a label twice: {:?}", labels);
        }
    }

    /// Buckets rise and end in the count, whatever the counters said.
    #[test]
    fn histograms_add_up(counts in prop::collection::vec(any::<u32>(), 0..10), count in any::<u32>()) {
        let buckets: Vec<(f64, u64)> =
            counts.iter().enumerate().map(|(at, count)| (at as f64, u64::from(*count))).collect();
        let mut out = Exposition::new();
        out.family("a", Kind::Histogram, "").histogram(&[], &buckets, 1.0, u64::from(count));
        let (_, samples) = read(&out.finish());
        let values: Vec<u64> = samples
            .iter()
            .filter(|(name, ..)| name == "a_bucket")
            .map(|(.., value)| value.parse().unwrap())
            .collect();
        prop_assert!(values.is_sorted());
        let last: u64 = samples.last().unwrap().2.parse().unwrap();
        prop_assert_eq!(values.last(), Some(&last));
    }
}
