//! Calls about tables: templates, imports, exports.
//!
//! **Invariant:** an import of which the node did not say how it ended is an error.

use tonic::codec::Streaming;

use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::{ANSWER_BYTES_MAX, TABLE_CHUNK_BYTES};
use crate::stub::table_service_client::TableServiceClient;
use crate::v1;

fn service(channel: Authorised) -> TableServiceClient<Authorised> {
    TableServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// An import, as the node tells of it.
#[derive(Debug)]
pub struct Importing {
    client: Client,
    stream: Streaming<v1::ImportRecordsResponse>,
}

impl Importing {
    /// What the node says next: of rows, or in the last part how it ended. `None` after that.
    ///
    /// # Errors
    /// [`ClientError`]; what was saved before is in the list of imports.
    pub async fn next(&mut self) -> Result<Option<v1::ImportRecordsResponse>, ClientError> {
        let next = self.stream.message().await;
        next.map_err(|status| self.client.error(status))
    }
}

/// A file of records, as it comes.
#[derive(Debug)]
pub struct Exporting {
    client: Client,
    stream: Streaming<v1::ExportRecordsResponse>,
}

impl Exporting {
    /// The next piece of the file; the last part says how many records are in it.
    ///
    /// # Errors
    /// [`ClientError`]; the file is not whole then.
    pub async fn next(&mut self) -> Result<Option<v1::ExportRecordsResponse>, ClientError> {
        let next = self.stream.message().await;
        next.map_err(|status| self.client.error(status))
    }
}

/// Tables.
impl Client {
    /// An empty workbook to be filled in: for these kinds, or all that have a table, in a language.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn template(&self, kinds: &[String], language: &str) -> Result<Vec<u8>, ClientError> {
        let message = v1::GetTemplateRequest {
            kinds: kinds.to_vec(),
            language: language.to_owned(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).get_template(request).await
            })
            .await?;
        Ok(answer.file)
    }

    /// Brings a file whose rows are to become drafts, and hears of each row.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn import(
        &self,
        header: v1::ImportHeader,
        file: Vec<u8>,
    ) -> Result<Importing, ClientError> {
        use v1::import_records_request::Part;
        let request = |part| v1::ImportRecordsRequest { part: Some(part) };
        let length = file.len();
        let pieces = (0..length).step_by(TABLE_CHUNK_BYTES).map(move |at| {
            let end = length.min(at.saturating_add(TABLE_CHUNK_BYTES));
            let piece = file.get(at..end).unwrap_or_default();
            request(Part::Chunk(piece.to_vec()))
        });
        let parts = std::iter::once(request(Part::Header(header))).chain(pieces);
        let stream = self
            .open(tokio_stream::iter(parts), |channel, request| async move {
                service(channel).import_records(request).await
            })
            .await?;
        Ok(Importing {
            client: self.clone(),
            stream,
        })
    }

    /// The last imports, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn imports(&self) -> Result<Vec<v1::Import>, ClientError> {
        let answer = self
            .read(v1::ListImportsRequest {}, |channel, request| async move {
                service(channel).list_imports(request).await
            })
            .await?;
        Ok(answer.imports)
    }

    /// Takes an import back, by its name.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was taken back then.
    pub async fn undo_import(&self, name: &str) -> Result<v1::UndoImportResponse, ClientError> {
        let message = v1::UndoImportRequest {
            name: name.to_owned(),
        };
        self.write(message, |channel, request| async move {
            service(channel).undo_import(request).await
        })
        .await
    }

    /// Asks for records as a file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export(&self, what: v1::ExportRecordsRequest) -> Result<Exporting, ClientError> {
        let stream = self
            .open(what, |channel, request| async move {
                service(channel).export_records(request).await
            })
            .await?;
        Ok(Exporting {
            client: self.clone(),
            stream,
        })
    }
}
