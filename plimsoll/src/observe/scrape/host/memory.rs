//! Memory, from `/proc/meminfo`: every line is a figure, as in node_exporter.

use tsdb::exposition::{Exposition, Kind};

/// Lines that are taken; the kernel has some sixty.
const LINES_MAX: usize = 128;

/// `/proc/meminfo`.
pub(super) fn expose(text: &str, exposition: &mut Exposition) {
    for line in text.lines().take(LINES_MAX) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let mut words = value.split_ascii_whitespace();
        let Some(Ok(number)) = words.next().map(str::parse::<f64>) else { continue };
        // `Active(anon)` is told as `Active_anon`.
        let name = key.trim_end_matches(')').replace('(', "_");
        let help = format!("`{key}` of /proc/meminfo.");
        let (unit, number) = match words.next() {
            Some("kB") => ("_bytes", number * 1024.0),
            _ => ("", number),
        };
        let name = format!("node_memory_{name}{unit}");
        exposition.family(&name, Kind::Gauge, &help).sample(&[], number);
    }
}
