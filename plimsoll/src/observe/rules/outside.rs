//! Where an outside Prometheus answers the rules of files, it must get what they record.
//!
//! Recorded series go to Plimsoll's own store, and from there by remote write. Without it a rule that
//! rests on another finds nothing, and nothing fails: so it is said beforehand.

use super::model::{Group, RuleKind};
use crate::config::model::observe::HttpEndpoint;

/// What is said where rules of files record series that rules of files do not see: an outside Prometheus
/// answers them, and is none of the receivers of remote writes.
pub fn unseen_records<'a>(
    outside: Option<&HttpEndpoint>,
    mut receivers: impl Iterator<Item = &'a HttpEndpoint>,
    groups: &[Group],
) -> Option<String> {
    let outside = outside?;
    if receivers.any(|receiver| place(receiver) == place(outside)) {
        return None;
    }
    let of_files = groups.iter().filter(|group| !group.is_own()).flat_map(|group| &group.rules);
    let mut recorded = of_files.filter(|rule| matches!(rule.kind, RuleKind::Recording));
    let (first, further) = (&recorded.next()?.name, recorded.count());
    let series = match further {
        0 => first.clone(),
        further => format!("{first} and {further} more"),
    };
    Some(format!(
        "rule files record {series} into Plimsoll's own store, and what rests on that asks \
         `observe.prometheus`, which has no such series: send them there by `remote_write = [{{ url \
         = \"{}/api/v1/write\" }}]` (it must run with --web.enable-remote-write-receiver), or let \
         that Prometheus evaluate those rules",
        outside.url.trim_end_matches('/')
    ))
}

/// Host and port.
fn place(endpoint: &HttpEndpoint) -> Option<(String, Option<u16>)> {
    let url = reqwest::Url::parse(&endpoint.url).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::config::model::observe::RuleSettings;
    use crate::observe::rules;

    fn groups(rules: &str) -> Vec<Group> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.yml");
        std::fs::write(&file, format!("groups: [{{ name: own, rules: [{rules}] }}]")).unwrap();
        let settings = RuleSettings {
            files: vec![file],
            built_in: true,
            without: Vec::new(),
            every: Duration::from_secs(15),
            external_url: None,
        };
        rules::load(&settings, &BTreeMap::new()).unwrap().groups
    }

    #[test]
    fn records_that_nobody_sees_are_warned_of() {
        let record = "{ record: 'a:b', expr: vector(1) }";
        let (one, none) = (groups(record), groups("{ alert: A, expr: vector(1) }"));
        let two = groups(&format!("{record}, {{ record: 'c:d', expr: vector(2) }}"));
        let outside = HttpEndpoint::open("http://10.0.0.9:9090/");
        let words = |groups: &[Group], receivers: &[HttpEndpoint]| {
            unseen_records(Some(&outside), receivers.iter(), groups)
        };
        assert_eq!(unseen_records(None, [].iter(), &one), None, "the own store answers");
        assert_eq!(words(&none, &[]), None, "built-in rules ask the own store");
        let text = words(&one, &[]).unwrap();
        assert!(text.starts_with("rule files record a:b into"), "{text}");
        assert!(text.contains("url = \"http://10.0.0.9:9090/api/v1/write\""), "{text}");
        assert!(words(&two, &[]).unwrap().contains("a:b and 1 more into"));
        for (url, is_seen) in [
            ("http://10.0.0.9:9091/api/v1/write", false),
            ("http://10.0.0.9:9090/api/v1/write", true),
        ] {
            assert_eq!(words(&one, &[HttpEndpoint::open(url)]).is_none(), is_seen, "{url}");
        }
    }
}
