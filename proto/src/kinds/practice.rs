//! The rules of a practice.
//!
//! It imports the shared rules. **Invariant:** no judgement on whether a practice is good, only on
//! whether it is told completely.

use super::checks::{Checks, TextRule};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Practice, PracticeResult, PracticeStep};

impl Body for Practice {
    const MESSAGE: &'static str = "Practice";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        let rules = Rules {
            objective: true,
            ..Rules::of(&source_texts)
        };
        envelope::check(self.envelope.as_ref(), &rules, checks);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::SUMMARY);
        checks.choice::<v1::PracticeDepth>("depth", self.depth);
        checks.choice::<v1::PracticeStage>("stage", self.stage);
        checks.years(("start_year", self.start_year), ("end_year", self.end_year));
        checks.optional_choice::<v1::PracticeLevel>("level", self.level);
        self.check_story(checks);
        checks.choices::<v1::Beneficiary>("beneficiaries", &self.beneficiaries);
        for (i, result) in self.results.iter().enumerate() {
            self::result(&format!("results[{i}]"), result, checks);
        }
        checks.optional_choice::<v1::PracticeEvidence>("evidence", self.evidence);
        if let Some(cost) = &self.cost {
            checks.choice::<v1::CostBand>("cost.band", cost.band);
            checks.text("cost.note", &cost.note, &TextRule::OPTIONAL);
        }
        if self.implementers.is_empty() {
            checks.missing("implementers");
        }
        organisations("implementers", &self.implementers, checks);
        organisations("partners", &self.partners, checks);
        checks.link("contact", self.contact.as_ref());
    }

    fn into_summary(self, kind: Kind) -> Summary {
        Summary::new(kind, self.envelope, self.title, self.summary)
            .with_years(self.start_year, self.end_year)
    }
}

impl Practice {
    /// What a full practice tells and a snapshot may leave out.
    fn check_story(&self, checks: &mut Checks) {
        let full = self.depth() == v1::PracticeDepth::Full;
        checks.text("problem", &self.problem, &TextRule::required_if(full));
        checks.text("approach", &self.approach, &TextRule::required_if(full));
        if full && self.steps.is_empty() {
            checks.missing("steps");
        }
        for (i, step) in self.steps.iter().enumerate() {
            let at = |field: &str| format!("steps[{i}].{field}");
            checks.text(&at("title"), &step.title, &TextRule::TITLE);
            checks.text(&at("text"), &step.text, &TextRule::REQUIRED);
            checks.text(
                &at("enabling_factors"),
                &step.enabling_factors,
                &TextRule::OPTIONAL,
            );
            checks.text(&at("lesson"), &step.lesson, &TextRule::OPTIONAL);
        }
        checks.passages("lessons", &self.lessons, full);
        checks.text(
            "what_did_not_work",
            &self.what_did_not_work,
            &TextRule::OPTIONAL,
        );
        checks.text(
            "replication_advice",
            &self.replication_advice,
            &TextRule::OPTIONAL,
        );
    }
}

fn result(at: &str, result: &PracticeResult, checks: &mut Checks) {
    checks.text(
        &format!("{at}.indicator"),
        &result.indicator,
        &TextRule::TITLE,
    );
    checks.required_line(&format!("{at}.value"), &result.value);
    checks.year(&format!("{at}.year"), result.year, false);
    checks.url(&format!("{at}.source"), &result.source);
}

fn organisations(at: &str, organisations: &[v1::Organisation], checks: &mut Checks) {
    for (i, organisation) in organisations.iter().enumerate() {
        checks.required_line(&format!("{at}[{i}].name"), &organisation.name);
        let kind = organisation.kind;
        checks.optional_choice::<v1::OrganisationKind>(&format!("{at}[{i}].kind"), kind);
    }
}

impl Tidy for Practice {
    fn tidy(&mut self) {
        self.envelope.tidy();
        for text in [
            &mut self.title,
            &mut self.summary,
            &mut self.problem,
            &mut self.approach,
            &mut self.what_did_not_work,
            &mut self.replication_advice,
        ] {
            text.tidy();
        }
        tidy::each(&mut self.steps);
        tidy::set(&mut self.beneficiaries);
        tidy::each(&mut self.results);
        if let Some(cost) = &mut self.cost {
            cost.note.tidy();
        }
        tidy::each(&mut self.lessons);
        tidy::each(&mut self.implementers);
        tidy::each(&mut self.partners);
    }
}

impl Tidy for PracticeStep {
    fn tidy(&mut self) {
        self.title.tidy();
        self.text.tidy();
        self.enabling_factors.tidy();
        self.lesson.tidy();
    }
}

impl Tidy for PracticeResult {
    fn tidy(&mut self) {
        self.indicator.tidy();
        self.value.tidy();
        self.source.tidy();
    }
}
