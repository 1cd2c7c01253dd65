//! The edge: accepts client connections and forwards their requests to healthy servers.

pub mod server;
