//! Live figures on their way to Prometheus, while a run goes on.

use std::io::{self, Write};

use jiff::Timestamp;

use crate::cli::arguments::bench::OutputArguments;
use crate::load::progress::Progress;
use crate::load::push::pusher::Pusher;
use crate::load::push::receiver::{Access, Protocol, Receiver};

/// Where figures are pushed to.
pub(super) struct Pushers(Vec<Pusher>);

/// The receivers that the arguments name.
///
/// # Errors
/// In words: a URL or a label that cannot be used.
pub(super) fn receivers(arguments: &OutputArguments) -> Result<Vec<Receiver>, String> {
    let mut labels = Vec::new();
    for label in &arguments.push_label {
        let (name, value) = label.split_once('=').ok_or_else(|| {
            format!("error: --push-label: {label:?} has no `=`; write it as in job=nightly")
        })?;
        labels.push((name.to_owned(), value.to_owned()));
    }
    let access =
        Access { headers: headers(&arguments.push_header)?, ca: arguments.push_ca.clone() };
    let wanted = [
        ("--push", &arguments.push, Protocol::Pushgateway),
        ("--remote-write", &arguments.remote_write, Protocol::RemoteWrite),
    ];
    let mut receivers = Vec::new();
    for (option, url, protocol) in wanted {
        if let Some(url) = url {
            let receiver = Receiver::new(protocol, url, &labels, &access)
                .map_err(|error| format!("error: {option}: {error}"))?;
            receivers.push(receiver);
        }
    }
    Ok(receivers)
}

/// Headers as they were given, those of files put in their places.
fn headers(given: &[String]) -> Result<Vec<String>, String> {
    let mut headers = Vec::new();
    for header in given {
        let Some(path) = header.strip_prefix('@') else {
            headers.push(header.clone());
            continue;
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("error: --push-header: cannot read {path}: {error}"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        headers.extend(lines.map(str::to_owned));
    }
    Ok(headers)
}

impl Pushers {
    /// Starts pushing. What goes wrong meanwhile is told by `say`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        receivers: Vec<Receiver>,
        say: impl Fn(&str) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let start = |receiver| Pusher::start(receiver, say.clone());
        Ok(Self(receivers.into_iter().map(start).collect::<Result<_, _>>()?))
    }

    /// Hands over how the run is doing.
    pub(super) fn offer(&mut self, progress: &Progress) {
        for pusher in &mut self.0 {
            pusher.offer(progress, Timestamp::now());
        }
    }

    /// Sends the rest, and tells what did not arrive.
    pub(super) fn finish(self) {
        for pusher in self.0 {
            if let Some(remark) = pusher.finish().remark() {
                let _ = writeln!(io::stderr(), "{remark}");
            }
        }
    }
}
