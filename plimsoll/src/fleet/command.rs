//! From a configured command to the words that are executed.
//!
//! A list of words runs as it is, with `$PORT`, `$SOCKET` and `$INSTANCE` (also `${PORT}`)
//! replaced in each word; other dollars stay. A text goes to `/bin/sh -c`, which expands the same
//! names from the environment. Where the text is one simple command it is run with `exec`, so
//! that the shell does not stay between; where it may be more, it does stay, and signals reach
//! the processes by their group.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::User;

use crate::config::model::{Command, ProcessSpec};

/// First words after which `exec` is wrong: the shell's own words and those of its commands
/// that change the shell itself or are no program everywhere.
const SHELL_WORDS: [&str; 39] = [
    "!", ".", ":", "[[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
    "eval", "exec", "exit", "export", "fg", "for", "function", "hash", "if", "jobs", "local",
    "read", "readonly", "return", "set", "shift", "source", "then", "time", "trap", "type",
    "ulimit", "umask", "unset", "until", "while",
];
/// Where programs are looked for when PATH is not set, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// The shell of text commands.
const SHELL: &str = "/bin/sh";

/// Variables of one instance: `PORT`, `SOCKET`, `INSTANCE`.
pub type Variables = BTreeMap<&'static str, String>;

/// The program and its arguments.
pub fn words(command: &Command, variables: &Variables) -> Vec<OsString> {
    match command {
        Command::Words(words) => {
            words.iter().map(|word| substitute(word, variables).into()).collect()
        }
        Command::Shell(text) if simple_program(text).is_some() => {
            vec![SHELL.into(), "-c".into(), format!("exec {}", text.trim_start()).into()]
        }
        Command::Shell(text) => vec![SHELL.into(), "-c".into(), text.into()],
    }
}

/// Replaces `$NAME` and `${NAME}` of known names. A longer name (`$PORTAL`) is another name.
fn substitute(word: &str, variables: &Variables) -> String {
    let mut result = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, tail) = braced.unwrap_or_else(|| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()))
        });
        if let Some(value) = variables.get(name) {
            result.push_str(value);
            rest = tail;
        } else {
            result.push('$');
            rest = after;
        }
    }
    result.push_str(rest);
    result
}

/// The first word of a shell text that is one simple command (POSIX 2.9.1) without leading
/// assignments, so that `exec` may stand before it. When in doubt `None`: the shell stays.
fn simple_program(text: &str) -> Option<&str> {
    let text = text.trim();
    let first = text.split([' ', '\t']).next().filter(|word| !word.is_empty())?;
    let mut quote = None;
    let mut escaped = false;
    for character in text.chars() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, ';' | '&' | '|' | '(' | ')' | '\n' | '`' | '#') => return None,
            _ => {}
        }
    }
    let plain = first.chars().all(|c| c.is_alphanumeric() || "/._+-[".contains(c));
    let special = SHELL_WORDS.contains(&first) || first.starts_with('-');
    (quote.is_none() && plain && !special).then_some(first)
}

/// # Errors
/// A sentence when the user does not exist, or Plimsoll may not become it.
pub fn check_user(spec: &ProcessSpec) -> Result<Option<User>, String> {
    let Some(name) = &spec.user else { return Ok(None) };
    let user = User::from_name(name)
        .map_err(|error| format!("cannot look up user {name}: {}", error.desc()))?
        .ok_or_else(|| {
            format!("there is no user {name:?} on this machine; create it, or correct `user`")
        })?;
    let own = nix::unistd::geteuid();
    if !own.is_root() && own != user.uid {
        return Err(format!("cannot run as user {name:?}: Plimsoll must run as root for that"));
    }
    Ok(Some(user))
}

/// # Errors
/// A sentence when the working directory is missing or none.
pub fn check_directory(spec: &ProcessSpec) -> Result<(), String> {
    let Some(directory) = &spec.directory else { return Ok(()) };
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("the working directory {} is not a directory", directory.display())),
        Err(error) => {
            Err(format!("the working directory {} is not usable: {error}", directory.display()))
        }
    }
}

/// Looks for the program of a list of words, or of a text that is one simple command.
///
/// # Errors
/// A sentence that names the program and where it was looked for.
pub fn check_program(spec: &ProcessSpec) -> Result<(), String> {
    let program = match &spec.command {
        Command::Words(words) => words.first().map(String::as_str).ok_or("the command is empty")?,
        // What is built into the shell, like `echo` or `test`, exists as a program too (POSIX).
        Command::Shell(text) => match simple_program(text) {
            Some(program) => program,
            None => return Ok(()),
        },
    };
    if program.contains('$') {
        return Ok(());
    }
    if program.contains('/') {
        let directory = spec.directory.clone().unwrap_or_default();
        return is_program(&directory.join(program));
    }
    let path = spec.environment.get("PATH").map(OsString::from);
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if directories.iter().any(|directory| is_program(&directory.join(program)).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "the command {program:?} was not found in PATH ({}); install it, or give its full path",
        path.to_string_lossy()
    ))
}

fn is_program(path: &Path) -> Result<(), String> {
    let what = format!("the command {:?}", path.display().to_string());
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(format!("{what} is a directory")),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Err(format!("{what} is not executable; try `chmod +x {}`", path.display()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{what} cannot be run: {error}")),
    }
}

#[cfg(test)]
mod tests;
