//! Every way of reading that a partner's node has, by partners in every state.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::checkpoint::{Checkpoint, Held};
use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_proto::{Hash, LogId, LogSeed, RcpId, Refusal, Token, v1};
use corridor_tests::nodes::until;
use corridor_tests::nodes::until_idle;
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::wire::Wire;
use prost::Message;
use tonic::Code;
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use super::Matrix;
use super::spec::{Reader, Stand, is_named, may_exchange, reads, stand};
use super::world::{Circle, Who};

/// Enough for all that there is.
const CREDIT_BYTES: u64 = 64 << 20;

pub async fn look(matrix: &mut Matrix<'_>) -> Result<()> {
    for who in Who::ALL {
        let partner = &matrix.world.partners[&who];
        greets(matrix, who, partner).await?;
        if may_exchange(who) {
            exchanges(matrix, who, partner).await?;
        }
    }
    Ok(())
}

/// An introduction and a knock tell a partner nothing but who answers.
async fn greets(matrix: &mut Matrix<'_>, who: Who, partner: &Stranger) -> Result<()> {
    let mut line = partner.dial(&matrix.world.office).await?;
    let hello = partner.introduction(Token::ZERO)?;
    let answer = line.client.hello(hello).await?.into_inner();
    let what = || format!("hello of {who:?}");
    matrix.is(&answer.accepted, &may_exchange(who), &what);
    let knocked = line.knock().await;
    let expect = match who {
        Who::Unknown | Who::Refused => Err(Code::Unauthenticated),
        Who::Invited => Err(Code::PermissionDenied),
        _ => Ok(()),
    };
    matrix.is(&knocked, &[expect; 2], &what);
    matrix.sweep(Reader::Peer(who), &line.seen.all(), &[], &what);
    Ok(())
}

async fn exchanges(matrix: &mut Matrix<'_>, who: Who, partner: &Stranger) -> Result<()> {
    let world = matrix.world;
    let reader = Reader::Peer(who);
    let mut wire = partner.link(&world.office).await?;
    let heads = heads(&mut wire, &world.office.rcp).await?;
    let what = || format!("session of {who:?}");
    matrix.sweep(reader, &wire.seen.all(), &[], &what);
    let is_own = |circle: &Circle| !Circle::SENT.contains(circle);
    let readable = Circle::all().into_iter();
    let readable = readable.filter(|circle| is_own(circle) && reads(reader, *circle));
    let expect: BTreeSet<LogId> = readable.map(|circle| world.log(circle)).collect();
    matrix.is(&heads, &expect, &what);
    wire.send(Carried::Credit(v1::Credit {
        bytes: CREDIT_BYTES,
    }))?;
    // What was asked before may still be looked up, though nobody listens any more.
    until_idle(world.office.desk().store()).await?;
    let absent = LogId::new(edge::random()?);
    let nothing = pull(matrix, &mut wire, &absent).await?;
    for circle in Circle::all() {
        let log = world.log(circle);
        let what = || format!("{who:?} pulls {circle:?}");
        let pulled = pull(matrix, &mut wire, &log).await?;
        for frame in &pulled.frames {
            let asked: &[u8] = log.as_bytes();
            matrix.sweep_bytes(reader, frame, &[asked], &what);
        }
        matrix.is(&pulled.is_gone(), &!reads(reader, circle), &what);
        if pulled.is_gone() {
            let lengths = |pulled: &Pulled| pulled.frames.iter().map(Vec::len).collect::<Vec<_>>();
            matrix.is(&lengths(&pulled), &lengths(&nothing), &what);
            matrix.is(&pulled.cost, &nothing.cost, &what);
        }
        named(matrix, who, circle, &pulled);
        texts(matrix, &mut wire, who, circle, &pulled).await?;
    }
    receipts(matrix, &mut wire, who, partner).await
}

