//! A group's steps as a flat list of instructions, made once before the run.
//!
//! A user then is at one place in a list, instead of at a path through a tree: going on costs
//! nothing, and a user holds no reference into the plan. On the way the plan is searched for what
//! has to be counted or compiled before the run ([`Census`]).
//!
//! Invariants: every place an instruction jumps to is within the list or just behind it; each
//! [`Op::Repeat`] is left through its [`Op::Round`], or was never entered.

use std::collections::HashMap;

use regex::Regex;

use crate::config::bench::model::{
    Call, Condition, Extraction, FeedIndex, Function, LabelIndex, Message, MultipartContent, Pace,
    Pattern, Pause, Piece, Plan, Request, RequestBody, ShareBound, Slot, Step, Template, Test,
};

/// One instruction.
#[derive(Debug)]
pub(super) enum Op {
    /// Sends a request.
    Request(Box<Request>),
    /// Sends or awaits a message.
    Message(Box<Message>),
    /// Waits.
    Pause(Pause),
    /// Waits for its turn.
    Pace(Pace),
    /// Sets a variable.
    Set(Slot, Template),
    /// Takes a row.
    Feed(FeedIndex),
    /// Enters a loop, or goes to `end`.
    Repeat { times: Option<Template>, counter: Option<Slot>, end: usize },
    /// Ends a round of the innermost loop: back to `body`, or on.
    Round { body: usize, counter: Option<Slot> },
    /// Goes to `to` where the condition does not hold.
    Unless { condition: Condition, to: usize },
    /// Goes to.
    Jump(usize),
    /// Goes to one of `starts`, by sums of weights.
    Choose { sums: Vec<f64>, starts: Vec<usize> },
    /// Goes to the next of `starts`, or to `end` if there are none.
    Interleave { id: usize, starts: Vec<usize>, end: usize },
    /// Goes to `end` unless it is a round that counts.
    Share { id: usize, bound: ShareBound, per_user: bool, end: usize },
    /// Goes to `end` unless it is the first time.
    Once { id: usize, end: usize },
    /// Begins a transaction.
    Begin { label: LabelIndex, with_pauses: bool },
    /// Ends the innermost transaction.
    End,
}

/// What of a plan is counted or compiled before the run.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// One above the greatest id of a call.
    pub(super) calls: usize,
    /// One above the greatest id of a share.
    pub(super) shares: usize,
    /// One above the greatest id of a pace.
    pub(super) paces: usize,
    /// Whether variables are asked for by names that only the run knows.
    pub(super) by_name: bool,
    /// Expressions that must match as a whole, by their text, anchored.
    pub(super) whole: HashMap<String, Regex>,
}

impl Census {
    /// Of a plan's variables; groups are added by [`compile`].
    pub(super) fn of_variables(plan: &Plan) -> Self {
        let mut census = Self::default();
        plan.variables.iter().filter_map(|one| one.initial.as_ref()).for_each(|template| {
            census.template(template);
        });
        census
    }

    fn template(&mut self, template: &Template) {
        for piece in &template.0 {
            if let Piece::Call(call) = piece {
                self.call(call);
            }
        }
    }

    fn call(&mut self, call: &Call) {
        self.calls = self.calls.max(call.id + 1);
        self.by_name |= matches!(call.function, Function::VariableByName | Function::Evaluate);
        call.arguments.iter().for_each(|argument| self.template(argument));
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::True(template) => self.template(template),
            Condition::Compare(left, _, right) => {
                self.template(left);
                self.template(right);
            }
            Condition::Matches(template, pattern) => {
                self.template(template);
                self.pattern(pattern);
            }
            Condition::All(of) | Condition::Any(of) => {
                of.iter().for_each(|one| self.condition(one));
            }
            Condition::Not(one) => self.condition(one),
            Condition::LastSucceeded => {}
        }
    }

    /// Compiles the expression so that it matches wholes only: looking whether the leftmost match
    /// is the whole would miss `a|ab` of `ab`.
    fn pattern(&mut self, pattern: &Pattern) {
        let text = pattern.0.as_str();
        if !self.whole.contains_key(text)
            && let Ok(anchored) = Regex::new(&format!(r"\A(?:{text})\z"))
        {
            self.whole.insert(text.to_owned(), anchored);
        }
    }

    fn pause(&mut self, pause: &Pause) {
        match pause {
            Pause::Constant(one) => self.template(one),
            Pause::Uniform { from: one, to: two }
            | Pause::Gaussian { mean: one, deviation: two }
            | Pause::Poisson { offset: one, lambda: two } => {
                self.template(one);
                self.template(two);
            }
        }
    }

    fn request(&mut self, request: &Request) {
        self.template(&request.method);
        self.template(&request.url);
        request.headers.iter().for_each(|(_, value)| self.template(value));
        match &request.body {
            RequestBody::None | RequestBody::File(_) => {}
            RequestBody::Text(text) => self.template(text),
            RequestBody::Form(fields) => fields.iter().for_each(|(name, value)| {
                self.template(name);
                self.template(value);
            }),
            RequestBody::Multipart(fields) => fields.iter().for_each(|field| {
                self.template(&field.name);
                if let MultipartContent::Text(text) = &field.content {
                    self.template(text);
                }
            }),
        }
        self.extractions(&request.extract);
        request.checks.iter().for_each(|check| self.test(&check.test));
    }

    fn message(&mut self, message: &Message) {
        self.template(&message.url);
        message.headers.iter().for_each(|(_, value)| self.template(value));
        message.send.iter().for_each(|text| self.template(text));
        self.extractions(&message.extract);
        message.checks.iter().for_each(|check| self.test(&check.test));
    }

    fn extractions(&mut self, extractions: &[Extraction]) {
        extractions.iter().filter_map(|one| one.default.as_ref()).for_each(|template| {
            self.template(template);
        });
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Equals(text) | Test::Contains(text) => self.template(text),
            Test::Matches(pattern) => self.pattern(pattern),
            Test::Any(tests) => tests.iter().for_each(|one| self.test(one)),
            Test::Exists | Test::Finds(_) | Test::Within(_) | Test::Faster(_) | Test::Size(..) => {}
        }
    }
}

