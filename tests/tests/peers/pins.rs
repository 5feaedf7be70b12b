//! Who is believed: TLS, pinned keys, and who may call what without them.

use std::time::Duration;

use anyhow::{Context, Result};
use corridor_node::operate::keys::KeyFolder;
use corridor_proto::Token;
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::host::{Heard, host};
use corridor_tests::stranger::papers::Papers;
use tokio::net::TcpListener;
use tonic::Code;

const UNPINNED: [Result<(), Code>; 2] = [Err(Code::Unauthenticated), Err(Code::Unauthenticated)];
const NOT_ACCEPTED: [Result<(), Code>; 2] =
    [Err(Code::PermissionDenied), Err(Code::PermissionDenied)];

/// The certificate that a node shows to everybody.
fn certificate(office: &Office) -> Result<Vec<u8>> {
    Ok(KeyFolder::of(&office.data()).read()?.peer.der()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_no_card_names_may_introduce_itself_and_nothing_else() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let mut partner = Stranger::new()?;
    partner.befriend(&office).await?;
    let pinned = partner.introduction(Token::ZERO)?;
    assert_eq!(partner.dial(&office).await?.knock().await, [Ok(()), Ok(())]);
    partner.change_papers()?;
    let mut line = partner.dial(&office).await?;
    assert_eq!(line.knock().await, UNPINNED);
    // With the card of its old key the introduction is of no one RCP.
    let old = line.client.hello(pinned).await;
    assert_eq!(
        old.err().map(|status| status.code()),
        Some(Code::InvalidArgument)
    );
    assert_eq!(line.knock().await, UNPINNED);
    // A newer card under the RCP's own signature moves the pin.
    let answer = line
        .client
        .hello(partner.introduction(Token::ZERO)?)
        .await?;
    assert!(answer.into_inner().accepted);
    assert_eq!(line.knock().await, [Ok(()), Ok(())]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_accepted_opens_no_stream() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let stranger = Stranger::new()?;
    let mut line = stranger.dial(&office).await?;
    assert_eq!(line.knock().await, UNPINNED, "nothing is known of it");
    let answer = line
        .client
        .hello(stranger.introduction(Token::ZERO)?)
        .await?;
    assert!(!answer.into_inner().accepted);
    assert_eq!(line.knock().await, UNPINNED, "its word pins nothing");
    let guessed = stranger.introduction(Token::new([9; 32]))?;
    assert!(!line.client.hello(guessed).await?.into_inner().accepted);
    assert_eq!(
        office
            .desk()
            .store()
            .read(|view| view.peer_state(&stranger.rcp)),
        None
    );
    // Its key is known now, but its node has not answered.
    office
        .desk()
        .accept(&stranger.invitation()?.encode())
        .await?;
    assert_eq!(line.knock().await, NOT_ACCEPTED);
    office
        .desk()
        .wish(Wish::Refuse { rcp: stranger.rcp })
        .await?;
    assert_eq!(
        line.knock().await,
        UNPINNED,
        "refused, it is a stranger again"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_for_a_partner_that_dials() -> Result<()> {
    let office = Office::open("Budapest Process", true).await?;
    let partner = Office::open("Almaty Process", true).await?;
    office.befriend(&partner).await?;
    let thief = Stranger::new()?;
    // The partner's name in a certificate of one's own: it is not the key of the partner's card.
    let forged = Papers::of(&partner.rcp)?;
    let mut line = forged.dial(&office).await?;
    assert_eq!(line.knock().await, UNPINNED);
    let own = line.client.hello(thief.introduction(Token::ZERO)?).await;
    assert_eq!(
        own.err().map(|status| status.code()),
        Some(Code::InvalidArgument)
    );
    let copied = partner.node().exchange.identity().context("its identity")?;
    let copied = corridor_proto::v1::HelloRequest {
        identity: Some(copied.message()),
        token: Vec::new(),
    };
    let others = line.client.hello(copied).await;
    assert_eq!(
        others.err().map(|status| status.code()),
        Some(Code::InvalidArgument)
    );
    // The partner's own certificate without its key: the handshake is not finished.
    let stolen = thief.papers.under(certificate(&partner)?);
    for answer in knock(&stolen, &office).await {
        assert!(!is_an_answer(answer), "{answer:?}");
    }
    // An older version of TLS.
    let old = knock(&thief.papers.over_tls12(), &office).await;
    assert!(!old.into_iter().any(is_an_answer), "{old:?}");
    let record = office
        .publish("For partners", &[office.circle("public")?])
        .await?;
    until("the partner is served all the while", || {
        partner.holds(&office, record)
    })
    .await
}

/// What becomes of a call of each stream; `Unavailable` if there is no connection.
async fn knock(papers: &Papers, office: &Office) -> [Result<(), Code>; 2] {
    match papers.dial(office).await {
        Ok(mut line) => line.knock().await,
        Err(_) => [Err(Code::Unavailable); 2],
    }
}

/// Whether the node's service said this, rather than the connection having failed.
fn is_an_answer(answer: Result<(), Code>) -> bool {
    matches!(
        answer,
        Ok(()) | Err(Code::Unauthenticated | Code::PermissionDenied)
    )
}

/// A node that accepted an invitation, and who it meets at the address in the card.
struct Meeting {
    office: Office,
    partner: Stranger,
    token: Token,
    heard: Heard,
}

impl Meeting {
    /// At the partner's address listens somebody with these papers.
    async fn with(papers: impl Fn(&Stranger) -> Result<Papers>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let partner = Stranger::at(vec![listener.local_addr()?.to_string()])?;
        let identity = partner.identity()?.message();
        let heard = host(listener, &papers(&partner)?, identity)?;
        let office = Office::open("Colombo Process", true).await?;
        let invitation = partner.invitation()?;
        office.desk().accept(&invitation.encode()).await?;
        Ok(Self {
            office,
            partner,
            token: invitation.token,
            heard,
        })
    }

    /// Waits until the status of the partner says this.
    async fn says(&self, words: &str) -> Result<()> {
        let statuses = &self.office.node().exchange.statuses;
        let sentence = || {
            let status = statuses.of(&self.partner.rcp);
            status.sentence(&corridor_node::status::Seen::of(PeerState::Invited))
        };
        let waited = until(words, || sentence().contains(words)).await;
        waited.with_context(sentence)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_itself_is_shown_the_token() -> Result<()> {
    let met = Meeting::with(|partner| Ok(partner.papers.clone())).await?;
    until("it is asked for a link", || met.heard.calls().streams > 0).await?;
    let calls = met.heard.calls();
    let tokens: Vec<_> = calls.hellos.iter().map(|hello| &hello.token).collect();
    assert_eq!(tokens, [met.token.as_bytes()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impostor_with_a_key_of_its_own_is_shown_no_token() -> Result<()> {
    let met = Meeting::with(|partner| Papers::of(&partner.rcp)).await?;
    met.says("has not the key that the partner's card names")
        .await?;
    met.says("call the partner").await?;
    let calls = met.heard.calls();
    assert!(!calls.hellos.is_empty(), "it was asked who it is");
    for hello in &calls.hellos {
        assert!(
            hello.token.iter().all(|byte| *byte == 0),
            "a token was shown"
        );
    }
    assert_eq!(calls.streams, 0, "no stream was opened to it");
    let state = met
        .office
        .desk()
        .store()
        .read(|view| view.peer_state(&met.partner.rcp));
    assert_eq!(state, Some(PeerState::Invited));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialled_node_proves_the_name_it_was_dialled_by() -> Result<()> {
    let other = Stranger::new()?;
    let named = Meeting::with(|_| Ok(other.papers.clone())).await?;
    let unproved = Meeting::with(|partner| {
        let certificate = partner.papers.certificate();
        Ok(Papers::of(&partner.rcp)?.under(certificate))
    })
    .await?;
    let old = Meeting::with(|partner| Ok(partner.papers.over_tls12())).await?;
    for met in [named, unproved, old] {
        met.says("is not the node of this partner").await?;
        let calls = met.heard.calls();
        assert!(calls.hellos.is_empty() && calls.streams == 0, "{calls:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_a_newer_card_names_another_key() -> Result<()> {
    let office = Office::open("SACM", true).await?;
    let mut partner = Stranger::new()?;
    partner.befriend(&office).await?;
    let wire = partner.link(&office).await?;
    partner.change_papers()?;
    let from = tokio::time::Instant::now();
    let mut line = partner.dial(&office).await?;
    line.client
        .hello(partner.introduction(Token::ZERO)?)
        .await?;
    wire.seen.ends_within(from, Duration::from_secs(5)).await?;
    Ok(())
}
