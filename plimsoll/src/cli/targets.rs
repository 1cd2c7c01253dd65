//! `plimsoll targets`: what is scraped, and what of it fails.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::units;

use super::arguments::targets::TargetsArguments;
use super::client::LOOK_TIMEOUT;
use super::commands::{CommandError, find, painter};
use super::table::{Align, Cell, Colour, Painter, Table};

/// Targets as Prometheus tells them.
const TARGETS: &str = "/prometheus/api/v1/targets";

#[derive(Deserialize)]
struct Answer {
    data: Targets,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
    dropped_targets: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    labels: BTreeMap<String, String>,
    scrape_pool: String,
    #[serde(default)]
    last_error: String,
    last_scrape: Timestamp,
    last_scrape_duration: f64,
    /// Plimsoll's own, and not of every version.
    #[serde(default)]
    last_scrape_samples: Option<u64>,
    health: String,
}

/// How a target is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Down,
    /// It answers, and not with metrics.
    Without,
    /// Not asked yet.
    Waiting,
    Up,
}

impl Target {
    fn standing(&self) -> Standing {
        match self.health.as_str() {
            "up" => Standing::Up,
            "down" => Standing::Down,
            _ if self.was_asked() => Standing::Without,
            _ => Standing::Waiting,
        }
    }

    /// Go's time of nothing yet is before ours begins.
    fn was_asked(&self) -> bool {
        self.last_scrape > Timestamp::UNIX_EPOCH
    }

    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map(String::as_str).unwrap_or_default()
    }

    fn job(&self) -> &str {
        self.labels.get("job").unwrap_or(&self.scrape_pool)
    }
}

impl Standing {
    fn cell(self) -> Cell {
        match self {
            Self::Down => Cell::coloured(Colour::Red, "down"),
            Self::Without => Cell::coloured(Colour::Dim, "no metrics"),
            Self::Waiting => Cell::coloured(Colour::Yellow, "waiting"),
            Self::Up => Cell::coloured(Colour::Green, "up"),
        }
    }
}

