//! What a node says of itself to gRPC's own tools, and how it ends.

use anyhow::{Context, Result};
use corridor_client::v1;
use corridor_node::edge;
use corridor_node::operate::access::{Access, Role};
use corridor_node::operate::health::{EXCHANGE, SIGNS, WRITES, services};
use corridor_proto::UnixMillis;
use corridor_rules::ingest::Arrival;
use corridor_store::Item;
use corridor_tests::nodes::{Office, PATIENCE};
use corridor_tests::raw::{Answer, Caller};
use prost::Message;
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_types::pb::{ErrorInfo, RetryInfo, Status};

const CHECK: &str = "grpc.health.v1.Health/Check";
const WATCH: &str = "grpc.health.v1.Health/Watch";

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

/// Whether a service is serving; `None` if there is none of that name.
async fn serves(caller: &mut Caller, service: &str) -> Result<Option<bool>> {
    let answer = caller.call(CHECK, &of(service)).await?;
    if answer.code == Code::NotFound {
        return Ok(None);
    }
    let said: HealthCheckResponse = answer.read()?;
    Ok(Some(said.status() == ServingStatus::Serving))
}

/// Waits until a service is serving no longer, or again.
async fn hears(office: &Office, service: &str, serving: bool) -> Result<()> {
    let mut caller = Caller::of(office, None).await?;
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    let is_it = |message: &[u8]| {
        HealthCheckResponse::decode(message).is_ok_and(|said| said.status() == status)
    };
    let answer = caller.follow(WATCH, &of(service), is_it).await?;
    anyhow::ensure!(answer.code == Code::Ok, "{service}: {answer:?}");
    Ok(())
}

