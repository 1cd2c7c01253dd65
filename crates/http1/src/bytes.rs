//! Classes of bytes, and how far a run of one class goes.
//!
//! Names are short and go through a table byte by byte. Values and targets are long, so they are
//! tested eight bytes at a time in one register; the first byte out of class is found exactly,
//! because the borrow of the subtraction only spreads towards later bytes.

/// `tchar` of RFC 9110 §5.6.2.
pub(crate) const TOKEN: u8 = 1;
/// `_`, which is a `tchar` too.
pub(crate) const UNDERSCORE: u8 = 2;
/// What a field value may hold: HTAB, SP, visible ASCII and bytes from 0x80 (RFC 9110 §5.5).
pub(crate) const TEXT: u8 = 4;
/// `unreserved` and `sub-delims` of RFC 3986, which make up a registered name besides `%XX`.
pub(crate) const HOST: u8 = 8;

/// The classes of each byte, as bits.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        let mut class = 0;
        if value.is_ascii_alphanumeric() || contains(b"!#$%&'*+-.^_`|~", value) {
            class |= TOKEN;
        }
        if value == b'_' {
            class |= UNDERSCORE;
        }
        if value == b'\t' || (value >= b' ' && value != 0x7f) {
            class |= TEXT;
        }
        if value.is_ascii_alphanumeric() || contains(b"-._~!$&'()*+,;=", value) {
            class |= HOST;
        }
        classes[byte] = class;
        byte += 1;
    }
    classes
};

const fn contains(set: &[u8], byte: u8) -> bool {
    let mut index = 0;
    while index < set.len() {
        if set[index] == byte {
            return true;
        }
        index += 1;
    }
    false
}

/// Whether a byte is in any of the classes.
#[inline]
pub(crate) fn is(byte: u8, classes: u8) -> bool {
    CLASSES[byte as usize] & classes != 0
}

/// Whether a text is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is(byte, TOKEN))
}

/// Whether all bytes may stand in a field value.
pub(crate) fn is_text(text: &[u8]) -> bool {
    text_length(text) == text.len()
}

/// How many bytes from the start are of a token, and whether an underscore is among them.
#[inline]
pub(crate) fn token_length(bytes: &[u8]) -> (usize, bool) {
    let mut seen = 0;
    for (length, &byte) in bytes.iter().enumerate() {
        let class = CLASSES[byte as usize];
        if class & TOKEN == 0 {
            return (length, seen & UNDERSCORE != 0);
        }
        seen |= class;
    }
    (bytes.len(), seen & UNDERSCORE != 0)
}

const WORD: usize = size_of::<u64>();
const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES * 0x80;

/// Marks, in its highest bit, each byte below `bound` (at most 0x80). Marks after the first may be wrong.
#[inline]
const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * bound as u64) & !word & HIGH_BITS
}

/// Marks, in its highest bit, each byte that is DEL. Marks after the first may be wrong.
#[inline]
const fn delete(word: u64) -> u64 {
    let zero = word ^ (ONES * 0x7f);
    zero.wrapping_sub(ONES) & !zero & HIGH_BITS
}

/// How many bytes from the start may stand in a field value.
#[inline]
pub(crate) fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk::<WORD>() {
        let word = u64::from_le_bytes(*word);
        let marks = below(word, b' ') | delete(word);
        if marks == 0 {
            at += WORD;
            continue;
        }
        at += marks.trailing_zeros() as usize / 8;
        if bytes[at] != b'\t' {
            return at;
        }
        at += 1;
    }
    at + bytes[at..].iter().take_while(|&&byte| is(byte, TEXT)).count()
}

/// How many bytes from the start may stand in a request target: visible ASCII.
#[inline]
pub(crate) fn target_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk::<WORD>() {
        let word = u64::from_le_bytes(*word);
        let marks = below(word, b'!') | delete(word) | (word & HIGH_BITS);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    at + bytes[at..].iter().take_while(|byte| byte.is_ascii_graphic()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_the_first_byte_out_of_class() {
        for filler in [b'a', 0x80, 0xff, b' ', b'~', b'!', b'\t'] {
            for stop in 0..=255_u8 {
                for place in 0..20 {
                    let mut bytes = [filler; 20];
                    bytes[place] = stop;
                    let text =
                        bytes.iter().position(|b| *b != 9 && (*b < 32 || *b == 127)).unwrap_or(20);
                    assert_eq!(text_length(&bytes), text, "{bytes:?}");
                    let target = bytes.iter().position(|b| *b < 33 || *b >= 127).unwrap_or(20);
                    assert_eq!(target_length(&bytes), target, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn tokens_are_those_of_the_grammar() {
        let all: Vec<u8> = (0..=255).filter(|&byte| is(byte, TOKEN)).collect();
        assert_eq!(
            String::from_utf8(all).unwrap(),
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"
        );
        assert_eq!(token_length(b"a_b:"), (3, true));
        assert_eq!(token_length(b"ab"), (2, false));
        assert!(!is_token(b""));
    }
}
