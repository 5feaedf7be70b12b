//! A node that answers from a script: real TLS, real gRPC, no store.

pub mod world;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use corridor_proto::Hash;
use corridor_proto::card::tls_key_hash;
use corridor_proto::v1;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::Connected;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt};
use world::Told;

/// What the server shows of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Its certificate, with its key.
    Own,
    /// The certificate that is pinned, with another key.
    CopiedCertificate,
    /// Its certificate, over TLS 1.2.
    OldTls,
}

/// How the server answers one call.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// As asked.
    Good,
    /// That it cannot now.
    Unavailable,
    /// That there is no such thing, with a reason.
    NotFound,
    /// Never.
    Silence,
}

/// A server, and what it saw.
pub struct Fake {
    /// Where it listens.
    pub address: String,
    /// The hash of the key in its certificate.
    pub key: Hash,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Answer>>,
    tokens: Mutex<Vec<String>>,
    cursors: Mutex<Vec<String>>,
    told: Mutex<Vec<Told>>,
}

impl State {
    fn told(&self) -> Vec<Told> {
        self.told.lock().expect("told").clone()
    }

    fn proof(&self, name: &str) -> Option<v1::ProveRecordResponse> {
        let told = self.told();
        told.into_iter().find(|one| one.record.name == name)?.proof
    }

    fn answer(&self) -> Answer {
        let next = self.script.lock().expect("script").pop_front();
        next.unwrap_or(Answer::Good)
    }
}

impl Fake {
    /// Starts on a free port.
    pub async fn start(identity: Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address").to_string();
        let (config, key) = tls(identity);
        let state = Arc::new(State::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(tcp).await {
                    let _ = sender.send(Ok::<_, std::io::Error>(Wire(stream))).await;
                }
            }
        });
        let incoming = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let service = Records(Arc::clone(&state));
        tokio::spawn(async move {
            let mut server = tonic::transport::Server::builder();
            server
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
        });
        Self {
            address,
            key,
            state,
        }
    }

    /// How the next calls are answered; later ones as asked.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.state.script.lock().expect("script") = answers.into_iter().collect();
    }

    /// What lists, changes and proofs say from now on.
    pub fn tell(&self, told: impl IntoIterator<Item = Told>) {
        *self.state.told.lock().expect("told") = told.into_iter().collect();
    }

    /// The authorization of each call.
    pub fn tokens(&self) -> Vec<String> {
        self.state.tokens.lock().expect("tokens").clone()
    }

    /// The cursor of each watch.
    pub fn cursors(&self) -> Vec<String> {
        self.state.cursors.lock().expect("cursors").clone()
    }
}

fn tls(identity: Identity) -> (rustls::ServerConfig, Hash) {
    let make = || {
        rcgen::generate_simple_self_signed(vec!["fake.corridor.invalid".into()])
            .expect("certificate")
    };
    let shown = make();
    let key = match identity {
        Identity::CopiedCertificate => make().signing_key,
        _ => shown.signing_key,
    };
    let certificate = shown.cert.der().clone();
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).expect("certificate");
    let hash = tls_key_hash(parsed.public_key().raw);
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = rustls::crypto::ring::sign::any_supported_type(&der).expect("key");
    let certified = CertifiedKey::new(vec![certificate.clone()], signer);
    let version = match identity {
        Identity::OldTls => &rustls::version::TLS12,
        _ => &rustls::version::TLS13,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Only(Arc::new(certified))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    (config, hash)
}

/// Shows one certificate, whether or not the key fits.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

struct Wire(TlsStream<TcpStream>);

impl Connected for Wire {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Some calls of the record service.
#[derive(Clone)]
struct Records(Arc<State>);

impl NamedService for Records {
    const NAME: &'static str = "corridor.v1.RecordService";
}

impl tower::Service<http::Request<Body>> for Records {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let state = Arc::clone(&self.0);
        Box::pin(async move { Ok(serve(state, request).await) })
    }
}

async fn serve(state: Arc<State>, request: http::Request<Body>) -> http::Response<Body> {
    let token = request
        .headers()
        .get("authorization")
        .map(|value| value.to_str());
    if let Some(Ok(token)) = token {
        state.tokens.lock().expect("tokens").push(token.to_owned());
    }
    let answer = state.answer();
    match request.uri().path() {
        "/corridor.v1.RecordService/ListDrafts" => {
            let call = tower::service_fn(move |_: Request<v1::ListDraftsRequest>| {
                scripted(answer, v1::ListDraftsResponse::default())
            });
            Grpc::new(ProstCodec::default()).unary(call, request).await
        }
        "/corridor.v1.RecordService/DeleteDraft" => {
            let call = tower::service_fn(move |_: Request<v1::DeleteDraftRequest>| {
                scripted(answer, v1::DeleteDraftResponse {})
            });
            Grpc::new(ProstCodec::default()).unary(call, request).await
        }
        "/corridor.v1.RecordService/ListRecords" => {
            let call = tower::service_fn(move |_: Request<v1::ListRecordsRequest>| {
                let records = state.told().into_iter().map(|one| one.record).collect();
                let next_page_token = String::new();
                scripted(
                    answer,
                    v1::ListRecordsResponse {
                        records,
                        next_page_token,
                    },
                )
            });
            Grpc::new(ProstCodec::default()).unary(call, request).await
        }
        "/corridor.v1.RecordService/ProveRecord" => {
            let call = tower::service_fn(move |request: Request<v1::ProveRecordRequest>| {
                let proof = state.proof(&request.into_inner().name);
                let answer = if proof.is_some() {
                    answer
                } else {
                    Answer::NotFound
                };
                scripted(answer, proof.unwrap_or_default())
            });
            Grpc::new(ProstCodec::default()).unary(call, request).await
        }
        _ => {
            let call = tower::service_fn(move |request: Request<v1::WatchRecordsRequest>| {
                let changes = changes(&state, &request.into_inner().cursor);
                scripted(answer, tokio_stream::iter(changes).map(Ok))
            });
            let mut grpc = Grpc::new(ProstCodec::<v1::WatchRecordsResponse, _>::default());
            grpc.server_streaming(call, request).await
        }
    }
}

async fn scripted<T>(answer: Answer, good: T) -> Result<Response<T>, Status> {
    match answer {
        Answer::Good => Ok(Response::new(good)),
        Answer::Unavailable => Err(Status::unavailable("not now")),
        Answer::NotFound => {
            let details = ErrorDetails::with_error_info("NOT_FOUND", "test", []);
            Err(Status::with_error_details(
                Code::NotFound,
                "nothing there",
                details,
            ))
        }
        Answer::Silence => std::future::pending().await,
    }
}

/// One batch after a cursor: the records, then the next cursor.
fn changes(state: &State, cursor: &str) -> Vec<v1::WatchRecordsResponse> {
    state
        .cursors
        .lock()
        .expect("cursors")
        .push(cursor.to_owned());
    let number: u64 = cursor.trim_start_matches('c').parse().unwrap_or(0);
    let change = |one: Told| v1::WatchRecordsResponse {
        record: Some(one.record),
        cursor: String::new(),
    };
    let mut changes: Vec<_> = state.told().into_iter().map(change).collect();
    changes.push(v1::WatchRecordsResponse {
        record: None,
        cursor: format!("c{}", number + 1),
    });
    changes
}
