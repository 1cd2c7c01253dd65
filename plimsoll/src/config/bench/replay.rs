//! Arrivals as they were recorded: an access log (combined, common or JSON lines) or a CSV file.
//!
//! Times count from the first. Logs that know whole seconds only have the requests of a second
//! spread evenly over it: they did not arrive all at once. What the log tells of requests, method
//! and target, is asked for again where the plan leaves it open; of methods only those that change
//! nothing and have no body, since neither is in a log.

mod line;
mod lines;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::quantity::Refusal;
use super::builder::Builder;
use super::model::{Feed, FeedEnd, FeedIndex, FeedOrder, Piece, Template};
use super::url;
use line::{Format, Row};
use lines::Lines;
pub(in crate::config) use lines::Tell;

/// Most lines.
const LINES_MAX: usize = 20_000_000;
/// Longest recording: 30 days.
const LASTING_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most characters of a line that a message shows.
const SHOWN_CHARACTERS: usize = 40;
/// Methods that are asked for again.
const REPEATABLE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];
/// Variables that hold what a line asked for. Their names cannot stand in a template.
const METHOD: &str = "(method)";
const TARGET: &str = "(target)";
const NANOS: i128 = 1_000_000_000;

/// A recording that was read.
#[derive(Debug)]
pub(in crate::config) struct Recording {
    name: String,
    /// In the order of their times.
    rows: Vec<Row>,
    /// Lines that could not be read.
    unread: usize,
    /// The first of them: its number and how it begins.
    first_unread: String,
}

/// When iterations begin, and what each asks for.
#[derive(Debug)]
pub(in crate::config) struct Replay {
    /// After the start, rising.
    pub(in crate::config) times: Arc<[Duration]>,
    /// Method and target of each; empty where the plan says what is asked.
    rows: Vec<Box<[Arc<str>]>>,
    name: String,
    /// What is likely not meant.
    pub(in crate::config) doubts: Vec<Refusal>,
}

/// Reads a recording. `written` is its path as the user gave it; `-` is standard input. Where that
/// takes long, `tell` is told how far it is.
pub(in crate::config) fn read(
    path: &Path,
    written: &Path,
    tell: Option<Tell>,
) -> Result<Recording, Refusal> {
    read_telling(path, written, tell, lines::SILENCE)
}

fn read_telling(
    path: &Path,
    written: &Path,
    tell: Option<Tell>,
    silence: Duration,
) -> Result<Recording, Refusal> {
    let name = lines::name(written);
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            Refusal::new(format!("{name} does not exist")).remedy("correct the path")
        }
        ErrorKind::IsADirectory => {
            Refusal::new(format!("{name} is a directory")).remedy("name a file in it")
        }
        _ => Refusal::new(format!("{name} cannot be read: {error}")).remedy("check the path"),
    };
    let mut lines = Lines::open(path, written, tell, silence).map_err(|error| failed(&error))?;
    let mut recording =
        Recording { name: name.clone(), rows: Vec::new(), unread: 0, first_unread: String::new() };
    let mut names = Names::default();
    let mut format: Option<Format> = None;
    while let Some((number, line)) = lines.next().map_err(|error| failed(&error))? {
        if line.trim().is_empty() {
            continue;
        }
        let format = match &format {
            Some(format) => format,
            None => {
                let (found, is_heading) = Format::of(&line, &name)?;
                let found = format.insert(found);
                if is_heading {
                    continue;
                }
                found
            }
        };
        match format.row(&line, &mut names) {
            Some(row) if recording.rows.len() < LINES_MAX => recording.rows.push(row),
            Some(_) => {
                return Err(Refusal::new(format!("{name} has more than {LINES_MAX} lines"))
                    .remedy("take a part of it"));
            }
            None => recording.unread_line(number, &line),
        }
    }
    recording.complete(format.as_ref())
}

impl Recording {
    fn unread_line(&mut self, number: usize, line: &str) {
        if self.unread == 0 {
            self.first_unread = format!("line {number}, `{}`", shown(line));
        }
        self.unread += 1;
    }

    /// Refuses what is no recording; puts rows into the order of their times.
    fn complete(mut self, format: Option<&Format>) -> Result<Self, Refusal> {
        let name = &self.name;
        if self.rows.is_empty() && self.unread == 0 {
            return Err(Refusal::new(format!("{name} is empty")).remedy("name another file"));
        }
        if self.unread >= self.rows.len() {
            let message = format!(
                "{} of {} of {name} cannot be read, the first is {}",
                self.unread,
                lines_of(self.unread + self.rows.len()),
                self.first_unread
            );
            return Err(Refusal::new(message).remedy(match format {
                Some(Format::Csv { .. }) => {
                    "write times as 2026-01-02T14:30:00Z, or as seconds or milliseconds since 1970"
                }
                _ => {
                    "it may be a log in the combined, common or JSON format, or CSV with a column \
                     `time`"
                }
            }));
        }
        // Stable: lines of the same time stay in the order of the log.
        self.rows.sort_by_key(|row| row.time);
        spread(&mut self.rows);
        Ok(self)
    }

