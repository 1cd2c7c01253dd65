use std::time::Duration;

use serde_json_path::JsonPath;

use super::*;
use crate::config::bench::model::{
    AllMatches, Comparison, Condition, Finder, Function, GroupPart, Source, Step, Template, Test,
};
use crate::load::script::sample::{
    call, check, extraction, get, pattern, plan, reply, shared, text, user, variable,
};
use crate::load::script::{condition, render};

/// Judges an answer for a new user: the verdict, and what the variables hold after.
fn judged(
    extract: Vec<Extraction>,
    checks: Vec<Check>,
    reply: &Reply,
) -> (Verdict, Vec<Option<String>>) {
    let mut request = get(0, text("http://host/page?q=1"));
    (request.extract, request.checks) = (extract, checks);
    let shared = shared(plan(vec![Step::Request(Box::new(request.clone()))]));
    let mut user = user(&shared);
    for slot in 0..9 {
        user.set(slot, "old".into());
    }
    let outgoing = render(&request, &mut user, &shared).unwrap();
    let verdict = judge(&request, &mut user, &shared, &outgoing, reply);
    assert_eq!(user.last_succeeded, verdict.failure.is_none());
    let values = (0..10).map(|slot| user.get(slot).map(|value| value.to_string()));
    (verdict, values.collect())
}

/// What an extraction takes from an answer into `v0`.
fn taken(extraction: Extraction, reply: &Reply) -> Result<String, String> {
    let (verdict, values) = judged(vec![extraction], Vec::new(), reply);
    match verdict.failure {
        None => Ok(values[0].clone().unwrap_or_default()),
        Some((_, why)) => {
            assert_eq!(values[0], None, "a value of another answer is left");
            Err(why)
        }
    }
}

fn path(text: &str) -> Finder {
    Finder::Json(JsonPath::parse(text).unwrap())
}

fn regex(expression: &str, form: &str) -> Finder {
    Finder::Regex(pattern(expression), form.to_owned())
}

fn between(before: &str, after: &str) -> Finder {
    Finder::Between(before.to_owned(), after.to_owned())
}

const BODY: &str =
    r#"{"id": 7, "name": "Ann \"A\"", "list": [{"n": 1}, {"n": 2.5}, {"n": null}], "ok": true}"#;

#[test]
fn values_are_taken_from_bodies() {
    let reply = reply(200, &[], BODY);
    for (what, number, expected) in [
        (Finder::Whole, 1, BODY),
        (path("$.id"), 1, "7"),
        (path("$.name"), 1, "Ann \"A\""),
        (path("$.list[*].n"), 1, "1"),
        (path("$.list[*].n"), 2, "2.5"),
        (path("$.list[*].n"), 3, "null"),
        (path("$.list[0]"), 1, "{\"n\":1}"),
        (path("$.ok"), 1, "true"),
        (regex("\"n\": (\\d)", "$1$"), 1, "1"),
        (regex("\"n\": (\\d)", "$1$"), 2, "2"),
        (regex("\"(n)\": (\\d)", "<$2$-$1$-$0$-$3$>"), 2, "<2-n-\"n\": 2->"),
        (regex("\"(id)\"", ""), 1, "id"),
        (regex("\"id\"", ""), 1, "\"id\""),
        (regex("i(d)", "costs $5 and $1$$"), 1, "costs $5 and d$"),
        (between("\"n\": ", "}"), 2, "2.5"),
        (between("", ":"), 1, "{\"id\""),
        (between("\"ok\": ", ""), 1, "true}"),
        (between("", ""), 1, BODY),
    ] {
        let extraction = Extraction { number, ..extraction(what.clone()) };
        assert_eq!(taken(extraction, &reply).as_deref(), Ok(expected), "{what:?} {number}");
    }
}

