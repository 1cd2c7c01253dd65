//! Redis, or Valkey.

use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use super::{STARTS_MAX, free_port};

/// A running Redis; killed when dropped.
pub struct Redis {
    process: Child,
    /// Holds its dump.
    _folder: TempDir,
    pub port: u16,
}

impl Redis {
    /// On a free port of 127.0.0.1, with these further words of configuration.
    pub async fn start(words: &[&str]) -> Self {
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
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
