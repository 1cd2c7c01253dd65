//! What is to be scraped: from the configuration and the servers of the moment to targets.
//!
//! Invariant: a target that cannot be asked (dropped, without an address, one too many) is in the
//! list with the reason, and is never scheduled. It leaves out which of them were there before.

mod clashes;
mod listed;
mod servers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tsdb::labels::Labels;
use tsdb::relabel::Rule;

use crate::config::model::Address;
use crate::config::model::observe::{DatabaseTarget, HttpEndpoint, Observe, ScrapeLimits};
use crate::observe::InstanceAt;
pub(super) use clashes::{Clash, clashes};
pub(super) use servers::{Told, metrics_of};

/// Most targets that are scraped; each holds its series and a place in the schedule.
pub(super) const TARGETS_MAX: usize = 10_000;
/// Where metrics are unless somebody says otherwise.
const METRICS_PATH: &str = "/metrics";
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

/// All targets. Those beyond [`TARGETS_MAX`] are refused, the servers of services first.
pub(super) fn all(facts: &Facts, instances: &[InstanceAt]) -> Vec<Wanted> {
    let mut targets = vec![own(facts), host(facts)];
    targets.extend(named(&facts.observe));
    targets.extend(instances.iter().filter_map(|instance| servers::server(facts, instance)));
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

/// Those that the configuration names: databases and listed URLs.
pub(super) fn named(observe: &Observe) -> Vec<Wanted> {
    let mut targets = Vec::new();
    for (job, databases, source) in [
        ("postgres", &observe.postgres, Source::Postgres as fn(DatabaseTarget) -> Source),
        ("redis", &observe.redis, Source::Redis),
    ] {
        let limits = observe.scrape.limits;
        targets.extend(databases.iter().map(|target| database(job, target, source, limits)));
    }
    for job in &observe.jobs {
        targets.extend(job.targets.iter().map(|endpoint| listed::listed(job, endpoint)));
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

    /// What is asked and for which job, for people.
    pub(super) fn name(&self) -> String {
        format!("{} of job {}", self.url(), self.job)
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
