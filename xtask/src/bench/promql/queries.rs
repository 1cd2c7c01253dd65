//! The list of queries: `bench/promql-queries.txt`, which tells its own form.

use anyhow::{Context, bail};

use super::batches::Span;

/// Queries are asked up to so long before the samples end, milliseconds, so that no step is a
/// multiple of a minute: inner steps of a subquery are, and whether the one at the open end counts is
/// what Prometheus 2 and 3 disagree on.
const END_DISTANCE: i64 = 30_000;

/// A query as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) title: String,
    pub(super) way: Way,
    pub(super) expression: String,
}

/// How a query is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// At every step of a span; seconds.
    Range { span: i64, step: i64 },
    /// At the end.
    Instant,
    /// Which values a label has.
    Values(String),
}

/// Reads the list.
pub(super) fn parse(text: &str) -> anyhow::Result<Vec<Query>> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut queries = Vec::new();
    for block in lines.split(|line| line.trim().is_empty()).filter(|block| !block.is_empty()) {
        let [title, way, expression @ ..] = block else {
            bail!("`{}` is no query: it has a title alone", block.join(" "));
        };
        let way = Way::parse(way).with_context(|| format!("in the query `{title}`"))?;
        if expression.is_empty() {
            bail!("the query `{title}` has no expression");
        }
        let expression: Vec<_> = expression.iter().map(|line| line.trim()).collect();
        queries.push(Query { title: (*title).to_owned(), way, expression: expression.join(" ") });
    }
    Ok(queries)
}

impl Way {
    fn parse(line: &str) -> anyhow::Result<Self> {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["range", span, step] => Ok(Self::Range { span: seconds(span)?, step: seconds(step)? }),
            ["instant"] => Ok(Self::Instant),
            ["values", label] => Ok(Self::Values(label.to_owned())),
            _ => bail!("`{line}` is none of: range SPAN STEP, instant, values LABEL"),
        }
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Range { span, step } if span % 3600 == 0 => {
                format!("{} h, {step} s", span / 3600)
            }
            Self::Range { span, step } => format!("{} min, {step} s", span / 60),
            Self::Instant => "instant".to_owned(),
            Self::Values(label) => format!("values of {label}"),
        }
    }
}

/// `90s`, `15m` or `6h`.
fn seconds(text: &str) -> anyhow::Result<i64> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let found = units.iter().find_map(|(unit, factor)| {
        Some(text.strip_suffix(*unit)?.parse::<i64>().ok().filter(|count| *count > 0)? * factor)
    });
    found.with_context(|| format!("`{text}` is no duration such as 15s, 5m, 6h"))
}

impl Query {
    /// Path below `/api/v1/`, and parameters.
    pub(super) fn request(&self, span: &Span) -> (String, Vec<(&'static str, String)>) {
        let end = (span.end - END_DISTANCE) / 1000;
        let expression = self.expression.clone();
        match &self.way {
            Way::Range { span: length, step } => {
                let start = (end - length).max(span.start / 1000 + END_DISTANCE / 1000);
                let times = [("start", start), ("end", end), ("step", *step)];
                let times = times.map(|(name, value)| (name, value.to_string()));
                let parameters = [("query", expression)].into_iter().chain(times).collect();
                ("query_range".to_owned(), parameters)
            }
            Way::Instant => {
                ("query".to_owned(), vec![("query", expression), ("time", end.to_string())])
            }
            Way::Values(label) => {
                let start = (span.start / 1000).to_string();
                let parameters =
                    vec![("match[]", expression), ("start", start), ("end", end.to_string())];
                (format!("label/{label}/values"), parameters)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Way, parse};
    use crate::bench::promql::QUERIES;
    use crate::bench::promql::batches::Batches;

    #[test]
    fn the_list_has_twenty_queries_that_the_evaluator_parses() {
        let queries = parse(QUERIES).unwrap();
        assert_eq!(queries.len(), 20);
        for query in queries {
            tsdb::promql::parse(&query.expression)
                .unwrap_or_else(|error| panic!("{}: {error}", query.title));
        }
    }

    #[test]
    fn a_query_becomes_a_request() {
        let queries =
            parse("# a\n\nOne\nrange 15m 15s\nup\n  + 1\n\nTwo\nvalues job\nup\n").unwrap();
        assert_eq!(queries[0].expression, "up + 1");
        assert_eq!(queries[0].way, Way::Range { span: 900, step: 15 });
        assert_eq!(queries[0].way.shown(), "15 min, 15 s");
        let span = Batches::prepare(1, 60).unwrap().span;
        let (path, parameters) = queries[0].request(&span);
        let end = span.end / 1000 - 30;
        let wanted = [
            ("query", "up + 1".to_owned()),
            ("start", (end - 900).to_string()),
            ("end", end.to_string()),
            ("step", "15".to_owned()),
        ];
        assert_eq!((path.as_str(), &parameters[..]), ("query_range", &wanted[..]));
        assert_eq!(queries[1].request(&span).0, "label/job/values");
    }

    #[test]
    fn a_list_that_is_wrong_is_refused() {
        for (text, wanted) in [
            ("One\n", "a title alone"),
            ("One\ninstant\n", "has no expression"),
            ("One\nrange 1d 1s\nup\n", "in the query `One`"),
            ("One\nsometimes\nup\n", "in the query `One`"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(wanted), "{error}");
        }
    }
}
