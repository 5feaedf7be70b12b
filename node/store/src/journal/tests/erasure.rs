//! Erasure: the bytes are gone, whatever happens in between.

use super::*;
use crate::journal::erase::erase_frame;

#[test]
fn erased_bytes_are_gone_from_the_file() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let places = opened
        .journal
        .append(&[frame("a", "a secret"), frame("b", "kept body")])
        .unwrap();
    let reader = opened.journal.reader();
    assert!(contains(&folder.bytes(0), "a secret"));
    opened.journal.erase(&places[..1]).unwrap();
    assert!(!contains(&folder.bytes(0), "a secret"));
    assert!(contains(&folder.bytes(0), "kept body"));
    assert_eq!(reader.read(places[0]).unwrap().blob, b"");
    assert_eq!(name(&reader.read(places[0]).unwrap().meta), "a");
    assert_eq!(opened.journal.usage()[0].dead_bytes, 8);
    // Erased again: nothing is written.
    let end = opened.journal.position();
    opened.journal.erase(&places[..1]).unwrap();
    assert_eq!(opened.journal.position(), end);
    drop(opened);

    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.names(), ["a", "b"]);
    assert_eq!(
        (opened.blob(places[0]), opened.blob(places[1])),
        ("".into(), "kept body".into())
    );
    assert_eq!(opened.journal.usage()[0].dead_bytes, 8);
}

#[test]
fn a_crash_between_erase_frame_and_overwriting_is_mended() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(100);
    let place = opened.journal.append(&[frame("a", "a secret")]).unwrap()[0];
    opened.journal.append(&[frame("b", "body")]).unwrap();
    // The erase frame alone, as a crash would leave it.
    opened.journal.write(&[&[erase_frame(&[place])]]).unwrap();
    drop(opened);
    assert!(contains(&folder.bytes(0), "a secret"));
    let opened = folder.open();
    assert_eq!(opened.recovery.erasures_repeated, 1);
    assert!(!contains(&folder.bytes(0), "a secret"));
    assert_eq!(opened.blob(place), "");
    drop(opened);
    // The erasure belongs to the last write still, so its sync is not taken for granted.
    let mut opened = folder.open();
    assert_eq!(opened.recovery.erasures_repeated, 1);
    opened.journal.append(&[frame("c", "")]).unwrap();
    drop(opened);
    assert_eq!(folder.open().recovery.erasures_repeated, 0);
}

#[test]
fn a_damaged_journal_hands_out_no_erased_blob() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(1);
    let place = opened.journal.append(&[frame("a", "a secret")]).unwrap()[0];
    opened.journal.append(&[frame("b", "")]).unwrap();
    opened.journal.append(&[frame("c", "")]).unwrap();
    opened.journal.write(&[&[erase_frame(&[place])]]).unwrap();
    drop(opened);
    fs::remove_file(folder.segment(1)).unwrap();
    let before = folder.bytes(0);
    let opened = folder.open();
    assert!(opened.journal.is_read_only().is_some());
    assert_eq!(opened.blob(place), "");
    assert_eq!(folder.bytes(0), before);
}

#[test]
fn an_erase_frame_that_names_no_frame_is_damage_and_touches_nothing() {
    let folder = Folder::new();
    let mut opened = folder.open();
    let place = opened.journal.append(&[frame("a", "alpha")]).unwrap()[0];
    let beside = Place {
        offset: place.offset + 1,
        ..place
    };
    opened.journal.write(&[&[erase_frame(&[beside])]]).unwrap();
    drop(opened);
    let before = folder.bytes(0);
    let opened = folder.open();
    assert_eq!(
        opened.journal.is_read_only().unwrap().fault,
        Fault::ErasedNothing
    );
    assert_eq!(folder.bytes(0), before);
}
