//! `plimsoll rules`: rule files checked, and those that Plimsoll brings along printed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use super::arguments::rules::{RulesArguments, RulesCommand, RulesPrintArguments};
use super::commands::USAGE;
use super::prepare::print;
use crate::admin::units::plural;
use crate::{config, observe::rules};

/// Carries the command out.
pub fn run(arguments: &RulesArguments) -> ExitCode {
    match &arguments.command {
        RulesCommand::Check(arguments) => {
            let mut is_right = true;
            for path in &arguments.files {
                match rules::check(path) {
                    Ok((count, warnings)) => {
                        for warning in warnings {
                            let _ = writeln!(io::stderr(), "warning: {warning}");
                        }
                        let (path, rules) = (path.display(), plural(count, "rule"));
                        if print(format_args!("{path} is good: {rules}\n")) != ExitCode::SUCCESS {
                            return ExitCode::FAILURE;
                        }
                    }
                    Err(errors) => {
                        is_right = false;
                        let _ = writeln!(io::stderr(), "{errors}");
                    }
                }
            }
            if is_right { ExitCode::SUCCESS } else { ExitCode::from(USAGE) }
        }
        RulesCommand::Print(arguments) => print_rules(arguments),
    }
}

fn print_rules(arguments: &RulesPrintArguments) -> ExitCode {
    let Some(path) = &arguments.config else {
        return print(rules::built_in_text(&[], &BTreeMap::new()));
    };
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(errors) => {
            let _ = writeln!(io::stderr(), "{errors}");
            return ExitCode::from(USAGE);
        }
    };
    let Some(observe) = &loaded.config.observe else {
        let _ =
            writeln!(io::stderr(), "{} turns measuring off: no rule is in force", path.display());
        return ExitCode::SUCCESS;
    };
    let services = &loaded.config.services;
    let built_in = match observe.rules.built_in {
        true => rules::built_in_text(&observe.rules.without, services),
        false => "groups:\n".to_owned(),
    };
    // One document: both are lists of groups under one key.
    let objectives = rules::objectives_text(services);
    let more = objectives.strip_prefix("groups:\n").unwrap_or_default();
    print(format_args!("{built_in}{more}"))
}
