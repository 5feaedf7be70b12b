//! A store that is compacted, against itself as it was before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use corridor_proto::key::Signature;
use corridor_proto::line::{WithdrawalReason, note_hash};
use corridor_proto::{StartNumber, Token};
use corridor_rules::fact::SignedStart;
use corridor_rules::serve::Source;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::open::{Opening, open_sized};

/// A segment holds a few groups.
const SMALL: u64 = 10_000;

fn small() -> Options<'static> {
    Options {
        segment_bytes: SMALL,
        ..Options::new(&codec::blob_intact)
    }
}

impl Stopped {
    /// Runs the node with small segments.
    fn runs<T>(&self, act: impl FnOnce(&Store, Opening) -> T) -> T {
        let signer = Arc::new(Signer::new(self.me.key()));
        let opened = open_sized(self.folder.path(), signer, &small(), &mut |_, _| {});
        let (store, opening) = opened.expect("open");
        let done = act(&store, opening);
        store.close().expect("close");
        done
    }

    /// Makes groups of facts durable, as arrivals that a crash kept from the index.
    fn arrive(&self, groups: &[Vec<Fact>]) {
        self.small_journal(|journal| {
            for group in groups {
                let frames: Result<Vec<NewFrame<'_>>, _> = group.iter().map(codec::frame).collect();
                journal.append(&frames.expect("frames")).expect("append");
            }
        });
    }

    fn small_journal<T>(&self, act: impl FnOnce(&mut Journal) -> T) -> T {
        let folder = Folder::open(self.folder.path()).expect("folder");
        let (mut journal, _) = Journal::open(&folder.journal, &small(), &mut |_| {}).expect("open");
        act(&mut journal)
    }

    fn index_path(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    fn forget_index(&self) {
        fs::remove_dir_all(self.index_path()).expect("delete");
    }

    /// What it reads, and why its index was rebuilt, if it was.
    fn state(&self) -> (State, Option<String>) {
        self.runs(|store, opening| (State::of(store), opening.index_rebuilt))
    }

    fn compactions(&self) -> u64 {
        self.small_journal(|journal| journal.position().compactions)
    }

    /// Whether these bytes are in any file of the folder.
    fn has(&self, needle: &str) -> bool {
        let mut files = files(self.folder.path()).into_values();
        files.any(|bytes| {
            let mut windows = bytes.windows(needle.len());
            windows.any(|window| window == needle.as_bytes())
        })
    }

    fn journal_bytes(&self) -> usize {
        let files = files(&self.folder.path().join("journal"));
        files.values().map(Vec::len).sum()
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("read"));
        }
    }
    found
}

/// Everything that can be read of a store, but where it lies.
#[derive(Clone, PartialEq, Debug)]
struct State {
    model: String,
    contents: Vec<Vec<u8>>,
    rows: Vec<String>,
    texts: Vec<Vec<u8>>,
    lines: Vec<Vec<u8>>,
}

impl State {
    /// Reads everything, and demands that what should be there is.
    fn of(store: &Store) -> Self {
        store.read(|view| {
            let mut model = Model::clone(view);
            let (mut contents, mut rows, mut texts) = (Vec::new(), Vec::new(), Vec::new());
            for place in model.places_mut() {
                let content = view.salted(*place).map(|(_, content)| content);
                contents.push(content.expect("a content"));
                *place = corridor_rules::Place::default();
            }
            for (_, mut row) in view.rows(None) {
                for held in &mut row.versions {
                    let text = view.record(held.place).map(|record| record.body);
                    assert_eq!(text.is_none(), held.erased, "{held:?}");
                    texts.extend(text);
                    held.place = corridor_rules::Place::default();
                }
                rows.push(format!("{row:?}"));
            }
            let mut lines = Vec::new();
            for log in model.logs.values() {
                let found = view.lines(&log.id, 0, log.size());
                assert_eq!(u64::try_from(found.len()), Ok(log.size()), "{}", log.id);
                lines.extend(found);
            }
            let model = format!("{model:?}");
            Self {
                model,
                contents,
                rows,
                texts,
                lines,
            }
        })
    }
}

fn id(n: u8) -> RecordId {
    RecordId::new([n; 16])
}

fn wish(store: &Store, wish: Wish) -> bool {
    store.append_blocking(Item::Wish(wish), NOW).is_ok()
}

