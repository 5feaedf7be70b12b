//! The rules of the part that all bodies share.
//!
//! It imports the shared rules. **Invariant:** nothing here depends on who reads, on the time or on
//! other records.

use super::checks::{Checks, TextRule};
use super::date::Precision;
use super::tidy::{self, Tidy};
use super::vocabulary::is_gcm_principle;
use crate::limits::ATTACHMENT_BYTES_MAX;
use crate::v1::{self, Envelope, LanguageText, Theme};

/// What a kind asks of its envelope.
pub(super) struct Rules<'a> {
    /// The texts that must exist in the source language, by their field names.
    pub(super) source_texts: &'a [(&'static str, &'a [LanguageText])],
    /// Whether an objective or another framework must be named.
    pub(super) objective: bool,
}

impl<'a> Rules<'a> {
    /// Of a kind that need not name an objective.
    pub(super) const fn of(source_texts: &'a [(&'static str, &'a [LanguageText])]) -> Self {
        Self {
            source_texts,
            objective: false,
        }
    }
}

/// Checks the envelope of a body.
pub(super) fn check(envelope: Option<&Envelope>, rules: &Rules<'_>, checks: &mut Checks) {
    let Some(envelope) = envelope else {
        return checks.missing("envelope");
    };
    checks.choice::<v1::AuthorRole>("envelope.author_role", envelope.author_role);
    checks.choice::<v1::Standing>("envelope.standing", envelope.standing);
    languages(envelope, rules, checks);
    subject(envelope, rules, checks);
    handling(envelope, checks);
    provenance(envelope, checks);
    checks.links("envelope.supersedes", &envelope.supersedes);
    checks.links("envelope.replaces", &envelope.replaces);
    checks.links("envelope.related", &envelope.related);
    checks.links("envelope.based_on", &envelope.based_on);
}

fn languages(envelope: &Envelope, rules: &Rules<'_>, checks: &mut Checks) {
    let source = envelope.source_lang.as_str();
    checks.tag("envelope.source_lang", source);
    for (field, texts) in rules.source_texts {
        if !texts.is_empty() && texts.iter().all(|one| one.tag != source) {
            checks.refuse(
                field,
                "is not there in source_lang",
                "write it in that language too",
            );
        }
    }
    let translations = &envelope.translations;
    for (i, translation) in translations.iter().enumerate() {
        let at = format!("envelope.translations[{i}]");
        checks.tag(&format!("{at}.tag"), &translation.tag);
        checks.choice::<v1::TranslationOrigin>(&format!("{at}.origin"), translation.origin);
        if translation.tag == source {
            checks.refuse(
                &at,
                "names source_lang, which is no translation",
                "leave it out",
            );
        }
    }
    let said: Vec<&str> = translations.iter().map(|one| one.tag.as_str()).collect();
    checks.set("envelope.translations", &said);
    let said = said.into_iter().chain([source]).map(str::to_owned);
    checks.account_for(said.collect());
    checks.tags("envelope.languages", &envelope.languages);
}

fn subject(envelope: &Envelope, rules: &Rules<'_>, checks: &mut Checks) {
    checks.countries("envelope.countries", &envelope.countries);
    let objectives = &envelope.gcm_objectives;
    for (i, objective) in objectives.iter().enumerate() {
        checks.objective(&format!("envelope.gcm_objectives[{i}]"), *objective);
    }
    checks.unique("envelope.gcm_objectives", objectives);
    let framework = &envelope.other_framework;
    checks.text("envelope.other_framework", framework, &TextRule::OPTIONAL);
    if rules.objective && objectives.is_empty() && framework.is_empty() {
        let remedy = "name an objective of the Global Compact, or another framework";
        checks.refuse(
            "envelope.gcm_objectives",
            "is empty, and no other framework is named",
            remedy,
        );
    }
    for (i, principle) in envelope.gcm_principles.iter().enumerate() {
        if !is_gcm_principle(principle) {
            let at = format!("envelope.gcm_principles[{i}]");
            checks.refuse(
                &at,
                "is no guiding principle",
                "use a key such as human-rights",
            );
        }
    }
    checks.set("envelope.gcm_principles", &envelope.gcm_principles);
    for (i, one) in envelope.themes.iter().enumerate() {
        theme(&format!("envelope.themes[{i}]"), one, checks);
    }
    let keys: Vec<_> = envelope.themes.iter().map(theme_key).collect();
    checks.set("envelope.themes", &keys);
    if let Some(corridor) = &envelope.corridor {
        for (at, codes) in [("from", &corridor.from), ("to", &corridor.to)] {
            let at = format!("envelope.corridor.{at}");
            if codes.is_empty() {
                checks.missing(&at);
            }
            checks.countries(&at, codes);
        }
    }
}

