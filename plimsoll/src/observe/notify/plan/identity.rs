//! Names that Alertmanager gives to alarms and groups, so that both mean the same by them.

use tsdb::labels::Labels;
use tsdb::source::{Condition, Matcher};

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
/// Between names and values; no byte of UTF-8.
const SEPARATOR: u8 = 255;

/// The fingerprint of labels, as Alertmanager shows it (in 16 hexadecimal digits).
pub fn fingerprint(labels: &Labels) -> u64 {
    let mut hash = FNV_OFFSET;
    for (name, value) in labels.iter() {
        for byte in name.bytes().chain([SEPARATOR]).chain(value.bytes()).chain([SEPARATOR]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }
    hash
}

/// `{a="b", c="d"}`: labels in the key of a group.
pub fn label_set(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// `{a="b",c=~"d"}`: matchers in the key of a group.
pub(super) fn matcher_set(matchers: &[Matcher]) -> String {
    let written: Vec<String> = matchers.iter().map(matcher_text).collect();
    format!("{{{}}}", written.join(","))
}

/// `c=~"d"`.
pub fn matcher_text(matcher: &Matcher) -> String {
    let (operator, value) = match &matcher.condition {
        Condition::Equal(value) => ("=", value.as_str()),
        Condition::NotEqual(value) => ("!=", value.as_str()),
        Condition::Match(pattern) => ("=~", without_anchors(pattern.as_str())),
        Condition::NotMatch(pattern) => ("!~", without_anchors(pattern.as_str())),
    };
    format!("{}{operator}{}", matcher.name, quoted(value))
}

/// The pattern between the anchors of [`tsdb::pattern::anchored`].
fn without_anchors(pattern: &str) -> &str {
    pattern.strip_prefix("^(?s:").and_then(|rest| rest.strip_suffix(")$")).unwrap_or(pattern)
}

/// In double quotes, so that it stays on one line.
pub fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
