//! The Node servers that the tests put behind Plimsoll.

use std::fs;
use std::process::Command;

use anyhow::Context;

use super::stamp::Stamp;
use crate::command;
use crate::workspace::Workspace;

/// Where the pinned list is.
const PEERS: &str = "plimsoll/tests/peers/node";

/// The list and its lock; `npm ci` takes exactly what the lock says.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs the packages, unless they are there.
pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    let mut inputs = Vec::new();
    for name in FILES {
        let file = workspace.root.join(PEERS).join(name);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        inputs.push((name, text));
    }
    let folder = workspace.test_environment().join("node");
    let texts: Vec<&str> = inputs.iter().map(|(_, text)| text.as_str()).collect();
    let stamp = Stamp::new(&folder, &texts);
    if stamp.is_current() {
        return Ok(());
    }
    eprintln!("installing Express and ws: servers that the tests run");
    stamp.clear()?;
    for (name, text) in &inputs {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let npm = command::find("npm").context("npm is not on the search path")?;
    let mut install = Command::new(npm);
    install.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    command::run(install.args(["--loglevel", "error"]))?;
    stamp.write()
}
