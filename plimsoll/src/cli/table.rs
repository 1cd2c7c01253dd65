//! Aligned tables for a terminal.
//!
//! Columns are as wide as their widest cell, two spaces apart; the last one is not padded. What
//! comes from outside cannot steer the terminal: control characters are shown as `?`.

/// Between two columns.
const GAP: &str = "  ";

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

/// Writes text with colours, or without.
#[derive(Debug, Clone, Copy)]
pub struct Painter {
    /// The output is a terminal that wants colours.
    pub colours: bool,
}

impl Painter {
    /// `text`, made harmless, in `colour`.
    pub fn paint(self, colour: Option<Colour>, text: &str) -> String {
        let text = harmless(text);
        match colour {
            Some(colour) if self.colours => format!("\x1b[{}m{text}\x1b[0m", colour.code()),
            _ => text,
        }
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
    /// Texts.
    Left,
    /// Figures.
    Right,
}

/// A table being filled, column by column.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<(Align, Vec<Cell>)>,
}

impl Table {
    /// Adds a column with its heading; every column needs the same number of cells.
    pub fn column(&mut self, heading: &str, align: Align, cells: impl IntoIterator<Item = Cell>) {
        let heading = Cell::coloured(Colour::Dim, heading);
        self.columns.push((align, std::iter::once(heading).chain(cells).collect()));
    }

    /// The table's lines, each ending in a line feed.
    pub fn render(&self, painter: Painter) -> String {
        let height = self.columns.iter().map(|(_, cells)| cells.len()).min().unwrap_or(0);
        let widths: Vec<usize> = self
            .columns
            .iter()
            .map(|(_, cells)| cells.iter().map(|cell| width(&cell.text)).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        for row in 0..height {
            for (at, ((align, cells), width)) in self.columns.iter().zip(&widths).enumerate() {
                let last = at + 1 == self.columns.len();
                push_cell(&mut out, &cells[row], *align, *width, last, painter);
            }
            out.push('\n');
        }
        out
    }
}

fn push_cell(
    out: &mut String,
    cell: &Cell,
    align: Align,
    wide: usize,
    last: bool,
    painter: Painter,
) {
    let blank = " ".repeat(wide - width(&cell.text));
    let text = painter.paint(cell.colour, &cell.text);
    match align {
        Align::Right => out.extend([blank.as_str(), text.as_str()]),
        Align::Left if last => out.push_str(&text),
        Align::Left => out.extend([text.as_str(), blank.as_str()]),
    }
    if !last {
        out.push_str(GAP);
    }
}

/// Columns of the terminal. Names are mostly ASCII; wide characters are counted as one.
fn width(text: &str) -> usize {
    text.chars().count()
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
a           ✕ out      7/s  \n\
longer?[2J  ● in   1.2 k/s  x
";
        assert_eq!(sample().render(Painter { colours: false }), expected);
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let coloured = sample().render(Painter { colours: true });
        assert!(coloured.contains("\x1b[31m✕ out\x1b[0m"), "{coloured}");
        let plain = ["1", "2", "31", "0"]
            .iter()
            .fold(coloured, |text, code| text.replace(&format!("\x1b[{code}m"), ""));
        assert_eq!(plain, sample().render(Painter { colours: false }));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(Table::default().render(Painter { colours: true }), "");
    }
}
