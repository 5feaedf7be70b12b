//! The rules of a recommendation and of a guideline.
//!
//! It imports the shared rules. **Invariant:** the two kinds differ in their number only.

use super::checks::{Checks, TextRule};
use super::date::{self, Precision};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Recommendation};

impl Body for Recommendation {
    const MESSAGE: &'static str = "Recommendation";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::SUMMARY);
        checks.choice::<v1::Instrument>("instrument", self.instrument);
        checks.line("adopted_by", &self.adopted_by);
        checks.date("adopted_on", &self.adopted_on, Precision::Year);
        checks.link("adopted_at", self.adopted_at.as_ref());
        checks.choices::<v1::Addressee>("addressed_to", &self.addressed_to);
        for (i, item) in self.items.iter().enumerate() {
            let at = |field: &str| format!("items[{i}].{field}");
            if item.number == 0 {
                checks.refuse(&at("number"), "is 0", "number the items from 1");
            }
            checks.text(&at("text"), &item.text, &TextRule::REQUIRED);
            if item.objective != 0 {
                checks.objective(&at("objective"), item.objective);
            }
        }
        let numbers: Vec<u32> = self.items.iter().map(|item| item.number).collect();
        checks.set("items", &numbers);
        if let Some(period) = &self.period {
            if period.from.is_empty() {
                checks.missing("period.from");
            }
            checks.dates("period", &period.from, &period.to);
        }
        checks.optional_choice::<v1::FollowUp>("follow_up", self.follow_up);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let period = self.period.unwrap_or_default();
        let first = [&period.from, &self.adopted_on]
            .into_iter()
            .find_map(|d| date::year(d));
        Summary::new(kind, self.envelope, self.title, self.summary)
            .with_years(first.unwrap_or(0), date::year(&period.to).unwrap_or(0))
    }
}

impl Tidy for Recommendation {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.title.tidy();
        self.summary.tidy();
        self.adopted_by.tidy();
        tidy::set(&mut self.addressed_to);
        for item in &mut self.items {
            item.text.tidy();
        }
        self.items.sort_by_key(|item| item.number);
    }
}
