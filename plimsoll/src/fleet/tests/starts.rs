//! How instances are started: words, environment, addresses, users, figures, and what is said
//! when they cannot be.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use tsdb::exposition::Exposition;

use super::*;
use crate::config::model::{Address, InstanceLog};

fn port(instance: &Instance) -> u16 {
    match instance.address {
        Address::Tcp(address) => address.port(),
        _ => panic!("{:?}", instance.address),
    }
}

#[tokio::test]
async fn each_instance_has_a_name_a_port_and_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let mut wanted = shell("echo $INSTANCE $PORT $COLOUR $PWD; echo ready $$; exec sleep 1000");
    wanted.instances = 2;
    wanted.environment.insert("COLOUR".to_owned(), "blue".to_owned());
    wanted.directory = Some(directory.clone());
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instances = harness.ready(2).await;
    assert_eq!(names(&instances), ["web-1", "web-2"]);
    assert_ne!(port(&instances[0]), port(&instances[1]));
    for instance in &instances {
        let line = format!("{} {} blue {}", instance.name, port(instance), directory.display());
        assert!(harness.out.text().contains(&format!("{} | {line}\n", instance.name)));
        assert!(instance.pid.is_some() && instance.started_at.is_some() && !instance.draining);
    }
    let report = harness.stop().await;
    assert_eq!(report.stopped, ["web-1", "web-2"]);
    assert_eq!((report.killed, report.left), (vec![], vec![]));
}

#[tokio::test]
async fn words_run_without_a_shell() {
    let words = ["printf", "%s\\n", "$PORT;", "${INSTANCE}", "$HOME"];
    let mut harness =
        Harness::start(&[("web", &spec(CommandLine::Words(words.map(str::to_owned).to_vec())))]);
    let instances =
        harness.until("printed", |web| web.iter().any(|one| one.last_exit.is_some())).await;
    let exit = instances[0].last_exit.clone().unwrap();
    assert!(exit.contains("status 0 (a service has to stay in the foreground)"), "{exit}");
    harness.stop().await;
    let text = harness.out.text();
    assert!(text.contains(";\nweb-1 | web-1\nweb-1 | $HOME\n"), "{text}");
}

