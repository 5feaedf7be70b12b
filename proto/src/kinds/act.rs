//! The rules of an act.
//!
//! It imports the shared rules. **Invariant:** whether an act counts, and for what, is asked where
//! acts are gathered: here it is only complete.

use super::checks::{Checks, TextRule};
use super::date;
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Act, ActVerb};

/// Endorsements that one act counts.
const COUNTED_MAX: usize = 1_024;

impl Body for Act {
    const MESSAGE: &'static str = "Act";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("text", &self.text[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.version("about", self.about.as_ref());
        checks.choice::<ActVerb>("verb", self.verb);
        let verb = self.verb();
        let says = matches!(
            verb,
            ActVerb::Comment
                | ActVerb::ProposeText
                | ActVerb::SuggestCorrection
                | ActVerb::OfferTranslation
                | ActVerb::TakeUp
        );
        checks.text("text", &self.text, &TextRule::required_if(says));
        checks.numbers("paragraphs", &self.paragraphs);
        checks.line("field", &self.field);
        let mends = matches!(verb, ActVerb::SuggestCorrection | ActVerb::OfferTranslation);
        let where_ = "with suggest_correction and offer_translation";
        checks.only_if(mends, "field", !self.field.is_empty(), where_);
        checks.day("until", &self.until);
        if verb == ActVerb::Extend && self.until.is_empty() {
            checks.missing("until");
        }
        let ends = matches!(
            verb,
            ActVerb::Suspend | ActVerb::Tentatively | ActVerb::Extend
        );
        let where_ = "with extend, suspend and tentatively";
        checks.only_if(ends, "until", !self.until.is_empty(), where_);
        self.check_particulars(checks);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let year = date::year(&self.taken_up_on).unwrap_or(0);
        Summary::new(kind, self.envelope, Vec::new(), self.text).with_years(year, 0)
    }
}

impl Act {
    /// What belongs to one verb alone.
    fn check_particulars(&self, checks: &mut Checks) {
        let verb = self.verb();
        if verb == ActVerb::TakeUp && self.taken_up_on.is_empty() {
            checks.missing("taken_up_on");
        }
        checks.date("taken_up_on", &self.taken_up_on, date::Precision::Year);
        let is_said = !self.taken_up_on.is_empty();
        checks.only_if(
            verb == ActVerb::TakeUp,
            "taken_up_on",
            is_said,
            "with take_up",
        );
        if verb == ActVerb::Dispose && self.disposition.is_none() {
            checks.missing("disposition");
        }
        checks.optional_choice::<v1::Disposition>("disposition", self.disposition);
        let is_said = self.disposition.is_some();
        checks.only_if(
            verb == ActVerb::Dispose,
            "disposition",
            is_said,
            "with dispose",
        );
        checks.ids("counted", &self.counted, COUNTED_MAX);
        let is_said = !self.counted.is_empty();
        checks.only_if(verb == ActVerb::Close, "counted", is_said, "with close");
        let offers = verb == ActVerb::OfferTranslation;
        if offers && self.origin.is_none() {
            checks.missing("origin");
        }
        checks.optional_choice::<v1::TranslationOrigin>("origin", self.origin);
        let is_said = self.origin.is_some();
        checks.only_if(offers, "origin", is_said, "with offer_translation");
        let compares = matches!(verb, ActVerb::SameAs | ActVerb::NotSameAs);
        if compares {
            checks.required_link("other", self.other.as_ref());
        } else {
            checks.link("other", self.other.as_ref());
        }
        let where_ = "with same_as and not_same_as";
        checks.only_if(compares, "other", self.other.is_some(), where_);
    }
}

impl Tidy for Act {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.text.tidy();
        tidy::set(&mut self.paragraphs);
        self.field.tidy();
        tidy::set(&mut self.counted);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{act, english, link};
    use super::super::tests::refuses;
    use super::*;

    fn holds(verb: ActVerb, spoil: fn(&mut Act), expect: &[&str]) {
        let spoil = |a: &mut Act| {
            a.verb = verb.into();
            a.text.clear();
            spoil(a);
        };
        refuses(Kind::Act, act(), spoil, expect);
    }

    #[test]
    fn an_act_is_about_an_exact_version() {
        refuses(Kind::Act, act(), |a| a.about = None, &["about"]);
        refuses(Kind::Act, act(), |a| a.verb = 22, &["verb"]);
        refuses(
            Kind::Act,
            act(),
            |a| a.paragraphs = vec![3, 3],
            &["paragraphs[1]"],
        );
    }

    #[test]
    fn each_verb_has_what_belongs_to_it_and_nothing_else() {
        use ActVerb::*;
        for verb in [Comment, ProposeText, SuggestCorrection] {
            holds(verb, |_| {}, &["text"]);
            holds(verb, |a| a.text = english(2), &[]);
        }
        let offers = |a: &mut Act| {
            a.text = english(2);
            a.origin = Some(v1::TranslationOrigin::HumanChecked.into());
        };
        holds(OfferTranslation, |_| {}, &["text", "origin"]);
        holds(OfferTranslation, offers, &[]);
        holds(Comment, offers, &["origin"]);
        holds(Extend, |_| {}, &["until"]);
        holds(Extend, |a| a.until = "2026-05-12".into(), &[]);
        for verb in [
            Apply,
            Accept,
            Decline,
            Undo,
            End,
            Confirm,
            Dispute,
            Adopt,
            Acknowledge,
        ] {
            holds(verb, |_| {}, &[]);
            holds(verb, |a| a.text = english(2), &[]);
            holds(verb, |a| a.field = "summary".into(), &["field"]);
            holds(verb, |a| a.until = "2026-05-12".into(), &["until"]);
            holds(verb, |a| a.taken_up_on = "2026".into(), &["taken_up_on"]);
            holds(verb, |a| a.disposition = Some(1), &["disposition"]);
            holds(verb, |a| a.counted = vec![vec![1; 32]], &["counted"]);
            holds(verb, |a| a.other = Some(link(1)), &["other"]);
        }
        holds(Suspend, |a| a.until = "2026-05-12".into(), &[]);
        holds(Tentatively, |a| a.until = "2026-05".into(), &["until"]);
        holds(TakeUp, |a| a.text = english(2), &["taken_up_on"]);
        holds(TakeUp, |a| a.taken_up_on = "2026-05".into(), &["text"]);
        holds(Dispose, |_| {}, &["disposition"]);
        holds(Dispose, |a| a.disposition = Some(4), &["disposition"]);
        holds(Close, |_| {}, &[]);
        holds(
            Close,
            |a| a.counted = vec![vec![2; 32], vec![1; 32]],
            &["counted[1]"],
        );
        for verb in [SameAs, NotSameAs] {
            holds(verb, |_| {}, &["other"]);
            holds(verb, |a| a.other = Some(link(1)), &[]);
        }
        let mends = |a: &mut Act| {
            a.text = english(2);
            a.field = "items[2].text".into();
        };
        holds(SuggestCorrection, mends, &[]);
        holds(Comment, mends, &["field"]);
    }
}
