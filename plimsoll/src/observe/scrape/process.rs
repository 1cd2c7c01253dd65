//! Figures of Plimsoll's own process, in the names that all client libraries use.
//!
//! What reads a text is pure; `expose` reads the files, a few tens of microseconds in all, because it
//! is called each second.
//!
//! Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>;
//! proc_pid_stat(5).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use nix::unistd::{SysconfVar, sysconf};
use tsdb::exposition::{Exposition, Kind};

/// Where the system does not say, what Linux nearly always uses.
const TICKS_USUAL: i64 = 100;
const PAGE_USUAL: i64 = 4096;

/// When the machine started. Read once: the file is long on a machine with many processors.
static BOOT: OnceLock<Option<f64>> = OnceLock::new();

/// Of `/proc/self/stat`, the columns after the program's name, which may hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    user_ticks: u64,
    system_ticks: u64,
    threads: u64,
    /// After the start of the machine.
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// Writes them down.
pub(super) fn expose(exposition: &mut Exposition) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if let Some(stat) = stat(&read("/proc/self/stat")) {
        let ticks = system(SysconfVar::CLK_TCK, TICKS_USUAL);
        let page = system(SysconfVar::PAGE_SIZE, PAGE_USUAL);
        let cpu = (stat.user_ticks + stat.system_ticks) as f64 / ticks;
        let help = "Time of processors that was used, seconds.";
        exposition.family("process_cpu_seconds_total", Kind::Counter, help).sample(&[], cpu);
        let boot = *BOOT.get_or_init(|| boot_time(&read("/proc/stat")));
        let since = boot.map(|boot| boot + stat.start_ticks as f64 / ticks);
        let resident = stat.resident_pages as f64 * page;
        gauge(exposition, "process_resident_memory_bytes", "Memory in use, bytes.", Some(resident));
        let help = "Memory that is mapped, bytes.";
        let mapped = Some(stat.virtual_bytes as f64);
        gauge(exposition, "process_virtual_memory_bytes", help, mapped);
        gauge(exposition, "process_threads", "Threads.", Some(stat.threads as f64));
        let help = "When the process started, seconds since 1970.";
        gauge(exposition, "process_start_time_seconds", help, since);
    }
    let limits = read("/proc/self/limits");
    let files = limit(&limits, "Max open files");
    gauge(exposition, "process_open_fds", "Open descriptors.", descriptors());
    gauge(exposition, "process_max_fds", "Descriptors that may be open.", files);
    let help = "Memory that may be mapped, bytes.";
    let mapped = limit(&limits, "Max address space");
    gauge(exposition, "process_virtual_memory_max_bytes", help, mapped);
    let traffic = traffic(&read("/proc/self/net/netstat"));
    for (name, help, octets) in [
        (
            "process_network_receive_bytes_total",
            "Bytes that came by IP.",
            traffic.map(|both| both.0),
        ),
        (
            "process_network_transmit_bytes_total",
            "Bytes that left by IP.",
            traffic.map(|both| both.1),
        ),
    ] {
        if let Some(octets) = octets {
            let help = format!("{help} Of the whole network name space.");
            exposition.family(name, Kind::Counter, &help).sample(&[], octets);
        }
    }
}

fn gauge(exposition: &mut Exposition, name: &str, help: &str, value: Option<f64>) {
    if let Some(value) = value {
        exposition.family(name, Kind::Gauge, help).sample(&[], value);
    }
}

fn system(variable: SysconfVar, usual: i64) -> f64 {
    sysconf(variable).ok().flatten().unwrap_or(usual) as f64
}

/// Since Linux 6.2 the folder's size is their number; before, it is 0 and they are counted.
fn descriptors() -> Option<f64> {
    let folder = fs::metadata("/proc/self/fd").ok()?;
    if folder.size() > 0 {
        return Some(folder.size() as f64);
    }
    // One of them is of this look.
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(count.saturating_sub(1) as f64)
}

/// `/proc/PID/stat`.
fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let columns: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The first of them is the third of the manual.
    let column = |number: usize| columns.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        user_ticks: column(14)?,
        system_ticks: column(15)?,
        threads: column(20)?,
        start_ticks: column(22)?,
        virtual_bytes: column(23)?,
        resident_pages: column(24)?,
    })
}

/// Of `/proc/stat`, seconds since 1970.
fn boot_time(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The soft limit of `/proc/PID/limits`; `None` if there is none.
fn limit(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// `InOctets` and `OutOctets` of `/proc/PID/net/netstat`: a line of names, then one of numbers.
fn traffic(text: &str) -> Option<(f64, f64)> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let of = |wanted: &str| {
        let place = names.split_ascii_whitespace().position(|name| name == wanted)?;
        numbers.split_ascii_whitespace().nth(place)?.parse().ok()
    };
    Some((of("InOctets")?, of("OutOctets")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_process_are_read() {
        let text = "4242 (a (b) c) S 1 4242 4242 0 -1 4194560 3000 0 5 0 120 30 0 0 20 0 9 0 \
                    7700 104857600 2560 18446744073709551615 1 1 0 0 0 0 0 4096 17663 0 0 0 17 1 0 0\n";
        let expected = Stat {
            user_ticks: 120,
            system_ticks: 30,
            threads: 9,
            start_ticks: 7700,
            virtual_bytes: 104_857_600,
            resident_pages: 2560,
        };
        assert_eq!(stat(text), Some(expected));
        assert_eq!(stat("4242 (cut"), None);
        assert_eq!(boot_time("cpu  1 2\nbtime 1700000000\nctxt 3\n"), Some(1.7e9));
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n\
                      Max address space         unlimited            unlimited            bytes     \n";
        assert_eq!(limit(limits, "Max open files"), Some(1024.0));
        assert_eq!(limit(limits, "Max address space"), None);
        let netstat = "TcpExt: SyncookiesSent\nTcpExt: 7\nIpExt: InNoRoutes InOctets OutOctets\n\
                       IpExt: 0 1500 2500\n";
        assert_eq!(traffic(netstat), Some((1500.0, 2500.0)));
        assert_eq!(traffic("IpExt: InOctets\n"), None);
    }

    #[test]
    fn the_own_process_has_all_figures() {
        let mut exposition = Exposition::new();
        expose(&mut exposition);
        let text = exposition.finish();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_threads",
            "process_start_time_seconds",
            "process_open_fds",
            "process_max_fds",
        ] {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            let value: f64 = line.unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            assert!(value > 0.0 || name == "process_cpu_seconds_total", "{name} {value}");
        }
    }
}