fn theme(at: &str, theme: &Theme, checks: &mut Checks) {
    match (&theme.label, theme.concept.as_str()) {
        (Some(label), "") => checks.label(&format!("{at}.label"), label),
        (None, "") => checks.missing(at),
        (None, concept) => checks.key(&format!("{at}.concept"), concept, "mixed-movements"),
        (Some(_), _) => checks.refuse(at, "has both a concept and a label", "leave the label out"),
    }
}

/// Concepts first, then labels.
fn theme_key(theme: &Theme) -> (bool, &str, &str, &str) {
    let label = theme.label.as_ref();
    let (tag, text) = label.map_or(("", ""), |one| (one.tag.as_str(), one.text.as_str()));
    (theme.concept.is_empty(), &theme.concept, tag, text)
}

fn handling(envelope: &Envelope, checks: &mut Checks) {
    checks.choice::<v1::Marking>("envelope.marking", envelope.marking);
    if envelope.no_attribution && names_states(envelope) {
        let remedy = "leave countries and corridor out, or allow attribution";
        checks.refuse(
            "envelope.no_attribution",
            "is set, but States are named",
            remedy,
        );
    }
    checks.line("envelope.our_ref", &envelope.our_ref);
    checks.date(
        "envelope.embargo_until",
        &envelope.embargo_until,
        Precision::Day,
    );
    checks.date("envelope.review_by", &envelope.review_by, Precision::Day);
    if let Some(clearance) = &envelope.clearance {
        checks.choice::<v1::AuthorRole>("envelope.clearance.by_role", clearance.by_role);
        if clearance.date.is_empty() {
            checks.missing("envelope.clearance.date");
        }
        checks.date("envelope.clearance.date", &clearance.date, Precision::Year);
        checks.line("envelope.clearance.reference", &clearance.reference);
        checks.line("envelope.clearance.on_behalf_of", &clearance.on_behalf_of);
    }
    checks.text(
        "envelope.terms_of_reuse",
        &envelope.terms_of_reuse,
        &TextRule::OPTIONAL,
    );
    checks.line("envelope.licence", &envelope.licence);
}

/// Refuses a State named at `at` where the envelope says that none is.
pub(super) fn names_no_state(
    envelope: Option<&Envelope>,
    at: &str,
    is_named: bool,
    checks: &mut Checks,
) {
    if is_named && envelope.is_some_and(|envelope| envelope.no_attribution) {
        let remedy = "leave it out, or allow attribution in the envelope";
        checks.refuse(at, "names a State where no_attribution is set", remedy);
    }
}

/// Whether it names States, by country or by corridor.
pub(super) fn names_states(envelope: &Envelope) -> bool {
    !envelope.countries.is_empty() || envelope.corridor.is_some()
}

fn provenance(envelope: &Envelope, checks: &mut Checks) {
    for (i, source) in envelope.sources.iter().enumerate() {
        let at = format!("envelope.sources[{i}]");
        if source.url.is_empty() {
            checks.missing(&format!("{at}.url"));
        }
        checks.url(&format!("{at}.url"), &source.url);
        checks.line(&format!("{at}.title"), &source.title);
        checks.date(&format!("{at}.date"), &source.date, Precision::Year);
    }
    for (i, attachment) in envelope.attachments.iter().enumerate() {
        self::attachment(&format!("envelope.attachments[{i}]"), attachment, checks);
    }
    checks.unique(
        "envelope.attachments",
        envelope.attachments.iter().map(|one| &one.id),
    );
}

