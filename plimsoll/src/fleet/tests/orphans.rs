//! Plimsoll is killed, and nothing that it started stays.

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::config::model::Address;
use crate::fleet::process_table::ProcessTable;

/// The word by which the test binary becomes a Plimsoll that can be killed.
pub const HOST: &str = "fleet-host";

/// Runs a fleet of one service with this shell script, for ever.
pub fn host(mut words: impl Iterator<Item = OsString>) -> ! {
    let script = words.next().unwrap().into_string().unwrap();
    let mut wanted = shell(&script);
    wanted.connect = InstanceAddress::Socket;
    wanted.instances = 2;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _fleet = Fleet::start(&config(&[("web", &wanted)]), Arc::new(|_, _| None));
        std::future::pending().await
    })
}

fn start_host(script: &str) -> Child {
    Command::new("/proc/self/exe")
        .args([HOST, script])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn kill_9_of_plimsoll_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    // A child that ignores TERM and HUP, one in a session of its own, a daemon whose parent is
    // gone, and one that keeps making new ones.
    let script = format!(
        "exec 9> {}; trap '' TERM HUP; echo main $SOCKET >&9; \
         sh -c 'trap \"\" TERM; echo child - >&9; sleep 1000; :' & \
         setsid sh -c 'echo session - >&9; sleep 1000; :' & \
         (setsid sh -c 'echo daemon - >&9; sleep 1000; :' &) & \
         (echo busy - >&9; while :; do setsid sleep 0.01; done) & \
         while :; do sleep 1000; done",
        pipe.path.display()
    );
    let mut plimsoll = start_host(&script);
    let mut sockets = Vec::new();
    for _ in 0..2 * 5 {
        let line = pipe.line().await.unwrap();
        let (who, socket) = line.split_once(' ').unwrap();
        if who == "main" {
            sockets.push(PathBuf::from(socket));
        }
    }
    let runtime_directory = sockets[0].parent().unwrap().to_owned();
    assert!(runtime_directory.exists());
    plimsoll.kill().unwrap();
    plimsoll.wait().unwrap();
    pipe.ended().await;
    // The guards leave last and take the directory along.
    let gone = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + PATIENCE;
        while runtime_directory.exists() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        !runtime_directory.exists()
    });
    assert!(gone.await.unwrap());
}

#[tokio::test]
async fn a_killed_guard_leaves_nothing_behind_either() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    // Only first starts hold the pipe. A process in a session of its own that ignores TERM, and a
    // daemon whose parent is gone and that keeps making new ones.
    let script = format!(
        "cd {}; [ -e $INSTANCE ] && exec sleep 1000; touch $INSTANCE; exec 9> {}; \
         setsid sh -c 'trap \"\" TERM; echo session >&9; sleep 1000; :' & \
         (setsid sh -c 'echo daemon >&9; while :; do setsid sleep 0.01; done' &) & \
         while :; do sleep 1000; done",
        directory.path().display(),
        pipe.path.display()
    );
    let mut plimsoll = start_host(&script);
    for _ in 0..2 * 2 {
        assert!(pipe.line().await.is_some());
    }
    let table = ProcessTable::read().unwrap();
    let guards: Vec<i32> =
        table.children(plimsoll.id().cast_signed()).map(|guard| guard.pid).collect();
    assert_eq!(guards.len(), 2);
    for guard in guards {
        kill(Pid::from_raw(guard), Signal::SIGKILL).unwrap();
    }
    pipe.ended().await;
    // Both instances are started again: their new guards were not taken for orphans.
    let again = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + PATIENCE;
        let sleeps = |plimsoll: &Child| {
            let table = ProcessTable::read().unwrap();
            let guards = table.children(plimsoll.id().cast_signed());
            guards.filter(|guard| table.children(guard.pid).count() == 1).count()
        };
        while sleeps(&plimsoll) < 2 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let count = sleeps(&plimsoll);
        plimsoll.kill().unwrap();
        plimsoll.wait().unwrap();
        count
    });
    assert_eq!(again.await.unwrap(), 2);
}

#[tokio::test]
async fn a_dropped_fleet_kills_its_processes() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipe = Pipe::new(directory.path());
    let script = format!("exec 9> {}; echo ready $$; sleep 1000; :", pipe.path.display());
    let mut harness = Harness::start(&[("web", &shell(&script))]);
    let instance = harness.ready(1).await.remove(0);
    assert!(matches!(instance.address, Address::Tcp(_)));
    let Harness { fleet, .. } = harness;
    drop(fleet);
    pipe.ended().await;
}
