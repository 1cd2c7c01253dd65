//! The machine that was measured on, and which core is whose.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;

use crate::command;

/// Cores of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cores {
    /// The measured proxy's, alone on it.
    pub(super) proxy: usize,
    /// The upstream's.
    pub(super) upstream: usize,
    /// The load's; shared with the upstream where there are only two.
    pub(super) load: Vec<usize>,
}

impl Cores {
    /// Shares out the cores that this process may use.
    pub(super) fn share_out() -> anyhow::Result<Self> {
        Self::of(&available()?)
    }

    fn of(cores: &[usize]) -> anyhow::Result<Self> {
        match *cores {
            [] | [_] => bail!("a proxy needs a core of its own: two cores are the least"),
            [proxy, upstream] => Ok(Self { proxy, upstream, load: vec![upstream] }),
            [proxy, upstream, ref load @ ..] => Ok(Self { proxy, upstream, load: load.to_vec() }),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<usize> {
        let mut all = vec![self.proxy, self.upstream];
        all.extend(self.load.iter().filter(|core| **core != self.upstream));
        all
    }
}

/// Cores that this process may use.
pub(super) fn available() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("the usable cores are not known")?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}

/// Keeps the calling thread on one core.
pub(super) fn pin_thread(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set).context("cannot pin a thread")
}

/// What the figures depend on.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) kernel: String,
    pub(super) processor: String,
    pub(super) cores: Cores,
    /// Whether more than this run kept the machine busy when it began: load average of a minute.
    pub(super) load_average: String,
}

impl Machine {
    pub(super) fn read(cores: &Cores) -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned());
        let load_average = read("/proc/loadavg");
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor,
            cores: cores.clone(),
            load_average: load_average.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// Now, in UTC.
pub(super) fn date() -> anyhow::Result<String> {
    let text = command::output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::Cores;

    #[test]
    fn the_proxy_is_alone_on_its_core() {
        assert!(Cores::of(&[0]).is_err());
        let two = Cores::of(&[0, 3]).unwrap();
        assert_eq!(two, Cores { proxy: 0, upstream: 3, load: vec![3] });
        assert_eq!(two.all(), [0, 3]);
        let four = Cores::of(&[0, 1, 2, 3]).unwrap();
        assert_eq!(four, Cores { proxy: 0, upstream: 1, load: vec![2, 3] });
        assert_eq!(four.all(), [0, 1, 2, 3]);
    }
}
