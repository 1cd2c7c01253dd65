//! Instances that die, do not stop, or leave something behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;

fn pid(instance: &Instance) -> Pid {
    Pid::from_raw(instance.pid.unwrap().try_into().unwrap())
}

#[tokio::test]
async fn a_killed_instance_is_started_again_elsewhere() {
    let mut harness = Harness::start(&[("web", &shell("echo ready $$; exec sleep 1000"))]);
    let before = harness.ready(1).await.remove(0);
    kill(pid(&before), Signal::SIGKILL).unwrap();
    let again = |web: &[Instance]| web[0].restarts == 1 && web[0].phase == Phase::Ready;
    let after = harness.until("started again", again).await.remove(0);
    assert_ne!(after.pid, before.pid);
    let exit = format!("was killed by SIGKILL; last line: ready {}", pid(&before));
    assert_eq!(after.last_exit.unwrap(), exit);
}

#[tokio::test]
async fn a_crash_loop_is_told_and_does_not_halt_others() {
    let broken = shell("echo starting; echo no database >&2; exit 3");
    let good = shell("echo ready $$; exec sleep 1000");
    let mut harness = Harness::start(&[("web", &broken), ("other", &good)]);
    let instances = harness.until("a crash loop", |web| web.iter().any(|one| one.crash_loop)).await;
    let exit = instances[0].last_exit.clone().unwrap();
    assert!(exit.starts_with("exited with status 3; last line: "), "{exit}");
    // It is still tried.
    let restarts = instances[0].restarts;
    harness.until("tried again", |web| web[0].restarts > restarts + 1).await;
    let wanted =
        |snapshot: &Arc<FleetSnapshot>| snapshot.services["other"][0].phase == Phase::Ready;
    timeout(PATIENCE, harness.changes.wait_for(wanted)).await.unwrap().unwrap();
    assert_eq!(harness.stop().await.killed, [""; 0]);
}

#[tokio::test]
async fn what_ignores_term_is_killed_with_all_its_children() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    let script = format!(
        "exec 9> {}; trap '' TERM; (echo child >&9; while :; do sleep 1000; done) & \
         setsid sh -c 'echo session >&9; sleep 1000' & echo ready $$; while :; do sleep 1000; done",
        pipe.path.display()
    );
    let mut wanted = shell(&script);
    wanted.stop_timeout = Duration::from_millis(50);
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.ready(1).await;
    assert!(pipe.line().await.is_some() && pipe.line().await.is_some());
    let report = harness.stop().await;
    assert_eq!(report.killed, ["web-1 did not stop in time after TERM"]);
    assert_eq!(report.left, [""; 0]);
    pipe.ended().await;
}

#[tokio::test]
async fn term_reaches_the_whole_group_and_its_work_is_waited_for() {
    let script = "sh -c 'trap \"echo child done; exit\" TERM; echo ready $PPID; while :; do sleep 0.01; done' & \
                  trap 'echo main done; exit 0' TERM; wait";
    let mut harness = Harness::start(&[("web", &shell(script))]);
    harness.ready(1).await;
    assert_eq!(harness.stop().await.killed, [""; 0]);
    let text = harness.out.text();
    assert!(text.contains("main done") && text.contains("child done"), "{text}");
}

#[tokio::test]
async fn what_outlives_its_main_process_after_term_is_told_too_and_killed_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    // The main process obeys. Of two sessions of their own one obeys as well, one does not.
    let script = format!(
        "exec 9> {}; \
         setsid sh -c 'trap \"echo obeys >&9; exit\" TERM; echo up >&9; while :; do sleep 0.01; done' & \
         setsid sh -c 'trap \"\" TERM; echo up >&9; while :; do sleep 0.01; done' & \
         trap 'exit 0' TERM; echo ready $$; while :; do sleep 0.01; done",
        pipe.path.display()
    );
    let mut wanted = shell(&script);
    wanted.stop_timeout = Duration::from_millis(300);
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.ready(1).await;
    assert!(pipe.line().await.is_some() && pipe.line().await.is_some());
    let report = harness.stop().await;
    assert_eq!(report.killed, ["web-1 left processes that did not stop in time"]);
    assert_eq!(report.left, [""; 0]);
    assert_eq!(pipe.line().await.as_deref(), Some("obeys"));
    pipe.ended().await;
}

