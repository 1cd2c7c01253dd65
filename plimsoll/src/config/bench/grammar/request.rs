//! What is asked: requests, messages, checks, extractions, scenarios.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::super::super::grammar::{NAME_TEXT, PATH, REGEX};
use super::super::super::kind::{
    Either, Flag, Item, Json, List, Map, Named, OneOf, duration, integer, table,
};
use super::super::super::reader::Reader;
use super::super::super::table::{
    Entries, Field, FieldDoc, Presence, RawTable, Setting, TableDoc, doc_text, optional, raw_table,
    required, setting,
};
use super::super::model::Pause;
use super::super::settings;
use super::TIMEOUT;
use super::words::{CONDITION, HEADER_TEXT, JSON_PATH, METHOD, PAUSE, STATUS, TEXT, TIMES, WEIGHT};
use serde_json_path::JsonPath;

/// One text, or a list of them.
pub(in crate::config) type Texts = OneOf<String, Vec<Item<String>>>;
/// One status or range, or a list of them.
pub(in crate::config) type Statuses = OneOf<Vec<(u64, u64)>, Vec<Item<Vec<(u64, u64)>>>>;

raw_table! {
    /// A request, or a WebSocket message. At the top it is one of those from which an iteration picks
    /// its own; in a scenario, under `[[scenario.step]]`, one of several that follow each other.
    Request at "request" {
        /// What its figures are kept under.
        name: Option<String> = optional(NAME_TEXT, "method and path"), r#""create""#;
        /// Its share of the iterations is this by the sum of all weights. 0 leaves it out.
        weight: f64 = setting(WEIGHT, 1.0), "3";
        /// Path and query, below the `url` of the top.
        path: Option<String> = optional(TEXT, "the URL of the top"), r#""/variables/?page={{page}}""#;
        /// The whole URL, instead of `path`.
        url: Option<String> = optional(TEXT, "made of the top's `url` and `path`"), r#""https://example.com/""#;
        /// The method.
        method: Option<String> = optional(METHOD, "`GET`, and `POST` with a body"), r#""PUT""#;
        /// Headers, besides those of the top. An empty text leaves one out.
        headers: Vec<Named<String>> = setting(Map(HEADER_TEXT), []), r#"{ Authorization = "Bearer {{token}}" }"#;
        /// The body, as text.
        body: Option<String> = optional(TEXT, "none"), r#""<note>{{text}}</note>""#;
        /// The body as JSON: a text that is JSON, or a table that becomes it. Templates within a
        /// table stand for texts; for a number write text: `'{"lower": {{lower}}}'`.
        json: Option<String> = optional(Json("a text, or a table or list that becomes JSON"), "none"), r#"{ name = "{{uuid()}}" }"#;
        /// The fields of a form (`application/x-www-form-urlencoded`).
        form: Vec<Named<String>> = setting(Map(TEXT), []), r#"{ user = "{{user}}" }"#;
        /// The fields of a form with files (`multipart/form-data`): a text, or a table.
        multipart: Vec<Named<OneOf<String, Multipart>>> =
            setting(Map(Either(TEXT, table::<Multipart>())), []), r#"{ photo = { file = "photo.png" } }"#;
        /// The body as it is in a file.
        file: Option<PathBuf> = optional(PATH, "none"), r#""body.bin""#;
        /// What is sent on the user's WebSocket connection to this URL, which is opened for the
        /// first one.
        message: Option<String> = optional(TEXT, "this is a request"), r#"'{"subscribe": "alarms"}'"#;
        /// Whether the message goes as binary data.
        binary: bool = setting(Flag, false), "true";
        /// Messages that must come back.
        replies: Option<u32> = optional(integer::<u32>(0, 1_000_000), "1 for a message"), "2";
        /// Passes over messages until one matches, which then counts as a reply.
        until: Option<Regex> = optional(REGEX, "any counts"), r#""done""#;
        /// What the answer must be. Without a `status`, it must be below 400.
        check: Option<Check> = optional(table::<Check>(), "a status below 400"), "{ status = 201 }";
        /// Values of the answer that become variables: a JSON path, or a table.
        extract: Vec<Named<OneOf<JsonPath, Extract>>> =
            setting(Map(Either(JSON_PATH, table::<Extract>())), []), r#"{ id = "$.id" }"#;
        /// Most time from sending to the end of the answer.
        timeout: Option<Duration> = optional(duration(TIMEOUT.0, TIMEOUT.1), "that of the top"), r#""5s""#;
        /// Most redirects that are followed.
        redirects: Option<u32> = optional(integer::<u32>(0, settings::REDIRECTS_MAX as u64), "those of the top"), "5";
        /// A pause after it: a time, or a range from which it is taken at random.
        think: Option<Pause> = optional(PAUSE, "none"), r#""1s..3s""#;
        /// Done only if this holds: values compared by `==`, `!=`, `<`, `<=`, `>`, `>=` or, with a
        /// regular expression, `=~` and `!~`; or `"succeeded"` or `"failed"`, of the user's last
        /// request. In a list all must hold. With `repeat` or `each` it is asked in each round.
        when: Option<Texts> = optional(Either(CONDITION, List(CONDITION)), "always"), r#""{{state}} != 'done'""#;
        /// How often it is done, one round after the other: a number, or a template that becomes one.
        repeat: Option<String> = optional(TIMES, "once"), "20";
        /// A variable that was extracted with `all`: it is done once for each of its values, which the
        /// variable then holds in turn.
        each: Option<String> = optional(NAME_TEXT, "once"), r#""ids""#;
        /// Steps that are done in its place, under `[[scenario.step.step]]`: so several are repeated,
        /// done on a condition or, with a `name`, measured together.
        step: Vec<Item<Request>> = setting(List(table::<Request>()), []), "[[scenario.step.step]]";
    }
}

