//! Columns of text: the first to the left, figures to the right, all of a width that fits.

use super::figures;

/// Widest line of a summary, in characters.
pub(super) const WIDTH_MAX: usize = 100;
/// Between two columns.
const GAP: usize = 2;
/// What belongs to the number before it.
const UNITS: [&str; 16] = [
    "%", "µs", "ms", "s", "m", "h", "k/s", "M/s", "B", "kB", "MB", "GB", "B/s", "kB/s", "MB/s",
    "GB/s",
];
/// Narrowest that a name is cut to.
const NAME_MIN: usize = 12;

/// Lines of the table, each led by `indent` spaces; the first row is the head. Where a line would be
/// wider than [`WIDTH_MAX`], the first column gives way.
pub(in crate::load) fn lines(rows: &[Vec<String>], indent: usize) -> Vec<String> {
    let harmless = |cell: &String| figures::harmless(cell).into_owned();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(harmless).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    if let Some((first, others)) = widths.split_first_mut() {
        let taken = indent + others.iter().map(|width| width + GAP).sum::<usize>();
        *first = (*first).min(WIDTH_MAX.saturating_sub(taken).max(NAME_MIN));
    }
    (rows.iter())
        .map(|row| {
            let mut line = " ".repeat(indent);
            for (column, cell) in row.iter().enumerate() {
                let cell = cut(cell, widths[column]);
                let space = " ".repeat(widths[column] - width(&cell));
                match column {
                    0 => line.extend([cell, space]),
                    _ => line.extend([" ".repeat(GAP), space, cell]),
                }
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// A text over several lines, broken at spaces; the first begins with `first`, others with as many
/// spaces.
pub(in crate::load) fn wrapped(first: &str, text: &str) -> Vec<String> {
    let indent = " ".repeat(width(first));
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    let room = WIDTH_MAX.saturating_sub(width(first)).max(NAME_MIN);
    for word in words(&figures::harmless(text)).iter().flat_map(|word| pieces(word, room)) {
        if !is_empty && width(&line) + 1 + width(&word) > WIDTH_MAX {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// A word in pieces that fit into a line: a long URL is told as a whole.
fn pieces(word: &str, room: usize) -> Vec<String> {
    if width(word) <= room {
        return vec![word.to_owned()];
    }
    let characters: Vec<char> = word.chars().collect();
    characters.chunks(room).map(|piece| piece.iter().collect()).collect()
}

/// The text's words, a figure and its unit as one: `79.4 µs`, `30 000`.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([')', ',', '.', ';', ':']);
        let continues = UNITS.contains(&bare)
            || (bare.len() == 3 && bare.bytes().all(|byte| byte.is_ascii_digit()));
        match words.last_mut() {
            Some(last) if continues && last.ends_with(|end: char| end.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// At most `most` characters, an ellipsis where some are left out.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}
