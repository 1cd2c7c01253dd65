//! The tables of `[observe.notify]`: who is told of alarms, by what means and when.

use std::path::PathBuf;
use std::time::Duration;

use tsdb::source::Matcher;

use super::super::super::defaults;
use super::super::super::kind::{Either, Flag, Item, List, Map, Named, OneOf, duration, table};
use super::super::super::model::observe::MailSecurity;
use super::super::super::reader::{Reader, Where};
use super::super::super::table::{
    Entries, Field, FieldDoc, Presence, RawTable, Setting, TableDoc, doc_text, optional, raw_table,
    required, setting,
};
use super::super::bounds::{DAY, HOUR, SECOND};
use super::super::words::{COMMAND, NAME_TEXT, PATH, WORD};
use super::words::{GROUPING, LABEL, MAIL, MAIL_SERVER, MATCHER, PASSWORD, ROUTING_KEY, SECURITY};
use super::{ENDPOINT, RawEndpoint};

/// A text for the shell, or a list of words.
type RawCommand = OneOf<String, Vec<Item<String>>>;

raw_table! {
    /// Who is told of alarms, and when. The timers are those of Alertmanager.
    Notify at "observe.notify" {
        /// Alarms that agree in these labels are told of together. `"..."` stands for all labels.
        group_by: Vec<Item<String>> = setting(List(GROUPING), default_group_by()),
            r#"["alertname", "service"]"#;
        /// Wait before a new group is told of, for more of it to come.
        group_wait: Duration = setting(duration(0, DAY), defaults::GROUP_WAIT), r#""30s""#;
        /// Time between two messages of a group that has changed.
        group_interval: Duration =
            setting(duration(SECOND, 7 * DAY), defaults::GROUP_INTERVAL), r#""5m""#;
        /// Time after which a group that has not changed is told of again.
        repeat_interval: Duration =
            setting(duration(SECOND, 366 * DAY), defaults::REPEAT_INTERVAL), r#""4h""#;
        /// Ways of telling people, each under its name: `[observe.notify.receiver.ops]`.
        receiver: Vec<Named<Receiver>> =
            setting(Map(table::<Receiver>()), []), "[observe.notify.receiver.ops]";
        /// Which receivers get what, each under `[[observe.notify.route]]`. The first that matches
        /// decides, unless it goes on. Where none does, all receivers are told.
        route: Vec<Item<Route>> = setting(List(table::<Route>()), []), "[[observe.notify.route]]";
        /// Which alarms hush which others, each under `[[observe.notify.inhibit]]`.
        inhibit: Vec<Item<Inhibition>> =
            setting(List(table::<Inhibition>()), []), "[[observe.notify.inhibit]]";
        /// Alertmanagers that get every alarm: URLs, or tables where one needs more. They group
        /// and route for themselves.
        alertmanager: Vec<Item<RawEndpoint>> = setting(List(ENDPOINT), []),
            r#"["http://10.0.0.9:9093"]"#;
    }
}

raw_table! {
    /// One way of telling people: exactly one of `webhook`, `slack`, `email`, `pagerduty` and
    /// `command`.
    Receiver at "observe.notify.receiver.NAME" {
        /// Where Alertmanager's webhook message (version 4) is sent by POST.
        webhook: Option<RawEndpoint> = optional(ENDPOINT, "none"), r#""http://127.0.0.1:5001/alarms""#;
        /// An incoming webhook of Slack, or of what takes its messages.
        slack: Option<OneOf<super::HttpEndpoint, Slack>> =
            optional(Either(super::URL, table::<Slack>()), "none"), r#""${SLACK_URL}""#;
        /// Mail.
        email: Option<Email> = optional(table::<Email>(), "none"),
            r#"{ to = ["ops@example.com"], from = "plimsoll@example.com", server = "mail.example.com:587" }"#;
        /// The integration key of a service of PagerDuty (Events API, version 2).
        pagerduty: Option<OneOf<String, PagerDuty>> =
            optional(Either(ROUTING_KEY, table::<PagerDuty>()), "none"), r#""${PAGERDUTY_KEY}""#;
        /// A command that gets the webhook's JSON on its standard input: text for `/bin/sh`, a list
        /// of words, or a table.
        command: Option<OneOf<RawCommand, Command>> =
            optional(Either(Either(COMMAND, List(WORD)), table::<Command>()), "none"),
            r#""logger -t alarms""#;
        /// Whether it is told when an alarm is over.
        resolved: bool = setting(Flag, defaults::RESOLVED), "false";
    }
}

raw_table! {
    /// An incoming webhook of Slack.
    Slack at "observe.notify.receiver.NAME.slack" {
        /// Where: a URL, or a table with what lets Plimsoll in.
        url: Option<RawEndpoint> = required(ENDPOINT), r#""${SLACK_URL}""#;
        /// Overrides the channel of the webhook.
        channel: Option<String> = optional(NAME_TEXT, "that of the webhook"), r##""#ops""##;
    }
}

