//! What a user does: requests, messages, waits, and how they follow each other.

use std::sync::Arc;
use std::time::Duration;

use super::{Check, Condition, Extraction, FeedIndex, LabelIndex, Pattern, Slot, Template};

/// What a user does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends a request and reads the answer.
    Request(Box<Request>),
    /// Sends a WebSocket message and awaits what is to come back.
    Message(Box<Message>),
    /// Waits.
    Pause(Pause),
    /// Waits as long as keeps the group's rate of this step at or below a bound.
    Pace(Pace),
    /// Sets a variable.
    Set(Slot, Template),
    /// Takes the next row of a feed.
    Feed(FeedIndex),
    /// Does the steps several times.
    Repeat {
        /// How often, a whole number once rendered; `None` for ever.
        times: Option<Template>,
        /// Receives the number of the round, from 0.
        counter: Option<Slot>,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Does the steps as long as a condition holds.
    While {
        /// Asked before each round.
        condition: Condition,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Does the steps if a condition holds.
    If {
        /// Asked once.
        condition: Condition,
        /// What is done.
        steps: Vec<Step>,
    },
    /// Does one of several lists of steps, picked at random by weight.
    Choose(Vec<Choice>),
    /// Does the next of several lists of steps each time, in turn for each user.
    Interleave {
        /// Which interleaving this is, from 0 in each plan.
        id: usize,
        /// The lists.
        of: Vec<Vec<Step>>,
    },
    /// Does the steps only now and then, or only so often.
    Share {
        /// Which share this is, from 0 in each plan.
        id: usize,
        /// How often.
        bound: ShareBound,
        /// Whether each user counts for itself.
        per_user: bool,
        /// What is done.
        steps: Vec<Step>,
    },
    /// Does the steps once for each user, in its first iteration.
    Once {
        /// Which of these this is, from 0 in each plan.
        id: usize,
        /// What is done.
        steps: Vec<Step>,
    },
    /// Does the steps and measures them together.
    Transaction {
        /// A label of kind transaction.
        label: LabelIndex,
        /// Whether pauses count.
        with_pauses: bool,
        /// What is measured.
        steps: Vec<Step>,
    },
}

/// One of several ways.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its share is this by the sum of all; at least one is above 0.
    pub weight: f64,
    /// What is done.
    pub steps: Vec<Step>,
}

/// How often a share is done.
#[derive(Debug, Clone, PartialEq)]
pub enum ShareBound {
    /// In this percentage of the rounds, spread evenly.
    Percent(f64),
    /// This often in all.
    Times(u64),
}

/// A request over HTTP.
#[derive(Debug, Clone)]
pub struct Request {
    /// What its figures are kept under.
    pub label: LabelIndex,
    /// As sent, in capitals.
    pub method: Template,
    /// Absolute: `http://…`, `https://…`.
    pub url: Template,
    /// In the order in which they are sent, besides those that framing needs.
    pub headers: Vec<(String, Template)>,
    /// What is sent.
    pub body: RequestBody,
    /// Most time from sending to the end of the answer; that of [`HttpSettings`] without.
    pub timeout: Option<Duration>,
    /// Most redirects that are followed; 0 for none. Each hop is a request under the same label.
    pub redirects_max: u32,
    /// What is taken from the answer.
    pub extract: Vec<Extraction>,
    /// What the answer must be. Empty: a status below 400.
    pub checks: Vec<Check>,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// A text; its `Content-Type` is among the headers.
    Text(Template),
    /// A file as it is.
    File(Arc<[u8]>),
    /// Name and value of each field, sent as `application/x-www-form-urlencoded`.
    Form(Vec<(Template, Template)>),
    /// Fields sent as `multipart/form-data`.
    Multipart(Vec<MultipartField>),
}

/// A field of a multipart body.
#[derive(Debug, Clone)]
pub struct MultipartField {
    /// Its name.
    pub name: Template,
    /// Its `Content-Type`, if it is to say one.
    pub content_type: Option<String>,
    /// Text or file.
    pub content: MultipartContent,
}

/// What a multipart field holds.
#[derive(Debug, Clone)]
pub enum MultipartContent {
    /// A text.
    Text(Template),
    /// A file with its name.
    File(String, Arc<[u8]>),
}

/// A message on the user's WebSocket connection to a URL, which the first message opens.
#[derive(Debug, Clone)]
pub struct Message {
    /// What its figures are kept under.
    pub label: LabelIndex,
    /// Absolute: `ws://…`, `wss://…`.
    pub url: Template,
    /// Sent with the request that opens the connection.
    pub headers: Vec<(String, Template)>,
    /// What is sent; `None` only waits.
    pub send: Option<Template>,
    /// Whether it goes as binary data.
    pub binary: bool,
    /// Messages that must come back, the last of which is checked.
    pub replies: u32,
    /// Passes over messages until one matches, which then counts as a reply.
    pub until: Option<Pattern>,
    /// Most time until the last reply.
    pub timeout: Option<Duration>,
    /// What is taken from the last reply.
    pub extract: Vec<Extraction>,
    /// What the last reply must be.
    pub checks: Vec<Check>,
}

/// A wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Pause {
    /// This long; milliseconds once rendered.
    Constant(Template),
    /// Evenly between two.
    Uniform {
        /// At least; milliseconds once rendered.
        from: Template,
        /// At most; milliseconds once rendered.
        to: Template,
    },
    /// Around a mean; never below zero. Milliseconds once rendered.
    Gaussian {
        /// The middle.
        mean: Template,
        /// The standard deviation.
        deviation: Template,
    },
    /// An offset and a Poisson-distributed wait. Milliseconds once rendered.
    Poisson {
        /// At least.
        offset: Template,
        /// The mean of what is added.
        lambda: Template,
    },
}

/// A bound on how often users pass, as JMeter's constant throughput timer.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Which of these this is, from 0 in each plan.
    pub id: usize,
    /// Passes a minute, once rendered.
    pub per_minute: Template,
    /// Whose passes count together.
    pub scope: PaceScope,
}

/// Whose passes count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceScope {
    /// Each user for itself.
    User,
    /// All users of the group.
    Group,
    /// All users of the plan.
    Plan,
}
