//! Whether a failed attempt is repeated, where, and why not: a pure planner and the retry budget.
//!
//! The rule that comes first is RFC 9110 §9.2.2: what may have reached a server is repeated only if
//! the method is idempotent (or the service says that its others are, too). What certainly did not
//! reach one (no connection, or a connection that took no byte) may be repeated for any method.
//! A kept-alive connection that turns out closed (RFC 9112 §9.3.1) says nothing about the server: it
//! is repeated at once on a fresh connection to the same one, outside of tries and budget. That
//! happens once a request: later attempts use fresh connections only.

use std::time::Duration;

use crate::config::model::Retry;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The connection could not be made, by error or in time.
    Connect,
    /// The connection closed before any byte of a response.
    Closed,
    /// No response head in time.
    Timeout,
    /// The response head could not be framed.
    InvalidHeader,
    /// A complete head with this status.
    Status(u16),
}

/// How far a request has come when an attempt fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempted {
    /// Attempts on servers so far, this one included; stale connections do not count.
    pub(crate) attempts: u32,
    /// Since the request arrived.
    pub(crate) elapsed: Duration,
    /// RFC 9110 §9.2.2.
    pub(crate) idempotent: bool,
    /// Whether any byte of the request was taken by this connection.
    pub(crate) sent: bool,
    /// Whether the connection had served a request before.
    pub(crate) reused: bool,
    /// Whether all that was sent of the request can be sent again.
    pub(crate) replayable: bool,
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same server, over a new connection: the old one was stale.
    FreshConnection,
    /// Another server, if the budget allows.
    AnotherServer,
    /// The failure stands.
    GiveUp(Reason),
}

/// Why a failure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The service does not repeat this kind of failure.
    NotConfigured,
    /// The method is not idempotent, and the server may have seen the request.
    NotIdempotent,
    /// More of the body was sent than is kept.
    BodyNotKept,
    /// All tries are used.
    Tries,
    /// The time for new attempts is over.
    Within,
}

/// Decides about a failed attempt.
pub(crate) fn decide(policy: &Retry, failure: Failure, attempted: Attempted) -> Verdict {
    let may_repeat = !attempted.sent || attempted.idempotent || policy.non_idempotent;
    if failure == Failure::Closed && attempted.reused && may_repeat && attempted.replayable {
        return Verdict::FreshConnection;
    }
    let configured = match failure {
        Failure::Connect | Failure::Closed => policy.on_connect,
        Failure::Timeout => policy.on_timeout,
        Failure::InvalidHeader => policy.on_invalid_header,
        Failure::Status(status) => policy.on_statuses.contains(&status),
    };
    if !configured {
        Verdict::GiveUp(Reason::NotConfigured)
    } else if !may_repeat {
        Verdict::GiveUp(Reason::NotIdempotent)
    } else if !attempted.replayable {
        Verdict::GiveUp(Reason::BodyNotKept)
    } else if attempted.attempts >= policy.tries {
        Verdict::GiveUp(Reason::Tries)
    } else if attempted.elapsed >= policy.within {
        Verdict::GiveUp(Reason::Within)
    } else {
        Verdict::AnotherServer
    }
}

/// Retries that are always allowed, in a second.
const BASE_PER_SECOND: u64 = 10;
/// Seconds over which requests and retries are compared.
pub(crate) const BUDGET_SECONDS: usize = 10;

/// Keeps retries from multiplying the load of servers that are failing: at most a share of the
/// requests of the last ten seconds, plus ten a second.
#[derive(Debug, Default, Clone)]
pub(crate) struct Budget {
    /// Retries by second; slot `second % BUDGET_SECONDS`.
    retries: [u64; BUDGET_SECONDS],
    /// The latest second written to.
    latest: u64,
}

