//! Any sequence of appends, erasures, compactions, torn tails and restarts equals a plain list.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// One write: sizes of the blobs of the frames of its groups.
    Append(Vec<Vec<u8>>),
    Erase(Vec<usize>),
    /// A segment by index, and a divisor: frames whose number it divides are dead.
    Compact(usize, usize),
    Reopen,
    /// So many stray bytes at the end, as a write that was never acknowledged leaves them.
    Tear(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let groups = vec(vec(0_u8..60, 1..4), 1..4);
    vec(
        prop_oneof![
            4 => groups.prop_map(Step::Append),
            2 => vec(any::<usize>(), 1..4).prop_map(Step::Erase),
            1 => (any::<usize>(), 2_usize..5).prop_map(|(at, dead)| Step::Compact(at, dead)),
            1 => Just(Step::Reopen),
            1 => (1_u8..40).prop_map(Step::Tear),
        ],
        1..25,
    )
}

/// What the journal should hold.
struct Entry {
    number: usize,
    blob: String,
    place: Place,
}

struct Pair {
    folder: Folder,
    opened: Option<Opened>,
    model: Vec<Entry>,
    made: usize,
    groups: u64,
}

const SMALL: u64 = 600;

impl Pair {
    fn journal(&mut self) -> &mut Journal {
        &mut self.opened.as_mut().unwrap().journal
    }

    fn append(&mut self, sizes: &[Vec<u8>]) {
        let (mut groups, mut added) = (Vec::new(), Vec::new());
        for group in sizes {
            let mut frames = Vec::new();
            for size in group {
                let blob = "x".repeat(usize::from(*size));
                frames.push(frame(&self.made.to_string(), &blob));
                added.push((self.made, blob));
                self.made += 1;
            }
            groups.push(frames);
        }
        self.groups += file_length(groups.len());
        let places = self.journal().append_all(&groups).unwrap();
        let places = places.into_iter().flatten();
        let entries = added.into_iter().zip(places);
        self.model
            .extend(entries.map(|((number, blob), place)| Entry {
                number,
                blob,
                place,
            }));
    }

    fn erase(&mut self, picks: &[usize]) {
        let mut places = Vec::new();
        let count = self.model.len();
        for pick in picks.iter().filter(|_| count > 0) {
            let entry = &mut self.model[pick % count];
            entry.blob.clear();
            places.push(entry.place);
        }
        self.journal().erase(&places).unwrap();
    }

    fn compact(&mut self, pick: usize, divisor: usize) {
        let segments = self.journal().position().place.segment;
        let Some(segment) = pick.checked_rem(usize::try_from(segments).unwrap()) else {
            return;
        };
        let segment = u32::try_from(segment).unwrap();
        let is_live = |number: usize| !number.is_multiple_of(divisor);
        let moved = self.journal().compact(segment, &mut |frame| {
            is_live(name(frame.meta).parse().unwrap())
        });
        let mut moved = moved.unwrap().into_iter();
        self.model
            .retain(|entry| entry.place.segment != segment || is_live(entry.number));
        for entry in self
            .model
            .iter_mut()
            .filter(|entry| entry.place.segment == segment)
        {
            let next = moved.next().unwrap();
            assert_eq!(next.from, entry.place);
            entry.place = next.to;
        }
        assert_eq!(moved.next(), None);
    }

    fn reopen(&mut self, torn: u8) {
        let before = self.journal().position();
        self.opened = None;
        if torn > 0 {
            let mut bytes = self.folder.bytes(before.place.segment);
            bytes.extend(std::iter::repeat_n(torn, usize::from(torn)));
            self.folder.write(before.place.segment, &bytes);
        }
        let opened = self.folder.open_sized(SMALL);
        assert!(
            opened.recovery.damages.is_empty(),
            "{:?}",
            opened.recovery.damages
        );
        assert_eq!(
            opened.recovery.cut.map_or(0, |cut| cut.bytes),
            u64::from(torn)
        );
        assert!(opened.positions.last().is_none_or(|last| *last == before));
        let numbers: Vec<_> = self
            .model
            .iter()
            .map(|entry| entry.number.to_string())
            .collect();
        assert_eq!(opened.names(), numbers);
        assert_eq!(opened.count, self.groups);
        let places: Vec<_> = self.model.iter().map(|entry| entry.place).collect();
        assert_eq!(opened.places, places);
        self.opened = Some(opened);
    }

    fn check_blobs(&self) {
        let opened = self.opened.as_ref().unwrap();
        for entry in &self.model {
            assert_eq!(opened.blob(entry.place), entry.blob);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn equals_a_list(steps in steps()) {
        let folder = Folder::new();
        let opened = Some(folder.open_sized(SMALL));
        let mut pair = Pair { folder, opened, model: Vec::new(), made: 0, groups: 0 };
        for step in steps {
            match step {
                Step::Append(sizes) => pair.append(&sizes),
                Step::Erase(picks) => pair.erase(&picks),
                Step::Compact(segment, divisor) => pair.compact(segment, divisor),
                Step::Reopen => pair.reopen(0),
                Step::Tear(bytes) => pair.reopen(bytes),
            }
            pair.check_blobs();
        }
        pair.reopen(0);
        pair.check_blobs();
    }

    #[test]
    fn any_bytes_open_without_a_panic(bytes in vec(any::<u8>(), 0..300), keep in any::<bool>()) {
        let folder = Folder::new();
        let start = if keep { folder.bytes(0) } else { Vec::new() };
        folder.write(0, &[start, bytes].concat());
        let _ = folder.try_open(SMALL);
    }
}
