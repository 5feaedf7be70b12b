//! What evidence adds here, who hears of it, and which two things make one.

use corridor_proto::checkpoint::{Checkpoint, SignedCheckpoint};
use corridor_proto::line::{Act, Line, ReaderList, readers_hash};
use corridor_proto::record::NewRecord;
use corridor_proto::{Hash, LogSeed, RecordId, Salt};

use super::*;
use crate::fact::Place;
use crate::peer::PeerState;
use crate::row::Stand;
use crate::samples::{ABOUT, ME, NOW, PEER, charter, identity, key, model, rcp, rotated, state};

fn checkpoint(owner: u8, incarnation: u64, size: u64, root: u8) -> SignedCheckpoint {
    let checkpoint = Checkpoint {
        log: LogId::derive(&rcp(owner), &LogSeed::new([7; 16])),
        incarnation,
        size,
        root: Hash::new([root; 32]),
    };
    checkpoint.sign(&key(owner))
}

fn message(about: u8, evidence: &Evidence) -> v1::Evidence {
    wire::evidence_message(&rcp(about), evidence)
}

fn roots(owner: u8, incarnation: u64, size: u64) -> v1::Evidence {
    let both = [1, 2].map(|root| checkpoint(owner, incarnation, size, root));
    message(owner, &Evidence::TwoRoots(both))
}

fn header(owner: u8, record: RecordId, body: &[u8]) -> SignedHeader {
    let new = NewRecord {
        record,
        version: 5,
        kind: 1,
        time: NOW,
        salt: Salt::new([4; 32]),
        body: body.to_vec(),
    };
    let signed = new.sign(&charter(owner), &key(owner)).expect("signed");
    signed.into_signed().header
}

fn versions(owner: u8, record: u16) -> v1::Evidence {
    let mut id = [9; 16];
    id[..2].copy_from_slice(&record.to_be_bytes());
    let both = [b"one", b"two"].map(|body| header(owner, RecordId::new(id), body));
    message(owner, &Evidence::TwoVersions(both))
}

fn events(about: u8) -> v1::Evidence {
    let both = [50, 60].map(|new| rotated(about, new).events()[1].clone());
    message(about, &Evidence::TwoKeyEvents(both))
}

fn decided(model: &Model, peer: u8, evidence: &v1::Evidence) -> Result<Vec<Fact>, Reason> {
    decide(model, &rcp(peer), evidence).map_err(|refusal| refusal.reason)
}

/// Takes evidence in; gives the codes for which nothing is signed any more.
fn taken(model: &mut Model, peer: u8, evidence: &v1::Evidence) -> Vec<String> {
    let facts = decided(model, peer, evidence).expect("taken");
    let Some(Fact::Evidence {
        rcp,
        evidence: kept,
    }) = facts.first()
    else {
        panic!("nothing is kept: {facts:?}");
    };
    assert_eq!(
        (rcp.as_bytes().as_slice(), kept),
        (evidence.rcp.as_slice(), &evidence.encode_to_vec())
    );
    let stopped = facts.iter().skip(1).map(|fact| match fact {
        Fact::SigningStopped { reason } => reason.clone(),
        other => panic!("{other:?}"),
    });
    let stopped = stopped.collect();
    for fact in &facts {
        model.apply(None, fact, Place::default());
    }
    stopped
}

const NOTHING: Result<Vec<Fact>, Reason> = Ok(Vec::new());

#[test]
fn evidence_is_kept_once() {
    let mut model = model();
    assert_eq!(taken(&mut model, PEER, &roots(ABOUT, 0, 3)), [""; 0]);
    assert_eq!(decided(&model, PEER, &roots(ABOUT, 0, 3)), NOTHING, "again");
    assert_eq!(
        decided(&model, ABOUT, &roots(ABOUT, 0, 4)),
        NOTHING,
        "proves the same"
    );
    taken(&mut model, ABOUT, &roots(ABOUT, 1, 3));
    taken(&mut model, PEER, &versions(ABOUT, 0));
    // Of another RCP the same record and version are something else.
    taken(&mut model, PEER, &versions(PEER, 0));
    taken(&mut model, PEER, &events(ABOUT));
    assert_eq!(
        decided(&model, PEER, &versions(ABOUT, 1)),
        NOTHING,
        "it is frozen for good"
    );
    taken(&mut model, PEER, &versions(PEER, 1));
}

