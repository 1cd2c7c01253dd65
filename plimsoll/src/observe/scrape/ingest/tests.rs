use std::sync::Arc;

use tempfile::TempDir;
use tsdb::promql::{self, Value};
use tsdb::relabel::{Rule, RuleText};
use tsdb::store::{Options, Store};

use super::*;
use crate::config::model::observe::ScrapeLimits;

/// A time in the store, milliseconds.
const START: i64 = 1_700_000_000_000;

struct World {
    ingest: Ingest,
    storage: Storage,
    intake: Intake,
    target: Labels,
    is_promised: bool,
    expires_at: Option<i64>,
    _folder: TempDir,
}

fn rule(action: &str, source: &str, regex: &str) -> Rule {
    let is_of_names = action.starts_with("label");
    Rule::new(&RuleText {
        source_labels: if is_of_names { vec![] } else { vec![source.to_owned()] },
        regex: Some(regex.to_owned()),
        action: Some(action.to_owned()),
        ..RuleText::default()
    })
    .unwrap()
}

impl World {
    fn new() -> Self {
        Self::with_series(1000)
    }

    fn with_series(series_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { series_max, ..Options::default() };
        let (store, _) = Store::open(folder.path(), options, START).unwrap();
        let limits = ScrapeLimits {
            body_bytes: 1 << 20,
            samples: 50,
            labels: 8,
            label_name_bytes: 30,
            label_value_bytes: 60,
        };
        Self {
            ingest: Ingest::default(),
            storage: Storage::new(Arc::new(store), Vec::new()),
            intake: Intake {
                honor_labels: false,
                honor_timestamps: true,
                metric_relabel: Arc::new([]),
                limits,
            },
            target: Labels::from_pairs([("job", "j"), ("instance", "i")]),
            is_promised: true,
            expires_at: None,
            _folder: folder,
        }
    }

    /// A scrape of a page so many seconds after the start; says how it went.
    fn scrape(&mut self, second: i64, page: &str) -> Result<Counts, String> {
        let at = START + second * 1000;
        let Self { target, intake, is_promised, expires_at, .. } = self;
        let (is_promised, expires_at) = (*is_promised, *expires_at);
        let scrape = Scrape { target, intake, at, is_promised, expires_at };
        let read = self.ingest.read(page.as_bytes(), Format::Text, &scrape);
        let words = read.failure.as_ref().map(Failure::to_string);
        let stored = self.ingest.store(&read, 0.25, &scrape, &self.storage, at);
        let unplaced = stored.unplaced.map(|(count, reason)| format!("{count}: {reason}"));
        words.or(unplaced).map_or(Ok(read.counts), Err)
    }

    /// Nobody was there.
    fn miss(&mut self, second: i64) {
        let at = START + second * 1000;
        let Self { target, intake, is_promised, expires_at, .. } = self;
        let (is_promised, expires_at) = (*is_promised, *expires_at);
        let scrape = Scrape { target, intake, at, is_promised, expires_at };
        let failure = Some(Failure::Connection("connection refused".to_owned()));
        let read = Read { counts: Counts::default(), failure };
        self.ingest.store(&read, 0.5, &scrape, &self.storage, at);
    }

    /// The answer of a query, one line a series.
    fn ask(&self, second: i64, query: &str) -> String {
        let query = promql::parse(query).unwrap();
        let (at, limits) = (START + second * 1000, promql::Limits::default());
        let outcome = promql::instant(&query, &**self.storage.store(), at, &limits).unwrap();
        let mut lines: Vec<String> = match outcome.value {
            Value::Vector(elements) => elements
                .iter()
                .map(|element| format!("{} {}", element.labels, element.value))
                .collect(),
            other => panic!("{other:?}"),
        };
        lines.sort();
        lines.join("\n")
    }

    fn hold(&self, second: i64, query: &str, expected: &[&str]) {
        assert_eq!(self.ask(second, query), expected.join("\n"), "{query} at {second}");
    }
}

#[test]
fn of_labels_that_give_way_the_shorter_name_chooses_first() {
    let text = "a{x=\"1\",exported_x=\"2\"} 5\n";
    let target = Labels::from_pairs([("x", "t"), ("exported_x", "u")]);
    let mut parser = Parser::new(text.as_bytes(), Format::Text, Limits::default()).unwrap();
    let Some(Event::Sample(sample)) = parser.next_event().unwrap() else { panic!("no sample") };
    let expected = Labels::from_pairs([
        (NAME, "a"),
        ("x", "t"),
        ("exported_x", "u"),
        ("exported_exported_x", "1"),
        ("exported_exported_exported_x", "2"),
    ]);
    assert_eq!(identity::renamed(sample, &target), expected);
}

