//! Where this repository and its build products are.
//!
//! Asked of cargo, so that `CARGO_TARGET_DIR` and `build.target-dir` are honoured and a chore
//! works from any folder of the repository.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::command;

/// The repository that the chore is run in.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let output = Command::new(command::cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` printed")
    }

    /// Where `cargo build` with `profile` puts the program.
    pub(crate) fn program(&self, profile: Profile) -> PathBuf {
        self.target.join(profile.folder()).join("plimsoll")
    }

    /// Where the peers that the tests talk to are installed.
    pub(crate) fn test_environment(&self) -> PathBuf {
        self.target.join("test-env")
    }

    /// `cargo` at the root of the repository.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(command::cargo());
        cargo.current_dir(&self.root);
        cargo
    }

    /// Builds the program and says where it is.
    pub(crate) fn build(&self, profile: Profile) -> anyhow::Result<PathBuf> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--locked", "--package", "plimsoll", "--profile", profile.name()]);
        command::run(&mut cargo)?;
        Ok(self.program(profile))
    }
}

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build; its libraries are optimised all the same (`Cargo.toml`).
    Development,
    /// What users get.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Development => "dev",
            Profile::Release => "release",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Profile::Development => "debug",
            Profile::Release => "release",
        }
    }
}
