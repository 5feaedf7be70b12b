//! What a store reads back: facts, rows, backups.

use corridor_proto::{RcpId, Refusal};
use corridor_rules::{Effect, Fact, Model, Place};
use corridor_store::bytes::{is_intact, read_fact, read_row, write_fact, write_row};
use corridor_store::{BackupError, read_backup};

use super::Input;
use crate::sim::same::same_model;
use crate::sim::store::Store;

/// A frame of an input: kind, meta and blob, each behind its length.
fn frame<'a>(input: &mut Input<'a>) -> (u8, &'a [u8], &'a [u8]) {
    (input.byte(), input.counted(), input.counted())
}

/// A fact as a frame of the journal: a meta has one layout, whatever reads was written so.
pub fn fact(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (kind, meta, blob) = frame(&mut input);
    let Ok(fact) = read_fact(kind, meta, blob) else {
        assert!(!is_intact(kind, meta, blob), "what cannot be read is none");
        return;
    };
    let written = write_fact(&fact).expect("what was read can be written");
    assert_eq!(written.kind, kind);
    if is_intact(kind, meta, blob) {
        assert_eq!(written.meta, meta, "a fact has one meta");
    }
}

/// Facts in groups, folded: what a damaged or made-up backup could hold. The same facts add up to
/// the same model.
pub fn facts(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let me = RcpId::new(input.array());
    let mut facts = Vec::new();
    while !input.is_empty() {
        let (kind, meta, blob) = frame(&mut input);
        if let Ok(fact) = read_fact(kind, meta, blob) {
            facts.push(fact);
        }
    }
    let (one, other) = (folded(me, &facts), folded(me, &facts));
    same_model(&one, &other);
}

fn folded(me: RcpId, facts: &[Fact]) -> Model {
    let (mut model, mut store) = (Model::new(me), Store::default());
    for (offset, fact) in (0..).zip(facts) {
        model.revision += 1;
        let place = Place {
            segment: 0,
            generation: 0,
            offset,
        };
        store.keep(fact, place);
        for Effect::Erase(place) in model.apply(Some(&mut store), fact, place) {
            store.erase(place);
        }
        store.follow(fact, &model);
    }
    model
}

/// A row of the index: written again, it is the same row.
pub fn row(bytes: &[u8]) {
    let Ok(row) = read_row(bytes) else { return };
    let written = write_row(&row);
    let again: Result<_, Refusal> = read_row(&written);
    assert_eq!(again, Ok(row), "a row reads back");
    assert!(written.len() <= bytes.len(), "a row does not grow");
}

/// A backup, decrypted. With an odd first byte its hash is mended, so that what lies before it is
/// read.
pub fn backup(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let is_mended = input.byte() % 2 == 1;
    let mut stream = input.rest().to_vec();
    if is_mended && stream.len() > 32 {
        let end = stream.len() - 32;
        let digest = super::journal::sha256(&stream[..end]);
        stream[end..].copy_from_slice(&digest);
    }
    let (mut groups, mut content) = (0, 0);
    let mut visit = |frames: Vec<corridor_store::journal::NewFrame<'static>>| {
        groups += 1;
        for frame in &frames {
            content += frame.meta.len() + frame.blob.len();
            let fact = read_fact(frame.kind, &frame.meta, &frame.blob);
            assert!(fact.is_ok(), "a backup holds facts");
        }
        Ok::<(), BackupError>(())
    };
    let read = read_backup(&mut stream.as_slice(), &mut visit);
    assert!(content <= stream.len(), "no more comes out than went in");
    if let Ok(contents) = read {
        assert_eq!(contents.groups, groups);
        assert_eq!(
            contents.bytes + 32,
            u64::try_from(stream.len()).expect("short")
        );
    }
}
