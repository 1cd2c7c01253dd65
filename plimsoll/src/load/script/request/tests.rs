use std::sync::Arc;

use super::*;
use crate::config::bench::model::{
    Cookies, Function, MultipartContent, MultipartField, RequestBody, Step, Test,
};
use crate::load::script::judge;
use crate::load::script::sample::{
    call, check, get, plan, reply, send, shared, text, user, variable,
};

/// Renders a request for a user whose `v1` is `one & two`.
fn rendered(request: &Request) -> Result<Outgoing, String> {
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    user.set(1, "one & two".into());
    render(request, &mut user, &shared)
}

fn field<'o>(outgoing: &'o Outgoing, name: &str) -> Vec<&'o str> {
    let fields = outgoing.headers.iter().filter(|(field, _)| field == name);
    fields.map(|(_, value)| value.as_str()).collect()
}

fn url(before: &str) -> Template {
    let mut url = text(before);
    url.0.extend(variable(1).0);
    url
}

#[test]
fn requests_are_rendered() {
    let mut request = get(0, url("http://host:81/x?q="));
    request.method = text("PUT");
    request.headers = vec![("X-One".to_owned(), variable(1)), ("X-Two".to_owned(), text("2"))];
    request.body = RequestBody::Text(variable(1));
    let outgoing = rendered(&request).unwrap();
    assert_eq!((&*outgoing.method, &*outgoing.target), ("PUT", "/x?q=one%20&%20two"));
    assert_eq!((&*outgoing.origin.authority, outgoing.origin.port), ("host:81", 81));
    assert_eq!(
        outgoing.headers,
        [("X-One", "one & two"), ("X-Two", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(&*outgoing.body, b"one & two");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut method = get(0, text("http://host/"));
    method.method = text("GET /");
    let mut header = get(0, text("http://host/"));
    header.headers = vec![("X-Text".to_owned(), text("a\r\nHost: b"))];
    for (request, expected) in [
        (get(0, variable(5)), "“-” is no absolute URL, as in http://host/path"),
        (method, "“GET /” is no method"),
        (header, "the value of the header “X-Text” holds a line break"),
    ] {
        assert_eq!(rendered(&request).unwrap_err(), expected);
    }
}

#[test]
fn forms_are_encoded() {
    let mut request = get(0, text("http://host/"));
    request.body = RequestBody::Form(vec![(text("a b"), variable(1)), (text("ü"), text(""))]);
    let outgoing = rendered(&request).unwrap();
    assert_eq!(&*outgoing.body, b"a+b=one+%26+two&%C3%BC=");
    assert_eq!(field(&outgoing, "Content-Type"), ["application/x-www-form-urlencoded"]);
    request.headers = vec![("content-type".to_owned(), text("text/x"))];
    assert_eq!(field(&rendered(&request).unwrap(), "Content-Type"), [""; 0]);
}

#[test]
fn multipart_forms_are_put_together() {
    let mut request = get(0, text("http://host/"));
    let file: Arc<[u8]> = Arc::from(&b"\x00\xff"[..]);
    request.headers = vec![("Content-Type".to_owned(), text("multipart/form-data"))];
    request.body = RequestBody::Multipart(vec![
        MultipartField {
            name: text("na\"me"),
            content_type: None,
            content: MultipartContent::Text(variable(1)),
        },
        MultipartField {
            name: text("file"),
            content_type: Some("image/png".to_owned()),
            content: MultipartContent::File("a b.png".to_owned(), file),
        },
    ]);
    let outgoing = rendered(&request).unwrap();
    let content_type = field(&outgoing, "Content-Type");
    let boundary = content_type[0].strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"na%22me\"\r\n\r\none & two\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.png\"\r\n\
         Content-Type: image/png\r\n\r\n@@\r\n--{boundary}--\r\n"
    );
    let expected = expected.into_bytes();
    let at = expected.windows(2).position(|two| two == b"@@").unwrap();
    let expected = [&expected[..at], b"\x00\xff", &expected[at + 2..]].concat();
    assert_eq!(outgoing.body, expected);
    assert_eq!(content_type.len(), 1);
}

#[test]
fn messages_are_rendered() {
    let message = Message {
        label: 0,
        url: url("wss://host/chat?"),
        headers: vec![("X-One".to_owned(), variable(1))],
        send: Some(variable(1)),
        binary: false,
        replies: 1,
        until: None,
        timeout: None,
        extract: Vec::new(),
        checks: Vec::new(),
    };
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    user.set(1, "hi".into());
    let outgoing = super::message(&message, &mut user, &shared).unwrap();
    assert_eq!((outgoing.origin.port, &*outgoing.target), (443, "/chat?hi"));
    assert_eq!(outgoing.payload.as_deref(), Some(&b"hi"[..]));
    let wrong = Message { url: text("http://host/"), send: None, ..message };
    assert!(super::message(&wrong, &mut user, &shared).unwrap_err().contains("ws or wss"));
    assert!(!user.last_succeeded);
}

#[test]
fn an_origin_is_parsed_once_for_a_run_of_requests_to_it() {
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    let mut origin = |url: &str| render(&get(0, text(url)), &mut user, &shared).unwrap().origin;
    let first = origin("http://host/a");
    assert!(Rc::ptr_eq(&first, &origin("http://host/b?c")));
    assert!(!Rc::ptr_eq(&first, &origin("http://host:81/b")));
    assert_eq!(first, origin("http://host:80/"));
}

/// The request after a redirect of a POST to `http://host/a/b?c` that carries much.
fn redirected(status: u16, location: &str) -> Option<Outgoing> {
    let shared = shared(plan(vec![send(1), send(2)]));
    let mut user = user(&shared);
    let mut request = get(0, text("http://host/a/b?c"));
    request.method = text("POST");
    request.redirects_max = 1;
    request.body = RequestBody::Text(text("body"));
    request.headers = [
        ("Content-Type", "text/plain"),
        ("Authorization", "x"),
        ("X-One", "1"),
        ("Cookie", "own=1"),
    ]
    .map(|(name, value)| (name.to_owned(), text(value)))
    .to_vec();
    let outgoing = render(&request, &mut user, &shared).unwrap();
    let reply = reply(status, &[("location", location), ("Set-Cookie", "id=7; path=/a")], "");
    assert!(redirect(&request, &mut user, &shared, &outgoing, &reply, 1).is_none());
    redirect(&request, &mut user, &shared, &outgoing, &reply, 0)
}

#[test]
fn redirects_change_the_method_as_the_rfc_has_it() {
    for (status, expected) in [
        (301, "GET 0 [\"Authorization\", \"X-One\", \"Cookie\"]"),
        (302, "GET 0 [\"Authorization\", \"X-One\", \"Cookie\"]"),
        (303, "GET 0 [\"Authorization\", \"X-One\", \"Cookie\"]"),
        (307, "POST 4 [\"Content-Type\", \"Authorization\", \"X-One\", \"Cookie\"]"),
        (308, "POST 4 [\"Content-Type\", \"Authorization\", \"X-One\", \"Cookie\"]"),
    ] {
        let next = redirected(status, "../a/d").unwrap();
        let names: Vec<_> = next.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(format!("{} {} {names:?}", next.method, next.body.len()), expected, "{status}");
        let cookies = field(&next, "Cookie");
        assert_eq!((&*next.target, cookies), ("/a/d", vec!["own=1; id=7"]));
    }
    for status in [200, 300, 304, 305, 404] {
        assert!(redirected(status, "/").is_none(), "{status}");
    }
}

#[test]
fn credentials_do_not_follow_to_other_origins() {
    for (location, names) in [
        ("https://host/a", vec!["X-One", "Cookie"]),
        ("//other/a", vec!["X-One"]),
        ("http://host:81/", vec!["X-One"]),
    ] {
        let next = redirected(302, location).unwrap();
        let found: Vec<_> = next.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, names, "{location}");
        assert!(!field(&next, "Cookie").concat().contains("own"), "{location}");
    }
    assert!(redirected(302, "ftp://host/").is_none());
    assert!(redirected(302, "http://").is_none());
}

#[test]
fn cookies_are_kept_as_the_group_says() {
    let both = |cookies, fresh_users, steps: Vec<Step>| {
        let mut plan = plan(steps);
        plan.groups[0].cookies = cookies;
        plan.groups[0].fresh_users = fresh_users;
        let shared = shared(plan);
        let mut user = user(&shared);
        let mut request = get(0, text("http://host/"));
        request.headers = vec![("Cookie".to_owned(), text("own=1"))];
        let outgoing = render(&request, &mut user, &shared).unwrap();
        let reply = reply(200, &[("set-cookie", "id=7")], "");
        assert_eq!(judge(&request, &mut user, &shared, &outgoing, &reply).failure, None);
        let within = render(&request, &mut user, &shared).unwrap();
        user.begin_iteration(&shared, Default::default());
        let after = render(&request, &mut user, &shared).unwrap();
        [&within, &after].map(|outgoing| field(outgoing, "Cookie").concat())
    };
    let two = || vec![send(1), send(2)];
    assert_eq!(both(Cookies::Kept, false, two()), ["own=1; id=7", "own=1; id=7"]);
    assert_eq!(both(Cookies::Kept, false, vec![send(1)]), ["own=1; id=7", "own=1; id=7"]);
    assert_eq!(both(Cookies::FreshEachIteration, false, two()), ["own=1; id=7", "own=1"]);
    assert_eq!(both(Cookies::Kept, true, two()), ["own=1; id=7", "own=1"]);
    assert_eq!(both(Cookies::Ignored, false, two()), ["own=1", "own=1"]);
    // Nothing could ever be sent back.
    assert_eq!(both(Cookies::Kept, true, vec![send(1)]), ["own=1", "own=1"]);
}

#[test]
fn what_is_wanted_is_what_is_looked_at() {
    let neither = |request: &Request| {
        let mut plan = plan(vec![Step::Request(Box::new(request.clone()))]);
        plan.groups[0].fresh_users = true;
        let shared = shared(plan);
        let wanted = wanted(request, &shared, 0);
        (wanted.headers, wanted.body, is_constant(request, &shared, 0))
    };
    let base = get(0, text("http://host/"));
    let checked = |of, test| {
        let mut request = base.clone();
        request.checks = vec![Check { of, ..check(test) }];
        request
    };
    let with = |edit: &dyn Fn(&mut Request)| {
        let mut request = base.clone();
        edit(&mut request);
        request
    };
    for (request, expected) in [
        (base.clone(), (false, false, true)),
        (checked(Source::Status, Test::Within(vec![(200, 299)])), (false, false, true)),
        (checked(Source::Body, Test::Contains(text("x"))), (true, true, true)),
        (checked(Source::Body, Test::Faster(Default::default())), (false, false, true)),
        (checked(Source::Header("X".to_owned()), Test::Exists), (true, false, true)),
        // A cookie of the first answer may go with the second request.
        (with(&|request| request.redirects_max = 1), (true, false, false)),
        (with(&|request| request.url = variable(1)), (false, false, false)),
        (
            with(&|request| request.body = RequestBody::Text(call(Function::Uuid, &[]))),
            (false, false, false),
        ),
        (with(&|request| request.body = RequestBody::Multipart(Vec::new())), (false, false, false)),
    ] {
        assert_eq!(neither(&request), expected, "{request:?}");
    }
    // Cookies that may come back change requests and must be looked for.
    let shared = shared(plan(vec![send(1)]));
    assert!(wanted(&base, &shared, 0).headers && !is_constant(&base, &shared, 0));
}
