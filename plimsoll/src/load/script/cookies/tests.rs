use super::*;
use crate::load::client::dial::Purpose;
use crate::load::script::url;

const NOW: &str = "2026-01-02T15:04:05Z";

/// What goes to a URL after answers from URLs set cookies.
fn sent(set: &[(&str, &str)], to: &str) -> String {
    let now = NOW.parse().unwrap();
    let place = |url: &str| {
        let (prefix, rest) = url::split(url).unwrap();
        (url::origin(prefix, Purpose::Requests).unwrap(), url::target(rest))
    };
    let mut jar = Jar::default();
    for (url, field) in set {
        let (origin, target) = place(url);
        jar.store(field, &origin, &target, now);
    }
    let (origin, target) = place(to);
    jar.field(&origin, &target, now).unwrap_or_default()
}

#[test]
fn cookies_go_where_they_belong() {
    let from = "http://www.shop.example/a/b?x=/y/";
    for (field, to, expected) in [
        ("a=1", "http://www.shop.example/a/c", "a=1"),
        ("a=1; HttpOnly; SameSite=Lax", "http://www.shop.example/a", "a=1"),
        (" a = 1 2 ; x", "http://www.shop.example/a", "a=1 2"),
        ("a=\"x=y\"", "http://www.shop.example/a", "a=\"x=y\""),
        // Ports do not matter.
        ("a=1", "http://www.shop.example:81/a", "a=1"),
        // Host only, without Domain.
        ("a=1", "http://shop.example/a", ""),
        ("a=1", "http://x.www.shop.example/a", ""),
        ("a=1; Domain=shop.example", "http://shop.example/a", "a=1"),
        ("a=1; Domain=.Shop.Example", "http://other.shop.example/a", "a=1"),
        ("a=1; Domain=shop.example", "http://myshop.example/a", ""),
        ("a=1; Domain=other.example", "http://other.example/a", ""),
        ("a=1; Domain=example", "http://www.shop.example/a", ""),
        ("a=1; Domain=x.www.shop.example", "http://x.www.shop.example/a", ""),
        ("a=1; Domain=", "http://www.shop.example/a", "a=1"),
        // Paths are whole folders.
        ("a=1", "http://www.shop.example/ab", ""),
        ("a=1", "http://www.shop.example/", ""),
        ("a=1; Path=/", "http://www.shop.example/", "a=1"),
        ("a=1; path=/a/b", "http://www.shop.example/a/b/c?d", "a=1"),
        ("a=1; Path=/a/b/", "http://www.shop.example/a/b", ""),
        ("a=1; Path=none", "http://www.shop.example/a", "a=1"),
        // Over TLS only.
        ("a=1; Secure", "http://www.shop.example/a", ""),
        ("a=1; Secure", "https://www.shop.example/a", "a=1"),
        // Times.
        ("a=1; Max-Age=1", "http://www.shop.example/a", "a=1"),
        ("a=1; Max-Age=0", "http://www.shop.example/a", ""),
        ("a=1; Max-Age=-1", "http://www.shop.example/a", ""),
        ("a=1; Max-Age=99999999999999999999", "http://www.shop.example/a", "a=1"),
        ("a=1; Max-Age=soon", "http://www.shop.example/a", "a=1"),
        ("a=1; Expires=Fri, 02 Jan 2026 15:04:06 GMT", "http://www.shop.example/a", "a=1"),
        ("a=1; Expires=Fri, 02 Jan 2026 15:04:05 GMT", "http://www.shop.example/a", ""),
        ("a=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", "http://www.shop.example/a", ""),
        ("a=1; Max-Age=9; Expires=Thu, 01-Jan-70 00:00:00 GMT", "http://www.shop.example/a", "a=1"),
        // What is none.
        ("", "http://www.shop.example/a", ""),
        ("a", "http://www.shop.example/a", ""),
        ("=1", "http://www.shop.example/a", ""),
        ("a=1\r\nx: y", "http://www.shop.example/a", ""),
    ] {
        assert_eq!(sent(&[(from, field)], to), expected, "{field} to {to}");
    }
}

#[test]
fn cookies_of_addresses_stay_with_them() {
    let from = "http://127.0.0.1:9999/";
    assert_eq!(sent(&[(from, "a=1; Domain=127.0.0.1")], from), "a=1");
    assert_eq!(sent(&[(from, "a=1; Domain=0.0.1")], "http://0.0.1/"), "");
    assert_eq!(sent(&[("http://localhost/", "a=1; Domain=localhost")], "http://localhost/"), "a=1");
    assert_eq!(sent(&[("http://localhost/", "a=1; Domain=localhost")], "http://x.localhost/"), "");
}

#[test]
fn a_cookie_is_replaced_deleted_and_put_in_order() {
    let url = "http://host/a/b/";
    let set = |fields: &[&str]| {
        let set: Vec<_> = fields.iter().map(|field| (url, *field)).collect();
        sent(&set, url)
    };
    assert_eq!(set(&["a=1; path=/", "b=2; path=/", "a=3; path=/"]), "a=3; b=2");
    assert_eq!(set(&["a=1", "b=2", "a=; Max-Age=0"]), "b=2");
    assert_eq!(set(&["a=1; path=/", "a=2; path=/a/b", "c=3; path=/a"]), "a=2; c=3; a=1");
}

#[test]
fn a_jar_is_bounded() {
    let url = "http://host/";
    let fields: Vec<String> = (0..COOKIES_MAX + 5).map(|number| format!("c{number}=1")).collect();
    let set: Vec<_> = fields.iter().map(|field| (url, field.as_str())).collect();
    let sent_back = sent(&set, url);
    assert_eq!(sent_back.split("; ").count(), COOKIES_MAX);
    assert!(sent_back.starts_with("c5=1; ") && sent_back.ends_with("; c304=1"));
    assert_eq!(sent(&[(url, &format!("a={}", "x".repeat(COOKIE_BYTES_MAX)))], url), "");
}

#[test]
fn dates_are_read_in_every_form() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "06-NOV-1994 8:49:37",
    ] {
        assert_eq!(date(text), Some("1994-11-06T08:49:37Z".parse().unwrap()), "{text}");
    }
    for text in [
        "",
        "Sun, 31 Feb 2026 08:49:37 GMT",
        "06 Nov 1994",
        "06 Nov 1600 08:49:37",
        "06 Nov 1994 25:00:00",
    ] {
        assert_eq!(date(text), None, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_field_breaks_anything(field in ".{0,80}", suffix in "; (Expires|Domain|Path|Max-Age)=.{0,30}") {
        for field in [field.clone(), format!("a=1{suffix}"), format!("a=1; Expires={field}")] {
            let sent = sent(&[("http://host/", &field)], "http://host/");
            proptest::prop_assert!(!sent.bytes().any(|byte| byte < b' '));
        }
    }
}
