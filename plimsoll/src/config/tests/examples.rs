//! The runnable examples of the repository load without a warning.
