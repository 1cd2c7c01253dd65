//! Searches against servers whose limit is known.
//!
//! Servers are simulated: a probe is a list of arrivals, each of which gets a response time. What
//! the search then says is compared with the truth over many seeds, and with golden transcripts
//! where the server has no chance in it.

use std::time::Duration;

use super::objective::Objective;
use super::planner::{Above, Cut, Planner, Probe, Settings, Standing, Status, Step};
use super::run::{Search, search};
use super::verdict::Outcome;
use crate::load::timeline::{Bucket, Timeline};

/// A server: what becomes of an arrival.
trait Server {
    /// Before each probe.
    fn rest(&mut self) {}
    /// The response time in seconds of a request that arrives at `at` at this rate, and whether it
    /// succeeds.
    fn serve(&mut self, at: f64, rate: f64) -> (f64, bool);
    /// Why the tester would be the limit at this rate.
    fn tester_limit(&self, _rate: f64) -> Option<String> {
        None
    }
}

/// Sends evenly spaced arrivals (or Poisson ones) and counts what ends in which second.
fn probe(server: &mut dyn Server, probe: &Probe, random: Option<&mut fastrand::Rng>) -> Outcome {
    server.rest();
    let mut random = random;
    let end = probe.duration().as_secs_f64();
    let mut buckets: Vec<Bucket> = vec![Bucket::default(); end as usize];
    let mut at = 0.0;
    loop {
        at += match &mut random {
            Some(random) => -(1.0 - random.f64()).ln() / probe.rate,
            None => 1.0 / probe.rate,
        };
        if at >= end {
            break;
        }
        let (time, succeeds) = server.serve(at, probe.rate);
        let done = (at + time) as usize;
        if buckets.len() <= done {
            buckets.resize_with(done + 1, Bucket::default);
        }
        buckets[at as usize].due += 1;
        buckets[done].requests += 1;
        buckets[done].errors += u64::from(!succeeds);
        buckets[done].response_time.record(Duration::from_secs_f64(time));
        for second in &mut buckets[at as usize..done] {
            second.in_flight += 1;
        }
    }
    let timeline = Timeline { buckets, ..Timeline::default() };
    Outcome { timeline, tester_limit: server.tester_limit(probe.rate), interrupted: false }
}

fn find(
    server: &mut dyn Server,
    objective: &str,
    settings: Settings,
    seed: Option<u64>,
) -> (Search, String) {
    let mut random = seed.map(fastrand::Rng::with_seed);
    let mut transcript = String::new();
    let objective = Objective::parse(objective).unwrap();
    let mut make = |wanted: &Probe| Ok::<_, ()>(probe(server, wanted, random.as_mut()));
    let mut say = |line: &str| {
        transcript.push_str(line);
        transcript.push('\n');
    };
    let found = search(&objective, settings, &mut |_| (), &mut make, &mut say).unwrap();
    (found, transcript)
}

/// One server, first come first served, exponential service times of mean `1 / capacity`.
struct Queue {
    capacity: f64,
    free_at: f64,
    random: fastrand::Rng,
}

impl Server for Queue {
    fn rest(&mut self) {
        self.free_at = 0.0;
    }

    fn serve(&mut self, at: f64, _rate: f64) -> (f64, bool) {
        let service = -(1.0 - self.random.f64()).ln() / self.capacity;
        self.free_at = self.free_at.max(at) + service;
        (self.free_at - at, true)
    }
}

/// A fixed time below a capacity, a growing queue above it.
struct Cliff {
    capacity: f64,
    free_at: f64,
}

impl Server for Cliff {
    fn rest(&mut self) {
        self.free_at = 0.0;
    }

    fn serve(&mut self, at: f64, _rate: f64) -> (f64, bool) {
        let begin = self.free_at.max(at);
        self.free_at = begin + 1.0 / self.capacity;
        (begin - at + 0.004, true)
    }
}

fn cliff(capacity: f64) -> Cliff {
    Cliff { capacity, free_at: 0.0 }
}

/// Latencies drawn anew for each second, with a share of slow requests that rises with the rate, and
/// a stall of a whole second now and then.
struct Noisy {
    /// Where exactly 1 % is slow.
    limit: f64,
    stalls: f64,
    random: fastrand::Rng,
    second: (i64, f64),
}

