//! Compaction keeps order, groups and live frames; old places are refused.

use super::*;
use crate::journal::disk::beside;

/// The bytes of the group that says how many groups were dropped, and of the seal.
const DROPPED: usize = 21 + 61;
const SEAL: usize = 13 + 61;

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
fn the_caller_is_asked_from_the_last_frame_to_the_first() {
    let (_folder, mut opened, _) = folder();
    let mut asked = Vec::new();
    let live = &mut |frame: &FrameRef<'_>| {
        asked.push(name(frame.meta));
        true
    };
    opened.journal.compact(0, live).unwrap();
    assert_eq!(asked, ["e", "d", "c", "b", "a"]);
}

#[test]
fn groups_that_were_left_out_are_counted_for_ever() {
    let (folder, mut opened, _) = folder();
    for dead in [&["c"][..], &["a", "b"], &["d", "e"]] {
        let live = &mut |frame: &FrameRef<'_>| !dead.contains(&name(frame.meta).as_str());
        opened.journal.compact(0, live).unwrap();
        opened = folder.open();
        assert!(opened.is_clean());
        assert_eq!(opened.count, 4);
    }
    assert_eq!(opened.names(), ["f"]);
    assert_eq!(folder.bytes(0).len(), 38 + DROPPED + SEAL);
}

#[test]
fn less_than_half_must_be_live() {
    let (_folder, mut opened, _) = folder();
    let mut is_worth_it = |dead: &[&str]| {
        let live = &mut |frame: &FrameRef<'_>| !dead.contains(&name(frame.meta).as_str());
        opened
            .journal
            .rewrite(0, &intact, live)
            .unwrap()
            .is_worth_it()
    };
    assert!(!is_worth_it(&["a", "b"]));
    assert!(is_worth_it(&["a", "b", "c", "d", "e"]));
}

/// A second name, elsewhere, for a file whose bytes are to be seen after its name is gone.
fn watch(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let elsewhere = tempfile::tempdir_in(path.parent().unwrap().parent().unwrap()).unwrap();
    let name = elsewhere.path().join("watched");
    fs::hard_link(path, &name).unwrap();
    (elsewhere, name)
}

fn is_zeros(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0)
}

/// Opens the folder after a crash and finds segment 0 as it was or as it was to be, and no other.
fn finds_one(folder: &Folder, is_new: bool) {
    let opened = folder.open();
    assert!(opened.is_clean(), "{:?}", opened.recovery);
    let names: &[&str] = if is_new {
        &["a", "b", "e", "f"]
    } else {
        &["a", "b", "c", "d", "e", "f"]
    };
    assert_eq!(opened.names(), names);
    let last = opened.places[names.len() - 2];
    assert_eq!(opened.blob(last), "body e");
    assert_eq!(opened.journal.position().compactions, u64::from(is_new));
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["00000000.seg", "00000001.seg"]);
}

#[test]
fn a_crash_between_any_two_steps_leaves_one_whole_and_the_other_as_zeros() {
    let (folder, mut opened, _) = folder();
    let (tmp, old) = (
        beside(folder.path(), 0, "tmp"),
        beside(folder.path(), 0, "old"),
    );
    let rewritten = opened.journal.rewrite(0, &intact, &mut live).unwrap();
    drop(rewritten);
    drop(opened);
    finds_one(&folder, false);

    let mut opened = folder.open();
    let rewritten = opened.journal.rewrite(0, &intact, &mut live).unwrap();
    drop(rewritten.prepare().unwrap());
    drop(opened);
    let (_kept, watched) = watch(&tmp);
    let before = folder.bytes(0);
    finds_one(&folder, false);
    assert!(is_zeros(&watched));
    assert_eq!(
        folder.bytes(0),
        before,
        "its second name went, not its bytes"
    );

    let mut opened = folder.open();
    let rewritten = opened.journal.rewrite(0, &intact, &mut live).unwrap();
    let _switched = rewritten.prepare().unwrap().switch().unwrap();
    drop(opened);
    let (_kept, watched) = watch(&old);
    finds_one(&folder, true);
    assert!(is_zeros(&watched));
}

