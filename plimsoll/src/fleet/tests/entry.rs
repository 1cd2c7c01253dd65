//! Lets the test binary stand in for Plimsoll's own. This file holds the entry and nothing else.
//!
//! Guards are started by running the own binary again. In unit tests that is the test harness,
//! whose `main` cannot be changed, so the words are looked at before `main` is reached.
#![allow(unsafe_code)]

use std::process::ExitCode;

// SAFETY: the C library calls each pointer of `.init_array` once before `main`, with arguments
// that a function without parameters may ignore. The standard library has read the command line
// by then: its own entry (`.init_array.00099`) is ordered before those without a number.
#[used]
#[unsafe(link_section = ".init_array")]
static ENTRY: extern "C" fn() = enter;

extern "C" fn enter() {
    let mut words = std::env::args_os().skip(1);
    let word = words.next().unwrap_or_default();
    if word == "guard" {
        let failed = crate::fleet::guard::main(words) != ExitCode::SUCCESS;
        std::process::exit(i32::from(failed));
    }
    if word == super::orphans::HOST {
        super::orphans::host(words);
    }
}
