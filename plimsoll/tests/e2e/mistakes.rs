//! Every mistake in a config file: one clear message with file, line, key and remedy, exit code 2,
//! and nothing half-started, from whichever command meets it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::harness::{Plimsoll, binary, output};
use crate::upstream::{Upstream, service};

/// The first two lines of each file.
const HEAD: &str = "listen = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n";
/// An instance that shows that it was started.
const RUN: &str = "run = \"touch started; sleep 100\"\n";

/// A mistake, and what a message about it holds.
struct Mistake {
    text: String,
    said: Vec<String>,
    /// Whether `check`, which binds no address, sees it.
    is_checked: bool,
}

fn mistakes(taken: &str) -> Vec<Mistake> {
    let mistake = |text: String, said: &[&str], is_checked| {
        let said = said.iter().map(|it| (*it).to_owned()).collect();
        Mistake { text, said, is_checked }
    };
    let after_head = |text: &str, said: &[&str]| mistake(format!("{HEAD}{text}"), said, true);
    let web = format!("[service.web]\n{RUN}");
    vec![
        mistake(
            format!("listen = [\"127.0.0.1:0\", \"{taken}\"]\nadmin = \"127.0.0.1:0\"\n{web}"),
            &["plimsoll.toml:1:26", "key:     listen[1]", "in use", "choose another port"],
            false,
        ),
        after_head(
            &format!(
                "{web}[service.api]\nrun = \"no-such-program-here\"\n[[route]]\nservice = \"web\"\n"
            ),
            &["plimsoll.toml:6:7", "service.api.run", "no-such-program-here", "install"],
        ),
        after_head(
            &format!("{web}instanses = 3\n"),
            &["plimsoll.toml:5:1", "service.web.instanses", "did you mean `instances`?"],
        ),
        after_head(
            &format!("{web}replicas = 3\n"),
            &["plimsoll.toml:5:1", "service.web.replicas", "it is called `instances`"],
        ),
        after_head(
            &format!("{web}start_timeout = \"5 parsecs\"\n"),
            &["plimsoll.toml:5:17", "service.web.start_timeout", "write \"5s\""],
        ),
        after_head(
            &format!("{web}[observe.rules]\nwithout = [\"ServerDwn\"]\n"),
            &["plimsoll.toml:6:12", "observe.rules.without[0]", "did you mean `ServerDown`?"],
        ),
        after_head(
            &format!(
                "{web}[[observe.job]]\nname = \"a\"\ntargets = [\"https://127.0.0.1:1/\"]\n\
                 ca = \"plimsoll.toml\"\n"
            ),
            &["error: ", "plimsoll.toml:8:6", "observe.job[0].ca", "none in it", "a PEM file"],
        ),
        after_head(
            &format!("{web}[service.web]\n{RUN}"),
            &["plimsoll.toml:5:10", "service.web", "is there twice", "under the first one"],
        ),
        after_head(
            &format!("{web}[[route]]\nservice = \"wbe\"\n"),
            &["plimsoll.toml:6:11", "route[0].service", "did you mean \"web\"?"],
        ),
        after_head(
            &format!("{web}first_port = 65535\n"),
            &["plimsoll.toml:5:14", "service.web.first_port", "write 65534 or less"],
        ),
    ]
}

fn plimsoll(directory: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(binary());
    command.args(words).current_dir(directory);
    output(command)
}

#[test]
fn every_mistake_is_told_where_it_is_and_starts_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mistakes = mistakes(&taken.local_addr().unwrap().to_string());
    let server = Upstream::text("unmoved");
    let running = Plimsoll::up(&service(&[&server], ""));
    for Mistake { text, said, is_checked } in mistakes {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("plimsoll.toml"), &text).unwrap();
        let expect = |command: &str, code: i32, errors: &str| {
            assert_eq!(code, 2, "{command}: {text}{errors}");
            for part in said.iter().map(String::as_str).chain(["\n1 error", "remedy:"]) {
                assert!(errors.contains(part), "{command}: no {part:?} in {errors}");
            }
        };
        let (code, _, errors) = plimsoll(directory.path(), &["check"]);
        if is_checked {
            expect("check", code, &errors);
        } else {
            assert_eq!(code, 0, "{errors}");
        }
        let (code, _, errors) = plimsoll(directory.path(), &["up"]);
        expect("up", code, &errors);
        assert!(!directory.path().join("started").exists(), "{text}");
        std::fs::write(running.directory.path().join("plimsoll.toml"), &text).unwrap();
        let (code, _, errors) = running.command(&["reload"]);
        expect("reload", code, &errors);
        assert_eq!(running.get("/").text(), "unmoved");
        assert_eq!(running.states("web").len(), 1);
        assert!(!running.directory.path().join("started").exists(), "{text}");
    }
}

