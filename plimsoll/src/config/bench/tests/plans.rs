//! What good plans resolve to.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::super::model::*;
use super::super::{BenchOptions, from_options, over};
use super::{resolve, root};

fn plan(text: &str) -> Plan {
    resolve("plan.toml", text).unwrap_or_else(|errors| panic!("{errors}")).0
}

/// A template as it would be written.
fn written(template: &Template) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Variable(_, shown) => shown.clone(),
        Piece::Call(call) => format!("<{:?}>", call.function),
    };
    template.0.iter().map(piece).collect()
}

fn requests(steps: &[Step]) -> Vec<&Request> {
    let mut found = Vec::new();
    for step in steps {
        match step {
            Step::Request(request) => found.push(&**request),
            Step::Transaction { steps, .. }
            | Step::If { steps, .. }
            | Step::Repeat { steps, .. }
            | Step::While { steps, .. } => found.extend(requests(steps)),
            Step::Choose(ways) => {
                found.extend(ways.iter().flat_map(|way| requests(&way.steps)));
            }
            _ => {}
        }
    }
    found
}

fn options(
    name: &str,
    text: &str,
    change: impl FnOnce(&mut BenchOptions),
) -> (BenchOptions, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    let mut options = BenchOptions { plan: Some(path), ..BenchOptions::default() };
    change(&mut options);
    (options, directory)
}

#[test]
fn a_url_and_a_rate_are_a_plan() {
    let plan = plan("url = \"http://a:1/x\"\nrate = \"${RATE}\"\nfor = \"1m\"\n");
    assert_eq!((plan.name.as_str(), plan.source.as_str()), ("plan", "plan.toml"));
    let Load::Open(open) = &plan.groups[0].load else { panic!() };
    let Arrivals::Scheduled { stages, spacing: Spacing::Even } = &open.arrivals else { panic!() };
    let lasting = Duration::from_secs(60);
    assert_eq!(stages[..], [Stage { from: 250.0, to: 250.0, lasting }]);
    assert!(plan.groups[0].fresh_users);
    let asked = requests(&plan.groups[0].steps);
    assert_eq!((written(&asked[0].url).as_str(), asked.len()), ("http://a:1/x", 1));
    assert_eq!(plan.labels[0].name, "GET /x");
}

#[test]
fn a_scenario_takes_rows_and_values_along() {
    let plan = plan(
        r#"
url = "http://${HOST}/api/"
connections = "0..8/10s,8/50s"
headers = { Accept = "application/json", User-Agent = "" }

[variables]
b = "{{a}}-{{uuid()}}"
a = 1

[data.users]
file = "two-columns.csv"

[[request]]
weight = 3
path = "/"

[[scenario]]
name = "record"
weight = 0.5

[[scenario.step]]
name = "create"
path = "/variables/"
json = { name = "{{b}}", tags = ["x", 1, 2.5, true], by = "{{user}}" }
extract = { id = "$.id", next = { header = "Location", regex = "/([0-9]+)/" }, page = { regex = "p=\\d+", number = 0, default = "-" } }
check = { status = [201, "3xx"], contains = "{{user}}", lacks = ["error", "fail"], json = { "$.count" = 3 }, headers = { Content-Type = "json", ETag = "" }, faster = "1s", matches = "a+" }
think = "1s..3s"

[[scenario.step]]
method = "delete"
path = "/variables/{{id}}/?next={{next}}"
headers = { accept = "*/*" }
redirects = 2
"#,
    );
    let Step::Choose(ways) = &plan.groups[0].steps[0] else { panic!() };
    assert_eq!((ways[0].weight, ways[1].weight), (3.0, 0.5));
    // Only the scenario uses the data.
    assert_eq!(ways[0].steps.len(), 1);
    assert!(matches!(ways[1].steps[0], Step::Feed(0)));
    assert!(matches!(ways[1].steps[1], Step::Transaction { with_pauses: false, .. }));
    assert!(!plan.groups[0].fresh_users);
    let asked = requests(&plan.groups[0].steps);
    let create = asked[1];
    assert_eq!(written(&create.url), "http://10.0.0.7/api/variables/");
    assert_eq!(create.method.constant(), Some("POST"));
    let RequestBody::Text(body) = &create.body else { panic!() };
    assert_eq!(written(body), r#"{"name":"{{b}}","tags":["x",1,2.5,true],"by":"{{user}}"}"#);
    let headers: Vec<&str> = create.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(headers, ["Accept", "Content-Type"]);
    let names: Vec<&str> = create.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "status 201,300-399",
            "body contains \"{{user}}\"",
            "body lacks \"error\"",
            "body lacks \"fail\"",
            "body matches a+",
            "$.count is \"3\"",
            "header Content-Type contains \"json\"",
            "header ETag",
            "faster than 1s",
        ]
    );
    assert_eq!(create.extract.len(), 3);
    let next = create.extract.iter().find(|one| plan.variables[one.into].name == "next").unwrap();
    assert!(matches!(&next.what, Finder::Regex(_, taken) if taken == "$1$"));
    assert_eq!(next.from, Source::Header("Location".to_owned()));
    let delete = asked[2];
    assert_eq!((delete.method.constant(), delete.redirects_max), (Some("DELETE"), 2));
    assert_eq!(delete.headers, [("accept".to_owned(), Template::text("*/*"))]);
    // A variable comes after those that its value is made of.
    let place = |name: &str| plan.variables.iter().position(|one| one.name == name).unwrap();
    assert!(place("a") < place("b"), "{:?}", plan.variables);
    let feed = &plan.feeds[0];
    assert_eq!(feed.columns, [place("user"), place("password")]);
    assert_eq!((feed.rows.len(), &*feed.rows[1][0]), (2, "bob"));
}

