//! Bodies on their way, both directions at once, in bounded buffers.
//!
//! Everything here is a poll function on one exchange: it moves what can be moved now and leaves the
//! rest to the next readiness. A direction reads only when what it read before was written, so a
//! slow receiver slows its sender down (back-pressure) and a body of any size takes one buffer.
//!
//! The upload is kept after it was sent as long as it may have to be repeated
//! ([`Transfer::keeps_upload`]). The download is written from the buffer that it was read into when
//! its framing stays as it is, and re-framed in between when it does not. The rest of a large body
//! of known length goes by [`Splice`] instead of the buffers, either way.

use std::io::IoSlice;
use std::task::{Context, Poll, ready};

use http1::{ChunkEncoder, Reject};

use super::buffers::{RELAY_BYTES, Scratch};
use super::splice::{Splice, SpliceProblem};
use crate::net::Stream;

/// Payload up to this size is copied behind the head rather than written as a second piece.
const COPIED_BYTES: usize = 4 * 1024;
/// Bytes of re-framed body that are gathered before they are written.
const GATHERED_BYTES: usize = 64 * 1024;
/// Least room for reading a body behind the head of its request.
const LEAST_ROOM_BYTES: usize = 4 * 1024;

/// Which side's turn it is when a direction waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For the client: to send more of its body, or to take more of the response.
    Client,
    /// For the server, likewise.
    Server,
}

/// Why an upload ended early.
#[derive(Debug)]
pub(crate) enum UploadProblem {
    /// The server takes no more.
    Server,
    /// The client closed or reset its side.
    ClientGone,
    /// The body is not framed as it should be.
    Rejected(Reject),
    /// The body is larger than allowed.
    TooLarge,
}

/// Why a download ended early.
#[derive(Debug)]
pub(crate) enum DownloadProblem {
    /// The client takes no more.
    ClientGone,
    /// The server closed or reset before the end.
    Truncated,
    /// The body is not framed as it should be.
    Rejected(Reject),
}

impl From<SpliceProblem> for UploadProblem {
    fn from(problem: SpliceProblem) -> Self {
        match problem {
            SpliceProblem::Sender => Self::ClientGone,
            SpliceProblem::Receiver => Self::Server,
        }
    }
}

impl From<SpliceProblem> for DownloadProblem {
    fn from(problem: SpliceProblem) -> Self {
        match problem {
            SpliceProblem::Sender => Self::Truncated,
            SpliceProblem::Receiver => Self::ClientGone,
        }
    }
}

/// How far the two bodies of an exchange have come.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Bytes of `to_server` that this attempt has sent.
    pub(crate) server_sent: usize,
    /// Bytes of `to_client` that were sent.
    pub(crate) client_sent: usize,
    /// Whether any byte of the response has left.
    pub(crate) answered: bool,
    /// Payload bytes at the start of `answer` that are to be written as they are.
    raw: usize,
    /// Whether `to_server` holds all that was sent of the request.
    pub(crate) keeps_upload: bool,
    /// Bytes of body that are kept at most.
    pub(crate) kept_limit: u64,
    /// Payload bytes of the request so far.
    pub(crate) upload_bytes: u64,
    /// Most that may be.
    pub(crate) upload_limit: u64,
    /// Payload bytes of the response so far.
    pub(crate) download_bytes: u64,
    /// Whether the upload is sent in chunks.
    pub(crate) upload_chunked: bool,
    /// Whether the end of the upload was written behind it.
    upload_ended: bool,
    /// Whether nothing more of the upload will be sent: complete, or in vain.
    pub(crate) upload_over: bool,
    /// Whether the download is sent in chunks.
    pub(crate) download_chunked: bool,
    download_ended: bool,
    upload_splice: Splice,
    download_splice: Splice,
    /// Whether any byte moved since this was last cleared.
    pub(crate) moved: bool,
    /// Whom the upload waits for.
    pub(crate) upload_waits: Waits,
    /// Whom the download waits for.
    pub(crate) download_waits: Waits,
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            server_sent: 0,
            client_sent: 0,
            answered: false,
            raw: 0,
            keeps_upload: true,
            kept_limit: 0,
            upload_bytes: 0,
            upload_limit: u64::MAX,
            download_bytes: 0,
            upload_chunked: false,
            upload_ended: false,
            upload_over: false,
            download_chunked: false,
            download_ended: false,
            upload_splice: Splice::default(),
            download_splice: Splice::default(),
            moved: false,
            upload_waits: Waits::Client,
            download_waits: Waits::Server,
        }
    }
}

