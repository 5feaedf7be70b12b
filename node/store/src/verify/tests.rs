//! Stores that are wrong in one way each. What the tests share is here.

mod compaction;
mod contents;
mod facts;
mod index;

use std::sync::Arc;

use corridor_proto::card::{Card, SignedCard};
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::{Checkpoint, Held};
use corridor_proto::key::SecretKey;
use corridor_proto::line::{Act, Line};
use corridor_proto::record::NewRecord;
use corridor_proto::tree::{Tree, leaf_hash};
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, Salt, UnixMillis};
use corridor_rules::desk::{ToPublish, ToSave, Wish, begin};
use corridor_rules::fact::{Fact, blob};
use corridor_rules::{Model, PeerState, Sort};
use tempfile::TempDir;

use super::{Report, verify_store};
use crate::codec;
use crate::folder::{Folder, create};
use crate::index::Index;
use crate::journal::{FrameRef, Journal, NewFrame, Options, Place};
use crate::open::open;
use crate::writer::{Item, Signer, Store};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// An RCP with its keys.
struct Rcp {
    seed: u8,
    charter: Charter,
}

impl Rcp {
    fn new(seed: u8) -> Self {
        let event = SignedKeyEvent::inception(&key(seed), &key(seed + 1));
        let charter = Charter::verify(vec![event]).expect("charter");
        Self { seed, charter }
    }

    fn id(&self) -> RcpId {
        self.charter.rcp()
    }

    fn key(&self) -> SecretKey {
        key(self.seed)
    }

    fn public(&self) -> LogId {
        LogId::public(&self.id())
    }

    fn key_event(&self) -> Fact {
        let event = self.charter.events()[0].clone();
        let rcp = self.id();
        Fact::KeyEvent { rcp, event }
    }

    /// The next key event, by the recovery key.
    fn rotation(&self) -> Fact {
        let (recovery, signing) = (key(self.seed + 1), key(self.seed + 2));
        let next = key(self.seed + 3).public_bytes();
        let event = SignedKeyEvent::rotation(&self.charter, &recovery, &signing, &next, None);
        Fact::KeyEvent {
            rcp: self.id(),
            event: event.expect("rotation"),
        }
    }

    fn card(&self) -> SignedCard {
        let card = Card {
            rcp: self.id(),
            key_seq: 0,
            serial: 1,
            tls_key: Hash::new([1; 32]),
            bundle_key: [2; 32],
            versions: vec![1],
            names: vec![("en".into(), "An office".into())],
            addresses: Vec::new(),
        };
        card.sign(&self.key()).expect("card")
    }

    /// What a node knows of it once they are partners: identity, state, its public log, empty.
    fn partner(&self) -> Vec<Fact> {
        let rcp = self.id();
        let (card, state) = (self.card(), PeerState::Active);
        vec![
            self.key_event(),
            Fact::Card { rcp, card },
            Fact::Peer {
                rcp,
                state,
                at: NOW,
            },
            Fact::Circle {
                owner: rcp,
                seed: LogSeed::ZERO,
                sort: Sort::Public,
                name: String::new(),
            },
        ]
    }

    /// Lines of its public log from `from` on.
    fn lines(&self, from: u64, lines: &[Vec<u8>]) -> Fact {
        let (log, lines) = (self.public(), lines.to_vec());
        Fact::Lines { log, from, lines }
    }

    /// The head of its public log over just these lines.
    fn head(&self, lines: &[Vec<u8>]) -> Fact {
        let mut tree = Tree::new();
        lines.iter().for_each(|line| tree.push(leaf_hash(line)));
        let root = tree.root_at(tree.size()).expect("root");
        self.signed(tree.size(), root)
    }

    fn signed(&self, size: u64, root: Hash) -> Fact {
        let note = self.checkpoint(size, root).sign(&self.key());
        Fact::Head {
            log: self.public(),
            note: note.note().to_owned(),
        }
    }

    fn checkpoint(&self, size: u64, root: Hash) -> Checkpoint {
        Checkpoint {
            log: self.public(),
            incarnation: 0,
            size,
            root,
        }
    }

    /// Its receipt for the public log of another.
    fn receipt(&self, of: &Self, size: u64, root: Hash) -> Fact {
        let held = Held {
            checkpoint: of.checkpoint(size, root),
            holder: self.id(),
            time_s: 1_700_000_000,
        };
        Fact::Held {
            holder: self.id(),
            note: held.sign(&self.key()),
        }
    }