fn publish(store: &Store, record: u8, text: &str) -> bool {
    let circles = store.read(|view| vec![LogId::public(&view.me)]);
    let draft = store.read(|view| view.drafts.get(&id(record)).map(|draft| draft.place));
    wish(
        store,
        Wish::Publish(ToPublish {
            record: id(record),
            kind: 1,
            body: text.as_bytes().to_vec(),
            links: Vec::new(),
            circles: Some(circles),
            draft,
            hand: None,
        }),
    )
}

fn withdraw(store: &Store, record: u8) -> bool {
    let withdraw = Wish::Withdraw {
        record: id(record),
        up_to: None,
        reason: WithdrawalReason::Error,
        note: Some(format!("Note-{record}").into_bytes()),
        replacement: None,
    };
    wish(store, withdraw)
}

fn draft(store: &Store, record: u8, text: &str) -> bool {
    let body = text.as_bytes().to_vec();
    let record = Some(id(record));
    wish(
        store,
        Wish::SaveDraft(ToSave {
            record,
            kind: 1,
            body,
            ..ToSave::default()
        }),
    )
}

/// Looks at every segment that is full.
fn due(store: &Store) {
    let segments = store.read(|view| view.index.position().expect("position").place.segment);
    for _ in 0..=segments {
        let done = store.append_blocking(Item::Due, NOW);
        done.expect("nothing is due");
    }
}

/// Facts by which a peer says the same again and again, each time newer.
fn chatter(me: &Rcp, peer: &Rcp, store: &Store, from: u8, to: u8) -> Vec<Vec<Fact>> {
    let (size, root) = store.read(|view| {
        let log = &view.logs[&me.public()];
        let size = log.size();
        (size, log.tree.root_at(size).expect("root"))
    });
    let texts = (0..to).map(|n| peer.record(n + 100, format!("Theirs-{n}").as_bytes()));
    let (texts, lines): (Vec<Fact>, Vec<Vec<u8>>) = texts.unzip();
    let rounds = (from..to).map(|n| {
        let at = usize::from(n);
        let number = StartNumber::new([n + 1; 16]);
        let signature: Signature = [n; 64];
        let start = SignedStart { number, signature };
        let rcp = peer.id();
        vec![
            vec![peer.head(&lines[..=at])],
            vec![peer.lines(u64::from(n), &lines[at..=at]), texts[at].clone()],
            vec![peer.receipt(me, size, root)],
            vec![Fact::PeerStart { rcp, start }],
        ]
    });
    rounds.flatten().collect()
}

fn note(rcp: RcpId, n: u8) -> Fact {
    let (salt, text) = (Salt::new([5; 32]), format!("Their-note-{n}"));
    Fact::Note {
        rcp,
        hash: note_hash(&salt, text.as_bytes()),
        blob: blob(&salt, text.as_bytes()),
    }
}

/// A store in which much was superseded, in many segments: its own records and drafts, those of a
/// peer and of one that was forgotten; and what another peer said once.
fn history() -> (Stopped, Rcp) {
    let (stopped, peer) = (Stopped::made(), Rcp::new(10));
    let (gone, quiet) = (Rcp::new(20), Rcp::new(30));
    stopped.arrive(&[peer.partner(), gone.partner(), quiet.partner()]);
    let talk = stopped.runs(|store, _| {
        for n in 0..12 {
            assert!(publish(store, n, &format!("Canary-first-{n}")));
        }
        for n in 0..12 {
            assert!(draft(store, n % 6, &format!("Canary-draft-{n}")));
        }
        for n in 0..6 {
            assert!(wish(
                store,
                Wish::DiscardDraft {
                    record: id(n),
                    over: None
                }
            ));
        }
        for n in 0..12 {
            assert!(publish(store, n, &format!("Revised-{n}")));
            assert!(n.is_multiple_of(3) || withdraw(store, n));
        }
        assert!(draft(store, 3, "Kept-draft"));
        readers(store, &peer, 8);
        let rcp = gone.id();
        let again = chatter(&stopped.me, &peer, store, 0, 1).split_off(2);
        let mut talk = chatter(&stopped.me, &gone, store, 0, 10);
        talk.push(vec![note(rcp, 9)]);
        // What is said once and counts lies among what is said again and again.
        talk.extend(vec![again.clone(); 20].concat());
        talk.extend(tokens(&peer));
        talk.push(vec![Fact::Forget { rcp }]);
        talk.extend(chatter(&stopped.me, &quiet, store, 0, 1));
        talk.extend(vec![again.clone(); 20].concat());
        talk.extend((0..8).map(|n| vec![note(peer.id(), n % 4)]));
        talk.extend(chatter(&stopped.me, &peer, store, 0, 30));
        talk
    });
    stopped.arrive(&talk);
    // What is to be erased is, before anything is looked at.
    stopped.runs(|_, _| ());
    (stopped, peer)
}

