//! Takes io_uring away from a command, as most containers do.

// Running code between fork and exec is unsafe; this file holds nothing else.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

/// Makes `io_uring_setup` fail with `EPERM` for the command and whatever it starts.
pub fn forbid_io_uring(command: &mut Command) {
    let step = |code: u32, k: u32, skipped_unless: u8| libc::sock_filter {
        // Operation codes have sixteen bits.
        code: code as u16,
        jt: 0,
        jf: skipped_unless,
        k,
    };
    // The number of the call is the first field of what a filter sees (seccomp(2)).
    let mut filter = [
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, libc::SYS_io_uring_setup as u32, 1),
        step(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0),
        step(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let install = move || {
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: plain system calls; the program outlives them, and the kernel copies it.
        let failed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    != 0
        };
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: between fork and exec only system calls are made: nothing is allocated or locked.
    unsafe { command.pre_exec(install) };
}
