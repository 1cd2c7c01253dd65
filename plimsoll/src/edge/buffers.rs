//! Memory of a request in progress: buffers and parser scratch, pooled by worker.
//!
//! A connection takes a [`Scratch`] when the first byte of a request is there and gives it back when
//! it falls idle, so that idle connections hold none and busy ones allocate none.
//!
//! Invariants: a [`Buffer`] never grows beyond the size asked for in [`Buffer::reserve`]; a scratch
//! that goes back to the pool is empty and has at most [`KEPT_BYTES`] in each of its vectors; the
//! pool keeps at most [`POOLED`] of them.

use std::cell::RefCell;

use http1::{BodyDecoder, BodyFraming, Limits, RequestHead, ResponseHead, Side};

/// First size of the buffer for requests.
const REQUEST_BYTES: usize = 16 * 1024;
/// First size of the buffer for responses: a head and a body of 16 KiB, which is what many servers
/// write at a time, in one read. Pages that are not touched cost nothing.
const RESPONSE_BYTES: usize = 32 * 1024;
/// Size of a read buffer that relays a large body: fewer calls for the same bytes.
pub(crate) const RELAY_BYTES: usize = 64 * 1024;
/// Largest vector that is kept for the next request.
const KEPT_BYTES: usize = 64 * 1024;
/// Most scratches kept by a worker for reuse.
const POOLED: usize = 128;

/// Bytes that were read and not yet used, in one flat allocation.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new(size: usize) -> Self {
        Self { bytes: vec![0; size], start: 0, end: 0 }
    }

    /// A buffer that holds `bytes`.
    pub(crate) fn with(bytes: &[u8]) -> Self {
        let mut buffer = Self::new(REQUEST_BYTES.max(bytes.len()));
        buffer.bytes[..bytes.len()].copy_from_slice(bytes);
        buffer.end = bytes.len();
        buffer
    }

    /// The bytes not used yet.
    #[inline]
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Everything from the start of the allocation: where a head that was consumed still lies,
    /// as long as nothing but [`Buffer::rewind`] to its end moved the bytes.
    #[inline]
    pub(crate) fn origin_bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// Whether all is used.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for the next read; may be empty.
    #[inline]
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// Counts bytes that were read into [`Buffer::space`].
    #[inline]
    pub(crate) fn filled_by(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Counts bytes as used.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// If all is used, makes the room after `origin` free again; bytes before it stay.
    #[inline]
    pub(crate) fn rewind(&mut self, origin: usize) {
        if self.start == self.end {
            self.start = origin.min(self.end);
            self.end = self.start;
        }
    }

    /// Moves the unused bytes to the origin.
    pub(crate) fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Makes the allocation at least `size` bytes long.
    pub(crate) fn reserve(&mut self, size: usize) {
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
    }

    /// Bytes that it can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }
}

/// What one request in progress needs beyond its sockets.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// The request's head.
    pub(crate) request: RequestHead,
    /// The response's head.
    pub(crate) response: ResponseHead,
    /// Bytes from the client. While a request is in progress its head lies at the origin.
    pub(crate) input: Buffer,
    /// Bytes from the server.
    pub(crate) answer: Buffer,
    /// Bytes for the server: head, re-framed body. Kept after they were sent as long as the request
    /// may be repeated.
    pub(crate) to_server: Vec<u8>,
    /// Bytes for the client: head, re-framed body.
    pub(crate) to_client: Vec<u8>,
    /// The body on its way to the server.
    pub(crate) upload: BodyDecoder,
    /// The body on its way to the client.
    pub(crate) download: BodyDecoder,
    /// The id of the request, at most [`super::identity::LONGEST_ID`] bytes.
    pub(crate) request_id: Vec<u8>,
}

impl Scratch {
    fn new() -> Box<Self> {
        Box::new(Self {
            request: RequestHead::new(),
            response: ResponseHead::new(),
            input: Buffer::new(REQUEST_BYTES),
            answer: Buffer::new(RESPONSE_BYTES),
            to_server: Vec::with_capacity(2 * 1024),
            to_client: Vec::with_capacity(4 * 1024),
            upload: BodyDecoder::new(Side::Request, BodyFraming::None, &Limits::default()),
            download: BodyDecoder::new(Side::Response, BodyFraming::None, &Limits::default()),
            request_id: Vec::with_capacity(32),
        })
    }

    fn is_worth_keeping(&self) -> bool {
        [&self.to_server, &self.to_client].iter().all(|vector| vector.capacity() <= KEPT_BYTES)
    }

    fn clear(&mut self) {
        self.request.reset();
        self.response.reset();
        for (buffer, size) in [(&mut self.input, REQUEST_BYTES), (&mut self.answer, RESPONSE_BYTES)]
        {
            buffer.clear();
            if buffer.capacity() > size {
                *buffer = Buffer::new(size);
            }
        }
        self.to_server.clear();
        self.to_client.clear();
        self.request_id.clear();
    }
}

/// A worker's scratches that are not in use.
#[derive(Debug, Default)]
// The boxes are what is passed around: connections hold one pointer.
#[expect(clippy::vec_box)]
pub(crate) struct Scratches(RefCell<Vec<Box<Scratch>>>);

impl Scratches {
    /// An empty scratch.
    pub(crate) fn take(&self) -> Box<Scratch> {
        self.0.borrow_mut().pop().unwrap_or_else(Scratch::new)
    }

    /// Takes one back.
    pub(crate) fn put(&self, mut scratch: Box<Scratch>) {
        let mut pool = self.0.borrow_mut();
        if pool.len() < POOLED && scratch.is_worth_keeping() {
            scratch.clear();
            pool.push(scratch);
        }
    }
}
