//! Matchers as people type and copy them: `service=web`, a bare name of an alarm, a list in braces, or
//! a selector as PromQL and our own log write it.
//!
//! Quotes may be missing, since shells take them away. Whether a pattern can be used is Plimsoll's to
//! say.

use serde::Deserialize;

use super::{Labels, NAME};
use crate::cli::table::harmless;

/// What is understood, for messages.
pub const FORMS: &str = "write NAME=VALUE, NAME!=VALUE, NAME=~PATTERN, NAME!~PATTERN, the name of an \
                         alarm, or all of it as 'ALARM{NAME=\"VALUE\", …}'";

/// A condition for a label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// What it is held against.
    pub value: String,
    /// The value is a pattern.
    #[serde(default)]
    pub is_regex: bool,
    /// It must be so; otherwise it must not.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl Matcher {
    fn alarm(name: &str) -> Self {
        let (name, value) = (NAME.to_owned(), name.to_owned());
        Self { name, value, is_regex: false, is_equal: true }
    }
}

fn operator(is_equal: bool, is_regex: bool) -> &'static str {
    match (is_equal, is_regex) {
        (true, false) => "=",
        (false, false) => "!=",
        (true, true) => "=~",
        (false, true) => "!~",
    }
}

/// Matchers as they are typed.
pub fn shown(matchers: &[Matcher]) -> String {
    let one = |matcher: &Matcher| {
        let Matcher { name, value, is_regex, is_equal } = matcher;
        let operator = operator(*is_equal, *is_regex);
        let is_plain = !value.is_empty() && !value.contains([' ', '"', '\'']);
        let value = if is_plain { value.clone() } else { format!("{value:?}") };
        harmless(&format!("{name}{operator}{value}"))
    };
    matchers.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The matchers of all arguments.
///
/// # Errors
/// What is wrong with one of them.
pub fn read_all(texts: &[String]) -> Result<Vec<Matcher>, String> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(read(text)?);
    }
    refuse_contradiction(&all)?;
    Ok(all)
}

/// No label has two values: such matchers would hush nothing. A bare word where a value was forgotten
/// is taken for the name of an alarm, and ends here too.
fn refuse_contradiction(all: &[Matcher]) -> Result<(), String> {
    let exact = |one: &&Matcher| one.is_equal && !one.is_regex;
    for (place, one) in all.iter().enumerate().filter(|(_, one)| exact(one)) {
        let differs = |other: &&Matcher| other.name == one.name && other.value != one.value;
        let Some(other) = all[place + 1..].iter().filter(exact).find(differs) else { continue };
        let (name, first, second) = (&one.name, &one.value, &other.value);
        return Err(harmless(&match name == NAME {
            true => format!(
                "{first} and {second} are taken for names of alarms, and no alarm has two; if \
                 {second} is a label, its value is missing"
            ),
            false => format!("no alarm has both {name}={first} and {name}={second}"),
        }));
    }
    Ok(())
}

/// All matchers as a condition for labels; `None` where a pattern cannot be used.
pub fn condition(all: &[Matcher]) -> Option<impl Fn(&Labels) -> bool> {
    // A selector must ask for something, which `a!=b` does not; every alarm has a name.
    let mut selector = format!("{{{NAME}=~\".+\"");
    for Matcher { name, value, is_regex, is_equal } in all {
        let operator = operator(*is_equal, *is_regex);
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        selector.push_str(&format!(",{name}{operator}\"{value}\""));
    }
    selector.push('}');
    let matchers = tsdb::promql::parse(&selector).ok()?.matchers()?.to_vec();
    Some(move |labels: &Labels| {
        let value = |name: &str| labels.get(name).map_or("", String::as_str);
        matchers.iter().all(|matcher| matcher.accepts(value(&matcher.name)))
    })
}

/// The matchers of one argument.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a matcher is empty".to_owned());
    }
    let brace = text.find('{').filter(|at| !text[..*at].contains(['=', '!', '"', '\'']));
    let Some(at) = brace else {
        if text.contains(['=', '!']) {
            let (matcher, rest) = one(text, &[])?;
            return match rest {
                "" => Ok(vec![matcher]),
                rest => Err(format!("{text:?} goes on after the value, with {rest:?}")),
            };
        }
        return Ok(vec![Matcher::alarm(text)]);
    };
    let (alarm, list) = (text[..at].trim(), &text[at + 1..]);
    let mut all: Vec<Matcher> =
        (!alarm.is_empty()).then(|| Matcher::alarm(alarm)).into_iter().collect();
    let mut rest = list.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return match (after.trim(), all.is_empty()) {
                ("", false) => Ok(all),
                ("", true) => Err(format!("{text:?} has no matcher")),
                (after, _) => Err(format!("{text:?} goes on after its braces, with {after:?}")),
            };
        }
        let (matcher, after) = one(rest, &[',', '}'])?;
        all.push(matcher);
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if after.starts_with('}') => after,
            None if after.is_empty() => return Err(format!("{text:?} has no }} at its end")),
            None => return Err(format!("{after:?} in {text:?} needs a comma before it")),
        };
    }
}

