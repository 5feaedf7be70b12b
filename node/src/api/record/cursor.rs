//! Cursors: how far a follower of changes has come, sealed so that it tells nobody anything.
//!
//! A cursor holds the revision of the store, which counts everything that this node does. Whoever
//! may see only a part of it must not be able to read the rest off its own cursors.
//! **Invariant:** no caller learns a revision, and none can make a cursor.

use corridor_proto::domain::{Domain, hash};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::edge;

/// Seals and opens cursors.
#[derive(Debug)]
pub struct Cursors(LessSafeKey);

impl Cursors {
    /// With a key that follows from a secret of the node, so that a restart keeps cursors good.
    ///
    /// # Errors
    /// None of this machine's; the cipher takes every key of its length.
    pub fn of(secret: &[u8]) -> Result<Self, std::io::Error> {
        let key = hash(Domain::Cursor, &[secret]);
        let key = UnboundKey::new(&AES_256_GCM, key.as_bytes());
        let key = key.map_err(|_| std::io::Error::other("the cipher does not take its key"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// The cursor of a revision; a different one at every call.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn seal(&self, revision: u64) -> Result<String, std::io::Error> {
        let nonce: [u8; NONCE_LEN] = edge::random()?;
        let mut sealed = revision.to_be_bytes().to_vec();
        let key = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(key, Aad::empty(), &mut sealed)
            .map_err(|_| std::io::Error::other("the cipher does not seal"))?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes))
    }

    /// The revision of a cursor of this node.
    pub fn open(&self, cursor: &str) -> Option<u64> {
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(cursor.as_bytes())
            .ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let key = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(key, Aad::empty(), &mut sealed).ok()?;
        Some(u64::from_be_bytes((&*opened).try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_here_only_and_tells_nothing() {
        let (ours, others) = (Cursors::of(b"one"), Cursors::of(b"another"));
        let (ours, others) = (ours.expect("key"), others.expect("key"));
        let cursor = ours.seal(7).expect("sealed");
        assert_eq!(ours.open(&cursor), Some(7));
        assert_eq!(others.open(&cursor), None);
        assert_ne!(ours.seal(7).expect("sealed"), cursor);
        assert_eq!(cursor.len(), ours.seal(u64::MAX).expect("sealed").len());
        let mut changed = cursor.into_bytes();
        changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("text");
        for bad in [&changed, "", "r7", "####"] {
            assert_eq!(ours.open(bad), None, "{bad}");
        }
    }
}
