//! Services that Plimsoll starts itself: their command, environment, ports and limits.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::grammar;
use super::super::kind::{Item, Named, OneOf};
use super::super::model::{Command, InstanceAddress, InstanceLog, ProcessSpec, RestartPolicy};
use super::super::problem::ConfigError;
use super::super::quantity::show_duration;
use super::super::reader::{Reader, Where};
use super::path;

/// Variables that Plimsoll sets for each instance.
const OWN_VARIABLES: [&str; 3] = ["PORT", "SOCKET", "INSTANCE"];

/// The resolved form of a service with `run`; `None` if the command is missing.
pub(super) fn process(
    raw: &grammar::Service,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<ProcessSpec> {
    let environment = environment(&raw.environment.value, reader);
    let restart = restart(&raw.restart.value, reader);
    let command = command(raw, reader)?;
    let directory = match &raw.directory.value {
        Some(directory) => Some(path(base, directory)),
        None if base.as_os_str().is_empty() => None,
        None => Some(base.to_owned()),
    };
    let log = raw.log.value.as_ref().and_then(|log| {
        Some(InstanceLog {
            directory: path(base, log.directory.value.as_ref()?),
            max_bytes: log.max_size.value,
            keep: log.keep.value,
        })
    });
    Some(ProcessSpec {
        connect: raw.connect.value.unwrap_or_else(|| default_connect(&command)),
        command,
        instances: raw.instances.value,
        environment,
        directory,
        user: raw.user.value.clone(),
        first_port: raw.first_port.value,
        start_timeout: raw.start_timeout.value,
        stop_timeout: raw.stop_timeout.value,
        restart,
        max_memory_bytes: raw.max_memory.value,
        max_requests: raw.max_requests.value,
        log,
        weight: raw.weight.value,
        max_conns: raw.max_conns.value,
    })
}

/// A command that names `$SOCKET` and not `$PORT` listens on the socket.
pub(in crate::config) fn default_connect(command: &Command) -> InstanceAddress {
    let names = |variable: &str| {
        let (plain, braced) = (format!("${variable}"), format!("${{{variable}}}"));
        let inside = |text: &String| text.contains(&plain) || text.contains(&braced);
        match command {
            Command::Shell(text) => inside(text),
            Command::Words(words) => words.iter().any(inside),
        }
    };
    if names("SOCKET") && !names("PORT") { InstanceAddress::Socket } else { InstanceAddress::Port }
}

fn command(raw: &grammar::Service, reader: &mut Reader<'_>) -> Option<Command> {
    match raw.run.value.as_ref()? {
        OneOf::First(text) => Some(Command::Shell(text.clone())),
        OneOf::Second(words) => {
            let program = words.first().map(|word| word.value.trim());
            if program.is_none_or(str::is_empty) {
                let error = ConfigError::new(&raw.run.at.key, "the command is empty")
                    .found(reader.shown(&raw.run.at))
                    .remedy("write the program and its arguments, as in [\"node\", \"app.js\"]");
                reader.refuse(&raw.run.at, error);
                return None;
            }
            Some(Command::Words(
                words.iter().map(|word: &Item<String>| word.value.clone()).collect(),
            ))
        }
    }
}

fn environment(variables: &[Named<String>], reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    for variable in variables {
        let name = &variable.name;
        if OWN_VARIABLES.contains(&name.as_str()) {
            let message = format!("Plimsoll sets {name} itself, differently for each instance");
            let error = ConfigError::new(&variable.at.key, message)
                .remedy("remove it; use `first_port` to choose ports");
            reader.refuse(&variable.at, error);
        } else if name.is_empty() || name.contains(['=', '\0']) {
            let error = ConfigError::new(&variable.at.key, "this is not a name for a variable")
                .found(format!("{name:?}"))
                .remedy("use letters, digits and `_`");
            reader.refuse(&variable.at, error);
        }
    }
    variables.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect()
}

fn restart(raw: &grammar::Restart, reader: &mut Reader<'_>) -> RestartPolicy {
    let (initial, max) = (&raw.initial, &raw.max);
    if initial.is_sound() && max.is_sound() && initial.value > max.value {
        let at = if initial.is_present() { &initial.at } else { &max.at };
        let (initial, max) = (show_duration(initial.value), show_duration(max.value));
        let error = ConfigError::new(&at.key, "the first delay is longer than the longest")
            .found(format!("initial {initial}, max {max}"))
            .allowed("`initial` up to `max`")
            .remedy(format!("lower `initial`, or write max = \"{initial}\" or more"));
        reader.refuse(at, error);
    }
    RestartPolicy {
        initial: initial.value,
        max: max.value,
        reset_after: raw.reset_after.value,
        crash_loop_after: raw.crash_loop_after.value,
    }
}

/// Notes keys that mean something only with `run`.
pub(super) fn refuse_process_keys(raw: &grammar::Service, reader: &mut Reader<'_>) {
    let elsewhere = "remove it, or set it for each server in `servers`";
    let nowhere = "remove it, or replace `servers` by `run`";
    let keys: [(&str, bool, &Where, &str); 14] = [
        ("instances", raw.instances.is_present(), &raw.instances.at, nowhere),
        ("environment", raw.environment.is_present(), &raw.environment.at, nowhere),
        ("directory", raw.directory.is_present(), &raw.directory.at, nowhere),
        ("user", raw.user.is_present(), &raw.user.at, nowhere),
        ("connect", raw.connect.is_present(), &raw.connect.at, nowhere),
        ("first_port", raw.first_port.is_present(), &raw.first_port.at, nowhere),
        ("start_timeout", raw.start_timeout.is_present(), &raw.start_timeout.at, nowhere),
        ("stop_timeout", raw.stop_timeout.is_present(), &raw.stop_timeout.at, nowhere),
        ("restart", raw.restart.is_present(), &raw.restart.at, nowhere),
        ("max_memory", raw.max_memory.is_present(), &raw.max_memory.at, nowhere),
        ("max_requests", raw.max_requests.is_present(), &raw.max_requests.at, nowhere),
        ("log", raw.log.is_present(), &raw.log.at, nowhere),
        ("weight", raw.weight.is_present(), &raw.weight.at, elsewhere),
        ("max_conns", raw.max_conns.is_present(), &raw.max_conns.at, elsewhere),
    ];
    for (key, present, at, remedy) in keys {
        if present {
            let message = format!("`{key}` belongs to a service with `run`, not with `servers`");
            reader.refuse(at, ConfigError::new(&at.key, message).remedy(remedy));
        }
    }
}
