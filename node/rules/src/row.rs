//! What is known of one record: where it stands, what is burnt, which versions are held.
//!
//! A row is the fold of all lines that name the record, over all logs. It is the same whatever the
//! order in which the logs were read. **Invariant:** less always wins: what is burnt stays burnt,
//! whichever log said so, and a publish never lifts it.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::line::Withdrawal;
use corridor_proto::{Hash, LogId, RcpId, RecordId, UnixMillis};

use crate::fact::Place;
use crate::limits::VERSIONS_PER_RECORD_MAX;

/// A record: whose, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// Whose.
    pub rcp: RcpId,
    /// Which.
    pub record: RecordId,
}

/// What a publish line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which record.
    pub record: RecordId,
    /// Hash of its version.
    pub version_hash: Hash,
}

/// A record in one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Which log.
    pub log: LogId,
    /// Highest version that stood there.
    pub version: u64,
    /// Its hash.
    pub version_hash: Hash,
    /// Index of its publish line.
    pub index: u64,
    /// Index of the first publish line of the record there.
    pub first: u64,
    /// Whether it left the circle.
    pub left: bool,
    /// Index of the line that decided so: a publish, or the leave.
    pub decided: u64,
    /// Whether its publish line is void: its log was restarted on another branch.
    pub void: bool,
    /// Whether it had left by then: only a line behind the restart brings it back.
    pub kept_left: bool,
}

/// Stands for the index of a line that no log of ours has: a void one said so.
pub const VOID: u64 = u64::MAX;

/// A version whose body came, whether or not it is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldVersion {
    /// Which version.
    pub version: u64,
    /// Its hash.
    pub version_hash: Hash,
    /// Kind of record.
    pub kind: u16,
    /// When it was signed, for display.
    pub time: UnixMillis,
    /// Where header and body lie.
    pub place: Place,
    /// Whether the body was erased.
    pub erased: bool,
}

/// A withdrawal in one log: the one that reaches furthest there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// What it says.
    pub withdrawal: Withdrawal,
    /// When, as its line says.
    pub time: UnixMillis,
    /// In which log.
    pub log: LogId,
    /// Index of its line.
    pub index: u64,
}

/// What is known of one record.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RecordRow {
    /// The withdrawals, one for each log that has any, ascending by log.
    pub withdrawn: Vec<Withdrawn>,
    /// The logs in which it ever stood, ascending.
    pub stands: Vec<Stand>,
    /// The versions whose bodies came, ascending.
    pub versions: Vec<HeldVersion>,
    /// The versions that lines named and that are not burnt, each with the first hash seen of it.
    pub named: BTreeMap<u64, Hash>,
    /// Those of them under which two different texts were signed: hidden.
    pub conflicts: BTreeSet<u64>,
    /// Hashes of versions that are kept out, each with a reason code.
    pub quarantined: Vec<(Hash, String)>,
    /// The last group of facts that changed it.
    pub revision: u64,
}

impl RecordRow {
    /// Bodies up to this version are burnt.
    pub fn burnt(&self) -> u64 {
        let reaches = self.withdrawn.iter().map(|w| w.withdrawal.up_to);
        reaches.max().unwrap_or(0)
    }

    /// The stand in a log, if it ever stood there.
    pub fn stand(&self, log: &LogId) -> Option<&Stand> {
        self.stands.iter().find(|stand| stand.log == *log)
    }

    fn stands_above(&self, stand: &Stand) -> bool {
        !stand.left && !stand.void && stand.version > self.burnt()
    }

    /// Two texts were signed under one version: it is hidden.
    pub fn contradict(&mut self, version: u64) {
        if version > self.burnt() {
            self.conflicts.insert(version);
        }
    }

    /// Whether a stand is in force: not left, not burnt, not contradicted.
    pub fn lives(&self, stand: &Stand) -> bool {
        self.stands_above(stand) && !self.conflicts.contains(&stand.version)
    }

    /// The stand in force in a log.
    pub fn living(&self, log: &LogId) -> Option<&Stand> {
        self.stand(log).filter(|stand| self.lives(stand))
    }

