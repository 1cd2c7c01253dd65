//! The direction of the layout: `main → app → the parts → the floor → crates`.
//!
//! Parts do not know each other; `app` lets them meet through snapshots and channels. A part
//! that could call its neighbour would soon share the neighbour's state, and no test of it could
//! run without both.

use super::Finding;
use super::source::Source;

/// The program's modules and which others each may name. `main` and `app` are above all of them.
const LAYOUT: &[(&str, &[&str])] = &[
    ("admin", FLOOR),
    ("demo", FLOOR),
    ("edge", FLOOR),
    ("fleet", FLOOR),
    ("load", FLOOR),
    ("observe", FLOOR),
    ("pool", FLOOR),
    ("scale", FLOOR),
    // The client commands read back what the admin server writes.
    // Rule files are checked by what reads them.
    ("cli", &["admin", "cache", "config", "drain", "log", "observe", "outbound", "trust"]),
    ("cache", &["config", "drain", "log"]),
    ("config", &["log"]),
    ("drain", &["log"]),
    ("net", &["log"]),
    ("outbound", &["config", "log", "trust"]),
    ("temporary", &["log"]),
    ("trust", &[]),
    ("log", &[]),
    // Of tests alone.
    ("testing", &[]),
];

const FLOOR: &[&str] =
    &["cache", "config", "drain", "log", "net", "outbound", "temporary", "testing", "trust"];

/// Where the program's modules are.
const PROGRAM: &str = "plimsoll/src/";

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else { return Vec::new() };
    let Some(below) = source.path.strip_prefix(PROGRAM) else { return Vec::new() };
    let own = below.split('/').next().unwrap_or(below).trim_end_matches(".rs");
    if own == "main" {
        return Vec::new();
    }
    let allowed = LAYOUT.iter().find(|(name, _)| *name == own).map(|(_, allowed)| *allowed);
    if allowed.is_none() && own != "app" {
        let message = format!(
            "`{own}` is not in the layout; give it a place in the table of \
             xtask/src/tidy/layout.rs and in ARCHITECTURE.md"
        );
        return vec![Finding::new(source, 1, message)];
    }
    let mut findings = Vec::new();
    for path in &rust.paths {
        let Some(other) = top_module(source, path.line, &path.segments) else { continue };
        let known = other == "app" || LAYOUT.iter().any(|(name, _)| *name == other);
        let fine = allowed.is_none_or(|allowed| allowed.contains(&other.as_str()));
        if !known || other == own || fine {
            continue;
        }
        let message = match allowed {
            Some([]) => {
                format!("`{own}` uses `{other}`, but stands on nothing else of the program")
            }
            Some(allowed) if other != "app" => format!(
                "`{own}` uses `{other}`; it may use only {}: let them meet in app.rs, through a \
                 snapshot or a channel",
                allowed.join(", ")
            ),
            _ => format!("`{own}` uses `{other}`, which is above it"),
        };
        findings.push(Finding::new(source, path.line, message));
    }
    findings
}

/// The module just below `crate` that a path leads into, if it stays in this crate.
fn top_module(source: &Source, line: usize, segments: &[String]) -> Option<String> {
    if segments.first()? == "crate" {
        return segments.get(1).cloned();
    }
    let mut module = source.module(line)?;
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    if ups == 0 {
        return None;
    }
    module.truncate(module.len().checked_sub(ups)?);
    module.extend(segments.iter().skip(ups).cloned());
    module.into_iter().next()
}

#[cfg(test)]
mod tests {
    use crate::tidy::messages;

    fn of(path: &str, code: &str) -> Vec<String> {
        messages(path, &format!("//! A part.\n\n{code}\n"))
    }

    #[test]
    fn siblings_do_not_import_each_other() {
        let expected = "plimsoll/src/edge/part.rs:3: `edge` uses `fleet`; it may use only cache, \
                        config, drain, log, net, outbound, temporary, testing, trust: let them meet in app.rs, through a \
                        snapshot or a channel";
        for code in [
            "use crate::fleet::Fleet;",
            "use crate::{config::Config, fleet::Fleet};",
            "use super::super::fleet::Fleet;",
            "fn f(_: &crate::fleet::Fleet) {}",
            "fn f() { println!(\"{}\", crate::fleet::COUNT); }",
            "mod inner { use super::super::super::fleet::Fleet; }",
        ] {
            assert_eq!(of("plimsoll/src/edge/part.rs", code), [expected], "{code}");
        }
    }

    #[test]
    fn nothing_below_uses_what_is_above() {
        assert_eq!(
            of("plimsoll/src/edge/part.rs", "use crate::app::App;"),
            ["plimsoll/src/edge/part.rs:3: `edge` uses `app`, which is above it"]
        );
        assert_eq!(of("plimsoll/src/config/part.rs", "use crate::edge::Edge;").len(), 1);
        assert_eq!(
            of("plimsoll/src/log.rs", "use crate::config::Config;"),
            [
                "plimsoll/src/log.rs:3: `log` uses `config`, but stands on nothing else of the program"
            ]
        );
    }

    #[test]
    fn a_module_outside_the_table_is_refused() {
        let found = of("plimsoll/src/proxy/part.rs", "");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`proxy` is not in the layout"), "{found:?}");
    }

    #[test]
    fn what_the_table_allows_passes() {
        for (path, code) in [
            ("plimsoll/src/main.rs", "use crate::app::App; use crate::edge::Edge;"),
            ("plimsoll/src/app.rs", "use crate::{edge::Edge, fleet::Fleet};"),
            ("plimsoll/src/app/signals.rs", "use crate::{edge::Edge, fleet::Fleet};"),
            ("plimsoll/src/edge/part.rs", "use crate::config::Config; use crate::log;"),
            ("plimsoll/src/edge/part.rs", "use super::server::Server; pub(crate) struct S;"),
            ("plimsoll/src/edge/part/deep.rs", "use super::super::server::Server;"),
            ("plimsoll/src/cli/status.rs", "use crate::admin::Status;"),
            ("plimsoll/src/edge/part.rs", "fn f(fleet: u8) -> u8 { fleet::f() + fleet }"),
            ("crates/http1/src/head.rs", "use crate::edge::Edge;"),
        ] {
            assert!(of(path, code).is_empty(), "{path}: {code}: {:?}", of(path, code));
        }
    }
}
