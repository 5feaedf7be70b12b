//! Partners.

use std::collections::HashMap;

use corridor_proto::evidence::Proved;
use corridor_proto::{RcpId, v1};
use corridor_rules::desk::Wish;
use corridor_rules::evidence::Kept;
use corridor_rules::{Log, PeerState};
use corridor_store::View;
use tonic::{Request, Response, Status};

use super::rpc::peer_service_server::PeerService;
use super::{Api, names, status};
use crate::edge;
use crate::operate::access::Right;
use crate::status::Seen;

impl Api {
    fn peer_message(&self, view: &View<'_>, rcp: &RcpId, held: u64) -> Result<v1::Peer, Status> {
        let missing = || status::not_found("partner", &names::rcp(rcp));
        let peer = view.peers.get(rcp).ok_or_else(missing)?;
        let card = view.known.get(rcp).and_then(|known| known.card.as_ref());
        let seen = Seen::of_peer(view, rcp, edge::now()).ok_or_else(missing)?;
        let claimed = card.map_or("", |card| card.card().name()).to_owned();
        let is_confirmed = !peer.name.is_empty();
        let found = self.statuses.of(rcp);
        let connected = found.connected_since.is_some();
        Ok(v1::Peer {
            name: names::rcp(rcp),
            display_name: if is_confirmed {
                peer.name.clone()
            } else {
                claimed.clone()
            },
            claimed_name: if is_confirmed && claimed != peer.name {
                claimed
            } else {
                String::new()
            },
            state: state(peer.state).into(),
            since_ms: peer.since.0,
            sentence: found.sentence(&seen),
            connected,
            up_to_date: connected && found.is_quiet && seen.behind_by == 0,
            addresses: card
                .map(|card| card.card().addresses.clone())
                .unwrap_or_default(),
            records_held: held,
        })
    }

    fn one_peer(&self, rcp: &RcpId) -> Result<v1::Peer, Status> {
        self.desk.store().read(|view| {
            let held = held_records(view)?;
            self.peer_message(view, rcp, held.get(rcp).copied().unwrap_or(0))
        })
    }

    async fn peer_wish(&self, rcp: RcpId, wish: Wish) -> Result<v1::Peer, Status> {
        self.desk.wish(wish).await.map_err(status::desk)?;
        self.one_peer(&rcp)
    }
}

fn evidence_message(view: &View<'_>, number: usize, kept: &Kept) -> Option<v1::FoundEvidence> {
    let charter = view.charter(&kept.rcp)?;
    let log = match kept.proved {
        Proved::Log { log, .. } => view.logs.get(&log),
        Proved::Version { .. } | Proved::Rcp => None,
    };
    let restarted = log.is_some_and(Log::awaits_acceptance);
    Some(v1::FoundEvidence {
        name: format!("rcps/{}/evidence/{number}", kept.rcp),
        sentence: status::proved(&kept.proved, log, kept.rcp == view.me),
        file: kept.file(charter),
        restarted,
    })
}

/// Records with a body held here, by RCP.
fn held_records(view: &View<'_>) -> Result<HashMap<RcpId, u64>, Status> {
    let mut held = HashMap::new();
    for (key, row) in view.rows(None) {
        if !view.is_confirmed(&key.rcp) {
            continue;
        }
        let current = row.current(|_| true);
        if current.is_some_and(|stand| row.body(&stand.version_hash).is_some()) {
            *held.entry(key.rcp).or_default() += 1;
        }
    }
    Ok(held)
}

const fn state(state: PeerState) -> v1::PeerState {
    match state {
        PeerState::Invited => v1::PeerState::Invited,
        PeerState::Pending => v1::PeerState::Pending,
        PeerState::Active => v1::PeerState::Active,
        PeerState::Paused => v1::PeerState::Paused,
        PeerState::Left => v1::PeerState::Left,
    }
}