    /// Whether it tells what was asked for, be it of a part of the requests.
    pub(in crate::config) fn has_targets(&self) -> bool {
        self.rows.iter().any(|row| row.request.is_some())
    }

    /// The arrivals at `speed` times the recorded pace; with what each asked for if `with_targets`.
    pub(in crate::config) fn replay(
        self,
        speed: f64,
        with_targets: bool,
    ) -> Result<Replay, Refusal> {
        let Self { name, rows, unread, first_unread } = self;
        let mut doubts = Vec::new();
        if unread > 0 {
            let message = format!(
                "{} of {name} cannot be read; the first is {first_unread}",
                lines_of(unread)
            );
            doubts.push(Refusal::new(message).remedy("they are left out"));
        }
        let total = rows.len();
        let rows: Vec<Row> =
            rows.into_iter().filter(|row| !with_targets || row.request.is_some()).collect();
        let all = rows.len();
        if all < total {
            let message = format!(
                "{} of {total} lines of {name} name no path that was asked for",
                total - all
            );
            doubts.push(Refusal::new(message).remedy("they are left out"));
        }
        let is_kept = |row: &Row| {
            let method = row.request.as_ref().map(|(method, _)| &**method);
            !with_targets || method.is_some_and(|method| REPEATABLE.contains(&method))
        };
        let kept: Vec<Row> = rows.into_iter().filter(is_kept).collect();
        if kept.len() < all {
            let message = format!(
                "{} of {all} requests of {name} are left out: a log has no bodies, so that only {} \
                 can be asked for again",
                all - kept.len(),
                REPEATABLE.join(", ")
            );
            doubts.push(
                Refusal::new(message).remedy(
                    "to make their load too, give the URL a path: all requests then go there",
                ),
            );
        }
        let Some(first) = kept.first().map(|row| row.time) else {
            return Err(Refusal::new(format!("{name} has no request that can be asked for again"))
                .remedy("give the URL a path: all requests then go there"));
        };
        let time = |row: &Row| {
            let seconds = (row.time - first) as f64 / NANOS as f64 / speed;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        };
        let times: Arc<[Duration]> = kept.iter().map(time).collect();
        if times.last().is_some_and(|last| *last > LASTING_MAX) {
            return Err(Refusal::new(format!("{name} goes over more than 30 days"))
                .remedy("take a part of it, or play it faster with a speed"));
        }
        let rows = match with_targets {
            false => Vec::new(),
            true => kept
                .into_iter()
                .filter_map(|row| row.request)
                .map(|(method, target)| [method, target].into())
                .collect(),
        };
        Ok(Replay { times, rows, name, doubts })
    }
}

impl Replay {
    /// Makes what was asked for a feed below `base`: the feed, and what method and URL are then.
    /// `None` where the plan says what is asked.
    pub(in crate::config) fn requests(
        &mut self,
        base: &Template,
        builder: &mut Builder,
    ) -> Option<(FeedIndex, Template, Template)> {
        if self.rows.is_empty() {
            return None;
        }
        let columns = vec![builder.slot(METHOD), builder.slot(TARGET)];
        let piece = |place: usize, name: &str| Piece::Variable(columns[place], name.to_owned());
        let target = Template(vec![piece(1, TARGET)]);
        let method = Template(vec![piece(0, METHOD)]);
        let url = url::below(base, target).ok()?;
        let feed = builder.feed(Feed {
            columns: columns.clone(),
            rows: std::mem::take(&mut self.rows).into(),
            order: FeedOrder::InTurn,
            at_end: FeedEnd::Again,
            per_user: false,
        });
        Some((feed, method, url))
    }

    /// What the figures of the requests are kept under.
    pub(in crate::config) fn label(&self) -> String {
        format!("requests of {}", self.name)
    }
}

/// Spreads rows of the same second evenly over it, if no row says more than its second.
fn spread(rows: &mut [Row]) {
    if rows.iter().any(|row| row.time % NANOS != 0) {
        return;
    }
    for second in rows.chunk_by_mut(|a, b| a.time == b.time) {
        let count = second.len() as i128;
        for (row, place) in second.iter_mut().zip(0_i128..) {
            row.time += place * NANOS / count;
        }
    }
}

/// A line for a message, on one line and not long.
fn shown(line: &str) -> String {
    line.trim().chars().take(SHOWN_CHARACTERS).collect()
}

/// `1 line`, `2 lines`.
fn lines_of(count: usize) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

/// Texts that occur again and again share their memory.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, Arc<str>>);

/// Most texts that are remembered.
const NAMES_MAX: usize = 200_000;

impl Names {
    /// The text, shared.
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.0.len() < NAMES_MAX {
            self.0.insert(text.to_owned(), Arc::clone(&new));
        }
        new
    }
}

#[cfg(test)]
mod tests;