    /// The stand whose text a log's readers are given: the one in force, and one of two that
    /// contradict each other, which nobody shows and which prove it.
    pub fn given(&self, log: &LogId) -> Option<&Stand> {
        self.stand(log).filter(|stand| self.stands_above(stand))
    }

    /// The body held of a version, if it came and was not erased.
    pub fn body(&self, version_hash: &Hash) -> Option<&HeldVersion> {
        self.versions
            .iter()
            .find(|held| held.version_hash == *version_hash && !held.erased)
    }

    /// The newest version whose body is here and not to be erased.
    pub fn newest(&self) -> Option<&HeldVersion> {
        let burnt = self.burnt();
        let kept = self.versions.iter().rev();
        kept.into_iter()
            .find(|held| !held.erased && held.version > burnt)
    }

    /// Whether a body is still to be fetched, or a version is contradicted.
    pub fn wants_any(&self) -> bool {
        !self.conflicts.is_empty() || self.stands.iter().any(|stand| self.wants(stand))
    }

    /// Whether the body of a stand is still to be fetched. Of one that is contradicted both texts
    /// are, though neither is shown: together they are the evidence.
    pub fn wants(&self, stand: &Stand) -> bool {
        let is_contested = self.conflicts.contains(&stand.version) && self.stands_above(stand);
        (self.lives(stand) || is_contested)
            && self.body(&stand.version_hash).is_none()
            && !self
                .quarantined
                .iter()
                .any(|(hash, _)| *hash == stand.version_hash)
    }

    /// The highest version in force in any of the logs that `may_read` lets through.
    pub fn current(&self, may_read: impl Fn(&LogId) -> bool) -> Option<&Stand> {
        self.stands
            .iter()
            .filter(|stand| self.lives(stand) && may_read(&stand.log))
            .max_by_key(|stand| stand.version)
    }

    /// The highest version known at all, zero for none.
    pub fn last_version(&self) -> u64 {
        let stood = self.stands.iter().map(|stand| stand.version);
        let held = self.versions.iter().map(|held| held.version);
        let named = self.named.keys().copied();
        stood.chain(held).chain(named).max().unwrap_or(0)
    }

    /// A publish line. Below a version that stood there it has no effect; an equal one counts only
    /// after a leave.
    pub fn publish(&mut self, log: LogId, index: u64, version: u64, version_hash: Hash) {
        self.stand_in(log, index, version, version_hash, false);
    }

    /// A publish line of a log whose lines are taken again and have not yet reached the restart:
    /// what had left by then stays away.
    pub fn publish_again(&mut self, log: LogId, index: u64, version: u64, version_hash: Hash) {
        self.stand_in(log, index, version, version_hash, true);
    }

    fn stand_in(&mut self, log: LogId, index: u64, version: u64, version_hash: Hash, again: bool) {
        self.name(version, version_hash);
        let fresh = Stand {
            log,
            version,
            version_hash,
            index,
            first: index,
            left: false,
            decided: index,
            void: false,
            kept_left: false,
        };
        match self.stands.binary_search_by(|stand| stand.log.cmp(&log)) {
            Err(at) => self.stands.insert(at, fresh),
            Ok(at) => {
                let stand = &mut self.stands[at];
                let equal_again = version == stand.version && stand.left;
                if version > stand.version || equal_again || stand.void {
                    let kept_left = stand.kept_left && again;
                    *stand = Stand {
                        first: if stand.void { index } else { stand.first },
                        left: kept_left,
                        kept_left,
                        ..fresh
                    };
                }
            }
        }
    }

    /// Notes which text a version has; a second text under one version hides both, in whichever
    /// order, and from whichever logs, the two are seen.
    fn name(&mut self, version: u64, version_hash: Hash) {
        if version <= self.burnt() {
            return;
        }
        if *self.named.entry(version).or_insert(version_hash) != version_hash {
            self.conflicts.insert(version);
        }
        while self.named.len() > VERSIONS_PER_RECORD_MAX {
            self.named.pop_first();
            let oldest = self.named.first_key_value().map(|(oldest, _)| *oldest);
            self.conflicts = self.conflicts.split_off(&oldest.unwrap_or(0));
        }
    }

