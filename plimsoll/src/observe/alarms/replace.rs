//! Other groups in the place of those that run.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::Running;
use super::hands::Hands;
use super::live::{Figures, Live, RuleState, identities};
use super::plan::{Carried, Due, Identity, carry};
use crate::observe::rules::{Group, RuleKind};

/// A rule that another may go on from.
pub struct Former {
    /// The file of its group.
    pub file: String,
    /// The name of its group.
    pub group: String,
    /// Its own.
    pub name: String,
    /// Templates not expanded.
    pub labels: BTreeMap<String, String>,
    /// Its expression.
    pub query: String,
    /// Whether it raises alarms.
    pub is_alerting: bool,
    /// How it is.
    pub state: RuleState,
}

/// A group that is to run.
enum Next {
    /// It does already.
    Same(Arc<Live>, AbortHandle),
    New(Group),
}

/// Evaluates these groups from now on; their rules go on from those that run, or from `former`.
pub fn replace(
    hands: &Arc<Hands>,
    running: &mut Running,
    groups: Vec<Group>,
    mut former: Vec<Former>,
) {
    let mut old: Vec<_> = mem::take(&mut running.groups).into_iter().map(Some).collect();
    let is_same = |slot: &&mut Option<(Arc<Live>, _)>, group: &Group| {
        slot.as_ref().is_some_and(|(live, _)| live.is_same(group))
    };
    let next: Vec<Next> = groups
        .into_iter()
        .map(|group| {
            match old.iter_mut().find(|slot| is_same(slot, &group)).and_then(Option::take) {
                Some((live, task)) => Next::Same(live, task),
                None => Next::New(group),
            }
        })
        .collect();
    let mut figures = HashMap::new();
    for (live, task) in old.into_iter().flatten() {
        task.abort();
        let (rules, own) = retire(hands, &live);
        figures.insert((live.group.file.clone(), live.group.name.clone()), own);
        former.extend(rules);
    }
    let (states, left) = inherit(&next, former);
    let mut states = states.into_iter();
    for next in next {
        let started = match next {
            Next::Same(live, task) => (live, task),
            Next::New(group) => {
                let rules = states.by_ref().take(group.rules.len()).collect();
                let figures = figures.remove(&(group.file.clone(), group.name.clone()));
                start(hands, Live::new(group, rules, figures.unwrap_or_default()))
            }
        };
        running.groups.push(started);
    }
    left.into_iter().for_each(|former| end(hands, former));
    hands.changed.notify_one();
}

/// Takes the states of a group's rules; what is under way for it changes nothing any more.
fn retire(hands: &Hands, live: &Live) -> (Vec<Former>, Figures) {
    let mut state = live.state();
    state.is_retired = true;
    let mut census = hands.census();
    let rules = live.group.rules.iter().zip(mem::take(&mut state.rules));
    let former = rules.map(|(rule, state)| {
        census.live -= state.alarms.live();
        census.all -= state.alarms.len();
        Former {
            file: live.group.file.clone(),
            group: live.group.name.clone(),
            name: rule.name.clone(),
            labels: rule.labels.clone(),
            query: rule.query.text().to_owned(),
            is_alerting: matches!(rule.kind, RuleKind::Alerting(_)),
            state,
        }
    });
    (former.collect(), state.figures)
}

/// States for the rules of all new groups in their order, and former rules that none goes on from.
fn inherit(next: &[Next], former: Vec<Former>) -> (Vec<RuleState>, Vec<Former>) {
    let groups = next.iter().filter_map(|next| match next {
        Next::New(group) => Some(group),
        Next::Same(..) => None,
    });
    let old = former.iter().map(|former| Identity {
        file: &former.file,
        group: &former.group,
        name: &former.name,
        labels: &former.labels,
        is_alerting: former.is_alerting,
    });
    let Carried { from, left } = carry(old, groups.flat_map(identities));
    let mut former: Vec<_> = former.into_iter().map(Some).collect();
    let left = left.into_iter().filter_map(|place| former[place].take()).collect();
    let states = from.into_iter().map(|from| {
        let former = from.and_then(|place| former[place].take());
        former.map(|former| former.state).unwrap_or_default()
    });
    (states.collect(), left)
}

fn start(hands: &Arc<Hands>, live: Live) -> (Arc<Live>, AbortHandle) {
    {
        let (state, mut census) = (live.state(), hands.census());
        census.live += state.rules.iter().map(|rule| rule.alarms.live()).sum::<usize>();
        census.all += state.rules.iter().map(|rule| rule.alarms.len()).sum::<usize>();
    }
    let live = Arc::new(live);
    let task = tokio::spawn(run(Arc::clone(hands), Arc::clone(&live)));
    (live, task.abort_handle())
}

/// Evaluates a group whenever it is due, until the task is aborted.
async fn run(hands: Arc<Hands>, live: Arc<Live>) {
    let mut last = live.schedule.latest(hands.now());
    loop {
        let now = hands.now();
        match live.schedule.due(last, now) {
            Due::At(at) => {
                tokio::time::sleep(Duration::from_millis((at - now).max(1).unsigned_abs())).await;
            }
            Due::Now { at, missed } => {
                hands.evaluate(&live, at, missed).await;
                last = at;
            }
        }
    }
}

/// Nothing goes on from a rule: its series end, and its alarms are over.
fn end(hands: &Hands, mut former: Former) {
    let now = hands.now();
    hands.end_series(former.state.series.values(), now);
    let changes = former.state.alarms.end(now);
    hands.tell(&changes);
    hands.offer(&former.query, &former.state.alarms);
}
