//! Days as people write them, in UTC.
//!
//! **Invariant:** nothing here reads a clock.

use corridor_proto::UnixMillis;
use time::{Date, Month, OffsetDateTime};

const DAY_MS: u64 = 86_400_000;

fn date(time_ms: u64) -> Option<Date> {
    let seconds = i64::try_from(time_ms / 1_000).ok()?;
    Some(OffsetDateTime::from_unix_timestamp(seconds).ok()?.date())
}

/// The day of a time, as `2026-11-24`; a dash for one that no calendar has.
pub(super) fn day(time_ms: u64) -> String {
    date(time_ms).map_or_else(|| "-".to_owned(), |date| date.to_string())
}

/// The minute of a time, as `2026-11-24 09:05 UTC`; a dash for one that no calendar has.
pub(super) fn minute(time_ms: u64) -> String {
    let minutes = time_ms / 60_000 % (24 * 60);
    match day(time_ms).as_str() {
        "-" => "-".to_owned(),
        day => format!("{day} {:02}:{:02} UTC", minutes / 60, minutes % 60),
    }
}

/// The year of a time; zero for one that no calendar has.
pub(super) fn year(time_ms: u64) -> i32 {
    date(time_ms).map_or(0, Date::year)
}

/// When the day `2026-11-24` is over. `None` for what is no day after 1970.
pub fn end_of_day(text: &str) -> Option<UnixMillis> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, date] = parts.as_slice() else {
        return None;
    };
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, date.parse().ok()?).ok()?;
    let start = date.midnight().assume_utc().unix_timestamp();
    let start_ms = u64::try_from(start).ok()?.checked_mul(1_000)?;
    // Only the one way in which days are printed: no sign, no missing zero.
    (date.to_string() == text).then_some(UnixMillis(start_ms + DAY_MS))
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
        assert_eq!((year(u64::MAX), day(u64::MAX).as_str()), (0, "-"));
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
