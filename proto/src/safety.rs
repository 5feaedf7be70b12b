//! Safety numbers: forty digits that two people read to each other over the telephone.
//!
//! The 2^20 rounds make each key that an attacker tries cost that much, and both identifiers go in,
//! so that there is one number for the pair. Forty plain digits would fall to a search of about
//! 2^66 for a collision. **Invariant:** computed only to be shown, never compared by a machine.

use sha2::{Digest, Sha256};

use crate::domain::{self, Domain};
use crate::id::RcpId;
use crate::limits::SAFETY_ROUNDS;

/// The safety number of two RCPs: eight groups of five digits, whoever asks.
///
/// Takes about a tenth of a second: call it off the asynchronous threads.
pub fn safety_number(one: &RcpId, other: &RcpId) -> String {
    let (low, high) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    let mut x = *domain::hash(Domain::Safety, &[low.as_bytes(), high.as_bytes()]).as_bytes();
    for _ in 0..SAFETY_ROUNDS {
        x = Sha256::digest(x).into();
    }
    let mut groups = [0u32; 8];
    for group in groups.iter_mut().rev() {
        *group = divide(&mut x, 100_000);
    }
    groups.map(|group| format!("{group:05}")).join(" ")
}

/// Divides a big-endian number in place and gives the remainder.
fn divide(number: &mut [u8; 32], by: u32) -> u32 {
    let mut remainder = 0u32;
    for byte in number {
        let value = remainder * 256 + u32::from(*byte);
        *byte = u8::try_from(value / by).unwrap_or(u8::MAX);
        remainder = value % by;
    }
    remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_show_the_same_forty_digits() {
        let (a, b) = (RcpId::new([1; 32]), RcpId::new([2; 32]));
        let number = safety_number(&a, &b);
        assert_eq!(number, safety_number(&b, &a));
        assert_ne!(number, safety_number(&a, &RcpId::new([3; 32])));
        assert!(number.split(' ').all(|group| group.len() == 5));
        assert_eq!(number.len(), 47);
    }

    #[test]
    fn the_number_is_the_value_modulo_ten_to_the_fortieth() {
        // 2^256 - 1 modulo 10^40, in groups.
        let mut x = [0xff; 32];
        let mut groups = [0u32; 8];
        for group in groups.iter_mut().rev() {
            *group = divide(&mut x, 100_000);
        }
        assert_eq!(
            groups.map(|group| format!("{group:05}")).join(""),
            "3269984665640564039457584007913129639935"
        );
    }
}