#[tokio::test]
async fn a_socket_is_private_and_leaves_nothing_behind() {
    let serve = "import os, socket, sys\n\
                 s = socket.socket(socket.AF_UNIX)\n\
                 s.bind(os.environ['SOCKET'])\n\
                 s.listen()\n\
                 print('PORT' in os.environ)\n\
                 print('ready', os.getpid(), flush=True)\n\
                 s.accept()[0].sendall(sys.argv[1].encode())\n\
                 s.accept()";
    let words = ["python3", "-c", serve, "$SOCKET"].map(str::to_owned).to_vec();
    let mut wanted = spec(CommandLine::Words(words));
    wanted.connect = InstanceAddress::Socket;
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instance = harness.ready(1).await.remove(0);
    let Address::Unix(path) = instance.address else { panic!("{:?}", instance.address) };
    assert!(harness.out.text().starts_with("web-1 | False\n"), "{}", harness.out.text());
    let directory = path.parent().unwrap();
    assert_eq!(std::fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    let connected = UnixStream::connect(&path).unwrap();
    assert_eq!(std::io::read_to_string(connected).unwrap(), path.to_str().unwrap());
    harness.stop().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn sockets_get_another_directory_when_theirs_was_removed() {
    let serve = "import os, socket\n\
                 s = socket.socket(socket.AF_UNIX)\n\
                 s.bind(os.environ['SOCKET'])\n\
                 s.listen()\n\
                 print('ready', os.getpid(), flush=True)\n\
                 s.accept()[0].recv(1)";
    let words = ["python3", "-c", serve].map(str::to_owned).to_vec();
    let mut wanted = spec(CommandLine::Words(words));
    wanted.connect = InstanceAddress::Socket;
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instance = harness.ready(1).await.remove(0);
    let Address::Unix(first) = instance.address else { panic!("{:?}", instance.address) };
    let directory = first.parent().unwrap();
    let mut connected = UnixStream::connect(&first).unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    // Lets the instance end.
    connected.write_all(b".").unwrap();
    let elsewhere = |one: &Instance| {
        let Address::Unix(path) = &one.address else { return false };
        one.phase == Phase::Ready && path.parent() != Some(directory)
    };
    harness.until("ready in another directory", |web| web.iter().any(elsewhere)).await;
    harness.stop().await;
}

#[tokio::test]
async fn counted_ports_are_counted_and_a_taken_one_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let mut wanted = shell("echo ready $$; exec sleep 1000");
    wanted.first_port = Some(taken);
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instances = harness.until("a crash loop", |web| web.iter().any(|one| one.crash_loop)).await;
    let exit = instances[0].last_exit.clone().unwrap();
    assert!(exit.contains(&format!("port {taken}")) && exit.contains("first_port"), "{exit}");
    drop(listener);
    let instances = harness.ready(1).await;
    assert_eq!(port(&instances[0]), taken);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_named() {
    let mut wanted = shell("no-such-server --port $PORT");
    wanted.environment.insert("PATH".to_owned(), "/nowhere".to_owned());
    let sentence = "the command \"no-such-server\" was not found in PATH (/nowhere); \
                    install it, or give its full path";
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instances = harness.until("a crash loop", |web| web.iter().any(|one| one.crash_loop)).await;
    let exit = instances[0].last_exit.clone().unwrap();
    assert_eq!(exit, format!("could not be started: {sentence}"));
    assert_eq!(harness.stop().await.killed, [""; 0]);
}

#[tokio::test]
async fn what_the_kernel_refuses_to_run_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("serve");
    std::fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    let words = vec![file.display().to_string()];
    let mut harness = Harness::start(&[("web", &spec(CommandLine::Words(words)))]);
    let instances = harness.until("a crash loop", |web| web.iter().any(|one| one.crash_loop)).await;
    let exit = instances[0].last_exit.clone().unwrap();
    let wanted = format!("cannot run {}: No such file or directory", file.display());
    assert!(exit.contains(&wanted) && exit.contains("interpreter"), "{exit}");
}

#[tokio::test]
async fn another_user_gets_its_rights_home_and_socket() {
    if !nix::unistd::geteuid().is_root() {
        // Nobody but root may become another user; then the refusal is what there is to see.
        let mut wanted = shell("true");
        wanted.user = Some("root".to_owned());
        let mut harness = Harness::start(&[("web", &wanted)]);
        let instances =
            harness.until("a crash loop", |web| web.iter().any(|one| one.crash_loop)).await;
        assert!(instances[0].last_exit.as_ref().unwrap().contains("must run as root"));
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let mut wanted = shell("id -un; id -G; echo $HOME; echo ready $$; exec sleep 1000");
    wanted.user = Some("nobody".to_owned());
    wanted.directory = Some("/".into());
    wanted.connect = InstanceAddress::Socket;
    let mut harness = Harness::start(&[("web", &wanted)]);
    let instance = harness.ready(1).await.remove(0);
    let home = nobody.dir.display();
    let lines = format!("web-1 | nobody\nweb-1 | {}\nweb-1 | {home}\n", nobody.gid);
    assert!(harness.out.text().starts_with(&lines), "{}", harness.out.text());
    let Address::Unix(path) = &instance.address else { panic!("{:?}", instance.address) };
    let directory = std::fs::metadata(path.parent().unwrap()).unwrap();
    assert_eq!(directory.uid(), nobody.uid.as_raw());
    harness.stop().await;
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn figures_are_of_the_whole_tree() {
    let script = "sh -c 'echo ready $PPID; sleep 1000' & sleep 1000 & wait";
    let mut harness = Harness::start(&[("web", &shell(script))]);
    let all = |web: &[Instance]| web.first().is_some_and(|one| one.figures.processes == 4);
    let instances = harness.until("four processes", all).await;
    let figures = instances[0].figures;
    assert!(figures.resident_bytes > 100_000, "{figures:?}");
    assert!(figures.descriptors >= 12 && figures.threads == 4, "{figures:?}");
    let mut exposition = Exposition::new();
    harness.fleet.expose(&mut exposition);
    let text = exposition.finish();
    for line in [
        "plimsoll_instance_up{service=\"web\",instance=\"web-1\"} 1",
        "plimsoll_instance_restarts_total{service=\"web\",instance=\"web-1\"} 0",
        "plimsoll_instance_processes{service=\"web\",instance=\"web-1\"} 4",
        "# TYPE plimsoll_instance_cpu_seconds_total counter",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn processor_time_is_measured_also_of_children() {
    let script = "(while :; do :; done) & echo ready $$; wait";
    let mut harness = Harness::start(&[("web", &shell(script)), ("idle", &shell("sleep 1000"))]);
    let busy = |one: &Instance| one.figures.cpu_percent > 0.0 && one.figures.cpu_seconds > 0.0;
    harness.until("busy", |web| web.iter().any(busy)).await;
    let snapshot = harness.changes.borrow().clone();
    let idle = snapshot.services["idle"][0].figures;
    assert!(idle.cpu_percent < snapshot.services["web"][0].figures.cpu_percent, "{idle:?}");
}

#[tokio::test]
async fn log_files_are_capped_and_only_some_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done; \
                  echo ready $$; exec sleep 1000";
    let mut wanted = shell(script);
    let logs = directory.path().to_owned();
    wanted.log = Some(InstanceLog { directory: logs.clone(), max_bytes: 1000, keep: 2 });
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.ready(1).await;
    harness.stop().await;
    let mut found: Vec<(String, u64)> = std::fs::read_dir(&logs)
        .unwrap()
        .map(Result::unwrap)
        .map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().len()))
        .collect();
    found.sort();
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["web-1.log", "web-1.log.1", "web-1.log.2"]);
    assert!(found.iter().all(|(_, bytes)| (1..=1000).contains(bytes)), "{found:?}");
    let last = std::fs::read_to_string(logs.join("web-1.log")).unwrap();
    assert!(last.lines().next_back().unwrap().starts_with("ready "), "{last}");
}

#[tokio::test]
async fn output_of_any_kind_is_captured() {
    let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; \
                  printf 'a\\000\\377b\\r\\n'; echo oops >&2; printf 'no end'; exec sleep 1000";
    let directory = tempfile::tempdir().unwrap();
    let mut wanted = shell(&format!("echo ready $$; {script}"));
    let logs = directory.path().join("logs");
    wanted.log = Some(InstanceLog { directory: logs.clone(), max_bytes: 1_000_000, keep: 1 });
    let mut harness = Harness::start(&[("web", &wanted)]);
    harness.ready(1).await;
    harness.stop().await;
    let text = harness.out.text();
    let cut = format!("web-1 | {} [cut: 83616 more bytes]\n", "x".repeat(16 * 1024));
    assert!(text.contains(&cut), "{}", text.len());
    assert!(text.contains("web-1 | a\\x00\u{fffd}b\n"), "{text}");
    assert!(text.ends_with("web-1 | no end\n"), "{text}");
    let log = std::fs::read(logs.join("web-1.log")).unwrap();
    assert!(log.windows(5).any(|bytes| bytes == b"a\0\xffb\n"));
}
