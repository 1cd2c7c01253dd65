//! The functions that templates of TOML plans and of the command line can call, with their names,
//! the number of their arguments and what they give.

use super::super::quantity::Refusal;
use super::model::{Function, RANDOM_TEXT_MAX, Template};

/// A function by its name.
#[derive(Debug)]
pub(in crate::config) struct Named {
    /// As templates call it.
    pub(in crate::config) name: &'static str,
    /// Which it is.
    pub(in crate::config) function: Function,
    /// Fewest arguments.
    pub(in crate::config) least: usize,
    /// Most arguments.
    pub(in crate::config) most: usize,
    /// A call as a template writes it.
    pub(in crate::config) example: &'static str,
    /// What it gives.
    pub(in crate::config) meaning: &'static str,
}

/// Most arguments of a function that takes any number.
const ANY: usize = 1000;

const fn named(
    name: &'static str,
    function: Function,
    (least, most): (usize, usize),
    example: &'static str,
    meaning: &'static str,
) -> Named {
    Named { name, function, least, most, example, meaning }
}

/// Every function, in the order of the reference.
pub(in crate::config) const FUNCTIONS: &[Named] = &[
    named(
        "random_int",
        Function::RandomInt,
        (2, 2),
        "random_int(1, 100)",
        "a random whole number, both ends included",
    ),
    named(
        "random_text",
        Function::RandomText,
        (1, 2),
        "random_text(8, 'abcdef')",
        "so many random characters, of letters and digits unless others are given",
    ),
    named("pick", Function::Pick, (1, ANY), "pick('red', 'green')", "one of its arguments"),
    named("uuid", Function::Uuid, (0, 0), "uuid()", "a random UUID"),
    named(
        "counter",
        Function::Counter,
        (0, 1),
        "counter()",
        "1, 2, 3… over all users; `counter('TRUE')` counts for each user",
    ),
    named(
        "time",
        Function::Time,
        (0, 1),
        "time('yyyy-MM-dd')",
        "now, in Java's formats; milliseconds since 1970 without one, seconds with `'/1000'`",
    ),
    named(
        "time_shift",
        Function::TimeShift,
        (1, 3),
        "time_shift('yyyy-MM-dd', '', 'P1D')",
        "a date (now, if empty) moved by an ISO 8601 duration",
    ),
    named("user", Function::User, (0, 0), "user()", "the number of the user, from 1"),
    named("iteration", Function::Iteration, (0, 0), "iteration()", "of this user, from 1"),
    named("group", Function::Group, (0, 0), "group()", "the name of the group"),
    named("sum", Function::Sum, (1, ANY), "sum(page, 1)", "the sum of whole numbers"),
    named("url_encode", Function::UrlEncode, (1, 1), "url_encode(name)", "percent-encoded"),
    named("url_decode", Function::UrlDecode, (1, 1), "url_decode(name)", "the reverse"),
    named("html_escape", Function::HtmlEscape, (1, 1), "html_escape(name)", "with `&lt;` for `<`"),
    named("html_unescape", Function::HtmlUnescape, (1, 1), "html_unescape(name)", "the reverse"),
    named("base64", Function::Base64Encode, (1, 1), "base64('user:secret')", "in base64"),
    named("base64_decode", Function::Base64Decode, (1, 1), "base64_decode(token)", "the reverse"),
    named("upper", Function::Upper, (1, 1), "upper(name)", "in capitals"),
    named("lower", Function::Lower, (1, 1), "lower(name)", "in small letters"),
    named("capitalize", Function::Capitalize, (1, 1), "capitalize(name)", "its first in capitals"),
    named(
        "substring",
        Function::Substring,
        (2, 3),
        "substring(name, 0, 3)",
        "the characters from the first to before the second place, counted from 0",
    ),
    named("length", Function::Length, (1, 1), "length(name)", "the number of characters"),
    named("char", Function::Char, (1, ANY), "char(65, 0x42)", "characters by their code points"),
    named(
        "variable",
        Function::VariableByName,
        (1, 2),
        "variable('name', 'nobody')",
        "the variable of that name, or the second argument if it is unset",
    ),
    named(
        "environment",
        Function::Environment,
        (1, 2),
        "environment('HOME', '/')",
        "an environment variable at run time, or the second argument if it is unset",
    ),
    named("machine", Function::Machine, (0, 0), "machine()", "this machine's name"),
];

/// Looks whether arguments that never change can be used: what a function can only refuse is told
/// before the run. What changes is left to the run.
///
/// # Errors
/// What is wrong with the first that cannot.
pub(in crate::config) fn verify(named: &Named, arguments: &[Template]) -> Result<(), Refusal> {
    let example = || format!("write it as in {{{{{}}}}}", named.example);
    let whole = |text: &str| {
        text.trim().parse::<i64>().map_err(|_| {
            Refusal::new(format!("`{}`: `{text}` is no whole number", named.name)).remedy(example())
        })
    };
    let constant = |place: usize| arguments.get(place).and_then(Template::constant);
    match named.function {
        Function::RandomInt => {
            let from = constant(0).map(whole).transpose()?;
            let to = constant(1).map(whole).transpose()?;
            match (from, to) {
                (Some(from), Some(to)) if from > to => Err(Refusal::new(format!(
                    "`{}`: there is no number from {from} to {to}",
                    named.name
                ))
                .remedy(format!("write {{{{random_int({to}, {from})}}}}"))),
                _ => Ok(()),
            }
        }
        Function::RandomText => {
            let length = constant(0).map(whole).transpose()?;
            if length.is_some_and(|length| !(0..=RANDOM_TEXT_MAX.cast_signed()).contains(&length)) {
                let message = format!("`{}` makes 0 to {RANDOM_TEXT_MAX} characters", named.name);
                return Err(Refusal::new(message).remedy(example()));
            }
            match constant(1) {
                Some("") => {
                    Err(Refusal::new(format!("`{}` has no characters to take", named.name))
                        .remedy(example()))
                }
                _ => Ok(()),
            }
        }
        Function::Sum => arguments
            .iter()
            .filter_map(Template::constant)
            .try_for_each(|text| whole(text).map(drop)),
        Function::Substring => [constant(1), constant(2)]
            .into_iter()
            .flatten()
            .try_for_each(|text| whole(text).map(drop)),
        _ => Ok(()),
    }
}

/// How many arguments it takes, in words.
pub(in crate::config) fn arity(named: &Named) -> String {
    match (named.least, named.most) {
        (0, 0) => "no arguments".to_owned(),
        (1, 1) => "one argument".to_owned(),
        (least, ANY) => format!("{least} or more arguments"),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    }
}
