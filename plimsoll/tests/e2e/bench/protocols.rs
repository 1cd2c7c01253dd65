//! TLS, HTTP/2, Unix sockets and WebSockets, against nginx, the clinic and Node.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::bench_in;
use crate::harness::{Plimsoll, binary, output};
use crate::real_servers::express;

/// nginx with a certificate for `localhost`, on free ports: TLS with HTTP/2, and a Unix socket.
struct Nginx {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Nginx {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        certificate(root);
        // Another process may take the port before the server does: then it is tried again.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            std::fs::write(root.join("nginx.conf"), configuration(root, port)).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(root).arg("-c").arg(root.join("nginx.conf"));
            command.args(["-e", "stderr"]).stdin(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("nginx, which `cargo xtask test` installs");
            loop {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { child, directory, port };
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::yield_now();
            }
        }
        panic!("nginx does not start");
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority and a certificate for `localhost` that it signed: `ca.pem`, `cert.pem`, `key.pem`.
fn certificate(root: &Path) {
    let run = |words: &str| {
        let mut command = Command::new("openssl");
        command.args(words.split(' ')).current_dir(root);
        let (code, out, err) = output(command);
        assert_eq!(code, 0, "openssl {words}: {out}{err}");
    };
    let mut names = String::new();
    writeln!(names, "subjectAltName=DNS:localhost,IP:127.0.0.1").unwrap();
    std::fs::write(root.join("names"), names).unwrap();
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
         -days 2 -subj /CN=Test");
    run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem \
         -subj /CN=localhost");
    run("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem \
         -days 2 -extfile names");
}

fn configuration(root: &Path, port: u16) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n\
           access_log off;\n\
           client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
           uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
           server {{\n\
             listen 127.0.0.1:{port} ssl http2;\n\
             listen unix:{socket};\n\
             ssl_certificate {root}/cert.pem;\n\
             ssl_certificate_key {root}/key.pem;\n\
             location / {{ add_header X-Served-By $server_protocol; return 200 hello; }}\n\
           }}\n\
         }}\n",
        socket = root.join("socket").display(),
        root = root.display(),
    )
}

#[test]
fn a_request_without_tls_to_a_server_of_tls_is_told() {
    let nginx = Nginx::start();
    let directory = tempfile::tempdir().unwrap();
    let url = nginx.url().replace("https://", "http://");
    let run = bench_in(directory.path(), &[&url, "-n", "4", "--connections", "2"]);
    let hint = format!("localhost:{} answered 400 to every request, and it speaks TLS", nginx.port);
    assert!(run.err.contains(&hint), "{}", run.text());
}

#[test]
fn https_with_the_http_that_the_server_prefers_or_the_one_that_is_asked_for() {
    let nginx = Nginx::start();
    let spoken = |words: &[&str]| {
        let url = nginx.url();
        let all =
            [&[&*url, "--ca", "ca.pem", "--requests", "40", "--connections", "4"], words].concat();
        let said = bench_in(nginx.path(), &all);
        assert_eq!(said.code, 0, "{}", said.text());
        assert_eq!(said.number("/errors"), 0.0, "{}", said.text());
        assert_eq!(said.number("/requests"), 40.0);
        let instances = said.result["instances"].as_object().unwrap().clone();
        instances.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(spoken(&[]), ["HTTP/2.0"]);
    assert_eq!(spoken(&["--http", "1"]), ["HTTP/1.1"]);
    assert_eq!(spoken(&["--http", "2", "--streams", "4"]), ["HTTP/2.0"]);
    assert_eq!(spoken(&["--http", "1", "--no-keepalive"]), ["HTTP/1.1"]);
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_before_the_run() {
    let nginx = Nginx::start();
    let url = nginx.url();
    let said = bench_in(nginx.path(), &[&url, "--requests", "4"]);
    assert_eq!(said.code, 2, "{}", said.text());
    for part in ["certificate", "--insecure", "--ca"] {
        assert!(said.err.contains(part), "no {part:?} in\n{}", said.text());
    }
    let said = bench_in(nginx.path(), &[&url, "--requests", "4", "--insecure"]);
    assert_eq!(said.code, 0, "{}", said.text());
    let other = url.replace("localhost", "127.0.0.2");
    let said = bench_in(nginx.path(), &[&other, "--requests", "4", "--ca", "ca.pem"]);
    assert_eq!(said.code, 2, "{}", said.text());
}

#[test]
fn a_unix_socket() {
    let nginx = Nginx::start();
    let words =
        ["http://any.example/", "--unix", "socket", "--requests", "20", "--connections", "2"];
    let said = bench_in(nginx.path(), &words);
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.result["statuses"], json!({"200": 20}));
}

#[test]
fn http2_without_tls() {
    let directory = tempfile::tempdir().unwrap();
    let command = format!("{} clinic", binary().display());
    let plimsoll = Plimsoll::run(directory, &["--health", "/health/", "--", &command]);
    plimsoll.wait_healthy("web", 1);
    // Plimsoll's own port speaks HTTP/1.1 only, and that is what must be said.
    let url = format!("http://{}/", plimsoll.traffic);
    let directory = tempfile::tempdir().unwrap();
    let said = bench_in(directory.path(), &[&url, "--http", "2", "--requests", "4"]);
    assert_eq!(said.code, 2, "{}", said.text());
    assert!(said.err.contains("HTTP/2"), "{}", said.text());
}

#[test]
fn websocket_messages() {
    let config = "[service.web]\nrun = \"node express_app.js\"\ninstances = 1\n\
                  health = { path = \"/health/\" }\n";
    let plimsoll = Plimsoll::up_in(express(), config, &[]);
    plimsoll.wait_healthy("web", 1);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("ws://{}/socket", plimsoll.traffic);
    let words = [&*url, "--message", "hello", "--requests", "60", "--connections", "3"];
    let said = bench_in(directory.path(), &words);
    assert_eq!(said.code, 0, "{}", said.text());
    assert_eq!(said.number("/errors"), 0.0, "{}", said.text());
    assert_eq!(said.number("/requests"), 60.0, "{}", said.text());
    assert_eq!(said.number("/connections/opened"), 3.0, "{}", said.text());
}
