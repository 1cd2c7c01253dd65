//! The guard's command line: `NAME [--directory D] [--user U] [--socket S] -- COMMAND…`.
//!
//! Written and read by the same binary, so that it can be strict. The name comes first, where
//! `ps` shows it. The environment is passed on as it is and needs no word here.

use std::ffi::OsString;
use std::path::PathBuf;

/// What a guard is to run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The instance's name, for whoever reads the table of processes.
    pub name: String,
    /// Where the command runs; the guard's own directory when absent.
    pub directory: Option<PathBuf>,
    /// As whom the command runs; the guard's own user when absent.
    pub user: Option<String>,
    /// The instance's Unix socket, removed at the end.
    pub socket: Option<PathBuf>,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

impl Arguments {
    /// The words that [`Arguments::parse`] reads.
    pub fn words(&self) -> Vec<OsString> {
        let mut words = vec![OsString::from(&self.name)];
        let mut option = |name: &str, value: Option<OsString>| {
            if let Some(value) = value {
                words.extend([OsString::from(name), value]);
            }
        };
        option("--directory", self.directory.clone().map(PathBuf::into_os_string));
        option("--user", self.user.as_ref().map(OsString::from));
        option("--socket", self.socket.clone().map(PathBuf::into_os_string));
        words.push(OsString::from("--"));
        words.extend(self.command.iter().cloned());
        words
    }

    /// Reads the words after `guard`.
    ///
    /// # Errors
    /// A sentence about the first word that does not fit.
    pub fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let name = words.next().ok_or("an instance's name is missing")?;
        let mut arguments = Self {
            name: name.to_string_lossy().into_owned(),
            directory: None,
            user: None,
            socket: None,
            command: Vec::new(),
        };
        loop {
            let option = words.next().ok_or("`--` and a command are missing")?;
            if option == "--" {
                break;
            }
            let value = words.next().ok_or_else(|| format!("{option:?} has no value"))?;
            match option.to_str() {
                Some("--directory") => arguments.directory = Some(value.into()),
                Some("--user") => arguments.user = Some(value.to_string_lossy().into_owned()),
                Some("--socket") => arguments.socket = Some(value.into()),
                _ => return Err(format!("unknown option {option:?}")),
            }
        }
        arguments.command = words.collect();
        if arguments.command.is_empty() {
            return Err("the command is missing".to_owned());
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> impl Iterator<Item = OsString> {
        text.iter().map(OsString::from).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let arguments = Arguments {
            name: "web-1".to_owned(),
            directory: Some("/srv/web".into()),
            user: Some("www-data".to_owned()),
            socket: Some("/run/x/1.sock".into()),
            command: vec!["--".into(), "--user".into(), "".into()],
        };
        assert_eq!(Arguments::parse(arguments.words().into_iter()), Ok(arguments));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            &[][..],
            &["web-1"],
            &["web-1", "--"],
            &["web-1", "--user"],
            &["web-1", "--user", "x"],
            &["web-1", "--group", "x", "--", "true"],
        ] {
            assert!(Arguments::parse(words(text)).is_err(), "{text:?}");
        }
    }
}
