//! Records by the table.

use std::io::{self, Write};
use std::pin::Pin;

use corridor_proto::kinds::Kind;
use corridor_proto::v1::import_records_request::Part;
use corridor_proto::{RecordId, v1};
use corridor_rules::Reader;
use corridor_tables::limits::TEXT_BYTES_MAX;
use corridor_tables::{KINDS, Language, Options, write};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::budgets::Charge;
use super::record::LOOK;
use super::rpc::table_service_server::TableService;
use super::{Api, audit, names, status};
use crate::limits::{TABLE_CHUNK_BYTES, TABLE_QUEUED, UPLOAD_PAUSE};
use crate::operate::access::Right;
use crate::operate::files::FileError;
use crate::tables::{Notes, Plan, Selection, TableError, Tables, export, import, undo};

/// Columns that may be named as left out: a table has no more.
const LEFT_OUT_MAX: usize = 256;

/// Answers as they come.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Api {
    /// Overwrites what notes of imports have of a record that is discarded or withdrawn.
    pub(super) fn forget(&self, record: RecordId) -> Result<(), Status> {
        self.tables.notes.forget(record).map_err(status::table)
    }
}

fn language(tag: &str) -> Result<Language, Status> {
    match tag {
        "" => Ok(Language::English),
        tag => tag.parse().map_err(|_| {
            status::bad_field("language", "is none of those of tables: en, fr, es, ar, ru")
        }),
    }
}

fn kind(field: &str, word: &str) -> Result<Kind, Status> {
    let known = word.parse().ok().filter(|kind| KINDS.contains(kind));
    known.ok_or_else(|| status::bad_field(field, "is no kind of record that has a table"))
}