impl Budget {
    /// Counts one retry at `now` if it is within the budget; `requests` is the number of requests in
    /// the last [`BUDGET_SECONDS`].
    pub(crate) fn spend(&mut self, now: Duration, percent: u32, requests: u64) -> bool {
        let second = now.as_secs();
        // Seconds that were skipped hold counts of ten seconds ago and more.
        for passed in (self.latest + 1..=second).take(BUDGET_SECONDS) {
            self.retries[passed as usize % BUDGET_SECONDS] = 0;
        }
        if second > self.latest + BUDGET_SECONDS as u64 {
            self.retries = [0; BUDGET_SECONDS];
        }
        self.latest = self.latest.max(second);
        let allowed = requests.saturating_mul(u64::from(percent)) / 100
            + BASE_PER_SECOND * BUDGET_SECONDS as u64;
        let within = self.retries.iter().sum::<u64>() < allowed;
        if within {
            self.retries[second as usize % BUDGET_SECONDS] += 1;
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Retry = Retry {
        on_connect: true,
        on_timeout: false,
        on_invalid_header: true,
        on_statuses: Vec::new(),
        tries: 3,
        within: Duration::from_secs(10),
        non_idempotent: false,
        body_buffer_bytes: 0,
        budget_percent: 20,
    };

    /// The first attempt at a GET, over a new connection.
    const FIRST: Attempted = Attempted {
        attempts: 1,
        elapsed: Duration::ZERO,
        idempotent: true,
        sent: true,
        reused: false,
        replayable: true,
    };

    #[test]
    fn failures_are_repeated_as_configured() {
        let policy = Retry { on_statuses: vec![502, 503], ..POLICY };
        for (failure, wanted) in [
            (Failure::Connect, Verdict::AnotherServer),
            (Failure::Closed, Verdict::AnotherServer),
            (Failure::Timeout, Verdict::GiveUp(Reason::NotConfigured)),
            (Failure::InvalidHeader, Verdict::AnotherServer),
            (Failure::Status(503), Verdict::AnotherServer),
            (Failure::Status(500), Verdict::GiveUp(Reason::NotConfigured)),
        ] {
            assert_eq!(decide(&policy, failure, FIRST), wanted, "{failure:?}");
        }
    }

    #[test]
    fn a_stale_connection_is_replaced_at_once_even_without_tries() {
        let policy = Retry { tries: 1, on_connect: false, ..POLICY };
        let stale = Attempted { reused: true, ..FIRST };
        assert_eq!(decide(&policy, Failure::Closed, stale), Verdict::FreshConnection);
        assert_eq!(decide(&policy, Failure::Closed, FIRST), Verdict::GiveUp(Reason::NotConfigured));
        // A timeout is not staleness.
        let timeout = decide(&policy, Failure::Timeout, stale);
        assert_eq!(timeout, Verdict::GiveUp(Reason::NotConfigured));
    }

    #[test]
    fn what_may_have_been_done_is_not_done_twice() {
        let post = Attempted { idempotent: false, ..FIRST };
        let stands = Verdict::GiveUp(Reason::NotIdempotent);
        assert_eq!(decide(&POLICY, Failure::Closed, post), stands);
        assert_eq!(decide(&POLICY, Failure::Closed, Attempted { reused: true, ..post }), stands);
        let unsent = Attempted { sent: false, ..post };
        assert_eq!(decide(&POLICY, Failure::Connect, unsent), Verdict::AnotherServer);
        let stale = Attempted { reused: true, ..unsent };
        assert_eq!(decide(&POLICY, Failure::Closed, stale), Verdict::FreshConnection);
        let told = Retry { non_idempotent: true, ..POLICY };
        assert_eq!(decide(&told, Failure::Closed, post), Verdict::AnotherServer);
    }

    #[test]
    fn tries_time_and_kept_body_are_bounds() {
        let third = Attempted { attempts: 3, ..FIRST };
        assert_eq!(decide(&POLICY, Failure::Closed, third), Verdict::GiveUp(Reason::Tries));
        let late = Attempted { elapsed: Duration::from_secs(10), ..FIRST };
        assert_eq!(decide(&POLICY, Failure::Closed, late), Verdict::GiveUp(Reason::Within));
        let large = Attempted { replayable: false, reused: true, ..FIRST };
        assert_eq!(decide(&POLICY, Failure::Closed, large), Verdict::GiveUp(Reason::BodyNotKept));
    }

    #[test]
    fn the_budget_is_a_share_of_requests_plus_a_base() {
        let mut budget = Budget::default();
        let spent = (0..1_000).filter(|_| budget.spend(Duration::from_secs(5), 20, 500)).count();
        assert_eq!(spent, 200, "20 % of 500 and 10 a second for 10 s");
        assert!(!budget.spend(Duration::from_secs(14), 20, 500));
        assert!(budget.spend(Duration::from_secs(15), 20, 500), "ten seconds later it is renewed");
        assert!(budget.spend(Duration::from_secs(1_000), 0, 0));
    }
}
