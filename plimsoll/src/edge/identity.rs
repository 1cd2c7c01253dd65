//! Request ids and trace ids: unique, hard to guess from outside, and cheap.
//!
//! An id is 16 random bytes of the worker's start mixed with a counter, in 32 hexadecimal digits, so
//! that it serves as a W3C trace id as well. Not a secret: whoever sees several ids may work out
//! others.

use std::cell::Cell;

use super::hash;

/// Longest id that is taken over from a trusted peer.
pub(crate) const LONGEST_ID: usize = 128;

/// Bytes of an id of our own.
pub(crate) const ID_BYTES: usize = 32;

/// A worker's source of ids and of random numbers for balancing.
#[derive(Debug)]
pub(crate) struct Identity {
    prefix: [u8; 16],
    counter: Cell<u64>,
    start: u64,
    random: Cell<u64>,
}

impl Identity {
    /// A source that starts at three random numbers.
    pub(crate) fn new(mut random: impl FnMut() -> u64) -> Self {
        Self {
            prefix: hexadecimal(random()),
            counter: Cell::new(0),
            start: random(),
            random: Cell::new(random()),
        }
    }

    /// The next id.
    #[inline]
    pub(crate) fn next_id(&self) -> [u8; ID_BYTES] {
        let number = self.counter.get();
        self.counter.set(number.wrapping_add(1));
        let mut id = [0; ID_BYTES];
        id[..16].copy_from_slice(&self.prefix);
        id[16..].copy_from_slice(&hexadecimal(hash::combine(self.start, number)));
        id
    }

    /// The next random number.
    #[inline]
    pub(crate) fn random(&self) -> u64 {
        let mut state = self.random.get();
        let random = hash::next(&mut state);
        self.random.set(state);
        random
    }
}

/// The 16 digits of a number.
pub(crate) fn hexadecimal(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 0xf];
    }
    digits
}

/// Whether a peer's id may be passed on: short, and of characters that no log or header needs to
/// escape.
pub(crate) fn is_acceptable(id: &[u8]) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_32_digits_and_differ() {
        let identity = Identity::new(|| 7);
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| identity.next_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.iter().all(u8::is_ascii_hexdigit)));
        assert_eq!(&hexadecimal(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }

    #[test]
    fn ids_that_need_escaping_are_not_taken_over() {
        assert!(is_acceptable(b"3f2a-77.x:1"));
        let long = [b'a'; LONGEST_ID + 1];
        for id in [&b""[..], b"a b", b"a\"b", b"a\tb", b"\xff", b"<x>", &long] {
            assert!(!is_acceptable(id), "{id:?}");
        }
    }
}
