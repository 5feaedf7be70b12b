//! Power cuts: whatever part of the last write is missing, what was acknowledged before survives.

use super::*;

/// Three acknowledged writes and a last one; returns the bytes, and where the last begins.
fn three_and_last(folder: &Folder, last: &[Vec<NewFrame<'_>>]) -> (Vec<u8>, usize) {
    let mut opened = folder.open();
    opened
        .journal
        .append(&[frame("a", "alpha"), frame("b", "")])
        .unwrap();
    let place = opened.journal.append(&[frame("c", "gamma")]).unwrap()[0];
    opened.journal.erase(&[place]).unwrap();
    let start = opened.journal.position().place.offset;
    opened.journal.append_all(last).unwrap();
    (folder.bytes(0), usize::try_from(start).unwrap())
}

/// After the cut a further append works and survives.
fn goes_on(folder: &Folder, expected: &[&str]) {
    let mut opened = folder.open();
    assert!(opened.is_clean(), "{:?}", opened.recovery);
    assert_eq!(opened.names(), expected);
    let place = opened.journal.append(&[frame("z", "zeta")]).unwrap()[0];
    drop(opened);
    let opened = folder.open();
    assert!(opened.is_clean());
    assert_eq!(opened.names(), [expected, &["z"]].concat());
    assert_eq!(opened.blob(place), "zeta");
}

#[test]
fn truncated_at_every_byte_of_the_last_group() {
    let folder = Folder::new();
    let (bytes, start) = three_and_last(&folder, &[vec![frame("d", "delta"), frame("e", "eps")]]);
    for length in start + 1..bytes.len() {
        folder.write(0, &bytes[..length]);
        let opened = folder.open();
        assert_eq!(opened.names(), ["a", "b", "c"]);
        assert_eq!(opened.blob(opened.places[0]), "alpha");
        let cut = Cut {
            segment: 0,
            offset: file_length(start),
            bytes: file_length(length - start),
        };
        assert_eq!(opened.recovery.cut, Some(cut));
        assert!(opened.recovery.damages.is_empty());
        drop(opened);
        goes_on(&folder, &["a", "b", "c"]);
    }
}

#[test]
fn any_stretch_of_the_last_write_missing() {
    let folder = Folder::new();
    let last = [
        vec![frame("d", "delta")],
        vec![frame("e", "eps"), frame("f", "")],
    ];
    let (bytes, start) = three_and_last(&folder, &last);
    for from in start..bytes.len() {
        for to in [from + 1, from + 7, from + 64, from + 150] {
            let mut torn = bytes.clone();
            torn[from..to.min(bytes.len())].fill(0);
            if torn == bytes {
                continue;
            }
            folder.write(0, &torn);
            let opened = folder.open();
            assert!(opened.recovery.cut.is_some());
            assert!(opened.recovery.damages.is_empty());
            let names = opened.names();
            let whole = names == ["a", "b", "c"] || names == ["a", "b", "c", "d"];
            assert!(whole, "{from}..{to}: {names:?}");
            let names: Vec<String> = names.into_iter().map(String::from).collect();
            drop(opened);
            goes_on(
                &folder,
                &names.iter().map(String::as_str).collect::<Vec<_>>(),
            );
        }
    }
}

#[test]
fn a_blob_missing_before_a_whole_write_of_its_own_is_not_doubted() {
    // Erased and then its erase frame lost: the blob is zeros, but a later write had begun.
    let folder = Folder::new();
    let mut opened = folder.open();
    let place = opened.journal.append(&[frame("a", "alpha")]).unwrap()[0];
    opened.journal.erase(&[place]).unwrap();
    drop(opened);
    let bytes = folder.bytes(0);
    folder.write(0, &bytes[..bytes.len() - 1]);
    for _ in 0..3 {
        assert_eq!(folder.open().names(), ["a"]);
    }
}

#[test]
fn what_a_record_contains_cannot_pass_for_a_commit_frame() {
    // A blob that imitates a later write, as good as one can who does not know the journal id.
    let stranger = tempfile::tempdir().unwrap();
    Journal::create(stranger.path(), [0; 16]).unwrap();
    let options = Options::new(&intact);
    let (mut other, _) = Journal::open(stranger.path(), &options, &mut |_| {}).unwrap();
    for _ in 0..20 {
        other.append(&[frame("x", "")]).unwrap();
    }
    let imitation = fs::read(segment_path(stranger.path(), 0)).unwrap();
    let blob = imitation.as_slice().into();
    let folder = Folder::new();
    let mut opened = folder.open();
    opened
        .journal
        .append(&[NewFrame {
            blob,
            ..frame("a", "")
        }])
        .unwrap();
    drop(opened);
    let bytes = folder.bytes(0);
    folder.write(0, &bytes[..bytes.len() - 1]);
    let opened = folder.open();
    assert!(opened.recovery.cut.is_some() && opened.recovery.damages.is_empty());
}

#[test]
fn a_blob_and_the_end_of_one_write_missing() {
    let folder = Folder::new();
    let last = [vec![frame("d", "delta")], vec![frame("e", "eps")]];
    let (mut bytes, start) = three_and_last(&folder, &last);
    bytes[start + 18..start + 23].fill(0);
    folder.write(0, &bytes[..bytes.len() - 1]);
    let opened = folder.open();
    assert_eq!(opened.names(), ["a", "b", "c"]);
    drop(opened);
    goes_on(&folder, &["a", "b", "c"]);
}
