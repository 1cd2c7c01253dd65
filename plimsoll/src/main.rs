//! Plimsoll: arguments in, exit code out.

mod admin;
mod app;
mod cli;
mod config;
mod demo;
mod edge;
mod fleet;
mod load;
mod log;
mod net;
mod observe;
mod outbound;
mod temporary;
#[cfg(test)]
mod testing;
mod trust;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use cli::arguments::{Arguments, ClinicArguments, Command};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "guard") {
        return fleet::guard::main(words);
    }
    match Arguments::parse().command {
        Command::Bench(arguments) => app::bench::run(&arguments),
        Command::Check(arguments) => cli::prepare::check(&arguments),
        Command::Promql(arguments) => cli::promql::run(&arguments),
        Command::Rules(arguments) => cli::rules::run(&arguments),
        Command::Config(arguments) => cli::prepare::document(&arguments),
        Command::Client(command) => cli::commands::run(&command),
        Command::Clinic(arguments) => clinic(arguments),
        Command::Run(arguments) => match cli::prepare::run(&arguments) {
            Ok(config) => {
                let origin = config::Origin::CommandLine;
                app::run(app::Plan { config, origin, path: None, demo: None })
            }
            Err(code) => code,
        },
        Command::Up(arguments) => match cli::prepare::up(&arguments) {
            Ok(loaded) => app::run(app::Plan {
                origin: loaded.origin(),
                config: loaded.config,
                path: Some(arguments.config),
                demo: None,
            }),
            Err(code) => code,
        },
        Command::Demo(arguments) => match cli::prepare::demo(&arguments) {
            Ok(()) => app::run_demo(app::DemoOptions {
                instances: arguments.instances,
                listen: arguments.listen,
                admin: arguments.admin,
                demo: app::Demo { traffic: arguments.traffic, chaos: arguments.chaos },
            }),
            Err(code) => code,
        },
    }
}

/// Runs one clinic server until it is told to stop.
fn clinic(arguments: ClinicArguments) -> ExitCode {
    let latency = arguments.latency.parse().unwrap_or_else(|error| {
        let message = format!("invalid value for '--latency <TIME>': {error}");
        let mut command = Arguments::command();
        command.build();
        // Its usage, where it is found.
        let clinic = command.find_subcommand_mut("clinic").cloned();
        clinic.unwrap_or(command).error(ErrorKind::ValueValidation, message).exit()
    });
    let done = demo::run(demo::Options {
        name: arguments.name,
        database: arguments.database,
        health_failure_chance: arguments.health_failure_chance,
        latency,
        threads: usize::from(arguments.threads),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
