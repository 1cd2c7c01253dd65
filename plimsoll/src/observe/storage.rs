//! Where every sample goes in: into the store, and to those who want a copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tsdb::exposition::{Exposition, Kind};
use tsdb::store::{Append, Committed, Store};

/// Samples may lie this far ahead of now, milliseconds: clocks differ. One that lies further would
/// keep all others of its series out.
pub const AHEAD_MAX: i64 = 10 * 60 * 1000;

/// Gets a copy of all samples that the store took, and of no other: what it refused, or had already,
/// would differ elsewhere. Must not block.
pub type Tap = Box<dyn Fn(&[Append<'_>]) + Send + Sync>;

/// The store, and who else gets its samples.
pub struct Storage {
    store: Arc<Store>,
    taps: Vec<Tap>,
    /// Samples taken since the start.
    accepted: AtomicU64,
    /// Samples refused because they lie ahead, since the start.
    ahead: AtomicU64,
}

/// What became of samples.
#[derive(Debug, Clone, Default)]
pub struct Appended {
    /// What the store says.
    pub committed: Committed,
    /// Refused because they lie too far ahead of now.
    pub ahead: u64,
}

impl Storage {
    /// Over an open store.
    pub fn new(store: Arc<Store>, taps: Vec<Tap>) -> Self {
        Self { store, taps, accepted: AtomicU64::new(0), ahead: AtomicU64::new(0) }
    }

    /// For queries, and for making handles of series.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Takes samples in. Those further ahead of `now` than clocks differ are refused.
    pub fn append(&self, samples: &[Append<'_>], now: i64) -> Appended {
        let latest = now.saturating_add(AHEAD_MAX);
        if samples.iter().all(|sample| sample.time <= latest) {
            return Appended { committed: self.commit(samples), ahead: 0 };
        }
        let timely: Vec<Append<'_>> =
            samples.iter().filter(|sample| sample.time <= latest).copied().collect();
        let ahead = (samples.len() - timely.len()) as u64;
        self.ahead.fetch_add(ahead, Ordering::Relaxed);
        Appended { committed: self.commit(&timely), ahead }
    }

    /// Adds figures of the store.
    pub fn expose(&self, out: &mut Exposition) {
        let known = self.store.statistics();
        let gauges = [
            ("plimsoll_store_series", "Series in the store.", known.series as f64),
            (
                "plimsoll_store_young_series",
                "Series with samples that are in no block yet.",
                known.series_young as f64,
            ),
            ("plimsoll_store_blocks", "Blocks on the disk.", known.blocks as f64),
            (
                "plimsoll_store_block_bytes",
                "Bytes of blocks on the disk.",
                known.block_bytes as f64,
            ),
            ("plimsoll_store_log_bytes", "Bytes of the write-ahead log.", known.log_bytes as f64),
            (
                "plimsoll_store_damaged_bytes",
                "Bytes of blocks that were set aside, damaged or ahead of the clock.",
                known.damaged_bytes as f64,
            ),
            (
                "plimsoll_store_memory_bytes",
                "Bytes of young samples in memory.",
                known.memory_bytes as f64,
            ),
            (
                "plimsoll_store_trouble",
                "1 while samples cannot be written to the disk.",
                f64::from(self.store.trouble().is_some()),
            ),
        ];
        for (name, help, value) in gauges {
            out.family(name, Kind::Gauge, help).sample(&[], value);
        }
        let accepted = self.accepted.load(Ordering::Relaxed) as f64;
        let help = "Samples that the store took.";
        out.family("plimsoll_store_samples_total", Kind::Counter, help).sample(&[], accepted);
        let help = "Samples that the store refused, by reason.";
        let mut family = out.family("plimsoll_store_refused_samples_total", Kind::Counter, help);
        let refused = known.refused;
        for (reason, count) in [
            ("old", refused.old),
            ("conflicting", refused.conflicting),
            ("before_blocks", refused.before_blocks),
            ("memory_full", refused.memory_full),
            ("too_many_series", refused.too_many_series),
            ("ahead", self.ahead.load(Ordering::Relaxed)),
        ] {
            family.sample(&[("reason", reason)], count as f64);
        }
    }

    fn commit(&self, samples: &[Append<'_>]) -> Committed {
        let mut left_out = Vec::new();
        let committed = self.store.commit_telling(samples, |place| left_out.push(place));
        self.accepted.fetch_add(committed.accepted, Ordering::Relaxed);
        if committed.accepted == 0 {
            return committed;
        }
        if left_out.is_empty() {
            self.taps.iter().for_each(|tap| tap(samples));
            return committed;
        }
        let mut left_out = left_out.into_iter().peekable();
        let mut is_taken = |place: &usize| left_out.next_if_eq(place).is_none();
        let taken = samples.iter().enumerate().filter(|(place, _)| is_taken(place));
        let taken: Vec<Append<'_>> = taken.map(|(_, sample)| *sample).collect();
        self.taps.iter().for_each(|tap| tap(&taken));
        committed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tsdb::labels::Labels;
    use tsdb::store::Options;

    use super::*;

    #[test]
    fn samples_far_ahead_are_refused_and_others_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Options::default(), 0).unwrap();
        let copies: Arc<Mutex<Vec<i64>>> = Arc::default();
        let copied = Arc::clone(&copies);
        let tap: Tap = Box::new(move |samples| {
            copied.lock().unwrap().extend(samples.iter().map(|sample| sample.time));
        });
        let storage = Storage::new(Arc::new(store), vec![tap]);
        let series = storage.store().series(&Labels::from_pairs([("__name__", "up")])).unwrap();
        let sample = |time| Append { series: &series, time, value: 1.0 };
        let appended = storage
            .append(&[sample(1000), sample(2000 + AHEAD_MAX), sample(2001 + AHEAD_MAX)], 2000);
        assert_eq!((appended.committed.accepted, appended.ahead), (2, 1));
        assert_eq!(copies.lock().unwrap().split_off(0), [1000, 2000 + AHEAD_MAX]);
        // Repeated, old, in conflict, new.
        let other = Append { series: &series, time: 2000 + AHEAD_MAX, value: 2.0 };
        storage
            .append(&[sample(2000 + AHEAD_MAX), sample(7), other, sample(2001 + AHEAD_MAX)], 2001);
        assert_eq!(copies.lock().unwrap().split_off(0), [2001 + AHEAD_MAX]);
        storage.append(&[sample(7)], 2001);
        assert_eq!(copies.lock().unwrap().len(), 0);
        let mut exposition = Exposition::new();
        storage.expose(&mut exposition);
        let text = exposition.finish();
        assert!(text.contains("plimsoll_store_samples_total 3\n"), "{text}");
        assert!(text.contains("plimsoll_store_damaged_bytes 0\n"), "{text}");
        assert!(
            text.contains("plimsoll_store_refused_samples_total{reason=\"ahead\"} 1\n"),
            "{text}"
        );
    }
}
