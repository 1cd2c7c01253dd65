//! What happens at the beginning of each iteration of a controller: rows of CSV files, counters and
//! random numbers.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::convert::{Converter, Place};
use super::report::subject;
use super::tree::Element;
use crate::config::bench::model::{Feed, FeedEnd, FeedOrder, Function, Step, Template};
use crate::config::problem::ConfigError;

/// Largest file of data or of a body, in bytes.
pub(super) const DATA_BYTES: u64 = 1 << 30;

impl Converter<'_> {
    /// What the element does each time.
    pub(super) fn iteration(&mut self, element: &Element) -> Option<Step> {
        match element.class.as_str() {
            "CSVDataSet" => self.csv(element).map(Step::Feed),
            "CounterConfig" => self.counter(element),
            _ => self.random_variable(element),
        }
    }

    /// `CounterConfig`: counts by a step of 1; its other abilities are refused.
    fn counter(&mut self, element: &Element) -> Option<Step> {
        let name = self.fixed(element, "CounterConfig.name")?;
        let start = self.number(element, "CounterConfig.start").unwrap_or(0.0);
        let step = self.number(element, "CounterConfig.incr").unwrap_or(0.0);
        let end = self.fixed(element, "CounterConfig.end")?;
        let format = self.fixed(element, "CounterConfig.format")?;
        let unsupported = [
            (step != 1.0, "CounterConfig.incr", "counts by another step than 1"),
            (!end.trim().is_empty(), "CounterConfig.end", "begins again after a maximum"),
            (!format.is_empty(), "CounterConfig.format", "has a format for its numbers"),
            (
                element.flag("CounterConfig.reset_on_tg_iteration"),
                "",
                "begins again each iteration",
            ),
        ];
        for (found, property, what) in unsupported {
            if found {
                let effect = "it counts 1 by 1 without an end, which can change what is asked";
                self.unsupported(Place::of(element, property), what, effect);
            }
        }
        let per_user = element.flag("CounterConfig.per_user");
        let arguments = if per_user { vec![Template::text("TRUE")] } else { Vec::new() };
        let key = (element.span.start, Some(self.group));
        let counted = match self.counters.get(&key) {
            Some(counted) => counted.clone(),
            None => {
                let counted = self.piece(Function::Counter, arguments, None);
                self.counters.insert(key, counted.clone());
                counted
            }
        };
        let value = self.sum(&counted, &Template::text(format!("{}", start - 1.0)));
        Some(Step::Set(self.builder.slot(name.trim()), value))
    }

    /// `RandomVariableConfig`: a whole number between two.
    fn random_variable(&mut self, element: &Element) -> Option<Step> {
        let name = self.fixed(element, "variableName")?;
        if !element.trimmed("outputFormat").is_empty() {
            let effect = "its numbers are written without it";
            let place = Place::of(element, "outputFormat");
            self.unsupported(place, "has a format for its numbers", effect);
        }
        let from = self.setting(element, "minimumValue");
        let to = self.setting(element, "maximumValue");
        let from = if from.0.is_empty() { Template::text("0") } else { from };
        let value = self.piece(Function::RandomInt, vec![from, to], None);
        Some(Step::Set(self.builder.slot(name.trim()), value))
    }

    /// `CSVDataSet`. All groups share one place in the rows, unless each group or user has its own.
    fn csv(&mut self, element: &Element) -> Option<usize> {
        let mode = self.fixed(element, "shareMode")?;
        let (per_user, group) = match mode.trim() {
            "" | "shareMode.all" | "All threads" => (false, None),
            "shareMode.group" | "Current thread group" => (false, Some(self.group)),
            "shareMode.thread" | "Current thread" => (true, None),
            _ => {
                let effect = "all users share the rows, whoever has the same name for them";
                let place = Place::of(element, "shareMode");
                self.unsupported(place, "shares its rows under a name", effect);
                (false, None)
            }
        };
        let key = (element.span.start, group);
        if let Some(feed) = self.feeds.get(&key) {
            return Some(*feed);
        }
        let feed = self.rows(element, per_user)?;
        let feed = self.builder.feed(feed);
        self.feeds.insert(key, feed);
        Some(feed)
    }

    fn rows(&mut self, element: &Element, per_user: bool) -> Option<Feed> {
        let file = self.fixed(element, "filename")?;
        let file = file.trim();
        let bytes = self.file(file, Place::of(element, "filename"))?;
        let encoding = self.fixed(element, "fileEncoding")?;
        let text = self.decode(bytes, encoding.trim(), element)?;
        let delimiter = self.delimiter(element);
        let names = self.fixed(element, "variableNames")?;
        let mut lines = split(&text, &delimiter, element.flag("quotedData"));
        let header_is_names = names.trim().is_empty();
        let mut columns: Vec<String> =
            names.split(',').map(|name| name.trim().to_owned()).collect();
        if (header_is_names || element.flag("ignoreFirstLine")) && !lines.is_empty() {
            let header = lines.remove(0);
            if header_is_names {
                columns = header.iter().map(|name| name.trim().to_owned()).collect();
            }
        }
        if lines.is_empty() {
            let message = format!("{} has no rows", subject(element));
            let error = ConfigError::new("filename", message).found(file);
            self.report.error(element.place("filename"), error);
            return None;
        }
        if lines.iter().any(|line| line.len() < columns.len()) {
            let message = format!("{} has rows that are shorter than its names", subject(element));
            let warning = ConfigError::new("", message).note("what is missing is set to nothing");
            self.report.warn(element.place("filename"), warning);
        }
        let nothing: Arc<str> = Arc::from("");
        let rows = lines.into_iter().map(|line| {
            let values = line.into_iter().map(Arc::from);
            let missing = std::iter::repeat(Arc::clone(&nothing));
            values.chain(missing).take(columns.len()).collect::<Box<[Arc<str>]>>()
        });
        let at_end = match (element.text("recycle"), element.flag("stopThread")) {
            (Some("false"), true) => FeedEnd::StopUser,
            (Some("false"), false) => FeedEnd::Mark,
            _ => FeedEnd::Again,
        };
        let rows: Arc<[Box<[Arc<str>]>]> = rows.collect();
        let columns: Vec<usize> = columns.iter().map(|name| self.builder.slot(name)).collect();
        let first = rows.first().map_or(&[][..], |row| &row[..]);
        let samples = columns.iter().copied().zip(first.iter().map(|value| value.to_string()));
        self.samples.extend(samples);
        Some(Feed { rows, columns, order: FeedOrder::InTurn, at_end, per_user })
    }

    /// Makes the columns known whose names are in the file's first line.
    pub(super) fn name_columns(&mut self, element: &Element) {
        if !element.trimmed("variableNames").is_empty() {
            return;
        }
        let Some(file) = self.fixed(element, "filename") else { return };
        let Some(bytes) = self.file(file.trim(), Place::of(element, "filename")) else { return };
        let text = String::from_utf8_lossy(&bytes);
        let delimiter = self.delimiter(element);
        let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
        let header = split(first, &delimiter, element.flag("quotedData"));
        for name in header.into_iter().flatten() {
            let name = name.trim().to_owned();
            if let Some(value) = self.names.constants.remove(&name) {
                self.builder.set_initial(&name, Template::text(value));
            }
            self.names.written.insert(name);
        }
    }

    fn delimiter(&mut self, element: &Element) -> String {
        match self.fixed(element, "delimiter").unwrap_or_default().as_str() {
            "" => ",".to_owned(),
            "\\t" => "\t".to_owned(),
            other => other.to_owned(),
        }
    }

    fn decode(&mut self, bytes: Vec<u8>, encoding: &str, element: &Element) -> Option<String> {
        let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
        match encoding.to_ascii_lowercase().as_str() {
            "iso-8859-1" | "latin1" | "iso8859-1" => return Some(latin(&bytes)),
            "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => {}
            other => {
                let message = format!("{} has an unknown encoding", subject(element));
                let error = ConfigError::new("fileEncoding", message)
                    .found(other)
                    .allowed("UTF-8, US-ASCII or ISO-8859-1");
                self.report.error(element.place("fileEncoding"), error);
                return None;
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
            Err(_) => {
                let message = format!("the file of {} is not UTF-8", subject(element));
                let error = ConfigError::new("filename", message)
                    .remedy("save the file as UTF-8, or name its encoding in the plan");
                self.report.error(element.place("filename"), error);
                None
            }
        }
    }

    /// A file's bytes; its name begins at the plan's directory.
    pub(super) fn file(&mut self, name: &str, place: Place<'_>) -> Option<Vec<u8>> {
        if name.is_empty() {
            let message = format!("{} names no file", subject(place.element));
            self.report.error(place.span, ConfigError::new("", message));
            return None;
        }
        let path: PathBuf = self.base.join(name);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(&path)?.take(DATA_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let problem = match read() {
            Ok(bytes) if bytes.len() as u64 > DATA_BYTES => {
                format!("it is larger than {} MiB", DATA_BYTES >> 20)
            }
            Ok(bytes) => return Some(bytes),
            Err(error) => error.kind().to_string(),
        };
        let message = format!("the file of {} cannot be read: {problem}", subject(place.element));
        let error = ConfigError::new("", message)
            .found(name)
            .remedy("names of files begin at the directory of the plan");
        self.report.error(place.span, error);
        None
    }
}

/// The fields of each line that is not blank.
fn split(text: &str, delimiter: &str, quoted: bool) -> Vec<Vec<String>> {
    if quoted && let [byte] = delimiter.as_bytes() {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(*byte)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        // The text is UTF-8, in memory and flexible: there is nothing left to fail.
        let records = reader.records().filter_map(Result::ok);
        return records.map(|record| record.iter().map(str::to_owned).collect()).collect();
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split(delimiter).map(str::to_owned).collect()).collect()
}
