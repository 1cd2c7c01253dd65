//! `/series`, `/labels` and `/label/NAME/values`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::answer::{self, LabelsObject, Wanted};
use super::failure::Failure;
use super::parameters::Parameters;
use super::{App, Shared};
use crate::observe::query::{Found, Lookup, What, matchers};

/// Longer lists take longer to write than others should wait.
const INLINE_MAX: usize = 1_000;

/// `/api/v1/series`
pub(super) async fn series(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    if parameters.all("match[]").next().is_none() {
        return Err(Failure::bad("no match[] parameter provided"));
    }
    written(wanted, found(&shared, &parameters, What::Series).await?, true).await
}

/// `/api/v1/labels`
pub(super) async fn names(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    written(wanted, found(&shared, &parameters, What::Names).await?, false).await
}

/// `/api/v1/label/NAME/values`
pub(super) async fn values(
    State(shared): App,
    Path(name): Path<String>,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    let name = unescaped(name);
    if name.is_empty() {
        return Err(Failure::bad("invalid label name: \"\""));
    }
    written(wanted, found(&shared, &parameters, What::Values(name)).await?, false).await
}

/// Writes series or texts: many of them beside other tasks, which would wait for it.
async fn written(wanted: Wanted, found: Found, are_series: bool) -> Result<Response, Failure> {
    let count = found.series.len() + found.texts.len();
    let write = move || {
        if are_series {
            let series: Vec<_> = found.series.iter().map(LabelsObject).collect();
            answer::with_warnings(wanted, series, &found.warnings)
        } else {
            answer::with_warnings(wanted, &found.texts, &found.warnings)
        }
    };
    if count <= INLINE_MAX {
        return Ok(write());
    }
    answer::beside(move || Ok(write())).await
}

async fn found(
    shared: &Arc<Shared>,
    parameters: &Parameters,
    what: What,
) -> Result<Found, Failure> {
    let most = parameters.limit()?;
    let (from, to) = (parameters.time_or_none("start")?, parameters.time_or_none("end")?);
    let selectors: Vec<_> = parameters.all("match[]").map(str::to_owned).collect();
    let own = selectors.iter().filter(|_| !shared.parts.engine.is_outside());
    for selector in own {
        matchers(selector).map_err(|error| Failure::of_evaluation("match[]", selector, &error))?;
    }
    let asked = Lookup { what, selectors, from, to, most };
    let listed = shared.parts.engine.list(asked).await;
    listed.map_err(|failure| Failure::of_query("match[]", "", failure))
}

/// A name of which Prometheus' clients have escaped what a path cannot hold: after `U__` an
/// underscore is doubled, and `_2e_` is the character U+002E. What is escaped wrongly stays as it is.
/// Source: <https://prometheus.io/docs/instrumenting/escaping_schemes/>, "Values".
fn unescaped(name: String) -> String {
    let Some(mut rest) = name.strip_prefix("U__") else { return name };
    let mut plain = String::with_capacity(rest.len());
    while let Some(at) = rest.find('_') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            plain.push('_');
            rest = after;
            continue;
        }
        let character = rest.split_once('_').and_then(|(code, after)| {
            let code = u32::from_str_radix(code, 16).ok()?;
            Some((char::from_u32(code)?, after))
        });
        let Some((character, after)) = character else { return name };
        plain.push(character);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_read() {
        for (name, expected) in [
            ("job", "job"),
            ("U_x", "U_x"),
            ("U__http_2e_status__code", "http.status_code"),
            ("U__a_e4_b", "aäb"),
            ("U____", "_"),
            ("U__a_2e", "U__a_2e"),
            ("U__a_zz_b", "U__a_zz_b"),
            ("U__a_d800_b", "U__a_d800_b"),
            ("U__", ""),
        ] {
            assert_eq!(unescaped(name.to_owned()), expected, "{name}");
        }
    }
}
