//! What measuring is told of the rest: the program's own figures, and where instances are.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::model::{Config, Source};
use crate::fleet::FleetSnapshot;
use crate::observe::InstanceAt;

/// Every server whose own figures may be asked for: those that are listed, and the fleet's instances
/// that have an address.
pub fn instances(config: &Config, fleet: &FleetSnapshot) -> Arc<[InstanceAt]> {
    let mut instances = BTreeMap::new();
    for (service, settings) in &config.services {
        let mut add = |instance: &str, address: &crate::config::model::Address| {
            let place = (service.clone(), instance.to_owned());
            instances.insert(place, address.clone());
        };
        match &settings.source {
            Source::Servers(servers) => {
                servers.iter().for_each(|server| add(&server.name, &server.at));
            }
            Source::Processes(_) => {
                let running = fleet.services.get(service).into_iter().flatten();
                running
                    .filter(|instance| instance.is_served())
                    .for_each(|instance| add(&instance.name, &instance.address));
            }
        }
    }
    let at = |((service, instance), address)| InstanceAt { service, instance, address };
    instances.into_iter().map(at).collect()
}
