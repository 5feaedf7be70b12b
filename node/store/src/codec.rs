//! Facts as frames of the journal: a kind, a meta in a fixed layout, and the erasable blob.
//!
//! **Invariant:** a frame kind never gets another meaning, and a meta never another layout; what
//! changes is a new kind.

use std::borrow::Cow;

use corridor_proto::card::SignedCard;
use corridor_proto::charter::SignedKeyEvent;
use corridor_proto::domain::{self, Domain};
use corridor_proto::key::NO_SIGNATURE;
use corridor_proto::layout::{Reader, Writer};
use corridor_proto::line::{note_hash, readers_hash};
use corridor_proto::record::{Header, SignedHeader, body_hash};
use corridor_proto::{
    Hash, LogId, LogSeed, RcpId, Reason, RecordId, Refusal, Salt, StartNumber, Token, UnixMillis,
};
use corridor_rules::draft::{Step, Taken};
use corridor_rules::fact::{Fact, SignedStart, unblob};
use corridor_rules::{PeerState, Sort};

use crate::error::StoreError;
use crate::journal::{META_BYTES_MAX, NewFrame};

const WHAT: &str = "journal frame";

const KEY_EVENT: u8 = 16;
const CARD: u8 = 17;
const PEER: u8 = 18;
const CIRCLE: u8 = 19;
const LINES: u8 = 20;
const HEAD: u8 = 21;
const LIST: u8 = 22;
const NOTE: u8 = 23;
const FORMER: u8 = 24;
const RECORD: u8 = 25;
const QUARANTINE: u8 = 26;
const DRAFT: u8 = 27;
const DRAFT_GONE: u8 = 28;
const HELD: u8 = 29;
const START: u8 = 30;
const FORGET: u8 = 31;
const PEER_START: u8 = 32;
const INVITATION: u8 = 33;
const REDEEMED: u8 = 34;
const SIGNING_STOPPED: u8 = 35;
const ACCEPTED: u8 = 36;
const READER: u8 = 37;
const NAMED: u8 = 38;
const WITHDRAWALS: u8 = 39;
const ERASE_NOW: u8 = 40;
const OTHER_COPY_GONE: u8 = 41;
const START_KNOWN: u8 = 42;
const SIGNING_RESUMED: u8 = 43;
const REWOUND: u8 = 44;
const VOID_LINES: u8 = 45;
const RESTORED: u8 = 46;
const COMPARED: u8 = 47;
const SHOWN: u8 = 48;
const MET: u8 = 49;
const SUSPENDED: u8 = 50;
const EVIDENCE: u8 = 51;
const BRANCH_LINES: u8 = 52;
const RESTART_ACCEPTED: u8 = 53;
const STEP: u8 = 54;

/// The frame of a fact.
///
/// # Errors
/// [`StoreError::Refused`] if a text does not fit its length prefix.
pub(crate) fn frame(fact: &Fact) -> Result<NewFrame<'_>, StoreError> {
    let (kind, meta) = meta(fact)?;
    let blob: Cow<'_, [u8]> = match fact {
        Fact::List { blob, .. }
        | Fact::Note { blob, .. }
        | Fact::Record { blob, .. }
        | Fact::Draft { blob, .. } => blob.into(),
        Fact::Step {
            note: Some(note), ..
        } => note.into(),
        Fact::Card { card, .. } => card_blob(card).into(),
        _ => [][..].into(),
    };
    let meta = meta.into();
    Ok(NewFrame { kind, meta, blob })
}