/// Makes instructions of a group's steps.
pub(super) fn compile(steps: &[Step], census: &mut Census) -> Vec<Op> {
    let mut compiler = Compiler { ops: Vec::new(), census };
    compiler.steps(steps);
    compiler.ops
}

struct Compiler<'c> {
    ops: Vec<Op>,
    census: &'c mut Census,
}

impl Compiler<'_> {
    fn steps(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request(request) => {
                self.census.request(request);
                self.ops.push(Op::Request(request.clone()));
            }
            Step::Message(message) => {
                self.census.message(message);
                self.ops.push(Op::Message(message.clone()));
            }
            Step::Pause(pause) => {
                self.census.pause(pause);
                self.ops.push(Op::Pause(pause.clone()));
            }
            Step::Pace(pace) => {
                self.census.template(&pace.per_minute);
                self.census.paces = self.census.paces.max(pace.id + 1);
                self.ops.push(Op::Pace(pace.clone()));
            }
            Step::Set(slot, template) => {
                self.census.template(template);
                self.ops.push(Op::Set(*slot, template.clone()));
            }
            Step::Feed(feed) => self.ops.push(Op::Feed(*feed)),
            Step::Repeat { times, counter, steps } => self.repeat(times.as_ref(), *counter, steps),
            Step::While { condition, steps } => {
                let back = self.ops.len();
                self.branch(condition, steps, Some(back));
            }
            Step::If { condition, steps } => self.branch(condition, steps, None),
            Step::Choose(choices) => {
                self.choose(choices.iter().map(|one| (one.weight, &one.steps)))
            }
            Step::Interleave { id, of } => {
                let at = self.reserve();
                let (starts, end) = self.ways(of.iter());
                self.ops[at] = Op::Interleave { id: *id, starts, end };
            }
            Step::Share { id, bound, per_user, steps } => {
                self.census.shares = self.census.shares.max(id + 1);
                let at = self.reserve();
                self.steps(steps);
                let (bound, end) = (bound.clone(), self.ops.len());
                self.ops[at] = Op::Share { id: *id, bound, per_user: *per_user, end };
            }
            Step::Once { id, steps } => {
                let at = self.reserve();
                self.steps(steps);
                self.ops[at] = Op::Once { id: *id, end: self.ops.len() };
            }
            Step::Transaction { label, with_pauses, steps } => {
                self.ops.push(Op::Begin { label: *label, with_pauses: *with_pauses });
                self.steps(steps);
                self.ops.push(Op::End);
            }
        }
    }

    fn repeat(&mut self, times: Option<&Template>, counter: Option<Slot>, steps: &[Step]) {
        if let Some(times) = times {
            self.census.template(times);
        }
        let at = self.reserve();
        self.steps(steps);
        self.ops.push(Op::Round { body: at + 1, counter });
        self.ops[at] = Op::Repeat { times: times.cloned(), counter, end: self.ops.len() };
    }

    fn branch(&mut self, condition: &Condition, steps: &[Step], back: Option<usize>) {
        self.census.condition(condition);
        let at = self.reserve();
        self.steps(steps);
        if let Some(back) = back {
            self.ops.push(Op::Jump(back));
        }
        self.ops[at] = Op::Unless { condition: condition.clone(), to: self.ops.len() };
    }

    fn choose<'s>(&mut self, choices: impl Iterator<Item = (f64, &'s Vec<Step>)>) {
        let (weights, lists): (Vec<f64>, Vec<&Vec<Step>>) = choices.unzip();
        let sums = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight.max(0.0);
            Some(*sum)
        });
        let sums = sums.collect();
        let at = self.reserve();
        let (starts, _) = self.ways(lists.into_iter());
        self.ops[at] = Op::Choose { sums, starts };
    }

    /// Lists of steps one behind the other, each of which goes on behind the last of them: where
    /// each begins, and that place.
    fn ways<'s>(&mut self, lists: impl Iterator<Item = &'s Vec<Step>>) -> (Vec<usize>, usize) {
        let mut starts = Vec::new();
        let mut exits = Vec::new();
        for steps in lists {
            starts.push(self.ops.len());
            self.steps(steps);
            exits.push(self.reserve());
        }
        let end = self.ops.len();
        exits.into_iter().for_each(|exit| self.ops[exit] = Op::Jump(end));
        (starts, end)
    }

    /// A place for an instruction that is known later.
    fn reserve(&mut self) -> usize {
        self.ops.push(Op::Jump(self.ops.len() + 1));
        self.ops.len() - 1
    }
}
