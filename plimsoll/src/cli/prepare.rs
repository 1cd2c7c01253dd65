//! From arguments to a configuration that holds, or to a message and exit code 2; and the commands
//! that need nothing more: `check` and `config`.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::admin::units::plural;
use crate::config::model::{Config, Source};
use crate::config::{self, Loaded, RunOptions, Warning};
use crate::observe;

use super::arguments::{
    CheckArguments, ConfigArguments, ConfigDocument, DemoArguments, RunArguments, UpArguments,
};
use super::commands::USAGE;

/// The configuration of `plimsoll run`.
///
/// # Errors
/// The exit code, with the mistakes told.
pub fn run(arguments: &RunArguments) -> Result<Config, ExitCode> {
    let options = RunOptions {
        instances: arguments.instances,
        listen: arguments.listen.clone(),
        admin: Some(arguments.admin.clone()),
        name: arguments.name.clone(),
        balance: arguments.balance.clone(),
        health: arguments.health.clone(),
        command: arguments.command.clone(),
    };
    let config = config::for_command(&options).map_err(refuse)?;
    config::verify_command(&options, &config).map_err(refuse)?;
    Ok(config)
}

/// Checks the options of `plimsoll demo`, which are those of a command that is run.
///
/// # Errors
/// The exit code, with the mistakes told.
pub fn demo(arguments: &DemoArguments) -> Result<(), ExitCode> {
    let options = RunOptions {
        instances: arguments.instances,
        listen: vec![arguments.listen.clone()],
        admin: Some(arguments.admin.clone()),
        command: vec!["plimsoll".to_owned(), "clinic".to_owned()],
        ..RunOptions::default()
    };
    config::for_command(&options).map(drop).map_err(refuse)
}

/// The configuration of `plimsoll up`; warnings are told.
///
/// # Errors
/// The exit code, with the mistakes told.
pub fn up(arguments: &UpArguments) -> Result<Loaded, ExitCode> {
    let loaded = load(&arguments.config)?;
    warn(&loaded.warnings);
    Ok(loaded)
}

/// `plimsoll check`: also asks whether commands, users and servers are there.
pub fn check(arguments: &CheckArguments) -> ExitCode {
    let loaded = match load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    warn(&loaded.warnings);
    match observe::check(&loaded.config) {
        Ok(rules) => rules.warnings.iter().for_each(|warning| {
            let _ = writeln!(io::stderr(), "warning: {warning}\n");
        }),
        Err(error) if error.is_mistake() => return refuse(error.placed(&loaded.origin())),
        Err(error) => return refuse(format_args!("error: {error}")),
    }
    warn(&loaded.probe_servers());
    print(format_args!("{} is good: {}\n", arguments.config.display(), contents(&loaded.config)))
}

/// `plimsoll config`.
pub fn document(arguments: &ConfigArguments) -> ExitCode {
    match arguments.what {
        ConfigDocument::Reference => print(config::reference()),
        ConfigDocument::Schema => print(format_args!("{:#}\n", config::schema())),
        ConfigDocument::PlanReference => print(config::bench::plan_reference()),
        ConfigDocument::PlanSchema => print(format_args!("{:#}\n", config::bench::plan_schema())),
    }
}

fn load(path: &Path) -> Result<Loaded, ExitCode> {
    let loaded = config::load(path).map_err(refuse)?;
    loaded.verify_environment().map_err(refuse)?;
    Ok(loaded)
}

/// `2 services, 5 servers, 3 routes, listening on :9999, admin on 127.0.0.1:9900`
fn contents(config: &Config) -> String {
    let servers = config.services.values().map(|service| match &service.source {
        Source::Servers(servers) => servers.len(),
        Source::Processes(processes) => processes.instances as usize,
    });
    let listen: Vec<&str> = config.listen.iter().map(|listen| listen.name.as_str()).collect();
    let admin = match &config.admin {
        Some(admin) => format!("admin on {}", admin.bind),
        None => "no admin server".to_owned(),
    };
    format!(
        "{}, {}, {}, listening on {}, {admin}",
        plural(config.services.len(), "service"),
        plural(servers.sum(), "server"),
        plural(config.routes.len(), "route"),
        listen.join(" and "),
    )
}

fn refuse(errors: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "{errors}");
    ExitCode::from(USAGE)
}

/// Tells what is likely not meant.
pub fn warn(warnings: &[Warning]) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "{warning}\n");
    }
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no failure.
///
/// Returns the exit code that this deserves.
pub fn print(text: impl Display) -> ExitCode {
    match write!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: cannot write the answer: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_in_a_file() {
        let text = "listen = [\":9999\", \"127.0.0.1:80\"]\n\
            [service.web]\nrun = \"true\"\ninstances = 3\n\
            [service.legacy]\nservers = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n\
            [[route]]\npath = \"/\"\nservice = \"web\"\n\
            [[route]]\npath = \"/old\"\nservice = \"legacy\"\n";
        let loaded = config::parse("plimsoll.toml", text).unwrap();
        assert_eq!(
            contents(&loaded.config),
            "2 services, 5 servers, 2 routes, listening on :9999 and 127.0.0.1:80, \
             admin on 127.0.0.1:9900"
        );
        let text = "admin = false\n[service.web]\nservers = [\"127.0.0.1:1\"]\n";
        let loaded = config::parse("plimsoll.toml", text).unwrap();
        assert_eq!(
            contents(&loaded.config),
            "1 service, 1 server, 1 route, listening on :9999, no admin server"
        );
    }

    #[test]
    fn run_takes_every_option() {
        use clap::Parser;

        let line = "plimsoll run -n 4 --name api --balance least-conn --health /up \
                    --listen :8080 --admin 127.0.0.1:9901 -- python3 -m http.server $PORT";
        let arguments = super::super::arguments::Arguments::parse_from(line.split_whitespace());
        let super::super::arguments::Command::Run(arguments) = arguments.command else {
            panic!("not run");
        };
        let config = run(&arguments).unwrap();
        assert_eq!(
            contents(&config),
            "1 service, 4 servers, 1 route, listening on :8080, admin on 127.0.0.1:9901"
        );
        let service = &config.services["api"];
        assert_eq!(service.balance, crate::config::model::Balance::LeastConn);
        assert!(service.health.is_some());
    }
}
