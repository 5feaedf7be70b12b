//! The rules of an observer grant.
//!
//! It imports the shared rules. **Invariant:** a grant opens nothing by itself: it is a paper
//! beside the circles.

use super::checks::{Checks, TextRule};
use super::date::{self, Precision};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, ObserverGrant};

/// Circles that one grant opens.
const CIRCLES_MAX: usize = 64;

impl Body for ObserverGrant {
    const MESSAGE: &'static str = "ObserverGrant";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("conditions", &self.conditions[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.id::<32>("grantee", &self.grantee);
        if let Some(application) = &self.application {
            if application.date.is_empty() {
                checks.missing("application.date");
            }
            checks.date("application.date", &application.date, Precision::Year);
            let note = &application.mandate_note;
            checks.text("application.mandate_note", note, &TextRule::OPTIONAL);
        }
        checks.required_line("decided_by", &self.decided_by);
        if self.decided_on.is_empty() {
            checks.missing("decided_on");
        }
        checks.date("decided_on", &self.decided_on, Precision::Year);
        checks.link("answers", self.answers.as_ref());
        some::<v1::MeetingLevel>("levels", &self.levels, checks);
        checks.ids("circles", &self.circles, CIRCLES_MAX);
        some::<v1::ObserverRight>("rights", &self.rights, checks);
        checks.choice::<v1::OnwardSharing>("onward_sharing", self.onward_sharing);
        checks.required_day("valid_from", &self.valid_from);
        checks.day("valid_to", &self.valid_to);
        checks.not_before(
            ("valid_to", &self.valid_to),
            ("valid_from", &self.valid_from),
        );
        checks.day("review_on", &self.review_on);
        checks.text("conditions", &self.conditions, &TextRule::OPTIONAL);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let year = |date: &str| date::year(date).unwrap_or(0);
        let years = (year(&self.valid_from), year(&self.valid_to));
        Summary::new(kind, self.envelope, Vec::new(), self.conditions).with_years(years.0, years.1)
    }
}

/// A set of values of an enum, at least one.
fn some<E: TryFrom<i32>>(at: &str, values: &[i32], checks: &mut Checks) {
    if values.is_empty() {
        checks.missing(at);
    }
    checks.choices::<E>(at, values);
}

impl Tidy for ObserverGrant {
    fn tidy(&mut self) {
        self.envelope.tidy();
        if let Some(application) = &mut self.application {
            application.mandate_note.tidy();
        }
        self.decided_by.tidy();
        tidy::set(&mut self.levels);
        tidy::set(&mut self.circles);
        tidy::set(&mut self.rights);
        self.conditions.tidy();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::observer_grant;
    use super::super::tests::refuses;
    use super::*;

    fn holds(spoil: fn(&mut ObserverGrant), expect: &[&str]) {
        refuses(Kind::ObserverGrant, observer_grant(), spoil, expect);
    }

    #[test]
    fn a_grant_says_to_whom_what_and_for_how_long() {
        holds(|g| g.grantee = vec![1; 31], &["grantee"]);
        holds(|g| g.decided_by.clear(), &["decided_by"]);
        holds(|g| g.decided_on.clear(), &["decided_on"]);
        holds(|g| g.decided_on = "2026".into(), &[]);
        holds(|g| g.levels.clear(), &["levels"]);
        holds(|g| g.levels = vec![4, 2], &["levels[1]"]);
        holds(|g| g.rights.clear(), &["rights"]);
        holds(|g| g.rights = vec![5], &["rights[0]"]);
        holds(|g| g.onward_sharing = 0, &["onward_sharing"]);
        holds(|g| g.valid_from = "2026-01".into(), &["valid_from"]);
        holds(|g| g.valid_to = "2025-12-31".into(), &["valid_to"]);
        holds(|g| g.valid_to.clear(), &[]);
        holds(|g| g.review_on = "soon".into(), &["review_on"]);
        holds(
            |g| g.circles = (1..=65).map(|n| vec![n; 32]).collect(),
            &["circles"],
        );
        holds(
            |g| g.application.get_or_insert_default().date.clear(),
            &["application.date"],
        );
    }
}
