//! Sockets become known to the event loop.
//!
//! tokio asks for a promise that the descriptor stays open and the same for as long as it is
//! registered. The types registered here own theirs and cannot be told to give it up while they
//! are borrowed, which is all that [`AsyncFd`] allows. Left out: everything else.

// Registering is unsafe for descriptors in general; this file holds nothing else.
#![allow(unsafe_code)]

use std::io;
use std::net::TcpListener;

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::timer::KernelTimer;

/// Registers a non-blocking stream socket for both directions.
///
/// # Errors
/// When the event loop cannot take it (`ENOSPC`, `ENOMEM`); the socket is closed then.
///
/// # Panics
/// Outside of a tokio runtime.
pub(super) fn stream(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns its descriptor: it closes it when it is dropped and never before,
    // and its descriptor never changes. `AsyncFd` deregisters before it drops the socket.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Registers a non-blocking listening socket.
///
/// # Errors
/// As [`stream`].
///
/// # Panics
/// Outside of a tokio runtime.
pub(super) fn listener(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: as in `stream`: a `TcpListener` owns its descriptor for its whole life.
    Ok(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?)
}

/// Registers a non-blocking timer.
///
/// # Errors
/// As [`stream`].
///
/// # Panics
/// Outside of a tokio runtime.
pub(super) fn timer(timer: KernelTimer) -> io::Result<AsyncFd<KernelTimer>> {
    // SAFETY: as in `stream`: a `KernelTimer` owns its descriptor for its whole life.
    Ok(unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?)
}
