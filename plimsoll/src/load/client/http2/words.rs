//! What went wrong with an exchange or its connection, in words.

use h2::{Error, Reason};

use super::State;
use crate::load::client::{Trouble, tls};
use crate::load::tally::Failure;

/// What an error is. `is_unsent` says that the request has not left yet.
pub(super) fn trouble(error: &Error, state: &State, is_unsent: bool) -> Trouble {
    let authority = &state.authority;
    if let Some(error) = error.get_io() {
        if let Some(trouble) = tls::trouble_of(error, authority) {
            return Trouble { before_sending: is_unsent, ..trouble };
        }
        // The crate tells streams no more than that: what ended the connection says why.
        let known = state.ended.borrow().clone().unwrap_or_else(|| ended(state));
        return Trouble { before_sending: is_unsent, ..known };
    }
    let Some(reason) = error.reason() else {
        return told(Failure::Protocol, format!("HTTP/2 with {authority}: {error}"), is_unsent);
    };
    if error.is_remote() && error.is_go_away() {
        // Streams are told of it only if the server will not look at them (RFC 9113 §6.8).
        return told(Failure::Closed, going_away(error, reason, authority), true);
    }
    if error.is_remote() && error.is_reset() {
        let is_unseen = is_unsent || reason == Reason::REFUSED_STREAM;
        return told(Failure::Closed, reset(reason, authority), is_unseen);
    }
    let detail = if state.has_answered.get() {
        format!("what {authority} sends is not proper HTTP/2 ({reason:?}: {reason})")
    } else {
        format!(
            "{authority} does not answer with HTTP/2 ({reason:?}): does it speak it on this port? \
             HTTP/1.1 may be what it speaks"
        )
    };
    told(Failure::Protocol, detail, is_unsent)
}

/// The end of a connection that nothing was said about.
pub(super) fn ended(state: &State) -> Trouble {
    let detail = if state.has_answered.get() {
        format!("{} closed the connection before the answer was complete", state.authority)
    } else {
        format!(
            "{} closed the connection without any answer: does it speak HTTP/2 on this port?",
            state.authority
        )
    };
    told(Failure::Closed, detail, false)
}

/// The end of a connection after the server had said why.
pub(super) fn gone(why: &Error, state: &State) -> Trouble {
    if why.reason() == Some(Reason::NO_ERROR) {
        return ended(state);
    }
    let detail = format!("{} closed the connection: {why}", state.authority);
    told(Failure::Closed, detail, false)
}

/// Why no exchange can begin on a connection any more.
pub(super) fn unusable(state: &State) -> Trouble {
    match &*state.ended.borrow() {
        // That it ended is no fault of a request that has not begun.
        Some(trouble) if trouble.failure != Failure::Closed => {
            Trouble { before_sending: true, ..trouble.clone() }
        }
        _ => told(
            Failure::Closed,
            format!("{} takes no more requests on this connection", state.authority),
            true,
        ),
    }
}

fn going_away(error: &Error, reason: Reason, authority: &str) -> String {
    if reason == Reason::NO_ERROR {
        return format!("{authority} is closing the connection and did not take the request");
    }
    // The text ends with what the server said itself, if it did.
    format!("{authority} is closing the connection: {error}")
}

fn reset(reason: Reason, authority: &str) -> String {
    match reason {
        Reason::REFUSED_STREAM => {
            format!("{authority} refused the request before looking at it (REFUSED_STREAM)")
        }
        Reason::ENHANCE_YOUR_CALM => {
            format!("{authority} wants fewer requests (reset with ENHANCE_YOUR_CALM)")
        }
        Reason::HTTP_1_1_REQUIRED => {
            format!("{authority} wants HTTP/1.1 for this request (reset with HTTP_1_1_REQUIRED)")
        }
        reason => format!("{authority} reset the stream ({reason:?}: {reason})"),
    }
}

fn told(failure: Failure, detail: String, before_sending: bool) -> Trouble {
    Trouble { failure, detail, before_sending }
}
