//! Who users are and what they keep: their numbers, cookies and connections, over whole runs.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::peer::{Answer, get, ok, peer, plan, plan_of, rate, results, users};
use crate::config::bench::model::*;
use crate::load::client::peers::Authority;
use crate::load::results::Ended;
use crate::load::tally::Failure;

/// The value of a field of a head.
fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn cookies_go_back_with_the_next_request_of_the_same_user() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = peer({
        let seen = Arc::clone(&seen);
        move |number, head| {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let cookie = field(head, "Cookie").map(str::to_owned);
            seen.lock().unwrap().push((path.clone(), cookie));
            match path.as_str() {
                "/login" => ok(&format!("Set-Cookie: session={number}; Path=/\r\n"), ""),
                _ => ok("", ""),
            }
        }
    });
    let request = |path: &str| {
        let mut request = get(format!("http://127.0.0.1:{}{path}", server.port));
        request.headers.push(("X-User".into(), Template::text("1")));
        Step::Request(Box::new(request))
    };
    let steps = vec![request("/login"), request("/a"), request("/b")];
    let mut plan = plan(users(1, 2), steps);
    let sent = |fresh: bool, cookies: Cookies, plan: &mut Plan| {
        plan.groups[0].fresh_users = fresh;
        plan.groups[0].cookies = cookies;
        let results = results(plan);
        assert_eq!((results.total.requests, results.total.errors()), (6, 0));
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.into_iter().map(|(_, cookie)| cookie).collect::<Vec<_>>()
    };
    let session = |number: u64| Some(format!("session={number}"));
    // Each iteration is that of another visitor.
    assert_eq!(
        sent(true, Cookies::Kept, &mut plan),
        [None, session(0), session(0), None, session(3), session(3)]
    );
    // The server numbers on.
    assert_eq!(
        sent(false, Cookies::Kept, &mut plan),
        [None, session(6), session(6), session(6), session(9), session(9)]
    );
    assert_eq!(
        sent(false, Cookies::FreshEachIteration, &mut plan),
        [None, session(12), session(12), None, session(15), session(15)]
    );
    assert_eq!(sent(false, Cookies::Ignored, &mut plan), [const { None }; 6]);
}

#[test]
fn users_do_not_share_cookies() {
    let mixed = Arc::new(Mutex::new(Vec::new()));
    let server = peer({
        let mixed = Arc::clone(&mixed);
        move |_, head| {
            let user = field(head, "X-User").unwrap();
            if let Some(cookie) = field(head, "Cookie")
                && cookie != format!("user={user}")
            {
                mixed.lock().unwrap().push(head.to_owned());
            }
            ok(&format!("Set-Cookie: user={user}\r\n"), "")
        }
    });
    let mut request = get(format!("http://127.0.0.1:{}/", server.port));
    let call = Call { function: Function::User, arguments: Vec::new(), store: None, id: 0 };
    let number = Template(vec![Piece::Call(Box::new(call))]);
    request.headers.push(("X-User".into(), number));
    let mut plan = plan(users(8, 200), vec![Step::Request(Box::new(request))]);
    plan.groups[0].fresh_users = false;
    assert_eq!(results(&plan).total.requests, 200);
    assert_eq!(*mixed.lock().unwrap(), [""; 0]);
}

#[test]
fn no_two_users_have_the_same_number() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = peer({
        let seen = Arc::clone(&seen);
        move |_, head| {
            seen.lock().unwrap().push(field(head, "X-User").unwrap().to_owned());
            Answer::Bytes("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".into())
        }
    });
    let mut request = get(format!("http://127.0.0.1:{}/", server.port));
    let call = Call { function: Function::User, arguments: Vec::new(), store: None, id: 0 };
    let number = Template(vec![Piece::Call(Box::new(call))]);
    request.headers.push(("X-User".into(), number));
    let load = rate(1000.0, Duration::from_millis(40), 3);
    let mut plan = plan(load, vec![Step::Request(Box::new(request))]);
    // Each leaves after its first request, and another takes its place.
    plan.groups[0].on_error = OnError::StopUser;
    let results = results(&plan);
    let seen = seen.lock().unwrap();
    assert!(results.total.requests > 3);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len() as u64, results.total.requests);
}

#[test]
fn arrivals_are_taken_by_those_who_come_for_users_that_left() {
    let failed = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    let server = peer(move |_, _| Answer::Bytes(failed.into()));
    let all = rate(100_000.0, Duration::from_millis(20), 1);
    let Load::Open(mut open) = all else { unreachable!() };
    let Arrivals::Scheduled { stages, .. } = &mut open.arrivals else { unreachable!() };
    // Nothing comes any more, while what has come still waits.
    stages.push(Stage { from: 0.0, to: 0.0, lasting: Duration::from_secs(60) });
    let mut plan = plan_of(Load::Open(open), &server);
    plan.groups[0].on_error = OnError::StopUser;
    let results = results(&plan);
    assert_eq!((results.total.requests, results.tester.unsent), (2000, 0));
    assert_eq!(results.run.ended, Ended::Finished);
}

