//! One simulated node: durable groups of facts, and what they add up to.
//!
//! Only the groups survive a crash; model, rows, lines and blobs are folded from them again.

use corridor_proto::card::{Card, SignedCard};
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::key::SecretKey;
use corridor_proto::wire::Identity;
use corridor_proto::{Hash, RcpId, UnixMillis};
use corridor_rules::desk::{self, Desk, DeskRefusal, Wish};
use corridor_rules::link::Context;
use corridor_rules::{Effect, Fact, Model, Place, brake};

use super::rng::Rng;
use super::store::Store;

/// A node.
pub struct Node {
    /// Whose.
    pub rcp: RcpId,
    /// The durable groups.
    pub journal: Vec<Vec<Fact>>,
    /// The fold of the groups.
    pub model: Model,
    /// Rows, lines and blobs.
    pub store: Store,
    seed: u8,
    keys: Vec<SecretKey>,
}

fn signing_key(seed: u8, seq: u8) -> SecretKey {
    SecretKey::from_seed(&[[seed, seq, 1, 7].repeat(8).try_into().expect("32")][0])
}

/// The recovery key of a node after so many rotations; `seed` as in [`Node::new`].
pub fn recovery_key(seed: u8, seq: u8) -> SecretKey {
    SecretKey::from_seed(&[[seed, seq, 2, 7].repeat(8).try_into().expect("32")][0])
}

fn card(charter: &Charter, serial: u64, key: &SecretKey) -> SignedCard {
    let card = Card {
        rcp: charter.rcp(),
        key_seq: charter.current_seq(),
        serial,
        tls_key: Hash::new([3; 32]),
        bundle_key: [4; 32],
        versions: vec![1],
        names: vec![("en".into(), format!("RCP {}", charter.rcp()))],
        addresses: Vec::new(),
    };
    card.sign(key).expect("card")
}

impl Node {
    /// A new node; `seed` tells its keys from those of the others.
    pub fn new(seed: u8, now: UnixMillis, rng: &mut Rng) -> Self {
        let key = signing_key(seed, 0);
        let event = SignedKeyEvent::inception(&key, &recovery_key(seed, 0));
        let charter = Charter::verify(vec![event]).expect("charter");
        let card = card(&charter, now.0, &key);
        let facts = desk::begin(&charter, &card, now, &mut |b| rng.fill(b), &key).expect("begin");
        let mut node = Self {
            rcp: charter.rcp(),
            journal: Vec::new(),
            model: Model::new(charter.rcp()),
            store: Store::default(),
            seed,
            keys: vec![key],
        };
        node.store.chunk = usize::MAX / 2;
        node.append(facts);
        node.start(now, rng);
        node
    }

    /// Makes a group durable and takes it in.
    pub fn append(&mut self, facts: Vec<Fact>) {
        self.journal.push(facts);
        self.fold(self.journal.len() - 1);
    }

    fn fold(&mut self, group: usize) {
        let facts = std::mem::take(&mut self.journal[group]);
        self.model.revision += 1;
        let mut erase = Vec::new();
        for (offset, fact) in facts.iter().enumerate() {
            let place = Place {
                segment: u32::try_from(group).expect("segment"),
                generation: 0,
                offset: u64::try_from(offset).expect("offset"),
            };
            self.store.keep(fact, place);
            let effects = self.model.apply(Some(&mut self.store), fact, place);
            self.store.follow(fact, &self.model);
            for Effect::Erase(place) in effects {
                self.store.erase(place);
                erase.push(place);
            }
        }
        self.journal[group] = facts;
        for place in erase {
            let group = usize::try_from(place.segment).expect("segment");
            let offset = usize::try_from(place.offset).expect("offset");
            match &mut self.journal[group][offset] {
                Fact::Record { blob, .. }
                | Fact::List { blob, .. }
                | Fact::Note { blob, .. }
                | Fact::Draft { blob, .. } => blob.fill(0),
                Fact::Card { card, .. } => card.bytes.clear(),
                other => panic!("erased a place without a blob: {other:?}"),
            }
        }
    }

    /// Forgets everything but the durable groups and folds them from the first.
    pub fn rebuild(&mut self, chunk: usize) {
        self.model = Model::new(self.rcp);
        self.store = Store::default();
        self.store.chunk = chunk;
        for group in 0..self.journal.len() {
            self.fold(group);
        }
    }

    /// A start after a rebuild: its random number is durable before anything is said.
    pub fn start(&mut self, now: UnixMillis, rng: &mut Rng) {
        let mut number = [0; 16];
        rng.fill(&mut number);
        let number = corridor_proto::StartNumber::new(number);
        let facts = self
            .decide(Wish::Start { number }, now, rng)
            .expect("start");
        self.append(facts);
    }