impl Server for Noisy {
    fn serve(&mut self, at: f64, rate: f64) -> (f64, bool) {
        if at as i64 != self.second.0 {
            // The share of slow ones differs from second to second by a factor of two or so.
            let noise = 0.5 + self.random.f64();
            let slow = 0.01 * (rate / self.limit).powi(8) * noise;
            let slow = if self.random.f64() < self.stalls { 1.0 } else { slow };
            self.second = (at as i64, slow);
        }
        let slow = self.random.f64() < self.second.1;
        (if slow { 0.12 } else { 0.01 }, true)
    }
}

/// Fails a share of requests above a rate, and names the tester as the limit above another.
struct Failing {
    above: f64,
    tester: f64,
    probes: usize,
    /// The probes, from 0, in which everything fails whatever the rate.
    outages: Vec<usize>,
}

impl Server for Failing {
    fn rest(&mut self) {
        self.probes += 1;
    }

    fn serve(&mut self, at: f64, rate: f64) -> (f64, bool) {
        let outage = self.outages.contains(&(self.probes - 1));
        (0.002, !outage && (rate <= self.above || !((at * rate) as u64).is_multiple_of(10)))
    }

    fn tester_limit(&self, rate: f64) -> Option<String> {
        (rate > self.tester).then(|| "arrivals began 40 ms late (p99)".to_owned())
    }
}

fn failing(above: f64, tester: f64, outages: &[usize]) -> Failing {
    Failing { above, tester, probes: 0, outages: outages.to_vec() }
}

/// By how much the rate found differs from the truth, for each seed, rising.
fn deviations(seeds: u64, truth: f64, mut one: impl FnMut(u64) -> Search) -> Vec<f64> {
    let mut all: Vec<f64> =
        (0..seeds).map(|seed| one(seed).found.rate.unwrap_or_default() / truth - 1.0).collect();
    all.sort_unstable_by(f64::total_cmp);
    all
}

#[test]
fn the_limit_of_a_queue_is_found() {
    // In an M/M/1 queue response times are exponential with rate capacity − arrivals, so p99 within
    // b holds up to capacity − ln(100) / b.
    let (capacity, bound) = (300.0, 0.1);
    let truth = capacity - 100_f64.ln() / bound;
    let deviations = deviations(15, truth, |seed| {
        let mut server =
            Queue { capacity, free_at: 0.0, random: fastrand::Rng::with_seed(seed + 1000) };
        find(&mut server, "p99=100ms", Settings::default(), Some(seed)).0
    });
    assert!(deviations[0] > -0.08 && deviations[14] < 0.08, "{deviations:?}");
    assert!(deviations[7].abs() < 0.04, "{deviations:?}");
}

/// Succeeds and fails, is slow and quick without any reason.
struct Chaos(fastrand::Rng);

impl Server for Chaos {
    fn serve(&mut self, _at: f64, rate: f64) -> (f64, bool) {
        let mood = self.0.u32(0..4);
        (if mood == 0 { 0.08 } else { 0.001 }, self.0.f64() > 0.001 * rate.min(40.0).powi(2))
    }

    fn rest(&mut self) {
        // Some probes are wholly bad, some wholly good.
        let seed = self.0.u64(..);
        self.0 = fastrand::Rng::with_seed(seed);
    }

    fn tester_limit(&self, rate: f64) -> Option<String> {
        ((rate as u64).is_multiple_of(7)).then(|| "it is Sunday".to_owned())
    }
}

/// The highest rate that holds and the lowest that breaks, of all: nothing that holds may lie above
/// what breaks.
fn ends(standings: &[Standing]) -> (f64, f64) {
    let (mut low, mut high) = (0.0_f64, f64::MAX);
    for known in standings {
        match known.status {
            Status::Holds => low = low.max(known.rate),
            Status::Breaks => high = high.min(known.rate),
            Status::Unclear | Status::Tester(_) => {}
        }
    }
    assert!(low < high, "{low} holds, {high} breaks");
    (low, high)
}

