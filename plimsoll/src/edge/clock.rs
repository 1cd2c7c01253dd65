//! The time of day as text, worked out once a second by each worker.

use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The forms in which the current second is written.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    second: Cell<u64>,
    texts: RefCell<Texts>,
    zone: Option<TimeZone>,
}

#[derive(Debug, Default)]
struct Texts {
    /// `Sat, 21 Nov 2026 02:13:12 GMT` (RFC 9110 §5.6.7).
    date: String,
    /// `21/Nov/2026:03:13:12 +0100`, in the machine's zone.
    local: String,
}

impl Clock {
    /// A clock in the machine's zone.
    pub(crate) fn new() -> Self {
        Self { zone: Some(TimeZone::system()), ..Self::default() }
    }

    /// Calls `with` with the time as `Date` has it.
    pub(crate) fn date<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        self.refresh();
        with(self.texts.borrow().date.as_bytes())
    }

    /// Calls `with` with the time as access logs have it, and the milliseconds since 1970.
    pub(crate) fn local<T>(&self, with: impl FnOnce(&str, u64) -> T) -> T {
        let millis = self.refresh();
        with(&self.texts.borrow().local, millis)
    }

    fn refresh(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = since.as_secs();
        if second != self.second.replace(second) {
            // Out of jiff's range is beyond the year 9999: the texts then stay as they are.
            if let Ok(now) = Timestamp::from_second(second as i64) {
                let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
                *self.texts.borrow_mut() = Texts {
                    date: now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
                    local: now.to_zoned(zone).strftime("%d/%b/%Y:%H:%M:%S %z").to_string(),
                };
            }
        }
        since.as_millis() as u64
    }
}
