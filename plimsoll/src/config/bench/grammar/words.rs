//! Kinds of values that keys of a plan share.

use serde_json_path::JsonPath;

use super::super::super::kind::{Parsed, Plain, Treatment};
use super::super::super::quantity::{self, Refusal};
use super::super::super::text;
use super::super::load::{self, Users};
use super::super::model::{HttpVersion, Pause, ServedBy, Stage, Template};
use super::super::settings;
use super::super::threshold::{self, Written};

/// Highest weight.
const WEIGHT_MAX: f64 = 1_000_000.0;
/// Fastest replay.
const SPEED_MAX: f64 = 1_000_000.0;

pub(in crate::config) const TEXT: Plain<String> = Plain {
    what: "a text, which may hold {{…}}, or a number",
    parse: text::any,
    show: String::clone,
};
pub(super) const CONDITION: Parsed<String> = Parsed {
    what: "a condition, as in \"{{count}} > 0\" or \"failed\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::any,
    show: String::clone,
};
pub(super) const TIMES: Plain<String> = Plain {
    what: "a number of times, as in 20, or a template that becomes one",
    parse: text::any,
    show: String::clone,
};
pub(super) const HEADER_TEXT: Plain<String> = Plain {
    what: "a header's value, which may hold {{…}}",
    parse: text::header_value,
    show: String::clone,
};
pub(super) const RATE: Plain<f64> = Plain {
    what: "a rate, as in 500, \"500/s\" or \"100/min\"",
    parse: load::rate,
    show: |rate| load::show_rate(*rate),
};
pub(super) const STAGES: Parsed<Vec<Stage>> = Parsed {
    what: "stages with commas between them, as in \"0..500/30s,500/2m,500..0/30s\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: load::stages,
    show: |stages| load::show_stages(stages),
};
pub(super) const CONNECTIONS: Plain<Users> = Plain {
    what: "a number, or stages as in \"0..64/30s,64/2m\"",
    parse: load::users,
    show: load::show_users,
};
pub(super) const REQUESTS: Plain<u64> =
    Plain { what: "a whole number, as in 10000", parse: load::requests, show: u64::to_string };
pub(super) const LASTING: Parsed<std::time::Duration> = Parsed {
    what: "a duration from 1ms to 720h, as in \"60s\"",
    pattern: Some(r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"),
    treatment: Treatment::Replaced,
    parse: load::lasting,
    show: |lasting| quantity::show_duration(*lasting),
};
pub(super) const PAUSE: Parsed<Pause> = Parsed {
    what: "a duration, or a range of it, as in \"1s\" or \"1s..3s\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: load::pause,
    show: show_pause,
};
pub(super) const SPEED: Plain<f64> =
    Plain { what: "a factor, as in 2 or 0.5", parse: speed, show: f64::to_string };
pub(super) const WEIGHT: Plain<f64> =
    Plain { what: "a weight, as in 3 or 0.5", parse: weight, show: f64::to_string };
pub(super) const HTTP: Plain<HttpVersion> = Plain {
    what: "1, 2 or \"auto\"",
    parse: settings::http_version,
    show: settings::show_http_version,
};
pub(super) const METHOD: Parsed<String> = Parsed {
    what: "a method, as in \"PUT\"",
    pattern: Some("^[A-Za-z-]+$"),
    treatment: Treatment::Replaced,
    parse: settings::method,
    show: String::clone,
};
pub(super) const STATUS: Plain<Vec<(u64, u64)>> = Plain {
    what: "a status, a range or a class, as in 200, \"200-299\" or \"2xx\"",
    parse: settings::statuses,
    show: |ranges| settings::show_statuses(ranges),
};
pub(super) const JSON_PATH: Parsed<JsonPath> = Parsed {
    what: "a JSON path, as in \"$.items[0].id\"",
    pattern: Some(r"^\$"),
    treatment: Treatment::Replaced,
    parse: settings::json_path,
    show: JsonPath::to_string,
};
pub(super) const SERVED_BY: Parsed<Option<ServedBy>> = Parsed {
    what: "the name of a header, \"json:$.path\" or \"none\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: settings::served_by,
    show: settings::show_served_by,
};
pub(super) const THRESHOLD: Parsed<Written> = Parsed {
    what: "a threshold, as in \"p99<50ms\", \"errors<0.1%\" or \"p99(NAME)<50ms\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: threshold::threshold,
    show: |written| written.threshold.text.clone(),
};
pub(super) const DELIMITER: Parsed<u8> = Parsed {
    what: "one character, as in \";\" or \"\\t\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: delimiter,
    show: |byte| char::from(*byte).to_string(),
};

fn show_pause(pause: &Pause) -> String {
    let time = |template: &Template| format!("{}ms", template.constant().unwrap_or_default());
    match pause {
        Pause::Uniform { from, to } => format!("{}..{}", time(from), time(to)),
        Pause::Constant(time_of) | Pause::Gaussian { mean: time_of, .. } => time(time_of),
        Pause::Poisson { offset, .. } => time(offset),
    }
}

fn delimiter(text: &str) -> Result<u8, Refusal> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(Refusal::new("this is not one character").remedy("write \",\", \";\" or \"\\t\"")),
    }
}

/// A number that is not negative and has at most so much.
fn factor(text: &str, most: f64) -> Result<f64, Refusal> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f64>() {
        Ok(number) if is_number && number <= most => Ok(number),
        Ok(_) if text.starts_with('-') => Err(Refusal::new("this cannot be negative")),
        Ok(_) if is_number => {
            Err(Refusal::new("this is too much").remedy(format!("write {most} or less")))
        }
        _ => Err(Refusal::new(format!("`{text}` is not a number")).remedy("write 2 or 0.5")),
    }
}

fn weight(text: &str) -> Result<f64, Refusal> {
    factor(text, WEIGHT_MAX)
}

/// A factor above 0.
pub(in crate::config) fn speed(text: &str) -> Result<f64, Refusal> {
    match factor(text.trim().trim_end_matches('x'), SPEED_MAX)? {
        0.0 => Err(Refusal::new("at speed 0 nothing happens").remedy("write 2 for twice as fast")),
        speed => Ok(speed),
    }
}
