//! What went wrong with a WebSocket, in words.

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::Refusal;
use crate::load::client::{Trouble, tls};
use crate::load::tally::Failure;

/// Why a WebSocket was not opened.
pub(super) fn refusal(error: &Error, authority: &str, target: &str) -> Refusal {
    if let Error::Http(response) = error {
        let status = response.status();
        let detail = format!(
            "{authority} answered {status} to the request for a WebSocket at {target}: is that \
             where it takes them?"
        );
        let trouble = told(Failure::Status, detail);
        return Refusal { trouble, status: Some(status.as_u16()) };
    }
    let trouble = match error {
        Error::Protocol(ProtocolError::HandshakeIncomplete) => told(
            Failure::Closed,
            format!("{authority} ended the connection instead of opening a WebSocket at {target}"),
        ),
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(why)) => told(
            Failure::Protocol,
            format!("no agreement with {authority} on a WebSocket subprotocol: {why}"),
        ),
        Error::Protocol(ProtocolError::HttparseError(why)) => {
            told(Failure::Protocol, format!("{authority} does not answer with HTTP: {why}"))
        }
        Error::Protocol(why) => {
            told(Failure::Protocol, format!("{authority} did not open a WebSocket properly: {why}"))
        }
        error => trouble(error, authority),
    };
    Refusal { trouble, status: None }
}

/// What an error on an open WebSocket is.
pub(super) fn trouble(error: &Error, authority: &str) -> Trouble {
    match error {
        Error::Io(error) => tls::trouble_of(error, authority).unwrap_or_else(|| {
            told(Failure::Closed, format!("the connection to {authority} broke: {error}"))
        }),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::SendAfterClosing) => {
            told(Failure::Closed, format!("{authority} has closed the WebSocket"))
        }
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => told(
            Failure::Closed,
            format!("{authority} ended the connection without closing the WebSocket"),
        ),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => told(
            Failure::Protocol,
            format!("{authority} sent a message of {size} bytes; {max_size} are the most"),
        ),
        error => told(Failure::Protocol, format!("WebSocket with {authority}: {error}")),
    }
}

/// That the server closed a WebSocket, and what it said.
pub(super) fn closed(frame: Option<&CloseFrame>, authority: &str) -> Trouble {
    let said = match frame {
        None => String::new(),
        Some(frame) if frame.reason.is_empty() => format!(" with code {}", u16::from(frame.code)),
        Some(frame) => format!(" with code {}: {}", u16::from(frame.code), frame.reason),
    };
    told(Failure::Closed, format!("{authority} closed the WebSocket{said}"))
}

fn told(failure: Failure, detail: String) -> Trouble {
    Trouble { failure, detail, before_sending: false }
}
