//! A whole plan: its variables first, then its groups, then what all requests have in common.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::convert::{Connections, Converter};
use super::names::Names;
use super::property;
use super::report::{Report, subject};
use super::scope::{Kind, Scope};
use super::tree::Element;
use super::{JmxOptions, Loaded};
use crate::config::bench::builder::Builder;
use crate::config::bench::model::{
    Group, HttpSettings, HttpVersion, Part, Plan, ServedBy, Template, Tls,
};
use crate::config::bench::settings;
use crate::config::problem::{ConfigError, ConfigErrors, Source};

/// Most time to connect, where a plan does not say. JMeter leaves it to the system.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Most time for an answer, where a plan does not say. JMeter waits without an end.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Requests at once on an HTTP/2 connection, which JMeter does not speak.
const STREAMS: usize = 1;

/// Elements to a plan.
pub(super) fn convert(
    source: &Source,
    roots: &[Element],
    base: &Path,
    options: &JmxOptions,
) -> Result<Loaded, ConfigErrors> {
    let Some(plan) = roots.iter().find(|element| element.class == "TestPlan") else {
        let error = ConfigError::new("", "the file has no enabled test plan")
            .remedy("save the whole plan in JMeter rather than a part of it");
        return Err(error.into());
    };
    let path = Path::new(&source.name);
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut converter = Converter {
        options,
        base,
        report: Report::new(source, options.skip_unsupported),
        builder: Builder::default(),
        names: Names::collect(std::slice::from_ref(plan)),
        file_name,
        counting: HashMap::new(),
        sampler: None,
        group: 0,
        new_user_each_iteration: false,
        feeds: HashMap::new(),
        paces: HashMap::new(),
        counters: HashMap::new(),
        filled_in: 0,
        samples: HashMap::new(),
        connections: Connections::default(),
    };
    converter.define(plan);
    converter.define_all(&plan.children);
    converter.survey(&plan.children);
    let groups = converter.groups(plan);
    converter.finish(plan, groups, source)
}

impl Converter<'_> {
    /// JMeter defines all variables before it begins, wherever they stand.
    fn define_all(&mut self, elements: &[Element]) {
        for element in elements {
            match element.kind() {
                Kind::Variables => self.define(element),
                Kind::Iteration if element.class == "CSVDataSet" => self.name_columns(element),
                _ => {}
            }
            self.define_all(&element.children);
        }
    }

    /// Tells of all elements that cannot be done, once each.
    fn survey(&mut self, elements: &[Element]) {
        for element in elements {
            match element.kind() {
                Kind::Unsupported(effect) => {
                    let place = super::convert::Place { element, span: &element.span };
                    self.unsupported(place, "is not supported", effect);
                }
                Kind::Listener => {}
                _ => self.survey(&element.children),
            }
        }
    }

    fn groups(&mut self, plan: &Element) -> Vec<Group> {
        let scope = Scope::new(&plan.children);
        let elements: Vec<&Element> =
            plan.children.iter().filter(|child| child.kind() == Kind::Group).collect();
        let mut one_by_one = plan.flag("TestPlan.serialize_threadgroups") && elements.len() > 1;
        let mut begins = Duration::ZERO;
        let mut groups = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            groups.extend(self.thread_group(element, &scope, begins));
            if !one_by_one || index + 1 == elements.len() {
                continue;
            }
            // The next can only begin at a known time.
            if let Some(span) = self.span_of(element) {
                begins = begins.saturating_add(span);
            } else {
                let place = super::convert::Place::of(plan, "TestPlan.serialize_threadgroups");
                let what = "runs its groups one by one, though not all have a duration";
                self.unsupported(place, what, "groups run at the same time");
                one_by_one = false;
            }
        }
        groups
    }

    fn finish(
        mut self,
        plan: &Element,
        mut groups: Vec<Group>,
        source: &Source,
    ) -> Result<Loaded, ConfigErrors> {
        if groups.is_empty() {
            let error = ConfigError::new("", format!("{} has nothing to run", subject(plan)))
                .remedy("it needs an enabled thread group with an enabled HTTP request");
            // Whatever else is wrong is the reason for it.
            if !self.report.has_failed() {
                self.report.error(&plan.span, error);
            }
        }
        for group in &mut groups {
            self.derive(&mut group.steps);
        }
        let http = self.http_settings(plan);
        if self.names.dynamic {
            for (name, value) in &self.names.constants {
                self.builder.set_initial(name, Template::text(value.clone()));
            }
        }
        let place = super::convert::Place { element: plan, span: &plan.span };
        let name = self.template(&plan.name, place);
        let name = name.constant().unwrap_or(&plan.name).trim();
        let name = if name.is_empty() { &self.file_name } else { name };
        let name = name.to_owned();
        let left_out = self.report.left_out();
        let warnings = self.report.finish()?;
        let lists = self.builder.finish();
        let plan = Plan {
            name,
            source: source.name.clone(),
            groups,
            labels: lists.labels,
            variables: lists.variables,
            feeds: lists.feeds,
            http,
            served_by: Some(ServedBy::Header(settings::SERVED_BY.to_owned())),
            thresholds: Vec::new(),
            threads: None,
            part: Part::WHOLE,
            seed: None,
            left_out,
        };
        let asked = property::asked(&source.text);
        Ok(Loaded { plan, warnings, asked })
    }

    /// What samplers say of connections, joined to one answer.
    fn http_settings(&mut self, plan: &Element) -> HttpSettings {
        if self.connections.keep_alive.len() > 1 {
            let message = "requests differ in whether they keep connections alive";
            let warning = ConfigError::new("", message).note("all of them do");
            self.report.warn(&plan.span, warning);
        }
        if self.connections.connect_timeouts.len() > 1 {
            let message = "requests differ in their connect timeouts";
            let warning = ConfigError::new("", message).note("the longest counts for all");
            self.report.warn(&plan.span, warning);
        }
        let connect = match self.connections.connect_timeouts.iter().next_back() {
            Some(longest) if *longest > 0 => Duration::from_millis(*longest),
            _ => CONNECT_TIMEOUT,
        };
        HttpSettings {
            version: HttpVersion::Http1,
            keep_alive: !self.connections.keep_alive.iter().all(|keep| !keep)
                || self.connections.keep_alive.is_empty(),
            streams: STREAMS,
            connect_timeout: connect,
            timeout: TIMEOUT,
            unix: None,
            // JMeter trusts every certificate.
            tls: Tls { insecure: true, ..Tls::default() },
        }
    }
}
