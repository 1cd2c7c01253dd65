//! The hands of the search for the limit: makes the probes that the planner asks for, tells of each,
//! and shows what was found.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::objective::Objective;
use super::planner::{Above, Cut, Found, Planner, Probe, Settings, Step};
use super::verdict::{Judgement, Outcome, Verdict};
use crate::load::figures::{latency, rate as rate_text, share};

/// A search that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// What had to hold.
    pub objective: Objective,
    /// What was found.
    pub found: Found,
    /// The probes, in order.
    pub probes: Vec<Made>,
}

/// A probe that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// What was asked for.
    pub probe: Probe,
    /// What is known of its rate since.
    pub judgement: Judgement,
    /// Why the tester itself was the limit, if it was.
    pub tester_limit: Option<String>,
}

/// Searches the limit. `pause` waits without load (and may return early when the run is told to
/// stop), `make` runs a probe, `say` receives a line about each.
///
/// # Errors
/// The first error of `make`.
pub fn search<E>(
    objective: &Objective,
    settings: Settings,
    pause: &mut dyn FnMut(Duration),
    make: &mut dyn FnMut(&Probe) -> Result<Outcome, E>,
    say: &mut dyn FnMut(&str),
) -> Result<Search, E> {
    let mut planner = Planner::new(objective.clone(), settings);
    let mut probes = Vec::new();
    // Ends: the planner bounds the number of its probes.
    loop {
        let probe = match planner.next() {
            Step::Probe(probe) => probe,
            Step::End(found) => return Ok(Search { objective: objective.clone(), found, probes }),
        };
        if !probe.pause.is_zero() {
            pause(probe.pause);
        }
        say(&announcement(&probe));
        let outcome = make(&probe)?;
        let judgement = planner.take(probe.clone(), &outcome);
        if outcome.interrupted {
            continue;
        }
        let made = Made { probe, judgement, tester_limit: outcome.tester_limit };
        say(&made.line());
        probes.push(made);
    }
}

/// `320/s for 8 s: 160/s holds`
fn announcement(probe: &Probe) -> String {
    let seconds = probe.measured.as_secs_f64();
    let more = if probe.fresh { "" } else { " more" };
    format!("{} for {seconds:.0} s{more}: {}", rate_text(probe.rate), probe.reason)
}

impl Made {
    /// `  holds: p99 12 ms, errors 0 %; 0.02 % (…) over 50 ms`
    fn line(&self) -> String {
        let word = match (&self.tester_limit, self.judgement.verdict) {
            (Some(why), _) => return format!("  the tester was the limit: {why}"),
            (None, Verdict::Holds) => "holds",
            (None, Verdict::Breaks) => "breaks",
            (None, Verdict::Unclear) if self.judgement.seems_to_hold => "unclear, seems to hold",
            (None, Verdict::Unclear) => "unclear, seems to break",
        };
        format!("  {word}: {}", self.judgement.because)
    }

    fn verdict(&self) -> &'static str {
        match (&self.tester_limit, self.judgement.verdict) {
            (Some(_), _) => "tester_limited",
            (None, Verdict::Holds) => "holds",
            (None, Verdict::Breaks) => "breaks",
            (None, Verdict::Unclear) => "unclear",
        }
    }
}

impl Search {
    /// What was found, for people: a heading line, what limits it, the table of probes.
    pub fn text(&self) -> String {
        let mut text = self.headline();
        let _ = writeln!(text);
        for sentence in self.remarks() {
            let _ = writeln!(text, "  {sentence}");
        }
        let _ = writeln!(text);
        text + &self.table()
    }

    /// `The limit is 905/s: p99 within 50 ms, errors at most 0.1 %.`
    fn headline(&self) -> String {
        let objective = &self.objective;
        match (self.found.rate, &self.found.above) {
            (Some(rate), Above::Broke(..)) => {
                format!("The limit is {}: it holds {objective}.", rate_text(rate))
            }
            (Some(rate), _) => {
                format!("The limit is above {}: it holds {objective}.", rate_text(rate))
            }
            (None, Above::Broke(rate, _)) => {
                format!("Not even {} holds {objective}.", rate_text(*rate))
            }
            (None, Above::Tester(rate, _)) => {
                format!("No limit was found: the tester itself cannot make {}.", rate_text(*rate))
            }
            (None, Above::Bound(_) | Above::Unknown) => {
                "No limit was found: nothing was measured to its end.".to_owned()
            }
        }
    }

