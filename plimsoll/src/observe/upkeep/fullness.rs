//! When people are told that the memory for young samples is full: when it begins, and while it goes
//! on once in a while, with how many samples it has cost.

use std::time::Duration;

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Fullness {
    /// Refused samples that were told of.
    told: u64,
    next: Duration,
}

impl Fullness {
    /// How many samples were refused that were not told of, if it is time to. `refused` is the count
    /// since the start, `since` a time since any one start.
    pub(super) fn news(&mut self, refused: u64, since: Duration) -> Option<u64> {
        let new = refused.saturating_sub(self.told);
        if new == 0 || since < self.next {
            return None;
        }
        self.told = refused;
        self.next = since + INTERVAL;
        Some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_rarely_with_a_count() {
        let mut fullness = Fullness::default();
        let news = |(refused, seconds)| fullness.news(refused, Duration::from_secs(seconds));
        let told = [(0, 0), (5, 1), (9, 2), (12, 601), (12, 9000), (13, 9001)].map(news);
        assert_eq!(told, [None, Some(5), None, Some(7), None, Some(1)]);
    }
}
