//! One line of a recording: its time, and what was asked for.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::super::super::quantity::Refusal;
use super::{NANOS, Names};

/// Names of a time in JSON and CSV.
const TIMES: [&str; 11] = [
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "date",
    "datetime",
    "time_iso8601",
    "msec",
    "starttime",
    "startutc",
    "time_local",
];
/// Names of a target.
const TARGETS: [&str; 7] =
    ["target", "request_uri", "uri", "path", "url", "requestpath", "request_path"];
/// Names of a method.
const METHODS: [&str; 4] = ["method", "request_method", "requestmethod", "verb"];
/// The time in the common log format.
const LOG_TIME: &str = "%d/%b/%Y:%H:%M:%S %z";
/// The time in HAProxy's HTTP log, which says no zone: differences alone matter.
const HAPROXY_TIME: &str = "%d/%b/%Y:%H:%M:%S%.f";

/// What a line says.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Nanoseconds since 1970, or since whatever the recording counts from.
    pub(super) time: i128,
    /// Method and target.
    pub(super) request: Option<(Arc<str>, Arc<str>)>,
}

/// How lines are written.
#[derive(Debug, Clone)]
pub(super) enum Format {
    /// NCSA common or combined, with whatever follows, and HAProxy's HTTP log.
    Log,
    /// A JSON object a line.
    Json,
    /// Columns.
    Csv {
        /// What stands between them.
        delimiter: u8,
        /// The column of the time.
        time: usize,
        /// The column of the method.
        method: Option<usize>,
        /// The column of the target.
        target: Option<usize>,
    },
}

impl Format {
    /// How a file is written that begins with `line`, and whether that is the names of columns.
    pub(super) fn of(line: &str, name: &str) -> Result<(Self, bool), Refusal> {
        if line.trim_start().starts_with('{') {
            return Ok((Self::Json, false));
        }
        if log_time(line).is_some() {
            return Ok((Self::Log, false));
        }
        let delimiter = [b'\t', b';', b',']
            .into_iter()
            .find(|byte| line.as_bytes().contains(byte))
            .unwrap_or(b',');
        let fields = fields(line, delimiter);
        let place = |names: &[&str]| {
            let is_one =
                |field: &Cow<'_, str>| names.contains(&field.trim().to_lowercase().as_str());
            fields.iter().position(is_one)
        };
        if let Some(time) = place(&TIMES) {
            let (method, target) = (place(&METHODS), place(&TARGETS));
            return Ok((Self::Csv { delimiter, time, method, target }, true));
        }
        if fields.first().is_some_and(|field| moment(field).is_some()) {
            return Ok((Self::Csv { delimiter, time: 0, method: None, target: None }, false));
        }
        Err(Refusal::new(format!("{name} is neither an access log nor CSV with times")).remedy(
            "it may be a log in the combined, common or JSON format, or CSV with a column `time`",
        ))
    }

    /// What a line says.
    pub(super) fn row(&self, line: &str, names: &mut Names) -> Option<Row> {
        match self {
            Self::Log => log(line, names),
            Self::Json => json(line, names),
            Self::Csv { delimiter, time, method, target } => {
                let fields = fields(line, *delimiter);
                let field = |place: &Option<usize>| {
                    place.and_then(|place| fields.get(place)).map(Cow::as_ref)
                };
                let time = moment(fields.get(*time)?)?;
                Some(Row { time, request: request(field(method), field(target), names) })
            }
        }
    }
}

/// The columns of a line (RFC 4180, section 2). A reader of the `csv` crate builds its tables anew
/// for each, which takes longer than everything else that is done with a line.
fn fields(line: &str, delimiter: u8) -> Vec<Cow<'_, str>> {
    let delimiter = char::from(delimiter);
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (field, after) = match (text.strip_prefix('"'), text.split_once(delimiter)) {
            (Some(quoted), _) => unquoted(quoted, delimiter),
            (None, Some((field, after))) => (Cow::Borrowed(field), Some(after)),
            (None, None) => (Cow::Borrowed(text), None),
        };
        fields.push(field);
        rest = after;
    }
    fields
}

/// A column after its opening quote, in which `""` stands for a quote, and what follows its
/// delimiter, if there is one.
fn unquoted(text: &str, delimiter: char) -> (Cow<'_, str>, Option<&str>) {
    let mut end = 0;
    let mut has_quotes = false;
    while let Some(at) = text[end..].find('"') {
        end += at;
        if !text[end + 1..].starts_with('"') {
            break;
        }
        end += 2;
        has_quotes = true;
    }
    let (field, after) = match text[end..].starts_with('"') {
        true => (&text[..end], &text[end + 1..]),
        false => (text, ""),
    };
    let after = after.split_once(delimiter).map(|(_, after)| after);
    match has_quotes {
        true => (Cow::Owned(field.replace("\"\"", "\"")), after),
        false => (Cow::Borrowed(field), after),
    }
}

/// Most brackets of a line that are looked into for its time: a user's name may have some too.
const BRACKETS_MAX: usize = 8;

