//! Replies of the measured servers, read far enough to know where they end.
//!
//! Both the load and the servers are ours, so this is no HTTP client: it knows
//! `Content-Length`, and everything else is an error that ends the measurement.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

/// Bytes of a head that are read at most.
const HEAD_MAX: usize = 16 * 1024;

/// How long a single request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state of reading one reply.
#[derive(Default)]
pub(super) struct Response {
    head: Vec<u8>,
    /// Known once the head is complete.
    body_bytes_left: Option<usize>,
    /// Status code, once known.
    pub(super) status: u16,
    /// The body's length, once known.
    pub(super) body_bytes: usize,
}

impl Response {
    /// Takes bytes of this reply; true if it is complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> anyhow::Result<bool> {
        let left = match self.body_bytes_left {
            Some(left) => left.checked_sub(bytes.len()),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n")
                else {
                    if self.head.len() > HEAD_MAX {
                        bail!("a reply's head does not end");
                    }
                    return Ok(false);
                };
                (self.status, self.body_bytes) = understand(&self.head[..end])?;
                let after = self.head.len() - end - 4;
                self.head.clear();
                self.body_bytes.checked_sub(after)
            }
        };
        self.body_bytes_left = left;
        match left {
            Some(left) => Ok(left == 0),
            None => bail!("more bytes came than the reply has"),
        }
    }

    /// Ready for the next reply on the same connection.
    pub(super) fn reset(&mut self) {
        self.head.clear();
        self.body_bytes_left = None;
    }
}

/// Status and length of the body.
fn understand(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("this is no status line: {first:?}"))?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    Ok((status, length.context("a reply has no Content-Length")?))
}

/// A request's bytes.
pub(super) fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\n\r\n").into_bytes()
}

/// Sends one request over an open connection and reads the reply; its status and body length.
pub(super) fn exchange(stream: &mut TcpStream, path: &str) -> anyhow::Result<(u16, usize)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request(path)).context("cannot send a request")?;
    let mut response = Response::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).context("no reply")?;
        if count == 0 {
            bail!("the connection was closed before the reply was complete");
        }
        if response.feed(&buffer[..count])? {
            return Ok((response.status, response.body_bytes));
        }
    }
}

/// Makes sure that the server at this port answers with 200 and a body of this length.
pub(super) fn expect(port: u16, path: &str, body_bytes: usize) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    match exchange(&mut stream, path)? {
        (200, length) if length == body_bytes => Ok(()),
        (status, length) => bail!(
            "GET {path} gave {status} and {length} bytes instead of 200 and {body_bytes} bytes"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::Response;

    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX: y\r\n\r\nhello";

    #[test]
    fn a_reply_ends_where_it_says_however_it_is_cut() {
        for cut in 0..REPLY.len() {
            let mut response = Response::default();
            assert!(!response.feed(&REPLY[..cut]).unwrap(), "{cut}");
            assert!(response.feed(&REPLY[cut..]).unwrap(), "{cut}");
            assert_eq!((response.status, response.body_bytes), (200, 5));
            response.reset();
            assert!(response.feed(REPLY).unwrap());
        }
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        for reply in [
            &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
            b"nonsense\r\n\r\n",
        ] {
            assert!(Response::default().feed(reply).is_err());
        }
    }
}
