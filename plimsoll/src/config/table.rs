//! Tables of known keys: one declaration gives the typed raw struct, its reading, the check for
//! unknown keys, and what the reference and the JSON Schema say about it.

use toml::de::DeTable;

use super::grammar::Meaning;
use super::kind::{Either, False, Kind, OneOf, Shape, table};
use super::problem::{ConfigError, nearest};
use super::reader::{Node, Reader, Where};

/// A setting as it was read.
#[derive(Debug, Clone)]
pub(super) struct Setting<T> {
    /// The value given, or the default.
    pub(super) value: T,
    /// Its place, or that of its table if it is absent.
    pub(super) at: Where,
    /// Where the value comes from.
    pub(super) state: State,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is not in the file.
    Absent,
    /// It is in the file.
    Given,
    /// It is in the file but was refused; the value is a stand-in and nothing follows from it.
    Refused,
}

impl<T> Setting<T> {
    /// Whether it is in the file, right or wrong.
    pub(super) fn is_present(&self) -> bool {
        self.state != State::Absent
    }

    /// Whether conclusions may be drawn from the value.
    pub(super) fn is_sound(&self) -> bool {
        self.state != State::Refused
    }
}

/// A table of the text whose keys are known.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    table: Option<&'a DeTable<'a>>,
    /// Its key and place.
    pub(super) at: Where,
}

impl<'a> Entries<'a> {
    /// The entries of a table in the file.
    pub(super) fn new(table: &'a DeTable<'a>, at: Where) -> Self {
        Self { table: Some(table), at }
    }

    /// The entries of a table that is not in the file.
    pub(super) fn absent(at: Where) -> Self {
        Self { table: None, at }
    }

    fn get(&self, key: &str, reader: &mut Reader<'_>) -> Option<Node<'a>> {
        let value = self.table?.get(key)?;
        let at = Where { key: self.at.child(key), span: value.span() };
        reader.remember(&at);
        Some(Node { value: value.get_ref(), at })
    }

    fn absent_key(&self, key: &str) -> Where {
        Where { key: self.at.child(key), span: self.at.span.clone() }
    }

    /// Notes every key that is not one of the table's.
    pub(super) fn refuse_unknown(&self, doc: &TableDoc, reader: &mut Reader<'_>) {
        let known: Vec<&str> = doc.fields.iter().map(|field| field.key).collect();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let at = Where { key: self.at.child(name), span: key.span() };
                reader.refuse_with(&at, |reader| self.unknown(name, &at, doc, &known, reader));
            }
        }
    }

    /// What is said of a key that is not one of the `known` ones.
    fn unknown(
        &self,
        name: &str,
        at: &Where,
        doc: &TableDoc,
        known: &[&str],
        reader: &mut Reader<'_>,
    ) -> ConfigError {
        let error = ConfigError::new(&at.key, format!("`{name}` is not a known key"))
            .allowed(format!("in {}: {}", doc.title(), known.join(", ")));
        let told = |meaning: Meaning, error: ConfigError, reader: &mut Reader<'_>| match meaning {
            Meaning::Told(remedy) => error.remedy(remedy),
            Meaning::Key(key) => {
                reader.remember_misspelt(self.at.child(key));
                let example = doc.fields.iter().find(|field| field.key == key);
                let example = example.map_or(String::new(), FieldDoc::in_a_file);
                error.remedy(format!("here it is called `{key}`, as in {example}"))
            }
        };
        let vocabulary = reader.vocabulary();
        if let Some(meaning) = (vocabulary.meaning)(doc.path, name, 0) {
            told(meaning, error, reader)
        } else if let Some(near) = nearest(name, known.iter().copied()) {
            reader.remember_misspelt(self.at.child(near));
            error.remedy(format!("did you mean `{near}`?"))
        } else if let Some(home) = home_of(&(vocabulary.tables)(), name) {
            error.remedy(format!("`{name}` belongs {home}"))
        } else if let Some(meaning) = (vocabulary.meaning)(doc.path, name, 1) {
            told(meaning, error, reader)
        } else {
            error.remedy("correct the key, or remove it")
        }
    }
}