impl Transfer {
    /// Sends the request again from its first byte.
    pub(crate) fn restart_upload(&mut self) {
        self.server_sent = 0;
        self.upload_over = false;
    }

    /// Takes what is there of the request body out of its framing, behind what is to be sent.
    ///
    /// # Errors
    /// When the body must not be passed on.
    pub(crate) fn gather_upload(&mut self, scratch: &mut Scratch) -> Result<(), UploadProblem> {
        while !scratch.upload.is_finished() && !scratch.input.is_empty() {
            if scratch.to_server.len() - self.server_sent >= GATHERED_BYTES {
                return Ok(());
            }
            let input = scratch.input.filled();
            let decoded = scratch.upload.decode(input).map_err(UploadProblem::Rejected)?;
            self.upload_bytes += decoded.data.len() as u64;
            if self.upload_bytes > self.upload_limit {
                return Err(UploadProblem::TooLarge);
            }
            let data = &input[decoded.data];
            if self.upload_chunked {
                ChunkEncoder::new().chunk(data, &mut scratch.to_server);
            } else {
                scratch.to_server.extend_from_slice(data);
            }
            scratch.input.consume(decoded.consumed);
        }
        if scratch.upload.is_finished() && self.upload_chunked && !self.upload_ended {
            self.upload_ended = true;
            let trailers = scratch.upload.trailers();
            ChunkEncoder::new().finish_with_lines(trailers, &mut scratch.to_server);
        }
        Ok(())
    }

    /// Moves the request, head and body, to the server; ready when all of it is sent.
    pub(crate) fn poll_upload(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
        client: &Stream,
        server: &Stream,
    ) -> Poll<Result<(), UploadProblem>> {
        loop {
            while self.server_sent < scratch.to_server.len() {
                self.upload_waits = Waits::Server;
                let rest = &scratch.to_server[self.server_sent..];
                let sent = ready!(server.poll_write(context, rest));
                self.server_sent += sent.map_err(|_| UploadProblem::Server)?;
                self.moved = true;
            }
            if self.upload_bytes > self.kept_limit {
                self.keeps_upload = false;
            }
            if !self.keeps_upload {
                scratch.to_server.clear();
                self.server_sent = 0;
                if self.upload_splice.takes(&scratch.upload, scratch.input.is_empty()) {
                    let sent = (&mut self.upload_bytes, &mut self.moved);
                    let moving = self.upload_splice.poll(
                        context,
                        &mut scratch.upload,
                        (client, server),
                        sent,
                    );
                    self.upload_waits = match self.upload_splice.waits_for_receiver() {
                        true => Waits::Server,
                        false => Waits::Client,
                    };
                    ready!(moving)?;
                }
            }
            if scratch.upload.is_finished() {
                self.upload_over = true;
                return Poll::Ready(Ok(()));
            }
            if scratch.input.is_empty() {
                self.upload_waits = Waits::Client;
                ready!(self.poll_read_upload(context, scratch, client))?;
            }
            self.gather_upload(scratch)?;
        }
    }

