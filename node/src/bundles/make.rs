//! A bundle for a partner.

use std::io::{self, Write};

use corridor_proto::bundle::{BundleWriter, Header};
use corridor_proto::wire::Identity;
use corridor_proto::{BundleId, RcpId, v1};
use corridor_rules::PeerState;
use corridor_rules::bundle::Writing;

use super::{BundleError, Bundles, seal, told};
use crate::edge;
use crate::exchange::drive::in_context;

/// What a bundle is to be.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// For whom.
    pub receiver: RcpId,
    /// Whether all that it may read is to be in it, or only what it has not confirmed to hold.
    pub everything: bool,
    /// Whether a person says that this node is the newest there is.
    pub not_heard_from: bool,
}

/// A bundle that may be made.
#[derive(Debug)]
pub struct Ready {
    header: Header,
    identity: Identity,
    everything: bool,
    called: String,
}

/// Counts what passes.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Bundles {
    /// Whether a bundle may be made: for an active partner whose card is here, by a node that
    /// signs, and only if the partner has shown what it holds since this node started, or a person
    /// says that nothing newer exists (PROTOCOL.md, "Bundles").
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn ready(&self, order: &Order) -> Result<Ready, BundleError> {
        let Order { receiver, .. } = *order;
        let called = self.called(&receiver);
        let id = edge::random().map_err(BundleError::NoRandomness)?;
        let heard = || self.exchange.statuses.of(&receiver).has_shown;
        self.exchange.store.read(|view| {
            match view.peer_state(&receiver) {
                None => return Err(BundleError::NoPartner(receiver)),
                Some(PeerState::Active) => {}
                Some(_) => return Err(BundleError::NotActive(called)),
            }
            if view.signing_stopped.is_some() || !view.may_exchange() {
                return Err(BundleError::SigningStopped);
            }
            if !order.not_heard_from && !heard() {
                return Err(BundleError::NotHeardFrom(called));
            }
            let card = view
                .known
                .get(&receiver)
                .and_then(|known| known.card.as_ref());
            let Some(card) = card else {
                return Err(BundleError::NoCard(called));
            };
            let me = view.known.get(&view.me);
            let identity = me.and_then(|known| {
                let (charter, card) = (known.charter.clone(), known.card.clone()?);
                Some(Identity { charter, card })
            });
            let identity = identity.ok_or(BundleError::SigningStopped)?;
            Ok(Ready {
                header: Header {
                    sender: view.me,
                    key_seq: identity.charter.current_seq(),
                    receiver,
                    bundle_key: card.card().bundle_key,
                    made: edge::now(),
                    id: BundleId::new(id),
                    start: view.start,
                },
                identity,
                everything: order.everything,
                called,
            })
        })
    }

    /// Writes a bundle, encrypted; gives what is in it. Not for asynchronous threads.
    ///
    /// # Errors
    /// [`BundleError`]; what was written so far is not to be handed over.
    pub fn make(&self, ready: Ready, output: impl Write) -> Result<v1::Bundle, BundleError> {
        let Ready {
            header,
            identity,
            everything,
            called,
        } = ready;
        let lost = || BundleError::RightLost(called.clone());
        let key = self.exchange.store.key();
        let counted = Counted {
            to: output,
            bytes: 0,
        };
        let mut output = seal::encryptor(&header.bundle_key, counted)?;
        let (mut writer, first) = BundleWriter::begin(identity.message(), &header, &key)?;
        output.write_all(&first).map_err(BundleError::Output)?;
        let mut writing = Writing::new(header.receiver, everything);
        while let Some(parts) =
            in_context(&self.exchange, |context| writing.next(context)).map_err(|_| lost())?
        {
            for part in parts {
                let bytes = writer.part(part)?;
                output.write_all(&bytes).map_err(BundleError::Output)?;
            }
            if *self.exchange.stopped.borrow() {
                return Err(BundleError::NodeEnds);
            }
        }
        // A rotation meanwhile makes the header one of a retired key.
        let now = self.exchange.store.read(|view| {
            let seq = view.charter(&view.me).map(|charter| charter.current_seq());
            seq == Some(header.key_seq)
        });
        if !now {
            return Err(lost());
        }
        // The last parts may have waited long for whoever takes them.
        if !in_context(&self.exchange, |context| writing.holds(context)) {
            return Err(lost());
        }
        let (end, parts) = writer.end(&key)?;
        output.write_all(&end).map_err(BundleError::Output)?;
        let output = output.finish().map_err(BundleError::Output)?;
        self.exchange.store.read(|view| {
            Ok(v1::Bundle {
                bytes: output.bytes,
                parts,
                circles: told::written(view, &writing),
                receipts: writing.receipts(),
                evidence: writing.evidence(),
                ..told::header(view, &header)
            })
        })
    }
}
