//! The planner in a world of unruly processes: whatever happens, its invariants hold, and once
//! the world behaves, what is wanted is there.

use proptest::prelude::*;

use super::*;

/// Time between two looks.
const TICK: Duration = Duration::from_millis(100);
/// Ticks in which anything happens.
const UNRULY_TICKS: u32 = 300;
/// Ticks after which a world that behaves must be in order: several start timeouts, each followed
/// by the longest back-off and stops, for each instance in turn.
const CALM_TICKS: u32 = 4000;

/// A process that the planner had started.
#[derive(Debug, Clone, Copy)]
struct Body {
    /// Ticks until it is healthy, if ever.
    healthy_in: Option<u32>,
    /// Ticks until it dies by itself.
    dies_in: Option<u32>,
    obeys_term: bool,
    draining: bool,
    in_flight: u32,
    /// Ticks from its end until nothing is left.
    ended: Option<u32>,
}

struct World {
    random: fastrand::Rng,
    planner: Planner,
    bodies: BTreeMap<u32, Body>,
    now: Duration,
    calm: bool,
    /// No process dies or fails: then nothing may interrupt the service.
    gentle: bool,
}

impl World {
    fn new(seed: u64, gentle: bool) -> Self {
        let policy = Policy { start_timeout: Duration::from_secs(5), ..default_policy() };
        let policy = Policy { stop_timeout: Duration::from_secs(2), ..policy };
        Self {
            random: fastrand::Rng::with_seed(seed),
            planner: Planner::new("web", policy, 3),
            bodies: BTreeMap::new(),
            now: Duration::ZERO,
            calm: false,
            gentle,
        }
    }

    fn body(&mut self) -> Body {
        let tame = self.calm || self.gentle;
        let random = &mut self.random;
        Body {
            healthy_in: (tame || random.u8(..4) > 0).then(|| random.u32(1..20)),
            dies_in: (!tame && random.bool()).then(|| random.u32(0..100)),
            obeys_term: tame || random.bool(),
            draining: false,
            in_flight: 0,
            ended: None,
        }
    }

    /// One thing that people or the world may do.
    fn disturb(&mut self) {
        let number = self.random.u32(1..6);
        match self.random.u8(..40) {
            0 => drop(self.planner.restart()),
            1 => drop(self.planner.change()),
            2 if !self.gentle => self.planner.want(number),
            3 => self
                .planner
                .set_policy(Policy { max_memory_bytes: Some(100), ..self.planner.policy.clone() }),
            4 => self.planner.weigh(number, 200),
            _ => {}
        }
    }

    fn live(&mut self) {
        let calm = self.calm;
        for (number, body) in &mut self.bodies {
            body.healthy_in = body.healthy_in.map(|ticks| ticks.saturating_sub(1));
            body.in_flight = if calm || body.draining { 0 } else { self.random.u32(..3) };
            if let Some(left) = body.ended {
                body.ended = Some(left.saturating_sub(1));
                if left == 0 {
                    self.planner.gone(*number);
                }
            } else if let Some(left) = body.dies_in.filter(|_| !calm) {
                body.dies_in = Some(left.saturating_sub(1));
                if left == 0 {
                    body.ended = Some(self.random.u32(..10));
                    self.planner.exited(*number, "died", self.now);
                }
            }
        }
        let numbers: Vec<u32> = self.planner.instances.keys().copied().collect();
        for number in numbers {
            let body = self.bodies.get(&number).filter(|body| body.ended.is_none());
            let seen = body.map(|body| Seen {
                healthy: body.healthy_in == Some(0),
                draining: body.draining,
                in_flight: body.in_flight,
                requests: 0,
            });
            self.planner.observe(number, seen, self.now);
        }
    }

    fn carry_out(&mut self, step: &Step) {
        let number = step.number.unwrap_or(0);
        match step.action {
            Action::Start { .. } => {
                let body = self.body();
                let before = self.bodies.insert(number, body);
                assert!(before.is_none_or(|body| body.ended == Some(0)), "{step:?}");
            }
            Action::MarkDraining => self.bodies.get_mut(&number).unwrap().draining = true,
            Action::Terminate | Action::Kill => {
                let kill = step.action == Action::Kill;
                let body = self.bodies.get_mut(&number).unwrap();
                if body.ended.is_none() && (kill || body.obeys_term) {
                    body.ended = Some(1);
                    self.planner.exited(number, "stopped", self.now);
                }
            }
            Action::Remove => {
                let body = self.bodies.remove(&number).unwrap();
                assert_eq!(body.ended, Some(0), "{step:?}");
            }
            _ => {}
        }
    }

    fn tick(&mut self) {
        self.now += TICK;
        self.live();
        let steps = self.planner.plan(self.now, &mut || 0);
        for step in &steps {
            self.carry_out(step);
        }
        let instances = self.planner.instances.values();
        let staying = instances.clone().filter(|one| !one.leaving).count();
        let wanted = self.planner.wanted as usize;
        assert!(staying <= wanted + 1, "{staying} for {wanted}");
    }

    fn ready(&self) -> usize {
        let instances = self.planner.instances.values();
        instances.filter(|one| one.stage == Stage::Ready && !one.leaving).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn once_the_world_behaves_what_is_wanted_is_there(seed: u64) {
        let mut world = World::new(seed, false);
        for _ in 0..UNRULY_TICKS {
            world.disturb();
            world.tick();
        }
        world.calm = true;
        // Ceilings that stay exceeded would be followed by replacements for ever.
        let policy = Policy { max_memory_bytes: None, ..world.planner.policy.clone() };
        world.planner.set_policy(policy);
        for _ in 0..CALM_TICKS {
            world.tick();
        }
        prop_assert_eq!(world.ready(), world.planner.wanted as usize);
        prop_assert_eq!(world.planner.instances.len(), world.planner.wanted as usize);
        prop_assert!(world.planner.rollout.is_none() && world.planner.replacement.is_none());
    }

    #[test]
    fn replacing_never_takes_more_than_it_has_given(seed: u64) {
        let mut world = World::new(seed, true);
        for _ in 0..50 {
            world.tick();
        }
        prop_assert_eq!(world.ready(), 3);
        for _ in 0..UNRULY_TICKS {
            world.disturb();
            world.tick();
            prop_assert!(world.ready() >= 3);
        }
    }
}
