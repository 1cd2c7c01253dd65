//! The clinic through the balancer, on both of its stores.

use serde_json::json;

use crate::harness::{self, Plimsoll};
use crate::http::{self, Response};
use crate::postgres::Postgres;

fn send(plimsoll: &Plimsoll, method: &str, path: &str, body: serde_json::Value) -> Response {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = [("Content-Type", "application/json")];
    http::request(plimsoll.traffic, method, path, &headers, &body)
}

/// Each request may land on another instance: the store is shared or this fails.
fn works(plimsoll: &Plimsoll) {
    plimsoll.wait_healthy("web", 3);
    let pulse = json!({"name": "pulse", "unit": "1/min", "lower": 50, "upper": 120});
    let created = send(plimsoll, "POST", "/variables/", pulse.clone());
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.header("location"), Some("/variables/1/"));
    let again = send(plimsoll, "POST", "/variables/", pulse);
    assert_eq!((again.status, &again.json()["errors"]["name"][0]), (400, &json!("exists already")));
    let wrong = send(plimsoll, "POST", "/variables/", json!({"name": "", "lower": "low"}));
    assert_eq!(
        wrong.json()["errors"],
        json!({"lower": ["must be a number"], "name": ["must not be empty"]})
    );

    for value in [30.0, 60.0, 90.0, 150.0] {
        let reply =
            send(plimsoll, "POST", "/measurements/", json!({"variable": 1, "value": value}));
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let orphan = send(plimsoll, "POST", "/measurements/", json!({"variable": 99, "value": 1}));
    assert_eq!(orphan.status, 400, "{}", orphan.text());

    let alarms = plimsoll.get("/alarms/?variable=1").json();
    let kinds: Vec<_> =
        alarms["results"].as_array().unwrap().iter().map(|alarm| &alarm["kind"]).collect();
    assert_eq!(kinds, [&json!("below"), &json!("above")]);

    let page = plimsoll.get("/measurements/?page_size=2&min_value=50&page=2").json();
    assert_eq!(page["count"], 3);
    assert_eq!(page["results"][0]["value"], 150.0);
    assert_eq!(page["previous"], "/measurements/?page_size=2&min_value=50&page=1");
    assert_eq!(page["next"], json!(null));
    assert_eq!(plimsoll.get("/measurements/?colour=red").status, 400);

    let patched =
        send(plimsoll, "PATCH", "/measurements/2/", json!({"value": 500, "place": "ward"}));
    assert_eq!((patched.status, &patched.json()["place"]), (200, &json!("ward")));
    assert_eq!(plimsoll.get("/alarms/?kind=above").json()["count"], 2);
    let acknowledged = send(plimsoll, "PATCH", "/alarms/1/", json!({"acknowledged": true}));
    assert_eq!(acknowledged.json()["acknowledged"], true);
    assert_eq!(plimsoll.get("/alarms/?acknowledged=true").json()["count"], 1);
    let replaced = send(plimsoll, "PUT", "/variables/1/", json!({"name": "heart rate"}));
    assert_eq!(replaced.json()["upper"], json!(null));

    assert_eq!(send(plimsoll, "DELETE", "/variables/1/", json!(null)).status, 204);
    assert_eq!(plimsoll.get("/variables/1/").status, 404);
    assert_eq!(plimsoll.get("/alarms/").json()["count"], 0);
}

#[test]
fn works_on_sqlite() {
    works(&Plimsoll::up(&harness::clinic(3, "")));
}

#[test]
fn works_on_postgresql() {
    let postgres = Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    let environment = [("DATABASE_URL", postgres.url.as_str())];
    works(&Plimsoll::up_in(directory, &harness::clinic(3, ""), &environment));
}

#[test]
fn pages_and_settings_answer() {
    let plimsoll = Plimsoll::up(&harness::clinic(1, ""));
    plimsoll.wait_healthy("web", 1);
    let index = plimsoll.get("/").json();
    assert_eq!((&index["instance"], &index["store"]), (&json!("web-1"), &json!("sqlite")));
    assert_eq!(plimsoll.get("/").json()["request"], 2);
    let load = plimsoll.get("/load?iterations=5000").json();
    assert_eq!(load["iterations"], 5000);
    assert_eq!(plimsoll.get("/load?iterations=1&ms=1").status, 400);
    let reply = send(&plimsoll, "PATCH", "/settings/", json!({"health_failure_chance": 1}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    plimsoll.wait("the failing health check", || plimsoll.states("web")[0].1 == "unhealthy");
    assert_eq!(plimsoll.get("/").status, 503);
}
