//! Measuring as facts: what a running Plimsoll keeps to, what it can change, and what comes and
//! goes under a name.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use super::super::super::model::observe::{
    DataDirectory, DatabaseTarget, HttpEndpoint, Inhibition, InstanceMetrics, Means, Notify,
    NotifyRoute, Objective, Observe, QueryBounds, Receiver, RemoteWrite, RuleSettings,
    ScrapeDefaults, ScrapeJob, ScrapeLimits,
};
use super::super::super::quantity::{show_duration, show_share, show_size};
use super::super::super::text::objective;
use super::{Facts, or_none, put, put_hidden, put_size, put_time};

/// Facts of what has a name, as in `job node`.
pub(in super::super) type Named = BTreeMap<String, Facts>;

/// What a running process cannot change: where samples are, and how many.
pub(in super::super) fn fixed(observe: &Observe) -> Facts {
    let mut facts = Facts::new();
    let directory = match &observe.directory {
        DataDirectory::Named(directory) | DataDirectory::Usual(directory) => {
            directory.display().to_string()
        }
        DataDirectory::Temporary => "temporary".to_owned(),
    };
    put(&mut facts, "directory", directory);
    put_time(&mut facts, "retention", observe.retention);
    put(&mut facts, "max_size", show_size(observe.bytes_max));
    put(&mut facts, "max_series", observe.series_max);
    put(&mut facts, "max_memory", show_size(observe.memory_bytes_max));
    facts
}

/// What has no name.
pub(in super::super) fn process(observe: &Observe) -> Facts {
    let Observe {
        directory: _,
        retention: _,
        bytes_max: _,
        series_max: _,
        memory_bytes_max: _,
        external_labels,
        own_every,
        scrape: ScrapeDefaults { every, timeout, limits },
        jobs: _,
        postgres: _,
        redis: _,
        query: QueryBounds { samples_max, timeout: query_timeout, concurrency, lookback },
        prometheus,
        remote_write: _,
        remote_write_receiver,
        rules,
        notify,
    } = observe;
    let mut facts = Facts::new();
    put_labels(&mut facts, "external_labels", external_labels);
    put_time(&mut facts, "own_every", *own_every);
    put_time(&mut facts, "scrape.every", *every);
    put_time(&mut facts, "scrape.timeout", *timeout);
    put_limits(&mut facts, "scrape.", limits);
    put(&mut facts, "query.max_samples", samples_max);
    put_time(&mut facts, "query.timeout", *query_timeout);
    put(&mut facts, "query.concurrency", concurrency);
    put_time(&mut facts, "query.lookback", *lookback);
    if let Some(endpoint) = prometheus {
        put_endpoint(&mut facts, "prometheus", endpoint);
    }
    put(&mut facts, "remote_write_receiver", remote_write_receiver);
    put_rules(&mut facts, rules);
    put_notify(&mut facts, notify);
    facts
}

fn put_rules(facts: &mut Facts, rules: &RuleSettings) {
    let RuleSettings { files, built_in, without, every, external_url } = rules;
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    put(facts, "rules.files", list(&files));
    put(facts, "rules.built_in", built_in);
    put(facts, "rules.without", list(without));
    put_time(facts, "rules.every", *every);
    put(facts, "external_url", or_none(external_url.as_ref()));
}

fn put_notify(facts: &mut Facts, notify: &Notify) {
    let Notify {
        group_by,
        group_wait,
        group_interval,
        repeat_interval,
        receivers: _,
        routes: _,
        inhibit: _,
        alertmanagers,
    } = notify;
    put(facts, "notify.group_by", list(group_by));
    put_time(facts, "notify.group_wait", *group_wait);
    put_time(facts, "notify.group_interval", *group_interval);
    put_time(facts, "notify.repeat_interval", *repeat_interval);
    let managers: String = alertmanagers.iter().map(whole).collect();
    put_hidden(facts, "notify.alertmanager".to_owned(), &managers);
}

/// What comes and goes under a name.
pub(in super::super) fn named(observe: &Observe) -> Named {
    let mut named = Named::new();
    named.extend(observe.jobs.iter().map(|at| (format!("job {}", at.name), job(at))));
    for (kind, targets) in [("postgres", &observe.postgres), ("redis", &observe.redis)] {
        named.extend(targets.iter().map(|at| (format!("{kind} {}", at.name), database(at))));
    }
    let stores = observe.remote_write.iter();
    named.extend(stores.map(|store| (format!("remote_write {}", store.name), remote_write(store))));
    let notify = &observe.notify;
    let receivers = notify.receivers.iter();
    named.extend(receivers.map(|(name, at)| (format!("receiver {name}"), receiver(at))));
    // Routes have no name but their place.
    let routes = notify.routes.iter().enumerate();
    named.extend(routes.map(|(index, at)| (format!("notify.route[{index}]"), route(at))));
    let inhibit = notify.inhibit.iter().enumerate();
    named.extend(inhibit.map(|(index, at)| (format!("notify.inhibit[{index}]"), inhibition(at))));
    named
}

fn job(job: &ScrapeJob) -> Facts {
    let ScrapeJob {
        name: _,
        targets,
        labels,
        every,
        timeout,
        honor_labels,
        honor_timestamps,
        relabel,
        metric_relabel,
        limits,
    } = job;
    let mut facts = Facts::new();
    for target in targets {
        put_hidden(&mut facts, format!("target {}", target.url), &whole(target));
    }
    put_labels(&mut facts, "labels", labels);
    put_time(&mut facts, "every", *every);
    put_time(&mut facts, "timeout", *timeout);
    put(&mut facts, "honor_labels", honor_labels);
    put(&mut facts, "honor_timestamps", honor_timestamps);
    put_compiled(&mut facts, "relabel", relabel);
    put_compiled(&mut facts, "metric_relabel", metric_relabel);
    put_limits(&mut facts, "", limits);
    facts
}