#[test]
fn values_are_taken_from_other_parts() {
    let mut reply =
        reply(201, &[("Location", "/users/42"), ("X-List", "a=1"), ("x-list", "b=2")], "");
    reply.reason = "Made".to_owned();
    let header = |name: &str| Source::Header(name.to_owned());
    for (from, what, number, expected) in [
        (header("location"), Finder::Whole, 1, "/users/42"),
        (header("Location"), regex("/(\\d+)", "$1$"), 1, "42"),
        (header("X-List"), Finder::Whole, 2, "b=2"),
        (header("X-List"), regex("=(.)", "$1$"), 2, "2"),
        (Source::Headers, regex("(?m)^Location: (.*)$", "$1$"), 1, "/users/42"),
        (Source::Status, Finder::Whole, 1, "201"),
        (Source::Reason, Finder::Whole, 1, "Made"),
        (Source::Url, Finder::Whole, 1, "http://host/page?q=1"),
    ] {
        let extraction = Extraction { from, number, ..extraction(what) };
        assert_eq!(taken(extraction, &reply).as_deref(), Ok(expected));
    }
}

#[test]
fn what_is_missing_has_a_default_or_fails_in_words() {
    let reply = reply(200, &[], BODY);
    for (what, from, number, expected) in [
        (
            path("$.list[*].n"),
            Source::Body,
            4,
            "“v0” was not found: nothing in the body is at $.list[*].n; it begins: “{\"id\": 7,",
        ),
        (
            regex("x+", ""),
            Source::Body,
            0,
            "“v0” was not found: nothing in the body matches x+; it begins: “{",
        ),
        (
            between("<", ">"),
            Source::Body,
            1,
            "“v0” was not found: nothing in the body lies between “<” and “>”; it begins: “{",
        ),
        (
            Finder::Whole,
            Source::Header("X-Id".to_owned()),
            1,
            "“v0” was not found: the answer has no X-Id",
        ),
        (
            Finder::Whole,
            Source::Header("X-Id".to_owned()),
            -1,
            "“v0” was not found: the answer has no X-Id",
        ),
    ] {
        let extraction = Extraction { from, number, ..extraction(what) };
        let why = taken(extraction.clone(), &reply).unwrap_err();
        assert!(why.starts_with(expected), "{why}");
        let defaulted = Extraction { default: Some(variable(1)), ..extraction };
        assert_eq!(taken(defaulted, &reply).as_deref(), Ok("old"));
    }
    let html = sample_html();
    let why = taken(extraction(path("$.id")), &html).unwrap_err();
    assert_eq!(
        why,
        "“v0” was not found: the body is no JSON, in which $.id could be; it begins: “<p> Hi</p>”"
    );
}

fn sample_html() -> Reply {
    reply(200, &[], "<p>\nHi</p>")
}

#[test]
fn any_match_is_any_match() {
    let reply = reply(200, &[], BODY);
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    let mut request = get(0, text("http://host/"));
    request.extract = vec![Extraction { number: 0, ..extraction(path("$.list[*].n")) }];
    let outgoing = render(&request, &mut user, &shared).unwrap();
    let mut found: Vec<String> = (0..100)
        .map(|_| {
            judge(&request, &mut user, &shared, &outgoing, &reply);
            user.get(0).unwrap().to_string()
        })
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found, ["1", "2.5", "null"]);
}

