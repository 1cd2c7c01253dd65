use super::*;

fn parse(url: &str) -> Result<String, String> {
    let (prefix, rest) = split(url)?;
    let origin = origin(prefix, Purpose::Requests)?;
    Ok(format!(
        "{:?} {} {} {} {}",
        origin.scheme,
        origin.host,
        origin.port,
        origin.authority,
        target(rest)
    ))
}

#[test]
fn urls_become_origins_and_targets() {
    for (url, expected) in [
        ("http://host", "Http host 80 host /"),
        ("HTTPS://Host.Example:443/A?b#c", "Https host.example 443 host.example /A?b"),
        (" http://host:8080/x \n", "Http host 8080 host:8080 /x"),
        ("http://host:/", "Http host 80 host /"),
        ("http://[::1]:9999/", "Http ::1 9999 [::1]:9999 /"),
        ("http://[2001:DB8::1]", "Http 2001:db8::1 80 [2001:db8::1] /"),
        ("http://host?q=1", "Http host 80 host /?q=1"),
        ("http://host#top", "Http host 80 host /"),
        (
            "http://host/a b/ü?q=\"x y\"&z=ß'",
            "Http host 80 host /a%20b/%C3%BC?q=%22x%20y%22&z=%C3%9F%27",
        ),
        ("http://host/%20%zz", "Http host 80 host /%20%zz"),
        ("http://host/{id}?f={id}|[1]", "Http host 80 host /%7Bid%7D?f={id}|[1]"),
        ("http://host/a/./b/../c/.", "Http host 80 host /a/c/"),
        ("http://host/../../x/..", "Http host 80 host /"),
        ("http://host/a/%2E%2e/b", "Http host 80 host /b"),
        ("http://host/a//b/", "Http host 80 host /a//b/"),
        ("http://host/.hidden?x=/../y", "Http host 80 host /.hidden?x=/../y"),
        ("http://host\\a\\b", "Http host 80 host /a/b"),
        ("http://host/a\r\nX: y", "Http host 80 host /aX:%20y"),
        ("http://my_host.local/", "Http my_host.local 80 my_host.local /"),
    ] {
        assert_eq!(parse(url).as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn what_is_no_url_is_said() {
    for (url, expected) in [
        ("host/path", "“host/path” is no absolute URL, as in http://host/path"),
        ("", "“” is no absolute URL, as in http://host/path"),
        ("ftp://host/", "“ftp://host” is no URL to ask: its scheme must be http or https"),
        ("http:///x", "“http://” is no URL to ask: it has no host"),
        ("http://host:99999/", "“http://host:99999” is no URL to ask: its port must be 1 to 65535"),
        ("http://host:0/", "“http://host:0” is no URL to ask: its port must be 1 to 65535"),
        ("http://host:x/", "“http://host:x” is no URL to ask: its port must be 1 to 65535"),
        ("http://[::1/", "“http://[::1” is no URL to ask: its “[” stays open"),
        ("http://[x]/", "“http://[x]” is no URL to ask: no IPv6 address between its brackets"),
        ("http://${host}/", "“http://${host}” is no URL to ask: its host holds “$”"),
        (
            "http://bücher.example/",
            "“http://bücher.example” is no URL to ask: its host must be ASCII; write it in punycode (xn--…)",
        ),
        (
            "http://me:secret@host/",
            "“http://me:secret@host” is no URL to ask: names and passwords do not belong there; send an Authorization header",
        ),
    ] {
        assert_eq!(parse(url), Err(expected.to_owned()));
    }
    assert!(origin("http://host", Purpose::Messages).unwrap_err().ends_with("must be ws or wss"));
    assert_eq!(origin("wss://host", Purpose::Messages).unwrap().port, 443);
}

#[test]
fn references_resolve_as_the_rfc_has_it() {
    let base = origin("http://a:81", Purpose::Requests).unwrap();
    // RFC 3986 §5.4, for the base http://a:81/b/c/d?q.
    for (reference, expected) in [
        ("https://x/y", "Https x 443 x /y"),
        ("g", "Http a 81 a:81 /b/c/g"),
        ("./g", "Http a 81 a:81 /b/c/g"),
        ("g/", "Http a 81 a:81 /b/c/g/"),
        ("/g", "Http a 81 a:81 /g"),
        ("//g", "Http g 80 g /"),
        ("?y", "Http a 81 a:81 /b/c/d?y"),
        ("g?y", "Http a 81 a:81 /b/c/g?y"),
        ("#s", "Http a 81 a:81 /b/c/d?q"),
        ("", "Http a 81 a:81 /b/c/d?q"),
        (".", "Http a 81 a:81 /b/c/"),
        ("..", "Http a 81 a:81 /b/"),
        ("../g", "Http a 81 a:81 /b/g"),
        ("../../../g", "Http a 81 a:81 /g"),
        ("g?to=http://x/", "Http a 81 a:81 /b/c/g?to=http://x/"),
        ("/a b", "Http a 81 a:81 /a%20b"),
    ] {
        let resolved = resolve(&base, "/b/c/d?q", reference);
        assert_eq!(parse(&resolved).as_deref(), Ok(expected), "{reference}");
    }
}

#[test]
fn what_is_left_out_hides_no_dot_segment() {
    for (rest, expected) in [("\t.", "/"), ("/a/.\n./b", "/b"), ("/a\r\n?b\tc", "/a?bc")] {
        assert_eq!(target(rest), expected, "{rest:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_out_of_a_request_line(rest in ".{0,60}") {
        let target = target(&rest);
        proptest::prop_assert!(target.starts_with('/'), "{target}");
        proptest::prop_assert!(target.bytes().all(|byte| (b'!'..=b'~').contains(&byte)), "{target}");
        // What is encoded stays as it is.
        proptest::prop_assert_eq!(&super::target(&target), &target);
    }
}
