//! Calls of a node's own listener by whoever has any token or none, answered in bytes.
//!
//! **Invariant:** nothing of an answer is left out: status, text, details, metadata, messages.

use std::future::Future;

use anyhow::{Context, Result};
use http::uri::PathAndQuery;
use prost::Message;
use prost::bytes::{Buf, BufMut};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::nodes::{Office, PATIENCE};
use crate::stranger::papers::dial_api;
use crate::stranger::wire::channel;

/// All that came back of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub code: Code,
    /// The status in words.
    pub message: String,
    /// The encoded details of the status.
    pub details: Vec<u8>,
    /// Headers and trailers, but for the time.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// The messages, as they came.
    pub messages: Vec<Vec<u8>>,
}

impl Answer {
    fn new(messages: Vec<Vec<u8>>, metadata: &MetadataMap, status: &Status) -> Self {
        let mut found = Vec::new();
        for metadata in [metadata, status.metadata()] {
            found.extend(metadata.iter().map(|pair| match pair {
                KeyAndValueRef::Ascii(key, value) => (key.to_string(), value.as_bytes().to_vec()),
                KeyAndValueRef::Binary(key, value) => {
                    (key.to_string(), value.as_encoded_bytes().to_vec())
                }
            }));
        }
        found.retain(|(key, _)| key != "date");
        found.sort();
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            details: status.details().to_vec(),
            metadata: found,
            messages,
        }
    }

    /// All bytes of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = self.messages.concat();
        all.extend_from_slice(self.message.as_bytes());
        all.extend_from_slice(&self.details);
        for (key, value) in &self.metadata {
            all.extend_from_slice(key.as_bytes());
            all.extend_from_slice(value);
        }
        all
    }

    /// The only message.
    pub fn read<M: Message + Default>(&self) -> Result<M> {
        let message = self.messages.first().context(self.message.clone())?;
        Ok(M::decode(message.as_slice())?)
    }
}

/// One that calls.
pub struct Caller {
    grpc: Grpc<Channel>,
    token: Option<String>,
    language: Option<&'static str>,
}

impl Caller {
    /// Connects; without a token nothing is shown.
    pub async fn of(office: &Office, token: Option<String>) -> Result<Self> {
        let (channel, _) = channel(dial_api(office).await?, 1 << 20).await?;
        Ok(Self {
            grpc: Grpc::new(channel),
            token,
            language: None,
        })
    }

    /// Asks for words in a language from now on.
    pub const fn accept_language(&mut self, language: Option<&'static str>) {
        self.language = language;
    }

    fn request<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}").parse()?;
            request.metadata_mut().insert("authorization", value);
        }
        if let Some(language) = self.language {
            let value = language.parse()?;
            request.metadata_mut().insert("accept-language", value);
        }
        Ok(request)
    }

    /// Calls `Service/Method` of `corridor.v1`, or one of gRPC itself by its whole name.
    pub async fn call(&mut self, method: &str, message: &impl Message) -> Result<Answer> {
        let path = path(method)?;
        let request = self.request(message.encode_to_vec())?;
        self.grpc.ready().await?;
        let answer = tokio::time::timeout(PATIENCE, self.grpc.unary(request, path, Bytes)).await;
        Ok(match answer.context("no answer")? {
            Ok(answer) => {
                let (metadata, message, _) = answer.into_parts();
                Answer::new(vec![message], &metadata, &Status::ok(""))
            }
            Err(status) => Answer::new(Vec::new(), &MetadataMap::new(), &status),
        })
    }

    /// Begins a call whose message never comes; gives how it ends.
    pub async fn hold(
        mut self,
        method: &str,
    ) -> Result<impl Future<Output = Result<Answer>> + use<>> {
        let path = path(method)?;
        let request = self.request(tokio_stream::pending())?;
        self.grpc.ready().await?;
        Ok(async move {
            let answer = self.grpc.client_streaming(request, path, Bytes).await;
            Ok(match answer {
                Ok(answer) => Answer::new(Vec::new(), answer.metadata(), &Status::ok("")),
                Err(status) => Answer::new(Vec::new(), &MetadataMap::new(), &status),
            })
        })
    }

    /// Calls a method that streams, and takes its messages up to the first that is the last one.
    pub async fn follow(
        &mut self,
        method: &str,
        message: &impl Message,
        is_last: impl Fn(&[u8]) -> bool,
    ) -> Result<Answer> {
        let path = path(method)?;
        let request = self.request(message.encode_to_vec())?;
        self.grpc.ready().await?;
        let answer = self.grpc.server_streaming(request, path, Bytes);
        let answer = match tokio::time::timeout(PATIENCE, answer).await? {
            Ok(answer) => answer,
            Err(status) => return Ok(Answer::new(Vec::new(), &MetadataMap::new(), &status)),
        };
        let (metadata, mut stream, _) = answer.into_parts();
        let mut messages = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, stream.message()).await? {
                Ok(Some(message)) => {
                    let ends = is_last(&message);
                    messages.push(message);
                    if ends {
                        return Ok(Answer::new(messages, &metadata, &Status::ok("")));
                    }
                }
                Ok(None) => return Ok(Answer::new(messages, &metadata, &Status::ok(""))),
                Err(status) => return Ok(Answer::new(messages, &metadata, &status)),
            }
        }
    }
}

fn path(method: &str) -> Result<PathAndQuery> {
    let package = if method.starts_with("grpc.") {
        ""
    } else {
        "corridor.v1."
    };
    Ok(format!("/{package}{method}").parse()?)
}

/// Messages as they are.
#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
