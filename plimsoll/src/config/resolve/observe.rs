//! What is measured, kept, judged and told.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::defaults;
use super::super::model::observe::{
    DataDirectory, Notify, Observe, QueryBounds, RuleSettings, ScrapeDefaults, ScrapeLimits,
};

/// Measuring when nothing is said about it.
pub fn usual(directory: DataDirectory) -> Observe {
    Observe {
        directory,
        retention: defaults::RETENTION,
        bytes_max: defaults::STORE_BYTES,
        series_max: defaults::SERIES,
        memory_bytes_max: defaults::STORE_MEMORY_BYTES,
        external_labels: BTreeMap::new(),
        own_every: defaults::OWN_EVERY,
        scrape: ScrapeDefaults {
            every: defaults::SCRAPE_EVERY,
            timeout: defaults::SCRAPE_TIMEOUT,
            limits: ScrapeLimits {
                body_bytes: defaults::SCRAPE_BODY_BYTES,
                samples: defaults::SCRAPE_SAMPLES,
                labels: defaults::SCRAPE_LABELS,
                label_name_bytes: defaults::LABEL_NAME_BYTES,
                label_value_bytes: defaults::LABEL_VALUE_BYTES,
            },
        },
        jobs: Vec::new(),
        postgres: Vec::new(),
        redis: Vec::new(),
        query: QueryBounds {
            samples_max: defaults::QUERY_SAMPLES,
            timeout: defaults::QUERY_TIMEOUT,
            concurrency: super::default_workers().max(2),
            lookback: defaults::LOOKBACK,
        },
        prometheus: None,
        remote_write: Vec::new(),
        remote_write_receiver: false,
        rules: RuleSettings {
            files: Vec::new(),
            built_in: true,
            without: Vec::new(),
            every: defaults::RULES_EVERY,
            external_url: None,
        },
        notify: Notify {
            group_by: vec!["alertname".to_owned(), "service".to_owned()],
            group_wait: defaults::GROUP_WAIT,
            group_interval: defaults::GROUP_INTERVAL,
            repeat_interval: defaults::REPEAT_INTERVAL,
            receivers: BTreeMap::new(),
            routes: Vec::new(),
            inhibit: Vec::new(),
            alertmanagers: Vec::new(),
        },
    }
}

/// The folder when none is named: systemd's, or one beside the config file.
pub(in crate::config) fn usual_directory(base: &Path, state: Option<&str>) -> DataDirectory {
    // systemd names several folders with colons between them; the first is ours.
    match state.and_then(|folders| folders.split(':').find(|folder| !folder.is_empty())) {
        Some(folder) => DataDirectory::Usual(folder.into()),
        None => DataDirectory::Usual(base.join("plimsoll-data")),
    }
}
