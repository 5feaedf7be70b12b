//! Appending, reading, limits, and disks that fail.

use std::io;
use std::sync::Mutex;

use super::*;
use crate::journal::disk::{Disk, System};

#[test]
fn what_is_appended_is_read_and_replayed() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let reader = opened.journal.reader();
    let mut places = opened
        .journal
        .append(&[frame("a", "alpha"), frame("b", "")])
        .unwrap();
    let more = vec![
        vec![frame("c", "gamma")],
        vec![frame("d", "delta"), frame("e", "e")],
    ];
    places.extend(
        opened
            .journal
            .append_all(&more)
            .unwrap()
            .into_iter()
            .flatten(),
    );
    let stored = reader.read(places[2]).unwrap();
    assert_eq!(
        (
            stored.kind,
            name(&stored.meta).as_str(),
            stored.blob.as_slice()
        ),
        (20, "c", &b"gamma"[..])
    );
    let position = opened.journal.position();
    drop(opened);

    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.groups, [vec!["a", "b"], vec!["c"], vec!["d", "e"]]);
    assert_eq!(opened.places, places);
    assert_eq!(opened.positions.last(), Some(&position));
    assert_eq!(opened.journal.position(), position);
}

#[test]
fn readers_go_to_any_thread_and_the_writer_to_one() {
    fn shared<T: Clone + Send + Sync>(_: &T) {}
    fn sent<T: Send>(_: &T) {}
    let opened = Folder::new().open();
    shared(&opened.journal.reader());
    sent(&opened.journal);
}

#[test]
fn a_full_segment_is_sealed_and_readers_see_the_next() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(200);
    let reader = opened.journal.reader();
    let names = ["a", "b", "c", "d", "e", "f"];
    let places: Vec<_> = names
        .iter()
        .flat_map(|name| opened.journal.append(&[frame(name, "body")]).unwrap())
        .collect();
    assert_eq!(
        places.iter().map(|place| place.segment).collect::<Vec<_>>(),
        [0, 0, 1, 1, 2, 2]
    );
    for (place, expected) in places.iter().zip(names) {
        assert_eq!(name(&reader.read(*place).unwrap().meta), expected);
    }
    drop(opened);
    let opened = folder.open_sized(200);
    assert!(opened.is_clean());
    assert_eq!(opened.names(), names);
    assert_eq!(opened.positions.last(), Some(&opened.journal.position()));
}

#[test]
fn a_crash_between_seal_and_next_segment_is_whole() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(1);
    opened.journal.append(&[frame("a", "")]).unwrap();
    opened.journal.append(&[frame("b", "")]).unwrap();
    drop(opened);
    fs::remove_file(folder.segment(1)).unwrap();
    let mut opened = folder.open_sized(SEGMENT_BYTES);
    assert!(opened.is_clean());
    assert_eq!(
        opened.journal.append(&[frame("c", "")]).unwrap()[0].segment,
        1
    );
    drop(opened);
    assert_eq!(folder.open().names(), ["a", "c"]);
}

#[test]
fn limits_are_refused_and_nothing_is_written() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let before = folder.bytes(0);
    let journal = &mut opened.journal;
    let big = |meta: u32, blob: u32| NewFrame {
        kind: 16,
        meta: vec![0; usize::try_from(meta).unwrap()].into(),
        blob: vec![0; usize::try_from(blob).unwrap()].into(),
    };
    let refused = |result: Result<Vec<Place>, _>| {
        assert!(matches!(result, Err(JournalError::TooLarge { .. })));
    };
    refused(journal.append(&[big(META_BYTES_MAX + 1, 0)]));
    refused(journal.append(&[big(0, BLOB_BYTES_MAX + 1)]));
    refused(journal.append(&vec![big(0, BLOB_BYTES_MAX); 64]));
    refused(journal.append(&vec![
        big(0, 0);
        usize::try_from(FRAMES_PER_GROUP_MAX).unwrap() + 1
    ]));
    assert!(matches!(journal.append(&[]), Err(JournalError::EmptyGroup)));
    let own = NewFrame {
        kind: 15,
        ..big(0, 0)
    };
    assert!(matches!(
        journal.append(&[own]),
        Err(JournalError::ReservedKind { kind: 15 })
    ));
    assert_eq!(journal.append_all(&[]).unwrap(), Vec::<Vec<Place>>::new());
    assert_eq!(folder.bytes(0), before);
    let place = journal
        .append(&[big(META_BYTES_MAX, BLOB_BYTES_MAX)])
        .unwrap()[0];
    assert_eq!(journal.reader().read(place).unwrap().blob.len(), 1 << 20);
}

