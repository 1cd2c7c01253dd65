//! Asking a target by HTTP.
//!
//! What a target sends is taken up to a bound, in time and in bytes, unpacked. Bodies grow in memory as
//! they come; a large one needs one of a few places ([`LargeBodies`]) until it is stored, so that many
//! targets that send without end at once do not take all memory. Redirects are followed while they stay
//! on the host (`outbound`, and `server` for a service's servers).

mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE};
use reqwest::{Client, Method, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tsdb::exposition::{self, Format, UnknownFormat};

use super::failure::Failure;
use super::targets::{Source, Wanted};
use crate::config::model::observe::HttpEndpoint;
use crate::outbound;
use crate::trust::{Presented, Verifier};

/// Bytes of a body that are taken without further ado.
const SMALL_BODY_BYTES: usize = 256 << 10;
/// Tells the target how long it may take; exporters that ask others make use of it.
const TIMEOUT_HEADER: &str = "X-Prometheus-Scrape-Timeout-Seconds";
/// After this the server is asked to close a connection with TLS: on the next one it shows its
/// certificates again, which it may have renewed.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// Characters of a foreign `Content-Type` or `Location` that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// What a target sent.
#[derive(Debug)]
pub(super) struct Page {
    /// Unpacked.
    pub body: Vec<u8>,
    /// What it is.
    pub format: Format,
    /// Its `Content-Type` names a version of the format, so it is one of metrics even if empty.
    pub is_named: bool,
    /// The place that a large body takes up until this is dropped.
    pub _place: Option<OwnedSemaphorePermit>,
}

/// Places of bodies that are larger than 256 KiB.
#[derive(Debug, Clone)]
pub(super) struct LargeBodies(Arc<Semaphore>);

impl LargeBodies {
    /// So many, all free.
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }
}

/// Asks URLs.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    client: Client,
    /// Of one server that is asked with TLS.
    presented: Option<Arc<Presented>>,
    /// A connection with TLS is used for so long.
    age_max: Duration,
}

impl Reader {
    fn new(verifier: Verifier, is_noting: bool) -> Result<Self, String> {
        let presented = is_noting.then(Arc::<Presented>::default);
        let verifier = match &presented {
            Some(presented) => verifier.noting(Arc::clone(presented)),
            None => verifier,
        };
        Ok(Self { client: outbound::reader(verifier)?, presented, age_max: CONNECTION_AGE_MAX })
    }

    /// When the first of the certificates ends that the server has shown, seconds since 1970.
    pub(super) fn expires_at(&self) -> Option<i64> {
        self.presented.as_ref()?.expires_at()
    }
}

/// Whom to trust: the file of certificates, or anybody.
type Trusted = (Option<PathBuf>, bool);

/// Readers by whom they trust. Servers that are asked with TLS have one each, by host and port: what
/// a reader is shown is that server's.
#[derive(Debug, Default)]
pub(super) struct Readers {
    verifiers: BTreeMap<Trusted, Result<Verifier, String>>,
    readers: BTreeMap<(Trusted, Option<String>), Result<Reader, String>>,
}

impl Readers {
    /// Of another configuration: files are read again, because they may have changed. Readers
    /// without a file are kept, with their connections.
    pub(super) fn forget_files(&mut self) {
        self.verifiers.retain(|(ca, _), _| ca.is_none());
        self.readers.retain(|((ca, _), _), _| ca.is_none());
    }

    /// For these targets; what is there is kept, what is not needed any more is not.
    pub(super) fn renew(&mut self, targets: &[Wanted]) {
        let mut before = std::mem::take(&mut self.readers);
        for target in targets {
            let (Source::Http { endpoint, .. }, Some(key)) = (&target.source, key(target)) else {
                continue;
            };
            if self.readers.contains_key(&key) {
                continue;
            }
            let verifiers = &mut self.verifiers;
            let reader = before.remove(&key).unwrap_or_else(|| {
                let (trusted, server) = &key;
                let read = || outbound::verifier(endpoint);
                let verifier = verifiers.entry(trusted.clone()).or_insert_with(read);
                Reader::new(verifier.clone()?, server.is_some())
            });
            self.readers.insert(key, reader);
        }
    }

