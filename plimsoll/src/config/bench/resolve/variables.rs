//! Every name that something sets, before any template that may use it is read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json_path::JsonPath;

use super::super::super::kind::{Item, Named, OneOf};
use super::super::super::problem::nearest;
use super::super::super::quantity::Refusal;
use super::super::super::reader::Where;
use super::super::builder::Builder;
use super::super::grammar;
use super::super::template::{self, Uses, variable_name};
use super::Resolver;

/// A variable as it is written.
struct Written {
    name: String,
    text: String,
    at: Where,
    /// Whether the text is the command line's.
    is_option: bool,
}

impl Resolver<'_, '_> {
    /// Makes all names known: variables, columns of data, and what is taken from answers.
    pub(super) fn names(&mut self, top: &grammar::Top) {
        if !top.variables.is_sound() {
            self.builder.admit_unknown_names();
        }
        let written = self.written(top);
        let (order, entangled) = in_order(&written);
        for name in order {
            self.builder.slot(name);
        }
        for variable in &written {
            self.value(variable, entangled.contains(variable.name.as_str()));
        }
        self.data(top);
        let of_group =
            top.group.value.iter().flat_map(|group| {
                requests(&group.value.request.value, &group.value.scenario.value)
            });
        let of_top = requests(&top.request.value, &top.scenario.value);
        let mut are_known = top.data.is_sound()
            && top.request.is_sound()
            && top.scenario.is_sound()
            && top.group.is_sound();
        for request in of_top.into_iter().chain(of_group) {
            let extract = &request.extract;
            are_known &= extract.is_sound() && !self.reader.is_misspelt(&extract.at.key);
            for named in &request.extract.value {
                match variable_name(&named.name) {
                    Ok(()) => {
                        self.builder.slot(&named.name);
                        self.list_of(named);
                    }
                    Err(refusal) => {
                        // Where it is used, nothing else is wrong.
                        self.builder.slot(&named.name);
                        self.refuse(&named.at, refusal);
                    }
                }
            }
        }
        if !are_known {
            self.builder.admit_unknown_names();
        }
    }

    /// Makes the name of the number of matches known, where all are kept.
    fn list_of(&mut self, named: &Named<OneOf<JsonPath, grammar::Extract>>) {
        if let OneOf::Second(table) = &named.value
            && table.all.value
        {
            self.builder.slot(&count_name(&named.name));
            self.lists.insert(named.name.clone());
        }
    }

    /// The variables of the file, with the command line's values.
    fn written(&mut self, top: &grammar::Top) -> Vec<Written> {
        let mut written = Vec::new();
        for Named { name, at, value } in &top.variables.value {
            match variable_name(name) {
                Ok(()) => written.push(Written {
                    name: name.clone(),
                    text: value.clone(),
                    at: at.clone(),
                    is_option: false,
                }),
                Err(refusal) => {
                    self.builder.slot(name);
                    self.refuse(at, refusal);
                }
            }
        }
        for (name, text) in std::mem::take(&mut self.overrides.variables) {
            let known = written.iter_mut().find(|variable| variable.name == name);
            if let Some(variable) = known {
                (variable.text, variable.is_option) = (text, true);
                continue;
            }
            let refusal = Refusal::new(format!("the plan has no variable `{name}`"));
            let names = written.iter().map(|variable| variable.name.as_str());
            let refusal = match nearest(&name, names) {
                Some(near) => refusal.remedy(format!("did you mean `{near}`?")),
                None => refusal.remedy(format!("add it to [variables]: {name} = {text:?}")),
            };
            if top.variables.is_sound() {
                self.refuse_option("--set", Some(format!("{name}={text}")), refusal);
            }
        }
        written
    }

    /// Reads what a variable is at a user's beginning.
    fn value(&mut self, variable: &Written, is_entangled: bool) {
        let read = template::parse(&variable.text, &mut self.builder, &mut Uses::default());
        match read {
            Ok(template) => {
                self.builder.set_initial(&variable.name, template);
            }
            Err(refusal) if variable.is_option => {
                let text = format!("{}={}", variable.name, variable.text);
                self.refuse_option("--set", Some(text), refusal);
            }
            Err(refusal) => {
                let at = self.reader.value_of(&variable.at);
                self.refuse(&at, refusal);
            }
        }
        if is_entangled {
            let refusal = Refusal::new(format!("`{}` is made of itself", variable.name))
                .remedy("give it, or one that it is made of, a value of its own");
            self.refuse(&variable.at, refusal);
        }
    }
}

/// The variable that says how many matches there were.
pub(super) fn count_name(name: &str) -> String {
    format!("{name}_count")
}

/// Every request of a group, those within others too.
fn requests<'a>(
    requests: &'a [Item<grammar::Request>],
    scenarios: &'a [Item<grammar::Scenario>],
) -> Vec<&'a grammar::Request> {
    let steps = scenarios.iter().flat_map(|scenario| scenario.value.step.value.iter().flatten());
    let mut waiting: Vec<&Item<grammar::Request>> = requests.iter().chain(steps).collect();
    let mut found = Vec::new();
    while let Some(item) = waiting.pop() {
        waiting.extend(&item.value.step.value);
        found.push(&item.value);
    }
    found
}

/// The names that a variable's text uses, of those that `builder` knows.
fn needs(variable: &Written, builder: &Builder) -> BTreeSet<String> {
    // Its own builder, since reading may make names and numbers of its own.
    let mut scratch = Builder::default();
    for name in builder.names() {
        scratch.slot(name);
    }
    let mut uses = Uses::default();
    // What is wrong with the text is told when it is read for good.
    let _ = template::parse(&variable.text, &mut scratch, &mut uses);
    let names: Vec<&str> = scratch.names().collect();
    uses.slots.iter().filter_map(|slot| names.get(*slot)).map(|name| (*name).to_owned()).collect()
}

/// The names such that each comes after those that its value is made of: values are made in the
/// order of the slots. Then those that are made of themselves, in however many steps.
fn in_order(written: &[Written]) -> (Vec<&str>, BTreeSet<&str>) {
    let mut known = Builder::default();
    for variable in written {
        known.slot(&variable.name);
    }
    let mut waiting: BTreeMap<&str, BTreeSet<String>> =
        written.iter().map(|variable| (variable.name.as_str(), needs(variable, &known))).collect();
    let mut order = Vec::with_capacity(written.len());
    loop {
        let ready: Vec<&str> = waiting
            .iter()
            .filter(|(_, needs)| !needs.iter().any(|need| waiting.contains_key(need.as_str())))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            break;
        }
        for name in &ready {
            waiting.remove(name);
        }
        order.extend(ready);
    }
    // Those that wait only for others are left out the same way from the other end.
    while let Some(unneeded) =
        waiting.keys().copied().find(|name| !waiting.values().any(|needs| needs.contains(*name)))
    {
        waiting.remove(unneeded);
        order.push(unneeded);
    }
    order.extend(waiting.keys().copied());
    (order, waiting.into_keys().collect())
}
