//! A request of HTTP/1.1 as the bytes that are sent.
//!
//! Framing is the client's: `Host`, `Content-Length` and `Connection` are written here, and what a
//! plan says of the length or of codings on the way gives way to the truth. A plan's own `Host` and
//! `Connection` stay.

use http1::{HeadWriter, Method, RequestContext, Unsafe, Version};

use super::Outgoing;

/// Fields that only the client can know.
const LEFT_OUT: [&str; 2] = ["Content-Length", "Transfer-Encoding"];

/// A request, ready to be sent any number of times.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Head and body.
    pub bytes: Vec<u8>,
    /// What of it decides how its answer is framed.
    pub context: RequestContext,
    /// Whether it says that it is the last on its connection.
    pub is_last: bool,
}

impl Message {
    /// The bytes of a request, asking for the connection to be kept or not.
    ///
    /// # Errors
    /// When a part of it would break the message.
    pub fn new(outgoing: &Outgoing, keep_alive: bool) -> Result<Self, Unsafe> {
        let mut message = Self::default();
        message.render(outgoing, keep_alive)?;
        Ok(message)
    }

    /// As [`Message::new`], in the place of what was there and in its memory.
    ///
    /// # Errors
    /// As [`Message::new`]; the message must not be sent then.
    pub fn render(&mut self, outgoing: &Outgoing, keep_alive: bool) -> Result<(), Unsafe> {
        self.bytes.clear();
        let method = outgoing.method.as_bytes();
        let target = outgoing.target.as_bytes();
        self.context =
            RequestContext { method: Method::from_bytes(method), ..RequestContext::default() };
        let mut head = HeadWriter::request(&mut self.bytes, method, target, Version::Http11)?;
        let has =
            |name: &str| outgoing.headers.iter().any(|header| header.0.eq_ignore_ascii_case(name));
        self.is_last = !keep_alive || outgoing.headers.iter().any(closes);
        if !has("Host") {
            head.header("Host", outgoing.origin.authority.as_bytes())?;
        }
        if !keep_alive && !has("Connection") {
            head.header("Connection", b"close")?;
        }
        for (name, value) in &outgoing.headers {
            if !LEFT_OUT.iter().any(|left_out| name.eq_ignore_ascii_case(left_out)) {
                head.header(name, value.as_bytes())?;
            }
        }
        // RFC 9110 §8.6: a method that gives a body a meaning says that there is none.
        let expects_body = matches!(outgoing.method.as_str(), "POST" | "PUT" | "PATCH");
        if !outgoing.body.is_empty() || expects_body {
            head.content_length(outgoing.body.len() as u64);
        }
        head.end();
        self.bytes.extend_from_slice(&outgoing.body);
        Ok(())
    }
}

/// Whether a header asks for the connection to be closed (RFC 9112 §9.6).
fn closes((name, value): &(String, String)) -> bool {
    name.eq_ignore_ascii_case("Connection")
        && value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::{Origin, Scheme};
    use super::*;

    fn outgoing(method: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Outgoing {
        Outgoing {
            origin: Rc::new(Origin {
                scheme: Scheme::Http,
                host: "a.example".into(),
                port: 81,
                authority: "a.example:81".into(),
            }),
            method: method.into(),
            target: "/b?c".into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: bytes::Bytes::from_static(body),
        }
    }

    #[test]
    fn the_client_frames_and_the_plan_says_the_rest() {
        for (request, keep_alive, text) in [
            (outgoing("GET", &[], b""), true, "GET /b?c HTTP/1.1\r\nHost: a.example:81\r\n\r\n"),
            (
                outgoing("GET", &[("host", "b"), ("A", "é")], b""),
                false,
                "GET /b?c HTTP/1.1\r\nConnection: close\r\nhost: b\r\nA: é\r\n\r\n",
            ),
            (
                outgoing(
                    "POST",
                    &[("content-length", "9"), ("Transfer-Encoding", "chunked")],
                    b"abc",
                ),
                true,
                "POST /b?c HTTP/1.1\r\nHost: a.example:81\r\nContent-Length: 3\r\n\r\nabc",
            ),
            (
                outgoing("PUT", &[], b""),
                true,
                "PUT /b?c HTTP/1.1\r\nHost: a.example:81\r\nContent-Length: 0\r\n\r\n",
            ),
        ] {
            let message = Message::new(&request, keep_alive).unwrap();
            assert_eq!(String::from_utf8(message.bytes).unwrap(), text);
        }
    }

    #[test]
    fn a_message_knows_whether_it_is_the_last() {
        for (value, keep_alive, is_last) in [
            ("keep-alive", true, false),
            ("upgrade, Close", true, true),
            ("closed", true, false),
            ("keep-alive", false, true),
        ] {
            let request = outgoing("GET", &[("connection", value)], b"");
            let message = Message::new(&request, keep_alive).unwrap();
            assert_eq!(message.is_last, is_last, "{value}");
        }
    }

    #[test]
    fn what_would_break_the_message_is_refused() {
        let broken = outgoing("GET", &[("A", "b\r\nC: d")], b"");
        assert_eq!(Message::new(&broken, true).unwrap_err(), Unsafe::HeaderValue);
    }
}
