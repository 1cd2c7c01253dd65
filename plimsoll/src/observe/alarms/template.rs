//! Stand-in.

use std::collections::BTreeMap;
use tsdb::labels::Labels;

pub struct Data {
    pub labels: Labels,
    pub value: f64,
    pub external_labels: BTreeMap<String, String>,
    pub external_url: String,
    pub now: i64,
}

pub type Answer = Result<Vec<(Labels, f64)>, String>;

pub fn expand(
    text: &str,
    data: &Data,
    query: &mut dyn FnMut(&str) -> Answer,
) -> Result<String, String> {
    let _ = (&data.external_labels, &data.external_url, data.now);
    let mut text = text.replace("{{ $value }}", &data.value.to_string());
    for (name, value) in data.labels.iter() {
        text = text.replace(&format!("{{{{ $labels.{name} }}}}"), value);
    }
    if let Some((before, rest)) = text.split_once("{{ query `") {
        let (asked, after) = rest.split_once("` | first | value }}").ok_or("bad query")?;
        let first = query(asked)?
            .first()
            .map(|(_, value)| *value)
            .ok_or("first() called on vector with no elements")?;
        text = format!("{before}{first}{after}");
    }
    Ok(text)
}
