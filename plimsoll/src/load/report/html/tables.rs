//! The numbers behind the plots, as tables.

use std::fmt::Write as _;
use std::time::Duration;

use super::head::moment;
use crate::load::compare::{self, Comparison, Finding};
use crate::load::report::escape::markup;
use crate::load::report::text;
use crate::load::results::Results;
use crate::load::tally::{Latencies, Tally};

/// Percentiles that are told, with the fewest requests that can tell them.
const QUANTILES: [(&str, f64, u64); 8] = [
    ("p50", 0.5, 1),
    ("p75", 0.75, 4),
    ("p90", 0.9, 10),
    ("p95", 0.95, 20),
    ("p99", 0.99, 100),
    ("p99.9", 0.999, 1000),
    ("p99.99", 0.9999, 10_000),
    ("p99.999", 0.99999, 100_000),
];
/// Where there is no number.
const NONE: &str = "–";

/// A table: the first cell of a row is its head.
struct Table {
    title: &'static str,
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Columns of words rather than numbers.
    words: Vec<usize>,
    is_wide: bool,
}

/// Writes all tables.
pub(super) fn write(out: &mut String, results: &Results) {
    out.push_str("<h2>Numbers</h2><div class=\"tables\">");
    if results.total.requests > 0 {
        latencies(&results.total).write(out);
        statuses(results).write(out);
        errors(results).write(out);
        // The only one is the total.
        if results.labels.len() > 1 {
            let labels = results.labels.iter().map(|(name, tally)| (name, tally));
            parts("Labels", "label", labels, results).write(out);
        }
        let transactions = results.transactions.iter().map(|(name, tally)| (name, tally));
        parts("Transactions", "transaction", transactions, results).write(out);
        instances(results).write(out);
        checks(results).write(out);
    }
    facts(out, "Connections and bytes", &connections(results));
    facts(out, "The tester itself", &tester(results));
    run(out, results);
    out.push_str("</div>");
}

/// Writes the figures of a comparison: those on which its verdict rests, and no others.
pub(super) fn write_pair(out: &mut String, of: &Comparison) {
    if of.differences.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Numbers</h2><div class=\"tables\"><section class=\"wide\"><div class=\"scroll\">\
         <table class=\"stack\"><thead><tr>",
    );
    // Words for those that need none in a terminal.
    let mut heads = compare::HEADS;
    (heads[0], heads[heads.len() - 1]) = ("figure", "verdict");
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for (row, difference) in of.rows().iter().zip(&of.differences) {
        let tone = match difference.finding {
            _ if !difference.counts => "",
            Finding::Better => " class=\"held\"",
            Finding::Worse => " class=\"missed\"",
            Finding::Same | Finding::Unclear => "",
        };
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", markup(&row[0]));
        for (column, (cell, head)) in row.iter().zip(heads).enumerate().skip(1) {
            let class = if column + 1 == row.len() { tone } else { "" };
            let _ = write!(out, "<td data-head=\"{head}\"{class}>{}</td>", markup(cell));
        }
        out.push_str("</tr>");
    }
    let _ = write!(
        out,
        "</tbody></table></div><p class=\"soft model\">{}</p><p class=\"soft model\">{}</p></section>\
         </div>",
        markup(&basis(of)),
        markup(compare::REMINDER)
    );
}

/// What of the runs the figures are taken of.
fn basis(of: &Comparison) -> String {
    let parts = [("a", of.a.left_out()), ("b", of.b.left_out())].map(|(letter, left_out)| {
        format!("{letter} {}", left_out.unwrap_or("as a whole".to_owned()))
    });
    format!("All of these figures, and the verdict, are of {}.", parts.join(" and "))
}

