//! Figures of the machine, from `/proc`, in node_exporter's names: dashboards and rules for it work.
//!
//! What reads a text is pure (`kernel`, `memory`, `disk`, `network`); here are the files. One that is
//! not there, or cannot be read, leaves its figures out. The number of series is bounded: what comes
//! and goes with containers (their network devices and mounts) is left out, as are devices beyond
//! [`DEVICES_MAX`].
//!
//! Blocking: a mount may hang. It leaves out figures of single processes, and those of other
//! machines' mounts.
//!
//! Source: the collectors of <https://github.com/prometheus/node_exporter> 1.8.

mod disk;
mod kernel;
mod memory;
mod network;

use std::fs;

use nix::sys::statvfs::{FsFlags, statvfs};
use tsdb::exposition::{Exposition, Kind};

use disk::{Mount, Room};

/// Processors, disks, mounts and network devices that are told of, of each kind.
const DEVICES_MAX: usize = 256;

/// What reads one of the files.
type Reader = fn(&str, &mut Exposition);

/// Files with what reads them.
const FILES: [(&str, Reader); 6] = [
    ("/proc/stat", kernel::stat),
    ("/proc/loadavg", kernel::load),
    ("/proc/vmstat", kernel::vmstat),
    ("/proc/sys/fs/file-nr", kernel::descriptors),
    ("/proc/meminfo", memory::expose),
    ("/proc/diskstats", disk::activity),
];

/// Files of the time that tasks wait, by resource.
const PRESSURES: [&str; 3] = ["cpu", "io", "memory"];

/// All figures, as a page of text.
pub(super) fn figures() -> String {
    let mut exposition = Exposition::new();
    for (path, read) in FILES {
        if let Ok(text) = fs::read_to_string(path) {
            read(&text, &mut exposition);
        }
    }
    // The devices of the machine, where another name space has others.
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    network::expose(&devices, &mut exposition);
    for resource in PRESSURES {
        if let Ok(text) = fs::read_to_string(format!("/proc/pressure/{resource}")) {
            kernel::pressure(resource, &text, &mut exposition);
        }
    }
    filesystems(&mut exposition);
    names(&mut exposition);
    exposition.finish()
}

/// Room on what is mounted.
fn filesystems(exposition: &mut Exposition) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let rooms = disk::mounts(&mounts).into_iter().filter_map(|mount| {
        let room = room(&mount)?;
        Some((mount, room))
    });
    disk::filesystems(rooms, exposition);
}

fn room(mount: &Mount) -> Option<Room> {
    let told = statvfs(mount.point.as_str()).ok()?;
    let block = told.fragment_size();
    Some(Room {
        bytes: told.blocks() * block,
        free_bytes: told.blocks_free() * block,
        available_bytes: told.blocks_available() * block,
        files: told.files(),
        free_files: told.files_free(),
        is_readonly: told.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// Who the machine is.
fn names(exposition: &mut Exposition) {
    let of = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    let (system, release, version) = (of("ostype"), of("osrelease"), of("version"));
    let (node, domain) = (of("hostname"), of("domainname"));
    let help = "Names of the machine and its kernel.";
    exposition.family("node_uname_info", Kind::Gauge, help).sample(
        &[
            ("domainname", &domain),
            ("machine", std::env::consts::ARCH),
            ("nodename", &node),
            ("release", &release),
            ("sysname", &system),
            ("version", &version),
        ],
        1.0,
    );
}

#[cfg(test)]
mod tests;
