//! What one target says of its metrics: type, help and unit by family.
//!
//! Bounded in families and in bytes of help. A family that the last good scrape did not name is
//! forgotten.

use std::collections::BTreeMap;

use tsdb::exposition::{Event, MetricType};

/// Families of one target; of more nothing is kept.
const FAMILIES_MAX: usize = 5_000;
/// Bytes of a family's help; the rest is cut off.
const HELP_BYTES_MAX: usize = 1_024;

/// By family.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    families: BTreeMap<Box<str>, Told>,
}

/// What is told of a family.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Its type.
    pub kind: MetricType,
    /// Its help.
    pub help: Box<str>,
    /// Its unit.
    pub unit: Box<str>,
    /// The scrape that named it last.
    round: u64,
}

impl Metadata {
    /// Takes in one line; samples tell nothing here.
    pub(super) fn take(&mut self, event: &Event<'_, '_>, round: u64) {
        match event {
            Event::Type { family, kind } => {
                if let Some(told) = self.family(&family.text(), round) {
                    told.kind = *kind;
                }
            }
            Event::Help { family, text } => {
                let text = text.text();
                let help = &text[..text.floor_char_boundary(HELP_BYTES_MAX)];
                if let Some(told) = self.family(&family.text(), round)
                    && *told.help != *help
                {
                    told.help = help.into();
                }
            }
            Event::Unit { family, unit } => {
                if let Some(told) = self.family(&family.text(), round)
                    && *told.unit != **unit
                {
                    told.unit = (*unit).into();
                }
            }
            Event::Sample(_) => {}
        }
    }

    /// After a good scrape: what it did not name is forgotten.
    pub(super) fn sweep(&mut self, round: u64) {
        self.families.retain(|_, told| told.round == round);
    }

    /// All of it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Told)> {
        self.families.iter().map(|(family, told)| (&**family, told))
    }

    fn family(&mut self, name: &str, round: u64) -> Option<&mut Told> {
        if !self.families.contains_key(name) {
            if self.families.len() >= FAMILIES_MAX {
                return None;
            }
            self.families.insert(name.into(), Told::default());
        }
        let told = self.families.get_mut(name)?;
        told.round = round;
        Some(told)
    }
}