impl Table {
    /// Writes it, if it has rows.
    fn write(&self, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        // Few columns fit a phone; many stack there.
        let [class, table_class] =
            if self.is_wide { [" class=\"wide\"", " class=\"stack\""] } else { [""; 2] };
        let _ = write!(
            out,
            "<section{class}><h3>{}</h3><div class=\"scroll tall\" tabindex=\"0\" role=\"region\" \
             aria-label=\"{0}\"><table{table_class}><thead><tr>",
            self.title
        );
        for (column, head) in self.heads.iter().enumerate() {
            let class = if self.words.contains(&column) { " class=\"words\"" } else { "" };
            let _ = write!(out, "<th scope=\"col\"{class}>{head}</th>");
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            out.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let head = self.heads[column];
                let _ = match column {
                    0 => write!(out, "<th scope=\"row\"><bdi>{}</bdi></th>", markup(cell)),
                    _ if self.words.contains(&column) => {
                        let cell = markup(cell);
                        write!(
                            out,
                            "<td data-head=\"{head}\" class=\"words\"><bdi>{cell}</bdi></td>"
                        )
                    }
                    _ => write!(out, "<td data-head=\"{head}\">{}</td>", markup(cell)),
                };
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div></section>");
    }
}

fn latency(value: Duration) -> String {
    text::latency(value.as_secs_f64())
}

/// Response time, service time and time to the first byte.
fn latencies(total: &Tally) -> Table {
    let columns = [&total.response_time, &total.service_time, &total.first_byte];
    let row = |name: &str, least: u64, value: &dyn Fn(&Latencies) -> Duration| {
        let cell = |latencies: &&Latencies| match latencies.count() {
            count if count >= least => latency(value(latencies)),
            _ => NONE.to_owned(),
        };
        std::iter::once(name.to_owned()).chain(columns.iter().map(cell)).collect::<Vec<_>>()
    };
    let mut rows = vec![row("mean", 1, &Latencies::mean)];
    let most = total.response_time.count();
    for (name, quantile, least) in QUANTILES {
        if most >= least {
            rows.push(row(name, least, &|latencies| latencies.quantile(quantile)));
        }
    }
    rows.push(row("max", 1, &Latencies::max));
    if most == 0 {
        rows.clear();
    }
    Table {
        title: "Latency",
        heads: vec!["percentile", "response time", "service time", "first byte"],
        rows,
        words: Vec::new(),
        is_wide: false,
    }
}

/// Answers by status.
fn statuses(results: &Results) -> Table {
    let all = results.total.requests as f64;
    let row = |(status, count): (&u16, &u64)| {
        vec![status.to_string(), text::count(*count), text::share(*count as f64 / all)]
    };
    Table {
        title: "Answers by status",
        heads: vec!["status", "answers", "share"],
        rows: results.total.statuses.iter().map(row).collect(),
        words: Vec::new(),
        is_wide: false,
    }
}

/// Failures with examples. Examples under other names than those of failures have no number.
fn errors(results: &Results) -> Table {
    let all = results.total.requests as f64;
    let failures = &results.total.failures;
    let mut by_count: Vec<_> = failures.iter().collect();
    by_count.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let example = |name: &str| results.examples.get(name).cloned().unwrap_or_default();
    let counted = by_count.into_iter().map(|(failure, count)| {
        vec![
            failure.words().to_owned(),
            text::count(*count),
            text::share(*count as f64 / all),
            example(failure.name()),
        ]
    });
    let others = results
        .examples
        .iter()
        .filter(|(name, _)| !failures.keys().any(|failure| failure.name() == *name))
        .map(|(name, example)| vec![name.clone(), NONE.into(), NONE.into(), example.clone()]);
    let rows = if failures.is_empty() { Vec::new() } else { counted.chain(others).collect() };
    Table {
        title: "Errors",
        heads: vec!["how it failed", "requests", "share", "for example"],
        rows,
        words: vec![3],
        is_wide: true,
    }
}

/// Names with what was counted under each.
fn parts<'a>(
    title: &'static str,
    head: &'static str,
    tallies: impl Iterator<Item = (&'a String, &'a Tally)>,
    results: &Results,
) -> Table {
    let seconds = results.run.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let tallies: Vec<_> = tallies.collect();
    let all: u64 = tallies.iter().map(|(_, tally)| tally.requests).sum();
    let row = |(name, tally): &(&String, &Tally)| {
        let times = &tally.response_time;
        let time =
            |value: Duration| if times.count() > 0 { latency(value) } else { NONE.to_owned() };
        let share = |count: u64, of: u64| match of {
            0 => NONE.to_owned(),
            of => text::share(count as f64 / of as f64),
        };
        vec![
            (*name).clone(),
            text::count(tally.requests),
            share(tally.requests, all),
            text::rate(tally.requests as f64 / seconds),
            share(tally.errors(), tally.requests),
            time(times.mean()),
            time(times.quantile(0.5)),
            time(times.quantile(0.9)),
            time(times.quantile(0.99)),
            time(times.max()),
        ]
    };
    Table {
        title,
        heads: vec![
            head, "count", "share", "a second", "errors", "mean", "p50", "p90", "p99", "max",
        ],
        rows: tallies.iter().map(row).collect(),
        words: Vec::new(),
        is_wide: true,
    }
}

/// Instances, and the answers that named none.
fn instances(results: &Results) -> Table {
    let mut tallies: Vec<_> = results.instances.iter().collect();
    tallies.sort_by_cached_key(|(name, _)| text::natural_order(name));
    let mut table = parts("Instances", "instance", tallies.into_iter(), results);
    if results.unnamed > 0 && !table.rows.is_empty() {
        let mut row = vec![NONE.to_owned(); table.heads.len()];
        row[0] = "(named no instance)".to_owned();
        row[1] = text::count(results.unnamed);
        table.rows.push(row);
    }
    table
}

