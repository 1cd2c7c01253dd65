//! Running other programs: shown before, and an error that names them after.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, bail};

/// The cargo that runs this chore.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut text = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        text.push(' ');
        if argument.is_empty()
            || argument.contains(|c: char| c.is_whitespace() || "\"'$".contains(c))
        {
            text.push_str(&format!("'{argument}'"));
        } else {
            text.push_str(&argument);
        }
    }
    text
}

/// Runs the command with this terminal as its own; any exit status is an answer.
pub(crate) fn status(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    command.status().with_context(|| format!("cannot start `{shown}`"))
}

/// Runs the command with this terminal as its own; a failure is an error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs the command and returns what it printed; a failure is an error with what it complained of.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}): {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Folders that are searched after `PATH`: Debian keeps servers out of a user's path.
pub(crate) fn server_folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/local/sbin"), "/usr/sbin".into(), "/sbin".into()];
    // PostgreSQL's own programs are in a folder of their version; the newest is taken.
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    folders.extend(versions.pop().map(|(_, folder)| folder));
    folders
}

/// `PATH` with the servers' folders at its end.
pub(crate) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for folder in server_folders() {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    // A folder with a colon in its name cannot be in a PATH; the one we have stays then.
    std::env::join_paths(folders).unwrap_or(path)
}

/// All files of this name that the search path leads to, the first one first.
pub(crate) fn find_all(program: &str) -> Vec<PathBuf> {
    std::env::split_paths(&search_path())
        .map(|folder| folder.join(program))
        .filter(|file| file.is_file())
        .collect()
}

/// The file that runs when `program` is called.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    find_all(program).into_iter().next()
}
