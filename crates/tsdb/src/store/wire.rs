//! Numbers in files: little-endian, or variable-length with seven bits a byte.
//!
//! Signed ones are zigzag-coded, so that small negative numbers are short too. A reader never reads
//! beyond its bytes and never panics: what does not fit is [`Corrupt`].

/// Bytes that are not what they should be; says which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Corrupt(pub &'static str);

/// The rest of some bytes.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next `count` bytes.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Corrupt("it ends early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Corrupt("it ends early"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, Corrupt> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Corrupt> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, Corrupt> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Corrupt("a number is too long"))
    }

    /// A variable-length number that counts or measures something in memory.
    pub(super) fn length(&mut self) -> Result<usize, Corrupt> {
        usize::try_from(self.varint()?).map_err(|_| Corrupt("a length is too great"))
    }

    #[inline]
    pub(super) fn zigzag(&mut self) -> Result<i64, Corrupt> {
        self.varint().map(from_zigzag)
    }

    /// Text after its length.
    pub(super) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Corrupt("a text is not UTF-8"))
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, to_zigzag(value));
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// 0, -1, 1, -2… become 0, 1, 2, 3…
#[inline]
pub(super) fn to_zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
pub(super) fn from_zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// How many bytes [`put_varint`] writes.
#[inline]
pub(super) fn varint_bytes(value: u64) -> u32 {
    (70 - (value | 1).leading_zeros()) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, !0 << shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len() as u32, varint_bytes(value), "{value}");
                put_zigzag(&mut out, value as i64);
                let mut reader = Reader::new(&out);
                assert_eq!(reader.varint(), Ok(value));
                assert_eq!(reader.zigzag(), Ok(value as i64));
                assert_eq!((reader.left(), reader.u8()), (0, Err(Corrupt("it ends early"))));
            }
        }
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
    }
}
