//! Where fuzzing begins: the vectors of the protocol, and what two honest nodes say to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use corridor_client::body;
use corridor_proto::kinds::Kind;
use corridor_proto::start::sign_start;
use corridor_proto::wire::{Invitation, proof_message};
use corridor_proto::{Hash, RcpId, RecordId, StartNumber, Token, v1};
use corridor_store::bytes::{write_fact, write_row};
use data_encoding::HEXLOWER;
use prost::Message;
use serde_json::Value;

use super::link::Play;
use super::papers::{CHARTERS, key};
use super::scene::{self, SCENE};
use super::trees::{ATTACHMENT, TREE, lines};
use crate::sim::network::Frame;

/// Longer seeds teach a fuzzer nothing that a short one does not.
const SEED_BYTES_MAX: usize = 4_096;
/// Seeds of one target.
const SEEDS_MAX: usize = 64;

/// The seeds of each target.
pub type Seeds = BTreeMap<&'static str, BTreeSet<Vec<u8>>>;

/// Which values of which vectors are seeds of which target.
const VECTORS: [(&str, &str, &[&str]); 16] = [
    ("header", "record.json", &["header"]),
    ("line", "line.json", &["line"]),
    ("readers", "readers.json", &["list"]),
    ("key_event", "charter.json", &["event"]),
    ("card", "card.json", &["card"]),
    (
        "checkpoint",
        "checkpoint.json",
        &["note", "text", "checkpoint"],
    ),
    ("held", "held.json", &["note"]),
    (
        "evidence",
        "evidence.json",
        &["evidence", "message", "encoded"],
    ),
    ("invitation", "invitation.json", &["invitation", "link"]),
    ("session_frame", "frame.json", &["frame", "encoded"]),
    ("ids", "identifiers.json", &["text", "log", "rcp"]),
    ("line", "package.json", &["log", "lines"]),
    ("record", "record.json", &["message", "item"]),
    ("readers", "readers.json", &["bytes"]),
    ("identity", "invitation.json", &["identity"]),
    ("bundle", "bundle.json", &["bundle"]),
];

/// All seeds.
///
/// # Errors
/// If the vectors cannot be read.
pub fn seeds(vectors: &Path) -> io::Result<Seeds> {
    let mut seeds = Seeds::new();
    for (target, file, keys) in VECTORS {
        let text = fs::read_to_string(vectors.join(file))?;
        let json: Value = serde_json::from_str(&text)?;
        let mut found = BTreeSet::new();
        collect(&json, keys, false, &mut found);
        seeds.entry(target).or_default().append(&mut found);
    }
    charters(vectors, &mut seeds)?;
    papers(&mut seeds);
    trees(&mut seeds);
    bodies(&mut seeds);
    settings(&mut seeds);
    stored(&mut seeds);
    exchange(&mut seeds);
    seeds
        .entry("bundle_parts")
        .or_default()
        .extend(super::bundles::seeds());
    for (target, found) in super::tables::seeds() {
        seeds.entry(target).or_default().extend(found);
    }
    for found in seeds.values_mut() {
        found.retain(|seed| seed.len() <= SEED_BYTES_MAX);
        let mut by_length: Vec<Vec<u8>> = std::mem::take(found).into_iter().collect();
        by_length.sort_by_key(Vec::len);
        *found = by_length.into_iter().take(SEEDS_MAX).collect();
    }
    Ok(seeds)
}

/// Every text under one of `keys`: as bytes if it is hexadecimal, else as it is.
fn collect(json: &Value, keys: &[&str], inside: bool, found: &mut BTreeSet<Vec<u8>>) {
    match json {
        Value::String(text) if inside => {
            let bytes = HEXLOWER.decode(text.as_bytes());
            found.insert(bytes.unwrap_or_else(|_| text.clone().into_bytes()));
        }
        Value::Array(list) => list.iter().for_each(|e| collect(e, keys, inside, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(value, keys, keys.contains(&name.as_str()), found);
            }
        }
        _ => {}
    }
}

fn add(seeds: &mut Seeds, target: &'static str, seed: Vec<u8>) {
    seeds.entry(target).or_default().insert(seed);
}

