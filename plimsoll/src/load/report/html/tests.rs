use std::time::Duration;

use super::*;
use crate::load::compare::{Options, compare};
use crate::load::report::samples;
use crate::load::report::svg::style::PALETTE;
use crate::load::tally::Latencies;

fn facts<'a>(warnings: &'a [String], thresholds: &'a [(String, bool, String)]) -> Facts<'a> {
    Facts { warnings, thresholds }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    for (name, results) in samples::all() {
        let page = page(&results, Facts::default());
        assert!(page.contains("default-src 'none'"));
        for loads in
            ["src=\"", "href=", "@import", "url(h", "fetch(", "XMLHttp", "import(", "//cdn"]
        {
            assert!(!page.contains(loads), "{name}: {loads}");
        }
        let namespace = "http://www.w3.org/2000/svg";
        let others = page.replace(namespace, "").replace(&results.run.command, "");
        assert!(!others.contains("http://") && !others.contains("https://"), "{name}");
    }
}

#[test]
fn hostile_words_stay_words() {
    let hostile = samples::HOSTILE.to_owned();
    let warnings = [hostile.clone()];
    let thresholds = [(hostile.clone(), false, hostile)];
    let results = samples::hostile();
    let page = page(&results, facts(&warnings, &thresholds));
    let mut found = compare((samples::HOSTILE, &results), ("b", &results), &Options::default());
    found.warnings.push(samples::HOSTILE.to_owned());
    let both = compare_page(&found, [&results, &results]);
    for page in [page, both] {
        assert!(!page.contains("<script>alert"));
        assert!(!page.contains("<img"));
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
        assert!(!page.contains('\u{0}') && !page.contains('\u{1b}'));
    }
}

