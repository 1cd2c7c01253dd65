//! The report of a run: a page with interactive plots, and plots as files.
//!
//! [`Results`] become figures (pure, see `figure`); figures become SVG, PNG or, with tables and words,
//! one HTML file that needs nothing else. Warnings and the outcomes of thresholds are found
//! elsewhere and come in as [`Facts`].
//!
//! Left out: what is measured, and whether it is good enough.

mod escape;
pub mod figure;
pub mod html;
mod png;
#[cfg(test)]
mod samples;
pub mod svg;
mod text;
mod ticks;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::results::Results;
use figure::figures;
use svg::{Setting, picture};

/// What others found out about a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// What a person must know before believing the figures, gravest first.
    pub warnings: &'a [String],
    /// What had to hold, as it was written; whether it did; what was measured.
    pub thresholds: &'a [(String, bool, String)],
}

/// How plots are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Vectors.
    Svg,
    /// Pixels.
    Png,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no font to write text in a PNG file with.
    #[error(
        "cannot draw PNG plots: this machine has no font for their text; install one \
         (apt-get install fonts-dejavu-core) or ask for .svg files instead"
    )]
    NoFont,
    /// A picture cannot be drawn.
    #[error("cannot draw a plot: {0}")]
    Picture(String),
}

/// Writes each figure of these results to a file `PREFIX-FIGURE.svg` (or `.png`) in a directory, which
/// is made where it is missing, and returns the files.
///
/// # Errors
/// A file or the directory cannot be written; for PNG, there is no font.
pub fn write_plots(
    results: &Results,
    directory: &Path,
    prefix: &str,
    format: Format,
) -> Result<Vec<PathBuf>, ReportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ReportError::Write { path, source }
    };
    // Before anything is written: either all files or none for want of a font.
    let fonts = match format {
        Format::Svg => None,
        Format::Png => Some(png::Fonts::of_system()?),
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut written = Vec::new();
    for figure in figures(results) {
        let svg = picture(&figure, Setting::Alone);
        let (bytes, ending) = match &fonts {
            None => (svg.into_bytes(), "svg"),
            Some(fonts) => (png::of_svg(&svg, fonts)?, "png"),
        };
        let path = directory.join(format!("{prefix}-{}.{ending}", figure.id));
        fs::write(&path, bytes).map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_files_named_for_their_figures() {
        let directory = tempfile::tempdir().unwrap();
        let results = samples::stalled(20);
        let below = directory.path().join("new");
        let files = write_plots(&results, &below, "run", Format::Svg).unwrap();
        assert_eq!(files.len(), figures(&results).len());
        assert!(files.contains(&below.join("run-latency.svg")));
        for file in files {
            assert!(fs::read_to_string(file).unwrap().starts_with("<svg"));
        }
        let blocked = directory.path().join("new/run-latency.svg");
        let error = write_plots(&results, &blocked, "run", Format::Svg).unwrap_err();
        assert!(error.to_string().contains("run-latency.svg"), "{error}");
    }
}
