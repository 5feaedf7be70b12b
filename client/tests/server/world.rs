//! An RCP whose records the server gives, each with a proof that verifies.

use corridor_proto::card::{Card, tls_key_hash};
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::key::SecretKey;
use corridor_proto::line::{Act, Line};
use corridor_proto::record::NewRecord;
use corridor_proto::tree::{Tree, leaf_hash};
use corridor_proto::wire::{self, Identity};
use corridor_proto::{LogId, LogSeed, RecordId, Salt, UnixMillis, v1};
use prost::Message;

const TIME: UnixMillis = UnixMillis(1_700_000_000_000);

fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

fn charter() -> Charter {
    Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter")
}

fn identity(charter: &Charter) -> v1::Identity {
    let card = Card {
        rcp: charter.rcp(),
        key_seq: 0,
        serial: 1,
        tls_key: tls_key_hash(b"spki"),
        bundle_key: [5; 32],
        versions: vec![1],
        names: vec![("en".into(), "Prague Process".into())],
        addresses: Vec::new(),
    };
    let card = card.sign(&key(1)).expect("card").verify(charter);
    Identity {
        charter: charter.clone(),
        card: card.expect("card"),
    }
    .message()
}

/// What the server says of a record, and how it proves it.
#[derive(Clone)]
pub struct Told {
    pub record: v1::Record,
    pub proof: Option<v1::ProveRecordResponse>,
}

/// A practice of that title, told of truly.
pub fn practice(byte: u8, title: &str) -> Told {
    let charter = charter();
    let title = vec![v1::LanguageText {
        tag: "en".into(),
        text: title.into(),
    }];
    let body = v1::Practice {
        title: title.clone(),
        ..v1::Practice::default()
    };
    let record = NewRecord {
        record: RecordId::new([byte; 16]),
        version: 7,
        kind: 1,
        time: TIME,
        salt: Salt::new([4; 32]),
        body: body.encode_to_vec(),
    }
    .sign(&charter, &key(1))
    .expect("record");
    let (header, signed) = (record.header(), record.signed());
    let line = Line {
        time: TIME,
        random: [9; 16],
        act: Act::Publish {
            version_hash: record.version_hash(),
            record: header.record,
            version: header.version,
        },
    }
    .encode();
    let mut tree = Tree::new();
    tree.push(leaf_hash(b"before"));
    tree.push(leaf_hash(&line));
    let seed = LogSeed::new([byte; 16]);
    let checkpoint = Checkpoint {
        log: LogId::derive(&charter.rcp(), &seed),
        incarnation: 0,
        size: 2,
        root: tree.root_at(2).expect("root"),
    };
    Told {
        record: v1::Record {
            name: format!("rcps/{}/records/{}", charter.rcp(), header.record),
            kind: "practice".into(),
            version: 7,
            state: v1::RecordState::Current.into(),
            time_ms: TIME.0,
            title,
            ..v1::Record::default()
        },
        proof: Some(v1::ProveRecordResponse {
            identity: Some(identity(&charter)),
            raw: Some(v1::RawRecord {
                header: signed.header.bytes.clone(),
                signature: signed.header.signature.to_vec(),
                salt: signed.salt.as_bytes().to_vec(),
                body: signed.body.clone(),
            }),
            seed: seed.as_bytes().to_vec(),
            index: 1,
            line,
            proof: wire::proof_message(&tree.inclusion(1, 2).expect("proof")),
            checkpoint: checkpoint.sign(&key(1)).note().as_bytes().to_vec(),
        }),
    }
}
