//! Every refusal with its status and reason, every legal oddity, and the order of events.

use super::*;
use RejectReason as R;

/// Payload and trailers of a whole body, and what follows it.
type Body = (Vec<u8>, Vec<u8>, Vec<u8>);

fn decode_with(framing: BodyFraming, limits: &Limits, text: &[u8]) -> Result<Body, Reject> {
    let mut decoder = BodyDecoder::new(Side::Request, framing, limits);
    let mut rest = text;
    let mut payload = Vec::new();
    while !rest.is_empty() {
        let decoded = decoder.decode(rest)?;
        payload.extend_from_slice(&rest[decoded.data]);
        rest = &rest[decoded.consumed..];
        if decoded.finished {
            break;
        }
    }
    decoder.close()?;
    Ok((payload, decoder.trailers().to_vec(), rest.to_vec()))
}

fn decode(text: &str) -> Result<Body, Reject> {
    decode_with(BodyFraming::Chunked, &Limits::default(), text.as_bytes())
}

#[test]
fn chunked_bodies_refused() {
    for (text, reason) in [
        ("\r\nhello", R::InvalidChunkSize),
        (";a\r\n", R::InvalidChunkSize),
        ("0x5\r\nhello\r\n0\r\n\r\n", R::InvalidChunkSize),
        ("x5\r\n", R::InvalidChunkSize),
        ("+5\r\n", R::InvalidChunkSize),
        ("-5\r\n", R::InvalidChunkSize),
        (" 5\r\n", R::InvalidChunkSize),
        ("5 \r\n", R::InvalidChunkSize),
        ("5 ;a\r\n", R::InvalidChunkSize),
        ("5\t\r\n", R::InvalidChunkSize),
        ("5 5\r\n", R::InvalidChunkSize),
        ("5_0\r\n", R::InvalidChunkSize),
        ("5,5\r\n", R::InvalidChunkSize),
        ("5.0\r\n", R::InvalidChunkSize),
        ("5h\r\n", R::InvalidChunkSize),
        ("g\r\n", R::InvalidChunkSize),
        ("5\0\r\n", R::InvalidChunkSize),
        ("٥\r\n", R::InvalidChunkSize),
        ("5\nhello", R::BareLineFeed),
        ("\n5\r\n", R::BareLineFeed),
        ("5\rhello", R::BareCarriageReturn),
        ("5\r\r\nhello", R::BareCarriageReturn),
        ("5;a\nhello", R::BareLineFeed),
        ("5;a\rb\r\nhello", R::BareCarriageReturn),
        ("5;a=\"\n\"\r\nhello", R::BareLineFeed),
        ("5;a=\"\r\n\"\r\nhello", R::InvalidChunkEnd),
        ("5;a\0\r\nhello", R::NulByte),
        ("5;a\u{1}\r\nhello", R::ControlByte),
        ("8000000000000000\r\n", R::ChunkSizeOverflow),
        ("ffffffffffffffff\r\n", R::ChunkSizeOverflow),
        ("10000000000000000\r\n", R::ChunkSizeOverflow),
        ("10000000000000005\r\nhello", R::ChunkSizeOverflow),
        ("00000000000000005\r\nhello", R::ChunkSizeOverflow),
        ("5\r\nhello0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhello\n0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhello\r0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhello\r\r\n0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhello \r\n0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhello!\r\n0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhell\r\n0\r\n\r\n", R::InvalidChunkEnd),
        ("5\r\nhello\r\n\r\n", R::InvalidChunkSize),
        ("0\r\n\n", R::BareLineFeed),
        ("0\r\n\ra", R::BareCarriageReturn),
        ("0\n\r\n", R::BareLineFeed),
        ("0\r\nA: b\n\r\n", R::BareLineFeed),
        ("0\r\nA: b\rc\r\n\r\n", R::BareCarriageReturn),
        ("0\r\nA: \0\r\n\r\n", R::NulByte),
        ("0\r\nA: \u{1}\r\n\r\n", R::ControlByte),
        ("0\r\n A: b\r\n\r\n", R::ObsoleteFold),
        ("0\r\nA: b\r\n c\r\n\r\n", R::ObsoleteFold),
        ("0\r\nA : b\r\n\r\n", R::SpaceBeforeColon),
        ("0\r\n: b\r\n\r\n", R::EmptyHeaderName),
        ("0\r\nA\r\n\r\n", R::MissingColon),
        ("0\r\nA(: b\r\n\r\n", R::InvalidHeaderName),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", R::SpaceBeforeColon),
        ("0\r\nContent-Length: 5\r\n\r\n", R::ForbiddenTrailer),
        ("0\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\n", R::ForbiddenTrailer),
        ("0\r\nHost: a\r\n\r\n", R::ForbiddenTrailer),
        ("0\r\nConnection: close\r\n\r\n", R::ForbiddenTrailer),
        ("0\r\nTrailer: a\r\n\r\n", R::ForbiddenTrailer),
        ("0\r\nAuthorization: a\r\n\r\n", R::ForbiddenTrailer),
        ("0\r\nX-Forwarded-For: a\r\n\r\n", R::ForbiddenTrailer),
        ("", R::TruncatedBody),
        ("5", R::TruncatedBody),
        ("5\r\nhell", R::TruncatedBody),
        ("5\r\nhello\r\n", R::TruncatedBody),
        ("5\r\nhello\r\n0\r\n", R::TruncatedBody),
        ("5\r\nhello\r\n0\r\n\r", R::TruncatedBody),
        ("0\r\nA: b\r\n", R::TruncatedBody),
    ] {
        let reject = decode(text).expect_err(text);
        assert_eq!((reject.status, reject.reason), (400, reason), "{text:?}");
    }
}

