//! Steps: a request or several, on a condition, again and again, or once for each of a list.
//!
//! A list is what an extraction with `all` leaves: `NAME_1`, `NAME_2`… are its values, and rounds go
//! on as long as there is a next one.

use super::super::super::kind::{Item, OneOf};
use super::super::super::problem::nearest;
use super::super::super::quantity::Refusal;
use super::super::super::reader::Where;
use super::super::grammar;
use super::super::model::{
    Call, Comparison, Condition, Function, LabelKind, Piece, Slot, Step, Template,
};
use super::super::template::Uses;
use super::{Resolver, condition};

/// Most rounds of a step.
const ROUNDS_MAX: u64 = 1_000_000_000;
/// Deepest nesting of steps.
const DEPTH_MAX: usize = 8;
/// What a variable of a list is where the list has ended. No answer can hold it: it has a NUL.
const NO_VALUE: &str = "\0";

/// What a step does.
pub(super) struct Done {
    pub(super) steps: Vec<Step>,
    /// Requests and messages in it, as far as that can be told.
    pub(super) requests: u64,
}

impl Resolver<'_, '_> {
    /// A step, which may hold others: `depth` is how many are around it.
    pub(super) fn step(
        &mut self,
        item: &Item<grammar::Request>,
        uses: &mut Uses,
        depth: usize,
    ) -> Done {
        let raw = &item.value;
        let done = match raw.step.is_present() {
            true => self.nested(item, uses, depth),
            false => Done { steps: self.request(item, uses), requests: 1 },
        };
        let condition = self.when(raw, uses);
        let rounds = self.rounds(raw, uses);
        let Done { mut steps, mut requests } = done;
        if steps.is_empty() {
            return Done { steps, requests };
        }
        if let Some(condition) = condition {
            steps = vec![Step::If { condition, steps }];
        }
        if let Some((times, count)) = rounds {
            requests = requests.saturating_mul(count);
            steps = vec![Step::Repeat { times: Some(times), counter: None, steps }];
        }
        if let Some(name) = &raw.each.value
            && let Some(list) = self.list(name, &raw.each.at)
        {
            steps = self.for_each(name, list, steps);
        }
        Done { steps, requests }
    }

    /// Several steps in the place of a request.
    fn nested(&mut self, item: &Item<grammar::Request>, uses: &mut Uses, depth: usize) -> Done {
        let raw = &item.value;
        for (name, at) in of_requests(raw) {
            let refusal = Refusal::new(format!("this holds steps, so that `{name}` has no place"))
                .remedy(format!("put `{name}` into one of its steps"));
            self.refuse(at, refusal);
        }
        let mut done = Done { steps: Vec::new(), requests: 0 };
        if depth >= DEPTH_MAX {
            let refusal = Refusal::new("these steps are nested too deeply")
                .remedy(format!("nest at most {DEPTH_MAX}"));
            self.refuse(&raw.step.at, refusal);
            return done;
        }
        if raw.step.value.is_empty() && raw.step.is_sound() {
            let refusal = Refusal::new("there are no steps in it")
                .remedy("add [[scenario.step.step]] with path = \"/\", or remove `step`");
            self.refuse(&raw.step.at, refusal);
        }
        for step in &raw.step.value {
            self.weightless(step);
            let inner = self.step(step, uses, depth + 1);
            done.steps.extend(inner.steps);
            done.requests = done.requests.saturating_add(inner.requests);
        }
        if let Some(name) = &raw.name.value {
            let label = self.builder.label(name, LabelKind::Transaction);
            let steps = std::mem::take(&mut done.steps);
            done.steps = vec![Step::Transaction { label, with_pauses: false, steps }];
        }
        done.steps.extend(raw.think.value.clone().map(Step::Pause));
        done
    }

    /// Refuses a weight where every step is done.
    pub(super) fn weightless(&mut self, step: &Item<grammar::Request>) {
        if step.value.weight.is_present() {
            let refusal = Refusal::new("every step is done, so that it has no weight")
                .remedy("give the scenario a weight, or make it a [[request]] of its own");
            self.refuse(&step.value.weight.at, refusal);
        }
    }

    /// What must hold.
    fn when(&mut self, raw: &grammar::Request, uses: &mut Uses) -> Option<Condition> {
        let texts: Vec<(&String, &Where)> = match raw.when.value.as_ref()? {
            OneOf::First(text) => vec![(text, &raw.when.at)],
            OneOf::Second(items) => items.iter().map(|item| (&item.value, &item.at)).collect(),
        };
        if texts.is_empty() {
            let refusal = Refusal::new("this list holds no condition")
                .remedy("write one, as in \"{{count}} > 0\", or remove `when`");
            self.refuse(&raw.when.at, refusal);
        }
        let mut conditions = Vec::new();
        for (text, at) in texts {
            let read = condition::parse(text, &mut self.builder, uses);
            conditions.extend(self.checked(read, at));
        }
        match conditions.len() {
            0 => None,
            1 => conditions.pop(),
            _ => Some(Condition::All(conditions)),
        }
    }

