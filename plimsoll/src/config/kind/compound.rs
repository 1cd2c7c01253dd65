//! Kinds that are made of other kinds: lists, tables by name, tables, alternatives.

use std::marker::PhantomData;

use super::super::reader::{Node, Reader, Where};
use super::super::table::{Entries, RawTable};
use super::{Kind, Shape, refuse_type};

/// A list of values of one kind.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct List<K>(pub(in crate::config) K);

/// A value of a list, with its place.
#[derive(Debug, Clone)]
pub(in crate::config) struct Item<V> {
    /// Its place.
    pub(in crate::config) at: Where,
    /// The value.
    pub(in crate::config) value: V,
}

impl<K: Kind> Kind for List<K> {
    type Value = Vec<Item<K::Value>>;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value> {
        let Some(array) = node.value.as_array() else {
            refuse_type(&self.shape(), node, reader);
            return None;
        };
        let mut sound = true;
        let mut items = Vec::with_capacity(array.len());
        for (index, value) in array.iter().enumerate() {
            let at = Where { key: format!("{}[{index}]", node.at.key), span: value.span() };
            reader.remember(&at);
            let item = Node { value: value.get_ref(), at };
            match self.0.read(&item, reader) {
                Some(value) => items.push(Item { at: item.at, value }),
                None => sound = false,
            }
        }
        sound.then_some(items)
    }

    fn shape(&self) -> Shape {
        Shape::List(Box::new(self.0.shape()))
    }

    fn show(&self, value: &Self::Value) -> String {
        let items: Vec<String> = value.iter().map(|item| self.0.show(&item.value)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A table whose keys are names of the user's choice.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Map<K>(pub(in crate::config) K);

/// A value of a map, with its name.
#[derive(Debug, Clone)]
pub(in crate::config) struct Named<V> {
    /// The name.
    pub(in crate::config) name: String,
    /// The place of the name.
    pub(in crate::config) at: Where,
    /// The value.
    pub(in crate::config) value: V,
}

impl<K: Kind> Kind for Map<K> {
    type Value = Vec<Named<K::Value>>;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value> {
        let Some(table) = node.value.as_table() else {
            refuse_type(&self.shape(), node, reader);
            return None;
        };
        let mut sound = true;
        let mut entries = Vec::with_capacity(table.len());
        for (name, value) in table {
            let key = node.at.child(name.get_ref());
            let inside = Where { key: key.clone(), span: value.span() };
            reader.remember(&inside);
            let name_at = Where { key, span: name.span() };
            let node = Node { value: value.get_ref(), at: inside };
            match self.0.read(&node, reader) {
                Some(value) => {
                    entries.push(Named { name: name.get_ref().to_string(), at: name_at, value });
                }
                None => sound = false,
            }
        }
        sound.then_some(entries)
    }

    fn shape(&self) -> Shape {
        Shape::Map(Box::new(self.0.shape()))
    }

    fn show(&self, value: &Self::Value) -> String {
        let entries: Vec<String> = value
            .iter()
            .map(|entry| format!("{} = {}", entry.name, self.0.show(&entry.value)))
            .collect();
        if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
    }
}

/// A table with known keys.
#[derive(Debug, Clone)]
pub(in crate::config) struct TableOf<T>(PhantomData<T>);

/// A table that is read into `T`.
pub(in crate::config) const fn table<T>() -> TableOf<T> {
    TableOf(PhantomData)
}

impl<T: RawTable> Kind for TableOf<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let Some(table) = node.value.as_table() else {
            refuse_type(&self.shape(), node, reader);
            return None;
        };
        Some(T::read(&Entries::new(table, node.at.clone()), reader))
    }

    fn shape(&self) -> Shape {
        Shape::Table(T::doc)
    }

    fn show(&self, _: &T) -> String {
        "{}".to_owned()
    }
}

/// One of two kinds that differ in their TOML type.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Either<A, B>(pub(in crate::config) A, pub(in crate::config) B);

/// Which of two kinds a value was.
#[derive(Debug, Clone)]
pub(in crate::config) enum OneOf<A, B> {
    /// The first.
    First(A),
    /// The second.
    Second(B),
}

impl<A: Kind, B: Kind> Kind for Either<A, B> {
    type Value = OneOf<A::Value, B::Value>;

    fn read(&self, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value> {
        if self.0.shape().fits(node.value) {
            return self.0.read(node, reader).map(OneOf::First);
        }
        if self.1.shape().fits(node.value) {
            return self.1.read(node, reader).map(OneOf::Second);
        }
        refuse_type(&self.shape(), node, reader);
        None
    }

    fn shape(&self) -> Shape {
        Shape::Either(Box::new(self.0.shape()), Box::new(self.1.shape()))
    }

    fn show(&self, value: &Self::Value) -> String {
        match value {
            OneOf::First(value) => self.0.show(value),
            OneOf::Second(value) => self.1.show(value),
        }
    }
}