fn meta(fact: &Fact) -> Result<(u8, Vec<u8>), Refusal> {
    let new = Writer::new();
    let (kind, writer) = match fact {
        Fact::KeyEvent { rcp, event } => {
            let writer = new.bytes(rcp.as_bytes()).count(WHAT, event.bytes.len())?;
            let writer = writer.bytes(&event.bytes).bytes(&event.recovery_signature);
            (KEY_EVENT, writer.bytes(&event.signing_signature))
        }
        Fact::Card { rcp, card } => {
            let hash = domain::hash(Domain::Body, &[&card_blob(card)]);
            (CARD, new.bytes(rcp.as_bytes()).bytes(hash.as_bytes()))
        }
        Fact::Named { rcp, name } => (NAMED, new.bytes(rcp.as_bytes()).text(WHAT, name)?),
        Fact::Peer { rcp, state, at } => (
            PEER,
            new.bytes(rcp.as_bytes()).u8(state_code(*state)).u64(at.0),
        ),
        Fact::Circle {
            owner,
            seed,
            sort,
            name,
        } => {
            let (code, peer) = sort_code(*sort);
            let writer = new.bytes(owner.as_bytes()).bytes(seed.as_bytes()).u8(code);
            (CIRCLE, writer.bytes(peer.as_bytes()).text(WHAT, name)?)
        }
        Fact::Lines { log, from, lines } => (
            LINES,
            put_lines(new.bytes(log.as_bytes()).u64(*from), lines)?,
        ),
        Fact::VoidLines { log, lines } => {
            (VOID_LINES, put_lines(new.bytes(log.as_bytes()), lines)?)
        }
        Fact::Evidence { rcp, evidence } => {
            let writer = new.bytes(rcp.as_bytes()).count(WHAT, evidence.len())?;
            (EVIDENCE, writer.bytes(evidence))
        }
        Fact::BranchLines { log, lines } => {
            (BRANCH_LINES, put_lines(new.bytes(log.as_bytes()), lines)?)
        }
        Fact::RestartAccepted { log } => (RESTART_ACCEPTED, new.bytes(log.as_bytes())),
        Fact::Rewound { log } => (REWOUND, new.bytes(log.as_bytes())),
        Fact::Head { log, note } => (HEAD, new.bytes(log.as_bytes()).text(WHAT, note)?),
        Fact::List { log, hash, .. } => (LIST, new.bytes(log.as_bytes()).bytes(hash.as_bytes())),
        Fact::Note { rcp, hash, .. } => (NOTE, new.bytes(rcp.as_bytes()).bytes(hash.as_bytes())),
        Fact::Reader { log, rcp } => (READER, new.bytes(log.as_bytes()).bytes(rcp.as_bytes())),
        Fact::Former { log, rcp, size } => (
            FORMER,
            new.bytes(log.as_bytes()).bytes(rcp.as_bytes()).u64(*size),
        ),
        Fact::Record { header, .. } => {
            let writer = new.count(WHAT, header.bytes.len())?.bytes(&header.bytes);
            (RECORD, writer.bytes(&header.signature))
        }
        Fact::Quarantine {
            rcp,
            record,
            version_hash,
            reason,
        } => {
            let writer = new.bytes(rcp.as_bytes()).bytes(record.as_bytes());
            (
                QUARANTINE,
                writer.bytes(version_hash.as_bytes()).text(WHAT, reason)?,
            )
        }
        Fact::Draft {
            record,
            kind,
            at,
            blob,
        } => {
            let writer = new.bytes(record.as_bytes()).u16(*kind).u64(at.0);
            (
                DRAFT,
                writer.bytes(domain::hash(Domain::Body, &[blob]).as_bytes()),
            )
        }
        Fact::DraftGone { record } => (DRAFT_GONE, new.bytes(record.as_bytes())),
        Fact::Step {
            record,
            taken,
            note,
        } => {
            let writer = new.bytes(record.as_bytes()).u8(taken.step.code());
            let writer = writer.u64(taken.at.0).text(WHAT, &taken.who)?;
            let writer = writer.u8(u8::from(note.is_some()));
            let hash = note
                .as_ref()
                .map(|note| domain::hash(Domain::Body, &[note]));
            let hash = hash.as_ref().map_or(&[][..], |hash| hash.as_bytes());
            (STEP, writer.bytes(hash))
        }
        Fact::Held { holder, note } => (HELD, new.bytes(holder.as_bytes()).text(WHAT, note)?),
        Fact::Met { rcp, at } => (MET, new.bytes(rcp.as_bytes()).u64(at.0)),
        Fact::Suspended { log, rcp, until } => (
            SUSPENDED,
            new.bytes(log.as_bytes()).bytes(rcp.as_bytes()).u64(until.0),
        ),
        Fact::Start { number } => (START, new.bytes(number.as_bytes())),
        Fact::Forget { rcp } => (FORGET, new.bytes(rcp.as_bytes())),
        Fact::PeerStart { rcp, start } => {
            let writer = new.bytes(rcp.as_bytes()).bytes(start.number.as_bytes());
            (PEER_START, writer.bytes(&start.signature))
        }
        Fact::Invitation { token, expires } => {
            (INVITATION, new.bytes(token.as_bytes()).u64(expires.0))
        }
        Fact::Redeemed { token } => (REDEEMED, new.bytes(token.as_bytes())),
        Fact::Accepted { rcp, token } => {
            (ACCEPTED, new.bytes(rcp.as_bytes()).bytes(token.as_bytes()))
        }
        Fact::Withdrawals { rcp, at, count } => {
            (WITHDRAWALS, new.bytes(rcp.as_bytes()).u64(at.0).u32(*count))
        }
        Fact::EraseNow { rcp } => (ERASE_NOW, new.bytes(rcp.as_bytes())),
        Fact::SigningStopped { reason } => (SIGNING_STOPPED, new.text(WHAT, reason)?),
        Fact::OtherCopyGone { at } => (OTHER_COPY_GONE, new.u64(at.0)),
        Fact::StartKnown { rcp, number } => (
            START_KNOWN,
            new.bytes(rcp.as_bytes()).bytes(number.as_bytes()),
        ),
        Fact::Restored { at } => (RESTORED, new.u64(at.0)),
        Fact::Compared { log } => (COMPARED, new.bytes(log.as_bytes())),
        Fact::Shown { log, incarnation } => (SHOWN, new.bytes(log.as_bytes()).u64(*incarnation)),
        Fact::SigningResumed { at } => (SIGNING_RESUMED, new.u64(at.0)),
    };
    Ok((kind, writer.finish()))
}

