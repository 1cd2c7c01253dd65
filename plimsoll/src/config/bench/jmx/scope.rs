//! What applies to a sampler: the elements beside it, beside what surrounds it, and below it.
//!
//! JMeter's rule: configuration, timers, assertions and extractors apply to every sampler that lies
//! below their parent, at whatever depth. Where two set the same, the inner one wins. Timers and
//! configuration are gathered from the inside out, extractors and assertions from the outside in,
//! each level in the order of the plan.

use super::tree::Element;

/// What an element does in a plan, as far as Plimsoll is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Users.
    Group,
    /// Decides which samplers run.
    Controller,
    /// Asks.
    Sampler,
    /// Waits before a sampler.
    Timer,
    /// Looks whether an answer is right.
    Assertion,
    /// Takes something from an answer.
    Extractor,
    /// Settings for samplers.
    Configuration,
    /// Does something at the beginning of each iteration of the controller around it.
    Iteration,
    /// User-defined variables, which were read before.
    Variables,
    /// Shows or stores results, which Plimsoll does itself.
    Listener,
    /// Not to be done; the text says what leaving it out changes.
    Unsupported(&'static str),
}

/// What leaving out an element of each family changes.
mod effect {
    pub(super) const GROUP: &str = "its users make no load";
    pub(super) const CONTROLLER: &str = "nothing in it is done: its requests are not sent";
    pub(super) const SAMPLER: &str =
        "it is neither done nor measured, and what it would set stays unset";
    pub(super) const TIMER: &str =
        "users do not wait where it would have them wait, so they ask more often";
    pub(super) const ASSERTION: &str = "answers that it would fail count as good";
    pub(super) const PROCESSOR: &str =
        "what it would set stays unset, which can change what is asked";
    pub(super) const CONFIGURATION: &str = "requests are made without what it sets";
    pub(super) const OTHER: &str = "whatever it does is not done, nor what lies below it";
}

/// The classes that are known, without the packages in front. `docs/bench-jmeter.md` tells of each.
pub(super) const CLASSES: &[(&str, Kind)] = &[
    ("ThreadGroup", Kind::Group),
    ("GenericController", Kind::Controller),
    ("RecordingController", Kind::Controller),
    ("ForeachController", Kind::Controller),
    ("LoopController", Kind::Controller),
    ("WhileController", Kind::Controller),
    ("IfController", Kind::Controller),
    ("ThroughputController", Kind::Controller),
    ("TransactionController", Kind::Controller),
    ("OnceOnlyController", Kind::Controller),
    ("InterleaveControl", Kind::Controller),
    ("RandomController", Kind::Controller),
    ("HTTPSamplerProxy", Kind::Sampler),
    ("HTTPSampler", Kind::Sampler),
    ("HTTPSampler2", Kind::Sampler),
    ("TestAction", Kind::Sampler),
    ("DebugSampler", Kind::Sampler),
    ("ConstantTimer", Kind::Timer),
    ("UniformRandomTimer", Kind::Timer),
    ("GaussianRandomTimer", Kind::Timer),
    ("PoissonRandomTimer", Kind::Timer),
    ("ConstantThroughputTimer", Kind::Timer),
    ("PreciseThroughputTimer", Kind::Timer),
    ("ResponseAssertion", Kind::Assertion),
    ("DurationAssertion", Kind::Assertion),
    ("SizeAssertion", Kind::Assertion),
    ("JSONPathAssertion", Kind::Assertion),
    ("RegexExtractor", Kind::Extractor),
    ("JSONPostProcessor", Kind::Extractor),
    ("BoundaryExtractor", Kind::Extractor),
    ("HeaderManager", Kind::Configuration),
    ("CookieManager", Kind::Configuration),
    ("CacheManager", Kind::Configuration),
    ("AuthManager", Kind::Configuration),
    ("DNSCacheManager", Kind::Configuration),
    (DEFAULTS, Kind::Configuration),
    ("CSVDataSet", Kind::Iteration),
    ("CounterConfig", Kind::Iteration),
    ("RandomVariableConfig", Kind::Iteration),
    ("Arguments", Kind::Variables),
    // Fragments run where they are included, recorders and mirrors not in a run at all.
    ("TestFragmentController", Kind::Listener),
    ("ProxyControl", Kind::Listener),
    ("HttpMirrorControl", Kind::Listener),
    ("ResultCollector", Kind::Listener),
    ("Summariser", Kind::Listener),
    ("BackendListener", Kind::Listener),
    ("MailerResultCollector", Kind::Listener),
    ("DebugPostProcessor", Kind::Listener),
    ("CorrectedResultCollector", Kind::Listener),
];

