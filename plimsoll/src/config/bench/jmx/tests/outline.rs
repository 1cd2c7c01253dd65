//! A plan as text that people can read and tests can compare.

use std::fmt::Write;
use std::time::Duration;

use crate::config::bench::model::{
    Call, Check, Closed, Condition, Extraction, Finder, Group, Load, MultipartContent, Pause,
    Piece, Plan, Request, RequestBody, ShareBound, Step, Template, Test,
};

/// Rows of a feed that are shown.
const ROWS: usize = 2;

/// The whole plan.
pub(super) fn outline(plan: &Plan) -> String {
    let mut outline = Outline { plan, text: String::new(), depth: 0 };
    outline.plan();
    outline.text
}

struct Outline<'p> {
    plan: &'p Plan,
    text: String,
    depth: usize,
}

impl Outline<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref().replace('\n', "\\n").replace('\r', "\\r");
        let indent = "  ".repeat(self.depth);
        writeln!(self.text, "{indent}{line}").unwrap();
    }

    fn plan(&mut self) {
        let plan = self.plan;
        self.line(format!("plan \"{}\"", plan.name));
        let http = &plan.http;
        self.line(format!(
            "http {:?}, keep alive {}, connect within {:?}, answer within {:?}, insecure {}",
            http.version, http.keep_alive, http.connect_timeout, http.timeout, http.tls.insecure
        ));
        for variable in &plan.variables {
            let initial = variable.initial.as_ref().map(|initial| self.template(initial));
            let initial = initial.map_or("unset".to_owned(), |initial| format!("= \"{initial}\""));
            self.line(format!("variable {} {initial}", variable.name));
        }
        for (index, feed) in plan.feeds.iter().enumerate() {
            let names: Vec<&str> =
                feed.columns.iter().map(|slot| plan.variables[*slot].name.as_str()).collect();
            let rows: Vec<String> = feed.rows.iter().take(ROWS).map(|row| row.join("|")).collect();
            self.line(format!(
                "feed {index} ({}): {} rows, first {}; {:?}, {:?}, per user {}",
                names.join(", "),
                feed.rows.len(),
                rows.join(" / "),
                feed.order,
                feed.at_end,
                feed.per_user
            ));
        }
        for group in &plan.groups {
            self.group(group);
        }
    }

    fn group(&mut self, group: &Group) {
        self.line(format!(
            "group \"{}\": cookies {:?}, on error {:?}",
            group.name, group.cookies, group.on_error
        ));
        self.depth += 1;
        let Load::Closed(Closed { stages, iterations_per_user, iterations }) = &group.load else {
            panic!("thread groups are closed")
        };
        assert_eq!(*iterations, None);
        let lasting = |lasting: Duration| match lasting {
            Duration::MAX => "ever".to_owned(),
            other => format!("{other:?}"),
        };
        let stages: Vec<String> = stages
            .iter()
            .map(|stage| format!("{}..{} for {}", stage.from, stage.to, lasting(stage.lasting)))
            .collect();
        let iterations = iterations_per_user.map_or("any".to_owned(), |count| count.to_string());
        self.line(format!("users {}; iterations {iterations}", stages.join(", ")));
        self.steps(&group.steps);
        self.depth -= 1;
    }

    fn block(&mut self, head: String, steps: &[Step]) {
        self.line(head);
        self.depth += 1;
        self.steps(steps);
        self.depth -= 1;
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request(request) => self.request(request),
            Step::Message(_) => panic!("JMeter plans hold no messages"),
            Step::Pause(pause) => {
                let pause = self.pause(pause);
                self.line(format!("pause {pause}"));
            }
            Step::Pace(pace) => {
                let rate = self.template(&pace.per_minute);
                self.line(format!("pace #{} {rate}/min, {:?}", pace.id, pace.scope));
            }
            Step::Set(slot, value) => {
                let value = self.template(value);
                self.line(format!("set {} = \"{value}\"", self.name(*slot)));
            }
            Step::Feed(feed) => self.line(format!("feed {feed}")),
            Step::Repeat { times, counter, steps } => {
                let times = times.as_ref().map_or("for ever".to_owned(), |t| self.template(t));
                let counter = counter.map_or(String::new(), |s| format!(" as {}", self.name(s)));
                self.block(format!("repeat {times}{counter}"), steps);
            }
            Step::While { condition, steps } => {
                self.block(format!("while {}", self.condition(condition)), steps);
            }
            Step::If { condition, steps } => {
                self.block(format!("if {}", self.condition(condition)), steps);
            }
            Step::Choose(choices) => {
                self.line("choose");
                self.depth += 1;
                for choice in choices {
                    self.block(format!("weight {}", choice.weight), &choice.steps);
                }
                self.depth -= 1;
            }
            Step::Interleave { id, of } => {
                self.line(format!("interleave #{id}"));
                self.depth += 1;
                for steps in of {
                    self.block("turn".to_owned(), steps);
                }
                self.depth -= 1;
            }
            Step::Share { id, bound, per_user, steps } => {
                let bound = match bound {
                    ShareBound::Percent(percent) => format!("{percent} %"),
                    ShareBound::Times(times) => format!("{times} times"),
                };
                self.block(format!("share #{id} {bound}, per user {per_user}"), steps);
            }
            Step::Once { id, steps } => self.block(format!("once #{id}"), steps),
            Step::Transaction { label, with_pauses, steps } => {
                let name = &self.plan.labels[*label].name;
                self.block(format!("transaction \"{name}\", with pauses {with_pauses}"), steps);
            }
        }
    }

    fn pause(&self, pause: &Pause) -> String {
        let show = |template| self.template(template);
        match pause {
            Pause::Constant(length) => show(length),
            Pause::Uniform { from, to } => format!("{} to {}", show(from), show(to)),
            Pause::Gaussian { mean, deviation } => {
                format!("around {} by {}", show(mean), show(deviation))
            }
            Pause::Poisson { offset, lambda } => {
                format!("{} and Poisson {}", show(offset), show(lambda))
            }
        }
    }

    fn request(&mut self, request: &Request) {
        let label = &self.plan.labels[request.label].name;
        let (method, url) = (self.template(&request.method), self.template(&request.url));
        let redirects = request.redirects_max;
        let timeout = request.timeout.map_or(String::new(), |t| format!(", within {t:?}"));
        self.line(format!("{method} {url} as \"{label}\", redirects {redirects}{timeout}"));
        self.depth += 1;
        for (name, value) in &request.headers {
            let value = self.template(value);
            self.line(format!("header {name}: {value}"));
        }
        self.body(&request.body);
        for extraction in &request.extract {
            self.extraction(extraction);
        }
        for check in &request.checks {
            self.check(check);
        }
        self.depth -= 1;
    }

    fn body(&mut self, body: &RequestBody) {
        match body {
            RequestBody::None => {}
            RequestBody::Text(text) => {
                let text = self.template(text);
                self.line(format!("body \"{text}\""));
            }
            RequestBody::File(bytes) => self.line(format!("body of {} bytes", bytes.len())),
            RequestBody::Form(fields) => {
                for (name, value) in fields {
                    let (name, value) = (self.template(name), self.template(value));
                    self.line(format!("field {name}={value}"));
                }
            }
            RequestBody::Multipart(fields) => {
                for field in fields {
                    let name = self.template(&field.name);
                    let kind = field.content_type.as_deref().unwrap_or("no type");
                    let content = match &field.content {
                        MultipartContent::Text(text) => format!("\"{}\"", self.template(text)),
                        MultipartContent::File(file, bytes) => {
                            format!("file {file} of {} bytes", bytes.len())
                        }
                    };
                    self.line(format!("part {name} ({kind}): {content}"));
                }
            }
        }
    }

    fn extraction(&mut self, extraction: &Extraction) {
        let default = extraction.default.as_ref().map(|default| self.template(default));
        let mut line = format!(
            "extract {} = {} of {:?}, match {}, default {default:?}",
            self.name(extraction.into),
            finder(&extraction.what),
            extraction.from,
            extraction.number,
        );
        for (number, slot) in &extraction.groups {
            write!(line, ", group {number:?} into {}", self.name(*slot)).unwrap();
        }
        if let Some(slot) = extraction.all.count {
            write!(line, ", count into {}", self.name(slot)).unwrap();
        }
        for (number, slot) in &extraction.all.each {
            write!(line, ", match {number} into {}", self.name(*slot)).unwrap();
        }
        for (number, part, slot) in &extraction.all.groups {
            write!(line, ", group {part:?} of match {number} into {}", self.name(*slot)).unwrap();
        }
        self.line(line);
    }

    fn check(&mut self, check: &Check) {
        let not = if check.not { "not " } else { "" };
        let what = match &check.what {
            Finder::Whole => String::new(),
            other => format!("{} of ", finder(other)),
        };
        let test = self.test(&check.test);
        self.line(format!("check \"{}\": {what}{:?} {not}{test}", check.name, check.of));
    }

    fn test(&self, test: &Test) -> String {
        match test {
            Test::Exists => "exists".to_owned(),
            Test::Equals(text) => format!("equals \"{}\"", self.template(text)),
            Test::Contains(text) => format!("contains \"{}\"", self.template(text)),
            Test::Finds(pattern) => format!("finds /{}/", pattern.0),
            Test::Matches(pattern) => format!("matches /{}/", pattern.0),
            Test::Within(ranges) => format!("within {ranges:?}"),
            Test::Faster(most) => format!("faster than {most:?}"),
            Test::Size(comparison, size) => format!("has size {comparison:?} {size}"),
            Test::Any(tests) => {
                let tests: Vec<String> = tests.iter().map(|test| self.test(test)).collect();
                format!("any of: {}", tests.join("; "))
            }
        }
    }

    fn condition(&self, condition: &Condition) -> String {
        let list = |conditions: &[Condition], join: &str| {
            let all: Vec<String> = conditions.iter().map(|each| self.condition(each)).collect();
            format!("({})", all.join(join))
        };
        match condition {
            Condition::True(text) => format!("true \"{}\"", self.template(text)),
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (self.template(left), self.template(right));
                format!("\"{left}\" {comparison:?} \"{right}\"")
            }
            Condition::Matches(text, pattern) => {
                format!("\"{}\" matches /{}/", self.template(text), pattern.0)
            }
            Condition::All(conditions) => list(conditions, " and "),
            Condition::Any(conditions) => list(conditions, " or "),
            Condition::Not(condition) => format!("not {}", self.condition(condition)),
            Condition::LastSucceeded => "last succeeded".to_owned(),
        }
    }

    fn name(&self, slot: usize) -> &str {
        &self.plan.variables[slot].name
    }

    fn template(&self, template: &Template) -> String {
        let mut text = String::new();
        for piece in &template.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Variable(slot, unset) => {
                    let name = self.name(*slot);
                    if *unset == format!("${{{name}}}") {
                        write!(text, "${{{name}}}").unwrap();
                    } else {
                        write!(text, "${{{name} or \"{unset}\"}}").unwrap();
                    }
                }
                Piece::Call(call) => text.push_str(&self.call(call)),
            }
        }
        text
    }

    fn call(&self, call: &Call) -> String {
        let arguments: Vec<String> =
            call.arguments.iter().map(|argument| self.template(argument)).collect();
        let store = call.store.map_or(String::new(), |slot| format!(" into {}", self.name(slot)));
        format!("{{{{{:?}({}){store}}}}}", call.function, arguments.join("; "))
    }
}

fn finder(finder: &Finder) -> String {
    match finder {
        Finder::Whole => "whole".to_owned(),
        Finder::Regex(pattern, template) => format!("/{}/ as {template}", pattern.0),
        Finder::Json(path) => format!("json {path}"),
        Finder::Between(left, right) => format!("between \"{left}\" and \"{right}\""),
    }
}
