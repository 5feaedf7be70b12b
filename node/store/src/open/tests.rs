//! An index that cannot be used, in every way, and a journal that is shorter than its index.

mod stamps;

use std::path::Path;
use std::sync::Arc;

use corridor_proto::card::Card;
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::key::SecretKey;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{Hash, LogId, RecordId, StartNumber, UnixMillis};
use corridor_rules::Sort;
use corridor_rules::desk::{ToPublish, Wish, begin};
use corridor_rules::row::RecordRow;
use tempfile::TempDir;

use super::*;
use crate::folder::create;
use crate::index::spoil;
use crate::writer::Item;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn signer() -> Arc<Signer> {
    Arc::new(Signer::new(key()))
}

/// A folder with a new store, and its RCP.
fn new_store() -> (TempDir, RcpId) {
    let event = SignedKeyEvent::inception(&key(), &SecretKey::from_seed(&[2; 32]));
    let charter = Charter::verify(vec![event]).expect("charter");
    let card = Card {
        rcp: charter.rcp(),
        key_seq: 0,
        serial: 1,
        tls_key: Hash::new([3; 32]),
        bundle_key: [4; 32],
        versions: vec![1],
        names: vec![("en".into(), "Quito Process".into())],
        addresses: Vec::new(),
    };
    let card = card.sign(&key()).expect("card");
    let mut fill = 0;
    let mut random = |bytes: &mut [u8]| {
        fill += 1;
        bytes.fill(fill);
    };
    let facts = begin(&charter, &card, NOW, &mut random, &key()).expect("begin");
    let folder = tempfile::tempdir().expect("folder");
    create(folder.path(), &facts).expect("create");
    (folder, charter.rcp())
}

fn open_now(path: &Path) -> (Store, Opening) {
    open(path, signer(), &mut |_, _| {}).expect("open")
}

fn wish(store: &Store, wish: Wish) {
    let done = store.append_blocking(Item::Wish(wish), NOW);
    done.expect("carried out");
}

fn publish(store: &Store, record: u8) {
    let circle = store.read(|view| LogId::public(&view.me));
    let text = vec![record; 40];
    let publish = Wish::Publish(ToPublish {
        record: RecordId::new([record; 16]),
        kind: 1,
        body: text,
        links: Vec::new(),
        circles: Some(vec![circle]),
        draft: None,
        hand: None,
    });
    wish(store, publish);
}

fn withdraw(store: &Store, record: u8) {
    let withdraw = Wish::Withdraw {
        record: RecordId::new([record; 16]),
        up_to: None,
        reason: WithdrawalReason::Error,
        note: None,
        replacement: None,
    };
    wish(store, withdraw);
}

/// A closed store with three records, the second of them withdrawn.
fn three_records() -> (TempDir, RcpId) {
    let (folder, rcp) = new_store();
    let (store, _) = open_now(folder.path());
    for record in 1..=3 {
        publish(&store, record);
    }
    withdraw(&store, 2);
    store.close().expect("close");
    (folder, rcp)
}

fn rows(store: &Store) -> Vec<(RecordKey, RecordRow)> {
    store.read(|view| view.rows(None).collect())
}

/// Opens a store whose index was changed, and finds it rebuilt and as it was.
fn is_rebuilt(damage: impl Fn(&Path)) -> String {
    let (folder, rcp) = three_records();
    let (store, opening) = open_now(folder.path());
    assert_eq!(opening.index_rebuilt, None, "a sound index is used");
    let before = rows(&store);
    store.close().expect("close");
    drop(store);
    damage(&folder.path().join("index"));
    let (store, opening) = open_now(folder.path());
    assert_eq!(rows(&store), before);
    let withdrawn = RecordKey {
        rcp,
        record: RecordId::new([2; 16]),
    };
    let row = store.read(|view| view.row(&withdrawn)).expect("a row");
    assert!(row.burnt() > 0, "a withdrawal is never forgotten");
    store.close().expect("close");
    opening.index_rebuilt.expect("rebuilt")
}

#[test]
fn an_index_that_cannot_be_read_is_rebuilt_whatever_is_wrong_with_it() {
    let says = is_rebuilt(|index| std::fs::remove_dir_all(index).expect("remove"));
    assert!(says.contains("missing"), "{says}");
    let says = is_rebuilt(spoil::cut_row);
    assert!(says.contains("a block of rows"), "{says}");
    let says = is_rebuilt(spoil::cut_list);
    assert!(says.contains("a list of records"), "{says}");
    let says = is_rebuilt(spoil::odd_key);
    assert!(says.contains("key"), "{says}");
    let says = is_rebuilt(spoil::no_position);
    assert!(says.contains("how far"), "{says}");
    let says = is_rebuilt(spoil::other_layout);
    assert!(says.contains("another version"), "{says}");
    let says = is_rebuilt(|index| std::fs::write(mark(index), "sled").expect("mark"));
    assert!(says.contains("while the node was up"), "{says}");
}

fn mark(index: &Path) -> std::path::PathBuf {
    index.with_extension("failed")
}