#[test]
fn chunked_bodies_pass() {
    for (text, payload, trailers, rest) in [
        ("0\r\n\r\n", "", "", ""),
        ("000\r\n\r\nGET", "", "", "GET"),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", "", ""),
        ("05\r\nhello\r\n6\r\n world\r\n0\r\n\r\n\r\n", "hello world", "", "\r\n"),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello", "", ""),
        ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", "", ""),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", ""),
        ("5;\r\nhello\r\n0;a\r\n\r\n", "hello", "", ""),
        ("5;a=b; c=\"d;e\\\"\t\"\r\nhello\r\n0\r\n\r\n", "hello", "", ""),
        ("5; a = é\r\nhello\r\n0\r\n\r\n", "hello", "", ""),
        ("0\r\nA: b\r\n\r\nGET", "", "A: b\r\n", "GET"),
        ("1\r\na\r\n0\r\nX-Sum:  1 \r\nb:\r\n\r\n", "a", "X-Sum:  1 \r\nb:\r\n", ""),
    ] {
        let expected = (payload.into(), trailers.into(), rest.into());
        assert_eq!(decode(text), Ok(expected), "{text:?}");
    }
}

#[test]
fn limits_refuse_with_their_own_status() {
    let limits = Limits {
        chunk_line_bytes: 10,
        chunk_extension_bytes: 12,
        trailer_bytes: 20,
        header_count: 2,
        ..Limits::default()
    };
    for (text, status, reason) in [
        ("5;abcdefg\r\n", 413, R::ChunkLineTooLong),
        ("1;abcde\r\na\r\n1;abcdef\r\na\r\n", 413, R::ChunkExtensionsTooLarge),
        ("0\r\nA: bbbbbbbbbbbbbb\r\n\r\n", 431, R::TrailersTooLarge),
        ("0\r\nA: bbbbbbbbbbbbbbbbbbbbbbbb", 431, R::TrailersTooLarge),
        ("0\r\nA:\r\nB:\r\nC:\r\n\r\n", 431, R::TooManyHeaders),
    ] {
        let reject = decode_with(BodyFraming::Chunked, &limits, text.as_bytes()).unwrap_err();
        assert_eq!((reject.status, reject.reason), (status, reason), "{text:?}");
    }
    for text in [
        "1;abcdef\r\na\r\n0\r\n\r\n",
        "1;abcde\r\na\r\n1;abcde\r\na\r\n0\r\n\r\n",
        "0\r\nA: bbbbbbbbbbbbb\r\n\r\n",
        "0\r\nA:\r\nB:\r\n\r\n",
    ] {
        let result = decode_with(BodyFraming::Chunked, &limits, text.as_bytes());
        assert!(result.is_ok(), "{text:?}: {result:?}");
    }
}

