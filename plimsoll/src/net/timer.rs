//! A timer as precise as the kernel's: tens of microseconds, where tokio's rounds up to
//! milliseconds.
//!
//! One descriptor (timerfd) for each timer, so for the few that a thread has, not for each request.
//! Left out: deadlines (see `deadline`).

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timer::TimerSetTimeFlags;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags};
use tokio::io::unix::AsyncFd;

use super::registration;

/// The kernel's timer, in the form that the event loop takes.
#[derive(Debug)]
pub(super) struct KernelTimer(TimerFd);

impl AsRawFd for KernelTimer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A timer that is set again and again.
#[derive(Debug)]
pub(crate) struct Timer(AsyncFd<KernelTimer>);

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// When the kernel gives no descriptor, or the event loop cannot take it.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self(registration::timer(KernelTimer(timer))?))
    }

    /// Waits this long. A later wait takes the place of one that was given up.
    ///
    /// # Errors
    /// When the kernel refuses the time.
    pub(crate) async fn wait(&self, duration: Duration) -> io::Result<()> {
        // A time of zero would unset it.
        let duration = duration.max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(duration));
        self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty())?;
        poll_fn(|context| self.poll_expired(context)).await
    }

    fn poll_expired(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            // What was ready may be an expiration of a wait that was given up.
            match self.0.get_ref().0.wait() {
                Ok(()) => {
                    guard.clear_ready();
                    return Poll::Ready(Ok(()));
                }
                Err(nix::errno::Errno::EAGAIN) => guard.clear_ready(),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Waker;
    use std::time::Instant;

    use super::*;
    use crate::net;

    #[test]
    fn a_wait_is_as_long_as_asked_whatever_was_given_up_before() {
        net::run(async {
            let timer = Timer::new().unwrap();
            timer.wait(Duration::ZERO).await.unwrap();
            for _ in 0..3 {
                {
                    // Begun, and given up before or after it expires.
                    let mut short = pin!(timer.wait(Duration::from_micros(1)));
                    let _ = short.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                }
                let begun = Instant::now();
                timer.wait(Duration::from_millis(3)).await.unwrap();
                assert!(begun.elapsed() >= Duration::from_millis(3));
            }
        })
        .unwrap();
    }
}
