//! What a mail server gets, over a small one of our own: it speaks enough of RFC 5321 and RFC 3207
//! to hold a whole conversation, and keeps every line of it.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::config::model::observe::MailSecurity;

/// How the server is.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// TLS from the first byte.
    Tls,
    StartTls,
    /// Without any TLS.
    Plain,
    /// Like `Plain`, but it refuses the addressee for now, or for ever.
    Busy,
    Unwilling,
}

struct MailServer {
    port: u16,
    /// Conversations: what the client said, line by line.
    talks: mpsc::UnboundedReceiver<Vec<String>>,
    directory: tempfile::TempDir,
}

impl MailServer {
    async fn start(manner: Manner) -> Self {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), key.cert.pem()).unwrap();
        let private =
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, talks) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let talk = serve(stream, &acceptor, manner).await;
                if tell.send(talk).is_err() {
                    break;
                }
            }
        });
        Self { port, talks, directory }
    }

    fn means(&self, security: MailSecurity, login: Option<(&str, &str)>) -> Means {
        Means::Email {
            to: vec!["On Call <oncall@example.com>".to_owned(), "team@example.com".to_owned()],
            from: "Plimsoll <plimsoll@ops.example>".to_owned(),
            server: ("localhost".to_owned(), self.port),
            security,
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            ca: Some(self.directory.path().join("ca.pem")),
        }
    }
}

async fn serve(stream: TcpStream, acceptor: &TlsAcceptor, manner: Manner) -> Vec<String> {
    let mut talk = Vec::new();
    if manner == Manner::Tls {
        if let Ok(stream) = acceptor.accept(stream).await {
            talk.push("(TLS)".to_owned());
            let _ = converse(BufReader::new(stream), manner, true, &mut talk).await;
        }
        return talk;
    }
    let Some(stream) = converse(BufReader::new(stream), manner, true, &mut talk).await else {
        return talk;
    };
    if let Ok(stream) = acceptor.accept(stream).await {
        talk.push("(TLS)".to_owned());
        let _ = converse(BufReader::new(stream), manner, false, &mut talk).await;
    }
    talk
}

/// Until the end of the conversation, or until the client starts TLS.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    manner: Manner,
    greets: bool,
    talk: &mut Vec<String>,
) -> Option<S> {
    if greets {
        stream.write_all(b"220 mail.example ready\r\n").await.ok()?;
    }
    let in_clear = !talk.iter().any(|line| line == "(TLS)");
    loop {
        stream.flush().await.ok()?;
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        talk.push(line.trim_end().to_owned());
        let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if manner == Manner::StartTls && in_clear => "250-mail.example\r\n250 STARTTLS",
            "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                stream.flush().await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" if line.contains("AG1lAHdyb25n") => "535 5.7.8 wrong password wrong-password",
            "AUTH" => "235 welcome",
            "MAIL" => "250 sender ok",
            "RCPT" if manner == Manner::Busy => "451 4.7.1 greylisted, come back later",
            "RCPT" if manner == Manner::Unwilling => "550 5.1.1 no such user",
            "RCPT" => "250 recipient ok",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                stream.flush().await.ok()?;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.ok()?;
                    if line == ".\r\n" {
                        break;
                    }
                    talk.push(line.trim_end_matches("\r\n").to_owned());
                }
                "250 2.0.0 queued as 42"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                stream.flush().await.ok()?;
                return None;
            }
            _ => "500 what?",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

/// The lines of the mail's own header, folded ones joined.
fn header(talk: &[String]) -> Vec<String> {
    let start = talk.iter().position(|line| line == "DATA").unwrap() + 1;
    let mut header: Vec<String> = Vec::new();
    for line in talk[start..].iter().take_while(|line| !line.is_empty()) {
        match header.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ => header.push(line.clone()),
        }
    }
    header
}