#[test]
fn what_proves_nothing_is_refused_to_whom_it_is_about_alone() {
    let mut model = model();
    let same = [1, 1].map(|root| checkpoint(ABOUT, 0, 3, root));
    let nothing = message(ABOUT, &Evidence::TwoRoots(same));
    assert_eq!(decided(&model, PEER, &nothing), NOTHING);
    assert!(decided(&model, ABOUT, &nothing).is_err());
    assert_eq!(
        decided(&model, PEER, &roots(9, 0, 3)),
        NOTHING,
        "nobody here knows it"
    );
    assert_eq!(
        decided(&model, 9, &roots(ABOUT, 0, 3)),
        Err(Reason::NotEntitled)
    );
    state(&mut model, PEER, PeerState::Left);
    assert_eq!(
        decided(&model, PEER, &roots(ABOUT, 0, 3)),
        Err(Reason::NotEntitled)
    );
    let nobody = v1::Evidence::default();
    assert!(decided(&model, ABOUT, &nobody).is_err());
}

#[test]
fn so_much_is_kept_and_then_only_what_stops_something() {
    let mut model = model();
    let most = u16::try_from(EVIDENCE_PER_RCP_MAX).expect("few");
    for record in 0..most {
        taken(&mut model, PEER, &versions(ABOUT, record));
    }
    assert_eq!(decided(&model, PEER, &versions(ABOUT, most)), NOTHING);
    assert_eq!(
        decided(&model, PEER, &roots(ABOUT, 0, 3)),
        NOTHING,
        "no log of ours"
    );
    taken(&mut model, PEER, &versions(PEER, 0));
    open(&mut model, &[]);
    taken(&mut model, PEER, &roots(ABOUT, 0, 3));
    taken(&mut model, PEER, &events(ABOUT));
}

#[test]
fn evidence_about_ourselves_stops_our_signing() {
    assert_eq!(taken(&mut model(), PEER, &versions(ME, 0)), [""; 0]);
    assert_eq!(taken(&mut model(), PEER, &roots(ME, 0, 3)), [HEAD_LACKING]);
    assert_eq!(taken(&mut model(), PEER, &events(ME)), [CHARTER_FORKED]);
    let mut restarted = model();
    let log = Log::new(rcp(ME), LogSeed::new([7; 16]), Sort::Open, String::new());
    let id = log.id;
    restarted.logs.insert(id, log);
    assert_eq!(
        taken(&mut restarted, PEER, &roots(ME, 0, 3)),
        [HEAD_LACKING]
    );
    let mut restarted = model();
    let mut log = Log::new(rcp(ME), LogSeed::new([7; 16]), Sort::Open, String::new());
    log.incarnation = 2;
    restarted.logs.insert(id, log);
    assert_eq!(
        taken(&mut restarted, PEER, &roots(ME, 1, 3)),
        [""; 0],
        "before a restart"
    );
    assert_eq!(
        taken(&mut restarted, PEER, &roots(ME, 2, 3)),
        [HEAD_LACKING]
    );
}

#[test]
fn kept_evidence_reads_back_and_makes_a_file() {
    let about = charter(ABOUT);
    let bytes = roots(ABOUT, 0, 3).encode_to_vec();
    let kept = Kept::read(&bytes, &about).expect("kept");
    let log = checkpoint(ABOUT, 0, 3, 1);
    let log = SignedCheckpoint::parse(log.note().as_bytes()).expect("a note");
    let log = log.verify(&about).expect("verifies").checkpoint().log;
    let incarnation = 0;
    assert_eq!(kept.proved, Proved::Log { log, incarnation });
    let wrong = Kept::read(&bytes, &charter(PEER)).expect_err("of another");
    assert_eq!(wrong.reason, Reason::WrongRcp);
    let file = v1::EvidenceFile::decode(kept.file(&about).as_slice()).expect("a file");
    assert_eq!(file.evidence, Some(roots(ABOUT, 0, 3)));
    assert_eq!(file.key_events.len(), 1);
}

#[test]
fn two_charters_that_fork_make_evidence() {
    let mut model = model();
    assert_eq!(
        of_identity(&model, &identity(&charter(ABOUT), ABOUT)),
        None,
        "the same"
    );
    assert_eq!(
        of_identity(&model, &identity(&rotated(ABOUT, 50), 50)),
        None,
        "longer"
    );
    for about in [ABOUT, ME] {
        let event = rotated(about, 60).events()[1].clone();
        let rcp = rcp(about);
        model.apply(None, &Fact::KeyEvent { rcp, event }, Place::default());
    }
    let fork = of_identity(&model, &identity(&rotated(ABOUT, 50), 50)).expect("a fork");
    let kept = Kept::read(&fork.encode_to_vec(), &charter(ABOUT)).expect("proves it");
    assert_eq!(kept.proved, Proved::Rcp);
    assert_eq!(
        of_identity(&model, &identity(&rotated(ME, 50), 50)),
        None,
        "our own"
    );
    assert_eq!(
        of_identity(&model, &identity(&charter(9), 9)),
        None,
        "unknown"
    );
}

