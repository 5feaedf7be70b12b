//! The heads of logs in a fold: only those that count in the end are verified.
//!
//! A node writes a head with every record that it publishes, and one signature is verified for each
//! that is taken in. One that was reached before the next one came leaves nothing behind it.

use std::collections::BTreeMap;

use corridor_proto::LogId;
use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_rules::Model;
use corridor_rules::fact::{Fact, Place};

/// The heads that are still to be taken in, by log and in order.
#[derive(Default)]
pub(super) struct Heads(BTreeMap<LogId, Vec<Note>>);

struct Note {
    /// Lines that it covers; none for what is no checkpoint.
    size: Option<u64>,
    note: String,
}

impl Heads {
    /// Keeps a head. Of those before it the last that the lines have reached stays, for it may be
    /// the one that is held, and what came behind that one.
    pub fn note(&mut self, model: &Model, log: LogId, note: String) {
        let notes = self.0.entry(log).or_default();
        let held = model
            .logs
            .get(&log)
            .map_or(0, corridor_rules::log::Log::size);
        let is_reached = |note: &Note| note.size.is_some_and(|size| size <= held);
        if let Some(reached) = notes.iter().rposition(is_reached) {
            notes.drain(..reached);
        }
        // The second line of a checkpoint; the whole is read when it is verified.
        let size = note.lines().nth(1).and_then(|size| size.parse().ok());
        notes.push(Note { size, note });
    }

    /// Whether a fact changes what earlier heads are worth, so that they go first: whose key signed
    /// them, whether their log is known, its lines and its incarnation; or is a head that may not
    /// wait.
    pub fn go_before(fact: &Fact) -> bool {
        match fact {
            Fact::KeyEvent { .. }
            | Fact::Forget { .. }
            | Fact::Rewound { .. }
            | Fact::Head { .. } => true,
            Fact::Lines { lines, .. } => lines.iter().any(|line| {
                let line = read_line(line);
                matches!(line, Ok(ReadLine::Line(line)) if matches!(line.act, Act::Restart { .. }))
            }),
            _ => false,
        }
    }

    /// Takes all of them in.
    pub fn take_in(&mut self, model: &mut Model) {
        for (log, notes) in std::mem::take(&mut self.0) {
            for Note { note, .. } in notes {
                model.apply(None, &Fact::Head { log, note }, Place::default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use corridor_proto::charter::SignedKeyEvent;
    use corridor_proto::checkpoint::Checkpoint;
    use corridor_proto::key::SecretKey;
    use corridor_proto::line::Line;
    use corridor_proto::tree::{Tree, leaf_hash};
    use corridor_proto::{Hash, LogSeed, RcpId, RecordId, UnixMillis};
    use corridor_rules::Sort;
    use corridor_rules::log::Head;

    use super::*;

    /// Facts of a log of five lines, of which the fourth opens a new incarnation.
    struct Story {
        key: SecretKey,
        rcp: RcpId,
        log: LogId,
        lines: Vec<Vec<u8>>,
    }

    impl Story {
        fn new() -> Self {
            let key = SecretKey::from_seed(&[1; 32]);
            let event = Self::event(&key);
            let rcp = corridor_proto::charter::Charter::verify(vec![event])
                .expect("charter")
                .rcp();
            let line = |index: u8| {
                let restart = Act::Restart {
                    incarnation: 1,
                    size: 3,
                    root: Hash::ZERO,
                };
                let publish = Act::Publish {
                    version_hash: Hash::new([index; 32]),
                    record: RecordId::new([index; 16]),
                    version: 1,
                };
                let line = Line {
                    time: UnixMillis(1),
                    random: [index; 16],
                    act: if index == 3 { restart } else { publish },
                };
                line.encode()
            };
            Self {
                key,
                rcp,
                log: LogId::public(&rcp),
                lines: (0..5).map(line).collect(),
            }
        }

        fn event(key: &SecretKey) -> SignedKeyEvent {
            SignedKeyEvent::inception(key, &SecretKey::from_seed(&[2; 32]))
        }

        fn begin(&self) -> Vec<Fact> {
            let circle = Fact::Circle {
                owner: self.rcp,
                seed: LogSeed::ZERO,
                sort: Sort::Public,
                name: String::new(),
            };
            let event = Self::event(&self.key);
            vec![
                Fact::KeyEvent {
                    rcp: self.rcp,
                    event,
                },
                circle,
            ]
        }

        fn lines(&self, from: usize, to: usize) -> Fact {
            Fact::Lines {
                log: self.log,
                from: u64::try_from(from).expect("few"),
                lines: self.lines[from..to].to_vec(),
            }
        }

        fn head(&self, size: usize) -> Fact {
            let mut tree = Tree::new();
            self.lines[..size]
                .iter()
                .for_each(|line| tree.push(leaf_hash(line)));
            let checkpoint = Checkpoint {
                log: self.log,
                incarnation: u64::from(size > 3),
                size: tree.size(),
                root: tree.root_at(tree.size()).expect("its root"),
            };
            let note = checkpoint.sign(&self.key).note().to_owned();
            Fact::Head {
                log: self.log,
                note,
            }
        }
    }

    /// Newest and held head after some facts, and how many heads were verified.
    fn fold(story: &Story, facts: &[Fact], deferred: bool) -> (Option<Head>, Option<Head>, usize) {
        let mut model = Model::new(RcpId::ZERO);
        let (mut heads, mut verified) = (Heads::default(), 0);
        for fact in story.begin().iter().chain(facts) {
            match fact {
                Fact::Head { log, note } if deferred => heads.note(&model, *log, note.clone()),
                fact => {
                    if Heads::go_before(fact) {
                        heads.take_in(&mut model);
                    }
                    model.apply(None, fact, Place::default());
                }
            }
        }
        verified += heads.0.values().map(Vec::len).sum::<usize>();
        heads.take_in(&mut model);
        let log = &model.logs[&story.log];
        (log.head.clone(), log.held_head.clone(), verified)
    }

    #[test]
    fn heads_taken_in_late_lead_to_the_same() {
        let story = Story::new();
        let (lines, head) = (|from, to| story.lines(from, to), |size| story.head(size));
        let cases: [(&str, Vec<Fact>, usize); 5] = [
            (
                "each reached",
                vec![lines(0, 1), head(1), lines(1, 2), head(2)],
                2,
            ),
            ("ahead", vec![lines(0, 2), head(2), lines(2, 3), head(5)], 2),
            (
                "ahead, then reached",
                vec![lines(0, 1), head(3), lines(1, 3)],
                1,
            ),
            (
                "a new incarnation",
                vec![lines(0, 2), head(2), lines(2, 4), head(5)],
                1,
            ),
            (
                "and its head",
                vec![lines(0, 2), head(2), lines(2, 5), head(5)],
                1,
            ),
        ];
        for (what, facts, count) in cases {
            let at_once = fold(&story, &facts, false);
            let late = fold(&story, &facts, true);
            assert_eq!((&late.0, &late.1), (&at_once.0, &at_once.1), "{what}");
            assert!(at_once.1.is_some(), "{what}: a head is held");
            assert_eq!(late.2, count, "{what}");
        }
    }

    #[test]
    fn of_many_heads_few_are_verified() {
        let story = Story::new();
        let mut facts = Vec::new();
        for size in 1..=3 {
            facts.extend([story.lines(size - 1, size), story.head(size)]);
        }
        assert_eq!(fold(&story, &facts, true).2, 2);
    }
}
