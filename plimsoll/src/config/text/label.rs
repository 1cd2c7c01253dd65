//! Names of labels, and matchers: conditions on a label in PromQL's form, as in
//! `severity="critical"`.

use tsdb::pattern;
use tsdb::promql::{self, Query};
use tsdb::source::Matcher;

use super::super::quantity::Refusal;

/// Longest name, as scrapes have it by default.
const NAME_BYTES: usize = 512;
/// The operators, longer ones first.
const OPERATORS: [&str; 4] = ["=~", "!~", "!=", "="];
/// Stands before the braces, so that a matcher that lets everything pass is one too.
const METRIC: &str = "alarm";

/// The name of a label: letters, digits and `_`, no digit first.
pub(in crate::config) fn name(text: &str) -> Result<String, Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins && text.chars().all(allowed) && text.len() <= NAME_BYTES {
        return Ok(text.to_owned());
    }
    let refusal = Refusal::new(format!("`{text}` is not a name for a label"));
    let mended: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let begins = mended.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    Err(match begins && mended.len() <= NAME_BYTES {
        true => refusal.remedy(format!("write \"{mended}\"")),
        false => refusal.remedy("use letters, digits and `_`, with a letter first"),
    })
}

/// The name of a label by which alarms are grouped; `...` stands for all.
pub(in crate::config) fn grouping(text: &str) -> Result<String, Refusal> {
    if text == "..." { Ok(text.to_owned()) } else { name(text) }
}

/// `name="value"`, with one of `=`, `!=`, `=~` and `!~`.
pub(in crate::config) fn matcher(text: &str) -> Result<Matcher, Refusal> {
    let parsed = promql::parse(&format!("{METRIC}{{{text}}}"));
    match parsed.as_ref().map(Query::matchers) {
        // The first is on the metric's name.
        Ok(Some([_, only])) => Ok(only.clone()),
        Ok(Some([_, _, ..])) => Err(Refusal::new("there is more than one condition here")
            .remedy("write each in a text of its own: ['a=\"1\"', 'b=\"2\"']")),
        Ok(_) => Err(explain(text, "this is not a condition on a label")),
        Err(error) => Err(explain(text, &error.to_string())),
    }
}

/// What is wrong with a text that is no matcher; `otherwise` if that cannot be told.
fn explain(text: &str, otherwise: &str) -> Refusal {
    let example = "write it as in 'severity=\"critical\"' or 'service=~\"web|api\"'";
    let text = text.trim();
    if let Some(inside) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return Refusal::new("a condition stands here without braces")
            .remedy(format!("write '{}'", inside.trim()));
    }
    let found = text.find(['=', '!']).and_then(|at| {
        let operator = OPERATORS.iter().find(|operator| text[at..].starts_with(**operator))?;
        Some((text[..at].trim(), *operator, text[at + operator.len()..].trim()))
    });
    let Some((label, operator, value)) = found else {
        return Refusal::new("this is not a condition on a label").remedy(example);
    };
    if let Err(refusal) = name(label) {
        return Refusal { remedy: Some(example.to_owned()), ..refusal };
    }
    if let Some(value) = value.strip_prefix('=') {
        return Refusal::new("`==` compares numbers; a label is compared by `=`")
            .remedy(format!("write '{label}={}'", quoted(value.trim())));
    }
    let inside = ["\"", "'"].into_iter().find_map(|mark| {
        let inside = value.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inside.contains(mark)).then_some(inside)
    });
    let Some(inside) = inside else {
        let refusal = Refusal::new("the value is not in quotes");
        return match value.contains(['"', '\'', '\\']) {
            true => refusal.remedy(example),
            false => refusal.remedy(format!("write '{label}{operator}{}'", quoted(value))),
        };
    };
    if let Err(error) = pattern::anchored(inside).map_err(|error| error.reason)
        && operator.ends_with('~')
    {
        return Refusal::new(format!("this is not a regular expression: {}", last_line(&error)))
            .remedy("correct it; what stands for itself needs a backslash before it");
    }
    Refusal::new(otherwise).remedy(example)
}

/// In double quotes, unless it is already.
fn quoted(value: &str) -> String {
    if value.starts_with('"') { value.to_owned() } else { format!("\"{value}\"") }
}

/// The reason of a parser that draws the expression above it.
pub(in crate::config) fn last_line(reason: &str) -> &str {
    let last = reason.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read() {
        for (text, value, accepts) in [
            ("severity=\"critical\"", "critical", true),
            ("severity != \"critical\"", "critical", false),
            ("service=~\"web|api\"", "webs", false),
            ("service=~'web|api'", "api", true),
            ("service!~\"web.*\"", "", true),
            ("team!=\"\"", "", false),
        ] {
            assert_eq!(matcher(text).unwrap().accepts(value), accepts, "{text}");
        }
        assert_eq!(matcher("severity=\"critical\"").unwrap().name, "severity");
    }

    #[test]
    fn what_is_no_matcher_is_met_with_one() {
        for (text, remedy) in [
            ("severity=critical", "write 'severity=\"critical\"'"),
            ("{severity=\"critical\"}", "write 'severity=\"critical\"'"),
            ("severity==\"critical\"", "write 'severity=\"critical\"'"),
            ("a=\"1\",b=\"2\"", "write each in a text of its own: ['a=\"1\"', 'b=\"2\"']"),
        ] {
            assert_eq!(matcher(text).unwrap_err().remedy.as_deref(), Some(remedy), "{text}");
        }
        for text in
            ["", "critical", "a-b=\"c\"", "a=~\"(\"", "a=\"b", "a=\"1\"} or x{b=\"2\"", "=\"x\""]
        {
            assert!(matcher(text).unwrap_err().remedy.is_some(), "{text}");
        }
        let regex = matcher("a=~\"(\"").unwrap_err().message;
        assert_eq!(regex, "this is not a regular expression: unclosed group");
    }

    #[test]
    fn names_are_mended() {
        assert_eq!(name("_a1"), Ok("_a1".to_owned()));
        assert_eq!(name("a-b").unwrap_err().remedy.as_deref(), Some("write \"a_b\""));
        assert!(name("1a").is_err() && name("").is_err() && name("é").is_err());
        assert!(grouping("...").is_ok() && grouping("..").is_err());
    }
}
