//! Why a message was refused, in a form for both the peer and the log.
//!
//! A rejection is final: the connection it came from must be closed after the answer, since where
//! the next message would start is no longer known.

/// Which kind of message was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From a client: the status says what is wrong with it (400, 413, 414, 417, 431, 501, 505).
    Request,
    /// From a server behind us: the status to answer the client with is always 502.
    Response,
}

/// A message that must not be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at byte {offset})")]
pub struct Reject {
    /// The status to answer the client with, before closing.
    pub status: u16,
    /// What is wrong.
    pub reason: RejectReason,
    /// Where: bytes from the start of the head, or of the encoded body for body errors.
    pub offset: u64,
}

impl Reject {
    /// A rejection of a message of the given side.
    #[must_use]
    pub const fn new(side: Side, reason: RejectReason, offset: u64) -> Reject {
        let status = match side {
            Side::Request => reason.request_status(),
            Side::Response => 502,
        };
        Reject { status, reason, offset }
    }
}

/// What is wrong with a message. The `Display` text is a sentence for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RejectReason {
    /// White space or an empty line before the start line. RFC 9112 §2.2 lets a server skip one
    /// empty line; we do not, since nothing correct has sent one for decades.
    #[error("there is white space or an empty line before the start line")]
    LeadingWhitespace,
    /// The method is empty or not a token.
    #[error("the method is not a token")]
    InvalidMethod,
    /// The method is longer than [`crate::Limits::METHOD_BYTES`].
    #[error("the method is too long to be one that is known")]
    MethodTooLong,
    /// The request target is empty, has a byte outside visible ASCII, or is in none of the four forms.
    #[error("the request target is not valid")]
    InvalidTarget,
    /// The request target is in a form that its method does not allow (RFC 9112 §3.2).
    #[error("the form of the request target does not fit the method")]
    TargetForm,
    /// The request target has a `#fragment`, which never belongs on the wire.
    #[error("the request target has a fragment")]
    TargetFragment,
    /// The request target is longer than [`crate::Limits::target_bytes`].
    #[error("the request target is too long")]
    TargetTooLong,
    /// The version is missing or not `HTTP/1.0` or `HTTP/1.1` to the byte.
    #[error("the HTTP version is missing or malformed")]
    InvalidVersion,
    /// A well-formed version whose major number is not 1.
    #[error("this version of HTTP is not spoken here; HTTP/1.1 and HTTP/1.0 are")]
    UnsupportedVersion,
    /// The status line is malformed or its status is not three digits from 100 to 999.
    #[error("the status line is malformed")]
    InvalidStatusLine,

    /// A carriage return without its line feed.
    #[error("there is a carriage return without a line feed")]
    BareCarriageReturn,
    /// A line feed without its carriage return.
    #[error("there is a line feed without a carriage return")]
    BareLineFeed,
    /// A NUL byte.
    #[error("there is a NUL byte")]
    NulByte,
    /// Another control byte.
    #[error("there is a control byte")]
    ControlByte,

    /// White space between the start line and the first header field (RFC 9112 §2.2).
    #[error("there is white space before the first header")]
    WhitespaceBeforeHeaders,
    /// A header line continued by a line that begins with white space (RFC 9112 §5.2).
    #[error("a header is folded over several lines")]
    ObsoleteFold,
    /// A header line that begins with its colon.
    #[error("a header has an empty name")]
    EmptyHeaderName,
    /// A header name with a byte that is not allowed in a token.
    #[error("a header name is not a token")]
    InvalidHeaderName,
    /// White space between a header name and its colon (RFC 9112 §5.1).
    #[error("there is white space between a header name and its colon")]
    SpaceBeforeColon,
    /// A header line without a colon.
    #[error("a header line has no colon")]
    MissingColon,
    /// The head is larger than [`crate::Limits::head_bytes`].
    #[error("the head is too large")]
    HeadTooLarge,
    /// More fields than [`crate::Limits::header_count`].
    #[error("there are too many headers")]
    TooManyHeaders,

    /// HTTP/1.1 without `Host`.
    #[error("there is no Host header")]
    MissingHost,
    /// More than one `Host`, even if they agree.
    #[error("there is more than one Host header")]
    DuplicateHost,
    /// `Host`, or the authority of the target, is not `uri-host [":" port]`.
    #[error("the host is not a valid name or address with an optional port")]
    InvalidHost,
    /// `Host` and the authority in the target differ.
    #[error("the Host header differs from the host in the request target")]
    HostMismatch,

    /// `Content-Length` is empty, signed, a list, hexadecimal or otherwise not digits.
    #[error("Content-Length is not a decimal number")]
    InvalidContentLength,
    /// `Content-Length` is above 2⁶³−1, which peers that count in signed numbers would misread.
    #[error("Content-Length is too large to be counted")]
    ContentLengthOverflow,
    /// More than one `Content-Length`, even if they agree.
    #[error("there is more than one Content-Length header")]
    DuplicateContentLength,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.1).
    #[error("there are both Content-Length and Transfer-Encoding")]
    LengthWithTransferEncoding,
    /// `Transfer-Encoding` in an HTTP/1.0 message (RFC 9112 §6.1).
    #[error("Transfer-Encoding is not part of HTTP/1.0")]
    TransferEncodingOnHttp10,
    /// More than one `Transfer-Encoding` field.
    #[error("there is more than one Transfer-Encoding header")]
    DuplicateTransferEncoding,
    /// `Transfer-Encoding` is anything but one single `chunked`.
    #[error("Transfer-Encoding is not exactly \"chunked\"")]
    InvalidTransferEncoding,
    /// `Connection` names `Host` or `Content-Length`, which would make every hop drop it.
    #[error("Connection names Host or Content-Length as its option")]
    ConnectionNamesFraming,
    /// More options than [`crate::Limits::connection_options`].
    #[error("there are too many Connection options")]
    TooManyConnectionOptions,
    /// `Expect` with anything but `100-continue`.
    #[error("Expect asks for something other than 100-continue")]
    UnknownExpectation,

    /// A 101 response to a request that asked for no upgrade.
    #[error("the server switched protocols without having been asked to")]
    UnexpectedUpgrade,
    /// A 1xx or 204 response that announces a body (RFC 9110 §8.6, RFC 9112 §6.1).
    #[error("a response that cannot have a body announces one")]
    UnexpectedBody,

    /// A chunk size is empty, signed, prefixed, spaced or otherwise not hexadecimal digits.
    #[error("a chunk size is not a hexadecimal number")]
    InvalidChunkSize,
    /// A chunk size has more than 16 digits or is above 2⁶³−1.
    #[error("a chunk size is too large to be counted")]
    ChunkSizeOverflow,
    /// A chunk-size line is longer than [`crate::Limits::chunk_line_bytes`].
    #[error("a chunk-size line is too long")]
    ChunkLineTooLong,
    /// More extension bytes than [`crate::Limits::chunk_extension_bytes`] in one body.
    #[error("there are too many chunk extensions")]
    ChunkExtensionsTooLarge,
    /// The data of a chunk is not followed by CRLF at once.
    #[error("a chunk does not end where its size says")]
    InvalidChunkEnd,
    /// A field in the trailers that must be in the head (RFC 9110 §6.5.1).
    #[error("a field in the trailers is only allowed in the head")]
    ForbiddenTrailer,
    /// The trailers are larger than [`crate::Limits::trailer_bytes`].
    #[error("the trailers are too large")]
    TrailersTooLarge,
    /// The connection closed before the body was complete.
    #[error("the connection closed in the middle of the body")]
    TruncatedBody,
}

impl RejectReason {
    /// The status for a client whose request has this fault.
    #[must_use]
    pub const fn request_status(self) -> u16 {
        match self {
            RejectReason::ChunkLineTooLong | RejectReason::ChunkExtensionsTooLarge => 413,
            RejectReason::TargetTooLong => 414,
            RejectReason::UnknownExpectation => 417,
            RejectReason::HeadTooLarge
            | RejectReason::TooManyHeaders
            | RejectReason::TooManyConnectionOptions
            | RejectReason::TrailersTooLarge => 431,
            RejectReason::MethodTooLong => 501,
            RejectReason::UnsupportedVersion => 505,
            _ => 400,
        }
    }
}

/// A fault found by a part that does not know which side it reads: reason and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: RejectReason,
    pub(crate) offset: usize,
}

impl Fault {
    pub(crate) const fn new(reason: RejectReason, offset: usize) -> Fault {
        Fault { reason, offset }
    }

    #[cold]
    pub(crate) fn on(self, side: Side) -> Reject {
        Reject::new(side, self.reason, self.offset as u64)
    }
}
