//! The data keeps the rules of authoring: every record of it, and a profile of each process.

use std::collections::BTreeSet;

use corridor_proto::kinds::{
    GCM_OBJECTIVES, Shown, Summary, gcm_principles, is_country, is_gcm_principle, summarise,
};
use corridor_proto::v1::{Chair, Profile, RcpKind, RcpStatus, Secretariat};

use super::*;

#[derive(Deserialize)]
struct ProfileRow {
    #[serde(flatten)]
    names: RcpRow,
    kind: String,
    status: String,
    founded: u32,
    #[serde(default)]
    ended: Option<u32>,
    secretariat_host: String,
    chair_latest_known: Option<String>,
    region_or_route: String,
    member_states: Vec<String>,
    #[serde(default)]
    member_organisations: Vec<String>,
    member_note: Option<String>,
    observer_states: Vec<String>,
    observer_organisations: Vec<String>,
    thematic_priorities: Vec<String>,
    working_languages: Vec<String>,
    website: Option<String>,
    source: String,
    more_sources: Vec<String>,
}

fn profile_rows() -> Result<Vec<ProfileRow>, DemoDataError> {
    #[derive(Deserialize)]
    struct File {
        rcps: Vec<ProfileRow>,
    }
    Ok(parse::<File>("rcps.json", RCPS)?.rcps)
}

/// The body of the profile of a process, which passed the checks of authoring.
fn profile_body(rcp: &str) -> Result<Vec<u8>, DemoDataError> {
    let rows = profile_rows()?;
    let row = rows.iter().find(|row| row.names.id == rcp);
    let row = row.ok_or_else(|| DemoDataError::UnknownRcp(rcp.to_owned()))?;
    finish(rcp, Kind::Profile, profile(row, &Concepts::read()?)?)
}

fn profile(row: &ProfileRow, concepts: &Concepts) -> Result<Profile, DemoDataError> {
    let rcp_kind = match row.kind.as_str() {
        "rcp" => RcpKind::Rcp,
        "irf" => RcpKind::Irf,
        _ => return Err(unknown(&row.names.id, &row.kind)),
    };
    let status = match row.status.as_str() {
        "active" | "low-activity" => RcpStatus::Active,
        "dormant" => RcpStatus::Dormant,
        "ended" => RcpStatus::Ended,
        _ => return Err(unknown(&row.names.id, &row.status)),
    };
    let name = names(&row.names);
    let also_known_as = row.names.also_known_as.iter();
    let optional = |text: &Option<String>| {
        text.as_ref()
            .map(|text| in_language(ENGLISH, text))
            .unwrap_or_default()
    };
    let chair = |note: &String| Chair {
        note: in_language(ENGLISH, note),
        ..Chair::default()
    };
    Ok(Profile {
        envelope: Some(Envelope {
            source_lang: ENGLISH.to_owned(),
            translations: translations(&name, ENGLISH),
            themes: concepts.themes(&row.thematic_priorities),
            ..envelope(
                &row.names.id,
                Marking::Clear,
                &row.source,
                &row.more_sources,
            )
        }),
        also_known_as: also_known_as
            .filter(|one| name.iter().all(|n| n.text != **one))
            .cloned()
            .collect(),
        name,
        acronym: row.names.acronym.clone(),
        rcp_kind: rcp_kind.into(),
        founded: row.founded,
        status: status.into(),
        ended: row.ended.unwrap_or(0),
        description: in_language(ENGLISH, &row.region_or_route),
        member_states: row.member_states.clone(),
        member_organisations: row.member_organisations.clone(),
        observer_states: row.observer_states.clone(),
        observer_organisations: row.observer_organisations.clone(),
        membership_note: optional(&row.member_note),
        secretariat: Some(Secretariat {
            host: row.secretariat_host.clone(),
            languages: row.working_languages.clone(),
            ..Secretariat::default()
        }),
        chairs: row.chair_latest_known.iter().map(chair).collect(),
        website: row.website.clone().unwrap_or_default(),
        ..Profile::default()
    })
}