/// Every chain of events in the vectors, good or refused.
fn charters(vectors: &Path, seeds: &mut Seeds) -> io::Result<()> {
    let text = fs::read_to_string(vectors.join("charter.json"))?;
    let json: Value = serde_json::from_str(&text)?;
    let bytes = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        HEXLOWER.decode(text.as_bytes()).unwrap_or_default()
    };
    for list in json.as_object().into_iter().flat_map(|all| all.values()) {
        for case in list.as_array().into_iter().flatten() {
            let events = case["events"].as_array().into_iter().flatten();
            let key_events = events.map(|event| v1::SignedKeyEvent {
                event: bytes(&event["event"]),
                recovery_signature: bytes(&event["recovery_signature"]),
                signing_signature: bytes(&event["signing_signature"]),
            });
            let identity = v1::Identity {
                key_events: key_events.collect(),
                card: None,
            };
            add(seeds, "charter", identity.encode_to_vec());
        }
    }
    Ok(())
}

fn papers(seeds: &mut Seeds) {
    let identity = SCENE.us.identity();
    add(seeds, "identity", identity.message().encode_to_vec());
    let token = Token::new([5; 32]);
    let invitation = Invitation { identity, token };
    add(seeds, "invitation", invitation.encode());
    add(seeds, "invitation", invitation.link().into_bytes());
    add(seeds, "answer", scene::proof().encode_to_vec());
    for (at, (charter, by)) in (0..).zip(CHARTERS.iter().zip([1, 2, 2, 31])) {
        let number = StartNumber::new([9; 16]);
        let signature = sign_start(&key(by), &charter.rcp(), &number);
        add(
            seeds,
            "start",
            [&[at][..], number.as_bytes(), &signature].concat(),
        );
    }
    for byte in [1, 31] {
        let text = SCENE.us.rcp.to_string();
        let parts = [vec![byte], text.into_bytes()].concat();
        add(seeds, "start", parts);
    }
}

fn hashes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn trees(seeds: &mut Seeds) {
    for (from, size) in [(0, 1), (0, 2), (3, 7), (8, 16), (5, 96), (64, 96), (95, 96)] {
        let short = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        let inclusion = TREE.inclusion(from, size).unwrap_or_default();
        let consistency = TREE.consistency(from, size).unwrap_or_default();
        for (sort, proof) in [(0, &inclusion), (1, &consistency)] {
            let head = [sort, short(from), short(size)];
            add(seeds, "tree", [&head[..], &hashes(proof)].concat());
        }
        let proof = TREE.consistency(size, 96).unwrap_or_default();
        let lines = lines().into_iter();
        let few = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let package = v1::Package {
            from,
            lines: lines.skip(few(from)).take(few(size - from)).collect(),
            proof: proof_message(&proof),
            ..v1::Package::default()
        };
        let head = [short(from), 96];
        add(
            seeds,
            "package",
            [&head[..], &package.encode_to_vec()].concat(),
        );
    }
    let (tree, content) = &*ATTACHMENT;
    for (index, chunk) in [(0_u64, &[6; 32][..]), (2, &content[65_536..])] {
        let proof = tree.inclusion(index, tree.size()).unwrap_or_default();
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let count = u8::try_from(proof.len()).unwrap_or(u8::MAX);
        let head = [&length.to_be_bytes()[..], &index.to_be_bytes(), &[count]].concat();
        add(
            seeds,
            "attachment",
            [&head, &hashes(&proof), chunk].concat(),
        );
    }
}

fn bodies(seeds: &mut Seeds) {
    let (rcp, record) = (RcpId::new([7; 32]), RecordId::new([9; 16]));
    for (choice, kind) in (0..).zip(Kind::ALL) {
        let template = body::template(*kind)
            .replace("REPLACE-RCP", &rcp.to_string())
            .replace("REPLACE-HASH", &rcp.to_string())
            .replace("REPLACE-RECORD", &record.to_string());
        add(
            seeds,
            "body_json",
            [&[choice][..], template.as_bytes()].concat(),
        );
        if let Ok(body) = body::from_json(*kind, template.as_bytes()) {
            add(seeds, "body", [&[choice][..], &body].concat());
        }
    }
    let texts = [("en", "A text."), ("fr", "Un texte.")].map(|(tag, text)| v1::LanguageText {
        tag: tag.to_owned(),
        text: text.to_owned(),
    });
    let note = v1::WithdrawalNote {
        texts: texts.into(),
    };
    let texts = u8::try_from(Kind::ALL.len()).unwrap_or_default();
    add(
        seeds,
        "body",
        [&[texts][..], &note.encode_to_vec()].concat(),
    );
}

