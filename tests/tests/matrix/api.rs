//! Every call of the node's own listener, by everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::{RcpId, RecordId, v1};
use corridor_tests::raw::{Answer, Caller};
use prost::Message;
use tonic::Code;

use super::Matrix;
use super::spec::{
    Reader, Shown, Sight, listed_sight, peer_version, reads, sight, stand, watched_sight,
};
use super::world::{Circle, Record, Who};

/// What a token for what is public may call.
const READING: [&str; 8] = [
    "RecordService/BatchGetRecords",
    "RecordService/GetRecord",
    "RecordService/ListRecords",
    "RecordService/ReadRecords",
    "RecordService/SearchRecords",
    "RecordService/WatchRecords",
    "RecordService/ProveRecord",
    "NodeService/GetNode",
];

/// Each caller by its token.
pub fn callers(matrix: &Matrix<'_>) -> Vec<(&'static str, Option<String>, Reader)> {
    let token = |is_desk, is_over| Some(matrix.world.tokens[&(is_desk, is_over)].clone());
    vec![
        ("anonymous", None, Reader::Nobody),
        ("unknown token", Some("a".repeat(52)), Reader::Nobody),
        ("ended public token", token(false, true), Reader::Nobody),
        ("ended desk token", token(true, true), Reader::Nobody),
        ("public token", token(false, false), Reader::Anyone),
        ("desk token", token(true, false), Reader::Desk),
    ]
}

pub async fn look(matrix: &mut Matrix<'_>) -> Result<()> {
    for (name, token, reader) in callers(matrix) {
        let mut caller = Caller::of(&matrix.world.office, token).await?;
        by_name(matrix, name, &mut caller, reader).await?;
        lists(matrix, name, &mut caller, reader).await?;
        follow(matrix, name, &mut caller, reader).await?;
        all_methods(matrix, name, &mut caller, reader).await?;
        if reader == Reader::Desk {
            previews(matrix, &mut caller).await?;
            explanations(matrix, &mut caller).await?;
        }
    }
    Ok(())
}

fn shown(state: v1::RecordState) -> Option<Shown> {
    Some(match state {
        v1::RecordState::Current => Shown::Current,
        v1::RecordState::Withdrawn => Shown::Withdrawn,
        v1::RecordState::Internal => Shown::Internal,
        v1::RecordState::Awaited => Shown::Awaited,
        v1::RecordState::Quarantined => Shown::Quarantined,
        v1::RecordState::Left => Shown::Left,
        v1::RecordState::Unspecified => return None,
    })
}

/// What a message shows, in the words of the specification.
pub fn told(matrix: &Matrix<'_>, record: &Record, message: &v1::Record) -> Option<Sight> {
    let number = |number: u64| {
        let mut versions = record.versions.iter();
        versions.position(|version| version.number == number)
    };
    let circle = |resource: &str| {
        let (_, log) = resource.split_once("/circles/")?;
        let mut circles = matrix.world.circles.iter();
        let found = circles.find(|(_, (id, _))| id.to_string() == log);
        found.map(|(circle, _)| *circle)
    };
    let title = message.title.first().map(|title| title.text.as_str());
    let mut circles: Vec<Circle> = message
        .standings
        .iter()
        .map(|standing| circle(&standing.circle))
        .collect::<Option<_>>()?;
    circles.sort();
    Some(Sight {
        state: shown(message.state())?,
        version: number(message.version),
        text: title.and_then(|title| {
            let mut versions = record.versions.iter();
            versions.position(|version| title.ends_with(&version.mark))
        }),
        circles,
        is_withdrawn: message.withdrawal.is_some(),
        is_apart: message.unconfirmed,
    })
}

/// As the specification has it, with circles in the same order.
pub fn in_order(sight: Option<Sight>) -> Option<Sight> {
    sight.map(|mut sight| {
        sight.circles.sort();
        sight
    })
}

