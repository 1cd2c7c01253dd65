//! What instances use, read from `/proc` over their whole trees of processes.
//!
//! Blocking, a pass over all processes of the machine: called on a thread for blocking work.

use std::path::PathBuf;

use nix::unistd::{SysconfVar, sysconf};

use super::process::ProcessId;
use super::process_table::{ProcessEntry, ProcessTable};
use super::snapshot::Figures;

/// Clock ticks a second where the system does not say; what Linux always uses.
const DEFAULT_TICKS: u64 = 100;
/// Bytes of a page where the system does not say.
const DEFAULT_PAGE: u64 = 4096;

/// Reads the figures of each process by its guard. One that has ended is left out.
pub fn sample(processes: Vec<(ProcessId, u32)>) -> Vec<(ProcessId, Figures)> {
    let Ok(table) = ProcessTable::read() else { return Vec::new() };
    let found = processes.into_iter().filter_map(|(id, guard)| {
        let guard = i32::try_from(guard).ok()?;
        let figures = tree(&table, guard)?;
        Some((id, figures))
    });
    found.collect()
}

/// The sum over everything below a guard.
fn tree(table: &ProcessTable, guard: i32) -> Option<Figures> {
    let guard = table.get(guard)?;
    let below: Vec<&ProcessEntry> = table.descendants(guard.pid).into_iter().collect();
    // What has ended counts where it was waited for, last of all in the guard.
    let ticks = guard.waited_ticks
        + below.iter().map(|process| process.own_ticks + process.waited_ticks).sum::<u64>();
    let live: Vec<_> = below.into_iter().filter(|process| !process.zombie).collect();
    // Seen just before its first process, or after its last.
    if live.is_empty() {
        return None;
    }
    let pages: u64 = live.iter().map(|process| process.resident_pages).sum();
    Some(Figures {
        cpu_seconds: ticks as f64 / system(SysconfVar::CLK_TCK, DEFAULT_TICKS) as f64,
        cpu_percent: 0.0,
        resident_bytes: pages * system(SysconfVar::PAGE_SIZE, DEFAULT_PAGE),
        descriptors: live.iter().map(|process| descriptors(process.pid)).sum(),
        threads: live.iter().map(|process| process.threads).sum(),
        processes: live.len() as u64,
    })
}

/// Open descriptors of one process; none where Plimsoll may not look.
fn descriptors(pid: i32) -> u64 {
    let path = PathBuf::from(format!("/proc/{pid}/fd"));
    std::fs::read_dir(path).map_or(0, |entries| entries.count() as u64)
}

fn system(variable: SysconfVar, default: u64) -> u64 {
    let value = sysconf(variable).ok().flatten();
    value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default)
}
