//! Timers to waits before a request.
//!
//! JMeter adds up what all timers in scope demand and waits once. Here each is a step of its own;
//! paces come first, so that what is waited in all is the same sum.

use super::convert::{Converter, Place};
use super::scope::{Kind, Scope};
use super::tree::Element;
use crate::config::bench::model::{Pace, PaceScope, Pause, Step, Template};
use crate::config::problem::ConfigError;

impl Converter<'_> {
    /// The waits before the sampler whose scope this is.
    pub(super) fn timers(&mut self, scope: &Scope<'_>) -> Vec<Step> {
        let (mut paces, mut pauses) = (Vec::new(), Vec::new());
        for timer in scope.inward_out(Kind::Timer) {
            match timer.class.as_str() {
                "ConstantThroughputTimer" => paces.extend(self.throughput_timer(timer)),
                "PreciseThroughputTimer" => paces.extend(self.precise_timer(timer)),
                _ => pauses.push(Step::Pause(self.pause(timer))),
            }
        }
        paces.extend(pauses);
        paces
    }

    fn pause(&mut self, timer: &Element) -> Pause {
        let delay = self.setting(timer, "ConstantTimer.delay");
        let delay = zero_if_empty(delay);
        let range = self.setting(timer, "RandomTimer.range");
        let range = zero_if_empty(range);
        match timer.class.as_str() {
            "UniformRandomTimer" => {
                let to = self.sum(&delay, &range);
                Pause::Uniform { from: delay, to }
            }
            "GaussianRandomTimer" => Pause::Gaussian { mean: delay, deviation: range },
            "PoissonRandomTimer" => Pause::Poisson { offset: delay, lambda: range },
            _ => Pause::Constant(delay),
        }
    }

    /// `calcMode` 0 counts each user for itself; 1 and 3 all users, 2 and 4 those of the group.
    /// Modes 1 and 2 share the rate out evenly among users, which comes to the same in all.
    fn throughput_timer(&mut self, timer: &Element) -> Option<Step> {
        let per_minute = self.setting(timer, "throughput");
        let mode = timer.trimmed("calcMode");
        let scope = match mode {
            "" | "0" | "calcMode.1" | "this thread only" => PaceScope::User,
            "1"
            | "3"
            | "calcMode.2"
            | "calcMode.4"
            | "all active threads"
            | "all active threads (shared)" => PaceScope::Plan,
            "2"
            | "4"
            | "calcMode.3"
            | "calcMode.5"
            | "all active threads in current thread group"
            | "all active threads in current thread group (shared)" => PaceScope::Group,
            other => {
                let what = format!("has the unknown mode `{other}`");
                let effect = "users do not wait for it, so they ask more often";
                self.unsupported(Place::of(timer, "calcMode"), &what, effect);
                return None;
            }
        };
        Some(self.pace(timer, per_minute, scope))
    }

    /// Its arrivals are random within an exact number; a pace keeps the number alone.
    fn precise_timer(&mut self, timer: &Element) -> Option<Step> {
        let batch = self.number(timer, "batchSize").unwrap_or(1.0);
        if batch > 1.0 {
            let effect = "requests come one by one";
            self.unsupported(Place::of(timer, "batchSize"), "makes batches", effect);
        }
        let throughput = self.number(timer, "throughput")?;
        let period = self.number(timer, "throughputPeriod").filter(|period| *period > 0.0)?;
        let warning = ConfigError::new(
            "",
            "the precise throughput timer is kept as an even pace, not with random arrivals",
        )
        .remedy("use an open model (--rate with --poisson) where arrivals matter");
        self.report.warn(&timer.span, warning);
        let per_minute = Template::text(format!("{}", throughput * 60.0 / period));
        Some(self.pace(timer, per_minute, PaceScope::Group))
    }

    /// A timer above several groups is one for all of them if it counts all users together.
    fn pace(&mut self, timer: &Element, per_minute: Template, scope: PaceScope) -> Step {
        let group = (scope != PaceScope::Plan).then_some(self.group);
        let key = (timer.span.start, group);
        let builder = &mut self.builder;
        let id = *self.paces.entry(key).or_insert_with(|| builder.pace());
        Step::Pace(Pace { id, per_minute, scope })
    }
}

fn zero_if_empty(template: Template) -> Template {
    match template.constant().map(str::trim) {
        Some("") => Template::text("0"),
        Some(text) => Template::text(text),
        None => template,
    }
}