/// One matcher and what follows it. A value without quotes reaches to one of the `ends`.
fn one<'a>(text: &'a str, ends: &[char]) -> Result<(Matcher, &'a str), String> {
    let wrong = || format!("{text:?} is no matcher");
    let at = text.find(['=', '!']).ok_or_else(wrong)?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (is_equal, is_regex, rest) = match rest.as_bytes() {
        [b'=', b'~', ..] => (true, true, &rest[2..]),
        [b'!', b'~', ..] => (false, true, &rest[2..]),
        [b'!', b'=', ..] => (false, false, &rest[2..]),
        [b'=', b'=', ..] => return Err(format!("{text:?} has two =, one is enough")),
        [b'=', ..] => (true, false, &rest[1..]),
        _ => return Err(wrong()),
    };
    // In PromQL a name may be quoted too.
    let name = name.trim_matches('"');
    let mut letters = name.bytes();
    let is_name = letters.next().is_some_and(|it| it.is_ascii_alphabetic() || it == b'_')
        && letters.all(|it| it.is_ascii_alphanumeric() || it == b'_');
    if !is_name {
        return Err(match name {
            "" => format!("{text:?} names no label"),
            name => format!("{name:?} cannot be the name of a label"),
        });
    }
    let (value, rest) = value(rest.trim_start(), ends)?;
    Ok((Matcher { name: name.to_owned(), value, is_regex, is_equal }, rest.trim_start()))
}

/// A value, in quotes or without, and what follows it.
fn value<'a>(text: &'a str, ends: &[char]) -> Result<(String, &'a str), String> {
    let Some(quote) = text.chars().next().filter(|first| ['"', '\''].contains(first)) else {
        let end = text.find(ends).unwrap_or(text.len());
        return Ok((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\'' | '\\'))) => value.push(escaped),
                // As in a pattern: `\d`.
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            letter if letter == quote => return Ok((value, &text[at + 1..])),
            other => value.push(other),
        }
    }
    Err(format!("{text:?} has no {quote} at its end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read() {
        for (text, expected) in [
            ("Down", "alertname=Down"),
            (" Disk full ", "alertname=\"Disk full\""),
            ("a=b", "a=b"),
            (" a = b ", "a=b"),
            ("a=\"b c\"", "a=\"b c\""),
            ("a='b, c'", "a=\"b, c\""),
            ("a!=b=c", "a!=b=c"),
            ("a=~b|c", "a=~b|c"),
            ("a=~[0-9]{1,2}", "a=~[0-9]{1,2}"),
            ("a=~\"\\\\d\\w\"", "a=~\\d\\w"),
            ("a!~b", "a!~b"),
            ("a=", "a=\"\""),
            (r#"{a="b",c=~"d"}"#, "a=b c=~d"),
            (r#"{ a = "b" , c!~"d{1,2}" , }"#, "a=b c!~d{1,2}"),
            ("{a=b,c=~d}", "a=b c=~d"),
            (r#"Down{a="b",c!="}"}"#, "alertname=Down a=b c!=}"),
            ("Down{}", "alertname=Down"),
            (r#"{alertname="Down"}"#, "alertname=Down"),
        ] {
            assert_eq!(read(text).map(|all| shown(&all)).as_deref(), Ok(expected), "{text}");
        }
        let all = read_all(&["Down".to_owned(), "{a=b}".to_owned()]).unwrap();
        assert_eq!(shown(&all), "alertname=Down a=b");
    }

    #[test]
    fn what_no_alarm_can_fulfil_is_refused() {
        let read = |texts: &[&str]| {
            read_all(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            read(&["AppHot", "job"]).unwrap_err(),
            "AppHot and job are taken for names of alarms, and no alarm has two; if job is a label, \
             its value is missing"
        );
        assert_eq!(read(&["{a=b,c=d}", "a=e"]).unwrap_err(), "no alarm has both a=b and a=e");
        for fine in [&["a=b", "a=b"], &["a=b", "a!=c"], &["a=~b|c", "a=c"], &["Down", "a=Down"]] {
            assert!(read(fine).is_ok(), "{fine:?}");
        }
    }

    #[test]
    fn labels_are_held_against_matchers() {
        let labels: Labels = [(NAME, "Down"), ("a", "b\"c\\d"), ("e", "tls-1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (text, expected) in [
            ("Down", Some(true)),
            ("Up", Some(false)),
            (r#"Down{e=~"tls.*"}"#, Some(true)),
            (r#"{e=~"tls"}"#, Some(false)),
            ("e!=tls-2", Some(true)),
            ("absent!~.+", Some(true)),
            (r#"a="b\"c\\d""#, Some(true)),
            ("e=~tls(", None),
        ] {
            let accepts = condition(&read(text).unwrap()).map(|accepts| accepts(&labels));
            assert_eq!(accepts, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_matcher_is_refused_in_words() {
        for (text, expected) in [
            ("", "a matcher is empty"),
            ("a!b", "\"a!b\" is no matcher"),
            ("a==b", "\"a==b\" has two =, one is enough"),
            ("=b", "\"=b\" names no label"),
            ("my label=b", "\"my label\" cannot be the name of a label"),
            ("a=\"b", "\"\\\"b\" has no \" at its end"),
            ("a=\"b\\", "\"\\\"b\\\\\" has no \" at its end"),
            ("a=\"b\" c", "\"a=\\\"b\\\" c\" goes on after the value, with \"c\""),
            ("{}", "\"{}\" has no matcher"),
            ("{a=b", "\"{a=b\" has no } at its end"),
            ("{a=b} c", "\"{a=b} c\" goes on after its braces, with \"c\""),
            (
                "{a=\"b\" c=\"d\"}",
                "\"c=\\\"d\\\"}\" in \"{a=\\\"b\\\" c=\\\"d\\\"}\" needs a comma before it",
            ),
            ("{Down}", "\"Down}\" is no matcher"),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
    }
}
