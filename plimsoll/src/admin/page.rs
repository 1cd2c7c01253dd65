//! The status page: one [`Status`] as HTML, readable without a script, on paper and on a phone.
//!
//! `status.js` fetches the page again every two seconds and swaps `<main>`; without it the page
//! still says everything, as of the moment it was loaded. A state is told by word and shape as
//! well as by colour. Nothing is styled inline: the content security policy forbids it.

mod service;

use super::markup::Markup;
use super::status::{
    Event, EventLevel, Phase, RATE_WINDOW_SECONDS, ServiceStatus, State, Status, Traffic,
};
use super::units;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n\
    <link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\n\
    <link rel=\"stylesheet\" href=\"/assets/status.css\">\n";

const MARK: &str = "<svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\">\
    <circle cx=\"16\" cy=\"16\" r=\"9.5\"/><path d=\"M1 16h30\"/></svg>";

/// The page of a running Plimsoll. `signed_in`: there is a session to leave.
pub(super) fn status(status: &Status, signed_in: bool) -> String {
    let mut page = Markup::default();
    let health = Health::of(status);
    page.raw(HEAD).raw("<title>").text(&health.text).raw(" · Plimsoll</title>\n");
    page.raw("<script src=\"/assets/status.js\" defer></script>\n</head>\n<body>\n<main>\n");
    header(&mut page, status, &health);
    notices(&mut page, status);
    totals(&mut page, status);
    for one in &status.services {
        service::section(&mut page, status, one);
    }
    events(&mut page, status);
    page.raw("</main>\n");
    footer(&mut page, status, signed_in);
    page.raw("<div id=\"said\" role=\"status\" aria-live=\"polite\"></div>\n</body>\n</html>\n");
    page.finish()
}

/// What the fleet as a whole is like, in a sentence.
struct Health {
    class: &'static str,
    text: String,
}

impl Health {
    fn of(status: &Status) -> Self {
        let servers = || status.services.iter().flat_map(|service| &service.servers);
        let all = servers().count();
        let out = servers()
            .filter(|one| !matches!(one.state, State::Healthy | State::Draining | State::Starting))
            .count();
        let dark: Vec<&ServiceStatus> =
            status.services.iter().filter(|service| service.healthy_count() == 0).collect();
        let short = status.services.iter().find(|service| service.below_min_healthy);
        let (class, text) = if status.phase == Phase::Draining {
            ("warn", "Draining: open requests are finishing".to_owned())
        } else if let [service] = dark[..] {
            ("bad", format!("{} has no healthy server", service.name))
        } else if !dark.is_empty() {
            ("bad", format!("{} have no healthy server", units::plural(dark.len(), "service")))
        } else if let Some(service) = short {
            ("bad", format!("{} has too few healthy servers", service.name))
        } else if out > 0 {
            ("warn", format!("{out} of {} out of traffic", units::plural(all, "server")))
        } else if all == 0 {
            ("warn", "No service yet".to_owned())
        } else if servers().any(|server| server.state != State::Healthy) {
            ("good", "All is well, with servers on their way in or out".to_owned())
        } else {
            ("good", format!("All {} healthy", units::plural(all, "server")))
        };
        Self { class, text }
    }
}

fn header(page: &mut Markup, status: &Status, health: &Health) {
    page.raw("<header>").raw(MARK).raw("<h1>Plimsoll</h1><p class=\"health ");
    page.raw(health.class).raw("\">").text(&health.text).raw("</p><p class=\"quiet about\">");
    let listeners: Vec<&str> = status.listeners.iter().map(|one| one.address.as_str()).collect();
    if !listeners.is_empty() {
        page.raw("listening on <b>").text(&listeners.join(", ")).raw("</b> · ");
    }
    page.raw("up ").text(&units::duration(status.seconds_since(status.started_at)));
    page.raw("</p></header>\n");
}

fn notices(page: &mut Markup, status: &Status) {
    if let Some(failure) = &status.reload_failure {
        page.raw("<p class=\"notice\"><b>The last reload was refused;");
        page.raw(" what was in force before still is.</b> ").text(failure).raw("</p>\n");
    }
    for alarm in &status.alarms {
        let class = if alarm.is_grave() { "" } else { " warn" };
        page.raw("<p class=\"notice").raw(class).raw("\"><b>").text(&alarm.name);
        if alarm.count > 1 {
            page.raw(" ×").text(&alarm.count.to_string());
        }
        let since = units::duration(status.seconds_since(alarm.since));
        page.raw("</b> ").text(&alarm.what()).raw(" <span class=\"quiet\">");
        match alarm.was_firing {
            true => page.raw("began ").text(&since).raw(" ago, and cannot be evaluated now"),
            false => page.raw("for ").text(&since),
        };
        page.raw("</span></p>\n");
    }
    if status.alarms_further > 0 {
        page.raw("<p class=\"notice\">and ").text(&units::count(status.alarms_further));
        page.raw(" more: <code>plimsoll alarms</code></p>\n");
    }
    if let Some(lost) = status.access_log_lost() {
        page.raw("<p class=\"notice warn\"><b>").text(&lost).raw("</b> Why stands in the log of ");
        page.raw("Plimsoll itself.</p>\n");
    }
}

fn totals(page: &mut Markup, status: &Status) {
    page.raw("<dl class=\"tiles\">");
    traffic_tiles(page, &status.traffic);
    tile(page, "connections", &units::count(status.connections_open), "");
    page.raw("</dl>\n");
}

