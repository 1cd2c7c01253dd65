//! Dates by Java's patterns (`yyyy-MM-dd HH:mm:ss`), which JMeter plans are full of.
//!
//! The letters of `java.time.format.DateTimeFormatter` that plans use: `y u M L d D E a H k K h m s
//! S n X x Z z V`, texts in `'…'`. Others are refused by name.
//! Left out: languages other than English; weeks, quarters and eras.

use std::fmt::Write as _;

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

/// Most letters of one field, as in Java.
const LETTERS_MAX: usize = 19;

/// A part of a pattern.
#[derive(Debug, PartialEq)]
enum Part {
    /// A letter and how often it stands there.
    Field(char, usize),
    /// As it is.
    Text(String),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Letters that stand for something here.
const LETTERS: &str = "yuMLdDEaHkKhmsSnXxZzV";

/// The time, as `time(format)` has it: milliseconds since 1970 without a format, a fraction of them
/// by `/1000`.
pub(super) fn time(now: Timestamp, format: &str, zone: &TimeZone) -> Result<String, String> {
    let milliseconds = now.as_millisecond();
    if format.is_empty() {
        return Ok(milliseconds.to_string());
    }
    if let Some(divisor) = format.strip_prefix('/') {
        let divisor = divisor.trim().parse::<i64>().ok().filter(|divisor| *divisor > 0);
        let divisor = divisor.ok_or_else(|| format!("“{format}” divides by no whole number"))?;
        return Ok((milliseconds / divisor).to_string());
    }
    write(&now.to_zoned(zone.clone()), &parts(format)?)
}

/// A date moved by a shift such as `P1DT2H`: now, or the one given in the same format.
pub(super) fn shifted(
    now: Timestamp,
    format: &str,
    date: &str,
    shift: &str,
    zone: &TimeZone,
) -> Result<String, String> {
    let parts = parts(format)?;
    let date = match (date.trim(), parts.is_empty()) {
        ("", _) => now.to_zoned(zone.clone()),
        (date, true) => {
            let since = date.parse().ok().and_then(|since| Timestamp::from_millisecond(since).ok());
            let since = since.ok_or_else(|| format!("“{date}” is no time in milliseconds"))?;
            since.to_zoned(zone.clone())
        }
        (date, false) => read(date, &parts, zone)
            .ok_or_else(|| format!("“{date}” is no date of the form {format}"))?,
    };
    let date = date.checked_add(duration(shift)?);
    let date = date.map_err(|_| format!("“{shift}” leads out of the calendar"))?;
    if parts.is_empty() {
        return Ok(date.timestamp().as_millisecond().to_string());
    }
    write(&date, &parts)
}

/// Java's durations: `P2DT3H4M5.6S`, with signs before the whole and before each number.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("“{text}” is no shift as in P1DT2H30M");
    let text = text.trim();
    if text.is_empty() {
        return Ok(SignedDuration::ZERO);
    }
    let upper = text.to_ascii_uppercase();
    let (negative, rest) = match upper.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let mut rest = rest.strip_prefix('P').ok_or_else(wrong)?;
    let mut is_time = false;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            is_time = true;
            rest = after;
            continue;
        }
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let number = rest[..end].parse::<f64>().map_err(|_| wrong())?;
        let unit = match (&rest[end..=end], is_time) {
            ("D", false) => 86_400.0,
            ("H", true) => 3600.0,
            ("M", true) => 60.0,
            ("S", true) => 1.0,
            _ => return Err(wrong()),
        };
        seconds += number * unit;
        rest = &rest[end + 1..];
    }
    let seconds = if negative { -seconds } else { seconds };
    SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Takes a pattern apart.
fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\'' {
            let mut text = String::new();
            loop {
                match letters.next() {
                    Some('\'') if letters.next_if_eq(&'\'').is_some() => text.push('\''),
                    Some('\'') => break,
                    Some(letter) => text.push(letter),
                    None => return Err(format!("the ' in “{pattern}” stays open")),
                }
            }
            // Two of them are one, outside as well as inside.
            parts.push(Part::Text(if text.is_empty() { "'".to_owned() } else { text }));
        } else if letter.is_ascii_alphabetic() {
            if !LETTERS.contains(letter) {
                return Err(format!(
                    "“{letter}” in the date pattern “{pattern}” is not known here"
                ));
            }
            let mut count = 1;
            while letters.next_if_eq(&letter).is_some() {
                count += 1;
            }
            if count > LETTERS_MAX {
                return Err(format!("there are more than {LETTERS_MAX} “{letter}” in a row"));
            }
            parts.push(Part::Field(letter, count));
        } else {
            parts.push(Part::Text(letter.to_string()));
        }
    }
    Ok(parts)
}

fn write(date: &Zoned, parts: &[Part]) -> Result<String, String> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Field(letter, count) => write_field(date, *letter, *count, &mut out)
                .map_err(|_| format!("“{letter}” cannot be written"))?,
        }
    }
    Ok(out)
}

fn write_field(date: &Zoned, letter: char, count: usize, out: &mut String) -> std::fmt::Result {
    let hour = date.hour();
    let month = MONTHS[usize::from(date.month().unsigned_abs()) - 1];
    let number = match letter {
        'y' | 'u' if count == 2 => i64::from(date.year()).rem_euclid(100),
        'y' | 'u' => i64::from(date.year()),
        'M' | 'L' if count == 3 => return out.write_str(&month[..3]),
        'M' | 'L' if count > 3 => return out.write_str(month),
        'M' | 'L' => i64::from(date.month()),
        'd' => i64::from(date.day()),
        'D' => i64::from(date.day_of_year()),
        'E' => {
            let day = date.weekday().to_monday_zero_offset().unsigned_abs();
            let day = DAYS[usize::from(day)];
            return out.write_str(if count > 3 { day } else { &day[..3] });
        }
        'a' => return out.write_str(if hour < 12 { "AM" } else { "PM" }),
        'H' => i64::from(hour),
        'k' => i64::from(if hour == 0 { 24 } else { hour }),
        'K' => i64::from(hour % 12),
        'h' => i64::from(if hour % 12 == 0 { 12 } else { hour % 12 }),
        'm' => i64::from(date.minute()),
        's' => i64::from(date.second()),
        'S' => {
            let digits = format!("{:09}", date.subsec_nanosecond());
            return write!(out, "{:0<count$}", &digits[..count.min(9)]);
        }
        'n' => i64::from(date.subsec_nanosecond()),
        'V' => {
            let zone = date.time_zone().iana_name();
            return out.write_str(zone.unwrap_or(&date.offset().to_string()));
        }
        'z' => {
            return out.write_str(date.time_zone().to_offset_info(date.timestamp()).abbreviation());
        }
        letter => return write_offset(date.offset(), letter, count, out),
    };
    write!(out, "{number:0count$}")
}

/// `X` and `x` write `+01`, `+0100` or `+01:00` by their count, `Z` `+0100` or `+01:00`; `X` writes
/// `Z` for none.
fn write_offset(offset: Offset, letter: char, count: usize, out: &mut String) -> std::fmt::Result {
    let minutes = offset.seconds() / 60;
    if letter == 'X' && minutes == 0 {
        return out.write_char('Z');
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    match (letter, count) {
        ('X' | 'x', 1) if minutes == 0 => write!(out, "{sign}{hours:02}"),
        ('X' | 'x', 3 | 5) | ('Z', 5) => write!(out, "{sign}{hours:02}:{minutes:02}"),
        _ => write!(out, "{sign}{hours:02}{minutes:02}"),
    }
}

/// What was read of a date so far.
struct Read {
    year: i16,
    month: i8,
    day: i8,
    day_of_year: Option<i16>,
    hour: i8,
    afternoon: Option<bool>,
    minute: i8,
    second: i8,
    nanosecond: i32,
    zone: Option<TimeZone>,
}

/// Reads a date; `None` if the text does not have the pattern's form.
fn read(text: &str, parts: &[Part], zone: &TimeZone) -> Option<Zoned> {
    let mut read = Read {
        year: 1970,
        month: 1,
        day: 1,
        day_of_year: None,
        hour: 0,
        afternoon: None,
        minute: 0,
        second: 0,
        nanosecond: 0,
        zone: None,
    };
    let mut rest = text;
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        rest = match part {
            Part::Text(text) => rest.strip_prefix(text.as_str())?,
            Part::Field(letter, count) => {
                // Digits that follow each other without a text between belong to the next field.
                let is_tight = matches!(parts.peek(), Some(Part::Field(..)));
                read_field(rest, *letter, *count, is_tight, &mut read)?
            }
        };
    }
    if !rest.is_empty() {
        return None;
    }
    let hour = match read.afternoon {
        Some(afternoon) => read.hour % 12 + if afternoon { 12 } else { 0 },
        None => read.hour,
    };
    let mut date = Date::new(read.year, read.month, read.day).ok()?;
    if let Some(day) = read.day_of_year {
        date = date.with().day_of_year(day).build().ok()?;
    }
    let time = Time::new(hour, read.minute, read.second, read.nanosecond).ok()?;
    date.to_datetime(time).to_zoned(read.zone.unwrap_or_else(|| zone.clone())).ok()
}

