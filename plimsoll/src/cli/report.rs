//! A status as text for a terminal: what `plimsoll status` prints.

use std::collections::BTreeSet;

use crate::admin::status::{
    EventLevel, InstanceStatus, Phase, ServerStatus, ServiceStatus, State, Status, Traffic,
};
use crate::admin::units;

use super::table::{Align, Cell, Colour, Painter, Table, harmless};

/// Events shown; `--json` has them all.
const EVENTS_SHOWN: usize = 5;
/// Between two facts on a line.
const GAP: &str = "  ";
/// Columns of servers that are left out where the terminal is narrow, the first first.
const LEFT_OUT: [&str; 8] =
    ["PID", "SERVED", "ADDRESS", "P50", "MEMORY", "CPU", "RESTARTS", "WEIGHT"];

/// The whole report, ending in a line feed.
pub fn report(status: &Status, painter: Painter) -> String {
    let mut out = head(status, painter);
    let mut left_out = BTreeSet::new();
    for one in &status.services {
        out.push('\n');
        out.push_str(&service(status, one, painter, &mut left_out));
    }
    if !left_out.is_empty() {
        let names = left_out.into_iter().collect::<Vec<_>>().join(", ");
        let words = format!("No room in this terminal for {names}; --json has all.");
        out.push_str(&painter.flow([painter.paint(Some(Colour::Dim), &words).as_str()], GAP));
    }
    if status.services.is_empty() {
        out.push_str("\nThere is no service.\n");
    }
    if !status.events.is_empty() {
        out.push_str(&format!("\n{}\n", painter.paint(Some(Colour::Bold), "Latest events")));
        out.push_str(&events(status, painter));
    }
    out
}

fn head(status: &Status, painter: Painter) -> String {
    let phase = match status.phase {
        Phase::Running => painter.paint(Some(Colour::Green), "running"),
        Phase::Draining => painter.paint(Some(Colour::Yellow), "draining"),
    };
    let loaded = units::age(status.seconds_since(status.config_loaded_at));
    let config = match &status.config_path {
        Some(path) => format!("{} (loaded {loaded} ago)", harmless(path)),
        None => "no config file".to_owned(),
    };
    let first = [
        painter.paint(Some(Colour::Bold), &format!("Plimsoll {}", status.version)),
        phase,
        format!("up {}", units::duration(status.seconds_since(status.started_at))),
        format!("pid {}", status.pid),
        config,
    ];
    let addresses: Vec<String> =
        status.listeners.iter().map(|one| harmless(&one.address)).collect();
    let word = if status.connections_open == 1 { "connection" } else { "connections" };
    let connections = format!("{} {word}", units::count(status.connections_open));
    let mut second = vec![format!("on {}", addresses.join(", ")), connections];
    second.extend(traffic(&status.traffic, painter));
    let mut out = flow(painter, &first) + &flow(painter, &second);
    if let Some(failure) = &status.reload_failure {
        let warning = painter.paint(Some(Colour::Red), "The last reload was refused:");
        let words = harmless(failure.trim_end());
        out.push_str(&painter.flow(std::iter::once(&*warning).chain(words.split(' ')), " "));
    }
    out.push_str(&alarms(status, painter));
    if let Some(lost) = status.access_log_lost() {
        let warning = painter.paint(Some(Colour::Yellow), &lost);
        out.push_str(&format!("{warning} Why stands in the log of Plimsoll itself.\n"));
    }
    out
}

/// A line for alarms of a name, the worst first.
fn alarms(status: &Status, painter: Painter) -> String {
    let mut out = String::new();
    for alarm in &status.alarms {
        let count = if alarm.count > 1 { format!(" ×{}", alarm.count) } else { String::new() };
        let colour = if alarm.is_grave() { Colour::Red } else { Colour::Yellow };
        let name = painter.paint(Some(colour), &format!("Alarm {}{count}", alarm.name));
        let severity = match alarm.severity.as_str() {
            "" => String::new(),
            severity => format!("({}) ", harmless(severity)),
        };
        let since = units::duration(status.seconds_since(alarm.since));
        let what = harmless(&alarm.what());
        let colon = if what.is_empty() { "" } else { ": " };
        let standing = match alarm.was_firing {
            true => format!("began {since} ago, and cannot be evaluated now"),
            false => format!("for {since}"),
        };
        let rest = format!("{severity}{standing}{colon}{what}");
        let pieces = std::iter::once(name.as_str()).chain(rest.split(' '));
        out.push_str(&painter.flow(pieces, " "));
    }
    if status.alarms_further > 0 {
        let further = units::count(status.alarms_further);
        out.push_str(&format!("and {further} more: plimsoll alarms\n"));
    }
    out
}