fn put_lines(mut writer: Writer, lines: &[Vec<u8>]) -> Result<Writer, Refusal> {
    writer = writer.count(WHAT, lines.len())?;
    for line in lines {
        writer = writer.count(WHAT, line.len())?.bytes(line);
    }
    Ok(writer)
}

/// A card as a blob: its signature, which nobody can guess and so hides the rest behind a hash, and
/// its layout.
fn card_blob(card: &SignedCard) -> Vec<u8> {
    [card.signature.as_slice(), &card.bytes].concat()
}

/// The card in a blob.
pub(crate) fn card_of(blob: &[u8]) -> Option<SignedCard> {
    let (signature, bytes) = blob.split_first_chunk()?;
    Some(SignedCard {
        bytes: bytes.to_vec(),
        signature: *signature,
    })
}

/// The fact with the content of its blob, where a fold needs it: cards and reader lists.
pub(crate) fn with_blob(fact: Fact, blob: Vec<u8>) -> Fact {
    match fact {
        Fact::List { log, hash, .. } => Fact::List { log, hash, blob },
        Fact::Card { rcp, card } => Fact::Card {
            rcp,
            card: card_of(&blob).unwrap_or(card),
        },
        fact => fact,
    }
}

/// The fact of a frame; content that lies in its blob is added by [`with_blob`].
///
/// # Errors
/// Whatever does not fit the layout; a kind that this version does not know is `UnknownFormat`.
pub(crate) fn fact(kind: u8, meta: &[u8]) -> Result<Fact, Refusal> {
    let limit = usize::try_from(META_BYTES_MAX).unwrap_or(usize::MAX);
    let mut read = Reader::new(WHAT, meta, limit)?;
    let fact = match kind {
        KEY_EVENT => Fact::KeyEvent {
            rcp: RcpId::new(read.array()?),
            event: SignedKeyEvent {
                bytes: counted(&mut read)?,
                recovery_signature: read.array()?,
                signing_signature: read.array()?,
            },
        },
        CARD => {
            let rcp = RcpId::new(read.array()?);
            read.take(32)?;
            Fact::Card {
                rcp,
                card: SignedCard {
                    bytes: Vec::new(),
                    signature: NO_SIGNATURE,
                },
            }
        }
        NAMED => Fact::Named {
            rcp: RcpId::new(read.array()?),
            name: read.text()?.to_owned(),
        },
        PEER => Fact::Peer {
            rcp: RcpId::new(read.array()?),
            state: state(&mut read)?,
            at: UnixMillis(read.u64()?),
        },
        CIRCLE => Fact::Circle {
            owner: RcpId::new(read.array()?),
            seed: LogSeed::new(read.array()?),
            sort: sort(&mut read)?,
            name: read.text()?.to_owned(),
        },
        LINES => Fact::Lines {
            log: LogId::new(read.array()?),
            from: read.u64()?,
            lines: lines(&mut read)?,
        },
        VOID_LINES => Fact::VoidLines {
            log: LogId::new(read.array()?),
            lines: lines(&mut read)?,
        },
        EVIDENCE => Fact::Evidence {
            rcp: RcpId::new(read.array()?),
            evidence: counted(&mut read)?,
        },
        BRANCH_LINES => Fact::BranchLines {
            log: LogId::new(read.array()?),
            lines: lines(&mut read)?,
        },
        RESTART_ACCEPTED => Fact::RestartAccepted {
            log: LogId::new(read.array()?),
        },
        REWOUND => Fact::Rewound {
            log: LogId::new(read.array()?),
        },
        HEAD => Fact::Head {
            log: LogId::new(read.array()?),
            note: read.text()?.to_owned(),
        },
        LIST => Fact::List {
            log: LogId::new(read.array()?),
            hash: Hash::new(read.array()?),
            blob: Vec::new(),
        },
        NOTE => Fact::Note {
            rcp: RcpId::new(read.array()?),
            hash: Hash::new(read.array()?),
            blob: Vec::new(),
        },
        FORMER => Fact::Former {
            log: LogId::new(read.array()?),
            rcp: RcpId::new(read.array()?),
            size: read.u64()?,
        },
        RECORD => Fact::Record {
            header: SignedHeader {
                bytes: counted(&mut read)?,
                signature: read.array()?,
            },
            blob: Vec::new(),
        },
        QUARANTINE => Fact::Quarantine {
            rcp: RcpId::new(read.array()?),
            record: RecordId::new(read.array()?),
            version_hash: Hash::new(read.array()?),
            reason: read.text()?.to_owned(),
        },
        DRAFT => {
            let (record, kind) = (RecordId::new(read.array()?), read.u16()?);
            let at = UnixMillis(read.u64()?);
            read.take(32)?;
            Fact::Draft {
                record,
                kind,
                at,
                blob: Vec::new(),
            }
        }
        READER => Fact::Reader {
            log: LogId::new(read.array()?),
            rcp: RcpId::new(read.array()?),
        },
        DRAFT_GONE => Fact::DraftGone {
            record: RecordId::new(read.array()?),
        },
        STEP => Fact::Step {
            record: RecordId::new(read.array()?),
            taken: Taken {
                step: step(&mut read)?,
                at: UnixMillis(read.u64()?),
                who: read.text()?.to_owned(),
                note: None,
            },
            note: note_of_step(&mut read)?,
        },
        HELD => Fact::Held {
            holder: RcpId::new(read.array()?),
            note: read.text()?.to_owned(),
        },
        MET => Fact::Met {
            rcp: RcpId::new(read.array()?),
            at: UnixMillis(read.u64()?),
        },
        SUSPENDED => Fact::Suspended {
            log: LogId::new(read.array()?),
            rcp: RcpId::new(read.array()?),
            until: UnixMillis(read.u64()?),
        },
        START => Fact::Start {
            number: StartNumber::new(read.array()?),
        },
        FORGET => Fact::Forget {
            rcp: RcpId::new(read.array()?),
        },
        PEER_START => Fact::PeerStart {
            rcp: RcpId::new(read.array()?),
            start: SignedStart {
                number: StartNumber::new(read.array()?),
                signature: read.array()?,
            },
        },
        INVITATION => Fact::Invitation {
            token: Hash::new(read.array()?),
            expires: UnixMillis(read.u64()?),
        },
        REDEEMED => Fact::Redeemed {
            token: Hash::new(read.array()?),
        },
        ACCEPTED => Fact::Accepted {
            rcp: RcpId::new(read.array()?),
            token: Token::new(read.array()?),
        },
        WITHDRAWALS => Fact::Withdrawals {
            rcp: RcpId::new(read.array()?),
            at: UnixMillis(read.u64()?),
            count: read.u32()?,
        },
        ERASE_NOW => Fact::EraseNow {
            rcp: RcpId::new(read.array()?),
        },
        SIGNING_STOPPED => Fact::SigningStopped {
            reason: read.text()?.to_owned(),
        },
        OTHER_COPY_GONE => Fact::OtherCopyGone {
            at: UnixMillis(read.u64()?),
        },
        START_KNOWN => Fact::StartKnown {
            rcp: RcpId::new(read.array()?),
            number: StartNumber::new(read.array()?),
        },
        RESTORED => Fact::Restored {
            at: UnixMillis(read.u64()?),
        },
        COMPARED => Fact::Compared {
            log: LogId::new(read.array()?),
        },
        SHOWN => Fact::Shown {
            log: LogId::new(read.array()?),
            incarnation: read.u64()?,
        },
        SIGNING_RESUMED => Fact::SigningResumed {
            at: UnixMillis(read.u64()?),
        },
        _ => return Err(read.refuse(Reason::UnknownFormat)),
    };
    read.finish()?;
    Ok(fact)
}

