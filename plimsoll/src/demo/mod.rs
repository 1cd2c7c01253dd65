//! The clinic: a small web service of the kind that Plimsoll looks after.
//!
//! It shows which instance answered, fails and burns processor time on request, and keeps
//! variables, measurements and alarms in a store that its instances share. The demonstration and
//! the tests run it as any other server, through its port or socket; nothing of Plimsoll calls
//! into it. Being a subject and not the product, it rests on axum.

mod api;
mod figures;
mod latency;
mod pages;
mod query;
mod resource;
mod store;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use figures::Figures;
pub use latency::Latency;
use pages::Settings;
use store::{Store, StoreError};

/// The port when neither an argument nor the environment says one.
const DEFAULT_PORT: u16 = 8000;

/// How an instance is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The instance's name. Default: `$INSTANCE`, else `clinic`.
    pub name: Option<String>,
    /// Default: `$DATABASE_URL`, else `clinic.db` in the current directory.
    pub database: Option<String>,
    /// Share of health checks that fail.
    pub health_failure_chance: f64,
    /// Added to every request but health checks and metrics.
    pub latency: Latency,
    /// Computations at once.
    pub threads: usize,
}

/// Why an instance could not run.
#[derive(Debug, thiserror::Error)]
pub enum ClinicError {
    /// The store cannot be used.
    #[error("cannot open the store {url}: {source}; name another with --database or DATABASE_URL")]
    Store {
        /// The URL without a password.
        url: String,
        /// What went wrong.
        source: StoreError,
    },
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}; set PORT or SOCKET to a free one")]
    Listen {
        /// Address or path.
        address: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The port is not one.
    #[error("PORT is {0:?}, which is not a port number from 1 to 65535")]
    Port(String),
    /// The server or runtime failed.
    #[error("the server failed: {0}")]
    Serve(#[from] std::io::Error),
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct Clinic {
    instance: Arc<str>,
    host: Arc<str>,
    store: Store,
    figures: Arc<Figures>,
    compute: Arc<Semaphore>,
    /// Requests for `/` so far; written by its handler.
    requests: Arc<AtomicU64>,
    /// Written by `PATCH /settings/`, read by most handlers; held for a copy only.
    settings: Arc<Mutex<Settings>>,
}

impl Clinic {
    fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_settings(&self, settings: Settings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    fn next_request_number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    async fn delay(&self) {
        let delay = self.settings().latency.sample(fastrand::f64());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    async fn run(
        &self,
        operation: &'static str,
        statements: Vec<store::Statement>,
    ) -> Result<Vec<Vec<store::Row>>, StoreError> {
        self.delay().await;
        self.store.run(&self.figures, operation, statements).await
    }
}

/// Runs an instance until SIGTERM or SIGINT; requests in progress are finished first.
///
/// # Errors
/// The store or the address cannot be used.
pub fn run(options: Options) -> Result<(), ClinicError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), ClinicError> {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let url = options
        .database
        .or_else(|| environment("DATABASE_URL"))
        .unwrap_or_else(|| "clinic.db".to_owned());
    let store = Store::open(&url).await.map_err(|source| {
        let url = if url.contains("://") { "at DATABASE_URL" } else { url.as_str() };
        ClinicError::Store { url: url.to_owned(), source }
    })?;
    let instance = options.name.or_else(|| environment("INSTANCE"));
    let clinic = Clinic {
        instance: instance.unwrap_or_else(|| "clinic".to_owned()).into(),
        host: nix::unistd::gethostname()
            .map_or_else(|_| "unknown".into(), |name| name.to_string_lossy().into()),
        store,
        figures: Arc::new(Figures::default()),
        compute: Arc::new(Semaphore::new(options.threads.max(1))),
        requests: Arc::new(AtomicU64::new(0)),
        settings: Arc::new(Mutex::new(Settings {
            health_failure_chance: options.health_failure_chance,
            latency: options.latency,
        })),
    };
    let router = router(clinic);
    match environment("SOCKET") {
        Some(path) => {
            let path = PathBuf::from(path);
            let failed =
                |source| ClinicError::Listen { address: path.display().to_string(), source };
            remove_stale_socket(&path).map_err(failed)?;
            let listener = UnixListener::bind(&path).map_err(failed)?;
            axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
            let _ = std::fs::remove_file(&path);
        }
        None => {
            let port = match environment("PORT") {
                Some(text) => text.parse().map_err(|_| ClinicError::Port(text))?,
                None => DEFAULT_PORT,
            };
            let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|source| {
                ClinicError::Listen { address: format!("127.0.0.1:{port}"), source }
            })?;
            let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
        }
    }
    Ok(())
}

fn remove_stale_socket(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

async fn stopped() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}

fn router(clinic: Clinic) -> Router {
    let item = get(api::detail).put(api::replace).patch(api::update).delete(api::delete);
    let collection = get(api::list).post(api::create);
    Router::new()
        .route("/", get(pages::index))
        .route("/health", get(pages::health))
        .route("/health/", get(pages::health))
        .route("/load", get(pages::load))
        .route("/settings/", get(pages::settings).patch(pages::change_settings))
        .route("/metrics", get(pages::metrics))
        .route("/{resource}", collection.clone())
        .route("/{resource}/", collection)
        .route("/{resource}/{id}", item.clone())
        .route("/{resource}/{id}/", item)
        .fallback(|| async { api::ApiError::NoSuchResource })
        .layer(middleware::from_fn_with_state(clinic.clone(), count))
        .with_state(clinic)
}

async fn count(
    State(clinic): State<Clinic>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    let handler = path.map_or("none", |path| handler_name(path.as_str()));
    let response = next.run(request).await;
    clinic.figures.request(handler, method, response.status().as_u16(), began.elapsed());
    response
}

/// The route's pattern as a label.
fn handler_name(pattern: &str) -> &'static str {
    match pattern.trim_end_matches('/') {
        "" => "/",
        "/health" => "/health/",
        "/load" => "/load",
        "/settings" => "/settings/",
        "/metrics" => "/metrics",
        "/{resource}" => "/{resource}/",
        _ => "/{resource}/{id}/",
    }
}
