//! Checks and extractions of a request.

use super::super::super::kind::{Item, Named, OneOf};
use super::super::super::quantity::Refusal;
use super::super::super::reader::Where;
use super::super::super::table::Setting;
use super::super::grammar;
use super::super::model::{AllMatches, Check, Extraction, Finder, Pattern, Source, Test};
use super::super::settings;
use super::super::template::Uses;
use super::super::url;
use super::Resolver;
use super::variables::count_name;

/// The number that stands for all matches.
const ALL: i32 = -1;
/// Most characters of a text that a check's name shows.
const SHOWN: usize = 40;

/// One text or several, if any.
type Texts = Option<OneOf<String, Vec<Item<String>>>>;

impl Resolver<'_, '_> {
    /// The checks of a request; of a message, whose answer has no status.
    pub(super) fn checks(
        &mut self,
        raw: Option<&grammar::Check>,
        is_message: bool,
        uses: &mut Uses,
    ) -> Vec<Check> {
        let Some(raw) = raw else { return Vec::new() };
        let mut checks = Vec::new();
        let ranges: Vec<(u64, u64)> = match &raw.status.value {
            None => Vec::new(),
            Some(OneOf::First(ranges)) => ranges.clone(),
            Some(OneOf::Second(items)) => {
                items.iter().flat_map(|item| item.value.clone()).collect()
            }
        };
        if is_message {
            let of_requests = [
                (raw.status.is_present(), &raw.status.at),
                (raw.headers.is_present(), &raw.headers.at),
            ];
            for (_, at) in of_requests.into_iter().filter(|(is_present, _)| *is_present) {
                let refusal = Refusal::new("messages have neither status nor headers")
                    .remedy("check `contains`, `matches` or `json`");
                self.refuse(at, refusal);
            }
        } else if ranges.is_empty() {
            if raw.status.is_present() && raw.status.is_sound() {
                let refusal = Refusal::new("no status is good, so that every answer fails")
                    .remedy("write one, as in [200], or remove `status`");
                self.refuse(&raw.status.at, refusal);
            }
            checks.push(settings::no_error_status());
        } else {
            checks.push(settings::status_check(ranges));
        }
        self.texts(&raw.contains, false, uses, &mut checks);
        self.texts(&raw.lacks, true, uses, &mut checks);
        if let Some(regex) = &raw.matches.value {
            let name = format!("body matches {}", short(regex.as_str()));
            checks.push(of_body(name, Test::Finds(Pattern(regex.clone()))));
        }
        self.values(raw, uses, &mut checks);
        if let Some(time) = raw.faster.value {
            let name =
                format!("faster than {}", super::super::super::quantity::show_duration(time));
            checks.push(of_body(name, Test::Faster(time)));
        }
        checks
    }

    fn texts(
        &mut self,
        setting: &Setting<Texts>,
        not: bool,
        uses: &mut Uses,
        checks: &mut Vec<Check>,
    ) {
        let texts: Vec<(&String, &Where)> = match &setting.value {
            None => Vec::new(),
            Some(OneOf::First(text)) => vec![(text, &setting.at)],
            Some(OneOf::Second(items)) => {
                items.iter().map(|item| (&item.value, &item.at)).collect()
            }
        };
        let verb = if not { "lacks" } else { "contains" };
        for (text, at) in texts {
            if text.is_empty() {
                let refusal = Refusal::new("every body contains an empty text")
                    .remedy("write what must be there, or remove it");
                self.refuse(at, refusal);
            }
            if let Some(template) = self.template(text, at, uses) {
                let name = format!("body {verb} {:?}", short(&url::shown(&template)));
                checks.push(Check { not, ..of_body(name, Test::Contains(template)) });
            }
        }
    }

