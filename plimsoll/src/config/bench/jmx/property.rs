//! The properties that a plan asks for, found in its text: also where it stands in something that is
//! disabled or left out, since a value for that is no mistake.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::problem::{ConfigError, ConfigErrors, nearest};

/// What a name of a property stands behind.
const CALLS: [&str; 4] = ["__P(", "__property(", "__isPropDefined(", "props.get("];
/// What a name may be quoted with in a script, in XML too.
const QUOTES: [&str; 4] = ["&quot;", "&apos;", "\"", "'"];
/// What follows a name.
const ENDS: [char; 6] = [',', ')', '"', '\'', '&', '}'];
/// Most names that a message lists.
const NAMES_SHOWN: usize = 20;

/// The names that a text asks for; `None` where one is made up while the plan runs.
pub(super) fn asked(text: &str) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for call in CALLS {
        for rest in text.split(call).skip(1) {
            let mut rest = rest.trim_start();
            for quote in QUOTES {
                rest = rest.strip_prefix(quote).unwrap_or(rest);
            }
            let name = rest.split(ENDS).next().unwrap_or_default().trim();
            if name.contains('$') {
                return None;
            }
            names.insert(name.to_owned());
        }
    }
    Some(names)
}

/// Refuses values for what is not asked for.
///
/// # Errors
/// Each name, with the one that was likely meant.
pub(super) fn verify(
    asked: Option<&BTreeSet<String>>,
    given: &BTreeMap<String, String>,
) -> Result<(), ConfigErrors> {
    let Some(asked) = asked else { return Ok(()) };
    let unknown = given.iter().filter(|(name, _)| !asked.contains(*name));
    let refused = |(name, value): (&String, &String)| {
        let names = asked.iter().map(String::as_str);
        let remedy = match nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if asked.is_empty() => {
                format!("write ${{__P({name},{value})}} into the plan where it is to stand")
            }
            None => {
                let names: Vec<&str> = names.take(NAMES_SHOWN).collect();
                format!("the plan asks for {}", names.join(", "))
            }
        };
        ConfigError::new("--set", format!("the plan never asks for the property `{name}`"))
            .found(format!("{name}={value}"))
            .remedy(remedy)
    };
    let errors: Vec<ConfigError> = unknown.map(refused).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, name: &str) -> String {
        let given = BTreeMap::from([(name.to_owned(), "5".to_owned())]);
        verify(asked(text).as_ref(), &given)
            .map_or_else(|errors| errors.to_string(), |()| String::new())
    }

    #[test]
    fn a_property_that_nothing_asks_for_is_refused() {
        let plan = "${__P(users,10)} ${__property( host ,,a)} ${__isPropDefined(debug)} \
                    props.get(&quot;token&quot;) props.get('key')";
        for name in ["users", "host", "debug", "token", "key"] {
            assert_eq!(said(plan, name), "", "{name}");
        }
        assert!(said(plan, "user").contains("did you mean `users`?"));
        assert!(said(plan, "something").contains("asks for debug, host, key, token, users"));
        assert!(said("", "user").contains("write ${__P(user,5)} into the plan"));
        assert_eq!(said("${__P(${stage}.host)}", "live.host"), "");
    }
}
