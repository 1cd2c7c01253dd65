//! The fleet's metrics. Names, labels and units follow the rest of the program: base units, the
//! labels `service` and `instance`.

use std::time::UNIX_EPOCH;

use tsdb::exposition::{Exposition, Kind};

use super::snapshot::{FleetSnapshot, Instance, Phase};

/// A family and its value for one instance; `None` while there is no process.
type Family = (&'static str, Kind, &'static str, fn(&Instance) -> Option<f64>);

const FAMILIES: [Family; 10] = [
    (
        "plimsoll_instance_up",
        Kind::Gauge,
        "1 while the instance is ready for traffic.",
        |instance| Some(f64::from(u8::from(instance.phase == Phase::Ready))),
    ),
    (
        "plimsoll_instance_crash_loop",
        Kind::Gauge,
        "1 while the instance keeps dying and is tried again only rarely.",
        |instance| Some(f64::from(u8::from(instance.crash_loop))),
    ),
    (
        "plimsoll_instance_restarts_total",
        Kind::Counter,
        "Starts of the instance after its first.",
        |instance| Some(instance.restarts as f64),
    ),
    (
        "plimsoll_instance_start_time_seconds",
        Kind::Gauge,
        "When the present process was started, in seconds since the Unix epoch.",
        |instance| Some(instance.started_at?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64()),
    ),
    (
        "plimsoll_instance_cpu_seconds_total",
        Kind::Counter,
        "User and system time of the instance's processes since its start.",
        |instance| Some(instance.figures.cpu_seconds),
    ),
    (
        "plimsoll_instance_resident_memory_bytes",
        Kind::Gauge,
        "Resident memory of the instance's processes.",
        |instance| running(instance, instance.figures.resident_bytes),
    ),
    (
        "plimsoll_instance_open_fds",
        Kind::Gauge,
        "Open file descriptors of the instance's processes.",
        |instance| running(instance, instance.figures.descriptors),
    ),
    (
        "plimsoll_instance_threads",
        Kind::Gauge,
        "Threads of the instance's processes.",
        |instance| running(instance, instance.figures.threads),
    ),
    ("plimsoll_instance_processes", Kind::Gauge, "Processes of the instance.", |instance| {
        running(instance, instance.figures.processes)
    }),
    (
        "plimsoll_instance_generation",
        Kind::Gauge,
        "Grows with each restart or change of the service that the instance went through.",
        |instance| Some(instance.generation as f64),
    ),
];

fn running(instance: &Instance, value: u64) -> Option<f64> {
    instance.pid.map(|_| value as f64)
}

/// Adds a sample for each instance to each family.
pub fn expose(snapshot: &FleetSnapshot, exposition: &mut Exposition) {
    for (name, kind, help, value) in FAMILIES {
        let mut family = exposition.family(name, kind, help);
        for (service, instances) in &snapshot.services {
            for instance in instances {
                if let Some(value) = value(instance) {
                    family.sample(&[("service", service), ("instance", &instance.name)], value);
                }
            }
        }
    }
}
