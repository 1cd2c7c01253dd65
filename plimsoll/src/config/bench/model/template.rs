//! Texts with holes, what fills them, and conditions on what they say.

use regex::Regex;

use super::Slot;

/// Longest text that [`Function::RandomText`] makes, in characters.
pub const RANDOM_TEXT_MAX: u64 = 1 << 20;

/// A text with holes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Template(pub Vec<Piece>);

impl Template {
    /// A text without holes.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// The text, if there are no holes.
    pub fn constant(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// The value of a variable; unset, the text beside it (JMeter shows `${name}`).
    Variable(Slot, String),
    /// What a function returns.
    Call(Box<Call>),
}

/// A call of a function within a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// Its arguments; their number was checked.
    pub arguments: Vec<Template>,
    /// The variable that receives the result too.
    pub store: Option<Slot>,
    /// Distinguishes calls that keep a count, from 0 in each plan.
    pub id: usize,
}

/// The functions of templates. TOML plans call them `{{name(…)}}`, JMeter plans `${__name(…)}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `random_int(from, to)`, both included; `__Random`.
    RandomInt,
    /// `random_text(length, characters?)`; `__RandomString`.
    RandomText,
    /// `pick(a, b, …)`: one of its arguments.
    Pick,
    /// `uuid()`: a random UUID (RFC 9562, version 4); `__UUID`.
    Uuid,
    /// `counter(per_user?)`: 1, 2, 3…, of all users or, with `TRUE`, of each; `__counter`.
    Counter,
    /// `time(format?)`: now; milliseconds since 1970 without a format. Formats are Java's
    /// (`yyyy-MM-dd HH:mm:ss`), `/1000` gives seconds; `__time`.
    Time,
    /// `time_shift(format, date?, shift?)`; `__timeShift`, shifts as in `P1DT2H`.
    TimeShift,
    /// `user()`: the number of the user, from 1; `__threadNum`.
    User,
    /// `group()`: the name of the group; `__threadGroupName`.
    Group,
    /// `iteration()`: of this user, from 1.
    Iteration,
    /// `sum(a, b, …)` of whole numbers; `__intSum`, `__longSum`.
    Sum,
    /// `url_encode(text)` as form data; `__urlencode`.
    UrlEncode,
    /// `url_decode(text)`; `__urldecode`.
    UrlDecode,
    /// `html_escape(text)`; `__escapeHtml`.
    HtmlEscape,
    /// `html_unescape(text)`; `__unescapeHtml`.
    HtmlUnescape,
    /// `base64(text)`; `__base64Encode`.
    Base64Encode,
    /// `base64_decode(text)`; `__base64Decode`.
    Base64Decode,
    /// `upper(text)`; `__uppercase`, `__changeCase(…, UPPER)`.
    Upper,
    /// `lower(text)`; `__lowercase`.
    Lower,
    /// `capitalize(text)`; `__changeCase(…, CAPITALIZE)`.
    Capitalize,
    /// `substring(text, from, to)`; `__substring`.
    Substring,
    /// `length(text)` in characters.
    Length,
    /// `variable(name, default?)`: by a name that is itself rendered; `__V`.
    VariableByName,
    /// `char(65, 0x42, …)`; `__char`.
    Char,
    /// `split(text, name, delimiter?)` sets `name_1`, `name_2`… and `name_n`; `__split`.
    Split,
    /// `evaluate(text)`: once more, as a template; `__eval`, `__evalVar`.
    Evaluate,
    /// `environment(name, default?)`; `__env`.
    Environment,
    /// `machine()`: the host's name; `__machineName`.
    Machine,
    /// `holds(condition)`: `true` or `false`; `__jexl3` where it is no more than a comparison.
    Holds,
}

/// Something that holds or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The text is `true`, in any case.
    True(Template),
    /// Two texts compared: as numbers if both are, else as texts.
    Compare(Template, Comparison, Template),
    /// The template matches a regular expression as a whole.
    Matches(Template, Pattern),
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The user's last request succeeded.
    LastSucceeded,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A regular expression that compares by its text.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
