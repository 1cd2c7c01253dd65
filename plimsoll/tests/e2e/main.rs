//! End-to-end tests: the real binary against real peers.
// Clippy lets tests unwrap, but takes what they share for ordinary code.
#![allow(clippy::unwrap_used)]

mod bad_requests;
mod bench;
mod clinic;
mod faults;
mod forwarding;
mod harness;
mod http;
mod keeping;
mod lifecycle;
mod mistakes;
mod observe;
mod operations;
mod postgres;
mod real_servers;
mod seccomp;
mod upstream;
