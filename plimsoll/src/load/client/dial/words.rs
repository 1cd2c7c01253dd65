//! Why a connection could not be made, in words, with what to do about it.

use std::fmt::Display;
use std::io::{self, ErrorKind};

use crate::load::client::Trouble;
use crate::load::tally::Failure;

/// What an error of connecting to `place` is.
pub(super) fn trouble(error: &io::Error, place: &dyn Display) -> Trouble {
    let failure = match error.kind() {
        ErrorKind::TimedOut => Failure::ConnectTimeout,
        _ => Failure::Connect,
    };
    Trouble { failure, detail: detail(error, place), before_sending: true }
}

/// Whether the next address would fail alike: the fault is this machine's.
pub(super) fn is_local(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Whether this machine has no port or descriptor left.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EMFILE | libc::ENFILE))
}

/// The trouble with all addresses that were tried; its kind is that of the last.
pub(super) fn of_several(earlier: Option<Trouble>, last: Trouble) -> Trouble {
    match earlier {
        None => last,
        Some(earlier) => Trouble { detail: format!("{}; {}", earlier.detail, last.detail), ..last },
    }
}

fn detail(error: &io::Error, place: &dyn Display) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            return format!(
                "no connection to {place}: too many open files on this machine; raise the limit \
                 (ulimit -n) or use fewer connections"
            );
        }
        Some(libc::EADDRNOTAVAIL) => {
            return format!(
                "no connection to {place}: this machine has no free port left for it, too many \
                 are in use or were until lately (TIME_WAIT); keep connections alive, use fewer, or \
                 widen net.ipv4.ip_local_port_range"
            );
        }
        _ => {}
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!("connection refused by {place}: nothing is listening there")
        }
        ErrorKind::ConnectionReset => format!("connection reset by {place} while connecting"),
        ErrorKind::TimedOut => format!(
            "no answer from {place}: it may be down, or a firewall drops what is sent to it"
        ),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            format!("no way to {place}: {}", said(error))
        }
        ErrorKind::NotFound => format!("no socket at {place}: is the server running?"),
        ErrorKind::PermissionDenied => {
            format!("this machine does not allow connecting to {place}: {}", said(error))
        }
        ErrorKind::WouldBlock => {
            format!("the queue of {place} stayed full: the server accepts too slowly")
        }
        _ => format!("no connection to {place}: {}", said(error)),
    }
}

/// The system's words without its number: "no route to host".
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
