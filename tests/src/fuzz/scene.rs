//! Two nodes that know each other, with something to say and something to hide.

use std::sync::LazyLock;

use corridor_proto::line::WithdrawalReason;
use corridor_proto::wire::{proof_message, record_message};
use corridor_proto::{LogId, RcpId, RecordId, Token, UnixMillis, v1};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::serve::{self, Source};

use crate::sim::node::Node;
use crate::sim::rng::Rng;

/// When a scene begins.
pub const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// The two nodes, and what must not be said.
pub struct Scene {
    /// The node that is tested.
    pub us: Node,
    /// Its partner, which holds some of it already.
    pub peer: Node,
    /// Bytes that no frame to the partner may hold.
    pub secrets: Vec<Vec<u8>>,
    /// The node that is tested, as a backup from the midst of it makes it.
    pub restored: Node,
}

/// The scene, made once.
pub static SCENE: LazyLock<Scene> = LazyLock::new(make);

struct Making {
    rng: Rng,
    now: UnixMillis,
}

impl Making {
    fn wish(&mut self, node: &mut Node, wish: Wish) {
        self.now = self.now.plus(1);
        let facts = node.decide(wish, self.now, &mut self.rng);
        let facts = facts.expect("a wish that can be met");
        if !facts.is_empty() {
            node.append(facts);
        }
    }

    fn pair(&mut self, one: &mut Node, other: &mut Node) {
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        let token = Token::new(bytes);
        let (inviter, acceptor) = (one.rcp, other.rcp);
        self.wish(one, Wish::Invite { token });
        let identity = Box::new(one.identity());
        self.wish(other, Wish::Accept { identity, token });
        let identity = Box::new(other.identity());
        self.wish(one, Wish::Redeem { identity, token });
        self.wish(other, Wish::Answered { rcp: inviter });
        self.wish(one, Wish::Confirm { rcp: acceptor });
        self.wish(other, Wish::Confirm { rcp: inviter });
    }

    fn publish(&mut self, node: &mut Node, record: u8, body: &[u8], circle: LogId) {
        let wish = Wish::Publish(ToPublish {
            record: RecordId::new([record; 16]),
            kind: 1,
            body: body.to_vec(),
            links: Vec::new(),
            circles: Some(vec![circle]),
            draft: None,
            hand: None,
        });
        self.wish(node, wish);
    }

    fn withdraw(&mut self, node: &mut Node, record: u8) {
        let wish = Wish::Withdraw {
            record: RecordId::new([record; 16]),
            up_to: None,
            reason: WithdrawalReason::Error,
            note: Some(b"a note".to_vec()),
            replacement: None,
        };
        self.wish(node, wish);
    }

    fn circle(&mut self, node: &mut Node, name: &str, reader: RcpId) -> LogId {
        let wish = Wish::OpenCircle {
            name: name.to_owned(),
            open: true,
            relay: false,
        };
        self.wish(node, wish);
        let log = node.model.circle(name).expect("a circle").id;
        let readers = [(reader, UnixMillis(0))].into();
        self.wish(node, Wish::SetReaders { log, readers });
        log
    }
}

fn make() -> Scene {
    let mut making = Making {
        rng: Rng::new(11),
        now: UnixMillis(NOW.0 - 1_000_000),
    };
    let mut nodes = [1, 2, 3].map(|seed| Node::new(seed, making.now, &mut making.rng));
    let [us, peer, third] = &mut nodes;
    making.pair(us, peer);
    making.pair(us, third);
    let (ours, theirs) = (LogId::public(&us.rcp), LogId::public(&peer.rcp));
    making.publish(us, 1, b"the first", ours);
    making.publish(us, 2, b"to be withdrawn", ours);
    making.publish(peer, 11, b"of the partner", theirs);
    let drafting = making.circle(us, "drafting", peer.rcp);
    making.publish(us, 3, b"for readers", drafting);
    let backed_up = us.journal.len();
    making.publish(us, 1, b"the first, revised", ours);
    making.withdraw(us, 2);
    let secret = making.circle(us, "of-the-third", third.rcp);
    making.publish(us, 44, b"NOT FOR THE PARTNER", secret);
    let private = peer
        .model
        .private_log(&us.rcp)
        .expect("a private circle")
        .id;
    making.publish(peer, 12, b"for us alone", private);
    making.publish(peer, 13, b"also withdrawn", theirs);
    making.withdraw(peer, 13);
    let secrets = vec![
        b"NOT FOR THE PARTNER".to_vec(),
        b"of-the-third".to_vec(),
        secret.as_bytes().to_vec(),
        us.model.logs[&secret].seed.as_bytes().to_vec(),
        [44; 16].to_vec(),
        third.rcp.as_bytes().to_vec(),
    ];
    let restored = us.restored(backed_up, making.now, &mut making.rng);
    let [us, peer, _] = nodes;
    Scene {
        us,
        peer,
        secrets,
        restored,
    }
}

/// The record whose proof a client asks for: whose, which, and its body.
pub fn proved() -> (RcpId, RecordId, &'static [u8]) {
    (SCENE.us.rcp, RecordId::new([1; 16]), b"the first, revised")
}

/// The proof of that record.
pub fn proof() -> v1::ProveRecordResponse {
    let us = &SCENE.us;
    let (_, record, _) = proved();
    let log = &us.model.logs[&LogId::public(&us.rcp)];
    let key = corridor_rules::RecordKey {
        rcp: us.rcp,
        record,
    };
    let index = us.store.rows[&key].stand(&log.id).expect("it stands").index;
    let head = log.held_head.as_ref().expect("a head");
    let signed = serve::record_at(&us.store, log, index).expect("a record");
    let item = record_message(index, signed);
    let line = us.store.lines(&log.id, index, index + 1).remove(0);
    let path = log.tree.inclusion(index, head.checkpoint.size);
    v1::ProveRecordResponse {
        identity: Some(us.identity().message()),
        raw: Some(v1::RawRecord {
            header: item.header,
            signature: item.signature,
            salt: item.salt,
            body: item.body,
        }),
        seed: log.seed.as_bytes().to_vec(),
        index,
        line,
        proof: proof_message(&path.expect("a path")),
        checkpoint: head.note.clone().into_bytes(),
    }
}
