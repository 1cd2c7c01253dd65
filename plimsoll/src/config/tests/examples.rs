//! The examples of the repository and the generated documents.

use super::{resolve, root};

#[test]
fn every_example_loads_without_a_warning() {
    let mut count = 0;
    for entry in std::fs::read_dir(root("../examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let loaded = super::super::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(loaded.warnings, [], "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} examples");
}

/// A file in which `line` stands in the table `path` of measuring, with what that table needs.
fn of_observe(path: &str, key: &str, line: &str) -> String {
    // What a table must have, unless the line is it.
    let with = |needed: &[(&str, &str)]| -> String {
        let needed = needed.iter().filter(|(name, _)| *name != key);
        let needed = needed.map(|(name, value)| format!("{name} = {value}, "));
        format!("{}{line}", needed.collect::<String>())
    };
    let url = ("url", "\"http://a\"");
    let receiver = "[observe.notify.receiver.ops]\n";
    let tables = match path {
        "endpoint" => format!("[observe]\nprometheus = {{ {} }}\n", with(&[url])),
        "basic" => {
            let basic = with(&[("user", "\"a\""), ("password", "\"b\"")]);
            format!("[observe]\nprometheus = {{ url = \"http://a\", basic = {{ {basic} }} }}\n")
        }
        "relabel" => {
            let rule = with(&[("source_labels", "[\"a\"]"), ("target_label", "\"b\"")]);
            format!(
                "[[observe.job]]\nname = \"x\"\ntargets = [\"a:1\"]\nrelabel = [{{ {rule} }}]\n"
            )
        }
        "observe.job" => {
            let job = with(&[("name", "\"x\""), ("targets", "[\"a:1\"]")]);
            format!("observe.job = [{{ {job} }}]\n")
        }
        "observe.remote_write" => format!("observe.remote_write = [{{ {} }}]\n", with(&[url])),
        "observe.postgres" => {
            format!("observe.postgres = [{{ {} }}]\n", with(&[("url", "\"postgres://a\"")]))
        }
        "observe.redis" => {
            format!("observe.redis = [{{ {} }}]\n", with(&[("url", "\"redis://a\"")]))
        }
        "observe.notify.receiver.NAME" if key == "resolved" => {
            format!("{receiver}webhook = \"http://a\"\n{line}\n")
        }
        "observe.notify.receiver.NAME" => format!("{receiver}{line}\n"),
        "observe.notify.receiver.NAME.slack" => {
            format!("{receiver}slack = {{ {} }}\n", with(&[url]))
        }
        "observe.notify.receiver.NAME.email" => {
            let pair = match key {
                "user" => ", password = \"x\"",
                "password" => ", user = \"x\"",
                _ => "",
            };
            let email =
                with(&[("to", "[\"a@b\"]"), ("from", "\"a@b\""), ("server", "\"mail:587\"")]);
            format!("{receiver}email = {{ {email}{pair} }}\n")
        }
        "observe.notify.receiver.NAME.pagerduty" => {
            format!("{receiver}pagerduty = {{ {} }}\n", with(&[("routing_key", "\"x\"")]))
        }
        "observe.notify.receiver.NAME.command" => {
            format!("{receiver}command = {{ {} }}\n", with(&[("run", "\"x\"")]))
        }
        "observe.notify.route" => {
            let route = with(&[("to", "[\"ops\"]")]);
            format!("{receiver}webhook = \"http://a\"\n[observe.notify]\nroute = [{{ {route} }}]\n")
        }
        "observe.notify.inhibit" => {
            let side = "['a=\"b\"']";
            let inhibition = with(&[("source", side), ("target", side)]);
            format!("[observe.notify]\ninhibit = [{{ {inhibition} }}]\n")
        }
        "service.NAME.slo" => {
            let slo = with(&[("success", "\"99%\"")]);
            return format!("[service.web]\nrun = \"x\"\nslo = {{ {slo} }}\n");
        }
        path => format!("[{path}]\n{line}\n"),
    };
    format!("{tables}[service.web]\nrun = \"x\"\n")
}

/// An example of the reference is refused if its key has changed its type.
#[test]
fn every_example_of_the_reference_is_accepted() {
    for table in super::super::grammar::tables() {
        for field in &table.fields {
            let (key, value) = (field.key, field.example);
            let line = format!("{key} = {value}");
            let text = match table.path {
                _ if super::super::reference::is_section(value) => continue,
                "" => format!("{line}\n[service.web]\nrun = \"server\"\n"),
                "admin" => format!(
                    "admin.{line}\nadmin.token = \"0123456789abcdef\"\n[service.web]\nrun = \"x\"\n"
                )
                .replacen(
                    "admin.token = \"0123456789abcdef\"\n",
                    if key == "token" { "" } else { "admin.token = \"0123456789abcdef\"\n" },
                    1,
                ),
                "access_log" if key == "to" => {
                    format!("access_log.{line}\n[service.web]\nrun = \"x\"\n")
                }
                "access_log" => format!(
                    "access_log.to = \"stdout\"\naccess_log.{line}\n[service.web]\nrun = \"x\"\n"
                ),
                "headers" | "limits" | "timeouts" => {
                    format!("{}.{line}\n[service.web]\nrun = \"x\"\n", table.path)
                }
                "service.NAME" if key == "run" || key == "servers" => {
                    format!("[service.web]\n{line}\n")
                }
                "service.NAME" => format!("[service.web]\nrun = \"x\"\n{line}\n"),
                "service.NAME.servers" => {
                    let at = if key == "at" { "" } else { "at = \"10.0.0.1:80\", " };
                    let more = if key == "backup" { ", \"10.0.0.2:80\"" } else { "" };
                    format!("[service.web]\nservers = [{{ {at}{line} }}{more}]\n")
                }
                "service.NAME.balance" => {
                    let rest = if key == "name" { "hash = \"cookie\"" } else { "name = \"x\"" };
                    format!("[service.web]\nrun = \"x\"\nbalance = {{ {line}, {rest} }}\n")
                }
                "service.NAME.health" => {
                    let path = if key == "path" { "" } else { "path = \"/\"\n" };
                    format!("[service.web]\nrun = \"x\"\n[service.web.health]\n{path}{line}\n")
                }
                "service.NAME.log" => {
                    let directory = if key == "directory" { "" } else { "directory = \"log\"\n" };
                    format!("[service.web]\nrun = \"x\"\n[service.web.log]\n{directory}{line}\n")
                }
                "route" => {
                    let service = if key == "service" { "" } else { "service = \"web\"\n" };
                    format!("[service.web]\nrun = \"x\"\n[[route]]\n{service}{line}\n")
                }
                "endpoint" | "basic" | "relabel" | "service.NAME.slo" => {
                    of_observe(table.path, key, &line)
                }
                path if path.starts_with("observe") => of_observe(path, key, &line),
                path => {
                    let section = path.replace("NAME", "web");
                    format!("[service.web]\nrun = \"x\"\n[{section}]\n{line}\n")
                }
            };
            // Variables that an example names are set.
            let text = text.replace("${PLIMSOLL_TOKEN}", "0123456789abcdef");
            let text = text.replace("${HOME}", "${HOST}");
            let text = text.replace("${PASSWORD}", "secret").replace("${TOKEN}", "0123456789");
            let text =
                text.replace("${MAIL_PASSWORD}", "secret").replace("${PAGERDUTY_KEY}", "0123");
            let text = text.replace("${SLACK_URL}", "https://hooks.slack.com/services/x");
            if let Err(errors) = resolve(&text) {
                panic!("{}.{key}:\n{text}\n{errors}", table.path);
            }
        }
    }
}

#[test]
fn the_generated_documents_are_up_to_date() {
    let documents = [
        ("../docs/config.md", super::super::reference()),
        ("../docs/config.schema.json", format!("{:#}\n", super::super::schema())),
    ];
    for (path, made) in documents {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(root(path), &made).unwrap();
        }
        let committed = std::fs::read_to_string(root(path)).unwrap_or_default();
        assert!(committed == made, "{path} is out of date; run `cargo xtask docs`");
    }
}

#[test]
fn the_schema_describes_every_table_once() {
    let schema = super::super::schema();
    let service = &schema["properties"]["service"]["additionalProperties"];
    assert_eq!(service["additionalProperties"], false);
    assert_eq!(service["properties"]["instances"]["anyOf"][0]["maximum"], 1000);
    let health = &service["properties"]["health"]["anyOf"];
    let health = health.to_string();
    assert!(health.contains("min_healthy") && health.contains("ms|s|m|h"), "{health}");
    assert_eq!(schema["properties"]["route"]["items"]["required"][0], "service");
}