/// Filters with everything that they may have, and some with more.
const FILTERS: [&str; 10] = [
    "kind = practice AND countries:PH OR -marking = restricted",
    "title = \"Орієнтація*\" text:'هجرة' first_year >= 2014",
    "NOT (corridor.from:BD AND publish_time < \"2025-11-24T00:00:00Z\")",
    "gcm_objectives > 17 (language:ar OR language:en-GB)",
    "demonstration = true our_ref:* last_year != 2020",
    "regex(title, \"^a\") AND a.b.c:1",
    "((((((((((((((((a))))))))))))))))",
    "-30 > 2.5 OR \"\\\"\" = '\\n'",
    "kind = (practice OR lesson)",
    "circle = federation state = withdrawn version < 9223372036854775807",
];

fn settings(seeds: &mut Seeds) {
    let (rcp, record, _) = scene::proved();
    for filter in FILTERS {
        add(seeds, "filter", filter.as_bytes().to_vec());
    }
    let names = [
        format!("rcps/{rcp}"),
        format!("rcps/{rcp}/records/{record}"),
        "A".repeat(102),
        "2026-11-24".to_owned(),
        "practice".to_owned(),
    ];
    for name in names {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let counted = [&length.to_be_bytes()[..], name.as_bytes(), b"rcps/-"].concat();
        add(seeds, "names", counted);
        add(seeds, "ids", name.into_bytes());
    }
    let key = Hash::new([3; 32]);
    let profile =
        format!("address = \"localhost:7443\"\nserver_key = \"{key}\"\ntoken = \"abcdefgh\"\n");
    add(seeds, "profile", profile.into_bytes());
    let config = "peer_listen = \"[::1]:7401\"\napi_listen = \"127.0.0.1:7402\"\n\
                  advertise = [\"rcp.example:7401\"]\n\n\
                  [[names]]\ntag = \"en\"\nname = \"An RCP\"\n";
    add(seeds, "config", config.as_bytes().to_vec());
    let certificate =
        rcgen::generate_simple_self_signed([corridor_node::operate::keys::peer_name(&rcp)]);
    if let Ok(certificate) = certificate {
        add(seeds, "certificate", certificate.cert.der().to_vec());
    }
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Facts of both nodes, alone and in order, as frames, segments and a backup; and their rows.
fn stored(seeds: &mut Seeds) {
    let mut groups = Vec::new();
    for node in [&SCENE.restored, &SCENE.peer] {
        let mut all = node.rcp.as_bytes().to_vec();
        for fact in node.journal.iter().flatten() {
            let Ok(frame) = write_fact(fact) else {
                continue;
            };
            let seed = [
                &[frame.kind][..],
                &counted(&frame.meta),
                &counted(&frame.blob),
            ]
            .concat();
            if all.len() + seed.len() <= SEED_BYTES_MAX {
                all.extend_from_slice(&seed);
                groups.push(frame);
            }
            add(seeds, "fact", seed);
        }
        add(seeds, "facts", all);
        for row in node.store.rows.values() {
            add(seeds, "row", write_row(row));
        }
    }
    super::journal::seeds(&groups, &mut |target, seed| add(seeds, target, seed));
}

/// What the partner says in an honest exchange, and acts that go through it.
fn exchange(seeds: &mut Seeds) {
    for restored in [false, true] {
        let mut play = Play::new(restored);
        play.all();
        for frame in &play.heard {
            let (target, act) = match frame {
                Frame::Session(_) => ("session_frame", 0),
                Frame::Carry(_) => ("carry_frame", 1),
            };
            add(seeds, target, frame.bytes());
            let made_up = [&[u8::from(restored), 7, act][..], &counted(&frame.bytes())];
            add(seeds, "link", made_up.concat());
            if let Frame::Carry(frame) = frame
                && let Some(v1::carry_frame::Frame::Records(records)) = &frame.frame
            {
                for item in &records.records {
                    add(seeds, "record", item.encode_to_vec());
                }
            }
        }
        let first = u8::from(restored);
        for acts in [
            &[7][..],
            &[3; 12],
            &[3, 4, 3, 4, 3, 4, 2, 70, 7],
            &[4, 3, 7],
        ] {
            add(seeds, "link", [&[first][..], acts].concat());
        }
        for at in 0..8 {
            let change = [
                first,
                3,
                4,
                5 + at % 2,
                0,
                3,
                0,
                40 + at,
                1,
                3,
                4,
                5,
                0,
                3,
                0,
                at,
                2,
                7,
            ];
            add(seeds, "link", change.to_vec());
        }
    }
}
