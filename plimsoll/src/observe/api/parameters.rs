//! Parameters of requests: from the URL's query and the body's form, times, durations, numbers.
//!
//! Texts are read as Prometheus reads them (Go's `ParseForm`, its `web/api/v1`), and refused with its
//! words.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, header};
use jiff::Timestamp;
use tsdb::promql::duration as units;

use super::failure::Failure;
use crate::observe;

/// Time for a form to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// The earliest and the latest time of Prometheus, as its clients write them.
const TIMES_MIN_MAX: [(&str, i64); 2] =
    [("-292273086-05-16T16:47:06Z", i64::MIN), ("292277025-08-18T07:12:54.999999999Z", i64::MAX)];

/// The parameters of a request: those of the form come before those of the URL.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut all = Vec::new();
        if *request.method() == Method::POST && is_form(request.headers()) {
            let wrong = |words: String| Failure::bad(format!("error parsing form values: {words}"));
            let body = Bytes::from_request(request, state);
            let body = tokio::time::timeout(FORM_TIMEOUT, body)
                .await
                .map_err(|_| wrong(format!("the form has not arrived within {FORM_TIMEOUT:?}")))?
                .map_err(|error| {
                    let most = super::FORM_BYTES_MAX;
                    wrong(format!("{}; a form may have {most} bytes", error.body_text()))
                })?;
            all.extend(form_urlencoded::parse(&body).into_owned());
        }
        all.extend(form_urlencoded::parse(query.as_bytes()).into_owned());
        Ok(Self(all))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &str = "application/x-www-form-urlencoded";
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM))
}

impl Parameters {
    /// The first of this name; empty if there is none.
    pub(super) fn first(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// A time that must be there, milliseconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<i64, Failure> {
        time(self.first(name)).map_err(|words| Failure::parameter(name, words))
    }

    /// A time that may be there.
    pub(super) fn time_or_none(&self, name: &str) -> Result<Option<i64>, Failure> {
        match self.first(name) {
            "" => Ok(None),
            text => time(text).map(Some).map_err(|words| {
                let words = format!("Invalid time value for '{name}': {words}");
                Failure::parameter(name, words)
            }),
        }
    }

    /// The time of a query; now if it does not say.
    pub(super) fn time_or_now(&self, name: &str) -> Result<i64, Failure> {
        Ok(self.time_or_none(name)?.unwrap_or_else(observe::now))
    }

    /// A duration that may be there; milliseconds, which may be negative.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, String> {
        match self.first(name) {
            "" => Ok(None),
            text => duration(text).map(Some),
        }
    }

    /// `limit`; `None` is without.
    pub(super) fn limit(&self) -> Result<Option<usize>, Failure> {
        let text = self.first("limit");
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |words: &str| Failure::parameter("limit", words);
        let limit: i64 = text
            .parse()
            .map_err(|_| wrong(&format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
        match usize::try_from(limit) {
            Ok(limit) => Ok(Some(limit).filter(|limit| *limit > 0)),
            Err(_) => Err(wrong("limit must be non-negative")),
        }
    }
}

/// Reads a time: seconds since 1970, or RFC 3339. Milliseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    let refused = || format!("cannot parse {text:?} to a valid timestamp");
    if let Some(seconds) = number(text) {
        // A whole number and a fraction, so that large times keep their milliseconds.
        let (whole, fraction) = (seconds.trunc(), (seconds.fract() * 1e3).round());
        return if seconds.is_finite() {
            Ok((whole as i64).saturating_mul(1000).saturating_add(fraction as i64))
        } else {
            Err(refused())
        };
    }
    if let Some((_, known)) = TIMES_MIN_MAX.iter().find(|(name, _)| *name == text) {
        return Ok(*known);
    }
    // More than RFC 3339 has would be taken for a time here too.
    let is_plain = text.len() > 10 && text.as_bytes()[10] == b'T' && !text.contains('[');
    let time = text.parse::<Timestamp>().ok().filter(|_| is_plain);
    time.map(|time| time.as_nanosecond().div_euclid(1_000_000) as i64).ok_or_else(refused)
}

/// Reads a duration: seconds, or units in falling order (`1h30m`). Milliseconds.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    let refused = || format!("cannot parse {text:?} to a valid duration");
    if let Some(seconds) = number(text) {
        // The range of Go's durations, which are nanoseconds.
        return if (seconds * 1e9).abs() <= i64::MAX as f64 {
            Ok((seconds * 1e3) as i64)
        } else {
            Err(format!("{}. It overflows int64", refused()))
        };
    }
    let unsigned = Some(text).filter(|text| !text.starts_with('-'));
    let milliseconds = unsigned.and_then(|text| units::milliseconds(text).ok());
    milliseconds
        .filter(|milliseconds| milliseconds.checked_mul(1_000_000).is_some())
        .ok_or_else(refused)
}

/// A decimal number, as Go reads it.
fn number(text: &str) -> Option<f64> {
    tsdb::promql::number::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, expected) in [
            ("0", 0),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.781", 1_700_000_000_781),
            ("1.7e9", 1_700_000_000_000),
            ("-1.5", -1500),
            ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
            ("2015-07-01T22:10:51.7819+02:00", 1_435_781_451_781),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("-292273086-05-16T16:47:06Z", i64::MIN),
            ("292277025-08-18T07:12:54.999999999Z", i64::MAX),
        ] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        for text in ["", "x", "NaN", "+Inf", "2015-07-01", "2015-07-01 20:10:51Z", "1h"] {
            let expected = format!("cannot parse {text:?} to a valid timestamp");
            assert_eq!(time(text), Err(expected));
        }
    }

    #[test]
    fn durations_are_seconds_or_units() {
        for (text, expected) in [
            ("15", 15_000),
            ("0.25", 250),
            ("-1", -1000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for text in ["", "m", "5", "30m1h", "5 m", "-5m", "1x", "999999999999y"] {
            let refused = Err(format!("cannot parse {text:?} to a valid duration"));
            assert_eq!(duration(text), if text == "5" { Ok(5000) } else { refused });
        }
        let message = duration("1e300").unwrap_err();
        assert_eq!(message, "cannot parse \"1e300\" to a valid duration. It overflows int64");
    }
}
