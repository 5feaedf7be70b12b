//! The rules of a term and of a mapping.
//!
//! It imports the shared rules. **Invariant:** whether two concepts match is the author's view:
//! nothing here compares what they mean.

use super::checks::{Checks, TextRule};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Concept, Mapping, Term};

impl Body for Term {
    const MESSAGE: &'static str = "Term";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [
            ("pref_label", &self.pref_label[..]),
            ("definition", &self.definition[..]),
        ];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.key("concept_id", &self.concept_id, "mixed-movements");
        checks.text("pref_label", &self.pref_label, &TextRule::TITLE);
        checks.text("definition", &self.definition, &TextRule::REQUIRED);
        checks.choice::<v1::TermStatus>("status", self.status);
        checks.labels("alt_labels", &self.alt_labels);
        checks.labels("hidden_labels", &self.hidden_labels);
        checks.text("scope_note", &self.scope_note, &TextRule::OPTIONAL);
        checks.links("broader", &self.broader);
        checks.links("narrower", &self.narrower);
        checks.links("related", &self.related);
        checks.lines("avoid_in", &self.avoid_in);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        Summary::new(kind, self.envelope, self.pref_label, self.definition)
    }
}

impl Body for Mapping {
    const MESSAGE: &'static str = "Mapping";

    fn check(&self, checks: &mut Checks) {
        envelope::check(self.envelope.as_ref(), &Rules::of(&[]), checks);
        concept("from", self.from.as_ref(), checks);
        concept("to", self.to.as_ref(), checks);
        if self.from.is_some() && self.from == self.to {
            checks.refuse("to", "is the same as from", "name another concept");
        }
        checks.choice::<v1::MappingRelation>("relation", self.relation);
        checks.text("note", &self.note, &TextRule::OPTIONAL);
        checks.optional_choice::<v1::Confidence>("confidence", self.confidence);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        Summary::new(kind, self.envelope, Vec::new(), self.note)
    }
}

fn concept(at: &str, concept: Option<&Concept>, checks: &mut Checks) {
    let Some(concept) = concept else {
        return checks.missing(at);
    };
    match (&concept.term, concept.concept.as_str()) {
        (Some(term), "") => checks.link(&format!("{at}.term"), Some(term)),
        (None, id) => checks.key(&format!("{at}.concept"), id, "smuggling-of-migrants"),
        (Some(_), _) => checks.refuse(at, "names a term and a concept", "name one of the two"),
    }
}

impl Tidy for Term {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.concept_id.tidy();
        self.pref_label.tidy();
        self.definition.tidy();
        tidy::labels(&mut self.alt_labels);
        tidy::labels(&mut self.hidden_labels);
        self.scope_note.tidy();
        tidy::links(&mut self.broader);
        tidy::links(&mut self.narrower);
        tidy::links(&mut self.related);
        tidy::lines(&mut self.avoid_in);
    }
}

impl Tidy for Mapping {
    fn tidy(&mut self) {
        self.envelope.tidy();
        for concept in [&mut self.from, &mut self.to].into_iter().flatten() {
            concept.concept.tidy();
        }
        self.note.tidy();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{link, mapping, term, texts};
    use super::super::tests::refuses;
    use super::*;

    fn in_term(spoil: fn(&mut Term), expect: &[&str]) {
        refuses(Kind::Term, term(), spoil, expect);
    }

    fn in_mapping(spoil: fn(&mut Mapping), expect: &[&str]) {
        refuses(Kind::Mapping, mapping(), spoil, expect);
    }

    #[test]
    fn a_term_has_an_id_and_labels() {
        in_term(|t| t.concept_id = "Mixed".into(), &["concept_id"]);
        in_term(
            |t| t.pref_label[0].text = "x".repeat(121),
            &["pref_label[0].text"],
        );
        in_term(|t| t.status = 4, &["status"]);
        in_term(
            |t| t.avoid_in = vec!["GFMD".into(), "ASEAN".into()],
            &["avoid_in[1]"],
        );
        in_term(
            |t| t.broader = vec![link(0)],
            &["broader[0].rcp", "broader[0].record"],
        );
        in_term(|t| t.narrower = vec![link(2), link(1)], &["narrower[1]"]);
        in_term(|t| t.related = vec![link(1), link(1)], &["related[1]"]);
    }

    #[test]
    fn other_labels_may_be_several_of_one_language() {
        in_term(
            |t| t.alt_labels = texts(&[("en", "a"), ("en", "b"), ("fr", "a")]),
            &[],
        );
        in_term(
            |t| t.alt_labels = texts(&[("en", "b"), ("en", "a")]),
            &["alt_labels[1]"],
        );
        in_term(
            |t| t.hidden_labels = texts(&[("en", "a"), ("en", "a")]),
            &["hidden_labels[1]"],
        );
        in_term(
            |t| t.hidden_labels = texts(&[("EN", "a")]),
            &["hidden_labels[0].tag"],
        );
        in_term(
            |t| t.alt_labels = texts(&[("en", "")]),
            &["alt_labels[0].text"],
        );
    }

    #[test]
    fn a_mapping_has_two_ends_that_differ() {
        in_mapping(|m| m.from = None, &["from"]);
        in_mapping(|m| m.to = m.from.clone(), &["to"]);
        in_mapping(|m| m.to = Some(Concept::default()), &["to.concept"]);
        in_mapping(|m| m.relation = 0, &["relation"]);
        in_mapping(|m| m.confidence = Some(9), &["confidence"]);
        let both = |m: &mut Mapping| {
            m.to = Some(Concept {
                term: Some(link(3)),
                concept: "smuggling-of-migrants".into(),
            });
        };
        in_mapping(both, &["to"]);
    }
}