/// The class of the defaults of all protocols, told apart by their dialogs.
const DEFAULTS: &str = "ConfigTestElement";

impl Element {
    /// What the element does.
    pub(super) fn kind(&self) -> Kind {
        let class = self.class.rsplit('.').next().unwrap_or_default();
        let of_another = class == DEFAULTS && !self.dialog.ends_with("HttpDefaultsGui");
        let known = CLASSES.iter().find(|(known, _)| *known == class && !of_another);
        known.map_or_else(|| Kind::Unsupported(lost(class)), |(_, kind)| *kind)
    }
}

/// What leaving out an unknown class changes, by the ending of its name.
fn lost(class: &str) -> &'static str {
    let ends = |endings: &[&str]| endings.iter().any(|ending| class.ends_with(ending));
    if ends(&["ThreadGroup"]) {
        effect::GROUP
    } else if ends(&["Controller", "ModuleController", "IncludeController", "RunTime"]) {
        effect::CONTROLLER
    } else if ends(&["Sampler", "SamplerProxy", "Request"]) {
        effect::SAMPLER
    } else if ends(&["Timer"]) {
        effect::TIMER
    } else if ends(&["Assertion"]) {
        effect::ASSERTION
    } else if ends(&["Processor", "Extractor", "Modifier", "UserParameters", "ResultAction"]) {
        effect::PROCESSOR
    } else if ends(&["Config", "Manager", "ConfigTestElement", "DataSet", "DataSource"]) {
        effect::CONFIGURATION
    } else {
        effect::OTHER
    }
}

/// The levels around a sampler, the plan's own first. Only what can apply to one is kept: a level may
/// hold thousands of samplers, each of which looks through it.
#[derive(Debug)]
pub(super) struct Scope<'e> {
    level: Vec<(Kind, &'e Element)>,
    outer: Option<&'e Scope<'e>>,
}

impl<'e> Scope<'e> {
    /// The outermost level.
    pub(super) fn new(level: &'e [Element]) -> Self {
        Self { level: applying(level), outer: None }
    }

    /// A level within.
    pub(super) fn within<'i>(&'i self, level: &'i [Element]) -> Scope<'i> {
        Scope { level: applying(level), outer: Some(self) }
    }

    /// Everything of a kind that applies, the innermost level first.
    pub(super) fn inward_out(&self, kind: Kind) -> Vec<&'e Element> {
        let mut found = Vec::new();
        let mut scope = Some(self);
        while let Some(current) = scope {
            found.extend(current.of(kind));
            scope = current.outer;
        }
        found
    }

    /// Everything of a kind that applies, the outermost level first.
    pub(super) fn outward_in(&self, kind: Kind) -> Vec<&'e Element> {
        let mut levels = Vec::new();
        let mut scope = Some(self);
        while let Some(current) = scope {
            levels.push(current);
            scope = current.outer;
        }
        levels.into_iter().rev().flat_map(|level| level.of(kind)).collect()
    }

    /// The elements of a kind of this level.
    fn of(&self, kind: Kind) -> impl Iterator<Item = &'e Element> {
        self.level.iter().filter(move |(known, _)| *known == kind).map(|(_, element)| *element)
    }
}

/// What of a level can apply to samplers.
fn applying(level: &[Element]) -> Vec<(Kind, &Element)> {
    let kinds = level.iter().map(|element| (element.kind(), element));
    kinds.filter(|(kind, _)| !matches!(kind, Kind::Sampler | Kind::Controller)).collect()
}
