//! Thread groups to groups: how many users there are when, and what each does.

use std::time::Duration;

use super::controller::index_name;
use super::convert::{Converter, Place, joined};
use super::report::subject;
use super::scope::{Kind, Scope};
use super::tree::{Element, find};
use crate::config::bench::model::{
    Closed, Cookies, Function, Group, Load, OnError, Stage, Step, Template,
};
use crate::config::problem::ConfigError;

/// Longest delay, ramp or duration of a group: a hundred years, which plans write for no end.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Most users of a group.
const USERS_MAX: u64 = 1_000_000;

impl Converter<'_> {
    /// A thread group; `None` where it does nothing or what it says was reported.
    pub(super) fn thread_group<'e>(
        &mut self,
        element: &'e Element,
        plan: &Scope<'e>,
        begins: Duration,
    ) -> Option<Group> {
        self.group += 1;
        self.connections.cookies.clear();
        self.new_user_each_iteration =
            element.text("ThreadGroup.same_user_on_next_iteration") == Some("false");
        let scope = plan.within(&element.children);
        let mut steps = self.plan_iterations(plan);
        steps.extend(self.steps(&element.children, &scope));
        if let Some(slot) = self.builder.known_slot(&index_name(element)) {
            let iteration = self.piece(Function::Iteration, Vec::new(), None);
            let index = vec![iteration, Template::text("-1")];
            let index = self.piece(Function::Sum, index, None);
            steps.insert(0, Step::Set(slot, index));
        }
        let load = self.load(element, begins)?;
        if !has_request(&steps) {
            let message = format!("{} sends no requests", subject(element));
            self.report.warn(&element.span, ConfigError::new("", message).note("it is left out"));
            return None;
        }
        let name = self.template(&element.name, Place { element, span: &element.span });
        let name = self.constant(&name, Place { element, span: &element.span })?;
        Some(Group {
            name,
            load,
            steps,
            fresh_users: false,
            cookies: self.group_cookies(element),
            on_error: match element.trimmed("ThreadGroup.on_sample_error") {
                "startnextloop" => OnError::NextIteration,
                "stopthread" => OnError::StopUser,
                "stoptest" | "stoptestnow" => OnError::StopRun,
                _ => OnError::Continue,
            },
        })
    }

    /// Rows and counters beside the groups are for each of them.
    fn plan_iterations(&mut self, plan: &Scope<'_>) -> Vec<Step> {
        let elements = plan.outward_in(Kind::Iteration);
        elements.into_iter().filter_map(|element| self.iteration(element)).collect()
    }

    fn load(&mut self, element: &Element, begins: Duration) -> Option<Load> {
        let users = self.number(element, "ThreadGroup.num_threads")?.max(0.0) as u64;
        if users > USERS_MAX {
            let message = format!("{} has too many threads", subject(element));
            let error = ConfigError::new("ThreadGroup.num_threads", message)
                .found(users.to_string())
                .allowed(format!("up to {USERS_MAX}"))
                .remedy("users are connections, not requests a second: see --rate for those");
            self.report.error(element.place("ThreadGroup.num_threads"), error);
            return None;
        }
        let iterations_per_user = self.loops(element)?;
        if users == 0 || iterations_per_user == Some(0) {
            let what = if users == 0 { "threads" } else { "loops" };
            let message = format!("{} has no {what}", subject(element));
            self.report.warn(&element.span, ConfigError::new("", message).note("it is left out"));
            return None;
        }
        let ramp = self.seconds(element, "ThreadGroup.ramp_time");
        let (delay, lasting) = self.schedule(element);
        if lasting.is_none() && iterations_per_user.is_none() {
            let message = format!("{} runs without an end", subject(element));
            let warning = ConfigError::new("", message)
                .remedy("stop it with Ctrl-C, or give the group a duration");
            self.report.warn(&element.span, warning);
        }
        let stages = stages(users as f64, begins.saturating_add(delay), ramp, lasting);
        Some(Load::Closed(Closed { stages, iterations_per_user, iterations: None }))
    }

    /// Iterations of each user: outside `None` where that was reported, inside for no end.
    fn loops(&mut self, element: &Element) -> Option<Option<u64>> {
        let controller = element.property("ThreadGroup.main_controller");
        let inner = controller.map_or(&[][..], |controller| controller.nested());
        let Some(loops) = find(inner, "LoopController.loops") else { return Some(Some(1)) };
        let place = Place { element, span: &loops.span };
        let template = self.template(loops.text().unwrap_or_default(), place);
        let text = self.constant(&template, place)?;
        let forever = find(inner, "LoopController.continue_forever");
        if forever.and_then(|forever| forever.text()) == Some("true") || text.trim() == "-1" {
            return Some(None);
        }
        match text.trim().parse() {
            Ok(number) => Some(Some(number)),
            Err(_) => {
                let message = format!("{} needs a number of loops", subject(element));
                let error = ConfigError::new("LoopController.loops", message)
                    .found(crate::config::problem::shorten(&text))
                    .allowed("a whole number, or -1 for no end");
                self.report.error(&loops.span, error);
                None
            }
        }
    }

    fn seconds(&mut self, element: &Element, name: &str) -> Duration {
        let number = self.number(element, name).unwrap_or(0.0).max(0.0);
        if number > LONGEST.as_secs_f64() {
            let message = format!("{} has a time that never ends", subject(element));
            let error = ConfigError::new(name, message)
                .found(crate::config::problem::shorten(element.trimmed(name)))
                .allowed(format!("up to {} seconds", LONGEST.as_secs()))
                .remedy("for no end leave the duration empty");
            self.report.error(element.place(name), error);
            return LONGEST;
        }
        Duration::from_secs_f64(number)
    }

    /// The delay before the group, and how long it lasts.
    fn schedule(&mut self, element: &Element) -> (Duration, Option<Duration>) {
        if !element.flag("ThreadGroup.scheduler") {
            return (Duration::ZERO, None);
        }
        let lasting = self.seconds(element, "ThreadGroup.duration");
        let delay = self.seconds(element, "ThreadGroup.delay");
        (delay, Some(lasting).filter(|lasting| !lasting.is_zero()))
    }

    /// How long a group takes in all, if its schedule says so: for groups that run one by one.
    pub(super) fn span_of(&mut self, element: &Element) -> Option<Duration> {
        let (delay, lasting) = self.schedule(element);
        lasting.map(|lasting| delay.saturating_add(lasting))
    }

    fn group_cookies(&mut self, element: &Element) -> Cookies {
        let kinds = std::mem::take(&mut self.connections.cookies);
        let managed = kinds.iter().flatten().next().is_some();
        if kinds.len() > 1 {
            let message = format!("requests of {} treat cookies differently", subject(element));
            let note = if managed { "all of them keep cookies" } else { "none keeps cookies" };
            self.report.warn(&element.span, ConfigError::new("", message).note(note));
        }
        match (managed, kinds.contains(&Some(true))) {
            (false, _) => Cookies::Ignored,
            (true, true) => Cookies::FreshEachIteration,
            (true, false) => Cookies::Kept,
        }
    }

    /// User-defined variables: constants at once, others as what each user begins with.
    pub(super) fn define(&mut self, element: &Element) {
        let members = match element.class.as_str() {
            "TestPlan" => element.members("TestPlan.user_defined_variables", "Arguments.arguments"),
            _ => element.collection("Arguments.arguments"),
        };
        for member in members {
            let place = Place { element, span: &member.span };
            let name = member.text_of("Argument.name").unwrap_or(&member.name).trim().to_owned();
            if name.is_empty() {
                continue;
            }
            let value = self.template(member.text_of("Argument.value").unwrap_or_default(), place);
            self.names.constants.remove(&name);
            match value.constant() {
                Some(constant) if !self.names.is_written(&name) => {
                    self.names.constants.insert(name, constant.to_owned());
                }
                constant => {
                    let sample = constant.map(str::to_owned);
                    let slot = self.builder.set_initial(&name, joined([value]));
                    self.samples.extend(sample.map(|sample| (slot, sample)));
                }
            }
        }
    }
}

