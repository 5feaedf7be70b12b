//! Nothing secret and no text of a record is ever logged.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use corridor_client::v1::{LanguageText, WithdrawalCode};
use corridor_client::{Client, Profile, RecordName, WithdrawalRequest};
use corridor_node::operate::access::{Access, Role};
use corridor_node::operate::files::write_secret;
use corridor_node::operate::rotate::rotate;
use corridor_proto::kinds::Kind;
use corridor_proto::wire::Invitation;
use corridor_proto::{Token, UnixMillis};
use corridor_tests::nodes::{Office, practice, until};

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

/// What may be in no log: its name here, and its bytes.
#[derive(Default)]
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        assert!(bytes.len() >= 8, "{name} is no secret that one could find");
        self.0.push((name.to_owned(), bytes));
    }

    /// All that lies in the folder of a node's keys, and its access token.
    fn of_node(&mut self, office: &Office) -> Result<()> {
        for entry in std::fs::read_dir(office.data().join("keys"))? {
            let path = entry?.path();
            let name = path.to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path)?;
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("key") => self.key(&name, text.trim())?,
                Some("pem") if name.ends_with(".key.pem") => {
                    let lines = text.lines().filter(|line| !line.starts_with("---"));
                    lines.for_each(|line| self.add(&name, line));
                }
                _ => {}
            }
        }
        self.add("access token", token(office)?);
        Ok(())
    }

    /// A key as its file has it, in hexadecimal digits.
    fn key(&mut self, name: &str, text: &str) -> Result<()> {
        self.add(name, text);
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16);
        let bytes: Result<Vec<u8>, _> = (0..text.len()).step_by(2).map(byte).collect();
        self.add(name, bytes?);
        Ok(())
    }

    /// The first that a log holds, in whichever form bytes are written.
    fn found_in(&self, log: &str) -> Option<&str> {
        let found = |bytes: &[u8]| {
            let list = format!("{bytes:?}");
            let mut hex = String::new();
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            let base32 = Token::from_slice(bytes).map(|token| token.to_string());
            let text = std::str::from_utf8(bytes);
            log.contains(list.trim_matches(['[', ']']))
                || log.contains(&hex)
                || base32.is_ok_and(|base32| log.contains(&base32))
                || text.is_ok_and(|text| log.contains(text))
        };
        let first = self.0.iter().find(|(_, bytes)| found(bytes));
        first.map(|(name, _)| name.as_str())
    }
}

fn token(office: &Office) -> Result<String> {
    let profile = std::fs::read_to_string(office.profile())?;
    let found = profile
        .lines()
        .find_map(|line| line.strip_prefix("token = "));
    Ok(found.context("a token")?.trim_matches('"').to_owned())
}

async fn client(office: &Office, token: Option<&str>) -> Result<Client> {
    let path = office.profile();
    let Some(other) = token else {
        return Ok(Client::connect(&Profile::read(&path)?).await?);
    };
    let text = std::fs::read_to_string(&path)?;
    let text = text.replace(&self::token(office)?, other);
    let path = path.with_file_name(format!("{}.toml", &other[..8]));
    write_secret(&path, text.as_bytes())?;
    Ok(Client::connect(&Profile::read(&path)?).await?)
}

/// A draft that stays, one that is not ready, and a record that is published, read and withdrawn
/// with a note.
async fn writes(owner: &Office, reader: &Office) -> Result<()> {
    let desk = client(owner, None).await?;
    let kind = Kind::Practice;
    desk.create_draft(kind, practice("Canary-draft")).await?;
    let unready = desk.create_draft(kind, b"Canary-garbage".to_vec()).await?;
    let unready: RecordName = unready.name.parse()?;
    assert!(desk.publish(&unready, &["public".into()]).await.is_err());
    let draft = desk.create_draft(kind, practice("Canary-earlier")).await?;
    let record: RecordName = draft.name.parse()?;
    let body = practice("Canary-title");
    desk.update_draft(&record, kind, body, "").await?;
    desk.publish(&record, &["public".to_owned()]).await?;
    until("it arrives", || reader.holds(owner, record.record)).await?;
    let there = client(reader, None).await?;
    assert!(there.records(None, true).await?[0].signed().is_some());
    let note = WithdrawalRequest {
        up_to: None,
        code: WithdrawalCode::Error,
        note: vec![LanguageText {
            tag: "en".into(),
            text: "Canary-note".into(),
        }],
        replacement: None,
    };
    desk.withdraw(&record, note).await?;
    until("it is erased", || {
        !reader.has_bytes(b"Canary-title").unwrap_or(true)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_exchange_at_the_finest_level_logs_no_secret_and_no_text() -> Result<()> {
    let heard = Heard::default();
    let writer = heard.clone();
    tracing_subscriber::fmt()
        // The beginning of the names of all our crates.
        .with_env_filter("corridor=trace,error")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut secrets = Secrets::default();
    for text in ["draft", "garbage", "earlier", "title", "note"] {
        secrets.add(text, format!("Canary-{text}"));
    }
    let mut owner = Office::open("Owner", true).await?;
    let reader = Office::open("Reader", true).await?;
    let (desk, there) = (client(&owner, None).await?, client(&reader, None).await?);
    let invitation = desk.create_invitation().await?.invitation;
    let token = Invitation::decode(&invitation)?.token;
    secrets.add("invitation token", token.as_bytes());
    there.accept_invitation(invitation).await?;
    until("pending", || {
        reader.state(&owner) == Some(corridor_rules::PeerState::Pending)
            && owner.state(&reader) == Some(corridor_rules::PeerState::Pending)
    })
    .await?;
    desk.confirm_peer(reader.rcp, &reader.rcp.to_string())
        .await?;
    there
        .confirm_peer(owner.rcp, &owner.rcp.to_string())
        .await?;
    writes(&owner, &reader).await?;

    let made = Access::of(&owner.data()).create(&[Role::Public], "reads", UnixMillis(0))?;
    let guessed = "canarytokenthatopensnothing".to_owned();
    for (other, name) in [(made, "token that reads"), (guessed, "token of nobody")] {
        let stranger = client(&owner, Some(&other)).await?;
        assert!(stranger.drafts().await.is_err());
        secrets.add(name, other);
    }
    for office in [&owner, &reader] {
        secrets.of_node(office)?;
    }
    owner.close().await?;
    let (data, folder) = (owner.data(), owner.folder.path().to_owned());
    let recovery = [folder.join("recovery.key"), folder.join("recovery-2.key")];
    rotate(&data, &recovery[0], &recovery[1], None)?;
    for path in &recovery {
        let text = std::fs::read_to_string(path)?;
        secrets.key("recovery key", text.lines().last().unwrap_or_default())?;
    }
    owner.reopen().await?;
    secrets.of_node(&owner)?;

    let log = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
    let log = String::from_utf8(log.clone())?;
    assert!(log.contains("peer up"), "something was heard");
    assert_eq!(secrets.found_in(&log), None, "it was logged");
    // That they would be found.
    for (name, bytes) in &secrets.0 {
        let log = format!("{log} key={bytes:?}");
        assert!(secrets.found_in(&log).is_some(), "{name}");
    }
    Ok(())
}
