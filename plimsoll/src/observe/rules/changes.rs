//! What a reload changes in rules, in lines for people. The config file names files of rules, so
//! its own differences do not tell.

use std::collections::BTreeMap;

use super::Group;

/// Groups by file and name, with all that they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<(String, String), String>);

impl Contents {
    /// Of these groups.
    pub fn of(groups: &[Group]) -> Self {
        let said = |group: &Group| {
            let rules = group.rules.iter().map(|rule| {
                (&rule.name, rule.query.text(), &rule.labels, format!("{:?}", rule.kind))
            });
            let rules: Vec<_> = rules.collect();
            format!("{:?}", (group.interval, group.query_offset, group.limit, rules))
        };
        let entry = |group: &Group| ((group.file.clone(), group.name.clone()), said(group));
        Self(groups.iter().map(entry).collect())
    }

    /// What is different in `new`, a line each.
    pub fn changes(&self, new: &Self) -> Vec<String> {
        let line = |(file, name): &(String, String), what: &str| {
            format!("rules: group {name} of {file} {what}")
        };
        let mut lines = Vec::new();
        for (group, said) in &new.0 {
            match self.0.get(group) {
                None => lines.push(line(group, "added")),
                Some(before) if before != said => lines.push(line(group, "changed")),
                Some(_) => {}
            }
        }
        let gone = self.0.keys().filter(|group| !new.0.contains_key(*group));
        lines.extend(gone.map(|group| line(group, "removed")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(text: &str) -> Contents {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.yml");
        std::fs::write(&path, text).unwrap();
        let settings = crate::config::model::observe::RuleSettings {
            files: vec![path],
            built_in: false,
            without: Vec::new(),
            every: std::time::Duration::from_secs(15),
            external_url: None,
        };
        let mut groups = super::super::load(&settings, &BTreeMap::new()).unwrap().groups;
        groups.iter_mut().for_each(|group| group.file = "own.yml".to_owned());
        Contents::of(&groups)
    }

    #[test]
    fn each_group_that_differs_is_told() {
        let group = |name: &str, expression: &str| {
            format!("- name: {name}\n  rules:\n  - record: own:one\n    expr: {expression}\n")
        };
        let old =
            contents(&format!("groups:\n{}{}", group("a", "vector(1)"), group("b", "vector(1)")));
        let new =
            contents(&format!("groups:\n{}{}", group("b", "vector(2)"), group("c", "vector(1)")));
        assert_eq!(
            old.changes(&new),
            [
                "rules: group b of own.yml changed",
                "rules: group c of own.yml added",
                "rules: group a of own.yml removed",
            ]
        );
        assert!(new.changes(&new.clone()).is_empty());
    }
}
