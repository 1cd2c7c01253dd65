//! Aligned tables for a terminal.
//!
//! Columns are as wide as their widest cell, two spaces apart; nothing is padded at the end of a line.
//! On a terminal that is too narrow, columns of texts are broken into lines, and columns that matter
//! least can be left out; whoever reads a pipe gets every row whole, on one line. What comes from
//! outside cannot steer the terminal: control characters are shown as `?`.
//!
//! Left out: characters that some terminals show in one column and others in two (UAX #11, ambiguous)
//! are counted as one.

use ratatui::text::Span;

/// Between two columns.
const GAP: &str = "  ";
/// Least width to which a column of texts is narrowed.
const TEXT_LEAST: usize = 20;
/// Before what a line goes on with.
const INDENT: &str = "  ";

/// Colours, given to what also says it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// All is well.
    Green,
    /// Worth a look.
    Yellow,
    /// Wrong.
    Red,
    /// Less important than the rest.
    Dim,
    /// A heading.
    Bold,
}

impl Colour {
    /// The SGR parameter (ECMA-48 §8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// What the output is like: with colours or without, narrow or without end.
#[derive(Debug, Clone, Copy)]
pub struct Painter {
    /// The output is a terminal that wants colours.
    pub colours: bool,
    /// Columns of the terminal; `None` where the output is none, and nothing is broken or left out.
    pub columns: Option<usize>,
}

impl Painter {
    /// For a pipe or a file.
    #[cfg(test)]
    pub const PLAIN: Self = Self { colours: false, columns: None };

    /// `text`, made harmless, in `colour`.
    pub fn paint(self, colour: Option<Colour>, text: &str) -> String {
        let text = harmless(text);
        match colour {
            Some(colour) if self.colours => format!("\x1b[{}m{text}\x1b[0m", colour.code()),
            _ => text,
        }
    }

    /// Pieces that may be painted, `gap` between them, on as many lines as they need; lines after the
    /// first are indented. Ends in a line feed.
    pub fn flow<'a>(self, pieces: impl IntoIterator<Item = &'a str>, gap: &str) -> String {
        let most = self.columns.unwrap_or(usize::MAX);
        let (mut out, mut at) = (String::new(), 0);
        for piece in pieces {
            let wide = visible(piece);
            if at > 0 && at + gap.len() + wide > most {
                out.extend(["\n", INDENT]);
                at = INDENT.len();
            } else if at > 0 {
                out.push_str(gap);
                at += gap.len();
            }
            out.push_str(piece);
            at += wide;
        }
        out.push('\n');
        out
    }
}

/// `text` on one line, without characters that steer a terminal or turn the direction of writing.
pub fn harmless(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.replace(steers, "?")
}

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A cell in the terminal's own colour.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), colour: None }
    }

    /// A coloured cell.
    pub fn coloured(colour: Colour, text: impl Into<String>) -> Self {
        Self { text: text.into(), colour: Some(colour) }
    }
}

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words and names, which stay whole.
    Left,
    /// Figures, which stay whole.
    Right,
    /// Texts, which are broken into lines where the terminal is narrow.
    Text,
}

#[derive(Debug)]
struct Column {
    heading: String,
    align: Align,
    /// The heading first.
    cells: Vec<Cell>,
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| width(&cell.text)).max().unwrap_or(0)
    }

    /// To which it can be narrowed.
    fn least(&self) -> usize {
        match self.align {
            Align::Text => self.width().min(TEXT_LEAST),
            Align::Left | Align::Right => self.width(),
        }
    }
}

/// A table being filled, column by column.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    /// The column below which they begin, and a text for each row.
    below: Option<(usize, Vec<String>)>,
}

impl Table {
    /// Adds a column with its heading; every column needs the same number of cells.
    pub fn column(&mut self, heading: &str, align: Align, cells: impl IntoIterator<Item = Cell>) {
        let cells = std::iter::once(Cell::coloured(Colour::Dim, heading)).chain(cells).collect();
        self.columns.push(Column { heading: heading.to_owned(), align, cells });
    }

    /// Puts a text on lines of its own below each row, from the last column that there is now. An empty
    /// one takes no line.
    pub fn below(&mut self, texts: impl IntoIterator<Item = String>) {
        let texts = std::iter::once(String::new()).chain(texts).collect();
        self.below = Some((self.columns.len().saturating_sub(1), texts));
    }

