//! The clock and the system's randomness: the only file that reads either.
//!
//! **Invariant:** rules and store get both as parameters.

use corridor_proto::UnixMillis;

/// The present time.
pub fn now() -> UnixMillis {
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Random bytes from the system.
///
/// # Errors
/// What the system says; without randomness nothing may be signed.
pub fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills a buffer with random bytes from the system.
///
/// # Errors
/// What the system says; without randomness nothing may be signed.
pub fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(|error| std::io::Error::other(error.to_string()))
}

/// A random number below `bound`, for jitter; zero without randomness.
pub fn jitter(bound: u64) -> u64 {
    random::<8>().map_or(0, |bytes| u64::from_be_bytes(bytes) % bound.max(1))
}
