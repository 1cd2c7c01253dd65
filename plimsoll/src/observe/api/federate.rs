//! `/federate`: the youngest sample of chosen series, as another Prometheus scrapes it.
//!
//! A series that has ended (a stale marker, or nothing within the lookback) is not there. External
//! labels are added where a series has none of that name, and an empty `instance` where nothing says
//! one, so that the scraping side does not add its own. Times are kept. Names that the text format
//! cannot hold get underscores. Where an outside Prometheus answers queries, its page is passed on, so
//! that what is federated is what queries see.
//! Source: <https://prometheus.io/docs/prometheus/latest/federation/>.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tsdb::exposition::CONTENT_TYPE;
use tsdb::labels::{Labels, NAME};
use tsdb::promql::number;
use tsdb::sample::{Samples, is_stale};
use tsdb::source::{Matcher, ReadError, Source};
use tsdb::store::Store;

use super::answer::{self, Wanted};
use super::failure::Failure;
use super::parameters::Parameters;
use super::{App, Shared};
use crate::observe;
use crate::observe::query::matchers;

/// The label that says where a series comes from.
const INSTANCE: &str = "instance";

/// Time (milliseconds since 1970) and value by name and labels.
type Youngest = BTreeMap<(String, Labels), (i64, f64)>;

/// `/federate`
pub(super) async fn federate(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    let place = Arc::clone(&shared.federating).try_acquire_owned();
    let Ok(place) = place else {
        let words = "others are being served; one scrape at a time is enough, so ask again later";
        return Ok((StatusCode::SERVICE_UNAVAILABLE, words).into_response());
    };
    let selectors: Vec<_> = parameters.all("match[]").collect();
    if let Some(page) = shared.parts.engine.federated(&selectors).await {
        let page = page.map_err(|failure| Failure::of_query("match[]", "", failure))?;
        return answer::beside(move || Ok(answer::whole(wanted, CONTENT_TYPE, page))).await;
    }
    let mut chosen = Vec::new();
    for selector in selectors {
        let matchers = matchers(selector)
            .map_err(|error| Failure::of_evaluation("match[]", selector, &error))?;
        chosen.push(matchers);
    }
    answer::beside(move || {
        let _place = place;
        let text = text(&shared, &chosen, observe::now())
            .map_err(|error| Failure::internal(error.to_string()))?;
        Ok(answer::whole(wanted, CONTENT_TYPE, text.into_bytes()))
    })
    .await
}

fn text(shared: &Shared, chosen: &[Vec<Matcher>], now: i64) -> Result<String, ReadError> {
    let settings = (shared.parts.settings)();
    let mut external = settings.external_labels.clone();
    external.entry(INSTANCE.to_owned()).or_default();
    let lookback = shared.parts.engine.bounds().lookback.as_millis() as i64;
    let from = now.saturating_sub(lookback).saturating_add(1);
    let youngest = youngest(shared.parts.storage.store(), chosen, from, now)?;
    let (mut out, mut family) = (String::new(), "");
    for ((name, labels), (time, value)) in &youngest {
        if name != family {
            family = name;
            out.push_str("# TYPE ");
            push_name(&mut out, name, true);
            out.push_str(" untyped\n");
        }
        push_name(&mut out, name, true);
        let own = labels.iter().filter(|(name, _)| *name != NAME);
        let added = external.iter().filter(|(name, _)| labels.get(name).is_none());
        let all = own.chain(added.map(|(name, value)| (&**name, &**value)));
        for (place, (name, value)) in all.enumerate() {
            out.push(if place == 0 { '{' } else { ',' });
            push_name(&mut out, name, false);
            out.push_str("=\"");
            push_escaped(&mut out, value);
            out.push('"');
        }
        // `instance` is always there; and writing to a String cannot fail.
        let _ = writeln!(out, "}} {} {time}", number::general(*value));
    }
    Ok(out)
}

/// By name and labels the youngest sample of each series that has not ended.
fn youngest(
    store: &Store,
    chosen: &[Vec<Matcher>],
    from: i64,
    to: i64,
) -> Result<Youngest, ReadError> {
    let mut found = BTreeMap::new();
    let mut samples = Samples::default();
    for matchers in chosen {
        for series in store.select(matchers, from, to)? {
            samples.clear();
            series.read(from, to, &mut samples)?;
            let labels = series.labels();
            let last = samples.times.last().zip(samples.values.last());
            match last {
                Some((time, value)) if !is_stale(*value) && !labels.name().is_empty() => {
                    found.insert((labels.name().to_owned(), labels.clone()), (*time, *value));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

fn push_name(out: &mut String, name: &str, colons: bool) {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    out.extend(name.chars().map(|c| if fits(c) { c } else { '_' }));
}

fn push_escaped(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}
