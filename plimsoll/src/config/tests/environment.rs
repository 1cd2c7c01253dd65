//! What a configuration needs of the machine, and servers that do not answer.

use std::net::TcpListener;

use super::super::environment::verify_environment;
use super::super::{RunOptions, for_command, verify_command};
use super::resolve;

fn said(text: &str) -> String {
    match resolve(text).unwrap().verify_environment() {
        Ok(()) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn a_command_that_does_not_exist_is_named_with_its_line() {
    let text =
        said("[service.web]\n# the application\nrun = \"no-such-program-here --port $PORT\"\n");
    assert!(text.contains("plimsoll.toml:3:7"), "{text}");
    assert!(text.contains("the command `no-such-program-here` does not exist"), "{text}");
    assert!(text.contains("service.web.run"), "{text}");
    assert!(text.contains("PATH"), "{text}");
}

#[test]
fn commands_that_exist_pass() {
    for run in [
        "\"sh -c 'true'\"",
        "[\"sh\", \"-c\", \"true\"]",
        "\"/bin/sh x\"",
        "\"$PROGRAM x\"",
        "\"'quoted' x\"",
        "[\"$PROGRAM\"]",
        "\"cd /tmp && exec no-such-program-here\"",
        "\"DEBUG=1 no-such-program-here\"",
        "\"if true; then no-such-program-here; fi\"",
    ] {
        assert_eq!(said(&format!("[service.web]\nrun = {run}\n")), "", "{run}");
    }
}

#[test]
fn the_path_is_that_of_the_instance() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("own-program");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    let path = directory.path().display();
    let text =
        format!("[service.web]\nrun = \"own-program\"\nenvironment = {{ PATH = \"{path}\" }}\n");
    assert!(said(&text).contains("does not exist"), "not executable yet");
    let relative = format!("[service.web]\nrun = \"./own-program\"\ndirectory = \"{path}\"\n");
    assert!(said(&relative).contains("chmod +x"), "{}", said(&relative));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    assert_eq!(said(&text), "");
    assert_eq!(said(&relative), "");
}

#[test]
fn directories_and_users_must_exist() {
    let text = said(
        "access_log = \"/no/such/place/access.log\"\n[service.web]\nrun = \"sh\"\n\
         directory = \"/no/such/directory\"\nuser = \"no-such-user\"\nlog = { directory = \"/dev/null/x\" }\n",
    );
    for part in [
        "the directory /no/such/place does not exist",
        "plimsoll.toml:1:",
        "the directory /no/such/directory does not exist",
        "plimsoll.toml:4:",
        "there is no user `no-such-user`",
        "plimsoll.toml:5:",
        "a file is in the way",
        "plimsoll.toml:6:",
        "4 errors",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn files_of_certificates_must_exist() {
    let text = said(
        "[service.web]\nrun = \"sh\"\n[observe]\nprometheus = { url = \"https://a\", ca = \"/no/a.pem\" }\n\
         job = [{ name = \"b\", targets = [\"b:1\", \"c:1\"], ca = \"/no/b.pem\" }]\n\
         [observe.notify.receiver.ops]\nslack = { url = { url = \"https://a\", ca = \"/no/c.pem\" } }\n",
    );
    for part in [
        "the file of certificates /no/a.pem does not exist",
        "plimsoll.toml:4:40",
        "the file of certificates /no/b.pem does not exist",
        "plimsoll.toml:5:",
        "the file of certificates /no/c.pem does not exist",
        "plimsoll.toml:7:",
        "3 errors",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn without_a_file_problems_name_the_key() {
    let loaded = resolve("[service.web]\nrun = [\"no-such-program-here\"]\n").unwrap();
    let errors = verify_environment(&loaded.config);
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].key.as_str(), &errors[0].place), ("service.web.run", &None));
}

#[test]
fn servers_that_do_not_answer_are_warnings() {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listening.local_addr().unwrap();
    // Bound and closed again, so that nothing listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let loaded = resolve(&format!(
        "[service.web]\nservers = [\n  \"{open}\",\n  \"{closed}\",\n  {{ at = \"unix:/no/such.sock\" }},\n]\n"
    ))
    .unwrap();
    let warnings = loaded.probe_servers();
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(text[0].contains(&format!("{closed} cannot be reached")), "{}", text[0]);
    assert!(text[0].contains("connection refused") && text[0].contains("plimsoll.toml:4:3"));
    assert!(text[1].contains("unix:/no/such.sock") && text[1].contains("plimsoll.toml:5:3"));
    assert!(text[1].starts_with("warning:"));
}

#[test]
fn a_command_that_was_typed_is_named_as_it_was_typed() {
    for (words, message, remedy) in [
        (
            &["no-such-program-here", "--port", "$PORT"][..],
            "the command `no-such-program-here` does not exist",
            "install no-such-program-here, or write its full path",
        ),
        (
            &["./no-such-program"],
            "the command ./no-such-program does not exist",
            "correct the path; a relative one begins at the current directory",
        ),
        (&["/"], "/ is a directory", "name the program in it that is to be run"),
        (
            &["3", "gunicorn", "app:wsgi", "a b", "$PORT"],
            "the command `3` does not exist",
            "for so many instances write: plimsoll run -n 3 -- gunicorn app:wsgi 'a b' '$PORT'",
        ),
        (
            &["DEBUG=it's", "node", "app.js"],
            "`DEBUG=it's` is a variable, not a command",
            "set it for Plimsoll, whose variables the command gets: 'DEBUG=it'\\''s' plimsoll run \
             … -- node app.js",
        ),
    ] {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        let options = RunOptions { instances: 1, command, ..Default::default() };
        let errors = verify_command(&options, &for_command(&options).unwrap()).unwrap_err().errors;
        let error = &errors[0];
        assert_eq!((error.key.as_str(), &error.place, errors.len()), ("COMMAND", &None, 1));
        assert_eq!((error.message.as_str(), error.remedy.as_deref()), (message, Some(remedy)));
    }
}
