//! Who is told of alarms: receivers, routes to them, and what hushes what.

use std::collections::BTreeMap;
use std::path::Path;

use tsdb::source::Matcher;

use super::super::super::defaults;
use super::super::super::grammar::observe::{self as raw, Command, Email, PagerDuty, Route, Slack};
use super::super::super::kind::{Item, Named, OneOf};
use super::super::super::model::observe::{
    HttpEndpoint, Inhibition, MailSecurity, Means, Notify, NotifyRoute, Receiver,
};
use super::super::super::problem::{ConfigError, nearest, one_of};
use super::super::super::reader::{Reader, Where};
use super::super::super::table::Setting;
use super::super::path;
use super::endpoint::endpoint;

/// All labels, in `group_by`.
const ALL_LABELS: &str = "...";
/// What a command's text is given to.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];
/// Longest name of a receiver, in bytes.
const NAME_BYTES: usize = 63;

/// The resolved form of `[observe.notify]`.
pub(super) fn notify(raw: &raw::Notify, base: &Path, reader: &mut Reader<'_>) -> Notify {
    let mut receivers = BTreeMap::new();
    for named in &raw.receiver.value {
        if let Some(receiver) = receiver(named, base, reader) {
            receivers.insert(named.name.clone(), receiver);
        }
    }
    refuse_nowhere(raw, reader);
    warn_of_unreached(&raw.route.value, reader);
    let managers = raw.alertmanager.value.iter();
    Notify {
        group_by: group_by(&raw.group_by.value, reader),
        group_wait: raw.group_wait.value,
        group_interval: raw.group_interval.value,
        repeat_interval: raw.repeat_interval.value,
        receivers,
        routes: raw.route.value.iter().map(|item| route(&item.value, reader)).collect(),
        inhibit: raw.inhibit.value.iter().map(|item| inhibition(&item.value, reader)).collect(),
        alertmanagers: managers.filter_map(|item| endpoint(&item.value, base, reader)).collect(),
    }
}

/// `"..."` stands for all labels and leaves nothing to add.
fn group_by(items: &[Item<String>], reader: &mut Reader<'_>) -> Vec<String> {
    if items.len() > 1
        && let Some(all) = items.iter().find(|item| item.value == ALL_LABELS)
    {
        let error = ConfigError::new(&all.at.key, "`...` stands for all labels")
            .found(reader.shown(&all.at))
            .remedy("write group_by = [\"...\"], or name labels only");
        reader.refuse(&all.at, error);
    }
    items.iter().map(|item| item.value.clone()).collect()
}

