//! Properties that hold for all input: the split of the bytes changes nothing, what is written
//! parses back, and nothing panics.
//!
//! Each parser is driven over whole input and over its pieces by the same small runner, and the
//! outcomes are compared as plain values.

use http1::{
    BodyDecoder, BodyFraming, ChunkEncoder, HeadWriter, Limits, Method, NameSet, Parsed, Reject,
    RequestContext, RequestHead, ResponseHead, Side, Version, parse_request, parse_response,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Limits small enough that generated input reaches them.
fn small_limits() -> Limits {
    Limits {
        head_bytes: 160,
        header_count: 5,
        target_bytes: 24,
        connection_options: 3,
        chunk_line_bytes: 16,
        chunk_extension_bytes: 24,
        trailer_bytes: 48,
    }
}

/// Everything observable about a parsed head.
fn outcome<H: std::fmt::Debug>(parsed: Result<Parsed, Reject>, head: &H) -> String {
    match parsed {
        Ok(Parsed::Complete) => format!("{head:?}"),
        other => format!("{other:?}"),
    }
}

/// Hands out the input in prefixes that end at the cuts, then as a whole.
fn prefixes(input: &[u8], cuts: &[usize]) -> Vec<usize> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    ends.push(input.len());
    ends.sort_unstable();
    ends
}

fn request_outcome(input: &[u8], ends: &[usize], limits: &Limits) -> String {
    let mut head = RequestHead::new();
    let mut parsed = Ok(Parsed::Partial);
    for &end in ends {
        parsed = parse_request(&input[..end], limits, &mut head);
        if parsed != Ok(Parsed::Partial) {
            break;
        }
    }
    outcome(parsed, &head)
}

fn response_outcome(input: &[u8], ends: &[usize], limits: &Limits) -> String {
    let mut head = ResponseHead::new();
    let mut parsed = Ok(Parsed::Partial);
    for &end in ends {
        parsed = parse_response(&input[..end], RequestContext::default(), limits, &mut head);
        if parsed != Ok(Parsed::Partial) {
            break;
        }
    }
    outcome(parsed, &head)
}

/// Whether a head read byte by byte is complete, or refused, at the very byte at which a head read
/// anew is: nothing is found late.
fn request_is_never_late(input: &[u8], limits: &Limits) {
    let mut head = RequestHead::new();
    for end in 0..=input.len() {
        let parsed = parse_request(&input[..end], limits, &mut head);
        let anew = parse_request(&input[..end], limits, &mut RequestHead::new());
        assert_eq!(parsed, anew, "{}", input[..end].escape_ascii());
        if parsed != Ok(Parsed::Partial) {
            return;
        }
    }
}

/// As [`request_is_never_late`].
fn response_is_never_late(input: &[u8], limits: &Limits) {
    let context = RequestContext::default();
    let mut head = ResponseHead::new();
    for end in 0..=input.len() {
        let parsed = parse_response(&input[..end], context, limits, &mut head);
        let anew = parse_response(&input[..end], context, limits, &mut ResponseHead::new());
        assert_eq!(parsed, anew, "{}", input[..end].escape_ascii());
        if parsed != Ok(Parsed::Partial) {
            return;
        }
    }
}

/// Payload, trailers, bytes consumed and how it ended.
type BodyOutcome = (Vec<u8>, Vec<u8>, usize, Result<bool, Reject>);

fn body_outcome(framing: BodyFraming, input: &[u8], ends: &[usize]) -> BodyOutcome {
    let mut decoder = BodyDecoder::new(Side::Request, framing, &small_limits());
    let mut payload = Vec::new();
    let mut at = 0;
    for &end in ends {
        while at < end && !decoder.is_finished() {
            match decoder.decode(&input[at..end]) {
                Ok(decoded) => {
                    assert!(decoded.consumed > 0 && decoded.consumed <= end - at);
                    assert!(decoded.data.end <= decoded.consumed);
                    payload.extend_from_slice(&input[at..end][decoded.data]);
                    at += decoded.consumed;
                }
                // How much framing was consumed before a fault is not told.
                Err(reject) => return (payload, Vec::new(), 0, Err(reject)),
            }
        }
    }
    let trailers = if decoder.is_finished() { decoder.trailers().to_vec() } else { Vec::new() };
    (payload, trailers, at, Ok(decoder.is_finished()))
}

