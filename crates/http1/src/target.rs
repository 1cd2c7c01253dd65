//! Request targets and hosts: which form, and which part is what (RFC 9112 §3.2, RFC 3986 §3.2).

use crate::span::Span;

/// The form of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`, the usual one.
    #[default]
    Origin,
    /// `http://host/path?query`, as sent to proxies; only `http` and `https` are taken.
    Absolute,
    /// `host:port`, for CONNECT only.
    Authority,
    /// `*`, for OPTIONS only.
    Asterisk,
}

/// `uri-host [":" port]`, valid and split. Names are letters, digits and what else RFC 3986 allows
/// in a `reg-name`, not lower-cased; addresses in brackets keep them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    /// All of it, with the port if there is one.
    pub text: Span,
    /// The host alone; never empty.
    pub host: Span,
    /// The port, if one is written.
    pub port: Option<u16>,
}
