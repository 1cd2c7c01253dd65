//! Words, shells and what is said about programs that are not there.

use super::*;
use crate::fleet::tests::spec;

fn variables() -> Variables {
    [("PORT", "8001"), ("INSTANCE", "web-1")].map(|(key, value)| (key, value.to_owned())).into()
}

#[test]
fn known_names_are_replaced_in_words_and_others_stay() {
    for (word, result) in [
        ("$PORT", "8001"),
        ("127.0.0.1:$PORT", "127.0.0.1:8001"),
        ("${PORT}0", "80010"),
        ("$PORT$INSTANCE/$PORT", "8001web-1/8001"),
        ("$PORTAL", "$PORTAL"),
        ("$PORT_", "$PORT_"),
        ("$SOCKET", "$SOCKET"),
        ("${PORT", "${PORT"),
        ("$$PORT", "$8001"),
        ("$", "$"),
        ("a$b ü$PORT", "a$b ü8001"),
        ("", ""),
    ] {
        assert_eq!(substitute(word, &variables()), result, "{word}");
    }
}

#[test]
fn exec_stands_only_before_simple_commands() {
    for (text, program) in [
        ("gunicorn app:wsgi --bind 127.0.0.1:$PORT", Some("gunicorn")),
        ("  ./serve", Some("./serve")),
        ("serve > out.txt 2>&1", None),
        ("serve > out.txt", Some("serve")),
        ("serve 'a;b' \"c&d\" e\\;f", Some("serve")),
        ("serve 'a'b';c", None),
        ("serve \"it's\"", Some("serve")),
        ("a; b", None),
        ("a && b", None),
        ("a | b", None),
        ("a &", None),
        ("a\nb", None),
        ("(a)", None),
        ("a $(b)", None),
        ("a `b`", None),
        ("A=1 b", None),
        ("cd /x", None),
        ("while true", None),
        ("exec a", None),
        ("$CMD a", None),
        ("'my program' a", None),
        ("", None),
        ("  ", None),
    ] {
        assert_eq!(simple_program(text), program, "{text}");
    }
}

#[test]
fn shell_texts_are_executed_by_the_shell() {
    let shell = |text: &str| words(&Command::Shell(text.to_owned()), &variables());
    assert_eq!(shell(" serve $PORT"), ["/bin/sh", "-c", "exec serve $PORT"]);
    assert_eq!(shell("a && b"), ["/bin/sh", "-c", "a && b"]);
    let list = Command::Words(vec!["serve".to_owned(), "$PORT".to_owned(), "$HOME;".to_owned()]);
    assert_eq!(words(&list, &variables()), ["serve", "8001", "$HOME;"]);
}

#[test]
fn a_missing_program_is_named_with_the_places_looked_at() {
    let mut wanted = spec(Command::Words(vec!["no-such-server".to_owned()]));
    wanted.environment.insert("PATH".to_owned(), "/nowhere:/bin".to_owned());
    let text = "the command \"no-such-server\" was not found in PATH (/nowhere:/bin); \
                install it, or give its full path";
    assert_eq!(check_program(&wanted), Err(text.to_owned()));
    wanted.command = Command::Shell("no-such-server --x".to_owned());
    assert_eq!(check_program(&wanted), Err(text.to_owned()));
    wanted.command = Command::Shell("true && no-such-server --x".to_owned());
    assert_eq!(check_program(&wanted), Ok(()));
}

#[test]
fn programs_by_path_are_looked_for_from_the_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("serve");
    let mut wanted = spec(Command::Words(vec!["./serve".to_owned()]));
    wanted.directory = Some(directory.path().to_owned());
    assert!(check_program(&wanted).unwrap_err().contains("No such file"));
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    assert!(check_program(&wanted).unwrap_err().contains("chmod +x"));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(check_program(&wanted), Ok(()));
    wanted.command = Command::Words(vec![directory.path().display().to_string()]);
    assert!(check_program(&wanted).unwrap_err().contains("is a directory"));
}

#[test]
fn missing_directories_and_users_are_named() {
    let mut wanted = spec(Command::Words(vec!["true".to_owned()]));
    wanted.directory = Some("/no/such/place".into());
    wanted.user = Some("no-such-user".to_owned());
    assert!(check_directory(&wanted).unwrap_err().contains("/no/such/place"));
    assert!(check_user(&wanted).unwrap_err().contains("there is no user \"no-such-user\""));
}
