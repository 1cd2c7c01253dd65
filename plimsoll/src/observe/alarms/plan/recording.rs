//! The series of one recording rule: those of the answer with the rule's name and labels.

use std::collections::{BTreeMap, HashSet};

use tsdb::labels::{Labels, NAME};

use super::{Failure, Sample};

/// What to record of an answer. Series of the evaluation before that are not among it have ended.
///
/// # Errors
/// When two series have the same labels, or when there are more than `limit`, which is without
/// bound if 0. Then none has ended, as in Prometheus: those recorded last fade with the lookback.
pub fn record(
    name: &str,
    labels: &BTreeMap<String, String>,
    limit: usize,
    mut answer: Vec<Sample>,
) -> Result<Vec<Sample>, Failure> {
    for sample in &mut answer {
        let own = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = sample.labels.iter().chain([(NAME, name)]).chain(own);
        sample.labels = Labels::from_pairs(all);
    }
    let mut seen = HashSet::with_capacity(answer.len());
    if let Some(twice) = answer.iter().find(|sample| !seen.insert(&sample.labels)) {
        return Err(Failure::SameLabels { labels: twice.labels.clone() });
    }
    if limit > 0 && answer.len() > limit {
        return Err(Failure::Limit { count: answer.len(), what: "series", limit });
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pairs: &[(&str, &str)], value: f64) -> Sample {
        Sample { labels: Labels::from_pairs(pairs.iter().copied()), value }
    }

    fn own(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn series_get_the_name_and_the_labels_of_the_rule() {
        let answer = vec![
            sample(&[(NAME, "up"), ("job", "web"), ("zone", "a"), ("gone", "x")], 1.0),
            sample(&[("job", "db")], 2.0),
        ];
        let labels = own(&[("zone", "b"), ("gone", "")]);
        let recorded = record("job:up", &labels, 2, answer).expect("two");
        let expected = [
            sample(&[(NAME, "job:up"), ("job", "web"), ("zone", "b")], 1.0),
            sample(&[(NAME, "job:up"), ("job", "db"), ("zone", "b")], 2.0),
        ];
        assert_eq!(recorded, expected);
    }

    #[test]
    fn series_that_become_the_same_are_refused() {
        let answer = vec![sample(&[("job", "web")], 1.0), sample(&[("job", "db")], 2.0)];
        let failure = record("up", &own(&[("job", "all")]), 0, answer).expect_err("the same");
        let expected = r#"two series of the answer have the same labels up{job="all"} once the rule's are applied; keep a label that tells them apart, or aggregate"#;
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn more_series_than_the_limit_are_refused() {
        let answer = vec![sample(&[("job", "web")], 1.0), sample(&[("job", "db")], 2.0)];
        let failure = record("up", &own(&[]), 1, answer).expect_err("too many");
        let expected = "it yields 2 series, and its group has `limit: 1`; all of them are \
                        discarded: aggregate, or raise the limit";
        assert_eq!(failure.to_string(), expected);
    }
}
