//! Recording on a disk that takes its time.

use std::sync::mpsc;

use super::*;
use crate::observe::alarms::judge::RULES_MAX;
use crate::observe::alarms::live::{Figures, RuleState};
use crate::observe::alarms::recorder::{Batch, Recorder};
use crate::observe::storage::Tap;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_slow_disk_holds_nobody_up_and_the_order_is_kept() {
    let mut bench = Bench::new();
    let store = Arc::clone(bench.storage.store());
    let up = store.series(&Labels::from_pairs([(NAME, "up"), ("job", "web")])).unwrap();
    store.commit(&[Append { series: &up, time: START, value: 0.0 }]);
    // A commit takes until the test says so.
    let ((release, released), written) = (mpsc::channel(), Arc::new(Mutex::new(Vec::new())));
    let (times, released) = (Arc::clone(&written), Mutex::new(released));
    let tap: Tap = Box::new(move |samples| {
        times.lock().unwrap().push(samples[0].time);
        released.lock().unwrap().recv_timeout(PATIENCE).expect("it is held up for ever");
    });
    bench.storage = Arc::new(Storage::new(store, vec![tap]));
    let told = Arc::clone(&bench.told);
    let notifier: Notifier = Arc::new(move |alerts| told.lock().unwrap().push(alerts));
    let judges = Judges { files: Arc::clone(&bench.engine), own: Arc::clone(&bench.engine) };
    let storage = Arc::clone(&bench.storage);
    let clock: Clock = Arc::new(|| START);
    let hands = Arc::new(Hands::new(judges, storage, notifier, external(), clock));
    let group = group("a", vec![alert("Down", "up == 0", 0, 0)]);
    let live = Arc::new(Live::new(group, vec![RuleState::default()], Figures::default()));

    let (own, judged) = (Arc::clone(&hands), Arc::clone(&live));
    let evaluation = tokio::spawn(async move { own.evaluate(&judged, START, 0).await });
    let is_begun = async {
        while written.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_begun).await.unwrap();
    // The only thread is free, the group can be looked at, and people know already.
    assert_eq!(live.view().rules[0].alerting.as_ref().unwrap().alerts.len(), 1);
    assert_eq!(bench.told().len(), 1);
    assert!(!evaluation.is_finished(), "the next rule would miss what this one records");
    let series: Vec<_> = live.state().rules[0].series.values().cloned().collect();
    assert_eq!(series.len(), 2);
    hands.end_series(series.iter(), START + 1);
    for _ in 0..2 {
        release.send(()).unwrap();
    }
    tokio::time::timeout(PATIENCE, evaluation).await.unwrap().unwrap();
    assert_eq!(live.view().rules[0].health, RuleHealth::Ok);
    let is_ended = async {
        while written.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_ended).await.unwrap();
    assert_eq!(*written.lock().unwrap(), [START, START + 1]);
}

/// Waits until something is so.
async fn wait(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it never is so");
}

#[tokio::test]
async fn groups_that_wait_for_the_disk_keep_none_from_telling() {
    let mut bench = Bench::new();
    let store = Arc::clone(bench.storage.store());
    let up = store.series(&Labels::from_pairs([(NAME, "up"), ("job", "web")])).unwrap();
    store.commit(&[Append { series: &up, time: START, value: 0.0 }]);
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let tap: Tap = Box::new(move |_| {
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
    });
    bench.storage = Arc::new(Storage::new(store, vec![tap]));
    let told = Arc::clone(&bench.told);
    let notifier: Notifier = Arc::new(move |alerts| told.lock().unwrap().push(alerts));
    let judges = Judges { files: Arc::clone(&bench.engine), own: Arc::clone(&bench.engine) };
    let storage = Arc::clone(&bench.storage);
    let clock: Clock = Arc::new(|| START);
    let hands = Arc::new(Hands::new(judges, storage, notifier, external(), clock));
    let evaluations: Vec<_> = (0..=RULES_MAX)
        .map(|place| {
            let rule = alert(&format!("Down{place}"), "up == 0", 0, 0);
            let group = group(&format!("g{place}"), vec![rule]);
            let live = Live::new(group, vec![RuleState::default()], Figures::default());
            let (hands, live) = (Arc::clone(&hands), Arc::new(live));
            tokio::spawn(async move { hands.evaluate(&live, START, 0).await })
        })
        .collect();
    wait(|| bench.told.lock().unwrap().len() > RULES_MAX).await;
    assert!(evaluations.iter().all(|evaluation| !evaluation.is_finished()));
    // The disk is there again.
    drop(release);
    for evaluation in evaluations {
        tokio::time::timeout(PATIENCE, evaluation).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_batch_that_panics_costs_itself_only() {
    let bench = Bench::new();
    let store = Arc::clone(bench.storage.store());
    let series = store.series(&Labels::from_pairs([(NAME, "a")])).unwrap();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let tap: Tap = Box::new(move |samples| {
        if samples[0].time == START {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            panic!("as a defect would");
        }
    });
    let recorder = Arc::new(Recorder::new(Arc::new(Storage::new(store, vec![tap]))));
    let write = |time| {
        let samples = vec![(series.clone(), 1.0)];
        recorder.write(Batch { samples, ended: Vec::new(), time, now: START }).unwrap()
    };
    let (first, second) = (write(START), write(START + 1));
    drop(release);
    assert!(tokio::time::timeout(PATIENCE, first).await.unwrap().is_err());
    let second = tokio::time::timeout(PATIENCE, second).await.unwrap().unwrap();
    assert_eq!(second.committed.accepted, 1);
}
