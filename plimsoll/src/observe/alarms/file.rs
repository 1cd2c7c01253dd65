//! The file that keeps alarms over restarts.
//!
//! It is replaced as a whole: written beside its place, forced to the disk, renamed. So there is the
//! old one or the new one, whenever Plimsoll or the machine stops. A file that cannot be understood
//! is put aside, told of, and costs what it knew; a longer one than [`BYTES_MAX`] is not read, and
//! none is written: what fires goes first, what does not fit is left out.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tsdb::labels::Labels;
use tsdb::promql::number;

use super::plan::{Alarm, State};

/// Its name in the data directory.
pub const NAME: &str = "alarms.json";
/// Its largest size; ten kilobytes for each of half as many alarms as there may be.
const BYTES_MAX: usize = 100 << 20;
/// What it says of itself.
const FORMAT: &str = "plimsoll alarms";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Room for what is around the rules.
const FRAME_BYTES: usize = 1024;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Saved {
    /// When it was written, milliseconds since 1970.
    pub written: i64,
    /// Rules that have alarms.
    pub rules: Vec<SavedRule>,
}

/// A rule and its alarms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRule {
    /// The file of its group.
    pub file: String,
    /// The name of its group.
    pub group: String,
    /// Its own.
    pub name: String,
    /// Its expression.
    pub query: String,
    /// Templates not expanded.
    pub labels: BTreeMap<String, String>,
    /// Its alarms.
    pub alarms: Vec<SavedAlarm>,
}

/// An alarm in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedAlarm {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    /// As text, since JSON has no infinities.
    value: String,
    active: i64,
    #[serde(flatten)]
    state: SavedState,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum SavedState {
    Pending,
    Firing { since: i64, unanswered: Option<i64> },
    Over { since: i64, ended: i64 },
}

#[derive(Serialize, Deserialize)]
struct Document<R> {
    format: String,
    version: u32,
    written: i64,
    rules: Vec<R>,
}

/// Its first fields, which every version has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// What reading comes to.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// There is no file.
    Nothing,
    /// It was read.
    Alarms(Saved),
    /// It could not be; in words.
    Loss(String),
}

impl SavedAlarm {
    /// Of an alarm.
    pub fn of(labels: &Labels, alarm: &Alarm) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            labels: labels.iter().map(own).collect(),
            annotations: alarm.annotations.clone(),
            value: number::plain(alarm.value),
            active: alarm.active,
            state: match alarm.state {
                State::Pending => SavedState::Pending,
                State::Firing { since, unanswered } => SavedState::Firing { since, unanswered },
                State::Over { since, ended } => SavedState::Over { since, ended },
            },
        }
    }

    /// The alarm.
    pub fn alarm(self) -> (Labels, Alarm) {
        let alarm = Alarm {
            annotations: self.annotations,
            // It is shown until the next evaluation, and no more.
            value: self.value.parse().unwrap_or(f64::NAN),
            active: self.active,
            state: match self.state {
                SavedState::Pending => State::Pending,
                SavedState::Firing { since, unanswered } => State::Firing { since, unanswered },
                SavedState::Over { since, ended } => State::Over { since, ended },
            },
            unproven_since: None,
        };
        (Labels::from_pairs(self.labels), alarm)
    }

    /// What goes first when there is little room.
    fn rank(&self) -> u8 {
        match self.state {
            SavedState::Firing { .. } => 0,
            SavedState::Pending => 1,
            SavedState::Over { .. } => 2,
        }
    }
}

/// Reads the file in a folder. One that cannot be understood is renamed.
pub fn read(folder: &Path) -> Found {
    let path = folder.join(NAME);
    let reason = match load(&path) {
        Ok(saved) => return Found::Alarms(saved),
        Err(Trouble::Io(error)) if error.kind() == ErrorKind::NotFound => return Found::Nothing,
        Err(Trouble::Io(error)) => error.to_string(),
        Err(Trouble::Content(reason)) => reason,
    };
    let aside = folder.join(format!("{NAME}.damaged"));
    let kept = match fs::rename(&path, &aside) {
        Ok(()) => format!("it is kept as {}", aside.display()),
        Err(error) => format!("it will be overwritten, since it cannot be put aside: {error}"),
    };
    Found::Loss(format!(
        "the alarms of before cannot be read from {}: {reason}; {kept}. Alarms begin anew",
        path.display()
    ))
}

enum Trouble {
    Io(io::Error),
    Content(String),
}

fn load(path: &Path) -> Result<Saved, Trouble> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Trouble::Io)?;
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(Trouble::Io)?;
    if bytes.len() > BYTES_MAX {
        return Err(Trouble::Content(format!("it has more than {BYTES_MAX} bytes")));
    }
    let damaged = |error: serde_json::Error| {
        Trouble::Content(format!("it is damaged, or none of Plimsoll's ({error})"))
    };
    let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
    if head.format != FORMAT {
        return Err(Trouble::Content(format!("it is none of Plimsoll's ({:?})", head.format)));
    }
    if head.version != VERSION {
        let version = head.version;
        return Err(Trouble::Content(format!(
            "it is of version {version}, and this Plimsoll reads version {VERSION}"
        )));
    }
    let document: Document<SavedRule> = serde_json::from_slice(&bytes).map_err(damaged)?;
    Ok(Saved { written: document.written, rules: document.rules })
}

/// Replaces the file in a folder. Says how many alarms were left out for its size.
///
/// # Errors
/// What the system says. The old file is still there then.
pub fn write(folder: &Path, saved: Saved) -> io::Result<usize> {
    let (text, left_out) = text(saved, BYTES_MAX)?;
    let temporary = temporary(folder);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&text)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, folder.join(NAME))?;
    File::open(folder)?.sync_all()?;
    Ok(left_out)
}

fn temporary(folder: &Path) -> PathBuf {
    folder.join(format!("{NAME}.new"))
}

/// The file's text, of at most `bytes_max`, and how many alarms are not in it.
fn text(saved: Saved, bytes_max: usize) -> serde_json::Result<(Vec<u8>, usize)> {
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        written: saved.written,
        rules: saved.rules,
    };
    let text = serde_json::to_vec(&document)?;
    if text.len() <= bytes_max {
        return Ok((text, 0));
    }
    let (rules, left_out) = shortened(document.rules, bytes_max.saturating_sub(FRAME_BYTES))?;
    Ok((serde_json::to_vec(&Document { rules, ..document })?, left_out))
}

/// As much of the rules as fits, what fires first.
fn shortened(
    mut rules: Vec<SavedRule>,
    bytes_max: usize,
) -> serde_json::Result<(Vec<SavedRule>, usize)> {
    let mut alarms = Vec::new();
    let mut bytes = 0;
    for (place, rule) in rules.iter_mut().enumerate() {
        alarms.extend(rule.alarms.drain(..).map(|alarm| (place, alarm)));
        bytes += serde_json::to_vec(rule)?.len() + 1;
    }
    alarms.sort_by_key(|(_, alarm)| alarm.rank());
    let count = alarms.len();
    let mut kept = 0;
    for (place, alarm) in alarms {
        bytes += serde_json::to_vec(&alarm)?.len() + 1;
        if bytes > bytes_max {
            break;
        }
        rules[place].alarms.push(alarm);
        kept += 1;
    }
    rules.retain(|rule| !rule.alarms.is_empty());
    Ok((rules, count - kept))
}

#[cfg(test)]
mod tests;
