//! The way back: a server's response, a tunnel, or a reply of our own.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use http1::{BodyDecoder, BodyFraming, HeaderName, Side, Version};

use super::departure::Stage;
use super::{CLIENT_GONE, Exchange};
use crate::edge::connection::Fate;
use crate::edge::connections::Phase;
use crate::edge::forward::{self, ResponseRewrite};
use crate::edge::relay::{DownloadProblem, Waits};
use crate::edge::reply::{self, Refusal, ReplyContext};
use crate::edge::roster::FailureKind;
use crate::edge::routing::ServiceRuntime;
use crate::edge::tunnel::{self, Flow, TunnelEnd};
use crate::edge::upstream::Connection;

/// Why a response broke off.
enum Broken {
    /// The client takes no more, or takes it too slowly.
    Client(&'static str),
    /// The server did not send all of it.
    Server(FailureKind, String),
    /// The time for the whole request is over.
    Overdue,
}

impl Exchange<'_> {
    /// Passes on the response whose head is in the scratch.
    pub(super) async fn respond(
        &mut self,
        service: &ServiceRuntime,
        connection: Connection,
    ) -> Fate {
        self.status = self.scratch.response.status;
        if self.scratch.response.tunnel {
            return Box::pin(self.tunnel(service, connection)).await;
        }
        let keep_alive = self.write_response_head();
        // A part of an interim response may be out: then there is no way back.
        self.transfer.answered = self.transfer.client_sent > 0;
        self.transfer.moved = true;
        self.client_got_more();
        let result = poll_fn(|context| self.poll_body(context, service, &connection)).await;
        if let Err(broken) = result {
            if let (Broken::Server(kind, detail), false) = (&broken, self.transfer.answered) {
                // Nothing has left yet, so the client can still be told.
                let refusal = Refusal::bad_gateway(
                    "The server sent a response that is not valid HTTP.",
                    detail.clone(),
                );
                self.report_failure(service, *kind);
                self.scratch.to_client.clear();
                return Box::pin(self.refuse(refusal)).await;
            }
            return self.broken(service, broken);
        }
        let complete = self.scratch.upload.is_finished() && self.transfer.upload_over;
        let response = &self.scratch.response;
        if complete
            && response.keep_alive
            && self.scratch.answer.is_empty()
            && let Some((_, upstream)) = &self.current
        {
            upstream.keep(connection, &service.config.keepalive, self.now);
        }
        match (keep_alive && complete, complete && self.scratch.input.is_empty()) {
            (true, _) => Fate::KeepAlive,
            (false, true) => Fate::Close,
            (false, false) => Fate::Linger,
        }
    }

    /// Writes the head for the client; says whether the connection is kept.
    fn write_response_head(&mut self) -> bool {
        let scratch = &mut *self.scratch;
        let response = &scratch.response;
        let client = scratch.request.version;
        let open_ended = matches!(response.framing, BodyFraming::Chunked | BodyFraming::UntilClose);
        let chunked = open_ended && client >= Version::Http11;
        // A response before the end of the upload: the rest of it may never come.
        let keep_alive = scratch.request.keep_alive
            && scratch.upload.is_finished()
            && self.transfer.upload_over
            && !self.client.worker.draining.get()
            && (chunked || !open_ended);
        let served_by = match &self.current {
            Some((_, upstream)) if self.routing.config.headers.served_by => {
                Some(upstream.server.name.as_bytes())
            }
            _ => None,
        };
        let mut write = |date: &[u8]| {
            let rewrite = ResponseRewrite {
                client,
                keep_alive,
                request_id: &scratch.request_id,
                served_by,
                date,
                chunked,
            };
            let answer = scratch.answer.filled();
            let out = &mut scratch.to_client;
            let written = forward::write_response(out, answer, response, &rewrite);
            // Everything in it was parsed or made by us; names of servers are checked when
            // configured.
            debug_assert_eq!(written, Ok(()));
        };
        if response.headers.has(HeaderName::Date) {
            write(b"");
        } else {
            self.client.worker.clock.date(write);
        }
        scratch.download = BodyDecoder::new(Side::Response, response.framing, &self.routing.limits);
        scratch.answer.consume(response.head_length);
        self.transfer.download_chunked = chunked;
        keep_alive
    }