#[test]
fn a_place_that_was_never_handed_out_yields_nothing() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let place = opened.journal.append(&[frame("a", "alpha")]).unwrap()[0];
    let end = opened.journal.position().place;
    let reader = opened.journal.reader();
    for offset in 0..end.offset + 20 {
        let asked = Place { offset, ..place };
        let commit_at = end.offset - 61;
        if offset != place.offset && offset != commit_at {
            assert!(reader.read(asked).is_err(), "{offset}");
            assert!(opened.journal.erase(&[asked]).is_err(), "{offset}");
        }
    }
    assert!(matches!(
        reader.read(Place {
            segment: 7,
            ..place
        }),
        Err(JournalError::NoFrame { .. })
    ));
}

#[test]
fn create_refuses_a_folder_with_a_journal_and_open_one_without() {
    let folder = Folder::new();
    let again = Journal::create(folder.path(), ID);
    assert!(matches!(again, Err(JournalError::Exists { .. })));
    fs::remove_file(folder.segment(0)).unwrap();
    let none = folder.try_open(SEGMENT_BYTES);
    assert!(matches!(none.err(), Some(JournalError::NoJournal { .. })));
}

/// A disk with room for so many bytes; then what fails is as said.
struct Failing {
    room: usize,
    kind: io::ErrorKind,
    truncates: bool,
    syncs: Mutex<u32>,
}

impl Disk for Failing {
    fn write_all_at(&self, file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let part = bytes.get(..self.room).unwrap_or(bytes);
        System.write_all_at(file, part, offset)?;
        if part.len() < bytes.len() {
            Err(self.kind.into())
        } else {
            Ok(())
        }
    }

    fn set_len(&self, file: &fs::File, length: u64) -> io::Result<()> {
        if !self.truncates {
            return Err(io::ErrorKind::Other.into());
        }
        System.set_len(file, length)
    }

    fn sync_data(&self, _: &fs::File) -> io::Result<()> {
        let mut syncs = self.syncs.lock().unwrap();
        *syncs = syncs.checked_sub(1).ok_or(io::ErrorKind::Other)?;
        Ok(())
    }
}

/// Appends "b" to a journal with "a" on a failing disk, then "c" on a sound one.
fn fail(
    room: usize,
    kind: io::ErrorKind,
    truncates: bool,
    syncs: u32,
) -> (Folder, JournalError, Result<Vec<Place>, JournalError>) {
    let folder = Folder::new();
    let mut opened = folder.open();
    let place = opened.journal.append(&[frame("a", "alpha")]).unwrap()[0];
    let before = opened.journal.position();
    let sound = std::mem::replace(
        &mut opened.journal.disk,
        Arc::new(Failing {
            room,
            kind,
            truncates,
            syncs: Mutex::new(syncs),
        }),
    );
    let failed = opened.journal.append(&[frame("b", "beta")]).unwrap_err();
    assert_eq!(opened.journal.position(), before);
    assert_eq!(opened.blob(place), "alpha");
    opened.journal.disk = sound;
    let after = opened.journal.append(&[frame("c", "gamma")]);
    (folder, failed, after)
}

#[test]
fn a_full_disk_leaves_nothing_and_the_journal_goes_on() {
    for room in [0, 1, 50] {
        let (folder, failed, after) = fail(room, io::ErrorKind::StorageFull, true, 1);
        assert!(matches!(failed, JournalError::DiskFull { .. }));
        assert!(after.is_ok());
        let opened = folder.open();
        assert!(opened.is_clean());
        assert_eq!(opened.names(), ["a", "c"]);
    }
}

#[test]
fn a_failed_write_or_sync_is_final() {
    let full = io::ErrorKind::StorageFull;
    let cases = [
        (50, full, false, 1),                  // cannot be undone
        (50, full, true, 0),                   // the undoing cannot be synced
        (50, io::ErrorKind::Other, true, 1),   // not a full disk
        (1000, io::ErrorKind::Other, true, 0), // written, not synced
    ];
    for (room, kind, truncates, syncs) in cases {
        let (folder, failed, after) = fail(room, kind, truncates, syncs);
        assert!(matches!(failed, JournalError::DurabilityUnknown { .. }));
        assert!(
            matches!(after, Err(JournalError::DurabilityUnknown { offset, .. }) if offset > 38)
        );
        let names: Vec<String> = folder.open().groups.into_iter().flatten().collect();
        assert!(names == ["a"] || names == ["a", "b"], "{names:?}");
    }
}
