//! The clinic's three resources, told as data: fields, limits and filters.
//!
//! `api` and `query` work from these tables alone, so that a field is added in one place.
//! Validation is pure: JSON in, column values or messages by field out.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::store::{Kind, Value};

/// Most rows on one page.
pub const MAX_PAGE_SIZE: u32 = 100;
/// Rows on a page when nothing is said.
pub const DEFAULT_PAGE_SIZE: u32 = 20;

/// Messages by field name, as the API returns them with status 400.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

/// Values by column.
pub type Columns = BTreeMap<&'static str, Value>;

/// A collection of rows with a URL.
#[derive(Debug)]
pub struct Resource {
    /// The URL segment and the table.
    pub name: &'static str,
    /// Columns besides `id`, in the order of the JSON.
    pub fields: &'static [Field],
    /// What a list can be narrowed by.
    pub filters: &'static [Filter],
    /// A check over several fields; returns the field to blame and a message.
    pub check: fn(&Columns) -> Option<(&'static str, &'static str)>,
}

/// One column.
#[derive(Debug)]
pub struct Field {
    /// Key in the JSON and column name.
    pub name: &'static str,
    /// What it holds.
    pub rule: Rule,
    /// What it is when a create leaves it out.
    pub absent: Absent,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Characters, from a least to a most number of them.
    Text { least: usize, most: usize },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A finite number.
    Number,
    /// The id of a row of another resource.
    Reference(&'static str),
    /// true or false.
    Flag,
    /// An RFC 3339 time; kept as UTC with milliseconds, so that text order is time order.
    Time,
}

/// What a missing field means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It must be given.
    Required,
    /// null.
    Null,
    /// Empty text, false.
    Empty,
    /// The time now.
    Now,
}

/// A query parameter of a list.
#[derive(Debug)]
pub struct Filter {
    /// Its name.
    pub parameter: &'static str,
    /// The column it compares.
    pub column: &'static str,
    /// How.
    pub comparison: Comparison,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Contains the text, in any case.
    Contains,
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
}

const fn required(name: &'static str, rule: Rule) -> Field {
    Field { name, rule, absent: Absent::Required }
}

const fn optional(name: &'static str, rule: Rule, absent: Absent) -> Field {
    Field { name, rule, absent }
}

const fn filter(parameter: &'static str, column: &'static str, comparison: Comparison) -> Filter {
    Filter { parameter, column, comparison }
}

/// What is measured: a name, a unit, and the limits beyond which an alarm is raised.
pub static VARIABLES: Resource = Resource {
    name: "variables",
    fields: &[
        required("name", Rule::Text { least: 1, most: 100 }),
        optional("unit", Rule::Text { least: 0, most: 20 }, Absent::Empty),
        optional("lower", Rule::Number, Absent::Null),
        optional("upper", Rule::Number, Absent::Null),
    ],
    filters: &[
        filter("name", "name", Comparison::Contains),
        filter("unit", "unit", Comparison::Equal),
    ],
    check: |values| match (values.get("lower"), values.get("upper")) {
        (Some(Value::Number(lower)), Some(Value::Number(upper))) if lower > upper => {
            Some(("upper", "must not be less than lower"))
        }
        _ => None,
    },
};

/// Values of variables at a time and place.
pub static MEASUREMENTS: Resource = Resource {
    name: "measurements",
    fields: &[
        required("variable", Rule::Reference("variables")),
        required("value", Rule::Number),
        optional("place", Rule::Text { least: 0, most: 100 }, Absent::Empty),
        optional("measured_at", Rule::Time, Absent::Now),
    ],
    filters: &[
        filter("variable", "variable", Comparison::Equal),
        filter("place", "place", Comparison::Contains),
        filter("min_value", "value", Comparison::AtLeast),
        filter("max_value", "value", Comparison::AtMost),
        filter("since", "measured_at", Comparison::AtLeast),
        filter("until", "measured_at", Comparison::AtMost),
    ],
    check: |_| None,
};