fn attachment(at: &str, attachment: &v1::Attachment, checks: &mut Checks) {
    if let Some(id) = checks.id::<32>(&format!("{at}.id"), &attachment.id) {
        checks.names_attachment(id);
    }
    let name = format!("{at}.name");
    checks.required_line(&name, &attachment.name);
    // A reader saves the file under this name: it must not lead out of the folder chosen.
    if attachment.name.contains(['/', '\\']) || attachment.name.starts_with('.') {
        checks.refuse(
            &name,
            "is no plain file name",
            "leave folders and leading dots out",
        );
    }
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    if !attachment
        .mime
        .split_once('/')
        .is_some_and(|(a, b)| is_token(a) && is_token(b))
    {
        checks.refuse(
            &format!("{at}.mime"),
            "is no media type",
            "use one such as application/pdf",
        );
    }
    if !(1..=ATTACHMENT_BYTES_MAX).contains(&attachment.bytes) {
        let what = format!("is not from 1 to {ATTACHMENT_BYTES_MAX} bytes");
        checks.refuse(&format!("{at}.bytes"), what, "attach a smaller file");
    }
}

impl Tidy for Envelope {
    fn tidy(&mut self) {
        tidy::tag(&mut self.source_lang);
        for translation in &mut self.translations {
            tidy::tag(&mut translation.tag);
        }
        self.translations.sort_by(|a, b| a.tag.cmp(&b.tag));
        self.translations.dedup();
        tidy::tags(&mut self.languages);
        tidy::countries(&mut self.countries);
        tidy::unique(&mut self.gcm_objectives);
        self.other_framework.tidy();
        tidy::set(&mut self.gcm_principles);
        for theme in &mut self.themes {
            theme.label.tidy();
        }
        self.themes.sort_by(|a, b| theme_key(a).cmp(&theme_key(b)));
        self.themes.dedup();
        if let Some(corridor) = &mut self.corridor {
            tidy::countries(&mut corridor.from);
            tidy::countries(&mut corridor.to);
        }
        self.our_ref.tidy();
        if let Some(clearance) = &mut self.clearance {
            clearance.reference.tidy();
            clearance.on_behalf_of.tidy();
        }
        self.terms_of_reuse.tidy();
        for source in &mut self.sources {
            source.url.tidy();
            source.title.tidy();
        }
        for attachment in &mut self.attachments {
            attachment.name.tidy();
        }
        self.licence.tidy();
        tidy::links(&mut self.supersedes);
        tidy::links(&mut self.replaces);
        tidy::links(&mut self.related);
        tidy::links(&mut self.based_on);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::samples::{english, practice, texts};
    use super::super::tests::refuses;
    use crate::v1::{Passage, Practice, PracticeStep, Translation, TranslationOrigin};

    /// An English practice, one text of which is in Arabic too.
    fn holds(spoil: impl Fn(&mut Practice)) {
        refuses(
            Kind::Practice,
            practice(),
            &spoil,
            &["envelope.translations"],
        );
        let told = |body: &mut Practice| {
            spoil(body);
            let envelope = body.envelope.get_or_insert_default();
            envelope.translations = vec![Translation {
                tag: "ar".into(),
                origin: TranslationOrigin::Machine.into(),
            }];
        };
        refuses(Kind::Practice, practice(), told, &[]);
    }

    #[test]
    fn of_each_text_in_another_language_it_is_said_how_it_was_made() {
        let says = || texts(&[("ar", "x"), ("en", "x")]);
        holds(|body| body.title = says());
        holds(|body| body.problem = says());
        holds(|body| body.lessons = vec![Passage { text: says() }]);
        holds(|body| {
            body.steps = vec![PracticeStep {
                title: english(2),
                text: says(),
                ..PracticeStep::default()
            }];
        });
        holds(|body| body.envelope.get_or_insert_default().terms_of_reuse = says());
    }
}
