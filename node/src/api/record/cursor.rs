//! Cursors and page tokens: how far somebody has come, sealed so that it tells nobody anything.
//!
//! A cursor holds the revision of the store, which counts everything that this node does, a page
//! token the last record looked at, which need not be one that was shown. Whoever may see only a
//! part must not be able to read the rest off these. **Invariant:** no caller learns a revision,
//! none can make a cursor, and what was sealed for one question opens for no other.

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
        self.seal_for(&[], &revision.to_be_bytes())
    }

    /// The revision of a cursor of this node.
    pub fn open(&self, cursor: &str) -> Option<u64> {
        let opened = self.open_for(&[], cursor)?;
        Some(u64::from_be_bytes(opened.try_into().ok()?))
    }

    /// Seals what answers one question alone; a different text at every call.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn seal_for(&self, question: &[u8], what: &[u8]) -> Result<String, std::io::Error> {
        let nonce: [u8; NONCE_LEN] = edge::random()?;
        let mut sealed = what.to_vec();
        let key = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(key, Aad::from(question), &mut sealed)
            .map_err(|_| std::io::Error::other("the cipher does not seal"))?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes))
    }

    /// What this node sealed for the same question.
    pub fn open_for(&self, question: &[u8], text: &str) -> Option<Vec<u8>> {
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(text.as_bytes())
            .ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let key = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(key, Aad::from(question), &mut sealed);
        Some(opened.ok()?.to_vec())
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
        let token = ours.seal_for(b"a question", b"here").expect("sealed");
        assert_eq!(ours.open_for(b"a question", &token), Some(b"here".to_vec()));
        assert_eq!(ours.open_for(b"another", &token), None);
        assert_eq!(ours.open(&token), None, "no cursor");
        let mut changed = cursor.into_bytes();
        changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("text");
        for bad in [&changed, "", "r7", "####"] {
            assert_eq!(ours.open(bad), None, "{bad}");
        }
    }
}
