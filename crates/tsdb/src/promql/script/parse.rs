//! The commands of a script.
//!
//! A command goes on to the next empty line; a comment line counts as one, as in Prometheus.

use std::collections::HashMap;

use super::eval::{Eval, When};
use super::expectation::{Expectation, Words, grid};
use super::report::Refusal;
use super::series::{self, Notation};
use crate::labels::Labels;
use crate::promql::Memory;
use crate::promql::duration::{self, TIME_MAX};

/// A script that can be run as far as it was understood.
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    pub(super) refusals: Vec<Refusal>,
}

pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
    Broken(Broken),
}

/// Series to put into memory, the first value of each at the start of 1970.
pub(super) struct Load {
    interval: i64,
    series: HashMap<Labels, Vec<Option<f64>>>,
}

impl Load {
    pub(super) fn fill(self, memory: &mut Memory) {
        for (labels, values) in self.series {
            for (place, value) in values.into_iter().enumerate() {
                if let Some(value) = value {
                    memory.append(&labels, place as i64 * self.interval, value);
                }
            }
        }
    }
}

/// An `eval` that was not understood.
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) expression: String,
    pub(super) reason: String,
}

/// Reads a script. What is not understood becomes a refusal, or a broken `eval`.
pub(super) fn script(text: &str) -> Script {
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.trim())
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut reader =
        Reader { lines, next: 0, values_left: super::VALUES_MAX, refusals: Vec::new() };
    let mut commands = Vec::new();
    while let Some((number, line)) = reader.command() {
        let word = line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "clear" if line.len() == word.len() => commands.push(Command::Clear),
            "load" | "load_with_nhcb" => {
                commands.extend(reader.load(number, line).map(Command::Load));
            }
            _ if word == "eval" || word.starts_with("eval_") => commands.push(reader.eval(number, line)),
            _ => reader.refuse(
                number,
                format!(
                    "`{line}` is no command: write `load`, `eval instant`, `eval range` or `clear`; \
                     an empty or comment line ends what belongs to a command"
                ),
            ),
        }
    }
    Script { commands, refusals: reader.refusals }
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    /// The place of the line to be read next.
    next: usize,
    values_left: usize,
    refusals: Vec<Refusal>,
}

impl<'a> Reader<'a> {
    /// The next line that is not empty, with its number.
    fn command(&mut self) -> Option<(usize, &'a str)> {
        while self.lines.get(self.next).is_some_and(|line| line.is_empty()) {
            self.next += 1;
        }
        self.belonging()
    }

    /// The next line, with its number, if it belongs to the command before.
    fn belonging(&mut self) -> Option<(usize, &'a str)> {
        let line = self.lines.get(self.next).filter(|line| !line.is_empty())?;
        self.next += 1;
        Some((self.next, line))
    }

    fn refuse(&mut self, line: usize, message: String) {
        self.refusals.push(Refusal { line, message });
    }

    fn load(&mut self, number: usize, line: &str) -> Option<Load> {
        let mut fields = line.split_whitespace();
        if fields.next().is_some_and(|word| word.eq_ignore_ascii_case("load_with_nhcb")) {
            self.refuse(
                number,
                "`load_with_nhcb` makes native histograms, which are not supported: \
                 the classic ones are loaded alone, write `load`"
                    .to_owned(),
            );
        }
        let interval = match (fields.next(), fields.next()) {
            (Some(interval), None) => duration::positive("the interval", interval),
            _ => Err("one interval is expected: write e.g. `load 1m`".to_owned()),
        };
        let interval = match interval {
            Ok(interval) => Some(interval),
            Err(message) => {
                self.refuse(number, message);
                None
            }
        };
        let mut series = HashMap::new();
        while let Some((number, line)) = self.belonging() {
            match self.loaded(line, interval) {
                Ok(Notation { labels, values }) => {
                    // As in Prometheus, the last line of a series counts.
                    series.insert(labels, values);
                }
                Err(message) => {
                    let message = swallowed(line, "load").unwrap_or(message);
                    self.refuse(number, message);
                }
            }
        }
        interval.map(|interval| Load { interval, series })
    }

    fn loaded(&mut self, line: &str, interval: Option<i64>) -> Result<Notation, String> {
        let notation = series::parse(line, &mut self.values_left)?;
        let last = (notation.values.len() as i64).saturating_mul(interval.unwrap_or(0));
        if last > TIME_MAX {
            return Err("the series ends more than ten thousand years after 1970: \
                        shorten it or the interval"
                .to_owned());
        }
        Ok(notation)
    }

