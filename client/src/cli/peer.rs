//! `corridor peer`: partners, from the invitation to the end.
//!
//! **Invariant:** a partner is confirmed by what a person typed or put into a file, never by what
//! the node showed.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use corridor_proto::wire::Invitation;
use corridor_proto::{RcpId, Reason};
use serde_json::json;

use super::fail::Failure;
use super::find::peer_id;
use super::render::{list_json, peer_json, peer_state, short, short_name, title};
use super::session::{SecretFile, Session};
use super::{dates, evidence, status};
use crate::limits::LINK_BYTES_MAX;
use crate::shown::safe_line;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor peer invite --out bali.corridor         make an invitation, and hand it over
  corridor peer accept prague.corridor             accept theirs
  corridor peer number \"Bali Process\"              the number that both of you see
  corridor peer confirm \"Bali Process\"             after you compared it by telephone";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes an invitation to hand over, good once and for seven days
    #[command(before_help = "Examples:\n  \
        corridor peer invite\n  \
        corridor peer invite --out bali.corridor")]
    Invite(InviteArgs),
    /// Accepts an invitation, or takes in the acceptance of yours
    #[command(before_help = "Examples:\n  \
        corridor peer accept prague.corridor\n  \
        corridor peer accept - < link.txt\n  \
        corridor peer accept prague.corridor --out acceptance.corridor")]
    Accept(AcceptArgs),
    /// Lists your partners and how the exchange with each stands
    #[command(before_help = "Examples:\n  corridor peer list\n  corridor peer list --json")]
    List,
    /// Shows the safety number, to be read out over the telephone
    #[command(before_help = "Examples:\n  \
        corridor peer number \"Bali Process\"\n  \
        corridor peer number k3v7qa")]
    Number(PeerArg),
    /// Confirms a partner after both of you read out the same number
    #[command(before_help = "Examples:\n  \
        corridor peer confirm \"Bali Process\"\n  \
        corridor peer confirm k3v7qa --number-file number.txt")]
    Confirm(ConfirmArgs),
    /// Refuses a partner whose number differs; all that came from it is erased
    #[command(before_help = "Examples:\n  \
        corridor peer refuse \"Bali Process\"\n  \
        corridor peer refuse k3v7qa --yes")]
    Refuse(EndArgs),
    /// Sends a partner withdrawals only, for now; readers of circles that are passed on can see it
    #[command(before_help = "Examples:\n  corridor peer pause \"Bali Process\"")]
    Pause(PeerArg),
    /// Ends a pause
    #[command(before_help = "Examples:\n  corridor peer resume \"Bali Process\"")]
    Resume(PeerArg),
    /// Shows what proves that a partner contradicted itself, and saves it for others to judge
    #[command(before_help = "Examples:\n  \
        corridor peer evidence\n  \
        corridor peer evidence \"Bali Process\" --save proofs")]
    Evidence(EvidenceArgs),
    /// Lets the circles of a partner that contradicted itself go on, after it began them anew
    #[command(before_help = "Examples:\n  \
        corridor peer accept-restart \"Bali Process\"\n  \
        corridor peer accept-restart k3v7qa --yes")]
    AcceptRestart(EndArgs),
    /// Ends the exchange with a partner; it still learns of withdrawals
    #[command(before_help = "Examples:\n  \
        corridor peer leave \"Bali Process\"\n  \
        corridor peer leave k3v7qa --yes")]
    Leave(EndArgs),
}

#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    /// Write the invitation to this new file; without it, print it as a link
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// The file, the link, or - for either on standard input
    #[arg(value_name = "FILE|LINK|-")]
    invitation: String,
    /// Write the acceptance to this new file, to hand back if the nodes cannot reach each other
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PeerArg {
    /// Its name, or at least six letters of its identifier
    pub peer: String,
}

