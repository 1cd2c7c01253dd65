//! The measured proxies, with configurations that ask the same of each.
//!
//! Kept-alive connections on both sides (as many to the upstream as the load has), buffers of
//! 16 KB, `X-Forwarded-For`, one worker, no temporary files, no limits that the load would meet.
//! *Observed* adds an access log to a file and metrics.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

use crate::command;

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Peer {
    Nginx,
    Haproxy,
    Plimsoll,
}

/// Where a proxy sends requests.
#[derive(Debug, Clone)]
pub(super) enum Backend {
    /// A port of 127.0.0.1.
    Tcp(u16),
    Unix(PathBuf),
}

/// What a proxy is told.
pub(super) struct Setup<'a> {
    /// For its files.
    pub(super) folder: &'a Path,
    /// Where it listens, on 127.0.0.1.
    pub(super) port: u16,
    /// Where metrics are, on 127.0.0.1; `Some` also turns the access log on.
    pub(super) observed_at: Option<u16>,
    /// Whether Plimsoll keeps figures of itself, as it does unless told not to.
    pub(super) keeps_figures: bool,
    pub(super) backends: &'a [Backend],
}

impl Peer {
    pub(super) const ALL: [Peer; 3] = [Peer::Nginx, Peer::Haproxy, Peer::Plimsoll];

    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Nginx => "nginx",
            Peer::Haproxy => "haproxy",
            Peer::Plimsoll => "plimsoll",
        }
    }

    /// The installed program; not for Plimsoll, which is built.
    pub(super) fn program(self) -> anyhow::Result<PathBuf> {
        let name = self.name();
        command::find(name).with_context(|| format!("{name} is not installed"))
    }

    pub(super) fn config(self, setup: &Setup<'_>) -> String {
        match self {
            Peer::Nginx => nginx(setup),
            Peer::Haproxy => haproxy(setup),
            Peer::Plimsoll => plimsoll(setup),
        }
    }

    /// The command that runs it in the foreground with a config file.
    pub(super) fn command(self, program: &Path, setup: &Setup<'_>, file: &Path) -> Command {
        let mut command = Command::new(program);
        match self {
            Peer::Nginx => command.arg("-p").arg(setup.folder).arg("-c").arg(file),
            Peer::Haproxy => command.arg("-db").arg("-f").arg(file),
            Peer::Plimsoll => command.args(["up", "-c"]).arg(file),
        };
        command
    }

    /// The command that prints its version.
    pub(super) fn version_command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg(if self == Peer::Plimsoll { "--version" } else { "-v" });
        command
    }
}

/// nginx started by root would give its worker another user, who cannot write our folder.
pub(super) fn nginx_user() -> &'static str {
    if nix::unistd::geteuid().is_root() { "user root;\n" } else { "" }
}

/// Where nginx may keep bodies. It makes these folders when it starts, used or not, and only root may
/// make the ones that it was built with.
pub(super) fn nginx_folders(folder: &Path) -> String {
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {}/{name};\n", folder.display()))
        .concat()
}