#[test]
fn a_crash_while_the_old_segment_is_overwritten_is_finished() {
    let (folder, mut opened, _) = folder();
    let rewritten = opened.journal.rewrite(0, &intact, &mut live).unwrap();
    let _switched = rewritten.prepare().unwrap().switch().unwrap();
    drop(opened);
    let old = beside(folder.path(), 0, "old");
    let mut bytes = fs::read(&old).unwrap();
    let half = bytes.len() / 2;
    bytes[..half].fill(0);
    fs::write(&old, bytes).unwrap();
    let (_kept, watched) = watch(&old);
    finds_one(&folder, true);
    assert!(is_zeros(&watched));
}

#[test]
fn a_crash_before_the_old_segment_has_a_second_name_leaves_it() {
    let (folder, opened, _) = folder();
    drop(opened);
    let tmp = beside(folder.path(), 0, "tmp");
    fs::write(&tmp, b"half a segment").unwrap();
    let (_kept, watched) = watch(&tmp);
    finds_one(&folder, false);
    assert!(is_zeros(&watched));
}

#[test]
fn a_compaction_leaves_zeros_of_the_old_segment() {
    let (folder, mut opened, _) = folder();
    let (_kept, watched) = watch(&folder.segment(0));
    opened.journal.compact(0, &mut live).unwrap();
    assert!(is_zeros(&watched));
    drop(opened);
    finds_one(&folder, true);
}

#[test]
fn the_only_copy_of_a_segment_is_never_overwritten() {
    let (folder, mut opened, _) = folder();
    let rewritten = opened.journal.rewrite(0, &intact, &mut live).unwrap();
    let _switched = rewritten.prepare().unwrap().switch().unwrap();
    drop(opened);
    let old = beside(folder.path(), 0, "old");
    let bytes = fs::read(&old).unwrap();
    fs::remove_file(folder.segment(0)).unwrap();
    assert!(!folder.open().is_clean());
    assert_eq!(fs::read(&old).unwrap(), bytes);
    folder.write(0, b"no header of a segment");
    assert!(!folder.open().is_clean());
    assert_eq!(fs::read(&old).unwrap(), bytes);
}

#[test]
fn where_the_old_segment_cannot_be_named_twice_nothing_is_changed() {
    let (folder, mut opened, places) = folder();
    fs::write(beside(folder.path(), 0, "old"), b"in the way").unwrap();
    let before = folder.bytes(0);
    let rewritten = opened.journal.rewrite(0, &intact, &mut live).unwrap();
    let refused = rewritten.prepare().err().unwrap();
    assert!(matches!(refused, JournalError::Io { .. }), "{refused}");
    assert_eq!(folder.bytes(0), before);
    assert!(!beside(folder.path(), 0, "tmp").exists());
    assert_eq!(opened.blob(places[4]), "body e");
    opened.journal.append(&[frame("g", "")]).unwrap();
}

#[test]
fn a_damaged_blob_is_refused_unless_it_goes() {
    let (folder, mut opened, places) = folder();
    let mut bytes = folder.bytes(0);
    let at = bytes.windows(6).position(|part| part == b"body c").unwrap();
    bytes[at] ^= 1;
    folder.write(0, &bytes);
    let refused = opened.journal.rewrite(0, &intact, &mut |_| true).err();
    let Some(JournalError::Damaged(damage)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (damage.offset, damage.fault),
        (places[2].offset, Fault::Blob)
    );
    assert_eq!(folder.bytes(0), bytes);
    // "c" is dead; and a blob that an earlier compaction left out is no damage.
    opened.journal.rewrite(0, &intact, &mut live).unwrap();
    opened.journal.compact(0, &mut live).unwrap();
    opened.journal.rewrite(0, &intact, &mut live).unwrap();
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
    assert_eq!(folder.bytes(0).len(), 38 + DROPPED + SEAL);
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
    assert_eq!(folder.bytes(0).len(), 38 + DROPPED + SEAL);
}
