//! Serves the bound admin address: the accept loop, the routes, and what every answer carries.
//!
//! Invariants: at most [`CONNECTIONS_MAX`] connections are open, one that says nothing for
//! [`HEAD_TIMEOUT`] is closed, and so is one whose client does not take its answer (`taker`); no
//! request reaches a handler before `access` let it in. A failing `accept` (no descriptors left) is logged, waited out and tried again, never fatal.

mod taker;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::access::{Access, Denial};
use super::api::{self, ApiError};
use super::bind::Admin;
use super::sessions::Sessions;
use super::{Command, assets, login};
use taker::Taker;

/// Open connections; more wait in the kernel's backlog. A few dashboards with forty panels each,
/// beside agents that send samples, and people.
const CONNECTIONS_MAX: usize = 512;
/// Time for a request head to arrive, idle time of a kept-alive connection included: longer than
/// clients keep idle ones (Go's and Grafana's 90 s), so that they are not closed under a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(100);
/// Largest request body of our own pages; only the sign-in form has one. What is mounted says its
/// own.
const BODY_BYTES_MAX: usize = 4096;
/// Wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Scripts, styles and requests from here only, no frames, no plugins, no inline code.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// What handlers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) access: Access,
    pub(super) sessions: Sessions,
    pub(super) commands: mpsc::Sender<Command>,
}

/// The address of the client, put into each request by the accept loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Answers requests until dropped. `token` is what they must carry, see `access`; without one the
/// address must be loopback, which the config sees to. `extra` is mounted beside the own routes, under
/// the same rules of access; it has no fallback of its own at the root, and reads the client's address
/// as [`ConnectInfo`].
pub async fn serve(
    admin: Admin,
    token: Option<String>,
    commands: mpsc::Sender<Command>,
    extra: Router,
) {
    let listener = match TcpListener::from_std(admin.listener) {
        Ok(listener) => listener,
        Err(error) => {
            return crate::log::error("admin", format_args!("cannot watch its address: {error}"));
        }
    };
    let access = Access { token, bound: admin.address };
    let shared = Arc::new(Shared { access, sessions: Sessions::default(), commands });
    let service = TowerToHyperService::new(router(shared, extra));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed, so that this always succeeds.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, peer, service.clone(), permit));
            }
            Err(error) => {
                crate::log::warn("admin", format_args!("cannot accept: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: TowerToHyperService<Router>,
    _permit: OwnedSemaphorePermit,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
        request.extensions_mut().insert(ConnectInfo(peer));
        service.call(request)
    });
    // What goes wrong on one connection is the client's affair: it sees it.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(Taker::new(stream)), service)
        .await;
}

fn router(shared: Arc<Shared>, extra: Router) -> Router {
    let own = Router::new()
        .route("/", get(api::page))
        .route("/login", get(login::form).post(login::submit))
        .route("/logout", post(login::leave))
        .route("/assets/status.css", get(assets::style))
        .route("/assets/status.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .route("/metrics", get(api::metrics))
        .route("/-/healthy", get(api::healthy))
        .route("/-/ready", get(api::ready))
        .route("/api/status", get(api::status))
        .route("/api/reload", post(api::reload))
        .route("/api/services/{service}/restart", post(api::restart))
        .route("/api/receivers/{receiver}/test", post(api::try_receiver))
        .route(
            "/api/services/{service}/servers/{server}/drain",
            post(api::drain).delete(api::undo_drain),
        )
        .fallback(api::no_such_path)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::clone(&shared));
    own.merge(extra)
        .layer(middleware::from_fn_with_state(shared, gate))
        .layer(middleware::map_response(protect))
}

/// Lets a request in or answers why not.
async fn gate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    let peer = request.extensions().get::<Peer>();
    let in_session =
        peer.is_some_and(|peer| shared.sessions.holds(headers, peer.0, Instant::now()));
    match shared.access.judge(method, path, headers, in_session) {
        Ok(()) => next.run(request).await,
        Err(Denial::Token | Denial::WrongToken) if path == "/" && *method == Method::GET => {
            Redirect::to("/login").into_response()
        }
        Err(denial) => {
            let asked_by_own_page = path.starts_with("/api/");
            let mut response = ApiError::denied(denial).into_response();
            if response.status() == StatusCode::UNAUTHORIZED && !asked_by_own_page {
                // Browsers and Grafana ask their user then. Our own page has a form for that.
                let challenge = HeaderValue::from_static("Basic realm=\"plimsoll\"");
                response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// Headers for every answer: it is nobody's to keep, to frame or to guess the type of.
async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with that browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"plimsoll\"");
        response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests;
