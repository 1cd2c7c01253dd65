//! Rule files: patterns of names to files, and files to groups.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{self, BYTES_MAX};
use super::grammar::Reading;
use super::model::Group;
use crate::config::problem::{ConfigError, Source};

/// Most files that patterns may name together.
const FILES_MAX: usize = 1_000;

/// What was read, and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) groups: Vec<Group>,
    pub(super) errors: Vec<ConfigError>,
    /// Problems after these that are not told.
    pub(super) further: usize,
    pub(super) warnings: Vec<String>,
}

impl Read {
    /// Reads the groups of a text that `name` names.
    pub(super) fn text(&mut self, name: &str, text: &str, every: Duration) {
        let source = Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(text));
        match document::read(&source.text) {
            Err(fault) => {
                let error = ConfigError::new("", fault.message).remedy(fault.remedy);
                self.errors.push(error.at(Some(source.place(&fault.span))));
            }
            // An empty file has no rules, as in Prometheus.
            Ok(None) => {}
            Ok(Some(root)) if root.is_null() => {}
            Ok(Some(root)) => {
                let mut reading = Reading::new(&source, every);
                let groups = reading.file(&root);
                self.warnings.append(&mut reading.warnings);
                self.groups.extend(groups);
                let (mut errors, further) = reading.problems();
                self.errors.append(&mut errors);
                self.further += further;
            }
        }
    }

    /// Reads a file.
    pub(super) fn file(&mut self, path: &Path, every: Duration) {
        let name = path.display().to_string();
        match content(path) {
            Ok(text) => self.text(&name, &text, every),
            Err((message, remedy)) => {
                let error = ConfigError::new("", format!("the rule file {name} {message}"));
                self.errors.push(error.remedy(remedy));
            }
        }
    }

    /// Reads all files that the patterns name, each once.
    pub(super) fn patterns(&mut self, patterns: &[PathBuf], every: Duration) {
        let mut seen = BTreeSet::new();
        for pattern in patterns {
            let paths = match expand(pattern) {
                Ok(paths) => paths,
                Err(error) => {
                    self.errors.push(*error);
                    continue;
                }
            };
            if paths.is_empty() {
                self.warnings.push(format!(
                    "no file matches {}: no rules come of it; correct `files` in \
                     [observe.rules], or add the file and reload",
                    pattern.display()
                ));
            }
            for path in paths {
                if !seen.insert(path.clone()) {
                    continue;
                }
                if seen.len() > FILES_MAX {
                    let message = format!("there are more than {FILES_MAX} rule files");
                    let error = ConfigError::new("observe.rules.files", message);
                    self.errors.push(error.remedy("put groups together in fewer files"));
                    return;
                }
                self.file(&path, every);
            }
        }
    }
}

/// A file's text, or what is wrong and what to do.
fn content(path: &Path) -> Result<String, (String, &'static str)> {
    use std::io::Read as _;

    let unreadable = |error: std::io::Error| {
        (format!("cannot be read: {error}"), "correct its path, or let this user read it")
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One more than is allowed, so that a file that is too large can be told from one that is not.
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > BYTES_MAX {
        return Err((format!("is larger than {BYTES_MAX} bytes"), "split it"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        (format!("is not UTF-8 in line {line}"), "save it as UTF-8")
    })
}

/// The files that a pattern names, sorted; a path without `*` and `?` is itself.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, Box<ConfigError>> {
    let is_pattern = |text: &str| text.contains(['*', '?']);
    let directory = pattern.parent().unwrap_or(Path::new(""));
    if is_pattern(&directory.to_string_lossy()) {
        let message = format!("in {}, `*` or `?` is not in the last part", pattern.display());
        let remedy = "name each folder, as in [\"rules/web/*.yml\", \"rules/api/*.yml\"]";
        return Err(Box::new(ConfigError::new("observe.rules.files", message).remedy(remedy)));
    }
    let last = pattern.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if !is_pattern(&last) {
        return Ok(vec![pattern.to_owned()]);
    }
    let folder = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let failed = |error: std::io::Error| {
        let message = format!("the folder {} cannot be read: {error}", folder.display());
        let error = ConfigError::new("observe.rules.files", message);
        Box::new(error.remedy("correct its path, or let this user read it"))
    };
    let mut paths = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // No folder, no file: the caller tells that nothing matches.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(paths),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let text = name.to_string_lossy();
        // As in a shell, so that what editors leave beside a file is not read.
        let hidden = text.starts_with('.') && !last.starts_with('.');
        let path = directory.join(&name);
        if !hidden && matches(&last, &text) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a name is as the pattern says: `*` is any text, `?` any character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: it takes one character more.
    let mut again: Option<(usize, usize)> = None;
    while place < name.len() {
        match pattern.get(at) {
            Some('*') => {
                again = Some((at + 1, place));
                at += 1;
            }
            Some(character) if *character == '?' || *character == name[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((after, taken)) = again else { return false };
                (at, place) = (after, taken + 1);
                again = Some((after, taken + 1));
            }
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("?.yml", "é.yml", true),
            ("?.yml", ".yml", false),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn files_come_sorted_and_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yml", "c.txt", ".d.yml"] {
            std::fs::write(folder.path().join(name), "groups:\n- name: g\n").unwrap();
        }
        std::fs::create_dir(folder.path().join("e.yml")).unwrap();
        let mut read = Read::default();
        let patterns = [folder.path().join("b.yml"), folder.path().join("*.yml")];
        read.patterns(&patterns, Duration::from_secs(1));
        let names: Vec<_> =
            read.groups.iter().map(|group| group.file.rsplit('/').next().unwrap()).collect();
        assert_eq!((names, read.errors.len()), (vec!["b.yml", "a.yml"], 0));

        let mut read = Read::default();
        read.patterns(&[folder.path().join("*.rules")], Duration::from_secs(1));
        assert!(read.errors.is_empty() && read.warnings[0].contains("*.rules"), "{read:?}");
        let mut read = Read::default();
        read.patterns(&["no-such/a.yml".into(), "x*/a.yml".into()], Duration::from_secs(1));
        assert_eq!(read.errors.len(), 2, "{read:?}");
    }
}