/// Users one by one within the ramp, as JMeter starts them, and then all of them.
fn stages(users: f64, begins: Duration, ramp: Duration, lasting: Option<Duration>) -> Vec<Stage> {
    let mut stages = Vec::new();
    if !begins.is_zero() {
        stages.push(Stage { from: 0.0, to: 0.0, lasting: begins });
    }
    let ramping = lasting.map_or(ramp, |lasting| lasting.min(ramp));
    if !ramping.is_zero() {
        let share = ramping.as_secs_f64() / ramp.as_secs_f64();
        stages.push(Stage { from: 0.0, to: users * share, lasting: ramping });
    }
    let rest = lasting.map_or(Duration::MAX, |lasting| lasting.saturating_sub(ramp));
    if !rest.is_zero() {
        stages.push(Stage { from: users, to: users, lasting: rest });
    }
    stages
}

fn has_request(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Request(_) | Step::Message(_) => true,
        Step::Repeat { steps, .. }
        | Step::While { steps, .. }
        | Step::If { steps, .. }
        | Step::Share { steps, .. }
        | Step::Once { steps, .. }
        | Step::Transaction { steps, .. } => has_request(steps),
        Step::Choose(choices) => choices.iter().any(|choice| has_request(&choice.steps)),
        Step::Interleave { of, .. } => of.iter().any(|steps| has_request(steps)),
        Step::Pause(_) | Step::Pace(_) | Step::Set(..) | Step::Feed(_) => false,
    })
}
