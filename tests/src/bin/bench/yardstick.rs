//! What the machine can do at the time: one core's signatures, one synced write, one long write.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ed25519_dalek::{Signer, SigningKey};

use crate::clock::{median, ms, now};

/// As long as what a signature of a record covers.
const MESSAGE_BYTES: usize = 256;
/// A group of one record with its line and head.
const WRITE_BYTES: usize = 3 * 1024;
/// Synced writes that are timed.
const WRITES: usize = 200;
/// Bytes of the long write, and of each piece of it.
const LONG_BYTES: usize = 256 * 1024 * 1024;
const PIECE_BYTES: usize = 1024 * 1024;
/// How long each rate is measured.
const SPELL: Duration = Duration::from_millis(400);

/// Signatures of one core in a second.
pub fn signs() -> f64 {
    let (key, message) = (SigningKey::from_bytes(&[1; 32]), [7; MESSAGE_BYTES]);
    rate(|| {
        std::hint::black_box(key.sign(&message));
    })
}

/// Strict verifications of one core in a second.
pub fn verifies() -> f64 {
    let (key, message) = (SigningKey::from_bytes(&[1; 32]), [7; MESSAGE_BYTES]);
    let (public, signature) = (key.verifying_key(), key.sign(&message));
    rate(|| {
        let verdict = public.verify_strict(&message, &signature);
        std::hint::black_box(verdict).expect("it is good");
    })
}

fn rate(mut act: impl FnMut()) -> f64 {
    let begin = now();
    let mut times = 0_u32;
    while begin.elapsed() < SPELL {
        for _ in 0..64 {
            act();
        }
        times += 64;
    }
    f64::from(times) / begin.elapsed().as_secs_f64()
}

/// Median of an appending write and its `fdatasync`, in milliseconds.
pub fn sync_ms(folder: &Path) -> Result<f64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let bytes = [7; WRITE_BYTES];
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begin = now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.push(ms(begin.elapsed()));
    }
    Ok(median(&times))
}

/// Bytes in a second of one long write, with its sync.
pub fn write_rate(folder: &Path) -> Result<f64> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let piece = vec![7; PIECE_BYTES];
    let begin = now();
    for _ in 0..LONG_BYTES / PIECE_BYTES {
        file.write_all(&piece)?;
    }
    file.sync_data()?;
    let bytes = f64::from(u32::try_from(LONG_BYTES)?);
    Ok(bytes / begin.elapsed().as_secs_f64())
}
