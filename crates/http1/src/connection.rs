//! `Connection` options and the fields that end at this hop (RFC 9110 §7.6.1).

use crate::header::Headers;
use crate::limits::Limits;
use crate::name::{HeaderName, NameSet};
use crate::reject::{Fault, RejectReason};
use crate::version::Version;

/// Fields that are about one connection whether or not `Connection` names them.
pub(crate) const HOP_BY_HOP: NameSet = NameSet::of(&[
    HeaderName::Connection,
    HeaderName::KeepAlive,
    HeaderName::ProxyConnection,
    HeaderName::Te,
    HeaderName::TransferEncoding,
    HeaderName::Upgrade,
]);

/// Fields without which a message is routed or framed differently. Naming one in `Connection` asks
/// every proxy on the way to drop it, which only an attacker wants.
const PROTECTED: NameSet = NameSet::of(&[HeaderName::Host, HeaderName::ContentLength]);

/// The options that mean something to this hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

impl Options {
    /// Whether the connection persists after the message (RFC 9112 §9.3).
    pub(crate) const fn persists(self, version: Version) -> bool {
        match version {
            _ if self.close => false,
            Version::Http11 => true,
            Version::Http10 => self.keep_alive,
        }
    }
}

/// The elements of a comma-separated list (RFC 9110 §5.6.1), without surrounding white space; empty
/// ones are left out. Commas in quoted strings are not looked for: for lists of tokens only.
pub fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Reads all `Connection` fields, and marks the fields that they name as hop-by-hop. Options that
/// are not tokens can name nothing and are passed over.
pub(crate) fn read(
    buffer: &[u8],
    headers: &mut Headers,
    limits: &Limits,
) -> Result<Options, Fault> {
    let mut options = Options::default();
    if !headers.has(HeaderName::Connection) {
        return Ok(options);
    }
    let mut count = 0;
    for index in 0..headers.list.len() {
        let header = headers.list[index];
        if header.name != HeaderName::Connection {
            continue;
        }
        for element in list_elements(header.value().of(buffer)) {
            count += 1;
            let place = header.value().start as usize;
            if count > limits.connection_options {
                return Err(Fault::new(RejectReason::TooManyConnectionOptions, place));
            }
            if element.eq_ignore_ascii_case(b"keep-alive") {
                options.keep_alive = true;
            } else if element.eq_ignore_ascii_case(b"close") {
                options.close = true;
            } else if element.eq_ignore_ascii_case(b"upgrade") {
                options.upgrade = true;
            } else if PROTECTED.contains(HeaderName::from_bytes(element)) {
                return Err(Fault::new(RejectReason::ConnectionNamesFraming, place));
            } else {
                mark(buffer, headers, element);
            }
        }
    }
    Ok(options)
}

/// Marks every field of a name as hop-by-hop.
fn mark(buffer: &[u8], headers: &mut Headers, named: &[u8]) {
    let name = HeaderName::from_bytes(named);
    if name != HeaderName::Other && !headers.has(name) {
        return;
    }
    for header in &mut headers.list {
        if header.name == name
            && (name != HeaderName::Other
                || header.name_text().of(buffer).eq_ignore_ascii_case(named))
        {
            header.hop_by_hop = true;
        }
    }
}
