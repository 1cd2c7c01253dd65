//! What a person sees of a run while it runs, and how they end it.
//!
//! The first Ctrl-C (or q, or SIGTERM) ends a run with its results so far: nothing new begins,
//! requests under way are awaited. The second ends the program at once.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::INTERRUPTED;
use crate::cli::arguments::bench::OutputArguments;
use crate::config::bench::model::Plan;
use crate::load::engine;
use crate::load::live::lines::Lines;
use crate::load::live::view::{self, Quit, View};
use crate::load::progress::Progress;
use crate::log;

/// Ends a run when it is told to.
#[derive(Clone)]
pub(super) struct Stopper {
    stop: Arc<watch::Sender<bool>>,
    /// Set by the first request to stop.
    asked: Arc<AtomicBool>,
    /// Whether it may write to the standard error what a second time does.
    speaks: Arc<AtomicBool>,
}

impl Stopper {
    /// Listens for SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn new() -> io::Result<Self> {
        let stopper = Self {
            stop: Arc::new(watch::Sender::new(false)),
            asked: Arc::default(),
            speaks: Arc::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _entered = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        drop(_entered);
        let told = stopper.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async move {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => told.ask(),
                        _ = terminate.recv() => told.ask(),
                    }
                }
            })
        })?;
        Ok(stopper)
    }

    /// What a run watches.
    pub(super) fn stop(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Whether somebody asked for the end.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Asks for the end: gently the first time, then at once.
    fn ask(&self) {
        if self.asked.swap(true, Ordering::Relaxed) {
            view::restore();
            let _ = writeln!(io::stderr(), "ended at once, without results");
            std::process::exit(i32::from(INTERRUPTED));
        }
        self.stop.send_replace(true);
        if self.speaks.load(Ordering::Relaxed) {
            let text = "ending: what is under way is awaited for a few seconds; Ctrl-C again ends at \
                        once, without results";
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// What is shown of a run.
pub(super) struct Watch {
    shown: Shown,
    quiet: bool,
}

enum Shown {
    View(View),
    Lines(Lines<io::Stderr>),
    Nothing,
}

impl Watch {
    /// Opens the live view where there is a terminal, else plain lines.
    pub(super) fn open(plan: &Plan, arguments: &OutputArguments, stopper: &Stopper) -> Self {
        let model = engine::description(plan);
        let shown = match arguments {
            arguments if arguments.quiet => Shown::Nothing,
            arguments if arguments.plain || !is_terminal() => {
                Shown::Lines(Lines::open(io::stderr(), &plan.name, &model))
            }
            _ => {
                let stopper = stopper.clone();
                let quit = move |_: Quit| stopper.ask();
                match View::open(&plan.name, &model, quit) {
                    Ok(view) => Shown::View(view),
                    Err(_) => Shown::Lines(Lines::open(io::stderr(), &plan.name, &model)),
                }
            }
        };
        // The view has a line of its own for it.
        stopper.speaks.store(matches!(shown, Shown::Lines(_)), Ordering::Relaxed);
        Self { shown, quiet: arguments.quiet }
    }

    /// What is shown of a search for the limit: it tells of its probes itself.
    pub(super) fn of_a_search(arguments: &OutputArguments) -> Self {
        Self { shown: Shown::Nothing, quiet: arguments.quiet }
    }

    /// Tells what happens beside the figures, where that disturbs nothing.
    pub(super) fn teller(&self) -> impl Fn(&str) + Clone + Send + use<> {
        let silent = self.quiet || matches!(self.shown, Shown::View(_));
        move |text: &str| {
            if !silent {
                let _ = writeln!(io::stderr(), "{text}");
            }
        }
    }

    /// Tells that the run waits for its time.
    pub(super) fn wait_for_start(&self, at: Option<Timestamp>) {
        if let (Some(at), false, Shown::Lines(_)) = (at, self.quiet, &self.shown) {
            let _ = writeln!(io::stderr(), "waiting until {at:.0}");
        }
    }

    /// Shows how it is doing.
    pub(super) fn show(&mut self, progress: &Progress) {
        match &mut self.shown {
            Shown::View(view) => view.show(progress),
            Shown::Lines(lines) => lines.show(progress),
            Shown::Nothing => {}
        }
    }

    /// Gives the terminal back.
    pub(super) fn close(self) {
        if let Shown::View(view) = self.shown {
            view.close();
        }
    }
}

/// Whether a person looks at it: the view is drawn to the standard error, and keys come from the
/// standard input.
fn is_terminal() -> bool {
    io::stderr().is_terminal() && io::stdin().is_terminal()
}

/// Whether the summary may have colours.
pub(super) fn colours() -> bool {
    log::may_colour() && io::stdout().is_terminal()
}

/// Tells what a plan leaves out, a line each: even who wants nothing else told must know.
pub(super) fn warn_of_left_out(plan: &Plan) {
    for text in &plan.left_out {
        let _ = writeln!(io::stderr(), "warning: left out: {text}");
    }
}

/// Tells which files were written.
pub(super) fn tell_written(written: &[PathBuf]) {
    for path in written {
        let _ = writeln!(io::stderr(), "wrote {}", path.display());
    }
}

/// The command, as a shell would take it again.
pub(super) fn command_as_typed() -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words = without_secrets(words.collect());
    let words = words.iter().map(|word| quoted(word));
    std::iter::once("plimsoll".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// What stands for a secret.
const SECRET: &str = "***";

/// The words of a command without passwords and tokens: results and reports are passed on.
fn without_secrets(words: Vec<String>) -> Vec<String> {
    let mut shown: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let word = match shown.last().map(String::as_str) {
            Some("-H" | "--header" | "--push-header") => header_without_secret(&word),
            _ => match word.split_once('=') {
                Some((option @ ("--header" | "--push-header"), header)) => {
                    format!("{option}={}", header_without_secret(header))
                }
                _ => match word.strip_prefix("-H") {
                    Some(header) => format!("-H{}", header_without_secret(header)),
                    None => url_without_secret(word),
                },
            },
        };
        shown.push(word);
    }
    shown
}

/// `Authorization: ***`; what names no secret stays.
fn header_without_secret(header: &str) -> String {
    let Some((name, _)) = header.split_once(':') else { return header.to_owned() };
    let plain = name.trim().to_ascii_lowercase();
    let ends = ["authorization", "cookie", "key", "token", "secret", "password"];
    match ends.iter().any(|end| plain.ends_with(end)) {
        true => format!("{name}: {SECRET}"),
        false => header.to_owned(),
    }
}

/// `https://user:***@host/`.
fn url_without_secret(word: String) -> String {
    let Some((before, rest)) = word.split_once("://") else { return word };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..end].rfind('@') else { return word };
    let user = rest[..at].split(':').next().unwrap_or_default();
    format!("{before}://{user}:{SECRET}{}", &rest[at..])
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_kept_without_its_secrets() {
        for (typed, kept) in [
            ("http://web/ --rate 5", "http://web/ --rate 5"),
            ("-H Authorization:abc -H Accept:a", "-H 'Authorization: ***' -H Accept:a"),
            ("-HX-Api-Key:abc", "'-HX-Api-Key: ***'"),
            ("--header=Cookie:abc", "'--header=Cookie: ***'"),
            ("--push-header Authorization:abc", "--push-header 'Authorization: ***'"),
            ("--push-header @token", "--push-header '@token'"),
            ("--push https://ann:abc@gate:1/x@y", "--push 'https://ann:***@gate:1/x@y'"),
            ("--remote-write=http://abc@prom", "'--remote-write=http://abc:***@prom'"),
        ] {
            let words = typed.split(' ').map(str::to_owned).collect();
            let shown: Vec<String> =
                without_secrets(words).iter().map(|word| quoted(word)).collect();
            assert_eq!(shown.join(" "), kept.replace("'@token'", "@token"), "{typed}");
            assert!(!shown.concat().contains(":abc"));
        }
    }

    #[test]
    fn a_command_can_be_typed_again() {
        assert_eq!(quoted("http://127.0.0.1:9999/"), "http://127.0.0.1:9999/");
        assert_eq!(quoted("p99<50ms"), "'p99<50ms'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
