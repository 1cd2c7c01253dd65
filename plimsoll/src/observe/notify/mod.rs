//! stub

mod message;
mod plan;
mod receiver;
mod retry;
