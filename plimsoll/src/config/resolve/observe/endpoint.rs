//! Endpoints: where something is, and what lets Plimsoll in.

use std::path::{Path, PathBuf};

use super::super::super::grammar::observe::{Endpoint, RawBasic, RawEndpoint};
use super::super::super::kind::{Named, OneOf};
use super::super::super::model::observe::HttpEndpoint;
use super::super::super::problem::ConfigError;
use super::super::super::reader::{Reader, Where};
use super::super::super::table::Setting;
use super::super::{path, service};

/// The header that `basic` and `bearer` become.
const AUTHORIZATION: &str = "authorization";

/// The resolved form of an endpoint; `None` if it has no URL.
pub(super) fn endpoint(
    raw: &RawEndpoint,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<HttpEndpoint> {
    match raw {
        OneOf::First(endpoint) => Some(endpoint.clone()),
        OneOf::Second(Endpoint { url, basic, bearer, headers, ca, insecure }) => {
            let entrance = Entrance::new(basic, bearer, headers, (ca, insecure), base, reader);
            Some(entrance.to(url.value.as_ref()?, &url.at, reader))
        }
    }
}

/// What lets Plimsoll in, wherever.
pub(super) struct Entrance {
    basic: Option<(String, String)>,
    bearer: Option<String>,
    headers: Vec<(String, String)>,
    ca: Option<PathBuf>,
    insecure: bool,
}

impl Entrance {
    /// Of the keys that several tables share.
    pub(super) fn new(
        basic: &Setting<Option<RawBasic>>,
        bearer: &Setting<Option<String>>,
        headers: &Setting<Vec<Named<String>>>,
        (ca, insecure): (&Setting<Option<PathBuf>>, &Setting<bool>),
        base: &Path,
        reader: &mut Reader<'_>,
    ) -> Self {
        if basic.is_present() && bearer.is_present() {
            refuse_two(&bearer.at, "`basic` and `bearer` both say who Plimsoll is", reader);
        }
        let is_said = basic.is_present() || bearer.is_present();
        let header = headers
            .value
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(AUTHORIZATION) && is_said);
        if let Some(header) = header {
            let message =
                "`basic` and `bearer` become the header Authorization, which is given too";
            refuse_two(&header.at, message, reader);
        }
        if insecure.value && ca.is_present() {
            let message = "any certificate will do, so that nothing is compared with `ca`";
            let error = ConfigError::new(&insecure.at.key, message)
                .found("insecure = true")
                .remedy("remove `insecure` or `ca`");
            reader.refuse(&insecure.at, error);
        }
        let basic = basic.value.as_ref().and_then(|basic| match basic {
            OneOf::First(basic) => Some(basic.clone()),
            OneOf::Second(table) => {
                Some((table.user.value.clone()?, table.password.value.clone()?))
            }
        });
        Self {
            basic,
            bearer: bearer.value.clone(),
            headers: service::headers(headers, reader),
            ca: ca.value.as_ref().map(|file| path(base, file)),
            insecure: insecure.value,
        }
    }

    /// The endpoint at a URL, which may carry user and password itself.
    pub(super) fn to(
        &self,
        url: &HttpEndpoint,
        at: &Where,
        reader: &mut Reader<'_>,
    ) -> HttpEndpoint {
        if url.basic.is_some() && (self.basic.is_some() || self.bearer.is_some()) {
            refuse_two(at, "user and password are in the URL, and beside it too", reader);
        }
        HttpEndpoint {
            url: url.url.clone(),
            basic: self.basic.clone().or_else(|| url.basic.clone()),
            bearer: self.bearer.clone(),
            headers: self.headers.clone(),
            ca: self.ca.clone(),
            insecure: self.insecure,
        }
    }
}

fn refuse_two(at: &Where, message: &str, reader: &mut Reader<'_>) {
    let error = ConfigError::new(&at.key, message)
        .allowed("one of user and password in the URL, `basic`, `bearer` and a header")
        .remedy("keep the one that the other side asks for");
    reader.refuse(at, error);
}
