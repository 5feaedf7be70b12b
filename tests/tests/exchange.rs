//! Stories of two and three offices that exchange records over real nodes.

use anyhow::Result;
use corridor_proto::line::{WHOLE_RECORD, WithdrawalReason};
use corridor_rules::PeerState;
use corridor_rules::desk::{DeskRefusal, ToPublish, ToSave, Wish};
use corridor_store::StoreError;
use corridor_tests::nodes::{Office, practice, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_offices_pair_by_telephone_and_then_exchange() -> Result<()> {
    let add = Office::open("Abu Dhabi Dialogue", true).await?;
    let bali = Office::open("Bali Process", true).await?;
    let public = add.publish("Open to all", &[add.circle("public")?]).await?;
    add.pair(&bali).await?;
    // Pending: only the public circle flows.
    until("the public record arrives", || bali.holds(&add, public)).await?;
    let number = add.desk().safety_number(bali.rcp).await;
    assert_eq!(
        number,
        bali.desk().safety_number(add.rcp).await,
        "both screens show one number"
    );
    let wrong = number.replace(['0', '1'], "2");
    assert!(
        add.desk().confirm(bali.rcp, &wrong).await.is_err(),
        "another number confirms nothing"
    );
    assert_eq!(add.state(&bali), Some(PeerState::Pending));
    add.desk().confirm(bali.rcp, &number).await?;
    add.admit("federation", &[&bali]).await?;
    let shared = add
        .publish("For partners", &[add.circle("federation")?])
        .await?;
    until("the federation's record arrives", || {
        bali.holds(&add, shared)
    })
    .await?;
    // Each side gates its own sending by its own confirmation.
    let early = bali.admit("federation", &[&add]).await;
    assert!(
        early.is_err(),
        "a partner that is not confirmed here reads nothing"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_only_dials_out_is_a_full_peer() -> Result<()> {
    let inside = Office::open("Behind a firewall", false).await?;
    let outside = Office::open("Reachable", true).await?;
    // The invitation has to come from the one that can be reached.
    outside.befriend(&inside).await?;
    inside.admit("federation", &[&outside]).await?;
    outside.admit("federation", &[&inside]).await?;
    let from_inside = inside
        .publish("From inside", &[inside.circle("federation")?])
        .await?;
    let from_outside = outside
        .publish("From outside", &[outside.circle("federation")?])
        .await?;
    until("both have both", || {
        outside.holds(&inside, from_inside) && inside.holds(&outside, from_outside)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn wider_revised_narrower_and_withdrawn_each_reach_those_entitled() -> Result<()> {
    let owner = Office::open("Rabat Process", true).await?;
    let (friend, other) = (
        Office::open("Khartoum Process", true).await?,
        Office::open("Prague Process", true).await?,
    );
    owner.befriend(&friend).await?;
    owner.befriend(&other).await?;
    owner.admit("federation", &[&friend, &other]).await?;
    owner
        .desk()
        .wish(Wish::OpenCircle {
            name: "drafting".into(),
            open: true,
            relay: false,
        })
        .await?;
    owner.admit("drafting", &[&friend]).await?;
    let (drafting, federation) = (owner.circle("drafting")?, owner.circle("federation")?);
    let record = owner.publish("Canary-7f3a drafted", &[drafting]).await?;
    until("the drafting reader has it", || {
        friend.holds(&owner, record)
    })
    .await?;
    owner.desk().share(record, vec![federation]).await?;
    until("everybody has it", || other.holds(&owner, record)).await?;
    // A revision goes wherever the record stands.
    let version = owner.revise(record, "Canary-7f3a revised").await?;
    until("both have the revision", || {
        [&friend, &other]
            .iter()
            .all(|office| office.version(&owner, record) == Some(version))
    })
    .await?;
    // Narrower: the federation's reader erases it, the drafting reader keeps it.
    owner
        .desk()
        .wish(Wish::Narrow {
            record,
            circles: vec![federation],
        })
        .await?;
    until("the text is gone there", || {
        !other.has_bytes(b"Canary-7f3a revised").unwrap_or(true)
    })
    .await?;
    assert!(
        friend.holds(&owner, record),
        "another circle still gives it"
    );
    owner
        .desk()
        .withdraw(record, None, WithdrawalReason::StateRequest, None, None)
        .await?;
    until("nobody has a word of it", || {
        [&owner, &friend, &other]
            .iter()
            .all(|office| !office.has_bytes(b"Canary-7f3a").unwrap_or(true))
    })
    .await?;
    until("whoever had it before learns of it", || {
        let row = other.row(&owner, record);
        row.is_some_and(|row| row.burnt() == WHOLE_RECORD)
    })
    .await?;
    let again = owner.desk().share(record, vec![drafting]).await;
    assert!(again.is_err(), "what is withdrawn stays withdrawn");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_or_removed_reader_gets_nothing_new_but_every_withdrawal() -> Result<()> {
    let owner = Office::open("Budapest Process", true).await?;
    let (paused, removed) = (
        Office::open("Almaty Process", true).await?,
        Office::open("IGC", true).await?,
    );
    owner.befriend(&paused).await?;
    owner.befriend(&removed).await?;
    owner.admit("federation", &[&paused, &removed]).await?;
    let federation = owner.circle("federation")?;
    let old = owner.publish("Canary-old", &[federation]).await?;
    until("both have it", || {
        paused.holds(&owner, old) && removed.holds(&owner, old)
    })
    .await?;
    owner.desk().wish(Wish::Pause { rcp: paused.rcp }).await?;
    owner
        .desk()
        .remove_readers(federation, &[removed.rcp])
        .await?;
    let fresh = owner.publish("Canary-new", &[federation]).await?;
    owner
        .desk()
        .withdraw(old, None, WithdrawalReason::Error, None, None)
        .await?;
    // The withdrawal travels in the private circles, and proves that the links work.
    until("both erased it", || {
        [&paused, &removed]
            .iter()
            .all(|o| !o.has_bytes(b"Canary-old").unwrap_or(true))
    })
    .await?;
    for office in [&paused, &removed] {
        assert!(!office.has_bytes(b"Canary-new")?, "nothing new reaches it");
        assert!(
            office.row(&owner, fresh).is_none(),
            "not even its existence"
        );
    }
    owner.desk().wish(Wish::Resume { rcp: paused.rcp }).await?;
    until("what it missed arrives", || paused.holds(&owner, fresh)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_away_catches_up_and_a_lost_index_costs_nothing() -> Result<()> {
    let mut add = Office::open("Abu Dhabi Dialogue", true).await?;
    let mut colombo = Office::open("Colombo Process", true).await?;
    add.befriend(&colombo).await?;
    add.admit("federation", &[&colombo]).await?;
    let federation = add.circle("federation")?;
    let first = add.publish("Before", &[federation]).await?;
    until("the first is there", || colombo.holds(&add, first)).await?;
    colombo.close().await?;
    let second = add.publish("While it was away", &[federation]).await?;
    add.desk()
        .withdraw(first, None, WithdrawalReason::Expired, None, None)
        .await?;
    add.close().await?;
    // The index is deleted here, and made unreadable there.
    std::fs::remove_dir_all(add.data().join("index"))?;
    for entry in std::fs::read_dir(colombo.data().join("index"))? {
        let path = entry?.path();
        if path.is_file() {
            std::fs::write(path, b"not an index")?;
        }
    }
    add.reopen().await?;
    colombo.reopen().await?;
    assert!(add.node().opening.index_rebuilt.is_some());
    assert!(colombo.node().opening.index_rebuilt.is_some());
    until("it caught up", || {
        colombo.holds(&add, second) && !colombo.holds(&add, first)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_a_folder_and_no_folder_of_a_newer_version() -> Result<()> {
    let mut office = Office::open("Quito Process", true).await?;
    let signer = || {
        let key = corridor_proto::key::SecretKey::from_seed(&[1; 32]);
        std::sync::Arc::new(corridor_store::Signer::new(key))
    };
    let second = corridor_store::open(&office.data(), signer(), &mut |_, _| {});
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    office.close().await?;
    std::fs::write(office.data().join("format"), "corridor-data 2\n")?;
    let newer = corridor_store::open(&office.data(), signer(), &mut |_, _| {});
    let error = newer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        error.contains("corridor-data 2") && error.contains("newer version"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_points_from_the_narrower_record_to_the_wider_one_only() -> Result<()> {
    use prost::Message;
    let office = Office::open("RCM", true).await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let narrow = office
        .publish("Narrow", &[office.circle("federation")?])
        .await?;
    let mut body = corridor_proto::v1::Practice::decode(practice("Wide").as_slice())?;
    body.envelope.get_or_insert_default().related = vec![corridor_proto::v1::Link {
        rcp: office.rcp.as_bytes().to_vec(),
        record: narrow.as_bytes().to_vec(),
    }];
    let wide = office
        .desk()
        .save_draft(None, kind, body.encode_to_vec())
        .await?;
    let refused = office
        .desk()
        .publish(wide, Some(vec![office.circle("public")?]))
        .await;
    let error = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        error.contains(&narrow.to_string()) && error.contains("public"),
        "{error}"
    );
    office
        .desk()
        .publish(wide, Some(vec![office.circle("federation")?]))
        .await?;
    // The explanation names what stands in the way of sharing it with a partner.
    let partner = Office::open("SACM", true).await?;
    office.befriend(&partner).await?;
    let explain = || {
        let key = corridor_rules::RecordKey {
            rcp: office.rcp,
            record: wide,
        };
        let now = corridor_proto::UnixMillis(0);
        let store = office.desk().store();
        store.read(|view| corridor_node::desk::explain(view, &key, partner.rcp, now))
    };
    let why = explain().expect("ours");
    let named: Vec<_> = why.hidden_links.iter().map(|link| link.record).collect();
    assert_eq!((why.version, named), (None, vec![narrow]));
    assert!(why.sentence.contains("cannot find"), "{}", why.sentence);
    office.admit("federation", &[&partner]).await?;
    let why = explain().expect("ours");
    assert!(why.version.is_some() && why.hidden_links.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_explanation_tells_a_receipt_for_what_stands_from_one_for_what_went() -> Result<()> {
    let owner = Office::open("PAFOM", true).await?;
    let reader = Office::open("MIDWA", true).await?;
    owner.befriend(&reader).await?;
    owner.admit("federation", &[&reader]).await?;
    let (federation, private) = (owner.circle("federation")?, owner.private(&reader)?);
    let record = owner.publish("Told", &[federation, private]).await?;
    let circles = || {
        let key = corridor_rules::RecordKey {
            rcp: owner.rcp,
            record,
        };
        let now = corridor_proto::UnixMillis(0);
        let store = owner.desk().store();
        let why = store.read(|view| corridor_node::desk::explain(view, &key, reader.rcp, now));
        let circles = why.expect("ours").circles.into_iter();
        let mut told: Vec<_> = circles.map(|c| (c.name, c.stands, c.held)).collect();
        told.sort();
        told
    };
    until("it arrives", || reader.holds(&owner, record)).await?;
    let named: Vec<_> = circles().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(named, ["federation", "private/MIDWA"]);
    // What left is confirmed by its own receipt, not by the one before.
    let circles_left = vec![federation];
    let narrow = Wish::Narrow {
        record,
        circles: circles_left,
    };
    owner.desk().wish(narrow).await?;
    let left = circles();
    assert_eq!(left[0], ("federation".to_owned(), false, false));
    let reason = WithdrawalReason::Error;
    owner
        .desk()
        .withdraw(record, None, reason, None, None)
        .await?;
    until("the withdrawal is confirmed", || {
        circles().iter().all(|(_, stands, held)| !stands && *held)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_from_the_future_is_carried_byte_for_byte() -> Result<()> {
    let sender = Office::open("Newer", true).await?;
    let reader = Office::open("Older", true).await?;
    sender.befriend(&reader).await?;
    let body = b"\xff\xfe what no version here can read \x00".to_vec();
    let done = sender
        .desk()
        .wish(Wish::SaveDraft(ToSave {
            record: None,
            kind: 999,
            body: body.clone(),
            ..ToSave::default()
        }))
        .await?;
    let record = done.facts.iter().find_map(|fact| match fact {
        corridor_rules::Fact::Draft { record, .. } => Some(*record),
        _ => None,
    });
    let record = record.expect("a draft");
    let draft = sender
        .desk()
        .store()
        .read(|view| view.drafts.get(&record).map(|draft| draft.place));
    let circles = Some(vec![sender.circle("public")?]);
    let wish = Wish::Publish(ToPublish {
        record,
        kind: 999,
        body: body.clone(),
        links: Vec::new(),
        circles,
        draft,
        hand: None,
    });
    sender.desk().wish(wish).await?;
    until("it arrives", || reader.holds(&sender, record)).await?;
    let held = reader.desk().store().read(|view| {
        use corridor_rules::serve::Source;
        let row = corridor_rules::Rows::row(
            view,
            &corridor_rules::RecordKey {
                rcp: sender.rcp,
                record,
            },
        )?;
        Some(view.record(row.versions.first()?.place)?.body)
    });
    assert_eq!(held, Some(body));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_a_partner_erases_all_that_came_from_it() -> Result<()> {
    let honest = Office::open("Honest", true).await?;
    let imposter = Office::open("Somebody else", true).await?;
    let record = imposter
        .publish("Canary-imposter", &[imposter.circle("public")?])
        .await?;
    honest.pair(&imposter).await?;
    until("its public record came", || honest.holds(&imposter, record)).await?;
    honest
        .desk()
        .wish(Wish::Refuse { rcp: imposter.rcp })
        .await?;
    until("nothing of it is left", || {
        honest.state(&imposter).is_none() && !honest.has_bytes(b"Canary-imposter").unwrap_or(true)
    })
    .await?;
    let refused = honest
        .desk()
        .wish(Wish::Confirm { rcp: imposter.rcp })
        .await;
    let error = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(error.contains("there is no partner"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_serves_once() -> Result<()> {
    let host = Office::open("Host", true).await?;
    let (first, second) = (
        Office::open("First", true).await?,
        Office::open("Second", true).await?,
    );
    let (invitation, _) = host.desk().invite().await?;
    let file = invitation.encode();
    first.desk().accept(&file).await?;
    until("the first is accepted", || {
        first.state(&host) == Some(PeerState::Pending)
    })
    .await?;
    second.desk().accept(&file).await?;
    until("the second is told why not", || {
        let status = second.node().exchange.statuses.of(&host.rcp);
        status
            .trouble
            .is_some_and(|trouble| trouble.contains("not accepted us"))
    })
    .await?;
    assert_eq!(host.state(&second), None);
    let own = host.desk().accept(&file).await;
    assert!(own.is_err(), "nobody accepts its own invitation");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_file_pairs_with_a_host_that_cannot_be_reached() -> Result<()> {
    let host = Office::open("Host behind a firewall", false).await?;
    let guest = Office::open("Guest", true).await?;
    let (invitation, _) = host.desk().invite().await?;
    let (rcp, acceptance) = guest.desk().accept(&invitation.encode()).await?;
    assert_eq!(rcp, host.rcp);
    let acceptance = acceptance.expect("a file to hand back");
    host.desk().accept(&acceptance.encode()).await?;
    until("both are pending", || {
        host.state(&guest) == Some(PeerState::Pending)
            && guest.state(&host) == Some(PeerState::Pending)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signing_key_is_replaced_and_partners_follow() -> Result<()> {
    let mut owner = Office::open("SACM", true).await?;
    let reader = Office::open("RCM", true).await?;
    owner.befriend(&reader).await?;
    let before = owner.publish("Before", &[owner.circle("public")?]).await?;
    until("it arrives", || reader.holds(&owner, before)).await?;
    owner.close().await?;
    let (data, folder) = (owner.data(), owner.folder.path().to_owned());
    let rotated = tokio::task::spawn_blocking(move || {
        let (old, new) = (folder.join("recovery.key"), folder.join("recovery-2.key"));
        corridor_node::operate::rotate::rotate(&data, &old, &new, Some(0))
    });
    assert_eq!(rotated.await??, 1);
    owner.reopen().await?;
    let after = owner.publish("After", &[owner.circle("public")?]).await?;
    until("the reader follows", || reader.holds(&owner, after)).await?;
    let charter = reader
        .desk()
        .store()
        .read(|view| view.charter(&owner.rcp).cloned());
    let charter = charter.expect("known");
    assert_eq!(charter.current_seq(), 1);
    assert!(
        charter.is_compromised(0),
        "the old key was declared compromised"
    );
    assert!(
        reader.holds(&owner, before),
        "what lies under the new head is good"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_carried_out_says_what_to_do() -> Result<()> {
    let office = Office::open("CMC", true).await?;
    let record = office.publish("Here", &[office.circle("public")?]).await?;
    let again = office
        .desk()
        .share(record, vec![office.circle("public")?])
        .await;
    assert!(matches!(
        again,
        Err(corridor_node::desk::DeskError::Store(StoreError::Desk(
            DeskRefusal::Nothing(_)
        )))
    ));
    let kind = corridor_proto::kinds::Kind::Practice;
    // A withdrawal goes up to a version that there is: it cannot be taken back.
    for up_to in [5, 9_999_999_999_999] {
        let reason = WithdrawalReason::Error;
        let none = office
            .desk()
            .withdraw(record, Some(up_to), reason, None, None);
        let error = none.await.err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(
            error.contains("the versions of this record are 1"),
            "{error}"
        );
    }
    let saved = office.desk().save_draft(None, kind, Vec::new()).await?;
    let early = office
        .desk()
        .publish(saved, Some(vec![office.circle("public")?]))
        .await;
    let error = early
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        error.contains("title") && error.contains("summary"),
        "{error}"
    );
    Ok(())
}
