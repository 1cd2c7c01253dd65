//! As much of the protobuf wire format as the messages need.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use thiserror::Error;

/// Bytes that a 64-bit varint takes at most.
const VARINT_BYTES_MAX: usize = 10;

/// The highest number that a field may have.
const FIELD_MAX: u64 = (1 << 29) - 1;

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// They end within a field.
    #[error("the message ends within a field")]
    CutShort,
    /// A number of more than 64 bits.
    #[error("a number has more than 64 bits")]
    Varint,
    /// A field's number is 0 or above 2^29 - 1.
    #[error("a field has the number {0}")]
    FieldNumber(u64),
    /// A wire type that is not used any more, or never was.
    #[error("field {field} is of wire type {wire_type}, which no message of version 1.0 has")]
    WireType {
        /// The field's number.
        field: u32,
        /// Its type on the wire.
        wire_type: u8,
    },
    /// A known field of another type.
    #[error("field {0} is not of the type that it has in version 1.0")]
    OtherType(u32),
    /// A text that is none.
    #[error("a text is not UTF-8")]
    Utf8,
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

/// Fields of a message one after the other.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > FIELD_MAX {
            return Err(WireError::FieldNumber(number));
        }
        let field = number as u32;
        let value = match (key & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| WireError::CutShort)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(WireError::CutShort)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => {
                self.array::<4>()?;
                Value::Fixed32
            }
            wire_type => return Err(WireError::WireType { field, wire_type }),
        };
        Ok(Some((field, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for place in 0..VARINT_BYTES_MAX {
            let (byte, rest) = self.0.split_first().ok_or(WireError::CutShort)?;
            self.0 = rest;
            // Of the tenth byte one bit is left.
            if place == VARINT_BYTES_MAX - 1 && *byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (place * 7);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Varint)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(WireError::CutShort)?;
        self.0 = rest;
        Ok(*array)
    }
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self, field: u32) -> Result<&'a [u8], WireError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(WireError::OtherType(field)) }
    }

    pub(super) fn text(self, field: u32) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| WireError::Utf8)
    }

    pub(super) fn integer(self, field: u32) -> Result<i64, WireError> {
        if let Self::Varint(value) = self {
            Ok(value as i64)
        } else {
            Err(WireError::OtherType(field))
        }
    }

    pub(super) fn double(self, field: u32) -> Result<f64, WireError> {
        if let Self::Fixed64(bits) = self {
            Ok(f64::from_bits(bits))
        } else {
            Err(WireError::OtherType(field))
        }
    }
}

/// Bytes of a varint.
pub(super) fn varint_bytes(value: u64) -> usize {
    // Seven bits a byte; zero takes one too.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Bytes of a field that holds so many bytes, its key included, whose number is below 16.
pub(super) fn field_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

/// Writes a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes the key of a field below 16 that holds bytes, and their number.
pub(super) fn put_length(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | 2);
    put_varint(out, length as u64);
}

/// Writes a text; an empty one is the default, which is left out.
pub(super) fn put_text(out: &mut Vec<u8>, field: u8, text: &str) {
    if !text.is_empty() {
        put_length(out, field, text.len());
        out.extend_from_slice(text.as_bytes());
    }
}

/// Writes an integer; zero is the default, which is left out.
pub(super) fn put_integer(out: &mut Vec<u8>, field: u8, value: i64) {
    if value != 0 {
        out.push(field << 3);
        put_varint(out, value as u64);
    }
}

/// Writes a float; what has no bit set is the default, which is left out.
pub(super) fn put_double(out: &mut Vec<u8>, field: u8, value: f64) {
    if value.to_bits() != 0 {
        out.push(field << 3 | 1);
        out.extend_from_slice(&value.to_le_bytes());
    }
}
