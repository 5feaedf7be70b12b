//! Bundles in their order, out of it, in part and twice.

use std::io::Read;

use anyhow::{Result, ensure};
use corridor_node::bundles::seal;
use corridor_node::operate::keys::KeyFolder;
use corridor_proto::kinds::Kind;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, v1};
use corridor_tests::nodes::{Office, practice, until};
use prost::Message;

use super::{apart, carry, everything, import, inspect, make, order, size};

/// The clear text of a bundle, which its receiver alone can read.
pub fn clear(receiver: &Office, file: &[u8]) -> Result<Vec<u8>> {
    let key = seal::identity(&KeyFolder::of(&receiver.data()));
    let key = key.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut clear = Vec::new();
    seal::decrypt(&key, std::io::Cursor::new(file))?.read_to_end(&mut clear)?;
    Ok(clear)
}

/// Publishes so many practices at once.
async fn publish_many(office: &Office, circle: LogId, from: usize, count: usize) -> Result<()> {
    let mut saved = Vec::new();
    let mut practice = v1::Practice::decode(practice("Practice").as_slice())?;
    for number in from..from + count {
        practice.title[0].text = format!("Practice {number}");
        let body = practice.encode_to_vec();
        saved.push(office.desk().save_draft(None, Kind::Practice, body).await?);
    }
    for some in saved.chunks(200) {
        office.desk().publish_all(some, &[circle]).await?;
    }
    Ok(())
}

fn missing(office: &Office, log: LogId) -> usize {
    let store = office.desk().store();
    store.read(|view| view.logs.get(&log).map_or(0, |log| log.missing.len()))
}

/// An older bundle, or one twice, says nothing new; one that was left out is missed.
#[tokio::test(flavor = "multi_thread")]
async fn older_ones_bring_nothing_back_and_a_gap_is_told() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let public = one.circle("public")?;
    let first = one.publish("The first text", &[public]).await?;
    let (older, _) = make(&one, order(other.rcp)).await?;
    one.desk()
        .withdraw(first, None, WithdrawalReason::Error, None, None)
        .await?;
    let second = one.publish("The second text", &[public]).await?;
    let (newer, _) = make(&one, order(other.rcp)).await?;
    for file in [&newer, &older, &newer, &older] {
        let taken = import(&other, file).await?;
        ensure!(taken.refused.is_empty(), "{:?}", taken.refused);
        ensure!(other.holds(&one, second) && !other.holds(&one, first));
        ensure!(!other.has_bytes(b"The first text")?);
    }
    let told = inspect(&other, &older).await?;
    ensure!(
        told.circles.iter().all(|circle| circle.new_lines == 0),
        "{told:?}"
    );
    // The sender learns that all is held, but the receiver loses it: it begins behind a gap.
    carry(&other, &one).await?;
    let (ahead, _) = make(&one, order(other.rcp)).await?;
    one.publish("The third text", &[public]).await?;
    let (behind, _) = make(&one, order(other.rcp)).await?;
    drop(ahead);
    let taken = import(&other, &behind).await?;
    ensure!(taken.refused.is_empty());
    assert_eq!(size(&other, public), size(&one, public));
    Ok(())
}

/// Whoever is cut short goes on, with the same file or a newer one.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_cut_short_goes_on() -> Result<()> {
    let (one, mut other, _line) = apart().await?;
    let public = one.circle("public")?;
    publish_many(&one, public, 0, 1_000).await?;
    let (file, _) = make(&one, order(other.rcp)).await?;
    let client = other.client().await?;
    let pieces: Vec<Vec<u8>> = file.chunks(super::PIECE).map(<[u8]>::to_vec).collect();
    let importing = client.import_bundle(tokio_stream::iter(pieces)).await?;
    let begun = until("it has begun", || size(&other, public) > 0).await;
    drop(importing);
    other.close().await?;
    begun?;
    other.reopen().await?;
    publish_many(&one, public, 1_000, 300).await?;
    let (newer, _) = make(&one, order(other.rcp)).await?;
    let taken = import(&other, &newer).await?;
    ensure!(taken.refused.is_empty(), "{:?}", taken.refused);
    assert_eq!(size(&other, public), size(&one, public));
    assert_eq!((missing(&other, public), taken.texts_missing), (0, 0));
    let again = import(&other, &file).await?;
    ensure!(again.refused.is_empty(), "{:?}", again.refused);
    Ok(())
}

/// A network that comes back goes on where files left off, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn files_and_connections_go_on_from_each_other() -> Result<()> {
    let (one, other, line) = apart().await?;
    let public = one.circle("public")?;
    let first = one.publish("In a file", &[public]).await?;
    carry(&one, &other).await?;
    line.mend();
    let second = one.publish("Over the line", &[public]).await?;
    until("the line brings the next", || other.holds(&one, second)).await?;
    until("and its receipt", || {
        super::confirmed(&one, public, &other) >= 1
    })
    .await?;
    line.cut();
    let third = one.publish("In a file again", &[public]).await?;
    let (file, _) = make(&one, everything(other.rcp)).await?;
    import(&other, &file).await?;
    ensure!(
        [first, second, third]
            .iter()
            .all(|record| other.holds(&one, *record))
    );
    Ok(())
}
