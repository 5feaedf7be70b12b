//! A node that signs two things that contradict each other: two readers find out as soon as they
//! meet, keep the proof, pass it on, and go on taking what makes less visible.

#![allow(clippy::expect_used, reason = "this is test code")]

use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::evidence::Proved;
use corridor_proto::key::SecretKey;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::wire::Identity;
use corridor_proto::{LogId, RecordId, UnixMillis, v1};
use corridor_rules::desk::{DeskRefusal, Wish};
use corridor_rules::evidence::Kept;
use corridor_rules::ingest::{self, Arrival, HEAD_LACKING};
use corridor_rules::{RecordKey, RecordRow, Rows};
use corridor_tests::sim::meeting::{self, meet};
use corridor_tests::sim::node::{Node, recovery_key};
use corridor_tests::sim::rng::Rng;
use prost::Message;

/// Each story in so many orders in which frames arrive.
const SEEDS: u64 = 40;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// An owner, a copy of it, and two readers that have both of its first records.
struct Story {
    owner: Node,
    copy: Node,
    readers: [Node; 2],
    log: LogId,
    rng: Rng,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let ([owner, one, other], log) = meeting::confirmed(true, &mut rng, NOW);
        let mut story = Self {
            copy: owner.copy(),
            owner,
            readers: [one, other],
            log,
            rng,
        };
        story.publish(1, b"first");
        story.publish(2, b"second");
        story.copy = story.owner.copy();
        story
    }

    fn publish(&mut self, record: u8, text: &[u8]) {
        meeting::publish(&mut self.owner, record, text, self.log, &mut self.rng, NOW);
    }

    fn publish_copy(&mut self, record: u8, text: &[u8]) {
        meeting::publish(&mut self.copy, record, text, self.log, &mut self.rng, NOW);
    }

    /// The first reader meets the owner, the second its copy.
    fn apart(&mut self) {
        let [one, other] = &mut self.readers;
        assert!(meet([&mut self.owner, one], NOW, 1, &mut self.rng).is_empty());
        assert!(meet([&mut self.copy, other], NOW, 1, &mut self.rng).is_empty());
    }

    /// The two readers meet.
    fn together(&mut self) -> Vec<&'static str> {
        let [one, other] = &mut self.readers;
        meet([one, other], NOW, 1, &mut self.rng)
    }

    fn row(&self, reader: usize, record: u8) -> RecordRow {
        let (rcp, record) = (self.owner.rcp, RecordId::new([record; 16]));
        let row = self.readers[reader].store.row(&RecordKey { rcp, record });
        row.unwrap_or_default()
    }

    fn shows(&self, reader: usize, record: u8) -> bool {
        self.row(reader, record).current(|_| true).is_some()
    }

    fn proved(&self, reader: usize) -> Vec<Proved> {
        let kept = self.readers[reader].model.evidence.iter();
        kept.map(|kept| kept.proved).collect()
    }

    fn fork(&self) -> Proved {
        let (log, incarnation) = (self.log, 0);
        Proved::Log { log, incarnation }
    }

    fn is_frozen(&self, reader: usize) -> bool {
        self.readers[reader].model.logs[&self.log].is_frozen()
    }
}

fn withdraw(record: u8) -> Wish {
    Wish::Withdraw {
        record: RecordId::new([record; 16]),
        up_to: None,
        reason: WithdrawalReason::Error,
        note: None,
        replacement: None,
    }
}

/// Writes the evidence as a file, for another implementation to judge, where one is asked for.
fn leave(kept: &Kept, charter: &Charter, name: &str) {
    let Some(folder) = std::env::var_os("CORRIDOR_EVIDENCE_DIR") else {
        return;
    };
    let path = std::path::Path::new(&folder).join(name);
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(path, kept.file(charter)).expect("a file");
}

fn form(kept: &Kept) -> &'static str {
    use v1::evidence::Form;
    let message = v1::Evidence::decode(kept.bytes.as_slice()).expect("evidence");
    match message.form.expect("a form") {
        Form::TwoRoots(_) => "two roots",
        Form::TwoLines(_) => "two lines",
        Form::TwoVersions(_) => "two versions",
        Form::TwoKeyEvents(_) => "two key events",
    }
}

