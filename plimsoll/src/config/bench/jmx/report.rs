//! What is told of a plan while it is converted: errors, warnings, and what cannot be done.
//!
//! What cannot be done is an error, or a warning where the user chose to leave it out. An element
//! that applies to many samplers is converted for each of them, so the same thing said twice is
//! said once.

use std::collections::HashSet;

use super::tree::Element;
use crate::config::problem::{
    ConfigError, ConfigErrors, FirstProblems, SHOWN_PROBLEMS, Source, Span, Warning, shorten,
};

/// What the user can do about something that cannot be done.
const SKIP: &str = "disable it in the plan, or leave it out with --skip-unsupported";

/// Most of what is left out that is told one by one in results.
const LEFT_OUT_MAX: usize = 100;

/// Collects what is wrong.
#[derive(Debug)]
pub(super) struct Report<'a> {
    source: &'a Source,
    skip_unsupported: bool,
    errors: FirstProblems,
    failed: bool,
    warnings: Vec<(usize, Warning)>,
    left_out: Vec<(usize, String)>,
    said: HashSet<(usize, String)>,
}

impl<'a> Report<'a> {
    /// An empty report. With `skip_unsupported`, what cannot be done is left out with a warning.
    pub(super) fn new(source: &'a Source, skip_unsupported: bool) -> Self {
        Self {
            source,
            skip_unsupported,
            errors: FirstProblems::default(),
            failed: false,
            warnings: Vec::new(),
            left_out: Vec::new(),
            said: HashSet::new(),
        }
    }

    /// Something that makes the plan useless.
    pub(super) fn error(&mut self, span: &Span, error: ConfigError) {
        self.failed = true;
        if self.said.insert((span.start, error.message.clone())) {
            self.errors.note(Some(span.clone()), error);
        }
    }

    /// Something that is likely not meant, or done otherwise than JMeter does it.
    pub(super) fn warn(&mut self, span: &Span, warning: ConfigError) {
        if self.said.insert((span.start, warning.message.clone())) {
            let place = self.source.place(span);
            self.warnings.push((span.start, Warning(warning.at(Some(place)))));
        }
    }

    /// Something of an element that cannot be done. `what` follows the element's name: "calls
    /// `__groovy`"; `effect` says what leaving it out changes.
    pub(super) fn unsupported(&mut self, element: &Element, span: &Span, what: &str, effect: &str) {
        let subject = subject(element);
        if self.skip_unsupported {
            let message = format!("{subject} {what}; this is left out");
            let warnings = self.warnings.len();
            self.warn(span, ConfigError::new("", message).note(effect));
            if self.warnings.len() > warnings {
                let place = self.source.place(span);
                let text = format!("{}:{}: {subject} {what}", place.file, place.line);
                self.left_out.push((span.start, text));
            }
        } else {
            let message = format!("{subject} {what}");
            self.error(span, ConfigError::new("", message).remedy(SKIP));
        }
    }

    /// Whether there is an error.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// What is left out, in the order of the file: the first [`LEFT_OUT_MAX`], and how many more.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut sorted = self.left_out.clone();
        sorted.sort_by_key(|(start, _)| *start);
        let further = sorted.len().saturating_sub(LEFT_OUT_MAX);
        let mut texts: Vec<String> =
            sorted.into_iter().take(LEFT_OUT_MAX).map(|(_, text)| text).collect();
        if further > 0 {
            texts.push(format!("and {further} more"));
        }
        texts
    }

    /// The warnings, in the order of the file, or everything that is wrong.
    pub(super) fn finish(mut self) -> Result<Vec<Warning>, ConfigErrors> {
        if self.failed {
            let (errors, further) = self.errors.placed(self.source);
            return Err(ConfigErrors { errors, further });
        }
        self.warnings.sort_by_key(|(start, _)| *start);
        let further = self.warnings.len().saturating_sub(SHOWN_PROBLEMS);
        self.warnings.truncate(SHOWN_PROBLEMS);
        let mut warnings: Vec<Warning> =
            self.warnings.into_iter().map(|(_, warning)| warning).collect();
        if further > 0 {
            let message = format!("there are {further} more warnings, which are not shown");
            warnings.push(Warning(ConfigError::new("", message)));
        }
        Ok(warnings)
    }
}

/// The element as its author knows it: its kind and its name.
pub(super) fn subject(element: &Element) -> String {
    format!("{} \"{}\"", element.class, shorten(&element.name))
}