fn database(target: &DatabaseTarget) -> Facts {
    let DatabaseTarget { name: _, url, labels, every, timeout } = target;
    let mut facts = Facts::new();
    put_hidden(&mut facts, "url".to_owned(), url);
    put_labels(&mut facts, "labels", labels);
    put_time(&mut facts, "every", *every);
    put_time(&mut facts, "timeout", *timeout);
    facts
}

fn remote_write(store: &RemoteWrite) -> Facts {
    let RemoteWrite { name: _, endpoint, timeout, queue_samples, relabel } = store;
    let mut facts = Facts::new();
    put_endpoint(&mut facts, "url", endpoint);
    put_time(&mut facts, "timeout", *timeout);
    put(&mut facts, "queue", queue_samples);
    put_compiled(&mut facts, "relabel", relabel);
    facts
}

fn receiver(receiver: &Receiver) -> Facts {
    let Receiver { means, resolved } = receiver;
    let mut facts = Facts::new();
    put(&mut facts, "resolved", resolved);
    // The URL of a webhook is as good as a password.
    let (kind, secret) = match means {
        Means::Webhook(endpoint) => ("webhook", whole(endpoint)),
        Means::Slack { endpoint, channel } => ("slack", format!("{}{channel:?}", whole(endpoint))),
        Means::Email { to, from, server, security, login, ca } => {
            ("email", format!("{to:?}{from:?}{server:?}{security:?}{login:?}{ca:?}"))
        }
        Means::PagerDuty { routing_key, endpoint } => {
            ("pagerduty", format!("{routing_key:?}{}", whole(endpoint)))
        }
        Means::Command { words, timeout } => ("command", format!("{words:?}{timeout:?}")),
    };
    put_hidden(&mut facts, kind.to_owned(), &secret);
    facts
}

fn route(route: &NotifyRoute) -> Facts {
    let NotifyRoute {
        matchers,
        receivers,
        goes_on,
        group_by,
        group_wait,
        group_interval,
        repeat_interval,
    } = route;
    let mut facts = Facts::new();
    put_compiled(&mut facts, "match", matchers);
    put(&mut facts, "to", list(receivers));
    put(&mut facts, "goes_on", goes_on);
    put(&mut facts, "group_by", or_none(group_by.as_deref().map(list)));
    let mut put_own = |key: &str, value: &Option<Duration>| {
        put(&mut facts, key, or_none(value.map(show_duration)));
    };
    put_own("group_wait", group_wait);
    put_own("group_interval", group_interval);
    put_own("repeat_interval", repeat_interval);
    facts
}

fn inhibition(inhibition: &Inhibition) -> Facts {
    let Inhibition { source, target, equal } = inhibition;
    let mut facts = Facts::new();
    put_compiled(&mut facts, "source", source);
    put_compiled(&mut facts, "target", target);
    put(&mut facts, "equal", list(equal));
    facts
}

/// What a service tells and promises.
pub(super) fn put_service(
    facts: &mut Facts,
    metrics: &InstanceMetrics,
    objective: Option<&Objective>,
) {
    let metrics = match metrics {
        InstanceMetrics::Tried => "tried",
        InstanceMetrics::At(path) => path,
        InstanceMetrics::Off => "none",
    };
    put(facts, "metrics", metrics);
    let Some(Objective { success, latency, window }) = objective else { return };
    if let Some(success) = success {
        put(facts, "slo.success", show_share(*success));
    }
    if let Some(latency) = latency {
        put(facts, "slo.latency", objective::show(latency));
    }
    put_time(facts, "slo.window", *window);
}

fn put_limits(facts: &mut Facts, prefix: &str, limits: &ScrapeLimits) {
    let ScrapeLimits { body_bytes, samples, labels, label_name_bytes, label_value_bytes } = limits;
    put(facts, format!("{prefix}max_body"), show_size(*body_bytes));
    put(facts, format!("{prefix}max_samples"), samples);
    put(facts, format!("{prefix}max_labels"), labels);
    put_size(facts, &format!("{prefix}max_label_name"), *label_name_bytes);
    put_size(facts, &format!("{prefix}max_label_value"), *label_value_bytes);
}

fn put_labels(facts: &mut Facts, prefix: &str, labels: &BTreeMap<String, String>) {
    for (name, value) in labels {
        put(facts, format!("{prefix}.{name}"), format!("{value:?}"));
    }
}

/// What lets Plimsoll in is not told, nor is the URL: a token may be in it.
fn put_endpoint(facts: &mut Facts, key: &str, endpoint: &HttpEndpoint) {
    put_hidden(facts, key.to_owned(), &whole(endpoint));
}

/// Rules and matchers are compared by how they are made; a line says only that they changed.
fn put_compiled<T: Debug>(facts: &mut Facts, key: &str, compiled: &[T]) {
    put_hidden(facts, key.to_owned(), &format!("{compiled:?}"));
}

/// All of an endpoint, to compare it.
fn whole(endpoint: &HttpEndpoint) -> String {
    let HttpEndpoint { url, basic, bearer, headers, ca, insecure } = endpoint;
    format!("{url}{basic:?}{bearer:?}{headers:?}{ca:?}{insecure}")
}

fn list<T: AsRef<str>>(words: &[T]) -> String {
    format!("[{}]", words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
}
