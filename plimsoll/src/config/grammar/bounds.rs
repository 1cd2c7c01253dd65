//! Units for bounds, and bounds that several keys share.

/// In milliseconds.
pub(super) const SECOND: u64 = 1000;
/// In milliseconds.
pub(super) const HOUR: u64 = 3600 * SECOND;
/// In milliseconds.
pub(super) const DAY: u64 = 24 * HOUR;
/// In bytes.
pub(super) const KIB: u64 = 1 << 10;
/// In bytes.
pub(super) const MIB: u64 = 1 << 20;
/// In bytes.
pub(super) const TIB: u64 = 1 << 40;
/// Bounds of every timeout, in milliseconds.
pub(super) const TIMEOUT: (u64, u64) = (1, 24 * HOUR);
