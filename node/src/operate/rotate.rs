//! Replacing the signing key with the recovery key, while the node is stopped.

use std::path::Path;
use std::sync::Arc;

use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::key::SecretKey;
use corridor_proto::{RcpId, Reason};
use corridor_rules::desk::{Desk, Wish};
use corridor_rules::ingest::{Arrival, JOURNAL_LOST_ITS_END};
use corridor_store::{Item, Signer, Store};

use super::config::Config;
use super::files::{FileError, remove};
use super::init::{InitError, apart, fresh_key, read_recovery, sign_card, write_recovery};
use super::keys::KeyFolder;
use crate::edge;

/// Replaces the signing key of the node in `data`.
///
/// `recovery` is the present recovery key; a new one is written to `next_recovery`.
/// `compromised_since` declares the keys from that event on compromised.
///
/// All is decided before anything is written. Then the new keys are durable first, then the key
/// event; then the new signing key takes the place of the old one. If a crash comes between the
/// last two, the next start finishes it.
///
/// # Errors
/// [`InitError`]; nothing has changed then, but with [`InitError::RotationUnknown`].
pub fn rotate(
    data: &Path,
    recovery: &Path,
    next_recovery: &Path,
    compromised_since: Option<u32>,
) -> Result<u32, InitError> {
    apart(next_recovery, data)?;
    let folder = KeyFolder::of(data);
    let config = Config::read(data)?;
    let signer = Arc::new(Signer::new(folder.read()?.signing));
    let (store, opening) = corridor_store::open(data, signer, &mut |_, _| {})?;
    if opening.lost_its_end {
        let reason = JOURNAL_LOST_ITS_END;
        let stopped = Item::Arrival(Arrival::StopSigning { reason });
        store.append_blocking(stopped, edge::now())?;
    }
    let rotated = decide(data, &store, &config, recovery, compromised_since)
        .and_then(|rotation| rotation.carry_out(&store, &folder, next_recovery));
    // The folder must be free again before the caller hears of it.
    let closed = store.close();
    let seq = rotated?;
    if let Err(error) = closed {
        // The rotation stands all the same, and the next start rebuilds the index.
        tracing::warn!(%error, "the index was not written out");
    }
    Ok(seq)
}

/// A rotation that may be carried out.
struct Rotation {
    me: RcpId,
    charter: Charter,
    wish: Wish,
    signing: Arc<SecretKey>,
    next_recovery: SecretKey,
}

/// Decides, and changes nothing.
fn decide(
    data: &Path,
    store: &Store,
    config: &Config,
    recovery: &Path,
    compromised_since: Option<u32>,
) -> Result<Rotation, InitError> {
    let io = |source| FileError::io(data, source);
    let me = store.read(|view| view.me);
    let known = store.read(|view| view.known.get(&me).cloned());
    let unknown = || FileError::Content {
        path: data.to_owned(),
        what: "the folder of a node",
    };
    let known = known.ok_or_else(unknown)?;
    let current = known.charter.key("charter", known.charter.current_seq())?;
    if current.to_bytes() != store.key().public_bytes() {
        return Err(InitError::HalfRotated(data.to_owned()));
    }
    let (signing, next_recovery) = (fresh_key().map_err(io)?, fresh_key().map_err(io)?);
    let (event, charter) = rotation(
        &known.charter,
        recovery,
        &signing,
        &next_recovery,
        compromised_since,
    )?;
    let serial = known.card.as_ref().map_or(0, |card| card.card().serial);
    let card = sign_card(data, &charter, config, &signing, serial, edge::now())?;
    let wish = Wish::Rotate { event, card };
    store.read(|view| {
        Desk {
            model: view,
            rows: view,
            now: edge::now(),
            random: &mut |bytes| bytes.fill(1),
            key: &signing,
        }
        .decide(wish.clone())
    })?;
    Ok(Rotation {
        me,
        charter,
        wish,
        signing: Arc::new(signing),
        next_recovery,
    })
}

/// The key event that replaces the signing key with the key in `recovery`, and the charter with it.
/// Nothing is written.
///
/// # Errors
/// [`InitError`] if that is not the present recovery key.
pub(super) fn rotation(
    charter: &Charter,
    recovery: &Path,
    signing: &SecretKey,
    next_recovery: &SecretKey,
    compromised_since: Option<u32>,
) -> Result<(SignedKeyEvent, Charter), InitError> {
    let old = read_recovery(recovery)?;
    let next = next_recovery.public_bytes();
    let event = SignedKeyEvent::rotation(charter, &old, signing, &next, compromised_since);
    let mut charter = charter.clone();
    let pushed = event.and_then(|event| charter.push(event.clone()).map(|()| event));
    let event = pushed.map_err(|refusal| match refusal.reason {
        Reason::WrongRecoveryKey => InitError::File(FileError::Content {
            path: recovery.to_owned(),
            what: "the present recovery key of this node",
        }),
        _ => refusal.into(),
    })?;
    Ok((event, charter))
}

impl Rotation {
    fn carry_out(
        self,
        store: &Store,
        folder: &KeyFolder,
        next_recovery: &Path,
    ) -> Result<u32, InitError> {
        let (me, seq) = (self.me, self.charter.current_seq());
        write_recovery(next_recovery, &me, &self.next_recovery)?;
        let prepared = folder.prepare_signing(&self.signing);
        let appended = prepared.map_err(InitError::from).and_then(|()| {
            let item = Item::Rotation(self.wish, self.signing);
            store.append_blocking(item, edge::now())?;
            Ok(())
        });
        let current = store.read(|view| view.charter(&me).map(Charter::current_seq));
        let unknown = |why: InitError| InitError::RotationUnknown {
            seq,
            next_recovery: next_recovery.to_owned(),
            why: Box::new(why),
        };
        match appended {
            Err(error) if current != Some(seq) && is_final(&error) => return Err(unknown(error)),
            Err(error) if current != Some(seq) => {
                // Nothing was appended, so neither file counts for anything.
                let forgotten = folder.forget_next_signing();
                remove(next_recovery)?;
                forgotten?;
                return Err(error);
            }
            _ => {}
        }
        folder
            .adopt_signing()
            .map_err(|error| unknown(error.into()))?;
        Ok(seq)
    }
}

/// Whether nobody knows what of it is on the disk.
const fn is_final(error: &InitError) -> bool {
    matches!(error, InitError::Store(error) if error.is_final())
}
