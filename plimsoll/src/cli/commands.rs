//! The commands that ask a running Plimsoll, and how their answers are told.
//!
//! What was asked for goes to standard output, everything else to standard error. Exit codes:
//! 0 done, 1 it did not work, 2 asked wrongly.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::admin::api;
use crate::admin::status::{State, Status};
use crate::admin::units;
use crate::admin::{Drained, Reloaded, Restarted};

use super::arguments::{
    ClientCommand, Connection, DrainArguments, ReloadArguments, RestartArguments, StatusArguments,
};
use super::client::{Client, ClientError, LOOK_TIMEOUT, RELOAD_TIMEOUT, RESTART_TIMEOUT};
use super::report::report;
use super::table::{Painter, harmless};
use super::{alarms, silence, targets};

/// Between two looks of `status --watch`.
const WATCH_PAUSE: Duration = Duration::from_secs(2);
/// Exit code of a command that was asked wrongly.
pub const USAGE: u8 = 2;

/// Why a command ended badly.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Asking failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No server of that name.
    #[error("there is no server {name}")]
    NoServer {
        /// As given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Several services have a server of that name.
    #[error("{name} is the name of {} servers", candidates.len())]
    Ambiguous {
        /// As given.
        name: String,
        /// `SERVICE/SERVER` of each.
        candidates: Vec<String>,
    },
    /// It was asked wrongly.
    #[error("{wrong}")]
    Usage {
        /// What is wrong.
        wrong: String,
        /// What to write; may be empty.
        remedy: String,
    },
    /// What was told is not all: these rules may have alarms of which nobody knows.
    #[error(
        "{} cannot be evaluated, so what {} would tell of is not known",
        units::plural(*count, "alert rule"), if *count == 1 { "it" } else { "they" }
    )]
    Blind {
        /// How many.
        count: usize,
    },
    /// Standard output is closed.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    fn remedy(&self) -> String {
        match self {
            Self::Client(error) => error.remedy(),
            Self::NoServer { known, .. } if known.is_empty() => "no service has one yet".to_owned(),
            Self::NoServer { known, .. } => format!("name one of: {}", known.join(", ")),
            Self::Ambiguous { candidates, .. } => {
                format!("say which: {}", candidates.join(" or "))
            }
            Self::Usage { remedy, .. } => remedy.clone(),
            Self::Blind { .. } => "mend what is told above as the reason".to_owned(),
            Self::Output(_) => String::new(),
        }
    }

    /// On as many lines as a terminal of such a width needs; `None` is no terminal.
    fn tell(&self, columns: Option<usize>) -> String {
        if let Self::Client(ClientError::Config(errors)) = self {
            return errors.to_string();
        }
        let painter = Painter { colours: false, columns };
        let flow = |label, words: &str| {
            painter.flow(std::iter::once(label).chain(words.split(' ')), " ").trim_end().to_owned()
        };
        let mut text = flow("error:", &self.to_string());
        if let Self::Client(error) = self {
            for line in error.details().iter().flat_map(|detail| detail.lines()) {
                text.push('\n');
                text.push_str(&harmless(line));
            }
        }
        let remedy = self.remedy();
        if !remedy.is_empty() {
            text.push('\n');
            text.push_str(&flow(" = remedy:", &remedy));
        }
        text
    }

    fn code(&self) -> ExitCode {
        match self {
            Self::Client(error) if error.is_usage() => ExitCode::from(USAGE),
            Self::Usage { .. } => ExitCode::from(USAGE),
            // Whoever reads the pipe has seen enough, as with `| head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

/// Carries a client command out.
pub fn run(command: &ClientCommand) -> ExitCode {
    let done = match command {
        ClientCommand::Status(arguments) => status(arguments),
        ClientCommand::Reload(arguments) => reload(arguments),
        ClientCommand::Restart(arguments) => restart(arguments),
        ClientCommand::Drain(arguments) => drain(arguments),
        ClientCommand::Alarms(arguments) => alarms::alarms(arguments),
        ClientCommand::Silence(arguments) => silence::silence(arguments),
        ClientCommand::Targets(arguments) => targets::targets(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.code();
            if code != ExitCode::SUCCESS {
                let _ =
                    writeln!(io::stderr(), "{}", error.tell(columns(io::stderr().is_terminal())));
            }
            code
        }
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Finds out whom to ask, and says what is odd about it.
pub fn find(connection: &Connection) -> Result<Client, ClientError> {
    let client = Client::find(connection, environment)?;
    warn(client.warning.as_slice());
    Ok(client)
}

/// Colours where a person looks on and has not asked for none (<https://no-color.org>), and the
/// width that this person sees.
pub fn painter() -> Painter {
    let wanted =
        crate::log::may_colour() && environment("TERM").is_none_or(|value| value != "dumb");
    let is_terminal = io::stdout().is_terminal();
    Painter { colours: wanted && is_terminal, columns: columns(is_terminal) }
}

/// The width of the terminal that the output is, if it is one.
fn columns(is_terminal: bool) -> Option<usize> {
    let size = || ratatui::crossterm::terminal::size().ok();
    let columns = is_terminal.then(size).flatten().map(|(columns, _)| columns.into());
    // Some terminals do not know how wide they are.
    columns.filter(|columns| *columns > 0)
}

fn status(arguments: &StatusArguments) -> Result<(), CommandError> {
    let client = find(&arguments.connection)?;
    if arguments.json {
        let json: serde_json::Value = client.ask("GET", "/api/status", LOOK_TIMEOUT)?;
        return Ok(writeln!(io::stdout(), "{json:#}")?);
    }
    let look = || client.ask::<Status>("GET", "/api/status", LOOK_TIMEOUT);
    let mut text = report(&look()?, painter());
    if !arguments.watch {
        return Ok(io::stdout().write_all(text.as_bytes())?);
    }
    let steered = io::stdout().is_terminal();
    if steered {
        write!(io::stdout(), "\x1b[2J")?;
    }
    loop {
        show(&text, steered)?;
        thread::sleep(WATCH_PAUSE);
        // Who watches a restart wants to see it come back.
        text = match look() {
            Ok(status) => report(&status, painter()),
            Err(error) => format!("{}\n", CommandError::from(error).tell(painter().columns)),
        };
    }
}

/// Writes one picture of `--watch`, over the one before if the terminal can be steered.
fn show(text: &str, steered: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if steered {
        // Home, each line cleared as it is overwritten, then all below: no flicker.
        let text = text.replace('\n', "\x1b[K\n");
        write!(out, "\x1b[H{text}\x1b[J")?;
    } else {
        writeln!(out, "{text}")?;
    }
    out.flush()
}

fn reload(arguments: &ReloadArguments) -> Result<(), CommandError> {
    let client = find(&arguments.connection)?;
    let reloaded: Reloaded = client.ask("POST", "/api/reload", RELOAD_TIMEOUT)?;
    warn(&reloaded.warnings);
    let mut out = io::stdout().lock();
    if reloaded.changes.is_empty() {
        writeln!(out, "Nothing changed: the file says what is in force.")?;
    } else {
        writeln!(out, "Applied {}:", units::plural(reloaded.changes.len(), "change"))?;
        for change in &reloaded.changes {
            writeln!(out, "  {}", harmless(change))?;
        }
    }
    if !reloaded.instances.is_empty() {
        writeln!(out, "What that means for instances (plimsoll status shows how far it is):")?;
        for line in &reloaded.instances {
            writeln!(out, "  {}", harmless(line))?;
        }
    }
    Ok(())
}

fn restart(arguments: &RestartArguments) -> Result<(), CommandError> {
    let client = find(&arguments.connection)?;
    let path = api::restart_path(&arguments.service);
    let restarted: Restarted = client.ask("POST", &path, RESTART_TIMEOUT)?;
    let mut out = io::stdout().lock();
    for step in &restarted.steps {
        writeln!(out, "  {}", harmless(step))?;
    }
    let took = units::duration(restarted.took_seconds.ceil());
    writeln!(out, "Restarted {} in {took}.", harmless(&restarted.service))?;
    Ok(())
}

fn drain(arguments: &DrainArguments) -> Result<(), CommandError> {
    let client = find(&arguments.connection)?;
    let status: Status = client.ask("GET", "/api/status", LOOK_TIMEOUT)?;
    let (service, server) = find_server(&status, &arguments.server)?;
    let method = if arguments.undo { "DELETE" } else { "POST" };
    let path = api::drain_path(&service, &server);
    let drained: Drained = client.ask(method, &path, LOOK_TIMEOUT)?;
    warn(&drained.warnings);
    Ok(writeln!(io::stdout(), "{}", harmless(&told_of(&drained, arguments.undo)))?)
}

/// What a drain, or its undoing, came to.
fn told_of(drained: &Drained, undo: bool) -> String {
    let name = format!("{}/{}", drained.service, drained.server);
    let Drained { state, reason, .. } = drained;
    let requests = units::plural(drained.in_flight as usize, "request");
    match (undo, drained.draining, drained.changed) {
        (false, _, true) => format!("{name} gets nothing new; {requests} in flight will finish."),
        (false, _, false) => format!("{name} is already draining ({requests} in flight)."),
        (true, true, _) => format!("{name} is still draining: {reason}."),
        (true, false, true) if *state == State::Healthy => {
            format!("{name} is given back to traffic.")
        }
        (true, false, true) => {
            format!("{name} is drained no longer, but it is {}: {reason}.", state.as_str())
        }
        (true, false, false) => format!("{name} was not draining; it is {}.", state.as_str()),
    }
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {}", warning.trim_start_matches("warning: "));
    }
}

/// Which server `name` is: `web-2`, or `web/web-2`. A name may itself hold a slash.
fn find_server(status: &Status, name: &str) -> Result<(String, String), CommandError> {
    let all = || {
        let services = status.services.iter();
        services.flat_map(|service| service.servers.iter().map(|it| (&service.name, &it.name)))
    };
    let full = |(service, server): (&String, &String)| format!("{service}/{server}");
    let found: Vec<_> = all()
        .filter(|&(service, server)| server == name || full((service, server)) == name)
        .collect();
    match *found {
        [(service, server)] => Ok((service.clone(), server.clone())),
        [] => {
            Err(CommandError::NoServer { name: name.to_owned(), known: all().map(full).collect() })
        }
        _ => {
            let candidates = found.into_iter().map(full).collect();
            Err(CommandError::Ambiguous { name: name.to_owned(), candidates })
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::admin::status::samples;

    use super::*;

    #[test]
    fn a_drain_says_what_it_changed() {
        let told = |undo: bool, draining: bool, changed: bool, state: State| {
            let (service, server) = ("web".to_owned(), "web-1".to_owned());
            let reason = "connection refused".to_owned();
            let (in_flight, warnings) = (1, Vec::new());
            told_of(
                &Drained { service, server, draining, changed, state, reason, in_flight, warnings },
                undo,
            )
        };
        for (undo, draining, changed, state, expected) in [
            (
                false,
                true,
                true,
                State::Draining,
                "gets nothing new; 1 request in flight will finish.",
            ),
            (false, true, false, State::Draining, "is already draining (1 request in flight)."),
            (true, false, true, State::Healthy, "is given back to traffic."),
            (
                true,
                false,
                true,
                State::Unhealthy,
                "is drained no longer, but it is unhealthy: connection refused.",
            ),
            (true, false, false, State::Healthy, "was not draining; it is healthy."),
            (true, true, false, State::Draining, "is still draining: connection refused."),
        ] {
            assert_eq!(told(undo, draining, changed, state), format!("web/web-1 {expected}"));
        }
    }

    #[test]
    fn errors_are_broken_between_words() {
        let wrong = "no alarm has both a=b and a=c".to_owned();
        let error = CommandError::Usage { wrong, remedy: "say which of the two".to_owned() };
        assert_eq!(
            error.tell(Some(24)),
            "error: no alarm has both\n  a=b and a=c\n = remedy: say which of\n  the two"
        );
    }

    #[test]
    fn servers_are_found_by_name() {
        let mut status = samples::troubled();
        let mut find = |name: &str, change: fn(&mut Status)| {
            change(&mut status);
            match find_server(&status, name) {
                Ok((service, server)) => format!("{service} {server}"),
                Err(error) => error.tell(None),
            }
        };
        assert_eq!(find("web-2", |_| {}), "web web-2");
        assert_eq!(find("web/web-2", |_| {}), "web web-2");
        assert_eq!(find("legacy/10.0.1.10:8000", |_| {}), "legacy 10.0.1.10:8000");
        assert_eq!(
            find("web-9", |status| {
                status.services[0].servers.truncate(2);
                status.services[1].servers.truncate(1);
            }),
            "error: there is no server web-9\n = remedy: name one of: web/web-1, web/web-2, \
             legacy/10.0.1.10:8000"
        );
        assert_eq!(
            find("web-1", |status| "web-1".clone_into(&mut status.services[1].servers[0].name)),
            "error: web-1 is the name of 2 servers\n = remedy: say which: web/web-1 or \
             legacy/web-1"
        );
    }
}
