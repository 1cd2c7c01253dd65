//! Chunks: foreign bytes never panic, and what can be read means the same when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::sample::Samples;
use tsdb::store::chunk::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let mut samples = Samples::default();
    if decode(bytes, &mut samples).is_err() {
        return;
    }
    let (mut again, mut read) = (Vec::new(), Samples::default());
    encode(&samples.times, &samples.values, &mut again);
    decode(&again, &mut read).expect("it was just written");
    assert_eq!(read.times, samples.times);
    let bits =
        |samples: &Samples| samples.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read), bits(&samples));
});
