//! What a guard leaves behind when it is killed itself: Plimsoll adopts it, and kills it.
//!
//! A guard that is killed cannot take its instance along. The kernel ends the main process (its
//! parent-death signal), but daemons and processes in sessions of their own live on. Plimsoll is a
//! child subreaper (prctl(2)), so they become its children; and as each child that it started is a
//! guard, any other child is such an orphan.
//!
//! Invariants:
//! - Guards are started under the lock that a sweep holds, so that no sweep takes a guard that was
//!   just started for an orphan.
//! - Nothing else in Plimsoll starts processes.
//! - Where a child may be a stranger nothing is adopted: as process 1, to which all orphans of a
//!   container go, and where Plimsoll had children when it began (`sh -c 'other & exec plimsoll'`).
//!   Then only the process group of the main process is killed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};
use tokio::process::{Child, Command};

use super::process_table::ProcessTable;

/// Pause between two rounds of killing.
const PAUSE: Duration = Duration::from_millis(10);
/// Rounds of killing; what is left then is stuck in the kernel.
const ROUNDS_MAX: u32 = 1000;
/// The process to which a machine's or container's orphans go.
const INIT: i32 = 1;

/// The guards that live, by the number of their start; `None` while orphans are not adopted.
/// Written by whoever starts or has waited for a guard, read by sweeps, which hold it for a round.
static GUARDS: Mutex<Option<BTreeMap<u64, i32>>> = Mutex::new(None);

/// No code panics while it holds the lock with the map half-changed.
fn guards() -> MutexGuard<'static, Option<BTreeMap<u64, i32>>> {
    GUARDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on orphans come to this process, unless they could not be told from strangers. To be
/// called before the first guard is started; a second call changes nothing.
pub fn adopt() {
    let mut guards = guards();
    let own = getpid().as_raw();
    let alone = || ProcessTable::read().is_ok_and(|table| table.children(own).next().is_none());
    if guards.is_none() && own != INIT && alone() && prctl::set_child_subreaper(true).is_ok() {
        *guards = Some(BTreeMap::new());
    }
}

/// Starts a guard. `start` numbers all starts of the process.
///
/// # Errors
/// Those of the spawn.
pub fn spawn_guard(command: &mut Command, start: u64) -> io::Result<Child> {
    let mut guards = guards();
    let guard = command.spawn()?;
    let pid = guard.id().and_then(|pid| i32::try_from(pid).ok());
    if let (Some(guards), Some(pid)) = (&mut *guards, pid) {
        guards.insert(start, pid);
    }
    Ok(guard)
}

/// The guard of this start has ended and was waited for.
pub fn forget_guard(start: u64) {
    if let Some(guards) = &mut *guards() {
        guards.remove(&start);
    }
}

/// Kills all orphans and waits for their end. Returns how many would not end.
pub async fn sweep() -> usize {
    let mut left = 0;
    for _ in 0..ROUNDS_MAX {
        // A round that panicked has told so on standard error.
        left = tokio::task::spawn_blocking(kill_round).await.unwrap_or_default();
        if left == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    left
}

/// Kills and buries what is there now. Returns how many lived.
fn kill_round() -> usize {
    let guards = guards();
    let Some(guards) = &*guards else { return 0 };
    // Without /proc nothing is known of them.
    let Ok(table) = ProcessTable::read() else { return 0 };
    let mut living = Vec::new();
    for child in table.children(getpid().as_raw()) {
        if guards.values().any(|guard| *guard == child.pid) {
            continue;
        }
        if child.zombie {
            // Failing means that it was waited for already.
            let _ = waitpid(Pid::from_raw(child.pid), Some(WaitPidFlag::WNOHANG));
        } else {
            living.push(child.pid);
        }
        let below = table.descendants(child.pid).into_iter().filter(|process| !process.zombie);
        living.extend(below.map(|process| process.pid));
    }
    // All are stopped before the first dies: none can fork away meanwhile.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in &living {
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }
    living.len()
}
