//! Time series: labels and samples, and the Prometheus text exposition format.
//!
//! Time is always an argument and there are no sockets here: who serves, scrapes or asks is
//! another's business.
//!
//! ```
//! use tsdb::exposition::{Exposition, Kind};
//!
//! let mut exposition = Exposition::new();
//! exposition
//!     .family("plimsoll_server_up", Kind::Gauge, "Whether a server gets traffic.")
//!     .sample(&[("service", "web"), ("server", "web-1")], 1.0);
//! let text = exposition.finish();
//! assert!(text.ends_with("plimsoll_server_up{service=\"web\",server=\"web-1\"} 1\n"));
//! ```

pub mod exposition;
pub mod labels;
pub mod pattern;
pub mod promql;
pub mod relabel;
pub mod remote_write;
pub mod sample;
pub mod source;
pub mod store;
