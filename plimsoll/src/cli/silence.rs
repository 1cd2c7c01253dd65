//! `plimsoll silence`: what nobody wants to hear of for a while.

use std::io::{self, Write};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::units;

use super::alarms::NAME;
use super::arguments::alarms::SilenceArguments;
use super::client::{Client, LOOK_TIMEOUT};
use super::commands::{CommandError, find, painter};
use super::table::{Align, Cell, Painter, Table, harmless};

/// Silences as Alertmanager tells them.
const SILENCES: &str = "/alertmanager/api/v2/silences";
/// One of them.
const SILENCE: &str = "/alertmanager/api/v2/silence/";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Silence {
    id: String,
    matchers: Vec<Matcher>,
    ends_at: Timestamp,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
    status: SilenceStatus,
}

#[derive(Deserialize)]
struct SilenceStatus {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Makes a silence, ends one, or shows which there are.
pub fn silence(arguments: &SilenceArguments) -> Result<(), CommandError> {
    let matchers =
        arguments.matchers.iter().map(|text| matcher(text)).collect::<Result<Vec<_>, _>>()?;
    let length = tsdb::promql::duration::positive("--for", &arguments.duration)
        .map_err(|wrong| CommandError::Usage { wrong, remedy: String::new() })?;
    let client = find(&arguments.connection)?;
    if let Some(id) = &arguments.expire {
        let known = silences(&client)?;
        let found: Vec<&Silence> = known.iter().filter(|one| one.id.starts_with(id)).collect();
        let [silence] = found[..] else {
            return Err(CommandError::Usage {
                wrong: match found.len() {
                    0 => format!("there is no silence {id}"),
                    count => format!("{count} silences begin with {id}"),
                },
                remedy: "`plimsoll silence` lists them".to_owned(),
            });
        };
        client.tell("DELETE", &format!("{SILENCE}{}", silence.id), None, LOOK_TIMEOUT)?;
        return Ok(writeln!(
            io::stdout(),
            "The silence of {} has ended.",
            shown(&silence.matchers)
        )?);
    }
    if matchers.is_empty() {
        let text = list(&silences(&client)?, Timestamp::now(), painter());
        return Ok(io::stdout().write_all(text.as_bytes())?);
    }
    make(&client, arguments, &matchers, Duration::from_millis(length.unsigned_abs()))
}

fn make(
    client: &Client,
    arguments: &SilenceArguments,
    matchers: &[Matcher],
    length: Duration,
) -> Result<(), CommandError> {
    let now = Timestamp::now();
    let end = SignedDuration::try_from(length).ok().and_then(|length| now.checked_add(length).ok());
    let end = end.ok_or_else(|| CommandError::Usage {
        wrong: "--for reaches beyond all time".to_owned(),
        remedy: String::new(),
    })?;
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    let author = arguments.author.clone().or_else(user).unwrap_or_else(|| "plimsoll".to_owned());
    let body = json!({
        "matchers": matchers.iter().map(|matcher| json!({
            "name": matcher.name,
            "value": matcher.value,
            "isRegex": matcher.is_regex,
            "isEqual": matcher.is_equal,
        })).collect::<Vec<_>>(),
        "startsAt": now.to_string(),
        "endsAt": end.to_string(),
        "createdBy": author,
        "comment": arguments.comment,
    });
    let answer = client.tell("POST", SILENCES, Some(&body), LOOK_TIMEOUT)?;
    let id = answer.get("silenceID").and_then(Value::as_str).unwrap_or_default();
    let shown = shown(matchers);
    let length = units::duration(length.as_secs_f64());
    Ok(writeln!(
        io::stdout(),
        "{shown} is silent for {length}.\nplimsoll silence --expire {id} ends that.",
        id = harmless(id)
    )?)
}

fn silences(client: &Client) -> Result<Vec<Silence>, CommandError> {
    let mut known: Vec<Silence> = client.ask("GET", SILENCES, LOOK_TIMEOUT)?;
    known.retain(|silence| silence.status.state != "expired");
    known.sort_by_key(|silence| silence.ends_at);
    Ok(known)
}

fn list(silences: &[Silence], now: Timestamp, painter: Painter) -> String {
    if silences.is_empty() {
        return "Nothing is silenced.\n".to_owned();
    }
    let mut table = Table::default();
    let mut column = |heading: &str, cell: &dyn Fn(&Silence) -> String| {
        table.column(heading, Align::Left, silences.iter().map(|one| Cell::plain(cell(one))));
    };
    column("ID", &|one| one.id.chars().take(8).collect());
    column("STATE", &|one| one.status.state.clone());
    column("ENDS IN", &|one| {
        units::duration(one.ends_at.duration_since(now).as_secs_f64().max(0.0))
    });
    column("BY", &|one| one.created_by.clone());
    column("ALARMS", &|one| shown(&one.matchers));
    column("COMMENT", &|one| one.comment.clone());
    table.render(painter)
}

/// Matchers as they are typed.
fn shown(matchers: &[Matcher]) -> String {
    let one = |matcher: &Matcher| {
        let Matcher { name, value, is_regex, is_equal } = matcher;
        let operator = match (is_equal, is_regex) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        harmless(&format!("{name}{operator}{value}"))
    };
    matchers.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// `name=value`, `name!=value`, `name=~pattern`, `name!~pattern`, or an alarm's name.
fn matcher(text: &str) -> Result<Matcher, CommandError> {
    let text = text.trim();
    let Some(at) = text.find(['=', '!']) else {
        let (name, value) = (NAME.to_owned(), text.to_owned());
        return Ok(Matcher { name, value, is_regex: false, is_equal: true });
    };
    let (name, rest) = text.split_at(at);
    let (is_equal, is_regex, length) = match rest.as_bytes() {
        [b'=', b'~', ..] => (true, true, 2),
        [b'!', b'~', ..] => (false, true, 2),
        [b'!', b'=', ..] => (false, false, 2),
        [b'=', ..] => (true, false, 1),
        _ => {
            return Err(CommandError::Usage {
                wrong: format!("{text:?} is no matcher"),
                remedy: "write NAME=VALUE, NAME!=VALUE, NAME=~PATTERN or NAME!~PATTERN".to_owned(),
            });
        }
    };
    let value = rest[length..].trim().trim_matches('"').to_owned();
    Ok(Matcher { name: name.trim().to_owned(), value, is_regex, is_equal })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Painter = Painter { colours: false };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn matchers_are_read() {
        for (text, expected) in [
            ("Down", "alertname=Down"),
            ("a=b", "a=b"),
            (" a = b ", "a=b"),
            ("a=\"b c\"", "a=b c"),
            ("a!=b=c", "a!=b=c"),
            ("a=~b|c", "a=~b|c"),
            ("a!~b", "a!~b"),
        ] {
            assert_eq!(shown(&[matcher(text).unwrap()]), expected, "{text}");
        }
        assert!(matcher("a!b").is_err());
    }

    #[test]
    fn silences_are_listed() {
        let known: Vec<Silence> = serde_json::from_value(json!([
            {"id": "0123456789ab", "matchers": [{"name": "a", "value": "b", "isRegex": false, "isEqual": true}],
             "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T02:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
             "createdBy": "me", "comment": "because", "status": {"state": "active"}},
        ])).unwrap();
        assert_eq!(
            list(&known, at("2026-01-01T00:30:00Z"), PLAIN),
            "\
ID        STATE   ENDS IN   BY  ALARMS  COMMENT
01234567  active  1 h 30 m  me  a=b     because
"
        );
        assert_eq!(list(&[], Timestamp::UNIX_EPOCH, PLAIN), "Nothing is silenced.\n");
    }
}