#[test]
fn requests_are_counted_over_the_steps_of_an_iteration() {
    let text = "url = \"http://a\"\nrequests = 31\n[[scenario]]\n[[scenario.step]]\n[[scenario.step]]\npath = \"/b\"\n";
    let Load::Closed(closed) = &plan(text).groups[0].load else { panic!() };
    assert_eq!(closed.iterations, Some(16));
}

#[test]
fn steps_are_repeated_done_on_a_condition_and_for_each_of_a_list() {
    let plan = plan(
        r#"
url = "http://a"
requests = 80
[[scenario]]
[[scenario.step]]
path = "/list"
extract = { ids = { json = "$[*]", all = true } }
[[scenario.step]]
each = "ids"
[[scenario.step.step]]
path = "/{{ids}}/{{ids_count}}"
[[scenario.step.step]]
path = "/again"
repeat = 3
when = ["{{ids}} != 2", "failed"]
"#,
    );
    let [Step::Request(list), Step::Set(place, _), Step::While { condition, steps }] =
        &plan.groups[0].steps[..]
    else {
        panic!("{:?}", plan.groups[0].steps)
    };
    let ids = list.extract[0].into;
    assert_eq!((list.extract[0].number, plan.variables[ids].name.as_str()), (-1, "ids"));
    let count = list.extract[0].all.count.unwrap();
    assert_eq!(plan.variables[count].name, "ids_count");
    assert!(matches!(condition, Condition::Compare(_, Comparison::NotEqual, _)));
    let [
        Step::Set(set, _),
        Step::Set(next, _),
        Step::Request(first),
        Step::Repeat { times, steps, .. },
    ] = &steps[..]
    else {
        panic!("{steps:?}")
    };
    assert_eq!((set, next), (&ids, place));
    assert_eq!(written(&first.url), "http://a/{{ids}}/{{ids_count}}");
    assert_eq!(times, &Some(Template::text("3")));
    assert!(
        matches!(&steps[..], [Step::If { condition: Condition::All(both), .. }] if both.len() == 2)
    );
    // A round of the list counts as one: five requests in each iteration.
    let Load::Closed(closed) = &plan.groups[0].load else { panic!() };
    assert_eq!(closed.iterations, Some(16));
}

#[test]
fn rows_are_taken_for_what_all_requests_share() {
    let plan = plan(
        "url = \"http://a\"\nheaders = { X-User = \"{{user}}\" }\n\
         [data.users]\nfile = \"two-columns.csv\"\nper_user = true\n\
         [[request]]\ntimeout = \"3s\"\n",
    );
    assert!(matches!(plan.groups[0].steps[..], [Step::Feed(0), Step::Request(_)]));
    assert!(plan.feeds[0].per_user);
    let timeout = requests(&plan.groups[0].steps)[0].timeout;
    assert_eq!(timeout, Some(Duration::from_secs(3)));
}

#[test]
fn headers_are_sent_in_the_order_of_the_file() {
    let plan = plan(
        "url = \"http://a\"\nheaders = { Zeta = \"1\", Alpha = \"2\" }\n\
         [[request]]\nheaders = { Mu = \"3\", Beta = \"4\" }\n",
    );
    let request = requests(&plan.groups[0].steps)[0];
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..4], ["Zeta", "Alpha", "Mu", "Beta"], "{names:?}");
}

