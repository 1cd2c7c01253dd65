use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

type Asked = Arc<Mutex<Vec<String>>>;

/// Notes method, path and key of each request, and redirects by path: `/302/CODE` and `/307/CODE`
/// within the host, `/out` to another port.
async fn answer(
    State((asked, other)): State<(Asked, Option<SocketAddr>)>,
    request: Request,
) -> axum::response::Response {
    let key = request.headers().get("x-key").map_or("", |value| value.to_str().unwrap());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    asked.lock().unwrap().push(format!("{method} {path} {key}").trim_end().to_owned());
    match path.as_str() {
        "/302" => (StatusCode::FOUND, [(LOCATION, "/end")]).into_response(),
        "/307" => Redirect::temporary("/end").into_response(),
        "/round" => Redirect::temporary("/round").into_response(),
        "/out" => Redirect::temporary(&format!("http://{}/end", other.unwrap())).into_response(),
        _ => "good".into_response(),
    }
}

async fn listen(other: Option<SocketAddr>) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let router = Router::new().fallback(answer).with_state((Arc::clone(&asked), other));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

#[tokio::test]
async fn redirects_stay_on_the_host_and_keep_what_is_told() {
    let (other, strangers) = listen(None).await;
    let (address, asked) = listen(Some(other)).await;
    let mut endpoint = HttpEndpoint::open(format!("http://{address}/"));
    endpoint.headers = vec![("x-key".to_owned(), "secret".to_owned())];
    let (client, reader) =
        (client(&endpoint).unwrap(), reader(verifier(&endpoint).unwrap()).unwrap());
    for (client, method, path, expected, seen) in [
        (&client, Method::POST, "/302", 302, vec!["POST /302 secret"]),
        (&client, Method::POST, "/307", 200, vec!["POST /307 secret", "POST /end secret"]),
        (&client, Method::POST, "/out", 307, vec!["POST /out secret"]),
        (&reader, Method::GET, "/302", 200, vec!["GET /302 secret", "GET /end secret"]),
        (&reader, Method::GET, "/out", 307, vec!["GET /out secret"]),
    ] {
        let url = format!("http://{address}{path}");
        let sent = request(client, method, &endpoint, &url).body("told").send();
        let response = sent.await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{path}");
        let leads = elsewhere(&response);
        assert_eq!(leads.is_some(), expected != 200, "{path} {leads:?}");
        assert_eq!(*asked.lock().unwrap(), seen);
        asked.lock().unwrap().clear();
    }
    assert_eq!(*strangers.lock().unwrap(), Vec::<String>::new(), "nobody else was told the key");
    let url = format!("http://{address}/round");
    let error = request(&reader, Method::GET, &endpoint, &url).send().await.unwrap_err();
    assert_eq!(in_words(&error), "too many redirects");
    assert_eq!(asked.lock().unwrap().len(), REDIRECTS_MAX + 1);
}

#[test]
fn a_host_is_left_by_another_name_port_or_scheme() {
    for (from, to, is_same) in [
        ("http://a/x", "http://a/y", true),
        ("http://a/x", "https://a/y", true),
        ("https://a/x", "http://a/y", false),
        ("http://a:9090/x", "https://a/y", false),
        ("http://a:9090/x", "http://a:9091/y", false),
        ("http://a/x", "http://b/x", false),
        ("http://a/x", "http://a.b/x", false),
    ] {
        let url = |text: &str| Url::parse(text).unwrap();
        assert_eq!(stays(&url(from), &url(to)), is_same, "{from} {to}");
    }
}

/// As a small server does that wraps a socket: the answer's end is that of the connection.
#[tokio::test]
async fn who_ends_a_connection_without_closing_tls_is_told_what_to_do() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private.into())
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup 1\n").await.unwrap();
        stream.flush().await.unwrap();
        // The connection ends, and TLS was not asked to.
        stream.get_mut().0.shutdown().await.unwrap();
    });
    let url = format!("https://localhost:{port}/");
    let mut endpoint = HttpEndpoint::open(&url);
    endpoint.insecure = true;
    let client = client(&endpoint).unwrap();
    let response = request(&client, Method::GET, &endpoint, &url).send().await.unwrap();
    let words = body(response, 1024).await.unwrap_err().to_string();
    assert!(words.contains("let it send Content-Length, or close TLS properly"), "{words}");
    assert!(!words.contains("docs.rs"), "{words}");
}
