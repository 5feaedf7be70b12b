//! Verifies what a node says of a record from the charter of its RCP alone.
//!
//! A proof shows that the RCP signed this version, that it published it in one of its logs, and
//! that its current key affirms that log. It does not show that no withdrawal followed: for that
//! ask again, or follow the log. **Invariant:** nothing that the node claims about a record is
//! looked at before its bytes have verified, and a [`VerifiedAnswer`] is made here only.

use corridor_proto::charter::Charter;
use corridor_proto::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::kinds::{Shown, summarise};
use corridor_proto::line::{Act, Line, ReadLine, read_line};
use corridor_proto::record::{Header, SignedRecord, VerifiedRecord};
use corridor_proto::tree::{leaf_hash, verify_inclusion};
use corridor_proto::wire::{self, Identity};
use corridor_proto::{LogId, LogSeed, Reason, Refusal};
use prost::Message;

use crate::names::RecordName;
use crate::v1;

/// A record version with all that proves it.
#[derive(Clone, Debug)]
pub struct VerifiedAnswer {
    identity: Identity,
    record: VerifiedRecord,
    line: Line,
    index: u64,
    checkpoint: VerifiedCheckpoint,
}

impl VerifiedAnswer {
    /// Charter and card of its RCP.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The record version.
    pub const fn record(&self) -> &VerifiedRecord {
        &self.record
    }

    /// What was signed of it.
    pub const fn header(&self) -> &Header {
        self.record.header()
    }

    /// Its body: an encoded message of its kind.
    pub fn body(&self) -> &[u8] {
        &self.record.signed().body
    }

    /// What lists and screens show of its body.
    pub fn shown(&self) -> Shown {
        summarise(self.header().kind, self.body())
    }

    /// The line that published it.
    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// Index of that line in its log.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The head of the log, which the current key of the RCP signed.
    pub const fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// The log.
    pub const fn log(&self) -> LogId {
        self.checkpoint.checkpoint().log
    }
}

/// Verifies a proof from itself alone: charter, header, body, line, its place under a checkpoint of
/// the RCP's current key, and that all of it is about the record asked for.
///
/// # Errors
/// The first thing that does not verify.
pub fn verify_proof(
    name: &RecordName,
    proof: v1::ProveRecordResponse,
) -> Result<VerifiedAnswer, Refusal> {
    verify_proof_beside(name, proof, None)
}

/// As [`verify_proof`]; a charter that is `known`, byte for byte, is not verified again.
pub(crate) fn verify_proof_beside(
    name: &RecordName,
    proof: v1::ProveRecordResponse,
    known: Option<&Charter>,
) -> Result<VerifiedAnswer, Refusal> {
    let missing = |what| Refusal::new(what, Reason::Truncated);
    let identity = proof.identity.ok_or_else(|| missing("charter"))?;
    let identity = Identity::verify_beside(identity, known)?;
    if identity.charter.rcp() != name.rcp {
        return Err(Refusal::new("charter", Reason::WrongRcp));
    }
    let record =
        signed_record(proof.raw.ok_or_else(|| missing("record"))?)?.verify(&identity.charter)?;
    if record.header().record != name.record {
        return Err(Refusal::new("record identifier", Reason::WrongHash));
    }
    let line = publish_line(&proof.line, &record)?;
    let checkpoint = SignedCheckpoint::parse(&proof.checkpoint)?.verify_head(&identity.charter)?;
    let head = checkpoint.checkpoint();
    let seed = LogSeed::from_slice(&proof.seed)?;
    if head.log != LogId::derive(&name.rcp, &seed) {
        return Err(Refusal::new("checkpoint", Reason::WrongLog));
    }
    verify_inclusion(
        &leaf_hash(&proof.line),
        proof.index,
        head.size,
        &head.root,
        &wire::proof(&proof.proof)?,
    )?;
    Ok(VerifiedAnswer {
        index: proof.index,
        identity,
        record,
        line,
        checkpoint,
    })
}

