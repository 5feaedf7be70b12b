//! How much of each thing a peer may cost in a time: a bucket that fills by itself.
//!
//! What comes is always taken from the bucket, so that it may be in debt by one piece; nothing more
//! is taken in until it is not. **Invariant:** a bucket never holds more than it may, and a clock
//! that goes back gives nothing.

use corridor_proto::UnixMillis;

/// How large a bucket is, and how it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// As much at once.
    pub burst: u64,
    /// As much in a minute, over time.
    pub per_minute: u64,
}

/// A bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    level: i128,
    at: UnixMillis,
}

/// In a minute, and the unit in which a level is counted: so nothing is lost to rounding.
const MINUTE_MS: i128 = 60_000;

impl Bucket {
    /// A full one.
    pub fn full(rate: &Rate, now: UnixMillis) -> Self {
        Self {
            level: i128::from(rate.burst) * MINUTE_MS,
            at: now,
        }
    }

    fn fill(&mut self, rate: &Rate, now: UnixMillis) {
        let came = i128::from(now.since(self.at)) * i128::from(rate.per_minute);
        self.level = (self.level + came).min(i128::from(rate.burst) * MINUTE_MS);
        self.at = self.at.max(now);
    }

    /// Takes so much out, whether or not it is there.
    pub fn take(&mut self, rate: &Rate, amount: u64, now: UnixMillis) {
        self.fill(rate, now);
        self.level -= i128::from(amount) * MINUTE_MS;
    }

    /// Whether it holds all that it may.
    pub fn is_full(&mut self, rate: &Rate, now: UnixMillis) -> bool {
        self.fill(rate, now);
        self.level == i128::from(rate.burst) * MINUTE_MS
    }

    /// How long until it is no longer in debt; zero if it is not.
    pub fn wait_ms(&mut self, rate: &Rate, now: UnixMillis) -> u64 {
        self.fill(rate, now);
        let debt = -self.level;
        if debt <= 0 {
            return 0;
        }
        let per_minute = i128::from(rate.per_minute.max(1));
        u64::try_from((debt + per_minute - 1) / per_minute).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 100,
        per_minute: 60,
    };

    #[test]
    fn it_gives_its_burst_at_once_and_then_what_comes() {
        let at = |ms| UnixMillis(1_000_000 + ms);
        let mut bucket = Bucket::full(&RATE, at(0));
        bucket.take(&RATE, 100, at(0));
        assert_eq!(bucket.wait_ms(&RATE, at(0)), 0, "the burst is there");
        assert!(!bucket.is_full(&RATE, at(99_999)) && bucket.is_full(&RATE, at(100_000)));
        let mut bucket = Bucket::full(&RATE, at(0));
        bucket.take(&RATE, 100, at(0));
        bucket.take(&RATE, 3, at(0));
        assert_eq!(bucket.wait_ms(&RATE, at(0)), 3_000, "one comes in a second");
        assert_eq!(bucket.wait_ms(&RATE, at(2_999)), 1);
        assert_eq!(bucket.wait_ms(&RATE, at(3_000)), 0);
        // Never more than its burst, however long nothing is taken.
        bucket.take(&RATE, 101, at(u64::MAX / 2));
        assert_eq!(bucket.wait_ms(&RATE, at(u64::MAX / 2)), 1_000);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::full(&RATE, UnixMillis(50_000));
        bucket.take(&RATE, 160, UnixMillis(50_000));
        assert_eq!(bucket.wait_ms(&RATE, UnixMillis(0)), 60_000);
        assert_eq!(bucket.wait_ms(&RATE, UnixMillis(50_000)), 60_000);
        assert_eq!(bucket.wait_ms(&RATE, UnixMillis(80_000)), 30_000);
    }

    /// Whatever a peer takes and whenever, over time it gets no more than burst and rate, and one
    /// piece.
    #[test]
    fn over_an_hour_it_gives_no_more_than_its_rate() {
        let mut bucket = Bucket::full(&RATE, UnixMillis(0));
        let (mut taken, mut now) = (0, 0);
        let mut odd = 12_345_u64;
        while now < 3_600_000 {
            odd = odd.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let piece = odd >> 60;
            if bucket.wait_ms(&RATE, UnixMillis(now)) == 0 {
                bucket.take(&RATE, piece, UnixMillis(now));
                taken += piece;
            }
            now += odd >> 56;
        }
        assert!(taken <= 100 + 60 * 60 + 16, "{taken}");
        assert!(taken >= 60 * 60 - 16, "{taken}: it gives what it may");
    }
}