    fn eval(&mut self, number: usize, line: &str) -> Command {
        let head = head(line);
        let instant = !matches!(&head, Ok(head) if matches!(head.when, When::Range(_)));
        let mut broken = None;
        let mut expectation = Expectation::default();
        if let Ok(head) = &head {
            match head.kind {
                Kind::Plain => {}
                Kind::Fail => expectation.fail.push(Words::Any),
                Kind::Warn => expectation.warn.push(Words::Any),
                Kind::Info => expectation.info.push(Words::Any),
                Kind::Ordered => expectation.ordered = true,
            }
        }
        while let Some((number, line)) = self.belonging() {
            if let Err(message) = expectation.add(line, instant, &mut self.values_left) {
                let message = swallowed(line, "eval").unwrap_or(message);
                broken.get_or_insert(format!("line {number}: {message}"));
            }
        }
        if let Err(message) = expectation.check() {
            broken.get_or_insert(format!("line {number}: {message}"));
        }
        match (head, broken) {
            (Ok(head), None) => Command::Eval(Box::new(Eval {
                line: number,
                expression: head.expression.to_owned(),
                when: head.when,
                expectation,
            })),
            (Ok(head), Some(reason)) => Command::Broken(Broken {
                line: number,
                expression: head.expression.to_owned(),
                reason,
            }),
            (Err(message), _) => Command::Broken(Broken {
                line: number,
                expression: line.to_owned(),
                reason: format!("line {number}: {message}"),
            }),
        }
    }
}

enum Kind {
    Plain,
    Fail,
    Warn,
    Info,
    Ordered,
}

/// The first line of an `eval`.
struct Head<'a> {
    kind: Kind,
    when: When,
    expression: &'a str,
}

const FORMS: &str = "write `eval instant at TIME QUERY` or \
                     `eval range from TIME to TIME step DURATION QUERY`";

fn head(line: &str) -> Result<Head<'_>, String> {
    let mut rest = line;
    let command = word(&mut rest).to_ascii_lowercase();
    let kind = match command.as_str() {
        "eval" => Kind::Plain,
        "eval_fail" => Kind::Fail,
        "eval_warn" => Kind::Warn,
        "eval_info" => Kind::Info,
        "eval_ordered" => Kind::Ordered,
        _ => {
            return Err(format!(
                "`{command}` is not known: write eval, eval_fail, eval_warn, eval_info or \
                 eval_ordered"
            ));
        }
    };
    let when = match word(&mut rest) {
        "instant" => {
            keyword(&mut rest, "at")?;
            When::Instant(duration::milliseconds(word(&mut rest))?)
        }
        "range" if matches!(kind, Kind::Ordered) => {
            return Err("`eval_ordered` is for instant queries: the series of a range are sorted \
                        by labels"
                .to_owned());
        }
        "range" => {
            keyword(&mut rest, "from")?;
            let from = word(&mut rest);
            keyword(&mut rest, "to")?;
            let to = word(&mut rest);
            keyword(&mut rest, "step")?;
            When::Range(grid(from, to, word(&mut rest))?)
        }
        other => return Err(format!("`instant` or `range` is expected at `{other}`: {FORMS}")),
    };
    if rest.is_empty() {
        return Err(format!("there is no query: {FORMS}"));
    }
    Ok(Head { kind, when, expression: rest })
}

/// What is said of a line that is refused as part of the command above it, and is one itself.
fn swallowed(line: &str, above: &str) -> Option<String> {
    let first = line.split_whitespace().next()?.to_ascii_lowercase();
    let is_command = matches!(&*first, "load" | "load_with_nhcb" | "clear" | "eval")
        || first.starts_with("eval_");
    is_command.then(|| {
        format!(
            "`{first}` stands among the lines of the `{above}` above: put an empty line before it"
        )
    })
}

fn keyword(rest: &mut &str, wanted: &str) -> Result<(), String> {
    match word(rest) {
        found if found == wanted => Ok(()),
        found => Err(format!("`{wanted}` is expected at `{found}`: {FORMS}")),
    }
}

/// Takes the next word of a line, and the spaces after it.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after.trim_start();
    word
}