/// The heads that the node tells until it has told all.
async fn heads(wire: &mut Wire, owner: &RcpId) -> Result<BTreeSet<LogId>> {
    let mut heads = BTreeSet::new();
    loop {
        match wire.hear().await?.context("the session ended")? {
            Said::Checkpoint(head) => {
                heads.insert(LogId::derive(owner, &LogSeed::from_slice(&head.seed)?));
            }
            Said::State(state) if state.compared => return Ok(heads),
            _ => {}
        }
    }
}

/// What came of a pull.
#[derive(Default)]
struct Pulled {
    lines: Vec<Vec<u8>>,
    frames: Vec<Vec<u8>>,
    cost: (u64, u64),
}

impl Pulled {
    fn is_gone(&self) -> bool {
        self.lines.is_empty()
    }
}

fn encoded(frame: &Carried) -> Vec<u8> {
    let frame = v1::CarryFrame {
        frame: Some(frame.clone()),
    };
    frame.encode_to_vec()
}

/// Pulls a log, until all its lines are there or it is said to be gone.
async fn pull(matrix: &Matrix<'_>, wire: &mut Wire, log: &LogId) -> Result<Pulled> {
    let store = matrix.world.office.desk().store();
    let size = store.read(|view| view.logs.get(log).map_or(0, |log| log.size()));
    let before = store.reads();
    wire.follow(log, 0)?;
    let mut pulled = Pulled::default();
    loop {
        let frame = wire.take().await?.context("the stream ended")?;
        let bytes = encoded(&frame);
        match frame {
            Carried::Package(package) if package.log == log.as_bytes().as_slice() => {
                pulled.lines.extend(package.lines);
                pulled.frames.push(bytes);
                if u64::try_from(pulled.lines.len())? == size {
                    break;
                }
            }
            Carried::Gone(gone) if gone.log == log.as_bytes().as_slice() => {
                pulled.frames.push(bytes);
                break;
            }
            _ => {}
        }
    }
    let after = store.reads();
    pulled.cost = (after.rows - before.rows, after.frames - before.frames);
    Ok(pulled)
}

/// Which records the lines of a circle name.
fn named(matrix: &mut Matrix<'_>, who: Who, circle: Circle, pulled: &Pulled) {
    let world = matrix.world;
    let mut found = BTreeSet::new();
    for line in &pulled.lines {
        if let Ok(ReadLine::Line(line)) = read_line(line) {
            match line.act {
                Act::Publish { record, .. } | Act::Leave { record } => found.insert(record),
                Act::Withdraw(withdrawal) => found.insert(withdrawal.record),
                Act::Readers { .. } | Act::Restart { .. } => false,
            };
        }
    }
    for record in &world.records {
        let expect = reads(Reader::Peer(who), circle) && is_named(record, circle);
        let what = || {
            let (home, state) = (record.home, record.state);
            format!("{who:?} in the lines of {circle:?}: {home:?} {state}")
        };
        matrix.is(&found.remove(&record.id), &expect, &what);
    }
    matrix.is(&found, &BTreeSet::new(), &|| format!("{who:?} {circle:?}"));
}