/// Shows what is scraped.
pub fn targets(arguments: &TargetsArguments) -> Result<(), CommandError> {
    let client = find(&arguments.connection)?;
    if arguments.json {
        let json: Value = client.ask("GET", TARGETS, LOOK_TIMEOUT)?;
        return Ok(writeln!(io::stdout(), "{json:#}")?);
    }
    let answer: Answer = client.ask("GET", TARGETS, LOOK_TIMEOUT)?;
    let text = picture(answer.data, Timestamp::now(), painter());
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// A headline, the targets, and why some of them fail.
fn picture(targets: Targets, now: Timestamp, painter: Painter) -> String {
    let Targets { mut active_targets, dropped_targets } = targets;
    active_targets.sort_by(|one, other| {
        let key = |target: &Target| (target.standing(), target.job().to_owned());
        (key(one), one.label("instance")).cmp(&(key(other), other.label("instance")))
    });
    let targets = &active_targets;
    let count = |standing| targets.iter().filter(|one| one.standing() == standing).count();
    let down = count(Standing::Down);
    let colour = if down > 0 { Colour::Red } else { Colour::Green };
    let mut out = painter.paint(Some(colour), &format!("{down} down, {} up", count(Standing::Up)));
    for (count, what) in [
        (count(Standing::Without), "without metrics"),
        (count(Standing::Waiting), "not asked yet"),
        (dropped_targets.len(), "dropped by relabelling"),
    ] {
        if count > 0 {
            out.push_str(&format!(", {count} {what}"));
        }
    }
    out.push('\n');
    if !targets.is_empty() {
        out.push('\n');
        out.push_str(&table(targets, now).render(painter));
    }
    let mut gap = "\n";
    for target in targets.iter().filter(|target| !target.last_error.is_empty()) {
        let words = format!("{} {}: {}", target.job(), target.label("instance"), target.last_error);
        let colour = match target.standing() {
            Standing::Down => Colour::Red,
            _ => Colour::Dim,
        };
        out.push_str(gap);
        let words: Vec<String> =
            words.split(' ').map(|word| painter.paint(Some(colour), word)).collect();
        out.push_str(&painter.flow(words.iter().map(String::as_str), " "));
        gap = "";
    }
    out
}

fn table(targets: &[Target], now: Timestamp) -> Table {
    let last = |target: &Target| match target.was_asked() {
        true => units::age(now.duration_since(target.last_scrape).as_secs_f64().max(0.0)),
        false => units::NONE.to_owned(),
    };
    let took =
        |target: &Target| units::latency(target.was_asked().then_some(target.last_scrape_duration));
    let samples = |target: &Target| match target.last_scrape_samples {
        Some(samples) if target.was_asked() => units::count(samples),
        _ => units::NONE.to_owned(),
    };
    let mut table = Table::default();
    let mut column = |heading, align, cell: &dyn Fn(&Target) -> Cell| {
        table.column(heading, align, targets.iter().map(cell));
    };
    column("STATE", Align::Left, &|target| target.standing().cell());
    column("JOB", Align::Left, &|target| Cell::plain(target.job()));
    column("INSTANCE", Align::Left, &|target| Cell::plain(target.label("instance")));
    column("LAST", Align::Right, &|target| Cell::plain(last(target)));
    column("TOOK", Align::Right, &|target| Cell::plain(took(target)));
    column("SAMPLES", Align::Right, &|target| Cell::plain(samples(target)));
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(job: &str, instance: &str, health: &str, error: &str, last: &str) -> Value {
        json!({
            "discoveredLabels": {}, "labels": {"job": job, "instance": instance},
            "scrapePool": "pool", "scrapeUrl": "", "globalUrl": "", "lastError": error,
            "lastScrape": last, "lastScrapeDuration": 0.0123, "lastScrapeSamples": 1234,
            "health": health, "scrapeInterval": "15s", "scrapeTimeout": "10s",
        })
    }

    #[test]
    fn targets_are_shown_the_failing_first() {
        let (ago, never) = ("2026-01-01T00:00:00.25Z", "0001-01-01T00:00:00Z");
        let answer: Answer = serde_json::from_value(json!({"status": "success", "data": {
            "activeTargets": [
                target("node", "b:9100", "up", "", ago),
                target("node", "a:9100", "up", "2 series are not stored: full", ago),
                target("web", "web-1", "unknown", "answered 404 Not Found", ago),
                target("web", "web-2", "unknown", "", never),
                target("zoo", "z:1", "down", "connection\nrefused", ago),
                target("db", "y:1", "down", "not asked", never),
            ],
            "droppedTargets": [{"discoveredLabels": {}, "scrapePool": "x"}],
            "droppedTargetCounts": {"x": 1},
        }}))
        .unwrap();
        let now = "2026-01-01T00:01:05Z".parse().unwrap();
        assert_eq!(
            picture(answer.data, now, Painter::PLAIN),
            "\
2 down, 2 up, 1 without metrics, 1 not asked yet, 1 dropped by relabelling

STATE       JOB   INSTANCE  LAST   TOOK  SAMPLES
down        db    y:1          –      –        –
down        zoo   z:1        1 m  12 ms    1.2 k
no metrics  web   web-1      1 m  12 ms    1.2 k
waiting     web   web-2        –      –        –
up          node  a:9100     1 m  12 ms    1.2 k
up          node  b:9100     1 m  12 ms    1.2 k

db y:1: not asked
zoo z:1: connection?refused
web web-1: answered 404 Not Found
node a:9100: 2 series are not stored: full
"
        );
    }

    #[test]
    fn targets_of_an_older_version_are_shown_too() {
        let mut older = target("node", "a:9100", "up", "", "2026-01-01T00:00:00Z");
        older.as_object_mut().unwrap().remove("lastScrapeSamples");
        let found = serde_json::from_value(json!({"activeTargets": [older], "droppedTargets": []}));
        let shown =
            picture(found.unwrap(), "2026-01-01T00:00:05Z".parse().unwrap(), Painter::PLAIN);
        assert!(shown.ends_with("  12 ms        –\n"), "{shown}");
    }

    #[test]
    fn reasons_are_broken_between_words() {
        let error = "the certificate is not trusted: it was issued by nobody";
        let answer: Answer = serde_json::from_value(json!({"data": {
            "activeTargets": [target("web", "a", "down", error, "2026-01-01T00:00:00Z")],
            "droppedTargets": [],
        }}))
        .unwrap();
        let painter = Painter { colours: false, columns: Some(30) };
        let text = picture(answer.data, "2026-01-01T00:00:01Z".parse().unwrap(), painter);
        let reason = "\nweb a: the certificate is not\n  trusted: it was issued by\n  nobody\n";
        assert!(text.ends_with(reason), "{text}");
    }

    #[test]
    fn nothing_is_no_table() {
        let none = Targets { active_targets: Vec::new(), dropped_targets: Vec::new() };
        assert_eq!(picture(none, Timestamp::UNIX_EPOCH, Painter::PLAIN), "0 down, 0 up\n");
    }
}
