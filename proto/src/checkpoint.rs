//! Checkpoints and cosignatures: signed notes as C2SP describes them.
//!
//! A checkpoint is three lines (origin, size, root in base64), an empty line and one signature
//! line; origin and key name are both `corridor.invalid/<log>/<incarnation>`. A cosignature
//! ("held") is a second signature line over the same three lines, by a reader, with its time
//! (`cosignature/v1`, key name `<RcpId>/held`). Both are composed here from typed parts and then
//! compared with what came: **Invariant:** no free-form note is parsed leniently or signed.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::charter::Charter;
use crate::id::{Hash, LogId, RcpId};
use crate::key::{PublicKey, SecretKey, Signature};
use crate::limits::{NOTE_TEXT_BYTES_MAX, ORDINAL_MAX};
use crate::refusal::{Reason, Refusal};

const CHECKPOINT: &str = "checkpoint";
const HELD: &str = "held cosignature";
/// Signature type of Ed25519 over the note's text.
const TYPE_NOTE: u8 = 0x01;
/// Signature type of a timestamped cosignature.
const TYPE_COSIGNATURE: u8 = 0x04;

/// Size and root of one incarnation of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Which log.
    pub log: LogId,
    /// Which incarnation of it, first 0.
    pub incarnation: u64,
    /// Lines.
    pub size: u64,
    /// Root of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// Origin and key name.
    pub fn origin(&self) -> String {
        format!("corridor.invalid/{}/{}", self.log, self.incarnation)
    }

    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin(),
            self.size,
            BASE64.encode(self.root.as_bytes())
        )
    }

    /// Reads the three lines.
    ///
    /// # Errors
    /// `Malformed` unless they are exactly what [`Checkpoint::text`] gives.
    pub fn parse_text(text: &str) -> Result<Self, Refusal> {
        Self::read(text)
            .filter(|checkpoint| checkpoint.text() == text)
            .ok_or(malformed(CHECKPOINT))
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let mut origin = lines.next()?.strip_prefix("corridor.invalid/")?.split('/');
        let log = origin.next()?.parse().ok()?;
        let incarnation = origin.next()?.parse().ok().filter(|n| *n <= ORDINAL_MAX)?;
        let size = lines.next()?.parse().ok().filter(|n| *n <= ORDINAL_MAX)?;
        let root = BASE64.decode(lines.next()?.as_bytes()).ok()?;
        Some(Self {
            log,
            incarnation,
            size,
            root: Hash::from_slice(&root).ok()?,
        })
    }

    /// Signs the checkpoint with the owner's key: the whole note.
    pub fn sign(&self, key: &SecretKey) -> SignedCheckpoint {
        let text = self.text();
        let signature = key.sign_message(text.as_bytes());
        let name = self.origin();
        let id = key_id(&name, TYPE_NOTE, &key.public_bytes());
        let note = format!("{text}\n{}", signature_line(&name, &id, &[&signature]));
        SignedCheckpoint {
            checkpoint: *self,
            key_id: id,
            signature,
            note,
        }
    }
}

/// A checkpoint with its signature, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    key_id: [u8; 4],
    signature: Signature,
    note: String,
}

impl SignedCheckpoint {
    /// Reads a note.
    ///
    /// # Errors
    /// `TooLong`, `Malformed` unless it is exactly a checkpoint with one signature line.
    pub fn parse(note: &[u8]) -> Result<Self, Refusal> {
        let (text, lines) = split_note(CHECKPOINT, note)?;
        let checkpoint = Checkpoint::parse_text(text)?;
        let (key_id, signature) = read_line::<64>(CHECKPOINT, &checkpoint.origin(), lines)?;
        Ok(Self {
            checkpoint,
            key_id,
            signature,
            note: format!("{text}\n{lines}"),
        })
    }

