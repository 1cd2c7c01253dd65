//! Bodies: the split of the bytes changes nothing, each call gets on, and what is written reads back.
#![no_main]

use http1::{BodyDecoder, BodyFraming, ChunkEncoder, Limits, Reject, Side};
use libfuzzer_sys::fuzz_target;

/// Payload, trailers, bytes consumed, and whether it finished.
type Outcome = (Vec<u8>, Vec<u8>, usize, Result<bool, Reject>);

fn run(framing: BodyFraming, limits: &Limits, bytes: &[u8], step: usize) -> Outcome {
    let mut decoder = BodyDecoder::new(Side::Request, framing, limits);
    let mut payload = Vec::new();
    let mut at = 0;
    let mut end = 0;
    while end < bytes.len() {
        end = end.saturating_add(step).min(bytes.len());
        while at < end && !decoder.is_finished() {
            match decoder.decode(&bytes[at..end]) {
                Ok(decoded) => {
                    assert!(decoded.consumed > 0 && decoded.consumed <= end - at);
                    assert!(decoded.data.start <= decoded.data.end);
                    assert!(decoded.data.end <= decoded.consumed);
                    assert_eq!(decoded.finished, decoder.is_finished());
                    payload.extend_from_slice(&bytes[at..end][decoded.data]);
                    at += decoded.consumed;
                }
                Err(reject) => {
                    assert_eq!(decoder.decode(b"x"), Err(reject));
                    assert_eq!(decoder.close(), Err(reject));
                    return (payload, Vec::new(), 0, Err(reject));
                }
            }
            assert!(decoder.trailers().len() <= limits.trailer_bytes);
        }
    }
    let finished = decoder.is_finished();
    let trailers = if finished { decoder.trailers().to_vec() } else { Vec::new() };
    assert_eq!(decoder.close().is_ok(), finished || framing == BodyFraming::UntilClose);
    (payload, trailers, at, Ok(finished))
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, step, bytes) = input;
    let framing = match kind {
        0 => BodyFraming::None,
        1 => BodyFraming::UntilClose,
        2..=20 => BodyFraming::Length(u64::from(kind)),
        _ => BodyFraming::Chunked,
    };
    let limits = Limits {
        chunk_line_bytes: 32,
        chunk_extension_bytes: 48,
        trailer_bytes: 96,
        header_count: 4,
        ..Limits::default()
    };
    let whole = run(framing, &limits, bytes, usize::MAX);
    assert_eq!(run(framing, &limits, bytes, usize::from(step) + 1), whole);

    let (payload, trailers, consumed, finished) = whole;
    assert!(payload.len() <= bytes.len() && consumed <= bytes.len());
    if framing == BodyFraming::Chunked && finished == Ok(true) {
        let mut written = Vec::new();
        let mut encoder = ChunkEncoder::new();
        for chunk in payload.chunks(usize::from(step) + 1) {
            encoder.chunk(chunk, &mut written);
        }
        encoder.finish_with_lines(&trailers, &mut written);
        let expected = (payload, trailers, written.len(), Ok(true));
        assert_eq!(run(framing, &limits, &written, 3), expected);
    }
});
