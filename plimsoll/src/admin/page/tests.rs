use super::super::status::{AlarmStatus, samples};
use super::*;

#[test]
fn tells_each_state_in_words_and_shapes() {
    let page = status(&samples::troubled(), false);
    for expected in [
        "<i aria-hidden=\"true\">●</i>healthy",
        "<i aria-hidden=\"true\">✕</i>unhealthy",
        "<i aria-hidden=\"true\">▲</i>ejected",
        "<i aria-hidden=\"true\">◐</i>draining",
        "<i aria-hidden=\"true\">○</i>starting",
        "<i aria-hidden=\"true\">■</i>stopped",
        "health bad\">web has too few healthy servers",
        "Fewer than 66 % of its servers are healthy.",
        "3 checks failed: connection refused",
        "23 descriptors; 2 restarts; last killed by SIGKILL",
        "✓ 200 in 3 ms, 3 s ago",
        "✕ last check, 3 s ago",
        "80<small> of 80</small>",
        "<b>10.0.1.10:8000</b><small>weight 5</small>",
        "unix:/run/legacy/spare.sock · weight 5 · backup",
        "1.2<small> k/s</small>",
        "120<small> MB</small>",
        "data-path=\"/api/services/legacy/servers/10.0.1.10%3A8000/drain\"",
        "data-method=\"DELETE\"",
    ] {
        assert!(page.contains(expected), "no {expected} in\n{page}");
    }
}

#[test]
fn a_crash_loop_stands_out_and_says_its_reason_once() {
    let page = status(&samples::worse(), false);
    assert!(page.contains("pill bad\"><i aria-hidden=\"true\">■</i>crash loop"), "{page}");
    assert!(page.contains("<span>crash-loop</span><small>6 restarts</small>"), "{page}");
    assert_eq!(page.matches("no database").count(), 1, "{page}");
    assert!(!status(&samples::troubled(), false).contains("crash loop"));
}

#[test]
fn lost_lines_of_the_access_log_are_told() {
    let page = status(&samples::worse(), false);
    assert!(page.contains("<b>12 k lines are missing in the access log.</b>"), "{page}");
    let mut told = samples::troubled();
    for (lost, expected) in [(None, false), (Some(0), false), (Some(1), true)] {
        told.access_log_lost_total = lost;
        let page = status(&told, false);
        assert_eq!(page.contains("1 line is missing in the access log."), expected);
        assert_eq!(page.contains("class=\"notice warn"), expected);
    }
}

#[test]
fn alarms_are_as_loud_as_they_are_grave() {
    let mut told = samples::troubled();
    let severities = [("", false), ("critical", false), ("warning", true), ("odd", true)];
    for (severity, is_quiet) in severities {
        let (name, severity) = ("Slow".to_owned(), severity.to_owned());
        told.alarms = vec![AlarmStatus { name, severity, count: 1, ..AlarmStatus::default() }];
        let page = status(&told, false);
        assert!(page.contains("<b>Slow</b>"), "{page}");
        assert_eq!(page.contains("class=\"notice warn"), is_quiet, "{:?}", told.alarms);
    }
}

#[test]
fn sums_up_the_whole_in_a_sentence() {
    let verdict = |change: fn(&mut Status)| {
        let mut status = samples::troubled();
        change(&mut status);
        let Health { class, text } = Health::of(&status);
        format!("{class}: {text}")
    };
    assert_eq!(verdict(|_| {}), "bad: web has too few healthy servers");
    assert_eq!(
        verdict(|status| status.services[0].below_min_healthy = false),
        "warn: 3 of 8 servers out of traffic"
    );
    assert_eq!(
        verdict(|status| {
            status.services.iter_mut().for_each(|service| service.servers.clear())
        }),
        "bad: 2 services have no healthy server"
    );
    assert_eq!(
        verdict(|status| status.services[0].servers.clear()),
        "bad: web has no healthy server"
    );
    assert_eq!(
        verdict(|status| status.phase = Phase::Draining),
        "warn: Draining: open requests are finishing"
    );
    assert_eq!(verdict(|status| *status = samples::well()), "good: All 2 servers healthy");
    assert_eq!(verdict(|status| status.services.clear()), "warn: No service yet");
}

/// Every name and text from outside, turned into an attack, stays text.
#[test]
fn hostile_names_stay_text() {
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='a'>&";
    let mut told = samples::troubled();
    let hostile = || HOSTILE.to_owned();
    told.version = hostile();
    told.config_path = Some(hostile());
    told.reload_failure = Some(hostile());
    let (name, labels, summary, severity) = (hostile(), hostile(), hostile(), hostile());
    let about = vec![hostile(), hostile()];
    told.alarms = [Vec::new(), about]
        .map(|about| AlarmStatus {
            name: name.clone(),
            count: 1 + about.len() as u64,
            severity: severity.clone(),
            about,
            labels: labels.clone(),
            summary: summary.clone(),
            since: told.now,
            common: vec![hostile()],
            was_firing: true,
        })
        .into();
    told.alarms_further = 3;
    told.listeners[0].address = hostile();
    for service in &mut told.services {
        service.name = hostile();
        service.source = hostile();
        service.balance = hostile();
        service.when_below_min_healthy = hostile();
        for server in &mut service.servers {
            server.name = hostile();
            server.address = hostile();
            server.reason = hostile();
            if let Some(check) = &mut server.last_check {
                check.text = hostile();
            }
            if let Some(instance) = &mut server.instance {
                instance.phase = hostile();
                instance.last_exit = Some(hostile());
            }
        }
    }
    for event in &mut told.events {
        event.subject = hostile();
        event.text = hostile();
    }
    let page = status(&told, true);
    assert!(
        page.contains(" ×3</b>") && page.contains("and 3 more: <code>plimsoll alarms"),
        "{page}"
    );
    assert!(page.contains(" ago, and cannot be evaluated now</span>"), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    let tags = |page: &str| page.matches('<').count();
    let mut tame = told.clone();
    let json = serde_json::to_string(&tame).unwrap();
    let quoted = serde_json::to_string(HOSTILE).unwrap();
    tame = serde_json::from_str(&json.replace(&quoted, "\"tame\"")).unwrap();
    assert_eq!(tags(&page), tags(&status(&tame, true)), "as many tags as with tame names");
    assert!(!failure(HOSTILE, HOSTILE).contains("<img"));
}

#[test]
fn nothing_is_inline() {
    for page in [status(&samples::troubled(), true), login(true), failure("a", "b")] {
        assert!(!page.contains("style="), "the policy forbids inline style");
        assert!(!page.contains("onclick") && !page.contains("<style"));
        assert_eq!(page.matches("<script ").count(), page.matches("<script src=").count());
    }
}
