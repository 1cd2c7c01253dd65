//! Real processes under a real fleet.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::model::{Command, InstanceAddress, ProcessSpec, RestartPolicy};

/// A command with short times.
pub fn spec(command: Command) -> ProcessSpec {
    ProcessSpec {
        command,
        instances: 1,
        environment: BTreeMap::new(),
        directory: None,
        user: None,
        connect: InstanceAddress::Port,
        first_port: None,
        start_timeout: Duration::from_secs(30),
        stop_timeout: Duration::from_secs(10),
        restart: RestartPolicy {
            initial: Duration::from_millis(1),
            max: Duration::from_millis(20),
            reset_after: Duration::from_secs(60),
            crash_loop_after: 3,
        },
        max_memory_bytes: None,
        max_requests: None,
        log: None,
        weight: 1,
        max_conns: None,
    }
}
