//! Time series: the Prometheus text exposition format.
//!
//! Time is always an argument and there are no sockets here: who serves or stores the text is
//! another's business.

pub mod exposition;
