use std::num::NonZeroU32;

use regex::Regex;

use super::*;
use crate::config::bench::model::{Part, Piece, Template};
use crate::load::script::sample::{call, plan, shared, text, user, variable};

fn result(function: Function, arguments: &[&str]) -> Result<String, String> {
    let shared = shared(plan(Vec::new()));
    template::render(&call(function, arguments), &mut user(&shared), &shared)
}

#[test]
fn functions_of_texts() {
    for (function, arguments, expected) in [
        (Function::User, &[][..], "1"),
        (Function::Group, &[], "people"),
        (Function::Iteration, &[], "1"),
        (Function::Machine, &[], "tester"),
        (Function::Sum, &["1", " 2", "-5"], "-2"),
        (Function::UrlEncode, &["a b&c=ü~*"], "a+b%26c%3D%C3%BC%7E*"),
        (Function::UrlDecode, &["a+b%26c%3d%C3%BC%zz%4"], "a b&c=ü%zz%4"),
        (
            Function::HtmlEscape,
            &["<a href=\"x\">ü & 'ñ' …</a>"],
            "&lt;a href=&quot;x&quot;&gt;&uuml; &amp; '&ntilde;' …&lt;/a&gt;",
        ),
        (
            Function::HtmlUnescape,
            &["&lt;b&gt; &amp;amp; &uuml;&#252;&#xfc;&euro; &nothing; & &#x110000;"],
            "<b> &amp; üüü€ &nothing; & &#x110000;",
        ),
        (Function::Base64Encode, &["hello?>"], "aGVsbG8/Pg=="),
        (Function::Base64Decode, &["aGVsbG8/Pg=="], "hello?>"),
        (Function::Base64Decode, &["aGVsbG8/Pg"], "hello?>"),
        (Function::Upper, &["straße"], "STRASSE"),
        (Function::Lower, &["ÄBC"], "äbc"),
        (Function::Capitalize, &["élan vital"], "Élan vital"),
        (Function::Capitalize, &[""], ""),
        (Function::Substring, &["äbcdef", "1", "3"], "bc"),
        (Function::Substring, &["äbcdef", "4"], "ef"),
        (Function::Substring, &["abc", "2", "1"], ""),
        (Function::Substring, &["abc", "-1", "99"], "abc"),
        (Function::Length, &["äbc"], "3"),
        (Function::Char, &["65", "0x42", "#43", "0104"], "ABCD"),
        (Function::Environment, &["PLIMSOLL_NO_SUCH_VARIABLE", "else"], "else"),
        (Function::Environment, &["PLIMSOLL_NO_SUCH_VARIABLE"], "PLIMSOLL_NO_SUCH_VARIABLE"),
        (Function::Holds, &["200 == 200.0 && 'a' != \"b\""], "true"),
        (Function::Time, &[], "1767366245678"),
        (Function::Time, &["/1000"], "1767366245"),
        (Function::Time, &["yyyy-MM-dd'T'HH:mm:ss.SSSXXX"], "2026-01-02T17:04:05.678+02:00"),
        (Function::TimeShift, &["yyyy-MM-dd", "", "P1D"], "2026-01-03"),
        (Function::TimeShift, &["dd.MM.yy HH:mm", "31.12.25 23:30", "PT45M"], "01.01.26 00:15"),
        (Function::TimeShift, &["", "1000", "-PT0.5S"], "500"),
    ] {
        assert_eq!(
            result(function, arguments).as_deref(),
            Ok(expected),
            "{function:?} {arguments:?}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    for (function, arguments, expected) in [
        (Function::RandomInt, &["1", "x"][..], "RandomInt: “x” is no whole number"),
        (Function::RandomInt, &["2", "1"], "RandomInt: 2 to 1 is no range"),
        (Function::RandomText, &["-1"], "RandomText: the length must be 0 to 1048576"),
        (Function::RandomText, &["9999999"], "RandomText: the length must be 0 to 1048576"),
        (Function::Sum, &["9223372036854775807", "1"], "Sum: the sum does not fit 64 bits"),
        (Function::Char, &["0x110000"], "“0x110000” is the number of no character"),
        (Function::Time, &["/0"], "“/0” divides by no whole number"),
        (Function::Holds, &["1 =="], "“1 ==” is no condition: a value is missing at its end"),
    ] {
        assert_eq!(result(function, arguments), Err(expected.to_owned()));
    }
    assert!(result(Function::Base64Decode, &["a*b"]).unwrap_err().contains("is no Base64"));
}

#[test]
fn random_ones_stay_within_their_bounds_and_reach_them() {
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    let mut many = |template: &Template| {
        let mut found: Vec<String> =
            (0..500).map(|_| template::render(template, &mut user, &shared).unwrap()).collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(many(&call(Function::RandomInt, &["-1", "2"])), ["-1", "0", "1", "2"]);
    assert_eq!(many(&call(Function::Pick, &["a", "b", "c"])), ["a", "b", "c"]);
    assert_eq!(many(&call(Function::RandomText, &["2", "xü"])), ["xx", "xü", "üx", "üü"]);
    assert_eq!(many(&call(Function::RandomText, &["0"])), [""]);
    let plain = many(&call(Function::RandomText, &["8"]));
    assert!(
        plain.len() > 490
            && plain.iter().all(|one| Regex::new("^[a-zA-Z0-9]{8}$").unwrap().is_match(one))
    );
    let form = Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        .unwrap();
    let uuids = many(&call(Function::Uuid, &[]));
    assert!(uuids.len() == 500 && uuids.iter().all(|one| form.is_match(one)), "{uuids:?}");
}

#[test]
fn counters_are_for_all_or_for_each_user_and_never_twice() {
    let counts = |template: Template, index, of| {
        let mut plan = plan(vec![crate::config::bench::model::Step::Set(0, template.clone())]);
        plan.part = Part { index, of: NonZeroU32::new(of).unwrap() };
        let shared = shared(plan);
        let (mut one, mut other) = (User::new(&shared, 0, 1), User::new(&shared, 0, 2));
        let mut found = Vec::new();
        for _ in 0..2 {
            found.push(template::render(&template, &mut one, &shared).unwrap());
            found.push(template::render(&template, &mut other, &shared).unwrap());
        }
        found.join(" ")
    };
    assert_eq!(counts(call(Function::Counter, &[]), 0, 1), "1 2 3 4");
    assert_eq!(counts(call(Function::Counter, &["FALSE"]), 1, 3), "2 5 8 11");
    assert_eq!(counts(call(Function::Counter, &["TRUE"]), 1, 3), "1 1 2 2");
}

#[test]
fn a_result_is_stored_too() {
    let mut template = call(Function::Upper, &["x"]);
    template.0.insert(0, Piece::Text("a".to_owned()));
    if let Some(Piece::Call(call)) = template.0.get_mut(1) {
        call.store = Some(3);
    }
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    assert_eq!(template::render(&template, &mut user, &shared).as_deref(), Ok("aX"));
    assert_eq!(user.get(3).map(|value| &**value), Some("X"));
}

#[test]
fn variables_are_found_by_name_whether_planned_or_not() {
    let split = call(Function::Split, &["a||c|", "list", "|"]);
    let ask = |name: &str| call(Function::VariableByName, &[name, "none"]);
    let shared = shared(plan(vec![crate::config::bench::model::Step::Set(0, ask("x"))]));
    let mut user = user(&shared);
    let mut render = |template: &Template| template::render(template, &mut user, &shared).unwrap();
    assert_eq!(render(&split), "a||c|");
    let names = ["list", "list_n", "list_1", "list_2", "list_3", "list_4", "list_5"];
    let found = names.map(|name| render(&ask(name)));
    assert_eq!(found, ["a||c|", "4", "a", "?", "c", "?", "none"]);
    assert_eq!(render(&call(Function::VariableByName, &["other"])), "other");
    // A shorter list leaves nothing of a longer one right behind it.
    render(&call(Function::Split, &["x,y", "list"]));
    assert_eq!([render(&ask("list_2")), render(&ask("list_3"))], ["y", "none"]);
    render(&call(Function::Split, &["p", "v1"]));
    assert_eq!(render(&variable(1)), "p");
}

#[test]
fn texts_are_evaluated_once_more() {
    let shared = shared(plan(vec![crate::config::bench::model::Step::Set(
        0,
        call(Function::Evaluate, &[]),
    )]));
    let mut user = user(&shared);
    user.set(1, "one".into());
    user.set_named("far", "away ${v1}".into(), &shared);
    for (given, expected) in [
        ("${v1} {{ v1 }} ${far}", "one one away ${v1}"),
        ("${v2} ${unknown} {{x}} ${v1", "${v2} ${unknown} {{x}} ${v1"),
        ("{\"a\": {\"b\": \"$1 ü\"}}", "{\"a\": {\"b\": \"$1 ü\"}}"),
    ] {
        let template = call(Function::Evaluate, &[given]);
        assert_eq!(template::render(&template, &mut user, &shared).as_deref(), Ok(expected));
    }
}

#[test]
fn a_variable_that_is_unset_shows_what_the_plan_wrote() {
    let shared = shared(plan(Vec::new()));
    let mut user = user(&shared);
    assert_eq!(template::render(&variable(1), &mut user, &shared).as_deref(), Ok("-"));
    user.set(1, "set".into());
    assert_eq!(template::render(&variable(1), &mut user, &shared).as_deref(), Ok("set"));
    assert!(matches!(
        template::text(&text("as it is"), &mut user, &shared),
        Ok(Cow::Borrowed("as it is"))
    ));
}
