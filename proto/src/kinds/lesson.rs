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
        let rules = Rules {
            source_texts: &source_texts,
            objective: false,
        };
        envelope::check(self.envelope.as_ref(), &rules, checks);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::SUMMARY);
        checks.text("what_happened", &self.what_happened, &TextRule::REQUIRED);
        checks.text("why", &self.why, &TextRule::OPTIONAL);
        checks.text("do_differently", &self.do_differently, &TextRule::REQUIRED);
        checks.choice::<v1::LessonBasis>("basis", self.basis);
        checks.choice::<LessonAttribution>("attribution", self.attribution);
        let unnamed = self
            .envelope
            .as_ref()
            .is_some_and(|envelope| envelope.no_attribution);
        let names = matches!(
            self.attribution(),
            LessonAttribution::Named | LessonAttribution::CountryOnly
        );
        if unnamed && names {
            let remedy = "choose unattributed, or allow attribution in the envelope";
            checks.refuse(
                "attribution",
                "names somebody where no_attribution is set",
                remedy,
            );
        }
        checks.text("applies_when", &self.applies_when, &TextRule::OPTIONAL);
        checks.links("about", &self.about);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        Summary::new(kind, self.envelope, self.title, self.summary)
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
