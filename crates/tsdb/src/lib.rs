//! Time series: the Prometheus text exposition format.
