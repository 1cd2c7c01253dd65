//! What became of the samples of a request, in words and as an answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{later, told};
use crate::observe::storage::Appended;

/// What became of a request.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) samples: usize,
    pub(super) appended: Appended,
    /// Samples of series that were not let in, and why the first was not.
    pub(super) without_series: usize,
    pub(super) refusal: Option<String>,
    /// Why the memory took no more.
    pub(super) memory_full: Option<String>,
    pub(super) histograms: usize,
}

impl Outcome {
    pub(super) fn response(&self) -> Response {
        let refused = &self.appended.committed.refused;
        let refusal = self.refusal.as_deref().unwrap_or("too many series");
        let of_series = self.without_series as u64 + refused.too_many_series;
        let reasons = [
            (refused.old, "out of order sample: older than the newest of its series".to_owned()),
            (
                refused.conflicting,
                "duplicate sample for timestamp: its series has another value there".to_owned(),
            ),
            (
                refused.before_blocks,
                "too old sample: its time is written away and takes none any more".to_owned(),
            ),
            (
                self.appended.ahead,
                "too far ahead: check the clock of the sender, and the one here".to_owned(),
            ),
            (of_series, refusal.to_owned()),
            (refused.memory_full, self.memory_full.clone().unwrap_or_default()),
        ];
        let told_of: Vec<_> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{count}: {reason}"))
            .collect();
        let lost: u64 = reasons.iter().map(|(count, _)| count).sum();
        let mut words = String::new();
        if lost > 0 {
            words = format!(
                "{lost} of {} samples are refused, the others are stored ({})",
                self.samples,
                told_of.join("; ")
            );
        }
        if self.histograms > 0 {
            let before = if words.is_empty() { "" } else { "; " };
            words.push_str(&format!(
                "{before}{} native histograms are left out, which are not stored here; send classic \
                 ones",
                self.histograms
            ));
        }
        if words.is_empty() {
            StatusCode::NO_CONTENT.into_response()
        } else if refused.memory_full > 0 {
            later(&words)
        } else {
            told(StatusCode::BAD_REQUEST, words)
        }
    }
}
