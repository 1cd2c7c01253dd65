use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

const NOWHERE: Connection = Connection { admin: None, config: None, token: None };

fn at(address: &str) -> Client {
    Client { address: address.to_owned(), token: None, warning: None }
}

#[test]
fn addresses_are_completed() {
    for (text, expected) in [
        ("127.0.0.1:9901", "127.0.0.1:9901"),
        ("127.0.0.1", "127.0.0.1:9900"),
        (":9901", "127.0.0.1:9901"),
        ("0.0.0.0:9901", "127.0.0.1:9901"),
        ("[::]:9901", "[::1]:9901"),
        ("::1", "[::1]:9900"),
        ("localhost", "localhost:9900"),
        ("http://plimsoll.example:80/", "plimsoll.example:80"),
    ] {
        assert_eq!(address(text, "--admin").unwrap(), expected, "{text}");
    }
    for text in ["", ":", "localhost:", "a:b:c", "host:99999", "host:0", "a b:1", "https://x"] {
        let error = address(text, "--admin").unwrap_err();
        assert_eq!(error.to_string(), format!("{text:?} from --admin is not an address"));
        assert!(error.is_usage());
    }
}

#[test]
fn options_win_over_variables() {
    let variable = |name: &str| match name {
        ADMIN_VARIABLE => Some("10.0.0.1:1".to_owned()),
        TOKEN_VARIABLE => Some("from-variable".to_owned()),
        _ => None,
    };
    let find = |connection: &Connection| Client::find(connection, variable).unwrap();
    let token = |text: &str| Some(text.to_owned());
    assert_eq!(
        find(&NOWHERE),
        Client { address: "10.0.0.1:1".to_owned(), token: token("from-variable"), warning: None }
    );
    let connection = Connection {
        admin: Some("10.0.0.2:2".to_owned()),
        config: None,
        token: token("from-option"),
    };
    assert_eq!(
        find(&connection),
        Client { address: "10.0.0.2:2".to_owned(), token: token("from-option"), warning: None }
    );
    assert_eq!(Client::find(&NOWHERE, |_| None).unwrap(), at(DEFAULT_ADMIN));
    assert_eq!(Client::find(&NOWHERE, |_| Some(String::new())).unwrap(), at(DEFAULT_ADMIN));
}

#[test]
fn the_config_file_says_where_and_with_which_token() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plimsoll.toml");
    let find = |admin: &str| {
        let text = format!("admin = {admin}\n[service.web]\nservers = [\"127.0.0.1:1\"]\n");
        std::fs::write(&path, text).unwrap();
        let connection = Connection { config: Some(path.clone()), ..NOWHERE };
        Client::find(&connection, |_| Some("10.0.0.1:1".to_owned()))
    };
    let client = find("{ bind = \"0.0.0.0:9901\", token = \"s3cret-s3cret-s3cret\" }").unwrap();
    assert_eq!(client.address, "127.0.0.1:9901");
    assert_eq!(client.token.as_deref(), Some("s3cret-s3cret-s3cret"));
    let error = find("false").unwrap_err();
    assert_eq!(error.to_string(), format!("{} turns the admin server off", path.display()));
    assert!(matches!(find("7"), Err(ClientError::Config(_))));
}

#[test]
fn a_file_that_is_broken_elsewhere_still_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plimsoll.toml");
    std::fs::write(&path, "admin = \"127.0.0.1:9901\"\n[service.web]\nserver = 1\nrum = 2\n")
        .unwrap();
    let connection = Connection { config: Some(path.clone()), ..NOWHERE };
    let client = Client::find(&connection, |_| None).unwrap();
    assert_eq!(client.address, "127.0.0.1:9901");
    let path = path.display();
    let expected =
        format!("{path} has 2 errors: see plimsoll check -c {path}; asking 127.0.0.1:9901");
    assert_eq!(client.warning, Some(expected));
}

/// Answers one connection with `answer` and returns the request it got.
fn answering(answer: &'static str) -> (Client, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = at(&listener.local_addr().unwrap().to_string());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        let mut byte = [0];
        while !request.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            request.push(char::from(byte[0]));
        }
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    (client, server)
}

fn ask(answer: &'static str) -> Result<Vec<u32>, String> {
    let (client, server) = answering(answer);
    let result = client.ask::<Vec<u32>>("POST", "/api/x", LOOK_TIMEOUT);
    server.join().unwrap();
    result.map_err(|error| {
        let details: String = error.details().iter().map(|line| format!(" | {line}")).collect();
        let text = format!("{error}{details} -> {}", error.remedy());
        text.replace(&client.address, "ADDRESS")
    })
}

#[test]
fn answers_and_refusals_are_told_apart() {
    assert_eq!(ask("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n[1, 2]"), Ok(vec![1, 2]));
    let stranger = "what answers on ADDRESS is not Plimsoll (status 200 OK) -> say where Plimsoll \
                    is: --admin ADDRESS, PLIMSOLL_ADMIN, or -c FILE";
    assert_eq!(ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap_err(), stranger);
    assert_eq!(
        ask("HTTP/1.1 409 Conflict\r\n\r\n\
             {\"error\":\"it is on\",\"remedy\":\"wait for it\",\"details\":[\"a\",\"b\"]}")
        .unwrap_err(),
        "it is on | a | b -> wait for it"
    );
    let broken = ask("SSH-2.0-OpenSSH\r\n").unwrap_err();
    assert!(broken.starts_with("the answer of ADDRESS broke off: "), "{broken}");
    let broken = ask("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1").unwrap_err();
    assert!(broken.starts_with("the answer of ADDRESS broke off: "), "{broken}");
}

#[test]
fn the_request_proves_that_no_web_page_sent_it() {
    let (mut client, server) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
    client.token = Some("s3cret".to_owned());
    client.ask::<Vec<u32>>("DELETE", "/api/x?y", LOOK_TIMEOUT).unwrap();
    let request = server.join().unwrap();
    assert!(request.starts_with("DELETE /api/x?y HTTP/1.1\r\n"), "{request}");
    for header in ["x-plimsoll: 1", "authorization: Bearer s3cret", &client.address] {
        assert!(request.contains(header), "{header}: {request}");
    }
}

#[test]
fn nobody_there_is_one_clear_message() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = at(&address).ask::<u32>("GET", "/", LOOK_TIMEOUT).unwrap_err();
    let expected = format!("no Plimsoll answers on {address}: connection refused");
    assert_eq!(error.to_string(), expected);
    assert!(error.remedy().starts_with("start Plimsoll (plimsoll up,"), "{}", error.remedy());
    assert!(!error.is_usage());
}