    /// The withdrawal that reaches furthest in the logs that `sees` lets through; of equal ones the
    /// one that names a replacement.
    pub fn withdrawal(&self, sees: impl Fn(&LogId) -> bool) -> Option<&Withdrawn> {
        let seen = self.withdrawn.iter().filter(|w| sees(&w.log));
        seen.max_by_key(|w| (w.withdrawal.up_to, !w.withdrawal.replacement.is_zero()))
    }

    /// A withdraw line, from whichever log.
    pub fn withdraw(&mut self, log: LogId, index: u64, withdrawal: Withdrawal, time: UnixMillis) {
        let new = Withdrawn {
            withdrawal,
            time,
            log,
            index,
        };
        match self.withdrawn.binary_search_by(|w| w.log.cmp(&log)) {
            Err(at) => self.withdrawn.insert(at, new),
            Ok(at) => {
                let old = &mut self.withdrawn[at];
                let same_from_void = old.index == VOID && old.withdrawal.up_to == withdrawal.up_to;
                if old.withdrawal.up_to < withdrawal.up_to || same_from_void {
                    *old = new;
                }
            }
        }
        let alive = self.burnt().saturating_add(1);
        self.named = self.named.split_off(&alive);
        self.conflicts = self.conflicts.split_off(&alive);
    }

    /// A leave line.
    pub fn leave(&mut self, log: &LogId, index: u64) {
        let stand = self.stands.iter_mut().find(|stand| stand.log == *log);
        if let Some(stand) = stand.filter(|stand| !stand.left || stand.decided == VOID) {
            stand.left = true;
            stand.decided = index;
        }
    }

    /// The lines of a log are taken again, on another branch: until they publish the record it
    /// stands there no more.
    pub fn rewind(&mut self, log: &LogId) {
        if let Some(stand) = self.stands.iter_mut().find(|stand| stand.log == *log) {
            stand.kept_left = stand.left;
            stand.void = true;
        }
    }

    /// The lines of a log are all there again: what its new branch did not publish stands no more.
    pub fn drop_void(&mut self, log: &LogId) {
        self.stands.retain(|stand| stand.log != *log || !stand.void);
    }

    /// Index of the line by which the record is in a log as it is: a reader that confirms that line
    /// knows what stands, or has erased what does not.
    pub fn decided(&self, stand: &Stand) -> u64 {
        let burnt = self.withdrawn.iter().find(|w| w.log == stand.log);
        let burnt = burnt.filter(|w| w.withdrawal.up_to >= stand.version);
        burnt.map_or(0, |w| w.index).max(stand.decided)
    }

    /// A body came.
    pub fn held(&mut self, held: HeldVersion) {
        if let Err(at) = self.versions.binary_search_by(|old| {
            (old.version, old.version_hash).cmp(&(held.version, held.version_hash))
        }) {
            self.versions.insert(at, held);
        } else if let Some(old) = self
            .versions
            .iter_mut()
            .find(|old| old.version_hash == held.version_hash && old.erased)
        {
            *old = held;
        }
    }

    /// A version is kept out. Only what a stand names can be asked for, so nothing else is noted.
    pub fn quarantine(&mut self, version_hash: Hash, reason: String) {
        let stands = |hash: &Hash| self.stands.iter().any(|stand| stand.version_hash == *hash);
        self.quarantined.retain(|(hash, _)| stands(hash));
        if stands(&version_hash)
            && !self
                .quarantined
                .iter()
                .any(|(hash, _)| *hash == version_hash)
        {
            self.quarantined.push((version_hash, reason));
        }
    }

