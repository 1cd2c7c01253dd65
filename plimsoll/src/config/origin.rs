//! Where a configuration comes from, for mistakes that show only when it is put into force.

use super::problem::ConfigError;
use super::reader::Places;

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A file.
    File(Places),
    /// Options.
    CommandLine,
}

impl Origin {
    /// A value that cannot be put into force. `key` is that of a file, as in `listen[1]`;
    /// `sentence` says what is wrong and, after a semicolon, what to do.
    pub fn refuse(&self, key: &str, sentence: &str) -> ConfigError {
        let (message, remedy) = sentence.split_once("; ").unwrap_or((sentence, "choose another"));
        // The part of the key that is an option, and is in a file that has not the whole.
        let top = key.split(['.', '[']).next().unwrap_or(key);
        let error = match self {
            Self::CommandLine => ConfigError::new(format!("--{top}"), message),
            Self::File(places) => match places.nearest(key) {
                Some((key, place)) => ConfigError::new(key, message).at(Some(place)),
                None => ConfigError::new(top, message)
                    .note(format!("`{top}` is not in {}, so its default holds", places.file())),
            },
        };
        error.remedy(remedy)
    }

    /// The same problem, with the place of its key where it has none yet and the file has the key.
    pub fn place(&self, error: ConfigError) -> ConfigError {
        match self {
            Self::File(places) if error.place.is_none() => match places.nearest(&error.key) {
                Some((_, place)) => error.at(Some(place)),
                None => error,
            },
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::resolve;
    use super::*;

    const SENTENCE: &str = "cannot listen on :80: it is in use; stop the other";

    fn said(text: &str, key: &str) -> String {
        let loaded = resolve("plimsoll.toml", text, Path::new(""), &|_| None).unwrap();
        loaded.origin().refuse(key, SENTENCE).to_string()
    }

    #[test]
    fn an_address_that_cannot_be_had_is_shown_where_it_is_written() {
        let service = "[service.web]\nrun = \"x\"\n";
        assert_eq!(
            said(&format!("listen = [\":81\", \":80\"]\n{service}"), "listen[1]"),
            "error: cannot listen on :80: it is in use\n --> plimsoll.toml:1:18\n  |\n\
             1 | listen = [\":81\", \":80\"]\n  |                  ^^^^^\n  \
             = key:     listen[1]\n  = remedy:  stop the other"
        );
        for (text, key, expected) in [
            ("listen = \":80\"\n", "listen[0]", "plimsoll.toml:1:10\n"),
            ("listen = \":80\"\n", "listen[0]", "= key:     listen\n"),
            ("admin = \"127.0.0.1:80\"\n", "admin.bind", "= key:     admin\n"),
            ("admin = { bind = \"127.0.0.1:80\" }\n", "admin.bind", "= key:     admin.bind\n"),
            ("", "listen[0]", "= note:    `listen` is not in plimsoll.toml, so its default holds"),
        ] {
            let said = said(&format!("{text}{service}"), key);
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn a_problem_found_later_is_shown_where_its_key_is() {
        let text =
            "[service.web]\nrun = \"x\"\n[observe.rules]\nwithout = [\"TargetDown\", \"Dwn\"]\n";
        let loaded = resolve("plimsoll.toml", text, Path::new(""), &|_| None).unwrap();
        let placed = |key: &str| loaded.origin().place(ConfigError::new(key, "no")).to_string();
        let told = placed("observe.rules.without[1]");
        assert!(told.contains("--> plimsoll.toml:4:26\n"), "{told}");
        assert!(told.contains("= key:     observe.rules.without[1]"), "{told}");
        assert!(!placed("other").contains("-->"));
    }

    #[test]
    fn options_are_named_as_such() {
        let said = Origin::CommandLine.refuse("listen[0]", "it is not there").to_string();
        assert_eq!(
            said,
            "error: it is not there\n  = key:     --listen\n  = remedy:  choose another"
        );
    }
}
