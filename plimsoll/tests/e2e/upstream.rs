//! Servers for Plimsoll to forward to that do exactly what a test wants, also what no server
//! should: they get the raw connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A server on a port of its own; its threads end with the test process.
pub struct Upstream {
    pub address: SocketAddr,
    /// Connections accepted.
    pub connections: Arc<AtomicUsize>,
    /// Heads of requests read through [`Request::read`], by [`Upstream::answering`].
    pub requests: Arc<Mutex<Vec<Request>>>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Request line and header lines, without line ends.
    pub lines: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Reads one with a `Content-Length` or chunked body; `None` at the end of the connection.
    pub fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let line = read_line(reader)?;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut request = Self { lines, body: Vec::new() };
        if let Some(length) = request.header("content-length") {
            request.body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut request.body).ok()?;
        } else if request.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&read_line(reader)?, 16).ok()?;
                let start = request.body.len();
                request.body.resize(start + size, 0);
                reader.read_exact(&mut request.body[start..]).ok()?;
                if size == 0 {
                    while !read_line(reader)?.is_empty() {}
                    break;
                }
                read_line(reader)?;
            }
        }
        Some(request)
    }

    /// The first value of a header, by lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines[1..].iter().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn path(&self) -> &str {
        self.lines[0].split(' ').nth(1).unwrap_or_default()
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(1..) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

impl Upstream {
    /// Gives each connection to `serve`, on a thread of its own. Health checks are answered
    /// by `serve` as well, unless the config turns them off.
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { address, connections, requests: Arc::default() }
    }

    /// Answers each request with what `answer` returns (raw bytes), on kept-alive connections.
    pub fn answering(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let mut upstream = Self::start(move |stream| {
            let _ = stream.set_nodelay(true);
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            while let Some(request) = Request::read(&mut reader) {
                let reply = answer(&request);
                seen.lock().unwrap().push(request);
                if writer.write_all(&reply).is_err() {
                    break;
                }
            }
        });
        upstream.requests = requests;
        upstream
    }

    /// Answers 200 with this text.
    pub fn text(text: &'static str) -> Self {
        Self::answering(move |_| ok(text))
    }

    /// Requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A 200 with a text.
pub fn ok(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

/// A config with one service of these servers, without health checks.
pub fn service(servers: &[&Upstream], more: &str) -> String {
    let servers: Vec<_> =
        servers.iter().map(|server| format!("{{ at = \"{}\" }}", server.address)).collect();
    format!("[service.web]\nservers = [{}]\nhealth = false\n{more}\n", servers.join(", "))
}
