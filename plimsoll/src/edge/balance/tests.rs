//! Text scripts and properties of the balancer.
//!
//! A script is a list of cases; `balance POLICY` starts one. Then:
//!
//!     slow_start 10s                    min_healthy 66% fail|spread
//!     server NAME [weight=3] [max_conns=2] [backup] [state=STATE] [in_flight=4]
//!                 [latency=10ms] [healthy_since=5s]      new, or changed
//!     at 5s                             the time of what follows
//!     pick [client=IP] [key=TEXT] [tried=a,b] -> TEXT    the decision, or its beginning;
//!                                       `* TEXT`: the reason alone
//!     picks [client=…] a b              decisions for requests that end at once
//!     hold [client=…] a b               the same for requests that stay in flight
//!     shares 1000 -> a=500 b=500 [about 20]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::config::model::{Address, Balance, BelowMinHealthy, HashKey, MinHealthy};
use crate::edge::hash;
use crate::edge::server::{InFlight, ServerSpec, ServerState};

fn balance(name: &str) -> Balance {
    match name {
        "round-robin" => Balance::RoundRobin,
        "least-conn" => Balance::LeastConn,
        "random" => Balance::Random,
        "power-of-two" => Balance::PowerOfTwo,
        "peak-ewma" => Balance::PeakEwma,
        "ip-hash" => Balance::IpHash,
        "hash" => Balance::Hash(HashKey::Uri),
        other => panic!("unknown policy {other}"),
    }
}

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(millis.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

/// A service in a test, and the requests that it holds.
struct Bench {
    balance: Balance,
    min_healthy: MinHealthy,
    slow_start: Duration,
    servers: Vec<Arc<Server>>,
    turn: AtomicU64,
    now: Duration,
    random: u64,
}

impl Bench {
    fn new(policy: &str) -> Self {
        Self {
            balance: balance(policy),
            min_healthy: MinHealthy { percent: 0, below: BelowMinHealthy::Fail },
            slow_start: Duration::ZERO,
            servers: Vec::new(),
            turn: AtomicU64::new(0),
            now: Duration::ZERO,
            random: 1,
        }
    }

    fn set(&self) -> ServerSet {
        ServerSet::new(&self.servers, &self.balance, self.min_healthy, self.slow_start)
    }

    fn named(&self, name: &str) -> &Arc<Server> {
        self.servers.iter().find(|server| *server.name == *name).unwrap()
    }

    fn server(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let words: Vec<(&str, &str)> =
            words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        let get = |key: &str| words.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let old = self.servers.iter().position(|server| *server.name == *name);
        let index = old.unwrap_or_else(|| {
            let spec = ServerSpec {
                name: name.to_owned(),
                address: Address::Unix("/nowhere".into()),
                weight: 1,
                max_conns: None,
                backup: get("backup").is_some(),
                draining: false,
            };
            let server = Server::new(&Arc::from("web"), &spec, ServerState::Healthy);
            self.servers.push(Arc::new(server));
            self.servers.len() - 1
        });
        let server = &self.servers[index];
        let number = |key: &str| get(key).map(|value| value.parse::<u32>().unwrap());
        let state = get("state").unwrap_or("healthy");
        server.set_state(*ServerState::ALL.iter().find(|one| one.as_str() == state).unwrap());
        if let Some(weight) = number("weight") {
            server.weight.store(weight, Ordering::Relaxed);
        }
        if let Some(max_conns) = number("max_conns") {
            server.max_conns.store(max_conns, Ordering::Relaxed);
        }
        if let Some(in_flight) = number("in_flight") {
            server.in_flight.store(in_flight, Ordering::Relaxed);
        }
        if let Some(latency) = get("latency") {
            server.latency.observe(duration(latency), self.now.as_nanos() as u64);
        }
        let since = get("healthy_since").map_or(0, |since| duration(since).as_nanos() as u64);
        server.ramp_from.store(since, Ordering::Relaxed);
    }

    /// Decides for one request; words are `client=`, `key=` and `tried=`.
    fn decide<T>(
        &mut self,
        set: &ServerSet,
        words: &[&str],
        see: impl FnOnce(Result<Decision<'_>, NoServer>) -> T,
    ) -> T {
        let get = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let tried: Vec<_> = get("tried=").map_or(Vec::new(), |names| {
            names.split(',').map(|name| Arc::clone(self.named(name))).collect()
        });
        let input = PickInput {
            client: get("client=").unwrap_or("127.0.0.1").parse().unwrap(),
            hash: get("key=").map(|key| hash::of_bytes(key.as_bytes())),
            tried: &tried,
            random: hash::next(&mut self.random),
            now: Instant::now(),
        };
        see(set.choose(&input, &self.turn, self.now.as_nanos() as u64))
    }

    fn explain(&mut self, words: &[&str]) -> String {
        let set = self.set();
        self.decide(&set, words, |decision| match decision {
            Ok(decision) => decision.to_string(),
            Err(none) => none.to_string(),
        })
    }

    /// The names that get the next requests.
    fn names(&mut self, words: &[&str], count: usize, hold: bool) -> Vec<String> {
        let set = self.set();
        let name = |decision: Result<Decision<'_>, NoServer>| {
            let decision = decision.unwrap();
            if hold {
                std::mem::forget(InFlight::try_start(&decision).unwrap());
            }
            decision.server.name.to_string()
        };
        (0..count).map(|_| self.decide(&set, words, name)).collect()
    }

    fn shares(&mut self, line: &str) {
        let (count, expected) = line.split_once(" -> ").unwrap();
        let (expected, about) = expected.split_once(" about ").unwrap_or((expected, "0"));
        let mut got: BTreeMap<String, i64> = BTreeMap::new();
        for name in self.names(&[], count.parse().unwrap(), false) {
            *got.entry(name).or_default() += 1;
        }
        for pair in expected.split_whitespace() {
            let (name, wanted) = pair.split_once('=').unwrap();
            let got = got.get(name).copied().unwrap_or(0);
            let far = (got - wanted.parse::<i64>().unwrap()).abs();
            assert!(far <= about.parse().unwrap(), "{name} got {got}, wanted {pair} of {count}");
        }
    }
}

fn run(script: &str) {
    let mut bench = Bench::new("round-robin");
    for (number, line) in script.lines().enumerate() {
        let number = number + 1;
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split(" -> ").next().unwrap().split_whitespace().collect();
        match command {
            "" | "#" => {}
            "balance" => bench = Bench::new(rest),
            "slow_start" => bench.slow_start = duration(rest),
            "min_healthy" => {
                let below = match words[1] {
                    "spread" => BelowMinHealthy::Spread,
                    _ => BelowMinHealthy::Fail,
                };
                let percent = words[0].strip_suffix('%').unwrap().parse().unwrap();
                bench.min_healthy = MinHealthy { percent, below };
            }
            "server" => bench.server(rest),
            "at" => bench.now = duration(rest),
            "shares" => bench.shares(rest),
            "pick" => {
                let expected = rest.split("-> ").last().unwrap();
                let got = bench.explain(&words);
                let fits = match expected.strip_prefix("* ") {
                    Some(reason) => got.ends_with(&format!(": {reason}")),
                    None => got.starts_with(expected),
                };
                assert!(fits, "line {number}: {line}\n  got {got}");
            }
            "picks" | "hold" => {
                let (how, names): (Vec<&str>, Vec<&str>) =
                    words.iter().partition(|word| word.contains('='));
                let got = bench.names(&how, names.len(), command == "hold");
                assert_eq!(got, names, "line {number}: {line}");
            }
            other => panic!("line {number}: unknown command {other}"),
        }
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            run(include_str!(concat!("scripts/", stringify!($name), ".script")));
        }
    )*};
}

