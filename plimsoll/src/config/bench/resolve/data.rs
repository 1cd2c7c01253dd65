//! Rows of data from CSV files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::super::super::kind::Named;
use super::super::super::quantity::Refusal;
use super::super::super::reader::Where;
use super::super::grammar;
use super::super::model::{Feed, Slot};
use super::super::template::variable_name;
use super::Resolver;

/// Largest file of data, in bytes.
const FILE_BYTES: u64 = 1 << 30;
/// Most rows of all.
const ROWS_MAX: usize = 20_000_000;

/// Rows of a file, and the names of their columns.
struct Table {
    columns: Vec<String>,
    rows: Vec<Box<[Arc<str>]>>,
}

impl Resolver<'_, '_> {
    /// Reads every file, and makes the names of its columns known.
    pub(super) fn data(&mut self, top: &grammar::Top) {
        let mut set_by: HashMap<String, String> = top
            .variables
            .value
            .iter()
            .map(|variable| (variable.name.clone(), "[variables]".to_owned()))
            .collect();
        for named in &top.data.value {
            if let Some(table) = self.table(named) {
                self.feed(named, table, &mut set_by);
            } else {
                // Names that were given are no mistake where they are used.
                for column in &named.value.columns.value {
                    self.builder.slot(&column.value);
                }
                let columns = &named.value.columns;
                if columns.value.is_empty() || !columns.is_sound() {
                    self.builder.admit_unknown_names();
                }
            }
        }
    }

    fn table(&mut self, named: &Named<grammar::Data>) -> Option<Table> {
        let raw = &named.value;
        let file = raw.file.value.as_ref()?;
        let columns: Vec<String> =
            raw.columns.value.iter().map(|column| column.value.clone()).collect();
        let path = self.directory.join(file);
        let read = read(&path, file, columns, raw.delimiter.value);
        self.checked(read, &raw.file.at)
    }

    fn feed(
        &mut self,
        named: &Named<grammar::Data>,
        table: Table,
        set_by: &mut HashMap<String, String>,
    ) {
        let raw = &named.value;
        let given = &raw.columns.value;
        let mut slots: Vec<Slot> = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        for (index, column) in table.columns.iter().enumerate() {
            if column.is_empty() {
                continue;
            }
            let at: &Where = given.get(index).map_or(&raw.file.at, |item| &item.at);
            if let Err(refusal) = variable_name(column) {
                let remedy = match given.is_empty() {
                    true => "name the columns: columns = [\"user\", \"password\"]".to_owned(),
                    false => refusal.remedy.unwrap_or_default(),
                };
                self.refuse(at, Refusal::new(refusal.message).remedy(remedy));
                // Where it is used, nothing else is wrong.
                self.builder.slot(column);
                continue;
            }
            let own = format!("[data.{}]", named.name);
            if let Some(other) = set_by.insert(column.clone(), own) {
                let refusal = Refusal::new(format!("`{column}` is set by {other} already"))
                    .remedy("rename one of the two; `columns` names those of a file");
                self.refuse(at, refusal);
            }
            slots.push(self.builder.slot(column));
            kept.push(index);
        }
        let rows: Vec<Box<[Arc<str>]>> = match kept.len() == table.columns.len() {
            true => table.rows,
            false => table
                .rows
                .iter()
                .map(|row| kept.iter().filter_map(|index| row.get(*index).cloned()).collect())
                .collect(),
        };
        let feed = self.builder.feed(Feed {
            columns: slots.clone(),
            rows: rows.into(),
            order: raw.order.value,
            at_end: raw.at_end.value,
            per_user: raw.per_user.value,
        });
        self.feeds.push((feed, slots));
    }
}

/// Reads a file. `written` is its path as the plan has it.
fn read(
    path: &Path,
    written: &Path,
    columns: Vec<String>,
    delimiter: u8,
) -> Result<Table, Refusal> {
    let name = written.display();
    let size = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Refusal::new(format!("{name} does not exist"))
            .remedy("correct the path; a relative one begins at the plan's directory"),
        _ => Refusal::new(format!("{name} cannot be read: {error}")).remedy("check the path"),
    })?;
    if size.is_dir() {
        return Err(Refusal::new(format!("{name} is a directory")).remedy("name a file in it"));
    }
    if size.len() > FILE_BYTES {
        return Err(Refusal::new(format!("{name} is larger than 1 GiB"))
            .remedy("take a part of it; rows can be used again"));
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(columns.is_empty())
        .from_path(path)
        .map_err(|error| problem(&error, written))?;
    let columns = match columns.is_empty() {
        false => columns,
        true => {
            let headers = reader.headers().map_err(|error| problem(&error, written))?;
            // Excel marks the beginning of UTF-8.
            headers
                .iter()
                .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
                .collect()
        }
    };
    let mut rows = Vec::new();
    // Values that occur again share their memory.
    let mut seen: HashMap<String, Arc<str>> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| problem(&error, written))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.len() {
            let message = format!(
                "line {line} of {name} has {} columns, not {}",
                record.len(),
                columns.len()
            );
            return Err(
                Refusal::new(message).remedy("correct the line, or `columns`, or `delimiter`")
            );
        }
        if rows.len() == ROWS_MAX {
            return Err(Refusal::new(format!("{name} has more than {ROWS_MAX} rows"))
                .remedy("take a part of it; rows can be used again"));
        }
        rows.push(record.iter().map(|value| shared(value, &mut seen)).collect());
    }
    if rows.is_empty() {
        return Err(Refusal::new(format!("{name} has no row of data"))
            .remedy("add one below the line with the names of the columns"));
    }
    Ok(Table { columns, rows })
}

/// Most different values that are remembered to be shared.
const SHARED_MAX: usize = 100_000;

fn shared(value: &str, seen: &mut HashMap<String, Arc<str>>) -> Arc<str> {
    if let Some(known) = seen.get(value) {
        return Arc::clone(known);
    }
    let new: Arc<str> = value.into();
    if seen.len() < SHARED_MAX {
        seen.insert(value.to_owned(), Arc::clone(&new));
    }
    new
}

fn problem(error: &csv::Error, written: &Path) -> Refusal {
    let name = written.display();
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            let message = format!("line {line} of {name} has {len} columns, not {expected_len}");
            Refusal::new(message).remedy("correct the line, or `columns`, or `delimiter`")
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            Refusal::new(format!("line {line} of {name} is not UTF-8")).remedy("save it as UTF-8")
        }
        _ => Refusal::new(format!("{name} cannot be read: {error}")).remedy("check the file"),
    }
}
