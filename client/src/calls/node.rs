//! Calls about the node itself.
//!
//! **Invariant:** the RCP that a node names is the one whose charter it shows.

use corridor_proto::wire::Identity;
use corridor_proto::{RcpId, Reason, Refusal};

use super::present;
use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::ANSWER_BYTES_MAX;
use crate::names::RcpName;
use crate::stub::node_service_client::NodeServiceClient;
use crate::v1;

/// Whose node it is, and how it is.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Its RCP.
    pub rcp: RcpId,
    /// Charter and card, verified.
    pub identity: Identity,
    /// Names on its card.
    pub display_names: Vec<String>,
    /// Version of its software.
    pub version: String,
    /// State of its store; grows with each change.
    pub revision: u64,
    /// Why it signs nothing any more; `None` while all is well.
    pub signing_stopped: Option<String>,
    /// Whether another copy of it may run, so that it opens no session.
    pub another_copy: bool,
}

fn service(channel: Authorised) -> NodeServiceClient<Authorised> {
    NodeServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

impl Client {
    /// What waits for somebody with the roles of this token, the gravest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn needs(&self) -> Result<Vec<v1::Need>, ClientError> {
        let answer = self
            .read(v1::ListNeedsRequest {}, |channel, request| async move {
                service(channel).list_needs(request).await
            })
            .await?;
        Ok(answer.needs)
    }

    /// Whose node this is. Its charter is kept, to verify its records with.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn node(&self) -> Result<NodeInfo, ClientError> {
        let answer = self
            .read(v1::GetNodeRequest {}, |channel, request| async move {
                service(channel).get_node(request).await
            })
            .await?;
        let identity = present(answer.identity, "names no charter")?;
        let identity = Identity::verify(identity)?;
        let RcpName(rcp) = answer.name.parse()?;
        if identity.charter.rcp() != rcp {
            return Err(Refusal::new("charter", Reason::WrongRcp).into());
        }
        self.charters().learn(&identity.charter)?;
        Ok(NodeInfo {
            rcp,
            identity,
            display_names: answer.display_names,
            version: answer.version,
            revision: answer.revision,
            another_copy: answer.another_copy,
            signing_stopped: Some(answer.signing_stopped).filter(|why| !why.is_empty()),
        })
    }

    /// Says that no other copy of this node runs any more: what partners hold of it is collected.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disown_copy(&self) -> Result<(), ClientError> {
        let message = v1::DisownCopyRequest {};
        let call = |channel, request| async move { service(channel).disown_copy(request).await };
        self.write(message, call).await.map(|_| ())
    }

    /// Lets a node that stopped signing sign again; gives how many circles were restarted.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn restart_logs(&self) -> Result<u32, ClientError> {
        let message = v1::RestartLogsRequest {};
        let call = |channel, request| async move { service(channel).restart_logs(request).await };
        Ok(self.write(message, call).await?.restarted)
    }

    /// Shows what a backup had of partners that was not compared; gives how many circles.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn show_uncompared(&self) -> Result<u32, ClientError> {
        let message = v1::ShowUncomparedRequest {};
        let call =
            |channel, request| async move { service(channel).show_uncompared(request).await };
        Ok(self.write(message, call).await?.circles)
    }

    /// The record versions that a restart made void and that stand in no circle since.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn void_versions(&self) -> Result<Vec<v1::VoidVersion>, ClientError> {
        let message = v1::ListVoidVersionsRequest {};
        let call =
            |channel, request| async move { service(channel).list_void_versions(request).await };
        Ok(self.read(message, call).await?.versions)
    }
}
