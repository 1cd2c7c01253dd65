use proptest::prelude::*;

use super::line::moment;
use super::*;

fn recording(text: &str) -> Result<Recording, Refusal> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, text).unwrap();
    read(&path, Path::new("log"), None)
}

fn milliseconds(replay: &Replay) -> Vec<u128> {
    replay.times.iter().map(Duration::as_millis).collect()
}

fn targets(replay: &Replay) -> Vec<String> {
    replay.rows.iter().map(|row| format!("{} {}", row[0], row[1])).collect()
}

const LOG: &str = r#"10.0.0.7 - - [21/Nov/2026:03:13:13 +0100] "GET /b?x=1 HTTP/1.1" 200 5 "-" "curl" web web-1 0.002 id
10.0.0.7 - anna [21/Nov/2026:03:13:12 +0100] "GET /a\x22\xC3\xA9 HTTP/1.1" 200 5
10.0.0.7 - - [21/Nov/2026:02:13:13 +0000] "POST /c HTTP/1.1" 201 5
server restarted
10.0.0.7 - - [21/Nov/2026:03:13:13 +0100] "HEAD /d HTTP/1.1" 200 5
10.0.0.7 - - [21/Nov/2026:03:13:13 +0100] "-" 400 0
10.0.0.7 - - [21/Nov/2026:03:13:15 +0100] "GET http://host/e HTTP/1.1" 200 5
"#;

#[test]
fn an_access_log_is_asked_for_again() {
    let replay = recording(LOG).unwrap().replay(1.0, true).unwrap();
    assert_eq!(targets(&replay), ["GET /a%22%C3%A9", "GET /b?x=1", "HEAD /d", "GET /e"]);
    // The three of the second 13 are spread over it; the one with a body is left out.
    assert_eq!(milliseconds(&replay), [0, 1000, 1666, 3000]);
    let doubts: Vec<&str> = replay.doubts.iter().map(|doubt| doubt.message.as_str()).collect();
    assert!(
        doubts[0]
            .contains("2 lines of log cannot be read; the first is line 4, `server restarted`"),
        "{doubts:?}"
    );
    assert!(doubts[1].contains("1 of 5 requests"), "{doubts:?}");
}

#[test]
fn the_plan_may_say_what_is_asked() {
    let replay = recording(LOG).unwrap().replay(2.0, false).unwrap();
    assert_eq!(milliseconds(&replay), [0, 500, 666, 833, 1500]);
    assert!(replay.rows.is_empty());
}

#[test]
fn json_lines_and_columns() {
    let json = "{\"time\":1700000000.250,\"method\":\"GET\",\"target\":\"/a\"}\n\
                {\"ts\":\"2023-11-14T22:13:21Z\",\"request\":{\"method\":\"GET\",\"uri\":\"/b\"}}\n\
                {\"@timestamp\":\"2023-11-14T22:13:22Z\",\"request\":\"GET /c HTTP/2\"}\n";
    let replay = recording(json).unwrap().replay(1.0, true).unwrap();
    assert_eq!(milliseconds(&replay), [0, 750, 1750]);
    assert_eq!(targets(&replay), ["GET /a", "GET /b", "GET /c"]);
    let with_names = "Path;Time\n/x;2023-11-14 22:13:20.5\n/y;2023-11-14 22:13:21\n";
    let replay = recording(with_names).unwrap().replay(1.0, true).unwrap();
    assert_eq!(milliseconds(&replay), [0, 500]);
    assert_eq!(targets(&replay), ["GET /x", "GET /y"]);
    let bare = recording("\n1700000000000\n1700000000100\n1700000002000\n").unwrap();
    assert!(!bare.has_targets());
    assert_eq!(milliseconds(&bare.replay(1.0, false).unwrap()), [0, 100, 2000]);
}

#[test]
fn logs_of_many_kinds_are_read() {
    let haproxy = "Feb  6 12:14:14 lb haproxy[14389]: 10.0.1.2:33317 [06/Feb/2026:12:14:14.655] http-in \
                   static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} \"GET /a HTTP/1.1\"\n";
    let cases = [
        ("haproxy", haproxy.to_owned() + &haproxy.replace("14.655", "14.905"), 250),
        (
            "a mark before JSON",
            "\u{feff}{\"ts\":1700000000.25,\"path\":\"/a\"}\n{\"ts\":1700000001,\"path\":\"/a\"}\n"
                .to_owned(),
            750,
        ),
        (
            "a mark before times",
            "\u{feff}time,path\n1700000000,/a\n1700000001,/a\n".to_owned(),
            1000,
        ),
        (
            "brackets in a user's name, zones, CRLF",
            "::1 - [x] [21/Nov/2026:03:13:13 +0100] \"GET /a HTTP/1.1\" 200 5\r\n\
             ::1 - - [20/Nov/2026:16:43:14 -0930] \"GET /a HTTP/1.1\" 200 5\r\n"
                .to_owned(),
            1000,
        ),
        (
            "the time first",
            "[21/Nov/2026:03:13:13 +0100] ::1 \"GET /a HTTP/1.1\" 200 5\n\
             [21/Nov/2026:03:13:15 +0100] ::1 \"GET /a HTTP/1.1\" 200 5\n"
                .to_owned(),
            2000,
        ),
    ];
    for (kind, text, later) in cases {
        let replay = recording(&text).unwrap_or_else(|refusal| panic!("{kind}: {refusal:?}"));
        let replay = replay.replay(1.0, true).unwrap();
        assert_eq!(milliseconds(&replay), [0, later], "{kind}");
        assert_eq!(targets(&replay), ["GET /a", "GET /a"], "{kind}");
        assert!(replay.doubts.is_empty(), "{kind}: {:?}", replay.doubts);
    }
}

