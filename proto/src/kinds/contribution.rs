//! The rules of a contribution and of an endorsement.
//!
//! It imports the shared rules. **Invariant:** nothing in a contribution changes on its way from a
//! draft to the forum: an endorsement is good for its exact bytes.

use std::collections::BTreeMap;

use super::checks::{Checks, TextRule};
use super::date;
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind, texts};
use crate::v1::{self, Contribution, Endorsement, EndorsementMode, Position};

/// RCPs that one contribution names in a set.
const RCPS_MAX: usize = 256;

impl Body for Contribution {
    const MESSAGE: &'static str = "Contribution";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        let rules = Rules {
            objective: true,
            ..Rules::of(&source_texts)
        };
        envelope::check(self.envelope.as_ref(), &rules, checks);
        checks.key("forum", &self.forum, "imrf");
        checks.short_line("edition", &self.edition);
        checks.choice::<v1::ContributionKind>("contribution_kind", self.contribution_kind);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::OPTIONAL);
        self.check_paragraphs(checks);
        checks.ids("co_leads", &self.co_leads, RCPS_MAX);
        checks.day("deadline", &self.deadline);
        let internal = ("internal_deadline", self.internal_deadline.as_str());
        checks.required_day(internal.0, internal.1);
        checks.not_before(("deadline", &self.deadline), internal);
        self.check_word_limit(checks);
        if let Some(round) = &self.comment_round {
            checks.required_day("comment_round.from", &round.from);
            checks.required_day("comment_round.to", &round.to);
            let from = ("comment_round.from", round.from.as_str());
            checks.not_before(("comment_round.to", &round.to), from);
        }
        checks.choice::<EndorsementMode>("endorsement_mode", self.endorsement_mode);
        let by_silence = self.endorsement_mode() == EndorsementMode::Silence;
        if by_silence && self.endorse_by.is_empty() {
            checks.missing("endorse_by");
        }
        checks.day("endorse_by", &self.endorse_by);
        checks.link("reuse_of", self.reuse_of.as_ref());
        checks.text("eligibility", &self.eligibility, &TextRule::OPTIONAL);
        if by_silence && self.asked.is_empty() {
            checks.missing("asked");
        }
        checks.ids("asked", &self.asked, RCPS_MAX);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let dates = [&self.deadline, &self.internal_deadline];
        let year = dates.into_iter().find_map(|date| date::year(date));
        Summary::new(kind, self.envelope, self.title, self.summary).with_years(year.unwrap_or(0), 0)
    }
}

impl Contribution {
    fn check_paragraphs(&self, checks: &mut Checks) {
        if self.paragraphs.is_empty() {
            checks.missing("paragraphs");
        }
        for (i, paragraph) in self.paragraphs.iter().enumerate() {
            let at = |field: &str| format!("paragraphs[{i}].{field}");
            if paragraph.number == 0 {
                checks.refuse(&at("number"), "is 0", "number the paragraphs from 1");
            }
            checks.text(&at("text"), &paragraph.text, &TextRule::REQUIRED);
            if paragraph.objective != 0 {
                checks.objective(&at("objective"), paragraph.objective);
            }
            checks.links(&at("based_on"), &paragraph.based_on);
        }
        let numbers: Vec<u32> = self.paragraphs.iter().map(|one| one.number).collect();
        checks.set("paragraphs", &numbers);
    }

    /// In no language the text is longer than the forum allows.
    fn check_word_limit(&self, checks: &mut Checks) {
        let mut words: BTreeMap<&str, usize> = BTreeMap::new();
        for text in self.paragraphs.iter().flat_map(|one| &one.text) {
            *words.entry(&text.tag).or_default() += texts::words(&text.text);
        }
        let limit = usize::try_from(self.word_limit).unwrap_or(usize::MAX);
        for (tag, count) in words.into_iter().filter(|(_, n)| limit > 0 && *n > limit) {
            let what = format!("has {count} words in {tag}; the forum allows {limit}");
            checks.refuse(
                "paragraphs",
                what,
                "shorten the text, or correct word_limit",
            );
        }
    }
}

impl Body for Endorsement {
    const MESSAGE: &'static str = "Endorsement";

    fn check(&self, checks: &mut Checks) {
        envelope::check(self.envelope.as_ref(), &Rules::of(&[]), checks);
        checks.version("contribution", self.contribution.as_ref());
        checks.choice::<Position>("position", self.position);
        checks.choice::<v1::EndorsementBasis>("basis", self.basis);
        checks.countries("states_dissociating", &self.states_dissociating);
        let named = !self.states_dissociating.is_empty();
        envelope::names_no_state(self.envelope.as_ref(), "states_dissociating", named, checks);
        checks.numbers("paragraphs", &self.paragraphs);
        let explains = matches!(
            self.position(),
            Position::WithReservation | Position::Object
        );
        if explains && self.reservations.is_empty() {
            checks.missing("reservations");
        }
        for (i, one) in self.reservations.iter().enumerate() {
            checks.numbers(&format!("reservations[{i}].paragraphs"), &one.paragraphs);
            let at = format!("reservations[{i}].text");
            checks.text(&at, &one.text, &TextRule::REQUIRED);
        }
        checks.required_day("signed_on", &self.signed_on);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let year = date::year(&self.signed_on).unwrap_or(0);
        let first = self.reservations.into_iter().next().unwrap_or_default();
        Summary::new(kind, self.envelope, Vec::new(), first.text).with_years(year, year)
    }
}

impl Tidy for Contribution {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.forum.tidy();
        self.edition.tidy();
        self.title.tidy();
        self.summary.tidy();
        for paragraph in &mut self.paragraphs {
            paragraph.text.tidy();
            tidy::links(&mut paragraph.based_on);
        }
        self.paragraphs.sort_by_key(|one| one.number);
        tidy::set(&mut self.co_leads);
        self.eligibility.tidy();
        tidy::set(&mut self.asked);
    }
}

