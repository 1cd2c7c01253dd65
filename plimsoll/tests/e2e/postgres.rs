//! A PostgreSQL server of the test's own, from Debian's package.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::output;

/// A running server; stopped and removed when dropped.
pub struct Postgres {
    directory: tempfile::TempDir,
    /// For `DATABASE_URL`.
    pub url: String,
}

/// Debian keeps the server's programs by version, outside PATH.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect(
        "no PostgreSQL server is installed: run the tests by `cargo xtask test`, which installs it",
    );
    let mut found: Vec<_> = versions
        .map_while(Result::ok)
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().expect("a PostgreSQL server")
}

/// PostgreSQL refuses to run as root: `postgres` is the user that Debian's package makes.
fn command(name: &str) -> Command {
    let program = program(name);
    if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn run(mut command: Command) {
    command.env("LC_ALL", "C");
    let shown = format!("{command:?}");
    let (code, out, errors) = output(command);
    assert_eq!(code, 0, "{shown}: {out}{errors}");
}

impl Postgres {
    /// A fresh cluster on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        if nix::unistd::geteuid().is_root() {
            let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
            nix::unistd::chown(directory.path(), Some(user.uid), Some(user.gid)).unwrap();
        }
        let data = directory.path().join("data");
        let mut initdb = command("initdb");
        initdb.arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres", "--no-sync"]);
        run(initdb);
        // Another process may take the port before the server does: then it is tried again.
        for _ in 0..10 {
            let port = {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                listener.local_addr().unwrap().port()
            };
            let options =
                format!("-p {port} -k {} -h 127.0.0.1 -c fsync=off", directory.path().display());
            let mut start = command("pg_ctl");
            start.arg("-D").arg(&data).args(["-o", &options, "-w", "-l"]);
            start.arg(directory.path().join("log")).arg("start");
            start.stdout(std::process::Stdio::null());
            if start.status().unwrap().success() {
                let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
                return Self { directory, url };
            }
        }
        panic!("PostgreSQL does not start");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = command("pg_ctl");
        stop.arg("-D").arg(self.directory.path().join("data")).args(["-m", "immediate", "stop"]);
        let _ = stop.stdout(std::process::Stdio::null()).status();
    }
}
