//! Domain separation: every signature and every hash says what it is for.
//!
//! What is signed or hashed is `corridor/v1/<thing>`, a zero byte, a u64 length, the bytes. Three
//! things have a form of their own: checkpoints (C2SP signed note), cosignatures (C2SP
//! `cosignature/v1`) and trees (RFC 6962). None of those can begin with `corridor/v1/` followed by
//! a name and a zero byte, so nothing signed for one use can serve another.

use sha2::{Digest, Sha256};

use crate::id::Hash;

macro_rules! domains {
    ($($(#[$doc:meta])* $name:ident = $tag:literal;)*) => {
        /// What a signature or a hash is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Domain { $($(#[$doc])* $name,)* }

        impl Domain {
            /// All domains.
            pub const ALL: &'static [Domain] = &[$(Domain::$name,)*];

            /// The bytes that go first, with the zero byte that ends them.
            pub const fn tag(self) -> &'static [u8] {
                match self { $(Domain::$name => concat!("corridor/v1/", $tag, "\0").as_bytes(),)* }
            }
        }
    };
}

domains! {
    /// Signature over a record's header.
    Record = "record";
    /// Signatures over a key event.
    KeyEvent = "key-event";
    /// Signature over a card.
    Card = "card";
    /// Signature over a start number.
    Start = "start";
    /// Signature over a bundle's header.
    Bundle = "bundle";
    /// Signature over a bundle's end.
    BundleEnd = "bundle-end";
    /// Hash of the parts of a bundle so far and the next one.
    BundlePart = "bundle-part";
    /// Hash of header and signature: the version.
    Version = "version";
    /// Hash of salt and body.
    Body = "body";
    /// Hash of salt and reader list.
    Readers = "readers";
    /// Hash of salt and the note of a withdrawal.
    Note = "note";
    /// Hash of the first key event: the RCP.
    Rcp = "rcp";
    /// Hash of a key event, named by the next one.
    KeyEventHash = "key-event-hash";
    /// Hash of a recovery key, which the event before commits to.
    Recovery = "recovery";
    /// Hash of a card, which orders cards of equal serial.
    CardHash = "card-hash";
    /// Hash of RCP and seed: the log.
    Log = "log";
    /// Hash of everything shared with a peer.
    Have = "have";
    /// First hash of a safety number.
    Safety = "safety";
    /// Hash of a public transport key (its SubjectPublicKeyInfo).
    TlsKey = "tls-key";
    /// Hash of an access token, as it is kept.
    AccessToken = "access-token";
    /// Hash of an invitation token, as it is kept.
    InvitationToken = "invitation-token";
    /// Hash of a node's secret: the key that seals cursors.
    Cursor = "cursor";
    /// Hash of a draft's kind and text: its etag.
    Draft = "draft";
    /// Hash of a caller and its request to make a draft: the record.
    DraftRequest = "draft-request";
    /// Hash of a line of the audit and the hash of the line before it.
    Audit = "audit";
    /// Hash of the question to which a page token belongs.
    PageToken = "page-token";
}

/// The message that is signed for `domain` over `bytes`.
pub fn message(domain: Domain, bytes: &[u8]) -> Vec<u8> {
    let tag = domain.tag();
    let mut message = Vec::with_capacity(tag.len() + 8 + bytes.len());
    message.extend_from_slice(tag);
    message.extend_from_slice(&length(bytes.len()));
    message.extend_from_slice(bytes);
    message
}

/// SHA-256 for `domain` over the concatenation of `parts`.
pub fn hash(domain: Domain, parts: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(domain.tag());
    sha.update(length(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        sha.update(part);
    }
    Hash::new(sha.finalize().into())
}

fn length(bytes: usize) -> [u8; 8] {
    u64::try_from(bytes).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_domain_is_another_or_begins_another() {
        let tags: BTreeSet<_> = Domain::ALL.iter().map(|domain| domain.tag()).collect();
        assert_eq!(tags.len(), Domain::ALL.len());
        for a in &tags {
            assert!(a.ends_with(b"\0") && a.starts_with(b"corridor/v1/"));
            assert!(!tags.iter().any(|b| a != b && b.starts_with(a)));
        }
    }

    #[test]
    fn a_message_is_tag_length_and_bytes() {
        assert_eq!(
            message(Domain::Card, b"xy"),
            b"corridor/v1/card\0\0\0\0\0\0\0\0\x02xy"
        );
    }

    #[test]
    fn a_hash_does_not_depend_on_how_its_parts_are_cut() {
        assert_eq!(
            hash(Domain::Log, &[b"ab", b"c"]),
            hash(Domain::Log, &[b"a", b"bc"])
        );
        assert_ne!(hash(Domain::Log, &[b"abc"]), hash(Domain::Body, &[b"abc"]));
    }
}
