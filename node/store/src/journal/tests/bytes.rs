//! Golden bytes of everything that is stored for ever.

use super::*;
use crate::journal::layout::*;
use sha2::{Digest, Sha256};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A plain CRC-32 (IEEE), bit by bit, to compare with.
fn crc(parts: &[&[u8]]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in parts.concat() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    (!crc).to_be_bytes()
}

fn group() -> Vec<NewFrame<'static>> {
    let with_blob = NewFrame {
        kind: 16,
        meta: b"meta"[..].into(),
        blob: b"blob"[..].into(),
    };
    let without = NewFrame {
        kind: 255,
        meta: b"m"[..].into(),
        blob: [][..].into(),
    };
    vec![with_blob, without]
}

#[test]
fn header_bytes() {
    let header = Header {
        segment: 0x0102_0304,
        generation: 0x0506_0708,
        journal_id: ID,
    };
    let bytes = header.encode();
    assert_eq!(
        hex(&bytes),
        "434f525249444f52000101020304050607086120\
         6a6f75726e616c2773206e616d65481c9f18"
    );
    assert_eq!(bytes[34..], crc(&[&bytes[..34]]));
    assert_eq!(Header::decode(&bytes), Ok(header));
}

#[test]
fn a_new_journal_is_a_header() {
    let folder = Folder::new();
    let header = Header {
        segment: 0,
        generation: 0,
        journal_id: ID,
    };
    assert_eq!(folder.bytes(0), header.encode());
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["00000000.seg"]);
}

#[test]
fn frame_and_group_bytes() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let places = opened.journal.append(&group()).unwrap();
    assert_eq!(
        places.iter().map(|place| place.offset).collect::<Vec<_>>(),
        [38, 59]
    );
    let bytes = folder.bytes(0);
    let (header, frames) = bytes.split_at(38);
    assert_eq!(
        hex(frames),
        "0000000d50be19ab10000000046d657461626c6f62\
         0000000612cdc8eeff000000016d\
         00000035788d175c010000003000000002000000000000000000000026\
         49fb39a89643c04bfc692b8ec4ad5e1c0d144c47c4128c216083be930475c688"
    );
    assert_eq!(
        frames[4..8],
        crc(&[&header[..34], &frames[..4], &frames[8..17]])
    );
    let before: [u8; 32] = Sha256::digest(header).into();
    let chain = Sha256::digest([before.as_slice(), &frames[..17], &frames[21..35]].concat());
    assert_eq!(frames[64..], chain[..]);
    let position = opened.journal.position();
    assert_eq!(position.hash, chain[..]);
    assert_eq!(
        position.place,
        Place {
            segment: 0,
            generation: 0,
            offset: 134
        }
    );
}

#[test]
fn groups_of_one_write_count_down() {
    let folder = Folder::new();
    let mut opened = folder.open();
    opened.journal.append_all(&[group(), group()]).unwrap();
    let bytes = folder.bytes(0);
    let commit = |at: usize| hex(&bytes[at + 13..at + 29]);
    assert_eq!(commit(38 + 35), "00000002000000010000000000000026");
    assert_eq!(commit(134 + 35), "00000002000000000000000000000026");
}

#[test]
fn erase_frame_bytes() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let places = opened.journal.append(&group()).unwrap();
    opened.journal.erase(&places).unwrap();
    let bytes = folder.bytes(0);
    assert_eq!(hex(&bytes[55..59]), "00000000");
    // The second frame has no blob, so the erase frame names the first alone.
    assert_eq!(
        hex(&bytes[134..163]),
        "000000152db39967020000001000000000000000000000000000000026"
    );
    assert_eq!(bytes.len(), 163 + COMMIT_BYTES);
}

#[test]
fn dropped_frame_bytes() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(1);
    for _ in 0..2 {
        opened.journal.append(&group()).unwrap();
    }
    opened.journal.compact(0, &mut |_| false).unwrap();
    let bytes = folder.bytes(0);
    assert_eq!(
        hex(&bytes[38..59]),
        "0000000d03ec4b5a05000000080000000000000001"
    );
    let (header, frame) = (&bytes[..34], &bytes[38..59]);
    assert_eq!(frame[4..8], crc(&[header, &frame[..4], &frame[8..]]));
    assert_eq!(bytes.len(), 59 + COMMIT_BYTES + 13 + COMMIT_BYTES);
}

#[test]
fn seal_and_cut_bytes() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(1);
    opened.journal.append(&group()).unwrap();
    opened.journal.append(&group()).unwrap();
    let bytes = folder.bytes(0);
    assert_eq!(hex(&bytes[134..147]), "00000005091c31760300000000");
    assert_eq!(bytes.len(), 147 + COMMIT_BYTES);
    drop(opened);
    let last = folder.bytes(1);
    folder.write(1, &last[..last.len() - 1]);
    drop(folder.open());
    let last = folder.bytes(1);
    assert_eq!(hex(&last[46..47]), "04");
    assert_eq!(hex(&last[51..67]), "0000000000000026000000000000005f");
}

#[test]
fn place_and_position_bytes() {
    let place = Place {
        segment: 1,
        generation: 2,
        offset: 3,
    };
    assert_eq!(hex(&place.to_bytes()), "00000001000000020000000000000003");
    assert_eq!(Place::from_bytes(place.to_bytes()), place);
    let position = Position {
        place,
        hash: [4; 32],
        journal_id: [5; 16],
        compactions: 6,
    };
    let bytes = position.to_bytes();
    let expected = [
        &place.to_bytes()[..],
        &[4; 32],
        &[5; 16],
        &[0, 0, 0, 0, 0, 0, 0, 6],
    ]
    .concat();
    assert_eq!(bytes[..], expected);
    assert_eq!(Position::from_bytes(&bytes), Some(position));
    assert_eq!(Position::from_bytes(&bytes[1..]), None);
}

#[test]
fn a_newer_format_is_refused_as_newer() {
    let folder = Folder::new();
    let mut bytes = folder.bytes(0);
    bytes[9] = 2;
    let sum = crc(&[&bytes[..34]]);
    bytes[34..].copy_from_slice(&sum);
    folder.write(0, &bytes);
    let error = folder.try_open(SEGMENT_BYTES).err().unwrap();
    assert!(matches!(error, JournalError::NewerFormat { format: 2, .. }));
    assert!(error.to_string().contains("made by a newer version"));
}
