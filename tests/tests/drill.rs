//! Drills: each ceremony done to a copy of a node that goes on working.

use anyhow::{Context, Result};
use corridor_node::operate::backup::{self, Error, Lock};
use corridor_node::operate::drill::{Ceremony, DrillError, Saved, rehearse};
use corridor_node::operate::files::write_secret;
use corridor_tests::nodes::{Office, SECRET_KEY, until};

fn play(
    office: &Office,
    ceremony: Ceremony,
    saved: Option<Saved>,
    key: &str,
) -> (Result<(), DrillError>, String) {
    let (mut said, key) = (String::new(), office.folder.path().join(key));
    let key = ceremony.ne(&Ceremony::Loss).then_some(key.as_path());
    let mut tell = |line: &str| said.push_str(&format!("{line}\n"));
    let played = rehearse(&office.data(), ceremony, saved, key, &mut tell);
    (played, said)
}

/// All ceremonies, while the node serves its partner; it is afterwards as it was, and nothing of
/// the copy is there.
#[tokio::test(flavor = "multi_thread")]
async fn every_ceremony_is_rehearsed_while_the_node_works() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let partner = Office::open("Bali Process", true).await?;
    office.befriend(&partner).await?;
    let public = office.circle("public")?;
    office.publish("Before", &[public]).await?;
    let keys = |office: &Office| std::fs::read(office.data().join("keys").join("signing.key"));
    let before = keys(&office)?;
    for (ceremony, expected) in [
        (Ceremony::Loss, "it signs nothing until somebody says so"),
        (Ceremony::Rotation, "go on under key event 1"),
        (Ceremony::Compromise, "go on under key event 1"),
        (Ceremony::HandOver, "go on under key event 1"),
    ] {
        let (played, said) = play(&office, ceremony, None, "recovery.key");
        played?;
        assert!(said.contains(expected), "{ceremony:?}: {said}");
        assert!(said.contains("The copy was overwritten."), "{said}");
        assert!(!office.data().join("drill").exists());
    }
    assert_eq!(keys(&office)?, before, "the node has its key");
    let after = office.publish("After", &[public]).await?;
    until("the partner goes on", || partner.holds(&office, after)).await?;

    // Another key than the one in the safe: better heard of now than in the night.
    let wrong = partner.folder.path().join("recovery.key");
    std::fs::copy(wrong, office.folder.path().join("wrong.key"))?;
    let (played, _) = play(&office, Ceremony::Rotation, None, "wrong.key");
    let why = played.err().context("refused")?.to_string();
    assert!(why.contains("the present recovery key"), "{why}");
    assert!(!office.data().join("drill").exists());
    Ok(())
}

/// What lies in the safe is tried: it opens and fits, or the drill says what does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_safe_is_tried() -> Result<()> {
    let mut office = Office::open("Colombo Process", true).await?;
    let other = Office::open("Nairobi Process", true).await?;
    office.publish("One", &[office.circle("public")?]).await?;
    let safe = tempfile::tempdir()?;
    let identity = safe.path().join("backup.key");
    write_secret(&identity, SECRET_KEY.as_bytes())?;
    let saved = |of: &Office, name: &str| -> Result<Saved> {
        let backup = safe.path().join(format!("{name}.age"));
        let keys = safe.path().join(format!("{name}-keys.age"));
        let lock = Lock::identity(&identity)?;
        if !backup.exists() {
            backup::create(&of.data(), &backup, &lock)?;
            backup::create_keys(&of.data(), &keys, &lock)?;
        }
        Ok(Saved { backup, keys, lock })
    };
    play(&office, Ceremony::Loss, Some(saved(&office, "own")?), "").0?;
    let (played, _) = play(&office, Ceremony::Loss, Some(saved(&other, "other")?), "");
    assert!(matches!(played, Err(DrillError::Another(_))), "{played:?}");
    let mixed = Saved {
        keys: saved(&other, "other")?.keys,
        ..saved(&office, "own")?
    };
    let (played, _) = play(&office, Ceremony::Loss, Some(mixed), "");
    let is_mixed = matches!(played, Err(DrillError::Backup(Error::OtherKeys(_))));
    assert!(is_mixed, "{played:?}");

    // A crash in the midst of a drill: the next start leaves nothing of the copy.
    office.close().await?;
    let left = office.data().join("drill").join("node");
    std::fs::create_dir_all(&left)?;
    std::fs::write(left.join("journal"), "a text")?;
    office.reopen().await?;
    assert!(!office.data().join("drill").exists());
    Ok(())
}