#[test]
fn groups_have_loads_of_their_own() {
    let plan = plan(
        "url = \"http://a\"\nthresholds = [\"p99(write)<50ms\"]\n\
         [group.readers]\nconnections = 4\nfor = \"1m\"\nthink = \"1s\"\n\
         [group.writers]\nrate = 5\npoisson = true\ncookies = false\non_error = \"stop-run\"\n\
         [[group.writers.request]]\nname = \"write\"\nmethod = \"PUT\"\nbody = \"x\"\n",
    );
    let [readers, writers] = &plan.groups[..] else { panic!() };
    assert!(matches!(readers.load, Load::Closed(_)) && matches!(writers.load, Load::Open(_)));
    assert!(matches!(readers.steps[1], Step::Pause(_)));
    assert_eq!((writers.cookies, writers.on_error), (Cookies::Ignored, OnError::StopRun));
    assert_eq!(plan.thresholds[0].label, Some(requests(&writers.steps)[0].label));
}

#[test]
fn messages_go_to_the_same_place_as_requests() {
    let plan = plan(
        "url = \"https://a\"\n[[scenario]]\n[[scenario.step]]\npath = \"/login\"\n\
         [[scenario.step]]\npath = \"/socket\"\nmessage = \"hello\"\nreplies = 2\nuntil = \"done\"\n\
         extract = { x = \"$.x\" }\ncheck = { contains = \"ok\" }\n",
    );
    let Step::Message(message) = &plan.groups[0].steps[1] else { panic!() };
    assert_eq!(written(&message.url), "wss://a/socket");
    assert_eq!((message.replies, message.checks.len(), message.extract.len()), (2, 1, 1));
    assert!(message.until.is_some());
}

#[test]
fn files_and_forms() {
    let plan = plan(
        "url = \"http://a\"\n[[request]]\nfile = \"two-columns.csv\"\n\
         [[request]]\nform = { a = \"{{uuid()}}\", b = 2 }\n\
         [[request]]\nmultipart = { note = \"x\", photo = { file = \"two-columns.csv\", type = \"text/csv\" } }\n",
    );
    let asked = requests(&plan.groups[0].steps);
    assert!(matches!(&asked[0].body, RequestBody::File(bytes) if bytes.starts_with(b"user,")));
    assert!(matches!(&asked[1].body, RequestBody::Form(fields) if fields.len() == 2));
    let RequestBody::Multipart(fields) = &asked[2].body else { panic!() };
    assert_eq!(fields[1].content_type.as_deref(), Some("text/csv"));
    assert!(asked.iter().all(|request| request.method.constant() == Some("POST")));
}

#[test]
fn a_log_is_replayed_with_what_it_asked_for() {
    let replayed = plan("url = \"http://a\"\nreplay = \"access.log\"\nspeed = 2\n");
    assert!(matches!(replayed.groups[0].steps[0], Step::Feed(0)));
    let asked = requests(&replayed.groups[0].steps);
    assert_eq!(written(&asked[0].url), "http://a(target)");
    let Load::Open(open) = &replayed.groups[0].load else { panic!() };
    let Arrivals::Recorded(times) = &open.arrivals else { panic!() };
    assert_eq!(times.len(), replayed.feeds[0].rows.len());
    let fixed = plan("url = \"http://a/x\"\nreplay = \"access.log\"\n");
    assert!(fixed.feeds.is_empty());
    let own = plan("url = \"http://a\"\nreplay = \"access.log\"\n[[request]]\npath = \"/y\"\n");
    assert!(own.feeds.is_empty());
    let log = root("tests/fixtures/bench/access.log");
    let typed = BenchOptions {
        urls: vec!["http://a/".to_owned()],
        replay: Some(log),
        speed: Some("2".to_owned()),
        ..BenchOptions::default()
    };
    let typed = from_options(&typed).unwrap().plan;
    assert_eq!(typed.feeds.len(), 1);
    assert!(matches!(&typed.groups[0].load, Load::Open(_)));
}