impl Tidy for Endorsement {
    fn tidy(&mut self) {
        self.envelope.tidy();
        tidy::countries(&mut self.states_dissociating);
        tidy::set(&mut self.paragraphs);
        for one in &mut self.reservations {
            tidy::set(&mut one.paragraphs);
            one.text.tidy();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{contribution, endorsement, english, link, texts};
    use super::super::tests::refuses;
    use super::*;
    use crate::v1::Period;

    fn holds(spoil: fn(&mut Contribution), expect: &[&str]) {
        refuses(Kind::Contribution, contribution(), spoil, expect);
    }

    #[test]
    fn a_contribution_says_to_which_forum_and_until_when() {
        holds(|c| c.forum = "IMRF 2026".into(), &["forum"]);
        holds(|c| c.edition.clear(), &["edition"]);
        holds(|c| c.edition = "x".repeat(121), &["edition"]);
        holds(|c| c.contribution_kind = 0, &["contribution_kind"]);
        holds(|c| c.internal_deadline.clear(), &["internal_deadline"]);
        holds(|c| c.deadline = "2026-03-31".into(), &["deadline"]);
        holds(|c| c.deadline.clear(), &[]);
        holds(|c| c.endorsement_mode = 0, &["endorsement_mode"]);
        holds(|c| c.endorse_by.clear(), &["endorse_by"]);
        holds(|c| c.asked.clear(), &["asked"]);
        let active = |c: &mut Contribution| {
            c.endorsement_mode = EndorsementMode::Active.into();
            c.endorse_by.clear();
        };
        holds(active, &[]);
        holds(|c| c.co_leads = vec![vec![1; 16]], &["co_leads[0]"]);
        holds(
            |c| c.envelope.get_or_insert_default().gcm_objectives.clear(),
            &["envelope.gcm_objectives"],
        );
        let round = |c: &mut Contribution| {
            c.comment_round = Some(Period {
                from: "2026-02-10".into(),
                to: "2026-02-01".into(),
            });
        };
        holds(round, &["comment_round.to"]);
        let open = |c: &mut Contribution| c.comment_round = Some(Period::default());
        holds(open, &["comment_round.from", "comment_round.to"]);
    }

    #[test]
    fn its_paragraphs_are_numbered_and_no_longer_than_allowed() {
        holds(|c| c.paragraphs.clear(), &["paragraphs"]);
        holds(|c| c.paragraphs[0].number = 0, &["paragraphs[0].number"]);
        holds(|c| c.paragraphs[1].number = 1, &["paragraphs[1]"]);
        holds(
            |c| c.paragraphs[0].objective = 24,
            &["paragraphs[0].objective"],
        );
        holds(
            |c| c.paragraphs[0].based_on = vec![link(2), link(1)],
            &["paragraphs[0].based_on[1]"],
        );
        let words = |c: &mut Contribution, count: usize| {
            c.word_limit = 10;
            c.paragraphs[0].text = english(4);
            c.paragraphs[1].text = english(count);
        };
        refuses(Kind::Contribution, contribution(), |c| words(c, 6), &[]);
        refuses(
            Kind::Contribution,
            contribution(),
            |c| words(c, 7),
            &["paragraphs"],
        );
        let other = |c: &mut Contribution| {
            words(c, 6);
            c.paragraphs[1].text = texts(&[("en", "a"), ("fr", "mot ".repeat(11).trim_end())]);
        };
        refuses(
            Kind::Contribution,
            contribution(),
            other,
            &["envelope.translations", "paragraphs"],
        );
    }

    #[test]
    fn an_endorsement_names_an_exact_version_and_explains_what_it_does_not_share() {
        let holds = |spoil: fn(&mut Endorsement), expect: &[&str]| {
            refuses(Kind::Endorsement, endorsement(), spoil, expect);
        };
        holds(|e| e.contribution = None, &["contribution"]);
        let hash = |e: &mut Endorsement| {
            e.contribution.get_or_insert_default().version_hash = vec![0; 32];
        };
        holds(hash, &["contribution.version_hash"]);
        let record = |e: &mut Endorsement| e.contribution.get_or_insert_default().record = None;
        holds(record, &["contribution.record"]);
        holds(|e| e.position = 5, &["position"]);
        holds(|e| e.basis = 0, &["basis"]);
        holds(|e| e.signed_on = "2026-04".into(), &["signed_on"]);
        holds(
            |e| e.states_dissociating = vec!["HU".into(), "AT".into()],
            &["states_dissociating[1]"],
        );
        holds(|e| e.paragraphs = vec![0, 2], &["paragraphs[0]"]);
        holds(|e| e.position = Position::Object.into(), &["reservations"]);
        let with = |e: &mut Endorsement| e.position = Position::WithReservation.into();
        holds(with, &["reservations"]);
        let empty = |e: &mut Endorsement| e.reservations = vec![v1::Reservation::default()];
        holds(empty, &["reservations[0].text"]);
        let said = |e: &mut Endorsement| {
            e.position = Position::WithReservation.into();
            e.reservations = vec![v1::Reservation {
                paragraphs: vec![2],
                text: english(4),
            }];
        };
        holds(said, &[]);
        let unnamed = |e: &mut Endorsement| {
            let envelope = e.envelope.get_or_insert_default();
            envelope.no_attribution = true;
            envelope.countries.clear();
        };
        holds(unnamed, &["states_dissociating"]);

        holds(|e| e.position = Position::TakeNote.into(), &[]);
    }
}