/// Measurements that went beyond their variable's limits, and what somebody noted by hand.
pub static ALARMS: Resource = Resource {
    name: "alarms",
    fields: &[
        required("variable", Rule::Reference("variables")),
        optional("measurement", Rule::Reference("measurements"), Absent::Null),
        required("kind", Rule::Choice(&["above", "below", "manual"])),
        optional("message", Rule::Text { least: 0, most: 500 }, Absent::Empty),
        optional("acknowledged", Rule::Flag, Absent::Empty),
        optional("raised_at", Rule::Time, Absent::Now),
    ],
    filters: &[
        filter("variable", "variable", Comparison::Equal),
        filter("measurement", "measurement", Comparison::Equal),
        filter("kind", "kind", Comparison::Equal),
        filter("acknowledged", "acknowledged", Comparison::Equal),
        filter("since", "raised_at", Comparison::AtLeast),
        filter("until", "raised_at", Comparison::AtMost),
    ],
    check: |_| None,
};

/// All resources, in the order in which their tables are made.
pub static ALL: [&Resource; 3] = [&VARIABLES, &MEASUREMENTS, &ALARMS];

/// The resource with this URL segment.
pub fn named(name: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|resource| resource.name == name)
}

impl Rule {
    /// The column type that holds it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Text { .. } | Self::Choice(_) | Self::Time => Kind::Text,
            Self::Number => Kind::Number,
            Self::Reference(_) => Kind::Integer,
            Self::Flag => Kind::Flag,
        }
    }

    /// The value of a JSON member, or what is wrong with it.
    fn read(self, json: &Json) -> Result<Value, String> {
        match (self, json) {
            (Self::Text { least, most }, Json::String(text)) => {
                let length = text.chars().count();
                if text.contains('\0') {
                    Err("must not hold a NUL character".to_owned())
                } else if length < least {
                    Err("must not be empty".to_owned())
                } else if length > most {
                    Err(format!("has {length} characters; at most {most} fit"))
                } else {
                    Ok(Value::Text(text.clone()))
                }
            }
            (Self::Choice(words), Json::String(text)) if words.contains(&text.as_str()) => {
                Ok(Value::Text(text.clone()))
            }
            (Self::Choice(words), _) => Err(format!("must be one of {}", words.join(", "))),
            (Self::Number, Json::Number(number)) => match number.as_f64() {
                Some(number) if number.is_finite() => Ok(Value::Number(number)),
                _ => Err("must be a finite number".to_owned()),
            },
            (Self::Reference(_), Json::Number(number)) if number.is_i64() => {
                Ok(Value::Integer(number.as_i64().unwrap_or_default()))
            }
            (Self::Flag, Json::Bool(flag)) => Ok(Value::Flag(*flag)),
            (Self::Time, Json::String(text)) => read_time(text),
            (rule, _) => Err(format!("must be {}", rule.wanted())),
        }
    }

    /// The value of a query parameter, or what is wrong with it.
    pub fn read_parameter(self, text: &str) -> Result<Value, String> {
        let json = match self {
            Self::Text { .. } | Self::Choice(_) | Self::Time => Json::String(text.to_owned()),
            Self::Number | Self::Reference(_) | Self::Flag => {
                serde_json::from_str(text).map_err(|_| format!("must be {}", self.wanted()))?
            }
        };
        // A filter may be shorter than a value that is stored.
        match self {
            Self::Text { most, .. } => Self::Text { least: 0, most }.read(&json),
            rule => rule.read(&json),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Choice(_) => "text",
            Self::Number => "a number",
            Self::Reference(_) => "an id (a whole number)",
            Self::Flag => "true or false",
            Self::Time => "a time such as 2026-01-31T12:00:00Z",
        }
    }
}

fn read_time(text: &str) -> Result<Value, String> {
    let time: jiff::Timestamp =
        text.parse().map_err(|_| format!("must be {}", Rule::Time.wanted()))?;
    Ok(Value::Text(format!("{time:.3}")))
}

impl Resource {
    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Column types of a whole row: `id`, then the fields.
    pub fn kinds(&self) -> Vec<Kind> {
        std::iter::once(Kind::Integer)
            .chain(self.fields.iter().map(|field| field.rule.kind()))
            .collect()
    }