/// Checks of the plan.
fn checks(results: &Results) -> Table {
    let row = |(name, count): (&String, &crate::load::results::CheckCount)| {
        let all = (count.passed + count.failed).max(1) as f64;
        vec![
            name.clone(),
            text::count(count.passed),
            text::count(count.failed),
            text::share(count.failed as f64 / all),
        ]
    };
    Table {
        title: "Checks",
        heads: vec!["check", "passed", "failed", "share failed"],
        rows: results.checks.iter().map(row).collect(),
        words: Vec::new(),
        is_wide: true,
    }
}

/// A name and what is told of it.
type Fact = (&'static str, String);

/// Three percentiles of a list that may be empty.
fn spread(latencies: &Latencies) -> String {
    let of = |quantile| latency(latencies.quantile(quantile));
    format!("p50 {}, p99 {}, max {}", of(0.5), of(0.99), latency(latencies.max()))
}

fn connections(results: &Results) -> Vec<Fact> {
    let connections = &results.connections;
    let mut facts = vec![("opened", text::count(connections.opened))];
    if connections.failed > 0 {
        facts.push(("attempts that failed", text::count(connections.failed)));
    }
    for (name, latencies) in
        [("connecting took", &connections.connect_time), ("TLS took", &connections.tls_time)]
    {
        if latencies.count() > 0 {
            facts.push((name, spread(latencies)));
        }
    }
    facts.push(("bytes sent", text::bytes(results.total.bytes_sent)));
    facts.push(("bytes received", text::bytes(results.total.bytes_received)));
    facts
}

fn tester(results: &Results) -> Vec<Fact> {
    let tester = &results.tester;
    let seconds = results.run.elapsed.as_secs_f64();
    let mut facts = vec![("threads", tester.threads.to_string())];
    let busy = |time: &Duration| match seconds {
        0.0 => NONE.to_owned(),
        seconds => text::share(time.as_secs_f64() / seconds),
    };
    if tester.processor_time > Duration::ZERO {
        let taken = text::lasting(tester.processor_time.as_secs_f64());
        facts.push((
            "processor time",
            format!("{taken}, {} of one core", busy(&tester.processor_time)),
        ));
    }
    if let Some(busiest) = tester.thread_time.iter().max() {
        facts.push(("busiest thread", format!("busy {} of the time", busy(busiest))));
    }
    if tester.scheduling_lag.count() > 0 {
        facts.push(("scheduling lag", spread(&tester.scheduling_lag)));
    }
    if tester.due > 0 {
        facts.push(("iterations due", text::count(tester.due)));
        facts.push(("waited for room", text::count(tester.waited)));
        facts.push(("never begun", text::count(tester.unsent)));
    }
    if tester.given_up > 0 {
        facts.push(("given up under way", text::count(tester.given_up)));
    }
    if tester.exhausted > 0 {
        facts.push(("lacked ports or descriptors", text::count(tester.exhausted)));
    }
    facts
}

/// Writes facts as a list.
fn facts(out: &mut String, title: &str, facts: &[Fact]) {
    let _ = write!(out, "<section><h3>{title}</h3><dl class=\"facts\">");
    for (name, value) in facts {
        let _ = write!(out, "<dt>{name}</dt><dd><bdi>{}</bdi></dd>", markup(value));
    }
    out.push_str("</dl></section>");
}

/// Writes what was run, and how to run it again.
fn run(out: &mut String, results: &Results) {
    let run = &results.run;
    let mut facts = vec![
        ("plan", run.source.clone()),
        ("began", moment(results)),
        ("lasted", text::lasting(run.elapsed.as_secs_f64())),
    ];
    if !run.machines.is_empty() {
        facts.push(("made by", run.machines.join(", ")));
    }
    if run.parts.len() > 1 {
        facts.push(("processes", run.parts.len().to_string()));
    }
    out.push_str("<section class=\"wide\"><h3>The run</h3><dl class=\"facts\">");
    for (name, value) in facts {
        let _ = write!(out, "<dt>{name}</dt><dd><bdi>{}</bdi></dd>", markup(&value));
    }
    let _ = write!(
        out,
        "</dl><p class=\"soft\">To repeat it:</p><div class=\"command\"><pre id=\"command\">{}</pre>\
         <button id=\"copy\" type=\"button\" hidden>Copy</button></div></section>",
        markup(&run.command)
    );
}
