//! The reference of the configuration file, made from the tables of `grammar`.

use std::fmt::Write;

use super::grammar;
use super::kind::Shape;
use super::table::{DefaultDoc, FieldDoc, TableDoc};

const OPENING: &str = "\
# The configuration file

<!-- Made by `plimsoll config reference` from the declarations in plimsoll/src/config/grammar.
     To change it, change them and run `cargo xtask docs`. -->

Plimsoll reads one [TOML](https://toml.io) file. `plimsoll check -c plimsoll.toml` says whether it
is right; a key that is not listed here is refused. The smallest file is one service:

```toml
[service.web]
run = \"gunicorn app:wsgi --bind 127.0.0.1:$PORT\"
instances = 3
```

More to learn from is in [examples](../examples).

## How values are written

- **Durations** carry their unit: `\"200ms\"`, `\"5s\"`, `\"1.5m\"`, `\"1h\"`, `\"30d\"`, `\"1d12h\"`.
- **Sizes** carry their unit: `\"512B\"`, `\"64KiB\"`, `\"10MiB\"`, `\"2GiB\"`, `\"1TiB\"`; `kB`, `MB` and `GB` are
  powers of ten.
- **Percentages** carry their sign: `\"66%\"`.
- **Addresses** to listen on are `\":9999\"` (all addresses), `\"127.0.0.1:8000\"` or `\"[::1]:80\"`; servers
  may also be `\"app.internal:80\"` or `\"unix:/run/app.sock\"`.
- **Paths** of files that are relative begin at the directory of the config file.
- **Environment variables** stand in any text as `${NAME}`, or as `${NAME:-default}` where the variable
  may be unset or empty; `$${` stands for `${` itself. A number or a flag may come from one too:
  `instances = \"${COUNT}\"`. In `run` they are left to the shell.
- Tables may be written in any of TOML's ways: `health = { path = \"/\" }`, `health.path = \"/\"`, or a
  section `[service.web.health]`.

";

/// `docs/config.md`: every table with its keys, each with type, default, meaning and an example.
pub fn reference() -> String {
    of_tables(OPENING, &grammar::tables())
}

/// The reference of a kind of file: `opening`, then its tables.
pub(super) fn of_tables(opening: &str, tables: &[TableDoc]) -> String {
    let mut text = opening.to_owned();
    for table in tables {
        write_table(&mut text, table);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

fn write_table(text: &mut String, table: &TableDoc) {
    match (table.path, entry(table.path)) {
        ("", _) => line(text, format_args!("## Top level\n")),
        (_, Some(Entry { heading, .. })) => line(text, format_args!("## {heading}\n")),
        (path, None) => line(text, format_args!("## Section `{}`\n", header(path))),
    }
    line(text, format_args!("{}\n", table.doc));
    for field in &table.fields {
        write_field(text, table, field);
    }
}

fn write_field(text: &mut String, table: &TableDoc, field: &FieldDoc) {
    line(text, format_args!("### `{}`\n", field.key));
    line(text, format_args!("{}\n", field.doc));
    line(text, format_args!("- Type: {}", shape_text(&field.shape)));
    for (word, meaning) in choices(&field.shape) {
        line(text, format_args!("  - `\"{word}\"`: {meaning}"));
    }
    match &field.default {
        DefaultDoc::Value(value) => line(text, format_args!("- Default: `{value}`")),
        DefaultDoc::Words(words) => line(text, format_args!("- Default: {words}")),
        DefaultDoc::Section => line(text, format_args!("- Default: the defaults of its keys")),
        DefaultDoc::Required => line(text, format_args!("- Must be given")),
    }
    let path = match table.path {
        "" => String::new(),
        _ => format!(" in {}", table.title()),
    };
    line(text, format_args!("- Example{path}: `{}`\n", field.in_a_file()));
}

/// A table that has no section of its own: it stands in a list, or in several places.
pub(super) struct Entry {
    /// Its heading in the reference.
    heading: &'static str,
    /// What it is called in messages.
    pub(super) title: &'static str,
    /// Where its keys belong, with the preposition.
    pub(super) home: &'static str,
}

/// What is known of a table without a section of its own.
pub(super) fn entry(path: &str) -> Option<Entry> {
    let (heading, title, home) = match path {
        "service.NAME.servers" => (
            "A server in `service.NAME.servers`",
            "`service.NAME.servers`",
            "in a server of `service.NAME.servers`",
        ),
        "endpoint" => ("An endpoint", "an endpoint", "in an endpoint, beside its `url`"),
        "basic" => ("User and password", "a user and password", "in the table `basic`"),
        "relabel" => ("A relabelling rule", "a relabelling rule", "in a relabelling rule"),
        "observe.remote_write" => (
            "A store in `observe.remote_write`",
            "`observe.remote_write`",
            "in a table of `observe.remote_write`",
        ),
        "observe.postgres" => (
            "A server in `observe.postgres`",
            "`observe.postgres`",
            "in a table of `observe.postgres`",
        ),
        "observe.redis" => {
            ("A server in `observe.redis`", "`observe.redis`", "in a table of `observe.redis`")
        }
        _ => return None,
    };
    Some(Entry { heading, title, home })
}

/// Whether an example is a section's header and not a list.
pub(super) fn is_section(example: &str) -> bool {
    // Words within a list stand in quotes.
    example.trim_start_matches('[').starts_with(|c: char| c.is_ascii_lowercase())
        && example.starts_with('[')
}

/// The header of a section: a list of tables is written with two brackets.
pub(super) fn header(path: &str) -> String {
    match path {
        "route"
        | "request"
        | "scenario"
        | "scenario.step"
        | "observe.job"
        | "observe.notify.route"
        | "observe.notify.inhibit" => format!("[[{path}]]"),
        path => format!("[{path}]"),
    }
}

/// The words of a choice, wherever it is in a shape.
fn choices(shape: &Shape) -> Vec<(&'static str, &'static str)> {
    match shape {
        Shape::Choice(words) => words.clone(),
        Shape::List(of) => choices(of),
        Shape::Either(first, second) => [choices(first), choices(second)].concat(),
        _ => Vec::new(),
    }
}

fn shape_text(shape: &Shape) -> String {
    match shape {
        Shape::Choice(_) => "one of the words below".to_owned(),
        Shape::Table(doc) => match (doc().path, entry(doc().path)) {
            ("service.NAME.servers", Some(Entry { heading, .. })) => {
                format!("a table, see [below](#{})", anchor(heading))
            }
            (_, Some(Entry { heading, title, .. })) => {
                format!("a table, see [{title}](#{})", anchor(heading))
            }
            (path, None) => {
                format!("a table, see [`{path}`](#{})", anchor(&format!("section {path}")))
            }
        },
        Shape::List(of) => format!("a list, each of it {}", shape_text(of)),
        Shape::Map(of) => format!("a table of names, each with {}", shape_text(of)),
        Shape::Either(first, second) => format!("{}; or {}", shape_text(first), shape_text(second)),
        plain => plain.describe(),
    }
}

/// The anchor that Markdown renderers give a heading. That of a section begins with a word, because
/// a key of the same name has a heading too.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '-';
    heading.replace(' ', "-").chars().filter(kept).collect::<String>().to_lowercase()
}
