//! Many sends by one call to the kernel.
//!
//! io_uring is used here as a `send(2)` for several sockets, nothing more: every send is marked
//! non-blocking, so it is done or refused while it is submitted, and [`SendRing::send`] returns
//! only when the outcome of each is known. For small replies this takes about a sixth of a proxy's
//! whole time per request away; receiving through the ring as well gained nothing more.
//!
//! Invariants: between calls the ring is empty and the kernel holds no pointer of ours; a ring that
//! failed is not used again. Left out: any operation that could be pending.

// The only file of this module with unsafe code: submission entries carry raw pointers.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types};

use super::outbox::Job;

/// Most sends in one call: a power of two. More ready connections than this in one turn of the
/// event loop are rare, and the gain of a larger batch would be small.
pub(super) const SENDS_MAX: usize = 256;

/// Times that the kernel may be short of memory before the ring is given up.
const ATTEMPTS_MAX: u32 = 16;

/// An io_uring of one thread, for sends.
pub(super) struct SendRing(IoUring);

impl SendRing {
    /// A ring for the calling thread.
    ///
    /// # Errors
    /// When io_uring is forbidden (`EPERM`), disabled or absent (`ENOSYS`), older than Linux 6.0
    /// (`EINVAL`), or out of descriptors or memory.
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .dontfork()
            .build(SENDS_MAX as u32)?;
        Ok(Self(ring))
    }

    /// Does all jobs, at most [`SENDS_MAX`], and stores the outcome of each in it.
    ///
    /// # Errors
    /// When the kernel does not take the jobs. Those without an outcome were not done, and the
    /// ring must not be used again.
    pub(super) fn send(&mut self, jobs: &mut [Job]) -> io::Result<()> {
        debug_assert!(jobs.len() <= SENDS_MAX);
        for (index, job) in jobs.iter().enumerate() {
            let entry = opcode::Send::new(
                types::Fd(job.source.socket().as_raw_fd()),
                job.bytes.as_ptr(),
                job.bytes.len() as u32,
            )
            .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
            .build()
            .user_data(index as u64);
            // SAFETY: the descriptor and the bytes belong to `job`, which is borrowed until this
            // function returns. It returns when the kernel has told the outcome, or never saw the
            // entry; in the one case where neither is certain, `abandon` leaks the bytes.
            // The queue was empty and has room for SENDS_MAX, so no entry is refused.
            if unsafe { self.0.submission().push(&entry) }.is_err() {
                break;
            }
        }
        let mut missing = self.0.submission().len();
        let mut attempts = 0;
        let mut waited_for = 0;
        while missing > 0 {
            // The first call waits for nothing: non-blocking sends are done while submitted.
            match self.0.submit_and_wait(waited_for) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    attempts += 1;
                    if attempts == ATTEMPTS_MAX {
                        self.abandon(jobs);
                        return Err(error);
                    }
                }
            }
            for completion in self.0.completion() {
                let result = completion.result();
                if let Some(job) = jobs.get_mut(completion.user_data() as usize) {
                    job.outcome = Some(match u32::try_from(result) {
                        Ok(count) => Ok(count as usize),
                        Err(_) => Err(io::Error::from_raw_os_error(-result)),
                    });
                }
                missing -= 1;
            }
            waited_for = usize::from(self.0.submission().is_empty() && missing > 0);
        }
        Ok(())
    }

    /// Makes it safe to give up: entries that the kernel took and did not finish keep their bytes
    /// for ever. They are done later or fail, which cannot be known, so they count as failed.
    fn abandon(&mut self, jobs: &mut [Job]) {
        let not_taken = self.0.submission().len();
        let taken = jobs.len().saturating_sub(not_taken);
        for job in jobs.iter_mut().take(taken).filter(|job| job.outcome.is_none()) {
            mem::forget(mem::take(&mut job.bytes));
            job.outcome = Some(Err(io::ErrorKind::Other.into()));
        }
    }
}
