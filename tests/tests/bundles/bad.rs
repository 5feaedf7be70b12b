//! Bundles that are damaged, another's, a stranger's, or of a partner that may not send.

use anyhow::{Result, ensure};
use corridor_client::v1;
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use corridor_tests::nodes::{Office, until};

use super::{apart, carry, import, inspect, make, order, reason, size};

/// Wherever a byte is changed or the file cut, it is refused and nothing of it is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_bundle_is_refused_as_a_whole() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let public = one.circle("public")?;
    let record = one.publish("Canary-whole", &[public]).await?;
    let (file, _) = make(&one, order(other.rcp)).await?;
    let middle = file.len() / 2;
    for at in [0, 30, 100, 190, middle, file.len() - 20, file.len() - 1] {
        let mut bad = file.clone();
        bad[at] ^= 1;
        let said = reason(import(&other, &bad).await);
        ensure!(
            ["BUNDLE_DAMAGED", "BUNDLE_FOR_ANOTHER"].contains(&said.as_str()),
            "{at}: {said}"
        );
        ensure!(inspect(&other, &bad).await.is_err());
    }
    for end in [0, 1, 40, 200, middle, file.len() - 1] {
        let said = reason(import(&other, &file[..end]).await);
        ensure!(said == "BUNDLE_DAMAGED", "cut at {end}: {said}");
    }
    let longer = [file.as_slice(), b"more"].concat();
    assert_eq!(reason(import(&other, &longer).await), "BUNDLE_DAMAGED");
    assert_eq!(reason(import(&other, b"a letter").await), "BUNDLE_DAMAGED");
    ensure!(!other.has_bytes(b"Canary-whole")? && size(&other, public) <= 1);
    import(&other, &file).await?;
    ensure!(other.holds(&one, record));
    Ok(())
}

/// Only the node that it is for can open it, and only partners' are taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_for_one_node_and_from_a_partner() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let third = Office::open("Almaty Process", true).await?;
    third.befriend(&other).await?;
    one.publish("For one alone", &[one.circle("public")?])
        .await?;
    let (file, _) = make(&one, order(other.rcp)).await?;
    assert_eq!(reason(import(&third, &file).await), "BUNDLE_FOR_ANOTHER");
    assert_eq!(reason(make(&one, order(third.rcp)).await), "NOT_FOUND");
    other.desk().wish(Wish::Leave { rcp: one.rcp }).await?;
    let found = inspect(&other, &file).await?;
    ensure!(found.remark.contains("ended the relation"), "{found:?}");
    let taken = import(&other, &file).await?;
    ensure!(!taken.refused.is_empty() && !other.has_bytes(b"For one alone")?);
    assert_eq!(reason(make(&other, order(one.rcp)).await), "NOT_ACTIVE");
    Ok(())
}

/// What a partner that is not confirmed sends is kept apart, and a stranger's is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_bundle_is_not_taken() -> Result<()> {
    let (one, line) = Office::open_behind_a_line("Abu Dhabi Dialogue").await?;
    let other = Office::open("Bali Process", false).await?;
    one.pair(&other).await?;
    line.cut();
    one.desk()
        .confirm(other.rcp, &other.rcp.to_string())
        .await?;
    let record = one
        .publish("Of a stranger", &[one.circle("public")?])
        .await?;
    let by_word = v1::MakeBundleRequest {
        not_heard_from: true,
        ..order(other.rcp)
    };
    let (file, _) = make(&one, by_word).await?;
    let found = inspect(&other, &file).await?;
    ensure!(found.remark.contains("kept apart"), "{found:?}");
    import(&other, &file).await?;
    ensure!(other.holds(&one, record));
    other.desk().wish(Wish::Refuse { rcp: one.rcp }).await?;
    ensure!(other.state(&one).is_none());
    assert_eq!(reason(import(&other, &file).await), "BUNDLE_FROM_STRANGER");
    until("all of it is erased", || {
        !other.has_bytes(b"Of a stranger").unwrap_or(true)
    })
    .await
}

/// We go on taking from a partner that we paused, and make it no bundle.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_partner_may_send_and_gets_nothing() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let record = one
        .publish("From one that is paused", &[one.circle("public")?])
        .await?;
    other.desk().wish(Wish::Pause { rcp: one.rcp }).await?;
    ensure!(other.state(&one) == Some(PeerState::Paused));
    assert_eq!(reason(make(&other, order(one.rcp)).await), "NOT_ACTIVE");
    carry(&one, &other).await?;
    ensure!(other.holds(&one, record));
    Ok(())
}