#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    #[command(flatten)]
    peer: PeerArg,
    /// The number that they read to you, in a file; - for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "rcp_id")]
    number_file: Option<String>,
    /// The identifier that they gave you, all 52 letters, instead of the number
    #[arg(long, value_name = "ID")]
    rcp_id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    /// Only about this partner: its name, or at least six letters of its identifier
    pub peer: Option<String>,
    /// Write each piece to a new file in this folder
    #[arg(long, value_name = "FOLDER")]
    pub save: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct EndArgs {
    #[command(flatten)]
    pub peer: PeerArg,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

pub(super) async fn run(session: &mut Session<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Invite(args) => invite(session, args).await,
        Command::Accept(args) => accept(session, args).await,
        Command::List => list(session).await,
        Command::Number(args) => number(session, args).await,
        Command::Confirm(args) => confirm(session, args).await,
        Command::Refuse(args) => refuse(session, args).await,
        Command::Pause(args) => {
            let rcp = peer_id(&session.peer(&args.peer).await?)?;
            let peer = session.client.pause_peer(rcp).await?;
            changed(
                session,
                &peer,
                "is paused: it gets withdrawals only. It is off the lists of the circles that \
                 readers pass on, which their readers can see; resuming puts it back",
                "resume",
            )
        }
        Command::Resume(args) => {
            let rcp = peer_id(&session.peer(&args.peer).await?)?;
            let peer = session.client.resume_peer(rcp).await?;
            changed(
                session,
                &peer,
                "gets all that you share with it again, and is back on those lists",
                "list",
            )
        }
        Command::Leave(args) => leave(session, args).await,
        Command::Evidence(args) => evidence::show(session, args).await,
        Command::AcceptRestart(args) => evidence::accept_restart(session, args).await,
    }
}

async fn invite(session: &mut Session<'_>, args: InviteArgs) -> Result<(), Failure> {
    let out = args.out.as_deref().map(SecretFile::create).transpose()?;
    let made = session.client.create_invitation().await?;
    let file = out.map(|out| out.write(&made.invitation)).transpose()?;
    let printed = session.print_json(|| {
        Ok(json!({
            "link": made.link,
            "file": file,
            "expiresMs": made.expires_ms.to_string(),
        }))
    })?;
    if printed {
        return Ok(());
    }
    match &file {
        Some(file) => session.screen.say(format!("The invitation is in {file}.")),
        None => session.screen.data(safe_line(&made.link)),
    }
    session.screen.say(format!(
        "It is good once, until {}. Give it only to the secretariat that you invite.",
        dates::day(made.expires_ms)
    ));
    session
        .screen
        .next("corridor status, until they have accepted");
    Ok(())
}

async fn accept(session: &mut Session<'_>, args: AcceptArgs) -> Result<(), Failure> {
    let given = given(session, &args.invitation).await?;
    let bytes = invitation_bytes(given)?;
    let out = args.out.as_deref().map(SecretFile::create).transpose()?;
    if let Ok(invitation) = Invitation::decode(&bytes) {
        let card = invitation.identity.card.card();
        let names: Vec<_> = card.names.iter().map(status::card_name).collect();
        session.screen.say(format!(
            "From \"{}\", as it calls itself; identifier {}.",
            title(&names),
            card.rcp
        ));
    }
    let (peer, acceptance) = session.client.accept_invitation(bytes).await?;
    let file = match (out, &acceptance) {
        (Some(out), Some(bytes)) => Some(out.write(bytes)?),
        _ => None,
    };
    let printed =
        session.print_json(|| Ok(json!({ "peer": peer_json(&peer)?, "acceptanceFile": file })))?;
    if printed {
        return Ok(());
    }
    let name = safe_line(&peer.display_name);
    let waits = matches!(
        peer.state(),
        v1::PeerState::Invited | v1::PeerState::Pending
    );
    session.screen.say(if waits {
        format!("{name} is a partner now, not yet confirmed.")
    } else {
        format!("{name} is a partner already: {}.", peer_state(peer.state()))
    });
    match (&file, acceptance) {
        (Some(file), _) => session.screen.say(format!(
            "Hand {file} back to them; they take it in with: corridor peer accept {file}"
        )),
        (None, Some(_)) => session.screen.say(
            "If the two nodes cannot reach each other, repeat with --out FILE and hand that file \
             back.",
        ),
        (None, None) => {}
    }
    session.screen.next(if waits {
        let id = short_name(&peer.name);
        format!("corridor peer number {id}, and compare it by telephone")
    } else {
        "corridor peer list".to_owned()
    });
    Ok(())
}