#[test]
fn options_win_over_the_file() {
    let text = "url = \"http://a\"\nstages = \"1/5s\"\nthresholds = [\"max<1s\"]\n\
                headers = { X-A = \"1\" }\n[variables]\nname = \"x\"\n\
                [[request]]\npath = \"/{{name}}\"\n";
    let (options, _directory) = options("load.toml", text, |options| {
        options.urls = vec!["b:80/api".to_owned()];
        options.rate = Some("50".to_owned());
        options.lasting = Some("3s".to_owned());
        options.headers = vec!["x-a: {{name}}".to_owned()];
        options.variables = vec!["name=anna".to_owned()];
        options.thresholds = vec!["p99<50ms".to_owned()];
        options.threads = Some("3".to_owned());
        options.name = Some("Tonight".to_owned());
    });
    let plan = from_options(&options).unwrap_or_else(|errors| panic!("{errors}")).plan;
    let asked = requests(&plan.groups[0].steps);
    assert_eq!(written(&asked[0].url), "http://b:80/api/{{name}}");
    assert_eq!(asked[0].headers[0].0, "x-a");
    let Load::Open(Open { arrivals: Arrivals::Scheduled { stages, .. }, .. }) =
        &plan.groups[0].load
    else {
        panic!()
    };
    assert_eq!((stages[0].to, stages[0].lasting), (50.0, Duration::from_secs(3)));
    assert_eq!(plan.variables[0].initial, Some(Template::text("anna")));
    assert_eq!((plan.thresholds.len(), plan.threads, &*plan.name), (2, Some(3), "Tonight"));
}

#[test]
fn options_that_do_not_go_with_a_plan_are_refused_beside_its_mistakes() {
    let text = "url = \"http://a\"\nrat = 5\nfor = \"1m\"\n[variables]\nname = \"x\"\n";
    let (options, _directory) = options("plan.toml", text, |options| {
        options.data = Some("x".to_owned());
        options.requests = Some("0".to_owned());
        options.variables = vec!["nmae=y".to_owned()];
    });
    let errors = from_options(&options).unwrap_err();
    let keys: Vec<&str> = errors.errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["rat", "--data", "--requests", "--set"], "{errors}");
    assert!(errors.to_string().contains("did you mean `name`?"), "{errors}");
}

#[test]
fn a_contradiction_between_option_and_file_names_the_option() {
    let (options, _directory) = options("plan.toml", "url = \"http://a\"\nrate = 5\n", |options| {
        options.requests = Some("100".to_owned());
    });
    let errors = from_options(&options).unwrap_err();
    assert_eq!(errors.errors[0].key, "--requests", "{errors}");
}

#[test]
fn a_plan_of_another_kind_takes_what_goes_with_any() {
    let plain = plan("url = \"http://a\"\n");
    let options = BenchOptions {
        timeout: Some("1s".to_owned()),
        part: Some("1/2".to_owned()),
        ..BenchOptions::default()
    };
    let changed = over(plain.clone(), &options).unwrap().plan;
    assert_eq!((changed.http.timeout, changed.part.index), (Duration::from_secs(1), 1));
    let options = BenchOptions { rate: Some("1".to_owned()), ..BenchOptions::default() };
    assert_eq!(over(plain, &options).unwrap_err().errors[0].key, "--rate");
}

#[test]
fn a_file_that_is_not_there() {
    let path = Some(Path::new("no-such-plan.toml").to_owned());
    let options = BenchOptions { plan: path, ..BenchOptions::default() };
    let said = from_options(&options).unwrap_err().to_string();
    assert!(
        said.contains("no-such-plan.toml does not exist") && said.contains("name a URL"),
        "{said}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Values of every type under every key of every table: refused or taken, never a panic.
    #[test]
    fn no_value_breaks_a_plan(
        place in 0_usize..200,
        value in prop_oneof![
            Just("0".to_owned()), Just("-1".to_owned()), Just("1e400".to_owned()),
            Just("nan".to_owned()), Just("true".to_owned()), Just("[]".to_owned()),
            Just("{}".to_owned()), Just("1979-05-27".to_owned()), Just("[[1]]".to_owned()),
            Just("{ a = { b = 1 } }".to_owned()), Just("99999999999999999999".to_owned()),
            "[{}a-z(), '=.0-9/<%$]{0,20}".prop_map(|text| format!("{text:?}")),
        ],
    ) {
        let tables = super::super::grammar::tables();
        let keys: Vec<(&str, &str)> = tables
            .iter()
            .flat_map(|table| table.fields.iter().map(|field| (table.path, field.key)))
            .collect();
        let (path, key) = keys[place % keys.len()];
        let section = match path {
            "" => String::new(),
            "request" | "scenario" => format!("[[{path}]]\n"),
            path if path.starts_with("request.") => {
                format!("[[request]]\n[{}]\n", path.replace("NAME", "x"))
            }
            path => format!("[{}]\n", path.replace("NAME", "x")),
        };
        let base = if key == "url" { "" } else { "url = \"http://a\"\n" };
        let text = match path {
            "" => format!("{key} = {value}\n{base}"),
            _ => format!("{base}{section}{key} = {value}\n"),
        };
        if let Err(errors) = resolve("plan.toml", &text) {
            prop_assert!(errors.errors.iter().all(|error| error.remedy.is_some()), "{}\n{}", text, errors);
        }
    }
}
