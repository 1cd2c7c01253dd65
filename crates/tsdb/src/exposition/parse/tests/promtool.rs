//! The verdicts of `promtool check metrics` (Debian's package `prometheus`) on the same bodies.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

/// What promtool refuses although the format's document allows it, by a piece of the body.
const ALLOWED: &[(&str, &str)] = &[
    ("{\"my.metric\"", "names in quotes came with Prometheus 3"),
    ("\"my.metric\" counter", "names in quotes came with Prometheus 3"),
    ("{\"my.label\"=", "names in quotes came with Prometheus 3"),
    ("1520879607789 \n", "blanks at the end of a line are ignored"),
];

/// Whether promtool reads a body. It leaves with 1 if not, and with 3 if it reads it and would have
/// names be better.
fn is_read(body: &[u8]) -> bool {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("promtool is not there; install Prometheus (Debian: `apt install prometheus`)");
    child.stdin.take().unwrap().write_all(body).unwrap();
    child.wait().unwrap().code() != Some(1)
}

#[test]
fn what_promtool_refuses_is_refused() {
    let files = [include_str!("accepted.txt"), include_str!("refused.txt")];
    let cases: Vec<_> = files.into_iter().flat_map(cases).collect();
    let cases: Vec<_> = cases.iter().filter(|case| case.format == Format::Text).collect();
    let verdicts: Vec<bool> = std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(4));
        let threads: Vec<_> = parts
            .map(|part| {
                scope.spawn(move || part.iter().map(|case| is_read(&case.body)).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut refused = 0;
    for (case, is_read) in cases.iter().zip(verdicts) {
        refused += usize::from(!is_read);
        let text = String::from_utf8_lossy(&case.body);
        let is_allowed = ALLOWED.iter().any(|(piece, _)| text.contains(piece));
        let ours = read(&case.body, case.format, Limits::default());
        assert!(is_read || is_allowed || ours.is_err(), "promtool refuses {text:?}");
    }
    assert!(refused > 40, "promtool refuses {refused} of {}", cases.len());
}