raw_table! {
    /// What an answer must be. An answer that is not counts as failed.
    Check at "request.check" {
        /// Its status: one, a range, a class, or a list of these.
        status: Option<Statuses> = optional(Either(STATUS, List(STATUS)), "below 400"), r#"[200, "300-303", "4xx"]"#;
        /// Texts that its body contains.
        contains: Option<Texts> = optional(Either(TEXT, List(TEXT)), "any body"), r#""welcome""#;
        /// Texts that its body does not contain.
        lacks: Option<Texts> = optional(Either(TEXT, List(TEXT)), "any body"), r#""error""#;
        /// A regular expression that is found in its body.
        matches: Option<Regex> = optional(REGEX, "any body"), r#""id\":\\s*[0-9]+""#;
        /// Values of its JSON body, by JSON path.
        json: Vec<Named<String>> = setting(Map(TEXT), []), r#"{ "$.status" = "ok", "$.count" = 3 }"#;
        /// Headers, each with a text that its value contains; `""` for any value.
        headers: Vec<Named<String>> = setting(Map(TEXT), []), r#"{ Content-Type = "json" }"#;
        /// The longest that it takes.
        faster: Option<Duration> = optional(duration(TIMEOUT.0, TIMEOUT.1), "any time"), r#""200ms""#;
    }
}

raw_table! {
    /// How a value of an answer is found. It becomes the variable NAME. Exactly one of `json`, `regex`
    /// and `header` is needed; `regex` may stand beside `header`.
    Extract at "request.extract.NAME" {
        /// A JSON path (RFC 9535) in the body.
        json: Option<JsonPath> = optional(JSON_PATH, "not by JSON path"), r#""$.items[0].id""#;
        /// A regular expression; its first group is taken, or the whole match without groups.
        regex: Option<Regex> = optional(REGEX, "not by regular expression"), r#""name='csrf' value='([^']+)'""#;
        /// A header, whose value is taken or searched by `regex`.
        header: Option<String> = optional(NAME_TEXT, "the body"), r#""Location""#;
        /// Which of several matches: from 1; 0 for any at random.
        number: i32 = setting(integer::<i32>(0, 1_000_000), 1), "2";
        /// Takes all matches, for a step with `each = "NAME"`. `{{NAME_count}}` says how many there
        /// were, and `{{NAME}}` is the first.
        all: bool = setting(Flag, false), "true";
        /// The value where nothing matches. Without it, the request fails then.
        default: Option<String> = optional(TEXT, "the request fails"), r#""none""#;
    }
}

raw_table! {
    /// A field of a form with files. It holds a `text` or a `file`.
    Multipart at "request.multipart.NAME" {
        /// Its text.
        text: Option<String> = optional(TEXT, "a `file`"), r#""{{note}}""#;
        /// A file, sent with its name.
        file: Option<PathBuf> = optional(PATH, "a `text`"), r#""photo.png""#;
        /// Its `Content-Type`.
        r#type: Option<String> = optional(NAME_TEXT, "none is said"), r#""image/png""#;
    }
}

raw_table! {
    /// Requests that follow each other.
    Scenario at "scenario" {
        /// What the figures of the whole are kept under, pauses left out.
        name: Option<String> = optional(NAME_TEXT, "only its requests are measured"), r#""log in""#;
        /// Its share of the iterations is this by the sum of all weights. 0 leaves it out.
        weight: f64 = setting(WEIGHT, 1.0), "3";
        /// Its requests, each under `[[scenario.step]]`.
        step: Option<Vec<Item<Request>>> = required(List(table::<Request>())), "[[scenario.step]]";
    }
}
