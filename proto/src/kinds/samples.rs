//! Bodies for the tests of this folder, good until a test spoils them.
//!
//! It imports the messages. **Invariant:** nothing random; the golden bytes are made from here.

use prost::Message;

use super::Kind;
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

pub(super) fn term() -> Term {
    Term {
        envelope: Some(envelope()),
        concept_id: "mixed-movements".into(),
        pref_label: texts(&[("en", "mixed movements")]),
        definition: english(12),
        status: TermStatus::InUse.into(),
        alt_labels: texts(&[("en", "mixed flows"), ("en", "mixed migration")]),
        ..Default::default()
    }
}

pub(super) fn mapping() -> Mapping {
    Mapping {
        envelope: Some(envelope()),
        from: Some(Concept {
            term: Some(link(1)),
            concept: String::new(),
        }),
        to: Some(Concept {
            term: None,
            concept: "smuggling-of-migrants".into(),
        }),
        relation: MappingRelation::ExactMatch.into(),
        confidence: Some(Confidence::High.into()),
        ..Default::default()
    }
}

pub(super) fn meeting() -> Meeting {
    Meeting {
        envelope: Some(envelope()),
        title: texts(&[("en", "Senior Officials' Meeting")]),
        level: MeetingLevel::SeniorOfficials.into(),
        starts_on: "2026-05-12".into(),
        ends_on: "2026-05-13".into(),
        start_time: "09:30".into(),
        end_time: "17:00".into(),
        time_zone: "Europe/Lisbon".into(),
        host: "Portugal".into(),
        host_country: "PT".into(),
        place: "Lisbon".into(),
        mode: MeetingMode::Hybrid.into(),
        openness: MeetingOpenness::MembersAndObservers.into(),
        seats_for_peers: 2,
        languages: vec!["en".into(), "fr".into()],
        agenda: vec![link(1)],
        status: MeetingStatus::Confirmed.into(),
        ..Default::default()
    }
}

pub(super) fn invitation() -> MeetingInvitation {
    MeetingInvitation {
        envelope: Some(envelope()),
        meeting: Some(link(1)),
        direction: InvitationDirection::Invited.into(),
        to: vec![2; 32],
        purpose: InvitationPurpose::Present.into(),
        topic: texts(&[("en", "Resource centres for migrants")]),
        requested_practice: Some(link(2)),
        language: "en".into(),
        slot_minutes: 20,
        reply_by: "2026-04-01".into(),
        ..Default::default()
    }
}

pub(super) fn presentation() -> Presentation {
    Presentation {
        envelope: Some(envelope()),
        invitation: Some(link(1)),
        title: texts(&[("en", "Resource centres for migrants")]),
        summary: english(3),
        given_on: "2026-05-12".into(),
        practices: vec![link(2)],
        meeting: Some(link(3)),
        host: vec![4; 32],
    }
}

pub(super) fn observer_grant() -> ObserverGrant {
    ObserverGrant {
        envelope: Some(envelope()),
        grantee: vec![2; 32],
        application: Some(GrantApplication {
            date: "2025-11".into(),
            mandate_note: english(5),
        }),
        decided_by: "Vice-ministers".into(),
        decided_on: "2025-12-01".into(),
        answers: Some(link(2)),
        levels: vec![
            MeetingLevel::SeniorOfficials.into(),
            MeetingLevel::Thematic.into(),
        ],
        circles: vec![vec![3; 32]],
        rights: vec![
            ObserverRight::Attend.into(),
            ObserverRight::SpeakWhenGivenFloor.into(),
        ],
        onward_sharing: OnwardSharing::WithinSecretariat.into(),
        valid_from: "2026-01-01".into(),
        valid_to: "2028-01-01".into(),
        ..Default::default()
    }
}

