//! Kinds of text of `[observe]`, and the words that its keys choose from.

use tsdb::relabel::Action;
use tsdb::source::Matcher;

use super::super::super::kind::{Choice, Parsed, Treatment};
use super::super::super::model::observe::{HttpEndpoint, LatencyObjective, MailSecurity};
use super::super::super::quantity::{self, show_share};
use super::super::super::text::{self, database, label, mail, objective, url};

pub(super) const URL: Parsed<HttpEndpoint> = Parsed {
    what: "a URL, as in \"http://10.0.0.1:9090\" or \"https://user:password@example.com/path\"",
    pattern: Some("^[Hh][Tt][Tt][Pp][Ss]?://"),
    treatment: Treatment::Concealed,
    parse: url::endpoint,
    show: |endpoint| endpoint.url.clone(),
};
pub(super) const TARGET: Parsed<HttpEndpoint> = Parsed {
    what: "a URL, or host and port, as in \"http://10.0.0.1:9100/metrics\" or \"10.0.0.1:9100\"",
    pattern: None,
    treatment: Treatment::Concealed,
    parse: url::target,
    show: |endpoint| endpoint.url.clone(),
};
pub(super) const LINK: Parsed<String> = Parsed {
    what: "a URL that people can follow, as in \"https://plimsoll.example.com\"",
    pattern: Some("^[Hh][Tt][Tt][Pp][Ss]?://"),
    treatment: Treatment::Concealed,
    parse: url::link,
    show: String::clone,
};
pub(super) const METRICS_PATH: Parsed<String> = Parsed {
    what: "a path, as in \"/metrics\"",
    pattern: Some("^/"),
    treatment: Treatment::Replaced,
    parse: text::check_path,
    show: String::clone,
};
pub(super) const POSTGRES_URL: Parsed<String> = Parsed {
    what: "a URL of PostgreSQL, as in \"postgres://monitor:${PASSWORD}@10.0.0.5/app\"",
    pattern: Some("^postgres(ql)?://"),
    treatment: Treatment::Concealed,
    parse: database::postgres,
    show: String::clone,
};
pub(super) const REDIS_URL: Parsed<String> = Parsed {
    what: "a URL of Redis, as in \"redis://:${PASSWORD}@10.0.0.6:6379\"",
    pattern: Some("^rediss?://"),
    treatment: Treatment::Concealed,
    parse: database::redis,
    show: String::clone,
};
pub(super) const DATABASE_NAME: Parsed<String> = Parsed {
    what: "a name of visible ASCII characters",
    pattern: Some("^[!#-~]+$"),
    treatment: Treatment::Replaced,
    parse: text::server_name,
    show: String::clone,
};
pub(super) const BASIC: Parsed<(String, String)> = Parsed {
    what: "user and password with a colon between them",
    pattern: None,
    treatment: Treatment::Secret,
    parse: text::user_and_password,
    show: |(user, _)| user.clone(),
};
pub(super) const PASSWORD: Parsed<String> = Parsed {
    what: "a password",
    pattern: None,
    treatment: Treatment::Secret,
    parse: text::not_empty,
    show: String::clone,
};
pub(super) const BEARER: Parsed<String> = Parsed {
    what: "a token of visible ASCII characters, without the word Bearer",
    pattern: None,
    treatment: Treatment::Secret,
    parse: text::bearer,
    show: String::clone,
};
pub(super) const RULE_FILE: Parsed<String> = Parsed {
    what: "the path of a rule file; `*` and `?` in its last part stand for any",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: text::file_pattern,
    show: String::clone,
};
/// `${1}` is a group of a regular expression here, and no variable.
pub(super) const VERBATIM: Parsed<String> = Parsed {
    what: "text in quotes",
    pattern: None,
    treatment: Treatment::Verbatim,
    parse: text::any,
    show: String::clone,
};
pub(super) const LABEL: Parsed<String> = Parsed {
    what: "the name of a label: letters, digits and `_`",
    pattern: Some("^[A-Za-z_][0-9A-Za-z_]*$"),
    treatment: Treatment::Replaced,
    parse: label::name,
    show: String::clone,
};
pub(super) const GROUPING: Parsed<String> = Parsed {
    what: "the name of a label, or \"...\" for all of them",
    pattern: Some("^([A-Za-z_][0-9A-Za-z_]*|[.]{3})$"),
    treatment: Treatment::Replaced,
    parse: label::grouping,
    show: String::clone,
};
pub(super) const MATCHER: Parsed<Matcher> = Parsed {
    what: "a condition on a label, as in 'severity=\"critical\"'; the operators are =, !=, =~ and !~",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: label::matcher,
    show: |matcher| matcher.name.clone(),
};
pub(super) const SHARE: Parsed<f64> = Parsed {
    what: "a percentage above 0% and below 100%, as in \"99.9%\"",
    pattern: Some(r"^[0-9]+(\.[0-9]+)?%$"),
    treatment: Treatment::Replaced,
    parse: quantity::share,
    show: |share| show_share(*share),
};
pub(super) const LATENCY: Parsed<LatencyObjective> = Parsed {
    what: "a percentile and a time, as in \"p99 < 300ms\"",
    pattern: Some(r"^[pP][0-9]+(\.[0-9]+)? *< *[0-9.]+(us|µs|μs|ms|s|m|h)$"),
    treatment: Treatment::Replaced,
    parse: objective::latency,
    show: objective::show,
};
pub(super) const MAIL: Parsed<String> = Parsed {
    what: "a mail address, as in \"ops@example.com\"",
    pattern: Some("^[^@ ]+@[^@ ]+$"),
    treatment: Treatment::Replaced,
    parse: mail::address,
    show: String::clone,
};
pub(super) const MAIL_SERVER: Parsed<(String, u16)> = Parsed {
    what: "host and port of a mail server, as in \"mail.example.com:587\"",
    pattern: None,
    treatment: Treatment::Replaced,
    parse: mail::server,
    show: |(host, port)| format!("{host}:{port}"),
};
pub(super) const ROUTING_KEY: Parsed<String> = Parsed {
    what: "the integration key of a service of PagerDuty",
    pattern: None,
    treatment: Treatment::Secret,
    parse: text::bearer,
    show: String::clone,
};

pub(super) const SECURITY: Choice<MailSecurity> = Choice(&[
    ("starttls", MailSecurity::StartTls, "STARTTLS; a server without it is refused"),
    ("tls", MailSecurity::Tls, "TLS from the first byte, usual on port 465"),
    ("plain", MailSecurity::Plain, "none: everybody on the way can read it"),
]);
pub(super) const ACTION: Choice<Action> = Choice(&[
    ("replace", Action::Replace, "writes `replacement` to `target_label` if `regex` matches"),
    ("keep", Action::Keep, "drops what `regex` does not match"),
    ("drop", Action::Drop, "drops what `regex` matches"),
    ("keepequal", Action::KeepEqual, "drops what differs from the value of `target_label`"),
    ("dropequal", Action::DropEqual, "drops what equals the value of `target_label`"),
    ("hashmod", Action::HashMod, "writes the hash modulo `modulus` to `target_label`"),
    ("labelmap", Action::LabelMap, "copies labels whose name `regex` matches to `replacement`"),
    ("labeldrop", Action::LabelDrop, "takes away labels whose name `regex` matches"),
    ("labelkeep", Action::LabelKeep, "takes away labels whose name `regex` does not match"),
    ("lowercase", Action::Lowercase, "writes the value in lower case to `target_label`"),
    ("uppercase", Action::Uppercase, "writes the value in upper case to `target_label`"),
]);
