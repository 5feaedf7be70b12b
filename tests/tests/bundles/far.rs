//! Two that never meet at all: they pair by files, rotate keys, and are in the audit.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use corridor_client::v1;
use corridor_node::operate::access::Role;
use corridor_node::operate::audit::{Audit, Entry};
use corridor_node::operate::rotate::rotate;
use corridor_rules::PeerState;
use corridor_tests::command::corridor;
use corridor_tests::nodes::Office;

use super::{apart, carry, import, inspect, make, order, reason};

/// A bundle by a person's word.
fn by_word(to: &Office) -> v1::MakeBundleRequest {
    v1::MakeBundleRequest {
        not_heard_from: true,
        ..order(to.rcp)
    }
}

/// An invitation, an acceptance and a bundle, and a call by telephone.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_never_meet_pair_by_files() -> Result<()> {
    let one = Office::open("Abu Dhabi Dialogue", false).await?;
    let other = Office::open("Bali Process", false).await?;
    let (invitation, _) = one.desk().invite().await?;
    let (_, acceptance) = other.desk().accept(&invitation.encode()).await?;
    let acceptance = acceptance.context("an acceptance")?;
    one.desk().accept(&acceptance.encode()).await?;
    assert_eq!(reason(make(&one, by_word(&other)).await), "NOT_ACTIVE");
    one.desk()
        .confirm(other.rcp, &other.rcp.to_string())
        .await?;
    let record = one.publish("The first", &[one.circle("public")?]).await?;
    let (file, _) = make(&one, by_word(&other)).await?;
    assert_eq!(other.state(&one), Some(PeerState::Invited));
    let found = inspect(&other, &file).await?;
    ensure!(found.remark.contains("this is its answer"), "{found:?}");
    assert_eq!(other.state(&one), Some(PeerState::Invited));
    import(&other, &file).await?;
    assert_eq!(other.state(&one), Some(PeerState::Pending));
    ensure!(other.holds(&one, record));
    other.desk().confirm(one.rcp, &one.rcp.to_string()).await?;
    let (back, _) = make(&other, by_word(&one)).await?;
    import(&one, &back).await?;
    let (again, _) = make(&one, order(other.rcp)).await?;
    import(&other, &again).await?;
    Ok(())
}

/// A new key comes with the bundle that it signs; one under the old key is void then.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_travels_in_a_bundle() -> Result<()> {
    let (mut one, other, _line) = apart().await?;
    let public = one.circle("public")?;
    one.publish("Under the old key", &[public]).await?;
    let (older, _) = make(&one, order(other.rcp)).await?;
    one.close().await?;
    let recovery = one.folder.path().join("recovery.key");
    let next = one.folder.path().join("recovery-2.key");
    rotate(&one.data(), &recovery, &next, None)?;
    one.reopen().await?;
    let record = one.publish("Under the new key", &[public]).await?;
    let (newer, _) = make(&one, by_word(&other)).await?;
    import(&other, &newer).await?;
    ensure!(other.holds(&one, record));
    assert_eq!(reason(import(&other, &older).await), "RETIRED_KEY");
    carry(&other, &one).await?;
    Ok(())
}

/// Making and taking in are acts, looking is none, and each is for its role.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_with_bundles_is_in_the_audit() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let (file, _) = make(&one, order(other.rcp)).await?;
    inspect(&other, &file).await?;
    import(&other, &file).await?;
    ensure!(import(&other, &file[..file.len() / 2]).await.is_err());
    let noted = |office: &Office| -> Result<Vec<(String, Vec<String>, String)>> {
        let mut lines = Vec::new();
        let tell = |entry: Entry| (entry.act, entry.about, entry.outcome);
        Audit::of(&office.data()).read(|_, _, entry| lines.push(tell(entry)))?;
        lines.retain(|(act, ..)| act.starts_with("BundleService"));
        Ok(lines)
    };
    let line = |act: &str, about: &[&Office], outcome: &str| {
        let act = format!("BundleService/{act}");
        let about = about.iter().map(|of| format!("rcps/{}", of.rcp)).collect();
        (act, about, outcome.to_owned())
    };
    assert_eq!(noted(&one)?, [line("MakeBundle", &[&other], "OK")]);
    let expect = [
        line("ImportBundle", &[&one], "OK"),
        line("ImportBundle", &[], "BUNDLE_DAMAGED"),
    ];
    assert_eq!(noted(&other)?, expect);
    let editor = one.profile_of("an editor", &[Role::Editor])?;
    let out = one.folder.path().join("no.corridor");
    let words = format!(
        "bundle export --to {} --out \"{}\"",
        other.rcp,
        out.display()
    );
    let (code, said) = corridor(&format!(
        "corridor --profile \"{}\" {words}",
        editor.display()
    ))
    .await;
    ensure!(code == 4 && !out.exists(), "{said}");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            std::fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// A node that was set back hears so from its partner's bundle, and signs nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_set_back_hears_so_from_a_bundle() -> Result<()> {
    let (mut one, other, _line) = apart().await?;
    let public = one.circle("public")?;
    one.close().await?;
    let older = tempfile::tempdir()?;
    copy(&one.data(), older.path())?;
    one.reopen().await?;
    one.publish("Forgotten", &[public]).await?;
    let (file, _) = make(&one, by_word(&other)).await?;
    import(&other, &file).await?;
    let (back, _) = make(&other, order(one.rcp)).await?;
    one.close().await?;
    std::fs::remove_dir_all(one.data())?;
    copy(older.path(), &one.data())?;
    one.reopen().await?;
    assert_eq!(reason(make(&one, order(other.rcp)).await), "NOT_HEARD_FROM");
    assert_eq!(reason(import(&one, &back).await), "SIGNING_STOPPED");
    assert_eq!(reason(make(&one, by_word(&other)).await), "SIGNING_STOPPED");
    let store = one.desk().store();
    ensure!(store.read(|view| view.signing_stopped.is_some()));
    Ok(())
}
