//! Disks: what they do, and how much room is on what is mounted.
//!
//! Whole disks and volumes are told of, not their partitions, nor what is memory or a file in
//! disguise. A file system that is mounted at several places is told of once for each device, at the
//! first: containers mount the same again and again.
//!
//! Source: <https://docs.kernel.org/admin-guide/iostats.html>; proc_mounts(5).

use tsdb::exposition::{Exposition, Kind};

use super::DEVICES_MAX;

/// Bytes of a sector in `/proc/diskstats`, whatever the disk's are.
const SECTOR: f64 = 512.0;
const MILLISECOND: f64 = 0.001;

/// Columns of `/proc/diskstats` behind the name, with their factor.
const COLUMNS: [(&str, f64, Kind, &str); 11] = [
    ("reads_completed_total", 1.0, Kind::Counter, "Reads that were completed."),
    ("reads_merged_total", 1.0, Kind::Counter, "Reads that were merged with others."),
    ("read_bytes_total", SECTOR, Kind::Counter, "Bytes read."),
    ("read_time_seconds_total", MILLISECOND, Kind::Counter, "Time of all reads together, seconds."),
    ("writes_completed_total", 1.0, Kind::Counter, "Writes that were completed."),
    ("writes_merged_total", 1.0, Kind::Counter, "Writes that were merged with others."),
    ("written_bytes_total", SECTOR, Kind::Counter, "Bytes written."),
    (
        "write_time_seconds_total",
        MILLISECOND,
        Kind::Counter,
        "Time of all writes together, seconds.",
    ),
    ("io_now", 1.0, Kind::Gauge, "Reads and writes under way."),
    ("io_time_seconds_total", MILLISECOND, Kind::Counter, "Time with any under way, seconds."),
    (
        "io_time_weighted_seconds_total",
        MILLISECOND,
        Kind::Counter,
        "Time with any under way, times how many, seconds.",
    ),
];

/// Types of file systems on disks of this machine. Others are memory, views of the same again
/// (overlay), or elsewhere, where asking may hang.
const TYPES: [&str; 16] = [
    "apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs", "ntfs",
    "ntfs3", "reiserfs", "vfat", "xfs", "zfs",
];

/// Something that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub device: String,
    pub point: String,
    pub kind: String,
}

/// Room in a file system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub bytes: u64,
    pub free_bytes: u64,
    /// For others than root.
    pub available_bytes: u64,
    pub files: u64,
    pub free_files: u64,
    pub is_readonly: bool,
}

/// `/proc/diskstats`.
pub(super) fn activity(text: &str, exposition: &mut Exposition) {
    let disks: Vec<(&str, Vec<f64>)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(2);
            let name = words.next().filter(|name| is_disk(name))?;
            Some((name, words.filter_map(|word| word.parse().ok()).collect()))
        })
        .take(DEVICES_MAX)
        .collect();
    for (column, (name, factor, kind, help)) in COLUMNS.iter().enumerate() {
        let mut family = exposition.family(&format!("node_disk_{name}"), *kind, help);
        for (disk, figures) in &disks {
            if let Some(figure) = figures.get(column) {
                family.sample(&[("device", disk)], figure * factor);
            }
        }
    }
}

/// Whether it is a disk or a volume as a whole.
fn is_disk(name: &str) -> bool {
    let ends_in_digit = name.ends_with(|last: char| last.is_ascii_digit());
    let is_memory = ["loop", "ram", "zram", "fd", "sr"].iter().any(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let stem = name.trim_end_matches(|last: char| last.is_ascii_digit());
    // sda1, vdb2, xvda1.
    let is_partition = ["sd", "hd", "vd", "xvd"].iter().any(|kind| {
        let letters = stem.strip_prefix(kind);
        ends_in_digit
            && letters.is_some_and(|letters| letters.bytes().all(|byte| byte.is_ascii_lowercase()))
    });
    // nvme0n1p2, mmcblk0p1.
    let is_numbered_partition = ends_in_digit
        && ["nvme", "mmcblk"].iter().any(|kind| name.starts_with(kind))
        && stem
            .strip_suffix('p')
            .is_some_and(|disk| disk.ends_with(|last: char| last.is_ascii_digit()));
    !(is_memory || is_partition || is_numbered_partition)
}

/// What is mounted from disks, once for each device.
pub(super) fn mounts(text: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ').map(unescape);
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let is_known = mounts.iter().any(|mount| mount.device == device);
        if TYPES.contains(&kind.as_str()) && !is_known && mounts.len() < DEVICES_MAX {
            mounts.push(Mount { device, point, kind });
        }
    }
    mounts
}

/// `\040` and the like stand for blanks.
fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let digits = others.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte.filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[3..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes room down.
pub(super) fn filesystems(
    rooms: impl IntoIterator<Item = (Mount, Room)>,
    exposition: &mut Exposition,
) {
    for (mount, room) in rooms {
        let labels = [
            ("device", mount.device.as_str()),
            ("fstype", &mount.kind),
            ("mountpoint", &mount.point),
        ];
        let readonly = u64::from(room.is_readonly);
        for (name, help, value) in [
            ("size_bytes", "Size, bytes.", room.bytes),
            ("free_bytes", "Free, bytes.", room.free_bytes),
            ("avail_bytes", "Free for others than root, bytes.", room.available_bytes),
            ("files", "Files that there may be.", room.files),
            ("files_free", "Files that may be made.", room.free_files),
            ("readonly", "Whether it cannot be written to.", readonly),
        ] {
            let name = format!("node_filesystem_{name}");
            exposition.family(&name, Kind::Gauge, help).sample(&labels, value as f64);
        }
    }
}