fn counted(read: &mut Reader<'_>) -> Result<Vec<u8>, Refusal> {
    let length = usize::from(read.u16()?);
    Ok(read.take(length)?.to_vec())
}

fn lines(read: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let count = read.u16()?;
    (0..count).map(|_| counted(read)).collect()
}

const fn state_code(state: PeerState) -> u8 {
    match state {
        PeerState::Invited => 1,
        PeerState::Pending => 2,
        PeerState::Active => 3,
        PeerState::Paused => 4,
        PeerState::Left => 5,
    }
}

fn state(read: &mut Reader<'_>) -> Result<PeerState, Refusal> {
    let code = read.u8()?;
    let found = PeerState::ALL
        .into_iter()
        .find(|state| state_code(*state) == code);
    found.ok_or_else(|| read.refuse(Reason::Malformed))
}

/// Whether anything was said to a step; what, lies in the blob.
fn note_of_step(read: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    match read.u8()? {
        0 => Ok(None),
        1 => read.take(32).map(|_| Some(Vec::new())),
        _ => Err(read.refuse(Reason::Malformed)),
    }
}

fn step(read: &mut Reader<'_>) -> Result<Step, Refusal> {
    let code = read.u8()?;
    let found = Step::ALL.into_iter().find(|step| step.code() == code);
    found.ok_or_else(|| read.refuse(Reason::Malformed))
}

