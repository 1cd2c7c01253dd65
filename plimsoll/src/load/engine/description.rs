//! What a group's load is, in words.

use std::time::Duration;

use crate::config::bench::model::{Arrivals, Closed, Group, Load, Spacing, Stage};
use crate::load::figures;
use crate::load::results::GroupModel;

/// A group's model: "2000 iterations a second, evenly spaced, for 60 s". So many requests go over
/// one connection at once.
pub(super) fn of(group: &Group, streams: usize) -> GroupModel {
    let (open, load) = match &group.load {
        Load::Open(open) => (true, arrivals(&open.arrivals)),
        Load::Closed(closed) => (false, users(closed, streams)),
    };
    GroupModel { name: group.name.clone(), open, load, processes: 1 }
}

fn arrivals(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Scheduled { stages, spacing } => {
            let spacing = match spacing {
                Spacing::Even => "evenly spaced",
                Spacing::Poisson => "at random (Poisson)",
            };
            format!("{} a second, {spacing}, {}", levels(stages), time(stages))
        }
        Arrivals::Recorded(times) => format!(
            "at {} recorded times, {}",
            times.len(),
            during(times.last().copied().unwrap_or_default())
        ),
    }
}

fn users(closed: &Closed, streams: usize) -> String {
    let mut text = format!("{} users", levels(&closed.stages));
    if streams > 1 {
        text.push_str(&format!(", {streams} on each connection"));
    }
    match (closed.iterations_per_user, closed.iterations) {
        (Some(each), _) => text.push_str(&format!(", {each} iterations each")),
        (None, Some(all)) => text.push_str(&format!(", {all} iterations in all")),
        (None, None) => {}
    }
    if closed.stages.iter().all(|stage| stage.lasting < Duration::MAX) {
        text.push_str(&format!(", {}", time(&closed.stages)));
    }
    text
}

/// `500`, or `0 to 500 to 0` where it changes.
fn levels(stages: &[Stage]) -> String {
    let mut levels: Vec<f64> = Vec::new();
    for level in stages.iter().flat_map(|stage| [stage.from, stage.to]) {
        if levels.last() != Some(&level) {
            levels.push(level);
        }
    }
    levels.iter().map(|level| written(*level)).collect::<Vec<_>>().join(" to ")
}

/// A level as people write it: `2000`, `1.67`, `0.0167`.
fn written(level: f64) -> String {
    let decimals = match level {
        level if level >= 100.0 => 1,
        level if level >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{level:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn time(stages: &[Stage]) -> String {
    let sum = |sum: Duration, stage: &Stage| sum.saturating_add(stage.lasting);
    during(stages.iter().fold(Duration::ZERO, sum))
}

fn during(time: Duration) -> String {
    if time == Duration::MAX {
        "until it is stopped".to_owned()
    } else {
        format!("for {}", figures::duration(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(from: f64, to: f64, seconds: u64) -> Stage {
        Stage { from, to, lasting: Duration::from_secs(seconds) }
    }

    #[test]
    fn models_are_told_in_words() {
        let scheduled = |stages: &[Stage], spacing| {
            arrivals(&Arrivals::Scheduled { stages: stages.to_vec(), spacing })
        };
        assert_eq!(
            scheduled(&[stage(2000.0, 2000.0, 60)], Spacing::Even),
            "2000 a second, evenly spaced, for 60 s"
        );
        assert_eq!(
            scheduled(&[stage(0.0, 1.5, 30), stage(1.5, 0.0, 3)], Spacing::Poisson),
            "0 to 1.5 to 0 a second, at random (Poisson), for 33 s"
        );
        assert_eq!(
            [5.0 / 3.0, 1.0 / 60.0, 1234.56, 120.0].map(written),
            ["1.67", "0.0167", "1234.6", "120"]
        );
        let recorded = Arrivals::Recorded([1, 2500].map(Duration::from_millis).into());
        assert_eq!(arrivals(&recorded), "at 2 recorded times, for 2.5 s");
        let mut closed = Closed {
            stages: vec![stage(64.0, 64.0, 10)],
            iterations_per_user: None,
            iterations: None,
        };
        assert_eq!(users(&closed, 1), "64 users, for 10 s");
        assert_eq!(users(&closed, 8), "64 users, 8 on each connection, for 10 s");
        closed.stages[0].lasting = Duration::MAX;
        closed.iterations_per_user = Some(3);
        assert_eq!(users(&closed, 1), "64 users, 3 iterations each");
        let endless = Stage { from: 1.0, to: 1.0, lasting: Duration::MAX };
        assert_eq!(
            scheduled(&[endless], Spacing::Even),
            "1 a second, evenly spaced, until it is stopped"
        );
    }
}
