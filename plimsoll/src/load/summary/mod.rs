//! The text that ends a run: what happened, for a person at a terminal or for a log.
//!
//! What matters first stands first: a run in which everything failed says so before any figure.
//! Response time and service time stand side by side, so that waiting is seen. Lines are 100
//! characters at most.
//!
//! Pure. Left out: the figures by time and the whole distribution (see `report` and the JSON).

mod table;

use super::figures;
use super::results::{Ended, Results};
use super::tally::{Latencies, Tally};
use super::threshold::Outcome;
use super::warnings::{self, Warning};

pub(in crate::load) use table::{lines as table_lines, wrapped};

/// Most rows of a table of labels or instances; the rest is counted.
const ROWS_MAX: usize = 30;
/// Most statuses that are listed.
const STATUSES_MAX: usize = 12;
/// The width of what stands before a line's text.
const LEAD: usize = 15;
/// The percentiles that are shown.
const QUANTILES: [f64; 7] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];

/// How a line is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Heading,
    Good,
    Bad,
    Doubtful,
    Faint,
}

impl Tone {
    /// The number of the ANSI escape (ECMA-48 §8.3.117, SGR).
    fn code(self) -> u8 {
        match self {
            Self::Heading => 1,
            Self::Good => 32,
            Self::Bad => 31,
            Self::Doubtful => 33,
            Self::Faint => 2,
        }
    }
}

/// The text, with terminal colours if wanted.
pub fn text(results: &Results, outcomes: &[Outcome], colours: bool) -> String {
    let mut page = Page { text: String::new(), colours };
    let warnings = warnings::warnings(results);
    let (fatal, others): (Vec<&Warning>, Vec<&Warning>) =
        warnings.iter().partition(|warning| warning.kind.is_fatal());
    for warning in &fatal {
        for line in wrapped("", &warning.text) {
            page.toned(Tone::Bad, &line);
        }
    }
    if !fatal.is_empty() {
        page.line("");
    }
    headline(&mut page, results);
    model(&mut page, results);
    latencies(&mut page, results);
    failures(&mut page, results);
    traffic(&mut page, results);
    let seconds = results.run.elapsed.as_secs_f64();
    tallies(&mut page, "Requests by label", &results.labels, seconds, 2);
    tallies(&mut page, "Transactions", &results.transactions, seconds, 1);
    instances(&mut page, results);
    checks(&mut page, results);
    thresholds(&mut page, outcomes);
    remarks(&mut page, &others);
    page.text
}

/// What is being written.
struct Page {
    text: String,
    colours: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(figures::harmless(line).trim_end());
        self.text.push('\n');
    }

    fn toned(&mut self, tone: Tone, line: &str) {
        if !self.colours || line.is_empty() {
            return self.line(line);
        }
        let line = figures::harmless(line);
        self.text.push_str(&format!("\x1b[{}m{line}\x1b[0m\n", tone.code()));
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        self.toned(Tone::Heading, text);
    }

    /// The first row is the head.
    fn table(&mut self, rows: &[Vec<String>]) {
        for (index, line) in table_lines(rows, 2).into_iter().enumerate() {
            if index == 0 { self.toned(Tone::Faint, &line) } else { self.line(&line) }
        }
    }

    /// A line that begins with a word.
    fn led(&mut self, lead: &str, text: &str) {
        for line in wrapped(&format!("{lead:LEAD$}"), text) {
            self.line(&line);
        }
    }
}

fn headline(page: &mut Page, results: &Results) {
    let (total, elapsed) = (&results.total, results.run.elapsed);
    let ended = match results.run.ended {
        Ended::Finished => "",
        Ended::Interrupted => ", interrupted",
        Ended::Stopped => ", stopped after a failure",
    };
    let text = format!(
        "{}: {} in {}{ended}: {}, {} failed",
        results.run.name,
        figures::plural(total.requests, "request"),
        figures::duration(elapsed),
        figures::rate(per(total.requests, elapsed.as_secs_f64())),
        if total.errors() == 0 { "none".to_owned() } else { failed_share(total) },
    );
    page.toned(Tone::Heading, &text);
    page.line("");
}

