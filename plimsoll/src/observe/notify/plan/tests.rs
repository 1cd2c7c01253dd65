//! Text scripts of who is told of what, and when. Blank lines part cases; `# ` begins a comment.
//!
//!     config [wait=30s] [interval=5m] [repeat=4h] [by=LABEL,…]
//!     receiver NAME [unresolved]               the latter is not told when an alarm is over
//!     route [MATCHER…] -> NAME… [goes_on] [by=…] [wait=…] [interval=…] [repeat=…]
//!     inhibit MATCHER… -> MATCHER… equal LABEL,…
//!     TIME fires NAME [LABEL=VALUE…]           the alarm is offered, and from then on each 15 s
//!     TIME ends NAME [LABEL=VALUE…]
//!     TIME vanishes NAME [LABEL=VALUE…]        it is not offered any more
//!     TIME silence NAME until TIME: MATCHER…   made or edited; NAME stands for its id
//!     TIME expire NAME
//!     TIME breaks|mends RECEIVER               messages to it fail until then
//!     TIME holds|frees RECEIVER                messages to it are on their way until then
//!     TIME restart [after TIME]                what is kept is read back; nothing is offered before
//!     TIME reload                              the settings above this line hold from now on
//!     TIME                                     time passes
//!     expect TIME RECEIVER [firing A B] [over C]: WHY
//!     expect no message
//!
//! An alarm is written `NAME{label=value,…}`, without the braces if it has no other label. All that
//! was told has to be expected, in order.

mod changes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::told::Entry;
use super::*;
use crate::config::model::observe::{HttpEndpoint, Means, NotifyRoute, Receiver};

/// Between two offers of what fires.
const OFFERED_EVERY: i64 = 15_000;

fn millis(text: &str) -> i64 {
    let mut total = 0;
    let mut number = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            digit if digit.is_ascii_digit() => number.push(digit),
            unit => {
                let scale = match unit {
                    'd' => 86_400_000,
                    'h' => 3_600_000,
                    'm' if rest.next_if_eq(&'s').is_some() => 1,
                    'm' => 60_000,
                    's' => 1000,
                    other => panic!("no unit: {other}"),
                };
                total += std::mem::take(&mut number).parse::<i64>().unwrap() * scale;
            }
        }
    }
    assert!(number.is_empty(), "a time without unit: {text}");
    total
}

fn time(text: &str) -> Duration {
    Duration::from_millis(millis(text) as u64)
}