#[test]
fn all_matches_and_groups_go_to_variables_of_their_own() {
    let all = AllMatches {
        count: Some(1),
        each: vec![(1, 2), (2, 3), (3, 4), (4, 5)],
        ..AllMatches::default()
    };
    let every = Extraction { number: -1, all: all.clone(), ..extraction(path("$.list[*].n")) };
    let body = reply(200, &[], BODY);
    let (verdict, values) = judged(vec![every.clone()], Vec::new(), &body);
    assert_eq!(verdict.failure, None);
    let values: Vec<_> = values.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
    assert_eq!(values[..7], ["1", "3", "1", "2.5", "null", "-", "old"]);

    let none = Extraction { default: Some(text("none")), ..every };
    let (_, values) = judged(vec![none], Vec::new(), &reply(200, &[], "{}"));
    let values: Vec<_> = values.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
    assert_eq!(values[..7], ["none", "0", "-", "-", "-", "-", "old"]);

    let of = |group: usize| GroupPart::Text(group);
    let groups = vec![(of(0), 2), (of(1), 3), (of(2), 4), (of(3), 5), (GroupPart::Count, 1)];
    let grouped = Extraction { groups, ..extraction(regex("(i)(x)?d", "$1$")) };
    let (_, values) = judged(vec![grouped], Vec::new(), &body);
    let values: Vec<_> = values.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
    assert_eq!(values[..7], ["i", "2", "id", "i", "", "-", "old"]);

    let groups = vec![(2, of(1), 1), (2, GroupPart::Count, 2), (2, of(2), 3), (3, of(0), 4)];
    let all = AllMatches { groups, ..AllMatches::default() };
    let every = Extraction { number: -1, all, ..extraction(regex("([a-z])=[0-9]", "$1$")) };
    let two = reply(200, &[], "a=1 b=2");
    let (_, values) = judged(vec![every], Vec::new(), &two);
    let values: Vec<_> = values.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
    assert_eq!(values[..5], ["a", "b", "1", "-", "-"]);
}

#[test]
fn all_matches_are_found_by_names_that_only_the_run_knows() {
    let ask = |name: &str| call(Function::VariableByName, &[name, "none"]);
    let shared = shared(plan(vec![Step::Set(9, ask("x"))]));
    let mut user = user(&shared);
    let mut request = get(0, text("http://host/"));
    request.extract = vec![Extraction {
        number: -1,
        default: Some(text("none")),
        into: 5,
        ..extraction(path("$.list[*].n"))
    }];
    let outgoing = render(&request, &mut user, &shared).unwrap();
    let names = ["v5_matchNr", "v5_1", "v5_3", "v5_4"];
    let mut found = |body: &str| {
        judge(&request, &mut user, &shared, &outgoing, &reply(200, &[], body));
        names.map(|name| super::super::template::render(&ask(name), &mut user, &shared).unwrap())
    };
    assert_eq!(found(BODY), ["3", "1", "null", "none"]);
    assert_eq!(found("{\"list\": [{\"n\": 5}]}"), ["1", "5", "none", "none"]);
}

#[test]
fn bodies_are_read_in_their_charset() {
    let mut latin = reply(200, &[("Content-Type", "text/html; charset=ISO-8859-1")], "");
    latin.body = b"gr\xfc\xdfe".to_vec();
    assert_eq!(taken(extraction(Finder::Whole), &latin).as_deref(), Ok("grüße"));
    latin.headers.clear();
    assert_eq!(taken(extraction(Finder::Whole), &latin).as_deref(), Ok("gr\u{fffd}\u{fffd}e"));
}

/// Why a check fails, if it does.
fn checked(check: Check, reply: &Reply) -> Option<String> {
    let (verdict, _) = judged(Vec::new(), vec![check], reply);
    assert_eq!(verdict.checks, [verdict.failure.is_none()]);
    verdict.failure.map(|(failure, why)| {
        assert!(matches!(failure, Failure::Check | Failure::Status), "{failure:?}");
        why
    })
}

