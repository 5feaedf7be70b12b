//! The index of any moment beside the journal of any moment, as a power cut can leave the two: a
//! journal is never shown as less than it is, and one that is shorter than its index has seen is
//! known for good.

use super::*;

/// The data folder after each step of a life, closed, with its rows.
fn life() -> Vec<(TempDir, Vec<(RecordKey, RecordRow)>)> {
    let (folder, _) = new_store();
    let mut moments = Vec::new();
    for step in 0..7 {
        let (store, _) = open_now(folder.path());
        match step {
            3 => withdraw(&store, 2),
            6 => {
                // Several groups at once, so that one of them is a look in the middle.
                publish(&store, 11);
                withdraw(&store, 1);
                publish(&store, 12);
            }
            step => publish(&store, step + 1),
        }
        let rows = rows(&store);
        store.close().expect("close");
        drop(store);
        let moment = tempfile::tempdir().expect("folder");
        copy(folder.path(), moment.path());
        moments.push((moment, rows));
    }
    moments
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let path = entry.expect("entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("copy");
        }
    }
}

#[test]
fn an_index_of_any_moment_beside_a_journal_of_any_moment() {
    let life = life();
    for (journal, (folder, expected)) in life.iter().enumerate() {
        for (index, (other, _)) in life.iter().enumerate() {
            let data = tempfile::tempdir().expect("folder");
            copy(folder.path(), data.path());
            std::fs::remove_dir_all(data.path().join("index")).expect("remove");
            copy(&other.path().join("index"), &data.path().join("index"));
            let (store, opening) = open_now(data.path());
            let words = format!("journal {journal}, index {index}: {opening:?}");
            assert_eq!(&rows(&store), expected, "{words}");
            assert_eq!(opening.lost_its_end, index > journal, "{words}");
            assert_eq!(opening.index_rebuilt.is_some(), index > journal, "{words}");
            store.close().expect("close");
            drop(store);
            // Also at the next start, which has an index that fits.
            let (store, opening) = open_now(data.path());
            assert_eq!(opening.lost_its_end, index > journal, "{words}");
            assert_eq!(&rows(&store), expected, "{words}");
            store.close().expect("close");
        }
    }
}

#[test]
fn a_crash_between_the_mark_of_a_lost_end_and_a_new_index_forgets_nothing() {
    let life = life();
    let (folder, expected) = &life[2];
    // The mark is durable before anything of the index goes, and it goes file by file.
    for gone in [&[][..], &["conf"], &["db"], &["conf", "db"]] {
        let data = tempfile::tempdir().expect("folder");
        copy(folder.path(), data.path());
        let index = data.path().join("index");
        std::fs::remove_dir_all(&index).expect("remove");
        copy(&life[4].0.path().join("index"), &index);
        std::fs::write(data.path().join("journal.lost-end"), b"").expect("mark");
        for name in gone {
            std::fs::remove_file(index.join(name)).expect("remove");
        }
        let (store, opening) = open_now(data.path());
        assert!(opening.lost_its_end, "{gone:?}");
        assert_eq!(&rows(&store), expected, "{gone:?}");
        store.close().expect("close");
    }
}