/// Text put together from pieces that mean something to the grammar, so that deep states are reached.
fn pieces(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => prop::sample::select(of).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..3),
    ];
    vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

const REQUEST_LINES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "GET /# HTTP/2.0\r\n",
    "GET / HTTP/1.1 \rx",
    "GET /\rx",
    "PRI",
    "",
];

const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 204\r\n",
    "HTTP/1.1 100 \r\n",
    "HTTP/1.1 101 X\r\n",
    "HTTP/1.1 304 X\r\n",
    "HTTP/2.0 200 OK\r\n",
    "HTTP/1.1 20",
    "HTTP/1.1 2x0 OK",
    "HTTP/1.1 200 O\rK",
    "",
];

const HEADER_PIECES: &[&str] = &[
    "Host: a\r\n",
    "Host: b\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close, X-Drop\r\n",
    "Connection: keep-alive\r\n",
    "X-Drop: a\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\n",
    "A: b\r\n",
    "A:\t\r\n",
    "Long-Name-Without-End",
    "A b",
    "A: b\rc",
    ": ",
    " ",
    "\t",
    "\r",
    "\n",
    "\0",
    "\r\n",
    "\r\n\r\n",
];

const BODY_PIECES: &[&str] = &[
    "5\r\nhello\r\n",
    "1;a=b\r\nx\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "\r\n",
    "A: b\r\n",
    "Host: a\r\n",
    "a\r\n0123456789",
    "5\r\n",
    ";ext",
    "f",
    "0",
    "\r",
    "\n",
    " ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_head_is_the_same_however_split(
        line in prop::sample::select(REQUEST_LINES),
        lines in pieces(HEADER_PIECES, 8),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let input = [line.as_bytes(), &lines, b"\r\nrest"].concat();
        for limits in [Limits::default(), small_limits()] {
            let whole = request_outcome(&input, &[input.len()], &limits);
            prop_assert_eq!(&request_outcome(&input, &prefixes(&input, &cuts), &limits), &whole);
            request_is_never_late(&input, &limits);
        }
    }

    #[test]
    fn a_response_head_is_the_same_however_split(
        line in prop::sample::select(STATUS_LINES),
        lines in pieces(HEADER_PIECES, 8),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let input = [line.as_bytes(), &lines, b"\r\nrest"].concat();
        for limits in [Limits::default(), small_limits()] {
            let whole = response_outcome(&input, &[input.len()], &limits);
            prop_assert_eq!(&response_outcome(&input, &prefixes(&input, &cuts), &limits), &whole);
            response_is_never_late(&input, &limits);
        }
    }

    #[test]
    fn a_body_is_the_same_however_split(
        input in pieces(BODY_PIECES, 8),
        cuts in vec(any::<usize>(), 0..6),
        length in 0..20_u64,
    ) {
        for framing in [
            BodyFraming::None,
            BodyFraming::Length(length),
            BodyFraming::Chunked,
            BodyFraming::UntilClose,
        ] {
            let whole = body_outcome(framing, &input, &[input.len()]);
            prop_assert_eq!(&body_outcome(framing, &input, &prefixes(&input, &cuts)), &whole);
            let each: Vec<usize> = (0..=input.len()).collect();
            prop_assert_eq!(&body_outcome(framing, &input, &each), &whole);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(input in vec(any::<u8>(), 0..300), cuts in vec(any::<usize>(), 0..4)) {
        let ends = prefixes(&input, &cuts);
        let limits = Limits::default();
        prop_assert_eq!(
            request_outcome(&input, &ends, &limits),
            request_outcome(&input, &[input.len()], &limits)
        );
        prop_assert_eq!(
            response_outcome(&input, &ends, &limits),
            response_outcome(&input, &[input.len()], &limits)
        );
        prop_assert_eq!(
            body_outcome(BodyFraming::Chunked, &input, &ends),
            body_outcome(BodyFraming::Chunked, &input, &[input.len()])
        );
    }

    #[test]
    fn a_written_request_parses_back(
        method in "[A-Z]{1,10}",
        target in "/[!\"$-~]{0,40}",
        headers in vec(("[Xx]-[A-Za-z0-9_.~-]{1,20}", "([!-~\u{80}-\u{ff}]([ \t!-~]{0,30}[!-~])?)?"), 0..10),
        length in prop::option::of(0..=i64::MAX as u64),
    ) {
        prop_assume!(method != "CONNECT");
        let mut out = Vec::new();
        let mut writer =
            HeadWriter::request(&mut out, method.as_bytes(), target.as_bytes(), Version::Http11).unwrap();
        writer.header("Host", b"a.example:8080").unwrap();
        for (name, value) in &headers {
            writer.header(name, value.as_bytes()).unwrap();
        }
        match length {
            Some(length) => writer.content_length(length),
            None => writer.chunked(),
        }
        writer.end();
        let head_bytes = out.len();
        out.extend_from_slice(b"body");

        let mut head = RequestHead::new();
        prop_assert_eq!(parse_request(&out, &Limits::default(), &mut head), Ok(Parsed::Complete));
        prop_assert_eq!(head.head_length, head_bytes);
        prop_assert_eq!(head.method, Method::from_bytes(method.as_bytes()));
        prop_assert_eq!(head.method_text.of(&out), method.as_bytes());
        prop_assert_eq!(head.path_and_query().of(&out), target.as_bytes());
        prop_assert_eq!(head.framing, length.map_or(BodyFraming::Chunked, BodyFraming::Length));
        let read: Vec<_> = head.headers.as_slice()[1..=headers.len()]
            .iter()
            .map(|h| (h.name_text().of(&out), h.value().of(&out)))
            .collect();
        let written: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        prop_assert_eq!(read, written);

        // Forwarding the lines as they are gives the same head again.
        let mut forwarded = Vec::new();
        let mut writer =
            HeadWriter::request(&mut forwarded, method.as_bytes(), target.as_bytes(), Version::Http11).unwrap();
        for run in head.headers.runs(NameSet::EMPTY) {
            writer.copy(&out, run);
        }
        if head.framing == BodyFraming::Chunked {
            writer.chunked();
        }
        writer.end();
        prop_assert_eq!(&forwarded, &out[..head_bytes]);
    }

    #[test]
    fn a_written_response_parses_back(status in 200..1000_u16, reason in "[ -~]{0,20}", length in 0..=i64::MAX as u64) {
        prop_assume!(status != 204 && status != 304);
        let mut out = Vec::new();
        let mut writer =
            HeadWriter::response(&mut out, Version::Http11, status, reason.as_bytes()).unwrap();
        writer.content_length(length);
        writer.end();
        let mut head = ResponseHead::new();
        let parsed = parse_response(&out, RequestContext::default(), &Limits::default(), &mut head);
        prop_assert_eq!(parsed, Ok(Parsed::Complete));
        prop_assert_eq!((head.status, head.head_length), (status, out.len()));
        prop_assert_eq!(head.reason.of(&out), reason.as_bytes());
        prop_assert_eq!(head.framing, BodyFraming::Length(length));
    }

    #[test]
    fn a_written_chunked_body_reads_back(
        chunks in vec(vec(any::<u8>(), 0..60), 0..6),
        trailers in vec(("X-[a-z]{1,5}", "[!-~]{0,10}"), 0..2),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let mut out = Vec::new();
        let mut encoder = ChunkEncoder::new();
        for chunk in &chunks {
            encoder.chunk(chunk, &mut out);
        }
        let fields: Vec<_> =
            trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        encoder.finish_with(&fields, &mut out).unwrap();
        let (payload, lines, consumed, finished) =
            body_outcome(BodyFraming::Chunked, &out, &prefixes(&out, &cuts));
        prop_assert_eq!(payload, chunks.concat());
        prop_assert_eq!((consumed, finished), (out.len(), Ok(true)));

        // The trailers as read can be written again as they are.
        let mut again = Vec::new();
        ChunkEncoder::new().finish_with_lines(&lines, &mut again);
        let (_, read_again, ..) = body_outcome(BodyFraming::Chunked, &again, &[again.len()]);
        prop_assert_eq!(read_again, lines);
    }
}
