//! The examples of the repository and the generated documents.

use super::super::super::reference::is_section;
use super::super::{BenchOptions, from_options, grammar, plan_reference, plan_schema};
use super::{resolve, root};

#[test]
fn every_example_loads_without_a_warning() {
    let mut count = 0;
    for entry in std::fs::read_dir(root("../examples/bench")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let options = BenchOptions { plan: Some(path.clone()), ..BenchOptions::default() };
            let read = from_options(&options).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(read.warnings, [], "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 6, "only {count} examples");
}

/// The line of an example with what it needs beside it.
fn example(table: &str, key: &str, line: &str) -> String {
    let of_message = matches!(key, "message" | "binary" | "replies" | "until");
    match table {
        "" => match key {
            "url" => format!("{line}\n"),
            "poisson" => format!("{line}\nurl = \"http://a\"\nrate = 5\n"),
            "streams" => format!("{line}\nurl = \"http://a\"\nhttp = 2\n"),
            "speed" => format!("{line}\nurl = \"http://a\"\nreplay = \"access.log\"\n"),
            _ => format!("{line}\nurl = \"http://a\"\n"),
        },
        "request" if key == "url" => format!("[[request]]\n{line}\n"),
        "request" if of_message && key != "message" => {
            format!("url = \"ws://a\"\n[[request]]\nmessage = \"x\"\n{line}\n")
        }
        "request" if key == "each" => format!(
            "url = \"http://a\"\n[[request]]\nextract = {{ ids = {{ json = \"$[*]\", all = true }} }}\n\
             [[request]]\n{line}\n"
        ),
        "request" => format!("url = \"http://a\"\n[[request]]\n{line}\n"),
        "request.check" => format!("url = \"http://a\"\n[[request]]\n[request.check]\n{line}\n"),
        "request.extract.NAME" => {
            let json =
                if matches!(key, "json" | "regex" | "header") { "" } else { "json = \"$.a\"\n" };
            format!("url = \"http://a\"\n[[request]]\n[request.extract.id]\n{json}{line}\n")
        }
        "request.multipart.NAME" => {
            let text = if key == "type" { "text = \"x\"\n" } else { "" };
            format!("url = \"http://a\"\n[[request]]\n[request.multipart.field]\n{text}{line}\n")
        }
        "scenario" => format!("url = \"http://a\"\n[[scenario]]\n{line}\n[[scenario.step]]\n"),
        "data.NAME" => {
            let file = match key {
                "file" => "",
                "delimiter" => "file = \"semicolons.csv\"\n",
                _ => "file = \"two-columns.csv\"\n",
            };
            format!("url = \"http://a\"\n[data.users]\n{file}{line}\n")
        }
        "group.NAME" => {
            let rate = if key == "poisson" { "rate = 5\n" } else { "" };
            format!("url = \"http://a\"\n[group.readers]\n{rate}{line}\n")
        }
        "tls" => {
            let partner = match key {
                "cert" => "key = \"k\"\n",
                "key" => "cert = \"c\"\n",
                _ => "",
            };
            format!("url = \"http://a\"\n[tls]\n{partner}{line}\n")
        }
        other => panic!("{other}"),
    }
}

/// An example of the reference is refused if its key has changed its type.
#[test]
fn every_example_of_the_reference_is_accepted() {
    for table in grammar::tables() {
        for field in &table.fields {
            if is_section(field.example) {
                continue;
            }
            let line = format!("{} = {}", field.key, field.example);
            let mut text = example(table.path, field.key, &line);
            // Variables that examples use; columns of data may have their names.
            if table.path != "data.NAME" {
                text.push_str("[variables]\n");
                for name in ["page", "text", "lower", "token", "note", "user", "state"] {
                    text.push_str(&format!("{name} = \"1\"\n"));
                }
            }
            if let Err(errors) = resolve("plan.toml", &text) {
                panic!("{}.{}:\n{text}\n{errors}", table.path, field.key);
            }
        }
    }
}

#[test]
fn the_generated_documents_are_up_to_date() {
    let documents = [
        ("../docs/bench-plan.md", plan_reference()),
        ("../docs/bench-plan.schema.json", format!("{:#}\n", plan_schema())),
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
fn the_schema_knows_every_key() {
    let schema = plan_schema();
    let request = &schema["properties"]["request"]["items"];
    assert_eq!(request["additionalProperties"], false);
    assert_eq!(schema["properties"]["for"]["type"], "string");
    assert_eq!(schema["properties"]["rate"]["type"][1], "number");
    let step = &schema["properties"]["scenario"]["items"]["properties"]["step"]["items"];
    assert_eq!(step["properties"].as_object().unwrap().len(), 24);
    // A step may hold steps, so that the schema refers to itself.
    let inner = &step["properties"]["step"]["items"]["$ref"];
    assert_eq!(inner, "#/$defs/request");
    let within = &schema["$defs"]["request"]["properties"]["step"]["items"]["$ref"];
    assert_eq!(within, "#/$defs/request");
}
