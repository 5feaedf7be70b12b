//! The road to a partner's node: straight, or through the HTTP proxy of a house that has one.
//!
//! A proxy is asked to CONNECT (RFC 9110, section 9.3.6) and sees an address and what is encrypted.
//! **Invariant:** whatever goes wrong is one clause that follows the address and says whom to ask;
//! what a proxy says of itself is no part of it but its status.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::limits::{CALL_TIME, PROXY_ANSWER_BYTES_MAX};
use crate::operate::files::read_secret;

/// No address of a name has less than this part of the time for a call.
const SHARES_MAX: u32 = 5;
/// Headers of a proxy's answer that are read.
const HEADERS_MAX: usize = 64;

/// A proxy that connections go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its `host:port`.
    pub address: String,
    /// File with `name:password` on its first line, for one that wants them.
    pub credentials: Option<PathBuf>,
}

/// How partners are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Road {
    /// The proxy, if the house has one.
    pub proxy: Option<Proxy>,
}

impl Road {
    /// A connection to `address`, a `host:port`.
    ///
    /// # Errors
    /// What is to follow the address in a sentence.
    pub async fn open(&self, address: &str) -> Result<TcpStream, String> {
        let stream = match &self.proxy {
            None => straight(address).await?,
            Some(proxy) => proxy.open(address).await?,
        };
        // Without it small frames wait for each other; the connection works either way.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

async fn in_time<T>(
    time: Duration,
    work: impl Future<Output = std::io::Result<T>>,
) -> Result<T, Option<std::io::Error>> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done.map_err(Some),
        Err(_) => Err(None),
    }
}

async fn straight(address: &str) -> Result<TcpStream, String> {
    let found = in_time(CALL_TIME, tokio::net::lookup_host(address)).await;
    let found: Vec<_> = match found {
        Ok(found) => found.collect(),
        Err(_) => return Err(not_found()),
    };
    if found.is_empty() {
        return Err(not_found());
    }
    // Each has its share of the time: one that swallows packets does not hide another one.
    let shares = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let share = (CALL_TIME / shares).max(CALL_TIME / SHARES_MAX);
    let mut last = None;
    for place in found {
        match in_time(share, TcpStream::connect(place)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    match last.flatten() {
        None => Err("does not answer; ask its operator, or your own about the firewall".to_owned()),
        Some(error) => Err(format!("cannot be reached ({error})")),
    }
}

fn not_found() -> String {
    "has a name that is not found; ask the partner for its address, or your IT about name service"
        .to_owned()
}

impl Proxy {
    async fn open(&self, address: &str) -> Result<TcpStream, String> {
        let proxy = &self.address;
        let connecting = in_time(CALL_TIME, TcpStream::connect(proxy.as_str())).await;
        let mut stream = connecting.map_err(|error| {
            let why = error.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
            format!("cannot be reached, because your proxy {proxy} cannot ({why}); ask your IT")
        })?;
        let request = self.request(address)?;
        let asking = async {
            stream.write_all(request.as_bytes()).await?;
            answer(&mut stream).await
        };
        let said = in_time(CALL_TIME, asking).await.map_err(|_| {
            format!("cannot be reached: your proxy {proxy} ends the connection; ask your IT")
        })?;
        match status(&said) {
            Some(200..=299) => Ok(stream),
            Some(407) => Err(self.wants_a_name()),
            Some(status) => Err(format!(
                "is not let through by your proxy {proxy} (status {status}); ask your IT to allow \
                 CONNECT to it"
            )),
            None => Err(format!(
                "cannot be reached: what answers at {proxy} is no HTTP proxy; ask your IT for its \
                 address"
            )),
        }
    }

    fn wants_a_name(&self) -> String {
        let proxy = &self.address;
        match &self.credentials {
            None => format!(
                "cannot be reached: your proxy {proxy} wants a name and a password; write them as \
                 name:password into a file, and name it as proxy_credentials"
            ),
            Some(path) => format!(
                "cannot be reached: your proxy {proxy} does not take the name and password in {}; \
                 ask your IT for the present ones",
                path.display()
            ),
        }
    }

    fn request(&self, address: &str) -> Result<Zeroizing<String>, String> {
        let mut request =
            Zeroizing::new(format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n"));
        if let Some(path) = &self.credentials {
            let unreadable = |why: String| {
                format!(
                    "cannot be reached: {} cannot be used ({why})",
                    path.display()
                )
            };
            let bytes = read_secret(path).map_err(|error| unreadable(error.to_string()))?;
            let bytes = Zeroizing::new(bytes);
            let line = bytes
                .split(|byte| *byte == b'\n')
                .next()
                .unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.contains(&b':') {
                return Err(unreadable("its first line is not name:password".to_owned()));
            }
            let basic = Zeroizing::new(data_encoding::BASE64.encode(line));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&basic);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Ok(request)
    }
}

/// The head of the answer and nothing behind it: the next byte belongs to the partner.
async fn answer(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < PROXY_ANSWER_BYTES_MAX {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

/// The status of a head that is whole.
fn status(head: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(head).ok()?;
    parsed.is_complete().then_some(response.code)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn of_an_answer_the_status_counts_and_only_if_it_is_whole() {
        for (head, is) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 200 OK\r\nVia: proxy\r\n\r\n", Some(200)),
            (
                "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n",
                Some(407),
            ),
            ("HTTP/1.1 200 Connection", None),
            ("SSH-2.0-OpenSSH_9.6\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(head.as_bytes()), is, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_answers_there_ends_nothing(head in vec(any::<u8>(), 0..300)) {
            status(&head);
        }
    }
}
