//! Request heads: the split of the bytes changes nothing, and an accepted head holds what it promises.
#![no_main]

use http1::{
    BodyFraming, HeadWriter, HeaderName, Limits, NameSet, Parsed, RequestHead, TargetForm, Version,
    parse_request,
};
use libfuzzer_sys::fuzz_target;

/// Small enough that inputs reach the limits.
fn limits() -> Limits {
    Limits {
        head_bytes: 512,
        header_count: 8,
        target_bytes: 64,
        connection_options: 4,
        ..Limits::default()
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let limits = limits();
    let mut whole = RequestHead::new();
    let expected = parse_request(bytes, &limits, &mut whole);

    let mut head = RequestHead::new();
    let mut parsed = Ok(Parsed::Partial);
    let mut end = 0;
    while parsed == Ok(Parsed::Partial) && end < bytes.len() {
        end = (end + usize::from(step) + 1).min(bytes.len());
        parsed = parse_request(&bytes[..end], &limits, &mut head);
    }
    assert_eq!(parsed.is_ok(), expected.is_ok());
    match expected {
        Err(_) | Ok(Parsed::Partial) => assert_eq!(parsed, expected),
        Ok(Parsed::Complete) => {
            assert_eq!(format!("{head:?}"), format!("{whole:?}"));
            check(bytes, &head, &limits);
        }
    }
});

fn check(bytes: &[u8], head: &RequestHead, limits: &Limits) {
    let text = &bytes[..head.head_length];
    assert!(text.ends_with(b"\r\n\r\n") && head.head_length <= limits.head_bytes);
    assert!(!text.contains(&0));
    let feeds = text.iter().filter(|byte| **byte == b'\n').count();
    let returns = text.iter().filter(|byte| **byte == b'\r').count();
    let lines = head.headers.as_slice().len() + 2;
    assert_eq!((feeds, returns), (lines, lines));

    let count = |name| head.headers.find_all(name).count();
    assert!(count(HeaderName::Host) <= 1);
    assert!(head.version == Version::Http10 || count(HeaderName::Host) == 1);
    let length = count(HeaderName::ContentLength);
    let coding = count(HeaderName::TransferEncoding);
    match head.framing {
        BodyFraming::None => assert_eq!((length, coding), (0, 0)),
        BodyFraming::Length(_) => assert_eq!((length, coding), (1, 0)),
        BodyFraming::Chunked => assert_eq!((length, coding), (0, 1)),
        BodyFraming::UntilClose => panic!("a request cannot end by closing"),
    }
    assert!(head.path.end <= head.target.end && head.path.start >= head.target.start);
    if let Some(authority) = head.authority {
        assert!(!authority.host.of(text).is_empty());
    }

    // What would be forwarded is understood by the next hop as it was here.
    let mut forwarded = Vec::new();
    let mut writer = HeadWriter::request(
        &mut forwarded,
        head.method_text.of(text),
        head.target.of(text),
        head.version,
    )
    .expect("a parsed start line can be written");
    for run in head.headers.runs(NameSet::EMPTY) {
        writer.copy(text, run);
    }
    if head.framing == BodyFraming::Chunked {
        writer.chunked();
    }
    writer.end();
    let mut next = RequestHead::new();
    let generous = Limits { head_bytes: 1024, header_count: 9, ..*limits };
    assert_eq!(parse_request(&forwarded, &generous, &mut next), Ok(Parsed::Complete));
    assert_eq!(next.head_length, forwarded.len());
    assert_eq!(next.framing, head.framing);
    assert_eq!(next.target.of(&forwarded), head.target.of(text));
    assert_eq!(
        next.authority.map(|authority| authority.text.of(&forwarded).to_vec()),
        head.authority.map(|authority| authority.text.of(text).to_vec())
    );
    if head.target_form == TargetForm::Origin {
        assert_eq!(head.path_and_query(), head.target);
    }
}
