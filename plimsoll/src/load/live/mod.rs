//! How a run is doing, while it runs: a view that fills the terminal, or a line now and then where
//! there is none.
//!
//! Both go to the standard error, so that results on the standard output can be redirected. `screen`
//! keeps what is shown, `draw` lays it out (pure, both), `view` owns the terminal, `lines` writes
//! plain text.
//!
//! Left out: the summary at the end, which is made of results.

pub mod draw;
pub mod lines;
pub mod screen;
pub mod view;