fn model(page: &mut Page, results: &Results) {
    let groups = &results.run.groups;
    for (index, group) in groups.iter().enumerate() {
        let kind = if group.open { "open" } else { "closed" };
        let name = if groups.len() > 1 { format!("{}, ", group.name) } else { String::new() };
        page.led(
            if index == 0 { "Model" } else { "" },
            &format!("{name}{kind}: {}.", results.run.load(group)),
        );
    }
    if groups.iter().any(|group| group.open) {
        let meaning = "Requests were due at their times, whatever became of earlier ones. Response \
                       time counts from when a request was due, service time from when it was sent.";
        page.led("", meaning);
    }
    let run = &results.run;
    let tester = &results.tester;
    let cores = per_seconds(tester.processor_time.as_secs_f64(), run.elapsed.as_secs_f64());
    let mut by = format!(
        "{} with {} in all on {}, {:.2} cores busy",
        if run.parts.len() > 1 {
            format!("{} processes", run.parts.len())
        } else {
            "1 process".to_owned()
        },
        figures::plural(u64::from(tester.threads), "thread"),
        run.machines.join(", "),
        cores,
    );
    if tester.scheduling_lag.count() > 0 {
        let lag = figures::latency(tester.scheduling_lag.quantile(0.99));
        by.push_str(&format!("; late by {lag} at p99"));
    }
    page.led("Tester", &format!("{by}."));
}

fn latencies(page: &mut Page, results: &Results) {
    let (response, service) = (&results.total.response_time, &results.total.service_time);
    let count = response.count();
    if count == 0 {
        return;
    }
    page.heading("Latency");
    let figure = |of: &dyn Fn(&Latencies) -> std::time::Duration, name: String| {
        vec![name, figures::latency(of(response)), figures::latency(of(service))]
    };
    let mut rows = vec![vec![String::new(), "response time".to_owned(), "service time".to_owned()]];
    rows.push(figure(&Latencies::mean, "mean".to_owned()));
    for quantile in QUANTILES {
        let name = figures::percentile_name(quantile);
        let mark = if warnings::is_supported(quantile, count) { "" } else { " ?" };
        rows.push(figure(&|of| of.quantile(quantile), format!("{name}{mark}")));
    }
    rows.push(figure(&Latencies::max, "max".to_owned()));
    page.table(&rows);
    if results.run.groups.iter().all(|group| !group.open) {
        page.toned(Tone::Faint, "  In the closed model both count from when a request was sent.");
    }
}

fn failures(page: &mut Page, results: &Results) {
    let total = &results.total;
    if total.errors() == 0 {
        return;
    }
    page.heading(&format!(
        "Failed: {} of {} ({})",
        figures::count(total.errors()),
        figures::count(total.requests),
        failed_share(total)
    ));
    let mut kinds: Vec<_> = total.failures.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows: Vec<Vec<String>> = (kinds.iter())
        .map(|(failure, count)| {
            let share = figures::share(per(**count, total.requests as f64));
            vec![failure.words().to_owned(), figures::count(**count), share]
        })
        .collect();
    for ((failure, _), line) in kinds.iter().zip(table_lines(&rows, 2)) {
        let example = results.examples.get(failure.name()).map(String::as_str).unwrap_or_default();
        for line in wrapped(&format!("{line}  "), example) {
            page.toned(Tone::Bad, line.trim_end());
        }
    }
}

fn traffic(page: &mut Page, results: &Results) {
    let (total, seconds) = (&results.total, results.run.elapsed.as_secs_f64());
    page.heading("Traffic");
    if !total.statuses.is_empty() {
        let mut statuses: Vec<_> = total.statuses.iter().collect();
        statuses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let listed: Vec<String> = (statuses.iter().take(STATUSES_MAX))
            .map(|(status, count)| {
                let share = figures::share(per(**count, total.requests as f64));
                format!("{status}: {} ({share})", figures::count(**count))
            })
            .collect();
        let others = if statuses.len() > STATUSES_MAX { ", others" } else { "" };
        page.led("  Statuses", &format!("{}{others}", listed.join(", ")));
    }
    let bytes = |bytes: u64| {
        let bytes = bytes as f64;
        format!("{}, {}/s", figures::bytes(bytes), figures::bytes(per_seconds(bytes, seconds)))
    };
    page.led("  Received", &bytes(total.bytes_received));
    page.led("  Sent", &bytes(total.bytes_sent));
    let made = &results.connections;
    let mut connections = format!("{} opened", figures::count(made.opened));
    if made.failed > 0 {
        connections.push_str(&format!(", {} failed", figures::count(made.failed)));
    }
    for (name, times) in [("connecting", &made.connect_time), ("TLS", &made.tls_time)] {
        if times.count() > 0 {
            let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
            let (p50, p99) = (figures::latency(p50), figures::latency(p99));
            connections.push_str(&format!("; {name} took {p50} at p50, {p99} at p99"));
        }
    }
    page.led("  Connections", &connections);
}