/// Facts on as few lines as the terminal allows.
fn flow(painter: Painter, facts: &[String]) -> String {
    painter.flow(facts.iter().map(String::as_str), GAP)
}

/// Rates and latencies.
fn traffic(traffic: &Traffic, painter: Painter) -> Vec<String> {
    let mut facts = vec![units::rate(traffic.requests_per_second)];
    if let Some(share) = traffic.error_share {
        let colour = (share > 0.0).then_some(Colour::Red);
        facts.push(painter.paint(colour, &format!("{} errors", units::share(Some(share)))));
    }
    if traffic.latency_p50_seconds.is_some() {
        facts.push(format!("p50 {}", units::latency(traffic.latency_p50_seconds)));
        facts.push(format!("p90 {}", units::latency(traffic.latency_p90_seconds)));
        facts.push(format!("p99 {}", units::latency(traffic.latency_p99_seconds)));
    }
    facts.push(format!("{} in flight", units::count(traffic.in_flight)));
    facts
}

/// `left_out` gets the headings that have no room.
fn service(
    status: &Status,
    service: &ServiceStatus,
    painter: Painter,
    left_out: &mut BTreeSet<&'static str>,
) -> String {
    let (healthy, all) = (service.healthy_count(), service.servers.len());
    let colour = match healthy {
        0 => Colour::Red,
        _ if service.below_min_healthy => Colour::Red,
        some if some < all => Colour::Yellow,
        _ => Colour::Green,
    };
    let title = [
        painter.paint(Some(Colour::Bold), &service.name),
        painter.paint(Some(colour), &format!("{healthy} of {all} healthy")),
        harmless(&service.balance),
        painter.paint(Some(Colour::Dim), &service.source),
    ];
    let mut out = flow(painter, &title) + &flow(painter, &traffic(&service.traffic, painter));
    if service.below_min_healthy {
        let text = format!(
            "Fewer than {} % of its servers are healthy; until more are: {}.",
            service.min_healthy_percent, service.when_below_min_healthy
        );
        out.push_str(&format!("{}\n", painter.paint(Some(Colour::Red), &text)));
    }
    if !service.servers.is_empty() {
        let mut table = servers(status, service);
        left_out.extend(table.leave_out(painter, &LEFT_OUT));
        out.push_str(&table.render(painter));
    }
    let told = |server: &&ServerStatus| server.state != State::Healthy && !server.reason.is_empty();
    for server in service.servers.iter().filter(told) {
        let text = format!("{} is {}: {}", server.name, standing(server), server.reason);
        out.push_str(&painter.flow(harmless(&text).split(' '), " "));
    }
    out
}