#[test]
fn two_roots_for_one_size_are_found_when_two_readers_meet() {
    for seed in 0..SEEDS {
        let mut story = Story::new(seed);
        story.publish(3, b"to one");
        story.publish_copy(4, b"to the other");
        story.apart();
        story.together();
        for reader in [0, 1] {
            assert_eq!(story.proved(reader), [story.fork()], "{reader}");
            assert!(story.is_frozen(reader));
            let kept = &story.readers[reader].model.evidence[0];
            assert_eq!(form(kept), "two roots");
            let charter = story.owner.identity().charter;
            let file = v1::EvidenceFile::decode(kept.file(&charter).as_slice()).expect("a file");
            let bytes = file.evidence.expect("evidence").encode_to_vec();
            assert_eq!(Kept::read(&bytes, &charter).as_ref(), Ok(kept));
            leave(kept, &charter, "roots.bin");
        }
        assert!(story.shows(0, 3), "what was published before stays");
        assert_eq!(story.together(), Vec::<&str>::new(), "it is told once");
    }
}

#[test]
fn two_histories_of_different_length_are_walked_to_the_line_in_which_they_differ() {
    for seed in 0..SEEDS {
        let mut story = Story::new(seed);
        story.publish(3, b"to one");
        story.publish(5, b"and more");
        story
            .copy
            .wish(withdraw(2), NOW, &mut story.rng)
            .expect("withdrawn");
        story.apart();
        story.together();
        for reader in [0, 1] {
            assert_eq!(story.proved(reader), [story.fork()], "{reader}");
            assert_eq!(form(&story.readers[reader].model.evidence[0]), "two lines");
            assert!(story.is_frozen(reader));
            assert!(
                story.row(reader, 2).burnt() > 0,
                "a withdrawal counts from both"
            );
            let charter = story.owner.identity().charter;
            leave(
                &story.readers[reader].model.evidence[0],
                &charter,
                "lines.bin",
            );
            assert!(story.shows(reader, 1));
        }
    }
}

#[test]
fn a_frozen_log_publishes_nothing_further_and_still_withdraws() {
    let mut grew = 0;
    for seed in 0..SEEDS {
        let mut story = Story::new(seed);
        story.publish(3, b"to one");
        story.publish_copy(4, b"to the other");
        story.apart();
        story.together();
        // The owner has not heard of it.
        story.publish(6, b"late");
        let withdrawn = story.owner.wish(withdraw(1), NOW, &mut story.rng);
        withdrawn.expect("withdrawn");
        let size = story.readers[0].model.logs[&story.log].size();
        let [reader, _] = &mut story.readers;
        let held = story.owner.model.held.clone();
        meet([&mut story.owner, reader], NOW, 1, &mut story.rng);
        assert!(!story.shows(0, 6), "nothing further is published");
        // It hears of it in this session, before it has said all or behind that.
        if story.readers[0].model.logs[&story.log].size() > size {
            assert!(story.row(0, 1).burnt() > 0, "what is withdrawn is");
            grew += 1;
        }
        assert_eq!(story.owner.model.held, held, "no receipt is given");
        let stopped = story.owner.model.signing_stopped.as_deref();
        assert_eq!(stopped, Some(HEAD_LACKING));
    }
    assert!(grew > 0, "in some order its lines came first");
}

