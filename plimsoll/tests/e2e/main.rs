//! End-to-end tests: the real binary against real peers.

mod bad_requests;
mod clinic;
mod faults;
mod harness;
mod http;
mod postgres;
mod real_servers;
mod upstream;
