//! Calls about bundles: files for partners that a node cannot meet, and theirs.
//!
//! **Invariant:** a bundle of which the node did not say what is in it is an error.

use tokio_stream::Stream;
use tonic::codec::Streaming;

use super::present;
use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::{ANSWER_BYTES_MAX, BUNDLE_TIME};
use crate::stub::bundle_service_client::BundleServiceClient;
use crate::v1;

fn service(channel: Authorised) -> BundleServiceClient<Authorised> {
    BundleServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// A bundle, as it is made.
#[derive(Debug)]
pub struct MakingBundle {
    client: Client,
    stream: Streaming<v1::MakeBundleResponse>,
}

impl MakingBundle {
    /// The next piece of the file; the last message says what is in it.
    ///
    /// # Errors
    /// [`ClientError`]; the file is not whole then.
    pub async fn next(&mut self) -> Result<Option<v1::MakeBundleResponse>, ClientError> {
        let next = self.stream.message().await;
        next.map_err(|status| self.client.error(status))
    }
}

/// A bundle that is being taken in.
#[derive(Debug)]
pub struct ImportingBundle {
    client: Client,
    stream: Streaming<v1::ImportBundleResponse>,
}

impl ImportingBundle {
    /// How far it is taken in; the last message says what came of it.
    ///
    /// # Errors
    /// [`ClientError`]; what was taken in before stays, and the same bundle goes on there.
    pub async fn next(&mut self) -> Result<Option<v1::ImportBundleResponse>, ClientError> {
        let next = self.stream.message().await;
        next.map_err(|status| self.client.error(status))
    }
}

/// Bundles.
impl Client {
    /// Asks for a bundle for a partner.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn make_bundle(
        &self,
        order: v1::MakeBundleRequest,
    ) -> Result<MakingBundle, ClientError> {
        let stream = self
            .open(order, |channel, request| async move {
                service(channel).make_bundle(request).await
            })
            .await?;
        Ok(MakingBundle {
            client: self.clone(),
            stream,
        })
    }

    /// Says what a bundle is and what it would bring; changes nothing. `pieces` of at most 512 KiB
    /// make the file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn inspect_bundle(
        &self,
        pieces: impl Stream<Item = Vec<u8>> + Send + 'static,
    ) -> Result<v1::Bundle, ClientError> {
        let parts =
            tokio_stream::StreamExt::map(pieces, |chunk| v1::InspectBundleRequest { chunk });
        let client = self.clone().with_call_time(BUNDLE_TIME);
        let answer = client
            .open(parts, |channel, request| async move {
                service(channel).inspect_bundle(request).await
            })
            .await?;
        present(answer.bundle, "does not say what the bundle is")
    }

    /// Brings a bundle; the answer begins once all of it has proved itself. `pieces` of at most 512
    /// KiB make the file.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was taken in then.
    pub async fn import_bundle(
        &self,
        pieces: impl Stream<Item = Vec<u8>> + Send + 'static,
    ) -> Result<ImportingBundle, ClientError> {
        let parts = tokio_stream::StreamExt::map(pieces, |chunk| v1::ImportBundleRequest { chunk });
        let client = self.clone().with_call_time(BUNDLE_TIME);
        let stream = client
            .open(parts, |channel, request| async move {
                service(channel).import_bundle(request).await
            })
            .await?;
        Ok(ImportingBundle {
            client: self.clone(),
            stream,
        })
    }
}