#[test]
fn a_restart_ends_it_once_a_person_accepts_it() {
    for seed in 0..SEEDS {
        // The first reader has the history on which it goes on, the second the other one.
        for reader in [0, 1] {
            let mut story = Story::new(seed);
            story.publish(3, b"to one");
            story.publish_copy(4, b"to the other");
            story.apart();
            story.together();
            let (rcp, log) = (story.owner.rcp, story.log);
            let early =
                story.readers[reader].wish(Wish::AcceptRestart { rcp }, NOW, &mut story.rng);
            assert!(matches!(early, Err(DeskRefusal::Nothing(_))));
            meet(
                [&mut story.owner, &mut story.readers[reader]],
                NOW,
                1,
                &mut story.rng,
            );
            assert!(story.owner.model.signing_stopped.is_some());
            meet(
                [&mut story.owner, &mut story.readers[reader]],
                NOW,
                1,
                &mut story.rng,
            );
            let restarted = story.owner.wish(Wish::Restart, NOW, &mut story.rng);
            restarted.expect("restarted");
            story.publish(7, b"again");
            meet(
                [&mut story.owner, &mut story.readers[reader]],
                NOW,
                1,
                &mut story.rng,
            );
            assert!(!story.shows(reader, 7), "not before a person accepts it");
            assert!(
                story.readers[reader].model.logs[&log].shown > 0,
                "{reader} heard of it"
            );
            let accepted = Wish::AcceptRestart { rcp };
            let accepted = story.readers[reader].wish(accepted, NOW, &mut story.rng);
            accepted.expect("accepted");
            meet(
                [&mut story.owner, &mut story.readers[reader]],
                NOW,
                1,
                &mut story.rng,
            );
            assert!(story.shows(reader, 7) && !story.is_frozen(reader));
            let again = story.readers[reader].folded_again();
            corridor_tests::sim::same::same_model(&story.readers[reader].model, &again.model);
        }
    }
}

#[test]
fn two_texts_under_one_version_are_hidden_and_proved() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let (mut nodes, drafting) = meeting::confirmed::<3>(true, &mut rng, NOW);
        let second = meeting::list(&mut nodes, "second", true, &mut rng, NOW);
        let [mut owner, mut one, mut other] = nodes;
        let mut copy = owner.copy();
        meeting::publish(&mut owner, 9, b"one text", drafting, &mut rng, NOW);
        meeting::publish(&mut copy, 9, b"another text", second, &mut rng, NOW);
        meet([&mut owner, &mut one], NOW, 1, &mut rng);
        meet([&mut copy, &mut other], NOW, 1, &mut rng);
        meet([&mut one, &mut other], NOW, 1, &mut rng);
        meet([&mut one, &mut other], NOW, 1, &mut rng);
        for reader in [&one, &other] {
            let kept = &reader.model.evidence;
            assert_eq!(
                kept.len(),
                1,
                "{:?}",
                kept.iter().map(form).collect::<Vec<_>>()
            );
            assert_eq!(form(&kept[0]), "two versions");
            leave(&kept[0], &owner.identity().charter, "versions.bin");
            let (rcp, record) = (owner.rcp, RecordId::new([9; 16]));
            let row = reader.store.row(&RecordKey { rcp, record }).expect("a row");
            assert!(row.current(|_| true).is_none(), "neither text is shown");
            assert!(!reader.model.logs[&drafting].is_frozen());
        }
    }
}

#[test]
fn two_key_events_of_one_number_freeze_the_rcp() {
    for seed in 0..SEEDS {
        let mut story = Story::new(seed);
        story.apart();
        let (event, card) = story.owner.rotation(NOW);
        let charter = story.owner.identity().charter;
        let rotated = Wish::Rotate { event, card };
        story
            .owner
            .wish(rotated, NOW, &mut story.rng)
            .expect("rotated");
        let [one, _] = &mut story.readers;
        meet([&mut story.owner, one], NOW, 1, &mut story.rng);
        // Whoever has the recovery key uses it a second time.
        let thief = SecretKey::from_seed(&[99; 32]);
        let next = SecretKey::from_seed(&[98; 32]).public_bytes();
        let event = SignedKeyEvent::rotation(&charter, &recovery_key(1, 0), &thief, &next, None);
        let mut forked: Charter = charter;
        forked.push(event.expect("an event")).expect("a rotation");
        let card = story.owner.identity().card.card().clone();
        let card = corridor_proto::card::Card { key_seq: 1, ..card };
        let card = card
            .sign(&thief)
            .expect("signed")
            .verify(&forked)
            .expect("a card");
        let found = Arrival::Identity(Box::new(Identity {
            charter: forked,
            card,
        }));
        let one = &mut story.readers[0];
        let facts = ingest::decide(&one.model, &one.store, &found, NOW).expect("evidence");
        one.append(facts);
        assert_eq!(story.proved(0), [Proved::Rcp]);
        let known = story.readers[0].model.charter(&story.owner.rcp);
        let kept = &story.readers[0].model.evidence[0];
        leave(kept, known.expect("a charter"), "key-events.bin");
        assert!(story.is_frozen(0));
        story.together();
        assert_eq!(
            story.proved(1),
            [Proved::Rcp],
            "those who read its circles hear of it"
        );
    }
}

