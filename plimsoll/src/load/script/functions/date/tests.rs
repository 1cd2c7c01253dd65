use super::*;

fn at(text: &str, zone: &TimeZone, pattern: &str) -> Result<String, String> {
    time(text.parse().unwrap(), pattern, zone)
}

#[test]
fn patterns_are_those_of_java() {
    let zone = TimeZone::fixed(jiff::tz::offset(-5));
    let morning = "2026-03-04T05:06:07.008009Z";
    for (pattern, expected) in [
        ("yyyy-MM-dd HH:mm:ss", "2026-03-04 00:06:07"),
        ("uuuu/M/d H:m:s", "2026/3/4 0:6:7"),
        ("yy", "26"),
        ("EEE, dd MMM yyyy", "Wed, 04 Mar 2026"),
        ("EEEE d MMMM", "Wednesday 4 March"),
        ("hh:mm a", "12:06 AM"),
        ("KK kk", "00 24"),
        ("DDD", "063"),
        ("S SS SSS SSSSSS", "0 00 008 008009"),
        ("n", "8009000"),
        ("Z", "-0500"),
        ("X XX sXXX", "-05 -0500 7-05:00"),
        ("z", "-05"),
        ("'o''clock' '' yyyy'T'", "o'clock ' 2026T"),
        ("yyyyMMddHHmmssSSS", "20260304000607008"),
    ] {
        assert_eq!(at(morning, &zone, pattern).as_deref(), Ok(expected), "{pattern}");
    }
    assert_eq!(at(morning, &TimeZone::UTC, "X sXXX Z z").as_deref(), Ok("Z 7Z +0000 UTC"));
    assert_eq!(at("2026-03-04T12:00:00Z", &TimeZone::UTC, "h a K").as_deref(), Ok("12 PM 0"));
    let half = TimeZone::fixed(Offset::from_seconds(5 * 3600 + 1800).unwrap());
    assert_eq!(at(morning, &half, "X x Z").as_deref(), Ok("+0530 +0530 +0530"));
}

#[test]
fn what_is_no_pattern_is_named() {
    let zone = &TimeZone::UTC;
    let now = "2026-03-04T05:06:07Z";
    assert_eq!(
        at(now, zone, "yyyy-ww"),
        Err("“w” in the date pattern “yyyy-ww” is not known here".to_owned())
    );
    // A pattern may come from an answer.
    for letter in ["y", "S"] {
        assert_eq!(
            at("2026-01-01T00:00:00Z", &TimeZone::UTC, &letter.repeat(70_000)),
            Err(format!("there are more than 19 “{letter}” in a row"))
        );
    }
    assert_eq!(at(now, zone, "yyyy'T"), Err("the ' in “yyyy'T” stays open".to_owned()));
}

fn shift(format: &str, date: &str, shift: &str) -> Result<String, String> {
    let now = "2026-03-01T00:00:00.250Z".parse().unwrap();
    shifted(now, format, date, shift, &TimeZone::UTC)
}

#[test]
fn dates_are_shifted() {
    for (format, date, by, expected) in [
        ("yyyy-MM-dd HH:mm:ss", "", "", "2026-03-01 00:00:00"),
        ("yyyy-MM-dd HH:mm:ss", "", "P1DT2H30M", "2026-03-02 02:30:00"),
        ("yyyy-MM-dd HH:mm:ss", "", "-P1D", "2026-02-28 00:00:00"),
        ("yyyy-MM-dd HH:mm:ss.SSS", "", "PT-0.25S", "2026-03-01 00:00:00.000"),
        ("yyyy-MM-dd HH:mm", "", "P-6DT3H", "2026-02-23 03:00"),
        ("", "", "PT1S", "1772323201250"),
        ("", "5000", "PT1S", "6000"),
        ("dd MMM yyyy", "28 Feb 2024", "P1D", "29 Feb 2024"),
        ("d MMMM yy hh:mm a", "1 January 25 12:05 AM", "", "1 January 25 12:05 AM"),
        ("yyyyMMddHHmm", "202602282359", "PT1M", "202603010000"),
        ("yyyy-MM-dd'T'HH:mm:ssX", "2026-01-01T00:00:00+02", "", "2026-01-01T00:00:00+02"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2026-01-01T00:00:00.5Z", "", "2026-01-01T00:00:00.500Z"),
        ("EEE d.M.yyyy", "Thu 1.1.2026", "P1D", "Fri 2.1.2026"),
        ("yyyy DDD", "2024 366", "P1D", "2025 001"),
    ] {
        assert_eq!(shift(format, date, by).as_deref(), Ok(expected), "{format} {date} {by}");
    }
}

#[test]
fn what_cannot_be_shifted_is_said() {
    for (format, date, by, expected) in [
        ("yyyy", "", "1 day", "“1 day” is no shift as in P1DT2H30M"),
        ("yyyy", "", "P1H", "“P1H” is no shift as in P1DT2H30M"),
        ("yyyy", "", "P99999999D", "“P99999999D” leads out of the calendar"),
        ("yyyy-MM-dd", "2026-02-30", "", "“2026-02-30” is no date of the form yyyy-MM-dd"),
        ("yyyy-MM-dd", "2026-02-03x", "", "“2026-02-03x” is no date of the form yyyy-MM-dd"),
        ("yyyy é", "2026 é MÜ", "", "“2026 é MÜ” is no date of the form yyyy é"),
        ("", "soon", "", "“soon” is no time in milliseconds"),
    ] {
        assert_eq!(shift(format, date, by), Err(expected.to_owned()));
    }
}