fn kinds(words: &[String]) -> Result<Vec<Kind>, Status> {
    let mut kinds = Vec::new();
    for word in words {
        let kind = kind("kinds", word)?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// What runs in a thread of its own, and what it says of one that broke: the crates that read
/// workbooks are not ours.
async fn apart<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, TableError> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(act).await {
        Ok(outcome) => outcome.map_err(status::table),
        Err(error) => {
            tracing::error!(%error, "table");
            let why = "something in it breaks the reader of such files";
            let damaged = corridor_tables::ReadError::Damaged {
                place: "a place that is not known".to_owned(),
                why: why.to_owned(),
            };
            Err(status::table(damaged.into()))
        }
    }
}

/// What is to be imported.
fn plan(header: v1::ImportHeader, by: String) -> Result<Plan, Status> {
    if header.leave_out.len() > LEFT_OUT_MAX {
        let what = format!("names more than {LEFT_OUT_MAX} columns");
        return Err(status::bad_field("header.leave_out", &what));
    }
    let kind = match header.kind.as_str() {
        "" => None,
        word => Some(kind("header.kind", word)?),
    };
    Ok(Plan {
        options: Options {
            kind,
            sheet: Some(header.sheet).filter(|sheet| !sheet.is_empty()),
            leave_out: header.leave_out,
        },
        file: header.file_name,
        by,
        validate_only: header.validate_only,
        take_good_rows: header.take_good_rows,
        take_duplicates: header.take_duplicates,
    })
}

type Sender<T> = mpsc::Sender<Result<T, Status>>;

/// Takes the file in, imports it, and tells of it.
async fn take(
    tables: Tables,
    plan: Plan,
    mut parts: Streaming<v1::ImportRecordsRequest>,
    sender: Sender<v1::ImportRecordsResponse>,
) -> Result<v1::Import, Status> {
    let _upload = tables.upload().map_err(status::table)?;
    let folder = tables.notes.folder();
    let folder = folder
        .map_err(|error| status::table(error.into()))?
        .to_owned();
    let io = |source| status::table(FileError::io(&folder, source).into());
    // Without a name: nothing of it stays behind, whatever happens.
    let mut file = tempfile::tempfile_in(&folder).map_err(io)?;
    let mut bytes: u64 = 0;
    loop {
        let message = tokio::time::timeout(UPLOAD_PAUSE, parts.message()).await;
        let message = message.map_err(|_| status::table(TableError::TooSlow))??;
        let Some(message) = message else { break };
        let Some(Part::Chunk(chunk)) = message.part else {
            return Err(status::bad_field(
                "chunk",
                "is missing; send the file after the header",
            ));
        };
        bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if bytes > TEXT_BYTES_MAX {
            let too_much = corridor_tables::ReadError::TooMuch {
                what: "bytes",
                most: TEXT_BYTES_MAX,
                remedy: "divide it into several files",
            };
            return Err(status::table(too_much.into()));
        }
        file.write_all(&chunk).map_err(io)?;
    }
    let alone = tables.alone().map_err(status::table)?;
    apart(move || {
        let _alone = alone;
        let mut tell = |answer| sender.blocking_send(Ok(answer)).is_ok();
        import(&tables, &mut file, &plan, &mut tell)
    })
    .await
}

/// Hands over a file in pieces, as long as the caller's token is that of one who may see it.
struct Pieces {
    api: Api,
    metadata: MetadataMap,
    reader: Reader,
    sender: Sender<v1::ExportRecordsResponse>,
    waiting: Vec<u8>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.waiting);
        let answer = v1::ExportRecordsResponse {
            chunk,
            ..Default::default()
        };
        loop {
            let reader = self.api.reader(&self.metadata).ok();
            if reader != Some(self.reader) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let place = tokio::time::timeout(LOOK, self.sender.reserve());
            match Handle::current().block_on(place) {
                Ok(Ok(place)) => {
                    place.send(Ok(answer));
                    return Ok(());
                }
                Ok(Err(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(_) => {}
            }
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = TABLE_CHUNK_BYTES.saturating_sub(self.waiting.len()).max(1);
        let taken = bytes.len().min(room);
        self.waiting.extend(bytes.iter().take(taken));
        if self.waiting.len() >= TABLE_CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

#[tonic::async_trait]
impl TableService for Api {
    type ImportRecordsStream = Answers<v1::ImportRecordsResponse>;
    type ExportRecordsStream = Answers<v1::ExportRecordsResponse>;

    async fn get_template(
        &self,
        request: Request<v1::GetTemplateRequest>,
    ) -> Result<Response<v1::GetTemplateResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let request = request.into_inner();
        let language = language(&request.language)?;
        let mut kinds = kinds(&request.kinds)?;
        if kinds.is_empty() {
            kinds = KINDS.to_vec();
        }
        let file = apart(move || {
            let mut file = Vec::new();
            write::template(&kinds, language, &mut file)?;
            Ok(file)
        });
        let file = file.await?;
        Ok(Response::new(v1::GetTemplateResponse { file }))
    }

    async fn import_records(
        &self,
        request: Request<Streaming<v1::ImportRecordsRequest>>,
    ) -> Result<Response<Self::ImportRecordsStream>, Status> {
        let by = self.allow(request.metadata(), Right::Draft)?.label;
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|message| message.part);
        let Some(Part::Header(header)) = first else {
            return Err(status::bad_field("header", "is missing; send it first"));
        };
        let plan = plan(header, by)?;
        if plan.validate_only {
            audit::only_asks();
        }
        let (sender, receiver) = mpsc::channel(TABLE_QUEUED);
        let tables = self.tables.clone();
        // The answer begins before the file has come: a slow line is no slow answer.
        tokio::spawn(async move {
            let ended = take(tables, plan, parts, sender.clone()).await;
            let last = ended.map(|import| v1::ImportRecordsResponse {
                import: Some(import),
                ..Default::default()
            });
            // Nobody listens any more: then nobody is told, and the notes say how it ended.
            let _ = sender.send(last).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_imports(
        &self,
        request: Request<v1::ListImportsRequest>,
    ) -> Result<Response<v1::ListImportsResponse>, Status> {
        self.allow(request.metadata(), Right::Draft)?;
        let notes = self.tables.notes.clone();
        let imports = apart(move || {
            let ids = notes.ids()?.into_iter();
            ids.map(|id| Ok(Notes::message(&id, &notes.read(&id, false)?)))
                .collect::<Result<Vec<_>, TableError>>()
        });
        let imports = imports.await?;
        Ok(Response::new(v1::ListImportsResponse { imports }))
    }

    async fn undo_import(
        &self,
        request: Request<v1::UndoImportRequest>,
    ) -> Result<Response<v1::UndoImportResponse>, Status> {
        let who = self.allow(request.metadata(), Right::Draft)?.label;
        let name = request.into_inner().name;
        let id = name.strip_prefix("imports/");
        let bad = || status::bad_field("name", "is not of the form imports/{import}");
        let id = id.ok_or_else(bad)?.to_owned();
        let alone = self.tables.alone().map_err(status::table)?;
        let tables = self.tables.clone();
        let undone = apart(move || {
            let _alone = alone;
            undo(&tables, &id, &who)
        });
        let undone = undone.await?;
        // Now it is known to be a name of ours.
        audit::about(name);
        Ok(Response::new(v1::UndoImportResponse {
            discarded: undone.discarded,
            restored: undone.restored,
        }))
    }

    async fn export_records(
        &self,
        request: Request<v1::ExportRecordsRequest>,
    ) -> Result<Response<Self::ExportRecordsStream>, Status> {
        let reader = self.reader(request.metadata())?;
        if request.get_ref().drafts {
            self.allow(request.metadata(), Right::Draft)?;
        }
        let (charge, metadata) = (Charge::of_call(&request), request.metadata().clone());
        let selection = selection(request.into_inner(), reader)?;
        let (sender, receiver) = mpsc::channel(TABLE_QUEUED);
        let desk = self.desk.clone();
        let mut pieces = Pieces {
            api: self.clone(),
            metadata,
            reader,
            sender: sender.clone(),
            waiting: Vec::new(),
        };
        tokio::spawn(async move {
            let ended = apart(move || export(&desk, &selection, &mut pieces)).await;
            let last = ended.map(|(records, left_out)| {
                let rows = usize::try_from(records.saturating_add(left_out)).unwrap_or(usize::MAX);
                charge.iter().for_each(|charge| charge.looked_at(rows));
                v1::ExportRecordsResponse {
                    chunk: Vec::new(),
                    records,
                    left_out,
                }
            });
            let _ = sender.send(last).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

fn selection(request: v1::ExportRecordsRequest, reader: Reader) -> Result<Selection, Status> {
    let format = request.format();
    if format == v1::TableFormat::Unspecified {
        return Err(status::bad_field(
            "format",
            "is missing; choose xlsx, csv or json",
        ));
    }
    let parent = match request.parent.as_str() {
        "" | "rcps/-" => None,
        name => Some(names::parse_rcp("parent", name)?),
    };
    let names = request.names.iter();
    let names = names.map(|name| names::parse_record("names", name));
    Ok(Selection {
        names: names.collect::<Result<_, _>>()?,
        parent,
        kinds: kinds(&request.kinds)?,
        reader,
        drafts: request.drafts,
        format,
        language: language(&request.language)?,
    })
}
