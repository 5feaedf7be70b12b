//! Calls about circles.
//!
//! **Invariant:** nobody becomes a reader but by [`Client::add_readers`].

use corridor_proto::{RcpId, UnixMillis};

use super::present;
use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::ANSWER_BYTES_MAX;
use crate::names::RcpName;
use crate::stub::circle_service_client::CircleServiceClient;
use crate::v1;

fn service(channel: Authorised) -> CircleServiceClient<Authorised> {
    CircleServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

const NO_CIRCLE: &str = "names no circle";

impl Client {
    /// Our circles and those that we follow.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn circles(&self) -> Result<Vec<v1::Circle>, ClientError> {
        let answer = self
            .read(v1::ListCirclesRequest {}, |channel, request| async move {
                service(channel).list_circles(request).await
            })
            .await?;
        Ok(answer.circles)
    }

    /// Opens a circle, in which nobody reads yet. `sort` is open or closed; `relay` lets the
    /// readers of an open circle pass it on to each other.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_circle(
        &self,
        display_name: &str,
        sort: v1::CircleSort,
        relay: bool,
    ) -> Result<v1::Circle, ClientError> {
        let message = v1::CreateCircleRequest {
            display_name: display_name.to_owned(),
            sort: sort.into(),
            relay,
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).create_circle(request).await
            })
            .await?;
        present(answer.circle, NO_CIRCLE)
    }

    /// Adds readers, each with the time at which its right ends, if it does. They receive the whole
    /// circle: look at [`Client::preview`] first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_readers(
        &self,
        circle: &str,
        readers: &[(RcpId, Option<UnixMillis>)],
    ) -> Result<v1::Circle, ClientError> {
        let reader = |(rcp, until): &(RcpId, Option<UnixMillis>)| v1::CircleReader {
            rcp: RcpName(*rcp).to_string(),
            until_ms: until.map_or(0, |until| until.0),
            held_size: 0,
        };
        let message = v1::AddReadersRequest {
            circle: circle.to_owned(),
            readers: readers.iter().map(reader).collect(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).add_readers(request).await
            })
            .await?;
        present(answer.circle, NO_CIRCLE)
    }

    /// Removes readers. They keep what they hold, and still learn of withdrawals.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_readers(
        &self,
        circle: &str,
        rcps: &[RcpId],
    ) -> Result<v1::Circle, ClientError> {
        let message = v1::RemoveReadersRequest {
            circle: circle.to_owned(),
            rcps: rcps.iter().map(|rcp| RcpName(*rcp).to_string()).collect(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).remove_readers(request).await
            })
            .await?;
        present(answer.circle, NO_CIRCLE)
    }
}