fn servers(status: &Status, service: &ServiceStatus) -> Table {
    let all = &service.servers;
    let mut table = Table::default();
    let mut column = |heading, align, cell: &dyn Fn(&ServerStatus) -> Cell| {
        table.column(heading, align, all.iter().map(cell));
    };
    let text = |text: String| Cell::plain(text);
    column("SERVER", Align::Left, &|one| text(one.name.clone()));
    if all.iter().any(|one| one.name != one.address) {
        column("ADDRESS", Align::Left, &|one| text(one.address.clone()));
    }
    column("STATE", Align::Left, &|one| state(one));
    column("FOR", Align::Right, &|one| text(units::age(status.seconds_since(one.since))));
    if all.iter().any(|one| one.weight != 1 || one.backup) {
        column("WEIGHT", Align::Right, &|one| text(weight(one)));
    }
    column("IN-FLIGHT", Align::Right, &|one| in_flight(one));
    column("REQUESTS", Align::Right, &|one| text(units::rate(one.traffic.requests_per_second)));
    column("ERRORS", Align::Right, &|one| errors(one));
    column("P50", Align::Right, &|one| text(units::latency(one.traffic.latency_p50_seconds)));
    column("P99", Align::Right, &|one| text(units::latency(one.traffic.latency_p99_seconds)));
    column("SERVED", Align::Right, &|one| text(units::count(one.traffic.requests_total)));
    if all.iter().any(|one| one.instance.is_some()) {
        column("CPU", Align::Right, &|one| of_instance(one, |it| units::percent(it.cpu_percent)));
        column("MEMORY", Align::Right, &|one| of_instance(one, |it| units::bytes(it.memory_bytes)));
        column("RESTARTS", Align::Right, &|one| of_instance(one, |it| it.restarts.to_string()));
        column("PID", Align::Right, &|one| of_instance(one, process));
    }
    table
}

fn state(server: &ServerStatus) -> Cell {
    let (colour, shape) = match server.state {
        State::Healthy => (Colour::Green, '●'),
        State::Unhealthy => (Colour::Red, '✕'),
        State::Ejected => (Colour::Red, '▲'),
        State::Draining => (Colour::Yellow, '◐'),
        State::Starting => (Colour::Yellow, '○'),
        State::Stopped if server.is_in_crash_loop() => {
            return Cell::coloured(Colour::Red, "■ crash loop");
        }
        State::Stopped => (Colour::Dim, '■'),
    };
    Cell::coloured(colour, format!("{shape} {}", server.state.as_str()))
}

/// The state in a sentence.
fn standing(server: &ServerStatus) -> &'static str {
    if server.is_in_crash_loop() { "in a crash loop" } else { server.state.as_str() }
}

fn weight(server: &ServerStatus) -> String {
    format!("{}{}", server.weight, if server.backup { " backup" } else { "" })
}

fn in_flight(server: &ServerStatus) -> Cell {
    let now = server.traffic.in_flight;
    match server.max_conns {
        Some(most) if now >= u64::from(most) => {
            Cell::coloured(Colour::Yellow, format!("{now} of {most}"))
        }
        Some(most) => Cell::plain(format!("{now} of {most}")),
        None => Cell::plain(units::count(now)),
    }
}

fn errors(server: &ServerStatus) -> Cell {
    let text = units::share(server.traffic.error_share);
    match server.traffic.error_share {
        Some(share) if share > 0.0 => Cell::coloured(Colour::Red, text),
        _ => Cell::plain(text),
    }
}

fn of_instance(server: &ServerStatus, figure: impl Fn(&InstanceStatus) -> String) -> Cell {
    Cell::plain(server.instance.as_ref().map_or(units::NONE.to_owned(), figure))
}

/// Its pid, or why it has none.
fn process(instance: &InstanceStatus) -> String {
    instance.pid.map_or_else(|| instance.phase.clone(), |pid| pid.to_string())
}

