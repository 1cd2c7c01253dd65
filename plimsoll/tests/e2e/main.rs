//! End-to-end tests: the real binary against real peers.

mod bad_requests;
mod clinic;
mod faults;
mod forwarding;
mod harness;
mod http;
mod lifecycle;
mod operations;
mod postgres;
mod real_servers;
mod upstream;
