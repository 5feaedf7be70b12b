//! Golden bytes: what a version wrote, every later one must read, to the byte.

use corridor_proto::card::SignedCard;
use corridor_proto::charter::SignedKeyEvent;
use corridor_proto::record::SignedHeader;
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, Salt, StartNumber, Token, UnixMillis};
use corridor_rules::draft::{Step, Taken};
use corridor_rules::fact::{Fact, SignedStart, blob};
use corridor_rules::{PeerState, Sort};
use sha2::{Digest, Sha256};

use super::{blob_intact, fact, frame, with_blob};

const RCP: RcpId = RcpId::new([1; 32]);
const LOG: LogId = LogId::new([2; 32]);
const HASH: Hash = Hash::new([3; 32]);
const RECORD: RecordId = RecordId::new([4; 16]);

fn facts() -> Vec<Fact> {
    let content = || blob(&Salt::new([5; 32]), b"content");
    let circle = |sort, name: &str| Fact::Circle {
        owner: RCP,
        seed: LogSeed::new([6; 16]),
        sort,
        name: name.to_owned(),
    };
    let peer = |state| Fact::Peer {
        rcp: RCP,
        state,
        at: UnixMillis(7),
    };
    let number = StartNumber::new([8; 16]);
    vec![
        Fact::KeyEvent {
            rcp: RCP,
            event: SignedKeyEvent {
                bytes: vec![9; 137],
                recovery_signature: [10; 64],
                signing_signature: [11; 64],
            },
        },
        Fact::Card {
            rcp: RCP,
            card: SignedCard {
                bytes: vec![12; 200],
                signature: [13; 64],
            },
        },
        peer(PeerState::Invited),
        peer(PeerState::Pending),
        peer(PeerState::Active),
        peer(PeerState::Paused),
        peer(PeerState::Left),
        circle(Sort::Public, "public"),
        circle(Sort::Open, "federation"),
        circle(Sort::Closed, ""),
        circle(Sort::Private(RCP), ""),
        Fact::Lines {
            log: LOG,
            from: 14,
            lines: vec![vec![15; 82], vec![16; 42]],
        },
        Fact::Head {
            log: LOG,
            note: "note\n".to_owned(),
        },
        Fact::List {
            log: LOG,
            hash: HASH,
            blob: content(),
        },
        Fact::Note {
            rcp: RCP,
            hash: HASH,
            blob: content(),
        },
        Fact::Former {
            log: LOG,
            rcp: RCP,
            size: 17,
        },
        Fact::Reader { log: LOG, rcp: RCP },
        Fact::Record {
            header: SignedHeader {
                bytes: vec![18; 109],
                signature: [19; 64],
            },
            blob: content(),
        },
        Fact::Quarantine {
            rcp: RCP,
            record: RECORD,
            version_hash: HASH,
            reason: "BAD_SIGNATURE".to_owned(),
        },
        Fact::Draft {
            record: RECORD,
            kind: 1,
            at: UnixMillis(20),
            blob: content(),
        },
        Fact::DraftGone { record: RECORD },
        Fact::Step {
            record: RECORD,
            taken: Taken {
                step: Step::Returned,
                at: UnixMillis(24),
                who: "A. Person".to_owned(),
                note: None,
            },
            note: Some(content()),
        },
        Fact::Held {
            holder: RCP,
            note: "note\n".to_owned(),
        },
        Fact::Start { number },
        Fact::Forget { rcp: RCP },
        Fact::PeerStart {
            rcp: RCP,
            start: SignedStart {
                number,
                signature: [23; 64],
            },
        },
        Fact::Invitation {
            token: HASH,
            expires: UnixMillis(21),
        },
        Fact::Redeemed { token: HASH },
        Fact::Accepted {
            rcp: RCP,
            token: Token::new([22; 32]),
        },
        Fact::SigningStopped {
            reason: "ANOTHER_COPY_RAN".to_owned(),
        },
        Fact::Named {
            rcp: RCP,
            name: "Bali Process".to_owned(),
        },
        Fact::Withdrawals {
            rcp: RCP,
            at: UnixMillis(24),
            count: 51,
        },
        Fact::EraseNow { rcp: RCP },
        Fact::OtherCopyGone { at: UnixMillis(25) },
        Fact::StartKnown {
            rcp: RCP,
            number: StartNumber::new([26; 16]),
        },
        Fact::SigningResumed { at: UnixMillis(27) },
        Fact::Rewound { log: LOG },
        Fact::VoidLines {
            log: LOG,
            lines: vec![vec![28; 3], vec![29; 4]],
        },
        Fact::Restored { at: UnixMillis(30) },
        Fact::Compared { log: LOG },
        Fact::Shown {
            log: LOG,
            incarnation: 31,
        },
        Fact::Met {
            rcp: RCP,
            at: UnixMillis(32),
        },
        Fact::Suspended {
            log: LOG,
            rcp: RCP,
            until: UnixMillis(33),
        },
        Fact::Evidence {
            rcp: RCP,
            evidence: vec![34; 300],
        },
        Fact::BranchLines {
            log: LOG,
            lines: vec![vec![35; 5]],
        },
        Fact::RestartAccepted { log: LOG },
    ]
}

