//! The configuration of `plimsoll run`: one command, no file.

use std::path::Path;
use std::sync::Arc;

use super::address;
use super::defaults;
use super::environment;
use super::file;
use super::grammar::BALANCE;
use super::model::observe::DataDirectory;
use super::model::{Admin, Balance, Command, Config, HealthCheckKind, Source};
use super::problem::{ConfigError, ConfigErrors, nearest, one_of};
use super::quantity::Refusal;
use super::resolve::{check, default_connect, everything, http};
use super::text;

/// A service with everything at its default; the command is put in its place.
const TEMPLATE: &str = "[service.web]\nrun = \"true\"\n";
/// Name of the service that the command becomes.
const SERVICE: &str = "web";
/// What messages call the command and its arguments.
const COMMAND: &str = "COMMAND";
/// Most instances, as in the file.
const INSTANCES_MAXIMUM: u32 = 1000;

/// What `plimsoll run` was told.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// How many instances: 1 to 1000.
    pub instances: u32,
    /// `--listen`, as often as given; none means the default, `:9999`.
    pub listen: Vec<String>,
    /// `--admin`: an address of the loopback; `None` means the default, `127.0.0.1:9900`.
    pub admin: Option<String>,
    /// `--name`: the service's name; `None` means `web`.
    pub name: Option<String>,
    /// `--balance`: a policy by name; `None` means that of a config file.
    pub balance: Option<String>,
    /// `--health`: the path to check; `None` checks that a connection can be made.
    pub health: Option<String>,
    /// The command and its arguments. One word with spaces in it is a shell command.
    pub command: Vec<String>,
}

/// The configuration that runs one command as the only service, which gets every request.
///
/// # Errors
/// Every option that cannot be used, at once; `key` names the option.
pub fn for_command(options: &RunOptions) -> Result<Config, ConfigErrors> {
    let template = file::resolve("plimsoll run", TEMPLATE, Path::new(""), &|_| None)?;
    let mut config = template.config;
    let mut errors = Vec::new();
    apply_addresses(options, &mut config, &mut errors);
    let kind = match options.health.as_deref().map(text::check_path) {
        None => HealthCheckKind::Tcp,
        Some(Ok(path)) => http(path),
        Some(Err(refusal)) => {
            errors.push(refused("--health", options.health.as_deref(), refusal));
            HealthCheckKind::Tcp
        }
    };
    if options.instances == 0 || options.instances > INSTANCES_MAXIMUM {
        errors.push(
            ConfigError::new("-n", "this number of instances is not possible")
                .found(options.instances.to_string())
                .allowed(format!("a whole number from 1 to {INSTANCES_MAXIMUM}"))
                .remedy("write -n 3 for three instances"),
        );
    }
    let name = name(options, &mut errors);
    let balance = balance(options, &mut errors);
    let command = command(&options.command).map_err(|error| errors.push(*error)).ok();
    // Without a file there is no place that its figures could be found again.
    let observe = super::resolve::observe::usual(DataDirectory::Temporary);
    config.observe = Some(Arc::new(observe));
    if let (Some(command), Some((_, mut service))) = (command, config.services.pop_first()) {
        config.routes = vec![everything(&name)];
        let settings = Arc::make_mut(&mut service);
        settings.name.clone_from(&name);
        settings.balance = balance;
        settings.health = Some(check(kind, defaults::RUN_HEALTH_EVERY));
        if let Source::Processes(process) = &mut settings.source {
            process.instances = options.instances;
            process.connect = default_connect(&command);
            process.command = command;
        }
        config.services.insert(name, service);
    }
    if errors.is_empty() { Ok(config) } else { Err(errors.into()) }
}

/// Checks that the command of `config`, which came from `options`, exists.
///
/// # Errors
/// What is wrong, in terms of what was typed.
pub fn verify_command(options: &RunOptions, config: &Config) -> Result<(), ConfigErrors> {
    let errors = environment::verify_environment(config);
    if errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<ConfigError> =
        errors.into_iter().map(|error| ConfigError { key: COMMAND.to_owned(), ..error }).collect();
    Err(match options.command.as_slice() {
        [count, rest @ ..] if count.parse::<u32>().is_ok() && !rest.is_empty() => {
            ConfigError::new(COMMAND, format!("the command `{count}` does not exist"))
                .remedy(format!(
                    "for so many instances write: plimsoll run -n {count} -- {}",
                    typed(rest)
                ))
                .into()
        }
        [setting, rest @ ..] if is_assignment(setting) && !rest.is_empty() => ConfigError::new(
            COMMAND,
            format!("`{setting}` is a variable, not a command"),
        )
        .remedy(format!(
            "set it for Plimsoll, whose variables the command gets: {} plimsoll run … -- {}",
            quoted(setting),
            typed(rest)
        ))
        .into(),
        _ => errors.into(),
    })
}

