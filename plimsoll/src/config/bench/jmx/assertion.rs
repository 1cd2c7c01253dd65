//! Assertions to checks.
//!
//! JMeter fails an answer with a status of 400 and above unless an assertion says to ignore the
//! status; a request's checks take the place of that rule, so it is put among them.

use std::time::Duration;

use super::convert::{Converter, Place};
use super::pattern;
use super::scope::{Kind, Scope};
use super::tree::Element;
use crate::config::bench::model::{Check, Comparison, Finder, Source, Template, Test};

/// What leaving out an assertion changes.
const EFFECT: &str = "answers that it would fail count as good";

/// The bits of `Assertion.test_type`.
mod bits {
    pub(super) const MATCHES: u32 = 1;
    pub(super) const CONTAINS: u32 = 1 << 1;
    pub(super) const NOT: u32 = 1 << 2;
    pub(super) const EQUALS: u32 = 1 << 3;
    pub(super) const SUBSTRING: u32 = 1 << 4;
    pub(super) const OR: u32 = 1 << 5;
}

impl Converter<'_> {
    /// What the assertions in scope demand of an answer; nothing where the usual rule is enough.
    pub(super) fn assertions(&mut self, scope: &Scope<'_>) -> Vec<Check> {
        let elements = scope.outward_in(Kind::Assertion);
        let ignores_status =
            elements.iter().any(|element| element.flag("Assertion.assume_success"));
        let mut checks = Vec::new();
        for element in elements {
            if self.looks_elsewhere(element) {
                continue;
            }
            match element.class.as_str() {
                "ResponseAssertion" => self.response_assertion(element, &mut checks),
                "DurationAssertion" => {
                    let most = self.whole(element, "DurationAssertion.duration");
                    let test = Test::Faster(Duration::from_millis(most));
                    if most > 0 {
                        checks.push(check(element, Source::Body, test, false));
                    }
                }
                "SizeAssertion" => checks.extend(self.size_assertion(element)),
                _ => checks.extend(self.json_assertion(element)),
            }
        }
        if !ignores_status && !checks.is_empty() {
            checks.insert(0, status_check(vec![(200, 399)]));
        } else if ignores_status && checks.is_empty() {
            checks.push(status_check(vec![(100, 999)]));
        }
        checks
    }

    fn response_assertion(&mut self, element: &Element, checks: &mut Vec<Check>) {
        let Some(source) = self.tested_field(element) else { return };
        let kind = self.whole(element, "Assertion.test_type") as u32;
        let (not, or) = (kind & bits::NOT != 0, kind & bits::OR != 0);
        // JMeter itself misspells the name.
        let strings = match element.collection("Asserion.test_strings") {
            [] => element.collection("Assertion.test_strings"),
            strings => strings,
        };
        let mut tests = Vec::new();
        for string in strings {
            let place = Place { element, span: &string.span };
            let template = self.template(string.text().unwrap_or_default(), place);
            tests.extend(self.text_test(kind, template, place));
        }
        if !or || tests.len() < 2 {
            let tests = tests.into_iter();
            checks.extend(tests.map(|test| check(element, source.clone(), test, not)));
        } else if not {
            let what = "demands that one of several patterns be missing";
            self.unsupported(Place::of(element, "Assertion.test_type"), what, EFFECT);
        } else {
            checks.push(check(element, source, Test::Any(tests), false));
        }
    }

    fn tested_field(&mut self, element: &Element) -> Option<Source> {
        match element.trimmed("Assertion.test_field") {
            "" | "Assertion.response_data" => Some(Source::Body),
            "Assertion.response_code" => Some(Source::Status),
            "Assertion.response_message" => Some(Source::Reason),
            "Assertion.response_headers" => Some(Source::Headers),
            "Assertion.sample_label" => Some(Source::Url),
            other => {
                let field = match other {
                    "Assertion.request_headers" => "the headers of the request",
                    "Assertion.request_data" => "the body of the request",
                    "Assertion.response_data_as_document" => "the body as a document",
                    other => other,
                };
                let what = format!("looks at {field}");
                self.unsupported(Place::of(element, "Assertion.test_field"), &what, EFFECT);
                None
            }
        }
    }

    fn text_test(&mut self, kind: u32, template: Template, place: Place<'_>) -> Option<Test> {
        if kind & bits::SUBSTRING != 0 {
            return Some(Test::Contains(template));
        }
        if kind & bits::EQUALS != 0 {
            return Some(Test::Equals(template));
        }
        let whole = kind & bits::MATCHES != 0 && kind & bits::CONTAINS == 0;
        if template.constant().is_none() && has_literal_texts(&template) {
            // The variable's value is taken as it is, whatever it would mean as an expression.
            return Some(if whole { Test::Equals(template) } else { Test::Contains(template) });
        }
        let pattern = self.pattern(&template, place, EFFECT)?;
        Some(if whole { Test::Matches(pattern) } else { Test::Finds(pattern) })
    }

    fn size_assertion(&mut self, element: &Element) -> Option<Check> {
        let property = "Assertion.test_field";
        let field = element.trimmed(property);
        if field != "SizeAssertion.response_body" {
            let part = match field {
                "SizeAssertion.response_headers" => "the headers",
                "SizeAssertion.response_code" => "the status",
                "SizeAssertion.response_message" => "the reason phrase",
                _ => "the whole answer, its headers included",
            };
            self.unsupported(Place::of(element, property), &format!("measures {part}"), EFFECT);
            return None;
        }
        let comparison = match self.whole(element, "SizeAssertion.operator") {
            2 => Comparison::NotEqual,
            3 => Comparison::Greater,
            4 => Comparison::Less,
            5 => Comparison::GreaterOrEqual,
            6 => Comparison::LessOrEqual,
            _ => Comparison::Equal,
        };
        let size = self.whole(element, "SizeAssertion.size");
        Some(check(element, Source::Body, Test::Size(comparison, size), false))
    }

    fn json_assertion(&mut self, element: &Element) -> Option<Check> {
        let path = self.setting(element, "JSON_PATH");
        let path = self.json_path(&path, Place::of(element, "JSON_PATH"), EFFECT)?;
        let place = Place::of(element, "EXPECTED_VALUE");
        let expected = self.setting(element, "EXPECTED_VALUE");
        let test = if !element.flag("JSONVALIDATION") {
            Test::Exists
        } else if element.flag("EXPECT_NULL") {
            Test::Equals(Template::text("null"))
        } else if element.text("ISREGEX") != Some("false") {
            Test::Matches(self.pattern(&expected, place, EFFECT)?)
        } else {
            Test::Equals(expected)
        };
        let mut check = check(element, Source::Body, test, element.flag("INVERT"));
        check.what = Finder::Json(path);
        Some(check)
    }
}

fn has_literal_texts(template: &Template) -> bool {
    use crate::config::bench::model::Piece;
    template.0.iter().all(|piece| !matches!(piece, Piece::Text(text) if !pattern::is_literal(text)))
}

fn check(element: &Element, of: Source, test: Test, not: bool) -> Check {
    let name = if element.name.trim().is_empty() { &element.class } else { &element.name };
    Check { name: name.clone(), of, what: Finder::Whole, test, not }
}

/// What JMeter demands of every answer.
fn status_check(ranges: Vec<(u64, u64)>) -> Check {
    Check {
        name: "status".to_owned(),
        of: Source::Status,
        what: Finder::Whole,
        test: Test::Within(ranges),
        not: false,
    }
}
