//! Foreign text within markup and scripts.
//!
//! Names of plans, labels, instances and servers' words come from files and from the network: none of
//! them may end an element, an attribute or a script.

/// As text or as the value of an attribute in double quotes, in HTML and in XML alike. Characters that
/// XML 1.0 does not allow (§2.2) become U+FFFD.
pub fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON that may stand in a script element: no `<` can begin an end tag or a comment, and no line
/// separator ends a line.
pub fn script(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // In JSON these stand within strings only, where they may be written so.
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// At most so many characters, the middle left out of longer texts: ends tell names apart.
pub fn shortened(text: &str, characters: usize) -> String {
    let count = text.chars().count();
    if count <= characters {
        return text.to_owned();
    }
    let end = (characters - 1) / 2;
    let start = characters - 1 - end;
    let head: String = text.chars().take(start).collect();
    let tail: String = text.chars().skip(count - end).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_ends_what_it_stands_in() {
        assert_eq!(
            markup("</a title=\"x\" b='y'>&"),
            "&lt;/a title=&quot;x&quot; b=&#39;y&#39;&gt;&amp;"
        );
        assert_eq!(markup("a\u{0}b\u{1b}[31m\nc"), "a\u{fffd}b\u{fffd}[31m c");
        assert_eq!(
            script("\"</script><!--\u{2028}\""),
            "\"\\u003c/script\\u003e\\u003c!--\\u2028\""
        );
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("short", 9), "short");
        assert_eq!(shortened("abcdefghijkl", 7), "abc…jkl");
        assert_eq!(shortened("äöüäöüäöü", 4), "äö…ü");
    }
}
