//! Browser sessions: who showed the token on the sign-in page.
//!
//! The cookie holds a random name, never the token. Cookies are not bound to a port, so a browser
//! also sends this one to the services that Plimsoll balances on the same host; that a session is
//! good only for the address it was opened from keeps it of no use to them.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

/// Open sessions; beyond it the oldest is closed.
const SESSIONS_MAX: usize = 64;
/// How long one lasts.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Name of the cookie.
pub(super) const COOKIE_NAME: &str = "plimsoll_session";
/// Random bytes in a session's name.
const NAME_BYTES: usize = 32;

#[derive(Debug)]
struct Session {
    name: String,
    peer: IpAddr,
    opened_at: Instant,
}

/// The open sessions, oldest first. Written by sign-in and sign-out, read by every request.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Vec<Session>>);

impl Sessions {
    /// Opens one for `peer` and returns its name. Fails if the system has no random bytes.
    pub(super) fn open(&self, peer: IpAddr, now: Instant) -> io::Result<String> {
        let mut bytes = [0_u8; NAME_BYTES];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut sessions = self.current(now);
        if sessions.len() >= SESSIONS_MAX {
            sessions.remove(0);
        }
        sessions.push(Session { name: name.clone(), peer, opened_at: now });
        Ok(name)
    }

    /// Whether the request's cookie names a session of `peer`.
    pub(super) fn holds(&self, headers: &HeaderMap, peer: IpAddr, now: Instant) -> bool {
        let Some(name) = cookie(headers) else { return false };
        // A name is 256 random bits: how long a comparison takes gives nothing away.
        self.current(now).iter().any(|session| session.name == name && session.peer == peer)
    }

    /// Closes the session that the request's cookie names.
    pub(super) fn close(&self, headers: &HeaderMap, now: Instant) {
        if let Some(name) = cookie(headers) {
            self.current(now).retain(|session| session.name != name);
        }
    }

    fn current(&self, now: Instant) -> MutexGuard<'_, Vec<Session>> {
        // Nothing under the lock can leave it half done, so a poisoned one is as good.
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| now.duration_since(session.opened_at) < SESSION_LIFETIME);
        sessions
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(value: &str) -> HeaderMap {
        let line = format!("theme=dark; {COOKIE_NAME}={value}; a=b");
        HeaderMap::from_iter([(COOKIE, line.parse().unwrap())])
    }

    #[test]
    fn a_session_is_good_for_its_address_and_time() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [peer, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        let name = sessions.open(peer, now).unwrap();
        let ours = with_cookie(&name);
        assert!(sessions.holds(&ours, peer, now));
        assert!(!sessions.holds(&ours, other, now));
        assert!(!sessions.holds(&with_cookie("0"), peer, now));
        assert!(!sessions.holds(&HeaderMap::new(), peer, now));
        assert!(!sessions.holds(&ours, peer, now + SESSION_LIFETIME));
    }

    #[test]
    fn sessions_are_closed_and_bounded() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let peer = "10.0.0.1".parse().unwrap();
        let names: Vec<String> =
            (0..=SESSIONS_MAX).map(|_| sessions.open(peer, now).unwrap()).collect();
        assert!(!sessions.holds(&with_cookie(&names[0]), peer, now), "the oldest is closed");
        assert!(sessions.holds(&with_cookie(&names[1]), peer, now));
        sessions.close(&with_cookie(&names[1]), now);
        assert!(!sessions.holds(&with_cookie(&names[1]), peer, now));
    }
}