fn receiver(
    named: &Named<raw::Receiver>,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<Receiver> {
    let raw = &named.value;
    refuse_bad_name(named, reader);
    let means: [(&str, bool, &Where); 5] = [
        ("webhook", raw.webhook.is_present(), &raw.webhook.at),
        ("slack", raw.slack.is_present(), &raw.slack.at),
        ("email", raw.email.is_present(), &raw.email.at),
        ("pagerduty", raw.pagerduty.is_present(), &raw.pagerduty.at),
        ("command", raw.command.is_present(), &raw.command.at),
    ];
    let given: Vec<_> = means.iter().filter(|(_, is_present, _)| *is_present).collect();
    match given.as_slice() {
        [] if means.iter().any(|(.., at)| reader.is_misspelt(&at.key)) => {}
        [] => {
            let message = format!("receiver `{}` says of no means to tell people", named.name);
            let error = ConfigError::new(&named.at.key, message)
                .allowed(one_of(means.iter().map(|(word, ..)| *word)))
                .remedy("add one, as in webhook = \"http://127.0.0.1:5001/\"");
            reader.refuse(&named.at, error);
        }
        [_] => {}
        [(first, ..), more @ ..] => {
            for (word, _, at) in more {
                let error = ConfigError::new(&at.key, "a receiver has one means of telling people")
                    .found(format!("`{first}` and `{word}`"))
                    .remedy("make two receivers, and name both in `to` of a route");
                reader.refuse(at, error);
            }
        }
    }
    Some(Receiver { means: self::means(raw, base, reader)?, resolved: raw.resolved.value })
}

/// Names go into links, files and metrics.
fn refuse_bad_name(named: &Named<raw::Receiver>, reader: &mut Reader<'_>) {
    let name = &named.name;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(plain) {
        let message = format!("`{name}` is not a name for a receiver");
        let error = ConfigError::new(&named.at.key, message)
            .remedy(format!("use 1 to {NAME_BYTES} letters, digits, `-`, `_` and `.`"));
        reader.refuse(&named.at, error);
    }
}

fn means(raw: &raw::Receiver, base: &Path, reader: &mut Reader<'_>) -> Option<Means> {
    // All are read, so that all mistakes are told.
    let webhook = raw.webhook.value.as_ref().and_then(|raw| endpoint(raw, base, reader));
    let slack = raw.slack.value.as_ref().and_then(|raw| slack(raw, base, reader));
    let email = raw.email.value.as_ref().and_then(|raw| email(raw, base, reader));
    let pagerduty = raw.pagerduty.value.as_ref().and_then(|raw| pagerduty(raw, base, reader));
    let command = raw.command.value.as_ref().and_then(|value| {
        let (words, timeout) = match value {
            OneOf::First(words) => (words, defaults::NOTIFY_COMMAND_TIMEOUT),
            OneOf::Second(Command { run, timeout }) => (run.value.as_ref()?, timeout.value),
        };
        Some(Means::Command { words: command_words(words, &raw.command.at, reader)?, timeout })
    });
    webhook.map(Means::Webhook).or(slack).or(email).or(pagerduty).or(command)
}

fn slack(raw: &OneOf<HttpEndpoint, Slack>, base: &Path, reader: &mut Reader<'_>) -> Option<Means> {
    Some(match raw {
        OneOf::First(endpoint) => Means::Slack { endpoint: endpoint.clone(), channel: None },
        OneOf::Second(Slack { url, channel }) => Means::Slack {
            endpoint: endpoint(url.value.as_ref()?, base, reader)?,
            channel: channel.value.clone(),
        },
    })
}

fn pagerduty(
    raw: &OneOf<String, PagerDuty>,
    base: &Path,
    reader: &mut Reader<'_>,
) -> Option<Means> {
    let usual = || HttpEndpoint::open(defaults::PAGERDUTY_URL);
    Some(match raw {
        OneOf::First(key) => Means::PagerDuty { routing_key: key.clone(), endpoint: usual() },
        OneOf::Second(PagerDuty { routing_key, url }) => {
            let given = url.value.as_ref().and_then(|raw| endpoint(raw, base, reader));
            Means::PagerDuty {
                routing_key: routing_key.value.clone()?,
                endpoint: given.unwrap_or_else(usual),
            }
        }
    })
}

fn email(raw: &Email, base: &Path, reader: &mut Reader<'_>) -> Option<Means> {
    let Email { to, from, server, security, user, password, ca } = raw;
    if let Some([]) = to.value.as_deref() {
        let error = ConfigError::new(&to.at.key, "nobody gets this mail")
            .found("[]")
            .remedy("add an address, as in [\"ops@example.com\"]");
        reader.refuse(&to.at, error);
    }
    let (lone, other) = match (user.is_present(), password.is_present()) {
        (true, false) => (Some(&user.at), "password"),
        (false, true) => (Some(&password.at), "user"),
        _ => (None, ""),
    };
    if let Some(at) = lone.filter(|at| !reader.is_misspelt(&sibling(at, other))) {
        let error = ConfigError::new(&at.key, "`user` and `password` belong together")
            .allowed("both, or neither for a server that asks for none")
            .remedy(format!("add {other} = \"…\""));
        reader.refuse(at, error);
    }
    let (host, port) = server.value.clone()?;
    let usual =
        if port == defaults::MAIL_TLS_PORT { MailSecurity::Tls } else { MailSecurity::StartTls };
    let security_value = security.value.unwrap_or(usual);
    let is_near = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if security_value == MailSecurity::Plain && password.is_present() && !is_near {
        let error =
            ConfigError::new(&security.at.key, "the password is sent for everybody to read")
                .found(format!("security {}, server {host}:{port}", reader.shown(&security.at)))
                .remedy("write security = \"starttls\" or \"tls\"");
        reader.warn(&security.at, error);
    }
    let login = user.value.clone().zip(password.value.clone());
    Some(Means::Email {
        to: to.value.as_ref()?.iter().map(|address| address.value.clone()).collect(),
        from: from.value.clone()?,
        server: (host, port),
        security: security_value,
        login,
        ca: ca.value.as_ref().map(|file| path(base, file)),
    })
}

/// The key `name` of the table that `at` is in.
fn sibling(at: &Where, name: &str) -> String {
    at.key.rsplit_once('.').map_or(name.to_owned(), |(table, _)| format!("{table}.{name}"))
}

fn command_words(
    raw: &OneOf<String, Vec<Item<String>>>,
    at: &Where,
    reader: &mut Reader<'_>,
) -> Option<Vec<String>> {
    let words: Vec<String> = match raw {
        OneOf::First(text) => SHELL.into_iter().map(str::to_owned).chain([text.clone()]).collect(),
        OneOf::Second(words) => words.iter().map(|word| word.value.clone()).collect(),
    };
    if words.first().is_none_or(|word| word.trim().is_empty()) {
        let error = ConfigError::new(&at.key, "the command is empty")
            .found(reader.shown(at))
            .remedy("write the program and its arguments, as in [\"logger\", \"-t\", \"alarms\"]");
        reader.refuse(at, error);
        return None;
    }
    Some(words)
}

fn route(raw: &Route, reader: &mut Reader<'_>) -> NotifyRoute {
    let to = raw.to.value.as_deref().unwrap_or_default();
    NotifyRoute {
        matchers: matchers(&raw.r#match.value),
        receivers: to.iter().map(|name| name.value.clone()).collect(),
        goes_on: raw.goes_on.value,
        group_by: raw.group_by.value.as_ref().map(|labels| group_by(labels, reader)),
        group_wait: raw.group_wait.value,
        group_interval: raw.group_interval.value,
        repeat_interval: raw.repeat_interval.value,
    }
}

fn matchers(items: &[Item<Matcher>]) -> Vec<Matcher> {
    items.iter().map(|item| item.value.clone()).collect()
}

fn inhibition(raw: &raw::Inhibition, reader: &mut Reader<'_>) -> Inhibition {
    let side = |setting: &Setting<Option<Vec<Item<Matcher>>>>, reader: &mut Reader<'_>| {
        let items = setting.value.as_deref().unwrap_or_default();
        if items.is_empty() && setting.is_sound() {
            let error = ConfigError::new(&setting.at.key, "this would be every alarm")
                .found("[]")
                .remedy("add a condition, as in ['severity=\"critical\"']");
            reader.refuse(&setting.at, error);
        }
        matchers(items)
    };
    Inhibition {
        source: side(&raw.source, reader),
        target: side(&raw.target, reader),
        equal: raw.equal.value.iter().map(|label| label.value.clone()).collect(),
    }
}

/// Routes lead to receivers that exist.
fn refuse_nowhere(raw: &raw::Notify, reader: &mut Reader<'_>) {
    if !raw.receiver.is_sound() {
        return;
    }
    let known: Vec<&str> = raw.receiver.value.iter().map(|named| named.name.as_str()).collect();
    let named = raw.route.value.iter().filter_map(|item| item.value.to.value.as_ref()).flatten();
    for Item { at, value: name } in named.filter(|item| !known.contains(&item.value.as_str())) {
        reader.refuse_with(at, |reader| {
            let error = ConfigError::new(&at.key, format!("there is no receiver `{name}`"))
                .found(reader.shown(at));
            let error = match known.is_empty() {
                true => error,
                false => error.allowed(one_of(known.iter().copied())),
            };
            match nearest(name, known.iter().copied()) {
                Some(near) => error.remedy(format!("did you mean \"{near}\"?")),
                None => error.remedy(format!("add [observe.notify.receiver.{name}]")),
            }
        });
    }
}

/// Routes behind one that takes everything are never asked.
fn warn_of_unreached(routes: &[Item<Route>], reader: &mut Reader<'_>) {
    let takes_all = |item: &&Item<Route>| {
        let raw = &item.value;
        raw.r#match.is_sound()
            && raw.r#match.value.is_empty()
            && raw.goes_on.is_sound()
            && !raw.goes_on.value
    };
    let Some(last) = routes.iter().find(takes_all) else { return };
    for item in routes.iter().skip_while(|item| item.at != last.at).skip(1) {
        let error = ConfigError::new(&item.at.key, "this route is never asked")
            .note(format!("the one in {} takes every alarm", reader.line(&last.at)))
            .remedy("put it before that route, or write goes_on = true there");
        reader.warn(&item.at, error);
    }
}