#[test]
fn lines_without_a_path_are_left_out_and_told() {
    let recording = recording("time,path\n1700000000,nowhere\n1700000001,/x\n").unwrap();
    assert!(recording.has_targets());
    let replay = recording.replay(1.0, true).unwrap();
    assert_eq!(targets(&replay), ["GET /x"]);
    assert!(replay.doubts[0].message.contains("1 of 2 lines of log name no path"));
}

#[test]
fn a_line_without_an_end_is_refused() {
    let refusal = read(Path::new("/dev/zero"), Path::new("zero"), None).unwrap_err();
    assert!(refusal.message.contains("line 1 has no end"), "{}", refusal.message);
}

#[test]
fn what_is_no_recording_is_refused() {
    let cases = [
        ("", "is empty"),
        ("hello\nworld\n", "neither an access log nor CSV"),
        (
            "time\n1700000000\nlater\n",
            "1 of 2 lines of log cannot be read, the first is line 3, `later`",
        ),
        ("{\"a\": 1}\n", "1 of 1 line of log cannot be read"),
        ("0\n99999999\n", "more than 30 days"),
    ];
    for (text, words) in cases {
        let refusal = match recording(text) {
            Err(refusal) => refusal,
            Ok(recording) => recording.replay(1.0, false).unwrap_err(),
        };
        assert!(refusal.message.contains(words), "{text:?}: {}", refusal.message);
        assert!(refusal.remedy.is_some());
    }
    let posts = "h - - [21/Nov/2026:03:13:13 +0100] \"POST /b HTTP/1.1\" 200 5\n";
    assert!(recording(posts).unwrap().replay(1.0, true).is_err());
    assert!(read(Path::new("/none"), Path::new("none"), None).is_err());
}

/// A column with quotes is what any program that writes CSV makes of a comma or a quote in it.
#[test]
fn columns_may_stand_in_quotes() {
    let text = "\"time\",\"path\",agent\n\
                \"1700000000\",\"/a,b\",\"says \"\"hello, world\"\"\"\n\
                1700000001,\"/c\"\"d\",\"\"\n\
                \"1700000002\",\"/e\n";
    let replay = recording(text).unwrap().replay(1.0, true).unwrap();
    assert_eq!(targets(&replay), ["GET /a,b", "GET /c%22d", "GET /e"]);
    assert_eq!(milliseconds(&replay), [0, 1000, 2000]);
}

#[test]
fn a_wrong_row_is_left_out_and_told() {
    let text = "time,path\n1700000000,/a\nyesterday,/b\n,\n1700000001,/c\n1700000002,/d\n";
    let replay = recording(text).unwrap().replay(1.0, true).unwrap();
    assert_eq!(targets(&replay), ["GET /a", "GET /c", "GET /d"]);
    let told = "2 lines of log cannot be read; the first is line 3, `yesterday,/b`";
    assert_eq!(replay.doubts[0].message, told);
}

#[test]
fn a_packed_recording_is_unpacked() {
    use std::io::Write;

    let packed = |text: &str| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    // Logs are put together by `cat a.gz b.gz`.
    let (first, second) = LOG.split_at(LOG.find("server").unwrap());
    let mut bytes = packed(first);
    bytes.extend(packed(second));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log.1");
    std::fs::write(&path, &bytes).unwrap();
    let replay = read(&path, Path::new("log"), None).unwrap().replay(1.0, true).unwrap();
    assert_eq!(targets(&replay), ["GET /a%22%C3%A9", "GET /b?x=1", "HEAD /d", "GET /e"]);
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let refusal = read(&path, Path::new("log"), None).unwrap_err();
    assert!(refusal.message.contains("log cannot be read"), "{}", refusal.message);
}

#[test]
fn who_waits_is_told_how_far_reading_is() {
    use std::sync::Mutex;

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, "1700000000\n".repeat(9000)).unwrap();
    let tell = |words: &str| TOLD.lock().unwrap().push(words.to_owned());
    read_telling(&path, Path::new("log"), Some(tell), Duration::ZERO).unwrap();
    let told = TOLD.lock().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("reading log: 4096 lines, 4"), "{told:?}");
}

#[test]
fn long_lines_are_passed_over() {
    let text = format!("1\n{}\n", "2,".repeat(100_000));
    let recording = recording(&text).unwrap();
    assert_eq!(recording.rows.len(), 2);
}

#[test]
fn times_are_told_apart_by_their_size() {
    let expected = Some(1_700_000_000 * NANOS);
    for text in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000"] {
        assert_eq!(moment(text), expected, "{text}");
    }
    assert_eq!(moment("2023-11-14T22:13:20Z"), expected);
    assert_eq!(moment("2023-11-14T23:13:20+01:00"), expected);
    assert_eq!(moment("14/Nov/2023:22:13:20 +0000"), expected);
    for text in ["", ".", "x", "99999999999999999999999999999", "-1"] {
        assert_eq!(moment(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_line_breaks_the_reading(
        text in "([{\\[\"\\\\x0-9a-z/:, ;\\]}é-]|\\PC|\n){0,80}",
        speed in 0.001_f64..100.0,
    ) {
        if let Ok(recording) = recording(&text) {
            let with_targets = recording.has_targets();
            if let Ok(replay) = recording.replay(speed, with_targets) {
                prop_assert!(replay.times.is_sorted());
            }
        }
    }
}