scripts!(round_robin backup min_healthy load hash slow_start);

/// A service of `count` equal servers named s0, s1…
fn equal(policy: &str, count: usize) -> Bench {
    let mut bench = Bench::new(policy);
    for index in 0..count {
        bench.server(&format!("s{index}"));
    }
    bench
}

fn owners(bench: &mut Bench, keys: usize) -> Vec<String> {
    let set = bench.set();
    let name = |decision: Result<Decision<'_>, NoServer>| decision.unwrap().server.name.to_string();
    (0..keys).map(|key| bench.decide(&set, &[&format!("key=k{key}")], name)).collect()
}

#[test]
fn a_leaving_server_moves_its_own_keys_only() {
    const KEYS: usize = 4000;
    for count in [2, 3, 5, 10] {
        let mut bench = equal("hash", count);
        let before = owners(&mut bench, KEYS);
        bench.server("s1 state=unhealthy");
        let after = owners(&mut bench, KEYS);
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new).count();
        let own = before.iter().filter(|name| *name == "s1").count();
        assert_eq!(moved, own, "of {count} servers");
        let fair = KEYS / count;
        assert!(own.abs_diff(fair) < fair / 5, "s1 of {count} had {own} keys, fair are {fair}");
        // And back, exactly.
        bench.server("s1");
        assert_eq!(owners(&mut bench, KEYS), before);
    }
}

#[test]
fn a_joining_server_takes_keys_for_itself_only() {
    let mut bench = equal("hash", 4);
    let before = owners(&mut bench, 4000);
    bench.server("s4 weight=2");
    let after = owners(&mut bench, 4000);
    for (old, new) in before.iter().zip(&after) {
        assert!(old == new || new == "s4", "{old} -> {new}");
    }
    // Two of six shares.
    let moved = after.iter().filter(|name| *name == "s4").count();
    assert!((1200..1470).contains(&moved), "{moved}");
}

#[test]
fn a_growing_server_keeps_the_keys_that_came() {
    let mut bench = equal("hash", 3);
    bench.slow_start = Duration::from_secs(10);
    bench.server("s2 healthy_since=100s");
    let mut had: Vec<usize> = Vec::new();
    for second in [100, 103, 107, 110] {
        bench.now = Duration::from_secs(second);
        let owners = owners(&mut bench, 3000);
        let has: Vec<usize> = (0..3000).filter(|key| owners[*key] == "s2").collect();
        assert!(had.iter().all(|key| has.contains(key)), "at {second} s");
        assert!(has.len() > had.len());
        had = has;
    }
}