/// Verifies a file that proves a record: an encoded `ProveRecordResponse`. Which record of which
/// RCP it is about is what the file itself says; whether that is the RCP one knows is for its
/// reader to compare.
///
/// # Errors
/// `Malformed` for what is no such message, and as [`verify_proof`].
pub fn read_proof_file(bytes: &[u8]) -> Result<VerifiedAnswer, Refusal> {
    let malformed = |_| Refusal::new("proof", Reason::Malformed);
    let proof = v1::ProveRecordResponse::decode(bytes).map_err(malformed)?;
    // In one form alone: nothing is given twice, and nothing is there that nobody looks at.
    if proof.encode_to_vec() != bytes {
        return Err(Refusal::new("proof", Reason::Malformed));
    }
    let missing = |what| Refusal::new(what, Reason::Truncated);
    let rcp = proof.identity.as_ref().and_then(Identity::claimed);
    let raw = proof.raw.as_ref().ok_or_else(|| missing("record"))?;
    let name = RecordName {
        rcp: rcp.ok_or_else(|| missing("charter"))?,
        record: Header::decode(&raw.header)?.record,
    };
    verify_proof(&name, proof)
}

/// A record's bytes as the API carries them, not yet judged.
///
/// # Errors
/// `Malformed`, `TooLong`.
pub fn signed_record(raw: v1::RawRecord) -> Result<SignedRecord, Refusal> {
    wire::record(v1::RecordItem {
        index: 0,
        header: raw.header,
        signature: raw.signature,
        salt: raw.salt,
        body: raw.body,
    })
}