fn read_field<'t>(
    text: &'t str,
    letter: char,
    count: usize,
    is_tight: bool,
    read: &mut Read,
) -> Option<&'t str> {
    match letter {
        'E' => return read_name(text, &DAYS).map(|(_, rest)| rest),
        'M' | 'L' if count >= 3 => {
            let (month, rest) = read_name(text, &MONTHS)?;
            read.month = i8::try_from(month).ok()? + 1;
            return Some(rest);
        }
        'a' => {
            read.afternoon = Some(match text.get(..2)?.to_ascii_uppercase().as_str() {
                "AM" => false,
                "PM" => true,
                _ => return None,
            });
            return text.get(2..);
        }
        'X' | 'x' | 'Z' | 'z' | 'V' => return read_zone(text, read),
        _ => {}
    }
    let digits_max = if is_tight || letter == 'S' { count } else { 19 };
    let digits = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let value: i64 = number.parse().ok()?;
    match letter {
        'y' | 'u' if count == 2 && digits == 2 => read.year = 2000 + i16::try_from(value).ok()?,
        'y' | 'u' => read.year = i16::try_from(value).ok()?,
        'M' | 'L' => read.month = i8::try_from(value).ok()?,
        'd' => read.day = i8::try_from(value).ok()?,
        'D' => read.day_of_year = Some(i16::try_from(value).ok()?),
        'k' if value == 24 => read.hour = 0,
        'H' | 'k' | 'K' | 'h' => read.hour = i8::try_from(value).ok()?,
        'm' => read.minute = i8::try_from(value).ok()?,
        's' => read.second = i8::try_from(value).ok()?,
        'S' => read.nanosecond = format!("{number:0<9}").get(..9)?.parse().ok()?,
        _ => read.nanosecond = i32::try_from(value).ok()?,
    }
    Some(rest)
}

/// A name in full or by its first three letters: its place, and what follows.
fn read_name<'t>(text: &'t str, names: &[&str]) -> Option<(usize, &'t str)> {
    let starts = |name: &str| {
        text.get(..name.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(name))
    };
    let place = names.iter().position(|name| starts(&name[..3]))?;
    let length = if starts(names[place]) { names[place].len() } else { 3 };
    Some((place, &text[length..]))
}

/// `Z`, `UTC`, `GMT`, or an offset with or without its colon.
fn read_zone<'t>(text: &'t str, read: &mut Read) -> Option<&'t str> {
    for name in ["UTC", "GMT", "Z"] {
        if let Some(rest) = text.strip_prefix(name) {
            read.zone = Some(TimeZone::UTC);
            return Some(rest);
        }
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours: i32 = text.get(1..3)?.parse().ok()?;
    let rest = text.get(3..)?;
    let rest_digits = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = rest_digits.get(..2).and_then(|digits| digits.parse::<i32>().ok());
    let seconds = sign * (hours * 3600 + minutes.unwrap_or(0) * 60);
    read.zone = Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?));
    if minutes.is_some() { rest_digits.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests;