    /// Marks the bodies that must go and gives their places: the burnt ones, and of another RCP's
    /// record whatever no stand in force gives any longer once it left a circle, and the oldest
    /// beyond [`VERSIONS_PER_RECORD_MAX`]. While erasing is `delayed`, all but these wait.
    pub fn erase(&mut self, ours: bool, delayed: bool) -> Vec<Place> {
        let burnt = self.burnt();
        let left = !ours && self.stands.iter().any(|stand| stand.left);
        let living: BTreeSet<Hash> = self
            .stands
            .iter()
            .filter(|stand| self.stands_above(stand) || stand.void)
            .map(|stand| stand.version_hash)
            .collect();
        let mut places = Vec::new();
        for held in self.versions.iter_mut().filter(|held| !held.erased) {
            let gone = left && !living.contains(&held.version_hash);
            if !delayed && (held.version <= burnt || gone) {
                held.erased = true;
                places.push(held.place);
            }
        }
        if !ours {
            let mut surplus = self.versions.len().saturating_sub(VERSIONS_PER_RECORD_MAX);
            self.versions.retain(|held| {
                let goes = surplus > 0 && !living.contains(&held.version_hash);
                if goes {
                    surplus -= 1;
                    places.extend((!held.erased).then_some(held.place));
                }
                !goes
            });
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_proto::line::{WHOLE_RECORD, WithdrawalReason};

    const A: LogId = LogId::new([1; 32]);
    const B: LogId = LogId::new([2; 32]);

    fn hash(n: u8) -> Hash {
        Hash::new([n; 32])
    }

    fn withdrawal(up_to: u64) -> Withdrawal {
        Withdrawal {
            record: RecordId::ZERO,
            up_to,
            reason: WithdrawalReason::Error,
            note: Hash::ZERO,
            replacement: RecordId::ZERO,
        }
    }

    fn body(version: u64, n: u8) -> HeldVersion {
        HeldVersion {
            version,
            version_hash: hash(n),
            kind: 1,
            time: UnixMillis(0),
            place: Place {
                segment: 0,
                generation: 0,
                offset: u64::from(n),
            },
            erased: false,
        }
    }

    #[test]
    fn a_lower_version_has_no_effect_and_an_equal_one_only_after_a_leave() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(A, 1, 4, hash(4));
        row.publish(A, 2, 5, hash(5));
        assert_eq!(row.living(&A).map(|s| (s.version, s.index)), Some((5, 0)));
        row.leave(&A, 3);
        assert_eq!(row.decided(&row.stands[0]), 3, "the leave, not the publish");
        row.leave(&A, 9);
        assert_eq!(row.decided(&row.stands[0]), 3, "it leaves once");
        assert!(row.living(&A).is_none());
        row.publish(A, 4, 4, hash(4));
        assert!(row.living(&A).is_none());
        row.publish(A, 5, 5, hash(5));
        assert_eq!(
            row.living(&A).map(|s| (s.version, s.index, s.first)),
            Some((5, 5, 0))
        );
    }

    #[test]
    fn a_log_taken_again_brings_back_what_its_new_branch_publishes() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(A, 1, 7, hash(7));
        row.held(body(7, 7));
        row.rewind(&A);
        assert!(row.living(&A).is_none());
        assert!(row.erase(false, false).is_empty(), "no text goes for that");
        row.publish_again(A, 0, 5, hash(5));
        assert_eq!(row.living(&A).map(|s| (s.version, s.first)), Some((5, 0)));
        row.publish_again(A, 3, 7, hash(7));
        assert_eq!(row.living(&A).map(|s| s.version), Some(7));
        assert!(row.body(&hash(7)).is_some(), "nor is it sent again");
    }

