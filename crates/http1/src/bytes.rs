//! Classes of bytes, as tables.
