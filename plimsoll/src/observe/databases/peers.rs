//! Servers of the tests' own, from Debian's packages, and one that says nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use tsdb::exposition::{Event, Format, Limits, Parser};

use crate::config::model::observe::DatabaseTarget;

/// Long enough for anything on the loopback.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A port that was free may be taken by another process before the server takes it.
const STARTS_MAX: usize = 10;

/// A target with this URL.
pub(super) fn target(url: impl Into<String>) -> DatabaseTarget {
    DatabaseTarget {
        name: "tested".to_owned(),
        url: url.into(),
        labels: BTreeMap::new(),
        every: PATIENCE,
        timeout: PATIENCE,
    }
}

/// A port that nobody listens on just now.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The value of a series, written as in the text.
pub(super) fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// A listener that accepts, since the system does, and never says a word.
pub(super) fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers any first words with these, again and again until the other side is gone.
pub(super) fn talker(words: Vec<u8>) -> u16 {
    let (listener, port) = silent();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        while stream.write_all(&words).is_ok() {}
    });
    port
}

/// That the text is one that can be scraped: no mistake, no series twice.
pub(super) fn assert_is_exposition(text: &str) {
    let mut parser = Parser::new(text.as_bytes(), Format::Text, Limits::default()).unwrap();
    let mut series = std::collections::BTreeSet::new();
    while let Some(event) = parser.next_event().unwrap() {
        if let Event::Sample(sample) = event {
            assert!(series.insert(sample.series.to_owned()), "{} is there twice", sample.series);
        }
    }
}

/// A running PostgreSQL; stopped and removed when dropped.
pub(super) struct Postgres {
    folder: TempDir,
    pub(super) port: u16,
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

/// An issuer's certificate, one of `localhost` by it, and the key of that, all in PEM.
pub(super) fn certificate() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    (authority_pem, certificate.pem(), key.serialize_pem())
}

impl Postgres {
    /// A fresh cluster on a free port of 127.0.0.1; connections over TCP need the password `secret`,
    /// those of `postgres` do not.
    pub(super) fn start() -> Self {
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
    pub(super) fn start_secured() -> Self {
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
    pub(super) fn standby(&self) -> Self {
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

    pub(super) fn url(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// Where its socket is.
    pub(super) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its data is.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs statements as the superuser; the first column of the last row.
    pub(super) async fn execute(&self, statements: &str) -> Option<String> {
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
    pub(super) fn stop(&self) {
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

/// A running Redis; killed when dropped.
pub(super) struct Redis {
    process: Child,
    /// Holds its dump.
    _folder: TempDir,
    pub(super) port: u16,
}

impl Redis {
    /// On a free port of 127.0.0.1, with these further words of configuration.
    pub(super) async fn start(words: &[&str]) -> Self {
        let program = ["/usr/bin/redis-server", "/usr/bin/valkey-server"];
        let program = program.iter().find(|path| Path::new(path).exists()).expect(
            "no redis-server is installed: run the tests by `cargo xtask test`, which installs it",
        );
        for _ in 0..STARTS_MAX {
            let folder = tempfile::tempdir().unwrap();
            let port = free_port();
            let log = std::fs::File::create(folder.path().join("log")).unwrap();
            let mut process = Command::new(program)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
                .arg("--dir")
                .arg(folder.path())
                .args(words)
                .stdout(log)
                .spawn()
                .unwrap();
            // It listens soon, or ends because the port is taken.
            while process.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { process, _folder: folder, port };
                }
                tokio::task::yield_now().await;
            }
        }
        panic!("Redis does not start");
    }

    /// Stops it, at once.
    pub(super) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