/// What is known of a kind of file, besides its tables: words that people bring along, and where
/// keys belong.
pub(super) struct Vocabulary {
    /// What a word means in a table, with at most so many typos.
    pub(super) meaning: fn(table: &str, word: &str, typos: usize) -> Option<Meaning>,
    /// Every table.
    pub(super) tables: fn() -> Vec<TableDoc>,
}

impl Vocabulary {
    /// Whether the file's top level has a list of tables of this name.
    pub(super) fn has_list(&self, name: &str) -> bool {
        let tables = (self.tables)();
        let mut fields =
            tables.iter().filter(|table| table.path.is_empty()).flat_map(|t| &t.fields);
        fields.any(|field| field.key == name && field.example.starts_with("[["))
    }
}

/// Where a key belongs that stands in the wrong table, with the preposition.
fn home_of(tables: &[TableDoc], key: &str) -> Option<String> {
    let home = tables.iter().find(|table| table.fields.iter().any(|field| field.key == key))?;
    Some(match (home.path, super::reference::entry(home.path)) {
        ("", _) => "at the top of the file, before the first `[section]`".to_owned(),
        (_, Some(entry)) => entry.home.to_owned(),
        (path, None) => format!("in `{}`", super::reference::header(path)),
    })
}

/// The name of a key that is a word of Rust too, as `for` is.
pub(super) fn key_name(written: &'static str) -> &'static str {
    written.strip_prefix("r#").unwrap_or(written)
}

/// A table of known keys, as a Rust type.
pub(super) trait RawTable: Clone {
    /// Reads every key; problems are noted, and unknown keys are among them.
    fn read(entries: &Entries<'_>, reader: &mut Reader<'_>) -> Self;

    /// What the reference says about it.
    fn doc() -> TableDoc;
}

/// What the reference says about a table.
#[derive(Debug, Clone)]
pub(super) struct TableDoc {
    /// Its key, as in `service.NAME.health`; empty for the top level.
    pub(super) path: &'static str,
    /// What it is.
    pub(super) doc: String,
    /// Its keys.
    pub(super) fields: Vec<FieldDoc>,
}

impl TableDoc {
    /// `` `service.NAME` ``, or "the top level".
    pub(super) fn title(&self) -> String {
        match (self.path, super::reference::entry(self.path)) {
            ("", _) => "the top level".to_owned(),
            (_, Some(entry)) => entry.title.to_owned(),
            (path, None) => format!("`{path}`"),
        }
    }
}

/// What the reference says about a key.
#[derive(Debug, Clone)]
pub(super) struct FieldDoc {
    /// The key.
    pub(super) key: &'static str,
    /// What it means.
    pub(super) doc: String,
    /// A value as the file would write it.
    pub(super) example: &'static str,
    /// What it accepts.
    pub(super) shape: Shape,
    /// What holds without it.
    pub(super) default: DefaultDoc,
}

impl FieldDoc {
    /// The key with its example as a file has them: `workers = 4`, or `[service.web]`.
    pub(super) fn in_a_file(&self) -> String {
        match self.example {
            section if super::reference::is_section(section) => section.to_owned(),
            value => format!("{} = {value}", self.key),
        }
    }
}

/// What holds without a key.
#[derive(Debug, Clone)]
pub(super) enum DefaultDoc {
    /// This value, as the file would write it.
    Value(String),
    /// What these words say.
    Words(&'static str),
    /// The defaults of the table's keys.
    Section,
    /// The key must be there.
    Required,
}

/// The lines of a doc comment as one text.
pub(super) fn doc_text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// A key of a table that is being read.
pub(super) struct Field<'a> {
    /// The table.
    pub(super) entries: &'a Entries<'a>,
    /// The key.
    pub(super) key: &'static str,
    /// A value as the file would write it.
    pub(super) example: &'static str,
}

impl Field<'_> {
    /// What the file has there, if anything.
    fn node(&self, reader: &mut Reader<'_>) -> Option<Node<'_>> {
        self.entries.get(self.key, reader)
    }

    /// Its place if the file has nothing there.
    fn absent(&self) -> Where {
        self.entries.absent_key(self.key)
    }

    /// Reads what the file has there as a value of `kind`.
    fn value<K: Kind>(
        &self,
        kind: &K,
        node: &Node<'_>,
        reader: &mut Reader<'_>,
    ) -> Option<K::Value> {
        reader.with_example(self.key, self.example, |reader| kind.read(node, reader))
    }
}

/// Whether a key must be there, and what holds if it is not.
pub(super) trait Presence {
    /// What it is read into.
    type Output;

    /// Reads the key.
    fn read(&self, field: &Field<'_>, reader: &mut Reader<'_>) -> Setting<Self::Output>;

    /// What it accepts.
    fn shape(&self) -> Shape;

    /// What holds without it.
    fn default(&self) -> DefaultDoc;
}

/// A key with a default.
pub(super) struct Defaulted<K: Kind> {
    kind: K,
    default: K::Value,
}

/// A key of `kind` that is `default` unless given.
pub(super) fn setting<K: Kind>(kind: K, default: impl Into<K::Value>) -> Defaulted<K> {
    Defaulted { kind, default: default.into() }
}

impl<K: Kind> Presence for Defaulted<K> {
    type Output = K::Value;

    fn read(&self, field: &Field<'_>, reader: &mut Reader<'_>) -> Setting<K::Value> {
        let Some(node) = field.node(reader) else {
            return Setting {
                value: self.default.clone(),
                at: field.absent(),
                state: State::Absent,
            };
        };
        match field.value(&self.kind, &node, reader) {
            Some(value) => Setting { value, at: node.at, state: State::Given },
            None => Setting { value: self.default.clone(), at: node.at, state: State::Refused },
        }
    }

    fn shape(&self) -> Shape {
        self.kind.shape()
    }

    fn default(&self) -> DefaultDoc {
        DefaultDoc::Value(self.kind.show(&self.default))
    }
}

/// A key without a default.
pub(super) struct Optional<K> {
    kind: K,
    otherwise: DefaultDoc,
}

/// A key of `kind` that may be absent; `otherwise` says what holds then.
pub(super) fn optional<K: Kind>(kind: K, otherwise: &'static str) -> Optional<K> {
    Optional { kind, otherwise: DefaultDoc::Words(otherwise) }
}

/// A key of `kind` that must be there.
pub(super) fn required<K: Kind>(kind: K) -> Optional<K> {
    Optional { kind, otherwise: DefaultDoc::Required }
}

impl<K: Kind> Presence for Optional<K> {
    type Output = Option<K::Value>;

    fn read(&self, field: &Field<'_>, reader: &mut Reader<'_>) -> Setting<Self::Output> {
        let Some(node) = field.node(reader) else {
            let at = field.absent();
            if !matches!(self.otherwise, DefaultDoc::Required) {
                return Setting { value: None, at, state: State::Absent };
            }
            if !reader.is_misspelt(&at.key) {
                let Field { key, example, .. } = field;
                let error = ConfigError::new(&at.key, format!("`{key}` is missing"))
                    .allowed(self.kind.shape().describe())
                    .remedy(match super::reference::is_section(example) {
                        true => format!("add it below: {example}"),
                        false => format!("add it here, as in {key} = {example}"),
                    });
                reader.refuse(&at, error);
            }
            return Setting { value: None, at, state: State::Refused };
        };
        let value = field.value(&self.kind, &node, reader);
        let state = if value.is_some() { State::Given } else { State::Refused };
        Setting { value, at: node.at, state }
    }

    fn shape(&self) -> Shape {
        self.kind.shape()
    }

    fn default(&self) -> DefaultDoc {
        self.otherwise.clone()
    }
}

/// A table that is always there: absent, it consists of defaults.
pub(super) struct Section<T>(std::marker::PhantomData<T>);

/// A table that consists of defaults unless given.
pub(super) fn section<T: RawTable>() -> Section<T> {
    Section(std::marker::PhantomData)
}

impl<T: RawTable> Presence for Section<T> {
    type Output = T;

    fn read(&self, field: &Field<'_>, reader: &mut Reader<'_>) -> Setting<T> {
        let (at, state) = match field.node(reader) {
            None => (field.absent(), State::Absent),
            Some(node) => match field.value(&table::<T>(), &node, reader) {
                Some(value) => return Setting { value, at: node.at, state: State::Given },
                None => (node.at, State::Refused),
            },
        };
        let value = T::read(&Entries::absent(at.clone()), reader);
        Setting { value, at, state }
    }

    fn shape(&self) -> Shape {
        Shape::Table(T::doc)
    }

    fn default(&self) -> DefaultDoc {
        DefaultDoc::Section
    }
}

/// A table that consists of defaults unless given, or `false` in its place.
pub(super) struct Switchable<T>(std::marker::PhantomData<T>);

/// A table that consists of defaults unless given, and may be turned off by `false`.
pub(super) fn switchable<T: RawTable>() -> Switchable<T> {
    Switchable(std::marker::PhantomData)
}

impl<T: RawTable> Presence for Switchable<T> {
    type Output = OneOf<(), T>;

    fn read(&self, field: &Field<'_>, reader: &mut Reader<'_>) -> Setting<OneOf<(), T>> {
        let (at, state) = match field.node(reader) {
            None => (field.absent(), State::Absent),
            Some(node) => match field.value(&Either(False, table::<T>()), &node, reader) {
                Some(value) => return Setting { value, at: node.at, state: State::Given },
                None => (node.at, State::Refused),
            },
        };
        let value = OneOf::Second(T::read(&Entries::absent(at.clone()), reader));
        Setting { value, at, state }
    }

    fn shape(&self) -> Shape {
        Either(False, table::<T>()).shape()
    }

    fn default(&self) -> DefaultDoc {
        DefaultDoc::Section
    }
}

/// Declares a table: its key, and for each of its keys the doc, the type it is read into, its kind
/// and default, and an example.
macro_rules! raw_table {
    (
        $(#[doc = $table_doc:literal])+
        $name:ident at $path:literal {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $presence:expr, $example:literal;
            )+
        }
    ) => {
        $(#[doc = $table_doc])+
        #[derive(Debug, Clone)]
        pub(in crate::config) struct $name {
            $(
                $(#[doc = $doc])+
                pub(in crate::config) $key: Setting<$type>,
            )+
        }

        impl RawTable for $name {
            fn read(entries: &Entries<'_>, reader: &mut Reader<'_>) -> Self {
                entries.refuse_unknown(&Self::doc(), reader);
                Self {
                    $($key: {
                        let (key, example) = ($crate::config::table::key_name(stringify!($key)), $example);
                        Presence::read(&$presence, &Field { entries, key, example }, reader)
                    },)+
                }
            }

            fn doc() -> TableDoc {
                TableDoc {
                    path: $path,
                    doc: doc_text(&[$($table_doc),+]),
                    fields: vec![$({
                        let presence = $presence;
                        FieldDoc {
                            key: $crate::config::table::key_name(stringify!($key)),
                            doc: doc_text(&[$($doc),+]),
                            example: $example,
                            shape: Presence::shape(&presence),
                            default: Presence::default(&presence),
                        }
                    }),+],
                }
            }
        }
    };
}
pub(super) use raw_table;
