//! Signing in on the page: the token is shown once, in a form, and opens a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Extension, Form, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::api::ApiError;
use super::page;
use super::server::{Peer, Shared};
use super::sessions::{COOKIE_NAME, SESSION_LIFETIME};

/// Time for the form to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

/// `GET /login`
pub(super) async fn form(State(shared): State<Arc<Shared>>) -> Response {
    match shared.access.token {
        Some(_) => Html(page::login(false)).into_response(),
        None => Redirect::to("/").into_response(),
    }
}

/// `POST /login`
pub(super) async fn submit(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let form = tokio::time::timeout(FORM_TIMEOUT, Form::<SignIn>::from_request(request, &())).await;
    let form = match form {
        Ok(Ok(Form(form))) => form,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    if !shared.access.is_token(form.token.trim()) {
        crate::log::warn("admin", format_args!("{peer} tried to sign in with a wrong token"));
        return (StatusCode::UNAUTHORIZED, Html(page::login(true))).into_response();
    }
    match shared.sessions.open(peer, Instant::now()) {
        Ok(name) => with_cookie(Redirect::to("/"), &name, SESSION_LIFETIME),
        Err(error) => {
            let error = format!("no session can be opened: {error}");
            let remedy = "make /dev/urandom readable for Plimsoll, or send the token as a header";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, &error, remedy).into_response()
        }
    }
}

/// `POST /logout`
pub(super) async fn leave(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.sessions.close(&headers, Instant::now());
    with_cookie(Redirect::to("/login"), "", Duration::ZERO)
}

fn with_cookie(redirect: Redirect, value: &str, lifetime: Duration) -> Response {
    let seconds = lifetime.as_secs();
    // Not `Secure`: the admin server itself speaks plain HTTP.
    let cookie =
        format!("{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], redirect).into_response()
}