#[test]
fn a_mistake_in_a_command_that_is_typed_is_told_in_its_words() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    for (words, said) in [
        (&["no-such-program-here", "-x"][..], &["key:     COMMAND", "no-such-program-here"][..]),
        (&["--", "no-such-program-here"], &["key:     COMMAND", "install no-such-program-here"]),
        (&["3", "sleep", "9"], &["`3` does not exist", "plimsoll run -n 3 -- sleep 9"]),
        (&["--listen", "80x", "sleep", "9"], &["--listen", "`80x` is neither", "as in :9999"]),
        (&["--listen", &taken, "sleep", "9"], &["key:     --listen", "in use"]),
        (&["/"], &["/ is a directory", "name the program in it"]),
        (&[], &["there is no command to run", "plimsoll run -n 3 -- "]),
    ] {
        let words = [&free[..], words].concat();
        let (code, _, errors) = plimsoll(directory.path(), &words);
        assert_eq!(code, 2, "{words:?}: {errors}");
        for part in said {
            assert!(errors.contains(part), "{words:?}: no {part:?} in {errors}");
        }
    }
}

#[test]
fn a_file_that_broke_meanwhile_still_leads_to_plimsoll() {
    let server = Upstream::text("x");
    let running = Plimsoll::up(&service(&[&server], ""));
    let file = running.directory.path().join("plimsoll.toml");
    let command = |words: &[&str]| plimsoll(running.directory.path(), words);
    for broken in ["[service.web]\nserver = 1\n", "[service.web\n", "[service.web]\nrun = \"x\n"] {
        std::fs::write(&file, format!("admin = \"{}\"\n{broken}", running.admin)).unwrap();
        let (code, table, errors) = command(&["status", "-c", "plimsoll.toml"]);
        assert_eq!(code, 0, "{errors}");
        assert!(table.contains("healthy"), "{table}");
        let warning = "warning: plimsoll.toml has 1 error: see plimsoll check -c plimsoll.toml";
        assert!(errors.starts_with(warning) && errors.lines().count() == 1, "{errors}");
        let name = server.address.to_string();
        let (code, _, errors) = command(&["drain", &name, "--undo", "-c", "plimsoll.toml"]);
        assert_eq!(code, 0, "{errors}");
    }
    std::fs::write(&file, "admin = 7\n[service.web]\nserver = 1\n").unwrap();
    let (code, _, errors) = command(&["status", "-c", "plimsoll.toml"]);
    assert_eq!(code, 2);
    assert!(errors.contains("plimsoll.toml:1:9") && errors.contains("2 errors;"), "{errors}");
}

#[test]
fn a_reload_says_that_instances_are_replaced() {
    let clinic = |more: &str| crate::harness::clinic(2, more);
    let running = Plimsoll::up(&clinic(""));
    running.wait_healthy("web", 2);
    let before = running.instance_pids("web");
    running.write_config(&clinic("environment = { COLOUR = \"red\" }"));
    let (code, told, errors) = running.command(&["reload"]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(
        told,
        "Applied 1 change:\n  service web: environment.COLOUR added\n\
         What that means for instances (plimsoll status shows how far it is):\n  service web: what \
         its instances are started with changed, so they are replaced one by one\n"
    );
    running.wait("new instances", || {
        let now = running.instance_pids("web");
        now.len() == 2 && !now.iter().any(|pid| before.contains(pid))
    });
}

#[test]
fn instances_on_counted_ports_are_replaced_on_the_port_above() {
    // Three free ports in a row, below those that instances without `first_port` get; where the
    // search begins differs between processes.
    let free =
        |port: &u16| (*port..port + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let begin = 3000 + (std::process::id() % 3000) as u16;
    let first = (begin..9900).find(free).unwrap();
    let running = Plimsoll::up(&crate::harness::clinic(2, &format!("first_port = {first}")));
    running.wait_healthy("web", 2);
    let (code, told, errors) = running.command(&["restart", "web"]);
    assert_eq!(code, 0, "{told}{errors}");
    let status = running.status();
    let mut addresses: Vec<&str> = status["services"][0]["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|server| server["address"].as_str().unwrap())
        .collect();
    addresses.sort_unstable();
    let (low, high) = (format!("127.0.0.1:{first}"), format!("127.0.0.1:{}", first + 2));
    assert_eq!(addresses, [low.as_str(), high.as_str()], "{status:#}");
}
