//! Hashes that are the same in every process, run and release.
//!
//! Consistent hashing needs a key to go to the same server after a restart, and through every
//! Plimsoll in front of the same servers, so the standard library's randomly seeded hasher will
//! not do. FNV-1a mixes the bytes, MurmurHash3's finaliser spreads the bits. Neither resists
//! somebody who searches for colliding keys: that costs balance, and the load bound of the
//! consistent hash keeps the cost small.

use std::net::IpAddr;

/// FNV-1a parameters for 64 bits.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
/// The step of SplitMix64: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A well spread hash of `bytes`: a header's value, a cookie's value, a URI, a server's name.
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
    spread(fnv)
}

/// The hash of a client: all of an IPv4 address, the /64 network of an IPv6 one, because hosts
/// change the lower half by themselves (RFC 8981). An IPv4-mapped address is its IPv4 address.
pub(crate) fn of_client(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => of_bytes(&address.octets()),
        IpAddr::V6(address) => of_bytes(&address.octets()[..8]),
    }
}

/// One hash of two.
pub(crate) fn combine(first: u64, second: u64) -> u64 {
    spread(first ^ second.wrapping_mul(GOLDEN))
}

/// The next of a sequence of random numbers that starts at `random` (SplitMix64).
pub(crate) fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(GOLDEN);
    spread(*random)
}

/// A number below `bound`, which must not be 0, from the upper half of `random`. The bias is at
/// most `bound` in 2^32.
pub(crate) fn below(random: u64, bound: usize) -> usize {
    (((random >> 32) * bound as u64) >> 32) as usize
}

/// A number from 0.0 up to but not including 1.0.
pub(crate) fn unit(random: u64) -> f64 {
    // 53 bits are what an f64 holds exactly.
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// MurmurHash3's 64-bit finaliser: every input bit changes every output bit half of the time.
fn spread(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        // Worked out by an independent implementation; a different value would send every session elsewhere on an upgrade.
        assert_eq!(of_bytes(b""), spread(FNV_OFFSET));
        assert_eq!(of_bytes(b"web-1"), 0xc663_f9d4_1a1b_33b4);
        assert_eq!(combine(1, 2), 0xe850_28e6_b31f_8e7a);
    }

    #[test]
    fn ipv6_neighbours_in_one_network_are_one_client() {
        let hash = |text: &str| of_client(text.parse().unwrap());
        assert_eq!(hash("2001:db8:1:2::1"), hash("2001:db8:1:2:ffff::9"));
        assert_ne!(hash("2001:db8:1:2::1"), hash("2001:db8:1:3::1"));
        assert_eq!(hash("::ffff:10.0.0.1"), hash("10.0.0.1"));
        assert_ne!(hash("10.0.0.1"), hash("10.0.0.2"));
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = 7;
        let mut counts = [0u32; 3];
        for _ in 0..3000 {
            counts[below(next(&mut random), 3)] += 1;
            assert!((0.0..1.0).contains(&unit(next(&mut random))));
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(below(u64::MAX, 5), 4);
    }
}
