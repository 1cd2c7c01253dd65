//! Rolling restarts, changed configurations, counts and ceilings.

use super::*;

/// A service whose next starts do what the file `step` says.
fn by_file(directory: &Path) -> ProcessSpec {
    std::fs::write(directory.join("step"), "echo ready $$; exec sleep 1000").unwrap();
    let mut wanted = shell(". ./step");
    wanted.directory = Some(directory.to_owned());
    wanted
}

#[tokio::test]
async fn a_restart_replaces_each_only_when_its_successor_is_ready() {
    let mut wanted = shell("echo ready $$; exec sleep 1000");
    wanted.instances = 3;
    let mut harness = Harness::start(&[("web", &wanted)]);
    let before = harness.ready(3).await;
    let mut changes = harness.changes.clone();
    let fewest = tokio::spawn(async move {
        let mut fewest = usize::MAX;
        while changes.changed().await.is_ok() {
            let snapshot = changes.borrow_and_update().clone();
            let web = &snapshot.services["web"];
            let ready = web.iter().filter(|one| one.phase == Phase::Ready).count();
            if snapshot.rollouts.contains_key("web") {
                fewest = fewest.min(ready);
            }
            if web.is_empty() {
                break;
            }
        }
        fewest
    });
    let report = harness.fleet.restart("web").await.unwrap();
    let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    let pairs = [pair("web-1", "web-4"), pair("web-2", "web-1"), pair("web-3", "web-2")];
    assert_eq!(report.replaced, pairs);
    let after = harness.ready(3).await;
    assert_eq!(names(&after), ["web-1", "web-2", "web-4"]);
    for instance in &after {
        assert!(before.iter().all(|old| old.pid != instance.pid));
        assert_eq!(instance.generation, 2);
    }
    harness.stop().await;
    assert_eq!(fewest.await.unwrap(), 3);
}

#[tokio::test]
async fn a_restart_that_fails_keeps_the_old_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let mut wanted = by_file(directory.path());
    wanted.instances = 2;
    let mut harness = Harness::start(&[("web", &wanted)]);
    let before = harness.ready(2).await;
    std::fs::write(directory.path().join("step"), "echo no such module; exit 3").unwrap();
    let error = harness.fleet.restart("web").await.unwrap_err();
    let RestartError::RolledBack { service, instance, reason } = error else { panic!("{error}") };
    assert_eq!((service.as_str(), instance.as_str()), ("web", "web-3"));
    assert_eq!(reason, "exited with status 3; its last output:\n    no such module");
    let after = harness.ready(2).await;
    let pids = |web: &[Instance]| web.iter().map(|one| one.pid).collect::<Vec<_>>();
    assert_eq!(pids(&after), pids(&before));
}

#[tokio::test]
async fn restarts_do_not_overlap_and_go_on_without_their_caller() {
    let directory = tempfile::tempdir().unwrap();
    let mut harness = Harness::start(&[("web", &by_file(directory.path()))]);
    harness.ready(1).await;
    // The new one waits until the test lets it be ready.
    std::fs::write(
        directory.path().join("step"),
        "until [ -e go ]; do sleep 0.01; done; echo ready $$; exec sleep 1000",
    )
    .unwrap();
    let mut first = Box::pin(harness.fleet.restart("web"));
    let begun = harness.changes.wait_for(|snapshot| snapshot.rollouts.contains_key("web"));
    tokio::select! {
        answer = &mut first => panic!("{answer:?}"),
        begun = begun => drop(begun.unwrap()),
    }
    drop(first);
    let second = harness.fleet.restart("web").await.unwrap_err();
    let text =
        "service web is being restarted already (0 of 1 done); wait for that, then try again";
    assert_eq!(second.to_string(), text);
    std::fs::write(directory.path().join("go"), "").unwrap();
    harness.until("replaced", |web| names(web) == ["web-2"]).await;
    assert!(harness.fleet.restart("nobody").await.unwrap_err().to_string().contains("nobody"));
}

#[tokio::test]
async fn a_restart_drains_before_it_stops() {
    let mut harness = Harness::start(&[("web", &shell("echo ready $$; exec sleep 1000"))]);
    harness.ready(1).await;
    harness.balancer.set("web-1", 1, 1);
    let draining = |web: &[Instance]| web.iter().any(|one| one.phase == Phase::Draining);
    let fleet = &harness.fleet;
    let balancer = harness.balancer.clone();
    let mut changes = harness.changes.clone();
    let (restarted, ()) = tokio::join!(fleet.restart("web"), async {
        let seen = changes.wait_for(|snapshot| draining(&snapshot.services["web"]));
        let web = timeout(PATIENCE, seen).await.unwrap().unwrap().services["web"].clone();
        let old = web.iter().find(|one| one.name == "web-1").unwrap();
        assert!(old.draining && old.is_served() && old.pid.is_some());
        balancer.set("web-1", 0, 1);
    });
    assert_eq!(restarted.unwrap().replaced.len(), 1);
}

