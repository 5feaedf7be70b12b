//! Days as people write them, in UTC.
//!
//! **Invariant:** nothing here reads a clock.

use corridor_proto::UnixMillis;

const DAY_MS: u64 = 86_400_000;

/// The day of a time, as `2026-11-24`.
pub(super) fn day(time_ms: u64) -> String {
    let (year, month, day) = civil(time_ms / DAY_MS);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The year of a time.
pub(super) fn year(time_ms: u64) -> u64 {
    civil(time_ms / DAY_MS).0
}

/// When the day `2026-11-24` is over. `None` for what is no day after 1970.
pub(super) fn end_of_day(text: &str) -> Option<UnixMillis> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, date] = parts.as_slice() else {
        return None;
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (year.len(), month.len(), date.len()) != (4, 2, 2) || !digits(&text.replace('-', "")) {
        return None;
    }
    let days = days(year.parse().ok()?, month.parse().ok()?, date.parse().ok()?)?;
    let end = UnixMillis((days + 1) * DAY_MS);
    (day(days * DAY_MS) == text).then_some(end)
}

/// Days since 1970-01-01, after H. Hinnant, "chrono-compatible low-level date algorithms".
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + of_era).checked_sub(719_468)
}

/// Year, month and day of a number of days since 1970-01-01, after the same.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_back() {
        for (text, start_ms) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("2024-12-31", 1_735_603_200_000),
            ("2026-11-24", 1_795_478_400_000),
        ] {
            assert_eq!(day(start_ms), text);
            assert_eq!(day(start_ms + DAY_MS - 1), text);
            assert_eq!(
                end_of_day(text),
                Some(UnixMillis(start_ms + DAY_MS)),
                "{text}"
            );
        }
        assert_eq!(year(1_735_603_200_000), 2024);
        assert_eq!(year(u64::MAX), 584_556_019);
    }

    #[test]
    fn every_day_of_two_centuries_reads_back() {
        for days in 0..73_000 {
            let text = day(days * DAY_MS);
            assert_eq!(
                end_of_day(&text),
                Some(UnixMillis((days + 1) * DAY_MS)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-29",
            "2026-11-31",
            "24-11-2026",
            "2026-1-1",
            "1969-12-31",
            "2026-11-+1",
            "2026-11-24T00",
            "2026/11/24",
        ] {
            assert_eq!(end_of_day(text), None, "{text}");
        }
    }
}