/// A circle whose list is replaced again and again. Its readers do not pass it on: of what they do
/// the owner says now and then that it is the newest.
fn readers(store: &Store, peer: &Rcp, times: u64) {
    let (name, open, relay) = ("readers".to_owned(), true, false);
    wish(store, Wish::OpenCircle { name, open, relay });
    let log = store.read(|view| view.circle("readers").map(|log| log.id));
    let log = log.expect("an open circle");
    for n in 0..times {
        let readers = [(peer.id(), UnixMillis(NOW.0 + 1_000_000 + n))].into();
        assert!(wish(store, Wish::SetReaders { log, readers }));
    }
}

fn tokens(peer: &Rcp) -> Vec<Vec<Fact>> {
    let (rcp, expires) = (peer.id(), NOW);
    let one = |n: u8| {
        let token = Hash::new([n; 32]);
        let secret = Token::new([n; 32]);
        let redeemed = Fact::Redeemed { token };
        vec![
            vec![Fact::Invitation { token, expires }],
            if n.is_multiple_of(2) {
                vec![redeemed]
            } else {
                vec![note(rcp, n)]
            },
            vec![Fact::Accepted { rcp, token: secret }],
        ]
    };
    (0..6).flat_map(one).collect()
}

#[test]
fn a_compacted_store_reads_as_before_however_it_is_opened() {
    let (stopped, _) = history();
    let (before, rebuilt) = stopped.state();
    assert_eq!(rebuilt, None);
    let (bytes, dead) = (stopped.journal_bytes(), stopped.compactions());
    assert_eq!(dead, 0);
    stopped.runs(|store, _| {
        due(store);
        assert_eq!(State::of(store), before);
    });
    let done = stopped.compactions();
    let left = stopped.journal_bytes();
    assert!(
        done > 3 && left < bytes * 3 / 4,
        "{done}: {bytes} to {left}"
    );
    stopped.is_sound();
    let (after, rebuilt) = stopped.state();
    assert_eq!((rebuilt, &after), (None, &before), "the index goes on");
    stopped.forget_index();
    let (after, rebuilt) = stopped.state();
    assert!(rebuilt.is_some());
    assert_eq!(after, before);
    stopped.is_sound();
    stopped.runs(|store, _| due(store));
    assert_eq!(
        stopped.compactions(),
        done,
        "what is live stays where it is"
    );
}

#[test]
fn what_was_withdrawn_is_nowhere_before_and_after() {
    let (stopped, _) = history();
    let gone = |n: u8| !n.is_multiple_of(3);
    let is_clean = || {
        for n in (0..12).filter(|n| gone(*n)) {
            assert!(!stopped.has(&format!("Canary-first-{n}")), "{n}");
            assert!(!stopped.has(&format!("Revised-{n}")), "{n}");
        }
        assert!(!stopped.has("Canary-draft"));
    };
    is_clean();
    stopped.runs(|store, _| {
        due(store);
        is_clean();
        for n in (0..12).filter(|n| !gone(*n)) {
            assert!(stopped.has(&format!("Revised-{n}")), "{n}");
            assert!(withdraw(store, n));
            assert!(!stopped.has(&format!("Revised-{n}")), "{n}");
        }
        due(store);
    });
    assert!(!stopped.has("Canary-first") && !stopped.has("Revised"));
    stopped.is_sound();
}

#[test]
fn a_crash_at_any_step_loses_nothing() {
    let (stopped, _) = history();
    let (before, _) = stopped.state();
    let last = stopped.index().position().expect("position").place.segment;
    let live = &mut |_: &FrameRef<'_>| true;
    let intact = &codec::blob_intact;
    for segment in 0..last {
        stopped.small_journal(|journal| {
            let rewritten = journal.rewrite(segment, intact, live).expect("rewrite");
            drop(rewritten.prepare().expect("prepare"));
        });
        assert_eq!(stopped.state(), (before.clone(), None));
        stopped.small_journal(|journal| {
            let rewritten = journal.rewrite(segment, intact, live).expect("rewrite");
            let prepared = rewritten.prepare().expect("prepare");
            let _switched = prepared.switch().expect("switch");
        });
        let (after, rebuilt) = stopped.state();
        assert!(rebuilt.is_some(), "its places are of an earlier generation");
        assert_eq!(after, before);
    }
    stopped.is_sound();
}

