//! What a configuration needs of this machine: commands, users, directories.
//!
//! Asked by those who are about to start something, not while reading: a file may be checked on a
//! machine that lacks what it names.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use super::model::observe::{HttpEndpoint, Means, Observe};
use super::model::{Command, Config, LogTarget, ProcessSpec, Source};
use super::problem::ConfigError;

/// Words with which a shell command may begin that are no programs: builtins and keywords of
/// POSIX (XCU 2.4 and 2.14).
const SHELL_WORDS: [&str; 32] = [
    ":", ".", "!", "{", "(", "alias", "break", "case", "cd", "command", "continue", "eval", "exec",
    "exit", "export", "for", "if", "local", "read", "readonly", "return", "set", "shift", "source",
    "times", "trap", "type", "ulimit", "umask", "unset", "until", "while",
];
/// Characters that make a word more than a name.
const SHELL_CHARACTERS: &str = "$`\"'\\*?[]{}()~=;&|<>#!";

/// Everything that `config` needs and this machine lacks; empty if all is there.
pub fn verify_environment(config: &Config) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if let Some(LogTarget::File(file)) = config.access_log.as_ref().map(|log| &log.to) {
        errors.extend(verify_log_file(file));
    }
    errors.extend(config.observe.iter().flat_map(|observe| verify_certificates(observe)));
    for service in config.services.values() {
        if let Source::Processes(process) = &service.source {
            let key = format!("service.{}", service.name);
            errors.extend(verify_directory(&key, process));
            errors.extend(verify_command(&key, process));
            errors.extend(verify_user(&key, process));
            errors.extend(verify_log(&key, process));
        }
    }
    errors
}

/// Files of certificates must be there.
fn verify_certificates(observe: &Observe) -> Vec<ConfigError> {
    let mut endpoints: Vec<(String, &HttpEndpoint)> = Vec::new();
    endpoints.extend(observe.prometheus.iter().map(|at| ("prometheus".to_owned(), at)));
    for (index, store) in observe.remote_write.iter().enumerate() {
        endpoints.push((format!("remote_write[{index}]"), &store.endpoint));
    }
    for (index, job) in observe.jobs.iter().enumerate() {
        // Those of one job are the same for all of its targets.
        endpoints.extend(job.targets.first().map(|at| (format!("job[{index}]"), at)));
    }
    for (index, at) in observe.notify.alertmanagers.iter().enumerate() {
        endpoints.push((format!("notify.alertmanager[{index}]"), at));
    }
    for (name, receiver) in &observe.notify.receivers {
        let (means, at) = match &receiver.means {
            Means::Webhook(at) => ("webhook", at),
            Means::Slack { endpoint, .. } => ("slack.url", endpoint),
            Means::PagerDuty { endpoint, .. } => ("pagerduty.url", endpoint),
            Means::Email { .. } | Means::Command { .. } => continue,
        };
        endpoints.push((format!("notify.receiver.{name}.{means}"), at));
    }
    let missing = |(key, at): (String, &HttpEndpoint)| {
        let file = at.ca.as_ref().filter(|file| !file.is_file())?;
        let message = format!("the file of certificates {} does not exist", file.display());
        Some(
            ConfigError::new(format!("observe.{key}.ca"), message)
                .remedy("correct the path; a relative one begins at the config file's directory"),
        )
    };
    endpoints.into_iter().filter_map(missing).collect()
}

fn verify_log_file(file: &Path) -> Option<ConfigError> {
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if file.is_dir() {
        let message = format!("{} is a directory", file.display());
        return Some(ConfigError::new("access_log", message).remedy("name a file in it"));
    }
    (!parent.is_dir()).then(|| {
        let message = format!("the directory {} does not exist", parent.display());
        ConfigError::new("access_log", message)
            .remedy(format!("make it: mkdir -p {}", parent.display()))
    })
}