    /// Moves the response body, and what is left of the request's.
    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        service: &ServiceRuntime,
        connection: &Connection,
    ) -> Poll<Result<(), Broken>> {
        let (client, server) = (self.client.stream(), &connection.stream);
        if !self.transfer.upload_over {
            // There is no other attempt any more.
            self.transfer.keeps_upload = false;
            let upload = self.transfer.poll_upload(context, self.scratch, client, server);
            if let Poll::Ready(Err(_)) = upload {
                // Whatever it is, the response may still come to its end.
                self.transfer.upload_over = true;
            }
        }
        let download = self.transfer.poll_download(context, self.scratch, client, server);
        match download {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(DownloadProblem::ClientGone)) => {
                return Poll::Ready(Err(Broken::Client("the client closed the connection")));
            }
            Poll::Ready(Err(DownloadProblem::Truncated)) => {
                let detail = format!("{} closed in the middle of the body", self.server_name());
                return Poll::Ready(Err(Broken::Server(FailureKind::Closed, detail)));
            }
            Poll::Ready(Err(DownloadProblem::Rejected(reject))) => {
                let detail = format!("{} sent an invalid body: {reject}", self.server_name());
                return Poll::Ready(Err(Broken::Server(FailureKind::InvalidResponse, detail)));
            }
            Poll::Pending => {}
        }
        if self.is_overdue(context) {
            return Poll::Ready(Err(Broken::Overdue));
        }
        let waits_for_client = self.transfer.download_waits == Waits::Client;
        if std::mem::take(&mut self.transfer.moved) {
            self.now = Instant::now();
            self.client_got_more();
            let time = if waits_for_client {
                self.routing.config.timeouts.write
            } else {
                service.config.timeouts.body
            };
            self.client.deadline.set(self.now, time);
        }
        // After the time of a piece that has moved was set anew.
        if self.client_left(context, Stage::Body) {
            return Poll::Ready(Err(Broken::Client("the client closed the connection")));
        }
        self.client.deadline.poll(context).map(|()| {
            Err(if waits_for_client {
                Broken::Client("the client did not take the response in time")
            } else {
                let detail = format!("{} stopped in the middle of the body", self.server_name());
                Broken::Server(FailureKind::Timeout, detail)
            })
        })
    }

    /// A response that was begun and cannot be finished: the connection must show it.
    fn broken(&mut self, service: &ServiceRuntime, broken: Broken) -> Fate {
        self.now = Instant::now();
        match broken {
            Broken::Client(detail) => {
                // Frees what the kernel still holds for a client that does not take it.
                detail.clone_into(&mut self.detail);
                return Fate::Reset;
            }
            Broken::Server(kind, detail) => {
                self.detail = detail;
                self.report_failure(service, kind);
            }
            Broken::Overdue => {
                "the time for the whole request is over".clone_into(&mut self.detail);
            }
        }
        // Where length or chunks say that something is missing, the end will do, and the client
        // gets all that there was. Where only the end says that all is there, it must not come.
        let framing = self.scratch.response.framing;
        if matches!(framing, BodyFraming::Length(_)) || self.transfer.download_chunked {
            Fate::Close
        } else {
            Fate::Reset
        }
    }

    /// Passes on a 101 and then everything, both ways.
    async fn tunnel(&mut self, service: &ServiceRuntime, connection: Connection) -> Fate {
        self.write_response_head();
        if self.send().await.is_err() {
            return Fate::Close;
        }
        let client = self.client.stream();
        self.client.set_phase(Phase::Tunnel);
        // Bytes that came with the heads lie in the buffers already. The request's head stays for
        // the log, so what follows it is moved elsewhere.
        let scratch = &mut *self.scratch;
        let early = scratch.input.filled();
        scratch.to_server.clear();
        scratch.to_server.extend_from_slice(early);
        let mut upstream_bytes = crate::edge::buffers::Buffer::with(&scratch.to_server);
        let mut up = Flow::new(&mut upstream_bytes);
        let mut down = Flow::new(&mut scratch.answer);
        let idle = service.config.timeouts.tunnel;
        let deadline = &self.client.deadline;
        let end = tunnel::run(client, &connection.stream, &mut up, &mut down, deadline, idle).await;
        self.transfer.upload_bytes += up.bytes;
        self.transfer.download_bytes += down.bytes;
        // The duration that is counted is that of the upgrade: an open WebSocket is not latency.
        match end {
            TunnelEnd::Closed => Fate::Close,
            TunnelEnd::Broken => Fate::Reset,
            TunnelEnd::Idle => {
                "the tunnel had no traffic for too long".clone_into(&mut self.detail);
                Fate::Close
            }
        }
    }

    /// Sends what there is for the client, in the time for a write.
    async fn send(&mut self) -> Result<(), DownloadProblem> {
        let client = self.client.stream();
        self.client.deadline.set(self.now, self.routing.config.timeouts.write);
        poll_fn(|context| {
            let flushed = self.transfer.poll_flush(context, self.scratch, client);
            if flushed.is_pending() && self.client.deadline.poll(context).is_ready() {
                return Poll::Ready(Err(DownloadProblem::ClientGone));
            }
            flushed
        })
        .await
    }

    /// As [`Exchange::refuse`], for a request of which nothing was sent anywhere: a body that is
    /// there already is skipped, so that the connection can be kept.
    pub(super) async fn refuse_early(&mut self, refusal: Refusal) -> Fate {
        while !self.scratch.upload.is_finished() && !self.scratch.input.is_empty() {
            let Ok(decoded) = self.scratch.upload.decode(self.scratch.input.filled()) else {
                break;
            };
            self.scratch.input.consume(decoded.consumed);
        }
        self.refuse(refusal).await
    }

    /// Answers for the server.
    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Fate {
        self.status = refusal.status;
        let worker = &self.client.worker;
        worker.shared.rejections.count(refusal.reason);
        let scratch = &mut *self.scratch;
        let known = scratch.request.head_length > 0;
        let keep_alive = known
            && scratch.request.keep_alive
            && scratch.upload.is_finished()
            && !worker.draining.get();
        let buffer = scratch.input.origin_bytes();
        let out = &mut scratch.to_client;
        let written = worker.clock.date(|date| {
            let context = ReplyContext {
                request: known.then_some((&scratch.request, buffer)),
                request_id: &scratch.request_id,
                date,
                keep_alive,
            };
            reply::write(out, &refusal, &context)
        });
        self.transfer.download_bytes = written.unwrap_or_default() as u64;
        self.detail = refusal.detail;
        self.now = Instant::now();
        match self.send().await {
            Ok(()) if keep_alive => Fate::KeepAlive,
            Ok(()) => Fate::Linger,
            Err(_) => {
                self.status = CLIENT_GONE;
                Fate::Reset
            }
        }
    }
}