#[test]
fn a_small_chunked_body_takes_one_call() {
    let mut decoder = BodyDecoder::new(Side::Response, BodyFraming::Chunked, &Limits::default());
    let decoded = decoder.decode(b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1").unwrap();
    assert_eq!(decoded, Decoded { consumed: 15, data: 3..8, finished: true });
    assert_eq!(decoder.remaining(), Some(0));
    let decoded = decoder.decode(b"HTTP/1.1").unwrap();
    assert_eq!(decoded, Decoded { consumed: 0, data: 0..0, finished: true });
}

#[test]
fn payload_before_a_fault_is_given_out_first() {
    let mut decoder = BodyDecoder::new(Side::Response, BodyFraming::Chunked, &Limits::default());
    let input = b"5\r\nhello\r\n-1\r\n";
    let decoded = decoder.decode(input).unwrap();
    assert_eq!(decoded, Decoded { consumed: 10, data: 3..8, finished: false });
    let reject = Reject { status: 502, reason: R::InvalidChunkSize, offset: 10 };
    assert_eq!(decoder.decode(&input[10..]), Err(reject));
    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(reject));
    assert_eq!(decoder.close(), Err(reject));
    assert!(!decoder.is_finished());
}

#[test]
fn other_framings() {
    let limits = Limits::default();
    let run = |framing, text: &str| {
        decode_with(framing, &limits, text.as_bytes())
            .map(|(payload, _, rest)| {
                (String::from_utf8(payload).unwrap(), String::from_utf8(rest).unwrap())
            })
            .map_err(|reject| reject.reason)
    };
    let pair = |payload: &str, rest: &str| Ok((payload.to_owned(), rest.to_owned()));
    assert_eq!(run(BodyFraming::None, "GET"), pair("", "GET"));
    assert_eq!(run(BodyFraming::Length(0), "GET"), pair("", "GET"));
    assert_eq!(run(BodyFraming::Length(5), "helloGET"), pair("hello", "GET"));
    assert_eq!(run(BodyFraming::Length(5), "hell"), Err(R::TruncatedBody));
    assert_eq!(run(BodyFraming::UntilClose, "hello\r\n"), pair("hello\r\n", ""));
    assert_eq!(run(BodyFraming::UntilClose, ""), pair("", ""));

    let mut decoder = BodyDecoder::new(Side::Request, BodyFraming::Length(5), &limits);
    assert_eq!(decoder.remaining(), Some(5));
    let decoded = decoder.decode(b"he").unwrap();
    assert_eq!(decoded, Decoded { consumed: 2, data: 0..2, finished: false });
    assert_eq!(decoder.remaining(), Some(3));
    let decoded = decoder.decode(b"").unwrap();
    assert_eq!(decoded, Decoded { consumed: 0, data: 0..0, finished: false });
    assert_eq!(decoder.close().unwrap_err().offset, 2);
    let decoder = BodyDecoder::new(Side::Request, BodyFraming::UntilClose, &limits);
    assert_eq!(decoder.remaining(), None);
}

#[test]
fn passed_bytes_count_only_in_a_body_of_known_length() {
    let mut body = BodyDecoder::new(Side::Response, BodyFraming::Length(10), &Limits::default());
    body.pass(4);
    assert_eq!((body.rest_of_length(), body.is_finished()), (6, false));
    assert_eq!(body.decode(b"abc").unwrap().consumed, 3);
    body.pass(99);
    assert_eq!((body.rest_of_length(), body.is_finished()), (0, true));
    for framing in [BodyFraming::Chunked, BodyFraming::UntilClose] {
        let mut body = BodyDecoder::new(Side::Response, framing, &Limits::default());
        body.pass(4);
        assert_eq!((body.rest_of_length(), body.is_finished()), (0, false));
    }
}
