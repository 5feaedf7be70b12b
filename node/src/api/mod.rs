//! gRPC for secretariats and integrators, one file a service.
//!
//! Every call says who asks ([`Api::caller`]) before anything is looked up, and every answer is a
//! function of what that caller may see. It imports `desk`, `library` and `operate`, never
//! `exchange`.
//! **Invariant:** what a caller may not see and what does not exist give the same answer.

mod audit;
mod budgets;
mod bundle;
mod circle;
mod clearance;
mod gate;
mod names;
mod node;
mod peer;
pub mod reasons;
mod record;
mod reflect;
mod status;
mod table;
mod traffic;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use corridor_rules::Reader;
use corridor_rules::draft::Hand;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio_stream::Stream;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::bundles::Bundles;
use crate::desk::Desk;
use crate::edge;
use crate::library::Library;
use crate::limits::API_MESSAGE_BYTES;
use crate::operate::access::{Access, Entry, Right};
use crate::operate::audit::Audit;
use crate::operate::config::Reading;
use crate::status::Statuses;
use crate::tables::Tables;
use audit::NotingLayer;
use budgets::Budgets;
use gate::GateLayer;
pub use names::{parse_rcp, parse_record};
pub use record::cursor::Cursors;
pub use traffic::{Ends, Traffic};

/// The generated service code.
pub(crate) mod rpc {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("corridor.v1");
}

/// From where a connection came.
#[derive(Clone, Copy, Debug)]
pub struct Came(pub IpAddr);

/// What all services share.
#[derive(Clone)]
pub struct Api {
    /// The desk.
    pub desk: Desk,
    /// How the exchange with each peer stands.
    pub statuses: Arc<Statuses>,
    /// Who did what.
    pub audit: Arc<Audit>,
    /// The access tokens.
    pub access: Arc<Access>,
    /// Whether nobody clears a text for release that they had a part in.
    pub four_eyes: bool,
    /// Imports and exports.
    pub tables: Tables,
    /// Bundles for partners, and from them.
    pub bundles: Bundles,
    /// Seals the cursors of those who follow changes, and page tokens.
    pub cursors: Arc<Cursors>,
    /// What the records say.
    pub library: Arc<Library>,
    /// Lets a few search at a time.
    pub searches: Arc<Semaphore>,
    /// How reading is open to others.
    pub reading: Reading,
}

impl Api {
    /// Who calls, by the bearer token of the call.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, the same for no token, an unknown and an ended one.
    fn caller(&self, metadata: &MetadataMap) -> Result<Entry, Status> {
        audit::bearer(metadata.as_ref())
            .and_then(|token| self.access.holder(token, edge::now()))
            .ok_or_else(status::unauthenticated)
    }

    /// That the caller has a right.
    ///
    /// # Errors
    /// Those of [`Api::caller`]; `PERMISSION_DENIED`, before anything is looked up.
    fn allow(&self, metadata: &MetadataMap, right: Right) -> Result<Entry, Status> {
        let caller = self.caller(metadata)?;
        if caller.has(right) {
            Ok(caller)
        } else {
            Err(status::role_lacking(&caller.roles, right))
        }
    }

    /// The desk for a caller that has a right: what it does with drafts is noted as its own.
    ///
    /// # Errors
    /// Those of [`Api::allow`].
    fn desk_for(&self, metadata: &MetadataMap, right: Right) -> Result<Desk, Status> {
        Ok(self.desk_of(&self.allow(metadata, right)?))
    }

    fn desk_of(&self, caller: &Entry) -> Desk {
        let who = caller.label.clone();
        let four_eyes = self.four_eyes;
        self.desk.by(Hand { who, four_eyes })
    }

    /// As whom the caller reads. Whoever shows no token at all reads what is public, if that is
    /// configured; a token that opens nothing is refused all the same.
    fn reader(&self, metadata: &MetadataMap) -> Result<Reader, Status> {
        if self.reading.anonymous && !metadata.contains_key("authorization") {
            return Ok(Reader::Anyone);
        }
        let caller = self.caller(metadata)?;
        Ok(if caller.has(Right::Read) {
            Reader::Secretariat
        } else {
            Reader::Anyone
        })
    }
}

/// What a listener serves with, beside its services.
pub struct Front {
    /// Limits of its connections.
    pub server: Server,
    /// Tells whether the node serves.
    pub health: HealthReporter,
    /// Counts calls, and ends them.
    pub traffic: Traffic,
}

/// Serves until no new call is to be taken, and then as long as calls are under way.
///
/// # Errors
/// What the transport says.
pub async fn serve<I>(
    front: Front,
    api: Api,
    incoming: impl Stream<Item = Result<I, io::Error>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error>
where
    I: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let access = Arc::clone(&api.access);
    let gate = GateLayer(Arc::new(Budgets::new(access, &api.reading)));
    let limit = API_MESSAGE_BYTES;
    let noting = NotingLayer::new(Arc::clone(&api.audit), Arc::clone(&api.access));
    let health = HealthService::from_health_reporter(front.health);
    let routes = Routes::new(HealthServer::new(health))
        .add_service(
            rpc::record_service_server::RecordServiceServer::new(api.clone())
                .max_decoding_message_size(limit),
        )
        .add_service(
            rpc::bundle_service_server::BundleServiceServer::new(api.clone())
                .max_decoding_message_size(limit),
        )
        .add_service(
            rpc::circle_service_server::CircleServiceServer::new(api.clone())
                .max_decoding_message_size(limit),
        )
        .add_service(
            rpc::clearance_service_server::ClearanceServiceServer::new(api.clone())
                .max_decoding_message_size(limit),
        )
        .add_service(
            rpc::peer_service_server::PeerServiceServer::new(api.clone())
                .max_decoding_message_size(4 * limit),
        )
        .add_service(
            rpc::table_service_server::TableServiceServer::new(api.clone())
                .max_decoding_message_size(limit),
        )
        .add_service(
            rpc::node_service_server::NodeServiceServer::new(api.clone())
                .max_decoding_message_size(limit),
        );
    let routes = reflect::add(routes.clone(), &api).unwrap_or_else(|error| {
        tracing::error!(%error, "nobody is told what this node can be asked");
        routes
    });
    front
        .server
        .layer(front.traffic)
        .layer(noting)
        .layer(gate)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, async move {
            // The sender is gone only when the node is: then it is time as well.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}
