//! What is asked for in the query of a request.

use regex::Regex;

use super::super::plan::Term;
use super::Refusal;

/// Filters of one request.
const FILTERS_MAX: usize = 64;
/// Words that turn a switch on.
const ON: [&str; 10] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];

/// Pairs of a query; a name may occur more than once.
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl Parameters {
    fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A switch, which is on unless it is turned off. As in go-openapi, words that it does not know
    /// turn it off.
    pub(super) fn switch(&self, name: &str) -> bool {
        let is_on = |word: &str| ON.iter().any(|known| known.eq_ignore_ascii_case(word));
        self.first(name).is_none_or(|word| word.is_empty() || is_on(word))
    }

    /// Matchers, all of which must hold.
    pub(super) fn filter(&self) -> Result<Vec<Term>, Refusal> {
        let texts: Vec<&String> =
            self.0.iter().filter(|(name, _)| name == "filter").map(|(_, text)| text).collect();
        if texts.len() > FILTERS_MAX {
            return Err(Refusal::bad(format!("more than {FILTERS_MAX} filters")));
        }
        texts
            .into_iter()
            .map(|text| Term::parse(text).map_err(|error| Refusal::bad(error.to_string())))
            .collect()
    }

    /// A pattern for the name of a receiver.
    pub(super) fn receiver(&self) -> Result<Option<Regex>, Refusal> {
        let pattern = self.first("receiver").filter(|pattern| !pattern.is_empty());
        pattern
            .map(|pattern| {
                tsdb::pattern::anchored(pattern).map_err(|error| {
                    Refusal::bad(format!("failed to parse receiver param: {error}"))
                })
            })
            .transpose()
    }
}
