//! What a partner may cost: one that takes more is read more slowly or sent away, and those beside
//! it notice nothing.

use anyhow::Result;
use corridor_node::edge;
use corridor_node::exchange::budgets::Cost;
use corridor_node::limits::{PEER_BYTES, PEER_REFUSALS};
use corridor_proto::{LogSeed, RecordId, v1};
use corridor_rules::limits::REFUSALS_PER_LINK_MAX;
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use tonic::Code;
use v1::session_frame::Frame as Said;

use super::holds;

/// A node, a partner that takes too much, and an honest one.
async fn three() -> Result<(Office, Stranger, Office)> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let honest = Office::open("Bali Process", true).await?;
    office.befriend(&honest).await?;
    let greedy = Stranger::new()?;
    greedy.befriend(&office).await?;
    Ok((office, greedy, honest))
}

async fn takes(office: &Office, honest: &Office) -> Result<()> {
    let public = honest.circle("public")?;
    let record = honest.publish("From the honest one", &[public]).await?;
    until("the node has it", || office.holds(honest, record)).await
}

/// A link may end by refusals, and the next one begins at once: over all of them it is too much.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_too_often_stays_away_whatever_it_dials() -> Result<()> {
    let (office, broken, honest) = three().await?;
    let most = u64::from(REFUSALS_PER_LINK_MAX) + 1;
    let links = PEER_REFUSALS.burst.div_ceil(most);
    for _ in 0..links {
        let mut wire = broken.link(&office).await?;
        for _ in 0..most {
            // The last of them may find that it is sent away already.
            if wire.say(Said::Hello(broken.hello()?)).is_err() {
                break;
            }
        }
        wire.end().await?;
    }
    let mut line = broken.dial(&office).await?;
    let refused = Err(Code::ResourceExhausted);
    assert_eq!(line.knock().await, [refused, refused]);
    let mut line = broken.dial(&office).await?;
    let session = line.client.session(tokio_stream::pending()).await;
    let said = session.err().map(|status| status.message().to_owned());
    let said = said.unwrap_or_default();
    assert!(said.contains("come back in"), "{said}");
    takes(&office, &honest).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_over_its_budget_is_not_read_and_everybody_else_is() -> Result<()> {
    let (office, greedy, honest) = three().await?;
    let mut pages = greedy.pages(LogSeed::ZERO);
    let record = pages.publish(greedy.record("Too much")?)?;
    let mut wire = greedy.link(&office).await?;
    wire.hear_until(|frame| matches!(frame, Said::State(_)).then_some(()))
        .await?;
    let exchange = &office.node().exchange;
    let cost = Cost {
        bytes: PEER_BYTES.burst + 10 * PEER_BYTES.per_minute,
        ..Cost::default()
    };
    exchange.budgets.spend(greedy.rcp, &cost, edge::now());
    until("the node sees it", || {
        exchange.statuses.of(&greedy.rcp).over_budget == Some("bytes")
    })
    .await?;
    wire.say(pages.head()?)?;
    for _ in 0..3 {
        takes(&office, &honest).await?;
    }
    assert!(!holds(&office, &greedy, record));
    let size = office
        .desk()
        .store()
        .read(|view| view.logs.get(&pages.id).map(|log| log.size()));
    assert_eq!(size, None, "its head was not even read");
    let status = exchange.statuses.of(&greedy.rcp);
    let sentence = status.sentence(&corridor_node::status::Seen::of(
        corridor_rules::PeerState::Active,
    ));
    assert!(sentence.contains("more than one partner may"), "{sentence}");
    assert_eq!(exchange.statuses.of(&honest.rcp).over_budget, None);
    // Dialling again wins nothing.
    let wire = greedy.dial(&office).await?.open().await?;
    wire.say(Said::Hello(greedy.hello()?))?;
    takes(&office, &honest).await?;
    assert_eq!(exchange.statuses.of(&greedy.rcp).over_budget, Some("bytes"));
    Ok(())
}

/// All that one partner sends waits at the node; what another sends then is not last in the row.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_sends_a_thousand_texts_lets_another_one_through() -> Result<()> {
    const TEXTS: usize = 1_000;
    let (office, greedy, honest) = three().await?;
    let mut pages = greedy.pages(LogSeed::ZERO);
    let mut records = Vec::new();
    let body = corridor_tests::nodes::practice("One of many");
    for _ in 0..TEXTS {
        let record = RecordId::new(edge::random()?);
        records.push(pages.publish(greedy.version(record, 1, body.clone())?)?);
    }
    let mut wire = greedy.link(&office).await?;
    pages.deliver(&mut wire, 10).await?;
    let held = || {
        records
            .iter()
            .filter(|one| holds(&office, &greedy, **one))
            .count()
    };
    until("the first of them are taken in", || held() > 0).await?;
    takes(&office, &honest).await?;
    let before = held();
    assert!(before < TEXTS, "the honest one came last");
    until("all are there in the end", || held() == TEXTS).await
}
