//! Damage that is no torn tail: it is named, nothing is written, and nothing wrong is delivered.

use super::*;

/// Two segments of two groups each, the first write of one group, the others likewise.
fn two_segments() -> (Folder, Vec<Place>) {
    let folder = Folder::new();
    let mut opened = folder.open_sized(200);
    let mut places = Vec::new();
    for name in ["a", "b", "c", "d"] {
        places.extend(opened.journal.append(&[frame(name, "body")]).unwrap());
    }
    (folder, places)
}

#[test]
fn every_byte_flipped_is_cut_or_named_and_nothing_wrong_is_delivered() {
    let (folder, places) = two_segments();
    let all = ["a", "b", "c", "d"];
    for segment in 0..2 {
        let bytes = folder.bytes(segment);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x41;
            folder.write(segment, &flipped);
            let other = folder.bytes(1 - segment);
            let opened = folder.open_sized(200);
            let names = opened.names();
            let offset = file_length(at);
            let in_blob = places.iter().any(|place| {
                place.segment == segment && (place.offset + 18..place.offset + 22).contains(&offset)
            });
            let in_last = segment == 1 && offset >= places[3].offset;
            if in_last {
                assert_eq!(names, all[..3], "{at}");
                assert!(opened.recovery.cut.is_some() && opened.journal.is_read_only().is_none());
            } else if in_blob {
                assert_eq!(names, all, "{at}");
                assert!(opened.is_clean());
            } else {
                assert!(
                    names.len() < 4 && names.iter().all(|name| all.contains(name)) || names == all
                );
                let damage = opened.journal.is_read_only().unwrap();
                assert_eq!(
                    (damage.segment, damage.offset <= offset),
                    (segment, true),
                    "{at}"
                );
                assert!(
                    damage
                        .to_string()
                        .contains(&format!("{segment:08}.seg at "))
                );
                assert_eq!(folder.bytes(segment), flipped);
            }
            drop(opened);
            assert_eq!(folder.bytes(1 - segment), other);
            folder.write(segment, &bytes);
        }
    }
}

#[test]
fn an_earlier_segment_cut_anywhere_is_damage() {
    let (folder, _) = two_segments();
    let bytes = folder.bytes(0);
    for length in 0..bytes.len() {
        folder.write(0, &bytes[..length]);
        let opened = folder.open_sized(200);
        assert_eq!(opened.journal.is_read_only().unwrap().segment, 0);
        assert!(opened.names().ends_with(&["c", "d"]));
        assert!(opened.recovery.groups_past_damage >= 2);
        assert_eq!(folder.bytes(0).len(), length);
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let (folder, _) = two_segments();
    fs::remove_file(folder.segment(0)).unwrap();
    let opened = folder.open();
    let damage = opened.journal.is_read_only().unwrap();
    assert_eq!((damage.segment, damage.fault), (0, Fault::MissingSegment));
    assert_eq!(opened.names(), ["c", "d"]);
}

#[test]
fn a_segment_of_another_journal_or_number_is_damage() {
    let (folder, _) = two_segments();
    let second = folder.bytes(1);
    folder.write(1, &folder.bytes(0));
    assert_eq!(
        folder.open().journal.is_read_only().unwrap().fault,
        Fault::Misnamed
    );
    let header = Header {
        segment: 1,
        generation: 0,
        journal_id: [9; 16],
    };
    folder.write(1, &[&header.encode(), &second[HEADER_BYTES..]].concat());
    assert_eq!(
        folder.open().journal.is_read_only().unwrap().fault,
        Fault::Foreign
    );
}

#[test]
fn a_damaged_journal_reads_but_writes_nothing() {
    let (folder, places) = two_segments();
    let mut bytes = folder.bytes(0);
    let at = usize::try_from(places[0].offset).unwrap() + 14;
    bytes[at] ^= 1;
    folder.write(0, &bytes);
    // A torn tail in the last segment stays as it is, too.
    let last = folder.bytes(1);
    folder.write(1, &last[..last.len() - 1]);
    let mut opened = folder.open();
    assert_eq!(opened.names(), ["c"]);
    let journal = &mut opened.journal;
    let read_only = |result| assert!(matches!(result, Err(JournalError::ReadOnly(_))));
    read_only(journal.append(&[frame("e", "")]).map(|_| ()));
    read_only(journal.erase(&[places[1]]));
    read_only(journal.compact(0, &mut |_| true).map(|_| ()));
    assert!(matches!(
        journal.reader().read(places[0]),
        Err(JournalError::Damaged(_))
    ));
    // Behind the damage, a frame is still there for those who know its place.
    assert_eq!(opened.blob(places[1]), "body");
    assert_eq!(
        (folder.bytes(0), folder.bytes(1).len()),
        (bytes, last.len() - 1)
    );
}

#[test]
fn an_unreadable_folder_is_an_error_not_a_panic() {
    let folder = Folder::new();
    for bytes in [&b""[..], b"CORRIDOR", &[0; 100]] {
        folder.write(0, bytes);
        let error = folder.try_open(SEGMENT_BYTES).err().unwrap();
        assert!(matches!(
            error,
            JournalError::Damaged(Damage {
                fault: Fault::Header,
                ..
            })
        ));
    }
}

#[test]
fn an_oversized_file_is_not_read() {
    let folder = Folder::new();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(folder.segment(0))
        .unwrap();
    file.set_len(SEGMENT_FILE_BYTES_MAX + 1).unwrap();
    let error = folder.try_open(SEGMENT_BYTES).err().unwrap();
    assert!(matches!(
        error,
        JournalError::Damaged(Damage {
            fault: Fault::Oversized,
            ..
        })
    ));
}