raw_table! {
    /// Mail by SMTP.
    Email at "observe.notify.receiver.NAME.email" {
        /// Who gets it.
        to: Option<Vec<Item<String>>> = required(List(MAIL)), r#"["ops@example.com"]"#;
        /// Who sends it.
        from: Option<String> = required(MAIL), r#""plimsoll@example.com""#;
        /// The server that takes it.
        server: Option<(String, u16)> = required(MAIL_SERVER), r#""mail.example.com:587""#;
        /// How the connection is secured.
        security: Option<MailSecurity> =
            optional(SECURITY, "`\"starttls\"`, on port 465 `\"tls\"`"), r#""tls""#;
        /// The user, where the server wants one.
        user: Option<String> = optional(NAME_TEXT, "none"), r#""plimsoll""#;
        /// The user's password.
        password: Option<String> = optional(PASSWORD, "none"), r#""${MAIL_PASSWORD}""#;
        /// A file of certificates (PEM) that are trusted besides those of the system.
        ca: Option<PathBuf> = optional(PATH, "those of the system"), r#""ca.pem""#;
    }
}

raw_table! {
    /// A service of PagerDuty.
    PagerDuty at "observe.notify.receiver.NAME.pagerduty" {
        /// Its integration key.
        routing_key: Option<String> = required(ROUTING_KEY), r#""${PAGERDUTY_KEY}""#;
        /// Where events are sent: a URL, or a table with what lets Plimsoll in.
        url: Option<RawEndpoint> = optional(ENDPOINT, "that of PagerDuty"),
            r#""https://events.eu.pagerduty.com/v2/enqueue""#;
    }
}

raw_table! {
    /// A command that tells people.
    Command at "observe.notify.receiver.NAME.command" {
        /// Text for `/bin/sh`, or a list of words.
        run: Option<RawCommand> = required(Either(COMMAND, List(WORD))), r#"["logger", "-t", "alarms"]"#;
        /// It is killed after this time.
        timeout: Duration =
            setting(duration(100, HOUR), defaults::NOTIFY_COMMAND_TIMEOUT), r#""30s""#;
    }
}

raw_table! {
    /// Which receivers get which alarms.
    Route at "observe.notify.route" {
        /// Conditions on labels, as in PromQL; all must hold. Without any it matches every alarm.
        r#match: Vec<Item<Matcher>> = setting(List(MATCHER), []),
            r#"['severity="critical"', 'service=~"web|api"']"#;
        /// Names of receivers. With `[]` the alarms are dropped.
        to: Option<Vec<Item<String>>> = required(List(NAME_TEXT)), r#"["ops"]"#;
        /// Whether later routes are asked as well.
        goes_on: bool = setting(Flag, defaults::GOES_ON), "true";
        /// Alarms that agree in these labels are told of together.
        group_by: Option<Vec<Item<String>>> =
            optional(List(GROUPING), "that of `observe.notify`"), r#"["service"]"#;
        /// Wait before a new group is told of.
        group_wait: Option<Duration> =
            optional(duration(0, DAY), "that of `observe.notify`"), r#""0s""#;
        /// Time between two messages of a group that has changed.
        group_interval: Option<Duration> =
            optional(duration(SECOND, 7 * DAY), "that of `observe.notify`"), r#""1m""#;
        /// Time after which a group that has not changed is told of again.
        repeat_interval: Option<Duration> =
            optional(duration(SECOND, 366 * DAY), "that of `observe.notify`"), r#""1h""#;
    }
}

raw_table! {
    /// While an alarm that `source` matches is firing, alarms that `target` matches, and that agree
    /// with it in all labels of `equal`, are not told of.
    Inhibition at "observe.notify.inhibit" {
        /// Conditions on labels of the alarm that hushes; all must hold.
        source: Option<Vec<Item<Matcher>>> = required(List(MATCHER)), r#"['severity="critical"']"#;
        /// Conditions on labels of the alarms that are hushed; all must hold.
        target: Option<Vec<Item<Matcher>>> = required(List(MATCHER)), r#"['severity="warning"']"#;
        /// Labels in which both agree. One that neither has counts as the same.
        equal: Vec<Item<String>> = setting(List(LABEL), []), r#"["service"]"#;
    }
}

fn default_group_by() -> Vec<Item<String>> {
    let item = |label: &&str| {
        let at = Where { key: String::new(), span: 0..0 };
        Item { at, value: (*label).to_owned() }
    };
    defaults::GROUP_BY.iter().map(item).collect()
}

/// The tables of telling, in the order of the reference.
pub(super) fn tables() -> Vec<TableDoc> {
    vec![
        Notify::doc(),
        Receiver::doc(),
        Slack::doc(),
        Email::doc(),
        PagerDuty::doc(),
        Command::doc(),
        Route::doc(),
        Inhibition::doc(),
    ]
}