/// One record asked for by its name, and what proves it; what may not be seen costs and says what
/// is said of what does not exist.
async fn by_name(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    for method in ["RecordService/GetRecord", "RecordService/ProveRecord"] {
        for record in &world.records {
            let absent = format!(
                "rcps/{}/records/{}",
                world.owner(record),
                RecordId::new(edge::random()?)
            );
            let asked = world.name(record);
            let (answer, cost) = ask(matrix, caller, method, &asked).await?;
            let (nothing, cost_of_nothing) = ask(matrix, caller, method, &absent).await?;
            let what = || format!("{method} by {name}: {:?} {}", record.home, record.state);
            matrix.sweep(reader, &answer.bytes(), &[&asked], &what);
            let sight = in_order(sight(reader, record));
            let is_there = sight.as_ref().is_some_and(|sight| {
                method.ends_with("GetRecord") || sight.state == Shown::Current
            });
            if !is_there {
                let refused = match reader {
                    Reader::Nobody => Code::Unauthenticated,
                    _ => Code::NotFound,
                };
                matrix.is(&answer.code, &refused, &what);
                matrix.is(&answer.bytes().len(), &nothing.bytes().len(), &what);
                matrix.is(&unnamed(answer, &asked), &unnamed(nothing, &absent), &what);
                if sight.is_none() {
                    matrix.is(&cost, &cost_of_nothing, &what);
                }
            } else if method.ends_with("GetRecord") {
                let got: v1::GetRecordResponse = answer.read()?;
                let got = got.record.context("a record")?;
                matrix.is(&told(matrix, record, &got), &sight, &what);
            } else {
                let got: v1::ProveRecordResponse = answer.read()?;
                let version = sight.and_then(|sight| sight.version).unwrap_or_default();
                let mark = record.versions[version].mark.as_bytes();
                let body = got.raw.context("its bytes")?.body;
                let is_it = body.windows(mark.len()).any(|window| window == mark);
                matrix.is(&is_it, &true, &what);
            }
        }
    }
    Ok(())
}

/// An answer, and how much was looked up for it.
async fn ask(
    matrix: &Matrix<'_>,
    caller: &mut Caller,
    method: &str,
    name: &str,
) -> Result<(Answer, (u64, u64))> {
    let store = matrix.world.office.desk().store();
    let before = store.reads();
    let name = name.to_owned();
    let answer = caller.call(method, &v1::GetRecordRequest { name }).await?;
    let after = store.reads();
    let cost = (after.rows - before.rows, after.frames - before.frames);
    Ok((answer, cost))
}

/// An answer without the name that was asked for: its status says it, in words and in details.
fn unnamed(mut answer: Answer, asked: &str) -> Answer {
    answer.message = answer.message.replace(asked, "X");
    let details = answer.details.windows(asked.len());
    if let Some(at) = details.into_iter().position(|w| w == asked.as_bytes()) {
        answer.details.drain(at..at + asked.len());
    }
    answer
}

/// Lists with every filter, in pages of every length.
async fn lists(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    let resource = |rcp: &RcpId| format!("rcps/{rcp}");
    let parents = [
        String::new(),
        resource(&world.office.rcp),
        resource(&world.rcp(Who::Sender)),
        resource(&world.rcp(Who::Pending)),
        resource(&world.rcp(Who::Listed)),
        resource(&RcpId::new(edge::random()?)),
    ];
    for parent in parents {
        for show_all in [false, true] {
            for page_size in [0, 7, 1_000] {
                let what = || format!("list {parent:?} {show_all} {page_size} by {name}");
                let request = v1::ListRecordsRequest {
                    parent: parent.clone(),
                    page_size,
                    show_all,
                    ..v1::ListRecordsRequest::default()
                };
                let found = pages(matrix, caller, reader, request, &parent, &what).await?;
                let is_asked =
                    |record: &Record| parent.is_empty() || parent == resource(&world.owner(record));
                compare(matrix, found, &what, |record| {
                    let listed = listed_sight(reader, record, show_all);
                    listed.filter(|_| is_asked(record))
                });
            }
        }
    }
    Ok(())
}

