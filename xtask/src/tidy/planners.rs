//! Planners are pure: what decides reads no clock, draws no random number and starts nothing.
//!
//! Time and randomness come in as arguments, so that a decision can be tested by a script and
//! repeated from a log. The crates that speak a protocol or keep series are held to the same.

use super::Finding;
use super::source::{Source, UsedPath};

/// Files, and folders of files, that only decide.
const PLANNERS: &[&str] = &["balance", "classify", "health", "plan", "retry", "route"];

/// Crates without input, output and clock.
const PURE_CRATES: &[&str] = &["crates/http1/src/", "crates/pgwire/src/", "crates/tsdb/src/"];

/// Types whose `now` reads a clock.
const CLOCKS: &[&str] = &["Instant", "SystemTime", "Timestamp", "Zoned"];

/// Types that open a socket.
const SOCKETS: &[&str] =
    &["TcpListener", "TcpStream", "UdpSocket", "UnixDatagram", "UnixListener", "UnixStream"];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else { return Vec::new() };
    if source.is_test_file() || !is_pure(source) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for path in &rust.paths {
        if rust.is_test(path.line) {
            continue;
        }
        if let Some(what) = impurity(path) {
            let message = format!("a planner {what}");
            findings.push(Finding::new(source, path.line, message));
        }
    }
    for (index, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        if code.contains(".elapsed()") && !rust.is_test(index + 1) {
            let message = "a planner reads a clock by `elapsed`: take the time as an argument";
            findings.push(Finding::new(source, index + 1, message));
        }
    }
    findings
}

fn is_pure(source: &Source) -> bool {
    let is_planner = source.path.starts_with("plimsoll/src/")
        && source.parts().iter().any(|part| PLANNERS.contains(part));
    is_planner || PURE_CRATES.iter().any(|folder| source.path.starts_with(folder))
}

fn impurity(path: &UsedPath) -> Option<String> {
    let names: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let shown = names.join("::");
    match names.as_slice() {
        ["tokio", ..] => Some(format!("uses `{shown}`: it decides, others wait and act")),
        [.., clock, "now"] if CLOCKS.contains(clock) => {
            Some(format!("reads a clock by `{shown}`: take the time as an argument"))
        }
        ["std", "thread", ..] | ["thread", "sleep" | "spawn", ..] => {
            Some(format!("uses `{shown}`: it decides, others wait and act"))
        }
        ["fastrand", name, ..] if name.starts_with(char::is_lowercase) => {
            Some(format!("draws a random number by `{shown}`: take it as an argument"))
        }
        ["rand" | "getrandom", ..] => {
            Some(format!("draws a random number by `{shown}`: take it as an argument"))
        }
        [.., socket] if SOCKETS.contains(socket) => {
            Some(format!("names the socket `{shown}`: bytes come in as an argument"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::tidy::messages;

    const PLANNER: &str = "plimsoll/src/edge/balance.rs";

    fn of(path: &str, code: &str) -> Vec<String> {
        messages(path, &format!("//! A planner.\n\n{code}\n"))
    }

    #[test]
    fn planners_have_neither_clock_nor_chance_nor_runtime() {
        for (code, word) in [
            ("use tokio::sync::Mutex;", "tokio::sync::Mutex"),
            ("fn f() { let _ = std::time::Instant::now(); }", "Instant::now"),
            ("fn f() { let _ = Instant::now(); }", "Instant::now"),
            ("fn f() { let _ = SystemTime::now(); }", "SystemTime::now"),
            ("fn f() { let _ = jiff::Timestamp::now(); }", "jiff::Timestamp::now"),
            ("fn f() { std::thread::sleep(d()); }", "std::thread::sleep"),
            ("fn f() { let _ = fastrand::u64(..); }", "fastrand::u64"),
            ("fn f(s: Instant) { let _ = s.elapsed(); }", "elapsed"),
            ("use std::net::TcpStream;", "std::net::TcpStream"),
        ] {
            let found = of(PLANNER, code);
            assert_eq!(found.len(), 1, "{code}: {found:?}");
            assert!(
                found[0].starts_with("plimsoll/src/edge/balance.rs:3: a planner "),
                "{found:?}"
            );
            assert!(found[0].contains(word), "{found:?}");
        }
    }

    #[test]
    fn folders_of_planners_and_pure_crates_are_held_to_it_too() {
        let code = "fn f() { let _ = Instant::now(); }";
        for path in ["plimsoll/src/edge/health/state.rs", "crates/http1/src/head.rs"] {
            assert_eq!(of(path, code).len(), 1, "{path}");
        }
    }

    #[test]
    fn others_and_tests_may() {
        let code = "fn f() { let _ = Instant::now(); }";
        for path in [
            "plimsoll/src/edge/serve.rs",
            "plimsoll/src/edge/health/tests.rs",
            "crates/http1/tests/balance.rs",
        ] {
            assert!(of(path, code).is_empty(), "{path}");
        }
        let test = "#[cfg(test)]\nmod tests {\n    fn f() { let _ = Instant::now(); }\n}";
        assert!(of(PLANNER, test).is_empty());
        let passed_in = "use std::net::SocketAddr;\nfn f(now: Instant, r: fastrand::Rng) {}";
        assert!(of(PLANNER, passed_in).is_empty());
    }
}
