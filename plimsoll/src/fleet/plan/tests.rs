//! Plays the scripts beside this file.
//!
//! A script is a service line, then events with their time, each followed by the steps that the
//! planner answers with, indented. A test renders the script with what the planner really
//! answers and compares. With `UPDATE_SCRIPTS=1` the answers are written into the files instead,
//! to be read before they are committed.
//!
//! Events: `plan` (time passes), `healthy N…` (the balancer sees them healthy and idle),
//! `traffic N healthy|unhealthy|draining|unknown [in_flight=N] [requests=N]`, `ends N TEXT` (the
//! main process), `gone N` (all of it), `dies N TEXT` (both), `memory N BYTES`, `want N`,
//! `restart`, `change`, `policy KEY=VALUE…`, `stop DURATION`. Jitter is none.

mod world;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::*;

fn duration(text: &str) -> Duration {
    let milliseconds = text.strip_suffix("ms").map(|number| number.parse::<f64>().unwrap());
    let milliseconds = milliseconds
        .unwrap_or_else(|| text.strip_suffix('s').unwrap().parse::<f64>().unwrap() * 1000.0);
    Duration::from_millis(milliseconds.round() as u64)
}

fn set(policy: &mut Policy, pairs: &[&str]) {
    for pair in pairs {
        let (key, value) = pair.split_once('=').unwrap();
        match key {
            "start_timeout" => policy.start_timeout = duration(value),
            "stop_timeout" => policy.stop_timeout = duration(value),
            "initial" => policy.restart.initial = duration(value),
            "max" => policy.restart.max = duration(value),
            "reset_after" => policy.restart.reset_after = duration(value),
            "crash_loop_after" => policy.restart.crash_loop_after = value.parse().unwrap(),
            "max_memory" => policy.max_memory_bytes = Some(value.parse().unwrap()),
            "max_requests" => policy.max_requests = Some(value.parse().unwrap()),
            _ => panic!("{key}"),
        }
    }
}

fn default_policy() -> Policy {
    Policy {
        start_timeout: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(10),
        restart: RestartPolicy {
            initial: Duration::from_millis(200),
            max: Duration::from_secs(30),
            reset_after: Duration::from_secs(10),
            crash_loop_after: 5,
        },
        max_memory_bytes: None,
        max_requests: None,
    }
}

fn seen(words: &[&str]) -> Option<Seen> {
    let mut seen = Seen { healthy: false, draining: false, in_flight: 0, requests: 0 };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("healthy", _) => seen.healthy = true,
            ("unhealthy", _) => {}
            ("draining", _) => seen.draining = true,
            ("unknown", _) => return None,
            ("in_flight", number) => seen.in_flight = number.parse().unwrap(),
            ("requests", number) => seen.requests = number.parse().unwrap(),
            (word, _) => panic!("{word}"),
        }
    }
    Some(seen)
}

struct Script {
    policy: Policy,
    planner: Planner,
    /// The balancer's view stays until it changes.
    traffic: BTreeMap<u32, Option<Seen>>,
}

impl Script {
    fn new(words: &[&str]) -> Self {
        let mut policy = default_policy();
        let (count, rest) = words.split_first().unwrap();
        set(&mut policy, rest);
        let planner = Planner::new("web", policy.clone(), count.parse().unwrap());
        Self { policy, planner, traffic: BTreeMap::new() }
    }

    fn play(&mut self, now: Duration, words: &[&str], out: &mut String) {
        let number = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let rest = || words[2..].join(" ");
        match words[0] {
            "plan" => {}
            "healthy" => {
                for number in &words[1..] {
                    self.traffic.insert(number.parse().unwrap(), seen(&["healthy"]));
                }
            }
            "traffic" => {
                self.traffic.insert(number, seen(&words[2..]));
            }
            "ends" => self.planner.exited(number, &rest(), now),
            "gone" => self.planner.gone(number),
            "dies" => {
                self.planner.exited(number, &rest(), now);
                self.planner.gone(number);
                self.traffic.remove(&number);
            }
            "memory" => self.planner.weigh(number, words[2].parse().unwrap()),
            "want" => self.planner.want(number),
            "restart" => {
                if self.planner.restart().is_err() {
                    out.push_str("    refused\n");
                }
            }
            "change" => {
                self.planner.change();
            }
            "policy" => {
                set(&mut self.policy, &words[1..]);
                self.planner.set_policy(self.policy.clone());
            }
            "stop" => self.planner.stop(now, now + duration(words[1])),
            word => panic!("{word}"),
        }
        let numbers: Vec<u32> = self.planner.instances.keys().copied().collect();
        for number in numbers {
            let seen = self.traffic.get(&number).copied().flatten();
            self.planner.observe(number, seen, now);
        }
        for step in self.planner.plan(now, &mut || 0) {
            if step.action == Action::Remove {
                self.traffic.remove(&step.number.unwrap());
            }
            let who = step.number.map_or("web".to_owned(), |number| format!("web-{number}"));
            let what = match step.action {
                Action::Start { generation } => format!("start generation {generation}"),
                Action::MarkDraining => "mark draining".to_owned(),
                Action::Terminate => "terminate".to_owned(),
                Action::Kill => "kill".to_owned(),
                Action::Remove => "remove".to_owned(),
                Action::ReportReady => "report ready".to_owned(),
                Action::ReportExit => "report exit".to_owned(),
                Action::DeclareCrashLoop => "declare crash loop".to_owned(),
                Action::FinishRollout(rollout) => format!("finish {:?}", rollout.cause),
                Action::RollBack(rollout) => format!("roll back {:?}", rollout.cause),
                Action::AbortRollout(rollout) => format!("abort {:?}", rollout.cause),
                Action::AbandonRecycle => "abandon recycle".to_owned(),
            };
            writeln!(out, "    {who} {what}: {}", step.reason).unwrap();
        }
    }
}

/// The script with the planner's answers.
fn render(text: &str) -> String {
    let mut out = String::new();
    let mut script = None;
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        out.push_str(line);
        out.push('\n');
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.split_first() {
            None | Some((&"#", _)) => {}
            Some((&"service", rest)) => script = Some(Script::new(rest)),
            Some((time, rest)) => {
                let script = script.as_mut().expect("a service line first");
                script.play(duration(time), rest, &mut out);
            }
        }
    }
    out
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fleet/plan").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let rendered = render(&text);
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        return std::fs::write(path, rendered).unwrap();
    }
    for (number, (wanted, got)) in text.lines().zip(rendered.lines()).enumerate() {
        assert_eq!(got, wanted, "{name}:{}", number + 1);
    }
    assert_eq!(rendered, text, "{name}: more or fewer lines");
}

#[test]
fn lives() {
    check("life.txt");
}

#[test]
fn crashes() {
    check("crash.txt");
}

#[test]
fn counts() {
    check("count.txt");
}

#[test]
fn restarts() {
    check("restart.txt");
}

#[test]
fn changes() {
    check("change.txt");
}

#[test]
fn ceilings() {
    check("ceiling.txt");
}

#[test]
fn stops() {
    check("stop.txt");
}
