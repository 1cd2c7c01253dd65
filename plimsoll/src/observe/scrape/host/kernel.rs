//! Processors, load, and what the kernel counts.
//!
//! Source: proc(5); <https://docs.kernel.org/accounting/psi.html>.

use tsdb::exposition::{Exposition, Kind};

use super::DEVICES_MAX;

/// Ticks a second of `/proc/stat`: `USER_HZ`, which is 100 on every architecture that Rust runs Linux
/// on.
const TICKS: f64 = 100.0;

/// Columns of a `cpu` line. Time of guests is in `user` and `nice` already.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Single numbers of `/proc/stat`.
const NUMBERS: [(&str, &str, Kind, &str); 6] = [
    (
        "btime",
        "node_boot_time_seconds",
        Kind::Gauge,
        "When the machine started, seconds since 1970.",
    ),
    ("ctxt", "node_context_switches_total", Kind::Counter, "Context switches."),
    ("intr", "node_intr_total", Kind::Counter, "Interrupts served."),
    ("processes", "node_forks_total", Kind::Counter, "Processes and threads started."),
    ("procs_running", "node_procs_running", Kind::Gauge, "Tasks that run or could."),
    ("procs_blocked", "node_procs_blocked", Kind::Gauge, "Tasks that wait for a disk."),
];

/// Of `/proc/vmstat`, as node_exporter chooses them.
const VMSTAT: [&str; 7] =
    ["oom_kill", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout"];

/// `/proc/stat`.
pub(super) fn stat(text: &str, exposition: &mut Exposition) {
    let help = "Time that processors spent in each mode, seconds.";
    let mut family = exposition.family("node_cpu_seconds_total", Kind::Counter, help);
    let processors = text.lines().filter_map(|line| {
        let (name, ticks) = line.strip_prefix("cpu")?.split_once(' ')?;
        // The line without a number is the sum.
        (!name.is_empty()).then_some((name, ticks))
    });
    for (processor, ticks) in processors.take(DEVICES_MAX) {
        for (mode, ticks) in MODES.iter().zip(ticks.split_ascii_whitespace()) {
            if let Ok(ticks) = ticks.parse::<f64>() {
                family.sample(&[("cpu", processor), ("mode", mode)], ticks / TICKS);
            }
        }
    }
    for (key, name, kind, help) in NUMBERS {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let first = line.and_then(|line| line.split_ascii_whitespace().next());
        if let Some(Ok(value)) = first.map(str::parse::<f64>) {
            exposition.family(name, kind, help).sample(&[], value);
        }
    }
}

/// `/proc/loadavg`.
pub(super) fn load(text: &str, exposition: &mut Exposition) {
    for (minutes, value) in ["1", "5", "15"].iter().zip(text.split_ascii_whitespace()) {
        if let Ok(value) = value.parse() {
            let help = format!("Tasks that run or wait, mean of {minutes} min.");
            exposition
                .family(&format!("node_load{minutes}"), Kind::Gauge, &help)
                .sample(&[], value);
        }
    }
}

/// `/proc/vmstat`.
pub(super) fn vmstat(text: &str, exposition: &mut Exposition) {
    for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        if let (true, Ok(value)) = (VMSTAT.contains(&name), value.trim().parse()) {
            let help = format!("`{name}` of /proc/vmstat.");
            let family = format!("node_vmstat_{name}");
            exposition.family(&family, Kind::Counter, &help).sample(&[], value);
        }
    }
}

/// `/proc/sys/fs/file-nr`.
pub(super) fn descriptors(text: &str, exposition: &mut Exposition) {
    let numbers: Vec<f64> =
        text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
    if let [allocated, _, most] = numbers[..] {
        let help = "Open files of the machine.";
        exposition.family("node_filefd_allocated", Kind::Gauge, help).sample(&[], allocated);
        let help = "Most files that may be open.";
        exposition.family("node_filefd_maximum", Kind::Gauge, help).sample(&[], most);
    }
}

/// A file below `/proc/pressure`.
pub(super) fn pressure(resource: &str, text: &str, exposition: &mut Exposition) {
    for (key, word, help) in [
        ("some ", "waiting", "Time in which a task waited, seconds."),
        ("full ", "stalled", "Time in which all tasks waited, seconds."),
    ] {
        // For processors, "all tasks" is not defined (but within groups).
        if resource == "cpu" && word == "stalled" {
            continue;
        }
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let total = line.and_then(|line| line.split("total=").nth(1)?.trim().parse::<f64>().ok());
        if let Some(microseconds) = total {
            let name = format!("node_pressure_{resource}_{word}_seconds_total");
            exposition.family(&name, Kind::Counter, help).sample(&[], microseconds / 1e6);
        }
    }
}
