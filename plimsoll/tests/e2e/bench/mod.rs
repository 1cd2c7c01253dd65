//! `plimsoll bench` against real servers: what it asks of them, and what it says of them.

mod mistakes;
mod protocols;
mod results;
mod runs;
mod scenarios;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{binary, output};

/// What a run said: exit code, standard output and error, and the result if there is one.
struct Said {
    code: i32,
    out: String,
    err: String,
    result: Value,
}

impl Said {
    fn number(&self, pointer: &str) -> f64 {
        let value = self.result.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("no number at {pointer} in:\n{:#}", self.result))
    }

    /// Everything that was printed.
    fn text(&self) -> String {
        format!("exit code {}\n{}\n{}", self.code, self.out, self.err)
    }
}

/// `plimsoll bench` with these words and `--json`, in a directory that may hold its files.
fn bench_in(directory: &Path, words: &[&str]) -> Said {
    let mut command = Command::new(binary());
    command.arg("bench").args(words).args(["--json", "result.json"]).current_dir(directory);
    let (code, out, err) = output(command);
    let text = std::fs::read_to_string(directory.join("result.json")).unwrap_or_default();
    Said { code, out, err, result: serde_json::from_str(&text).unwrap_or_default() }
}

/// The same in a directory of its own.
fn bench(words: &[&str]) -> Said {
    bench_in(tempfile::tempdir().unwrap().path(), words)
}

/// Another form of `plimsoll bench`, which writes no result.
fn tool(directory: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(binary());
    command.arg("bench").args(words).current_dir(directory);
    output(command)
}