#[tokio::test]
async fn the_deadline_of_a_stop_is_kept() {
    let mut wanted = shell("trap '' TERM; echo ready $$; while :; do sleep 1000; done");
    wanted.instances = 2;
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.ready(2).await;
    harness.balancer.set("web-1", 1, 1);
    let report = harness.fleet.stop(Instant::now() + Duration::from_millis(200)).await;
    assert_eq!((report.killed.len(), report.left.len()), (2, 0), "{report:?}");
    assert!(harness.fleet.restart("web").await.is_err());
}

#[tokio::test]
async fn a_second_stop_hurries_the_first() {
    let mut harness = Harness::start(&[(
        "web",
        &shell("trap '' TERM; echo ready $$; while :; do sleep 1000; done"),
    )]);
    harness.ready(1).await;
    let fleet = &harness.fleet;
    let mut changes = harness.changes.clone();
    let begun = changes.wait_for(|snapshot| snapshot.services["web"][0].phase != Phase::Ready);
    tokio::select! {
        report = fleet.stop(Instant::now() + 10 * PATIENCE) => panic!("{report:?}"),
        begun = timeout(PATIENCE, begun) => drop(begun.unwrap().unwrap()),
    }
    let report = timeout(PATIENCE, fleet.stop(Instant::now())).await.unwrap();
    assert_eq!((report.stopped.len(), report.killed.len()), (1, 1), "{report:?}");
}

#[tokio::test]
async fn what_a_dead_instance_leaves_behind_is_gone_before_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    let script = format!(
        "if [ -e {0}/second ]; then echo ready $$; exec sleep 1000; fi; touch {0}/second; \
         exec 9> {1}; setsid sh -c 'trap \"\" TERM; echo here >&9; sleep 1000' & \
         echo started >&9; exit 1",
        directory.path().display(),
        pipe.path.display()
    );
    let mut harness = Harness::start(&[("web", &shell(&script))]);
    let instances = harness.ready(1).await;
    assert_eq!(instances[0].restarts, 1);
    // Ready came from the second start, so the end of the first must have come before.
    while let Some(line) = pipe.line().await {
        assert!(line == "here" || line == "started");
    }
}

#[tokio::test]
async fn a_killed_guard_takes_its_instance_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    // The second start does not hold the pipe, so that it ends with the first.
    let script = format!(
        "if [ -e {0}/second ]; then echo ready $$; exec sleep 1000; fi; touch {0}/second; \
         exec 9> {1}; trap '' TERM; (echo child >&9; sleep 1000; :) & \
         echo ready $$; while :; do sleep 1000; done",
        directory.path().display(),
        pipe.path.display()
    );
    let mut harness = Harness::start(&[("web", &shell(&script))]);
    let before = harness.ready(1).await.remove(0);
    assert_eq!(pipe.line().await.as_deref(), Some("child"));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid(&before))).unwrap();
    let guard = stat.split_whitespace().nth(3).unwrap().parse().unwrap();
    kill(Pid::from_raw(guard), Signal::SIGKILL).unwrap();
    let again = |web: &[Instance]| web[0].restarts == 1 && web[0].phase == Phase::Ready;
    let after = harness.until("started again", again).await.remove(0);
    assert!(after.last_exit.unwrap().contains("lost its guard"));
    pipe.ended().await;
}

#[tokio::test]
async fn a_start_that_takes_too_long_is_ended() {
    let mut wanted = shell("echo slow; exec sleep 1000");
    wanted.start_timeout = Duration::from_millis(50);
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instances = harness.until("a crash loop", |web| web.iter().any(|one| one.crash_loop)).await;
    let exit = instances[0].last_exit.clone().unwrap();
    let wanted = "was not healthy within 50 ms, then was ended by SIGTERM";
    assert!(exit.starts_with(wanted), "{exit}");
}
