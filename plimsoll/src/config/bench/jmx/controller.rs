//! Controllers and what lies within them, to steps.

use super::condition;
use super::convert::{Converter, LAST_SAMPLE_OK, Place, joined};
use super::scope::{Kind, Scope};
use super::text::{self, Part};
use super::tree::Element;
use crate::config::bench::model::{
    Choice, Comparison, Condition, Function, LabelKind, Pattern, Pause, Piece, ShareBound, Step,
    Template,
};
use crate::config::problem::shorten;

/// What leaving out a controller changes.
const EFFECT: &str = "nothing in it is done: its requests are not sent";

/// Stands for a variable that is unset where one is asked for by its name.
const NO_VALUE: &str = "<unset>";

impl Converter<'_> {
    /// What lies below a group or controller, with what happens at the beginning of each round.
    /// `scope` holds the children already.
    pub(super) fn steps<'e>(&mut self, children: &'e [Element], scope: &Scope<'e>) -> Vec<Step> {
        let mut steps = self.iterations(children);
        for child in children {
            steps.extend(self.child(child, scope));
        }
        steps
    }

    /// Rows and counters at the beginning of a round. Those below a sampler belong to the
    /// controller around it.
    fn iterations(&mut self, children: &[Element]) -> Vec<Step> {
        let mut steps = Vec::new();
        for child in children {
            match child.kind() {
                Kind::Iteration => steps.extend(self.iteration(child)),
                Kind::Sampler => steps.extend(self.iterations(&child.children)),
                _ => {}
            }
        }
        steps
    }

    fn child<'e>(&mut self, child: &'e Element, scope: &Scope<'e>) -> Vec<Step> {
        match child.kind() {
            Kind::Sampler => self.sampler(child, scope),
            Kind::Controller => {
                let scope = scope.within(&child.children);
                self.controller(child, &scope)
            }
            _ => Vec::new(),
        }
    }

    fn sampler<'e>(&mut self, sampler: &'e Element, scope: &Scope<'e>) -> Vec<Step> {
        match sampler.class.as_str() {
            "TestAction" => self.flow_control(sampler, &scope.within(&sampler.children)),
            // It asks nobody anything, but JMeter waits before it as before any other.
            "DebugSampler" => self.timers(&scope.within(&sampler.children)),
            _ => self.http_sampler(sampler, scope),
        }
    }

    /// `TestAction`: only its pause.
    fn flow_control(&mut self, sampler: &Element, scope: &Scope<'_>) -> Vec<Step> {
        let mut steps = self.timers(scope);
        let what = match sampler.trimmed("ActionProcessor.action") {
            "1" => {
                let duration = self.setting(sampler, "ActionProcessor.duration");
                if !matches!(duration.constant().map(str::trim), Some("" | "0")) {
                    steps.push(Step::Pause(Pause::Constant(duration)));
                }
                return steps;
            }
            "0" | "2" => "stops users",
            "3" => "begins the next iteration of the group",
            "4" => "begins the next iteration of a loop",
            "5" => "leaves a loop",
            _ => "does something unknown",
        };
        let place = Place::of(sampler, "ActionProcessor.action");
        self.unsupported(place, what, "users go on with what comes next");
        steps
    }

    fn controller<'e>(&mut self, element: &'e Element, scope: &Scope<'e>) -> Vec<Step> {
        let children = &element.children[..];
        match element.class.as_str() {
            "LoopController" => vec![self.repeat(element, scope)],
            "ForeachController" => self.for_each(element, scope).unwrap_or_default(),
            "WhileController" => self.while_controller(element, scope).unwrap_or_default(),
            "IfController" => self.if_controller(element, scope).unwrap_or_default(),
            "ThroughputController" => self.share(element, scope).into_iter().collect(),
            "TransactionController" => {
                let label = self.label(element, LabelKind::Transaction);
                // Plans of old do not say, and meant yes.
                let with_pauses =
                    element.text("TransactionController.includeTimers") != Some("false");
                let steps = self.steps(children, scope);
                vec![Step::Transaction { label, with_pauses, steps }]
            }
            "OnceOnlyController" => {
                let id = self.builder.once();
                vec![Step::Once { id, steps: self.steps(children, scope) }]
            }
            "InterleaveControl" => self.interleave(element, scope),
            "RandomController" => {
                let mut steps = self.iterations(children);
                let lists = self.lists(children, scope);
                let choices = lists.into_iter().map(|steps| Choice { weight: 1.0, steps });
                let choices: Vec<Choice> = choices.collect();
                if !choices.is_empty() {
                    steps.push(Step::Choose(choices));
                }
                steps
            }
            _ => self.steps(children, scope),
        }
    }

    fn lists<'e>(&mut self, children: &'e [Element], scope: &Scope<'e>) -> Vec<Vec<Step>> {
        let lists = children.iter().map(|child| self.child(child, scope));
        lists.filter(|steps| !steps.is_empty()).collect()
    }

    fn interleave<'e>(&mut self, element: &'e Element, scope: &Scope<'e>) -> Vec<Step> {
        let children = &element.children[..];
        let has_controllers = children.iter().any(|child| child.kind() == Kind::Controller);
        // 0 takes one request of a controller within at a time, 1 all of it.
        if element.trimmed("InterleaveControl.style") == "0" && has_controllers {
            let place = Place::of(element, "InterleaveControl.style");
            let what = "takes one request at a time of the controllers within";
            self.unsupported(place, what, "each turn takes all requests of a controller within");
        }
        if element.flag("InterleaveControl.accrossThreads") {
            let place = Place::of(element, "InterleaveControl.accrossThreads");
            let effect = "each user takes its turns for itself";
            self.unsupported(place, "shares its turns among users", effect);
        }
        let mut steps = self.iterations(children);
        let of = self.lists(children, scope);
        if !of.is_empty() {
            steps.push(Step::Interleave { id: self.builder.interleaving(), of });
        }
        steps
    }

    fn repeat<'e>(&mut self, element: &'e Element, scope: &Scope<'e>) -> Step {
        let times = self.setting(element, "LoopController.loops");
        let times = match times.constant().map(str::trim) {
            Some("-1") => None,
            Some("") => Some(Template::text("0")),
            Some(text) => Some(Template::text(text)),
            None => Some(times),
        };
        let steps = self.steps(&element.children, scope);
        let counter = self.builder.known_slot(&index_name(element));
        Step::Repeat { times, counter, steps }
    }

    /// `ForeachController`: rounds as long as there is a next `name_1`, `name_2`…
    fn for_each<'e>(&mut self, element: &'e Element, scope: &Scope<'e>) -> Option<Vec<Step>> {
        let input = self.fixed(element, "ForeachController.inputVal")?;
        let output = self.fixed(element, "ForeachController.returnVal")?;
        let first = self.whole(element, "ForeachController.startIndex");
        let last = self.number(element, "ForeachController.endIndex");
        let parted = element.text("ForeachController.useSeparator") != Some("false");
        let prefix = format!("{}{}", input.trim(), if parted { "_" } else { "" });
        self.names.dynamic = true;
        let index = self.builder.slot(&index_name(element));
        let place = Template(vec![Piece::Variable(index, first.to_string())]);
        let next = self.piece(Function::Sum, vec![place.clone(), Template::text("1")], None);
        let name = joined([Template::text(prefix.clone()), next.clone()]);
        let value = vec![name, Template::text(NO_VALUE)];
        let value = self.piece(Function::VariableByName, value, None);
        let none = Template::text(NO_VALUE);
        let mut conditions = vec![Condition::Compare(value.clone(), Comparison::NotEqual, none)];
        if let Some(last) = last {
            let last = Template::text(format!("{last}"));
            conditions.push(Condition::Compare(place, Comparison::Less, last));
        }
        let mut steps = vec![Step::Set(self.builder.slot(output.trim()), value)];
        steps.extend(self.steps(&element.children, scope));
        steps.push(Step::Set(index, next));
        let before = Step::Set(index, Template::text(first.to_string()));
        Some(vec![before, Step::While { condition: Condition::All(conditions), steps }])
    }

    fn share<'e>(&mut self, element: &'e Element, scope: &Scope<'e>) -> Option<Step> {
        let bound = if element.trimmed("ThroughputController.style") == "1" {
            let percent = self.number(element, "ThroughputController.percentThroughput");
            ShareBound::Percent(percent.unwrap_or(0.0).clamp(0.0, 100.0))
        } else {
            ShareBound::Times(self.whole(element, "ThroughputController.maxThroughput"))
        };
        let per_user = element.flag("ThroughputController.perThread");
        let id = self.builder.share();
        let steps = self.steps(&element.children, scope);
        Some(Step::Share { id, bound, per_user, steps })
    }

    fn if_controller<'e>(&mut self, element: &'e Element, scope: &Scope<'e>) -> Option<Vec<Step>> {
        let property = "IfController.condition";
        let raw = element.trimmed(property);
        let place = Place::of(element, property);
        let condition = match self.expression(raw, place) {
            Some(condition) => condition?,
            None if element.flag("IfController.useExpression") => {
                self.truth(raw, place, Condition::True)
            }
            None => {
                let template = self.template(raw, place);
                self.parsed(&template, raw, place)?
            }
        };
        let steps = self.steps(&element.children, scope);
        if !element.flag("IfController.evaluateAll") {
            return Some(vec![Step::If { condition, steps }]);
        }
        let one = |step| Step::If { condition: condition.clone(), steps: vec![step] };
        Some(steps.into_iter().map(one).collect())
    }

    /// The condition of a text that is nothing but an expression in JEXL or JavaScript; `None`
    /// inside where that is too much, outside where the text is something else.
    fn expression(&mut self, raw: &str, place: Place<'_>) -> Option<Option<Condition>> {
        let parts = text::parts(raw);
        let [Part::Call(name, arguments)] = &parts[..] else { return None };
        match name.trim() {
            "__jexl2" | "__jexl3" | "__javaScript" => {
                let argument = arguments.first()?;
                let parts = text::argument(argument);
                let template = self.pieces(parts, place, super::convert::NESTING);
                Some(self.parsed(&template, argument, place))
            }
            "__groovy" | "__BeanShell" => {
                let what = format!("calls `{name}`, which is not supported");
                self.unsupported(place, &what, EFFECT);
                Some(None)
            }
            _ => None,
        }
    }

    fn parsed(&mut self, template: &Template, raw: &str, place: Place<'_>) -> Option<Condition> {
        match condition::parse(self, template) {
            Ok(condition) => Some(condition),
            Err(problem) => {
                let shown = shorten(raw.trim());
                let what = format!("has the condition `{shown}`, which cannot be used: {problem}");
                self.unsupported(place, &what, EFFECT);
                None
            }
        }
    }

    /// A condition made of a text, unless that is JMeter's variable for the last success.
    fn truth(
        &mut self,
        raw: &str,
        place: Place<'_>,
        condition: fn(Template) -> Condition,
    ) -> Condition {
        let template = self.template(raw, place);
        let last_ok = self.builder.known_slot(LAST_SAMPLE_OK);
        match &template.0[..] {
            [Piece::Variable(slot, _)] if Some(*slot) == last_ok => Condition::LastSucceeded,
            _ => condition(template),
        }
    }

    /// An empty condition and `LAST` go on as long as requests succeed; the empty one begins
    /// whatever came before.
    fn while_controller<'e>(
        &mut self,
        element: &'e Element,
        scope: &Scope<'e>,
    ) -> Option<Vec<Step>> {
        let property = "WhileController.condition";
        let raw = element.trimmed(property);
        let place = Place::of(element, property);
        let mut before = Vec::new();
        let mut after = Vec::new();
        let condition = if raw.is_empty() {
            let slot = self.builder.slot(&format!("__while_{}", element.span.start));
            before.push(Step::Set(slot, Template::text("first")));
            after.push(Step::Set(slot, Template::text("later")));
            let round = Template(vec![Piece::Variable(slot, String::new())]);
            let first = Condition::Compare(round, Comparison::Equal, Template::text("first"));
            Condition::Any(vec![first, Condition::LastSucceeded])
        } else if raw.eq_ignore_ascii_case("LAST") {
            Condition::LastSucceeded
        } else {
            match self.expression(raw, place) {
                Some(condition) => condition?,
                None => self.truth(raw, place, not_false),
            }
        };
        let mut steps = self.steps(&element.children, scope);
        if let Some(index) = self.builder.known_slot(&index_name(element)) {
            let value = Template(vec![Piece::Variable(index, "0".to_owned())]);
            before.push(Step::Set(index, Template::text("0")));
            let next = vec![value, Template::text("1")];
            let next = self.piece(Function::Sum, next, None);
            after.push(Step::Set(index, next));
        }
        steps.extend(after);
        before.push(Step::While { condition, steps });
        Some(before)
    }
}

/// The variable in which JMeter counts the rounds of a controller.
pub(super) fn index_name(element: &Element) -> String {
    format!("__jm__{}__idx", element.name.trim())
}

/// JMeter goes on unless the text is `false`.
fn not_false(template: Template) -> Condition {
    // The expression is a constant that is known to be good.
    match regex::Regex::new(r"(?:\s*)[Ff][Aa][Ll][Ss][Ee](?:\s*)") {
        Ok(regex) => Condition::Not(Box::new(Condition::Matches(template, Pattern(regex)))),
        Err(_) => Condition::True(template),
    }
}
