//! The node itself.

use corridor_proto::v1;
use corridor_proto::wire::Identity;
use corridor_rules::Reader;
use tonic::{Request, Response, Status};

use super::record::message;
use super::rpc::node_service_server::NodeService;
use super::{Api, names};

#[tonic::async_trait]
impl NodeService for Api {
    async fn get_node(
        &self,
        request: Request<v1::GetNodeRequest>,
    ) -> Result<Response<v1::GetNodeResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        Ok(Response::new(self.desk.store().read(|view| {
            let known = view.known.get(&view.me);
            let card = known.and_then(|known| known.card.clone());
            let named = card
                .as_ref()
                .map(|card| card.card().names.clone())
                .unwrap_or_default();
            let identity = known.zip(card).map(|(known, card)| {
                Identity {
                    charter: known.charter.clone(),
                    card,
                }
                .message()
            });
            v1::GetNodeResponse {
                name: names::rcp(&view.me),
                display_names: named.into_iter().map(|(_, name)| name).collect(),
                identity,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                revision: message::revision(view, &reader),
                signing_stopped: match reader {
                    Reader::Secretariat => view.signing_stopped.clone().unwrap_or_default(),
                    Reader::Peer(_) | Reader::Anyone => String::new(),
                },
            }
        })))
    }
}
