use super::*;

#[test]
fn addresses_to_listen_on() {
    let cases = [
        (":9999", "[::]:9999"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("localhost:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ];
    for (text, shown) in cases {
        assert_eq!(listen(text).unwrap().bind.to_string(), shown, "{text}");
        assert_eq!(admin(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn addresses_of_servers() {
    for text in ["127.0.0.1:8000", "[::1]:80", "app.internal:80", "web_1:80", "unix:/run/app.sock"]
    {
        assert_eq!(show(&server(text).unwrap()), text);
    }
    assert_eq!(show(&server("unix:///run/app.sock").unwrap()), "unix:/run/app.sock");
}

/// What is said of a text that is no address: `message -> remedy`.
fn said<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    let refusal = result.unwrap_err();
    format!("{} -> {}", refusal.message, refusal.remedy.unwrap())
}

const LISTEN: &str = "write a port, as in \":9999\", or an IP address and a port, as in \
                      \"127.0.0.1:9999\"";
const SERVER: &str = "write a host and a port, as in \"127.0.0.1:8000\" or \"app.internal:80\"";

#[test]
fn every_kind_of_wrong_address_to_listen_on_has_its_remedy() {
    for (text, message, remedy) in [
        ("", "the address is empty", LISTEN),
        (" :80", "there is space around the address", "write \":80\""),
        ("9999", "this is a port without its colon", "write \":9999\""),
        ("99999", "`99999` is not a port number; the highest is 65535", LISTEN),
        ("80x", "`80x` is neither a port nor an IP address of this machine", LISTEN),
        ("web", "`web` is neither a port nor an IP address of this machine", LISTEN),
        ("1.2.3", "`1.2.3` is neither a port nor an IP address of this machine", LISTEN),
        ("1.2.3.4", "the port is missing", "write \"1.2.3.4:9999\""),
        ("localhost", "the port is missing", "write \"localhost:9999\""),
        (
            "localhost:",
            "the port is missing",
            "write a port up to 65535 after the colon, as in \"localhost:9999\"",
        ),
        (
            ":80x",
            "`80x` is not a port number",
            "write a port up to 65535 after the colon, as in \":9999\"",
        ),
        (
            ":65536",
            "`65536` is not a port number",
            "write a port up to 65535 after the colon, as in \":9999\"",
        ),
        (
            ":http",
            "`http` is not a port number",
            "write a port up to 65535 after the colon, as in \":80\"",
        ),
        ("*:80", "`*` is not an address; an empty host means all of them", "write \":80\""),
        ("*", "`*` is not an address; an empty host means all of them", "write \":9999\""),
        (
            "example.com:80",
            "`example.com` is not an IP address of this machine",
            "write \":80\" for all addresses, or the IP address itself",
        ),
        ("::1", "an IPv6 address needs brackets and a port", "write \"[::1]:9999\""),
        (
            "1:2:3:4:5:6:7:8:80",
            "an IPv6 address needs brackets and a port",
            "write \"[1:2:3:4:5:6:7:8]:80\"",
        ),
        ("a:b:80", "`a:b:80` has more than one colon", LISTEN),
        ("[::1]", "the port is missing", "write \"[::1]:9999\""),
        ("[::1]80", "there is no colon before the port", "write \"[::1]:80\""),
        ("[::1", "`[` has no closing `]`", "write \"[::1]:9999\""),
        ("[::1:80", "`[` has no closing `]`", "write \"[::1]:80\""),
        ("http://:80/", "an address has no scheme such as `http://`", "write \":80\""),
        ("https://a.example", "an address has no scheme such as `https://`", "write \":443\""),
        ("tcp://a.example:9000", "an address has no scheme such as `tcp://`", "write \":9000\""),
        (":80/api", "an address has no path", "write \":80\""),
        ("unix:/run/x", "Plimsoll listens on TCP ports, not on Unix sockets", LISTEN),
    ] {
        assert_eq!(said(listen(text)), format!("{message} -> {remedy}"), "{text}");
    }
}

#[test]
fn the_admin_server_is_meant_for_this_machine() {
    for (text, message, remedy) in [
        ("9900", "this is a port without its colon", "write \"127.0.0.1:9900\""),
        ("127.0.0.1", "the port is missing", "write \"127.0.0.1:9900\""),
        (
            "admin.example:9901",
            "`admin.example` is not an IP address of this machine",
            "write \"127.0.0.1:9901\" for this machine",
        ),
        ("http://x:9901", "an address has no scheme such as `http://`", "write \"127.0.0.1:9901\""),
    ] {
        assert_eq!(said(admin(text)), format!("{message} -> {remedy}"), "{text}");
    }
}

#[test]
fn every_kind_of_wrong_address_of_a_server_has_its_remedy() {
    let socket = "write it as in \"unix:/run/app.sock\"";
    for (text, message, remedy) in [
        ("", "the address is empty", SERVER),
        (":80", "the host is missing", "write \"127.0.0.1:80\" for this machine"),
        ("8000", "this is a port without its colon", "write \"127.0.0.1:8000\""),
        ("app", "the port is missing", "write \"app:8000\""),
        ("my app", "`my app` is not an address", SERVER),
        ("app:0", "no server listens on port 0", SERVER),
        (
            "app:http",
            "`http` is not a port number",
            "write a port up to 65535 after the colon, as in \"app:80\"",
        ),
        (
            "0.0.0.0:80",
            "`0.0.0.0` is an address to listen on, not to connect to",
            "write \"127.0.0.1:80\" for this machine",
        ),
        ("http://app:8080/x", "an address has no scheme such as `http://`", "write \"app:8080\""),
        ("http://app", "an address has no scheme such as `http://`", "write \"app:80\""),
        ("app:80/x", "an address has no path", "write \"app:80\""),
        ("/run/x.sock", "a Unix socket is written with `unix:`", "write \"unix:/run/x.sock\""),
        ("unix:x", "the path of a Unix socket begins with `/`", socket),
        ("a b:80", "`a b` is not a host name", SERVER),
        ("*:80", "`*` is not a host name", SERVER),
        ("256.1.1.1:80", "`256.1.1.1` is not an IP address", SERVER),
        ("::1:80:", "`::1:80:` has more than one colon", SERVER),
    ] {
        assert_eq!(said(server(text)), format!("{message} -> {remedy}"), "{text}");
    }
    let invisible = "the path of a Unix socket consists of visible ASCII characters without quotes";
    for text in ["unix:/run/a b.sock", "unix:/run/a\r\nX: y", "unix:/run/\"", "unix:/run/\u{fc}"] {
        assert_eq!(said(server(text)), format!("{invisible} -> {socket}"), "{text}");
    }
    let long = format!("unix:/{}", "x".repeat(SOCKET_PATH_BYTES));
    assert!(said(server(&long)).starts_with("the path of a Unix socket has at most 107 bytes"));
    for text in ["app:x", "1.2.3:80", "a..b:80"] {
        assert!(server(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    /// Whatever is written, a remedy that names an address names one that is accepted.
    #[test]
    fn a_remedy_is_accepted(text in "[ *a-c0-9:./\\[\\]-]{0,12}") {
        let named = |refusal: Refusal| {
            let remedy = refusal.remedy.unwrap();
            remedy.split('"').nth(1).unwrap().to_owned()
        };
        if let Err(refusal) = listen(&text) {
            proptest::prop_assert!(listen(&named(refusal)).is_ok());
        }
        if let Err(refusal) = server(&text) {
            proptest::prop_assert!(!refusal.message.is_empty());
            proptest::prop_assert!(server(&named(refusal)).is_ok());
        }
    }
}
