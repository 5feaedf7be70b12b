//! Attachments: identifiers and chunk proofs.

use corridor_proto::attachment::{attachment_id, attachment_tree, verify_chunk};
use corridor_proto::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENT_CHUNK_BYTES};
use corridor_proto::{Hash, Salt};

use crate::json::{Json, hex, list, number, object, refused, text};
use crate::trees::proof_json;

const SALT: Salt = Salt::new([6; 32]);

fn content(bytes: usize) -> Vec<u8> {
    (0u8..251).cycle().take(bytes).collect()
}

pub fn attachment() -> Json {
    let sizes = [0, 1, 65_535, 65_536, 65_537, 150_000, 400_000];
    object([
        (
            "comment",
            text(
                "Attachments. Byte n of every content is n modulo 251; chunk 0 is the salt. A \
                 refused chunk is the named part (first byte, length) of that content, or the \
                 salt; flip changes the lowest bit of its first byte.",
            ),
        ),
        ("salt", hex(SALT.as_bytes())),
        ("good", list(sizes.map(good))),
        ("refused", list(refusals())),
    ])
}

fn good(bytes: usize) -> Json {
    let content = content(bytes);
    let tree = attachment_tree(&SALT, &content).expect("tree");
    let id = attachment_id(&SALT, &content).expect("id");
    let salt = SALT;
    let all = std::iter::once(salt.as_bytes().as_slice());
    let all = all.chain(content.chunks(ATTACHMENT_CHUNK_BYTES));
    let total = u64::try_from(bytes).expect("size");
    let chunks = (0..).zip(all).map(|(index, chunk)| {
        let proof = tree.inclusion(index, tree.size()).expect("proof");
        assert_eq!(verify_chunk(&id, total, index, chunk, &proof), Ok(()));
        object([
            ("index", number(index)),
            ("length", number(chunk.len())),
            ("leaf", hex(tree.leaf(index).expect("leaf").as_bytes())),
            ("proof", proof_json(&proof)),
        ])
    });
    object([
        ("bytes", number(bytes)),
        ("id", hex(id.as_bytes())),
        ("chunks", list(chunks)),
    ])
}

/// A part of the content, as it is claimed to be chunk `index` of `bytes`.
struct Claim {
    bytes: u64,
    index: u64,
    part: (usize, usize),
    flip: bool,
}

fn refusals() -> Vec<Json> {
    let content = content(150_000);
    let tree = attachment_tree(&SALT, &content).expect("tree");
    let id = attachment_id(&SALT, &content).expect("id");
    let case = |name: &str, claim: Claim, proof: Vec<Hash>| {
        let (first, length) = claim.part;
        let mut chunk = content[first..first + length].to_vec();
        if claim.flip {
            chunk[0] ^= 1;
        }
        let fields = [
            ("id", hex(id.as_bytes())),
            ("bytes", number(claim.bytes)),
            ("index", number(claim.index)),
            ("first", number(first)),
            ("length", number(length)),
            ("flip", Json::Bool(claim.flip)),
            ("proof", proof_json(&proof)),
        ];
        let verdict = verify_chunk(&id, claim.bytes, claim.index, &chunk, &proof);
        refused(name, fields, verdict)
    };
    let proof = |index| tree.inclusion(index, 4).expect("proof");
    let claim = |bytes, index, part, flip| Claim {
        bytes,
        index,
        part,
        flip,
    };
    let whole = (65_536, 65_536);
    vec![
        case(
            "over 25 MiB",
            claim(ATTACHMENT_BYTES_MAX + 1, 2, whole, false),
            proof(2),
        ),
        case(
            "a chunk one byte short",
            claim(150_000, 2, (65_536, 65_535), false),
            proof(2),
        ),
        case(
            "a last chunk too long",
            claim(150_000, 3, whole, false),
            proof(3),
        ),
        case(
            "a salt of 31 bytes",
            claim(150_000, 0, (0, 31), false),
            proof(0),
        ),
        case("a changed chunk", claim(150_000, 2, whole, true), proof(2)),
        case(
            "at another index",
            claim(150_000, 1, whole, false),
            proof(2),
        ),
        case("of another size", claim(300_000, 2, whole, false), proof(2)),
        case(
            "without its proof",
            claim(150_000, 2, whole, false),
            Vec::new(),
        ),
        case(
            "beyond the end",
            claim(150_000, 4, (0, 0), false),
            Vec::new(),
        ),
        case("127 hashes", claim(150_000, 2, whole, false), vec![id; 127]),
    ]
}
