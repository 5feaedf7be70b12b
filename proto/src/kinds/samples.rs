//! Bodies for the tests of this folder, good until a test spoils them.
//!
//! It imports the messages. **Invariant:** nothing random; the golden bytes are made from here.

use crate::v1::*;

/// One text in languages, given in ascending order of tags.
pub(super) fn texts(languages: &[(&str, &str)]) -> Vec<LanguageText> {
    let one = |(tag, text): &(&str, &str)| LanguageText {
        tag: (*tag).into(),
        text: (*text).into(),
    };
    languages.iter().map(one).collect()
}

/// An English text of that many words.
pub(super) fn english(words: usize) -> Vec<LanguageText> {
    texts(&[("en", &vec!["word"; words].join(" "))])
}

/// A link whose bytes are all the same.
pub(super) fn link(byte: u8) -> Link {
    Link {
        rcp: vec![byte; 32],
        record: vec![byte; 16],
    }
}

pub(super) fn envelope() -> Envelope {
    Envelope {
        author_role: AuthorRole::Secretariat.into(),
        standing: Standing::SecretariatNote.into(),
        source_lang: "en".into(),
        countries: vec!["AE".into(), "PH".into()],
        gcm_objectives: vec![6, 3],
        marking: Marking::Clear.into(),
        ..Default::default()
    }
}

pub(super) fn practice() -> Practice {
    Practice {
        envelope: Some(envelope()),
        title: texts(&[("en", "One orientation path for workers")]),
        summary: english(40),
        depth: PracticeDepth::Snapshot.into(),
        stage: PracticeStage::Running.into(),
        start_year: 2014,
        implementers: vec![Organisation {
            name: "Abu Dhabi Dialogue".into(),
            kind: None,
        }],
        ..Default::default()
    }
}

pub(super) fn lesson() -> Lesson {
    Lesson {
        envelope: Some(envelope()),
        title: texts(&[("en", "Start from one narrow corridor")]),
        summary: english(120),
        what_happened: english(3),
        do_differently: english(3),
        basis: LessonBasis::Experience.into(),
        attribution: LessonAttribution::CountryOnly.into(),
        ..Default::default()
    }
}

pub(super) fn recommendation() -> Recommendation {
    let item = |number| RecommendationItem {
        number,
        text: english(5),
        objective: 6,
    };
    Recommendation {
        envelope: Some(envelope()),
        title: texts(&[("en", "Five-year call for action")]),
        summary: english(60),
        instrument: Instrument::ActionPlan.into(),
        adopted_on: "2019-02".into(),
        items: vec![item(1), item(2)],
        period: Some(Period {
            from: "2019".into(),
            to: "2024".into(),
        }),
        follow_up: Some(FollowUp::ReviewMeeting.into()),
        ..Default::default()
    }
}

pub(super) fn profile() -> Profile {
    Profile {
        envelope: Some(envelope()),
        name: texts(&[("en", "Abu Dhabi Dialogue")]),
        acronym: "ADD".into(),
        rcp_kind: RcpKind::Irf.into(),
        founded: 2008,
        status: RcpStatus::Active.into(),
        member_states: vec!["AE".into(), "SA".into()],
        ..Default::default()
    }
}
