//! Results for people: Markdown whose tables are also aligned in a terminal.

use super::proxy::Peer;
use super::results::{Metric, Outcome, Run};

/// The whole file `edge.md`.
pub(super) fn document(run: &Run) -> String {
    let mut text = String::from("# Plimsoll beside nginx and HAProxy\n\n");
    text.push_str("Written by the command below; `../README.md` tells how to read it.\n\n");
    text.push_str(&head(run));
    for scenario in &run.scenarios {
        text.push('\n');
        text.push_str(&outcome(scenario));
    }
    text
}

/// What the figures depend on.
pub(super) fn head(run: &Run) -> String {
    let machine = &run.machine;
    let cores = &machine.cores;
    let mut text = format!(
        "    {}\n\n{}. Linux {}, {}, load average {} before.\nProxy on core {}, upstream on {}, \
         load on {:?}. Median of {} rounds of {} s.\n",
        run.command,
        run.date,
        machine.kernel,
        machine.processor,
        machine.load_average,
        cores.proxy,
        cores.upstream,
        cores.load,
        run.rounds,
        run.seconds,
    );
    for (name, version) in &run.versions {
        text.push_str(&format!("- {name}: {version}\n"));
    }
    text
}

/// A scenario's heading, table and aims.
pub(super) fn outcome(outcome: &Outcome) -> String {
    let mut text = format!("## {}: {}\n\n", outcome.name, outcome.title);
    if let Some(why) = &outcome.skipped {
        return format!("{text}Not measured: {why}.\n");
    }
    if let Some(note) = &outcome.note {
        text.push_str(&format!("{note}\n\n"));
    }
    text.push_str(&table(&rows(outcome)));
    for aim in &outcome.aims {
        let verdict = if aim.is_met { "met" } else { "**missed**" };
        text.push_str(&format!("\nAim: {}: {verdict} ({:.2}).", aim.aim, aim.measured));
    }
    if !outcome.aims.is_empty() {
        text.push('\n');
    }
    text
}

fn rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let metrics: Vec<Metric> =
        outcome.medians.values().next().into_iter().flat_map(|one| one.keys().copied()).collect();
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(metrics.iter().map(|metric| metric.heading().to_owned()));
    let mut push = |name: String, values: &dyn Fn(Metric) -> Option<String>| {
        let mut row = vec![name];
        row.extend(metrics.iter().map(|metric| values(*metric).unwrap_or_default()));
        rows.push(row);
    };
    for (peer, median) in &outcome.medians {
        push(peer.name().to_owned(), &|metric| {
            median.get(&metric).map(|value| format!("{value:.*}", metric.decimals()))
        });
    }
    for (peer, ratios) in &outcome.ratios {
        push(format!("{} / {}", Peer::Plimsoll.name(), peer.name()), &|metric| {
            ratios.get(&metric).map(|ratio| format!("{ratio:.2}"))
        });
    }
    rows
}

/// A table in Markdown; the first row is its head, the first column its names.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0).max(3)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell =
                if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") };
            text.push_str(&format!("| {cell} "));
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let end = if column == 0 { '-' } else { ':' };
                text.push_str(&format!("|-{}{end}", "-".repeat(*width)));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{outcome, table};
    use crate::bench::proxy::Peer;
    use crate::bench::results::{Metric, Outcome, Sample};
    use crate::bench::scenario::SCENARIOS;

    #[test]
    fn columns_are_aligned() {
        let rows = [["", "µs"], ["nginx", "21.8"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "|       |   µs |\n|-------|-----:|\n| nginx | 21.8 |\n");
    }

    #[test]
    fn a_scenario_shows_figures_ratios_and_aims() {
        let mut scenario = Outcome::new(&SCENARIOS[0]);
        scenario.add(Peer::Haproxy, Sample::from([(Metric::ProcessorTime, 20.0)]));
        scenario.add(Peer::Plimsoll, Sample::from([(Metric::ProcessorTime, 19.0)]));
        scenario.conclude(&SCENARIOS[0]);
        let text = outcome(&scenario);
        assert!(text.contains("| haproxy            |           20.0 |"), "{text}");
        assert!(text.contains("| plimsoll / haproxy |           0.95 |"), "{text}");
        assert!(text.contains("of haproxy's: **missed** (0.95)."), "{text}");
        scenario.skipped = Some("too few cores".into());
        assert!(outcome(&scenario).ends_with("Not measured: too few cores.\n"));
    }
}