/// The invitation as it was given: a link on the command line, a file, or standard input.
async fn given(session: &mut Session<'_>, text: &str) -> Result<Vec<u8>, Failure> {
    if Invitation::is_link(text) {
        return Ok(text.as_bytes().to_vec());
    }
    match session.read_file(text, LINK_BYTES_MAX).await {
        Err(Failure::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Err(Failure::Usage(format!(
                "there is no file {text}, and it is no link; give the file that they handed \
                 over, or the whole link, which begins with corridor-invitation:#, or - for \
                 standard input"
            )))
        }
        given => given,
    }
}

/// The invitation's bytes, out of the link if they came as one. What is neither, or whole and
/// wrong, goes to the node as it came, which says what is wrong with it.
fn invitation_bytes(given: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let Some(link) = std::str::from_utf8(&given)
        .ok()
        .filter(|text| Invitation::is_link(text))
    else {
        return Ok(given);
    };
    let bytes = Invitation::read_link(link);
    // A link that lost its end may still decode; what it carries then breaks off.
    let cut = bytes.as_ref().is_ok_and(|bytes| {
        let read = Invitation::decode(bytes).map_err(|refusal| refusal.reason);
        matches!(read, Err(Reason::Malformed | Reason::Truncated))
    });
    bytes.ok().filter(|_| !cut).ok_or_else(|| {
        let text = "the link is not whole; copy it again, from its first letter to its last";
        Failure::Usage(text.to_owned())
    })
}

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let peers = session.client.peers().await?;
    if session.print_json(|| Ok(json!({ "peers": list_json(&peers, peer_json)? })))? {
        return Ok(());
    }
    if peers.is_empty() {
        session.screen.say("No partners yet.");
        session.screen.next("corridor peer invite");
    }
    session
        .screen
        .table(&peers.iter().map(status::row).collect::<Vec<_>>());
    Ok(())
}

async fn number(session: &mut Session<'_>, args: PeerArg) -> Result<(), Failure> {
    let peer = session.peer(&args.peer).await?;
    let number = session.client.safety_number(peer_id(&peer)?).await?;
    if session.print_json(|| Ok(json!({ "peer": peer.name, "safetyNumber": number })))? {
        return Ok(());
    }
    session.screen.data(&number);
    let (name, id) = (safe_line(&peer.display_name), short_name(&peer.name));
    session.screen.say(format!(
        "Call {name} at a number that you had before the invitation, and read this to each other."
    ));
    session.screen.next(format!(
        "corridor peer confirm {id} if it is the same, corridor peer refuse {id} if it differs"
    ));
    Ok(())
}

async fn confirm(session: &mut Session<'_>, args: ConfirmArgs) -> Result<(), Failure> {
    let peer = session.peer(&args.peer.peer).await?;
    let rcp = peer_id(&peer)?;
    let compared = match (args.rcp_id, args.number_file) {
        (Some(id), _) => confirmed_id(&rcp, &id)?,
        (None, Some(file)) => {
            let bytes = session.read_file(&file, 4_096).await?;
            String::from_utf8_lossy(&bytes).trim().to_owned()
        }
        (None, None) => {
            let name = safe_line(&peer.display_name);
            let question = format!("The forty digits that {name} read to you:");
            session
                .ask(&question, "--number-file FILE or --rcp-id ID")
                .await?
        }
    };
    if compared.is_empty() {
        return Err(Failure::Declined);
    }
    let peer = session.client.confirm_peer(rcp, &compared).await?;
    changed(session, &peer, "is confirmed", "list")?;
    if !session.json {
        session
            .screen
            .say("It reads only the circles that you add it to: corridor circle add");
    }
    Ok(())
}