/// `NAME=value`
fn is_assignment(word: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(named)
    })
}

/// Words as a shell takes them.
fn typed(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+,./:@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn name(options: &RunOptions, errors: &mut Vec<ConfigError>) -> String {
    let name = options.name.as_deref().unwrap_or(SERVICE);
    if let Err(refusal) = text::service_name(name) {
        errors.push(refused("--name", Some(name), refusal));
    }
    name.to_owned()
}

fn balance(options: &RunOptions, errors: &mut Vec<ConfigError>) -> Balance {
    let Some(word) = options.balance.as_deref() else { return Balance::RoundRobin };
    if let Some((_, balance, _)) = BALANCE.0.iter().find(|(known, ..)| *known == word) {
        return balance.clone();
    }
    let words = BALANCE.0.iter().map(|(known, ..)| *known);
    let error = ConfigError::new("--balance", format!("there is no policy `{word}`"))
        .allowed(one_of(words.clone()));
    errors.push(match nearest(word, words) {
        Some(near) => error.remedy(format!("did you mean {near}?")),
        None => error.remedy("write one of them"),
    });
    Balance::RoundRobin
}

fn apply_addresses(options: &RunOptions, config: &mut Config, errors: &mut Vec<ConfigError>) {
    if !options.listen.is_empty() {
        config.listen.clear();
    }
    for address in &options.listen {
        match address::listen(address) {
            Ok(listen) => config.listen.push(listen),
            Err(refusal) => errors.push(refused("--listen", Some(address), refusal)),
        }
    }
    let Some(address) = &options.admin else { return };
    match address::admin(address) {
        Ok(bind) if bind.ip().is_loopback() => config.admin = Some(Admin { bind, token: None }),
        Ok(_) => errors.push(
            ConfigError::new("--admin", "the admin server would be open to everyone")
                .found(address)
                .allowed("an address of this machine's loopback")
                .remedy("write 127.0.0.1:9900, or use a config file, where a token can be set"),
        ),
        Err(refusal) => errors.push(refused("--admin", Some(address), refusal)),
    }
}

fn refused(option: &str, found: Option<&str>, refusal: Refusal) -> ConfigError {
    let error = ConfigError::new(option, refusal.message).found(found.unwrap_or_default());
    // Remedies quote text as the file does; a command line does without.
    ConfigError { remedy: refusal.remedy.map(|remedy| remedy.replace('"', "")), ..error }
}

fn command(words: &[String]) -> Result<Command, Box<ConfigError>> {
    let program = words.first().map(|word| word.trim());
    if program.is_none_or(str::is_empty) {
        let error = ConfigError::new(COMMAND, "there is no command to run")
            .remedy("write it last, as in: plimsoll run -n 3 -- python3 -m http.server '$PORT'");
        return Err(Box::new(error));
    }
    if let Some(word) = words.iter().find(|word| lost_its_port(word)) {
        let message = format!("`{word}` ends where a port belongs");
        let error = ConfigError::new(COMMAND, message)
            .note("your shell replaces $PORT before Plimsoll sees it")
            .remedy(format!("put it in single quotes: '{word}$PORT'"));
        return Err(Box::new(error));
    }
    match words {
        [text] if text.trim().contains(char::is_whitespace) => Ok(Command::Shell(text.clone())),
        words => Ok(Command::Words(words.to_vec())),
    }
}

/// Whether the word is an address whose `$PORT` was replaced by nothing.
fn lost_its_port(word: &str) -> bool {
    let Some(host) = word.strip_suffix(':') else { return false };
    let host = host.rsplit(['=', '/']).next().unwrap_or_default();
    host == "localhost"
        || host.parse::<std::net::Ipv4Addr>().is_ok()
        || (host.starts_with('[') && host.ends_with(']'))
}
