//! Live figures for Prometheus, once a second: to a Pushgateway, or to whatever receives remote
//! writes (Prometheus itself, Mimir, VictoriaMetrics).
//!
//! Figures are sent on a thread of their own. A receiver that is slow or away never disturbs the
//! run: what it does not take in time waits in a bounded queue, the oldest is given up first, and
//! the run is told of the first failure at once and of all at the end.
//!
//! Left out: client certificates, redirects.

pub mod delivery;
pub mod figures;
pub mod pusher;
pub mod receiver;
pub mod remote_write;

#[cfg(test)]
mod tests;