/// The line, which must publish exactly this version.
fn publish_line(bytes: &[u8], record: &VerifiedRecord) -> Result<Line, Refusal> {
    let ReadLine::Line(line) = read_line(bytes)? else {
        return Err(Refusal::new("line", Reason::UnknownFormat));
    };
    let header = record.header();
    let expected = Act::Publish {
        version_hash: record.version_hash(),
        record: header.record,
        version: header.version,
    };
    if line.act != expected {
        return Err(Refusal::new("line", Reason::WrongHash));
    }
    Ok(line)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use corridor_proto::card::{Card, tls_key_hash};
    use corridor_proto::charter::SignedKeyEvent;
    use corridor_proto::checkpoint::Checkpoint;
    use corridor_proto::key::SecretKey;
    use corridor_proto::record::NewRecord;
    use corridor_proto::tree::Tree;
    use corridor_proto::{Hash, RecordId, Salt, UnixMillis};

    const INDEX: u64 = 5;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn identity(charter: &Charter, signer: &SecretKey) -> v1::Identity {
        let card = Card {
            rcp: charter.rcp(),
            key_seq: charter.current_seq(),
            serial: 1,
            tls_key: tls_key_hash(b"spki"),
            bundle_key: [5; 32],
            versions: vec![1],
            names: vec![("en".into(), "Prague Process".into())],
            addresses: Vec::new(),
        };
        let signed = card.sign(signer).expect("card");
        v1::Identity {
            key_events: charter
                .events()
                .iter()
                .map(wire::key_event_message)
                .collect(),
            card: Some(v1::SignedCard {
                card: signed.bytes,
                signature: signed.signature.to_vec(),
            }),
        }
    }

    /// A good invitation.
    pub(crate) fn invitation() -> Vec<u8> {
        let world = world();
        wire::Invitation {
            identity: Identity::verify(identity(&world.charter, &key(3))).expect("identity"),
            token: corridor_proto::Token::new([9; 32]),
        }
        .encode()
    }

    fn line(act: Act) -> Vec<u8> {
        Line {
            time: UnixMillis(1_700_000_000_000),
            random: [9; 16],
            act,
        }
        .encode()
    }

    fn publish(record: &VerifiedRecord) -> Act {
        Act::Publish {
            version_hash: record.version_hash(),
            record: record.header().record,
            version: record.header().version,
        }
    }

    /// A charter after one rotation, and a record that the retired key signed.
    struct World {
        first: Charter,
        charter: Charter,
        record: VerifiedRecord,
    }

    fn world() -> World {
        let first =
            Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter");
        let record = NewRecord {
            record: RecordId::new([3; 16]),
            version: 7,
            kind: 1,
            time: UnixMillis(1_700_000_000_000),
            salt: Salt::new([4; 32]),
            body: b"body".to_vec(),
        }
        .sign(&first, &key(1))
        .expect("record");
        let mut charter = first.clone();
        let rotation =
            SignedKeyEvent::rotation(&first, &key(2), &key(3), &key(4).public_bytes(), None);
        charter.push(rotation.expect("rotation")).expect("push");
        World {
            first,
            charter,
            record,
        }
    }

    impl World {
        fn name(&self) -> RecordName {
            RecordName {
                rcp: self.charter.rcp(),
                record: self.record.header().record,
            }
        }

        fn proof_of(&self, act: Act, seed: LogSeed, signer: &SecretKey) -> v1::ProveRecordResponse {
            let line = line(act);
            let mut tree = Tree::new();
            for index in 0..11 {
                tree.push(match index {
                    INDEX => leaf_hash(&line),
                    other => leaf_hash(&other.to_be_bytes()),
                });
            }
            let checkpoint = Checkpoint {
                log: LogId::derive(&self.charter.rcp(), &seed),
                incarnation: 0,
                size: tree.size(),
                root: tree.root_at(tree.size()).expect("root"),
            };
            let signed = self.record.signed();
            v1::ProveRecordResponse {
                identity: Some(identity(&self.charter, &key(3))),
                raw: Some(v1::RawRecord {
                    header: signed.header.bytes.clone(),
                    signature: signed.header.signature.to_vec(),
                    salt: signed.salt.as_bytes().to_vec(),
                    body: signed.body.clone(),
                }),
                seed: seed.as_bytes().to_vec(),
                index: INDEX,
                line,
                proof: wire::proof_message(&tree.inclusion(INDEX, tree.size()).expect("proof")),
                checkpoint: checkpoint.sign(signer).note().as_bytes().to_vec(),
            }
        }

        fn proof(&self) -> v1::ProveRecordResponse {
            self.proof_of(publish(&self.record), LogSeed::new([6; 16]), &key(3))
        }
    }

    fn refusal(world: &World, proof: v1::ProveRecordResponse) -> (&'static str, Reason) {
        let refusal = verify_proof(&world.name(), proof).expect_err("refused");
        (refusal.what, refusal.reason)
    }

    type Part = (
        &'static str,
        fn(&mut v1::ProveRecordResponse) -> &mut Vec<u8>,
    );

    fn raw(proof: &mut v1::ProveRecordResponse) -> &mut v1::RawRecord {
        proof.raw.as_mut().expect("raw")
    }

    fn identity_of(proof: &mut v1::ProveRecordResponse) -> &mut v1::Identity {
        proof.identity.as_mut().expect("identity")
    }

    fn card_of(proof: &mut v1::ProveRecordResponse) -> &mut v1::SignedCard {
        identity_of(proof).card.as_mut().expect("card")
    }

    const PARTS: &[Part] = &[
        ("event 0", |p| &mut identity_of(p).key_events[0].event),
        ("signature 0", |p| {
            &mut identity_of(p).key_events[0].signing_signature
        }),
        ("event 1", |p| &mut identity_of(p).key_events[1].event),
        ("signature 1", |p| {
            &mut identity_of(p).key_events[1].signing_signature
        }),
        ("recovery 1", |p| {
            &mut identity_of(p).key_events[1].recovery_signature
        }),
        ("card", |p| &mut card_of(p).card),
        ("card signature", |p| &mut card_of(p).signature),
        ("header", |p| &mut raw(p).header),
        ("record signature", |p| &mut raw(p).signature),
        ("salt", |p| &mut raw(p).salt),
        ("body", |p| &mut raw(p).body),
        ("seed", |p| &mut p.seed),
        ("line", |p| &mut p.line),
        ("proof 0", |p| &mut p.proof[0]),
        ("proof 1", |p| &mut p.proof[1]),
        ("proof 2", |p| &mut p.proof[2]),
        ("proof 3", |p| &mut p.proof[3]),
        ("checkpoint", |p| &mut p.checkpoint),
    ];

    #[test]
    fn a_good_proof_verifies_even_of_a_record_under_a_retired_key() {
        let world = world();
        let answer = verify_proof(&world.name(), world.proof()).expect("verified");
        assert_eq!(answer.record(), &world.record);
        assert_eq!(answer.body(), b"body");
        assert_eq!((answer.index(), answer.header().version), (INDEX, 7));
        assert_eq!(answer.checkpoint().key_seq(), 1);
        assert_eq!(
            answer.log(),
            LogId::derive(&world.charter.rcp(), &LogSeed::new([6; 16]))
        );
        assert_eq!(answer.shown(), Shown::Unreadable);
    }

    #[test]
    fn every_changed_byte_of_every_part_is_refused() {
        let world = world();
        assert_eq!(world.proof().proof.len(), 4);
        for (what, part) in PARTS {
            let length = part(&mut world.proof()).len();
            assert!(length > 0, "{what} is there");
            for at in 0..length {
                for bit in [1, 0x80] {
                    let mut proof = world.proof();
                    part(&mut proof)[at] ^= bit;
                    let beside = Some(&world.charter);
                    let verdict = verify_proof_beside(&world.name(), proof.clone(), beside);
                    assert!(
                        verdict.is_err(),
                        "{what} byte {at}, the charter being known"
                    );
                    let verdict = verify_proof(&world.name(), proof);
                    assert!(verdict.is_err(), "{what} byte {at}");
                }
            }
            for longer in [false, true] {
                let mut proof = world.proof();
                if longer {
                    part(&mut proof).push(0);
                } else {
                    part(&mut proof).pop();
                }
                assert!(
                    verify_proof(&world.name(), proof).is_err(),
                    "{what} {longer}"
                );
            }
        }
        for bit in 0..64 {
            let mut proof = world.proof();
            proof.index ^= 1 << bit;
            assert_eq!(
                refusal(&world, proof),
                ("inclusion proof", Reason::BadProof),
                "index bit {bit}"
            );
        }
    }

    #[test]
    fn every_missing_part_is_refused() {
        let world = world();
        let without: [fn(&mut v1::ProveRecordResponse); 5] = [
            |p| p.identity = None,
            |p| p.raw = None,
            |p| identity_of(p).card = None,
            |p| p.proof.truncate(3),
            |p| p.proof.push(vec![0; 32]),
        ];
        for spoil in without {
            let mut proof = world.proof();
            spoil(&mut proof);
            assert!(verify_proof(&world.name(), proof).is_err());
        }
    }

    #[test]
    fn a_proof_of_another_record_or_rcp_is_refused() {
        let world = world();
        let mut other = world.name();
        other.record = RecordId::new([8; 16]);
        let verdict = verify_proof(&other, world.proof()).expect_err("other record");
        assert_eq!(verdict.what, "record identifier");
        let mut other = world.name();
        other.rcp = corridor_proto::RcpId::new([8; 32]);
        let verdict = verify_proof(&other, world.proof()).expect_err("other RCP");
        assert_eq!(verdict.reason, Reason::WrongRcp);
    }

    #[test]
    fn a_head_under_a_retired_key_is_no_head() {
        let world = world();
        let seed = LogSeed::new([6; 16]);
        let proof = world.proof_of(publish(&world.record), seed, &key(1));
        assert_eq!(refusal(&world, proof), ("checkpoint", Reason::RetiredKey));
        let mut proof = world.proof_of(publish(&world.record), seed, &key(1));
        proof.identity = Some(identity(&world.first, &key(1)));
        let verdict = verify_proof(&world.name(), proof);
        assert!(
            verdict.is_ok(),
            "from the older charter alone it is the head"
        );
    }

    #[test]
    fn only_the_line_that_publishes_this_version_will_do() {
        let world = world();
        let (record, version_hash) = (world.name().record, world.record.version_hash());
        let others = [
            Act::Leave { record },
            Act::Readers {
                list: Hash::new([1; 32]),
            },
            Act::Publish {
                version_hash: Hash::new([1; 32]),
                record,
                version: 7,
            },
            Act::Publish {
                version_hash,
                record,
                version: 8,
            },
            Act::Publish {
                version_hash,
                record: RecordId::new([8; 16]),
                version: 7,
            },
        ];
        for act in others {
            let proof = world.proof_of(act, LogSeed::new([6; 16]), &key(3));
            assert_eq!(
                refusal(&world, proof),
                ("line", Reason::WrongHash),
                "{act:?}"
            );
        }
    }
}
