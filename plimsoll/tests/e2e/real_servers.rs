//! `plimsoll run` with servers that nobody here wrote.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{self, Plimsoll};
use crate::http;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}

fn python(program: &str) -> String {
    harness::peers().join("python/bin").join(program).to_str().unwrap().to_owned()
}

fn gunicorn(application: &str) -> Plimsoll {
    let chdir = sources().join("python");
    Plimsoll::run(
        tempfile::tempdir().unwrap(),
        &[
            "-n",
            "3",
            "--health",
            "/health/",
            "--",
            &python("gunicorn"),
            application,
            "--bind",
            "127.0.0.1:$PORT",
            "--chdir",
            chdir.to_str().unwrap(),
            "--workers",
            "2",
        ],
    )
}

/// Names of the instances that answer 12 requests.
fn instances(plimsoll: &Plimsoll) -> BTreeSet<String> {
    (0..12).map(|_| plimsoll.get("/").json()["instance"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn flask_under_gunicorn() {
    let plimsoll = gunicorn("flask_app:app");
    plimsoll.wait_healthy("web", 3);
    assert_eq!(instances(&plimsoll).len(), 3);
    let body: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let headers = [("Content-Type", "application/octet-stream")];
    let echo = http::request(plimsoll.traffic, "POST", "/echo", &headers, &body);
    assert_eq!((echo.status, echo.body == body), (200, true));
    let stream = plimsoll.get("/stream");
    assert!(stream.complete && stream.text().ends_with("part 999\n"));
    assert_eq!(plimsoll.get("/nothing").status, 404);
}

#[test]
fn django_under_gunicorn_knows_the_address_that_the_client_used() {
    let plimsoll = gunicorn("django_app:application");
    plimsoll.wait_healthy("web", 3);
    assert_eq!(instances(&plimsoll).len(), 3);
    let reply = http::request(plimsoll.traffic, "GET", "/", &[("Host", "shop.example")], b"");
    assert_eq!(reply.json()["url"], "http://shop.example/");
}

#[test]
fn pythons_own_file_server() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("hello.txt"), "hello").unwrap();
    let words = ["-n", "3", "--", "python3", "-m", "http.server", "--bind", "127.0.0.1", "$PORT"];
    let plimsoll = Plimsoll::run(directory, &words);
    plimsoll.wait_healthy("web", 3);
    let served: BTreeSet<_> = (0..9)
        .map(|_| {
            let response = plimsoll.get("/hello.txt");
            assert_eq!((response.status, response.text().as_str()), (200, "hello"));
            response.header("x-served-by").unwrap().to_owned()
        })
        .collect();
    assert_eq!(served.len(), 3, "{served:?}");
}

/// A folder with the Express application in it.
pub fn express() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let modules = harness::peers().join("node/node_modules");
    std::os::unix::fs::symlink(modules, directory.path().join("node_modules")).unwrap();
    let source = sources().join("node/express_app.js");
    std::fs::copy(source, directory.path().join("express_app.js")).unwrap();
    directory
}

#[test]
fn express_on_node() {
    let words = ["-n", "3", "--health", "/health/", "--", "node", "express_app.js"];
    let plimsoll = Plimsoll::run(express(), &words);
    plimsoll.wait_healthy("web", 3);
    assert_eq!(instances(&plimsoll).len(), 3);
}

/// A client that keeps one WebSocket open.
struct WebSocket {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl WebSocket {
    fn open(plimsoll: &Plimsoll) -> Self {
        let mut child = Command::new(python("python"))
            .arg(sources().join("python/websocket_client.py"))
            .arg(format!("ws://{}/socket", plimsoll.traffic))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut socket = Self { child, lines };
        assert_eq!(socket.line(), "open");
        socket
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line from the WebSocket client").unwrap()
    }

    fn say(&mut self, text: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
        self.line()
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn websockets_pass_and_outlive_a_reload() {
    let config = "[service.web]\nrun = \"node express_app.js\"\ninstances = 3\n\
                  health = { path = \"/health/\" }\n";
    let plimsoll = Plimsoll::up_in(express(), config, &[]);
    plimsoll.wait_healthy("web", 3);
    let mut socket = WebSocket::open(&plimsoll);
    let first = socket.say("one");
    assert!(first.starts_with("web-") && first.ends_with("heard one"), "{first}");
    plimsoll.write_config(&config.replace("/health/", "/health/?again"));
    plimsoll.signal(nix::sys::signal::Signal::SIGHUP);
    plimsoll.wait_log("reload: service web: health.path");
    assert_eq!(socket.say("two"), first.replace("one", "two"));
}
