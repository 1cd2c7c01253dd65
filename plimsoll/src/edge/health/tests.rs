//! Text scripts of the health of servers.
//!
//!     service [every=5s] [rise=1] [fall=3] [process] [resolves] [max_fails=5] [fail_window=10s]
//!             [eject_for=10s] [eject_max=300s] [min_healthy=66%]
//!     servers NAME…                     new at 0 s
//!     at TIME service …                 a reload
//!     at TIME check NAME ok|fail TEXT
//!     at TIME resolve NAME ok|fail TEXT
//!     at TIME failure NAME TEXT         of real traffic
//!     at TIME success NAME [TIMES]      of real traffic
//!     at TIME drain|undrain NAME owner|operator
//!     at TIME tick                      what is due happens
//!     expect NAME STATE [since TIME] [because TEXT]
//!     expect log TEXT | expect no log   the next event; none is left over at the end of a case
//!     expect traffic NAMES… | none: WHY who gets requests
//!     expect next NAME in TIME | never  the next check, without jitter

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;
use crate::config::model::{Address, Balance, BelowMinHealthy, MinHealthy};
use crate::edge::balance::{PickInput, ServerSet};
use crate::edge::server::{Server, ServerSpec};

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(millis.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

/// The policy and threshold that the words of `service` name.
fn policy(line: &str) -> (HealthPolicy, u8) {
    let get = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key));
    let number = |key, default| get(key).map_or(default, |text| text.parse().unwrap());
    let time = |key, seconds| get(key).map_or(Duration::from_secs(seconds), duration);
    let check = get("every=").map(|every| {
        let (every, fall) = (duration(every), number("fall=", 3));
        let patience = get("process").is_none().then_some(every * fall);
        CheckPolicy { every, jitter: 0.0, rise: number("rise=", 1), fall, patience }
    });
    let passive = PassiveHealth {
        max_fails: number("max_fails=", 5),
        fail_window: time("fail_window=", 10),
        eject_for: time("eject_for=", 10),
        eject_max: time("eject_max=", 300),
    };
    let percent = get("min_healthy=").map_or(0, |text| text.trim_end_matches('%').parse().unwrap());
    (HealthPolicy { check, passive }, percent)
}

struct Case {
    policy: HealthPolicy,
    percent: u8,
    resolves: bool,
    now: Duration,
    names: Vec<String>,
    health: Vec<Health>,
    log: VecDeque<String>,
}

impl Case {
    fn new(line: &str) -> Self {
        let (policy, percent) = policy(line);
        Self {
            policy,
            percent,
            resolves: line.contains("resolves"),
            now: Duration::ZERO,
            names: Vec::new(),
            health: Vec::new(),
            log: VecDeque::new(),
        }
    }

    fn index(&self, name: &str) -> usize {
        self.names.iter().position(|one| one == name).unwrap_or_else(|| panic!("no server {name}"))
    }

    fn happen(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let (what, now) = (words[0], self.now);
        let name = *words.get(1).unwrap_or(&"");
        let said: Vec<(usize, Option<Event>)> = match what {
            "tick" => self.health.iter_mut().map(|health| health.tick(now)).enumerate().collect(),
            "service" => {
                (self.policy, self.percent) = policy(line);
                let configure = |health: &mut Health| health.configure(self.policy.clone(), now);
                self.health.iter_mut().map(configure).enumerate().collect()
            }
            _ => {
                let index = self.index(name);
                let health = &mut self.health[index];
                let rest = line.splitn(3, ' ').nth(2).unwrap_or("");
                let result = match (words.get(2), words.get(3)) {
                    (Some(&"fail"), text) => Err((*text.unwrap()).to_owned()),
                    (_, text) => Ok(*text.unwrap_or(&"")),
                };
                // As the probe tells it.
                let mistaken = |text: String| CheckFailure {
                    mistaken: text.contains("answered") && !text.contains("503"),
                    text,
                };
                let on = what == "drain";
                let event = match (what, words.get(2)) {
                    ("check", _) => health.check(result.map_err(mistaken).as_ref().copied(), now),
                    ("resolve", _) => {
                        health.resolved(result.as_ref().map(|_| ()).map_err(String::as_str), now)
                    }
                    ("drain" | "undrain", Some(&"owner")) => health.drain_by_owner(on, now),
                    ("drain" | "undrain", _) => health.drain_by_operator(on, now),
                    ("success", times) => {
                        let times = times.map_or(1, |times| times.parse().unwrap());
                        (0..times).filter_map(|_| health.success()).last()
                    }
                    ("failure", _) => health.failure(rest, now),
                    _ => panic!("unknown event {line}"),
                };
                vec![(index, event)]
            }
        };
        for (index, event) in said {
            let name = &self.names[index];
            match event {
                Some(Event::Changed(Transition { to, reason, .. })) => {
                    self.log.push_back(format!("{name} is {to}: {reason}"));
                }
                Some(Event::Mistaken(text)) => {
                    self.log.push_back(format!("{name} is mistaken: {text}"));
                }
                Some(Event::Cleared(text)) => self.log.push_back(format!("{name}: {text}")),
                None => {}
            }
        }
    }

