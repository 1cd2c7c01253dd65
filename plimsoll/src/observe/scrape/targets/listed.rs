//! Listed URLs as targets.
//!
//! Labels are found as Prometheus finds them, so that relabelling rules that people bring along mean
//! the same: `__address__`, `__scheme__`, `__metrics_path__`, `__param_NAME`, `__scrape_interval__`
//! and `__scrape_timeout__` go in and are read again after the rules; `instance` is the address
//! unless somebody set it; what begins with `__` is no label of a series. An address without a port
//! stays as it is, as in Prometheus 3.

use std::collections::BTreeMap;
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::relabel::relabel;

use super::super::span;
use super::{Fate, Intake, METRICS_PATH, Source, Wanted};
use crate::config::model::observe::{HttpEndpoint, ScrapeJob};

/// An interval that relabelling sets is at least this, as one that the configuration sets.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// A listed URL.
pub(super) fn listed(job: &ScrapeJob, endpoint: &HttpEndpoint) -> Wanted {
    let intake = Intake {
        honor_labels: job.honor_labels,
        honor_timestamps: job.honor_timestamps,
        metric_relabel: job.metric_relabel.clone().into(),
        limits: job.limits,
    };
    let discovered = discovered(job, endpoint);
    let source = Source::Http { url: endpoint.url.clone(), endpoint: endpoint.clone() };
    let mut wanted = Wanted {
        job: job.name.clone(),
        labels: public(&discovered),
        discovered: discovered.clone(),
        source,
        fate: Fate::Asked,
        every: job.every,
        timeout: job.timeout.min(job.every),
        intake,
    };
    let Some(labels) = relabel(&job.relabel, &discovered) else {
        wanted.fate = Fate::Dropped;
        return wanted;
    };
    wanted.labels = public(&labels);
    match asked(&labels, endpoint, &mut wanted) {
        Ok(url) => wanted.source = Source::Http { url, endpoint: endpoint.clone() },
        Err(reason) => wanted.fate = Fate::Refused(reason),
    }
    wanted
}

/// Labels of a listed URL before relabelling.
fn discovered(job: &ScrapeJob, endpoint: &HttpEndpoint) -> Labels {
    let (scheme, rest) = endpoint.url.split_once("://").unwrap_or(("http", &endpoint.url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (address, rest) = rest.split_at(end);
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = if path.is_empty() { METRICS_PATH } else { path };
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs: Vec<(String, String)> =
        job.labels.iter().map(|(name, value)| own(name, value)).collect();
    let first = |name: &str| !job.labels.contains_key(name);
    if first("job") {
        pairs.push(own("job", &job.name));
    }
    pairs.extend([
        own("__address__", address),
        own("__scheme__", scheme),
        own("__metrics_path__", path),
        own("__scrape_interval__", &span::show(job.every)),
        own("__scrape_timeout__", &span::show(job.timeout.min(job.every))),
    ]);
    // Of several parameters of one name the first is a label, as in Prometheus.
    for (name, value) in parameters(query).into_iter().rev() {
        pairs.push((format!("__param_{name}"), value));
    }
    Labels::from_pairs(pairs)
}

/// Names and values of a query, unescaped.
fn parameters(query: &str) -> Vec<(String, String)> {
    // The host does not matter: only the query is read.
    let Ok(url) = reqwest::Url::parse(&format!("http://host/?{query}")) else { return Vec::new() };
    let pairs = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
    pairs.filter(|(name, _)| !name.is_empty()).collect()
}

/// The labels of series; `instance` is the address unless it is set.
fn public(labels: &Labels) -> Labels {
    let instance = labels.get("instance").or_else(|| labels.get("__address__"));
    let instance = instance.unwrap_or_default();
    let others = labels.iter().filter(|(name, _)| !name.starts_with("__"));
    Labels::from_pairs(others.chain([("instance", instance)]))
}

/// What is asked after relabelling; sets how often.
fn asked(labels: &Labels, endpoint: &HttpEndpoint, wanted: &mut Wanted) -> Result<String, String> {
    let of = |name: &str| labels.get(name).unwrap_or_default();
    let (scheme, address) = (of("__scheme__"), of("__address__"));
    if address.is_empty() {
        return Err("not asked: it has no `__address__` after relabelling".to_owned());
    }
    if !["http", "https"].contains(&scheme) {
        return Err(format!("not asked: `__scheme__` is `{scheme}`, neither http nor https"));
    }
    let path = of("__metrics_path__");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let text = format!("{scheme}://{address}{slash}{path}");
    let unfit = |_| format!("not asked: `{text}` is no URL");
    let mut url = reqwest::Url::parse(&text).map_err(unfit)?;
    if !address.contains(['/', '@', '?', '#']) {
        url.set_query(None);
        add_parameters(&mut url, labels, endpoint);
    } else {
        return Err(format!("not asked: `__address__` is `{address}`, no host and port"));
    }
    let every = changed(of("__scrape_interval__"), wanted.every)
        .ok_or_else(|| interval_unfit("__scrape_interval__", of("__scrape_interval__")))?;
    let timeout = changed(of("__scrape_timeout__"), wanted.timeout)
        .ok_or_else(|| interval_unfit("__scrape_timeout__", of("__scrape_timeout__")))?;
    if timeout > every {
        return Err(format!(
            "not asked: `__scrape_timeout__` is {}, more than `__scrape_interval__`, {}",
            span::show(timeout),
            span::show(every)
        ));
    }
    (wanted.every, wanted.timeout) = (every, timeout);
    Ok(url.into())
}

fn interval_unfit(name: &str, value: &str) -> String {
    let least = span::show(EVERY_MIN);
    format!("not asked: `{name}` is `{value}`, not a time of at least {least} as in `15s`")
}

/// A time that relabelling may have changed.
fn changed(text: &str, before: Duration) -> Option<Duration> {
    if text == span::show(before) {
        return Some(before);
    }
    span::parse(text).filter(|span| *span >= EVERY_MIN)
}

/// The parameters of the URL, of which `__param_` labels replace the first of their name.
fn add_parameters(url: &mut reqwest::Url, labels: &Labels, endpoint: &HttpEndpoint) {
    let query = endpoint.url.split('#').next().unwrap_or_default().split_once('?');
    let listed = parameters(query.map_or("", |(_, query)| query));
    let mut replaced: BTreeMap<&str, &str> = labels
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("__param_")?, value)))
        .collect();
    let mut first = std::collections::BTreeSet::new();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (name, value) in &listed {
        if !first.insert(name.as_str()) {
            pairs.push((name, value));
        } else if let Some(value) = replaced.remove(name.as_str()) {
            pairs.push((name, value));
        }
    }
    pairs.extend(replaced);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
}
