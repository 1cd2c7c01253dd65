//! The hands of the search for the limit: makes the probes that the planner asks for, tells of each,
//! and shows what was found.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::document::Document;
use super::objective::Objective;
use super::planner::{Above, Cut, Found, Planner, Probe, Settings, Standing, Step};
use super::verdict::{Judgement, Outcome};
use crate::load::figures::{duration, latency, rate as rate_text, share};

/// Said below the table where a rate was measured anew.
const REPLACED: &str = "  A rate that was asked again from the beginning is shown as it was then: \
                        what it was before may\n  have been chance.\n";

/// A search that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// What had to hold.
    pub objective: Objective,
    /// What was found.
    pub found: Found,
    /// What is known of each rate, rising.
    pub rates: Vec<Standing>,
    /// The probes, in order.
    pub probes: Vec<Made>,
}

/// A probe that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// What was asked for.
    pub probe: Probe,
    /// What it gave, by itself.
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
    say(&opening(objective, &settings));
    let mut planner = Planner::new(objective.clone(), settings);
    let mut probes = Vec::new();
    // Ends: the planner bounds the number of its probes.
    loop {
        let probe = match planner.next() {
            Step::Probe(probe) => probe,
            Step::End(found) => {
                let rates = planner.standings().to_vec();
                return Ok(Search { objective: objective.clone(), found, rates, probes });
            }
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
        if let Some(standing) = planner.standings().iter().find(|known| known.rate == probe.rate) {
            say(&line(standing));
        }
        probes.push(Made { probe, judgement, tester_limit: outcome.tester_limit });
    }
}

/// `searching the highest rate with p99 within 50 ms, errors at most 1 %: …`
fn opening(objective: &Objective, settings: &Settings) -> String {
    let (few, many) = settings.estimate();
    let warm_up = match settings.warm_up {
        Duration::ZERO => String::new(),
        warm_up => format!(", after a warm-up of {}", duration(warm_up)),
    };
    format!(
        "searching the highest rate with {objective}: each rate is measured for {} (which is what \
         --for sets here){warm_up}; this takes {} to {} as a rule, at most {}",
        duration(settings.probe),
        duration(few),
        duration(many),
        duration(settings.time_max),
    )
}

/// `320/s for 8 s: 160/s holds`
fn announcement(probe: &Probe) -> String {
    let more = if probe.fresh { "" } else { " more" };
    let (rate, time) = (rate_text(probe.rate), duration(probe.measured));
    format!("{rate} for {time}{more}: {}", probe.reason)
}

/// What is known of a rate after a probe: `  holds after 8 s: 0.02 % (…) over 50 ms`
fn line(standing: &Standing) -> String {
    if let Some(why) = standing.tester_limit() {
        return format!("  the tester was the limit: {why}");
    }
    let word = standing.word().text();
    format!("  {word} after {}: {}", duration(standing.measured), standing.judgement.because)
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

    /// What is known of each rate.
    fn table(&self) -> String {
        let mut heads = vec!["rate".to_owned(), "probes".to_owned(), "time".to_owned()];
        heads.extend(self.objective.latencies.iter().map(super::objective::LatencyBound::name));
        heads.extend(["errors".to_owned(), "verdict".to_owned()]);
        let mut rows = vec![heads];
        for standing in &self.rates {
            let (rate, probes) = (rate_text(standing.rate), standing.probes.to_string());
            let mut row = vec![rate, probes, duration(standing.measured)];
            row.extend(standing.judgement.quantiles.iter().map(|quantile| latency(*quantile)));
            row.push(share(standing.judgement.errors));
            row.push(standing.word().text().to_owned());
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
        if self.rates.iter().any(Standing::is_replaced) {
            text.push_str(REPLACED);
        }
        text
    }

    /// The same for programs, see [`schema`](super::document::schema).
    pub fn json(&self) -> Value {
        // Its keys are text and its numbers finite: there is nothing in it that JSON has not.
        serde_json::to_value(Document::of(self)).unwrap_or_default()
    }
}
