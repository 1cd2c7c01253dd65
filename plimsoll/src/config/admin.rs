//! Where the admin server of a config file is, even if other parts of the file are wrong.
//!
//! While Plimsoll runs on, somebody edits its file and makes a mistake; that is when an operator
//! wants to ask it how it is. So client commands need of the file no more than the key `admin`.
//! They must not ask another Plimsoll by mistake either: where a mistake may hide that key or
//! change its meaning, the file is refused.

use std::path::Path;

use toml::de::DeTable;

use super::file::{self, load};
use super::grammar::{self, OffOr};
use super::kind::{Either, False, OneOf, table};
use super::model::Admin;
use super::problem::{ConfigErrors, Source};
use super::reader::{Reader, Where};
use super::table::{Entries, Field, Presence, setting};
use super::{defaults, syntax};

/// The key, and the name of its section.
const KEY: &str = "admin";

/// The admin server that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminOfFile {
    /// Where it is; `None` if the file turns it off. Without a token where that cannot be told, as
    /// when the environment of Plimsoll has it.
    pub admin: Option<Admin>,
    /// Mistakes elsewhere in the file.
    pub errors: usize,
}

/// Reads the key `admin` of a file.
///
/// # Errors
/// Everything that is wrong with the file, if it cannot be read or its key `admin` is in doubt.
pub fn load_admin(path: &Path) -> Result<AdminOfFile, ConfigErrors> {
    let errors = match load(path) {
        Ok(loaded) => return Ok(AdminOfFile { admin: loaded.config.admin, errors: 0 }),
        Err(errors) => errors,
    };
    let name = path.display().to_string();
    let Ok(text) = file::read(path, &name, file::CONFIGURATION) else { return Err(errors) };
    let count = errors.errors.len() + errors.further;
    let environment = |variable: &str| std::env::var(variable).ok();
    match admin_of(&Source::new(name, text), &environment) {
        Some(admin) => Ok(AdminOfFile { admin, errors: count }),
        None => Err(errors),
    }
}

/// What the text says of the admin server; `None` if that is in doubt.
fn admin_of(
    source: &Source,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Option<Admin>> {
    let (found, errors) = DeTable::parse_recoverable(&source.text);
    let found = found.into_inner();
    if !errors.is_empty() {
        let lines: Vec<usize> = syntax::lines_of(&source.text, KEY).collect();
        let broken = |error: &toml::de::Error| {
            error.span().is_none_or(|span| lines.contains(&source.line(span.start)))
        };
        // A key that is in the text but was not read is behind the mistake.
        if lines.is_empty() == found.contains_key(KEY) || errors.iter().any(broken) {
            return None;
        }
    }
    let at = Where { key: String::new(), span: 0..0 };
    let mut reader = Reader::new(source.clone(), environment, &grammar::VOCABULARY);
    let kind = Either(False, Either(grammar::BIND, table::<grammar::Admin>()));
    let entries = Entries::new(&found, at);
    let field = Field { entries: &entries, key: KEY, example: "" };
    let default: OffOr<_, grammar::Admin> = OneOf::Second(OneOf::First(defaults::ADMIN));
    let read = setting(kind, default).read(&field, &mut reader);
    let of_token = format!("{KEY}.token");
    let in_doubt = |errors: ConfigErrors| errors.errors.iter().any(|error| error.key != of_token);
    if reader.finish().is_err_and(in_doubt) {
        return None;
    }
    Some(match read.value {
        OneOf::First(()) => None,
        OneOf::Second(OneOf::First(bind)) => Some(Admin { bind, token: None }),
        OneOf::Second(OneOf::Second(table)) => {
            Some(Admin { bind: table.bind.value, token: table.token.value })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in the text, with its admin server as `ADDRESS TOKEN`.
    fn found(text: &str) -> String {
        let source = Source::new("plimsoll.toml", text);
        match admin_of(&source, &|_| None) {
            None => "in doubt".to_owned(),
            Some(None) => "off".to_owned(),
            Some(Some(Admin { bind, token })) => {
                format!("{bind} {}", token.as_deref().unwrap_or("-"))
            }
        }
    }

    #[test]
    fn mistakes_elsewhere_do_not_matter() {
        let token = "0123456789abcdef";
        let table = format!("admin = {{ bind = \"127.0.0.1:9901\", token = \"{token}\" }}");
        let section = format!("[admin]\nbind = \"127.0.0.1:9901\"\ntoken = \"{token}\"");
        for (text, expected) in [
            ("", "127.0.0.1:9900 -"),
            ("lisen = 7\n[service.web]\nserver = []", "127.0.0.1:9900 -"),
            ("admin = \"127.0.0.1:9901\"\n[service.web]\nserver = []", "127.0.0.1:9901 -"),
            ("admin = false\nlisen = 7", "off"),
            (&format!("{table}\nlisen = 7"), "127.0.0.1:9901 0123456789abcdef"),
            (&format!("lisen = 7\n{section}\n"), "127.0.0.1:9901 0123456789abcdef"),
            // Not TOML at all, but elsewhere.
            ("listen = :9999\n[service.web]\nrun = \"x", "127.0.0.1:9900 -"),
            ("admin = \"127.0.0.1:9901\"\nlisten = [\":80\"\n[service.web]", "127.0.0.1:9901 -"),
            ("run = \"x\"\nrun = \"x\"\nadmin = \"127.0.0.1:9901\"", "127.0.0.1:9901 -"),
            (&format!("x = \"y\n{section}\n"), "127.0.0.1:9901 0123456789abcdef"),
            (&format!("{section}\n[service.web\n"), "127.0.0.1:9901 0123456789abcdef"),
            // The variable is in the environment of Plimsoll.
            ("admin = { bind = \"0.0.0.0:9901\", token = \"${NONE}\" }", "0.0.0.0:9901 -"),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn where_the_key_is_in_doubt_nobody_is_asked() {
        for text in [
            "admin = 7",
            "admin = \"127.0.0.1\"",
            "admin = \"${NONE}:9900\"",
            "admin = { bnd = \"127.0.0.1:9901\" }",
            "admin = \"127.0.0.1:9901",
            "admin = 127.0.0.1:9901",
            "admin = \"127.0.0.1:9901\"\nadmin = \"127.0.0.1:9902\"",
            "admin = { bind = \"127.0.0.1:9901\"",
            "[admin]\nbind = \"127.0.0.1:9901\ntoken = \"0123456789abcdef\"",
            "x = \"\"\"\nadmin = \"127.0.0.1:9901\"\n",
            "admin.bind = :9901\n[service.web]",
        ] {
            assert_eq!(found(text), "in doubt", "{text}");
        }
    }
}
