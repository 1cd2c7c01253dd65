//! A program of Prometheus' family: they take the same flags, and say the same when they listen.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an answer may take; only a failure does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running one; killed when dropped.
pub struct Program {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts it on a port of its own choice, and waits until its log holds `ready`.
    pub fn start(command: &mut Command, ready: &str) -> Self {
        Self::attempt(command.arg("--web.listen-address=127.0.0.1:0"), ready)
            .unwrap_or_else(|| panic!("{command:?} ended before it was ready"))
    }

    /// The same with the address that its arguments say; `None` if it ended before.
    pub(super) fn attempt(command: &mut Command, ready: &str) -> Option<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask test` installs it"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut address, mut is_ready) = (None, false);
        while address.is_none() || !is_ready {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            };
            let found = line.split_once("msg=\"Listening on\" address=");
            address = address.or(found.map(|(_, address)| address.to_owned()));
            is_ready |= line.contains(ready);
        }
        // What it says later is read too, lest it block.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self { child, address: address? })
    }

    /// The answer to a GET, head included.
    pub fn get(&self, target: &str) -> String {
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {target} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}
