//! Figures on the disk: what a kill at any moment leaves, a disk that is full, and temporary folders.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use tsdb::labels::Labels;
use tsdb::remote_write::{CONTENT_ENCODING, CONTENT_TYPE, Encoder};

use crate::harness::{self, Plimsoll};
use crate::http::{self, Connection};
use crate::upstream::{Upstream, service};

const CONFIG: &str = "[observe]\nremote_write_receiver = true\n";
/// Series of a remote write.
const SERIES: usize = 10;

/// A remote write of one sample of each series at a time.
fn message(time: i64, series: usize) -> Vec<u8> {
    let mut encoder = Encoder::new();
    for place in 0..series {
        let labels = Labels::from_pairs([("__name__", "pushed"), ("place", &place.to_string())]);
        // Digits that do not repeat take their room on the disk.
        encoder.series(&labels, &[(time, value(time, place))]);
    }
    encoder.finish().unwrap()
}

fn value(time: i64, place: usize) -> f64 {
    ((time % 1_000_000) as f64 * (place + 1) as f64).sin()
}

/// Sends it; the status, or nothing if the connection broke before that.
fn write(connection: &mut Connection, body: &[u8]) -> Option<u16> {
    let head = format!(
        "POST /prometheus/api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {CONTENT_TYPE}\r\n\
         Content-Encoding: {CONTENT_ENCODING}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    connection.response("POST").map(|response| response.status)
}

/// Writes until the connection breaks, from `time` on; `taken` is what was acknowledged.
fn writer(admin: SocketAddr, mut time: i64, taken: &Arc<Mutex<Vec<i64>>>) -> JoinHandle<()> {
    let taken = Arc::clone(taken);
    std::thread::spawn(move || {
        let mut connection = Connection::open(admin);
        while let Some(status) = write(&mut connection, &message(time, SERIES)) {
            assert_eq!(status, 204);
            taken.lock().unwrap().push(time);
            time += 1;
        }
    })
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

/// Times of the samples of a series, which must have the values that were written.
fn held(plimsoll: &Plimsoll, place: usize) -> Vec<i64> {
    let query = format!("query=pushed%7Bplace=%22{place}%22%7D%5B1h%5D");
    let answer = http::get(plimsoll.admin, &format!("/prometheus/api/v1/query?{query}")).json();
    let samples = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    let parsed = samples.iter().map(|sample| {
        let time = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
        let found: f64 = sample[1].as_str().unwrap().parse().unwrap();
        assert_eq!(found.to_bits(), value(time, place).to_bits(), "{sample}");
        time
    });
    parsed.collect()
}

#[test]
fn what_was_acknowledged_outlives_kills_at_any_moment() {
    let taken: Arc<Mutex<Vec<i64>>> = Arc::default();
    let web = Upstream::text("hello");
    let config = service(&[&web], CONFIG);
    let mut plimsoll = Plimsoll::up(&config);
    let start = now() - 60_000;
    // Where in its work it is hit is chance.
    for count in [7, 50, 23, 1, 111] {
        // What was not acknowledged may be there as well.
        let time = taken.lock().unwrap().last().map_or(start, |last| last + 1000);
        let aim = taken.lock().unwrap().len() + count as usize;
        let writer = writer(plimsoll.admin, time, &taken);
        plimsoll.wait("writes", || taken.lock().unwrap().len() >= aim);
        plimsoll.signal(Signal::SIGKILL);
        plimsoll.wait_exit();
        writer.join().unwrap();
        let directory = std::mem::replace(&mut plimsoll.directory, tempfile::tempdir().unwrap());
        plimsoll = Plimsoll::up_in(directory, &config, &[]);
        assert!(plimsoll.wait_log("in its log").contains(" samples in "));
        let taken = taken.lock().unwrap();
        for place in 0..SERIES {
            let held = held(&plimsoll, place);
            let missing: Vec<_> = taken.iter().filter(|time| !held.contains(time)).collect();
            assert!(missing.is_empty(), "series {place} lacks {missing:?} of {}", taken.len());
        }
    }
}

/// A command that runs this one where `folder` is a file system of its own, of `size`; it ends with
/// the command. `None` where that is not allowed, as in some containers.
fn on_small_disk(folder: &Path, size: &str, program: &str) -> Option<Command> {
    let run = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c"]);
        let mount = format!("mount -t tmpfs -o size={size} tmpfs '{}'", folder.display());
        command.arg(format!("{mount} && {script}"));
        command
    };
    run("true").status().is_ok_and(|status| status.success()).then(|| run(program))
}

#[test]
fn a_full_disk_stops_the_figures_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let ballast = "head -c 3m /dev/zero > data/ballast";
    let program = format!("{ballast}; exec '{}' up -c plimsoll.toml", harness::binary().display());
    let Some(command) = on_small_disk(&data, "4m", &program) else {
        eprintln!("left out: no file system can be mounted here");
        return;
    };
    let web = Upstream::text("hello");
    let config = service(&[&web], &format!("{CONFIG}directory = \"data\"\n"));
    let text = format!("listen = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n{config}");
    std::fs::write(directory.path().join("plimsoll.toml"), text).unwrap();
    let mut plimsoll = Plimsoll::start(directory, command);
    let mut connection = Connection::open(plimsoll.admin);
    let begin = now() - 60_000;
    let mut written = 0;
    let mut push = |times: i64| {
        for _ in 0..times {
            written += 1;
            assert_eq!(write(&mut connection, &message(begin + written, 1000)), Some(204));
        }
        written as usize
    };
    // A megabyte is free; a sample takes some nine bytes.
    push(200);
    plimsoll.wait_log("samples are kept in memory only");
    let count = push(20);
    assert_eq!(http::get(plimsoll.traffic, "/").text(), "hello");
    assert_eq!(held(&plimsoll, 3).len(), count, "queries go on");
    plimsoll.wait("the figure that the alarm rests on", || {
        plimsoll.value("plimsoll_store_trouble") == Some(1.0)
    });
    let told = plimsoll.log().matches("No space left on device").count();
    assert_eq!(told, 1, "{}", plimsoll.log());
    let root = format!("/proc/{}/root", plimsoll.pid());
    let inside = |name: &str| format!("{root}{}/{name}", data.display());
    std::fs::remove_file(inside("ballast")).unwrap();
    plimsoll.wait_log("figures are written to the disk again");
    // What came meanwhile is on the disk as well.
    let copy = tempfile::tempdir().unwrap();
    let from = inside("samples");
    plimsoll.signal(Signal::SIGSTOP);
    assert!(Command::new("cp").args(["-r", &from]).arg(copy.path()).status().unwrap().success());
    plimsoll.signal(Signal::SIGCONT);
    let options = tsdb::store::Options::default();
    let opened = tsdb::store::Store::open(&copy.path().join("samples"), options, now());
    let (store, recovery) = opened.unwrap();
    assert_eq!(recovery.losses, [] as [String; 0]);
    assert!(store.statistics().samples_young >= 1000 * count as u64, "{recovery}");
    plimsoll.stop();
}

#[test]
fn what_a_killed_run_left_is_swept_by_the_next() {
    let place = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Command::new(harness::binary());
        command.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--"]);
        command.arg(harness::binary()).arg("clinic").env("TMPDIR", place.path());
        Plimsoll::start(tempfile::tempdir().unwrap(), command)
    };
    let folder = |plimsoll: &Plimsoll| {
        let line = plimsoll.wait_log("figures are kept in ");
        let (_, rest) = line.split_once("figures are kept in ").unwrap();
        std::path::PathBuf::from(rest.split(' ').next().unwrap())
    };
    let (mut killed, mut other) = (start(), start());
    let (left, used) = (folder(&killed), folder(&other));
    killed.signal(Signal::SIGKILL);
    killed.wait_exit();
    assert!(left.join("samples").exists());
    let mut next = start();
    next.wait_log("a folder that an ended process had left");
    assert!(!left.exists() && used.join("samples").exists());
    let own = folder(&next);
    next.stop();
    other.stop();
    assert!(!own.exists() && !used.exists());
}
