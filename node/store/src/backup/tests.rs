//! A backup that lost or changed anything is refused, and one that is whole gives the same store.

use corridor_proto::{LogSeed, RcpId, RecordId, Salt};
use corridor_rules::Sort;
use corridor_rules::fact::blob;

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const RCP: RcpId = RcpId::new([1; 32]);

/// Facts of a store that never ran: whose it is, a draft and a list.
fn facts() -> Vec<Fact> {
    vec![
        Fact::KeyEvent {
            rcp: RCP,
            event: corridor_proto::charter::SignedKeyEvent {
                bytes: vec![9; 137],
                recovery_signature: [10; 64],
                signing_signature: [11; 64],
            },
        },
        Fact::Circle {
            owner: RCP,
            seed: LogSeed::new([2; 16]),
            sort: Sort::Public,
            name: "public".to_owned(),
        },
        Fact::Draft {
            record: RecordId::new([3; 16]),
            kind: 1,
            at: NOW,
            blob: blob(&Salt::new([4; 32]), b"a text"),
        },
    ]
}

fn backed_up() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().expect("folder");
    crate::create(folder.path(), &facts()).expect("store");
    let mut bytes = Vec::new();
    let contents = back_up(folder.path(), NOW, &mut bytes).expect("backup");
    assert_eq!((contents.rcp, contents.groups), (RCP, 1));
    (folder, bytes)
}

fn read(bytes: &[u8]) -> Result<Contents, BackupError> {
    read_backup(&mut &*bytes, &mut |_| Ok(()))
}

#[test]
fn the_layout_never_changes() {
    let (_folder, bytes) = backed_up();
    assert!(bytes.starts_with(b"corridor-backup\x01"));
    let hash = Sha256::digest(&bytes);
    let short: String = hash.iter().take(8).map(|b| format!("{b:02x}")).collect();
    assert_eq!((bytes.len(), short.as_str()), (615, "d2dbea38730cdcbb"));
}

#[test]
fn one_that_is_cut_or_changed_anywhere_is_refused() {
    let (_folder, bytes) = backed_up();
    assert_eq!(read(&bytes).expect("whole").groups, 1);
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "changed at {at}");
    }
    let longer = [&bytes[..], b"audit"].concat();
    let mut rest = longer.as_slice();
    read_backup(&mut rest, &mut |_| Ok(())).expect("whole");
    assert_eq!(rest, b"audit", "what is behind it is for others to read");
}

#[test]
fn a_store_restored_signs_nothing_and_backs_up_as_before() {
    let (_folder, bytes) = backed_up();
    let made = tempfile::tempdir().expect("folder");
    restore(&mut &*bytes, made.path(), NOW).expect("restored");
    let mut again = Vec::new();
    let contents = back_up(made.path(), NOW, &mut again).expect("backup");
    assert_eq!(contents.groups, 2, "and the group that says so");
    let mut found = Vec::new();
    read_backup(&mut &*again, &mut |frames| {
        found.extend(frames.into_iter().map(|frame| frame.kind));
        Ok(())
    })
    .expect("read");
    assert_eq!(found.len(), facts().len() + 2);
    let refused = restore(&mut &*bytes, made.path(), NOW);
    assert!(
        matches!(refused, Err(BackupError::Store(_))),
        "there is one"
    );
}

#[test]
fn what_was_erased_is_left_out_before_its_bytes_are_gone() {
    let (folder, _) = backed_up();
    let journal = folder.path().join("journal");
    let options = crate::journal::Options::new(&codec::blob_intact);
    let mut places = Vec::new();
    let (mut open, _) = crate::journal::Journal::open(&journal, &options, &mut |group| {
        places.extend(group.frames.iter().map(|frame| frame.place));
    })
    .expect("journal");
    let draft = *places.last().expect("the draft");
    open.erase(&[draft]).expect("erased");
    let mut bytes = Vec::new();
    back_up(folder.path(), NOW, &mut bytes).expect("backup");
    assert!(!bytes.windows(6).any(|part| part == b"a text"));
    assert!(read(&bytes).is_ok());
}

/// A store whose journal has several small segments.
fn of_many_segments() -> (tempfile::TempDir, Vec<std::path::PathBuf>) {
    let (folder, _) = backed_up();
    let journal = folder.path().join("journal");
    let options = crate::journal::Options {
        segment_bytes: 1_024,
        ..crate::journal::Options::new(&codec::blob_intact)
    };
    let (mut open, _) =
        crate::journal::Journal::open(&journal, &options, &mut |_| ()).expect("open");
    for number in 0..40 {
        let record = RecordId::new([number; 16]);
        let gone = Fact::DraftGone { record };
        open.append(&[codec::frame(&gone).expect("frame")])
            .expect("appended");
    }
    let mut segments: Vec<_> = std::fs::read_dir(&journal)
        .expect("journal")
        .map(|entry| entry.expect("entry").path())
        .collect();
    segments.sort();
    assert!(segments.len() > 3, "{segments:?}");
    (folder, segments)
}

#[test]
fn a_journal_that_lacks_something_is_not_backed_up_as_if_it_were_whole() {
    let again = |folder: &Path| back_up(folder, NOW, &mut Vec::new());
    let (folder, segments) = of_many_segments();
    assert_eq!(again(folder.path()).expect("backup").groups, 41);
    let whole = std::fs::read(&segments[1]).expect("segment");
    std::fs::remove_file(&segments[1]).expect("removed");
    assert!(again(folder.path()).is_err(), "a segment is missing");
    // Also behind a whole group: what is not sealed may have gone on.
    for end in 0..whole.len() {
        std::fs::write(&segments[1], &whole[..end]).expect("written");
        assert!(again(folder.path()).is_err(), "one is cut at {end}");
    }
    let other = std::fs::read(&segments[2]).expect("segment");
    std::fs::write(&segments[1], other).expect("written");
    assert!(again(folder.path()).is_err(), "one is another one");
    let (_elsewhere, foreign) = of_many_segments();
    std::fs::copy(&foreign[1], &segments[1]).expect("copied");
    assert!(again(folder.path()).is_err(), "one is another journal's");
    std::fs::write(&segments[1], &whole).expect("written");
    assert_eq!(again(folder.path()).expect("backup").groups, 41);
}

#[test]
fn a_text_that_rotted_is_not_backed_up_as_if_it_were_whole() {
    let (folder, _) = backed_up();
    let journal = folder.path().join("journal");
    let again = |folder: &Path| back_up(folder, NOW, &mut Vec::new());
    let options = crate::journal::Options::new(&codec::blob_intact);
    let (mut open, _) =
        crate::journal::Journal::open(&journal, &options, &mut |_| ()).expect("open");
    let gone = Fact::DraftGone {
        record: RecordId::new([5; 16]),
    };
    open.append(&[codec::frame(&gone).expect("frame")])
        .expect("appended");
    drop(open);
    assert_eq!(again(folder.path()).expect("backup").groups, 2);
    let segment = journal.join("00000000.seg");
    let mut bytes = std::fs::read(&segment).expect("segment");
    let at = bytes.windows(6).position(|part| part == b"a text");
    bytes[at.expect("the draft")] ^= 1;
    std::fs::write(&segment, &bytes).expect("written");
    let done = again(folder.path());
    assert!(
        done.is_err(),
        "a write follows it, so it had been durable: {done:?}"
    );
}