/// All that a list tells, page by page.
pub async fn pages(
    matrix: &mut Matrix<'_>,
    caller: &mut Caller,
    reader: Reader,
    mut request: v1::ListRecordsRequest,
    asked: &str,
    what: &impl Fn() -> String,
) -> Result<BTreeMap<String, v1::Record>> {
    let mut found = BTreeMap::new();
    loop {
        let answer = caller.call("RecordService/ListRecords", &request).await?;
        matrix.sweep(reader, &answer.bytes(), &[asked], what);
        if reader == Reader::Nobody {
            matrix.is(&answer.code, &Code::Unauthenticated, what);
            return Ok(found);
        }
        let page: v1::ListRecordsResponse = answer.read()?;
        found.extend(page.records.into_iter().map(|one| (one.name.clone(), one)));
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

/// Record by record, what was found beside what there is to be found.
pub fn compare(
    matrix: &mut Matrix<'_>,
    mut found: BTreeMap<String, v1::Record>,
    what: &impl Fn() -> String,
    expect: impl Fn(&Record) -> Option<Sight>,
) {
    let world = matrix.world;
    for record in &world.records {
        let got = found.remove(&world.name(record));
        let got = got.map(|got| told(matrix, record, &got));
        let expect = in_order(expect(record)).map(Some);
        let what = || format!("{}: {:?} {}", what(), record.home, record.state);
        matrix.is(&got, &expect, &what);
    }
    matrix.is(&found.keys().collect::<Vec<_>>(), &Vec::new(), what);
}

async fn follow(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let is_last = |message: &[u8]| {
        let read = v1::WatchRecordsResponse::decode(message);
        read.is_ok_and(|message| !message.cursor.is_empty())
    };
    let request = v1::WatchRecordsRequest::default();
    let answer = caller.follow("RecordService/WatchRecords", &request, is_last);
    let answer = answer.await?;
    let what = || format!("watched by {name}");
    matrix.sweep(reader, &answer.bytes(), &[], &what);
    let mut found = BTreeMap::new();
    for message in &answer.messages {
        let message = v1::WatchRecordsResponse::decode(message.as_slice())?;
        found.extend(message.record.map(|record| (record.name.clone(), record)));
    }
    let code = match reader {
        Reader::Nobody => Code::Unauthenticated,
        _ => Code::Ok,
    };
    matrix.is(&answer.code, &code, &what);
    compare(matrix, found, &what, |record| watched_sight(reader, record));
    Ok(())
}

/// All methods that the pages of the protocol name.
pub fn methods() -> Result<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/corridor/v1");
    let mut found = BTreeSet::new();
    for service in ["record", "circle", "peer", "node"] {
        let text = std::fs::read_to_string(folder.join(format!("{service}_service.proto")))?;
        let word = |line: &str, before: &str| {
            let rest = line.trim().strip_prefix(before)?;
            rest.split(['(', ' ']).next().map(str::to_owned)
        };
        let name = text.lines().find_map(|line| word(line, "service "));
        let name = name.context("a service")?;
        let methods = text.lines().filter_map(|line| word(line, "rpc "));
        found.extend(methods.map(|method| format!("{name}/{method}")));
    }
    Ok(found)
}

/// Every method, with names of what is there and of what is not: whoever may not call it hears the
/// same, and no answer holds more than its caller may see.
async fn all_methods(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    let hidden = world.records.iter().find(|record| record.draft.is_some());
    let closed = &world.names[&Circle::Closed];
    let names = [
        world.name(hidden.context("a draft")?),
        format!("rcps/{}/records/{}", world.office.rcp, RecordId::ZERO),
        format!("rcps/{}", world.rcp(Who::Bare)),
        format!("rcps/{}", RcpId::ZERO),
        closed.clone(),
        closed.replace("mk", "km"),
        format!(
            "rcps/{}/circles/{}",
            world.office.rcp,
            world.log(Circle::Open)
        ),
    ];
    for method in methods()? {
        let reads_only = method.split('/').nth(1).is_some_and(|verb| {
            let verbs = ["Get", "List", "Prove", "Preview", "Explain"];
            verbs.iter().any(|begin| verb.starts_with(begin))
        });
        let may_call = READING.contains(&method.as_str());
        if method.ends_with("WatchRecords") || reader == Reader::Desk && !reads_only {
            continue;
        }
        let mut answers = Vec::new();
        for asked in &names {
            let name = asked.clone();
            let answer = caller.call(&method, &v1::GetRecordRequest { name }).await?;
            let what = || format!("{method} {asked} by {name}", name = answer.message);
            let id = asked.rsplit('/').next().unwrap_or_default();
            matrix.sweep(reader, &answer.bytes(), &[asked, id], &what);
            answers.push(answer);
        }
        let what = || format!("{method} by {name}");
        let refused = match reader {
            Reader::Nobody => Code::Unauthenticated,
            Reader::Anyone if !may_call => Code::PermissionDenied,
            Reader::Anyone | Reader::Desk | Reader::Peer(_) => continue,
        };
        for answer in &answers {
            matrix.is(answer, &answers[0], &what);
            matrix.is(&answer.code, &refused, &what);
        }
    }
    Ok(())
}

async fn previews(matrix: &mut Matrix<'_>, caller: &mut Caller) -> Result<()> {
    let world = matrix.world;
    let circles = Circle::own().into_iter().map(Some);
    for circle in circles.chain([None]) {
        for who in Who::ALL {
            let request = v1::PreviewPeerRequest {
                peer: format!("rcps/{}", world.rcp(who)),
                circle: circle.map_or_else(String::new, |circle| {
                    format!("rcps/{}/circles/{}", world.office.rcp, world.log(circle))
                }),
            };
            let answer = caller.call("RecordService/PreviewPeer", &request).await?;
            let got: v1::PreviewPeerResponse = answer.read()?;
            let found: BTreeMap<_, _> = got
                .records
                .iter()
                .map(|one| (one.name.clone(), one.version))
                .collect();
            let mut newly = 0;
            for record in world.records.iter().filter(|record| record.of.is_none()) {
                let today = peer_version(who, record);
                let there = circle.and_then(|circle| match stand(record, circle) {
                    super::spec::Stand::Live(version) => Some(version),
                    _ => None,
                });
                let expect = today.max(there);
                newly += u32::from(expect.is_some() && today.is_none());
                let expect = expect.map(|version| record.versions[version].number);
                let what = || format!("preview {who:?} {circle:?}: {:?}", record.home);
                matrix.is(&found.get(&world.name(record)).copied(), &expect, &what);
            }
            matrix.is(&got.newly, &newly, &|| {
                format!("preview {who:?} {circle:?}")
            });
        }
    }
    Ok(())
}

async fn explanations(matrix: &mut Matrix<'_>, caller: &mut Caller) -> Result<()> {
    let world = matrix.world;
    let own = world.records.iter().filter(|record| record.of.is_none());
    for record in own.filter(|record| !record.story.is_empty()) {
        for who in Who::ALL {
            let request = v1::ExplainRecordRequest {
                name: world.name(record),
                peer: format!("rcps/{}", world.rcp(who)),
            };
            let answer = caller.call("RecordService/ExplainRecord", &request).await?;
            let got: v1::ExplainRecordResponse = answer.read()?;
            let version = peer_version(who, record);
            let number = version.map_or(0, |version| record.versions[version].number);
            let what = || format!("explain {who:?} {:?} {}", record.home, record.state);
            matrix.is(
                &(got.may_read, got.version),
                &(version.is_some(), number),
                &what,
            );
            let stands = Circle::own().into_iter().filter(|circle| {
                let is_live = matches!(stand(record, *circle), super::spec::Stand::Live(_));
                is_live && reads(Reader::Peer(who), *circle)
            });
            let said = got.circles.iter().filter(|one| one.stands && one.may_read);
            matrix.is(&said.count(), &stands.count(), &what);
        }
    }
    Ok(())
}
