//! Groups: who arrives when, and what each does.

use super::super::super::kind::{Item, Named};
use super::super::super::quantity::Refusal;
use super::super::super::reader::Where;
use super::super::super::table::Setting;
use super::super::load::{self, Key, Keys, Voice};
use super::super::model::{
    Choice, Cookies, Group, LabelKind, Load, OnError, Pause, Request, RequestBody, Step,
};
use super::super::replay::{self, Replay};
use super::super::template::Uses;
use super::super::{grammar, url};
use super::step::Done;
use super::{Groups, Resolver, place_of};

/// The name of the only group of a plan.
const ONLY: &str = "requests";

/// One of the things that an iteration may be.
struct Way {
    weight: f64,
    steps: Vec<Step>,
    /// Requests and messages in it.
    requests: u64,
}

/// A group as it is written: of the top, or under a name.
struct Written<'a> {
    name: &'a str,
    at: &'a Where,
    places: Vec<(Key, &'a Where)>,
    is_sound: bool,
    think: Option<Pause>,
    think_at: &'a Where,
    fresh_users: Option<bool>,
    cookies: bool,
    on_error: OnError,
    request: &'a Setting<Vec<Item<grammar::Request>>>,
    scenario: &'a Setting<Vec<Item<grammar::Scenario>>>,
}

