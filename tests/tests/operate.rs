//! Stories of the person who keeps a node.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use corridor_node::edge;
use corridor_node::operate::config::{Config, Name};
use corridor_node::operate::init::{InitError, init};
use corridor_node::operate::rotate::rotate;
use corridor_rules::ingest::Arrival;
use corridor_store::Item;
use corridor_tests::nodes::Office;

#[tokio::test(flavor = "multi_thread")]
async fn init_never_overwrites_anything() -> Result<()> {
    let mut office = Office::open("Khartoum Process", true).await?;
    office.close().await?;
    let key = office.data().join("keys").join("signing.key");
    let before = std::fs::read(&key)?;
    let config = Config::read(&office.data())?;
    for recovery in ["recovery.key", "another.key"] {
        let again = init(
            &office.data(),
            &office.folder.path().join(recovery),
            &config,
        );
        let error = again
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(
            error.contains("exists already; nothing was changed"),
            "{error}"
        );
    }
    assert_eq!(std::fs::read(&key)?, before);
    assert!(!office.folder.path().join("another.key").exists());
    office.reopen().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_keys_others_can_read_does_not_start() -> Result<()> {
    let mut office = Office::open("MIDWA", true).await?;
    office.close().await?;
    for file in ["signing.key", "peer.key.pem", "api.key.pem", "bundle.key"] {
        let path = office.data().join("keys").join(file);
        let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        let refused = office.reopen().await.err().map(|error| error.to_string());
        let refused = refused.unwrap_or_default();
        assert!(
            refused.contains("chmod 600") && refused.contains(file),
            "{refused}"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    }
    office.reopen().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recovery_key_is_written_apart_with_words_on_where_to_keep_it() -> Result<()> {
    let office = Office::open("Colombo Process", true).await?;
    let path = office.folder.path().join("recovery.key");
    let text = std::fs::read_to_string(&path)?;
    assert!(text.contains("two safes") && text.contains(&office.rcp.to_string()));
    assert_eq!(
        std::fs::metadata(&path)?.permissions().mode() & 0o777,
        0o600
    );
    let secret = text.lines().last().unwrap_or_default();
    assert_eq!(secret.len(), 64);
    assert!(
        !office.has_bytes(secret.as_bytes())?,
        "it is nowhere in the data folder"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_in_the_configuration_is_refused_by_name() -> Result<()> {
    let mut office = Office::open("PIDC", true).await?;
    office.close().await?;
    let path = office.data().join("config.toml");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, format!("peer_lisen = \"127.0.0.1:1\"\n{text}"))?;
    let error = office
        .reopen()
        .await
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        error.contains("peer_lisen") && error.contains("config.toml"),
        "{error}"
    );
    Ok(())
}

fn mode(path: &std::path::Path) -> Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

fn a_config(names: &[(&str, &str)]) -> Config {
    let name = |(tag, name): &(&str, &str)| Name {
        tag: (*tag).to_owned(),
        name: (*name).to_owned(),
    };
    Config {
        peer_listen: ([127, 0, 0, 1], 0).into(),
        api_listen: ([127, 0, 0, 1], 0).into(),
        advertise: Vec::new(),
        four_eyes: false,
        names: names.iter().map(name).collect(),
        ..Config::default()
    }
}

#[test]
fn init_keeps_the_recovery_key_out_of_the_data_folder_and_others_out_of_that() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("new").join("data");
    let config = a_config(&[("en", "Colombo Process")]);
    let link = folder.path().join("link");
    std::fs::create_dir_all(&data)?;
    std::os::unix::fs::symlink(&data, &link)?;
    let inside = [
        data.join("recovery.key"),
        data.join("keys").join("recovery.key"),
        link.join("recovery.key"),
    ];
    for there in [true, false] {
        if !there {
            std::fs::remove_file(&link)?;
            std::fs::remove_dir(&data)?;
        }
        for recovery in inside
            .iter()
            .filter(|path| there || path.starts_with(&data))
        {
            let refused = init(&data, recovery, &config);
            assert!(
                matches!(refused, Err(InitError::NotApart { .. })),
                "{refused:?}"
            );
            assert_eq!(data.exists(), there, "nothing was made");
        }
    }
    init(&data, &folder.path().join("recovery.key"), &config)?;
    assert_eq!(mode(&data)?, 0o700);
    assert_eq!(mode(&data.join("keys"))?, 0o700);
    Ok(())
}

#[test]
fn init_signs_no_name_that_is_not_as_it_must_be() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, recovery) = (
        folder.path().join("data"),
        folder.path().join("recovery.key"),
    );
    let long = "x".repeat(121);
    for (names, field) in [
        (
            &[("EN", "Name")][..],
            "names[0].tag is not in canonical case",
        ),
        (
            &[("english!", "Name")],
            "names[0].tag is no BCP 47 language tag",
        ),
        (
            &[("en", "re\u{301}union")],
            "names[0].text is not in Unicode",
        ),
        (
            &[("en", "a\u{202E}b")],
            "names[0].text has the control character U+202E",
        ),
        (
            &[("en", "two\nlines")],
            "names[0].text has the control character U+000A",
        ),
        (
            &[("en", &long)],
            "names[0].text has 121 characters; 120 are the most",
        ),
        (&[("en", "One"), ("en", "Two")], "names[1] is given twice"),
    ] {
        let refused = init(&data, &recovery, &a_config(names));
        let error = refused.err().map(|error| error.to_string());
        assert!(
            error.as_ref().is_some_and(|error| error.contains(field)),
            "{error:?}"
        );
        assert!(!data.exists() && !recovery.exists(), "nothing was made");
    }
    init(
        &data,
        &recovery,
        &a_config(&[("en", "Name"), ("ar", "\u{627}\u{633}\u{645}")]),
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_refused_leaves_nothing_behind() -> Result<()> {
    let mut office = Office::open("CARICOM Consultations", true).await?;
    let other = Office::open("MIDSA", true).await?;
    office.close().await?;
    let (data, keys) = (office.data(), office.data().join("keys"));
    let (old, new) = (
        office.folder.path().join("recovery.key"),
        office.folder.path().join("recovery-2.key"),
    );
    let wrong = other.folder.path().join("recovery.key");
    let before = std::fs::read(keys.join("signing.key"))?;
    let untouched = |what: &str| -> Result<()> {
        assert_eq!(std::fs::read(keys.join("signing.key"))?, before, "{what}");
        assert!(
            !new.exists() && !keys.join("signing.next.key").exists(),
            "{what}"
        );
        Ok(())
    };
    let refused = rotate(&data, &wrong, &new, None).err();
    let said = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("is not the present recovery key"), "{said}");
    untouched("with the recovery key of somebody else")?;
    let refused = rotate(&data, &old, &keys.join("recovery-2.key"), None).err();
    assert!(
        matches!(refused, Some(InitError::NotApart { .. })),
        "{refused:?}"
    );
    untouched("into the data folder")?;
    let in_the_way = keys.join("signing.next.new");
    std::fs::create_dir(&in_the_way)?;
    let refused = rotate(&data, &old, &new, None).err();
    assert!(matches!(refused, Some(InitError::File(_))), "{refused:?}");
    untouched("where the next signing key cannot be written")?;
    std::fs::remove_dir(&in_the_way)?;
    assert_eq!(
        rotate(&data, &old, &new, None)?,
        1,
        "the same files do after all that"
    );

    office.reopen().await?;
    let reason = "another copy of it runs";
    let stop = Item::Arrival(Arrival::StopSigning { reason });
    office.desk().store().append_blocking(stop, edge::now())?;
    office.close().await?;
    let third = office.folder.path().join("recovery-3.key");
    let refused = rotate(&data, &new, &third, None).err();
    assert!(
        matches!(refused, Some(InitError::Refused(_))),
        "{refused:?}"
    );
    assert!(!third.exists() && !keys.join("signing.next.key").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_cut_short_is_finished_by_a_start_and_by_nothing_else() -> Result<()> {
    let mut office = Office::open("Eurasian process", true).await?;
    office.close().await?;
    let (data, keys) = (office.data(), office.data().join("keys"));
    let recovery = |number: u32| office.folder.path().join(format!("recovery-{number}.key"));
    let (present, next) = (keys.join("signing.key"), keys.join("signing.next.key"));
    let before = std::fs::read(&present)?;
    rotate(
        &data,
        &office.folder.path().join("recovery.key"),
        &recovery(2),
        None,
    )?;
    // As a crash leaves it between the key event and the new name of the key.
    std::fs::rename(&present, &next)?;
    corridor_node::operate::files::write_secret(&present, &before)?;
    let refused = rotate(&data, &recovery(2), &recovery(3), None).err();
    assert!(
        matches!(refused, Some(InitError::HalfRotated(_))),
        "{refused:?}"
    );
    assert!(
        next.exists() && !recovery(3).exists(),
        "the key that counts is kept"
    );
    office.reopen().await?;
    assert!(!next.exists());
    office.publish("After", &[office.circle("public")?]).await?;
    office.close().await?;
    let paths = (data, office.folder.path().to_owned());
    assert_eq!(
        rotate(
            &paths.0,
            &paths.1.join("recovery-2.key"),
            &paths.1.join("r3"),
            None
        )?,
        2
    );
    Ok(())
}

#[test]
fn an_init_that_fails_can_be_repeated_and_a_node_is_never_taken_apart_by_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, recovery) = (folder.path().join("data"), folder.path().join("r.key"));
    let config = a_config(&[("en", "CMC")]);
    let nowhere = folder.path().join("nowhere").join("r.key");
    assert!(init(&data, &nowhere, &config).is_err());
    assert!(!data.join("keys").exists(), "nothing is left of it");
    let nobody = init(&data, &recovery, &a_config(&[]));
    assert!(matches!(nobody, Err(InitError::NoName)));
    for bad in ["foo", ":7400", "host:port", "host:70000"] {
        let config = Config {
            advertise: vec![bad.to_owned()],
            ..config.clone()
        };
        let refused = init(&data, &recovery, &config);
        assert!(matches!(refused, Err(InitError::Address(_))), "{bad}");
    }
    init(&data, &recovery, &config)?;
    // The keys of a node were lost: what is left of it is not overwritten, and not removed.
    std::fs::remove_dir_all(data.join("keys"))?;
    let second = folder.path().join("second.key");
    let kept = |path: &str| std::fs::read(data.join(path)).ok();
    let before = ["config.toml", "client.toml", "journal/00000000.seg"].map(kept);
    assert!(init(&data, &second, &config).is_err());
    let after = ["config.toml", "client.toml", "journal/00000000.seg"].map(kept);
    assert!(before.iter().all(Option::is_some) && before == after);
    assert!(!second.exists());
    Ok(())
}
