//! Splits bytes into lines of bounded length, and makes foreign text fit for a terminal.

/// Collects bytes into lines without their ends.
#[derive(Debug)]
pub struct LineSplitter {
    partial: Vec<u8>,
    /// Bytes of the present line beyond the bound, dropped so far.
    dropped: u64,
    max: usize,
}

impl LineSplitter {
    /// Lines keep at most `max` bytes; a mark says how many were dropped.
    pub fn new(max: usize) -> Self {
        Self { partial: Vec::new(), dropped: 0, max }
    }

    /// Takes more bytes and gives each line that they complete.
    pub fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.add(&bytes[..end]);
            self.emit(&mut line);
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    /// Gives what is left, if it is not empty.
    pub fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            self.emit(&mut line);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = self.max.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
        self.dropped += (bytes.len() - room) as u64;
    }

    fn emit(&mut self, line: &mut impl FnMut(&[u8])) {
        if self.dropped > 0 {
            let mark = format!(" [cut: {} more bytes]", self.dropped);
            self.partial.extend_from_slice(mark.as_bytes());
        } else if self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        line(&self.partial);
        self.partial.clear();
        self.dropped = 0;
    }
}

/// Text that a terminal shows but does not obey: bytes that are not UTF-8 become U+FFFD, control
/// characters their code. Colours (SGR, ECMA-48 8.3.117) pass when asked for, and are taken out
/// otherwise.
pub fn clean(line: &[u8], colours: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let mut result = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(character) = rest.chars().next() {
        if let Some(length) = colour_length(rest) {
            if colours {
                result.push_str(&rest[..length]);
            }
            rest = &rest[length..];
            continue;
        }
        if character != '\t' && character.is_control() {
            result.push_str(&format!("\\x{:02x}", u32::from(character)));
        } else {
            result.push(character);
        }
        rest = &rest[character.len_utf8()..];
    }
    result
}

/// The length of the colour sequence at the start of a text, if there is one.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    parameters[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]], max: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut splitter = LineSplitter::new(max);
        let mut take = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        for piece in pieces {
            splitter.push(piece, &mut take);
        }
        splitter.finish(&mut take);
        lines
    }

    #[test]
    fn lines_end_where_they_should() {
        assert_eq!(split(&[b"a\nb\r\n\nc"], 10), ["a", "b", "", "c"]);
        assert_eq!(split(&[b"a", b"b\n", b""], 10), ["ab"]);
        assert_eq!(split(&[], 10), [""; 0]);
    }

    #[test]
    fn long_lines_are_cut_and_marked() {
        let cut = "abcd [cut: 3 more bytes]";
        assert_eq!(split(&[b"abcdefg\nabcd\n"], 4), [cut, "abcd"]);
        assert_eq!(split(&[b"ab", b"cde", b"fg"], 4), [cut]);
    }

    #[test]
    fn control_characters_are_shown() {
        let line = b"a\tb\x07\x1b]0;title\x1b[2J\x1b[31mred\x1b[0m \xff \xc3\xa9\x00";
        let plain = "a\tb\\x07\\x1b]0;title\\x1b[2Jred \u{fffd} é\\x00";
        assert_eq!(clean(line, false), plain);
        let colours = "a\tb\\x07\\x1b]0;title\\x1b[2J\x1b[31mred\x1b[0m \u{fffd} é\\x00";
        assert_eq!(clean(line, true), colours);
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_lines(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            at in 0_usize..200,
        ) {
            let at = at.min(bytes.len());
            prop_assert_eq!(split(&[&bytes], 8), split(&[&bytes[..at], &bytes[at..]], 8));
        }

        #[test]
        fn cleaned_text_holds_no_control_but_tabs(bytes: Vec<u8>) {
            prop_assert!(clean(&bytes, false).chars().all(|c| c == '\t' || !c.is_control()));
        }
    }
}