#[test]
fn checks_pass_and_fail_in_words() {
    let reply = reply(200, &[("X-One", "1")], "<title>Hello</title>\n42");
    let status = |test| Check { of: Source::Status, ..check(test) };
    let header = |name: &str, test| Check { of: Source::Header(name.to_owned()), ..check(test) };
    let title = |test| Check { what: between("<title>", "</title>"), ..check(test) };
    let begins = "it begins: “<title>Hello</title> 42”";
    let body = "check “sample”: body";
    for (check, passes, opposite) in [
        (check(Test::Contains(text("Hell"))), true, format!("{body} contains “Hell”; {begins}")),
        (check(Test::Contains(text("Bye"))), false, format!("{body} does not contain “Bye”; {begins}")),
        (check(Test::Equals(text("x"))), false, format!("{body} is not “x”; {begins}")),
        (check(Test::Finds(pattern("\\d+"))), true, format!("{body} has a match of \\d+; {begins}")),
        (check(Test::Matches(pattern("\\d+"))), false, format!("{body} does not match \\d+; {begins}")),
        (check(Test::Matches(pattern("(?s)<|<.*"))), true, format!("{body} matches (?s)<|<.*; {begins}")),
        (check(Test::Size(Comparison::Greater, 22)), true, "check “sample”: the body is not > 22 bytes; it has 23 bytes".replace("not ", "")),
        (check(Test::Size(Comparison::Equal, 22)), false, "check “sample”: the body is not == 22 bytes; it has 23 bytes".to_owned()),
        (check(Test::Faster(Duration::from_millis(300))), true, "check “sample”: the answer took no longer than 300ms; it took 250ms".to_owned()),
        (check(Test::Faster(Duration::from_millis(200))), false, "check “sample”: the answer took longer than 200ms; it took 250ms".to_owned()),
        (status(Test::Equals(text("200"))), true, "check “sample”: status is “200”; it is “200”".to_owned()),
        (status(Test::Within(vec![(201, 204), (404, 404)])), false, "check “sample”: status is not within 201-204, 404; it is “200”".to_owned()),
        (status(Test::Within(vec![(200, 200)])), true, "check “sample”: status is within 200; it is “200”".to_owned()),
        (header("x-one", Test::Exists), true, "check “sample”: x-one is there; it is “1”".to_owned()),
        (header("X-Two", Test::Exists), false, "check “sample”: X-Two is not there; the answer has no X-Two".to_owned()),
        (title(Test::Equals(text("Hello"))), true, "check “sample”: what lies between “<title>” and “</title>” in the body is “Hello”; it is “Hello”".to_owned()),
        (title(Test::Any(vec![Test::Equals(text("a")), Test::Contains(text("b"))])), false, "check “sample”: what lies between “<title>” and “</title>” in the body is not “a” and does not contain “b”; it is “Hello”".to_owned()),
        (title(Test::Any(vec![Test::Equals(text("a")), Test::Contains(text("ell"))])), true, "check “sample”: what lies between “<title>” and “</title>” in the body is “a” or contains “ell”; it is “Hello”".to_owned()),
    ] {
        let turned = Check { not: !check.not, ..check.clone() };
        let (passing, failing) = if passes { (check, turned) } else { (turned, check) };
        assert_eq!(checked(passing, &reply), None, "{opposite}");
        assert_eq!(checked(failing, &reply), Some(opposite));
    }
}

#[test]
fn a_check_says_what_was_not_found() {
    let json = Check { what: path("$.a"), ..check(Test::Equals(text("1"))) };
    assert_eq!(
        checked(json, &reply(200, &[], "{\"b\": 1}")).as_deref(),
        Some(
            "check “sample”: $.a of the body is not “1”; nothing was found there; it begins: “{\"b\": 1}”"
        )
    );
    let empty = checked(check(Test::Contains(text("x"))), &reply(200, &[], ""));
    assert_eq!(
        empty.as_deref(),
        Some("check “sample”: body does not contain “x”; the body is empty")
    );
    let long = checked(check(Test::Contains(text("x"))), &reply(200, &[], &"ü".repeat(1000)));
    assert!(long.unwrap().ends_with(&format!("“{}…”", "ü".repeat(120))));
}

