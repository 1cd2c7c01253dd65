//! Bounds on what a peer may make us hold or look at.

/// Bounds for one message. Every field has a named default; none may be unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole head, from the first of the start line to the empty line and with it. Values
    /// above [`Limits::LARGEST_HEAD_BYTES`] count as that. Beyond: 431, or 414 within the start line.
    pub head_bytes: usize,
    /// Header fields in a head, and in the trailers of a body. Beyond: 431.
    pub header_count: usize,
    /// Bytes of a request target. Beyond: 414.
    pub target_bytes: usize,
    /// Options over all `Connection` fields of a head. Each is compared with each header name, so
    /// this bounds the work of one head. Beyond: 431.
    pub connection_options: usize,
    /// Bytes of one chunk-size line: size, extensions and line end. Beyond: 413.
    pub chunk_line_bytes: usize,
    /// Bytes of chunk extensions over a whole body, so that tiny chunks with large extensions cannot
    /// cost without end. Beyond: 413.
    pub chunk_extension_bytes: usize,
    /// Bytes of all trailer lines with the empty line that ends them. Beyond: 431.
    pub trailer_bytes: usize,
}

impl Limits {
    /// Default of [`Limits::head_bytes`]: what common servers behind a proxy accept at most.
    pub const HEAD_BYTES: usize = 32 * 1024;
    /// No configuration may allow a larger head than this; offsets are 32 bits wide.
    pub const LARGEST_HEAD_BYTES: usize = 16 * 1024 * 1024;
    /// Default of [`Limits::header_count`].
    pub const HEADER_COUNT: usize = 100;
    /// Default of [`Limits::target_bytes`] (RFC 9112 §3 recommends at least 8000).
    pub const TARGET_BYTES: usize = 8 * 1024;
    /// Default of [`Limits::connection_options`].
    pub const CONNECTION_OPTIONS: usize = 32;
    /// Default of [`Limits::chunk_line_bytes`].
    pub const CHUNK_LINE_BYTES: usize = 4 * 1024;
    /// Default of [`Limits::chunk_extension_bytes`].
    pub const CHUNK_EXTENSION_BYTES: usize = 16 * 1024;
    /// Default of [`Limits::trailer_bytes`].
    pub const TRAILER_BYTES: usize = 8 * 1024;
    /// Longest method name that is looked at; the longest registered one has 17 bytes. Beyond: 501.
    pub const METHOD_BYTES: usize = 32;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes: Limits::HEAD_BYTES,
            header_count: Limits::HEADER_COUNT,
            target_bytes: Limits::TARGET_BYTES,
            connection_options: Limits::CONNECTION_OPTIONS,
            chunk_line_bytes: Limits::CHUNK_LINE_BYTES,
            chunk_extension_bytes: Limits::CHUNK_EXTENSION_BYTES,
            trailer_bytes: Limits::TRAILER_BYTES,
        }
    }
}
