//! The connection and the one way in which every call goes over it.
//!
//! **Invariant:** nothing that changes a node is ever sent twice.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::charters::Charters;
use crate::error::ClientError;
use crate::limits::{
    CALL_TIME, CONNECT_TIME, KEEP_ALIVE, KEEP_ALIVE_ANSWER, RETRIES_MAX, RETRY_FIRST, RETRY_MAX,
};
use crate::profile::{Profile, ProfileError};
use crate::tls::Dialler;

/// The channel with the token in every call.
pub(crate) type Authorised = InterceptedService<Channel, Bearer>;

/// Puts the token into a call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A connection to one node. Cheap to clone; clones share the connection.
///
/// A connection that breaks is made anew by the next call. Reads that the node cannot serve are
/// tried again, at most three times, within the time of the call; changes never.
#[derive(Clone)]
pub struct Client {
    channel: Authorised,
    address: Arc<str>,
    call_time: Duration,
    charters: Arc<Mutex<Charters>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.address)
    }
}

impl Client {
    /// Connects to the node of a profile.
    ///
    /// # Errors
    /// [`ClientError::WrongKey`], [`ClientError::Unreachable`], [`ClientError::Profile`].
    pub async fn connect(profile: &Profile) -> Result<Self, ClientError> {
        let address = profile.address.as_str();
        let dialler = Dialler::new(address, profile.server_key)
            .map_err(|error| ClientError::from_dial(address, error))?;
        let bad_address = |_| ProfileError::Value {
            key: "address",
            what: "is no address; write it as host:port",
        };
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .map_err(bad_address)?
            .connect_timeout(CONNECT_TIME)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .keep_alive_while_idle(true)
            .user_agent(concat!("corridor-client/", env!("CARGO_PKG_VERSION")))
            .map_err(bad_address)?
            .connect_with_connector(dialler)
            .await
            .map_err(|error| ClientError::from_dial(address, error))?;
        let bearer = profile.token.bearer().ok_or(ProfileError::Value {
            key: "token",
            what: "is no access token; copy it again, whole and without spaces",
        })?;
        Ok(Self {
            channel: InterceptedService::new(channel, Bearer(bearer)),
            address: address.into(),
            call_time: CALL_TIME,
            charters: Arc::default(),
        })
    }

    /// The same connection with another limit to the time of a call.
    #[must_use]
    pub fn with_call_time(mut self, call_time: Duration) -> Self {
        self.call_time = call_time;
        self
    }

    /// Where the node is.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn charters(&self) -> MutexGuard<'_, Charters> {
        self.charters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that changes nothing: tried again while the node is unavailable.
    pub(crate) async fn read<Q, A, F, C>(&self, message: Q, call: C) -> Result<A, ClientError>
    where
        Q: Clone,
        C: Fn(Authorised, Request<Q>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let attempts = async {
            let mut attempt = 0;
            loop {
                let error = match call(self.channel.clone(), self.request(message.clone())).await {
                    Ok(answer) => return Ok(answer.into_inner()),
                    Err(status) => {
                        let code = status.code();
                        let error = self.error(status);
                        // Over its budget, it is told how long to wait.
                        let must_wait = error.fault().is_some_and(|it| it.retry_after.is_some());
                        let unavailable = code == Code::Unavailable
                            || code == Code::ResourceExhausted && must_wait;
                        if !unavailable || matches!(error, ClientError::WrongKey { .. }) {
                            return Err(error);
                        }
                        error
                    }
                };
                let Some(pause) = retry_pause(attempt, &error) else {
                    return Err(error);
                };
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
        };
        self.in_time(attempts).await
    }

    /// A call that changes something: sent once.
    pub(crate) async fn write<Q, A, F, C>(&self, message: Q, call: C) -> Result<A, ClientError>
    where
        C: FnOnce(Authorised, Request<Q>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        self.in_time(async {
            let answer = call(self.channel.clone(), self.request(message)).await;
            answer
                .map(Response::into_inner)
                .map_err(|status| self.error(status))
        })
        .await
    }

    /// A call whose answer is a stream: only its beginning has a limit in time.
    pub(crate) async fn open<Q, A, F, C>(&self, message: Q, call: C) -> Result<A, ClientError>
    where
        C: FnOnce(Authorised, Request<Q>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        self.in_time(async {
            let answer = call(self.channel.clone(), Request::new(message)).await;
            answer
                .map(Response::into_inner)
                .map_err(|status| self.error(status))
        })
        .await
    }

    pub(crate) fn error(&self, status: Status) -> ClientError {
        ClientError::from_status(&self.address, self.call_time, status)
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        request.set_timeout(self.call_time);
        request
    }

    async fn in_time<A>(
        &self,
        call: impl Future<Output = Result<A, ClientError>>,
    ) -> Result<A, ClientError> {
        tokio::time::timeout(self.call_time, call)
            .await
            .unwrap_or(Err(ClientError::TimedOut {
                seconds: self.call_time.as_secs(),
            }))
    }
}

/// How long to wait before the next attempt; `None` when it is not to be made.
fn retry_pause(attempt: u32, error: &ClientError) -> Option<Duration> {
    if attempt >= RETRIES_MAX {
        return None;
    }
    let asked = error.fault().and_then(|fault| fault.retry_after);
    match asked {
        Some(asked) if asked > RETRY_MAX => None,
        asked => Some(jitter(attempt, RETRY_MAX).max(asked.unwrap_or_default())),
    }
}

/// Full jitter: a random time up to a bound that doubles with each attempt, at most `bound_max`.
pub(crate) fn jitter(attempt: u32, bound_max: Duration) -> Duration {
    let bound = RETRY_FIRST
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(bound_max);
    let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    // Without randomness the bound itself: waiting long is the safe side.
    let random = getrandom::u64().map_or(micros, |random| random % micros.saturating_add(1));
    Duration::from_micros(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_their_bound() {
        for attempt in 0..40 {
            let bound = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(attempt));
            let pause = jitter(attempt, RETRY_MAX);
            assert!(pause <= bound && pause <= RETRY_MAX, "{attempt}: {pause:?}");
        }
    }

    #[test]
    fn three_retries_and_no_more_and_none_against_the_nodes_word() {
        let asked = |after: Option<Duration>| {
            let mut details = tonic_types::ErrorDetails::new();
            details.set_retry_info(after);
            let status = <Status as tonic_types::StatusExt>::with_error_details(
                Code::Unavailable,
                "busy",
                details,
            );
            ClientError::from_status("h:1", CALL_TIME, status)
        };
        assert!(retry_pause(RETRIES_MAX - 1, &asked(None)).is_some());
        assert!(retry_pause(RETRIES_MAX, &asked(None)).is_none());
        let second = Duration::from_secs(1);
        assert!(retry_pause(0, &asked(Some(second))).is_some_and(|pause| pause >= second));
        assert!(retry_pause(0, &asked(Some(RETRY_MAX + second))).is_none());
    }
}