#[test]
fn a_search_ends_whatever_it_meets() {
    let settings = Settings { rate_max: 3000.0, ..Settings::default() };
    for seed in 0..40 {
        let mut server = Chaos(fastrand::Rng::with_seed(seed));
        let (found, transcript) = find(&mut server, "p75=50ms", settings.clone(), Some(seed));
        assert!(found.probes.len() <= settings.probes_max, "{transcript}");
        if let (Some(rate), Above::Broke(above, _)) = (found.found.rate, &found.found.above) {
            assert!(rate < *above, "{transcript}");
        }
        // Each probe lies between the highest rate that holds and the lowest that does not, as
        // they were then: so no rate that holds ever lies above one that breaks.
        let (mut low, mut high) = (0.0, f64::MAX);
        let objective = Objective::parse("p75=50ms").unwrap();
        let mut planner = Planner::new(objective, settings.clone());
        let mut server = Chaos(fastrand::Rng::with_seed(seed));
        let mut random = fastrand::Rng::with_seed(seed);
        while let Step::Probe(wanted) = planner.next() {
            assert!(wanted.rate >= low && wanted.rate <= high, "{transcript}");
            let outcome = probe(&mut server, &wanted, Some(&mut random));
            planner.take(wanted, &outcome);
            (low, high) = ends(planner.standings());
        }
    }
}

#[test]
fn what_is_too_close_to_call_is_said_of_either_end() {
    let mut told = 0;
    for seed in 0..6 {
        let random = fastrand::Rng::with_seed(seed + 5000);
        let mut server = Queue { capacity: 300.0, free_at: 0.0, random };
        let (found, transcript) =
            find(&mut server, "p99=100ms", Settings::default(), Some(seed + 99));
        let text = found.text();
        let ends = [
            ("It is close: what was measured is within", found.found.close, "close"),
            ("What lies above it is close", found.found.above_close, "above_close"),
        ];
        for (words, is_close, key) in ends {
            assert_eq!(text.contains(words), is_close, "{transcript}{text}");
            assert_eq!(found.json()[key], is_close);
            told += usize::from(is_close);
        }
        assert!(text.contains("may come out some percent higher or lower"), "{text}");
        // An interval that the truth is outside of in half of all searches is none of confidence.
        assert!(!text.contains("confidence"), "{text}");
    }
    assert!(told >= 3, "{told}");
}

#[test]
fn a_cliff_is_found_whatever_its_height() {
    for capacity in [1.7, 9.0, 20.5, 77.0, 730.0, 4321.0] {
        let (found, transcript) = find(&mut cliff(capacity), "p99=50ms", Settings::default(), None);
        let deviation = found.found.rate.unwrap() / capacity - 1.0;
        assert!(deviation > -0.06 && deviation < 0.005, "{capacity}: {deviation}\n{transcript}");
        assert!(found.found.confirmed, "{transcript}");
        assert!(found.probes.len() < 25, "{transcript}");
    }
}

#[test]
fn noise_and_stalls_move_the_limit_little() {
    // With a stall in 1 of 250 seconds 0.4 % is slow at any rate, which leaves 0.6 % for the rest.
    for (stalls, truth) in [(0.0, 400.0), (0.004, 400.0 * 0.6_f64.powf(0.125))] {
        let deviations = deviations(15, truth, |seed| {
            let random = fastrand::Rng::with_seed(seed + 77);
            let mut server = Noisy { limit: 400.0, stalls, random, second: (-1, 0.0) };
            find(&mut server, "p99=50ms", Settings::default(), Some(seed)).0
        });
        assert!(deviations[1] > -0.09 && deviations[13] < 0.09, "{stalls}: {deviations:?}");
        assert!(deviations[7].abs() < 0.07, "{stalls}: {deviations:?}");
    }
}

#[test]
fn a_search_reads_as_it_was_made() {
    let (found, transcript) =
        find(&mut cliff(730.0), "p99=50ms,errors=0.1%", Settings::default(), None);
    assert_eq!(transcript, include_str!("transcripts/cliff.txt"));
    assert_eq!(found.text(), include_str!("transcripts/cliff-result.txt"));
    let json = found.json();
    assert_eq!(json["limited_by"], "objective");
    assert_eq!(json["rate"].as_f64(), found.found.rate);
    assert_eq!(json["objective"]["latency"]["p99"], 0.05);
    assert_eq!(json["probes"].as_array().unwrap().len(), found.probes.len());
    assert_eq!(json["probes"][0]["verdict"], "seems_to_hold");
}

