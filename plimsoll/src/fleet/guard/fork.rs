//! Starts a child as a copy of the guard. This file holds the fork and nothing else.
//!
//! A fork instead of `std::process::Command::spawn`, because the child has to start a session,
//! take a user's groups and arm its parent-death signal between fork and exec, and to report in
//! words which of these steps failed.
#![allow(unsafe_code)]

use nix::unistd::{ForkResult, Pid, fork};

/// Runs `child` in a new process, which ends with the status that it returns.
///
/// # Errors
/// What fork(2) says, for example that the limit of processes is reached.
pub fn in_child(child: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: after the fork of a process with several threads the child may only call
    // async-signal-safe functions. The guard has one thread and starts none, so that no lock can
    // be held by a thread that the child lacks.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = child();
            // SAFETY: _exit(2) takes any status and does not return. It skips the exit handlers
            // and buffers that belong to the parent.
            unsafe { libc::_exit(status) }
        }
    }
}
