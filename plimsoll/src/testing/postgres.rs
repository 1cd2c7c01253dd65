//! PostgreSQL, with clusters of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::{STARTS_MAX, certificate, free_port};

/// A running PostgreSQL; stopped and removed when dropped.
pub struct Postgres {
    folder: TempDir,
    pub port: u16,
}

/// Debian keeps the server's programs by version, outside PATH. PostgreSQL refuses to run as root:
/// `postgres` is the user that the package makes.
fn postgres(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect(
        "no PostgreSQL server is installed: run the tests by `cargo xtask test`, which installs it",
    );
    let mut found: Vec<PathBuf> = versions
        .map_while(Result::ok)
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    let program = found.pop().expect("a PostgreSQL server");
    let mut command = if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    own(folder.path());
    folder
}

fn own(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
        nix::unistd::chown(path, Some(user.uid), Some(user.gid)).unwrap();
    }
}

impl Postgres {
    /// A fresh cluster on a free port of 127.0.0.1; connections over TCP need the password `secret`,
    /// those of `postgres` do not.
    pub fn start() -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        let flags = ["-A", "trust", "-U", "postgres", "--no-sync"];
        run(postgres("initdb").arg("-D").arg(&data).args(flags));
        let rules = "local all all trust\nhost all,replication postgres 127.0.0.1/32 trust\n\
                     host all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        Self::launch(folder, "")
    }

    /// One that lets in by TLS only, with a certificate for `localhost`; its issuer's is
    /// `issuer.pem` in its data.
    pub fn start_secured() -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        let flags = ["-A", "trust", "-U", "postgres", "--no-sync"];
        run(postgres("initdb").arg("-D").arg(&data).args(flags));
        std::fs::write(data.join("pg_hba.conf"), "hostssl all all all trust\n").unwrap();
        let (issuer, certificate, key) = certificate();
        for (name, text) in
            [("issuer.pem", issuer), ("server.crt", certificate), ("server.key", key)]
        {
            std::fs::write(data.join(name), text).unwrap();
            own(&data.join(name));
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(data.join("server.key"), private).unwrap();
        Self::launch(folder, "-c ssl=on")
    }

    /// A standby of this server.
    pub fn standby(&self) -> Self {
        let folder = folder();
        let port = self.port.to_string();
        let source = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        let flags = ["-R", "-X", "stream", "-c", "fast", "--no-sync"];
        let data = folder.path().join("data");
        run(postgres("pg_basebackup").arg("-D").arg(data).args(source).args(flags));
        Self::launch(folder, "")
    }

    fn launch(folder: TempDir, more: &str) -> Self {
        for _ in 0..STARTS_MAX {
            let port = free_port();
            let shown = folder.path().display();
            let options = format!("-p {port} -k {shown} -h 127.0.0.1 -c fsync=off {more}");
            let mut start = postgres("pg_ctl");
            start.arg("-D").arg(folder.path().join("data")).args(["-o", &options, "-w", "-l"]);
            start.arg(folder.path().join("log")).arg("start").stdout(Stdio::null());
            if start.status().unwrap().success() {
                return Self { folder, port };
            }
        }
        panic!("PostgreSQL does not start");
    }

    pub fn url(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// Where its socket is.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its data is.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs statements as the superuser; the first column of the last row.
    pub async fn execute(&self, statements: &str) -> Option<String> {
        let config: tokio_postgres::Config = self.url("postgres").parse().unwrap();
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(statements).await.unwrap();
        driver.abort();
        answer.iter().rev().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    }

    /// Stops it, at once.
    pub fn stop(&self) {
        let mut stop = postgres("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-m", "immediate", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}