    /// Column values of a JSON object. With `partial`, what is left out is left alone.
    ///
    /// # Errors
    /// Every field that is missing, unknown or wrong, each with a sentence.
    pub fn validate(
        &self,
        object: &Map<String, Json>,
        partial: bool,
        now: &str,
    ) -> Result<Columns, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut values = BTreeMap::new();
        for name in object.keys().filter(|name| *name != "id") {
            if self.field(name).is_none() {
                let known: Vec<_> = self.fields.iter().map(|field| field.name).collect();
                let text = format!("is not a field of {}: {}", self.name, known.join(", "));
                errors.entry(name.clone()).or_default().push(text);
            }
        }
        for field in self.fields {
            let read = match object.get(field.name) {
                None if partial => continue,
                None => field.when_absent(now),
                Some(Json::Null) if field.absent == Absent::Null => Ok(Value::Null),
                Some(json) => field.rule.read(json),
            };
            match read {
                Ok(value) => drop(values.insert(field.name, value)),
                Err(text) => errors.entry(field.name.to_owned()).or_default().push(text),
            }
        }
        if errors.is_empty()
            && let Some((field, text)) = (self.check)(&values)
        {
            errors.entry(field.to_owned()).or_default().push(text.to_owned());
        }
        if errors.is_empty() { Ok(values) } else { Err(errors) }
    }
}

impl Field {
    fn when_absent(&self, now: &str) -> Result<Value, String> {
        match (self.absent, self.rule) {
            (Absent::Required, _) => Err("is required".to_owned()),
            (Absent::Null, _) => Ok(Value::Null),
            (Absent::Now, _) => Ok(Value::Text(now.to_owned())),
            (Absent::Empty, Rule::Flag) => Ok(Value::Flag(false)),
            (Absent::Empty, _) => Ok(Value::Text(String::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00.000Z";

    fn errors(resource: &Resource, json: &str) -> String {
        let object = serde_json::from_str(json).unwrap();
        match resource.validate(&object, false, NOW) {
            Ok(values) => format!("{values:?}"),
            Err(errors) => serde_json::to_string(&errors).unwrap(),
        }
    }

    #[test]
    fn each_mistake_is_named_by_field() {
        for (resource, json, expected) in [
            (&VARIABLES, r#"{}"#, r#"{"name":["is required"]}"#),
            (&VARIABLES, r#"{"name":""}"#, r#"{"name":["must not be empty"]}"#),
            (
                &VARIABLES,
                r#"{"name":7,"unit":true}"#,
                r#"{"name":["must be text"],"unit":["must be text"]}"#,
            ),
            (
                &VARIABLES,
                r#"{"name":"a","lower":2,"upper":1}"#,
                r#"{"upper":["must not be less than lower"]}"#,
            ),
            (
                &VARIABLES,
                r#"{"name":"a","colour":1}"#,
                r#"{"colour":["is not a field of variables: name, unit, lower, upper"]}"#,
            ),
            (
                &MEASUREMENTS,
                r#"{"variable":1.5,"value":"x"}"#,
                r#"{"value":["must be a number"],"variable":["must be an id (a whole number)"]}"#,
            ),
            (
                &MEASUREMENTS,
                r#"{"variable":1,"value":1,"measured_at":"noon"}"#,
                r#"{"measured_at":["must be a time such as 2026-01-31T12:00:00Z"]}"#,
            ),
            (
                &ALARMS,
                r#"{"variable":1,"kind":"loud"}"#,
                r#"{"kind":["must be one of above, below, manual"]}"#,
            ),
        ] {
            assert_eq!(errors(resource, json), expected, "{json}");
        }
    }

    #[test]
    fn defaults_fill_what_is_left_out() {
        let object = serde_json::from_str(r#"{"variable":1,"value":2}"#).unwrap();
        let values = MEASUREMENTS.validate(&object, false, NOW).unwrap();
        assert_eq!(values["place"], Value::Text(String::new()));
        assert_eq!(values["measured_at"], Value::Text(NOW.to_owned()));
    }

    #[test]
    fn times_are_kept_in_text_order() {
        let object = serde_json::from_str(
            r#"{"variable":1,"value":2,"measured_at":"2026-01-01T02:00:00+02:00"}"#,
        )
        .unwrap();
        let values = MEASUREMENTS.validate(&object, false, NOW).unwrap();
        assert_eq!(values["measured_at"], Value::Text(NOW.to_owned()));
    }
}