/// The identifier that was given, if it is that of the partner.
fn confirmed_id(rcp: &RcpId, given: &str) -> Result<String, Failure> {
    let plain = given.trim().to_ascii_lowercase();
    let plain = plain.strip_prefix("rcps/").unwrap_or(&plain);
    match plain.parse::<RcpId>() {
        Ok(id) if id == *rcp => Ok(id.to_string()),
        Ok(id) => Err(Failure::Usage(format!(
            "{} is not the identifier of that partner, which is {}; do not confirm it",
            short(&id.to_string()),
            short(&rcp.to_string())
        ))),
        Err(_) => Err(Failure::Usage(
            "--rcp-id takes all 52 letters of the identifier".to_owned(),
        )),
    }
}

async fn refuse(session: &mut Session<'_>, args: EndArgs) -> Result<(), Failure> {
    let peer = session.peer(&args.peer.peer).await?;
    let name = safe_line(&peer.display_name);
    let warning = format!("All that came from {name} is erased here, and it is a stranger again.");
    session.agree_typed(&warning, &name, args.yes).await?;
    session.client.refuse_peer(peer_id(&peer)?).await?;
    if session.print_json(|| Ok(json!({ "refused": peer.name })))? {
        return Ok(());
    }
    session
        .screen
        .say(format!("{name} is refused. Nothing of it is left here."));
    session
        .screen
        .next("corridor peer invite, to begin again over a way that you trust");
    Ok(())
}

async fn leave(session: &mut Session<'_>, args: EndArgs) -> Result<(), Failure> {
    let peer = session.peer(&args.peer.peer).await?;
    let name = safe_line(&peer.display_name);
    let warning = format!(
        "The exchange with {name} ends. It keeps what it holds, and learns of withdrawals."
    );
    session.agree_typed(&warning, &name, args.yes).await?;
    let peer = session.client.leave_peer(peer_id(&peer)?).await?;
    changed(
        session,
        &peer,
        "is left: it learns of withdrawals only",
        "list",
    )
}

/// Says what changed, and which command usually follows.
fn changed(
    session: &mut Session<'_>,
    peer: &v1::Peer,
    what: &str,
    next: &str,
) -> Result<(), Failure> {
    if session.print_json(|| Ok(json!({ "peer": peer_json(peer)? })))? {
        return Ok(());
    }
    let id = short_name(&peer.name);
    session
        .screen
        .say(format!("{} {what}.", safe_line(&peer.display_name)));
    session.screen.next(match next {
        "list" => "corridor peer list".to_owned(),
        verb => format!("corridor peer {verb} {id}"),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::tests::invitation;

    #[test]
    fn an_invitation_is_read_from_a_file_and_from_a_link() {
        let file = invitation();
        let link = Invitation::decode(&file).expect("invitation").link();
        let read = |given: &str| invitation_bytes(given.as_bytes().to_vec());
        assert_eq!(read(&link).expect("a link"), file);
        let (one, other) = link.split_at(76);
        let wrapped = format!(" {one}\r\n {other}\n");
        assert_eq!(read(&wrapped).expect("as mail has it"), file);
        assert_eq!(
            read(&link[..link.len() - 1])
                .expect_err("cut off")
                .exit_code(),
            2
        );
        assert_eq!(invitation_bytes(file.clone()).expect("a file"), file);
        assert_eq!(read("neither").expect("for the node"), b"neither");
        assert_eq!(invitation_bytes(vec![0xff]).expect("for the node"), [0xff]);
    }

    #[test]
    fn only_the_partners_own_identifier_confirms_it() {
        let rcp = RcpId::new([7; 32]);
        let text = rcp.to_string();
        for given in [
            text.clone(),
            text.to_ascii_uppercase(),
            format!("rcps/{text}"),
        ] {
            assert_eq!(confirmed_id(&rcp, &given).ok(), Some(text.clone()));
        }
        for given in [
            RcpId::new([8; 32]).to_string(),
            text[..50].to_owned(),
            String::new(),
        ] {
            assert_eq!(
                confirmed_id(&rcp, &given).expect_err("other").exit_code(),
                2
            );
        }
    }
}
