//! HTML that cannot be broken by what is shown in it.
//!
//! Markup comes from literals of this program ([`Markup::raw`] takes nothing else); everything
//! else goes through [`Markup::text`], which escapes. Attribute values are always in double
//! quotes, so that one escaping serves both places.

/// A piece of a page being written.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup written in the program.
    pub(super) fn raw(&mut self, html: &'static str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Adds text from anywhere, as an element's content or within a quoted attribute value.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Control and direction characters could make a name look like another.
                c if c.is_control()
                    || ('\u{202a}'..='\u{202e}').contains(&c)
                    || ('\u{2066}'..='\u{2069}').contains(&c) =>
                {
                    self.0.push('\u{fffd}')
                }
                c => self.0.push(c),
            }
        }
        self
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_only_text() {
        let mut page = Markup::default();
        page.raw("<a title=\"").text("\"x' <b>&amp;\u{202e}\n").raw("\">");
        assert_eq!(page.finish(), "<a title=\"&quot;x&#39; &lt;b&gt;&amp;amp;\u{fffd}\u{fffd}\">");
    }
}
