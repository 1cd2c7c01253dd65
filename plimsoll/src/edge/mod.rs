//! The edge: accepts client connections and forwards their requests to healthy servers.

pub(crate) mod balance;
pub(crate) mod hash;
pub(crate) mod roster;
pub(crate) mod server;