fn shown(kind: Kind, body: &[u8]) -> Summary {
    match summarise(kind.code(), body) {
        Shown::Understood(summary) => *summary,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_sixty_pass_the_checks_and_say_what_they_are() -> Result<(), DemoDataError> {
    let records = demonstration_records()?;
    let count = |of| records.iter().filter(|record| record.kind == of).count();
    let kinds = [
        Kind::Practice,
        Kind::Lesson,
        Kind::Recommendation,
        Kind::Guideline,
    ];
    assert_eq!(kinds.map(count), [34, 6, 10, 10]);
    let ids: BTreeSet<_> = records.iter().map(|record| &record.id).collect();
    assert_eq!(ids.len(), 60);
    for record in &records {
        assert!(check(record.kind, &record.body).is_ok(), "{}", record.id);
        let shown = shown(record.kind, &record.body);
        assert!(shown.demonstration, "{}", record.id);
        assert_eq!(shown.marking == Marking::Clear, record.audience == "public");
        let mut beside: BTreeSet<_> = shown.title.iter().map(|one| one.tag.as_str()).collect();
        beside.remove(shown.source_lang.as_str());
        for translation in &shown.translations {
            // Lessons are English also where the title is not.
            let tag = translation.tag.as_str();
            assert!(beside.remove(tag) || tag == "en", "{}", record.id);
            assert_eq!(translation.origin(), TranslationOrigin::Human);
        }
        assert!(beside.is_empty(), "{}", record.id);
        assert!(!shown.themes.is_empty() && !shown.gcm_objectives.is_empty());
    }
    Ok(())
}

#[test]
fn first_language_is_the_source_and_themes_become_concepts() -> Result<(), DemoDataError> {
    let records = demonstration_records()?;
    let find = |id: &str| {
        let record = records.iter().find(|record| record.id == id);
        record.map(|record| shown(record.kind, &record.body))
    };
    let almaty = find("almaty-mixed-movements").expect("the data has it");
    assert_eq!(almaty.source_lang, "ru");
    assert_eq!(almaty.themes[0].concept, "mixed-movements");
    let yaounde = find("rabat-return-yaounde").expect("the data has it");
    let say = |theme: &Theme| match &theme.label {
        None => theme.concept.clone(),
        Some(label) => format!("{}:{}", label.tag, label.text),
    };
    let themes: Vec<_> = yaounde.themes.iter().map(say).collect();
    assert_eq!(
        themes,
        [
            "reintegration",
            "return",
            "en:coordination",
            "fr:retour volontaire"
        ]
    );
    Ok(())
}

#[test]
fn every_process_with_records_has_a_profile() -> Result<(), DemoDataError> {
    let rcps = demonstration_rcps()?;
    assert_eq!(rcps.len(), 31);
    let named: BTreeSet<_> = demonstration_records()?
        .into_iter()
        .map(|record| record.rcp)
        .collect();
    assert_eq!(named.len(), 21);
    for id in &named {
        let summary = shown(Kind::Profile, &profile_body(id)?);
        let rcp = rcps.iter().find(|rcp| rcp.id == *id);
        assert_eq!(rcp.map(|rcp| &rcp.names), Some(&summary.title));
        assert!(
            summary.demonstration && !summary.countries.is_empty(),
            "{id}"
        );
    }
    let tags = |id: &str| -> Vec<_> {
        let rcp = rcps.iter().find(|rcp| rcp.id == id);
        rcp.into_iter()
            .flat_map(|rcp| &rcp.names)
            .map(|name| name.tag.as_str())
            .collect()
    };
    assert_eq!(
        (tags("arcp"), tags("rcm")),
        (vec!["ar", "en"], vec!["en", "es"])
    );
    assert!(matches!(
        profile_body("gfmd"),
        Err(DemoDataError::Vocabulary { .. })
    ));
    assert!(matches!(
        profile_body("none"),
        Err(DemoDataError::UnknownRcp(_))
    ));
    Ok(())
}

#[test]
fn vocabularies_of_authoring_are_those_of_the_data() -> Result<(), DemoDataError> {
    let gcm: serde_json::Value = parse("gcm.json", include_str!("../../../data/gcm.json"))?;
    let values = |list: &str, field: &str| -> Vec<serde_json::Value> {
        let list = gcm[list].as_array().into_iter().flatten();
        list.map(|entry| entry[field].clone()).collect()
    };
    let keys = values("guiding_principles", "key");
    assert_eq!(keys.len(), gcm_principles().count());
    assert!(
        keys.iter()
            .all(|key| key.as_str().is_some_and(is_gcm_principle))
    );
    assert_eq!(
        values("objectives", "number"),
        GCM_OBJECTIVES.collect::<Vec<_>>()
    );
    for row in profile_rows()? {
        for code in row.member_states.iter().chain(&row.observer_states) {
            assert!(is_country(code), "{code} of {}", row.names.id);
        }
    }
    Ok(())
}

#[test]
fn tables_of_languages_name_only_what_is_there() {
    for (theme, _) in THEMES_ELSEWHERE {
        assert!(RECORDS.contains(&format!("\"{theme}\"")), "{theme}");
    }
    for (name, _) in NAMES_ELSEWHERE {
        assert!(RCPS.contains(&format!("\"{name}\"")), "{name}");
    }
}
