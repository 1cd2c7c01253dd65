//! How long the body after a head is (RFC 9112 §6.3), and the refusal of heads that do not say it
//! in exactly one way.

/// How the body that follows a head ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body; the next byte belongs to the next message.
    #[default]
    None,
    /// Exactly this many bytes (0 is `Content-Length: 0`).
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the connection closes (responses only).
    UntilClose,
}
