use super::*;
use crate::load::report::samples;
use crate::load::report::svg::style::PALETTE;

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
    let named = |name| Named { name, results: &results };
    let both = compare_page(named(samples::HOSTILE), named("b"), &warnings);
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

#[test]
fn a_comparison_shows_both_and_the_change() {
    let (slow, fast) = (samples::stalled(30), samples::one_instance());
    let page = compare_page(
        Named { name: "before", results: &slow },
        Named { name: "after", results: &fast },
        &["after is faster".to_owned()],
    );
    assert!(page.contains("<p class=\"verdict\"><bdi>after is faster</bdi></p>"));
    assert!(page.contains("their latencies do not mean the same"));
    assert!(page.contains("<th scope=\"row\">p99</th>"));
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
