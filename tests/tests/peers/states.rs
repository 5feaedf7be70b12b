//! The table "Peer states" of PROTOCOL.md, as a node keeps it towards real connections.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::checkpoint::{Held, SignedCheckpoint};
use corridor_proto::{LogId, LogSeed, Token, UnixMillis, v1};
use corridor_rules::desk::Wish;
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::log::Pages;
use corridor_tests::stranger::wire::Wire;
use tonic::Code;
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use super::refused;

/// What a row of the table allows, by the heads of its columns.
type Allowed = BTreeSet<String>;

/// The table as it is written: by the first word of the state, what it allows.
fn written() -> Result<BTreeMap<String, Allowed>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/PROTOCOL.md");
    let text = std::fs::read_to_string(path)?;
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = text.lines().skip_while(|line| *line != "### Peer states");
    let head = lines
        .find(|line| line.starts_with('|'))
        .context("a table")?;
    let head = cells(head);
    let mut table = BTreeMap::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let row = cells(line);
        let state = row[0].split([' ', ':']).next().unwrap_or_default();
        let columns = head.iter().zip(&row).skip(1);
        let allowed = columns.filter(|(_, cell)| *cell == "yes");
        let allowed = allowed.map(|(name, _)| name.clone()).collect();
        table.insert(state.to_owned(), allowed);
    }
    Ok(table)
}

/// A partner in this state, with something in every circle that it could read.
async fn partner(office: &Office, state: &str) -> Result<Stranger> {
    let stranger = Stranger::new()?;
    let rcp = stranger.rcp;
    let desk = office.desk();
    match state {
        "stranger" => return Ok(stranger),
        "invited" => {
            desk.accept(&stranger.invitation()?.encode()).await?;
            return Ok(stranger);
        }
        "pending" => {
            stranger.pair(office).await?;
            return Ok(stranger);
        }
        _ => stranger.befriend(office).await?,
    }
    let readers = BTreeMap::from([(rcp, UnixMillis(0))]);
    desk.add_readers(office.circle("federation")?, &readers)
        .await?;
    let private = private(office, &stranger).context("its private circle")?;
    office.publish("For it alone", &[private]).await?;
    match state {
        "paused" => desk.wish(Wish::Pause { rcp }).await.map(|_| ())?,
        "left" => desk.wish(Wish::Leave { rcp }).await.map(|_| ())?,
        other => assert_eq!(other, "active", "a state that this test does not know"),
    }
    Ok(stranger)
}

fn private(office: &Office, of: &Stranger) -> Option<LogId> {
    let store = office.desk().store();
    store.read(|view| view.private_log(&of.rcp).map(|log| log.id))
}

/// What the node allows, found out by trying.
async fn tried(office: &Office, state: &str) -> Result<Allowed> {
    let stranger = partner(office, state).await?;
    let mut allowed = Allowed::new();
    let mut line = stranger.dial(office).await?;
    if line
        .client
        .hello(stranger.introduction(Token::ZERO)?)
        .await
        .is_ok()
    {
        allowed.insert("hello".to_owned());
    }
    let knocked = line.knock().await;
    if let [Err(session), Err(carry)] = knocked {
        let expect = match state {
            "stranger" => Code::Unauthenticated,
            _ => Code::PermissionDenied,
        };
        assert_eq!([session, carry], [expect; 2], "{state}");
        return Ok(allowed);
    }
    assert_eq!(knocked, [Ok(()), Ok(())], "both streams or none, {state}");
    allowed.insert("exchange".to_owned());
    let mut wire = stranger.dial(office).await?.open().await?;
    wire.greet(stranger.hello()?).await?;
    // Its own head first: once the node tells its heads, it has decided whether to pull.
    let mut own = stranger.pages(LogSeed::ZERO);
    own.publish(stranger.record("Its own")?)?;
    wire.say(own.head()?)?;
    wire.show_nothing()?;
    let head = wire
        .hear_until(|frame| match frame {
            Said::Checkpoint(head) => Some(head.checkpoint),
            _ => None,
        })
        .await?;
    if sends(&mut wire, &own).await? {
        allowed.insert("sends us lines and records".to_owned());
    }
    let logs = [
        ("read public", office.circle("public")?),
        ("read listed", office.circle("federation")?),
        (
            "read private",
            private(office, &stranger).context("its private circle")?,
        ),
    ];
    for (name, log) in logs {
        if wire.is_served(&log).await? {
            allowed.insert(name.to_owned());
        }
    }
    // Nothing of another partner's, whatever the state.
    assert!(!wire.is_served(&LogId::new([3; 32])).await?);
    assert_eq!(refused(office, &stranger), None, "{state}");
    if is_receipt_taken(office, &stranger, &wire, &head).await? {
        allowed.insert("sends us held".to_owned());
    }
    Ok(allowed)
}

/// Whether the node keeps a receipt over a head that it told.
async fn is_receipt_taken(
    office: &Office,
    stranger: &Stranger,
    wire: &Wire,
    head: &[u8],
) -> Result<bool> {
    let head = *SignedCheckpoint::parse(head)?.claim();
    let held = Held {
        checkpoint: head,
        holder: stranger.rcp,
        time_s: edge::now().0 / 1_000,
    };
    wire.say(Said::Held(v1::HeldFrame {
        owner: office.rcp.as_bytes().to_vec(),
        note: held.sign(&stranger.signing).into_bytes(),
    }))?;
    let key = (head.log, stranger.rcp);
    let store = office.desk().store();
    let is_kept = || store.read(|view| view.held.contains_key(&key));
    let is_refused = || refused(office, stranger).is_some();
    until("the receipt is judged", || is_kept() || is_refused()).await?;
    Ok(is_kept())
}

/// Whether the node pulls a log of the stranger's that it was told of.
async fn sends(wire: &mut Wire, own: &Pages<'_>) -> Result<bool> {
    let nothing = LogId::new([2; 32]);
    wire.follow(&nothing, 0)?;
    let mut is_pulled = false;
    wire.take_until(|frame| {
        is_pulled |= own.pulled(&frame).is_some();
        matches!(&frame, Carried::Gone(gone) if gone.log == nothing.as_bytes().as_slice())
            .then_some(())
    })
    .await?;
    Ok(is_pulled)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_opens_what_the_table_says_and_nothing_else() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    for circle in ["public", "federation"] {
        office.publish(circle, &[office.circle(circle)?]).await?;
    }
    let table = written()?;
    let states: Vec<_> = table.keys().map(String::as_str).collect();
    let expect = ["active", "invited", "left", "paused", "pending", "stranger"];
    assert_eq!(states, expect);
    for (state, allowed) in &table {
        assert_eq!(&tried(&office, state).await?, allowed, "{state}");
    }
    Ok(())
}