/// A row for each name. Fewer than `least` say no more than the total and are left out.
fn tallies(page: &mut Page, title: &str, of: &[(String, Tally)], seconds: f64, least: usize) {
    if of.len() < least {
        return;
    }
    page.heading(title);
    let head = ["", "count", "rate", "failed", "mean", "p50", "p90", "p99", "max"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, tally) in of.iter().take(ROWS_MAX) {
        let times = &tally.response_time;
        let mut row = vec![
            name.clone(),
            figures::count(tally.requests),
            figures::rate(per(tally.requests, seconds)),
            failed_share(tally),
            latency(times, Latencies::mean),
        ];
        row.extend([0.5, 0.9, 0.99].map(|quantile| latency(times, |of| of.quantile(quantile))));
        row.push(latency(times, Latencies::max));
        rows.push(row);
    }
    page.table(&rows);
    if of.len() > ROWS_MAX {
        page.toned(Tone::Faint, &format!("  and {} more, in the JSON", of.len() - ROWS_MAX));
    }
}

fn instances(page: &mut Page, results: &Results) {
    if results.instances.is_empty() {
        return;
    }
    let seconds = results.run.elapsed.as_secs_f64();
    let named: u64 = results.instances.values().map(|tally| tally.requests).sum();
    let answers = (named + results.unnamed) as f64;
    page.heading("Served by");
    let head = ["", "share", "count", "rate", "failed", "mean", "p50", "p90", "p99", "max"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, tally) in results.instances.iter().take(ROWS_MAX) {
        let times = &tally.response_time;
        let mut row = vec![
            name.clone(),
            figures::share(per(tally.requests, answers)),
            figures::count(tally.requests),
            figures::rate(per(tally.requests, seconds)),
            failed_share(tally),
            latency(times, Latencies::mean),
        ];
        row.extend([0.5, 0.9, 0.99].map(|quantile| latency(times, |of| of.quantile(quantile))));
        row.push(latency(times, Latencies::max));
        rows.push(row);
    }
    if results.unnamed > 0 {
        rows.push(vec![
            "(none named)".to_owned(),
            figures::share(per(results.unnamed, answers)),
            figures::count(results.unnamed),
        ]);
    }
    page.table(&rows);
    if results.instances.len() > ROWS_MAX {
        let more = results.instances.len() - ROWS_MAX;
        page.toned(Tone::Faint, &format!("  and {more} more, in the JSON"));
    }
}

fn checks(page: &mut Page, results: &Results) {
    if results.checks.is_empty() {
        return;
    }
    page.heading("Checks");
    let rows: Vec<Vec<String>> = (results.checks.iter())
        .map(|(name, count)| {
            let of = figures::count(count.passed + count.failed);
            vec![name.clone(), format!("{} of {of} passed", figures::count(count.passed))]
        })
        .collect();
    for (line, count) in table_lines(&rows, 2).into_iter().zip(results.checks.values()) {
        if count.failed > 0 { page.toned(Tone::Bad, &line) } else { page.line(&line) }
    }
}

fn thresholds(page: &mut Page, outcomes: &[Outcome]) {
    if outcomes.is_empty() {
        return;
    }
    page.heading("Thresholds");
    for outcome in outcomes {
        let (word, tone) = if outcome.held { ("held", Tone::Good) } else { ("broken", Tone::Bad) };
        let line = format!("  {word:<7} {:<20} {}", outcome.text, outcome.words());
        page.toned(tone, &table::cut(&line, table::WIDTH_MAX));
    }
}

fn remarks(page: &mut Page, warnings: &[&Warning]) {
    for (title, is_note) in [("Warnings", false), ("Notes", true)] {
        let these = || warnings.iter().filter(|warning| warning.kind.is_note() == is_note);
        if these().next().is_none() {
            continue;
        }
        page.heading(title);
        for warning in these() {
            for line in wrapped("  - ", &warning.text) {
                if is_note { page.line(&line) } else { page.toned(Tone::Doubtful, &line) }
            }
        }
    }
}

fn latency(times: &Latencies, of: impl Fn(&Latencies) -> std::time::Duration) -> String {
    if times.count() == 0 { figures::NONE.to_owned() } else { figures::latency(of(times)) }
}

fn failed_share(tally: &Tally) -> String {
    figures::share(per(tally.errors(), tally.requests as f64))
}

fn per(count: u64, of: f64) -> f64 {
    per_seconds(count as f64, of)
}

/// Zero of nothing.
fn per_seconds(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}

#[cfg(test)]
mod tests;
