//! Is anybody there? Asked once of every server that a plan names, before anything is measured.
//!
//! A typing error in a port would otherwise be measured as ten thousand failures. Each server is
//! connected to once, with TLS and the version of HTTP that the run will use; no request is sent.
//!
//! Left out: which servers those are (see `script::origins`).

use std::sync::Arc;
use std::time::Duration;

use super::client::Origin;
use super::client::dial::{Dialer, Prepared, Purpose};
use crate::net;

/// Most servers that are asked; a plan with more is believed.
const ASKED_MAX: usize = 32;

/// Connects to each of the servers. Blocks for as long as connecting may take, by the plan.
///
/// # Errors
/// What is wrong, in words, for each that cannot be reached.
pub fn verify(
    prepared: &Arc<Prepared>,
    origins: &[(Origin, Purpose)],
    timeout: Duration,
) -> Result<(), Vec<String>> {
    let ask = async {
        let dialer = Dialer::new(Arc::clone(prepared));
        let mut problems = Vec::new();
        for (origin, purpose) in origins.iter().take(ASKED_MAX) {
            let answer = tokio::time::timeout(timeout, reach(&dialer, origin, *purpose)).await;
            match answer {
                Ok(Ok(())) => {}
                Ok(Err(problem)) => problems.push(problem),
                Err(_) => problems.push(format!(
                    "{} does not answer within {} s; is it the right address, and does a firewall \
                     let it through?",
                    origin.authority,
                    timeout.as_secs_f64()
                )),
            }
        }
        problems
    };
    match net::run(ask) {
        Ok(problems) if problems.is_empty() => Ok(()),
        Ok(problems) => Err(problems),
        Err(error) => Err(vec![format!("cannot make an event loop: {error}")]),
    }
}

async fn reach(dialer: &Dialer, origin: &Origin, purpose: Purpose) -> Result<(), String> {
    let dialled = dialer.connect(origin, purpose).await.map_err(|trouble| trouble.detail)?;
    if !dialled.http2 {
        return Ok(());
    }
    let speaks = async {
        let (_requests, mut connection) = h2::client::handshake(dialled.transport).await?;
        // There is one for the first who asks, and nobody did before.
        let Some(mut pings) = connection.ping_pong() else { return Ok(()) };
        tokio::select! {
            ended = connection => ended,
            answered = pings.ping(h2::Ping::opaque()) => answered.map(drop),
        }
    };
    speaks.await.map_err(|error: h2::Error| {
        format!(
            "{} does not speak HTTP/2 ({error}); leave out --http 2, or ask an address that does",
            origin.authority
        )
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;
    use crate::config::bench::model::{HttpSettings, HttpVersion, Tls};
    use crate::load::client::{Scheme, dial};

    fn ask(port: u16, version: HttpVersion) -> Result<(), Vec<String>> {
        let settings = HttpSettings {
            version,
            keep_alive: true,
            streams: 1,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            unix: None,
            tls: Tls::default(),
        };
        let origin = Origin {
            scheme: Scheme::Http,
            host: "127.0.0.1".to_owned(),
            port,
            authority: format!("127.0.0.1:{port}"),
        };
        let prepared = Arc::new(dial::prepare(&settings, [&origin]).unwrap());
        verify(&prepared, &[(origin, Purpose::Requests)], Duration::from_secs(5))
    }

    #[test]
    fn who_listens_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(ask(port, HttpVersion::Http1), Ok(()));
        drop(listener);
        let problems = ask(port, HttpVersion::Http1).unwrap_err();
        assert!(problems[0].contains("refused"), "{problems:?}");
    }

    #[test]
    fn a_server_of_http1_does_not_speak_http2() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer);
            }
        });
        let problems = ask(port, HttpVersion::Http2).unwrap_err();
        assert!(problems[0].contains("does not speak HTTP/2"), "{problems:?}");
    }
}