#[test]
fn what_the_script_reads_is_what_the_figures_are() {
    let results = samples::hostile();
    let page = page(&results, Facts::default());
    let begin = page.find("id=\"data\">").unwrap() + 10;
    let end = begin + page[begin..].find("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(&page[begin..end]).unwrap();
    let list = data["figures"].as_array().unwrap();
    assert_eq!(list.len(), figures(&results).len());
    assert_eq!(page.matches("data-figure=").count(), list.len());
    let read = list[0].to_string() + &list[list.len() - 1].to_string();
    assert!(read.contains("</script><script>alert(1)"), "names are read as they were");
}

#[test]
fn the_verdict_is_the_gravest_that_can_be_said() {
    let held = ("p99<50ms".to_owned(), true, "12 ms".to_owned());
    let missed = ("errors<0.1%".to_owned(), false, "0.3 %".to_owned());
    for (results, thresholds, class, words) in [
        (samples::empty(), vec![], "verdict bad", "No request was made"),
        (
            samples::all_failed(),
            vec![held.clone()],
            "verdict bad",
            "Every request failed: not connected: connection refused by 127.0.0.1:9999",
        ),
        (samples::one_request(), vec![], "verdict", "No request failed"),
        (samples::one_request(), vec![held.clone()], "verdict good", "The threshold held"),
        (samples::one_request(), vec![missed.clone()], "verdict bad", "The threshold did not hold"),
        (
            samples::one_request(),
            vec![held, missed],
            "verdict bad",
            "1 of 2 thresholds did not hold",
        ),
    ] {
        let page = page(&results, facts(&[], &thresholds));
        let line = format!("<p class=\"{class}\"><bdi>{words}</bdi></p>");
        assert!(page.contains(&line), "{words}");
    }
}

#[test]
fn warnings_stand_before_the_figures() {
    let warnings = ["the tester was the limit".to_owned()];
    let page = page(&samples::one_request(), facts(&warnings, &[]));
    let at = |text: &str| page.find(text).unwrap();
    assert!(at("the tester was the limit") < at("class=\"tiles\""));
}

#[test]
fn the_page_says_what_its_model_means() {
    let open = page(&samples::one_request(), Facts::default());
    assert!(open.contains("Open model:") && !open.contains("Closed model:"));
    let closed = page(&samples::one_instance(), Facts::default());
    assert!(closed.contains("Closed model:") && !closed.contains("Open model:"));
}

#[test]
fn a_page_is_small_however_long_the_run_was() {
    for (seconds, most) in [(600, 400_000), (1500, 700_000)] {
        let bytes = page(&samples::stalled(seconds), Facts::default()).len();
        assert!(bytes < most, "{seconds} s: {bytes} bytes");
    }
    let bytes = page(&samples::many_instances(), Facts::default()).len();
    assert!(bytes < 400_000, "{bytes} bytes");
}

#[test]
fn page_and_pictures_have_the_same_colours() {
    for (index, colour) in PALETTE.iter().enumerate() {
        assert!(STYLE.contains(&format!("--c{index}:light-dark({colour},")), "{colour}");
    }
}

/// Two runs whose first five seconds are much slower than the rest.
fn warmed_up_runs() -> [Results; 2] {
    let slow_at_first = |mut results: Results| {
        for bucket in &mut results.timeline.buckets[..5] {
            bucket.response_time = Latencies::default();
            (0..bucket.requests).for_each(|_| {
                bucket.response_time.record(Duration::from_secs(9));
                results.total.response_time.record(Duration::from_secs(9));
            });
        }
        results
    };
    [samples::stalled(60), samples::stalled(40)].map(slow_at_first)
}

#[test]
fn a_comparison_tells_the_figures_of_its_verdict_and_no_others() {
    let [a, b] = warmed_up_runs();
    let options = Options { warm_up: Some(Duration::from_secs(6)), ..Options::default() };
    let found = compare(("before.json", &a), ("after.json", &b), &options);
    let page = compare_page(&found, [&a, &b]);
    let text = found.text(false);
    assert_eq!(page.matches("<th scope=\"row\">").count(), found.differences.len());
    assert!(found.differences.iter().any(|difference| difference.measured.name() == "errors"));
    for row in found.rows() {
        let line = text.lines().find(|line| line.trim_start().starts_with(&row[0])).unwrap();
        let at = page.find(&format!("<th scope=\"row\">{}</th>", row[0])).unwrap();
        let shown = &page[at..at + page[at..].find("</tr>").unwrap()];
        for cell in &row[1..] {
            assert!(line.contains(cell.as_str()), "{cell} in {line}");
            assert!(shown.contains(&format!(">{}</td>", markup(cell))), "{cell} in {shown}");
        }
    }
    // Which is which, the verdict, and what was cut.
    assert!(page.contains("a: <bdi>before.json</bdi><br>b: <bdi>after.json</bdi>"));
    assert!(page.contains(&markup(&found.words)));
    for side in [&found.a, &found.b] {
        assert!(page.contains(&markup(&side.words())), "{}", side.words());
    }
    assert!(page.contains("are of a without its first 6 s and b without its first 6 s."));
    // Nor does the curve know the warm-up, which the whole runs' slowest tenth was.
    let curves = page.find("id=\"data\">").map(|at| &page[at..]).unwrap();
    let data = &curves[10..curves.find("</script>").unwrap()];
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let percentiles = &data["figures"][0];
    assert_eq!(percentiles["id"], "percentiles");
    for (series, name) in [(0, "a: before.json"), (1, "b: after.json")] {
        let series = &percentiles["content"]["series"][series];
        assert_eq!(series["name"], name);
        let slowest =
            series["values"].as_array().unwrap().iter().filter_map(|value| value.as_f64());
        assert!(slowest.fold(0.0, f64::max) < 6.0);
    }
}

#[test]
fn a_comparison_warns_as_the_terminal_does() {
    let (open, closed) = (samples::stalled(30), samples::one_instance());
    let found = compare(("a.json", &open), ("b.json", &closed), &Options::default());
    let page = compare_page(&found, [&open, &closed]);
    assert!(!found.warnings.is_empty());
    for warning in &found.warnings {
        assert!(page.contains(&format!("<li><bdi>{}</bdi></li>", markup(warning))), "{warning}");
    }
}

#[test]
fn too_short_runs_have_no_numbers_beside_the_verdict() {
    let short = samples::one_request();
    let found = compare(("a.json", &short), ("b.json", &short), &Options::default());
    let page = compare_page(&found, [&short, &short]);
    assert!(page.contains("Too short to compare") && !page.contains("<table"));
}

/// On a narrow screen every cell stands under its row's head and brings the head of its column.
#[test]
fn tables_stack_on_narrow_screens() {
    let thresholds = [("p99<50ms".to_owned(), true, "12 ms".to_owned())];
    let results = samples::stalled(60);
    let found = compare(("a.json", &results), ("b.json", &results), &Options::default());
    for page in [page(&results, facts(&[], &thresholds)), compare_page(&found, [&results; 2])] {
        assert!(page.contains("<table class=\"stack\">"));
        for table in page.split("<table").skip(1).filter(|table| table.starts_with('>')) {
            let heads = table.split("</thead>").next().unwrap();
            assert!(heads.matches("<th ").count() <= 4, "as it is, it is wider than a phone");
        }
        let body = &page[page.find("<body>").unwrap()..page.find("id=\"data\"").unwrap()];
        assert_eq!(body.matches("<td").count(), body.matches("<td data-head=\"").count());
        assert!(!body.contains("data-head=\"\""));
    }
    let begin = STYLE.find("@media screen and (max-width:600px)").unwrap();
    let narrow = &STYLE[begin..STYLE.find("@media print").unwrap()];
    for rule in [
        "thead th{white-space:normal}",
        ".stack tr{display:grid",
        "content:attr(data-head)",
        ".stack .words{grid-column:1/-1}",
    ] {
        assert!(narrow.contains(rule), "{rule}");
    }
}

/// The light and the dark colour that the style sheet gives to a name.
fn colours(name: &str) -> [String; 2] {
    let begin = STYLE.find(&format!("--{name}:light-dark(")).unwrap() + name.len() + 14;
    let inside = STYLE[begin..].split(')').next().unwrap();
    let (light, dark) = inside.split_once(',').unwrap();
    [light.to_owned(), dark.to_owned()]
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: &str) -> f64 {
    let digits = colour.trim_start_matches('#');
    let digits: String = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

#[test]
fn colours_stand_out_from_their_ground() {
    let text = ["text", "soft", "good", "bad", "care", "link"].map(|name| (name, 4.5));
    let lines = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"].map(|name| (name, 3.0));
    let on_card = text.into_iter().chain(lines).map(|(name, least)| (name, "card", least));
    let on_others = [
        ("text", "ground", 4.5),
        ("soft", "ground", 4.5),
        ("good", "good-ground", 4.5),
        ("bad", "bad-ground", 4.5),
        ("text", "care-ground", 4.5),
    ];
    for (name, ground, least) in on_card.chain(on_others) {
        for (colour, ground) in colours(name).iter().zip(colours(ground)) {
            let (one, other) = (luminance(colour), luminance(&ground));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= least, "{name} {colour} on {ground}: {contrast:.2}");
        }
    }
}

#[test]
fn what_was_given_up_is_in_the_table() {
    let (_, mut results) = samples::all().into_iter().next().unwrap();
    results.tester.given_up = 0;
    assert!(!page(&results, Facts::default()).contains("given up under way"));
    results.tester.given_up = 1234;
    let page = page(&results, Facts::default());
    assert!(page.contains("<dt>given up under way</dt><dd><bdi>1\u{a0}234"));
}
