//! Series of a target by their text in its page.
//!
//! A page has its series in the same order each time, so the next one is looked for where it was: that
//! is one comparison of bytes, and no hash. Only where the page has changed is the map asked.
//!
//! Bounded by the page: what the last good page did not have is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use tsdb::labels::Labels;
use tsdb::store::Handle;

use crate::observe::storage::Storage;

/// A series of the cache; good until [`Cache::sweep`] or [`Cache::give_up`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

/// All series of one target.
#[derive(Debug, Default)]
pub(super) struct Cache {
    slots: Vec<Slot>,
    places: HashMap<Arc<str>, u32>,
    /// Where the next series of the page is, if nothing has changed.
    cursor: usize,
    round: u64,
    /// Slots before this scrape.
    known: usize,
    /// Slots that this scrape has read.
    read: usize,
}

#[derive(Debug)]
struct Slot {
    text: Arc<str>,
    /// `None` if a rule drops it.
    series: Option<Series>,
    /// The scrape that read it last.
    read: u64,
}

#[derive(Debug)]
struct Series {
    labels: Labels,
    /// `None` until the page is stored, or while the store has no room.
    handle: Option<Handle>,
    /// Whether the last good scrape had it, without a time of its own.
    is_watched: bool,
    /// The scrape that had it last, without a time of its own.
    seen: u64,
}

impl Cache {
    /// A page is going to be read.
    pub(super) fn begin(&mut self, round: u64) {
        self.round = round;
        self.cursor = 0;
        self.known = self.slots.len();
        self.read = 0;
    }

    /// The page is not taken: what it brought is forgotten.
    pub(super) fn give_up(&mut self) {
        for slot in self.slots.drain(self.known..) {
            self.places.remove(&slot.text);
        }
    }

    /// The place of a series, if it was there before.
    #[inline]
    pub(super) fn find(&mut self, text: &str) -> Option<Place> {
        let place = match self.slots.get(self.cursor) {
            Some(slot) if *slot.text == *text => self.cursor,
            _ => *self.places.get(text)? as usize,
        };
        self.cursor = place + 1;
        let slot = &mut self.slots[place];
        if slot.read != self.round {
            slot.read = self.round;
            self.read += 1;
        }
        Some(Place(place as u32))
    }

    /// Takes a series in.
    pub(super) fn add(&mut self, text: &str, labels: Option<Labels>) -> Place {
        let text: Arc<str> = text.into();
        let place = self.slots.len();
        let series =
            labels.map(|labels| Series { labels, handle: None, is_watched: false, seen: 0 });
        self.slots.push(Slot { text: Arc::clone(&text), series, read: self.round });
        self.places.insert(text, place as u32);
        self.read += 1;
        Place(place as u32)
    }

    /// Whether no rule drops it.
    #[inline]
    pub(super) fn is_kept(&self, place: Place) -> bool {
        self.slots[place.0 as usize].series.is_some()
    }

    /// The page has a sample of it, which is watched if it brings no time.
    #[inline]
    pub(super) fn seen(&mut self, place: Place, is_watched: bool) {
        let Some(series) = &mut self.slots[place.0 as usize].series else { return };
        if is_watched {
            series.seen = self.round;
        }
    }

    /// Series that the cache did not have before this page.
    pub(super) fn added(&self) -> u64 {
        let new = self.slots[self.known..].iter();
        new.filter(|slot| slot.series.is_some()).count() as u64
    }

    /// Makes the handles of new series; says how many the store had no room for, and why.
    pub(super) fn place(&mut self, storage: &Storage) -> Option<(u64, String)> {
        let mut unplaced: Option<(u64, String)> = None;
        for slot in self.slots.iter_mut().filter(|slot| slot.read == self.round) {
            let Some(series) = slot.series.as_mut().filter(|series| series.handle.is_none()) else {
                continue;
            };
            match storage.store().series(&series.labels) {
                Ok(handle) => series.handle = Some(handle),
                Err(refusal) => match &mut unplaced {
                    Some((count, _)) => *count += 1,
                    None => unplaced = Some((1, refusal.to_string())),
                },
            }
        }
        unplaced
    }

    /// The series, once the store has it.
    #[inline]
    pub(super) fn handle(&self, place: Place) -> Option<&Handle> {
        self.slots[place.0 as usize].series.as_ref()?.handle.as_ref()
    }

    /// After a good page: watches what it had, and returns what was watched and is not any more.
    pub(super) fn turn(&mut self) -> Vec<Handle> {
        let mut gone = Vec::new();
        for series in self.slots.iter_mut().filter_map(|slot| slot.series.as_mut()) {
            let is_there = series.seen == self.round;
            if series.is_watched && !is_there {
                gone.extend(series.handle.clone());
            }
            series.is_watched = is_there;
        }
        gone
    }

    /// Series that are watched.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Handle> {
        let series = self.slots.iter().filter_map(|slot| slot.series.as_ref());
        series.filter(|series| series.is_watched).filter_map(|series| series.handle.as_ref())
    }

    /// Returns what was watched, and watches nothing any more.
    pub(super) fn drop_watch(&mut self) -> Vec<Handle> {
        let mut dropped = Vec::new();
        for series in self.slots.iter_mut().filter_map(|slot| slot.series.as_mut()) {
            if std::mem::take(&mut series.is_watched) {
                dropped.extend(series.handle.clone());
            }
        }
        dropped
    }

    /// After a good page: forgets what it did not have, so that the order is that of the page again.
    pub(super) fn sweep(&mut self) {
        if self.read == self.slots.len() {
            return;
        }
        let round = self.round;
        self.slots.retain(|slot| slot.read == round);
        self.places.clear();
        for (place, slot) in self.slots.iter().enumerate() {
            self.places.insert(Arc::clone(&slot.text), place as u32);
        }
    }
}