/// The open log of the one that evidence is about, with these readers, and two lines under a head.
fn open(model: &mut Model, readers: &[u8]) -> LogId {
    let (owner, seed) = (rcp(ABOUT), LogSeed::new([7; 16]));
    let log = LogId::derive(&owner, &seed);
    let list = ReaderList {
        relay: true,
        circle: String::new(),
        answers: None,
        readers: {
            let mut readers: Vec<_> = readers
                .iter()
                .map(|one| (rcp(*one), UnixMillis(0)))
                .collect();
            readers.sort();
            readers
        },
    };
    let salt = Salt::new([3; 32]);
    let bytes = list.encode().expect("a list");
    let hash = readers_hash(&salt, &bytes);
    let act = Act::Readers { list: hash };
    let lines: Vec<Vec<u8>> = [1, 2].map(|random| line(random, act)).into();
    let facts = [
        Fact::Circle {
            owner,
            seed,
            sort: Sort::Open,
            name: String::new(),
        },
        Fact::Lines {
            log,
            from: 0,
            lines,
        },
        Fact::List {
            log,
            hash,
            blob: crate::fact::blob(&salt, &bytes),
        },
    ];
    for fact in &facts {
        model.apply(None, fact, Place::default());
    }
    log
}

fn line(random: u8, act: Act) -> Vec<u8> {
    Line {
        time: NOW,
        random: [random; 16],
        act,
    }
    .encode()
}

#[test]
fn a_head_is_compared_with_what_is_held() {
    let mut model = model();
    let id = open(&mut model, &[ME]);
    let log = &model.logs[&id];
    let root = |size| log.tree.root_at(size).expect("a root");
    let head = |incarnation, size, root| {
        let checkpoint = Checkpoint {
            log: id,
            incarnation,
            size,
            root,
        };
        Head {
            checkpoint,
            key_seq: 0,
            note: checkpoint.sign(&key(ABOUT)).note().to_owned(),
        }
    };
    let other = Hash::new([8; 32]);
    let against = |log: &Log, head: &Head| compare(log, head);
    assert_eq!(against(log, &head(0, 2, root(2))), Against::Nothing);
    assert_eq!(
        against(log, &head(0, 2, other)),
        Against::Lines,
        "no signed root is here"
    );
    assert_eq!(against(log, &head(0, 1, other)), Against::Lines);
    assert_eq!(
        against(log, &head(0, 5, other)),
        Against::Nothing,
        "ahead of our lines"
    );
    assert_eq!(
        against(log, &head(1, 2, other)),
        Against::Nothing,
        "after a restart"
    );
    let mut held = log.clone();
    held.held_head = Some(head(0, 2, root(2)));
    held.head = Some(head(0, 4, root(2)));
    assert_eq!(against(&held, &head(0, 2, root(2))), Against::Nothing);
    assert_eq!(against(&held, &head(0, 4, root(2))), Against::Nothing);
    assert_eq!(against(&held, &head(0, 1, other)), Against::Lines);
    for (size, known) in [(2, &held.held_head), (4, &held.head)] {
        let Against::Root(found) = against(&held, &head(0, size, other)) else {
            panic!("another root for {size}");
        };
        let proved = found.verify(&charter(ABOUT)).expect("proves it");
        let incarnation = 0;
        assert_eq!(
            proved,
            Proved::Log {
                log: id,
                incarnation
            }
        );
        let known = known.as_ref().and_then(Head::signed);
        let Evidence::TwoRoots([one, _]) = *found else {
            panic!("two roots");
        };
        assert_eq!(Some(one), known);
    }
    // A head of before a restart says nothing about what came behind it.
    held.incarnation = 1;
    assert_eq!(against(&held, &head(1, 4, other)), Against::Nothing);
}