    /// What there is to say about the rate found.
    fn remarks(&self) -> Vec<String> {
        let found = &self.found;
        let mut remarks = Vec::new();
        match &found.above {
            Above::Broke(rate, why) => remarks.push(format!("At {}: {why}.", rate_text(*rate))),
            Above::Tester(rate, why) => remarks.push(format!(
                "At {} the tester itself was the limit: {why}. Let it have more cores or several \
                 machines.",
                rate_text(*rate)
            )),
            Above::Bound(_) => {
                remarks.push("That is the highest rate that was to be tried.".to_owned());
            }
            Above::Unknown => {}
        }
        if let (Some(rate), Above::Broke(above, _)) = (found.rate, &found.above) {
            let (rate, above) = (rate_text(rate), rate_text(*above));
            remarks.push(format!(
                "So it lies from {rate} to {above}, as far as these probes can tell. Slow answers \
                 come in bursts: searched again, it may come out some percent higher or lower."
            ));
        }
        if found.above_close {
            remarks.push(
                "What lies above it is close: what was measured is beyond the objective, but not \
                 by more than chance."
                    .to_owned(),
            );
        }
        if found.close {
            remarks.push(
                "It is close: what was measured is within the objective, but not by more than \
                 chance."
                    .to_owned(),
            );
        }
        if found.rate.is_some() && !found.confirmed {
            remarks.push("It was not confirmed by a longer probe.".to_owned());
        }
        remarks.extend(found.cut.map(|cut| {
            let why = match cut {
                Cut::Interrupted => "it was told to stop",
                Cut::Probes => "as many probes were made as may be",
                Cut::Time => "the next probe would have taken longer than the search may",
            };
            format!("The search ended early: {why}.")
        }));
        remarks
    }

    /// The probes, by rate.
    fn table(&self) -> String {
        let mut heads = vec!["rate".to_owned(), "time".to_owned()];
        heads.extend(self.objective.latencies.iter().map(super::objective::LatencyBound::name));
        heads.extend(["errors".to_owned(), "verdict".to_owned()]);
        let mut sorted: Vec<&Made> = self.probes.iter().collect();
        sorted.sort_by(|one, other| one.probe.rate.total_cmp(&other.probe.rate));
        let mut rows = vec![heads];
        for made in sorted {
            let mut row = vec![
                rate_text(made.probe.rate),
                format!("{:.0} s", made.probe.measured.as_secs_f64()),
            ];
            row.extend(made.judgement.quantiles.iter().map(|quantile| latency(*quantile)));
            row.push(share(made.judgement.errors));
            row.push(made.verdict().replace('_', " "));
            rows.push(row);
        }
        let columns = rows[0].len();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            text.push(' ');
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Figures to the right, the verdict to the left.
                if place + 1 < columns {
                    let _ = write!(text, " {cell:>width$} ");
                } else {
                    let _ = write!(text, " {cell}");
                }
            }
            text.push('\n');
        }
        text
    }

    /// The same for programs. Rates are arrivals a second, times seconds, shares of one.
    pub fn json(&self) -> Value {
        let found = &self.found;
        let (above, limited_by, why) = match &found.above {
            Above::Broke(rate, why) => (Some(*rate), "objective", Some(why.as_str())),
            Above::Tester(rate, why) => (Some(*rate), "tester", Some(why.as_str())),
            Above::Bound(_) => (None, "bound", None),
            Above::Unknown => (None, "unknown", None),
        };
        let cut = found.cut.map(|cut| match cut {
            Cut::Interrupted => "interrupted",
            Cut::Probes => "probes",
            Cut::Time => "time",
        });
        let latencies: serde_json::Map<String, Value> = self
            .objective
            .latencies
            .iter()
            .map(|bound| (bound.name(), json!(bound.within.as_secs_f64())))
            .collect();
        json!({
            "objective": { "latency": latencies, "errors": self.objective.errors },
            "rate": found.rate,
            "rate_above": above,
            "limited_by": limited_by,
            "because": why,
            "confirmed": found.confirmed,
            "close": found.close,
            "above_close": found.above_close,
            "ended_early": cut,
            "probes": self.probes.iter().map(|made| self.probe_json(made)).collect::<Vec<_>>(),
        })
    }

    fn probe_json(&self, made: &Made) -> Value {
        let latency: serde_json::Map<String, Value> = self
            .objective
            .latencies
            .iter()
            .zip(&made.judgement.quantiles)
            .map(|(bound, quantile)| (bound.name(), json!(quantile.as_secs_f64())))
            .collect();
        json!({
            "rate": made.probe.rate,
            "seconds": made.probe.measured.as_secs_f64(),
            "reason": made.probe.reason,
            "verdict": made.verdict(),
            "because": made.tester_limit.as_ref().unwrap_or(&made.judgement.because),
            "latency": latency,
            "errors": made.judgement.errors,
            "requests": made.judgement.requests,
        })
    }
}
