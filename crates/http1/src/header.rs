//! The header fields of a parsed head: where each line is, which name it has, and whether it ends
//! at this hop.
//!
//! Lines are kept whole so that a proxy forwards them by copying bytes: [`Headers::runs`] joins
//! neighbours, and a typical head is forwarded in two or three copies.

use crate::name::{HeaderName, NameSet};
use crate::span::Span;

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Offset of the first byte of the name, which is that of the line.
    pub(crate) line_start: u32,
    /// Offset after the line feed that ends the line.
    pub(crate) line_end: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
    pub(crate) name_length: u32,
    /// The name, if it is a known one.
    pub name: HeaderName,
    /// Whether the field ends here and must not be forwarded (RFC 9110 §7.6.1): it is one of
    /// Connection, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding and Upgrade, or it is named
    /// by a `Connection` option, or it is the `Content-Length: 0` of a 1xx or 204 response.
    pub hop_by_hop: bool,
    /// Whether the name has an underscore. CGI, WSGI and Rack turn both `-` and `_` to `_`, so
    /// `X_Forwarded_For` may override `X-Forwarded-For` behind us; a proxy does well to drop these.
    pub has_underscore: bool,
}

impl Header {
    /// The name as written.
    #[inline]
    #[must_use]
    pub const fn name_text(&self) -> Span {
        Span { start: self.line_start, end: self.line_start + self.name_length }
    }

    /// The value without surrounding white space; may be empty, and may have bytes above 0x7f.
    #[inline]
    #[must_use]
    pub const fn value(&self) -> Span {
        Span { start: self.value_start, end: self.value_end }
    }

    /// The whole line as received, with its CRLF.
    #[inline]
    #[must_use]
    pub const fn line(&self) -> Span {
        Span { start: self.line_start, end: self.line_end }
    }
}

/// The header fields of one head, in the order received.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    pub(crate) list: Vec<Header>,
    /// The known names that occur.
    pub(crate) present: NameSet,
    /// The known names that occur more than once.
    pub(crate) repeated: NameSet,
}

impl Headers {
    /// All fields, in order.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[Header] {
        &self.list
    }

    /// All fields, in order.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.list.iter()
    }

    /// Whether a known name occurs; costs one bit test.
    #[inline]
    #[must_use]
    pub const fn has(&self, name: HeaderName) -> bool {
        self.present.contains(name)
    }

    /// The known names that occur.
    #[inline]
    #[must_use]
    pub const fn present(&self) -> NameSet {
        self.present
    }

    /// The first field of a known name.
    #[inline]
    #[must_use]
    pub fn find(&self, name: HeaderName) -> Option<&Header> {
        if !self.has(name) {
            return None;
        }
        self.list.iter().find(|header| header.name == name)
    }

    /// All fields of a known name, in order.
    pub fn find_all(&self, name: HeaderName) -> impl Iterator<Item = &Header> {
        let end = if self.has(name) { self.list.len() } else { 0 };
        self.list[..end].iter().filter(move |header| header.name == name)
    }

    /// The first field with this name in any case; for names that [`HeaderName`] does not know.
    #[must_use]
    pub fn find_text(&self, buffer: &[u8], name: &[u8]) -> Option<&Header> {
        self.list.iter().find(|header| header.name_text().of(buffer).eq_ignore_ascii_case(name))
    }

    /// What to copy when forwarding: the lines that are not hop-by-hop and whose name is not in
    /// `dropped`, neighbours joined to one span. Every span is of whole lines with their CRLF.
    #[inline]
    #[must_use]
    pub fn runs(&self, dropped: NameSet) -> Runs<'_> {
        Runs { rest: self.list.iter(), dropped, with_underscores: true }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.present = NameSet::EMPTY;
        self.repeated = NameSet::EMPTY;
    }

    #[inline]
    pub(crate) fn push(&mut self, header: Header) {
        if self.present.contains(header.name) {
            self.repeated = self.repeated.with(header.name);
        }
        self.present = self.present.with(header.name);
        self.list.push(header);
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The spans of [`Headers::runs`].
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    rest: std::slice::Iter<'a, Header>,
    dropped: NameSet,
    with_underscores: bool,
}

impl Runs<'_> {
    /// Leaves out fields whose name has an underscore ([`Header::has_underscore`]) too.
    #[must_use]
    pub fn without_underscores(mut self) -> Self {
        self.with_underscores = false;
        self
    }

    #[inline]
    fn keeps(&self, header: &Header) -> bool {
        !header.hop_by_hop
            && !self.dropped.contains(header.name)
            && (self.with_underscores || !header.has_underscore)
    }
}

impl Iterator for Runs<'_> {
    type Item = Span;

    #[inline]
    fn next(&mut self) -> Option<Span> {
        let mut run: Option<Span> = None;
        while let Some(header) = self.rest.next() {
            if self.keeps(header) {
                run = Some(match run {
                    None => header.line(),
                    Some(before) => Span { end: header.line_end, ..before },
                });
            } else if run.is_some() {
                return run;
            }
        }
        run
    }
}
