//! Why something received was refused: one reason, the thing it concerns, and what to do next.
//!
//! **Invariant:** a refusal carries no byte of what was refused.

use std::fmt;

/// A verdict against something received or composed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which thing was refused, in the words of `PROTOCOL.md`: "header", "line", "checkpoint" ...
    pub what: &'static str,
    /// Why.
    pub reason: Reason,
}

impl Refusal {
    /// A refusal of `what` for `reason`.
    pub const fn new(what: &'static str, reason: Reason) -> Self {
        Self { what, reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}; {}",
            self.what,
            self.reason.says(),
            self.reason.remedy()
        )
    }
}

impl std::error::Error for Refusal {}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $says:literal, $remedy:literal;)*) => {
        /// The reasons for which something is refused, with the code that goes over the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All reasons, in the order of `PROTOCOL.md`.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The stable code, upper snake case.
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)* }
            }

            /// What is wrong, to follow the name of the thing.
            pub const fn says(self) -> &'static str {
                match self { $(Reason::$name => $says,)* }
            }

            /// What to do next.
            pub const fn remedy(self) -> &'static str {
                match self { $(Reason::$name => $remedy,)* }
            }
        }
    };
}

reasons! {
    /// Fewer bytes than the layout needs.
    Truncated = "TRUNCATED", "ends too early",
        "ask the sender to send it again, whole";
    /// More bytes than the layout has.
    TrailingBytes = "TRAILING_BYTES", "has bytes after its end",
        "ask the sender to send exactly what was signed";
    /// Over a limit.
    TooLong = "TOO_LONG", "is larger than its limit",
        "ask the sender to keep to the limits in PROTOCOL.md";
    /// A format byte that this version does not know.
    UnknownFormat = "UNKNOWN_FORMAT", "has a format that this version does not know",
        "upgrade this node if the sender runs a newer version";
    /// Fields that the layout forbids: zero, order, range, text form.
    Malformed = "MALFORMED", "does not keep to its layout",
        "compare it with PROTOCOL.md and its vectors";
    /// A key that strict verification refuses.
    WeakKey = "WEAK_KEY", "names a key that is weak or not in canonical form",
        "ask its RCP to make a new key";
    /// A signature that does not verify strictly.
    BadSignature = "BAD_SIGNATURE", "has a signature that does not verify",
        "do not use it; ask its RCP by telephone whether the key changed";
    /// Content that does not hash to what was announced.
    WrongHash = "WRONG_HASH", "does not have the hash under which it was announced",
        "ask for it again; if it stays so, tell its RCP";
    /// Signed by or about another RCP than the one it should be of.
    WrongRcp = "WRONG_RCP", "belongs to another RCP",
        "check which RCP it was asked from";
    /// Of another log than the one it should be of.
    WrongLog = "WRONG_LOG", "belongs to another log",
        "check which log it was asked from";
    /// Of another incarnation than the one that counts.
    WrongIncarnation = "WRONG_INCARNATION", "belongs to another incarnation of its log",
        "ask the owner for its newest checkpoint";
    /// A key event number that the charter does not have.
    UnknownKey = "UNKNOWN_KEY", "is signed by a key that the charter does not name",
        "fetch the charter of its RCP again";
    /// Signed by a key that is no longer the current one, where only the current one counts.
    RetiredKey = "RETIRED_KEY", "is signed by a retired key",
        "ask its RCP for one under its current key";
    /// Signed by a key that its RCP declared compromised.
    CompromisedKey = "COMPROMISED_KEY", "is signed by a key that was declared compromised",
        "do not use it; ask its RCP for one under its current key";
    /// A key event that does not continue the chain.
    BrokenChain = "BROKEN_CHAIN", "does not follow from the key event before it",
        "fetch the charter again, from two sources";
    /// A revealed recovery key that the event before did not commit to.
    WrongRecoveryKey = "WRONG_RECOVERY_KEY", "reveals a recovery key nobody committed to",
        "do not accept it; call its RCP";
    /// A key used twice or in two roles.
    KeyReuse = "KEY_REUSE", "uses a key that already had another role or turn",
        "make a fresh key";
    /// A Merkle proof that does not verify.
    BadProof = "BAD_PROOF", "does not fit what is already held",
        "ask another holder of the log, and tell its RCP";
    /// Not where the holder's copy ends.
    OutOfOrder = "OUT_OF_ORDER", "does not begin where the copy held ends",
        "ask again from the size held";
    /// Older than what is held.
    Stale = "STALE", "is older than what is held",
        "nothing: the newer one stays";
    /// Nothing says that it may be accepted from there.
    NotEntitled = "NOT_ENTITLED", "is not covered by any log that may be read here",
        "ask its RCP whether it means to share it";
    /// Both sides have no protocol version in common.
    NoCommonVersion = "NO_COMMON_VERSION", "names no protocol version known here",
        "upgrade the older of the two nodes";
    /// Two things that should contradict each other do not.
    NoContradiction = "NO_CONTRADICTION", "does not contradict itself",
        "nothing: it proves nothing";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_its_own_code_and_says_what_to_do() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(code.len() <= 63 && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
            assert!(!reason.says().is_empty() && !reason.remedy().is_empty());
        }
    }

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        let refusal = Refusal::new("header", Reason::Truncated);
        assert_eq!(
            refusal.to_string(),
            "header ends too early; ask the sender to send it again, whole"
        );
    }
}
