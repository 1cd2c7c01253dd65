//! Response heads: the split of the bytes changes nothing, and the framing follows the context.
#![no_main]

use http1::{BodyFraming, Limits, Method, Parsed, RequestContext, ResponseHead, parse_response};
use libfuzzer_sys::fuzz_target;

/// Small enough that inputs reach the limits.
fn limits() -> Limits {
    Limits { head_bytes: 512, header_count: 8, connection_options: 4, ..Limits::default() }
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (step, context, bytes) = input;
    let method =
        [Method::Get, Method::Head, Method::Connect, Method::Post][usize::from(context & 3)];
    let context = RequestContext { method, upgrade: context & 4 != 0 };
    let limits = limits();
    let mut whole = ResponseHead::new();
    let expected = parse_response(bytes, context, &limits, &mut whole);

    let mut head = ResponseHead::new();
    let mut parsed = Ok(Parsed::Partial);
    let mut end = 0;
    while parsed == Ok(Parsed::Partial) && end < bytes.len() {
        end = (end + usize::from(step) + 1).min(bytes.len());
        parsed = parse_response(&bytes[..end], context, &limits, &mut head);
    }
    assert_eq!(parsed, expected);
    if let Err(reject) = parsed {
        assert_eq!(reject.status, 502);
        return;
    }
    if parsed == Ok(Parsed::Partial) {
        assert!(bytes.len() < limits.head_bytes);
        return;
    }
    assert_eq!(format!("{head:?}"), format!("{whole:?}"));
    let text = &bytes[..head.head_length];
    assert!(text.ends_with(b"\r\n") && !text.contains(&0));
    let lines = head.headers.as_slice().len() + 2;
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), lines);
    assert_eq!(text.iter().filter(|byte| **byte == b'\r').count(), lines);
    assert!((100..=999).contains(&head.status));
    if head.status < 200 || matches!(head.status, 204 | 304) || method == Method::Head {
        assert_eq!(head.framing, BodyFraming::None);
    }
    if head.tunnel {
        assert!(!head.keep_alive && head.framing == BodyFraming::None);
        assert!(context.upgrade || method == Method::Connect);
    }
    assert!(!(head.keep_alive && head.framing == BodyFraming::UntilClose));
});
