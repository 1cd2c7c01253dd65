//! The running edge against servers made by hand: real sockets, one script a server.

mod balancing;
mod failing;
mod harness;
mod large_bodies;
mod operating;
mod passing;
mod pooling;
mod refusing;
mod retrying;

use std::sync::Arc;
use std::time::Duration;

use harness::Script;

/// Nothing in these tests takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server that answers each request on a connection with the next of these texts.
fn answers(texts: &'static [&'static str]) -> Script {
    Arc::new(move |connection, _| {
        for text in texts {
            if connection.read_request().is_none() {
                return;
            }
            connection.send(text);
        }
    })
}
