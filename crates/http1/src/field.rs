//! One header or trailer line.
