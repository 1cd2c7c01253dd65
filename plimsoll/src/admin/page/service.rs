//! One service on the page: its figures, and a table of its servers.

use super::super::api;
use super::super::markup::Markup;
use super::super::status::{InstanceStatus, ServerStatus, ServiceStatus, State, Status};
use super::super::units;
use super::{action, figure, traffic_tiles};

/// Width of a load bar in the units of its drawing.
const BAR_WIDTH: u64 = 100;

/// A class for the colour, a shape for those who do not see it, and the word.
fn look(server: &ServerStatus) -> (&'static str, &'static str, &'static str) {
    let (class, shape) = match server.state {
        State::Starting => ("starting", "○"),
        State::Healthy => ("good", "●"),
        State::Unhealthy => ("bad", "✕"),
        State::Ejected => ("bad", "▲"),
        State::Draining => ("draining", "◐"),
        State::Stopped if server.is_in_crash_loop() => return ("bad", "■", "crash loop"),
        State::Stopped => ("stopped", "■"),
    };
    (class, shape, server.state.as_str())
}

/// The whole section.
pub(super) fn section(page: &mut Markup, status: &Status, service: &ServiceStatus) {
    page.raw("<section class=\"service\"><div class=\"title\"><h2>").text(&service.name);
    page.raw("</h2><p class=\"quiet\">");
    let healthy = service.healthy_count();
    page.raw("<b>").text(&format!("{healthy} of {} healthy", service.servers.len()));
    page.raw("</b> · ").text(&service.balance).raw(" · ").text(&service.source).raw("</p>");
    if service.servers.iter().any(|server| server.instance.is_some()) {
        let path = api::restart_path(&service.name);
        let question =
            format!("Replace the instances of {} one by one? No request is lost.", service.name);
        action(page, "Rolling restart", "POST", &path, &question);
    }
    page.raw("</div>");
    if service.below_min_healthy {
        page.raw("<p class=\"notice\"><b>Fewer than ");
        page.text(&service.min_healthy_percent.to_string()).raw(" % of its servers are healthy.");
        page.raw("</b> Until more are: ").text(&service.when_below_min_healthy).raw(".</p>");
    }
    // The figures of the only service are those of the whole, which stand above.
    if status.services.len() > 1 {
        page.raw("<dl class=\"tiles small\">");
        traffic_tiles(page, &service.traffic);
        page.raw("</dl>");
    }
    table(page, status, service);
    page.raw("</section>\n");
}

fn table(page: &mut Markup, status: &Status, service: &ServiceStatus) {
    if service.servers.is_empty() {
        page.raw("<p class=\"quiet\">It has no server.</p>");
        return;
    }
    let processes = service.servers.iter().any(|server| server.instance.is_some());
    page.raw("<div class=\"wide\"><table><thead><tr><th>Server</th><th>State</th>");
    page.raw("<th>In flight</th><th class=\"n\">Requests</th><th class=\"n\">Errors</th>");
    page.raw("<th class=\"n\">p50</th><th class=\"n\">p99</th><th class=\"n\">Served</th>");
    if processes {
        page.raw("<th class=\"n\">CPU</th><th class=\"n\">Memory</th><th>Process</th>");
    }
    page.raw("<th><span class=\"unseen\">Commands</span></th></tr></thead><tbody>");
    let busiest = service.servers.iter().map(|server| server.traffic.in_flight).max().unwrap_or(0);
    for server in &service.servers {
        row(page, status, service, server, busiest, processes);
    }
    page.raw("</tbody></table></div>");
}

fn row(
    page: &mut Markup,
    status: &Status,
    service: &ServiceStatus,
    server: &ServerStatus,
    busiest: u64,
    processes: bool,
) {
    let traffic = &server.traffic;
    page.raw("<tr class=\"").raw(look(server).0).raw("\"><td class=\"name\"><b>");
    page.text(&server.name).raw("</b><small>").text(&particulars(server)).raw("</small></td>");
    state(page, status, server);
    load(page, server, busiest);
    number(page, "Requests", &units::rate(traffic.requests_per_second));
    number(page, "Errors", &units::share(traffic.error_share));
    number(page, "p50", &units::latency(traffic.latency_p50_seconds));
    number(page, "p99", &units::latency(traffic.latency_p99_seconds));
    number(page, "Served", &units::count(traffic.requests_total));
    match &server.instance {
        Some(instance) => process(page, status, server, instance),
        None if processes => {
            page.raw("<td class=\"n\"></td><td class=\"n\"></td><td></td>");
        }
        None => {}
    }
    page.raw("<td class=\"commands\">");
    let path = api::drain_path(&service.name, &server.name);
    match server.state {
        State::Draining => action(page, "Give back", "DELETE", &path, ""),
        State::Stopped => {}
        _ => {
            let question = format!("Take {} out of traffic?", server.name);
            action(page, "Drain", "POST", &path, &question);
        }
    }
    page.raw("</td></tr>");
}