    /// Who would get requests: names in order, or why nobody.
    fn traffic(&self) -> String {
        let servers: Vec<Arc<Server>> = (self.names.iter().zip(&self.health))
            .map(|(name, health)| {
                let spec = ServerSpec {
                    name: name.clone(),
                    address: Address::Unix("/nowhere".into()),
                    weight: 1,
                    max_conns: None,
                    backup: false,
                    draining: false,
                };
                Arc::new(Server::new(&Arc::from("web"), &spec, health.state()))
            })
            .collect();
        let min_healthy = MinHealthy { percent: self.percent, below: BelowMinHealthy::Fail };
        let set = ServerSet::new(&servers, &Balance::RoundRobin, min_healthy, Duration::ZERO);
        let client = [127, 0, 0, 1].into();
        let input = PickInput { client, hash: None, tried: &[], random: 0, now: Instant::now() };
        let turn = AtomicU64::new(0);
        let mut names = BTreeSet::new();
        for _ in 0..servers.len() {
            match set.choose(&input, &turn, 0) {
                Ok(decision) => names.insert(decision.server.name.to_string()),
                Err(none) => return format!("none: {none}"),
            };
        }
        names.into_iter().collect::<Vec<_>>().join(" ")
    }

    fn expect(&mut self, line: &str) {
        if line == "no log" {
            assert!(self.log.is_empty(), "there is a log: {:?}", self.log);
        } else if let Some(text) = line.strip_prefix("log ") {
            assert_eq!(self.log.pop_front().as_deref(), Some(text));
        } else if let Some(names) = line.strip_prefix("traffic ") {
            assert_eq!(self.traffic(), names);
        } else if let Some(rest) = line.strip_prefix("next ") {
            let (name, time) = rest.split_once(' ').unwrap();
            let next = self.health[self.index(name)].next_check(self.now, 0);
            assert_eq!(next, time.strip_prefix("in ").map(duration), "next check of {name}");
        } else {
            let (line, because) = match line.split_once(" because ") {
                Some((line, because)) => (line, Some(because)),
                None => (line, None),
            };
            let words: Vec<&str> = line.split(' ').collect();
            let health = &self.health[self.index(words[0])];
            assert_eq!(health.state().as_str(), words[1], "because {}", health.reason());
            if let ["since", time] = words[2..] {
                assert_eq!(health.since(), duration(time));
            }
            if let Some(because) = because {
                assert_eq!(health.reason(), because);
            }
        }
    }
}

fn run(script: &str) {
    let mut case = Case::new("");
    for (number, line) in script.lines().enumerate() {
        println!("line {}: {line}", number + 1);
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "" | "#" => {}
            "service" => {
                case.expect("no log");
                case = Case::new(line);
            }
            "servers" => {
                for name in rest.split(' ') {
                    let health = Health::new(case.policy.clone(), case.resolves, case.now);
                    case.names.push(name.to_owned());
                    case.health.push(health);
                }
            }
            "at" => {
                let (time, what) = rest.split_once(' ').unwrap();
                case.now = duration(time);
                case.happen(what);
            }
            "expect" => case.expect(rest),
            other => panic!("unknown command {other}"),
        }
    }
    case.expect("no log");
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            run(include_str!(concat!("scripts/", stringify!($name), ".script")));
        }
    )*};
}

scripts!(kong rise_and_fall starting passive together reload resolve);

#[test]
fn checks_vary_by_their_jitter() {
    let (mut policy, _) = policy("every=10s");
    policy.check.as_mut().unwrap().jitter = 0.1;
    let mut health = Health::new(policy, false, Duration::ZERO);
    let next = |health: &Health, random| health.next_check(Duration::ZERO, random).unwrap();
    // Servers that came up together are spread over half an interval.
    health.check(Ok("connected"), Duration::ZERO);
    assert_eq!(next(&health, 0), Duration::from_secs(5));
    assert_eq!(next(&health, u64::MAX).as_secs_f64().round(), 10.0);
    health.check(Ok("connected"), Duration::ZERO);
    assert_eq!(next(&health, 0), Duration::from_secs(9));
    assert_eq!(next(&health, u64::MAX).as_secs_f64().round(), 11.0);
}

#[test]
fn what_is_remembered_is_bounded() {
    let (policy, _) = policy("max_fails=4000000000 fail_window=1000s");
    let mut health = Health::new(policy, false, Duration::ZERO);
    for millis in 0..2000 {
        health.failure("connection refused", Duration::from_millis(millis));
    }
    assert!(health.failures.len() <= FAILURES_MAX);
}

#[test]
fn times_read_well() {
    for (millis, text) in [(2000, "2 s"), (250, "250 ms"), (1500, "1.5 s"), (90_000, "90 s")] {
        assert_eq!(show(Duration::from_millis(millis)), text);
    }
}