    /// What it says, unverified.
    pub const fn claim(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Judges the signature by the owner's charter: which of its keys made it.
    ///
    /// # Errors
    /// `UnknownKey` if none of its keys has that identifier, `CompromisedKey`, `BadSignature`.
    pub fn verify(self, charter: &Charter) -> Result<VerifiedCheckpoint, Refusal> {
        let name = self.checkpoint.origin();
        let found = charter
            .keys_newest_first()
            .find(|(_, key)| key_id(&name, TYPE_NOTE, &key.to_bytes()) == self.key_id);
        let Some((key_seq, key)) = found else {
            return Err(Refusal::new(CHECKPOINT, Reason::UnknownKey));
        };
        if charter.is_compromised(key_seq) {
            return Err(Refusal::new(CHECKPOINT, Reason::CompromisedKey));
        }
        key.verify_message(
            CHECKPOINT,
            self.checkpoint.text().as_bytes(),
            &self.signature,
        )?;
        Ok(VerifiedCheckpoint {
            checkpoint: self.checkpoint,
            rcp: charter.rcp(),
            key_seq,
            note: self.note,
        })
    }

    /// Judges the signature, and demands that the current key made it: then it counts as head.
    ///
    /// # Errors
    /// `RetiredKey`, and those of [`SignedCheckpoint::verify`].
    pub fn verify_head(self, charter: &Charter) -> Result<VerifiedCheckpoint, Refusal> {
        let verified = self.verify(charter)?;
        if verified.key_seq != charter.current_seq() {
            return Err(Refusal::new(CHECKPOINT, Reason::RetiredKey));
        }
        Ok(verified)
    }

    /// The whole note.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// A checkpoint that an owner's key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    rcp: RcpId,
    key_seq: u32,
    note: String,
}

impl VerifiedCheckpoint {
    /// What it says.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whose key signed it.
    pub const fn rcp(&self) -> RcpId {
        self.rcp
    }

    /// Key event of the key that signed it.
    pub const fn key_seq(&self) -> u32 {
        self.key_seq
    }

    /// The whole note.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// "I hold these lines and have carried out every withdrawal in them."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is held.
    pub checkpoint: Checkpoint,
    /// Who holds it.
    pub holder: RcpId,
    /// When it said so, in Unix seconds, as C2SP fixes it.
    pub time_s: u64,
}

impl Held {
    fn key_name(holder: &RcpId) -> String {
        format!("{holder}/held")
    }

    fn message(&self) -> String {
        format!(
            "cosignature/v1\ntime {}\n{}",
            self.time_s,
            self.checkpoint.text()
        )
    }

    /// Signs with the holder's key: the whole note.
    pub fn sign(&self, key: &SecretKey) -> String {
        let signature = key.sign_message(self.message().as_bytes());
        let name = Self::key_name(&self.holder);
        let id = key_id(&name, TYPE_COSIGNATURE, &key.public_bytes());
        let line = signature_line(&name, &id, &[&self.time_s.to_be_bytes(), &signature]);
        format!("{}\n{line}", self.checkpoint.text())
    }

    /// Who says that it holds what: not yet judged.
    ///
    /// # Errors
    /// `TooLong`, `Malformed`.
    pub fn claimed(note: &[u8]) -> Result<(RcpId, Checkpoint), Refusal> {
        let (text, lines) = split_note(HELD, note)?;
        let name = lines.split(' ').nth(1).unwrap_or_default();
        let holder = name.strip_suffix("/held").ok_or_else(|| malformed(HELD))?;
        Ok((holder.parse()?, Checkpoint::parse_text(text)?))
    }

    /// Reads and judges a cosignature by the charter of its holder.
    ///
    /// # Errors
    /// `TooLong`, `Malformed`, `UnknownKey`, `CompromisedKey`, `BadSignature`.
    pub fn verify(note: &[u8], holder: &Charter) -> Result<Self, Refusal> {
        let (text, lines) = split_note(HELD, note)?;
        let checkpoint = Checkpoint::parse_text(text)?;
        let name = Self::key_name(&holder.rcp());
        let (id, stamped) = read_line::<72>(HELD, &name, lines)?;
        let (time, signature) = stamped.split_at(8);
        let held = Self {
            checkpoint,
            holder: holder.rcp(),
            time_s: u64::from_be_bytes(time.try_into().map_err(|_| malformed(HELD))?),
        };
        let signature = signature.try_into().map_err(|_| malformed(HELD))?;
        let found = holder
            .keys_newest_first()
            .find(|(_, key)| key_id(&name, TYPE_COSIGNATURE, &key.to_bytes()) == id);
        let Some((seq, key)) = found else {
            return Err(Refusal::new(HELD, Reason::UnknownKey));
        };
        if holder.is_compromised(seq) {
            return Err(Refusal::new(HELD, Reason::CompromisedKey));
        }
        verify_note(key, &held.message(), &signature)?;
        Ok(held)
    }
}

fn verify_note(key: &PublicKey, message: &str, signature: &Signature) -> Result<(), Refusal> {
    key.verify_message(HELD, message.as_bytes(), signature)
}

const fn malformed(what: &'static str) -> Refusal {
    Refusal::new(what, Reason::Malformed)
}

/// First four bytes of SHA-256 over key name, newline, signature type and public key.
fn key_id(name: &str, kind: u8, key: &[u8; 32]) -> [u8; 4] {
    let sha = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind])
        .chain_update(key);
    let [a, b, c, d, ..] = <[u8; 32]>::from(sha.finalize());
    [a, b, c, d]
}

