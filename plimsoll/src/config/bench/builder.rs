//! Names to indices while a plan is built: variables to slots, labels to places in the statistics,
//! and a number for every step or call that keeps a count of its own.
//!
//! Both the TOML plan and the JMeter plan are built through it. What it hands out is within the
//! lists that [`Builder::finish`] returns, as the plan's invariants demand.

use std::collections::HashMap;

use super::model::{Feed, FeedIndex, Label, LabelIndex, LabelKind, Slot, Template, Variable};

/// The lists of a plan that steps refer to by index, while they grow.
#[derive(Debug, Default)]
pub struct Builder {
    variables: Vec<Variable>,
    slots: HashMap<String, Slot>,
    has_unknown_names: bool,
    labels: Vec<Label>,
    places: HashMap<(String, bool), LabelIndex>,
    feeds: Vec<Feed>,
    calls: usize,
    interleavings: usize,
    shares: usize,
    onces: usize,
    paces: usize,
}

/// The lists of a plan that steps refer to by index.
#[derive(Debug)]
pub struct Lists {
    /// For [`super::model::Plan::variables`].
    pub variables: Vec<Variable>,
    /// For [`super::model::Plan::labels`].
    pub labels: Vec<Label>,
    /// For [`super::model::Plan::feeds`].
    pub feeds: Vec<Feed>,
}

impl Builder {
    /// The slot of the variable `name`, which is made unset if there is none yet.
    pub fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = self.variables.len();
        self.variables.push(Variable { name: name.to_owned(), initial: None });
        self.slots.insert(name.to_owned(), slot);
        slot
    }

    /// The slot of the variable `name`, if there is one.
    pub fn known_slot(&self, name: &str) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    /// Says that some variables are not known because what makes them was refused, so that a name
    /// that nothing makes is not known to be a mistake.
    pub fn admit_unknown_names(&mut self) {
        self.has_unknown_names = true;
    }

    /// Whether there may be variables that are not known.
    pub fn has_unknown_names(&self) -> bool {
        self.has_unknown_names
    }

    /// Every variable so far, in the order in which they were made.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// Says what the variable `name` is at a user's beginning.
    pub fn set_initial(&mut self, name: &str, initial: Template) -> Slot {
        let slot = self.slot(name);
        if let Some(variable) = self.variables.get_mut(slot) {
            variable.initial = Some(initial);
        }
        slot
    }

    /// The place that figures of `name` are kept in. Requests of the same name share one; a
    /// transaction of that name has another.
    pub fn label(&mut self, name: &str, kind: LabelKind) -> LabelIndex {
        let key = (name.to_owned(), kind == LabelKind::Transaction);
        if let Some(label) = self.places.get(&key) {
            return *label;
        }
        let label = self.labels.len();
        self.labels.push(Label { name: name.to_owned(), kind });
        self.places.insert(key, label);
        label
    }

    /// The labels so far.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Adds rows of data.
    pub fn feed(&mut self, feed: Feed) -> FeedIndex {
        self.feeds.push(feed);
        self.feeds.len() - 1
    }

    /// A number for [`super::model::Call::id`].
    pub fn call(&mut self) -> usize {
        next(&mut self.calls)
    }

    /// A number for [`super::model::Step::Interleave`].
    pub fn interleaving(&mut self) -> usize {
        next(&mut self.interleavings)
    }

    /// A number for [`super::model::Step::Share`].
    pub fn share(&mut self) -> usize {
        next(&mut self.shares)
    }

    /// A number for [`super::model::Step::Once`].
    pub fn once(&mut self) -> usize {
        next(&mut self.onces)
    }

    /// A number for [`super::model::Pace::id`].
    pub fn pace(&mut self) -> usize {
        next(&mut self.paces)
    }

    /// The lists, for the plan.
    pub fn finish(self) -> Lists {
        Lists { variables: self.variables, labels: self.labels, feeds: self.feeds }
    }
}

/// The number, which is one more the next time.
fn next(count: &mut usize) -> usize {
    *count += 1;
    *count - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_place() {
        let mut builder = Builder::default();
        assert_eq!((builder.slot("a"), builder.slot("b"), builder.slot("a")), (0, 1, 0));
        assert_eq!(builder.set_initial("c", Template::text("x")), 2);
        assert_eq!(builder.set_initial("a", Template::text("y")), 0);
        assert_eq!((builder.known_slot("b"), builder.known_slot("z")), (Some(1), None));
        let shop = builder.label("shop", LabelKind::Request);
        assert_ne!(shop, builder.label("shop", LabelKind::Transaction));
        assert_eq!(shop, builder.label("shop", LabelKind::Request));
        assert_eq!((builder.call(), builder.call(), builder.share()), (0, 1, 0));
        let lists = builder.finish();
        let initial = |slot: usize| lists.variables[slot].initial.clone();
        assert_eq!(initial(0), Some(Template::text("y")));
        assert_eq!(initial(1), None);
        assert_eq!(lists.labels.len(), 2);
    }
}
