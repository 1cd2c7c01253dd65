//! Processor time that was used, as the kernel counts it.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// User and system time of this thread or process so far; zero where the kernel does not tell.
pub(super) fn processor_time(of: UsageWho) -> Duration {
    let sum = |usage: nix::sys::resource::Usage| {
        duration(usage.user_time()) + duration(usage.system_time())
    };
    getrusage(of).map(sum).unwrap_or_default()
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_secs(time.tv_sec().unsigned_abs())
        + Duration::from_micros(time.tv_usec().unsigned_abs())
}