#[test]
fn two_texts_of_one_version_make_evidence() {
    let record = RecordId::new([9; 16]);
    let [one, other] = [b"one", b"two"].map(|body| header(ABOUT, record, body));
    let held = |version, header: &SignedHeader| HeldVersion {
        version,
        version_hash: header.version_hash(),
        kind: 1,
        time: NOW,
        place: Place::default(),
        erased: false,
    };
    let of = |versions: Vec<HeldVersion>, came: &SignedHeader| {
        let row = RecordRow {
            versions,
            ..RecordRow::default()
        };
        of_record(&rcp(ABOUT), &row, (came, 5), |_| Some(one.clone()))
    };
    assert_eq!(of(vec![held(5, &one)], &one), None, "the same");
    assert_eq!(of(vec![held(4, &one)], &other), None, "another version");
    assert_eq!(of(Vec::new(), &other), None);
    let found = of(vec![held(4, &other), held(5, &one)], &other).expect("two texts");
    let kept = Kept::read(&found.encode_to_vec(), &charter(ABOUT)).expect("proves it");
    let version = 5;
    assert_eq!(kept.proved, Proved::Version { record, version });
}

/// Rows with one record of the one that evidence is about, which stands in these logs.
struct Stands(Vec<LogId>);

impl Rows for Stands {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        let stand = |log: &LogId| Stand {
            log: *log,
            version: 5,
            version_hash: Hash::ZERO,
            index: 0,
            first: 0,
            left: false,
            decided: 0,
            void: false,
            kept_left: false,
        };
        (key.rcp == rcp(ABOUT)).then(|| RecordRow {
            stands: self.0.iter().map(stand).collect(),
            ..RecordRow::default()
        })
    }
}

fn read(evidence: &v1::Evidence) -> Kept {
    Kept::read(&evidence.encode_to_vec(), &charter(ABOUT)).expect("kept")
}

/// Whether a peer hears of a log with two histories, of a record with two texts that stands in
/// these logs, and of a charter that forks.
fn hears(model: &Model, stands: &[LogId], peer: u8) -> [bool; 3] {
    [roots(ABOUT, 0, 3), versions(ABOUT, 0), events(ABOUT)].map(|evidence| {
        let rows = Stands(stands.to_vec());
        may_hear(model, &rows, &read(&evidence), &rcp(peer), NOW)
    })
}

#[test]
fn evidence_is_told_to_whom_every_log_that_it_quotes_is_open() {
    let mut model = model();
    assert_eq!(hears(&model, &[], ABOUT), [true; 3], "it is its own");
    assert_eq!(
        hears(&model, &[], PEER),
        [false; 3],
        "no list says that we read it"
    );
    let id = open(&mut model, &[ME, PEER]);
    assert_eq!(hears(&model, &[id], PEER), [true; 3]);
    assert_eq!(
        hears(&model, &[], PEER),
        [true, false, true],
        "it stands nowhere"
    );
    let public = Log::new(rcp(ABOUT), LogSeed::ZERO, Sort::Public, String::new());
    let closed = Log::new(
        rcp(ABOUT),
        LogSeed::new([8; 16]),
        Sort::Closed,
        String::new(),
    );
    let ids = [public.id, closed.id];
    assert_eq!(
        hears(&model, &[id, public.id], PEER),
        [true, false, true],
        "not here"
    );
    model.logs.extend([(ids[0], public), (ids[1], closed)]);
    assert_eq!(
        hears(&model, &[id, ids[0]], PEER),
        [true; 3],
        "public is open to all"
    );
    assert_eq!(hears(&model, &[id, ids[1]], PEER), [true, false, true]);
    let other = LogId::derive(&rcp(ABOUT), &LogSeed::new([6; 16]));
    let mut elsewhere = read(&roots(ABOUT, 0, 3));
    let incarnation = 0;
    elsewhere.proved = Proved::Log {
        log: other,
        incarnation,
    };
    assert!(!may_hear(
        &model,
        &Stands(Vec::new()),
        &elsewhere,
        &rcp(PEER),
        NOW
    ));
    elsewhere.proved = Proved::Log {
        log: ids[0],
        incarnation,
    };
    assert!(may_hear(
        &model,
        &Stands(Vec::new()),
        &elsewhere,
        &rcp(PEER),
        NOW
    ));
}

#[test]
fn evidence_is_told_to_nobody_who_is_not_listed_or_not_active() {
    let mut alone = model();
    let id = open(&mut alone, &[ME]);
    assert_eq!(
        hears(&alone, &[id], PEER),
        [false; 3],
        "it is not on the list"
    );
    let mut model = model();
    open(&mut model, &[ME, PEER]);
    state(&mut model, PEER, PeerState::Paused);
    assert_eq!(hears(&model, &[id], PEER), [false; 3]);
    state(&mut model, ABOUT, PeerState::Paused);
    assert_eq!(hears(&model, &[], ABOUT), [false; 3]);
}
