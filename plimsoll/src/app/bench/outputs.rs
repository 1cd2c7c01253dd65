//! Where results go: asked for before the run, written after it.
//!
//! A measurement of an hour must not be lost to a misspelt directory, so every file is opened before
//! the first request. What was there stays until there is something to put in its place.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::arguments::bench::{PlotArgument, ResultArguments};
use crate::load::json::Stored;
use crate::load::report::{self, Facts, Format};
use crate::load::{json, junit, warnings};

/// The name of standard output.
const STANDARD_OUTPUT: &str = "-";

/// What is to be written.
#[derive(Debug, Clone, Default)]
pub(super) struct Outputs {
    json: Option<PathBuf>,
    report: Option<PathBuf>,
    plots: Option<(PathBuf, Format)>,
    junit: Option<PathBuf>,
}

impl Outputs {
    /// What the arguments ask for.
    pub(super) fn of(arguments: &ResultArguments) -> Self {
        Self {
            json: arguments.json.clone(),
            report: arguments.report.clone(),
            plots: plots(arguments.plots.as_ref(), arguments.plot_format),
            junit: arguments.junit.clone(),
        }
    }

    /// The files, with the options that name them.
    fn files(&self) -> [(&'static str, Option<&PathBuf>); 3] {
        [
            ("--json", self.json.as_ref()),
            ("--report", self.report.as_ref()),
            ("--junit", self.junit.as_ref()),
        ]
    }

    /// Whether standard output is taken by the result, so that nothing else may be printed there.
    pub(super) fn takes_standard_output(&self) -> bool {
        self.files().into_iter().any(|(_, path)| path.is_some_and(|path| is_standard_output(path)))
    }

    /// Makes sure that each file can be written, and holds one thing.
    ///
    /// # Errors
    /// In words, for each that cannot.
    pub(super) fn verify(&self) -> Result<(), String> {
        let mut problems = String::new();
        let mut taken: Vec<(&str, &PathBuf)> = Vec::new();
        for (option, path) in self.files() {
            let Some(path) = path else { continue };
            if let Some((other, _)) = taken.iter().find(|(_, known)| *known == path) {
                let name = path.display();
                let _ = writeln!(
                    problems,
                    "error: {option}: {other} is written to {name} already; name another file"
                );
                continue;
            }
            taken.push((option, path));
            if is_standard_output(path) {
                continue;
            }
            if let Err(error) = touch(path) {
                let _ = writeln!(problems, "error: {option}: {}", refusal(path, &error));
            }
        }
        if let Some((directory, _)) = &self.plots
            && let Err(error) = std::fs::create_dir_all(directory)
        {
            let _ = writeln!(problems, "error: --plots: {}", refusal(directory, &error));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Writes this in the place of the result, if one is wanted.
    ///
    /// # Errors
    /// In words.
    pub(super) fn write_json(&self, text: &str) -> Result<(), String> {
        let Some(path) = &self.json else { return Ok(()) };
        replace(path, text).map_err(|error| refusal(path, &error))
    }

    /// Writes all; what was written is returned, for people to find it.
    ///
    /// # Errors
    /// In words; what could be written is written nevertheless.
    pub(super) fn write(&self, stored: &Stored) -> (Vec<PathBuf>, Vec<String>) {
        let mut written = Vec::new();
        let mut problems = Vec::new();
        let mut file = |path: &Path, text: &str| match replace(path, text) {
            Ok(()) if is_standard_output(path) => {}
            Ok(()) => written.push(path.to_owned()),
            Err(error) => problems.push(refusal(path, &error)),
        };
        if let Some(path) = &self.json {
            file(path, &json::text(&stored.results, &stored.outcomes));
        }
        if let Some(path) = &self.report {
            file(path, &page(stored));
        }
        if let Some(path) = &self.junit {
            file(path, &junit::text(&stored.results, &stored.outcomes));
        }
        if let Some((directory, format)) = &self.plots {
            match report::write_plots(&stored.results, directory, "bench", *format) {
                Ok(plots) => written.extend(plots),
                Err(error) => problems.push(error.to_string()),
            }
        }
        (written, problems)
    }
}

/// The report of results.
fn page(stored: &Stored) -> String {
    let told: Vec<String> = warnings::warnings(&stored.results)
        .into_iter()
        .filter(|warning| !warning.kind.is_note())
        .map(|warning| warning.text)
        .collect();
    let thresholds: Vec<(String, bool, String)> = (stored.outcomes.iter())
        .map(|outcome| (outcome.text.clone(), outcome.held, outcome.words()))
        .collect();
    report::html::page(&stored.results, Facts { warnings: &told, thresholds: &thresholds })
}

fn plots(directory: Option<&PathBuf>, format: PlotArgument) -> Option<(PathBuf, Format)> {
    let format = match format {
        PlotArgument::Svg => Format::Svg,
        PlotArgument::Png => Format::Png,
    };
    directory.map(|directory| (directory.clone(), format))
}

fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == STANDARD_OUTPUT
}

/// Opens a file for writing and leaves it as it is; one that was not there is not left behind.
fn touch(path: &Path) -> io::Result<()> {
    let is_new = !path.exists();
    OpenOptions::new().append(true).create(true).open(path)?;
    if is_new { std::fs::remove_file(path) } else { Ok(()) }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    if is_standard_output(path) {
        let mut out = io::stdout().lock();
        return out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
    std::fs::write(path, text)
}

fn refusal(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "; make its directory first",
        io::ErrorKind::PermissionDenied => "; choose a place that you may write to",
        _ => "",
    };
    format!("cannot write {}: {error}{remedy}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_thing() {
        let directory = tempfile::tempdir().unwrap();
        let same = directory.path().join("out");
        let outputs = Outputs {
            json: Some(same.clone()),
            report: Some(PathBuf::from(STANDARD_OUTPUT)),
            junit: Some(same),
            ..Outputs::default()
        };
        let problems = outputs.verify().unwrap_err();
        assert!(problems.contains("--junit: --json is written to"), "{problems}");
        assert_eq!(problems.lines().count(), 1, "{problems}");
        // A report takes it as a result does: nothing else may be printed there.
        assert!(outputs.takes_standard_output());
        let both = Outputs { json: Some(PathBuf::from(STANDARD_OUTPUT)), ..outputs };
        assert!(both.verify().unwrap_err().contains("--report: --json is written to -"));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_before_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("result.json");
        std::fs::write(&there, "old").unwrap();
        let outputs = Outputs {
            json: Some(there.clone()),
            report: Some(directory.path().join("none/report.html")),
            junit: Some(directory.path().join("junit.xml")),
            ..Outputs::default()
        };
        let problems = outputs.verify().unwrap_err();
        assert!(problems.contains("--report: cannot write"), "{problems}");
        assert!(problems.contains("make its directory first"), "{problems}");
        assert_eq!(problems.lines().count(), 1, "{problems}");
        assert_eq!(std::fs::read_to_string(there).unwrap(), "old");
        assert!(!directory.path().join("junit.xml").exists());
    }
}