/// Wants every index of a log, pulled or not, and more; a fence behind it ends the answers.
async fn texts(
    matrix: &mut Matrix<'_>,
    wire: &mut Wire,
    who: Who,
    circle: Circle,
    pulled: &Pulled,
) -> Result<()> {
    let world = matrix.world;
    let log = world.log(circle);
    let size = u64::try_from(pulled.lines.len())?;
    let to = size.max(1);
    wire.send(Carried::Want(v1::Want {
        log: log.as_bytes().to_vec(),
        ranges: vec![v1::IndexRange { from: 0, to }],
    }))?;
    let fence = LogId::new(edge::random()?);
    wire.follow(&fence, 0)?;
    let (mut bodies, mut answered, mut is_behind) = (BTreeMap::new(), 0, false);
    while answered < size || !is_behind {
        let frame = wire.take().await?.context("the stream ended")?;
        let what = || format!("{who:?} wants all of {circle:?}");
        let asked = [log.as_bytes().as_slice(), fence.as_bytes().as_slice()];
        matrix.sweep_bytes(Reader::Peer(who), &encoded(&frame), &asked, &what);
        match frame {
            Carried::Records(records) if records.log == asked[0] => {
                answered += u64::try_from(records.records.len())?;
                for item in records.records {
                    let header = corridor_proto::record::Header::decode(&item.header)?;
                    bodies.insert((header.record, header.version), item.body);
                }
            }
            Carried::Gone(gone) if gone.log == asked[1] => is_behind = true,
            Carried::Gone(gone) if gone.log == asked[0] => {
                answered += gone
                    .ranges
                    .iter()
                    .map(|range| range.to - range.from)
                    .sum::<u64>();
            }
            _ => {}
        }
    }
    let reads = reads(Reader::Peer(who), circle);
    for record in &world.records {
        let expect = match stand(record, circle) {
            Stand::Live(version) if reads && record.is_held => Some(version),
            _ => None,
        };
        let came = bodies.extract_if(.., |(id, _), _| *id == record.id);
        let came: Vec<(u64, bool)> = came
            .map(|((_, number), body)| (number, holds(&body, record, number)))
            .collect();
        let expect = expect.map(|version| (record.versions[version].number, true));
        let what = || {
            let (home, state) = (record.home, record.state);
            format!("{who:?} gets the texts of {circle:?}: {home:?} {state}")
        };
        matrix.is(&came, &expect.into_iter().collect(), &what);
    }
    matrix.is(&bodies.len(), &0, &|| format!("{who:?} {circle:?}"));
    Ok(())
}

fn holds(body: &[u8], record: &super::world::Record, number: u64) -> bool {
    let mut versions = record.versions.iter();
    let version = versions.find(|version| version.number == number);
    version.is_some_and(|version| {
        let mark = version.mark.as_bytes();
        body.windows(mark.len()).any(|window| window == mark)
    })
}

/// Receipts over logs of which it cannot know are refused like those over logs that are not there.
async fn receipts(
    matrix: &mut Matrix<'_>,
    wire: &mut Wire,
    who: Who,
    partner: &Stranger,
) -> Result<()> {
    let world = matrix.world;
    // Former readers may confirm what they had.
    let had: &[Circle] = match who {
        Who::Lapsed | Who::Former => &[Circle::Open, Circle::Closed],
        Who::Paused | Who::Left => &[Circle::Open, Circle::Closed, Circle::Public],
        _ => &[],
    };
    let hidden = Circle::all().into_iter();
    let hidden =
        hidden.filter(|circle| !had.contains(circle) && !reads(Reader::Peer(who), *circle));
    let refused = || {
        world
            .office
            .node()
            .exchange
            .statuses
            .of(&partner.rcp)
            .refused
    };
    let absent = LogId::new(edge::random()?);
    let mut answers: Vec<(Option<Refusal>, Vec<Vec<u8>>)> = Vec::new();
    for log in [absent]
        .into_iter()
        .chain(hidden.map(|circle| world.log(circle)))
    {
        // Something else is refused between two of them, so that each is seen.
        wire.say(Said::Hello(partner.hello()?))?;
        let other = Some(Refusal::new(
            "session frame",
            corridor_proto::Reason::OutOfOrder,
        ));
        until("the hello is refused", || refused() == other).await?;
        let held = Held {
            checkpoint: Checkpoint {
                log,
                incarnation: 0,
                size: 1,
                root: Hash::ZERO,
            },
            holder: partner.rcp,
            time_s: edge::now().0 / 1_000,
        };
        wire.say(Said::Held(v1::HeldFrame {
            owner: world.office.rcp.as_bytes().to_vec(),
            note: held.sign(&partner.signing).into_bytes(),
        }))?;
        until("the receipt is refused", || refused() != other).await?;
        let mut frames = Vec::new();
        wire.follow(&absent, 0)?;
        loop {
            let frame = wire.take().await?.context("the stream ended")?;
            frames.push(encoded(&frame));
            if matches!(frame, Carried::Gone(_)) {
                break;
            }
        }
        answers.push((refused(), frames));
    }
    for answer in &answers {
        matrix.is(answer, &answers[0], &|| format!("receipts of {who:?}"));
    }
    Ok(())
}