    /// How often a step is done, and how often that is as far as it is known.
    fn rounds(&mut self, raw: &grammar::Request, uses: &mut Uses) -> Option<(Template, u64)> {
        if raw.repeat.is_present() && raw.each.is_present() {
            let refusal = Refusal::new("`each` says how often this is done, and so does `repeat`")
                .remedy("keep one of the two, or put one around the other with `step`");
            self.refuse(&raw.repeat.at, refusal);
        }
        let times = self.optional(&raw.repeat, uses)?;
        let Some(text) = times.constant() else { return Some((times, 1)) };
        match text.trim().parse::<u64>() {
            Ok(count @ 1..=ROUNDS_MAX) => Some((Template::text(text.trim()), count)),
            Ok(_) => {
                let refusal = Refusal::new(format!("{text} is no number of rounds"))
                    .remedy(format!("write a number from 1 to {ROUNDS_MAX}"));
                self.refuse(&raw.repeat.at, refusal);
                None
            }
            Err(_) => {
                let refusal = Refusal::new(format!("`{text}` is not a whole number"))
                    .remedy("write it as in 20, or a template that becomes one");
                self.refuse(&raw.repeat.at, refusal);
                None
            }
        }
    }

    /// The variable of a list.
    fn list(&mut self, name: &str, at: &Where) -> Option<Slot> {
        if self.lists.contains(name) {
            return self.builder.known_slot(name);
        }
        if self.builder.has_unknown_names() {
            return None;
        }
        let refusal = match self.builder.known_slot(name) {
            Some(_) => Refusal::new(format!("`{name}` holds one value")).remedy(format!(
                "extract all of them: {name} = {{ json = \"$.path\", all = true }}"
            )),
            None => {
                let refusal = Refusal::new(format!("no list is called `{name}`"));
                match nearest(name, self.lists.iter().map(String::as_str)) {
                    Some(near) => refusal.remedy(format!("did you mean `{near}`?")),
                    None => refusal.remedy(format!(
                        "extract it before: {name} = {{ json = \"$.path\", all = true }}"
                    )),
                }
            }
        };
        self.refuse(at, refusal);
        None
    }

    /// Rounds as long as there is a next `name_1`, `name_2`…, which the variable then holds.
    fn for_each(&mut self, name: &str, list: Slot, steps: Vec<Step>) -> Vec<Step> {
        let id = self.builder.call();
        // No template can name it.
        let place = self.builder.slot(&format!("(round {id})"));
        let current = Template(vec![Piece::Variable(place, "0".to_owned())]);
        let next = self.call(Function::Sum, vec![current, Template::text("1")]);
        let named = Template([vec![Piece::Text(format!("{name}_"))], next.0.clone()].concat());
        let value = self.call(Function::VariableByName, vec![named, Template::text(NO_VALUE)]);
        let condition =
            Condition::Compare(value.clone(), Comparison::NotEqual, Template::text(NO_VALUE));
        let mut round = vec![Step::Set(list, value), Step::Set(place, next)];
        round.extend(steps);
        let before = Step::Set(place, Template::text("0"));
        vec![before, Step::While { condition, steps: round }]
    }

    fn call(&mut self, function: Function, arguments: Vec<Template>) -> Template {
        let id = self.builder.call();
        Template(vec![Piece::Call(Box::new(Call { function, arguments, store: None, id }))])
    }
}

/// The keys of a request that were given.
fn of_requests(raw: &grammar::Request) -> Vec<(&'static str, &Where)> {
    [
        ("path", raw.path.is_present(), &raw.path.at),
        ("url", raw.url.is_present(), &raw.url.at),
        ("method", raw.method.is_present(), &raw.method.at),
        ("headers", raw.headers.is_present(), &raw.headers.at),
        ("body", raw.body.is_present(), &raw.body.at),
        ("json", raw.json.is_present(), &raw.json.at),
        ("form", raw.form.is_present(), &raw.form.at),
        ("multipart", raw.multipart.is_present(), &raw.multipart.at),
        ("file", raw.file.is_present(), &raw.file.at),
        ("message", raw.message.is_present(), &raw.message.at),
        ("binary", raw.binary.is_present(), &raw.binary.at),
        ("replies", raw.replies.is_present(), &raw.replies.at),
        ("until", raw.until.is_present(), &raw.until.at),
        ("check", raw.check.is_present(), &raw.check.at),
        ("extract", raw.extract.is_present(), &raw.extract.at),
        ("timeout", raw.timeout.is_present(), &raw.timeout.at),
        ("redirects", raw.redirects.is_present(), &raw.redirects.at),
    ]
    .into_iter()
    .filter(|(_, is_present, _)| *is_present)
    .map(|(name, _, at)| (name, at))
    .collect()
}
