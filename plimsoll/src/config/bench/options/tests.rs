use std::time::Duration;

use proptest::prelude::*;

use super::super::model::*;
use super::*;

fn options(url: &str) -> BenchOptions {
    BenchOptions { urls: vec![url.to_owned()], ..BenchOptions::default() }
}

fn plan(options: &BenchOptions) -> Plan {
    from_options(options).unwrap_or_else(|errors| panic!("{errors}")).plan
}

fn request(plan: &Plan) -> &Request {
    match &plan.groups[0].steps[0] {
        Step::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_url_alone_is_64_users_for_ten_seconds() {
    let plan = plan(&options("127.0.0.1:9999"));
    let Load::Closed(closed) = &plan.groups[0].load else { panic!() };
    let lasting = Duration::from_secs(10);
    assert_eq!(closed.stages, [Stage { from: 64.0, to: 64.0, lasting }]);
    let request = request(&plan);
    assert_eq!(request.url.constant(), Some("http://127.0.0.1:9999/"));
    assert_eq!(request.method.constant(), Some("GET"));
    assert_eq!(plan.labels[request.label].name, "GET /");
    assert_eq!(request.headers.len(), 1);
    assert!(request.checks.is_empty());
    assert!(matches!(&plan.served_by, Some(ServedBy::Header(name)) if name == "X-Served-By"));
    assert_eq!((plan.http.timeout, plan.part), (Duration::from_secs(30), Part::WHOLE));
}

#[test]
fn every_option_of_a_request_is_in_the_plan() {
    let plan = plan(&BenchOptions {
        method: text("put"),
        headers: vec!["X-User: {{name}}".to_owned(), "user-agent:".to_owned()],
        data: text("{\"id\": \"{{uuid()}}\"}"),
        variables: vec!["name=anna".to_owned()],
        rate: text("100/s"),
        lasting: text("1m"),
        poisson: true,
        threads: text("2"),
        http: text("2"),
        streams: text("8"),
        timeout: text("5s"),
        connect_timeout: text("1s"),
        redirects: text("3"),
        expect_status: text("2xx"),
        expect_body: text("ok"),
        served_by: text("json:$.instance"),
        thresholds: vec!["p99<50ms,errors<1%".to_owned(), "max(PUT /a)<1s".to_owned()],
        part: text("1/8"),
        seed: text("7"),
        insecure: true,
        unix: Some("/run/app.sock".into()),
        no_keepalive: true,
        ..options("https://example.com/a?b=c")
    });
    let Load::Open(open) = &plan.groups[0].load else { panic!() };
    let Arrivals::Scheduled { stages, spacing } = &open.arrivals else { panic!() };
    assert_eq!((stages[0].to, *spacing), (100.0, Spacing::Poisson));
    let request = request(&plan);
    assert_eq!((request.method.constant(), request.redirects_max), (Some("PUT"), 3));
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["X-User", "Content-Type"]);
    assert_eq!(request.headers[1].1.constant(), Some("application/json"));
    assert!(matches!(&request.body, RequestBody::Text(text) if text.0.len() == 3));
    assert_eq!(request.checks.len(), 2);
    assert_eq!((plan.http.version, plan.http.streams), (HttpVersion::Http2, 8));
    assert!(!plan.http.keep_alive && plan.http.tls.insecure && plan.http.unix.is_some());
    assert!(matches!(&plan.served_by, Some(ServedBy::Json(_))));
    assert_eq!(plan.thresholds.len(), 3);
    assert_eq!(plan.thresholds[2].label, Some(request.label));
    assert_eq!((plan.threads, plan.part.index, plan.seed), (Some(2), 1, Some(7)));
    assert_eq!(plan.variables[0].initial, Some(Template::text("anna")));
}

#[test]
fn each_connection_has_as_many_users_as_streams() {
    let two = |rate: Option<String>| BenchOptions {
        http: text("2"),
        streams: text("10"),
        connections: text("4"),
        rate,
        ..options("http://a/")
    };
    let closed = plan(&two(None));
    let level = |plan: &Plan| match &plan.groups[0].load {
        Load::Closed(closed) => closed.stages[0].to,
        Load::Open(open) => open.in_flight_max as f64,
    };
    assert_eq!((level(&closed), level(&plan(&two(text("5"))))), (40.0, 40.0));
    // A pause is for users.
    let slow = plan(&BenchOptions { think: text("1s"), ..options("http://a/") });
    assert!(matches!(slow.groups[0].steps[1], Step::Pause(Pause::Constant(_))));
}

#[test]
fn several_urls_share_the_requests() {
    let mut several = options("http://a/x");
    several.urls.push("http://a/y".to_owned());
    let of_one_host = plan(&several);
    assert!(matches!(&of_one_host.groups[0].steps[0], Step::Choose(ways) if ways.len() == 2));
    assert_eq!(of_one_host.labels[1].name, "GET /y");
    several.urls.push("http://b/y".to_owned());
    assert_eq!(plan(&several).labels[2].name, "GET http://b/y");
}

#[test]
fn a_form_with_a_file_is_multipart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    std::fs::write(&path, "text").unwrap();
    let mut form = options("http://a/");
    form.form = vec!["name=anna".to_owned()];
    let simple = plan(&form);
    assert!(matches!(&request(&simple).body, RequestBody::Form(fields) if fields.len() == 1));
    form.form.push(format!("file=@{}", path.display()));
    let with_file = plan(&form);
    let RequestBody::Multipart(fields) = &request(&with_file).body else { panic!() };
    assert!(
        matches!(&fields[1].content, MultipartContent::File(name, bytes) if name == "a.txt" && **bytes == *b"text")
    );
    let file = BenchOptions { data_file: Some(path), ..options("http://a/") };
    assert!(matches!(&request(&plan(&file)).body, RequestBody::File(bytes) if bytes.len() == 4));
}

