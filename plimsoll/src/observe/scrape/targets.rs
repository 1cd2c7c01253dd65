//! What is to be scraped: from the configuration and the servers of the moment to targets.
//!
//! Labels are found as Prometheus finds them, so that relabelling rules that people bring along mean
//! the same: `__address__`, `__scheme__`, `__metrics_path__`, `__param_NAME`, `__scrape_interval__`
//! and `__scrape_timeout__` go in and are read again after the rules; `instance` is the address
//! unless somebody set it; what begins with `__` is no label of a series. An address without a port
//! stays as it is, as in Prometheus 3.
//!
//! Invariant: a target that cannot be asked (dropped, without an address, one too many) is in the
//! list with the reason, and is never scheduled. It leaves out which of them were there before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::relabel::{Rule, relabel};

use super::span;
use crate::config::model::observe::{
    DatabaseTarget, HttpEndpoint, InstanceMetrics, Observe, ScrapeJob, ScrapeLimits,
};
use crate::config::model::{Address, HealthCheckKind, Service};
use crate::observe::InstanceAt;

/// Most targets that are scraped; each holds its series and a place in the schedule.
pub(super) const TARGETS_MAX: usize = 10_000;
/// Where metrics are unless somebody says otherwise.
const METRICS_PATH: &str = "/metrics";
/// An interval that relabelling sets is at least this, as one that the configuration sets.
const EVERY_MIN: Duration = Duration::from_secs(1);
/// The `job` label of Plimsoll's own figures.
pub(super) const OWN_JOB: &str = "plimsoll";
/// The `job` label of the machine's figures.
pub(super) const HOST_JOB: &str = "host";

/// A target, whether it can be asked or not.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The job, for figures and messages.
    pub job: String,
    /// Labels of its series.
    pub labels: Labels,
    /// Labels before relabelling.
    pub discovered: Labels,
    /// Where its figures come from.
    pub source: Source,
    /// Whether it is asked.
    pub fate: Fate,
    /// Time between two scrapes.
    pub every: Duration,
    /// Most time for one.
    pub timeout: Duration,
    /// What becomes of what it sends.
    pub intake: Intake,
}

/// Where figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// This Plimsoll.
    Own,
    /// The machine.
    Host,
    /// A URL. The endpoint says what lets in; what is asked is `url`.
    Http {
        /// With relabelling.
        url: String,
        /// Of the configuration.
        endpoint: HttpEndpoint,
    },
    /// A server of a service.
    Instance {
        /// Where it listens.
        address: Address,
        /// What is asked.
        path: String,
        /// The host that its health checks ask for, where they name one: frameworks refuse, and log,
        /// hosts that they do not know.
        host: Option<String>,
        /// Whether it may be without metrics.
        is_tried: bool,
    },
    /// PostgreSQL.
    Postgres(DatabaseTarget),
    /// Redis or Valkey.
    Redis(DatabaseTarget),
}

/// Whether a target is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is.
    Asked,
    /// Relabelling dropped it.
    Dropped,
    /// It cannot be, and why.
    Refused(String),
}

/// What becomes of what a target sends.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    /// Whether its labels win.
    pub honor_labels: bool,
    /// Whether its times are kept.
    pub honor_timestamps: bool,
    /// Rules for each series.
    pub metric_relabel: Arc<[Rule]>,
    /// Bounds.
    pub limits: ScrapeLimits,
}

impl Intake {
    fn usual(limits: ScrapeLimits) -> Self {
        let metric_relabel = Arc::new([]);
        Self { honor_labels: false, honor_timestamps: true, metric_relabel, limits }
    }

    /// Whether the same would become of everything. Rules are compared by their text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.honor_labels == other.honor_labels
            && self.honor_timestamps == other.honor_timestamps
            && self.limits == other.limits
            && format!("{:?}", self.metric_relabel) == format!("{:?}", other.metric_relabel)
    }
}

/// What decides about targets.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// What is measured.
    pub observe: Arc<Observe>,
    /// Where services tell their figures, by name.
    pub metrics: BTreeMap<String, Told>,
    /// The `instance` label of Plimsoll's own figures.
    pub own_instance: String,
    /// The `instance` label of the machine's.
    pub host: String,
}

/// Where the servers of a service tell their figures.
#[derive(Debug, Clone)]
pub(super) struct Told {
    at: InstanceMetrics,
    /// The host to ask for, if another than the address.
    host: Option<String>,
}

/// `metrics` of each service.
pub(super) fn metrics_of(services: &BTreeMap<String, Arc<Service>>) -> BTreeMap<String, Told> {
    let told = |service: &Service| {
        let headers = match service.health.as_ref().map(|health| &health.kind) {
            Some(HealthCheckKind::Http { headers, .. }) => &headers[..],
            _ => &[],
        };
        let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = host.map(|(_, host)| host.clone());
        Told { at: service.metrics.clone(), host }
    };
    services.iter().map(|(name, service)| (name.clone(), told(service))).collect()
}

