//! Servers of services as targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use tsdb::labels::Labels;

use super::{Facts, Fate, Intake, METRICS_PATH, Source, Wanted};
use crate::config::model::observe::InstanceMetrics;
use crate::config::model::{Address, HealthCheckKind, Service};
use crate::observe::InstanceAt;

/// Where the servers of a service tell their figures.
#[derive(Debug, Clone)]
pub(in crate::observe::scrape) struct Told {
    pub(super) at: InstanceMetrics,
    /// The host to ask for, if another than the address.
    pub(super) host: Option<String>,
}

/// `metrics` of each service.
pub(in crate::observe::scrape) fn metrics_of(
    services: &BTreeMap<String, Arc<Service>>,
) -> BTreeMap<String, Told> {
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

/// A server of a service; `None` if it is not to be asked.
pub(super) fn server(facts: &Facts, instance: &InstanceAt) -> Option<Wanted> {
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
