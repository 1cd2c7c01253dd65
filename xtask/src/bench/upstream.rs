//! The server behind the measured proxies: nginx with fixed replies, on cores of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::Guarded;
use super::proxy::{Backend, Peer, nginx_folders, nginx_user};

/// Bytes of the replies, by path.
pub(super) const SMALL: Reply = Reply { path: "/small", bytes: 100 };
pub(super) const MEDIUM: Reply = Reply { path: "/medium", bytes: 16 * 1024 };
pub(super) const LARGE: Reply = Reply { path: "/large", bytes: 1024 * 1024 };

/// A fixed reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) path: &'static str,
    pub(super) bytes: usize,
}

/// The running upstream; it answers at a port and at a Unix socket.
pub(super) struct Upstream {
    _server: Guarded,
    pub(super) port: u16,
    pub(super) tcp: Backend,
    pub(super) unix: Backend,
}

impl Upstream {
    /// Starts it with a worker for each of the cores.
    pub(super) fn start(folder: &Path, cores: &[usize]) -> anyhow::Result<Self> {
        let port = super::lab::free_port()?;
        let socket = folder.join("upstream.sock");
        let files = folder.join("files");
        fs::create_dir_all(&files)?;
        for reply in [MEDIUM, LARGE] {
            fs::write(files.join(reply.path.trim_start_matches('/')), "x".repeat(reply.bytes))?;
        }
        let file = folder.join("upstream.conf");
        fs::write(&file, config(port, cores.len(), &socket, folder, &files))?;
        let mut command = Command::new(Peer::Nginx.program()?);
        command.arg("-p").arg(folder).arg("-c").arg(&file);
        let mut server = Guarded::start("upstream", &command, cores, folder)?;
        server.wait_listening(port)?;
        Ok(Self { _server: server, port, tcp: Backend::Tcp(port), unix: Backend::Unix(socket) })
    }
}

fn config(port: u16, workers: usize, socket: &Path, folder: &Path, files: &Path) -> String {
    format!(
        r#"{user}daemon off;
worker_processes {workers};
pid {folder}/upstream.pid;
error_log {folder}/upstream.log error;
events {{ worker_connections 8192; }}
http {{
{folders}    access_log off;
    default_type text/plain;
    sendfile on;
    tcp_nodelay on;
    open_file_cache max=16 inactive=1h;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen unix:{socket} backlog=4096;
        location = {small} {{ return 200 "{body}"; }}
        location / {{ root {files}; }}
    }}
}}
"#,
        user = nginx_user(),
        folders = nginx_folders(folder),
        folder = folder.display(),
        socket = socket.display(),
        files = files.display(),
        small = SMALL.path,
        body = "x".repeat(SMALL.bytes),
    )
}