#[test]
fn restarts_replays_and_garbage_prove_nothing() {
    for seed in 0..SEEDS {
        let mut story = Story::new(seed);
        story.publish(3, b"to one");
        let [one, other] = &mut story.readers;
        meet([&mut story.owner, one], NOW, 1, &mut story.rng);
        // The folder is set back, notices it, and goes on behind a restart.
        let back = &mut story.copy;
        meet([back, one], NOW, 1, &mut story.rng);
        assert_eq!(back.model.signing_stopped.as_deref(), Some(HEAD_LACKING));
        back.wish(Wish::Restart, NOW, &mut story.rng)
            .expect("restarted");
        meeting::publish(back, 4, b"after it", story.log, &mut story.rng, NOW);
        meet([back, other], NOW, 1, &mut story.rng);
        meet([one, other], NOW, 1, &mut story.rng);
        meet([back, one], NOW, 1, &mut story.rng);
        for reader in [0, 1] {
            assert!(story.proved(reader).is_empty() && !story.is_frozen(reader));
            assert!(story.shows(reader, 4));
        }
        let mut fork = Story::new(seed);
        fork.publish(3, b"to one");
        fork.publish_copy(4, b"to the other");
        fork.apart();
        fork.together();
        let peer = fork.readers[1].rcp;
        let good = fork.readers[0].model.evidence[0].bytes.clone();
        let model = &story.readers[0].model;
        let mut refused = 0;
        let charter = fork.owner.identity().charter;
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            let Ok(evidence) = v1::Evidence::decode(bytes.as_slice()) else {
                continue;
            };
            let is_refused = Kept::read(&evidence.encode_to_vec(), &charter).is_err();
            let evidence = Box::new(evidence);
            let arrival = Arrival::Evidence { peer, evidence };
            let verdict = ingest::decide(model, &story.readers[0].store, &arrival, NOW);
            assert!(verdict.is_err() || verdict == Ok(Vec::new()), "byte {at}");
            refused += usize::from(is_refused);
        }
        assert!(refused > 100, "{refused}");
    }
}

#[test]
fn what_a_second_history_withdraws_at_once_waits_for_a_day() {
    let mut story = Story::new(1);
    for record in 10..70 {
        story.publish(record, b"one of many");
    }
    story.copy = story.owner.copy();
    story.publish(3, b"to one");
    for record in 10..70 {
        let withdrawn = story.copy.wish(withdraw(record), NOW, &mut story.rng);
        withdrawn.expect("withdrawn");
    }
    story.apart();
    story.together();
    let row = story.row(0, 20);
    assert!(row.burnt() > 0, "it is hidden");
    assert!(
        row.versions.iter().all(|held| !held.erased),
        "and not yet erased"
    );
    assert!(
        story.readers[0]
            .model
            .delayed_until(&story.owner.rcp)
            .is_some()
    );
}

#[test]
fn a_fork_that_its_owner_left_behind_freezes_no_newcomer() {
    let mut story = Story::new(2);
    story.publish(3, b"to one");
    story.publish_copy(4, b"to the other");
    story.apart();
    story.together();
    let proof = story.readers[0].model.evidence[0].bytes.clone();
    let [one, _] = &mut story.readers;
    meet([&mut story.owner, one], NOW, 1, &mut story.rng);
    let restarted = story.owner.wish(Wish::Restart, NOW, &mut story.rng);
    restarted.expect("restarted");
    let fresh = Story::new(2);
    let [_, mut late] = fresh.readers;
    let peer = story.readers[0].rcp;
    let evidence = Box::new(v1::Evidence::decode(proof.as_slice()).expect("evidence"));
    let told = Arrival::Evidence { peer, evidence };
    let facts = ingest::decide(&late.model, &late.store, &told, NOW).expect("evidence");
    late.append(facts);
    assert_eq!(late.model.evidence.len(), 1, "it is kept");
    meet([&mut story.owner, &mut late], NOW, 1, &mut story.rng);
    let log = &late.model.logs[&story.log];
    assert!(log.incarnation > 0 && !log.is_frozen(), "{:?}", log.stop);
}