    /// For a target that was there at the last `renew`.
    pub(super) fn of(&self, target: &Wanted) -> Result<Reader, String> {
        let missing = || Err("it is being set up".to_owned());
        key(target).and_then(|key| self.readers.get(&key)).cloned().unwrap_or_else(missing)
    }
}

fn key(target: &Wanted) -> Option<(Trusted, Option<String>)> {
    let Source::Http { url, endpoint } = &target.source else { return None };
    let server = url.strip_prefix("https://").map(|rest| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest[..end].to_ascii_lowercase()
    });
    Some(((endpoint.ca.clone(), endpoint.insecure), server))
}

/// Asks a listed URL.
///
/// # Errors
/// Why there is no page.
pub(super) async fn url(
    reader: Result<Reader, String>,
    endpoint: &HttpEndpoint,
    url: &str,
    bounds: Bounds<'_>,
) -> Result<Page, Failure> {
    let Reader { client, presented, age_max } = reader.map_err(Failure::Connection)?;
    let mut request = outbound::request(&client, Method::GET, endpoint, url)
        .header(ACCEPT, exposition::ACCEPT)
        .header(TIMEOUT_HEADER, bounds.timeout.as_secs_f64().to_string());
    if presented.is_some_and(|presented| presented.is_older_than(age_max)) {
        request = request.header(CONNECTION, "close");
    }
    bounds
        .within(async {
            let unreachable =
                |error: &reqwest::Error| Failure::Connection(outbound::in_words(error));
            let mut response = request.send().await.map_err(|error| unreachable(&error))?;
            if response.status() != StatusCode::OK {
                let location = outbound::elsewhere(&response);
                return Err(Failure::Status { status: response.status(), location });
            }
            let format = format(content_type(&response))?;
            let mut body = Body::new(bounds);
            while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
                body.take(&chunk).await?;
            }
            Ok(body.page(format))
        })
        .await
}

pub(super) use server::ask as server;

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// The format of a body by its `Content-Type`, and whether that names a version.
fn format(content_type: Option<&str>) -> Result<(Format, bool), Failure> {
    let unfit = |unknown| {
        Failure::ContentType(match unknown {
            UnknownFormat::Missing => "no Content-Type".to_owned(),
            _ => format!("Content-Type `{}`", shown(content_type.unwrap_or_default())),
        })
    };
    let is_named = content_type.is_some_and(|text| text.contains("version="));
    Format::of(content_type, None).map(|choice| (choice.format, is_named)).map_err(unfit)
}

fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SHOWN_CHARACTERS_MAX).collect()
}

/// How much of everything a scrape may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// In all.
    pub timeout: Duration,
    /// Of the body, unpacked.
    pub body_bytes: u64,
    /// Places.
    pub large: &'a LargeBodies,
}

impl Bounds<'_> {
    /// Breaks off when the time is over.
    pub(super) async fn within<T>(
        self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let late = |_| Failure::Timeout(self.timeout);
        tokio::time::timeout(self.timeout, work).await.map_err(late)?
    }
}

/// A body that is coming.
struct Body<'a> {
    bytes: Vec<u8>,
    bounds: Bounds<'a>,
    place: Option<OwnedSemaphorePermit>,
}

impl<'a> Body<'a> {
    fn new(bounds: Bounds<'a>) -> Self {
        Self { bytes: Vec::new(), bounds, place: None }
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let length = self.bytes.len() + chunk.len();
        if length as u64 > self.bounds.body_bytes {
            return Err(Failure::TooLarge { max: self.bounds.body_bytes });
        }
        if length > SMALL_BODY_BYTES && self.place.is_none() {
            // The semaphore is never closed; if it were, only the bound of memory would be less.
            self.place = Arc::clone(&self.bounds.large.0).acquire_owned().await.ok();
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    fn page(self, (format, is_named): (Format, bool)) -> Page {
        Page { body: self.bytes, format, is_named, _place: self.place }
    }
}

#[cfg(test)]
mod tests;
