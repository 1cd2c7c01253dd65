//! A document read as Prometheus' rule file: which keys there are, what they may hold, and what is
//! wrong, all of it at once.
//!
//! Refused are the files that Prometheus refuses, with two more that could only fail later: a range
//! vector or a text as an expression, and the same rule twice. Names are those that need no quotes.
//!
//! Source: `model/rulefmt` of Prometheus 3 and
//! <https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/>.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tsdb::promql::{self, Query, QueryError, ValueType};

use super::document::{Content, Node};
use super::model::{Alerting, Group, Rule, RuleKind};
use super::{duration, place, template};
use crate::config::problem::{ConfigError, FirstProblems, Source, Span, nearest, one_of};

/// Most rules of a file.
const RULES_MAX: usize = 20_000;
/// Most that a `limit` may say.
const LIMIT_MAX: usize = 1_000_000_000;

/// What to do about an expression that is none; the message says what is wrong at the caret.
const LANGUAGE: &str = "mend it at the caret; the language is described at \
                        https://prometheus.io/docs/prometheus/latest/querying/basics/";
const FILE_KEYS: &[&str] = &["groups"];
const GROUP_KEYS: &[&str] = &["name", "interval", "query_offset", "limit", "labels", "rules"];
const RULE_KEYS: &[&str] =
    &["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];

/// A file while it is read.
pub(super) struct Reading<'a> {
    source: &'a Source,
    /// Time between two evaluations of a group that does not say.
    every: Duration,
    problems: FirstProblems,
    rules: usize,
    pub(super) warnings: Vec<String>,
}

/// The values of a mapping by key, and the keys.
type Fields<'n> = BTreeMap<&'n str, (&'n Node, &'n Node)>;

