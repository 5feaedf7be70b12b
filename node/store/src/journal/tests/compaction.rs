//! Compaction keeps order, groups and live frames; old places are refused.

use super::*;

/// Segment 0 with groups [a, b], [c], [d, e]; segment 1 with [f]. "b" and "d" are erased.
fn folder() -> (Folder, Opened, Vec<Place>) {
    let folder = Folder::new();
    let mut opened = folder.open_sized(280);
    let mut places = Vec::new();
    let groups = [
        vec![frame("a", "body a"), frame("b", "body b")],
        vec![frame("c", "body c")],
        vec![frame("d", "body d"), frame("e", "body e")],
        vec![frame("f", "body f")],
    ];
    for group in &groups {
        places.extend(opened.journal.append(group).unwrap());
    }
    assert_eq!((places[4].segment, places[5].segment), (0, 1));
    opened.journal.erase(&[places[1], places[3]]).unwrap();
    (folder, opened, places)
}

/// All but "c" and "d" live.
fn live(frame: &FrameRef<'_>) -> bool {
    !["c", "d"].contains(&name(frame.meta).as_str())
}

#[test]
fn live_frames_stay_in_order_and_groups() {
    let (folder, mut opened, places) = folder();
    let (before, bytes) = (opened.journal.position(), folder.bytes(0).len());
    let moved = opened.journal.compact(0, &mut live).unwrap();
    let from: Vec<_> = moved.iter().map(|moved| moved.from).collect();
    assert_eq!(from, [places[0], places[1], places[4]]);
    let after = opened.journal.position();
    assert_eq!(
        (after.compactions, after.place, after.hash),
        (1, before.place, before.hash)
    );
    assert_eq!(opened.journal.usage()[0].dead_bytes, 0);
    assert!(folder.bytes(0).len() < bytes);
    let blobs: Vec<_> = moved.iter().map(|moved| opened.blob(moved.to)).collect();
    assert_eq!(blobs, ["body a", "", "body e"]);
    drop(opened);

    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.groups, [vec!["a", "b"], vec!["e"], vec!["f"]]);
    let to: Vec<_> = moved.iter().map(|moved| moved.to).collect();
    assert_eq!(opened.places[..3], to);
    assert_eq!(opened.journal.position(), after);
}

#[test]
fn an_old_place_is_refused_never_another_frame() {
    let (_folder, mut opened, places) = folder();
    let reader = opened.journal.reader();
    let moved = opened.journal.compact(0, &mut live).unwrap();
    for place in &places[..5] {
        assert!(matches!(
            reader.read(*place),
            Err(JournalError::Moved { .. })
        ));
        let erased = opened.journal.erase(&[*place]);
        assert!(matches!(erased, Err(JournalError::Moved { .. })));
    }
    assert_eq!(reader.read(moved[2].to).unwrap().blob, b"body e");
    assert_eq!(reader.read(places[5]).unwrap().blob, b"body f");
}

#[test]
fn an_erasure_of_an_earlier_generation_touches_nothing() {
    let (folder, mut opened, _) = folder();
    let moved = opened.journal.compact(0, &mut live).unwrap();
    drop(opened);
    // The erase frame in segment 1 still names places of generation 0.
    let bytes = folder.bytes(0);
    let mut opened = folder.open();
    assert_eq!(
        (opened.recovery.erasures_repeated, folder.bytes(0)),
        (0, bytes)
    );
    // And an erasure after the compaction holds.
    opened.journal.erase(&[moved[2].to]).unwrap();
    drop(opened);
    let opened = folder.open();
    assert_eq!(opened.blob(moved[2].to), "");
    assert_eq!(opened.blob(moved[0].to), "body a");
}

#[test]
fn erase_frames_are_kept_as_long_as_they_mean_something() {
    let (folder, opened, places) = folder();
    drop(opened);
    let mut opened = folder.open_sized(1);
    opened.journal.append(&[frame("g", "")]).unwrap();
    // Segment 1 holds the erase frame for segment 0.
    opened.journal.compact(1, &mut |_| true).unwrap();
    drop(opened);
    let mut opened = folder.open();
    assert_eq!(opened.blob(places[1]), "");
    assert_eq!(opened.journal.usage()[0].dead_bytes, 12);
    let with = folder.bytes(1).len();
    opened.journal.compact(0, &mut live).unwrap();
    opened.journal.compact(1, &mut live).unwrap();
    assert!(folder.bytes(1).len() < with);
    drop(opened);
    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.names(), ["a", "b", "e", "f", "g"]);
    assert_eq!(opened.journal.position().compactions, 3);
}

#[test]
fn a_crash_before_the_rename_leaves_the_old() {
    let (folder, opened, places) = folder();
    drop(opened);
    let left_over = folder.path().join("00000000.tmp");
    fs::write(&left_over, b"half a segment").unwrap();
    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.names(), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(opened.blob(places[4]), "body e");
    assert!(!left_over.exists());
}

#[test]
fn the_last_segment_and_a_damaged_one_are_refused() {
    let (folder, mut opened, places) = folder();
    let all = &mut |_: &FrameRef<'_>| true;
    assert!(matches!(
        opened.journal.compact(1, all),
        Err(JournalError::InUse { .. })
    ));
    let mut bytes = folder.bytes(0);
    bytes[usize::try_from(places[2].offset).unwrap() + 13] ^= 1;
    folder.write(0, &bytes);
    assert!(matches!(
        opened.journal.compact(0, all),
        Err(JournalError::Damaged(_))
    ));
    assert_eq!(folder.bytes(0), bytes);
}

#[test]
fn a_segment_without_live_frames_shrinks_to_its_seal() {
    let (folder, mut opened, _) = folder();
    assert_eq!(opened.journal.compact(0, &mut |_| false).unwrap(), []);
    assert_eq!(folder.bytes(0).len(), 38 + 13 + 61);
    drop(opened);
    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.names(), ["f"]);
}

#[test]
fn an_erase_frame_of_its_own_segment_goes_too() {
    let folder = Folder::new();
    let mut opened = folder.open_sized(150);
    let place = opened.journal.append(&[frame("a", "body a")]).unwrap()[0];
    opened.journal.erase(&[place]).unwrap();
    opened.journal.append(&[frame("b", "")]).unwrap();
    opened.journal.compact(0, &mut |_| false).unwrap();
    assert_eq!(folder.bytes(0).len(), 38 + 13 + 61);
}