#[test]
fn an_index_of_before_is_not_used_after() {
    let (stopped, _) = history();
    let (before, _) = stopped.state();
    let earlier = files(&stopped.index_path());
    stopped.runs(|store, _| due(store));
    assert!(stopped.compactions() > 0);
    stopped.forget_index();
    fs::create_dir_all(stopped.index_path().join("blobs")).expect("folder");
    for (path, bytes) in earlier {
        fs::write(path, bytes).expect("write");
    }
    let (after, rebuilt) = stopped.state();
    assert!(rebuilt.is_some());
    assert_eq!(after, before);
    stopped.is_sound();
}

#[test]
fn who_reads_meanwhile_never_misses_anything() {
    let (stopped, _) = history();
    let looks = stopped.runs(|store, _| {
        let (before, mut looks) = (State::of(store), 0);
        std::thread::scope(|scope| {
            let compacting = scope.spawn(|| due(store));
            while !compacting.is_finished() {
                assert_eq!(State::of(store), before);
                looks += 1;
            }
            compacting.join().expect("compacted");
        });
        looks
    });
    assert!(stopped.compactions() > 3);
    assert!(looks > 0);
}

#[test]
fn a_damaged_text_stays_where_it_is_and_the_rest_is_compacted() {
    let (stopped, _) = history();
    let journal = stopped.folder.path().join("journal");
    let mut spoilt = 0;
    for (path, mut bytes) in files(&journal) {
        let needle = b"Revised-3";
        if let Some(at) = bytes.windows(9).position(|window| window == needle) {
            bytes[at] ^= 1;
            fs::write(path, bytes).expect("write");
            spoilt += 1;
        }
    }
    assert_eq!(spoilt, 1);
    stopped.runs(|store, _| {
        due(store);
        assert!(publish(store, 90, "Canary-last"), "it goes on");
    });
    assert!(stopped.compactions() > 0);
    stopped.has_one_finding(&["record ", "its content is damaged"]);
}

/// What may happen to a store.
#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Withdraw(u8),
    Draft(u8),
    Discard(u8),
    Readers,
    /// So many rounds of a peer's chatter.
    Chatter(u8),
    Due,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..6).prop_map(Step::Publish),
        2 => (0_u8..6).prop_map(Step::Withdraw),
        2 => (0_u8..3).prop_map(Step::Draft),
        1 => (0_u8..3).prop_map(Step::Discard),
        1 => Just(Step::Readers),
        2 => (1_u8..12).prop_map(Step::Chatter),
        2 => Just(Step::Due),
        1 => Just(Step::Rebuild),
    ];
    vec(step, 10..25)
}

impl Stopped {
    fn step(&self, step: &Step, peer: &Rcp, said: &mut u8) {
        match *step {
            Step::Chatter(more) => {
                let from = std::mem::replace(said, *said + more);
                let talk = self.runs(|store, _| chatter(&self.me, peer, store, from, *said));
                self.arrive(&talk);
            }
            Step::Rebuild => {
                let (before, _) = self.state();
                self.forget_index();
                assert_eq!(self.state().0, before);
            }
            Step::Due => self.runs(|store, _| {
                let before = State::of(store);
                due(store);
                assert_eq!(State::of(store), before);
            }),
            // What the desk refuses changes nothing, which is as good.
            ref wished => drop(self.runs(|store, _| match *wished {
                Step::Publish(n) => publish(store, n, &"text ".repeat(usize::from(n) * 40 + 1)),
                Step::Withdraw(n) => withdraw(store, n),
                Step::Draft(n) => draft(store, n, &"draft ".repeat(usize::from(n) * 90 + 1)),
                Step::Discard(n) => wish(
                    store,
                    Wish::DiscardDraft {
                        record: id(n),
                        over: None,
                    },
                ),
                _ => wish(
                    store,
                    Wish::OpenCircle {
                        name: format!("circle-{}", store.read(|view| view.logs.len())),
                        open: true,
                        relay: false,
                    },
                ),
            })),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn any_history_reads_the_same_compacted(steps in steps()) {
        let (stopped, peer) = (Stopped::made(), Rcp::new(10));
        stopped.arrive(&[peer.partner()]);
        let mut said = 0;
        for step in &steps {
            stopped.step(step, &peer, &mut said);
        }
        for step in [Step::Due, Step::Rebuild] {
            stopped.step(&step, &peer, &mut said);
            stopped.is_sound();
        }
    }
}
