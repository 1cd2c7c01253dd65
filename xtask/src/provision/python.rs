//! The Python servers that the tests put behind Plimsoll, in an environment of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::stamp::Stamp;
use crate::command;
use crate::workspace::Workspace;

/// Pinned by version and hash.
const REQUIREMENTS: &str = "plimsoll/tests/peers/python/requirements.txt";

/// Fails on a Python that is too old for the pinned packages or cannot make environments.
const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";

/// Whether there is a Python that can make environments. Debian's needs `python3-venv` for it.
pub(crate) fn has_environment_module() -> bool {
    interpreter().is_some()
}

/// The first Python on the search path that passes the probe.
fn interpreter() -> Option<PathBuf> {
    command::find_all("python3").into_iter().find(|python| {
        let asked = Command::new(python).args(["-c", PROBE]).output();
        asked.is_ok_and(|output| output.status.success())
    })
}

/// Makes the environment, unless it is there.
pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    let requirements = workspace.root.join(REQUIREMENTS);
    let text = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let Some(python) = interpreter() else {
        bail!("no python3 of version 3.11 or newer that can make virtual environments");
    };
    let version = command::output(Command::new(&python).arg("--version"))?;
    let folder = workspace.test_environment().join("python");
    let stamp = Stamp::new(&folder, &[&text, &version, &python.to_string_lossy()]);
    if stamp.is_current() {
        return Ok(());
    }
    eprintln!("installing Flask, Django, Gunicorn and websockets: servers that the tests run");
    stamp.clear()?;
    command::run(Command::new(&python).args(["-m", "venv"]).arg(&folder))?;
    command::run(&mut pip_install(&folder, &requirements))?;
    stamp.write()
}

fn pip_install(folder: &Path, requirements: &Path) -> Command {
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--no-deps", "--requirement"]).arg(requirements);
    pip
}
