//! The files beside the page.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// `GET /assets/status.css`
pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("assets/status.css"))
}

/// `GET /assets/status.js`
pub(super) async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("assets/status.js"))
}

/// `GET /assets/icon.svg`
pub(super) async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml")], include_str!("assets/icon.svg"))
}