#[test]
fn messages_go_to_websockets() {
    let message = BenchOptions { message: text("ping"), ..options("ws://a/socket") };
    let plan = plan(&message);
    let Step::Message(message) = &plan.groups[0].steps[0] else { panic!() };
    assert_eq!(message.send.as_ref().and_then(Template::constant), Some("ping"));
    assert_eq!((message.replies, plan.labels[message.label].name.as_str()), (1, "/socket"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let errors = from_options(&BenchOptions {
        rate: text("fast"),
        lasting: text("10"),
        headers: vec!["Accept".to_owned()],
        threads: text("0"),
        http: text("4"),
        part: text("8/8"),
        thresholds: vec!["p99<50".to_owned(), "p99(Lgoin)<5s".to_owned()],
        data: text("{{nmae}}"),
        variables: vec!["name=x".to_owned(), "y".to_owned()],
        certificate: Some("a.pem".into()),
        ..options("http://127.0.0.1:99999/")
    })
    .unwrap_err();
    let keys: Vec<&str> = errors.errors.iter().map(|error| error.key.as_str()).collect();
    let expected = [
        "--set",
        "URL",
        "--data",
        "--header",
        "--rate",
        "--for",
        "--http",
        "--cert",
        "--threshold",
        "--threshold",
        "--threads",
        "--part",
    ];
    assert_eq!(keys, expected);
    assert!(errors.errors.iter().all(|error| error.remedy.is_some()));
    let said = errors.to_string();
    assert!(said.contains("did you mean `name`?"), "{said}");
    assert!(said.contains("write 10s"), "{said}");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let cases = [
        (BenchOptions { message: text("x"), ..options("http://a/") }, "--message"),
        (options("ws://a/"), "--message"),
        (BenchOptions { message: text("x"), data: text("y"), ..options("ws://a/") }, "--data"),
        (
            BenchOptions { data: text("x"), form: vec!["a=b".to_owned()], ..options("http://a/") },
            "--form",
        ),
        (BenchOptions { http: text("1"), streams: text("2"), ..options("http://a/") }, "--streams"),
        (BenchOptions { streams: text("2"), ..options("https://a/") }, "--streams"),
        (
            BenchOptions {
                http: text("2"),
                streams: text("1000"),
                connections: text("1001"),
                ..options("http://a/")
            },
            "--streams",
        ),
        (BenchOptions { rate: text("1"), think: text("1s"), ..options("http://a/") }, "--think"),
        (
            BenchOptions { rate: text("1"), stages: text("1/1s"), ..options("http://a/") },
            "--stages",
        ),
        (
            BenchOptions { rate: text("1"), requests: text("5"), ..options("http://a/") },
            "--requests",
        ),
        (BenchOptions { insecure: true, ca: Some("a".into()), ..options("http://a/") }, "--ca"),
        (BenchOptions { timeout: text("0s"), ..options("http://a/") }, "--timeout"),
        (BenchOptions { data_file: Some("/none".into()), ..options("http://a/") }, "--data-file"),
        (BenchOptions::default(), "URL"),
    ];
    for (options, key) in cases {
        let errors = from_options(&options).unwrap_err();
        assert_eq!(errors.errors[0].key, key, "{errors}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_an_option(text in "\\PC{0,20}", place in 0_usize..12) {
        let given = Some(text.clone());
        let mut options = options("http://a/");
        match place {
            0 => options.urls = vec![text],
            1 => options.method = given,
            2 => options.headers = vec![text],
            3 => options.rate = given,
            4 => options.stages = given,
            5 => options.connections = given,
            6 => options.lasting = given,
            7 => options.think = given,
            8 => options.expect_status = given,
            9 => options.served_by = given,
            10 => options.thresholds = vec![text],
            _ => options.part = given,
        }
        if let Err(errors) = from_options(&options) {
            prop_assert!(errors.errors.iter().all(|error| error.remedy.is_some()));
        }
    }
}

#[test]
fn a_mistake_of_the_objective_is_told_under_its_own_option() {
    let wrong = BenchOptions {
        thresholds: vec!["p99<5".to_owned()],
        slo: Some("latency=5ms".to_owned()),
        ..options("http://a/")
    };
    let errors = from_options(&wrong).unwrap_err();
    let keys: Vec<&str> = errors.errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["--threshold", "--slo"], "{errors}");
    let right = BenchOptions {
        thresholds: vec!["p99<5ms".to_owned()],
        slo: Some("errors=1%,max=1s".to_owned()),
        ..options("http://a/")
    };
    assert_eq!(plan(&right).thresholds.len(), 3);
}
