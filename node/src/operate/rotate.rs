//! Replacing the signing key with the recovery key, while the node is stopped.

use std::path::Path;
use std::sync::Arc;

use corridor_proto::charter::SignedKeyEvent;
use corridor_rules::desk::Wish;
use corridor_store::{Item, Signer};

use super::config::Config;
use super::files::FileError;
use super::init::{InitError, fresh_key, read_recovery, sign_card, write_recovery};
use super::keys::KeyFolder;
use crate::edge;

/// Replaces the signing key of the node in `data`.
///
/// `recovery` is the present recovery key; a new one is written to `next_recovery`.
/// `compromised_since` declares the keys from that event on compromised.
///
/// The new keys are durable first, then the key event; then the new signing key takes the place of
/// the old one. If a crash comes between the last two, the next start finishes it.
///
/// # Errors
/// [`InitError`]; nothing has changed then.
pub fn rotate(
    data: &Path,
    recovery: &Path,
    next_recovery: &Path,
    compromised_since: Option<u32>,
) -> Result<u32, InitError> {
    let folder = KeyFolder::of(data);
    let config = Config::read(data)?;
    let keys = folder.read()?;
    let signer = Arc::new(Signer::new(keys.signing));
    let (store, _) = corridor_store::open(data, signer, &mut |_, _| {})?;
    let io = |source| FileError::io(data, source);
    let me = store.read(|view| view.me);
    let known = store.read(|view| view.known.get(&me).cloned());
    let unknown = || FileError::Content {
        path: data.to_owned(),
        what: "the folder of a node",
    };
    let known = known.ok_or_else(unknown)?;
    let old_recovery = read_recovery(recovery)?;
    let (signing, next) = (fresh_key().map_err(io)?, fresh_key().map_err(io)?);
    let event = SignedKeyEvent::rotation(
        &known.charter,
        &old_recovery,
        &signing,
        &next.public_bytes(),
        compromised_since,
    )?;
    let mut charter = known.charter.clone();
    charter.push(event.clone())?;
    let serial = known.card.as_ref().map_or(0, |card| card.card().serial);
    let card = sign_card(data, &charter, &config, &signing, serial, edge::now())?;
    write_recovery(next_recovery, &me, &next)?;
    folder.prepare_signing(&signing)?;
    let signing = Arc::new(signing);
    let wish = Wish::Rotate { event, card };
    store.append_blocking(Item::Rotation(wish, Arc::clone(&signing)), edge::now())?;
    folder.adopt_signing()?;
    store.close()?;
    Ok(charter.current_seq())
}
