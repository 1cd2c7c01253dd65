//! A web server that says what it is told to say, and tells what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc;

/// A request that came.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// Whoever asks later than this does it for another reason than the test's.
const ASKED_WAIT: std::time::Duration = std::time::Duration::from_secs(20);

/// Answers that are to be given; then 200 forever.
type Answers = Arc<Mutex<VecDeque<(u16, String)>>>;

pub(super) struct Peer {
    pub(super) address: SocketAddr,
    answers: Answers,
    asked: mpsc::UnboundedReceiver<Asked>,
    _server: Abort,
}

/// Ends a task when it is dropped.
struct Abort(tokio::task::JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Peer {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener)
    }

    pub(super) fn on(listener: tokio::net::TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let answers = Answers::default();
        let (tell, asked) = mpsc::unbounded_channel();
        let app = axum::Router::new().fallback(answer).with_state((Arc::clone(&answers), tell));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, answers, asked, _server: Abort(server) }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next requests are answered so.
    pub(super) fn will_say(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned()));
        self.answers.lock().unwrap().extend(answers);
    }

    pub(super) async fn asked(&mut self) -> Asked {
        tokio::time::timeout(ASKED_WAIT, self.asked.recv()).await.expect("nobody asks").unwrap()
    }

    /// How many more came.
    pub(super) fn more(&mut self) -> usize {
        std::iter::from_fn(|| self.asked.try_recv().ok()).count()
    }

    /// Whether nothing more came.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

async fn answer(
    State((answers, tell)): State<(Answers, mpsc::UnboundedSender<Asked>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = uri.path().to_owned();
    let _ = tell.send(Asked { method, path, headers, body });
    let (status, body) = answers.lock().unwrap().pop_front().unwrap_or((200, "ok".to_owned()));
    // `Retry-After: …` at the beginning of a body becomes a header.
    match body.strip_prefix("Retry-After: ") {
        Some(seconds) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", seconds.to_owned())])
                .into_response()
        }
        None => (StatusCode::from_u16(status).unwrap(), body).into_response(),
    }
}