    fn poll_read_upload(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
        client: &Stream,
    ) -> Poll<Result<(), UploadProblem>> {
        let origin = scratch.request.head_length;
        scratch.input.rewind(origin);
        if scratch.input.capacity() < origin + LEAST_ROOM_BYTES || !self.keeps_upload {
            scratch.input.reserve(origin + RELAY_BYTES);
        }
        match ready!(client.poll_read(context, scratch.input.space())) {
            Ok(0) | Err(_) => Poll::Ready(Err(UploadProblem::ClientGone)),
            Ok(count) => {
                scratch.input.filled_by(count);
                self.moved = true;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Ready when the client, whose turn it is to wait for the response, ended its side of the
    /// connection, or with the error when it reset it. What it sends meanwhile is kept for the next
    /// request; then nobody looks until that is read.
    pub(crate) fn poll_client_end(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
        client: &Stream,
    ) -> Poll<std::io::Result<()>> {
        if !scratch.upload.is_finished() || !scratch.input.is_empty() {
            return Poll::Pending;
        }
        scratch.input.rewind(scratch.request.head_length);
        if scratch.input.space().is_empty() {
            return Poll::Pending;
        }
        let count = ready!(client.poll_read(context, scratch.input.space()))?;
        scratch.input.filled_by(count);
        if count > 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Writes what there is for the client; ready when all of it is sent.
    pub(crate) fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
        client: &Stream,
    ) -> Poll<Result<(), DownloadProblem>> {
        loop {
            let head = &scratch.to_client[self.client_sent..];
            let raw = &scratch.answer.filled()[..self.raw];
            self.download_waits = Waits::Client;
            let sent = match (head.is_empty(), raw.is_empty()) {
                (true, true) => break,
                (false, true) => ready!(client.poll_write(context, head)),
                (true, false) => ready!(client.poll_write(context, raw)),
                (false, false) => {
                    let pieces = [IoSlice::new(head), IoSlice::new(raw)];
                    ready!(client.poll_write_vectored(context, &pieces))
                }
            };
            let sent = sent.map_err(|_| DownloadProblem::ClientGone)?;
            let of_head = sent.min(head.len());
            self.client_sent += of_head;
            self.raw -= sent - of_head;
            scratch.answer.consume(sent - of_head);
            self.answered = true;
            self.moved = true;
        }
        scratch.to_client.clear();
        self.client_sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Moves the response body to the client; ready when all of it, and what was to be sent before
    /// it, is sent.
    pub(crate) fn poll_download(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
        client: &Stream,
        server: &Stream,
    ) -> Poll<Result<(), DownloadProblem>> {
        loop {
            self.gather_download(scratch)?;
            ready!(self.poll_flush(context, scratch, client))?;
            if self.download_splice.takes(&scratch.download, scratch.answer.is_empty()) {
                let sent = (&mut self.download_bytes, &mut self.moved);
                let moving = self.download_splice.poll(
                    context,
                    &mut scratch.download,
                    (server, client),
                    sent,
                );
                self.download_waits = match self.download_splice.waits_for_receiver() {
                    true => Waits::Client,
                    false => Waits::Server,
                };
                ready!(moving)?;
            }
            if scratch.download.is_finished() {
                return Poll::Ready(Ok(()));
            }
            if !scratch.answer.is_empty() {
                continue;
            }
            self.download_waits = Waits::Server;
            scratch.answer.rewind(0);
            match ready!(server.poll_read(context, scratch.answer.space())) {
                Ok(count) if count > 0 => {
                    scratch.answer.filled_by(count);
                    if scratch.answer.space().is_empty() {
                        scratch.answer.reserve(RELAY_BYTES);
                    }
                    self.moved = true;
                }
                Ok(_) if scratch.download.close().is_ok() => {}
                _ => return Poll::Ready(Err(DownloadProblem::Truncated)),
            }
        }
    }

    /// Takes what is there of the response body out of its framing.
    fn gather_download(&mut self, scratch: &mut Scratch) -> Result<(), DownloadProblem> {
        while self.raw == 0
            && !scratch.download.is_finished()
            && !scratch.answer.is_empty()
            && scratch.to_client.len() < GATHERED_BYTES
        {
            let answer = scratch.answer.filled();
            let decoded = scratch.download.decode(answer).map_err(DownloadProblem::Rejected)?;
            self.download_bytes += decoded.data.len() as u64;
            let data = &answer[decoded.data.clone()];
            if self.download_chunked {
                ChunkEncoder::new().chunk(data, &mut scratch.to_client);
            } else if decoded.data == (0..decoded.consumed) && data.len() > COPIED_BYTES {
                self.raw = data.len();
                break;
            } else {
                scratch.to_client.extend_from_slice(data);
            }
            scratch.answer.consume(decoded.consumed);
        }
        if scratch.download.is_finished() && self.download_chunked && !self.download_ended {
            self.download_ended = true;
            let trailers = scratch.download.trailers();
            ChunkEncoder::new().finish_with_lines(trailers, &mut scratch.to_client);
        }
        Ok(())
    }
}