#[tokio::test]
async fn a_changed_configuration_touches_only_what_changed() {
    let steady = shell("echo ready $$; exec sleep 1000");
    let mut web = shell("echo ready $$; exec sleep 1001");
    let mut harness = Harness::start(&[("web", &web), ("steady", &steady), ("old", &steady)]);
    harness.ready(1).await;
    let all = |snapshot: &Arc<FleetSnapshot>| {
        snapshot.services.values().flatten().all(|one| one.phase == Phase::Ready)
    };
    let before = harness.changes.wait_for(all).await.unwrap().services["steady"][0].pid;

    // Limits alone restart nothing.
    web.weight = 5;
    let report =
        harness.fleet.apply(&config(&[("web", &web), ("steady", &steady), ("old", &steady)])).await;
    assert_eq!(report.changes, ["service web: new limits are in force without a restart"]);
    harness.until("the weight", |web| web[0].weight == 5 && web[0].generation == 1).await;

    web.environment.insert("A".to_owned(), "b".to_owned());
    web.instances = 2;
    let next = config(&[("web", &web), ("steady", &steady), ("new", &steady)]);
    let report = harness.fleet.apply(&next).await;
    let changes = [
        "service new: new, 1 instance starts",
        "service web: 2 instances instead of 1; \
         what its instances are started with changed, so they are replaced one by one",
        "service old: removed, its instances drain and stop",
    ];
    assert_eq!(report.changes, changes);
    let done = |web: &[Instance]| {
        web.len() == 2 && web.iter().all(|one| one.phase == Phase::Ready && one.generation == 2)
    };
    harness.until("changed", done).await;
    let services = |snapshot: &Arc<FleetSnapshot>| {
        snapshot.services.keys().map(String::as_str).eq(["new", "steady", "web"])
    };
    let wait = harness.changes.wait_for(services);
    let after = timeout(PATIENCE, wait).await.unwrap().unwrap().services["steady"][0].clone();
    assert_eq!((after.pid, after.restarts), (before, 0));
    assert_eq!(harness.fleet.apply(&next).await.changes, [""; 0]);
}

#[tokio::test]
async fn a_change_that_fails_is_taken_back() {
    let good = shell("echo ready $$; exec sleep 1000");
    let mut harness = Harness::start(&[("web", &good)]);
    let before = harness.ready(1).await;
    harness.fleet.apply(&config(&[("web", &shell("exit 1"))])).await;
    harness.until("tried", |web| web.len() == 2).await;
    let after = harness.ready(1).await;
    assert_eq!(after[0].pid, before[0].pid);
    // What is in force is the old command again, so going back to it changes nothing.
    assert_eq!(harness.fleet.apply(&config(&[("web", &good)])).await.changes, [""; 0]);
}

#[tokio::test]
async fn counts_go_up_and_down() {
    let mut harness = Harness::start(&[("web", &shell("echo ready $$; exec sleep 1000"))]);
    let first = harness.ready(1).await[0].pid;
    let mut wanted = shell("echo ready $$; exec sleep 1000");
    wanted.instances = 3;
    let report = harness.fleet.apply(&config(&[("web", &wanted)])).await;
    assert_eq!(report.changes, ["service web: 3 instances instead of 1"]);
    harness.ready(3).await;
    wanted.instances = 1;
    harness.fleet.apply(&config(&[("web", &wanted)])).await;
    let left = harness.ready(1).await;
    assert_eq!((names(&left), left[0].pid), (vec!["web-1"], first));
}

#[tokio::test]
async fn too_much_memory_or_too_many_requests_recycle() {
    let grow = "import os, time; x = bytearray(60_000_000); print('ready', os.getpid(), flush=True); time.sleep(1000)";
    let words = ["python3", "-c", grow].map(str::to_owned).to_vec();
    let mut wanted = spec(CommandLine::Words(words));
    wanted.max_memory_bytes = Some(50_000_000);
    wanted.restart.reset_after = Duration::from_secs(1);
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.until("recycled", |web| names(web) == ["web-2"]).await;
    drop(harness);

    let mut wanted = shell("echo ready $$; exec sleep 1000");
    wanted.max_requests = Some(10);
    wanted.restart.reset_after = Duration::ZERO;
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.ready(1).await;
    harness.balancer.set("web-1", 0, 10);
    harness.until("recycled", |web| names(web) == ["web-2"]).await;
}