#[test]
fn who_waits_for_a_connection_shares_its_failure() {
    // Takes connections and says nothing to a greeting of TLS.
    let silent = peer(|_, _| Answer::Nothing);
    let url = format!("https://127.0.0.1:{}/", silent.port);
    let mut plan = plan(users(8, 8), vec![Step::Request(Box::new(get(url)))]);
    plan.threads = Some(1);
    plan.http.version = HttpVersion::Http2;
    plan.http.streams = 8;
    plan.http.connect_timeout = Duration::from_millis(200);
    plan.http.tls.insecure = true;
    let results = results(&plan);
    assert_eq!(results.total.failures, BTreeMap::from([(Failure::ConnectTimeout, 8)]));
    assert_eq!(results.connections.failed, 1);
}

#[test]
fn a_request_that_says_it_is_the_last_is() {
    // The server does not care.
    let server = peer(|_, _| ok("", ""));
    let mut request = get(format!("http://127.0.0.1:{}/", server.port));
    request.headers.push(("Connection".into(), Template::text("close")));
    let results = results(&plan(users(1, 5), vec![Step::Request(Box::new(request))]));
    assert_eq!((results.total.errors(), results.connections.opened), (0, 5));
}

#[test]
fn what_a_user_does_between_requests_is_no_service_time() {
    /// Much to look through.
    const BODY_BYTES: usize = 3 << 20;
    let between = Arc::new(Mutex::new((None::<Instant>, Duration::MAX)));
    let server = peer({
        let between = Arc::clone(&between);
        move |_, head| {
            let mut between = between.lock().unwrap();
            if head.starts_with("GET /second ") {
                between.1 = between.0.take().unwrap().elapsed();
                return ok("", "");
            }
            between.0 = Some(Instant::now());
            ok("", &"a".repeat(BODY_BYTES))
        }
    });
    let mut first = get(format!("http://127.0.0.1:{}/first", server.port));
    first.checks.extend((0..20).map(|_| Check {
        name: "ends well".into(),
        of: Source::Body,
        what: Finder::Whole,
        test: Test::Finds(Pattern(regex::Regex::new("(a|b)*c").unwrap())),
        not: true,
    }));
    let mut second = get(format!("http://127.0.0.1:{}/second", server.port));
    second.label = 1;
    let steps = vec![Step::Request(Box::new(first)), Step::Request(Box::new(second))];
    let results = results(&plan(users(1, 1), steps));
    assert_eq!(results.total.errors(), 0, "{:?}", results.examples);
    // The server waited for the second request while the user looked through the first answer.
    let (_, waited) = *between.lock().unwrap();
    let took = results.labels[1].1.service_time.max();
    assert!(took < waited / 2, "{took:?} of {waited:?}");
}

#[test]
fn a_run_begins_after_its_files_were_read() {
    let server = peer(|_, _| ok("", ""));
    let mut plan = plan_of(users(1, 1), &server);
    let authority = Authority::new();
    let certificate = std::fs::read(&authority.file).unwrap();
    // A file that takes its time.
    let slow = authority.file.with_file_name("slow.pem");
    nix::unistd::mkfifo(&slow, nix::sys::stat::Mode::S_IRWXU).unwrap();
    plan.http.tls.ca = Some(slow.clone());
    let writing = std::thread::spawn(move || {
        let mut file = std::fs::OpenOptions::new().write(true).open(slow).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let written_at = jiff::Timestamp::now();
        std::io::Write::write_all(&mut file, &certificate).unwrap();
        written_at
    });
    let results = results(&plan);
    assert!(results.run.started_at > writing.join().unwrap());
}

#[test]
fn iterations_are_shared_among_parts() {
    let server = peer(|_, _| ok("", ""));
    let mut plan = plan_of(users(4, 9), &server);
    let of = NonZeroU32::new(2).unwrap();
    let counts = [0, 1].map(|index| {
        plan.part = Part { index, of };
        results(&plan).total.requests
    });
    assert_eq!(counts, [5, 4]);
}

#[test]
fn a_user_keeps_so_many_connections_and_no_more() {
    let servers: Vec<_> = (0..18).map(|_| peer(|_, _| ok("", ""))).collect();
    let step = |port: u16| Step::Request(Box::new(get(format!("http://127.0.0.1:{port}/"))));
    let ports = |count: usize| servers[..count].iter().map(|server| step(server.port)).collect();
    let opened = |count: usize| {
        let results = results(&plan(users(1, 3), ports(count)));
        assert_eq!(results.total.errors(), 0);
        results.connections.opened
    };
    assert_eq!(opened(16), 16);
    // The oldest goes first, which is the one that is needed next.
    assert_eq!(opened(18), 3 * 18);
}