const fn sort_code(sort: Sort) -> (u8, RcpId) {
    match sort {
        Sort::Public => (1, RcpId::ZERO),
        Sort::Open => (2, RcpId::ZERO),
        Sort::Closed => (3, RcpId::ZERO),
        Sort::Private(peer) => (4, peer),
    }
}

fn sort(read: &mut Reader<'_>) -> Result<Sort, Refusal> {
    let (code, peer) = (read.u8()?, RcpId::new(read.array()?));
    match code {
        1 if peer.is_zero() => Ok(Sort::Public),
        2 if peer.is_zero() => Ok(Sort::Open),
        3 if peer.is_zero() => Ok(Sort::Closed),
        4 => Ok(Sort::Private(peer)),
        _ => Err(read.refuse(Reason::Malformed)),
    }
}

/// Whether a blob is the one that its meta names; kinds without a blob always are.
pub(crate) fn blob_intact(kind: u8, meta: &[u8], blob: &[u8]) -> bool {
    let Ok(found) = fact(kind, meta) else {
        return false;
    };
    let parts = || unblob(blob);
    match found {
        Fact::Record { header, .. } => Header::decode(&header.bytes)
            .is_ok_and(|h| parts().is_some_and(|(s, body)| body_hash(&s, body) == h.body_hash)),
        Fact::List { hash, .. } => parts().is_some_and(|(s, list)| readers_hash(&s, list) == hash),
        Fact::Note { hash, .. } => parts().is_some_and(|(s, note)| note_hash(&s, note) == hash),
        Fact::Draft { .. } | Fact::Card { .. } | Fact::Step { note: Some(_), .. } => {
            meta.ends_with(domain::hash(Domain::Body, &[blob]).as_bytes().as_slice())
        }
        _ => blob.is_empty(),
    }
}

/// Salt and content of a blob, owned.
pub(crate) fn content(blob: &[u8]) -> Option<(Salt, Vec<u8>)> {
    unblob(blob).map(|(salt, content)| (salt, content.to_vec()))
}

#[cfg(test)]
mod tests;