#[test]
fn a_page_becomes_series_with_the_labels_of_the_target() {
    let mut world = World::new();
    let page = "# TYPE a counter\na{x=\"1\"} 5\na{x=\"2\",instance=\"own\",exported_instance=\"e\"} 6\n\
                b NaN\nc +Inf\n";
    let counts = world.scrape(0, page).unwrap();
    assert_eq!(counts, Counts { scraped: 4, kept: 4, added: 4 });
    world.hold(
        1,
        "a",
        &[
            r#"a{exported_exported_instance="own", exported_instance="e", instance="i", job="j", x="2"} 6"#,
            r#"a{instance="i", job="j", x="1"} 5"#,
        ],
    );
    world.hold(1, "c", &[r#"c{instance="i", job="j"} inf"#]);
    world.hold(
        1,
        r#"{__name__=~"up|scrape_.*"}"#,
        &[
            r#"scrape_duration_seconds{instance="i", job="j"} 0.25"#,
            r#"scrape_samples_post_metric_relabeling{instance="i", job="j"} 4"#,
            r#"scrape_samples_scraped{instance="i", job="j"} 4"#,
            r#"scrape_series_added{instance="i", job="j"} 4"#,
            r#"up{instance="i", job="j"} 1"#,
        ],
    );
    let counts = world.scrape(15, page).unwrap();
    assert_eq!(counts, Counts { scraped: 4, kept: 4, added: 0 });
}

#[test]
fn labels_of_the_series_win_where_they_are_honored() {
    let mut world = World::new();
    world.intake.honor_labels = true;
    world.scrape(0, "a{instance=\"own\"} 1\nb{instance=\"\"} 2\nc 3\n").unwrap();
    world.hold(1, "a", &[r#"a{instance="own", job="j"} 1"#]);
    world.hold(1, "b", &[r#"b{job="j"} 2"#]);
    world.hold(1, "c", &[r#"c{instance="i", job="j"} 3"#]);
}

#[test]
fn rules_drop_and_rewrite_series() {
    let mut world = World::new();
    world.intake.metric_relabel =
        Arc::new([rule("drop", "__name__", "noise_.*"), rule("labeldrop", "", "x")]);
    for second in [0, 15] {
        let counts = world.scrape(second, "noise_1 1\na{x=\"1\"} 5\nnoise_2 1\n").unwrap();
        assert_eq!((counts.scraped, counts.kept), (3, 1));
    }
    world.hold(16, r#"{__name__=~"a|noise.*"}"#, &[r#"a{instance="i", job="j"} 5"#]);
    world.intake.metric_relabel = Arc::new([rule("labeldrop", "", "__name__")]);
    world.ingest.change();
    let words = "a{x=\"1\"}: no `__name__` is left after metric_relabel";
    assert_eq!(world.scrape(30, "a{x=\"1\"} 5\n").unwrap_err(), words);
}

#[test]
fn a_series_that_is_gone_ends_at_once() {
    let mut world = World::new();
    world.scrape(0, "a 1\nb 2\nc 3\n").unwrap();
    world.scrape(15, "a 1\nc 3\n").unwrap();
    world.hold(14, "b", &[r#"b{instance="i", job="j"} 2"#]);
    world.hold(16, "b", &[]);
    world.hold(16, "a", &[r#"a{instance="i", job="j"} 1"#]);
    // And when it is back, it is a new one to the scrape.
    assert_eq!(world.scrape(30, "b 7\na 1\nc 3\n").unwrap().added, 1);
    world.hold(31, "b", &[r#"b{instance="i", job="j"} 7"#]);
}

#[test]
fn the_same_series_in_other_words_goes_on() {
    let mut world = World::new();
    world.scrape(0, "a{x=\"1\",y=\"2\"} 1\nb 1\n").unwrap();
    world.scrape(15, "b 1\na{y=\"2\", x=\"1\"} 3\n").unwrap();
    world.hold(16, "a", &[r#"a{instance="i", job="j", x="1", y="2"} 3"#]);
}

#[test]
fn a_failed_scrape_ends_all_series_and_says_that_it_is_down() {
    let mut world = World::new();
    world.scrape(0, "a 1\nb 2\n").unwrap();
    world.miss(15);
    world.hold(16, "a", &[]);
    world.hold(16, "up", &[r#"up{instance="i", job="j"} 0"#]);
    world.hold(
        16,
        "scrape_duration_seconds",
        &[r#"scrape_duration_seconds{instance="i", job="j"} 0.5"#],
    );
    world.miss(30);
    assert_eq!(world.scrape(45, "a 1\nb 2\n").unwrap().added, 0);
    world.hold(46, "a", &[r#"a{instance="i", job="j"} 1"#]);
    // One end for one failure, not one for each.
    world.hold(46, "count_over_time(a[1m])", &[r#"{instance="i", job="j"} 2"#]);
}

#[test]
fn half_a_page_is_none() {
    let mut world = World::new();
    world.scrape(0, "a 1\nb 2\n").unwrap();
    let words = world.scrape(15, "a 2\nnew 1\nb two\n").unwrap_err();
    assert!(words.starts_with("line 3, column 3: found `two`"), "{words}");
    world.hold(16, r#"{__name__=~"a|b|new"}"#, &[]);
    world.hold(16, "up", &[r#"up{instance="i", job="j"} 0"#]);
    assert_eq!(world.scrape(30, "a 3\nnew 1\n").unwrap().added, 1);
    world.hold(31, "a", &[r#"a{instance="i", job="j"} 3"#]);
}

#[test]
fn own_times_are_kept_and_not_watched() {
    let mut world = World::new();
    world.scrape(10, &format!("a 1 {}\nb 2\n", START + 5_000)).unwrap();
    world.hold(
        11,
        "timestamp(a)",
        &[&format!(r#"{{instance="i", job="j"}} {}"#, (START + 5_000) / 1000)],
    );
    world.scrape(25, "c 1\n").unwrap();
    world.hold(26, "a", &[r#"a{instance="i", job="j"} 1"#]);
    world.hold(26, "b", &[]);
    world.intake.honor_timestamps = false;
    world.scrape(40, &format!("d 1 {}\n", START + 5_000)).unwrap();
    world.scrape(55, "c 1\n").unwrap();
    world.hold(41, "d", &[r#"d{instance="i", job="j"} 1"#]);
    world.hold(56, "d", &[]);
}

#[test]
fn more_than_is_allowed_fails_whole_and_names_the_bound() {
    let page = |count: usize| (0..count).map(|n| format!("a{{n=\"{n}\"}} 1\n")).collect::<String>();
    let long = "v".repeat(61);
    for (page, words) in [
        (page(72), "72 samples, more than 50 (observe.scrape.max_samples)".to_owned()),
        (
            "a{b=\"1\",c=\"2\",d=\"3\",e=\"4\",f=\"5\",g=\"6\"} 1\n".to_owned(),
            "a has 9 labels, more than 8 (observe.scrape.max_labels)".to_owned(),
        ),
        (
            format!("a{{x{}=\"1\"}} 1\n", "n".repeat(30)),
            format!(
                "a has a label `x{}` of 31 bytes, more than 30 (observe.scrape.max_label_name)",
                "n".repeat(30)
            ),
        ),
        (
            format!("a{{b=\"{long}\"}} 1\n"),
            "a has a value of the label `b` of 61 bytes, more than 60 \
             (observe.scrape.max_label_value)"
                .to_owned(),
        ),
    ] {
        let mut world = World::new();
        world.scrape(0, "fine 1\n").unwrap();
        assert_eq!(world.scrape(15, &page).unwrap_err(), words);
        world.hold(16, r#"{__name__=~"a|fine"}"#, &[]);
        world.hold(16, "up", &[r#"up{instance="i", job="j"} 0"#]);
    }
    let mut world = World::new();
    world.scrape(0, &page(50)).unwrap();
    // What rules drop does not count.
    world.intake.metric_relabel = Arc::new([rule("drop", "n", "5.")]);
    world.ingest.change();
    world.scrape(15, &page(60)).unwrap();
    world.hold(16, "count(a)", &["{} 50"]);
}

#[test]
fn a_target_that_is_no_more_ends_with_its_report() {
    let mut world = World::new();
    world.scrape(0, "a 1\n").unwrap();
    let now = START + 8_000;
    world.ingest.end(&world.storage, now, now);
    world.hold(
        7,
        r#"{__name__=~"a|up"}"#,
        &[r#"a{instance="i", job="j"} 1"#, r#"up{instance="i", job="j"} 1"#],
    );
    world.hold(9, r#"{job="j"}"#, &[]);
    // A scrape that was under way comes too late.
    world.scrape(10, "a 1\n").unwrap();
    world.hold(11, r#"{job="j"}"#, &[]);
}

#[test]
fn another_treatment_ends_what_it_does_not_make() {
    let mut world = World::new();
    world.scrape(0, "a 1\nb 1\n").unwrap();
    world.intake.metric_relabel = Arc::new([rule("drop", "__name__", "b")]);
    world.ingest.change();
    world.scrape(15, "a 1\nb 1\n").unwrap();
    world.hold(16, "a", &[r#"a{instance="i", job="j"} 1"#]);
    world.hold(16, "b", &[]);
}

#[test]
fn who_has_promised_nothing_is_not_down() {
    let mut world = World::new();
    world.is_promised = false;
    world.miss(0);
    assert_eq!(world.scrape(15, "<html>\n").unwrap_err().split(' ').next(), Some("line"));
    assert_eq!(world.scrape(30, "").unwrap_err(), "its page of metrics is empty");
    world.hold(31, r#"{job="j"}"#, &[]);
    world.scrape(45, "a 1\n").unwrap();
    world.hold(46, "up", &[r#"up{instance="i", job="j"} 1"#]);
}

#[test]
fn a_full_store_keeps_the_series_that_it_has() {
    let mut world = World::with_series(8);
    world.scrape(0, "a 1\nb 1\n").unwrap();
    let words = world.scrape(15, "a 2\nb 2\nc 2\nd 2\ne 2\n").unwrap_err();
    assert!(words.starts_with("2: no new series: there are 8 with young samples"), "{words}");
    world.hold(16, "sum(a) + sum(b) + sum(c)", &["{} 6"]);
    world.hold(16, "up", &[r#"up{instance="i", job="j"} 1"#]);
}

#[test]
fn metadata_is_what_the_last_good_page_says() {
    let mut world = World::new();
    let help = "h".repeat(2000);
    let page = format!("# HELP a Some \\\\ {help}\n# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n");
    world.scrape(0, &page).unwrap();
    let told: Vec<_> = world
        .ingest
        .metadata()
        .iter()
        .map(|(family, told)| (family.to_owned(), told.kind.as_str(), told.help.len()))
        .collect();
    assert_eq!(told, [("a".to_owned(), "counter", 1024), ("b".to_owned(), "gauge", 0)]);
    world.scrape(15, "# TYPE b gauge\nb 1\n").unwrap();
    assert_eq!(world.ingest.metadata().iter().count(), 1);
}

#[test]
fn the_end_of_a_certificate_stands_beside_up() {
    let mut world = World::new();
    let series = |end: &str| format!("{EXPIRY}{{instance=\"i\", job=\"j\"}} {end}");
    world.expires_at = Some(1_800_000_000);
    world.scrape(0, "a 1\n").unwrap();
    world.hold(0, EXPIRY, &[&series("1800000000")]);
    // A certificate that is over lets no scrape succeed.
    world.expires_at = Some(1_700_000_000);
    world.miss(10);
    world.hold(10, EXPIRY, &[&series("1700000000")]);
    world.hold(10, "up == 0", &["up{instance=\"i\", job=\"j\"} 0"]);
    world.expires_at = None;
    world.miss(20);
    world.hold(20, EXPIRY, &[]);
    world.expires_at = Some(1_900_000_000);
    world.scrape(30, "a 1\n").unwrap();
    world.hold(30, EXPIRY, &[&series("1900000000")]);
    // What the target says of others is meant.
    world.scrape(40, &format!("{EXPIRY} 5\n")).unwrap();
    world.hold(40, EXPIRY, &[&series("5")]);
    world.scrape(50, &format!("{EXPIRY} 6\n")).unwrap();
    world.hold(50, EXPIRY, &[&series("6")]);
    world.miss(60);
    world.hold(60, EXPIRY, &[]);
}

#[test]
fn the_end_of_a_certificate_ends_with_the_target() {
    let mut world = World::new();
    world.expires_at = Some(1_800_000_000);
    world.scrape(0, "a 1\n").unwrap();
    let at = START + 10_000;
    world.ingest.end(&world.storage, at, at);
    world.hold(10, EXPIRY, &[]);
}