fn events(status: &Status, painter: Painter) -> String {
    let shown = &status.events[..status.events.len().min(EVENTS_SHOWN)];
    let mut table = Table::default();
    let ago = |at| format!("{} ago", units::age(status.seconds_since(at)));
    table.column("WHEN", Align::Right, shown.iter().map(|event| Cell::plain(ago(event.at))));
    table.column("ABOUT", Align::Left, shown.iter().map(|event| Cell::plain(&event.subject)));
    table.column(
        "WHAT",
        Align::Text,
        shown.iter().map(|event| match event.level {
            EventLevel::Info => Cell::plain(&event.text),
            EventLevel::Warn => Cell::coloured(Colour::Yellow, &event.text),
            EventLevel::Error => Cell::coloured(Colour::Red, &event.text),
        }),
    );
    table.render(painter)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use crate::admin::status::{AlarmStatus, samples};

    use super::*;

    fn told(status: &Status) -> String {
        report(status, Painter::PLAIN)
    }

    #[test]
    fn a_fleet_in_trouble() {
        assert_eq!(told(&samples::troubled()), include_str!("report/troubled.txt"));
    }

    #[test]
    fn a_crash_loop_and_lost_lines_are_told() {
        let text = told(&samples::worse());
        let lost = "12 k lines are missing in the access log. Why stands in the log of Plimsoll";
        assert!(text.lines().nth(2).is_some_and(|line| line.starts_with(lost)), "{text}");
        assert!(text.contains("■ crash loop "), "{text}");
        let why = "\nweb-4 is in a crash loop: exited with status 3; last line: no database\n";
        assert!(text.contains(why), "{text}");
    }

    #[test]
    fn a_fleet_that_is_well() {
        assert_eq!(told(&samples::well()), include_str!("report/well.txt"));
    }

    #[test]
    fn no_service_and_a_refused_reload() {
        let mut status = samples::well();
        status.services.clear();
        status.phase = Phase::Draining;
        status.reload_failure = Some("plimsoll.toml:3: unknown key `lisen`".to_owned());
        status.alarms = vec![AlarmStatus {
            name: "ServerDown".to_owned(),
            labels: "service=web".to_owned(),
            summary: "web-1 of web is \x1b[2Jdown".to_owned(),
            since: status.now - SignedDuration::from_secs(200),
            count: 1,
            ..AlarmStatus::default()
        }];
        let expected = "\
Plimsoll 0.1.0  draining  up 3 h 12 m  pid 4200  no config file
on 0.0.0.0:9999  128 connections  2.1 k/s  0.6 % errors  p50 8.9 ms  p90 22 ms  p99 62 ms  99 in flight
The last reload was refused: plimsoll.toml:3: unknown key `lisen`
Alarm ServerDown for 3 m 20 s: web-1 of web is ?[2Jdown

There is no service.
";
        assert_eq!(told(&status), expected);
    }

    #[test]
    fn alarms_of_a_name_are_a_line_and_those_without_place_are_counted() {
        let mut status = samples::well();
        let alarm = |name: &str, count, severity: &str, about: &[&str]| AlarmStatus {
            name: name.to_owned(),
            count,
            severity: severity.to_owned(),
            about: about.iter().map(|&it| it.to_owned()).collect(),
            labels: "service=web".to_owned(),
            summary: String::new(),
            since: status.now - SignedDuration::from_secs(200),
            ..AlarmStatus::default()
        };
        let alarms = vec![
            alarm("InstanceDown", 12, "critical", &["web-1", "web-2", "web-3"]),
            alarm("Slow", 2, "warning", &["a", "b"]),
            alarm("Odd", 1, "", &[]),
            AlarmStatus { was_firing: true, ..alarm("Blind", 1, "critical", &[]) },
        ];
        status.alarms = alarms;
        status.alarms_further = 7;
        let expected = "
Alarm InstanceDown ×12 (critical) for 3 m 20 s: web-1, web-2, web-3, …
Alarm Slow ×2 (warning) for 3 m 20 s: a, b
Alarm Odd for 3 m 20 s: service=web
Alarm Blind (critical) began 3 m 20 s ago, and cannot be evaluated now: service=web
and 7 more: plimsoll alarms
";
        assert!(told(&status).contains(expected), "{}", told(&status));
    }

    #[test]
    fn a_report_fits_its_terminal() {
        for columns in [80, 100, 140] {
            let text =
                report(&samples::troubled(), Painter { colours: false, columns: Some(columns) });
            let wide = text.lines().find(|line| line.chars().count() > columns);
            assert_eq!(wide, None, "{columns}: {text}");
            assert_eq!(text.contains("No room in this terminal for ADDRESS"), columns < 140);
            for always in ["SERVER ", "STATE ", "FOR ", "IN-FLIGHT", "REQUESTS", "ERRORS", "P99"] {
                assert!(text.contains(always), "{columns}: {always} in {text}");
            }
        }
    }

    #[test]
    fn colours_only_where_wanted() {
        let with = report(&samples::troubled(), Painter { colours: true, columns: None });
        assert!(with.contains("\x1b[31m✕ unhealthy\x1b[0m"));
        assert!(!report(&samples::troubled(), Painter::PLAIN).contains('\x1b'));
    }
}
