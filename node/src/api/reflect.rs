//! What this node can be asked, for tools that have not its `.proto` files.
//!
//! **Invariant:** only whoever has a token is told.

use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use tonic_reflection::server::{Builder, Error};

use super::Api;
use crate::operate::health::{DESCRIPTORS, EXCHANGE, services};

/// Adds reflection, in both of its versions.
///
/// # Errors
/// What is wrong with the description of the services.
pub fn add(routes: Routes, api: &Api) -> Result<Routes, Error> {
    let built = || {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        // The exchange of nodes has another listener.
        let here = services().into_iter().filter(|name| name != EXCHANGE);
        here.fold(builder, Builder::with_service_name)
    };
    let authenticated = |api: Api| {
        move |request: Request<()>| -> Result<Request<()>, Status> {
            api.caller(request.metadata())?;
            Ok(request)
        }
    };
    let (newer, older) = (built().build_v1()?, built().build_v1alpha()?);
    Ok(routes
        .add_service(InterceptedService::new(newer, authenticated(api.clone())))
        .add_service(InterceptedService::new(older, authenticated(api.clone()))))
}