    /// A copy with nothing but the durable groups, folded.
    pub fn folded_again(&self) -> Self {
        let mut copy = self.copy();
        copy.rebuild(self.store.chunk);
        copy
    }

    /// Carries out a wish.
    ///
    /// # Errors
    /// The desk's refusal.
    pub fn wish(&mut self, wish: Wish, now: UnixMillis, rng: &mut Rng) -> Result<(), DeskRefusal> {
        let facts = self.decide(wish, now, rng)?;
        self.append(facts);
        Ok(())
    }

    /// A copy with its keys, as it is.
    pub fn copy(&self) -> Self {
        let seqs = 0..u8::try_from(self.keys.len()).expect("few keys");
        Self {
            rcp: self.rcp,
            journal: self.journal.clone(),
            model: self.model.clone(),
            store: self.store.clone(),
            seed: self.seed,
            keys: seqs.map(|seq| signing_key(self.seed, seq)).collect(),
        }
    }

    /// What a backup of its first groups makes of it: it signs nothing until it is restarted.
    pub fn restored(&self, groups: usize, now: UnixMillis, rng: &mut Rng) -> Self {
        let mut node = self.copy();
        node.journal.truncate(groups);
        node.rebuild(self.store.chunk);
        node.append(vec![
            Fact::Restored { at: now },
            Fact::OtherCopyGone { at: now },
        ]);
        node.start(now, rng);
        node
    }

    /// Decides a wish; nothing is durable yet.
    ///
    /// # Errors
    /// The desk's refusal.
    pub fn decide(
        &self,
        wish: Wish,
        now: UnixMillis,
        rng: &mut Rng,
    ) -> Result<Vec<Fact>, DeskRefusal> {
        // The new key signs the heads of all logs again.
        let key = match wish {
            Wish::Rotate { .. } => self.keys.last().expect("a key"),
            _ => self.key(),
        };
        let mut desk = Desk {
            model: &self.model,
            rows: &self.store,
            now,
            random: &mut |bytes| rng.fill(bytes),
            key,
        };
        desk.decide(wish)
    }

    /// What time alone, or void lines, have it do.
    pub fn due(&self, now: UnixMillis, rng: &mut Rng) -> Vec<Fact> {
        let mut desk = Desk {
            model: &self.model,
            rows: &self.store,
            now,
            random: &mut |bytes| rng.fill(bytes),
            key: self.key(),
        };
        let repeated = desk.repeat().expect("repeated");
        [brake::due(&self.model, now), repeated].concat()
    }

    /// What a link may look at.
    pub fn context<'a>(
        &'a self,
        now: UnixMillis,
        linked: &'a dyn Fn(&RcpId) -> bool,
    ) -> Context<'a> {
        Context {
            model: &self.model,
            source: &self.store,
            now,
            key: self.key(),
            all_erased: true,
            linked,
        }
    }

    fn charter(&self) -> &Charter {
        self.model.charter(&self.rcp).expect("own charter")
    }

    fn key(&self) -> &SecretKey {
        &self.keys[usize::try_from(self.charter().current_seq()).expect("seq")]
    }

    /// Charter and card, to be handed to somebody.
    pub fn identity(&self) -> Identity {
        let known = &self.model.known[&self.rcp];
        Identity {
            charter: known.charter.clone(),
            card: known.card.clone().expect("own card"),
        }
    }

    /// A new card under the same key.
    pub fn renewed_card(&self, now: UnixMillis) -> SignedCard {
        let old = self.identity().card.card().serial;
        card(self.charter(), now.0.max(old + 1), self.key())
    }

    /// A new key, and the card under it.
    pub fn rotation(&mut self, now: UnixMillis) -> (SignedKeyEvent, SignedCard) {
        let charter = self.charter().clone();
        let seq = u8::try_from(charter.current_seq()).expect("seq");
        if self.keys.len() == usize::from(seq) + 1 {
            self.keys.push(signing_key(self.seed, seq + 1));
        }
        let new = &self.keys[usize::from(seq) + 1];
        let next = recovery_key(self.seed, seq + 1).public_bytes();
        let revealed = recovery_key(self.seed, seq);
        let event = SignedKeyEvent::rotation(&charter, &revealed, new, &next, None);
        let event = event.expect("rotation");
        let mut after = charter;
        after.push(event.clone()).expect("push");
        (event, card(&after, now.0, new))
    }
}
