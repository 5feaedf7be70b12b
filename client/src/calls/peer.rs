//! Calls about partners.
//!
//! **Invariant:** a safety number is computed here as well, and one that differs is not given out.

use corridor_proto::RcpId;
use corridor_proto::safety;

use super::present;
use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::ANSWER_BYTES_MAX;
use crate::names::RcpName;
use crate::stub::peer_service_client::PeerServiceClient;
use crate::v1;

fn service(channel: Authorised) -> PeerServiceClient<Authorised> {
    PeerServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

const NO_PEER: &str = "names no partner";

impl Client {
    /// Makes an invitation, to be handed over out of band. It holds a secret.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_invitation(&self) -> Result<v1::CreateInvitationResponse, ClientError> {
        self.write(
            v1::CreateInvitationRequest {},
            |channel, request| async move { service(channel).create_invitation(request).await },
        )
        .await
    }

    /// Accepts another RCP's invitation, or takes in the acceptance of ours: the file's bytes.
    /// Gives the partner, and in the first case an acceptance to hand back where the two nodes
    /// cannot reach each other.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accept_invitation(
        &self,
        invitation: Vec<u8>,
    ) -> Result<(v1::Peer, Option<Vec<u8>>), ClientError> {
        let message = v1::AcceptInvitationRequest { invitation };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).accept_invitation(request).await
            })
            .await?;
        let acceptance = Some(answer.acceptance).filter(|bytes| !bytes.is_empty());
        Ok((present(answer.peer, NO_PEER)?, acceptance))
    }

    /// All partners.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peers(&self) -> Result<Vec<v1::Peer>, ClientError> {
        let answer = self
            .read(v1::ListPeersRequest {}, |channel, request| async move {
                service(channel).list_peers(request).await
            })
            .await?;
        Ok(answer.peers)
    }

    /// The safety number shared with a partner: eight groups of five digits.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Answer`] if the node's number is not the one computed here.
    pub async fn safety_number(&self, rcp: RcpId) -> Result<String, ClientError> {
        let own = self.node().await?.rcp;
        let message = v1::GetSafetyNumberRequest {
            name: RcpName(rcp).to_string(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).get_safety_number(request).await
            })
            .await?;
        let wrong = ClientError::Answer("gives another safety number than the two charters");
        match tokio::task::spawn_blocking(move || safety::safety_number(&own, &rcp)).await {
            Ok(computed) if computed == answer.safety_number => Ok(computed),
            _ => Err(wrong),
        }
    }

    /// Confirms a partner by what was compared: the safety number or the RcpId.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn confirm_peer(
        &self,
        rcp: RcpId,
        confirmation: &str,
    ) -> Result<v1::Peer, ClientError> {
        let message = v1::ConfirmPeerRequest {
            name: RcpName(rcp).to_string(),
            confirmation: confirmation.to_owned(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).confirm_peer(request).await
            })
            .await?;
        present(answer.peer, NO_PEER)
    }

    /// Refuses a partner whose safety number differs; all that came from it is erased.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn refuse_peer(&self, rcp: RcpId) -> Result<(), ClientError> {
        let message = v1::RefusePeerRequest {
            name: RcpName(rcp).to_string(),
        };
        self.write(message, |channel, request| async move {
            service(channel).refuse_peer(request).await
        })
        .await?;
        Ok(())
    }

    /// Sends a partner withdrawals only, for now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pause_peer(&self, rcp: RcpId) -> Result<v1::Peer, ClientError> {
        let message = v1::PausePeerRequest {
            name: RcpName(rcp).to_string(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).pause_peer(request).await
            })
            .await?;
        present(answer.peer, NO_PEER)
    }

    /// What proves that partners contradicted themselves; of one partner, or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn evidence(
        &self,
        rcp: Option<RcpId>,
    ) -> Result<Vec<v1::FoundEvidence>, ClientError> {
        let message = v1::ListEvidenceRequest {
            name: rcp.map(|rcp| RcpName(rcp).to_string()).unwrap_or_default(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).list_evidence(request).await
            })
            .await?;
        Ok(answer.evidence)
    }

    /// Lets the circles of a partner that contradicted itself go on, after it began them anew.
    /// Gives how many.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accept_restart(&self, rcp: RcpId) -> Result<u32, ClientError> {
        let message = v1::AcceptRestartRequest {
            name: RcpName(rcp).to_string(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).accept_restart(request).await
            })
            .await?;
        Ok(answer.circles)
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resume_peer(&self, rcp: RcpId) -> Result<v1::Peer, ClientError> {
        let message = v1::ResumePeerRequest {
            name: RcpName(rcp).to_string(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).resume_peer(request).await
            })
            .await?;
        present(answer.peer, NO_PEER)
    }

    /// Ends the relation; the partner still learns of withdrawals.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn leave_peer(&self, rcp: RcpId) -> Result<v1::Peer, ClientError> {
        let message = v1::LeavePeerRequest {
            name: RcpName(rcp).to_string(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).leave_peer(request).await
            })
            .await?;
        present(answer.peer, NO_PEER)
    }
}