const POLICIES: [&str; 7] =
    ["round-robin", "least-conn", "random", "power-of-two", "peak-ewma", "ip-hash", "hash"];

#[derive(Debug, Clone)]
struct AnyServer {
    weight: u32,
    max_conns: Option<u32>,
    in_flight: u32,
    backup: bool,
    state: ServerState,
    tried: bool,
    since: u64,
}

fn any_server() -> impl Strategy<Value = AnyServer> {
    let state = prop::sample::select(ServerState::ALL.to_vec());
    let state = prop_oneof![2 => Just(ServerState::Healthy), 1 => state];
    (1u32..20, prop::option::of(0u32..4), 0u32..5, any::<bool>(), state, any::<bool>(), 0u64..20)
        .prop_map(|(weight, max_conns, in_flight, backup, state, tried, since)| AnyServer {
            weight,
            max_conns,
            in_flight,
            backup,
            state,
            tried,
            since,
        })
}

proptest! {
    /// Whatever the policy and the servers: nobody gets what it must not get, backups wait, and
    /// a request is refused only when nobody could take it.
    #[test]
    fn decisions_keep_their_promises(
        policy in prop::sample::select(POLICIES.to_vec()),
        servers in prop::collection::vec(any_server(), 0..8),
        percent in prop_oneof![Just(0u8), 1u8..=100],
        spread in any::<bool>(),
        key in prop::option::of(any::<u64>()),
        random in any::<u64>(),
        slow_start in 0u64..30,
    ) {
        let mut bench = Bench::new(policy);
        let below = if spread { BelowMinHealthy::Spread } else { BelowMinHealthy::Fail };
        bench.min_healthy = MinHealthy { percent, below };
        bench.slow_start = Duration::from_secs(slow_start);
        bench.now = Duration::from_secs(20);
        for (index, server) in servers.iter().enumerate() {
            let AnyServer { weight, in_flight, state, since, .. } = server;
            let backup = if server.backup { "backup" } else { "" };
            let max_conns = server.max_conns.map_or(String::new(), |n| format!("max_conns={n}"));
            bench.server(&format!(
                "s{index} weight={weight} in_flight={in_flight} state={state} {backup} \
                 {max_conns} healthy_since={since}s"
            ));
        }
        let tried: Vec<Arc<Server>> = (bench.servers.iter().zip(&servers))
            .filter(|(_, some)| some.tried)
            .map(|(server, _)| Arc::clone(server))
            .collect();
        let client = [10, 0, 0, 1].into();
        let input = PickInput { client, hash: key, tried: &tried, random, now: Instant::now() };
        let set = bench.set();
        let census = set.census();
        let decision = set.choose(&input, &bench.turn, bench.now.as_nanos() as u64);

        let reached = census.reaches(percent);
        let healthy = servers.iter().any(|some| some.state == ServerState::Healthy);
        let may = |some: &AnyServer| {
            let room = some.max_conns.is_none_or(|limit| some.in_flight < limit);
            let state = match some.state {
                ServerState::Healthy => true,
                ServerState::Unhealthy => !reached,
                ServerState::Ejected => !reached || !healthy,
                _ => false,
            };
            room && state && !some.tried && (reached || spread)
        };
        let primary_may = servers.iter().any(|some| may(some) && !some.backup);
        let backup_may = servers.iter().any(|some| may(some) && some.backup);
        match decision {
            Ok(decision) => {
                let index: usize = decision.server.name[1..].parse().unwrap();
                prop_assert!(may(&servers[index]), "{decision}");
                prop_assert_eq!(decision.tier == Tier::Backup, servers[index].backup);
                prop_assert!(!servers[index].backup || !primary_may, "{}", decision);
            }
            Err(none) => prop_assert!(!primary_may && !backup_may, "{none}"),
        }
    }

    /// No server carries more than 1.25 times its share of what is in flight, however few keys
    /// there are.
    #[test]
    fn a_hashed_load_is_bounded(
        weights in prop::collection::vec(1u32..5, 1..8),
        keys in 1u64..4,
        requests in 1usize..120,
    ) {
        let mut bench = Bench::new("hash");
        for (index, weight) in weights.iter().enumerate() {
            bench.server(&format!("s{index} weight={weight}"));
        }
        let total: u32 = weights.iter().sum();
        let set = bench.set();
        for request in 0..requests {
            let key = format!("key={}", request as u64 % keys);
            let in_flight = bench.decide(&set, &[&key], |it| InFlight::try_start(&it.unwrap()));
            let server = Arc::clone(in_flight.as_ref().unwrap().server());
            std::mem::forget(in_flight);
            let share = f64::from(server.weight.load(Ordering::Relaxed)) / f64::from(total);
            let bound = (policy::LOAD_BOUND * (request + 1) as f64 * share).ceil() as u32;
            prop_assert!(server.in_flight.load(Ordering::Relaxed) <= bound);
        }
    }
}
