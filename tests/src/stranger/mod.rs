//! A partner's node that a test leads: it has keys of its own and speaks the protocol, honestly or
//! not.
//!
//! [`papers`] are what it shows in TLS, [`wire`] is a link over a real connection, [`log`] its own
//! circle, [`host`] a listener that notes what is said to it, and [`frames`] HTTP/2 as nobody
//! should speak it. **Invariant:** it knows nothing of a node but what the node sends.

pub mod frames;
pub mod host;
pub mod log;
pub mod papers;
pub mod wire;

use anyhow::Result;
use corridor_node::edge;
use corridor_node::operate::init::fresh_key;
use corridor_proto::card::Card;
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::key::SecretKey;
use corridor_proto::limits::PROTOCOL_VERSION;
use corridor_proto::start::sign_start;
use corridor_proto::wire::{Identity, Invitation};
use corridor_proto::{Hash, RcpId, StartNumber, Token, v1};

use crate::nodes::Office;
use papers::Papers;
use wire::{Line, Wire};

/// An RCP whose node the test leads.
pub struct Stranger {
    /// Its RCP.
    pub rcp: RcpId,
    /// Its charter.
    pub charter: Charter,
    /// Its signing key.
    pub signing: SecretKey,
    /// What it shows in TLS.
    pub papers: Papers,
    addresses: Vec<String>,
    serial: u64,
}

impl Stranger {
    /// One that only dials.
    pub fn new() -> Result<Self> {
        Self::at(Vec::new())
    }

    /// One whose card names these addresses.
    pub fn at(addresses: Vec<String>) -> Result<Self> {
        let signing = fresh_key()?;
        let event = SignedKeyEvent::inception(&signing, &fresh_key()?);
        let charter = Charter::verify(vec![event])?;
        let rcp = charter.rcp();
        Ok(Self {
            rcp,
            charter,
            signing,
            papers: Papers::of(&rcp)?,
            addresses,
            serial: 1,
        })
    }

    /// Takes another transport key; its next introduction has a newer card for it.
    pub fn change_papers(&mut self) -> Result<()> {
        self.papers = Papers::of(&self.rcp)?;
        self.serial += 1;
        Ok(())
    }

    /// Its charter and its card.
    pub fn identity(&self) -> Result<Identity> {
        let card = Card {
            rcp: self.rcp,
            key_seq: 0,
            serial: self.serial,
            tls_key: self.papers.key_hash(),
            bundle_key: [7; 32],
            versions: vec![PROTOCOL_VERSION],
            names: vec![("en".to_owned(), "Led by a test".to_owned())],
            addresses: self.addresses.clone(),
        };
        let card = card.sign(&self.signing)?.verify(&self.charter)?;
        Ok(Identity {
            charter: self.charter.clone(),
            card,
        })
    }

    /// An invitation by it.
    pub fn invitation(&self) -> Result<Invitation> {
        Ok(Invitation {
            identity: self.identity()?,
            token: Token::new(edge::random()?),
        })
    }

    /// How it introduces itself.
    pub fn introduction(&self, token: Token) -> Result<v1::HelloRequest> {
        Ok(v1::HelloRequest {
            identity: Some(self.identity()?.message()),
            token: token.as_bytes().to_vec(),
        })
    }

    /// Dials a node with its own papers.
    pub async fn dial(&self, office: &Office) -> Result<Line> {
        self.papers.dial(office).await
    }

    /// Redeems an invitation of the node's: both sides have accepted.
    pub async fn pair(&self, office: &Office) -> Result<()> {
        let (invitation, _) = office.desk().invite().await?;
        let mut line = self.dial(office).await?;
        let hello = self.introduction(invitation.token)?;
        let answer = line.client.hello(hello).await?.into_inner();
        anyhow::ensure!(answer.accepted, "the node did not accept");
        Ok(())
    }

    /// As [`Self::pair`], and the secretariat of the node confirms.
    pub async fn befriend(&self, office: &Office) -> Result<()> {
        self.pair(office).await?;
        Ok(office
            .desk()
            .confirm(self.rcp, &self.rcp.to_string())
            .await?)
    }

    /// A hello that is in order and has nothing in common with anybody.
    pub fn hello(&self) -> Result<v1::SessionHello> {
        let number = StartNumber::new(edge::random()?);
        Ok(v1::SessionHello {
            versions: vec![u32::from(PROTOCOL_VERSION)],
            start_number: number.as_bytes().to_vec(),
            have: Hash::ZERO.as_bytes().to_vec(),
            last_start_number: StartNumber::ZERO.as_bytes().to_vec(),
            start_signature: sign_start(&self.signing, &self.rcp, &number).to_vec(),
            last_start_signature: Vec::new(),
            state: Some(v1::StateFrame {
                serving: v1::Serving::Active.into(),
                ..v1::StateFrame::default()
            }),
        })
    }

    /// Both streams to a node, hellos exchanged, and said that it holds nothing.
    pub async fn link(&self, office: &Office) -> Result<Wire> {
        let mut wire = self.dial(office).await?.open().await?;
        wire.greet(self.hello()?).await?;
        wire.show_nothing()?;
        Ok(wire)
    }
}
