//! Live figures on their way to Prometheus, while a run goes on.

use std::io::{self, Write};

use jiff::Timestamp;

use crate::cli::arguments::bench::OutputArguments;
use crate::config::bench::model::Part;
use crate::load::progress::Progress;
use crate::load::push::pusher::Pusher;
use crate::load::push::receiver::{Access, Protocol, Receiver};

/// Where figures are pushed to.
pub(super) struct Pushers(Vec<Pusher>);

/// The label that tells the parts of a load apart.
const PART_LABEL: &str = "part";

/// The receivers that the arguments name. Figures of a part of a load are labelled with its number,
/// or the parts would overwrite each other's.
///
/// # Errors
/// In words: a URL or a label that cannot be used.
pub(super) fn receivers(arguments: &OutputArguments, part: Part) -> Result<Vec<Receiver>, String> {
    let mut labels = Vec::new();
    for label in &arguments.push_label {
        let (name, value) = label.split_once('=').ok_or_else(|| {
            format!("error: --push-label: {label:?} has no `=`; write it as in job=nightly")
        })?;
        labels.push((name.to_owned(), value.to_owned()));
    }
    if part != Part::WHOLE && !labels.iter().any(|(name, _)| name == PART_LABEL) {
        labels.push((PART_LABEL.to_owned(), part.index.to_string()));
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn parts_do_not_overwrite_each_other() {
        let labels = |given: &[&str], part| {
            let arguments = OutputArguments {
                push: Some("http://127.0.0.1:9091".to_owned()),
                push_label: given.iter().map(|&label| label.to_owned()).collect(),
                ..OutputArguments::default()
            };
            receivers(&arguments, part).unwrap().remove(0).target
        };
        let second = Part { index: 1, of: NonZeroU32::new(3).unwrap() };
        assert_eq!(labels(&[], Part::WHOLE), "/metrics/job/plimsoll_bench");
        assert_eq!(labels(&[], second), "/metrics/job/plimsoll_bench/part/1");
        assert_eq!(labels(&["part=left"], second), "/metrics/job/plimsoll_bench/part/left");
    }
}