fn verify_directory(key: &str, process: &ProcessSpec) -> Option<ConfigError> {
    let directory = process.directory.as_ref()?;
    let key = format!("{key}.directory");
    let shown = directory.display();
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => None,
        Ok(_) => Some(
            ConfigError::new(key, format!("{shown} is not a directory"))
                .remedy("name the directory in which the command should run"),
        ),
        Err(_) => Some(
            ConfigError::new(key, format!("the directory {shown} does not exist"))
                .remedy(format!("make it: mkdir -p {shown}, or correct the path")),
        ),
    }
}

fn verify_log(key: &str, process: &ProcessSpec) -> Option<ConfigError> {
    let directory = &process.log.as_ref()?.directory;
    let blocked =
        directory.ancestors().find(|path| path.exists()).is_some_and(|path| !path.is_dir());
    blocked.then(|| {
        let message =
            format!("{} cannot be a directory: a file is in the way", directory.display());
        ConfigError::new(format!("{key}.log.directory"), message).remedy("choose another directory")
    })
}

fn verify_user(key: &str, process: &ProcessSpec) -> Option<ConfigError> {
    let name = process.user.as_ref()?;
    let key = format!("{key}.user");
    let user = User::from_name(name).ok().flatten();
    let Some(user) = user else {
        return Some(
            ConfigError::new(key, format!("there is no user `{name}` on this machine"))
                .remedy(format!("correct the name, or add it: useradd --system {name}")),
        );
    };
    let own = Uid::effective();
    (!own.is_root() && user.uid != own).then(|| {
        ConfigError::new(key, format!("only root may run a command as `{name}`"))
            .found(format!("Plimsoll runs with user id {own}"))
            .remedy("start Plimsoll as root, or remove `user`")
    })
}

/// The program that a command starts, if that can be told without a shell.
fn program(command: &Command) -> Option<&str> {
    match command {
        Command::Words(words) => {
            words.first().map(String::as_str).filter(|word| !word.contains('$'))
        }
        Command::Shell(text) => {
            let word = text.split_whitespace().next()?;
            let is_plain = !word.contains(|c| SHELL_CHARACTERS.contains(c));
            (is_plain && !SHELL_WORDS.contains(&word)).then_some(word)
        }
    }
}

fn verify_command(key: &str, process: &ProcessSpec) -> Option<ConfigError> {
    let program = program(&process.command)?;
    let key = format!("{key}.run");
    let directory = process.directory.clone().unwrap_or_default();
    if program.contains('/') {
        let path = directory.join(program);
        return match std::fs::metadata(&path) {
            Err(_) => Some(
                ConfigError::new(key, format!("the command {program} does not exist"))
                    .found(format!("nothing at {}", path.display()))
                    .remedy(match process.directory {
                        Some(_) => {
                            "correct the path; a relative one begins at the service's `directory`"
                        }
                        None => "correct the path; a relative one begins at the current directory",
                    }),
            ),
            Ok(_) if is_program(&path) => None,
            Ok(metadata) if metadata.is_dir() => Some(
                ConfigError::new(key, format!("{program} is a directory"))
                    .remedy("name the program in it that is to be run"),
            ),
            Ok(_) => Some(
                ConfigError::new(key, format!("{program} is not a program that can be run"))
                    .remedy(format!("allow it: chmod +x {}", path.display())),
            ),
        };
    }
    let path = search_path(&process.environment);
    if std::env::split_paths(&path).any(|entry| is_program(&directory.join(entry).join(program))) {
        return None;
    }
    Some(
        ConfigError::new(key, format!("the command `{program}` does not exist"))
            .found(format!("not in PATH, which is {path}"))
            .remedy(format!("install {program}, or write its full path")),
    )
}

/// The PATH that an instance will have.
fn search_path(environment: &BTreeMap<String, String>) -> String {
    match environment.get("PATH") {
        Some(path) => path.clone(),
        None => std::env::var("PATH").unwrap_or_default(),
    }
}

fn is_program(path: &PathBuf) -> bool {
    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
