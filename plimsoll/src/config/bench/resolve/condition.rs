//! Conditions: `{{count}} > 0`, `{{state}} != 'done'`, `{{name}} =~ [a-z]+`, `failed`.
//!
//! One comparison is a text of its own; where several must hold they stand in a list, so that nothing
//! needs brackets. What stands on both sides of a sign is a template, in quotes or not.

use regex::Regex;

use super::super::super::quantity::Refusal;
use super::super::builder::Builder;
use super::super::model::{Comparison, Condition, Pattern, Piece, Template};
use super::super::template::{self, Uses};

/// What a sign asks.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// How two values compare.
    Compare(Comparison),
    /// Whether a value matches an expression as a whole.
    Matches,
    /// Whether it does not.
    MatchesNot,
}

/// Longer signs first, where one begins as another.
const SIGNS: [(&str, Sign); 8] = [
    ("==", Sign::Compare(Comparison::Equal)),
    ("!=", Sign::Compare(Comparison::NotEqual)),
    ("<=", Sign::Compare(Comparison::LessOrEqual)),
    (">=", Sign::Compare(Comparison::GreaterOrEqual)),
    ("=~", Sign::Matches),
    ("!~", Sign::MatchesNot),
    ("<", Sign::Compare(Comparison::Less)),
    (">", Sign::Compare(Comparison::Greater)),
];
/// How a condition is written.
const EXAMPLE: &str = "write it as in \"{{count}} > 0\" or \"{{state}} == 'done'\"";

/// Reads one condition.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(
    text: &str,
    builder: &mut Builder,
    uses: &mut Uses,
) -> Result<Condition, Refusal> {
    let text = text.trim();
    match text {
        "succeeded" => return Ok(Condition::LastSucceeded),
        "failed" => return Ok(Condition::Not(Box::new(Condition::LastSucceeded))),
        _ => {}
    }
    let Some((at, name, sign)) = sign(text)? else { return alone(text, builder, uses) };
    let (left, right) = (text[..at].trim(), text[at + name.len()..].trim());
    if left.is_empty() || right.is_empty() {
        let side = if left.is_empty() { "before" } else { "after" };
        return Err(Refusal::new(format!("nothing stands {side} `{name}`"))
            .remedy("write '' for an empty text"));
    }
    let left = template::parse(unquoted(left), builder, uses)?;
    let comparison = match sign {
        Sign::Compare(comparison) => comparison,
        Sign::Matches | Sign::MatchesNot => {
            let matches = Condition::Matches(changing(left)?, pattern(unquoted(right))?);
            let not = matches!(sign, Sign::MatchesNot);
            return Ok(if not { Condition::Not(Box::new(matches)) } else { matches });
        }
    };
    if let Some((_, second, _)) = self::sign(right)? {
        return Err(Refusal::new(format!("`{name}` and `{second}` are two comparisons"))
            .remedy("write both in a list, of which all must hold; a text with signs in quotes"));
    }
    let right = template::parse(unquoted(right), builder, uses)?;
    let left = if right.constant().is_some() { changing(left)? } else { left };
    Ok(Condition::Compare(left, comparison, right))
}

/// A condition without a sign: a value that is `true` or not.
fn alone(text: &str, builder: &mut Builder, uses: &mut Uses) -> Result<Condition, Refusal> {
    let template = template::parse(text, builder, uses)?;
    match &template.0[..] {
        [Piece::Variable(..) | Piece::Call(_)] => Ok(Condition::True(template)),
        _ => Err(Refusal::new("this compares nothing").remedy(EXAMPLE)),
    }
}

/// Refuses a value that is the same each time.
fn changing(template: Template) -> Result<Template, Refusal> {
    match template.constant() {
        None => Ok(template),
        Some(word) => {
            let is_name = template::variable_name(word).is_ok();
            let refusal = Refusal::new("this compares texts that never change");
            Err(match is_name {
                true => refusal.remedy(format!("for the variable write {{{{{word}}}}}")),
                false => refusal.remedy(EXAMPLE),
            })
        }
    }
}

fn pattern(text: &str) -> Result<Pattern, Refusal> {
    Regex::new(text).map(Pattern).map_err(|error| {
        let last = error.to_string();
        let last = last.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Refusal::new(format!("this is no regular expression: {last}"))
            .remedy("correct it; \\. is a full stop, and all of the value must match")
    })
}

