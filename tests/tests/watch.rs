//! Following changes: whoever may see a part hears of that part, all of it, and of nothing else.

use anyhow::{Context, Result};
use corridor_client::{Client, Profile, RecordName, Watch};
use corridor_node::limits::CALLS_AT_ONCE_MAX;
use corridor_node::operate::access::Role;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{RecordId, v1};
use corridor_rules::desk::Wish;
use corridor_tests::nodes::{Office, PATIENCE, until};
use corridor_tests::raw::Caller;
use tonic::Code;

/// What comes until the follower has caught up: names and states, and the cursor.
async fn batch(watch: &mut Watch) -> Result<(Vec<(String, v1::RecordState)>, String)> {
    let mut records = Vec::new();
    loop {
        let next = tokio::time::timeout(PATIENCE, watch.next()).await;
        let change = next.context("nothing came")??;
        match (change.record, change.cursor) {
            (Some(checked), _) => {
                let record = checked.record;
                records.push((record.name.clone(), record.state()));
            }
            (None, Some(cursor)) => return Ok((records, cursor)),
            (None, None) => {}
        }
    }
}

fn name(office: &Office, record: RecordId) -> String {
    format!("rcps/{}/records/{record}", office.rcp)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integrator_hears_of_public_records_and_of_nothing_else_that_happens() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let (public, federation) = (office.circle("public")?, office.circle("federation")?);
    let first = office.publish("First", &[public]).await?;
    let mut watch = office.integrator().await?.watch(None);
    let (records, cursor) = batch(&mut watch).await?;
    assert_eq!(records, [(name(&office, first), v1::RecordState::Current)]);
    // What happens inside makes no message, so the next one is about the next public record.
    for title in ["Inside", "Inside too"] {
        office.publish(title, &[federation]).await?;
    }
    let second = office.publish("Second", &[public]).await?;
    let (records, later) = batch(&mut watch).await?;
    assert_eq!(records, [(name(&office, second), v1::RecordState::Current)]);
    assert_eq!(later.len(), cursor.len());
    // A withdrawal is told as well, though it also lies in circles that an integrator cannot read.
    office
        .desk()
        .withdraw(first, None, WithdrawalReason::Error, None, None)
        .await?;
    let (records, _) = batch(&mut watch).await?;
    assert_eq!(
        records,
        [(name(&office, first), v1::RecordState::Withdrawn)]
    );
    // Where it left off, also after a restart of the node and from another connection.
    let mut resumed = office.integrator().await?.watch(Some(later));
    let (records, _) = batch(&mut resumed).await?;
    assert_eq!(
        records,
        [(name(&office, first), v1::RecordState::Withdrawn)]
    );
    let node = office.integrator().await?.node().await?;
    assert_eq!(node.revision, 0, "which would count all that happens here");
    assert!(office.client().await?.node().await?.revision > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_is_confirmed_later_is_heard_of_from_its_beginning() -> Result<()> {
    let here = Office::open("Here", true).await?;
    let partner = Office::open("Partner", true).await?;
    let early = partner
        .publish("Before anybody confirmed", &[partner.circle("public")?])
        .await?;
    here.pair(&partner).await?;
    until("its public record came", || here.holds(&partner, early)).await?;
    let mut watch = here.client().await?.watch(None);
    let (records, _) = batch(&mut watch).await?;
    assert_eq!(records, [], "what is not confirmed is kept apart");
    let confirmed = here.rcp.to_string();
    partner.desk().confirm(here.rcp, &confirmed).await?;
    here.desk().wish(Wish::Confirm { rcp: partner.rcp }).await?;
    let (records, _) = batch(&mut watch).await?;
    assert_eq!(records, [(name(&partner, early), v1::RecordState::Current)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_withdrawal_nothing_is_told_that_lies_in_circles_of_others() -> Result<()> {
    let office = Office::open("Owner", true).await?;
    let reader = Office::open("Reader", true).await?;
    office.befriend(&reader).await?;
    office.admit("federation", &[&reader]).await?;
    let (public, federation) = (office.circle("public")?, office.circle("federation")?);
    let record = office.publish("Older", &[federation]).await?;
    let hidden = office.publish("Replacement", &[federation]).await?;
    let older = office.row(&office, record).map(|row| row.last_version());
    office.revise(record, "Newer").await?;
    office
        .desk()
        .withdraw(
            record,
            older,
            WithdrawalReason::Superseded,
            None,
            Some(hidden),
        )
        .await?;
    office.desk().share(record, vec![public]).await?;
    let anyone = office.integrator().await?;
    let resource: RecordName = name(&office, record).parse()?;
    let read = anyone.record(&resource);
    let shown = read.await?.record;
    assert_eq!(shown.state(), v1::RecordState::Current);
    assert_eq!(
        shown.withdrawal, None,
        "it was made where nobody else looks"
    );
    let own = office.client().await?;
    let read = own.record(&resource);
    let told = read.await?.record.withdrawal.context("told at home")?;
    assert!(told.replacement.ends_with(&hidden.to_string()), "{told:?}");
    // What left the public circle is not called internal to those outside.
    let narrow = Wish::Narrow {
        record,
        circles: vec![public],
    };
    office.desk().wish(narrow).await?;
    let read = anyone.record(&resource);
    assert_eq!(read.await?.record.state(), v1::RecordState::Left);
    Ok(())
}

/// Streams that nobody ends keep none but their own caller waiting.
#[tokio::test(flavor = "multi_thread")]
async fn one_caller_has_so_many_streams_and_no_more() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let profile = office.profile_of("many", &[Role::Public])?;
    let written = std::fs::read_to_string(&profile)?;
    let token = written.split_once("token = \"").context("a token")?.1;
    let token = token.split('"').next().map(str::to_owned);
    let client = Client::connect(&Profile::read(&profile)?).await?;
    let mut watches = Vec::new();
    for _ in 0..CALLS_AT_ONCE_MAX {
        let mut watch = client.watch(None);
        assert_eq!(batch(&mut watch).await?.0.len(), 0);
        watches.push(watch);
    }
    let mut many = Caller::of(&office, token).await?;
    let asked = v1::ListRecordsRequest::default();
    let answer = many.call("RecordService/ListRecords", &asked).await?;
    assert_eq!(answer.code, Code::ResourceExhausted, "{}", answer.message);
    let mut other = office.integrator().await?.watch(None);
    assert_eq!(batch(&mut other).await?.0.len(), 0, "another one is served");
    drop(watches);
    office.publish("One", &[office.circle("public")?]).await?;
    // The client waits as long as it is told, and asks again.
    let mut next = client.watch(None);
    assert_eq!(batch(&mut next).await?.0.len(), 1);
    Ok(())
}
