//! The lists of words that people bring along from other programs.

use std::collections::BTreeSet;

use super::super::grammar::Meaning;
use super::super::table::TableDoc;

/// Makes sure that each word, under the path of its table, leads to a key of that table and is none
/// itself.
pub(in crate::config) fn lead_to_keys(words: &[(&str, &[&str], Meaning)], tables: &[TableDoc]) {
    let mut seen = BTreeSet::new();
    for (path, words, meaning) in words {
        let table = tables.iter().find(|table| table.path == *path).expect(path);
        let has = |key: &str| table.fields.iter().any(|field| field.key == key);
        if let Meaning::Key(key) = meaning {
            assert!(has(key), "{path} has no {key}");
        }
        for word in *words {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(word.chars().all(plain), "{word}");
            assert!(!has(word), "{path}.{word} is a key");
            assert!(seen.insert((path, word)), "{path}.{word} stands twice");
        }
    }
}
