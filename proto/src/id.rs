//! Identifiers: fixed numbers of bytes, each of its own type, shown in base32.
//!
//! **Invariant:** no identifier is made from a name, a time or a counter.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use crate::domain::{self, Domain};
use crate::refusal::{Reason, Refusal};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Absent: all zeros.
            pub const ZERO: Self = Self([0; $bytes]);

            /// From its bytes.
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// From a slice of the right length.
            ///
            /// # Errors
            /// `Malformed` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, Refusal> {
                match bytes.try_into() {
                    Ok(bytes) => Ok(Self(bytes)),
                    Err(_) => Err(Refusal::new($what, Reason::Malformed)),
                }
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Whether all bytes are zero, which means absent.
            pub fn is_zero(&self) -> bool {
                *self == Self::ZERO
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Refusal;

            fn from_str(text: &str) -> Result<Self, Refusal> {
                let malformed = Refusal::new($what, Reason::Malformed);
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(malformed);
                }
                let bytes = BASE32_NOPAD
                    .decode(text.to_ascii_uppercase().as_bytes())
                    .map_err(|_| malformed)?;
                Self::from_slice(&bytes)
            }
        }
    };
}

id!(
    /// An RCP: the hash of its first key event. 52 letters as text, which fit a DNS label.
    RcpId, 32, "RCP identifier"
);
id!(
    /// The log of one circle.
    LogId, 32, "log identifier"
);
id!(
    /// The random part of a [`LogId`]; zeros for the log of `public`.
    LogSeed, 16, "log seed"
);
id!(
    /// A record, unique within its RCP: 16 random bytes.
    RecordId, 16, "record identifier"
);
id!(
    /// A SHA-256 value: a root, a leaf, a version, a body.
    Hash, 32, "hash"
);
id!(
    /// The 32 random bytes that are hashed before a body, so that its hash tells nothing.
    Salt, 32, "salt"
);
id!(
    /// The random number of one start of a node, by which a second copy of it is noticed.
    StartNumber, 16, "start number"
);
id!(
    /// The random number of one bundle, by which secretariats speak of it.
    BundleId, 16, "bundle identifier"
);
id!(
    /// The single-use secret of an invitation.
    Token, 32, "invitation token"
);

impl LogId {
    /// The identifier of the log that `rcp` opened with `seed`.
    pub fn derive(rcp: &RcpId, seed: &LogSeed) -> Self {
        let hash = domain::hash(Domain::Log, &[rcp.as_bytes(), seed.as_bytes()]);
        Self(*hash.as_bytes())
    }

    /// The identifier of the `public` log of `rcp`.
    pub fn public(rcp: &RcpId) -> Self {
        Self::derive(rcp, &LogSeed::ZERO)
    }
}

/// Unix time in milliseconds. Shown; it decides nothing but the end of a reader's right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// This many milliseconds later.
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`, zero if that is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The next ordinal of a series that must grow: after `last`, and at least the time.
///
/// Used for versions, card serials and incarnations. `None` when the series is exhausted.
pub fn next_ordinal(last: u64, now: UnixMillis) -> Option<u64> {
    let next = last.checked_add(1)?.max(now.0);
    (next <= crate::limits::ORDINAL_MAX).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_lower_case_base32_of_52_letters_and_reads_back() {
        let id = RcpId::new([0xa7; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text.parse::<RcpId>(), Ok(id));
    }

    #[test]
    fn only_one_text_stands_for_an_identifier() {
        let text = RcpId::new([0xff; 32]).to_string();
        assert!(text.to_ascii_uppercase().parse::<RcpId>().is_err());
        // The last letter carries one bit: any other setting of its unused bits is refused.
        let mut other = text[..51].to_owned();
        other.push('r');
        assert!(other.parse::<RcpId>().is_err());
        assert!(text[..50].parse::<RcpId>().is_err());
        assert!("".parse::<RcpId>().is_err());
    }

    #[test]
    fn the_public_log_is_that_of_the_seed_of_zeros() {
        let (one, other) = (RcpId::new([1; 32]), RcpId::new([2; 32]));
        assert_eq!(LogId::public(&one), LogId::derive(&one, &LogSeed::ZERO));
        assert_ne!(LogId::public(&one), LogId::public(&other));
    }

    #[test]
    fn ordinals_grow_even_when_the_clock_goes_back() {
        assert_eq!(next_ordinal(0, UnixMillis(1_700)), Some(1_700));
        assert_eq!(next_ordinal(9_000, UnixMillis(1_700)), Some(9_001));
        assert_eq!(
            next_ordinal(crate::limits::ORDINAL_MAX, UnixMillis(0)),
            None
        );
    }
}