/// A rule, and where it stands.
struct Placed {
    rule: Rule,
    span: Span,
    key: String,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: &'a Source, every: Duration) -> Self {
        Self { source, every, problems: FirstProblems::default(), rules: 0, warnings: Vec::new() }
    }

    /// What is wrong, by place, and how many more there are.
    pub(super) fn problems(self) -> (Vec<ConfigError>, usize) {
        self.problems.placed(self.source)
    }

    fn refuse(&mut self, span: &Span, error: ConfigError) {
        self.problems.note(Some(span.clone()), error);
    }

    /// The groups of a file. They are of use only if nothing was noted.
    pub(super) fn file(&mut self, root: &Node) -> Vec<Group> {
        let Some(fields) = self.fields(root, "", "a rule file", FILE_KEYS) else {
            return Vec::new();
        };
        let Some((_, groups)) = fields.get("groups") else { return Vec::new() };
        let mut names: HashMap<String, Span> = HashMap::new();
        let mut read = Vec::new();
        for (index, node) in self.list(groups, "groups").iter().enumerate() {
            let key = format!("groups[{index}]");
            let Some((name, span, group)) = self.group(node, &key) else { continue };
            if let Some(first) = names.get(&name) {
                let error = ConfigError::new(
                    format!("{key}.name"),
                    format!("the group `{name}` occurs twice in this file"),
                )
                .note(format!("first in line {}", self.source.line(first.start)))
                .remedy("give them different names, or put their rules together");
                self.refuse(&span, error);
                continue;
            }
            names.insert(name, span);
            read.push(group);
        }
        read
    }

    fn group(&mut self, node: &Node, key: &str) -> Option<(String, Span, Group)> {
        let fields = self.fields(node, key, "a group", GROUP_KEYS)?;
        let name = self.name_of_group(node, &fields, key);
        let interval = self.duration(&fields, "interval", key);
        let query_offset = self.duration(&fields, "query_offset", key);
        let limit = self.limit(&fields, key);
        let labels = self.labels(&fields, "labels", key, false);
        let mut placed = Vec::new();
        if let Some((_, rules)) = fields.get("rules") {
            for (index, node) in self.list(rules, &format!("{key}.rules")).iter().enumerate() {
                self.rules += 1;
                if self.rules > RULES_MAX {
                    let error = ConfigError::new(
                        format!("{key}.rules"),
                        format!("the file has more than {RULES_MAX} rules"),
                    );
                    self.refuse(&node.span, error.remedy("split it"));
                    break;
                }
                let rule = self.rule(node, &format!("{key}.rules[{index}]"), &labels);
                placed.extend(rule);
            }
        }
        self.refuse_repeated(&placed);
        let (name, span) = name?;
        let group = Group {
            name: name.clone(),
            file: self.source.name.clone(),
            interval: interval.filter(|interval| !interval.is_zero()).unwrap_or(self.every),
            // Below 292 years: within an i64.
            query_offset: query_offset.unwrap_or_default().as_millis() as i64,
            limit,
            rules: placed.into_iter().map(|placed| placed.rule).collect(),
        };
        Some((name, span, group))
    }

    fn name_of_group(
        &mut self,
        node: &Node,
        fields: &Fields<'_>,
        key: &str,
    ) -> Option<(String, Span)> {
        let Some((_, value)) = fields.get("name") else {
            let span = first_key(node);
            let error = ConfigError::new(format!("{key}.name"), "a group needs a name");
            self.refuse(&span, error.remedy("add `name: …`"));
            return None;
        };
        let text = self.text(value, &format!("{key}.name"))?;
        if text.is_empty() {
            let error = ConfigError::new(format!("{key}.name"), "a group's name cannot be empty");
            self.refuse(&value.span, error.remedy("name the group"));
            return None;
        }
        Some((text.to_owned(), value.span.clone()))
    }

    fn limit(&mut self, fields: &Fields<'_>, key: &str) -> usize {
        let Some((_, value)) = fields.get("limit").filter(|(_, value)| !value.is_null()) else {
            return 0;
        };
        let key = format!("{key}.limit");
        let Some(text) = self.text(value, &key) else { return 0 };
        match text.parse() {
            Ok(limit) if limit <= LIMIT_MAX => limit,
            _ => {
                let error = ConfigError::new(key, "this is not a limit")
                    .found(self.source.shown(&value.span))
                    .allowed(format!("a whole number from 0 (no limit) to {LIMIT_MAX}"))
                    .remedy("write how many series or alarms a rule may have");
                self.refuse(&value.span, error);
                0
            }
        }
    }

    fn rule(
        &mut self,
        node: &Node,
        key: &str,
        common: &BTreeMap<String, String>,
    ) -> Option<Placed> {
        let fields = self.fields(node, key, "a rule", RULE_KEYS)?;
        let given = |name: &str| fields.get(name).filter(|(_, value)| !value.is_null()).copied();
        let kind = match (given("record"), given("alert")) {
            (Some(record), None) => Some(("record", record)),
            (None, Some(alert)) => Some(("alert", alert)),
            (Some((second, _)), Some(_)) => {
                let error = ConfigError::new(key, "a rule has `record` or `alert`, not both");
                self.refuse(&second.span, error.remedy("make two rules of it"));
                None
            }
            (None, None) => {
                let error = ConfigError::new(key, "a rule needs `record` or `alert`").remedy(
                    "add `record: METRIC` to store the answer, or `alert: NAME` to tell people",
                );
                self.refuse(&first_key(node), error);
                None
            }
        };
        let is_alert = kind.is_none_or(|(word, _)| word == "alert");
        let query = self.expression(node, &fields, key);
        let mut labels = common.clone();
        labels.extend(self.labels(&fields, "labels", key, is_alert));
        let alerting = Alerting {
            hold: self.duration(&fields, "for", key).unwrap_or_default(),
            keep_firing: self.duration(&fields, "keep_firing_for", key).unwrap_or_default(),
            annotations: self.labels(&fields, "annotations", key, is_alert),
        };
        let (word, (_, value)) = kind?;
        let name = self.name_of_rule(word, value, &format!("{key}.{word}"));
        if !is_alert {
            for field in ["for", "keep_firing_for", "annotations"] {
                let Some((own, _)) = given(field) else { continue };
                let error = ConfigError::new(
                    format!("{key}.{field}"),
                    format!("a recording rule has no `{field}`"),
                );
                self.refuse(&own.span, error.remedy("remove it, or write `alert` for `record`"));
            }
        }
        let kind = if is_alert { RuleKind::Alerting(alerting) } else { RuleKind::Recording };
        let rule = Rule { name: name?, query: query?, labels, kind };
        Some(Placed { rule, span: first_key(node), key: key.to_owned() })
    }

    fn name_of_rule(&mut self, word: &str, value: &Node, key: &str) -> Option<String> {
        let name = self.text(value, key)?;
        let error = if word == "record" && !is_metric_name(name) {
            ConfigError::new(key, "this is not the name of a metric")
                .found(self.source.shown(&value.span))
                .allowed("letters, digits, `_` and `:`, and no digit first")
                .remedy("name the series that is stored, as in `job:requests:rate5m`")
        } else if name.is_empty() {
            ConfigError::new(key, "an alert's name cannot be empty").remedy("name the alert")
        } else {
            return Some(name.to_owned());
        };
        self.refuse(&value.span, error);
        None
    }

    fn expression(&mut self, node: &Node, fields: &Fields<'_>, key: &str) -> Option<Query> {
        let key = format!("{key}.expr");
        let Some((_, value)) = fields.get("expr") else {
            let error = ConfigError::new(key, "a rule needs an expression");
            self.refuse(&first_key(node), error.remedy("add `expr: …`"));
            return None;
        };
        let text = self.text(value, &key)?;
        let (span, error) = match promql::parse(text) {
            Ok(query) if matches!(query.value_type(), ValueType::Vector | ValueType::Scalar) => {
                return Some(query);
            }
            Ok(query) => {
                let found = match query.value_type() {
                    ValueType::Matrix => "a range vector",
                    _ => "a text",
                };
                let error = ConfigError::new(key, "a rule cannot use the value of this expression")
                    .found(found)
                    .allowed("an instant vector or a scalar")
                    .remedy("put a function such as `rate()` around it");
                (value.span.clone(), error)
            }
            Err(QueryError::Parse { message, position }) => {
                let span = position.map_or(value.span.clone(), |at| self.within(value, at));
                let error = ConfigError::new(key, format!("this is not PromQL: {message}"));
                (span, error.remedy(LANGUAGE))
            }
            Err(other) => (value.span.clone(), ConfigError::new(key, other.to_string())),
        };
        self.refuse(&span, error);
        None
    }

    /// Names with texts: labels or annotations. Templates are verified if they are expanded.
    fn labels(
        &mut self,
        fields: &Fields<'_>,
        field: &str,
        key: &str,
        templates: bool,
    ) -> BTreeMap<String, String> {
        let mut read = BTreeMap::new();
        let Some((_, node)) = fields.get(field).filter(|(_, node)| !node.is_null()) else {
            return read;
        };
        let key = format!("{key}.{field}");
        let Content::Mapping(pairs) = &*node.content else {
            let error = ConfigError::new(&key, format!("this is {}", node.describe()))
                .allowed("names with texts")
                .remedy("write `NAME: TEXT`, one a line");
            self.refuse(&node.span, error);
            return read;
        };
        for (name_node, value) in pairs {
            let name = name_node.text().unwrap_or_default();
            let reserved = field == "labels" && name == tsdb::labels::NAME;
            if reserved || !is_label_name(name) {
                let what = if field == "labels" { "a label" } else { "an annotation" };
                let error = match reserved {
                    true => ConfigError::new(&key, "the label `__name__` is the metric's name")
                        .remedy("use `record` to name what is stored"),
                    false => ConfigError::new(&key, format!("this is not the name of {what}"))
                        .found(self.source.shown(&name_node.span))
                        .allowed("letters, digits and `_`, and no digit first")
                        .remedy("rename it"),
                };
                self.refuse(&name_node.span, error);
                continue;
            }
            let key = format!("{key}.{name}");
            // Nothing is an empty text, as in Prometheus.
            let text = if value.is_null() { Some("") } else { self.text(value, &key) };
            let Some(text) = text else { continue };
            if templates && let Err(fault) = template::verify(text) {
                let span = self.within(value, fault.position);
                let mut error =
                    ConfigError::new(key, format!("the template is wrong: {}", fault.message));
                error.remedy = fault.remedy;
                self.refuse(&span, error);
            }
            read.insert(name.to_owned(), text.to_owned());
        }
        read
    }

    fn duration(&mut self, fields: &Fields<'_>, field: &str, key: &str) -> Option<Duration> {
        let (_, value) = fields.get(field).filter(|(_, value)| !value.is_null())?;
        let key = format!("{key}.{field}");
        let text = self.text(value, &key)?;
        match duration::parse(text) {
            Ok(duration) => Some(duration),
            Err(message) => {
                let seconds = text.parse::<u64>().ok();
                let remedy = seconds.map_or("write it with units".to_owned(), |seconds| {
                    format!("write {seconds}s for seconds")
                });
                let error =
                    ConfigError::new(key, message).allowed(duration::ALLOWED).remedy(remedy);
                self.refuse(&value.span, error);
                None
            }
        }
    }

    /// The values of a mapping; keys that do not belong there are refused.
    fn fields<'n>(
        &mut self,
        node: &'n Node,
        key: &str,
        what: &str,
        known: &[&str],
    ) -> Option<Fields<'n>> {
        let Content::Mapping(pairs) = &*node.content else {
            let error = ConfigError::new(key, format!("this is {}", node.describe()))
                .allowed(format!("{what}: a mapping with {}", one_of(known.iter().copied())))
                .remedy("look at the indentation");
            self.refuse(&node.span, error);
            return None;
        };
        let mut fields = BTreeMap::new();
        for (name_node, value) in pairs {
            let name = name_node.text().unwrap_or_default();
            if known.contains(&name) {
                fields.insert(name, (name_node, value));
                continue;
            }
            let full = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            let remedy = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it".to_owned(),
            };
            let error = ConfigError::new(full, format!("{what} has no key `{name}`"))
                .allowed(one_of(known.iter().copied()))
                .remedy(remedy);
            self.refuse(&name_node.span, error);
        }
        Some(fields)
    }

    fn list<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        match &*node.content {
            Content::Sequence(nodes) => nodes,
            _ if node.is_null() => &[],
            _ => {
                let error = ConfigError::new(key, format!("this is {}", node.describe()))
                    .allowed("a list")
                    .remedy("begin each of its elements with `- `");
                self.refuse(&node.span, error);
                &[]
            }
        }
    }

    fn text<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n str> {
        if let Some(text) = node.text() {
            return Some(text);
        }
        let message = match node.is_null() {
            true => "there is no value".to_owned(),
            false => format!("this is {}", node.describe()),
        };
        let error = ConfigError::new(key, message).allowed("a text");
        let remedy = "write a text; one that begins with `{`, `[` or `*` needs quotes";
        self.refuse(&node.span, error.remedy(remedy));
        None
    }

    /// Where the byte `offset` of a scalar's text stands in the file.
    fn within(&self, node: &Node, offset: usize) -> Span {
        match &*node.content {
            Content::Scalar(scalar) => place::within(&self.source.text, &node.span, scalar, offset),
            _ => node.span.clone(),
        }
    }

    /// Refuses rules that occur twice. Those that differ only in their expression are told of: they
    /// are well if their answers differ in labels, and fail if not.
    fn refuse_repeated(&mut self, placed: &[Placed]) {
        let mut seen: HashMap<(&str, bool, &BTreeMap<String, String>), &Placed> = HashMap::new();
        for one in placed {
            let recording = matches!(one.rule.kind, RuleKind::Recording);
            let Some(first) = seen.insert((&one.rule.name, recording, &one.rule.labels), one)
            else {
                continue;
            };
            let line = self.source.line(first.span.start);
            if first.rule.query.text() == one.rule.query.text() {
                let error = ConfigError::new(
                    &one.key,
                    format!("the rule `{}` occurs twice in this group", one.rule.name),
                )
                .note(format!("first in line {line}, with the same labels and expression"))
                .remedy("remove one of them");
                self.refuse(&one.span, error);
            } else if recording {
                self.warnings.push(format!(
                    "{}:{}: `{}` is recorded with the same labels as in line {line}; if both \
                     have an answer with the same labels, one of them is lost",
                    self.source.name,
                    self.source.line(one.span.start),
                    one.rule.name,
                ));
            }
        }
    }
}

/// The first key of a mapping: where something is missing.
fn first_key(node: &Node) -> Span {
    match &*node.content {
        Content::Mapping(pairs) => {
            pairs.first().map_or(node.span.clone(), |(key, _)| key.span.clone())
        }
        _ => node.span.clone(),
    }
}

/// Source: <https://prometheus.io/docs/concepts/data_model/>, without what needs quotes.
fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
}
