//! `/query`, `/query_range`, and what else takes the text of a query.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use tsdb::promql::{self, Grid, Query, ValueType};

use super::answer::{self, Wanted};
use super::failure::Failure;
use super::parameters::Parameters;
use super::{App, Shared};
use crate::observe::query::{Options, When};

/// Most steps between the first and the last point of a range query.
const STEPS_MAX: i64 = 11_000;

/// `/api/v1/query`
pub(super) async fn instant(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    let mut options = Options { series_max: parameters.limit()?, ..Options::default() };
    let at = parameters.time_or_now("time")?;
    bounds(&parameters, &mut options)?;
    evaluated(&shared, wanted, &parameters, When::Instant(at), options).await
}

/// `/api/v1/query_range`
pub(super) async fn range(
    State(shared): App,
    wanted: Wanted,
    parameters: Parameters,
) -> Result<Response, Failure> {
    let mut options = Options { series_max: parameters.limit()?, ..Options::default() };
    let (start, end) = (parameters.time("start")?, parameters.time("end")?);
    if end < start {
        let words = "end timestamp must not be before start time";
        return Err(Failure::parameter("end", words));
    }
    let step = super::parameters::duration(parameters.first("step"));
    let step = step.map_err(|words| Failure::parameter("step", words))?;
    if step <= 0 {
        let words = "zero or negative query resolution step widths are not accepted. Try a positive \
                     integer";
        return Err(Failure::parameter("step", words));
    }
    if end.saturating_sub(start) / step > STEPS_MAX {
        return Err(Failure::bad(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)",
        ));
    }
    bounds(&parameters, &mut options)?;
    let when = When::Range(Grid { start, end, step });
    evaluated(&shared, wanted, &parameters, when, options).await
}

/// Reads `timeout` and `lookback_delta`.
fn bounds(parameters: &Parameters, options: &mut Options) -> Result<(), Failure> {
    let timeout = parameters.duration("timeout");
    let timeout = timeout.map_err(|words| Failure::parameter("timeout", words))?;
    let none_if_negative =
        |milliseconds: i64| Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    options.timeout = timeout.map(none_if_negative);
    let lookback = parameters
        .duration("lookback_delta")
        .map_err(|words| Failure::bad(format!("error parsing lookback delta duration: {words}")))?;
    options.lookback = lookback.filter(|lookback| *lookback > 0).map(none_if_negative);
    Ok(())
}

async fn evaluated(
    shared: &Arc<Shared>,
    wanted: Wanted,
    parameters: &Parameters,
    when: When,
    options: Options,
) -> Result<Response, Failure> {
    let text = parameters.first("query");
    if matches!(when, When::Range(_)) && !shared.parts.engine.is_outside() {
        check_type(&parsed(text)?)?;
    }
    let answered = shared.parts.engine.evaluate_text(text, when, options).await;
    let outcome = answered.map_err(|failure| Failure::of_query("query", text, failure))?;
    let held = shared.sending.begin(&outcome.value, shared.parts.engine.bounds().samples_max)?;
    Ok(answer::outcome(wanted, outcome, held))
}

/// A range query answers with numbers at many times.
fn check_type(query: &Query) -> Result<(), Failure> {
    let found = match query.value_type() {
        ValueType::Scalar | ValueType::Vector => return Ok(()),
        ValueType::String => "string",
        ValueType::Matrix => "range vector",
    };
    let words = format!(
        "invalid expression type {found:?} for range query, must be Scalar or instant Vector"
    );
    Err(Failure::parameter("query", words))
}

fn parsed(text: &str) -> Result<Query, Failure> {
    promql::parse(text).map_err(|error| Failure::of_evaluation("query", text, &error))
}

/// `/api/v1/query_exemplars`: none are kept.
pub(super) async fn exemplars(wanted: Wanted, parameters: Parameters) -> Result<Response, Failure> {
    let (start, end) = (parameters.time_or_none("start")?, parameters.time_or_none("end")?);
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        return Err(Failure::bad("end timestamp must not be before start timestamp"));
    }
    parsed(parameters.first("query"))?;
    Ok(answer::of(wanted, [(); 0]))
}

/// `/api/v1/format_query`
pub(super) async fn format(wanted: Wanted, parameters: Parameters) -> Result<Response, Failure> {
    Ok(answer::of(wanted, parsed(parameters.first("query"))?.pretty()))
}