#[tonic::async_trait]
impl PeerService for Api {
    async fn create_invitation(
        &self,
        request: Request<v1::CreateInvitationRequest>,
    ) -> Result<Response<v1::CreateInvitationResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let (invitation, expires) = self.desk.invite().await.map_err(status::desk)?;
        Ok(Response::new(v1::CreateInvitationResponse {
            invitation: invitation.encode(),
            link: invitation.link(),
            expires_ms: expires.0,
        }))
    }

    async fn accept_invitation(
        &self,
        request: Request<v1::AcceptInvitationRequest>,
    ) -> Result<Response<v1::AcceptInvitationResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let invitation = request.into_inner().invitation;
        let (rcp, acceptance) = self.desk.accept(&invitation).await.map_err(status::desk)?;
        Ok(Response::new(v1::AcceptInvitationResponse {
            peer: Some(self.one_peer(&rcp)?),
            acceptance: acceptance.map(|file| file.encode()).unwrap_or_default(),
        }))
    }

    async fn list_peers(
        &self,
        request: Request<v1::ListPeersRequest>,
    ) -> Result<Response<v1::ListPeersResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let peers = self.desk.store().read(|view| {
            let held = held_records(view)?;
            view.peers
                .keys()
                .map(|rcp| self.peer_message(view, rcp, held.get(rcp).copied().unwrap_or(0)))
                .collect::<Result<Vec<_>, Status>>()
        })?;
        Ok(Response::new(v1::ListPeersResponse { peers }))
    }

    async fn get_safety_number(
        &self,
        request: Request<v1::GetSafetyNumberRequest>,
    ) -> Result<Response<v1::GetSafetyNumberResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let rcp = names::parse_rcp("name", &request.into_inner().name)?;
        self.one_peer(&rcp)?;
        let safety_number = self.desk.safety_number(rcp).await;
        Ok(Response::new(v1::GetSafetyNumberResponse { safety_number }))
    }

    async fn confirm_peer(
        &self,
        request: Request<v1::ConfirmPeerRequest>,
    ) -> Result<Response<v1::ConfirmPeerResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let request = request.into_inner();
        let rcp = names::parse_rcp("name", &request.name)?;
        self.one_peer(&rcp)?;
        self.desk
            .confirm(rcp, &request.confirmation)
            .await
            .map_err(status::desk)?;
        Ok(Response::new(v1::ConfirmPeerResponse {
            peer: Some(self.one_peer(&rcp)?),
        }))
    }

    async fn refuse_peer(
        &self,
        request: Request<v1::RefusePeerRequest>,
    ) -> Result<Response<v1::RefusePeerResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let rcp = names::parse_rcp("name", &request.into_inner().name)?;
        self.desk
            .wish(Wish::Refuse { rcp })
            .await
            .map_err(status::desk)?;
        Ok(Response::new(v1::RefusePeerResponse {}))
    }

    async fn pause_peer(
        &self,
        request: Request<v1::PausePeerRequest>,
    ) -> Result<Response<v1::PausePeerResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let rcp = names::parse_rcp("name", &request.into_inner().name)?;
        let peer = Some(self.peer_wish(rcp, Wish::Pause { rcp }).await?);
        Ok(Response::new(v1::PausePeerResponse { peer }))
    }

    async fn list_evidence(
        &self,
        request: Request<v1::ListEvidenceRequest>,
    ) -> Result<Response<v1::ListEvidenceResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let name = request.into_inner().name;
        let of = match name.as_str() {
            "" => None,
            name => Some(names::parse_rcp("name", name)?),
        };
        let evidence = self.desk.store().read(|view| {
            let found = (1_usize..).zip(&view.evidence);
            let found = found.filter(|(_, kept)| of.is_none_or(|rcp| rcp == kept.rcp));
            found
                .filter_map(|(number, kept)| evidence_message(view, number, kept))
                .collect()
        });
        Ok(Response::new(v1::ListEvidenceResponse { evidence }))
    }

    async fn accept_restart(
        &self,
        request: Request<v1::AcceptRestartRequest>,
    ) -> Result<Response<v1::AcceptRestartResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let rcp = names::parse_rcp("name", &request.into_inner().name)?;
        let done = self.desk.wish(Wish::AcceptRestart { rcp }).await;
        let circles = done.map_err(status::desk)?.facts.len();
        Ok(Response::new(v1::AcceptRestartResponse {
            circles: u32::try_from(circles).unwrap_or(u32::MAX),
        }))
    }

    async fn resume_peer(
        &self,
        request: Request<v1::ResumePeerRequest>,
    ) -> Result<Response<v1::ResumePeerResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let rcp = names::parse_rcp("name", &request.into_inner().name)?;
        let peer = Some(self.peer_wish(rcp, Wish::Resume { rcp }).await?);
        Ok(Response::new(v1::ResumePeerResponse { peer }))
    }

    async fn leave_peer(
        &self,
        request: Request<v1::LeavePeerRequest>,
    ) -> Result<Response<v1::LeavePeerResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let rcp = names::parse_rcp("name", &request.into_inner().name)?;
        let peer = Some(self.peer_wish(rcp, Wish::Leave { rcp }).await?);
        Ok(Response::new(v1::LeavePeerResponse { peer }))
    }
}