#[test]
fn every_file_of_an_index_may_be_cut_emptied_or_overwritten() {
    let files = |index: &Path| {
        let found = std::fs::read_dir(index)
            .expect("folder")
            .map(|e| e.expect("entry").path());
        let mut files: Vec<_> = found.filter(|path| path.is_file()).collect();
        files.sort();
        files
    };
    let (folder, _) = three_records();
    let count = files(&folder.path().join("index")).len();
    assert!(count > 1, "sled has files");
    for at in 0..count {
        for what in ["cut", "emptied", "overwritten"] {
            let (folder, _) = three_records();
            let (store, _) = open_now(folder.path());
            let before = rows(&store);
            store.close().expect("close");
            drop(store);
            let index = folder.path().join("index");
            let path = files(&index)[at].clone();
            let mut bytes = std::fs::read(&path).expect("read");
            match what {
                "cut" => bytes.truncate(bytes.len() / 2),
                "emptied" => bytes.clear(),
                _ => bytes.fill(0xa5),
            }
            std::fs::write(&path, bytes).expect("write");
            let (store, opening) = open_now(folder.path());
            assert_eq!(rows(&store), before, "{what} {}", path.display());
            assert!(!opening.lost_its_end);
            store.close().expect("close");
        }
    }
}

#[test]
fn a_journal_shorter_than_its_index_has_lost_what_was_acknowledged() {
    let (folder, _) = three_records();
    let segment = folder.path().join("journal").join("00000000.seg");
    let older = std::fs::read(&segment).expect("read");
    let (store, opening) = open_now(folder.path());
    assert!(!opening.lost_its_end);
    publish(&store, 4);
    store.close().expect("close");
    drop(store);
    std::fs::write(&segment, older).expect("write");
    let (store, opening) = open_now(folder.path());
    assert!(opening.lost_its_end, "the index had seen a fourth record");
    assert!(opening.index_rebuilt.is_some());
    assert_eq!(rows(&store).len(), 3);
    store.close().expect("close");
    drop(store);
    // The index that proved it is gone; whoever opened the folder may have died of it.
    let (store, opening) = open_now(folder.path());
    assert!(opening.index_rebuilt.is_none());
    assert!(opening.lost_its_end, "it is known for good");
    store.close().expect("close");
}

#[test]
fn an_index_built_over_a_damaged_journal_is_not_used_for_a_sound_one() {
    let (folder, _) = three_records();
    let segment = folder.path().join("journal").join("00000000.seg");
    let sound = std::fs::read(&segment).expect("read");
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&segment, damaged).expect("write");
    std::fs::remove_dir_all(folder.path().join("index")).expect("remove");
    let (store, opening) = open_now(folder.path());
    assert!(!opening.damage.is_empty(), "it is named");
    let number = StartNumber::new([9; 16]);
    let refused = store.append_blocking(Item::Wish(Wish::Start { number }), NOW);
    let refused = refused.expect_err("a damaged journal is not written to");
    assert!(refused.leaves_reading(), "{refused}");
    store.close().expect("close");
    drop(store);
    std::fs::write(&segment, sound).expect("write");
    let (store, opening) = open_now(folder.path());
    assert!(opening.damage.is_empty());
    assert!(
        opening.index_rebuilt.is_some(),
        "it was built without the end"
    );
    assert_eq!(rows(&store).len(), 3);
    store.close().expect("close");
}

#[test]
fn cards_and_lists_that_were_replaced_are_erased() {
    let (folder, _) = new_store();
    let (store, _) = open_now(folder.path());
    let charter = store
        .read(|view| view.charter(&view.me).cloned())
        .expect("charter");
    let card = |serial, name: &str| {
        let card = Card {
            rcp: charter.rcp(),
            key_seq: 0,
            serial,
            tls_key: Hash::new([3; 32]),
            bundle_key: [4; 32],
            versions: vec![1],
            names: vec![("en".into(), name.into())],
            addresses: Vec::new(),
        };
        card.sign(&key()).expect("card")
    };
    let holds = |needle: &[u8]| {
        let segment = folder.path().join("journal").join("00000000.seg");
        let bytes = std::fs::read(segment).expect("read");
        bytes.windows(needle.len()).any(|part| part == needle)
    };
    let card_2 = card(2, "Canary-older");
    wish(&store, Wish::RenewCard { card: card_2 });
    assert!(holds(b"Canary-older"));
    let card_3 = card(3, "Canary-newer");
    wish(&store, Wish::RenewCard { card: card_3 });
    assert!(!holds(b"Canary-older") && holds(b"Canary-newer"));
    store.close().expect("close");
    drop(store);
    // Also by a fold from the first byte, and the newest is still known.
    std::fs::remove_dir_all(folder.path().join("index")).expect("remove");
    let (store, _) = open_now(folder.path());
    let name = store.read(|view| {
        let known = view.known.get(&view.me)?;
        Some(known.card.as_ref()?.card().names[0].1.clone())
    });
    assert_eq!(name.as_deref(), Some("Canary-newer"));
    let open_lists = store.read(|view| view.own_logs().filter(|l| l.sort == Sort::Open).count());
    assert_eq!(open_lists, 2);
    store.close().expect("close");
}
