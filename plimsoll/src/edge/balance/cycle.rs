//! Smooth weighted round-robin, worked out ahead as a cycle of turns.
//!
//! nginx keeps a running score a server and updates all of them for each request, under a lock.
//! Here the same algorithm runs once, when the set of servers changes; a request then takes the
//! next turn by one atomic addition. Shares are exact over a cycle, and a heavy server's turns
//! are spread out instead of following each other.

/// Most turns of a cycle. Weights whose sum (after dividing by their common divisor) is larger
/// are scaled down, each to 1 at least; a share is then exact to about one in this number.
const TURNS_MAX: usize = 4096;

/// The order of turns over `weights`, as indexes into them. A weight of 0 counts as 1.
pub(super) fn turns(weights: &[u32]) -> Box<[u16]> {
    let weights = reduced(weights);
    if weights.iter().all(|weight| *weight == 1) {
        return (0..weights.len() as u16).collect();
    }
    let total: i64 = weights.iter().sum();
    let mut scores = vec![0i64; weights.len()];
    let mut turns = Vec::with_capacity(total as usize);
    for _ in 0..total {
        let mut best = 0;
        for (index, weight) in weights.iter().enumerate() {
            scores[index] += weight;
            if scores[index] > scores[best] {
                best = index;
            }
        }
        scores[best] -= total;
        turns.push(best as u16);
    }
    turns.into_boxed_slice()
}

/// The same proportions in the smallest numbers, whose sum is within the bound.
fn reduced(weights: &[u32]) -> Vec<i64> {
    let weights: Vec<u64> = weights.iter().map(|weight| u64::from(*weight).max(1)).collect();
    let divisor = weights.iter().copied().fold(0, common_divisor).max(1);
    let total = weights.iter().sum::<u64>() / divisor;
    let bound = TURNS_MAX.max(weights.len()) as u64;
    let scale = |weight: u64| {
        if total <= bound { weight / divisor } else { (weight / divisor * bound / total).max(1) }
    };
    weights.into_iter().map(|weight| scale(weight) as i64).collect()
}

fn common_divisor(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letters(weights: &[u32]) -> String {
        turns(weights).iter().map(|turn| char::from(b'a' + *turn as u8)).collect()
    }

    #[test]
    fn turns_are_those_of_nginx() {
        for (weights, expected) in [
            (&[5, 1, 1][..], "aabacaa"),
            (&[1, 1, 1], "abc"),
            (&[7, 7], "ab"),
            (&[3, 3, 2], "abcabcab"),
            (&[4, 2], "aba"),
            (&[1], "a"),
            (&[], ""),
        ] {
            assert_eq!(letters(weights), expected, "{weights:?}");
        }
    }

    proptest! {
        #[test]
        fn shares_are_exact_over_a_cycle(weights in prop::collection::vec(1u32..=100, 1..12)) {
            let turns = turns(&weights);
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            for (index, weight) in weights.iter().enumerate() {
                let got = turns.iter().filter(|turn| usize::from(**turn) == index).count() as u64;
                prop_assert_eq!(got * total, u64::from(*weight) * turns.len() as u64);
            }
        }

        #[test]
        fn a_cycle_is_bounded_and_misses_nobody(
            weights in prop::collection::vec(1u32..=1000, 1..200)
        ) {
            let turns = turns(&weights);
            // Each server may be rounded up to one turn.
            prop_assert!(turns.len() <= TURNS_MAX + weights.len());
            for index in 0..weights.len() {
                prop_assert!(turns.contains(&(index as u16)));
            }
        }
    }
}