fn words(at: i64) -> String {
    let mut out = String::new();
    let mut rest = at;
    for (unit, scale) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
    {
        if rest / scale > 0 {
            out.push_str(&format!("{}{unit}", rest / scale));
        }
        rest %= scale;
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

fn matcher(text: &str) -> tsdb::source::Matcher {
    Term::parse(text).unwrap().matcher
}

fn labels(words: &[&str]) -> Labels {
    let pairs = words[1..].iter().map(|word| word.split_once('=').unwrap());
    Labels::from_pairs(pairs.chain([("alertname", words[0])]))
}

fn shown(labels: &Labels) -> String {
    let others: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let name = labels.get("alertname").unwrap();
    if others.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", others.join(",")) }
}

fn settings() -> Notify {
    Notify {
        group_by: vec!["alertname".to_owned(), "service".to_owned()],
        group_wait: time("30s"),
        group_interval: time("5m"),
        repeat_interval: time("4h"),
        receivers: BTreeMap::new(),
        routes: Vec::new(),
        inhibit: Vec::new(),
        alertmanagers: Vec::new(),
    }
}

struct Case {
    notify: Notify,
    plan: Plan,
    now: i64,
    firing: BTreeMap<Labels, Alert>,
    broken: BTreeSet<String>,
    held: BTreeSet<String>,
    under_way: Vec<Message>,
    told: VecDeque<String>,
    ids: BTreeMap<String, String>,
    next_offer: i64,
}

impl Case {
    fn new() -> Self {
        let notify = settings();
        Self {
            plan: Plan::new(&notify),
            notify,
            now: 0,
            firing: BTreeMap::new(),
            broken: BTreeSet::new(),
            held: BTreeSet::new(),
            under_way: Vec::new(),
            told: VecDeque::new(),
            ids: BTreeMap::new(),
            next_offer: OFFERED_EVERY,
        }
    }

    fn take(&mut self, messages: Vec<Message>) {
        for message in messages {
            let list = |fires: bool| {
                let alerts = message.alerts.iter().filter(|a| a.ends_at.is_none() == fires);
                let mut names: Vec<String> = alerts.map(|alert| shown(&alert.labels)).collect();
                names.sort();
                names.join(" ")
            };
            let mut line = format!("{} {}", words(self.now), message.receiver);
            for (word, names) in [("firing", list(true)), ("over", list(false))] {
                if !names.is_empty() {
                    line.push_str(&format!(" {word} {names}"));
                }
            }
            assert!(!message.alerts.is_empty(), "a message about nothing: {line}");
            self.told.push_back(format!("{line}: {}", message.why));
            if self.held.contains(&message.receiver) {
                self.under_way.push(message);
            } else {
                let arrived = !self.broken.contains(&message.receiver);
                self.plan.delivered(&message, arrived);
            }
        }
    }

    /// All that is due up to `until` happens.
    fn pass(&mut self, until: i64) {
        loop {
            let at = self.plan.next_at().min(self.next_offer);
            if at > until {
                break;
            }
            self.now = at.max(self.now);
            if self.next_offer <= self.now {
                self.next_offer = self.now + OFFERED_EVERY;
                let firing = self.firing.values().cloned().collect();
                assert_eq!(self.plan.offer(firing, self.now), Offered::default());
            }
            let messages = self.plan.due(self.now).0;
            self.take(messages);
        }
        self.now = until;
    }

    fn configure(&mut self, words: &[&str]) -> bool {
        let get = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let by = get("by=").map(|by| by.split(',').map(str::to_owned).collect::<Vec<_>>());
        let (wait, interval) = (get("wait=").map(time), get("interval=").map(time));
        let repeat = get("repeat=").map(time);
        let parts: Vec<&[&str]> =
            words[1..].split(|word| matches!(*word, "->" | "equal")).collect();
        let matchers = |words: &[&str]| words.iter().map(|word| matcher(word)).collect::<Vec<_>>();
        match words[0] {
            "config" => {
                self.notify.group_by = by.unwrap_or(self.notify.group_by.clone());
                self.notify.group_wait = wait.unwrap_or(self.notify.group_wait);
                self.notify.group_interval = interval.unwrap_or(self.notify.group_interval);
                self.notify.repeat_interval = repeat.unwrap_or(self.notify.repeat_interval);
            }
            "receiver" => {
                let means = Means::Webhook(HttpEndpoint::open("http://127.0.0.1/"));
                let receiver = Receiver { means, resolved: !words.contains(&"unresolved") };
                self.notify.receivers.insert(words[1].to_owned(), receiver);
            }
            "route" => {
                let names =
                    parts[1].iter().filter(|word| !word.contains('=') && **word != "goes_on");
                self.notify.routes.push(NotifyRoute {
                    matchers: matchers(parts[0]),
                    receivers: names.map(|name| (*name).to_owned()).collect(),
                    goes_on: words.contains(&"goes_on"),
                    group_by: by,
                    group_wait: wait,
                    group_interval: interval,
                    repeat_interval: repeat,
                });
            }
            "inhibit" => self.notify.inhibit.push(Inhibition {
                source: matchers(parts[0]),
                target: matchers(parts[1]),
                equal: parts[2].iter().flat_map(|l| l.split(',')).map(str::to_owned).collect(),
            }),
            _ => return false,
        }
        if self.now == 0 {
            self.plan.apply(&self.notify, 0);
        }
        true
    }

    fn silence(&mut self, words: &[&str]) {
        let until = millis(words[3].trim_end_matches(':'));
        let silence = Silence {
            id: self.ids.get(words[1]).cloned().unwrap_or_default(),
            matchers: words[4..].iter().map(|word| Term::parse(word).unwrap()).collect(),
            starts_at: self
                .ids
                .get(words[1])
                .map_or(self.now, |id| self.plan.silence_of(id).unwrap().starts_at),
            ends_at: until,
            updated_at: 0,
            created_by: "somebody".to_owned(),
            comment: String::new(),
        };
        let id = self.plan.silence(silence, self.ids.len() as u128, self.now).unwrap();
        self.ids.insert(words[1].to_owned(), id);
    }

    fn act(&mut self, words: &[&str]) {
        self.pass(millis(words[0]));
        let words = &words[1..];
        match words {
            [] => {}
            ["fires", rest @ ..] => {
                let labels = labels(rest);
                let alert = Alert {
                    labels: labels.clone(),
                    annotations: BTreeMap::new(),
                    starts_at: self.now,
                    ends_at: None,
                    generator_url: String::new(),
                };
                self.firing.insert(labels, alert.clone());
                assert_eq!(self.plan.offer(vec![alert], self.now), Offered::default());
            }
            ["ends", rest @ ..] => {
                let alert = self.firing.remove(&labels(rest)).unwrap();
                let over = Alert { ends_at: Some(self.now), ..alert };
                // It is offered more than once.
                self.plan.offer(vec![over.clone()], self.now);
                self.plan.offer(vec![over], self.now);
            }
            ["vanishes", rest @ ..] => drop(self.firing.remove(&labels(rest)).unwrap()),
            ["silence", ..] => self.silence(words),
            ["expire", name] => self.plan.expire(&self.ids[*name], self.now).unwrap(),
            ["breaks", name] => drop(self.broken.insert((*name).to_owned())),
            ["mends", name] => drop(self.broken.remove(*name)),
            ["holds", name] => drop(self.held.insert((*name).to_owned())),
            ["frees", name] => {
                self.held.remove(*name);
                let (free, still): (Vec<_>, Vec<_>) = std::mem::take(&mut self.under_way)
                    .into_iter()
                    .partition(|message| message.receiver == *name);
                self.under_way = still;
                free.iter().for_each(|message| self.plan.delivered(message, true));
            }
            ["reload"] => self.plan.apply(&self.notify, self.now),
            ["restart", rest @ ..] => {
                let kept = serde_json::to_string(&self.plan.saved()).unwrap();
                if let ["after", time] = rest {
                    self.now += millis(time);
                }
                self.next_offer = self.now;
                self.plan = Plan::new(&self.notify);
                self.plan.restore(serde_json::from_str(&kept).unwrap(), self.now).unwrap();
            }
            other => panic!("no such step: {other:?}"),
        }
        // What is due at once comes before the next step.
        self.pass(self.now);
    }
}

fn run(name: &str, script: &str) {
    for (number, text) in script.split("\n\n").enumerate() {
        let mut case = Case::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = format!("{name}, case {}: {line}", number + 1);
            match words.as_slice() {
                [] => {}
                ["expect", "no", "message"] => assert_eq!(case.told.pop_front(), None, "{at}"),
                ["expect", ..] => {
                    assert_eq!(case.told.pop_front(), Some(words[1..].join(" ")), "{at}");
                }
                _ if case.configure(&words) => {}
                _ => case.act(&words),
            }
        }
        assert!(case.told.is_empty(), "{name}, case {}: {:?}", number + 1, case.told);
    }
}

#[test]
fn timers() {
    run("timers", include_str!("scripts/timers.script"));
}

#[test]
fn routes() {
    run("routes", include_str!("scripts/routes.script"));
}

#[test]
fn hushed() {
    run("hushed", include_str!("scripts/hushed.script"));
}

#[test]
fn failures_and_restarts() {
    run("failures", include_str!("scripts/failures.script"));
}

#[test]
fn groups_have_the_keys_of_alertmanager() {
    let mut notify = settings();
    notify.routes.push(NotifyRoute {
        matchers: vec![matcher("service=~a|b"), matcher(r#"team!="x\"y""#)],
        receivers: vec!["ops".to_owned()],
        goes_on: true,
        group_by: Some(vec!["...".to_owned()]),
        group_wait: None,
        group_interval: None,
        repeat_interval: None,
    });
    let routes = Routes::of(&notify);
    let of = labels(&["Down", "service=a", "instance=1"]);
    assert_eq!(routes.of_labels(&of), [0]);
    let keys: Vec<String> = [0, 1]
        .map(|place| routes.get(place))
        .map(|route| route.group_key(&route.group_labels(&of)))
        .into();
    assert_eq!(
        keys,
        [
            r#"{}/{service=~"a|b",team!="x\"y"}:{alertname="Down", instance="1", service="a"}"#,
            r#"{}:{alertname="Down", service="a"}"#,
        ]
    );
}

fn firing(words: &[&str], starts_at: i64) -> Alert {
    Alert {
        labels: labels(words),
        annotations: BTreeMap::new(),
        starts_at,
        ends_at: None,
        generator_url: String::new(),
    }
}

fn for_ops() -> (Notify, Plan) {
    let mut notify = settings();
    let means = Means::Webhook(HttpEndpoint::open("http://127.0.0.1/"));
    notify.receivers.insert("ops".to_owned(), Receiver { means, resolved: true });
    let plan = Plan::new(&notify);
    (notify, plan)
}

#[test]
fn a_message_of_before_a_reload_frees_no_message_of_after_it() {
    let (notify, mut plan) = for_ops();
    let (minute, mut now) = (60_000, 30_000);
    plan.offer(vec![firing(&["Down", "n=1"], 0)], 0);
    let before = plan.due(now).0;
    plan.apply(&notify, now + 1);
    now += 5 * minute;
    plan.offer(vec![firing(&["Down", "n=2"], now)], now);
    let after = plan.due(now).0;
    assert_eq!((before.len(), after.len()), (1, 1));
    plan.delivered(&before[0], true);
    now += 5 * minute;
    plan.offer(vec![firing(&["Down", "n=3"], now)], now);
    assert!(plan.due(now).0.is_empty(), "one is still under way");
    plan.delivered(&after[0], true);
    assert_eq!(plan.due(now + minute).0.len(), 1);
}

#[test]
fn a_clock_that_is_set_back_delays_no_message() {
    let (_, mut plan) = for_ops();
    let (minute, days) = (60_000, 2 * 86_400_000);
    let both = |at| vec![firing(&["Down", "n=1"], at), firing(&["Down", "n=2"], at)];
    plan.offer(vec![firing(&["Down", "n=1"], days - minute)], days);
    let first = plan.due(days).0;
    plan.delivered(&first[0], true);
    let mut now = 10 * minute;
    plan.offer(both(now), now);
    assert!(plan.due(now).0.is_empty() && plan.next_at() <= now + 5 * minute);
    now += 5 * minute;
    plan.offer(both(now), now);
    let second = plan.due(now).0;
    assert_eq!(second[0].why, Why::Firing(1));
    // What was told before counts as told when the clock was set back, so that it is repeated.
    let told = plan.told.get(&second[0].group_key, "ops").map(|entry| entry.at);
    assert_eq!(told, Some(10 * minute));
}

#[test]
fn messages_name_the_oldest_alarm_first() {
    let (_, mut plan) = for_ops();
    for (label, starts_at) in [("n=1", 20_000), ("n=2", 10_000), ("n=3", 15_000)] {
        plan.offer(vec![firing(&["Down", label], starts_at)], 20_000);
    }
    let messages = plan.due(50_000).0;
    let times: Vec<i64> = messages[0].alerts.iter().map(|alert| alert.starts_at).collect();
    assert_eq!(times, [10_000, 15_000, 20_000]);
}

#[test]
fn an_alarm_of_a_slow_rule_is_believed_for_longer() {
    let (_, mut plan) = for_ops();
    let minute = 60_000;
    for at in [0, 10 * minute] {
        plan.offer(vec![firing(&["Down"], 0)], at);
    }
    assert!(plan.due(49 * minute).1.is_empty());
    assert_eq!(plan.due(50 * minute).1, [labels(&["Down"])]);
}

#[test]
fn what_was_told_is_bounded_and_forgotten() {
    let mut told = Told::default();
    let entry =
        |until| Entry { at: 0, firing: Fingerprints::new(), resolved: Fingerprints::new(), until };
    for until in 0..=told::ENTRIES_MAX as i64 {
        told.note(&until.to_string(), "ops", entry(until));
    }
    // The one that is the next to end made room.
    assert_eq!((told.all().count(), told.get("0", "ops")), (told::ENTRIES_MAX, None));
    assert!(told.expire(49_990) && told.all().count() == 10, "{}", told.all().count());
    assert!(!told.expire(49_990));
}

#[test]
fn an_old_alarm_makes_its_group_wait_no_longer() {
    let (_, mut plan) = for_ops();
    plan.offer(vec![firing(&["Down", "n=1"], 0)], 0);
    assert!(plan.due(10_000).0.is_empty());
    plan.offer(vec![firing(&["Down", "n=2"], -60_000)], 10_000);
    assert_eq!(plan.due(10_000).0.len(), 1);
}

#[test]
fn alarms_that_are_over_are_forgotten() {
    let (_, mut plan) = for_ops();
    let down = firing(&["Down"], 0);
    plan.offer(vec![down.clone()], 0);
    for message in plan.due(30_000).0 {
        plan.delivered(&message, true);
    }
    plan.offer(vec![Alert { ends_at: Some(40_000), ..down }], 40_000);
    for message in plan.due(330_000).0 {
        plan.delivered(&message, true);
    }
    plan.due(900_000);
    assert_eq!((plan.alarms().count(), plan.group_count()), (1, 0));
    plan.due(960_000);
    assert_eq!(plan.alarms().count(), 0);
}

#[test]
fn silences_are_true_of_the_past() {
    let (_, mut plan) = for_ops();
    let silence = |id: &str, matcher: &str, starts_at, ends_at| Silence {
        id: id.to_owned(),
        matchers: vec![Term::parse(matcher).unwrap()],
        starts_at,
        ends_at,
        updated_at: 0,
        created_by: "somebody".to_owned(),
        comment: String::new(),
    };
    let times = |plan: &Plan, id: &str| {
        let silence = plan.silence_of(id).unwrap();
        (silence.starts_at, silence.ends_at)
    };
    // None begins before it is made.
    let first = plan.silence(silence("", "a=b", 0, 90_000), 1 << 100, 10_000).unwrap();
    assert_eq!(times(&plan, &first), (10_000, 90_000));
    // One that holds keeps its beginning and its matchers; otherwise it ends, and there is another.
    let later = plan.silence(silence(&first, "a=b", 30_000, 90_000), 2 << 100, 20_000).unwrap();
    assert_ne!(later, first);
    assert_eq!((times(&plan, &first), times(&plan, &later)), ((10_000, 20_000), (30_000, 90_000)));
    let other = plan.silence(silence(&later, "a=c", 30_000, 90_000), 3 << 100, 25_000).unwrap();
    assert_ne!(other, later);
    // One that was still to come hushes nothing, not even for a moment.
    assert_eq!(times(&plan, &later), (25_000, 25_000));
    let long = Silence { comment: "x".repeat(20_000), ..silence("", "a=b", 0, 90_000) };
    assert_eq!(plan.silence(long, 4 << 100, 30_000), Err(SilenceError::LongText));
    let five_days = 5 * 86_400_000;
    plan.due(five_days + 20_000);
    assert_eq!(plan.silences().count(), 2);
    plan.due(five_days + 90_000);
    assert_eq!(plan.silences().count(), 0);
}

#[test]
fn there_is_a_bound_on_everything() {
    let mut notify = settings();
    notify.group_by = vec!["...".to_owned()];
    let means = Means::Webhook(HttpEndpoint::open("http://127.0.0.1/"));
    notify.receivers.insert("ops".to_owned(), Receiver { means, resolved: true });
    let mut plan = Plan::new(&notify);
    let alert = |number: usize| Alert {
        labels: labels(&["A", &format!("n={number}")]),
        annotations: BTreeMap::new(),
        starts_at: 0,
        ends_at: None,
        generator_url: String::new(),
    };
    let offered = plan.offer((0..ALARMS_MAX + 5).map(alert).collect(), 0);
    assert_eq!(offered, Offered { refused: 5, ungrouped: ALARMS_MAX - GROUPS_MAX });
    assert_eq!((plan.alarms().count(), plan.group_count()), (ALARMS_MAX, GROUPS_MAX));
    assert_eq!(plan.due(30_000).0.len(), GROUPS_MAX);
    let make = |plan: &mut Plan, number| {
        let matchers = vec![Term::parse("a=b").unwrap()];
        let (created_by, comment, id) = (String::new(), String::new(), String::new());
        let (starts_at, ends_at, updated_at) = (0, 10, 0);
        let silence = Silence { id, matchers, starts_at, ends_at, updated_at, created_by, comment };
        plan.silence(silence, number, 0)
    };
    for number in 0..silences::SILENCES_MAX {
        make(&mut plan, (number as u128) << 80).unwrap();
    }
    assert_eq!(make(&mut plan, 1), Err(SilenceError::Full));
}