/// The reason that an error gives, and whether it says when to call again.
fn reason(answer: &Answer) -> Result<(String, bool)> {
    let status = Status::decode(answer.details.as_slice())?;
    let info = status.details.iter();
    let mut info = info.filter(|any| any.type_url.ends_with("google.rpc.ErrorInfo"));
    let info = ErrorInfo::decode(info.next().context("no reason")?.value.as_slice())?;
    let mut retry = status.details.iter();
    let retry = retry.any(|any| {
        any.type_url.ends_with("google.rpc.RetryInfo")
            && RetryInfo::decode(any.value.as_slice()).is_ok()
    });
    Ok((info.reason, retry))
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_told_of_each_service_and_of_no_other_name() -> Result<()> {
    let office = Office::open("Budapest Process", true).await?;
    let mut caller = Caller::of(&office, None).await?;
    let services = services();
    assert!(services.len() >= 5, "{services:?}");
    let own = ["", WRITES, SIGNS].map(str::to_owned);
    for name in services.iter().chain(&own) {
        assert_eq!(serves(&mut caller, name).await?, Some(true), "{name:?}");
    }
    for name in ["corridor.v1.recordservice", "corridor.v1", " ", "grpc"] {
        assert_eq!(serves(&mut caller, name).await?, None, "{name:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_signing_says_so_and_is_still_read() -> Result<()> {
    let office = Office::open("Khartoum Process", true).await?;
    hears(&office, SIGNS, true).await?;
    let reason = "another copy of it runs";
    let stop = Item::Arrival(Arrival::StopSigning { reason });
    office.desk().store().append_blocking(stop, edge::now())?;
    hears(&office, SIGNS, false).await?;
    let mut caller = Caller::of(&office, None).await?;
    for name in ["", "corridor.v1.RecordService", WRITES] {
        assert_eq!(serves(&mut caller, name).await?, Some(true), "{name:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_damaged_journal_says_that_it_writes_nothing_and_is_still_read() -> Result<()>
{
    let mut office = Office::open("Colombo Process", true).await?;
    let public = office.circle("public")?;
    office.publish("Before the damage", &[public]).await?;
    let hit = office.publish("Hit by the damage", &[public]).await?;
    office.close().await?;
    let segment = office.data().join("journal").join("00000000.seg");
    let mut bytes = std::fs::read(&segment)?;
    let mut windows = bytes.windows(hit.as_bytes().len());
    let at = windows.position(|window| window == hit.as_bytes());
    bytes[at.context("it is there")?] ^= 1;
    std::fs::write(&segment, bytes)?;
    office.reopen().await?;
    let mut caller = Caller::of(&office, None).await?;
    for (name, serving) in [
        (WRITES, false),
        (EXCHANGE, false),
        ("", true),
        ("corridor.v1.RecordService", true),
    ] {
        assert_eq!(serves(&mut caller, name).await?, Some(serving), "{name:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_says_so_first_and_ends_streams_with_a_reason() -> Result<()> {
    let mut office = Office::open("Rabat Process", true).await?;
    office
        .publish("Before", &[office.circle("public")?])
        .await?;
    let token = Access::of(&office.data()).create(&[Role::Reader], "desk", UnixMillis(0))?;
    let mut watcher = Caller::of(&office, None).await?;
    let mut follower = Caller::of(&office, Some(token)).await?;
    let (told, seen) = tokio::sync::watch::channel(0);
    let counted = told.clone();
    let watching = tokio::spawn(async move {
        let all = |_: &[u8]| {
            told.send_modify(|count| *count += 1);
            false
        };
        watcher.follow(WATCH, &of(""), all).await
    });
    let following = tokio::spawn(async move {
        let all = |message: &[u8]| {
            let message = v1::WatchRecordsResponse::decode(message).expect("a change");
            if !message.cursor.is_empty() {
                counted.send_modify(|count| *count += 1);
            }
            false
        };
        let nothing = v1::WatchRecordsRequest::default();
        follower
            .follow("RecordService/WatchRecords", &nothing, all)
            .await
    });
    let mut both = seen.clone();
    tokio::time::timeout(PATIENCE, both.wait_for(|count| *count >= 2)).await??;
    office.close().await?;
    let watched = watching.await??;
    let last: Vec<i32> = watched
        .messages
        .iter()
        .map(|message| {
            HealthCheckResponse::decode(message.as_slice()).map_or(0, |said| said.status)
        })
        .collect();
    let wanted = [ServingStatus::Serving, ServingStatus::NotServing].map(|one| one as i32);
    assert_eq!(last, wanted);
    for answer in [watched, following.await??] {
        assert_eq!(answer.code, Code::Unavailable, "{answer:?}");
        assert_eq!(reason(&answer)?, ("NODE_ENDS".to_owned(), true));
    }
    assert!(Caller::of(&office, None).await.is_err(), "nobody is let in");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_waited_for_and_then_ended_with_a_reason() -> Result<()> {
    let mut office = Office::open("Prague Process", true).await?;
    let held = Caller::of(&office, None).await?.hold(CHECK).await?;
    let held = tokio::spawn(held);
    // Over another connection, so that the one that is held came first.
    let mut other = Caller::of(&office, None).await?;
    assert_eq!(serves(&mut other, "").await?, Some(true));
    let began = Instant::now();
    office.close().await?;
    assert!(began.elapsed().as_secs() >= 2, "it had its time");
    let ended = held.await??;
    assert_eq!(ended.code, Code::Unavailable, "{ended:?}");
    assert_eq!(reason(&ended)?.0, "NODE_ENDS");
    // Without any it ends at once.
    office.reopen().await?;
    let began = Instant::now();
    office.close().await?;
    assert!(began.elapsed().as_secs() < 2, "nothing was under way");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_token_is_told_what_the_node_can_be_asked() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let token = Access::of(&office.data()).create(&[Role::Public], "a tool", UnixMillis(0))?;
    let mut caller = Caller::of(&office, Some(token)).await?;
    for version in ["v1", "v1alpha"] {
        let method = format!("grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let ask = |request| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let list = ask(MessageRequest::ListServices(String::new()));
        let answer = caller.follow(&method, &list, |_| true).await?;
        let said: ServerReflectionResponse = answer.read()?;
        let Some(MessageResponse::ListServicesResponse(list)) = said.message_response else {
            anyhow::bail!("no list: {said:?}");
        };
        let names: Vec<String> = list.service.into_iter().map(|one| one.name).collect();
        let own = services().into_iter().filter(|name| name != EXCHANGE);
        for name in own.chain(["grpc.health.v1.Health".to_owned()]) {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        assert!(!names.iter().any(|name| name == EXCHANGE), "{names:?}");
        let file = "corridor.v1.RecordService.PublishRecord".to_owned();
        let file = ask(MessageRequest::FileContainingSymbol(file));
        let answer = caller.follow(&method, &file, |_| true).await?;
        let said: ServerReflectionResponse = answer.read()?;
        let is_file = matches!(
            said.message_response,
            Some(MessageResponse::FileDescriptorResponse(_))
        );
        assert!(is_file, "{said:?}");
    }
    Ok(())
}