fn nginx(setup: &Setup<'_>) -> String {
    let servers: String = setup
        .backends
        .iter()
        .map(|backend| match backend {
            Backend::Tcp(port) => format!("        server 127.0.0.1:{port};\n"),
            Backend::Unix(path) => format!("        server unix:{};\n", path.display()),
        })
        .collect();
    let folder = setup.folder.display();
    let (log, metrics) = match setup.observed_at {
        // Buffered, as an operator who looks for speed has it.
        Some(port) => (
            format!("access_log {folder}/access.log combined buffer=64k flush=1s;"),
            format!("    server {{ listen 127.0.0.1:{port}; location / {{ stub_status; }} }}\n"),
        ),
        None => ("access_log off;".to_owned(), String::new()),
    };
    format!(
        r#"{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 8192; }}
http {{
{folders}    {log}
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    proxy_max_temp_file_size 0;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    upstream servers {{
{servers}        keepalive 2048;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
{metrics}    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"#,
        user = nginx_user(),
        folders = nginx_folders(setup.folder),
        port = setup.port,
    )
}

fn haproxy(setup: &Setup<'_>) -> String {
    let servers: String = setup
        .backends
        .iter()
        .enumerate()
        .map(|(index, backend)| match backend {
            Backend::Tcp(port) => format!("    server s{index} 127.0.0.1:{port}\n"),
            Backend::Unix(path) => format!("    server s{index} unix@{}\n", path.display()),
        })
        .collect();
    let (log, metrics) = match setup.observed_at {
        // Standard output is a file here.
        Some(port) => (
            "    log stdout format raw local0\n    option httplog\n",
            format!(
                "frontend metrics\n    bind 127.0.0.1:{port}\n    \
                 http-request use-service prometheus-exporter\n"
            ),
        ),
        None => ("", String::new()),
    };
    format!(
        r#"global
    nbthread 1
    maxconn 8000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
    timeout http-request 10s
    option forwardfor
    http-reuse always
frontend traffic
    bind 127.0.0.1:{port} backlog 4096
{log}    default_backend servers
backend servers
    balance roundrobin
{servers}{metrics}"#,
        port = setup.port,
    )
}

fn plimsoll(setup: &Setup<'_>) -> String {
    let servers: Vec<String> = setup
        .backends
        .iter()
        .map(|backend| match backend {
            Backend::Tcp(port) => format!("{{ at = \"127.0.0.1:{port}\" }}"),
            Backend::Unix(path) => format!("{{ at = \"unix:{}\" }}", path.display()),
        })
        .collect();
    let observed = match setup.observed_at {
        Some(port) => format!(
            "admin = \"127.0.0.1:{port}\"\n\
             access_log = {{ to = \"{}/access.log\", format = \"combined\" }}",
            setup.folder.display()
        ),
        None => "admin = false\naccess_log = false".to_owned(),
    };
    let figures = if setup.keeps_figures { "" } else { "observe = false\n" };
    format!(
        r#"listen = ["127.0.0.1:{port}"]
workers = 1
{observed}
{figures}
[timeouts]
idle = "1h"

[service.web]
servers = [{servers}]
balance = "round-robin"
health = false
keepalive = {{ connections = 2048 }}

[[route]]
path = "/"
service = "web"
"#,
        port = setup.port,
        servers = servers.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::{Backend, Peer, Setup};

    /// Ports that anybody may bind: `nginx -t` tries to, and takes it well if somebody was faster.
    const TRAFFIC: u16 = 8008;
    const OBSERVED: u16 = 8009;

    /// Lets each installed peer judge the configurations that are written for it.
    fn judge(peer: Peer, check: &[&str]) {
        for observed_at in [None, Some(OBSERVED)] {
            let folder = tempfile::tempdir().unwrap();
            let backends = [Backend::Tcp(7), Backend::Unix(PathBuf::from("/run/server.sock"))];
            let setup = Setup {
                folder: folder.path(),
                port: TRAFFIC,
                observed_at,
                keeps_figures: true,
                backends: &backends,
            };
            let file = folder.path().join("config");
            std::fs::write(&file, peer.config(&setup)).unwrap();
            let mut command = Command::new(peer.program().unwrap());
            let output =
                command.current_dir(folder.path()).args(check).arg(&file).output().unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{complaint}\n{}", peer.config(&setup));
            assert!(!complaint.contains("warn") && !complaint.contains("WARN"), "{complaint}");
        }
    }

    #[test]
    fn nginx_accepts_its_configuration() {
        judge(Peer::Nginx, &["-t", "-q", "-e", "stderr", "-c"]);
    }

    #[test]
    fn haproxy_accepts_its_configuration() {
        judge(Peer::Haproxy, &["-c", "-q", "-f"]);
    }
}