fn signature_line(name: &str, id: &[u8; 4], parts: &[&[u8]]) -> String {
    format!(
        "\u{2014} {name} {}\n",
        BASE64.encode(&[&[id.as_slice()], parts].concat().concat())
    )
}

/// Splits a note at its empty line; both halves keep their final newline.
fn split_note<'a>(what: &'static str, note: &'a [u8]) -> Result<(&'a str, &'a str), Refusal> {
    if note.len() > NOTE_TEXT_BYTES_MAX {
        return Err(Refusal::new(what, Reason::TooLong));
    }
    let note = std::str::from_utf8(note).map_err(|_| malformed(what))?;
    let at = note.find("\n\n").ok_or_else(|| malformed(what))?;
    Ok((&note[..=at], &note[at + 2..]))
}

/// Reads exactly one signature line of `name`: key identifier and `N` bytes.
fn read_line<const N: usize>(
    what: &'static str,
    name: &str,
    line: &str,
) -> Result<([u8; 4], [u8; N]), Refusal> {
    let encoded = line
        .strip_prefix("\u{2014} ")
        .and_then(|rest| rest.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix(' '))
        .and_then(|rest| rest.strip_suffix('\n'))
        .ok_or_else(|| malformed(what))?;
    let bytes = BASE64
        .decode(encoded.as_bytes())
        .map_err(|_| malformed(what))?;
    let (id, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| malformed(what))?;
    Ok((*id, rest.try_into().map_err(|_| malformed(what))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charter::SignedKeyEvent;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn charter() -> Charter {
        Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter")
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            log: LogId::new([7; 32]),
            incarnation: 0,
            size: 12,
            root: Hash::new([8; 32]),
        }
    }

    #[test]
    fn a_note_is_read_only_in_its_one_form() {
        let note = checkpoint().sign(&key(1)).note().to_owned();
        let parsed = SignedCheckpoint::parse(note.as_bytes()).expect("parse");
        assert_eq!(parsed.note(), note);
        let verified = parsed.verify_head(&charter()).expect("verify");
        assert_eq!(
            (*verified.checkpoint(), verified.key_seq()),
            (checkpoint(), 0)
        );
        assert_eq!(verified.note(), note);
        for bad in [
            note.replace("\n12\n", "\n012\n"),
            note.replace("\n12\n", "\n+12\n"),
            note.replace("\n\n", "\nextension\n\n"),
            note.replace('\u{2014}', "-"),
            format!("{note}{}", note.lines().last().expect("line")),
            note.trim_end().to_owned(),
        ] {
            let verdict = SignedCheckpoint::parse(bad.as_bytes());
            assert_eq!(
                verdict.map_err(|r| r.reason),
                Err(Reason::Malformed),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_retired_key_signs_no_head_and_a_compromised_one_nothing() {
        let note = checkpoint().sign(&key(1));
        let rotate = |compromised| {
            let mut after = charter();
            let event = SignedKeyEvent::rotation(
                &charter(),
                &key(2),
                &key(3),
                &key(4).public_bytes(),
                compromised,
            );
            after.push(event.expect("rotation")).expect("push");
            after
        };
        let head = note.clone().verify_head(&rotate(None));
        assert_eq!(head.map_err(|r| r.reason), Err(Reason::RetiredKey));
        assert_eq!(
            note.clone().verify(&rotate(None)).map(|v| v.key_seq()),
            Ok(0)
        );
        let again = checkpoint().sign(&key(3)).verify_head(&rotate(None));
        assert_eq!(again.map(|v| v.key_seq()), Ok(1));
        let stolen = note.verify(&rotate(Some(0)));
        assert_eq!(stolen.map_err(|r| r.reason), Err(Reason::CompromisedKey));
    }

    #[test]
    fn a_cosignature_verifies_only_as_what_was_held() {
        let held = Held {
            checkpoint: checkpoint(),
            holder: charter().rcp(),
            time_s: 1_700_000_000,
        };
        let note = held.sign(&key(1));
        let claimed = Held::claimed(note.as_bytes());
        assert_eq!(claimed, Ok((held.holder, held.checkpoint)));
        assert_eq!(Held::verify(note.as_bytes(), &charter()), Ok(held));
        let other = note.replace("\n12\n", "\n13\n");
        assert_eq!(
            Held::verify(other.as_bytes(), &charter()),
            Err(Refusal::new(HELD, Reason::BadSignature))
        );
        let checkpoint_note = checkpoint().sign(&key(1)).note().to_owned();
        assert!(Held::verify(checkpoint_note.as_bytes(), &charter()).is_err());
        assert!(SignedCheckpoint::parse(note.as_bytes()).is_err());
    }
}