#[test]
fn a_rate_is_shown_once_as_the_search_took_it() {
    for seed in 0..3 {
        let random = fastrand::Rng::with_seed(seed + 5000);
        let mut server = Queue { capacity: 300.0, free_at: 0.0, random };
        let (found, transcript) = find(&mut server, "p99=100ms", Settings::default(), Some(seed));
        let text = found.text();
        let mut measured_on = false;
        for known in &found.rates {
            let rate = crate::load::figures::rate(known.rate);
            // One row, with the verdict that the log told last and all the time that counts.
            let rows: Vec<&str> = (text.lines())
                .filter(|line| line.trim_start().starts_with(&format!("{rate} ")))
                .collect();
            assert_eq!(rows.len(), 1, "{text}");
            let last = (transcript.lines().collect::<Vec<_>>().windows(2))
                .filter(|lines| lines[0].starts_with(&format!("{rate} for ")))
                .map(|lines| lines[1].to_owned())
                .next_back()
                .unwrap();
            assert!(rows[0].ends_with(known.word().text()), "{text}");
            assert!(last.starts_with(&format!("  {} after ", known.word().text())), "{transcript}");
            let made: Vec<_> =
                found.probes.iter().filter(|made| made.probe.rate == known.rate).collect();
            assert_eq!(known.probes, made.len());
            let begun = made.iter().rposition(|made| made.probe.fresh).unwrap();
            let counted: Duration = made[begun..].iter().map(|made| made.probe.measured).sum();
            assert_eq!(known.measured, counted);
            let requests: u64 = made[begun..].iter().map(|made| made.judgement.requests).sum();
            assert_eq!(known.judgement.requests, requests);
            measured_on |= made.len() - begun > 1;
        }
        assert!(measured_on, "{transcript}");
        assert!(!transcript.contains("unclear") && !text.contains("unclear"));
    }
}

#[test]
fn figures_of_a_probe_are_its_own() {
    // Evenly spaced, so that arrivals are the rate times the time; beyond the capacity what piled
    // up in the warm-up ends later, and requests are more.
    let (found, _) = find(&mut cliff(730.0), "p99=50ms", Settings::default(), None);
    for made in &found.probes {
        let expected = made.probe.rate * made.probe.measured.as_secs_f64();
        let arrivals = made.judgement.arrivals as f64;
        assert!((arrivals - expected).abs() <= 1.0, "{}: {arrivals}", made.probe.rate);
        assert!(made.judgement.requests as f64 >= expected - 1.0);
    }
    assert!(found.probes.iter().any(|made| made.judgement.requests > made.judgement.arrivals));
    // The confirmation stands in the place of the probe before it, which the form says.
    let json = found.json();
    let counts = |rate: f64| -> Vec<bool> {
        let all = json["probes"].as_array().unwrap().iter();
        all.filter(|made| made["rate"] == rate).map(|made| made["counts"] == true).collect()
    };
    assert_eq!(counts(found.found.rate.unwrap()), [false, true]);
    assert!(found.text().contains("asked again from the beginning"), "{}", found.text());
}

#[test]
fn the_time_of_a_search_is_told_before_it_begins() {
    let settings = Settings::default();
    let (few, many) = settings.estimate();
    for capacity in [77.0, 730.0, 4321.0] {
        let (found, transcript) = find(&mut cliff(capacity), "p99=50ms", settings.clone(), None);
        let took: Duration =
            found.probes.iter().map(|made| made.probe.pause + made.probe.duration()).sum();
        assert!(took >= few && took <= many, "{took:?} of {few:?} to {many:?}\n{transcript}");
        let opening = transcript.lines().next().unwrap();
        assert!(opening.contains("each rate is measured for 8 s (which is what --for sets here)"));
        assert!(opening.ends_with("as a rule, at most 20 m"), "{opening}");
    }
    let short = Settings { time_max: Duration::from_secs(60), ..settings };
    assert_eq!(short.estimate().1, Duration::from_secs(60));
}

