//! Who may do what: every call of a node's own listener by every sort of caller.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use corridor_client::v1;
use corridor_node::operate::access::{Access, Role};
use corridor_proto::UnixMillis;
use corridor_tests::command::corridor;
use corridor_tests::nodes::Office;
use corridor_tests::raw::Caller;
use tonic::Code;

const READERS: &[Role] = &[
    Role::Reader,
    Role::Editor,
    Role::Clearer,
    Role::Administrator,
];
const ALL: &[Role] = &[
    Role::Public,
    Role::Reader,
    Role::Editor,
    Role::Clearer,
    Role::Administrator,
];
const WRITERS: &[Role] = &[Role::Editor, Role::Clearer];
const CLEARERS: &[Role] = &[Role::Clearer];
const KEEPERS: &[Role] = &[Role::Administrator];

/// Whom each call is for.
const CALLS: [(&str, &[Role]); 51] = [
    ("BundleService/ImportBundle", KEEPERS),
    ("BundleService/InspectBundle", READERS),
    ("BundleService/MakeBundle", CLEARERS),
    ("CircleService/AddReaders", CLEARERS),
    ("CircleService/CreateCircle", CLEARERS),
    ("CircleService/ListCircles", READERS),
    ("CircleService/RemoveReaders", CLEARERS),
    ("ClearanceService/ClearDraft", CLEARERS),
    ("ClearanceService/RequestClearance", WRITERS),
    ("ClearanceService/ReturnDraft", CLEARERS),
    ("NodeService/DisownCopy", KEEPERS),
    ("NodeService/GetNode", ALL),
    ("NodeService/ListNeeds", READERS),
    ("NodeService/ListVoidVersions", READERS),
    ("NodeService/RestartLogs", KEEPERS),
    ("NodeService/ShowUncompared", KEEPERS),
    ("PeerService/AcceptInvitation", KEEPERS),
    ("PeerService/AcceptRestart", KEEPERS),
    ("PeerService/ConfirmPeer", KEEPERS),
    ("PeerService/CreateInvitation", KEEPERS),
    ("PeerService/GetSafetyNumber", READERS),
    ("PeerService/LeavePeer", KEEPERS),
    ("PeerService/ListEvidence", READERS),
    ("PeerService/ListPeers", READERS),
    ("PeerService/PausePeer", KEEPERS),
    ("PeerService/RefusePeer", KEEPERS),
    ("PeerService/ResumePeer", KEEPERS),
    ("RecordService/BatchGetRecords", ALL),
    ("RecordService/CreateDraft", WRITERS),
    ("RecordService/DeleteDraft", WRITERS),
    ("RecordService/ExplainRecord", READERS),
    ("RecordService/GetDraft", WRITERS),
    ("RecordService/GetRecord", ALL),
    ("RecordService/ListDrafts", WRITERS),
    ("RecordService/ListRecords", ALL),
    ("RecordService/NarrowRecord", CLEARERS),
    ("RecordService/PreviewPeer", READERS),
    ("RecordService/ProveRecord", ALL),
    ("RecordService/PublishRecord", CLEARERS),
    ("RecordService/PublishRecords", CLEARERS),
    ("RecordService/ReadRecords", ALL),
    ("RecordService/SearchRecords", ALL),
    ("RecordService/ShareRecord", CLEARERS),
    ("RecordService/UpdateDraft", WRITERS),
    ("RecordService/WatchRecords", ALL),
    ("RecordService/WithdrawRecord", CLEARERS),
    ("TableService/ExportRecords", ALL),
    ("TableService/GetTemplate", READERS),
    ("TableService/ImportRecords", WRITERS),
    ("TableService/ListImports", WRITERS),
    ("TableService/UndoImport", WRITERS),
];

/// Calls that gRPC itself declares, and whether they are for anybody: whether a node serves is
/// asked by those who start it, what it can be asked is told to whoever may ask it something.
const OF_GRPC: [(&str, bool); 4] = [
    ("grpc.health.v1.Health/Check", true),
    ("grpc.health.v1.Health/Watch", true),
    (
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        false,
    ),
    (
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        false,
    ),
];

/// Every call that a service for secretariats and integrators declares.
fn declared() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/corridor/v1");
    let mut calls = Vec::new();
    for entry in fs::read_dir(folder)? {
        let text = fs::read_to_string(entry?.path())?;
        let Some((_, body)) = text.split_once("\nservice ") else {
            continue;
        };
        let service = body.split(' ').next().unwrap_or_default();
        let methods = body
            .lines()
            .filter_map(|line| line.trim().strip_prefix("rpc "));
        let names = methods.filter_map(|method| method.split('(').next());
        calls.extend(names.map(|name| format!("{service}/{name}")));
    }
    calls.retain(|call| !call.starts_with("ExchangeService/"));
    calls.sort();
    Ok(calls)
}

