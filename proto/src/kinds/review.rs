//! The rules of a progress review.
//!
//! It imports the shared rules. **Invariant:** nothing is counted and nobody compared: an objective
//! without a row says nothing.

use super::checks::{Checks, TextRule};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Review, ReviewItem, ReviewStatus};

impl Body for Review {
    const MESSAGE: &'static str = "Review";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::OPTIONAL);
        checks.year("round", self.round, true);
        checks.choices::<v1::Commission>("commissions", &self.commissions);
        if self.items.is_empty() {
            checks.missing("items");
        }
        for (i, item) in self.items.iter().enumerate() {
            self::item(&format!("items[{i}]"), item, checks);
        }
        let by_objective = self.items.iter().take_while(|item| item.objective != 0);
        let numbers: Vec<u32> = by_objective.map(|item| item.objective).collect();
        checks.set("items", &numbers);
        for (i, item) in self.items.iter().enumerate().skip(numbers.len()) {
            if item.objective != 0 {
                let remedy = "name objectives first, ascending";
                checks.refuse(&format!("items[{i}]"), "is out of order", remedy);
            }
        }
        checks.choice::<v1::ReviewClearance>("cleared_by", self.cleared_by);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let round = self.round;
        Summary::new(kind, self.envelope, self.title, self.summary).with_years(round, round)
    }
}

fn item(at: &str, item: &ReviewItem, checks: &mut Checks) {
    let at = |field: &str| format!("{at}.{field}");
    match (item.objective, item.aim.is_empty()) {
        (0, _) => checks.text(&at("aim"), &item.aim, &TextRule::TITLE),
        (objective, true) => checks.objective(&at("objective"), objective),
        (_, false) => checks.refuse(
            &at("aim"),
            "stands beside an objective",
            "name the objective or the aim",
        ),
    }
    checks.choice::<ReviewStatus>(&at("status"), item.status);
    let rule = TextRule::narrative(item.status() != ReviewStatus::NotAddressed);
    checks.text(&at("narrative"), &item.narrative, &rule);
    checks.links(&at("evidence"), &item.evidence);
    checks.text(&at("challenge"), &item.challenge, &TextRule::OPTIONAL);
    checks.text(&at("need"), &item.need, &TextRule::OPTIONAL);
    checks.optional_choice::<v1::ReviewTrend>(&at("trend"), item.trend);
}

impl Tidy for Review {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.title.tidy();
        self.summary.tidy();
        tidy::set(&mut self.commissions);
        for item in &mut self.items {
            for text in [
                &mut item.aim,
                &mut item.narrative,
                &mut item.challenge,
                &mut item.need,
            ] {
                text.tidy();
            }
            tidy::links(&mut item.evidence);
        }
        // Aims of other frameworks behind the objectives, in the author's order.
        self.items
            .sort_by_key(|item| item.objective.wrapping_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{english, link, review, texts};
    use super::super::tests::refuses;
    use super::super::{canonical, check};
    use super::*;
    use prost::Message;

    fn holds(spoil: fn(&mut Review), expect: &[&str]) {
        refuses(Kind::Review, review(), spoil, expect);
    }

    #[test]
    fn a_review_goes_by_objective_and_by_other_aims() {
        holds(|r| r.round = 0, &["round"]);
        holds(|r| r.round = 26, &["round"]);
        holds(|r| r.items.clear(), &["items"]);
        holds(|r| r.commissions = vec![4, 1], &["commissions[1]"]);
        holds(|r| r.cleared_by = 0, &["cleared_by"]);
        holds(|r| r.items[1].objective = 6, &["items[1]"]);
        holds(|r| r.items[1].objective = 24, &["items[1].objective"]);
        holds(|r| r.items[0].aim = english(2), &["items[0].aim"]);
        holds(|r| r.items[2].aim.clear(), &["items[2].aim"]);
        holds(|r| r.items.swap(0, 1), &["items[1]"]);
        holds(|r| r.items.swap(1, 2), &["items[2]"]);
        holds(
            |r| r.items[0].evidence = vec![link(2), link(2)],
            &["items[0].evidence[1]"],
        );
    }

    #[test]
    fn what_was_addressed_is_told_in_at_most_two_hundred_words() {
        holds(|r| r.items[0].narrative = english(200), &[]);
        holds(
            |r| r.items[0].narrative = english(201),
            &["items[0].narrative[0].text"],
        );
        holds(|r| r.items[0].narrative.clear(), &["items[0].narrative"]);
        let not = |r: &mut Review| {
            r.items[0].status = ReviewStatus::NotAddressed.into();
            r.items[0].narrative.clear();
        };
        holds(not, &[]);
    }

    #[test]
    fn other_aims_are_sorted_behind_the_objectives() {
        let mut untidy = review();
        untidy.items.reverse();
        untidy.items[1].need = texts(&[("en", " more ")]);
        let tidy = canonical(Kind::Review, &untidy.encode_to_vec());
        assert!(check(Kind::Review, &tidy.expect("tidy")).is_ok());
    }
}
