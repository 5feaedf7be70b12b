//! Moments and stretches of time, as filters write them.
//!
//! **Invariant:** a stretch never ends before it begins.

use std::ops::Range;

use time::format_description::well_known::Rfc3339;
use time::{Date, Duration, Month, OffsetDateTime};

/// The milliseconds that are meant by "2026", "2026-11", "2026-11-24" or an RFC 3339 time; of days
/// those in UTC.
pub fn stretch(text: &str) -> Option<Range<u64>> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        let at = u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?;
        return Some(at..at + 1);
    }
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        let is_plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| part.parse::<u16>().ok()).flatten()
    };
    let year = i32::from(number(parts.first()?, 4)?);
    let month = parts.get(1).map(|part| number(part, 2));
    let month = match month {
        Some(month) => Some(Month::try_from(u8::try_from(month?).ok()?).ok()?),
        None => None,
    };
    let day = |month, day| Date::from_calendar_date(year, month, day).ok();
    let (first, end) = match (parts.get(2), month) {
        (None, None) => {
            let end = Date::from_calendar_date(year + 1, Month::January, 1).ok();
            (day(Month::January, 1)?, end?)
        }
        (None, Some(month)) => {
            let first = day(month, 1)?;
            let days = i64::from(month.length(year));
            (first, first.checked_add(Duration::days(days))?)
        }
        (Some(part), Some(month)) if parts.len() == 3 => {
            let first = day(month, u8::try_from(number(part, 2)?).ok()?)?;
            (first, first.next_day()?)
        }
        _ => return None,
    };
    let ms = |date: Date| {
        let seconds = date.midnight().assume_utc().unix_timestamp();
        u64::try_from(seconds).ok()?.checked_mul(1_000)
    };
    Some(ms(first)?..ms(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_exact_as_it_is_written() {
        const DAY: u64 = 86_400_000;
        let first = 1_704_067_200_000; // 2024-01-01
        for (text, range) in [
            ("2024", first..first + 366 * DAY),
            ("2024-02", first + 31 * DAY..first + 60 * DAY),
            ("2024-02-29", first + 59 * DAY..first + 60 * DAY),
            ("2024-01-01T01:00:00+01:00", first..first + 1),
            ("2024-01-01T00:00:00.005Z", first + 5..first + 6),
        ] {
            assert_eq!(stretch(text), Some(range), "{text}");
        }
        for text in [
            "",
            "24",
            "2024-13",
            "2023-02-29",
            "2024-1-1",
            "+2024",
            "1960",
            "2024-01-01-01",
            "now",
        ] {
            assert_eq!(stretch(text), None, "{text}");
        }
        assert!(stretch("9999").is_none(), "the calendar ends there");
    }
}