impl Resolver<'_, '_> {
    /// The groups of the plan.
    pub(super) fn groups(&mut self, top: &grammar::Top) -> Groups {
        if !top.group.is_present() {
            return self.only_group(top).into_iter().collect();
        }
        self.replay_of_groups(top);
        let of_groups: [(&str, bool, &Where); 12] = [
            ("rate", top.rate.is_present(), &top.rate.at),
            ("stages", top.stages.is_present(), &top.stages.at),
            ("poisson", top.poisson.is_present(), &top.poisson.at),
            ("think", top.think.is_present(), &top.think.at),
            ("fresh_users", top.fresh_users.is_present(), &top.fresh_users.at),
            ("cookies", top.cookies.is_present(), &top.cookies.at),
            ("on_error", top.on_error.is_present(), &top.on_error.at),
            ("connections", top.connections.is_present(), &top.connections.at),
            ("requests", top.requests.is_present(), &top.requests.at),
            ("for", top.r#for.is_present(), &top.r#for.at),
            ("request", top.request.is_present(), &top.request.at),
            ("scenario", top.scenario.is_present(), &top.scenario.at),
        ];
        for (name, _, at) in of_groups.into_iter().filter(|(_, is_present, _)| *is_present) {
            let refusal = Refusal::new(format!("beside groups, `{name}` has no place at the top"))
                .remedy("put it into a [group.NAME]");
            self.refuse(at, refusal);
        }
        if let Some(option) = self.overrides.load {
            let refusal = Refusal::new("the plan has groups, each with a load of its own")
                .remedy(format!("remove {option}, or change the plan"));
            self.refuse_option(option, None, refusal);
        }
        top.group.value.iter().filter_map(|named| self.named_group(named)).collect()
    }

    /// Groups replay nothing.
    fn replay_of_groups(&mut self, top: &grammar::Top) {
        let given = [
            ("replay", top.replay.is_present(), &top.replay.at),
            ("speed", top.speed.is_present(), &top.speed.at),
        ];
        for (name, _, at) in given.into_iter().filter(|(_, is_present, _)| *is_present) {
            let refusal =
                Refusal::new(format!("groups replay nothing, so that `{name}` has no place"))
                    .remedy("remove it, or replay the recording in a plan of its own");
            self.refuse(at, refusal);
        }
    }

    fn named_group(&mut self, named: &Named<grammar::Group>) -> Option<Group> {
        let raw = &named.value;
        let keys = Keys {
            rate: raw.rate.value,
            stages: raw.stages.value.clone(),
            replay: None,
            poisson: raw.poisson.value,
            connections: raw.connections.value.clone(),
            requests: raw.requests.value,
            lasting: raw.r#for.value,
        };
        let is_sound = raw.rate.is_sound()
            && raw.stages.is_sound()
            && raw.poisson.is_sound()
            && raw.connections.is_sound()
            && raw.requests.is_sound()
            && raw.r#for.is_sound();
        let written = Written {
            name: &named.name,
            at: &named.at,
            places: vec![
                (Key::Rate, &raw.rate.at),
                (Key::Stages, &raw.stages.at),
                (Key::Poisson, &raw.poisson.at),
                (Key::Connections, &raw.connections.at),
                (Key::Requests, &raw.requests.at),
                (Key::For, &raw.r#for.at),
            ],
            is_sound,
            think: raw.think.value.clone(),
            think_at: &raw.think.at,
            fresh_users: raw.fresh_users.value,
            cookies: raw.cookies.value,
            on_error: raw.on_error.value,
            request: &raw.request,
            scenario: &raw.scenario,
        };
        self.group(&written, keys, None)
    }

    fn only_group(&mut self, top: &grammar::Top) -> Option<Group> {
        let file = Keys {
            rate: top.rate.value,
            stages: top.stages.value.clone(),
            replay: None,
            poisson: top.poisson.value,
            connections: top.connections.value.clone(),
            requests: top.requests.value,
            lasting: top.r#for.value,
        };
        let is_sound = top.rate.is_sound()
            && top.stages.is_sound()
            && top.poisson.is_sound()
            && top.replay.is_sound()
            && top.connections.is_sound()
            && top.requests.is_sound()
            && top.r#for.is_sound();
        let asked = top.request.is_present() || top.scenario.is_present();
        if top.speed.is_present() && top.speed.is_sound() && !top.replay.is_present() {
            let refusal = Refusal::new("nothing is replayed that could be faster")
                .remedy("add replay = \"access.log\", or remove `speed`");
            self.refuse(&top.speed.at, refusal);
        }
        let given = std::mem::take(&mut self.overrides.keys);
        let is_rescheduled = given.has_schedule() || self.overrides.recording.is_some();
        let think_of_file = top.think.value.clone().filter(|_| !is_rescheduled);
        let recording = self.replay(top, given.has_schedule(), asked);
        let is_replayed = recording.is_some() || top.replay.is_present();
        let mut keys = given.over(file, self.overrides.recording.is_some());
        keys.replay = recording.as_ref().map(|replay| replay.times.clone());
        if is_replayed && keys.replay.is_none() && !keys.has_schedule() {
            // What is wrong with the recording was told.
            return None;
        }
        let root = Where { key: String::new(), span: 0..0 };
        let written = Written {
            name: ONLY,
            at: &root,
            places: vec![
                (Key::Rate, &top.rate.at),
                (Key::Stages, &top.stages.at),
                (Key::Replay, &top.replay.at),
                (Key::Poisson, &top.poisson.at),
                (Key::Connections, &top.connections.at),
                (Key::Requests, &top.requests.at),
                (Key::For, &top.r#for.at),
            ],
            is_sound,
            think: self.overrides.think.clone().or(think_of_file),
            think_at: &top.think.at,
            fresh_users: top.fresh_users.value,
            cookies: top.cookies.value,
            on_error: top.on_error.value,
            request: &top.request,
            scenario: &top.scenario,
        };
        self.group(&written, keys, recording)
    }

    /// What is replayed: as the command line says, else as the file does unless the command line
    /// has another schedule.
    fn replay(&mut self, top: &grammar::Top, is_replaced: bool, asked: bool) -> Option<Replay> {
        let at_root = self.base.as_ref().is_some_and(|base| url::path_of(base) == "/");
        let with_targets =
            |recording: &replay::Recording| !asked && at_root && recording.has_targets();
        if let Some((recording, speed)) = self.overrides.recording.take() {
            let with_targets = with_targets(&recording);
            return match recording.replay(speed, with_targets) {
                Ok(replay) => Some(self.doubted(replay, &top.replay.at)),
                Err(refusal) => {
                    self.refuse_option("--replay", None, refusal);
                    None
                }
            };
        }
        let file = top.replay.value.as_ref().filter(|_| !is_replaced)?;
        let read = replay::read(&self.directory.join(file), file, self.overrides.tell);
        let recording = self.checked(read, &top.replay.at)?;
        let with_targets = with_targets(&recording);
        let replay = recording.replay(top.speed.value, with_targets);
        let replay = self.checked(replay, &top.replay.at)?;
        Some(self.doubted(replay, &top.replay.at))
    }

    /// Tells what is likely not meant by a recording.
    fn doubted(&mut self, mut replay: Replay, at: &Where) -> Replay {
        for doubt in replay.doubts.drain(..) {
            let mut error = super::ConfigError::new(&at.key, doubt.message);
            error.remedy = doubt.remedy;
            self.reader.warn(at, error);
        }
        replay
    }

    fn group(
        &mut self,
        written: &Written<'_>,
        mut keys: Keys,
        replay: Option<Replay>,
    ) -> Option<Group> {
        let ways = self.ways(written, replay);
        if let Some(requests) = keys.requests {
            keys.requests = Some(iterations(requests, &ways));
        }
        let load = self.load(written, keys);
        let ways = ways?;
        let mut steps = one_of(ways);
        steps.extend(written.think.clone().map(Step::Pause));
        let load = load?;
        if written.think.is_some() {
            self.idle_pause(&load, written.think_at);
        }
        // With nothing but the URL asked, nothing builds on what was before.
        let asked = written.request.is_present() || written.scenario.is_present();
        let usual = !asked || matches!(load, Load::Open(_));
        let fresh_users = written.fresh_users.unwrap_or(usual);
        let cookies = if written.cookies { Cookies::Kept } else { Cookies::Ignored };
        let (name, on_error) = (written.name.to_owned(), written.on_error);
        Some(Group { name, load, steps, fresh_users, cookies, on_error })
    }

    /// Refuses a pause that only a number of users has a use for.
    fn idle_pause(&mut self, load: &Load, at: &Where) {
        if self.overrides.think.is_some() {
            if let Some(refusal) = load::idle_pause(load, Voice::Options) {
                self.refuse_option("--think", None, refusal);
            }
        } else if let Some(refusal) = load::idle_pause(load, Voice::File) {
            self.refuse(at, refusal);
        }
    }

    fn load(&mut self, written: &Written<'_>, keys: Keys) -> Option<Load> {
        if !written.is_sound {
            return None;
        }
        match keys.load(Voice::File) {
            Ok(load) => Some(load),
            Err((key, refusal)) => {
                let at = place_of(key, &written.places, written.at);
                // What is not in the file is on the command line.
                let in_file = self.reader.is_remembered(at);
                match self.overrides.load {
                    Some(option) if !in_file => self.refuse_option(option, None, refusal),
                    _ => self.refuse(at, refusal),
                }
                None
            }
        }
    }

    /// What an iteration may be; `None` if that cannot be told.
    fn ways(&mut self, written: &Written<'_>, replay: Option<Replay>) -> Option<Vec<Way>> {
        let mut ways = Vec::new();
        for item in &written.request.value {
            let mut uses = Uses::default();
            let Done { steps, requests } = self.step(item, &mut uses, 1);
            let weight = item.value.weight.value;
            let is_whole = !steps.is_empty();
            let steps = self.fed(steps, &uses);
            ways.extend(is_whole.then_some(Way { weight, steps, requests }));
        }
        for item in &written.scenario.value {
            ways.extend(self.scenario(item));
        }
        let was_asked = written.request.is_present() || written.scenario.is_present();
        if was_asked {
            let all_sound = written.request.is_sound() && written.scenario.is_sound();
            let is_idle = ways.iter().all(|way| way.weight == 0.0);
            let is_empty = written.request.value.is_empty() && written.scenario.value.is_empty();
            if is_empty && all_sound {
                self.nothing_asked(written);
            } else if is_idle && !ways.is_empty() {
                let refusal = Refusal::new("every weight is 0, so that nothing is asked")
                    .remedy("give one of them a weight above 0");
                let first = written.request.value.first().map(|item| &item.at);
                let first = first.or_else(|| written.scenario.value.first().map(|item| &item.at));
                self.refuse(first.unwrap_or(written.at), refusal);
            }
            ways.retain(|way| way.weight > 0.0);
            return (!ways.is_empty()).then_some(ways);
        }
        let Some(base) = self.base.clone() else {
            self.nothing_asked(written);
            return None;
        };
        if url::is_for_messages(&base) {
            let refusal = Refusal::new("nothing is said of what to send to a ws:// URL")
                .remedy("add [[request]] with message = \"TEXT\"");
            match self.reader.is_remembered(&self.base_at) {
                true => self.refuse(&self.base_at.clone(), refusal),
                false => self.refuse_option("URL", None, refusal),
            }
            return None;
        }
        Some(vec![self.base_alone(base, replay)])
    }

    /// The way of a plan without requests: its URL, or what a log asked for below it.
    fn base_alone(&mut self, base: super::Template, replay: Option<Replay>) -> Way {
        let mut replay = replay;
        let recorded = replay.as_mut().and_then(|replay| {
            let requests = replay.requests(&base, &mut self.builder)?;
            Some((requests, replay.label()))
        });
        let (feed, method, target, name) = match recorded {
            Some(((feed, method, target), name)) => (Some(Step::Feed(feed)), method, target, name),
            None => {
                let name = format!("GET {}", url::path_of(&base));
                (None, super::Template::text("GET"), base, name)
            }
        };
        let request = Step::Request(Box::new(Request {
            label: self.builder.label(&name, LabelKind::Request),
            method,
            url: target,
            headers: self.all_headers(Vec::new(), None),
            body: RequestBody::None,
            timeout: None,
            redirects_max: self.redirects_max,
            extract: Vec::new(),
            checks: Vec::new(),
        }));
        let steps = feed.into_iter().chain([request]).collect();
        Way { weight: 1.0, steps, requests: 1 }
    }

    fn nothing_asked(&mut self, written: &Written<'_>) {
        let misspelt = |name: &str| self.reader.is_misspelt(&written.at.child(name));
        if misspelt("request") || misspelt("scenario") || self.has_base {
            return;
        }
        if self.reader.is_misspelt("url") {
            return;
        }
        let refusal = Refusal::new("nothing is asked");
        if written.at.key.is_empty() {
            let error = super::ConfigError::new("request", refusal.message)
                .remedy("add url = \"http://HOST:PORT\" and, for more than that, [[request]]");
            self.reader.refuse_file(error);
        } else {
            let name = written.name;
            self.refuse(written.at, refusal.remedy(format!("add [[group.{name}.request]]")));
        }
    }

    fn scenario(&mut self, item: &Item<grammar::Scenario>) -> Option<Way> {
        let raw = &item.value;
        let steps = raw.step.value.as_ref()?;
        if steps.is_empty() {
            let refusal = Refusal::new("a scenario without steps does nothing")
                .remedy("add [[scenario.step]] with path = \"/\"");
            self.refuse(&raw.step.at, refusal);
        }
        let mut uses = Uses::default();
        let mut done = Vec::new();
        let mut requests = 0_u64;
        for step in steps {
            self.weightless(step);
            let inner = self.step(step, &mut uses, 1);
            done.extend(inner.steps);
            requests = requests.saturating_add(inner.requests);
        }
        if let Some(name) = &raw.name.value {
            let label = self.builder.label(name, LabelKind::Transaction);
            done = vec![Step::Transaction { label, with_pauses: false, steps: done }];
        }
        let steps_done = self.fed(done, &uses);
        Some(Way { weight: raw.weight.value, steps: steps_done, requests })
    }

    /// The steps with a row of each feed that they use taken before them.
    fn fed(&self, steps: Vec<Step>, uses: &Uses) -> Vec<Step> {
        let common = &self.common_uses;
        let is_needed = |slot: &usize| uses.slots.contains(slot) || common.slots.contains(slot);
        let is_used = |slots: &Vec<usize>| uses.any || common.any || slots.iter().any(is_needed);
        let feeds = self.feeds.iter().filter(|(_, slots)| is_used(slots));
        feeds.map(|(feed, _)| Step::Feed(*feed)).chain(steps).collect()
    }
}

/// One way, or a choice between them.
fn one_of(mut ways: Vec<Way>) -> Vec<Step> {
    if ways.len() == 1 {
        return ways.pop().map(|way| way.steps).unwrap_or_default();
    }
    let choice = |way: Way| Choice { weight: way.weight, steps: way.steps };
    vec![Step::Choose(ways.into_iter().map(choice).collect())]
}

/// How many iterations make so many requests: users begin whole iterations.
fn iterations(requests: u64, ways: &Option<Vec<Way>>) -> u64 {
    let Some(ways) = ways else { return requests };
    let weights: f64 = ways.iter().map(|way| way.weight).sum();
    let weighted: f64 = ways.iter().map(|way| way.weight * way.requests as f64).sum();
    let each = (weighted / weights).max(1.0);
    ((requests as f64 / each).ceil() as u64).max(1)
}
