use super::*;
use crate::sample::STALE;
use proptest::prelude::*;

fn encoded(times: &[i64], values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(times, values, &mut bytes);
    bytes
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn comes_back(times: &[i64], values: &[f64]) -> usize {
    let bytes = encoded(times, values);
    let mut samples = Samples::default();
    decode(&bytes, &mut samples).expect("it was just written");
    assert_eq!(samples.times, times);
    assert_eq!(bits(&samples.values), bits(values));
    for count in [0, 1, times.len() / 3, 65, 66, 67, times.len()] {
        let to = times.get(count.wrapping_sub(1)).copied().unwrap_or(i64::MIN);
        let wanted = times.partition_point(|time| *time <= to);
        let mut samples = Samples { times: vec![i64::MIN], values: vec![0.5] };
        decode_until(&bytes, to, &mut samples).expect("it was just written");
        assert_eq!(samples.times[1..], times[..wanted]);
        assert_eq!(bits(&samples.values[1..]), bits(&values[..wanted]));
    }
    let mut open = OpenChunk::default();
    times.iter().zip(values).for_each(|(time, value)| open.push(*time, *value));
    samples.clear();
    open.read(&mut samples).expect("it was just written");
    assert_eq!(samples.times, times);
    assert_eq!(bits(&samples.values), bits(values));
    bytes.len()
}

fn regular(count: usize) -> Vec<i64> {
    (0..count as i64).map(|place| 1_700_000_000_000 + place * 15_000).collect()
}

/// Numbers that look random and are always the same.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) ^ (state << 17)
    })
}

#[test]
fn values_of_each_kind_come_back_in_few_bytes() {
    let times = regular(480);
    let mut random = noise(1);
    let mut of = |name: &str, most: usize, value: &mut dyn FnMut(usize, u64) -> f64| {
        let values: Vec<_> =
            (0..480).map(|place| value(place, random.next().expect("endless"))).collect();
        let bytes = comes_back(&times, &values);
        assert!(bytes <= most, "{name}: {bytes} bytes");
    };
    of("constant", 40, &mut |_, _| 1.5);
    of("a straight line", 48, &mut |place, _| place as f64 * 0.25);
    let mut total = 1e6;
    of("a counter", 500, &mut |_, random| {
        total += (random % 100) as f64;
        total
    });
    of("hundredths", 660, &mut |_, random| (random % 1000) as f64 / 100.0);
    of("pages", 660, &mut |_, random| ((1 << 20) + random % 1000) as f64 * 4096.0);
    of("a counter that starts anew", 560, &mut |place, _| (place % 200) as f64 * 7.0);
    of("noise", 3_700, &mut |_, random| f64::from_bits(random >> 12 | 0x3ff << 52));
    of("noise that holds for a minute", 1_300, &mut |place, _| (place as f64 / 4.0).floor().sin());
}

#[test]
fn what_is_no_number_comes_back() {
    let strange =
        [STALE, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, f64::MIN_POSITIVE, f64::MAX];
    let others = [1e300, 5e-324, 0.1 + 0.2, 9_007_199_254_740_993.0, -9.2e18, 1e22, 123_456.789];
    let all: Vec<_> = strange.into_iter().chain(others).collect();
    comes_back(&regular(all.len()), &all);
    for value in all {
        comes_back(&[i64::MIN], &[value]);
        comes_back(&[i64::MIN, i64::MAX], &[value, 1.0]);
        for place in [0, 1, 5, 99] {
            let mut values: Vec<_> = (0..100).map(|place| f64::from(place) / 10.0).collect();
            values[place] = value;
            comes_back(&regular(100), &values);
        }
    }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i64>().prop_map(|number| number as f64),
        (-10_000i32..10_000, 0i32..5).prop_map(|(n, e)| f64::from(n) / 10f64.powi(e)),
        Just(STALE),
        Just(1.0),
    ];
    let mixed = prop::collection::vec(value, 1..300);
    let counter = prop::collection::vec(0u32..50, 1..300).prop_map(|steps| {
        let add = |total: &mut f64, step| {
            *total = if step == 49 { 0.0 } else { *total + f64::from(step) };
            Some(*total)
        };
        steps.into_iter().scan(1e9, add).collect()
    });
    let decimals = (prop::collection::vec(any::<i16>(), 1..300), 0i32..8)
        .prop_map(|(n, e)| n.into_iter().map(|n| f64::from(n) / 10f64.powi(e)).collect());
    prop_oneof![mixed, counter, decimals]
}

fn times(count: usize) -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        8 => 14_990i64..15_010,
        1 => 1i64..1_000_000,
        1 => 1i64..1 << 40,
    ];
    (-(1i64 << 50)..1 << 50, prop::collection::vec(step, count)).prop_map(|(start, steps)| {
        let next = |time: &mut i64, step| {
            *time += step;
            Some(*time)
        };
        steps.into_iter().scan(start, next).collect()
    })
}

proptest! {
    #[test]
    fn all_samples_come_back(
        (values, times) in values().prop_flat_map(|values| (Just(values.clone()), times(values.len())))
    ) {
        comes_back(&times, &values);
    }

    #[test]
    fn whole_numbers_come_back(numbers in prop::collection::vec(any::<i64>(), 0..300), shift in 0..64) {
        let numbers: Vec<_> = numbers.iter().map(|number| number >> shift).collect();
        let mut bytes = Vec::new();
        packed::encode(&numbers, &mut bytes);
        let (mut reader, mut back) = (Reader::new(&bytes), Vec::new());
        packed::decode(&mut reader, numbers.len(), numbers.len(), |part| back.extend_from_slice(part)).unwrap();
        prop_assert_eq!(reader.left(), 0);
        prop_assert_eq!(back, numbers);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, &mut Samples::default());
    }

    #[test]
    fn damaged_chunks_never_panic(
        values in values(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u32..8), 1..4)
    ) {
        let mut bytes = encoded(&regular(values.len()), &values);
        for (place, bit) in flips {
            *place.get_mut(&mut bytes) ^= 1u8 << bit;
        }
        let _ = decode(&bytes, &mut Samples::default());
        let _ = decode(&bytes[..bytes.len() / 2], &mut Samples::default());
    }
}
