//! The rules of a lesson.
//!
//! It imports the shared rules. **Invariant:** a lesson under the Chatham House rule names nobody.

use super::checks::{Checks, TextRule};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Lesson, LessonAttribution};

impl Body for Lesson {
    const MESSAGE: &'static str = "Lesson";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::SUMMARY);
        checks.text("what_happened", &self.what_happened, &TextRule::REQUIRED);
        checks.text("why", &self.why, &TextRule::OPTIONAL);
        checks.text("do_differently", &self.do_differently, &TextRule::REQUIRED);
        checks.choice::<v1::LessonBasis>("basis", self.basis);
        checks.choice::<LessonAttribution>("attribution", self.attribution);
        self.check_attribution(checks);
        checks.text("applies_when", &self.applies_when, &TextRule::OPTIONAL);
        checks.links("about", &self.about);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        Summary::new(kind, self.envelope, self.title, self.summary)
    }
}

impl Lesson {
    /// Attribution and envelope say the same of whether States are named.
    fn check_attribution(&self, checks: &mut Checks) {
        let envelope = self.envelope.as_ref();
        let unnamed = envelope.is_some_and(|envelope| envelope.no_attribution);
        match self.attribution() {
            LessonAttribution::Named | LessonAttribution::CountryOnly if unnamed => checks.refuse(
                "attribution",
                "names somebody where no_attribution is set",
                "choose unattributed, or allow attribution in the envelope",
            ),
            LessonAttribution::Unattributed if envelope.is_some_and(envelope::names_states) => {
                checks.refuse(
                    "attribution",
                    "is unattributed, but States are named",
                    "leave countries and corridor out of the envelope, or choose country_only",
                );
            }
            _ => {}
        }
    }
}

impl Tidy for Lesson {
    fn tidy(&mut self) {
        self.envelope.tidy();
        for text in [
            &mut self.title,
            &mut self.summary,
            &mut self.what_happened,
            &mut self.why,
            &mut self.do_differently,
            &mut self.applies_when,
        ] {
            text.tidy();
        }
        tidy::links(&mut self.about);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::lesson;
    use super::super::tests::refuses;
    use super::*;
    use crate::v1::{Corridor, Envelope};

    fn holds(attribution: LessonAttribution, spoil: fn(&mut Envelope), expect: &[&str]) {
        let spoil = |l: &mut Lesson| {
            l.attribution = attribution.into();
            let envelope = l.envelope.get_or_insert_default();
            envelope.countries.clear();
            spoil(envelope);
        };
        refuses(Kind::Lesson, lesson(), spoil, expect);
    }

    #[test]
    fn under_the_chatham_house_rule_nobody_is_named() {
        use LessonAttribution::{CountryOnly, Named, Unattributed};
        holds(Unattributed, |_| {}, &[]);
        holds(Unattributed, |e| e.no_attribution = true, &[]);
        holds(Named, |e| e.no_attribution = true, &["attribution"]);
        holds(CountryOnly, |e| e.no_attribution = true, &["attribution"]);
        let country = |e: &mut Envelope| e.countries = vec!["AE".into()];
        let corridor = |e: &mut Envelope| {
            e.corridor = Some(Corridor {
                from: vec!["BD".into()],
                to: vec!["AE".into()],
            });
        };
        for (attribution, expect) in [(CountryOnly, &[][..]), (Unattributed, &["attribution"])] {
            holds(attribution, country, expect);
            holds(attribution, corridor, expect);
        }
    }
}
