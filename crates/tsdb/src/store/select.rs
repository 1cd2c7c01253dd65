//! Reading: series by matchers, their samples, and lists of labels.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::block::BlockError;
use super::index::{Entry, State};
use super::{Store, read};
use crate::labels::Labels;
use crate::sample::Samples;
use crate::source::{Condition, Matcher, ReadError, Series, Source};

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Sorted; the first of all, as many as were asked for at most.
    pub items: Vec<T>,
    /// Whether there are more.
    pub is_truncated: bool,
}

impl<T: Ord> Listing<T> {
    fn of(all: impl Iterator<Item = T>, most: usize) -> Self {
        let (mut items, mut is_truncated) = (BTreeSet::new(), false);
        for item in all {
            // As many are held as are wanted, and one.
            if items.len() == most && items.last() < Some(&item) {
                is_truncated = true;
                continue;
            }
            items.insert(item);
            if items.len() > most {
                items.pop_last();
                is_truncated = true;
            }
        }
        Self { items: items.into_iter().collect(), is_truncated }
    }
}

impl Listing<&str> {
    fn owned(self) -> Listing<String> {
        let items = self.items.into_iter().map(str::to_owned).collect();
        Listing { items, is_truncated: self.is_truncated }
    }
}

/// A chosen series. Holds no samples.
struct Selected<'a> {
    store: &'a Store,
    entry: Arc<Entry>,
}

impl Source for Store {
    fn select<'a>(
        &'a self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
    ) -> Result<Vec<Box<dyn Series + 'a>>, ReadError> {
        let entries = self.entries(matchers, from, to);
        let series = entries.into_iter().map(|entry| {
            let series: Box<dyn Series> = Box::new(Selected { store: self, entry });
            series
        });
        Ok(series.collect())
    }
}

impl Series for Selected<'_> {
    fn labels(&self) -> &Labels {
        &self.entry.labels
    }

    fn read(&self, from: i64, to: i64, samples: &mut Samples) -> Result<(), ReadError> {
        let start = samples.len();
        let mut to_blocks = to;
        if let State::Active(series) = &*self.entry.state() {
            series.read(from, to, samples).map_err(|error| {
                ReadError(format!("samples of {} in memory: {error}", self.entry.labels))
            })?;
            // A block may have some of these already, if it is just being listed.
            to_blocks = series.first_time().map_or(to, |first| to.min(first.saturating_sub(1)));
        }
        if from > to_blocks {
            return Ok(());
        }
        let young = samples.len() - start;
        let mut next = from;
        for block in self.store.blocks().iter() {
            if block.last >= next && block.first <= to_blocks {
                block
                    .read(self.entry.id, next, to_blocks, samples)
                    .map_err(|error| ReadError(told(&error)))?;
                next = next.max(block.end);
            }
        }
        if young > 0 && samples.len() - start > young {
            samples.times[start..].rotate_left(young);
            samples.values[start..].rotate_left(young);
        }
        Ok(())
    }
}

fn told(error: &BlockError) -> String {
    match error {
        BlockError::Damaged { .. } => {
            format!("{error}; the file is set aside soon, and queries go on without it")
        }
        BlockError::Io { .. } => error.to_string(),
    }
}

impl Store {
    /// Series that fulfil all matchers and may have samples in `from..=to`.
    fn entries(&self, matchers: &[Matcher], from: i64, to: i64) -> Vec<Arc<Entry>> {
        let mut entries = read(&self.index).select(matchers);
        // The memory is asked before the blocks are listed: what is cut in between is in the list.
        let young: Vec<_> = entries.iter().map(|entry| is_young(entry, from, to)).collect();
        let blocks = self.blocks();
        let touched: Vec<_> =
            blocks.iter().filter(|block| block.last >= from && block.first <= to).collect();
        let mut young = young.into_iter();
        entries.retain(|entry| {
            young.next() == Some(true) || touched.iter().any(|block| block.contains(entry.id))
        });
        entries
    }

    /// At most `most` series that fulfil all matchers and may have samples in `from..=to`.
    pub fn list_series(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Listing<Labels> {
        let entries = self.entries(matchers, from, to);
        let Listing { items, is_truncated } =
            Listing::of(entries.iter().map(|entry| &entry.labels), most);
        Listing { items: items.into_iter().cloned().collect(), is_truncated }
    }

    /// At most `most` names of labels of such series.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Listing<String> {
        let entries = self.entries(matchers, from, to);
        let names = entries.iter().flat_map(|entry| entry.labels.iter()).map(|(name, _)| name);
        Listing::of(names, most).owned()
    }

    /// At most `most` values of a label of such series.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Listing<String> {
        let mut matchers = matchers.to_vec();
        let condition = Condition::NotEqual(String::new());
        matchers.push(Matcher { name: name.to_owned(), condition });
        let entries = self.entries(&matchers, from, to);
        Listing::of(entries.iter().filter_map(|entry| entry.labels.get(name)), most).owned()
    }
}

/// Whether a series has samples in memory in `from..=to`.
fn is_young(entry: &Entry, from: i64, to: i64) -> bool {
    match &*entry.state() {
        State::Active(series) => {
            series.first_time().is_some_and(|first| first <= to)
                && series.last_time().is_some_and(|last| last >= from)
        }
        State::Passive | State::Removed => false,
    }
}
