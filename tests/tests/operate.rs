//! Stories of the person who keeps a node.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use corridor_node::operate::config::Config;
use corridor_node::operate::init::init;
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
