//! `Connection` options and the fields that end at this hop (RFC 9110 §7.6.1).

/// The elements of a comma-separated list (RFC 9110 §5.6.1), without surrounding white space; empty
/// ones are left out. Commas in quoted strings are not looked for: for lists of tokens only.
pub fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}