/// The keys of an object, and those that its schema names.
fn verify_keys(value: &serde_json::Value, schema: &serde_json::Value) {
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(value), keys(&schema["properties"]));
    let mut required: Vec<_> =
        schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    required.sort_unstable();
    assert_eq!(keys(value), required);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_form_says_what_it_is_and_has_a_schema() {
    let (found, _) = find(&mut cliff(730.0), "p99=50ms", Settings::default(), None);
    let (json, schema) = (found.json(), super::document::schema());
    assert_eq!((&json["format"], &json["version"]), (&"plimsoll-bench-limit".into(), &1.into()));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["format"]["const"], json["format"]);
    assert_eq!(schema["properties"]["version"]["const"], json["version"]);
    verify_keys(&json, &schema);
    verify_keys(&json["objective"], &schema["$defs"]["ObjectiveDocument"]);
    verify_keys(&json["rates"][0], &schema["$defs"]["RateDocument"]);
    verify_keys(&json["probes"][0], &schema["$defs"]["ProbeDocument"]);
    // It is told from results, and from what is neither.
    let refusal = crate::load::json::read(&json.to_string(), "limit.json").unwrap_err().to_string();
    assert!(
        refusal.starts_with("limit.json is what plimsoll bench --find-limit found"),
        "{refusal}"
    );
}

#[test]
fn an_outage_is_asked_again() {
    // Everything fails in the fourth probe (of 1 280/s), so what lies between is searched; but
    // the rate itself is tried again before anything is said.
    let (found, transcript) =
        find(&mut failing(3000.0, f64::MAX, &[3]), "p99=50ms", Settings::default(), None);
    assert_eq!(transcript, include_str!("transcripts/outage.txt"));
    let rate = found.found.rate.unwrap();
    assert!(rate > 2800.0 && rate <= 3000.0, "{rate}");
}

#[test]
fn the_tester_as_the_limit_is_said() {
    let (found, transcript) =
        find(&mut failing(3000.0, 500.0, &[]), "p99=50ms", Settings::default(), None);
    let Above::Tester(above, why) = &found.found.above else { panic!("{:?}", found.found) };
    assert!(*above > 500.0 && *above < 530.0 && why.contains("40 ms"), "{transcript}");
    assert!(found.found.rate.unwrap() > 475.0, "{transcript}");
    assert!(found.text().starts_with("The limit is above "), "{}", found.text());
    assert_eq!(found.json()["limited_by"], "tester");
}

#[test]
fn nothing_holds_where_even_the_lowest_rate_breaks() {
    let (found, transcript) =
        find(&mut failing(0.0, f64::MAX, &[]), "p99=50ms", Settings::default(), None);
    assert_eq!(found.found.rate, None, "{transcript}");
    assert_eq!(
        found.text().lines().next(),
        Some("Not even 1/s holds p99 within 50 ms, errors at most 1 %.")
    );
    assert!(matches!(found.found.above, Above::Broke(1.0, _)), "{transcript}");
}

#[test]
fn bounds_of_rate_probes_and_time_end_the_search() {
    let settings = Settings { rate_max: 500.0, ..Settings::default() };
    let (found, transcript) = find(&mut cliff(1e6), "p99=50ms", settings, None);
    assert_eq!((found.found.rate, &found.found.above), (Some(500.0), &Above::Bound(500.0)));
    assert!(found.found.confirmed, "{transcript}");

    let settings = Settings { probes_max: 4, ..Settings::default() };
    let (found, _) = find(&mut cliff(1e6), "p99=50ms", settings, None);
    assert_eq!((found.found.cut, found.probes.len()), (Some(Cut::Probes), 4));

    let settings = Settings { time_max: Duration::from_secs(25), ..Settings::default() };
    let (found, _) = find(&mut cliff(1e6), "p99=50ms", settings, None);
    assert_eq!((found.found.cut, found.probes.len()), (Some(Cut::Time), 2));
    assert!(found.text().contains("The search ended early"), "{}", found.text());
}

#[test]
fn an_interrupted_probe_does_not_count() {
    let objective = Objective::parse("p99=50ms").unwrap();
    let mut server = cliff(730.0);
    let mut made = 0;
    let mut make = |wanted: &Probe| {
        made += 1;
        let mut outcome = probe(&mut server, wanted, None);
        outcome.interrupted = made == 3;
        Ok::<_, ()>(outcome)
    };
    let found =
        search(&objective, Settings::default(), &mut |_| (), &mut make, &mut |_| ()).unwrap();
    assert_eq!((found.found.cut, found.probes.len()), (Some(Cut::Interrupted), 2));
    assert_eq!(found.found.rate, Some(80.0));
}

#[test]
fn an_error_ends_the_search() {
    let objective = Objective::parse("p99=50ms").unwrap();
    let mut make = |_: &Probe| Err("no such host");
    let failed = search(&objective, Settings::default(), &mut |_| (), &mut make, &mut |_| ());
    assert_eq!(failed, Err("no such host"));
}