    /// Values of the body, and headers.
    fn values(&mut self, raw: &grammar::Check, uses: &mut Uses, checks: &mut Vec<Check>) {
        for named in &raw.json.value {
            let Named { name, at, .. } = named;
            let path = self.checked(settings::json_path(name), at);
            let value = self.value_template(named, uses);
            if let (Some(path), Some(value)) = (path, value) {
                let label = format!("{name} is {:?}", short(&url::shown(&value)));
                let what = Finder::Json(path);
                checks.push(Check { what, ..of_body(label, Test::Equals(value)) });
            }
        }
        for named in &raw.headers.value {
            let Named { name, at, .. } = named;
            let header = self.checked(super::super::super::text::header_name(name), at);
            let value = self.value_template(named, uses);
            if let (Some(header), Some(value)) = (header, value) {
                let shown = short(&url::shown(&value));
                let (name, test) = match value.constant() {
                    Some("") => (format!("header {header}"), Test::Exists),
                    _ => (format!("header {header} contains {shown:?}"), Test::Contains(value)),
                };
                checks.push(Check { of: Source::Header(header), ..of_body(name, test) });
            }
        }
    }

    /// What a request takes from its answer.
    pub(super) fn extractions(
        &mut self,
        raw: &[Named<OneOf<serde_json_path::JsonPath, grammar::Extract>>],
        is_message: bool,
        uses: &mut Uses,
    ) -> Vec<Extraction> {
        let mut extractions = Vec::new();
        for named in raw {
            let Some(into) = self.builder.known_slot(&named.name) else { continue };
            let plain = |from: Source, what: Finder| Extraction {
                into,
                from,
                what,
                number: 1,
                default: None,
                groups: Vec::new(),
                all: AllMatches::default(),
            };
            let extraction = match &named.value {
                OneOf::First(path) => Some(plain(Source::Body, Finder::Json(path.clone()))),
                OneOf::Second(table) => {
                    self.finder(table, &named.at, is_message).map(|(from, what)| {
                        let default = self.optional(&table.default, uses);
                        let all = self.all_matches(&named.name, table);
                        let number = if table.all.value { ALL } else { table.number.value };
                        Extraction { number, default, all, ..plain(from, what) }
                    })
                }
            };
            extractions.extend(extraction);
        }
        extractions
    }

    /// Where all matches go, if they are kept.
    fn all_matches(&mut self, name: &str, table: &grammar::Extract) -> AllMatches {
        if !table.all.value {
            return AllMatches::default();
        }
        if table.number.is_present() {
            let refusal = Refusal::new("all matches are taken, so that `number` has no place")
                .remedy("keep one of the two");
            self.refuse(&table.number.at, refusal);
        }
        let count = self.builder.known_slot(&count_name(name));
        AllMatches { count, ..AllMatches::default() }
    }

    /// Where a value is and how it is found.
    fn finder(
        &mut self,
        table: &grammar::Extract,
        at: &Where,
        is_message: bool,
    ) -> Option<(Source, Finder)> {
        let header = match &table.header.value {
            Some(name) => {
                if is_message {
                    let refusal =
                        Refusal::new("messages have no headers").remedy("use json or regex");
                    self.refuse(&table.header.at, refusal);
                }
                Some(self.checked(super::super::super::text::header_name(name), &table.header.at)?)
            }
            None => None,
        };
        let sound = table.json.is_sound() && table.regex.is_sound() && table.header.is_sound();
        let from = |header: Option<String>| header.map_or(Source::Body, Source::Header);
        match (&table.json.value, &table.regex.value, header) {
            (Some(path), None, None) => Some((Source::Body, Finder::Json(path.clone()))),
            (None, Some(regex), header) => {
                let has_group = regex.captures_len() > 1;
                let taken = if has_group { "$1$" } else { "$0$" }.to_owned();
                Some((from(header), Finder::Regex(Pattern(regex.clone()), taken)))
            }
            (None, None, Some(name)) => Some((Source::Header(name), Finder::Whole)),
            (None, None, None) => {
                let refusal = Refusal::new("this does not say where the value is").remedy(
                    "add one of json = \"$.id\", regex = \"id=([0-9]+)\" or header = \"Location\"",
                );
                if sound {
                    self.refuse(at, refusal);
                }
                None
            }
            (Some(_), ..) => {
                let refusal = Refusal::new("a JSON path stands alone")
                    .remedy("keep `json`, or `header` and `regex`");
                self.refuse(&table.json.at, refusal);
                None
            }
        }
    }
}

/// A check of the whole body.
fn of_body(name: String, test: Test) -> Check {
    Check { name, of: Source::Body, what: Finder::Whole, test, not: false }
}

fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