/// Where the time of a line of a log is, and what it is.
fn log_time(line: &str) -> Option<(i128, usize)> {
    line.match_indices('[').take(BRACKETS_MAX).find_map(|(at, _)| {
        let start = at + 1;
        let end = start + line.get(start..)?.find(']')?;
        Some((of_log(line.get(start..end)?)?, end + 1))
    })
}

fn of_log(text: &str) -> Option<i128> {
    if let Ok(parsed) = jiff::fmt::strtime::parse(LOG_TIME, text) {
        return Some(parsed.to_timestamp().ok()?.as_nanosecond());
    }
    let parsed = jiff::fmt::strtime::parse(HAPROXY_TIME, text).ok()?;
    let zoned = parsed.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_nanosecond())
}

fn log(line: &str, names: &mut Names) -> Option<Row> {
    let (time, end) = log_time(line)?;
    // Right after the time in the common format; HAProxy and others have more between.
    let (_, after) = line.get(end..)?.split_once('"')?;
    let words = after.get(..closing_quote(after)?)?;
    Some(Row { time, request: Some(request_line(words, names)?) })
}

/// The first quote that is not escaped.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return Some(at),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// `GET /path HTTP/1.1`
fn request_line(words: &str, names: &mut Names) -> Option<(Arc<str>, Arc<str>)> {
    let mut words = words.split(' ');
    request(words.next(), words.next(), names)
}

/// Method and target, if there is a target of this server. Without a method it is `GET`.
fn request(
    method: Option<&str>,
    target: Option<&str>,
    names: &mut Names,
) -> Option<(Arc<str>, Arc<str>)> {
    let target = target?.trim();
    let path = match target.find("://") {
        // As a client asks a proxy.
        Some(scheme) => {
            let rest = target.get(scheme + 3..)?;
            rest.get(rest.find('/')?..)?
        }
        None => target,
    };
    if !path.starts_with('/') {
        return None;
    }
    let method = method.map_or("GET", str::trim);
    Some((names.get(method), names.get(&encoded(path))))
}

/// A target with what cannot stand in one percent-encoded. Logs write such bytes as `\xHH`.
fn encoded(target: &str) -> Cow<'_, str> {
    if target.bytes().all(|byte| byte != b'#' && is_plain(char::from(byte))) {
        return Cow::Borrowed(target);
    }
    let mut encoded = String::with_capacity(target.len());
    let mut rest = target;
    while let Some(character) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|after| after.get(..2));
        if let Some(hex) = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            encoded.push('%');
            encoded.push_str(hex);
            rest = rest.get(4..).unwrap_or_default();
            continue;
        }
        let (first, after) = rest.split_at(character.len_utf8());
        match character {
            '#' => break,
            _ if is_plain(character) => encoded.push(character),
            _ => first.bytes().for_each(|byte| encoded.push_str(&format!("%{byte:02X}"))),
        }
        rest = after;
    }
    Cow::Owned(encoded)
}

/// Whether a character can stand in a target.
fn is_plain(character: char) -> bool {
    character.is_ascii_graphic() && !"\"<>\\^`{|}".contains(character)
}

fn json(line: &str, names: &mut Names) -> Option<Row> {
    let Ok(Value::Object(members)) = serde_json::from_str(line) else { return None };
    let get = |members: &serde_json::Map<String, Value>, known: &[&str]| {
        members.iter().find(|(name, _)| known.contains(&name.to_lowercase().as_str())).map(
            |(_, value)| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        )
    };
    let time = moment(&get(&members, &TIMES)?)?;
    // Some have what was asked for in an object or a line of its own.
    let request = match members.get("request") {
        Some(Value::Object(inner)) => {
            request(get(inner, &METHODS).as_deref(), get(inner, &TARGETS).as_deref(), names)
        }
        Some(Value::String(words)) => request_line(words, names),
        _ => request(get(&members, &METHODS).as_deref(), get(&members, &TARGETS).as_deref(), names),
    };
    Some(Row { time, request })
}

/// A time: RFC 3339, the same without a zone (UTC), as logs have it, or a number since 1970 in
/// seconds, milliseconds, microseconds or nanoseconds, told apart by its size.
pub(super) fn moment(text: &str) -> Option<i128> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !text.is_empty() {
        let number: f64 = text.parse().ok()?;
        let unit = match number {
            ..1e11 => 1e9,
            ..1e14 => 1e6,
            ..1e17 => 1e3,
            _ => 1.0,
        };
        // Whole numbers are kept exactly.
        return match text.parse::<i128>() {
            Ok(whole) => {
                whole.checked_mul(unit as i128).filter(|time| *time < i128::from(i64::MAX))
            }
            Err(_) => Some((number * unit).round() as i128),
        };
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_nanosecond());
    }
    let civil: Option<jiff::civil::DateTime> = text.parse().ok();
    if let Some(zoned) = civil.and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC).ok()) {
        return Some(zoned.timestamp().as_nanosecond());
    }
    of_log(text.trim_matches(['[', ']']))
}

/// Not more than fits, so that differences can be taken.
const _: () = assert!(NANOS * 1_000_000_000 < i128::MAX);