    /// A record and the line that names it.
    fn record(&self, n: u8, body: &[u8]) -> (Fact, Vec<u8>) {
        let new = NewRecord {
            record: RecordId::new([n; 16]),
            version: u64::from(n),
            kind: 1,
            time: NOW,
            salt: Salt::new([n; 32]),
            body: body.to_vec(),
        };
        let verified = new.sign(&self.charter, &self.key()).expect("record");
        let version_hash = verified.version_hash();
        let signed = verified.into_signed();
        let blob = blob(&signed.salt, &signed.body);
        let header = signed.header;
        let line = publish(version_hash, n, u64::from(n));
        (Fact::Record { header, blob }, line)
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn line(act: Act) -> Vec<u8> {
    let random = [0; 16];
    Line {
        time: NOW,
        random,
        act,
    }
    .encode()
}

fn publish(version_hash: Hash, record: u8, version: u64) -> Vec<u8> {
    let record = RecordId::new([record; 16]);
    line(Act::Publish {
        version_hash,
        record,
        version,
    })
}

/// The store of a node that is not running.
struct Stopped {
    folder: TempDir,
    me: Rcp,
}

impl Stopped {
    /// A node that was made and never started.
    fn made() -> Self {
        let (folder, me) = (tempfile::tempdir().expect("folder"), Rcp::new(1));
        let mut last = 0;
        let mut random = |bytes: &mut [u8]| {
            last += 1;
            bytes.fill(last);
        };
        let facts = begin(&me.charter, &me.card(), NOW, &mut random, &me.key());
        create(folder.path(), &facts.expect("facts")).expect("store");
        Self { folder, me }
    }

    /// A node that published a record and was stopped.
    fn new() -> Self {
        let stopped = Self::made();
        let circles = Some(vec![stopped.me.public()]);
        stopped.wishes([Wish::Publish(ToPublish {
            record: RecordId::new([3; 16]),
            kind: 1,
            body: b"the first text".to_vec(),
            links: Vec::new(),
            circles,
            draft: None,
            hand: None,
        })]);
        stopped
    }

    /// Runs the node for so long as it takes to do something.
    fn run<T>(&self, act: impl FnOnce(&Store) -> T) -> T {
        let signer = Arc::new(Signer::new(self.me.key()));
        let (store, _) = open(self.folder.path(), signer, &mut |_, _| {}).expect("open");
        let done = act(&store);
        store.close().expect("close");
        done
    }

    fn wishes(&self, wishes: impl IntoIterator<Item = Wish>) {
        self.run(|store| {
            for wish in wishes {
                let done = store.append_blocking(Item::Wish(wish), NOW);
                done.expect("done");
            }
        });
    }

    fn model(&self) -> Model {
        self.run(|store| store.read(|view| Model::clone(view)))
    }

    /// Makes facts durable as one group and does nothing else: so a crash would leave them.
    fn append(&self, facts: &[Fact]) -> Vec<Place> {
        let frames: Result<Vec<NewFrame<'_>>, _> = facts.iter().map(codec::frame).collect();
        self.journal(|journal| journal.append(&frames.expect("frames")).expect("append"))
    }

    fn journal<T>(&self, act: impl FnOnce(&mut Journal) -> T) -> T {
        let folder = Folder::open(self.folder.path()).expect("folder");
        let options = Options::new(&codec::blob_intact);
        let (mut journal, _) = Journal::open(&folder.journal, &options, &mut |_| {}).expect("open");
        act(&mut journal)
    }

    fn index(&self) -> Index {
        let found = Index::existing(&self.folder.path().join("index")).expect("index");
        found.expect("an index").0
    }

    fn verify(&self) -> Report {
        verify_store(self.folder.path(), &mut |done, all| assert!(done <= all)).expect("verify")
    }

    /// Demands one finding, with these words.
    #[track_caller]
    fn has_one_finding(&self, words: &[&str]) {
        let report = self.verify();
        assert_eq!(report.findings.len(), 1, "{report:#?}");
        let finding = &report.findings[0];
        let said = format!("{}: {}", finding.place, finding.what);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
    }

    #[track_caller]
    fn is_sound(&self) -> Report {
        let report = self.verify();
        assert_eq!(report.findings, Vec::new(), "{report:#?}");
        report
    }
}
