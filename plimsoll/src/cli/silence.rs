//! `plimsoll silence`: what nobody wants to hear of for a while.

mod matcher;

use std::io::{self, Write};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::units;
use crate::config::problem::nearest;

use super::alarms::{Labels, NAME, TOLD, Told, rules_and_pending};
use super::arguments::alarms::SilenceArguments;
use super::client::{Client, LOOK_TIMEOUT};
use super::commands::{CommandError, find, painter};
use super::table::{Align, Cell, Painter, Table, harmless};
use matcher::{Matcher, shown};

/// Silences as Alertmanager tells them.
const SILENCES: &str = "/alertmanager/api/v2/silences";
/// One of them.
const SILENCE: &str = "/alertmanager/api/v2/silence/";
/// Most alarms that a new silence names.
const NAMED_MAX: usize = 5;

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

/// Makes a silence, ends one, or shows which there are.
pub fn silence(arguments: &SilenceArguments) -> Result<(), CommandError> {
    let matchers = matcher::read_all(&arguments.matchers)
        .map_err(|wrong| CommandError::Usage { wrong, remedy: matcher::FORMS.to_owned() })?;
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
    let mut out = io::stdout().lock();
    writeln!(out, "{shown} is silent for {length}.")?;
    // It is made; what is told of it is no reason to fail.
    if let Ok(effect) = effect(client, id, matchers) {
        writeln!(out, "{effect}")?;
    }
    Ok(writeln!(out, "plimsoll silence --expire {} ends that.", harmless(id))?)
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
    let mut column = |heading: &str, align, cell: &dyn Fn(&Silence) -> String| {
        table.column(heading, align, silences.iter().map(|one| Cell::plain(cell(one))));
    };
    column("ID", Align::Left, &|one| one.id.chars().take(8).collect());
    column("STATE", Align::Left, &|one| one.status.state.clone());
    column("ENDS IN", Align::Left, &|one| {
        units::duration(one.ends_at.duration_since(now).as_secs_f64())
    });
    column("BY", Align::Left, &|one| one.created_by.clone());
    column("ALARMS", Align::Text, &|one| shown(&one.matchers));
    column("COMMENT", Align::Text, &|one| one.comment.clone());
    table.render(painter)
}

/// Says how many alarms it hushes now, so that a mistyped matcher is noticed at once.
fn effect(client: &Client, id: &str, matchers: &[Matcher]) -> Result<String, CommandError> {
    let told: Vec<Told> = client.ask("GET", TOLD, LOOK_TIMEOUT)?;
    let hushed: Vec<Told> =
        told.into_iter().filter(|told| told.status.silenced_by.iter().any(|it| it == id)).collect();
    let (names, mut pending) = rules_and_pending(client)?;
    match matcher::condition(matchers) {
        Some(accepts) => pending.retain(accepts),
        None => pending.clear(),
    }
    let firing: Vec<Labels> = hushed.into_iter().map(|told| told.labels).collect();
    let told = [("fires", "fire", firing), ("is pending", "are pending", pending)];
    let told: Vec<String> = told
        .iter()
        .filter(|(.., alarms)| !alarms.is_empty())
        .map(|(one, many, alarms)| hushed_in_words(one, many, alarms))
        .collect();
    if !told.is_empty() {
        return Ok(told.join("\n"));
    }
    Ok(match unknown(matchers, &names) {
        Some(hint) => format!("No alarm that fires or is pending now matches: {hint}"),
        None => {
            "No alarm that fires or is pending now matches, which may be meant; `plimsoll alarms` shows what \
                 labels there are."
                .to_owned()
        }
    })
}

/// `It hushes 2 alarms that fire now: Down{service="web"}, …`
fn hushed_in_words(one: &str, many: &str, hushed: &[Labels]) -> String {
    let name = |labels: &Labels| {
        let others = labels.iter().filter(|(name, _)| *name != NAME);
        let others: Vec<String> = others.map(|(name, value)| format!("{name}={value:?}")).collect();
        let alarm = labels.get(NAME).map(String::as_str).unwrap_or_default();
        harmless(&format!("{alarm}{{{}}}", others.join(", ")))
    };
    let mut lines = match hushed.len() {
        1 => format!("It hushes 1 alarm that {one} now:"),
        count => format!("It hushes {count} alarms that {many} now:"),
    };
    let mut names: Vec<String> = hushed.iter().map(name).collect();
    names.sort();
    for name in names.iter().take(NAMED_MAX) {
        lines.push_str(&format!("\n  {name}"));
    }
    if hushed.len() > NAMED_MAX {
        let more = hushed.len() - NAMED_MAX;
        lines.push_str(&format!("\n  and {more} more: plimsoll alarms"));
    }
    lines
}

/// What is odd about the name of an alarm, if it is one that no rule has.
fn unknown(matchers: &[Matcher], names: &[String]) -> Option<String> {
    let is_name = |it: &&Matcher| it.name == NAME && it.is_equal && !it.is_regex;
    let name = &matchers.iter().find(is_name)?.value;
    if names.contains(name) {
        return None;
    }
    let name = harmless(name);
    Some(match nearest(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("no rule is named {name}; did you mean {near}?"),
        None => format!("no rule is named {name}; `plimsoll alarms --rules` lists them"),
    })
}

#[cfg(test)]
mod tests {
    use super::matcher::read;
    use super::*;

    const PLAIN: Painter = Painter::PLAIN;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_hushed_is_told() {
        let told = |count: usize| -> Vec<Labels> {
            let one = |at| json!({"alertname": "Down", "server": format!("web-{at}")});
            serde_json::from_value((0..count).map(one).collect()).unwrap()
        };
        let in_words = |count| hushed_in_words("fires", "fire", &told(count));
        assert_eq!(in_words(1), "It hushes 1 alarm that fires now:\n  Down{server=\"web-0\"}");
        let many = in_words(NAMED_MAX + 2);
        assert!(many.starts_with("It hushes 7 alarms that fire now:\n"), "{many}");
        assert!(many.ends_with("Down{server=\"web-4\"}\n  and 2 more: plimsoll alarms"), "{many}");
    }

    #[test]
    fn a_name_that_no_rule_has_is_told() {
        let names = ["ServerDown".to_owned(), "Slow".to_owned()];
        let told = |text: &str| unknown(&read(text).unwrap(), &names);
        assert_eq!(told("ServerDown"), None);
        assert_eq!(told("service=web"), None);
        assert_eq!(told("alertname=~Server.*"), None);
        let near = "no rule is named ServerDwon; did you mean ServerDown?";
        assert_eq!(told("ServerDwon").as_deref(), Some(near));
        let far = "no rule is named web; `plimsoll alarms --rules` lists them";
        assert_eq!(told("web").as_deref(), Some(far));
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
