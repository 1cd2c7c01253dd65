use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Command, String> {
    let words = line.split_whitespace();
    Arguments::try_parse_from(words).map(|it| it.command).map_err(|error| error.to_string())
}

#[test]
fn the_declaration_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn run_takes_the_words_after_the_dashes_as_they_are() {
    let Command::Run(run) =
        parse("plimsoll run -n 3 --health /up -- gunicorn -n 5 --bind 127.0.0.1:$PORT").unwrap()
    else {
        panic!("not run");
    };
    assert_eq!((run.instances, run.health.as_deref()), (3, Some("/up")));
    assert_eq!(run.listen, [":9999"]);
    assert_eq!(run.command, ["gunicorn", "-n", "5", "--bind", "127.0.0.1:$PORT"]);
}

#[test]
fn the_script_of_the_help_passes() {
    let (_, rest) = promql::TEST_EXAMPLES.split_once(":\n").unwrap();
    let (script, _) = rest.split_once("\nExamples:").unwrap();
    let report = tsdb::promql::script::run("help", script, &tsdb::promql::Limits::default());
    assert!(report.is_success() && report.passed == 1, "{report:?}");
}

#[test]
fn run_needs_no_dashes() {
    for (line, instances, command) in [
        ("plimsoll run -n 3 gunicorn app:wsgi", 3, &["gunicorn", "app:wsgi"][..]),
        ("plimsoll run gunicorn -n 5 --bind :1", 1, &["gunicorn", "-n", "5", "--bind", ":1"]),
        ("plimsoll run -n2 python3 -m http.server", 2, &["python3", "-m", "http.server"]),
        ("plimsoll run node -- app.js", 1, &["node", "--", "app.js"]),
        ("plimsoll run -- -odd", 1, &["-odd"]),
        // That there is none is said with an example, not by clap.
        ("plimsoll run -n 3", 3, &[]),
        ("plimsoll run -n 3 --", 3, &[]),
    ] {
        let Ok(Command::Run(run)) = parse(line) else { panic!("{line}") };
        assert_eq!(
            (run.instances, &run.command[..]),
            (instances, &command.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
            "{line}"
        );
    }
}

#[test]
fn clients_say_where_to_ask() {
    let Command::Client(ClientCommand::Drain(drain)) =
        parse("plimsoll drain web/web-2 --undo --admin [::1]:9900 --token secret").unwrap()
    else {
        panic!("not drain");
    };
    assert_eq!((drain.server.as_str(), drain.undo), ("web/web-2", true));
    assert_eq!(drain.connection.admin.as_deref(), Some("[::1]:9900"));
    assert_eq!(drain.connection.token.as_deref(), Some("secret"));
}

#[test]
fn mistakes_are_explained() {
    for (line, expected) in [
        ("plimsoll clinic --threads 257", "write a whole number from 1 to 256"),
        ("plimsoll run -m 3 gunicorn", "unexpected argument '-m' found"),
        ("plimsoll run -n 0 -- true", "write a whole number from 1 to 1000"),
        ("plimsoll run -n three -- true", "write a whole number from 1 to 1000"),
        ("plimsoll run --balance leest-conn -- true", "a similar value exists: 'least-conn'"),
        ("plimsoll statu", "a similar subcommand exists: 'status'"),
        ("plimsoll status --json --watch", "cannot be used with"),
        ("plimsoll drain", "<SERVER>"),
        ("plimsoll clinic --health-failure-chance 2", "a chance is a number from 0 to 1"),
        ("plimsoll config grammar", "possible values: reference, schema"),
    ] {
        let message = parse(line).expect_err(line);
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn help_leaves_no_command_unexplained() {
    let command = Arguments::command();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        assert!(subcommand.get_about().is_some(), "{name} has no about");
        assert!(subcommand.get_long_about().is_some(), "{name} has no long about");
        assert!(subcommand.get_after_help().is_some(), "{name} has no example");
        for argument in subcommand.get_arguments() {
            assert!(argument.get_help().is_some(), "{name} {} has no help", argument.get_id());
        }
    }
}

#[test]
fn what_stands_below_the_help_fits_a_terminal() {
    fn look(command: &clap::Command) {
        let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in below.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
        }
        command.get_subcommands().for_each(look);
    }
    look(Arguments::command().find_subcommand("bench").unwrap());
}

/// What is wrong with a number is told by who reads it, not by advice on how to write options.
#[test]
fn a_number_below_zero_is_a_value() {
    for option in ["--rate", "--connections", "--for", "--think", "--threads", "--timeout", "-n"] {
        for value in ["-5", "-5s"] {
            let line = format!("plimsoll bench http://a/ {option} {value}");
            let read = parse(&line);
            assert!(read.is_ok(), "{line}: {read:?}");
        }
    }
}

#[test]
fn a_search_takes_no_option_that_it_would_not_heed() {
    for option in [
        "--rate 5",
        "--stages 1/1s",
        "--replay x",
        "--requests 5",
        "--threshold p99<1s",
        "--report r.html",
        "--plots p",
        "--junit j.xml",
        "--part 0/2",
    ] {
        let line = format!("plimsoll bench http://a/ --find-limit --slo p99=1s {option}");
        let said = parse(&line).unwrap_err();
        assert!(said.contains("cannot be used with"), "{option}: {said}");
    }
    let line =
        "plimsoll bench http://a/ --find-limit --slo p99=1s --json x --for 2s --connections 9";
    assert!(parse(line).is_ok());
}
