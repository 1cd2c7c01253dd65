//! Alarms, one by one and in groups.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use regex::Regex;
use serde_json::{Value, json};

use super::super::Notifier;
use super::super::message::rfc3339;
use super::super::plan::{Shown, Term};
use super::parameters::Parameters;
use super::{Refusal, object, passes};

/// Which alarms are wanted.
struct Wanted {
    filter: Vec<Term>,
    receiver: Option<Regex>,
    active: bool,
    silenced: bool,
    inhibited: bool,
}

impl Wanted {
    fn of(parameters: &Parameters) -> Result<Self, Refusal> {
        // Every alarm is processed at once, so `unprocessed` makes no difference.
        Ok(Self {
            filter: parameters.filter()?,
            receiver: parameters.receiver()?,
            active: parameters.switch("active"),
            silenced: parameters.switch("silenced"),
            inhibited: parameters.switch("inhibited"),
        })
    }

    fn has(&self, shown: &Shown) -> bool {
        let is_silenced = !shown.silenced_by.is_empty();
        let is_inhibited = shown.inhibited_by.is_some();
        let in_state = (self.active || is_silenced || is_inhibited)
            && (self.silenced || !is_silenced)
            && (self.inhibited || !is_inhibited);
        in_state && passes(&self.filter, |name| shown.alert.labels.get(name))
    }

    fn has_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }
}

pub(super) async fn list(
    State(notifier): State<Arc<Notifier>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Refusal> {
    let wanted = Wanted::of(&Parameters(pairs))?;
    let shown = notifier.plan().shown(crate::observe::now());
    let has_receiver = |shown: &Shown| {
        wanted.receiver.is_none() || shown.receivers.iter().any(|name| wanted.has_receiver(name))
    };
    let alerts = shown
        .iter()
        .filter(|shown| wanted.has(shown) && has_receiver(shown))
        .map(|shown| document(shown));
    Ok(Json(Value::Array(alerts.collect())))
}

/// Alarms of others are not taken, so that all that fires has a rule that can be looked at.
pub(super) async fn refuse() -> Refusal {
    Refusal::bad(
        "alarms come from rules here and cannot be added: write a rule (observe.rules.files), try a \
         receiver with `plimsoll alarms --try NAME`, or send them to a real Alertmanager",
    )
}

pub(super) async fn groups(
    State(notifier): State<Arc<Notifier>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Refusal> {
    let wanted = Wanted::of(&Parameters(pairs))?;
    let groups = notifier.plan().groups_shown(crate::observe::now());
    let group = |group: &super::super::plan::GroupShown| {
        let alerts: Vec<Value> = group
            .alerts
            .iter()
            .filter(|shown| wanted.has(shown))
            .map(|shown| document(shown))
            .collect();
        (!alerts.is_empty()).then(|| {
            json!({
                "labels": object(&group.labels),
                "receiver": { "name": group.receiver },
                "alerts": alerts,
            })
        })
    };
    let of_receiver = groups.iter().filter(|group| wanted.has_receiver(&group.receiver));
    Ok(Json(Value::Array(of_receiver.filter_map(group).collect())))
}

fn document(shown: &Shown) -> Value {
    let alert = &shown.alert;
    let receivers: Vec<Value> =
        shown.receivers.iter().map(|name| json!({ "name": name })).collect();
    let inhibited_by = shown.inhibited_by.map(|by| format!("{by:016x}"));
    let mut document = json!({
        "annotations": alert.annotations,
        "endsAt": rfc3339(shown.valid_until),
        "fingerprint": format!("{:016x}", shown.fingerprint),
        "receivers": receivers,
        "startsAt": rfc3339(alert.starts_at),
        "status": {
            "inhibitedBy": inhibited_by.into_iter().collect::<Vec<_>>(),
            "mutedBy": [],
            "silencedBy": shown.silenced_by,
            "state": shown.state().as_str(),
        },
        "updatedAt": rfc3339(shown.updated_at),
        "labels": object(&alert.labels),
    });
    if !alert.generator_url.is_empty() {
        document["generatorURL"] = json!(alert.generator_url);
    }
    document
}