/// All targets. Those beyond [`TARGETS_MAX`] are refused, the servers of services first.
pub(super) fn all(facts: &Facts, instances: &[InstanceAt]) -> Vec<Wanted> {
    let observe = &*facts.observe;
    let mut targets = vec![own(facts), host(facts)];
    for (job, databases, source) in [
        ("postgres", &observe.postgres, Source::Postgres as fn(DatabaseTarget) -> Source),
        ("redis", &observe.redis, Source::Redis),
    ] {
        let limits = observe.scrape.limits;
        targets.extend(databases.iter().map(|target| database(job, target, source, limits)));
    }
    for job in &observe.jobs {
        targets.extend(job.targets.iter().map(|endpoint| listed(job, endpoint)));
    }
    targets.extend(instances.iter().filter_map(|instance| server(facts, instance)));
    let mut asked = 0;
    for target in targets.iter_mut().filter(|target| target.fate == Fate::Asked) {
        asked += 1;
        if asked > TARGETS_MAX {
            let reason = format!("not asked: there are more than {TARGETS_MAX} targets");
            target.fate = Fate::Refused(reason);
        }
    }
    targets
}

fn plain(facts: &Facts, source: Source, job: &str, instance: &str, every: Duration) -> Wanted {
    let scrape = &facts.observe.scrape;
    let labels = Labels::from_pairs([("job", job), ("instance", instance)]);
    Wanted {
        job: job.to_owned(),
        discovered: labels.clone(),
        labels,
        source,
        fate: Fate::Asked,
        every,
        timeout: scrape.timeout.min(every),
        intake: Intake::usual(scrape.limits),
    }
}

fn own(facts: &Facts) -> Wanted {
    plain(facts, Source::Own, OWN_JOB, &facts.own_instance, facts.observe.own_every)
}

fn host(facts: &Facts) -> Wanted {
    plain(facts, Source::Host, HOST_JOB, &facts.host, facts.observe.scrape.every)
}

fn database(
    job: &str,
    target: &DatabaseTarget,
    source: fn(DatabaseTarget) -> Source,
    limits: ScrapeLimits,
) -> Wanted {
    let fixed = [("job", job), ("instance", &target.name)];
    let others = target.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let labels = Labels::from_pairs(fixed.into_iter().chain(others));
    Wanted {
        job: job.to_owned(),
        discovered: labels.clone(),
        labels,
        source: source(target.clone()),
        fate: Fate::Asked,
        every: target.every,
        timeout: target.timeout.min(target.every),
        intake: Intake::usual(limits),
    }
}

/// A server of a service; `None` if it is not to be asked.
fn server(facts: &Facts, instance: &InstanceAt) -> Option<Wanted> {
    let told = facts.metrics.get(&instance.service)?;
    let (path, is_tried) = match &told.at {
        InstanceMetrics::Tried => (METRICS_PATH.to_owned(), true),
        InstanceMetrics::At(path) => (path.clone(), false),
        InstanceMetrics::Off => return None,
    };
    let address = match &instance.address {
        Address::Tcp(address) => address.to_string(),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    };
    let fixed = [
        ("job", instance.service.as_str()),
        ("service", &instance.service),
        ("instance", &instance.instance),
    ];
    let asked =
        [("__address__", address.as_str()), ("__scheme__", "http"), ("__metrics_path__", &path)];
    let labels = Labels::from_pairs(fixed);
    let discovered = Labels::from_pairs(fixed.into_iter().chain(asked));
    let scrape = &facts.observe.scrape;
    Some(Wanted {
        job: instance.service.clone(),
        labels,
        discovered,
        source: Source::Instance {
            address: instance.address.clone(),
            path,
            host: told.host.clone(),
            is_tried,
        },
        fate: Fate::Asked,
        every: scrape.every,
        timeout: scrape.timeout.min(scrape.every),
        intake: Intake::usual(scrape.limits),
    })
}

/// A listed URL.
fn listed(job: &ScrapeJob, endpoint: &HttpEndpoint) -> Wanted {
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

impl Wanted {
    /// What is asked, for people; with the labels it says which target this is.
    pub(super) fn url(&self) -> String {
        match &self.source {
            Source::Own => "this Plimsoll".to_owned(),
            Source::Host => "this host".to_owned(),
            Source::Http { url, .. } => url.clone(),
            Source::Instance { address: Address::Unix(socket), path, .. } => {
                format!("unix:{}:{path}", socket.display())
            }
            Source::Instance { address: Address::Tcp(address), path, .. } => {
                format!("http://{address}{path}")
            }
            Source::Instance { address: Address::Host(host, port), path, .. } => {
                format!("http://{host}:{port}{path}")
            }
            // The URL of a database holds its password.
            Source::Postgres(target) => format!("postgres {}", target.name),
            Source::Redis(target) => format!("redis {}", target.name),
        }
    }

    /// The file of certificates that it trusts besides those of the system.
    pub(super) fn ca(&self) -> Option<&PathBuf> {
        match &self.source {
            Source::Http { endpoint, .. } => endpoint.ca.as_ref(),
            _ => None,
        }
    }

    /// Whether nobody else has to answer, so that it need not wait for a place.
    pub(super) fn is_near(&self) -> bool {
        matches!(self.source, Source::Own | Source::Host)
    }

    /// Whether somebody listed it, so that they want to hear when it is down.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self.source, Source::Http { .. } | Source::Postgres(_) | Source::Redis(_))
    }
}

#[cfg(test)]
pub(super) mod tests;