/// What else identifies a server: an address that is not its name, an uncommon weight, its part.
fn particulars(server: &ServerStatus) -> String {
    let address = (server.address != server.name).then(|| server.address.clone());
    let weight = (server.weight != 1).then(|| format!("weight {}", server.weight));
    let backup = server.backup.then(|| "backup".to_owned());
    [address, weight, backup].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn state(page: &mut Markup, status: &Status, server: &ServerStatus) {
    let (class, shape, word) = look(server);
    page.raw("<td class=\"state\"><span class=\"pill ").raw(class);
    page.raw("\"><i aria-hidden=\"true\">").raw(shape).raw("</i>").raw(word);
    page.raw("</span> <small>for ").text(&units::age(status.seconds_since(server.since)));
    page.raw("</small>");
    // Of a healthy one the last check says it all.
    let told = server.state != State::Healthy || server.last_check.is_none();
    if told && !server.reason.is_empty() {
        page.raw("<p>").text(&server.reason).raw("</p>");
    }
    if let Some(check) = &server.last_check {
        page.raw("<p class=\"quiet\">").raw(if check.passed { "✓ " } else { "✕ " });
        let said_above = told && server.reason.contains(&check.text);
        page.text(if said_above { "last check" } else { &check.text }).raw(", ");
        page.text(&units::age(status.seconds_since(check.at))).raw(" ago</p>");
    }
    page.raw("</td>");
}

/// In flight as a bar: of `max_conns` if there is one, of the busiest server's otherwise.
fn load(page: &mut Markup, server: &ServerStatus, busiest: u64) {
    let now = server.traffic.in_flight;
    let full = server.max_conns.map_or(busiest, u64::from).max(1);
    let width = (now.min(full) * BAR_WIDTH / full).to_string();
    let at_limit = server.max_conns.is_some_and(|most| now >= u64::from(most));
    page.raw("<td class=\"load\" data-label=\"In flight\"><span>").text(&units::count(now));
    if let Some(most) = server.max_conns {
        page.raw("<small> of ").text(&most.to_string()).raw("</small>");
    }
    page.raw("</span><svg class=\"bar").raw(if at_limit { " full" } else { "" });
    page.raw("\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    page.raw("<rect class=\"track\" width=\"100\" height=\"6\"/><rect width=\"").text(&width);
    page.raw("\" height=\"6\"/></svg></td>");
}

fn number(page: &mut Markup, label: &'static str, value: &str) {
    page.raw("<td class=\"n\" data-label=\"").raw(label).raw("\">");
    figure(page, value);
    page.raw("</td>");
}

fn process(page: &mut Markup, status: &Status, server: &ServerStatus, instance: &InstanceStatus) {
    number(page, "CPU", &units::percent(instance.cpu_percent));
    number(page, "Memory", &units::bytes(instance.memory_bytes));
    page.raw("<td class=\"process\" data-label=\"Process\"><span>");
    match (instance.pid, instance.started_at) {
        (Some(pid), Some(started_at)) => {
            page.raw("pid ").text(&pid.to_string()).raw(", up ");
            page.text(&units::age(status.seconds_since(started_at)));
        }
        _ => {
            page.text(&instance.phase);
        }
    }
    page.raw("</span><small>");
    let descriptors = instance.descriptors.map(|count| units::plural(count as usize, "descriptor"));
    if instance.restarts > 0 {
        if let Some(descriptors) = descriptors {
            page.text(&descriptors).raw("; ");
        }
        page.text(&units::plural(instance.restarts as usize, "restart"));
        // Of one that is down, the state has said it.
        let exit = instance.last_exit.as_ref().filter(|exit| **exit != server.reason);
        if let Some(exit) = exit {
            page.raw("; last ").text(exit);
        }
    } else {
        page.text(descriptors.as_deref().unwrap_or("no restart"));
    }
    page.raw("</small></td>");
}