/// The first sign outside of holes and quotes, and its place.
fn sign(text: &str) -> Result<Option<(usize, &'static str, Sign)>, Refusal> {
    let mut quote: Option<char> = None;
    let mut in_hole = false;
    for (at, character) in text.char_indices() {
        let rest = &text[at..];
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, _) if rest.starts_with("{{") => in_hole = true,
            (None, _) if rest.starts_with("}}") => in_hole = false,
            _ if in_hole => {}
            _ => {
                if let Some((name, sign)) = SIGNS.iter().find(|(name, _)| rest.starts_with(name)) {
                    return Ok(Some((at, *name, *sign)));
                }
                unknown_sign(rest)?;
            }
        }
    }
    match quote {
        Some(open) => Err(Refusal::new(format!("a text that begins with {open} has no end"))
            .remedy(format!("add {open} where it ends"))),
        None => Ok(None),
    }
}

/// Refuses what other languages join and compare with.
fn unknown_sign(rest: &str) -> Result<(), Refusal> {
    let is_join = [" and ", " or ", "&&", "||"].iter().find(|join| rest.starts_with(**join));
    if let Some(join) = is_join {
        return Err(Refusal::new(format!("`{}` does not join conditions", join.trim())).remedy(
            "write them in a list, of which all must hold; a text with that word in quotes",
        ));
    }
    if rest.starts_with('=') {
        return Err(Refusal::new("`=` compares nothing").remedy("write =="));
    }
    Ok(())
}

/// A side of a comparison without its quotes.
fn unquoted(side: &str) -> &str {
    let within = |quote: char| side.strip_prefix(quote)?.strip_suffix(quote);
    let inner = within('\'').or_else(|| within('"'));
    inner.filter(|inner| !inner.contains(['\'', '"'])).unwrap_or(side)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Condition, Refusal> {
        let mut builder = Builder::default();
        builder.slot("a");
        parse(text, &mut builder, &mut Uses::default())
    }

    fn value() -> Template {
        Template(vec![Piece::Variable(0, "{{a}}".to_owned())])
    }

    #[test]
    fn comparisons_are_read() {
        use Comparison::{Equal, Greater, Less, LessOrEqual, NotEqual};
        for (text, comparison, right) in [
            ("{{a}} == done", Equal, "done"),
            ("{{a}}=='done'", Equal, "done"),
            ("'{{a}}' != \"\"", NotEqual, ""),
            ("{{a}} < 5", Less, "5"),
            ("{{a}} <= -1", LessOrEqual, "-1"),
            ("{{a}} > 'x == y'", Greater, "x == y"),
        ] {
            let expected = Condition::Compare(value(), comparison, Template::text(right));
            let read = read(text).unwrap();
            // An empty text has no pieces.
            let read = match read {
                Condition::Compare(left, comparison, right) if right.0.is_empty() => {
                    Condition::Compare(left, comparison, Template::text(""))
                }
                other => other,
            };
            assert_eq!(read, expected, "{text}");
        }
        assert_eq!(read("{{a}}"), Ok(Condition::True(value())));
        assert_eq!(read(" succeeded "), Ok(Condition::LastSucceeded));
        assert_eq!(read("failed"), Ok(Condition::Not(Box::new(Condition::LastSucceeded))));
        let pattern = Pattern(Regex::new("[0-9]+=?").unwrap());
        let matches = Condition::Matches(value(), pattern);
        assert_eq!(read("{{a}} =~ [0-9]+=?"), Ok(matches.clone()));
        assert_eq!(read("{{a}} !~ '[0-9]+=?'"), Ok(Condition::Not(Box::new(matches))));
        // A sign within a hole compares nothing.
        assert!(matches!(read("{{pick('<', '>')}} == x"), Ok(Condition::Compare(..))));
    }

    #[test]
    fn what_is_no_condition_is_refused_with_a_remedy() {
        for (text, words) in [
            ("", "compares nothing"),
            ("yes", "compares nothing"),
            ("a == 5", "never change"),
            ("{{b}} == 5", "no variable `b`"),
            ("{{a}} ==", "nothing stands after"),
            ("== 5", "nothing stands before"),
            ("{{a}} = 5", "`=` compares nothing"),
            ("{{a}} == 5 < 3", "are two comparisons"),
            ("{{a}} == 5 and {{a}} < 3", "`and` does not join"),
            ("{{a}} && {{a}}", "does not join"),
            ("{{a}} == 'x", "has no end"),
            ("{{a}} =~ (", "no regular expression"),
            ("x =~ x", "never change"),
            ("{{a == 5", "a name was expected"),
        ] {
            let refusal = read(text).expect_err(text);
            assert!(refusal.message.contains(words), "{text}: {}", refusal.message);
            assert!(refusal.remedy.is_some(), "{text}");
        }
        assert_eq!(
            read("a == 5").unwrap_err().remedy.as_deref(),
            Some("for the variable write {{a}}")
        );
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "([{}a'\"=<>!~ ()é5]|\\PC){0,30}") {
            let _ = read(&text);
        }
    }
}