    #[test]
    fn what_left_before_stays_away_until_a_line_behind_the_restart() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(A, 1, 6, hash(6));
        row.leave(&A, 2);
        row.rewind(&A);
        row.publish_again(A, 0, 5, hash(5));
        row.publish_again(A, 1, 6, hash(6));
        assert!(row.living(&A).is_none(), "the leave was void, and stands");
        row.publish(A, 3, 6, hash(6));
        assert_eq!(row.living(&A).map(|s| s.version), Some(6));
    }

    #[test]
    fn a_text_that_left_elsewhere_goes_once_the_log_is_all_there_again() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(B, 0, 5, hash(5));
        row.held(body(5, 5));
        row.rewind(&A);
        row.leave(&B, 1);
        assert!(row.erase(false, false).is_empty(), "it may stand again");
        row.drop_void(&A);
        assert_eq!(row.erase(false, false).len(), 1);
    }

    #[test]
    fn a_line_of_ours_takes_the_place_of_a_void_one() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.withdraw(A, VOID, withdrawal(5), UnixMillis(8));
        row.leave(&A, VOID);
        row.withdraw(A, 4, withdrawal(5), UnixMillis(9));
        row.leave(&A, 5);
        assert_eq!(row.withdrawn[0].index, 4);
        assert_eq!(row.stands[0].decided, 5);
        row.withdraw(A, 6, withdrawal(5), UnixMillis(9));
        row.leave(&A, 7);
        assert_eq!((row.withdrawn[0].index, row.stands[0].decided), (4, 5));
    }

    #[test]
    fn the_current_version_is_the_highest_in_a_circle_that_may_be_read() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(B, 0, 7, hash(7));
        assert_eq!(row.current(|_| true).map(|s| s.version), Some(7));
        assert_eq!(row.current(|log| *log == A).map(|s| s.version), Some(5));
        assert!(row.current(|_| false).is_none());
    }

    #[test]
    fn a_withdrawal_counts_everywhere_and_before_or_after() {
        let mut late = RecordRow::default();
        late.publish(A, 0, 5, hash(5));
        late.publish(B, 0, 5, hash(5));
        late.withdraw(B, 1, withdrawal(WHOLE_RECORD), UnixMillis(9));
        let mut early = RecordRow::default();
        early.withdraw(B, 1, withdrawal(WHOLE_RECORD), UnixMillis(9));
        early.publish(B, 0, 5, hash(5));
        early.publish(A, 0, 5, hash(5));
        assert_eq!(late, early);
        assert!(late.living(&A).is_none() && late.living(&B).is_none());
    }

    #[test]
    fn a_withdrawal_is_told_from_the_logs_that_may_be_read() {
        let mut row = RecordRow::default();
        let with = |replacement| Withdrawal {
            replacement: RecordId::new([replacement; 16]),
            ..withdrawal(5)
        };
        row.withdraw(A, 3, with(0), UnixMillis(9));
        row.withdraw(B, 4, with(7), UnixMillis(9));
        row.withdraw(B, 5, withdrawal(4), UnixMillis(9));
        let told = |sees: &dyn Fn(&LogId) -> bool| row.withdrawal(sees).map(|w| (w.log, w.index));
        assert_eq!(told(&|_| true), Some((B, 4)), "the one with a replacement");
        assert_eq!(told(&|log| *log == A), Some((A, 3)));
        assert_eq!(told(&|_| false), None);
        assert_eq!(row.burnt(), 5, "and counts for everybody");
    }

    #[test]
    fn withdrawing_older_versions_leaves_the_newer_one() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.held(body(5, 5));
        row.publish(A, 1, 6, hash(6));
        row.held(body(6, 6));
        row.withdraw(A, 2, withdrawal(5), UnixMillis(9));
        assert_eq!(
            row.erase(false, false),
            vec![Place {
                segment: 0,
                generation: 0,
                offset: 5
            }]
        );
        assert_eq!(row.living(&A).map(|s| s.version), Some(6));
        assert!(row.erase(false, false).is_empty(), "once");
        row.withdraw(A, 3, withdrawal(6), UnixMillis(9));
        assert!(row.living(&A).is_none(), "hidden at once");
        assert!(
            row.erase(false, true).is_empty(),
            "and erased after the delay"
        );
        assert_eq!(row.erase(false, false).len(), 1);
    }

    #[test]
    fn a_leave_erases_unless_another_circle_still_gives_it() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(B, 0, 5, hash(5));
        row.held(body(5, 5));
        row.leave(&A, 3);
        assert!(row.erase(false, false).is_empty());
        row.leave(&B, 3);
        assert!(
            row.erase(true, false).is_empty(),
            "the owner keeps its own record"
        );
        assert_eq!(row.erase(false, false).len(), 1);
        row.publish(B, 2, 5, hash(5));
        let stand = row.living(&B).cloned().expect("stands again");
        assert!(row.wants(&stand), "an erased body is fetched again");
    }

    #[test]
    fn two_texts_under_one_version_hide_it_until_a_higher_one() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(B, 0, 5, hash(55));
        assert!(row.living(&A).is_none() && row.living(&B).is_none());
        row.publish(A, 1, 6, hash(6));
        assert_eq!(row.current(|_| true).map(|s| s.version), Some(6));
    }

    #[test]
    fn two_texts_under_one_version_are_noticed_after_a_higher_version_too() {
        let lines = [(A, 0, 5, 5), (A, 1, 6, 6), (B, 0, 5, 55)];
        let read = |order: [usize; 3]| {
            let mut row = RecordRow::default();
            for (log, index, version, text) in order.map(|at| lines[at]) {
                row.publish(log, index, version, hash(text));
            }
            row
        };
        let orders = [[0, 1, 2], [0, 2, 1], [2, 0, 1]];
        for row in orders.map(read) {
            assert!(row.living(&B).is_none(), "{:?}", row.conflicts);
            assert_eq!(row.living(&A).map(|s| s.version), Some(6));
        }
    }

    #[test]
    fn a_record_of_many_versions_stays_small() {
        let most = u64::try_from(VERSIONS_PER_RECORD_MAX).expect("few");
        let mut row = RecordRow::default();
        let mut erased = 0;
        for version in 1..=most + 10 {
            let text = |which: u8| {
                let mut bytes = [which; 32];
                bytes[..8].copy_from_slice(&version.to_be_bytes());
                Hash::new(bytes)
            };
            row.publish(A, version, version, text(1));
            row.publish(B, version, version, text(2));
            row.held(HeldVersion {
                version_hash: text(1),
                ..body(version, 1)
            });
            erased += row.erase(false, false).len();
        }
        assert_eq!(erased, 10, "the oldest texts");
        for len in [row.named.len(), row.conflicts.len(), row.versions.len()] {
            assert_eq!(len, VERSIONS_PER_RECORD_MAX);
        }
        assert_eq!(row.last_version(), most + 10);
        row.withdraw(A, 0, withdrawal(most + 9), UnixMillis(0));
        assert_eq!((row.named.len(), row.conflicts.len()), (1, 1));
    }

    #[test]
    fn two_proved_texts_hide_a_version_that_is_not_burnt() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.contradict(5);
        assert!(row.living(&A).is_none(), "though one text of it is known");
        assert!(row.given(&A).is_some(), "and its readers are given it");
        row.withdraw(A, 1, withdrawal(5), UnixMillis(9));
        for version in [4, 5] {
            row.contradict(version);
            assert!(row.conflicts.is_empty(), "{version}: it is burnt");
        }
        row.contradict(6);
        row.publish(A, 2, 6, hash(6));
        assert!(row.living(&A).is_none());
    }

    #[test]
    fn the_newest_text_is_the_last_one_that_is_here_to_stay() {
        let mut row = RecordRow::default();
        let newest = |row: &RecordRow| row.newest().map(|held| held.version);
        assert_eq!(newest(&row), None);
        for version in [5, 6, 7] {
            row.held(body(version, u8::try_from(version).expect("few")));
        }
        assert_eq!(newest(&row), Some(7));
        row.versions[2].erased = true;
        assert_eq!(newest(&row), Some(6));
        row.withdraw(A, 1, withdrawal(5), UnixMillis(9));
        assert_eq!(newest(&row), Some(6));
        row.withdraw(A, 2, withdrawal(6), UnixMillis(9));
        assert_eq!(newest(&row), None, "it is still to be erased");
    }

    #[test]
    fn a_text_is_fetched_while_it_stands_and_is_not_here() {
        let mut row = RecordRow::default();
        assert!(!row.wants_any());
        row.publish(A, 0, 5, hash(5));
        let wants = |row: &RecordRow| {
            let found = row.stands.iter().any(|stand| row.wants(stand));
            assert_eq!(found, row.wants_any());
            found
        };
        assert!(wants(&row));
        let with = |change: &dyn Fn(&mut RecordRow)| {
            let mut row = row.clone();
            change(&mut row);
            row
        };
        assert!(!wants(&with(&|row| row.held(body(5, 5)))), "it is here");
        assert!(wants(&with(&|row| row.held(body(4, 4)))), "another one is");
        assert!(!wants(&with(&|row| row.leave(&A, 1))));
        assert!(!wants(&with(&|row| row.withdraw(
            A,
            1,
            withdrawal(5),
            UnixMillis(9)
        ))));
        let bad = || "BAD_SIGNATURE".to_owned();
        assert!(!wants(&with(&|row| row.quarantine(hash(5), bad()))));
        let other_bad = with(&|row| row.quarantined.push((hash(4), bad())));
        assert!(wants(&other_bad), "another one was bad");
    }

    #[test]
    fn both_of_two_texts_are_fetched_for_they_prove_it() {
        let mut row = RecordRow::default();
        row.publish(A, 0, 5, hash(5));
        row.publish(B, 0, 5, hash(55));
        assert!(row.stands.iter().all(|stand| row.wants(stand)));
        row.held(body(5, 5));
        assert_eq!(
            row.stands.iter().filter(|stand| row.wants(stand)).count(),
            1
        );
        row.held(body(5, 55));
        assert!(!row.stands.iter().any(|stand| row.wants(stand)));
        assert!(row.wants_any(), "whose contradiction is still looked at");
        let mut left = RecordRow::default();
        left.publish(A, 0, 5, hash(5));
        left.publish(B, 0, 5, hash(55));
        left.leave(&A, 1);
        let wanted = left.stands.iter().filter(|stand| left.wants(stand));
        assert_eq!(wanted.map(|stand| stand.log).collect::<Vec<_>>(), [B]);
    }

    #[test]
    fn dropping_what_is_void_leaves_other_logs_and_what_stands() {
        let mut row = RecordRow::default();
        for log in [A, B] {
            row.publish(log, 0, 5, hash(5));
        }
        row.rewind(&B);
        row.drop_void(&A);
        let logs: Vec<LogId> = row.stands.iter().map(|stand| stand.log).collect();
        assert_eq!(logs, [A, B], "A has nothing void, and B waits");
        row.drop_void(&B);
        assert_eq!(row.stands.len(), 1);
    }

    #[test]
    fn a_reader_knows_what_stands_by_the_line_that_decided_it_there() {
        let mut row = RecordRow::default();
        row.publish(A, 3, 5, hash(5));
        row.withdraw(B, 9, withdrawal(5), UnixMillis(9));
        assert_eq!(row.decided(&row.stands[0]), 3, "B says nothing of A");
        row.withdraw(A, 7, withdrawal(4), UnixMillis(9));
        assert_eq!(row.decided(&row.stands[0]), 3, "nor of this version");
        row.withdraw(A, 8, withdrawal(5), UnixMillis(9));
        assert_eq!(row.decided(&row.stands[0]), 8);
        row.publish(A, 9, 6, hash(6));
        assert_eq!(row.decided(&row.stands[0]), 9);
    }

    #[test]
    fn a_text_that_comes_again_is_kept_once_unless_it_was_erased() {
        let mut row = RecordRow::default();
        let again = |n| HeldVersion {
            place: Place {
                segment: 9,
                ..Place::default()
            },
            ..body(n, u8::try_from(n).expect("few"))
        };
        row.held(body(5, 5));
        row.held(body(6, 6));
        row.versions[0].erased = true;
        row.held(again(6));
        assert_eq!(row.versions[1], body(6, 6));
        assert!(row.versions[0].erased, "the other one is not touched");
        row.held(again(5));
        assert_eq!(row.versions, [again(5), body(6, 6)]);
    }

    #[test]
    fn what_was_erased_is_not_erased_again_when_it_is_the_oldest_of_too_many() {
        let mut row = RecordRow::default();
        let most = u64::try_from(VERSIONS_PER_RECORD_MAX).expect("few");
        row.versions = (1..=most + 2).map(|version| body(version, 1)).collect();
        row.versions[0].erased = true;
        let places = row.erase(false, false);
        assert_eq!(
            (places.len(), row.versions.len()),
            (1, VERSIONS_PER_RECORD_MAX)
        );
        assert_eq!(row.versions[0].version, 3);
    }

    #[test]
    fn what_is_kept_out_is_forgotten_once_nothing_names_it() {
        let mut row = RecordRow::default();
        row.quarantine(hash(9), "UNNAMED".to_owned());
        assert!(row.quarantined.is_empty());
        row.publish(A, 0, 5, hash(5));
        row.quarantine(hash(5), "BAD_SIGNATURE".to_owned());
        row.quarantine(hash(5), "BAD_SIGNATURE".to_owned());
        assert_eq!(row.quarantined.len(), 1);
        row.publish(A, 1, 6, hash(6));
        row.quarantine(hash(6), "BAD_SIGNATURE".to_owned());
        assert_eq!(row.quarantined, vec![(hash(6), "BAD_SIGNATURE".to_owned())]);
    }
}