    /// Leaves out columns, in this order, until the rest fits the terminal; yields their headings.
    pub fn leave_out(&mut self, painter: Painter, order: &[&'static str]) -> Vec<&'static str> {
        let Some(most) = painter.columns else { return Vec::new() };
        let mut gone = Vec::new();
        for heading in order {
            if total(self.columns.iter().map(Column::least)) <= most {
                break;
            }
            let before = self.columns.len();
            self.columns.retain(|column| column.heading != *heading);
            if self.columns.len() < before {
                gone.push(*heading);
            }
        }
        gone
    }

    /// The table's lines, each ending in a line feed.
    pub fn render(&self, painter: Painter) -> String {
        let height = self.columns.iter().map(|column| column.cells.len()).min().unwrap_or(0);
        let widths = self.widths(painter);
        let mut out = String::new();
        for row in 0..height {
            self.push_row(&mut out, row, &widths, painter);
            let Some((column, texts)) = &self.below else { continue };
            let text = texts.get(row).map(String::as_str).unwrap_or_default();
            let indent: usize = widths[..*column].iter().map(|width| width + GAP.len()).sum();
            let room = painter.columns.map_or(usize::MAX, |most| most.saturating_sub(indent));
            for line in
                broken(text, room.max(TEXT_LEAST), "").iter().filter(|line| !line.is_empty())
            {
                out.extend([" ".repeat(indent).as_str(), harmless(line).as_str(), "\n"]);
            }
        }
        out
    }

    /// Widths of the columns: what they need, or less of texts where that is too much.
    fn widths(&self, painter: Painter) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(Column::width).collect();
        let most = painter.columns.unwrap_or(usize::MAX);
        let mut over = total(widths.iter().copied()).saturating_sub(most);
        while over > 0 {
            let texts = self.columns.iter().zip(&mut widths);
            let can_give = texts.filter(|(column, width)| **width > column.least());
            let Some((_, widest)) = can_give.max_by_key(|(_, width)| **width) else { break };
            *widest -= 1;
            over -= 1;
        }
        widths
    }

    fn push_row(&self, out: &mut String, row: usize, widths: &[usize], painter: Painter) {
        let lines_of = |(at, column): (usize, &Column)| {
            let text = &column.cells[row].text;
            match column.align {
                // Where a row begins, what goes on must not look like one.
                Align::Text => broken(text, widths[at], if at == 0 { INDENT } else { "" }),
                Align::Left | Align::Right => vec![text.clone()],
            }
        };
        let cells: Vec<Vec<String>> = self.columns.iter().enumerate().map(lines_of).collect();
        let lines = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..lines {
            let text = |cell: &Vec<String>| cell.get(line).cloned().unwrap_or_default();
            let texts: Vec<String> = cells.iter().map(text).collect();
            let count = texts.iter().rposition(|text| !text.is_empty()).map_or(0, |last| last + 1);
            let places = self.columns.iter().zip(&texts).zip(widths).take(count);
            for (at, ((column, text), wide)) in places.enumerate() {
                let blank = " ".repeat(wide.saturating_sub(width(text)));
                let painted = match text.as_str() {
                    "" => String::new(),
                    text => painter.paint(column.cells[row].colour, text),
                };
                let gap = if at == 0 { "" } else { GAP };
                match column.align {
                    Align::Right => out.extend([gap, &blank, &painted]),
                    _ if at + 1 == count => out.extend([gap, &painted]),
                    _ => out.extend([gap, &painted, &blank]),
                }
            }
            out.push('\n');
        }
    }
}

/// Columns of the terminal that a table of such columns takes.
fn total(widths: impl Iterator<Item = usize>) -> usize {
    widths.map(|width| width + GAP.len()).sum::<usize>().saturating_sub(GAP.len())
}

/// Columns of the terminal that a text takes once it is harmless.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(harmless(text)).width() }
}

/// The first character that has no room in so many columns, and where it begins. At least one has.
fn beyond(text: &str, room: usize) -> Option<(usize, char)> {
    let mut wide = 0;
    let mut has_no_room = |&(at, letter): &(usize, char)| {
        wide += width(letter.encode_utf8(&mut [0; 4]));
        at > 0 && wide > room
    };
    text.char_indices().find(|next| has_no_room(next))
}

/// Likewise, of a text with colours.
fn visible(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let first = parts.next().map_or(0, width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| width(rest))).sum::<usize>()
}