#[test]
fn the_first_that_applies_is_how_a_request_failed() {
    let kind = |extract, checks, status| {
        let (verdict, _) = judged(extract, checks, &reply(status, &[], "body"));
        verdict.failure.map(|(failure, _)| failure)
    };
    let missing = || vec![extraction(path("$.x"))];
    let wrong = || vec![check(Test::Equals(text("other")))];
    let right = || vec![check(Test::Exists)];
    assert_eq!(kind(vec![], vec![], 399), None);
    assert_eq!(kind(vec![], vec![], 400), Some(Failure::Status));
    assert_eq!(kind(missing(), vec![], 500), Some(Failure::Status));
    assert_eq!(kind(missing(), wrong(), 500), Some(Failure::Check));
    assert_eq!(kind(missing(), right(), 500), Some(Failure::Extraction));
    // A status that is not wanted is one kind of failure, whoever says so, and comes first.
    let status = || Check { of: Source::Status, ..check(Test::Within(vec![(200, 299)])) };
    assert_eq!(kind(vec![], vec![status()], 401), Some(Failure::Status));
    let both = || wrong().into_iter().chain([status()]).collect::<Vec<_>>();
    assert_eq!(kind(missing(), both(), 401), Some(Failure::Status));
    assert_eq!(kind(missing(), both(), 200), Some(Failure::Check));
    assert_eq!(kind(vec![], right(), 500), None);
    let (verdict, _) = judged(vec![], vec![], &reply(503, &[], ""));
    let why = "GET http://host/page?q=1 answered 503 Service Unavailable";
    assert_eq!(verdict.failure, Some((Failure::Status, why.to_owned())));
}

#[test]
fn every_check_is_told_and_may_use_what_was_extracted() {
    let id = Check { what: path("$.id"), ..check(Test::Equals(variable(0))) };
    let (verdict, _) = judged(
        vec![extraction(path("$.id"))],
        vec![check(Test::Contains(text("no"))), id, check(Test::Exists)],
        &reply(200, &[], BODY),
    );
    assert_eq!(verdict.checks, [false, true, true]);
}

#[test]
fn instances_are_told_by_header_or_json() {
    let name = |served_by, reply: &Reply| {
        let mut plan = plan(Vec::new());
        plan.served_by = Some(served_by);
        let shared = shared(plan);
        let mut user = user(&shared);
        let request = get(0, text("http://host/"));
        let outgoing = render(&request, &mut user, &shared).unwrap();
        let verdict = judge(&request, &mut user, &shared, &outgoing, reply);
        assert_eq!(instance(shared.plan(), &outgoing, reply), verdict.instance);
        verdict.instance
    };
    let header = || ServedBy::Header("X-Served-By".to_owned());
    let json = || ServedBy::Json(JsonPath::parse("$.server").unwrap());
    let by_header = |value: &str| name(header(), &reply(200, &[("x-served-by", value)], ""));
    assert_eq!(by_header(" web1 ").as_deref(), Some("web1"));
    assert_eq!(by_header(""), None);
    assert_eq!(by_header(&"ü".repeat(500)), Some("ü".repeat(100)));
    assert_eq!(name(header(), &reply(200, &[], "")), None);
    assert_eq!(name(json(), &reply(200, &[], "{\"server\": 3}")).as_deref(), Some("3"));
    assert_eq!(name(json(), &reply(200, &[], "<p>")), None);
}

#[test]
fn conditions_hold_as_they_are_put_together() {
    let shared = shared(plan(vec![Step::If {
        condition: Condition::Matches(text(""), pattern("a|ab")),
        steps: vec![],
    }]));
    let mut user = user(&shared);
    user.set(1, "5".into());
    let is = |text: &str| Condition::True(Template::text(text));
    for (condition, expected) in [
        (is(" True "), true),
        (is("1"), false),
        (Condition::Compare(variable(1), Comparison::Less, text("10")), true),
        (Condition::Matches(text("ab"), pattern("a|ab")), true),
        (Condition::Matches(text("abc"), pattern("a|ab")), false),
        (Condition::All(vec![is("true"), is("false")]), false),
        (Condition::All(vec![]), true),
        (Condition::Any(vec![is("false"), is("true")]), true),
        (Condition::Any(vec![]), false),
        (Condition::Not(Box::new(is("true"))), false),
        (Condition::LastSucceeded, true),
    ] {
        assert_eq!(condition::holds(&condition, &mut user, &shared), Ok(expected), "{condition:?}");
    }
    user.failed();
    assert_eq!(condition::holds(&Condition::LastSucceeded, &mut user, &shared), Ok(false));
}
