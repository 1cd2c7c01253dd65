//! What services tell of themselves, and what they promise.

use std::time::Duration;

use super::super::super::grammar;
use super::super::super::grammar::observe::{RawMetrics, Slo};
use super::super::super::kind::{Named, OneOf};
use super::super::super::model::observe::{InstanceMetrics, Objective};
use super::super::super::problem::ConfigError;
use super::super::super::quantity::show_duration;
use super::super::super::reader::{Reader, Where};
use super::super::super::table::Setting;

/// Where instances tell their own figures.
pub(in super::super) fn metrics(raw: Option<&RawMetrics>) -> InstanceMetrics {
    match raw {
        None => InstanceMetrics::Tried,
        Some(OneOf::First(())) => InstanceMetrics::Off,
        Some(OneOf::Second(path)) => InstanceMetrics::At(path.clone()),
    }
}

/// What a service promises.
pub(in super::super) fn objective(
    setting: &Setting<Option<Slo>>,
    reader: &mut Reader<'_>,
) -> Option<Objective> {
    let Slo { success, latency, window } = setting.value.as_ref()?;
    let misspelt = [&success.at, &latency.at].into_iter().any(|at| reader.is_misspelt(&at.key));
    if !success.is_present() && !latency.is_present() && !misspelt {
        let at = &setting.at;
        let error = ConfigError::new(&at.key, "this objective promises nothing")
            .allowed("`success`, `latency` or both")
            .remedy("add success = \"99.9%\", or latency = \"p99 < 300ms\"");
        reader.refuse(at, error);
    }
    Some(Objective { success: success.value, latency: latency.value, window: window.value })
}

/// An objective cannot look back further than samples are kept.
pub(super) fn refuse_long_windows(
    services: &[Named<grammar::Service>],
    retention: &Setting<Duration>,
    reader: &mut Reader<'_>,
) {
    for service in services {
        let setting = &service.value.slo;
        let Some(Slo { window, .. }) = &setting.value else { continue };
        if !window.is_sound() || !retention.is_sound() || window.value <= retention.value {
            continue;
        }
        let at: &Where = if window.is_present() { &window.at } else { &setting.at };
        let (wanted, kept) = (show_duration(window.value), show_duration(retention.value));
        let error = ConfigError::new(&at.key, "this looks back further than samples are kept")
            .found(format!("window {wanted}, retention {kept}"))
            .allowed("`window` up to `retention` of [observe]")
            .remedy(format!("write window = \"{kept}\" or less, or raise `retention`"));
        reader.refuse(at, error);
    }
}

/// What is asked of services while nothing is measured.
pub(super) fn warn_of_unmeasured(services: &[Named<grammar::Service>], reader: &mut Reader<'_>) {
    for service in services {
        let grammar::Service { metrics, slo, .. } = &service.value;
        let asks = matches!(metrics.value, Some(OneOf::Second(_)));
        for (is_asked, at) in [(asks, &metrics.at), (slo.value.is_some(), &slo.at)] {
            if is_asked {
                let error = ConfigError::new(&at.key, "nothing is measured: `observe` is false")
                    .remedy("remove observe = false at the top of the file, or this key");
                reader.warn(at, error);
            }
        }
    }
}