/// Kind, length of the meta, and the first bytes of SHA-256 over it. A line is added for a new
/// kind; none is ever changed.
const GOLDEN: &[(u8, usize, &str)] = &[
    (16, 299, "3451d4a87580e81f"),
    (17, 64, "48bc537b7ef01e5b"),
    (18, 41, "836311ebb37327c8"),
    (18, 41, "6ccf9998db24d1e0"),
    (18, 41, "6f173fbabe52e346"),
    (18, 41, "1cb7903cc86f015f"),
    (18, 41, "668e483d562393f8"),
    (19, 89, "b97592941eb2601e"),
    (19, 93, "18fae4fa430ff7e2"),
    (19, 83, "d15a96a3a3fbf265"),
    (19, 83, "39abc6d961c41c4e"),
    (20, 170, "31fd3761fdb9cc1e"),
    (21, 39, "088ca23617cc4178"),
    (22, 64, "27f32fbbfac2fbbb"),
    (23, 64, "7d87fc68f80962fa"),
    (24, 72, "5861b7bcfd62c288"),
    (37, 64, "c57d4f59c961b13e"),
    (25, 175, "a0780deb10a53ca0"),
    (26, 95, "810274b7ef243332"),
    (27, 58, "8640245539b3caac"),
    (28, 16, "99558a881f0b229e"),
    (54, 69, "ed969c3924827836"),
    (29, 39, "0ff4f948222fbe54"),
    (30, 16, "07942d5f6ddd9f54"),
    (31, 32, "72cd6e8422c407fb"),
    (32, 112, "0c78ecf4e8f86ecf"),
    (33, 40, "7981e2bcc1fadba8"),
    (34, 32, "648aa5c579fb30f3"),
    (36, 64, "cd87a24fede50e07"),
    (35, 18, "16ea25b8320d39b1"),
    (38, 46, "12df2f4a0980f7b5"),
    (39, 44, "91fdfe9ebd629c98"),
    (40, 32, "72cd6e8422c407fb"),
    (41, 8, "561f627b4213258d"),
    (42, 48, "20f8710d4666df73"),
    (43, 8, "42f28a46039f894d"),
    (44, 32, "75877bb41d393b5f"),
    (45, 45, "cbedd7ebae29002e"),
    (46, 8, "48a97e421546f8d4"),
    (47, 32, "75877bb41d393b5f"),
    (48, 40, "e9e2ab226fe98a26"),
    (49, 40, "0a7194c3f79259cc"),
    (50, 72, "a0c2b897327166ae"),
    (51, 334, "77c2b8c952299390"),
    (52, 41, "b2987a8c1649b901"),
    (53, 32, "75877bb41d393b5f"),
];

#[test]
fn no_frame_ever_changes() {
    let found: Vec<(u8, usize, String)> = facts()
        .iter()
        .map(|fact| {
            let frame = frame(fact).expect("frame");
            let hash = Sha256::digest(&frame.meta);
            let short = hash
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            (frame.kind, frame.meta.len(), short)
        })
        .collect();
    let golden: Vec<_> = GOLDEN
        .iter()
        .map(|(k, len, hash)| (*k, *len, (*hash).to_owned()))
        .collect();
    assert_eq!(found, golden);
}

#[test]
fn every_fact_reads_back_without_its_blob() {
    for original in facts() {
        let frame = frame(&original).expect("frame");
        let mut read = fact(frame.kind, &frame.meta).expect("read");
        read = with_blob(read, frame.blob.to_vec());
        match &mut read {
            Fact::List { blob, .. }
            | Fact::Note { blob, .. }
            | Fact::Record { blob, .. }
            | Fact::Draft { blob, .. } => *blob = frame.blob.to_vec(),
            Fact::Step {
                note: Some(blob), ..
            } => *blob = frame.blob.to_vec(),
            Fact::Card { .. } => {}
            _ => assert!(frame.blob.is_empty()),
        }
        assert_eq!(read, original);
        for end in 0..frame.meta.len() {
            assert!(
                fact(frame.kind, &frame.meta[..end]).is_err(),
                "{original:?} cut at {end}"
            );
        }
    }
    assert!(
        fact(200, b"").is_err(),
        "a kind of a newer version is refused, not skipped"
    );
}

#[test]
fn a_blob_is_known_by_its_hash() {
    let draft = Fact::Draft {
        record: RECORD,
        kind: 1,
        at: UnixMillis(20),
        blob: blob(&Salt::new([5; 32]), b"content"),
    };
    let good = frame(&draft).expect("frame");
    assert!(blob_intact(good.kind, &good.meta, &good.blob));
    let mut bad = good.blob.to_vec();
    bad[40 - 8] ^= 1;
    assert!(!blob_intact(good.kind, &good.meta, &bad));
    assert!(!blob_intact(good.kind, &good.meta, &[]));
}

#[test]
fn only_a_private_circle_names_a_peer() {
    for (sort, reads) in [
        (Sort::Public, false),
        (Sort::Open, false),
        (Sort::Closed, false),
        (Sort::Private(RCP), true),
    ] {
        let circle = Fact::Circle {
            owner: RCP,
            seed: LogSeed::new([6; 16]),
            sort,
            name: "drafting".to_owned(),
        };
        let frame = frame(&circle).expect("frame");
        let mut meta = frame.meta.to_vec();
        assert!(fact(frame.kind, &meta).is_ok());
        meta[32 + 16 + 1] ^= 1; // the first byte of the peer
        assert_eq!(fact(frame.kind, &meta).is_ok(), reads, "{sort:?}");
    }
}
