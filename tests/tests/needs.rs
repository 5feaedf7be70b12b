//! What waits for somebody, and that it waits no longer once it was done.

use anyhow::{Context, Result};
use corridor_client::{Client, Profile, RecordName};
use corridor_node::desk::{Need, needs};
use corridor_node::edge;
use corridor_node::operate::access::Role;
use corridor_proto::kinds::Kind;
use corridor_proto::line::WithdrawalReason;
use corridor_tests::nodes::{Office, practice, until};

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// What an office would be told some days from now.
fn in_days(office: &Office, days: u64) -> Vec<Need> {
    let now = edge::now().plus(days * DAY_MS);
    office
        .desk()
        .store()
        .read(|view| needs(view, now, |_| true))
}

fn codes(needs: &[Need]) -> Vec<&'static str> {
    needs.iter().map(|need| need.code).collect()
}

async fn as_role(office: &Office, role: Role) -> Result<Client> {
    let profile = office.profile_of("somebody", &[role])?;
    Ok(Client::connect(&Profile::read(&profile)?).await?)
}

/// A draft waits for whoever clears, then for whoever writes; each sees what they can do.
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_waits_for_whoever_may_act() -> Result<()> {
    let office = Office::open("Almaty Process", true).await?;
    let editor = as_role(&office, Role::Editor).await?;
    let clearer = as_role(&office, Role::Clearer).await?;
    let keeper = as_role(&office, Role::Administrator).await?;
    let draft = editor
        .create_draft(Kind::Practice, practice("A desk"))
        .await?;
    assert_eq!(clearer.needs().await?, [], "nobody asked");
    editor.request_clearance(&draft, "").await?;
    let told = clearer.needs().await?;
    assert_eq!(
        told[0].sentence,
        "somebody asks that \u{201c}A desk\u{201d} be cleared."
    );
    assert_eq!(
        (told[0].about.as_str(), told.len()),
        (draft.name.as_str(), 1)
    );
    assert_eq!(editor.needs().await?, [], "it is not the editor's turn");
    assert_eq!(keeper.needs().await?, [], "an administrator reads no draft");
    clearer.return_draft(&draft, "Name the place.").await?;
    let told = editor.needs().await?;
    assert!(told[0].sentence.ends_with("Name the place."), "{told:?}");
    clearer.clear_draft(&draft, "", None).await?;
    let told = clearer.needs().await?;
    assert_eq!(told[0].reason, "TO_PUBLISH");
    let name: RecordName = draft.name.parse()?;
    clearer.publish(&name, &["public".to_owned()]).await?;
    assert_eq!(clearer.needs().await?, []);
    Ok(())
}

/// A partner that was away when something was withdrawn is to be called, until it confirms.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_not_confirmed_a_withdrawal_is_called() -> Result<()> {
    let office = Office::open("Quito Process", true).await?;
    let mut partner = Office::open("Lima Group", true).await?;
    office.befriend(&partner).await?;
    office.admit("federation", &[&partner]).await?;
    let record = office
        .publish("A desk", &[office.circle("federation")?])
        .await?;
    until("it arrives", || partner.holds(&office, record)).await?;
    partner.close().await?;
    let withdrawn = office
        .desk()
        .withdraw(record, None, WithdrawalReason::Error, None, None);
    withdrawn.await?;
    assert!(!codes(&in_days(&office, 0)).contains(&"WITHDRAWAL_NOT_CONFIRMED"));
    let later = in_days(&office, 4);
    let need = later
        .iter()
        .find(|need| need.code == "WITHDRAWAL_NOT_CONFIRMED");
    let need = need.context("it is to be called")?;
    assert!(
        need.sentence.starts_with("Lima Group has not confirmed"),
        "{need:?}"
    );
    partner.reopen().await?;
    until("it is erased and confirmed", || {
        !codes(&in_days(&office, 4)).contains(&"WITHDRAWAL_NOT_CONFIRMED")
    })
    .await?;
    assert!(!partner.holds(&office, record));
    Ok(())
}

/// Somebody whose safety number was not compared waits for whoever keeps partners.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_waits_to_be_confirmed() -> Result<()> {
    let (office, other) = (
        Office::open("Prague Process", true).await?,
        Office::open("Budapest Process", true).await?,
    );
    office.pair(&other).await?;
    let keeper = as_role(&office, Role::Administrator).await?;
    let told = keeper.needs().await?;
    let codes: Vec<_> = told.iter().map(|need| need.reason.as_str()).collect();
    assert!(codes.contains(&"TO_CONFIRM"), "{told:?}");
    let clearer = as_role(&office, Role::Clearer).await?;
    assert_eq!(
        clearer.needs().await?,
        [],
        "partners are kept by an administrator"
    );
    Ok(())
}