pub(super) fn contribution() -> Contribution {
    let paragraph = |number| ContributionParagraph {
        number,
        text: english(20),
        objective: 6,
        based_on: vec![link(1)],
    };
    Contribution {
        envelope: Some(envelope()),
        forum: "imrf".into(),
        edition: "2026".into(),
        contribution_kind: ContributionKind::Statement.into(),
        title: texts(&[("en", "Fair recruitment along one corridor")]),
        paragraphs: vec![paragraph(1), paragraph(2)],
        co_leads: vec![vec![2; 32]],
        deadline: "2026-04-15".into(),
        internal_deadline: "2026-04-01".into(),
        endorsement_mode: EndorsementMode::Silence.into(),
        endorse_by: "2026-03-25".into(),
        asked: vec![vec![2; 32], vec![3; 32]],
        ..Default::default()
    }
}

pub(super) fn endorsement() -> Endorsement {
    Endorsement {
        envelope: Some(envelope()),
        contribution: Some(version(1)),
        position: Position::Endorse.into(),
        basis: EndorsementBasis::ConsensusOfMembers.into(),
        states_dissociating: vec!["AT".into(), "HU".into()],
        signed_on: "2026-03-24".into(),
        ..Default::default()
    }
}

fn version(byte: u8) -> RecordVersion {
    RecordVersion {
        record: Some(link(byte)),
        version_hash: vec![byte; 32],
    }
}

pub(super) fn review() -> Review {
    let item = |objective, status: ReviewStatus| ReviewItem {
        objective,
        status: status.into(),
        narrative: english(30),
        evidence: vec![link(1)],
        ..Default::default()
    };
    let other = ReviewItem {
        aim: texts(&[("en", "Regional action plan, aim 2")]),
        ..item(0, ReviewStatus::Discussion)
    };
    Review {
        envelope: Some(envelope()),
        title: texts(&[("en", "Progress review 2026")]),
        round: 2026,
        commissions: vec![Commission::Eca.into(), Commission::Ece.into()],
        items: vec![
            item(6, ReviewStatus::JointActivity),
            item(23, ReviewStatus::GuidanceAdopted),
            other,
        ],
        cleared_by: ReviewClearance::Chair.into(),
        ..Default::default()
    }
}

pub(super) fn contact() -> Contact {
    Contact {
        envelope: Some(envelope()),
        role: ContactRole::Desk.into(),
        organisation: "Abu Dhabi Dialogue".into(),
        email: "desk@example.org".into(),
        phone: "+971 2 5550100".into(),
        languages: vec!["ar".into(), "en".into()],
        valid_to: "2027-12-31".into(),
        ..Default::default()
    }
}

pub(super) fn act() -> Act {
    Act {
        envelope: Some(envelope()),
        about: Some(version(1)),
        verb: ActVerb::Comment.into(),
        text: english(6),
        paragraphs: vec![1, 3],
        ..Default::default()
    }
}

/// A good body of each kind.
pub(super) fn all() -> Vec<(Kind, Vec<u8>)> {
    let body = |kind: &Kind| match kind {
        Kind::Practice => practice().encode_to_vec(),
        Kind::Lesson => lesson().encode_to_vec(),
        Kind::Recommendation | Kind::Guideline => recommendation().encode_to_vec(),
        Kind::Profile => profile().encode_to_vec(),
        Kind::Term => term().encode_to_vec(),
        Kind::Mapping => mapping().encode_to_vec(),
        Kind::Meeting => meeting().encode_to_vec(),
        Kind::Invitation => invitation().encode_to_vec(),
        Kind::Presentation => presentation().encode_to_vec(),
        Kind::ObserverGrant => observer_grant().encode_to_vec(),
        Kind::Contribution => contribution().encode_to_vec(),
        Kind::Endorsement => endorsement().encode_to_vec(),
        Kind::Review => review().encode_to_vec(),
        Kind::Contact => contact().encode_to_vec(),
        Kind::Act => act().encode_to_vec(),
    };
    Kind::ALL.iter().map(|kind| (*kind, body(kind))).collect()
}