fn field<'a>(header: &'a [String], name: &str) -> Option<&'a str> {
    header.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn mail_goes_over_starttls_with_a_login() {
    let mut server = MailServer::start(Manner::StartTls).await;
    let means = server.means(MailSecurity::StartTls, Some(("me", "secret")));
    let firing = [alert("Down service=web instance=<1>")];
    let answer = sent(means, &message("ops", &firing, &[])).await;
    assert_eq!(answer, Ok("SMTP 250: 2.0.0 queued as 42".to_owned()));
    let talk = server.talks.recv().await.unwrap();
    let place = |text: &str| talk.iter().position(|line| line.starts_with(text)).unwrap();
    // Nothing of importance goes in clear.
    assert!(
        place("STARTTLS") < place("(TLS)") && place("(TLS)") < place("AUTH PLAIN AG1lAHNlY3JldA==")
    );
    assert!(place("AUTH") < place("MAIL FROM:<plimsoll@ops.example>"));
    place("RCPT TO:<oncall@example.com>");
    place("RCPT TO:<team@example.com>");
    let header = header(&talk);
    assert_eq!(field(&header, "Subject"), Some("[FIRING:1] Down (<1> web)"));
    assert_eq!(field(&header, "From"), Some("Plimsoll <plimsoll@ops.example>"));
    assert_eq!(field(&header, "Auto-Submitted"), Some("auto-generated"));
    assert!(field(&header, "Content-Type").unwrap().starts_with("multipart/alternative"));
    let text = talk.join("\n");
    for part in ["Content-Type: text/plain", "Content-Type: text/html", "Firing: Down is wrong"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let html = text.split("text/html").nth(1).unwrap();
    assert!(html.contains("instance=3D&lt;1&gt;") || html.contains("instance=&lt;1&gt;"), "{html}");
}

#[tokio::test]
async fn mail_of_a_group_is_one_thread() {
    let mut server = MailServer::start(Manner::Tls).await;
    let (one, other) = ([alert("Down service=web")], [alert("Full service=web")]);
    let mut seen = Vec::new();
    for message in
        [message("ops", &one, &[]), message("ops", &[], &one), message("ops", &other, &[])]
    {
        sent(server.means(MailSecurity::Tls, None), &message).await.unwrap();
        let talk = server.talks.recv().await.unwrap();
        assert_eq!(talk[0], "(TLS)");
        let header = header(&talk);
        let get = |name: &str| field(&header, name).unwrap().to_owned();
        assert_eq!(get("References"), get("In-Reply-To"));
        seen.push((get("References"), get("Message-ID"), get("Subject")));
    }
    assert_eq!(seen[0].0, seen[1].0);
    assert_ne!(seen[0].0, seen[2].0);
    assert_ne!(seen[0].1, seen[1].1);
    assert_eq!(seen[1].2, "[RESOLVED] Down (web)");
}

#[tokio::test]
async fn no_alarm_can_add_a_header_or_end_a_mail() {
    let mut server = MailServer::start(Manner::Plain).await;
    let mut evil = alert("Down");
    let name = "Down\r\nBcc: everybody@example.com\r\n\r\nBuy\r\n.\r\nQUIT\r\n";
    evil.labels = Labels::from_pairs([("alertname", name), ("\u{e9}", "\u{1F525}")]);
    evil.annotations
        .insert("summary".to_owned(), "a\r\n.\r\nMAIL FROM:<x@example.com>\r\n".to_owned());
    evil.generator_url = "javascript:alert(1)".to_owned();
    evil.annotations.insert("description".to_owned(), "b\n.\nRCPT TO:<y@example.com>\n".to_owned());
    sent(server.means(MailSecurity::Plain, None), &message("ops", &[evil], &[])).await.unwrap();
    let talk = server.talks.recv().await.unwrap();
    let header = header(&talk);
    let names: Vec<&str> = header.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert!(!names.contains(&"Bcc"), "{header:?}");
    assert_eq!(names.iter().filter(|name| **name == "Subject").count(), 1);
    let whole = talk.join("\n").replace("=\n", "");
    assert!(whole.contains("javascript:alert(1)") && !whole.contains("\"javascript:"), "{whole}");
    // One mail, and the conversation ends as it should.
    assert_eq!(talk.iter().filter(|line| line.starts_with("MAIL FROM")).count(), 1);
    assert_eq!(talk.last().unwrap(), "QUIT");
}

#[tokio::test]
async fn a_refused_mail_says_whether_it_passes() {
    let message = message("ops", &[alert("Down")], &[]);
    let refused = async |manner, security, login| {
        let server = MailServer::start(manner).await;
        sent(server.means(security, login), &message).await.unwrap_err()
    };
    let busy = refused(Manner::Busy, MailSecurity::Plain, None).await;
    assert_eq!((&*busy.words, busy.passes), ("SMTP 451: 4.7.1 greylisted, come back later", true));
    let unwilling = refused(Manner::Unwilling, MailSecurity::Plain, None).await;
    assert_eq!((&*unwilling.words, unwilling.passes), ("SMTP 550: 5.1.1 no such user", false));
    // The password is not told, even if the server does.
    let login = Some(("me", "wrong-password"));
    let wrong = refused(Manner::StartTls, MailSecurity::StartTls, login).await;
    assert_eq!((&*wrong.words, wrong.passes), ("SMTP 535: 5.7.8 wrong password (hidden)", false));
    // Nobody there: that may change.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = MailServer { port, ..MailServer::start(Manner::Plain).await };
    let gone = sent(server.means(MailSecurity::Plain, None), &message).await.unwrap_err();
    assert!(gone.passes, "{gone:?}");
    // A server without STARTTLS gets nothing.
    let open = refused(Manner::Plain, MailSecurity::StartTls, login).await;
    assert!(!open.passes && open.words.contains("STARTTLS"), "{open:?}");
}

#[tokio::test]
async fn what_cannot_be_used_is_told_at_once() {
    let server = MailServer::start(Manner::Plain).await;
    let refused = |means| {
        Sender::new("ops", &Receiver { means, resolved: true }, "").err().unwrap().to_string()
    };
    let Means::Email { to, server: at, security, login, .. } =
        server.means(MailSecurity::Tls, None)
    else {
        unreachable!()
    };
    let email = |from: &str, ca: Option<&str>| Means::Email {
        to: to.clone(),
        from: from.to_owned(),
        server: at.clone(),
        security,
        login: login.clone(),
        ca: ca.map(Into::into),
    };
    assert_eq!(
        refused(email("nobody", None)),
        "receiver `ops` cannot be used: \"nobody\" is no address: Invalid input; write it as \
         name@example.com or Name <name@example.com>"
    );
    let missing = refused(email("a@example.com", Some("/no/such/ca.pem")));
    assert!(
        missing.starts_with("receiver `ops` cannot be used: cannot use the certificates of /no/such/ca.pem: No such file"),
        "{missing}"
    );
}