/// The figures that the whole and each service have alike.
fn traffic_tiles(page: &mut Markup, traffic: &Traffic) {
    tile(page, "requests", &units::rate(traffic.requests_per_second), "");
    let failing = traffic.error_share.is_some_and(|share| share > 0.0);
    let class = if failing { "failing" } else { "" };
    tile(page, "errors", &units::share(traffic.error_share), class);
    tile(page, "p50", &units::latency(traffic.latency_p50_seconds), "");
    tile(page, "p90", &units::latency(traffic.latency_p90_seconds), "");
    tile(page, "p99", &units::latency(traffic.latency_p99_seconds), "");
    tile(page, "in flight", &units::count(traffic.in_flight), "");
}

fn tile(page: &mut Markup, name: &'static str, value: &str, class: &'static str) {
    page.raw("<div class=\"").raw(class).raw("\"><dt>").raw(name).raw("</dt><dd>");
    figure(page, value);
    page.raw("</dd></div>");
}

/// A figure with its unit set smaller.
fn figure(page: &mut Markup, value: &str) {
    match value.split_once([' ', '/']) {
        Some((number, unit)) => {
            page.text(number).raw("<small>");
            page.raw(if value.contains(' ') { " " } else { "/" }).text(unit).raw("</small>");
        }
        None => {
            page.text(value);
        }
    }
}

fn events(page: &mut Markup, status: &Status) {
    page.raw("<section><h2>Events</h2>");
    if status.events.is_empty() {
        page.raw("<p class=\"quiet\">Nothing has happened yet.</p>");
    } else {
        page.raw("<ol class=\"events\">");
        for one in &status.events {
            event(page, status, one);
        }
        page.raw("</ol>");
    }
    page.raw("</section>\n");
}

fn event(page: &mut Markup, status: &Status, event: &Event) {
    let (class, shape, word) = match event.level {
        EventLevel::Info => ("info", "●", "info"),
        EventLevel::Warn => ("warn", "▲", "warning"),
        EventLevel::Error => ("bad", "✕", "error"),
    };
    page.raw("<li class=\"").raw(class).raw("\"><time datetime=\"");
    page.text(&event.at.to_string()).raw("\" title=\"").text(&clock(event.at)).raw(" UTC\">");
    page.text(&units::age(status.seconds_since(event.at))).raw(" ago</time><span class=\"shape\"");
    page.raw(" role=\"img\" aria-label=\"").raw(word).raw("\">").raw(shape).raw("</span><b>");
    page.text(&event.subject).raw("</b> <span>").text(&event.text).raw("</span></li>");
}

/// `2026-11-21 02:13:12`
fn clock(at: jiff::Timestamp) -> String {
    format!("{at:.0}").replace('T', " ").replace('Z', "")
}

fn footer(page: &mut Markup, status: &Status, signed_in: bool) {
    page.raw("<footer class=\"quiet\"><p>Plimsoll ").text(&status.version).raw(" · pid ");
    page.text(&status.pid.to_string()).raw(" · ");
    match &status.config_path {
        Some(path) => page.text(path),
        None => page.raw("no config file"),
    };
    if status.config_path.is_some() {
        page.raw(", loaded <time title=\"").text(&clock(status.config_loaded_at)).raw(" UTC\">");
        page.text(&units::age(status.seconds_since(status.config_loaded_at))).raw(" ago</time>");
    }
    page.raw(" · rates and latencies over the last ").text(&RATE_WINDOW_SECONDS.to_string());
    page.raw(" s</p><p>");
    page.raw("<a href=\"/metrics\">metrics</a> <a href=\"/api/status\">status as JSON</a>");
    if status.config_path.is_some() {
        action(page, "Reload config", "POST", "/api/reload", "");
    }
    page.raw("</p>");
    if signed_in {
        page.raw("<form method=\"post\" action=\"/logout\"><button>Sign out</button></form>");
    }
    page.raw("</footer>\n");
}

/// A button that `status.js` brings to life (and shows). `question` is asked before; empty for
/// none.
fn action(
    page: &mut Markup,
    label: &'static str,
    method: &'static str,
    path: &str,
    question: &str,
) {
    page.raw("<button type=\"button\" hidden data-method=\"").raw(method).raw("\" data-path=\"");
    page.text(path).raw("\" data-question=\"").text(question).raw("\">").raw(label);
    page.raw("</button>");
}

/// The sign-in page. `refused`: the token just tried was wrong.
pub(super) fn login(refused: bool) -> String {
    let mut page = Markup::default();
    page.raw(HEAD).raw("<title>Sign in · Plimsoll</title>\n</head>\n<body class=\"narrow\">\n");
    page.raw("<main><header>").raw(MARK).raw("<h1>Plimsoll</h1></header>\n");
    page.raw("<form class=\"card\" method=\"post\" action=\"/login\"><label for=\"token\">Token");
    page.raw("</label><input id=\"token\" name=\"token\" type=\"password\" required autofocus ");
    page.raw("autocomplete=\"current-password\">");
    if refused {
        page.raw("<p class=\"notice\" role=\"alert\">That is not the token.</p>");
    }
    page.raw("<button>Sign in</button><p class=\"quiet\">It is <code>admin.token</code> in the ");
    page.raw("config file of this Plimsoll.</p></form></main>\n</body>\n</html>\n");
    page.finish()
}

/// A page for when there is nothing to show.
pub(super) fn failure(error: &str, remedy: &str) -> String {
    let mut page = Markup::default();
    page.raw(HEAD).raw("<title>Plimsoll</title>\n");
    page.raw("<script src=\"/assets/status.js\" defer></script>\n</head>\n<body>\n<main>\n");
    page.raw("<header>").raw(MARK).raw("<h1>Plimsoll</h1><p class=\"health bad\">");
    page.text(error).raw("</p></header>\n<p class=\"notice\">").text(remedy);
    page.raw("</p></main>\n</body>\n</html>\n");
    page.finish()
}

#[cfg(test)]
mod tests;
