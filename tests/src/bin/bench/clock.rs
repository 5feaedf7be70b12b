//! The clock, and what is made of many times: the only file here that reads it.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The present moment.
pub fn now() -> Instant {
    #[allow(clippy::disallowed_methods)]
    Instant::now()
}

/// Looks again and again until something is so, and not longer than `patience`.
pub async fn until<F: Future<Output = bool>>(
    what: &str,
    pause: Duration,
    patience: Duration,
    mut is_so: impl FnMut() -> F,
) -> Result<()> {
    let end = now() + patience;
    while !is_so().await {
        if now() > end {
            bail!("waited in vain until {what}");
        }
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The value below which a part of all lies: 0.5 for the median.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    #[allow(clippy::cast_sign_loss)]
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