/// Lines of at most `most` columns, at least one; those after the first begin with `indent`. Broken
/// at blanks and after what ends a part, or anywhere where there is none.
fn broken(text: &str, most: usize, indent: &str) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), text);
    loop {
        let indent = if lines.is_empty() { "" } else { indent };
        let room = most.saturating_sub(indent.len()).max(1);
        let Some((fits, next)) = beyond(rest, room) else {
            lines.push(format!("{indent}{rest}"));
            return lines;
        };
        // A blank behind the last character that fits ends the line too.
        let end = if next == ' ' { fits + 1 } else { fits };
        let end = rest[..end].rfind([' ', ',', '{']).map_or(fits, |at| at + 1);
        lines.push(format!("{indent}{}", rest[..end].trim_end()));
        rest = rest[end..].trim_start();
        if rest.is_empty() {
            return lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::default();
        let plain = |texts: [&str; 2]| texts.map(Cell::plain);
        table.column("NAME", Align::Left, plain(["a", "longer\x1b[2J"]));
        let state = Cell::coloured(Colour::Red, "✕ out");
        table.column("STATE", Align::Left, [state, Cell::plain("● in")]);
        table.column("RATE", Align::Right, plain(["7/s", "1.2 k/s"]));
        table.column("NOTE", Align::Left, plain(["", "x"]));
        table
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "\
NAME        STATE     RATE  NOTE
a           ✕ out      7/s
longer?[2J  ● in   1.2 k/s  x
";
        assert_eq!(sample().render(Painter::PLAIN), expected);
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let coloured = sample().render(Painter { colours: true, columns: None });
        assert!(coloured.contains("\x1b[31m✕ out\x1b[0m"), "{coloured}");
        let plain = ["1", "2", "31", "0"]
            .iter()
            .fold(coloured, |text, code| text.replace(&format!("\x1b[{code}m"), ""));
        assert_eq!(plain, sample().render(Painter::PLAIN));
    }

    fn narrow(columns: usize) -> Painter {
        Painter { colours: false, columns: Some(columns) }
    }

    #[test]
    fn texts_are_broken_where_the_terminal_is_narrow() {
        let mut table = Table::default();
        table.column("NAME", Align::Left, ["a", "b"].map(Cell::plain));
        let texts = ["one two three four five six", "unbroken/".repeat(4).leak(), ""];
        table.column("WHAT", Align::Text, texts[..2].iter().map(|text| Cell::plain(*text)));
        table.column("N", Align::Right, ["1", "22"].map(Cell::plain));
        table.below(["it says this, and that besides".to_owned(), String::new()]);
        let whole = "\
NAME  WHAT                                   N
a     one two three four five six            1
                                            it says this, and that besides
b     unbroken/unbroken/unbroken/unbroken/  22
";
        assert_eq!(table.render(Painter::PLAIN), whole);
        let broken = "\
NAME  WHAT                   N
a     one two three four     1
      five six
                            it says this, and
                            that besides
b     unbroken/unbroken/un  22
      broken/unbroken/
";
        assert_eq!(table.render(narrow(30)), broken);
        // No narrower than can be read.
        assert_eq!(table.render(narrow(3)), broken);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::default();
        table.column("NAME", Align::Left, ["東京", "e\u{301}t\u{e9}"].map(Cell::plain));
        let texts = ["一二三四五六七八九十一二", "short"];
        table.column("WHAT", Align::Text, texts.map(Cell::plain));
        table.column("N", Align::Right, ["1", "2"].map(Cell::plain));
        let whole = "\
NAME  WHAT                      N
東京  一二三四五六七八九十一二  1
e\u{301}t\u{e9}   short                     2
";
        assert_eq!(table.render(Painter::PLAIN), whole);
        let broken = "\
NAME  WHAT                  N
東京  一二三四五六七八九十  1
      一二
e\u{301}t\u{e9}   short                 2
";
        assert_eq!(table.render(narrow(29)), broken);
        assert_eq!(super::broken("一二", 1, ""), ["一", "二"]);
    }

    #[test]
    fn what_goes_on_below_the_first_column_is_indented() {
        let mut table = Table::default();
        let series = "requests_total{code=\"200\", service=\"web\"}";
        table.column("SERIES", Align::Text, [Cell::plain(series)]);
        table.column("VALUE", Align::Right, [Cell::plain("1")]);
        let expected = "\
SERIES                    VALUE
requests_total{               1
  code=\"200\",
  service=\"web\"}
";
        assert_eq!(table.render(narrow(31)), expected);
    }

    #[test]
    fn columns_that_matter_least_are_left_out() {
        let mut table = sample();
        assert!(table.leave_out(Painter::PLAIN, &["RATE"]).is_empty());
        assert!(table.leave_out(narrow(32), &["RATE"]).is_empty());
        assert_eq!(table.leave_out(narrow(31), &["MISSING", "RATE", "STATE"]), ["RATE"]);
        assert!(!table.render(narrow(31)).contains("RATE"));
    }

    #[test]
    fn facts_flow_onto_further_lines() {
        let red = Painter { colours: true, columns: Some(9) }.paint(Some(Colour::Red), "two");
        let pieces = ["one", &red, "three"];
        assert_eq!(narrow(9).flow(pieces, "  "), format!("one  {red}\n  three\n"));
        assert_eq!(Painter::PLAIN.flow(pieces, " "), format!("one {red} three\n"));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(Table::default().render(Painter { colours: true, columns: None }), "");
    }
}
