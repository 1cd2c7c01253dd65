//! Which format a body is in, by its `Content-Type`.
//!
//! As in Prometheus 3, a target that does not say what it sends is refused unless its
//! configuration names the format to fall back to; guessing would store nonsense silently.

use std::fmt;

use thiserror::Error;

/// The value of `Accept` to ask a target with: OpenMetrics first, because it carries exemplars and
/// units, then the text format, then anything.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;q=0.6,\
     application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";

/// A format that [`super::Parser`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The text format 0.0.4,
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
    Text,
    /// OpenMetrics 1.0, <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
    OpenMetrics,
}

/// A format found for a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The format to read it in.
    pub format: Format,
    /// Why the fallback was taken, for the target's page; `None` if the header named the format.
    pub fallback_because: Option<UnknownFormat>,
}

/// A `Content-Type` that names no format that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownFormat {
    /// There is none.
    #[error(
        "the target names no Content-Type; it must send `text/plain; version=0.0.4` or \
         `application/openmetrics-text; version=1.0.0`, or be given a fallback format"
    )]
    Missing,
    /// It is something else.
    #[error(
        "the target sends Content-Type `{0}`, which is no metrics format; it must send \
         `text/plain; version=0.0.4` or `application/openmetrics-text; version=1.0.0`, or be given \
         a fallback format"
    )]
    Unsupported(String),
    /// A version that is not read.
    #[error(
        "the target sends version `{version}` of {format}; {versions} are read: ask it for one of \
         them, or give it a fallback format"
    )]
    Version {
        /// The format.
        format: Format,
        /// What the header says.
        version: String,
        /// What it may say.
        versions: &'static str,
    },
    /// Not a media type.
    #[error(
        "the target's Content-Type `{0}` cannot be read: expected `type/subtype; name=value`, for \
         example `text/plain; version=0.0.4`"
    )]
    Malformed(String),
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "the Prometheus text format",
            Self::OpenMetrics => "OpenMetrics",
        })
    }
}

/// Characters of a foreign header value that an error repeats.
const SHOWN_CHARACTERS_MAX: usize = 100;

impl Format {
    /// The format of a body that came with this `Content-Type`, or the fallback of the target's
    /// configuration.
    ///
    /// # Errors
    /// When neither is there.
    pub fn of(content_type: Option<&str>, fallback: Option<Self>) -> Result<Choice, UnknownFormat> {
        match (Self::named(content_type), fallback) {
            (Ok(format), _) => Ok(Choice { format, fallback_because: None }),
            (Err(reason), Some(format)) => Ok(Choice { format, fallback_because: Some(reason) }),
            (Err(reason), None) => Err(reason),
        }
    }

    fn named(content_type: Option<&str>) -> Result<Self, UnknownFormat> {
        let value = content_type.map(str::trim).unwrap_or_default();
        if value.is_empty() {
            return Err(UnknownFormat::Missing);
        }
        let shown = || value.chars().take(SHOWN_CHARACTERS_MAX).collect::<String>();
        let (media, version) =
            media_type(value).ok_or_else(|| UnknownFormat::Malformed(shown()))?;
        let (format, known, versions) = match media.as_str() {
            // 1.0.0 is 0.0.4 with quoted names, which are read anyway.
            "text/plain" => (Self::Text, ["0.0.4", "1.0.0"], "0.0.4 and 1.0.0"),
            "application/openmetrics-text" => {
                (Self::OpenMetrics, ["0.0.1", "1.0.0"], "0.0.1 and 1.0.0")
            }
            _ => return Err(UnknownFormat::Unsupported(shown())),
        };
        match version {
            Some(version) if !known.contains(&version.as_str()) => {
                let version = version.chars().take(SHOWN_CHARACTERS_MAX).collect();
                Err(UnknownFormat::Version { format, version, versions })
            }
            _ => Ok(format),
        }
    }
}

/// The media type in lower case and its parameter `version`; `None` if the value is not of the
/// grammar of RFC 9110, section 8.3.1.
fn media_type(value: &str) -> Option<(String, Option<String>)> {
    let (media, mut rest) = value.split_once(';').unwrap_or((value, ""));
    let media = media.trim_matches([' ', '\t']).to_ascii_lowercase();
    let (kind, subtype) = media.split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    let mut version = None;
    loop {
        rest = rest.trim_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some((media, version));
        }
        let (name, after) = rest.split_once('=')?;
        if !is_token(name) {
            return None;
        }
        let text;
        (text, rest) = parameter_value(after)?;
        if name.eq_ignore_ascii_case("version") && version.replace(text).is_some() {
            return None;
        }
    }
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ';']).unwrap_or(text.len());
        return is_token(&text[..end]).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_names_the_format_or_is_refused_with_its_reason() {
        let cases = include_str!("format/content_types.txt");
        let mut count = 0;
        for line in cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (header, expected) = line.split_once(" => ").unwrap();
            let header = (header != "(none)").then_some(header);
            let found = match Format::of(header, None) {
                Ok(Choice { format: Format::Text, fallback_because: None }) => "text".to_owned(),
                Ok(Choice { format: Format::OpenMetrics, fallback_because: None }) => {
                    "openmetrics".to_owned()
                }
                Ok(other) => panic!("{line}: {other:?}"),
                Err(reason) => reason.to_string(),
            };
            assert_eq!(found, expected, "{line}");
            count += 1;
        }
        assert!(count > 15);
    }

    #[test]
    fn a_fallback_is_taken_only_when_the_header_names_none_and_says_why() {
        let of = |header| Format::of(header, Some(Format::OpenMetrics)).unwrap();
        assert_eq!(of(None).format, Format::OpenMetrics);
        assert_eq!(of(None).fallback_because, Some(UnknownFormat::Missing));
        let html = UnknownFormat::Unsupported("text/html".to_owned());
        assert_eq!(of(Some("text/html")).fallback_because, Some(html));
        let text = Choice { format: Format::Text, fallback_because: None };
        assert_eq!(of(Some("text/plain; version=0.0.4")), text);
    }
}
