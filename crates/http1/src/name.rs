//! Header names recognised once, when a head is parsed, so that nothing later compares strings.
//!
//! A name is found by one multiplication and one comparison: [`SLOTS`] maps a hash of its length and
//! three of its letters to the only name that may have it. The table is made at compile time, and
//! two names in one slot would be a compile error.

macro_rules! header_names {
    ($($variant:ident $text:literal,)*) => {
        /// A header name that this proxy knows, or [`HeaderName::Other`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Any other name.
            #[default]
            Other,
        }

        /// Every known name, at the index of its number.
        const KNOWN: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $text),)*];
    };
}

header_names! {
    Host "Host",
    Connection "Connection",
    ContentLength "Content-Length",
    TransferEncoding "Transfer-Encoding",
    Upgrade "Upgrade",
    Expect "Expect",
    KeepAlive "Keep-Alive",
    Te "TE",
    Trailer "Trailer",
    ProxyConnection "Proxy-Connection",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    XForwardedFor "X-Forwarded-For",
    XForwardedProto "X-Forwarded-Proto",
    XForwardedHost "X-Forwarded-Host",
    XForwardedPort "X-Forwarded-Port",
    Forwarded "Forwarded",
    Via "Via",
    XRealIp "X-Real-IP",
    XRequestId "X-Request-Id",
    XServedBy "X-Served-By",
    Traceparent "Traceparent",
    Tracestate "Tracestate",
    Accept "Accept",
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    AcceptRanges "Accept-Ranges",
    UserAgent "User-Agent",
    Referer "Referer",
    Origin "Origin",
    Cookie "Cookie",
    SetCookie "Set-Cookie",
    Authorization "Authorization",
    WwwAuthenticate "WWW-Authenticate",
    Date "Date",
    Server "Server",
    Location "Location",
    RetryAfter "Retry-After",
    CacheControl "Cache-Control",
    Pragma "Pragma",
    Age "Age",
    Expires "Expires",
    Vary "Vary",
    ETag "ETag",
    LastModified "Last-Modified",
    IfMatch "If-Match",
    IfNoneMatch "If-None-Match",
    IfModifiedSince "If-Modified-Since",
    IfUnmodifiedSince "If-Unmodified-Since",
    IfRange "If-Range",
    Range "Range",
    ContentType "Content-Type",
    ContentEncoding "Content-Encoding",
    ContentLanguage "Content-Language",
    ContentRange "Content-Range",
    MaxForwards "Max-Forwards",
    SecWebSocketKey "Sec-WebSocket-Key",
    StrictTransportSecurity "Strict-Transport-Security",
}

/// Odd number, found by trial, under which no two known names share a slot.
const MULTIPLIER: u32 = 0x2a1b_e9cd;

/// For each hash the number of the only name that may have it, or [`HeaderName::Other`].
static SLOTS: [HeaderName; 256] = {
    let mut slots = [HeaderName::Other; 256];
    let mut index = 0;
    while index < KNOWN.len() {
        let slot = slot_of(KNOWN[index].1.as_bytes());
        assert!(matches!(slots[slot], HeaderName::Other), "two header names share a slot");
        slots[slot] = KNOWN[index].0;
        index += 1;
    }
    slots
};

/// Slot of a name of at least two bytes. Bit 0x20 is set in each letter, which makes case vanish.
#[inline]
const fn slot_of(name: &[u8]) -> usize {
    let length = name.len();
    let key = (length as u32 & 0xff)
        | ((name[0] | 0x20) as u32) << 8
        | ((name[length - 2] | 0x20) as u32) << 16
        | ((name[length / 2] | 0x20) as u32) << 24;
    (key.wrapping_mul(MULTIPLIER) >> 24) as usize
}

impl HeaderName {
    /// The name that a token spells, in any case.
    #[inline]
    #[must_use]
    pub fn from_bytes(token: &[u8]) -> HeaderName {
        if token.len() < 2 {
            return HeaderName::Other;
        }
        let candidate = SLOTS[slot_of(token)];
        if candidate.as_str().as_bytes().eq_ignore_ascii_case(token) {
            candidate
        } else {
            HeaderName::Other
        }
    }

    /// The usual spelling; empty for [`HeaderName::Other`].
    #[inline]
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let index = self as usize;
        if index < KNOWN.len() { KNOWN[index].1 } else { "" }
    }
}

/// A set of known names, as a bit each. `Other` can never be in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameSet(u64);

const _: () = assert!(KNOWN.len() < 64, "a NameSet has one bit for each known name");

impl NameSet {
    /// The set without names.
    pub const EMPTY: NameSet = NameSet(0);

    /// The set of the names given.
    #[must_use]
    pub const fn of(names: &[HeaderName]) -> NameSet {
        let mut set = NameSet::EMPTY;
        let mut index = 0;
        while index < names.len() {
            set = set.with(names[index]);
            index += 1;
        }
        set
    }

    /// This set and one name more.
    #[inline]
    #[must_use]
    pub const fn with(self, name: HeaderName) -> NameSet {
        NameSet((self.0 | 1 << name as u8) & !(1 << HeaderName::Other as u8))
    }

    /// Whether a name is in the set.
    #[inline]
    #[must_use]
    pub const fn contains(self, name: HeaderName) -> bool {
        self.0 & (1 << name as u8) != 0
    }

    /// Whether the sets share a name.
    #[inline]
    #[must_use]
    pub const fn intersects(self, other: NameSet) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of both sets.
    #[must_use]
    pub const fn union(self, other: NameSet) -> NameSet {
        NameSet(self.0 | other.0)
    }
}
