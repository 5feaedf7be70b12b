//! A bundle, read to its end before anything of it counts.

use std::fs::File;
use std::io::{BufReader, Seek};

use age::stream::StreamReader;
use age::{DecryptError, x25519};
use corridor_proto::bundle::{BundleReader, Header, Opening, Part};
use corridor_proto::charter::{Charter, Relation};
use corridor_proto::wire::Identity;
use corridor_proto::{RcpId, Reason, Refusal, v1};
use corridor_rules::bundle::Look;
use corridor_rules::ingest::{Arrival, judge};
use corridor_store::Item;

use super::{BundleError, Bundles, read_error, seal, told};
use crate::edge;
use crate::operate::files::FileError;

/// The clear text of a file.
pub(super) type Clear<'a> = BundleReader<StreamReader<BufReader<&'a File>>>;

/// A bundle that has proved itself: it is whole, for this node, and its sender's.
pub struct Proved {
    /// Who made it, and for whom.
    pub(super) header: Header,
    /// Its sender, as it introduces itself.
    pub(super) identity: Identity,
    /// The newest charter of its sender.
    pub(super) charter: Charter,
    /// What it would bring.
    pub(super) look: Look,
    /// Parts in it.
    pub(super) parts: u64,
}

impl Proved {
    /// Who made it.
    pub const fn sender(&self) -> RcpId {
        self.header.sender
    }
}

impl Bundles {
    /// What is told of a bundle before it is taken in: what it is, and what it would bring.
    ///
    /// # Errors
    /// [`BundleError::File`].
    pub fn tell(&self, file: &File, proved: &Proved) -> Result<v1::Bundle, BundleError> {
        let bytes = file.metadata().map(|file| file.len());
        let bytes = bytes.map_err(|source| FileError::io(&self.data, source))?;
        Ok(self.exchange.store.read(|view| v1::Bundle {
            bytes,
            parts: proved.parts,
            circles: told::found(view, &proved.header.sender, proved.look.circles()),
            receipts: proved.look.receipts(),
            evidence: proved.look.evidence(),
            remark: told::remark(view, &proved.header.sender, &proved.look),
            texts_missing: told::missing(view, &proved.header.sender),
            ..told::header(view, &proved.header)
        }))
    }

    /// The clear text of a bundle, from its first part on.
    pub(super) fn clear<'a>(
        &self,
        mut file: &'a File,
        key: &x25519::Identity,
    ) -> Result<(Clear<'a>, Opening), BundleError> {
        let io = |source| FileError::io(&self.data, source);
        file.rewind().map_err(io)?;
        let clear = seal::decrypt(key, BufReader::new(file)).map_err(|error| match error {
            DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => {
                BundleError::ForAnother("another node".to_owned())
            }
            error => BundleError::Damaged(error.to_string()),
        })?;
        BundleReader::begin(clear).map_err(|error| read_error(error, 0))
    }

    /// Reads a bundle from its first byte to its last. Not for asynchronous threads. `takes_in`:
    /// that its sender's charter forks, if it does, is kept as evidence.
    ///
    /// # Errors
    /// [`BundleError`]: nothing else of it counts then.
    pub fn prove(&self, file: &File, takes_in: bool) -> Result<Proved, BundleError> {
        let key = seal::identity(&self.keys)?;
        let (mut reader, opening) = self.clear(file, &key)?;
        let header = opening.header;
        let (identity, charter) = self.introduced(&opening, takes_in)?;
        let mut look = self
            .exchange
            .store
            .read(|view| Look::new(view, header.sender));
        loop {
            let behind = reader.parts();
            let part = reader.next(&charter);
            let Some(part) = part.map_err(|error| read_error(error, behind))? else {
                break;
            };
            let unverified = self.exchange.store.read(|view| match part {
                Part::Session(frame) => {
                    look.session(view, &charter, &frame);
                    None
                }
                Part::Carry(frame) => look.carry(view, &charter, frame),
                Part::Unknown => None,
            });
            if let Some(unverified) = unverified {
                let log = unverified.log;
                look.judged(&log, &judge(&charter, unverified));
            }
            if *self.exchange.stopped.borrow() {
                return Err(BundleError::NodeEnds);
            }
        }
        Ok(Proved {
            header,
            identity,
            charter,
            look,
            parts: reader.parts(),
        })
    }

    /// That a bundle is for this node, and from a partner whose charter signed it.
    fn introduced(
        &self,
        opening: &Opening,
        takes_in: bool,
    ) -> Result<(Identity, Charter), BundleError> {
        let header = &opening.header;
        let (me, known, state) = self.exchange.store.read(|view| {
            let known = view.charter(&header.sender).cloned();
            (view.me, known, view.peer_state(&header.sender))
        });
        let ours = self.keys.bundle_public()?;
        if header.receiver != me || header.bundle_key != ours {
            return Err(BundleError::ForAnother(self.called(&header.receiver)));
        }
        let sender = self.called(&header.sender);
        if state.is_none() {
            return Err(BundleError::FromStranger(sender));
        }
        let banned = self.exchange.budgets.banned_ms(header.sender, edge::now());
        if banned > 0 {
            return Err(BundleError::TooMuchRefused(sender));
        }
        if Identity::claimed(&opening.identity) != Some(header.sender) {
            return Err(Refusal::new("bundle header", Reason::WrongRcp).into());
        }
        let identity = Identity::verify_beside(opening.identity.clone(), known.as_ref())?;
        let charter = match known {
            Some(known) => match known.compare(&identity.charter) {
                Relation::Longer => identity.charter.clone(),
                Relation::Fork { .. } | Relation::OtherRcp => {
                    if takes_in {
                        // It proves itself, whoever brought it.
                        let arrival = Arrival::Identity(Box::new(identity));
                        let store = &self.exchange.store;
                        store.append_blocking(Item::Arrival(arrival), edge::now())?;
                    }
                    return Err(Refusal::new("charter", Reason::BrokenChain).into());
                }
                Relation::Same | Relation::Shorter => known,
            },
            None => identity.charter.clone(),
        };
        opening.verify(&charter)?;
        Ok((identity, charter))
    }
}