async fn answer(caller: &mut Caller, call: &str) -> Result<Code> {
    let nothing = v1::GetNodeRequest::default();
    let streams = ["Watch", "Info"].iter().any(|part| call.contains(part));
    let answer = if streams {
        caller.follow(call, &nothing, |_| true).await?
    } else {
        caller.call(call, &nothing).await?
    };
    Ok(answer.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_for_those_who_have_a_role_for_it_and_for_nobody_else() -> Result<()> {
    let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared()?, names, "a call of which nothing is said");
    let office = Office::open("Budapest Process", true).await?;
    let access = Access::of(&office.data());
    let mut wrong = Vec::new();
    for role in ALL {
        for (end, is_over) in [(0, false), (1, true)] {
            let token = access.create(&[*role], "sweep", UnixMillis(end))?;
            let mut caller = Caller::of(&office, Some(token)).await?;
            for (call, roles) in CALLS {
                let code = answer(&mut caller, call).await?;
                let is_right = match code {
                    Code::Unauthenticated => is_over,
                    Code::PermissionDenied => !is_over && !roles.contains(role),
                    _ => !is_over && roles.contains(role),
                };
                if !is_right {
                    wrong.push(format!("{call} by {role:?}, ended: {is_over}: {code:?}"));
                }
            }
        }
    }
    for token in [None, Some("guessed".to_owned())] {
        let mut caller = Caller::of(&office, token).await?;
        for (call, _) in CALLS {
            let code = answer(&mut caller, call).await?;
            if code != Code::Unauthenticated {
                wrong.push(format!("{call} by nobody: {code:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_anybody_that_it_serves_and_holders_of_tokens_what_it_can_be_asked()
-> Result<()> {
    let office = Office::open("Almaty Process", true).await?;
    let access = Access::of(&office.data());
    let mut tokens = vec![(None, false), (Some("guessed".to_owned()), false)];
    for role in ALL {
        for (end, is_good) in [(0, true), (1, false)] {
            let token = access.create(&[*role], "sweep", UnixMillis(end))?;
            tokens.push((Some(token), is_good));
        }
    }
    let mut wrong = Vec::new();
    for (token, is_good) in tokens {
        let mut caller = Caller::of(&office, token).await?;
        for (call, is_for_anybody) in OF_GRPC {
            let code = answer(&mut caller, call).await?;
            let is_let_in = code != Code::Unauthenticated && code != Code::PermissionDenied;
            if is_let_in != (is_for_anybody || is_good) {
                wrong.push(format!("{call}, a good token: {is_good}: {code:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_back_opens_nothing_from_the_next_call_on() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let access = Access::of(&office.data());
    let token = access.create(&[Role::Editor], "the desk", UnixMillis(0))?;
    let mut caller = Caller::of(&office, Some(token)).await?;
    assert_eq!(
        answer(&mut caller, "RecordService/ListDrafts").await?,
        Code::Ok
    );
    let listed = access.list()?;
    let mut listed = listed.iter();
    let entry = listed
        .find(|entry| entry.label == "the desk")
        .context("listed")?;
    let revoked = access.revoke(entry.id(), UnixMillis(1))?;
    assert_eq!(revoked.as_ref(), Some(entry));
    let after = answer(&mut caller, "RecordService/ListDrafts").await?;
    assert_eq!(after, Code::Unauthenticated);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_with_a_token_that_is_taken_back_follows_no_longer() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    office
        .publish("Before", &[office.circle("public")?])
        .await?;
    let access = Access::of(&office.data());
    let token = access.create(&[Role::Reader], "the desk", UnixMillis(0))?;
    let listed = access.list()?;
    let id = listed.last().context("listed")?.id();
    let mut caller = Caller::of(&office, Some(token)).await?;
    let nothing = v1::WatchRecordsRequest::default();
    let taken_back = |_: &[u8]| access.revoke(id, UnixMillis(1)).is_err();
    let answer = caller
        .follow("RecordService/WatchRecords", &nothing, taken_back)
        .await?;
    assert_eq!(answer.code, Code::Unauthenticated);
    assert!(!answer.messages.is_empty(), "it followed before");
    Ok(())
}

/// Somebody is given a file, and is at their node; a file of another node's key leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_given_access_logs_in_once() -> Result<()> {
    let office = Office::open("Khartoum Process", true).await?;
    let given = office.profile_of("an officer", &[Role::Editor])?;
    let given = given.to_str().context("a path")?;
    let own = tempfile::tempdir()?;
    let place = own.path().join("config/corridor/client.toml");
    let login = |file: &str, more: &str| {
        let place = place.display();
        format!("corridor --profile \"{place}\" login \"{file}\" {more}")
    };
    let text = fs::read_to_string(given)?;
    let other = own.path().join("other.toml");
    let key = text.lines().find(|line| line.starts_with("server_key"));
    let key = key.context("a key")?;
    fs::write(
        &other,
        text.replace(key, &format!("server_key = \"{}\"", "a".repeat(52))),
    )?;
    let (code, said) = corridor(&login(other.to_str().context("a path")?, "")).await;
    assert!(code != 0 && !place.exists(), "{said}");
    let (code, said) = corridor(&login(given, "")).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("You are at the node of Khartoum Process."),
        "{said}"
    );
    assert_eq!(fs::metadata(&place)?.permissions().mode() & 0o777, 0o600);
    let (code, said) = corridor(&format!(
        "corridor --profile \"{}\" status",
        place.display()
    ))
    .await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = corridor(&login(given, "")).await;
    assert!(code == 2 && said.contains("--replace"), "{said}");
    let (code, said) = corridor(&login(given, "--replace")).await;
    assert_eq!(code, 0, "{said}");
    Ok(())
}
