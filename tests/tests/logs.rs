//! Nothing secret and no text of a record is ever logged.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use corridor_proto::line::WithdrawalReason;
use corridor_tests::nodes::{Office, until};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_exchange_at_the_finest_level_logs_no_secret_and_no_text() -> Result<()> {
    let heard = Heard::default();
    let writer = heard.clone();
    tracing_subscriber::fmt()
        .with_env_filter("corridor_node=trace,corridor_store=trace,corridor_rules=trace,error")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let owner = Office::open("Canary-name", true).await?;
    let reader = Office::open("Reader", true).await?;
    let (invitation, _) = owner.desk().invite().await?;
    reader.desk().accept(&invitation.encode()).await?;
    until("both accepted", || {
        owner.state(&reader).is_some() && reader.state(&owner).is_some()
    })
    .await?;
    until("pending", || {
        reader.state(&owner) == Some(corridor_rules::PeerState::Pending)
    })
    .await?;
    owner
        .desk()
        .confirm(reader.rcp, &reader.rcp.to_string())
        .await?;
    reader
        .desk()
        .confirm(owner.rcp, &owner.rcp.to_string())
        .await?;
    let record = owner
        .publish("Canary-title", &[owner.circle("public")?])
        .await?;
    until("it arrives", || reader.holds(&owner, record)).await?;
    owner
        .desk()
        .withdraw(record, None, WithdrawalReason::Error, None, None)
        .await?;
    until("it is erased", || {
        !reader.has_bytes(b"Canary-title").unwrap_or(true)
    })
    .await?;
    let text = heard
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let text = String::from_utf8(text)?;
    assert!(text.contains("peer up"), "something was heard");
    let mut secrets = vec!["Canary-title".to_owned(), invitation.token.to_string()];
    for office in [&owner, &reader] {
        for file in ["signing.key", "bundle.key"] {
            let key = std::fs::read_to_string(office.data().join("keys").join(file))?;
            secrets.push(key.trim().to_owned());
        }
        let profile = std::fs::read_to_string(office.profile())?;
        let token = profile
            .lines()
            .find_map(|line| line.strip_prefix("token = "));
        secrets.push(token.expect("a token").trim_matches('"').to_owned());
    }
    for secret in secrets {
        assert!(!text.contains(&secret), "a secret was logged");
    }
    Ok(())
}
